"""Reports: what an operation did or found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from . import _core

__all__ = ["Report"]


class Report(Mapping[str, Any]):
    """What an operation did or found: a mapping with the content of the command's `--json` document.

    `print(report)` shows the text that the command prints. Sizes are bytes, times seconds.
    """

    def __init__(self, core: _core.Report) -> None:
        self._core = core
        self._document: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The whole document, as plain dicts, lists, strings and numbers."""
        if self._document is None:
            self._document = json.loads(self.json())
        return self._document

    def json(self) -> str:
        """The document as JSON text."""
        return self._core.render("json")

    def text(self) -> str:
        """The report as the command prints it."""
        return self._core.render("text")

    def markdown(self) -> str:
        """The report in Markdown."""
        return self._core.render("markdown")

    def __getitem__(self, key: str) -> Any:
        return self.to_dict()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<arrowquant.Report {self.to_dict().get('kind', '')!r}>"

    def _repr_markdown_(self) -> str:
        return self.markdown()
