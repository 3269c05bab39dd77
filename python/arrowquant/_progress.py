"""Showing how far a job is."""

from __future__ import annotations

import logging
import sys
from types import TracebackType

from .api import Progress

logger = logging.getLogger("arrowquant")


class ProgressLine:
    """A line on standard error when that is a terminal, else log messages.

    It is a callback for `progress=`, and a context manager: leaving it wipes the line.
    """

    def __init__(self, enabled: bool = True) -> None:
        self._enabled = enabled
        self._is_terminal = enabled and sys.stderr is not None and sys.stderr.isatty()
        self._width = 0

    def __call__(self, event: Progress) -> None:
        percent = 100 * event.bytes_done // event.bytes_total if event.bytes_total else 100
        self.report(f"{event.stage}: {event.tensors_done}/{event.tensors_total} tensors, {percent} %")

    def report(self, text: str) -> None:
        """Shows a text in place of the one before."""
        if not self._enabled:
            return
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
