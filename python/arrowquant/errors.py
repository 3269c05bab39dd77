"""The exceptions of the package, and which status of the C library becomes which.

Every error is an `ArrowQuantError`. Its message is what went wrong and what was expected, where (file, tensor, byte
offset, row group, as far as they are known) and what to do about it (`hint`).
"""

from __future__ import annotations

import enum
import errno
import re
from typing import TYPE_CHECKING, Any

from ._keywords import KEYWORDS

if TYPE_CHECKING:
    from .report import Report

__all__ = [
    "ArgumentError",
    "ArrowQuantError",
    "ConfigurationError",
    "CorruptError",
    "DegradedError",
    "DiskFullError",
    "ExistsError",
    "FormatError",
    "InternalError",
    "NoMatchError",
    "NonFiniteError",
    "NotFoundError",
    "OutOfMemoryError",
    "PermissionDeniedError",
    "RequantizeError",
    "Status",
    "StorageError",
    "ThresholdError",
    "UnsupportedError",
]


class Status(enum.IntEnum):
    """Status codes of the C library (`aq_status`)."""

    OK = 0
    ARGUMENT = 10
    MEMORY = 11
    INTERRUPTED = 12
    INTERNAL = 13
    IO = 20
    NOT_FOUND = 21
    EXISTS = 22
    DISK_FULL = 23
    PERMISSION = 24
    FORMAT = 30
    CORRUPT = 31
    UNSUPPORTED = 32
    NONFINITE = 40
    NO_MATCH = 41
    REQUANTIZE = 42
    THRESHOLD = 50
    DEGRADED = 51


class ArrowQuantError(Exception):
    """Base class of all errors of this package.

    Attributes:
        code: status of the C library.
        message: what went wrong and what was expected.
        file: path of the file, or None.
        tensor: name of the tensor, or None. Very long names are shortened in the middle.
        offset: byte offset in the file, or None.
        row_group: row group of a Parquet file, or None.
        hint: what to do about it, or None.
        report: the report of a job that was done but did not pass (threshold, damage), or None.

    """

    code: Status = Status.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        file: str | None = None,
        tensor: str | None = None,
        offset: int | None = None,
        row_group: int | None = None,
        hint: str | None = None,
        report: Report | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = Status(code)
        self.file = file
        self.tensor = tensor
        self.offset = offset
        self.row_group = row_group
        self.hint = hint
        self.report = report
        if isinstance(self, OSError):
            for name, value in (("errno", _ERRNO.get(self.code)), ("strerror", message), ("filename", file)):
                setattr(self, name, value)

    def __str__(self) -> str:
        where = [f"{self.file}"] if self.file else []
        if self.tensor:
            where.append(f"tensor '{self.tensor}'")
        text = ": ".join([*where, self.message])
        place = []
        if self.offset is not None:
            place.append(f"offset {self.offset}")
        if self.row_group is not None:
            place.append(f"row group {self.row_group}")
        if place:
            text += f" ({', '.join(place)})"
        if self.hint:
            text += f". {self.hint}"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        details = {
            "code": int(self.code),
            "file": self.file,
            "tensor": self.tensor,
            "offset": self.offset,
            "row_group": self.row_group,
            "hint": self.hint,
        }
        return _rebuild, (type(self), self.message, details)


class ArgumentError(ArrowQuantError, ValueError):
    """An option or argument is wrong."""

    code = Status.ARGUMENT


class ConfigurationError(ArgumentError):
    """A value of a configuration is wrong.

    Attributes:
        config_key: name of the setting.
        config_value: the value that was given.
        expected_type: what is allowed, in words.

    """

    def __init__(
        self, message: str, config_key: str = "", config_value: object = None, expected_type: str = ""
    ) -> None:
        super().__init__(f"{message} (key '{config_key}', value {config_value!r}, expected {expected_type})")
        self.config_key = config_key
        self.config_value = config_value
        self.expected_type = expected_type
        self._short = message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._short, self.config_key, self.config_value, self.expected_type)


class OutOfMemoryError(ArrowQuantError, MemoryError):
    """Out of memory, or the caller's memory limit was reached."""

    code = Status.MEMORY


class InternalError(ArrowQuantError):
    """A bug in this library."""


class StorageError(ArrowQuantError):
    """A file could not be read or written: the base of all errors about files."""

    code = Status.IO


