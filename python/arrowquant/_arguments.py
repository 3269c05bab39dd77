"""Arguments that the tokenizer and the encoder share."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from .errors import ArgumentError

_MAXIMUM = 2**32 - 1


def count(name: str, value: object, minimum: int) -> int:
    """A whole number in the range of the C library.

    Raises:
        ArgumentError: it is too small or too large.
        TypeError: it is no whole number.

    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name}: a whole number is expected, not {type(value).__name__}") from None
    if not minimum <= number <= _MAXIMUM:
        raise ArgumentError(f"{name}: {number} is out of range: expected {minimum} to {_MAXIMUM}")
    return number


def text_list(name: str, value: str | Iterable[str]) -> tuple[list[str], bool]:
    """The texts as a list, and whether they came as one str.

    Raises:
        TypeError: one of them is no str.

    """
    if isinstance(value, str):
        return [value], True
    if isinstance(value, (bytes, bytearray)):
        raise TypeError(f"{name}: a str or a list of str is expected, not {type(value).__name__}")
    items = list(value)
    for i, item in enumerate(items):
        if not isinstance(item, str):
            raise TypeError(f"{name}[{i}]: a str is expected, not {type(item).__name__}")
    return items, False
