"""Showing how far a job is."""

from __future__ import annotations

import logging
import sys
from types import TracebackType

from .api import Progress

logger = logging.getLogger("arrowquant")


class ProgressLine:
    """A callback for `progress=`: a line on standard error when that is a terminal, else log messages.

    A context manager: leaving it wipes the line.
    """

    def __init__(self, enabled: bool = True) -> None:
        self._enabled = enabled
        self._is_terminal = enabled and sys.stderr is not None and sys.stderr.isatty()
        self._width = 0

    def __call__(self, event: Progress) -> None:
        if not self._enabled:
            return
        percent = 100 * event.bytes_done // event.bytes_total if event.bytes_total else 100
        text = f"{event.stage}: {event.tensors_done}/{event.tensors_total} tensors, {percent} %"
        if self._is_terminal:
            self._show(text)
        else:
            logger.info("%s", text)

    def _show(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._width:
            self._show("")
            sys.stderr.write("\r")