class SystemIOError(StorageError, OSError):
    """The system refused a read or write."""


class NotFoundError(StorageError, FileNotFoundError):
    """An input does not exist."""

    code = Status.NOT_FOUND


class ExistsError(StorageError, FileExistsError):
    """The output exists already; `force=True` replaces it."""

    code = Status.EXISTS


class DiskFullError(StorageError, OSError):
    """No space left, or a quota or file-size limit reached."""

    code = Status.DISK_FULL


class PermissionDeniedError(StorageError, PermissionError):
    """Not allowed to read or write there."""

    code = Status.PERMISSION


class FormatError(StorageError):
    """The input breaks the rules of its format."""

    code = Status.FORMAT


class CorruptError(StorageError):
    """A checksum or a length does not match: damaged bytes."""

    code = Status.CORRUPT


class UnsupportedError(StorageError):
    """Valid, but not handled here (an encrypted file, an unknown codec)."""

    code = Status.UNSUPPORTED


class NonFiniteError(ArrowQuantError):
    """NaN, an infinity, or a value out of the range of the type."""

    code = Status.NONFINITE


class NoMatchError(ArrowQuantError, KeyError):
    """A pattern matches no tensor, or a name is not there."""

    code = Status.NO_MATCH


class RequantizeError(ArrowQuantError):
    """The source is quantized already; `allow_requantize=True` accepts it."""

    code = Status.REQUANTIZE


class ThresholdError(ArrowQuantError):
    """Done, but a measured value is below the threshold asked for; `report` has the numbers."""

    code = Status.THRESHOLD


class DegradedError(ArrowQuantError):
    """Not as asked, and `strict` was set."""

    code = Status.DEGRADED


_CLASSES: dict[Status, type[ArrowQuantError]] = {
    Status.ARGUMENT: ArgumentError,
    Status.MEMORY: OutOfMemoryError,
    Status.INTERRUPTED: ArrowQuantError,
    Status.INTERNAL: InternalError,
    Status.IO: SystemIOError,
    Status.NOT_FOUND: NotFoundError,
    Status.EXISTS: ExistsError,
    Status.DISK_FULL: DiskFullError,
    Status.PERMISSION: PermissionDeniedError,
    Status.FORMAT: FormatError,
    Status.CORRUPT: CorruptError,
    Status.UNSUPPORTED: UnsupportedError,
    Status.NONFINITE: NonFiniteError,
    Status.NO_MATCH: NoMatchError,
    Status.REQUANTIZE: RequantizeError,
    Status.THRESHOLD: ThresholdError,
    Status.DEGRADED: DegradedError,
}

_ERRNO = {
    Status.IO: errno.EIO,
    Status.NOT_FOUND: errno.ENOENT,
    Status.EXISTS: errno.EEXIST,
    Status.DISK_FULL: errno.ENOSPC,
    Status.PERMISSION: errno.EACCES,
}


# A field of the library's options that a hint marks: `force=true`, `target_bpw=2.5`, `keep_patterns`.
_FIELD = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]*))?`")


def _keyword(field: re.Match[str]) -> str:
    """The argument of this package for a field."""
    name, value = field[1], field[2]
    name = KEYWORDS.get(name, name)
    if value is None:
        return name
    if value in ("true", "false"):
        return f"{name}={value.capitalize()}"
    is_plain = (value.isalpha() and value.isupper()) or value[:1] == "'" or re.fullmatch(r"[0-9.]+", value)
    return f"{name}={value if is_plain else repr(value)}"


def _in_python(hint: str) -> str:
    return _FIELD.sub(_keyword, hint)


def _rebuild(cls: type[ArrowQuantError], message: str, details: dict[str, Any]) -> ArrowQuantError:
    return cls(message, **details)


def _from_core(
    code: int,
    message: str,
    file: str | None,
    tensor: str | None,
    offset: int | None,
    row_group: int | None,
    hint: str | None,
    report: Any,
) -> ArrowQuantError:
    """The exception of an `aq_error`. The extension module calls this."""
    from .report import Report

    return _CLASSES.get(Status(code), ArrowQuantError)(
        message,
        code=code,
        file=file,
        tensor=tensor,
        offset=offset,
        row_group=row_group,
        hint=None if hint is None else _in_python(hint),
        report=None if report is None else Report(report),
    )
