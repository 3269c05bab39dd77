"""Objects that hold something of the library open."""

from __future__ import annotations

from types import TracebackType
from typing import Any, ClassVar, Generic, Protocol, TypeVar


class Core(Protocol):
    """What is held: an object of the extension module."""

    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...


CoreT = TypeVar("CoreT", bound=Core)
Self = TypeVar("Self", bound="Handle[Any]")


class Handle(Generic[CoreT]):
    """Something that can be closed, and is a context manager for that. Its use afterwards is a ValueError."""

    _kind: ClassVar[str]
    _core: CoreT

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._core.closed

    def close(self) -> None:
        """Ends the use of this object, after calls in progress on other threads. Closing again does nothing."""
        self._core.close()

    def _check_open(self) -> None:
        check_open(self._core, self._kind)

    def __enter__(self: Self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_open(core: Core, kind: str) -> None:
    """Refuses what is closed.

    Raises:
        ValueError: it is.

    """
    if core.closed:
        raise ValueError(f"the {kind} is closed")
