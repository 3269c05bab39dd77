"""What may stand for a source: a path, arrays, a torch module, a table of another engine, an opened source."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from . import _core
from ._dtypes import is_torch_tensor, name_of_numpy
from .errors import ArgumentError
from .tensors import Source

if TYPE_CHECKING:
    import torch

__all__ = ["SourceLike"]


@runtime_checkable
class ArrowStream(Protocol):
    """The Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A capsule with an Arrow stream."""
        ...


@runtime_checkable
class HasStateDict(Protocol):
    """A torch module."""

    state_dict: Callable[..., Mapping[str, Any]]


SourceLike: TypeAlias = (
    "str | os.PathLike[str] | Source | Mapping[str, np.ndarray[Any, Any] | torch.Tensor] | HasStateDict | ArrowStream"
)

_Described = tuple[str, str, tuple[int, ...], int]


def _torch_array(name: str, tensor: Any) -> tuple[_Described, object]:
    import torch

    unfit = {
        "nested": tensor.is_nested,
        f"of the layout {tensor.layout}": tensor.layout != torch.strided,
        f"quantized, of type {tensor.dtype}": tensor.is_quantized,
        f"complex, of type {tensor.dtype}": tensor.is_complex(),
        "without values, on the device 'meta'": tensor.is_meta,
    }
    for what, is_so in unfit.items():
        if is_so:
            raise ArgumentError(f"is {what}; only dense tensors of real numbers can be stored", tensor=name)
    held = tensor.detach().cpu().contiguous()
    return (name, str(held.dtype), tuple(held.shape), held.data_ptr()), held


def _numpy_array(name: str, value: object) -> tuple[_Described, object]:
    held = np.asarray(value, order="C")
    if held.dtype.byteorder == ">" or (held.dtype.byteorder == "=" and np.little_endian is False):
        held = held.astype(held.dtype.newbyteorder("<"))
    try:
        dtype = name_of_numpy(held.dtype)
    except TypeError as error:
        raise ArgumentError(str(error), tensor=name) from None
    return (name, dtype, held.shape, held.ctypes.data), held


def _check_name(name: object) -> str:
    if not isinstance(name, str):
        raise ArgumentError(f"names of tensors are str, not {type(name).__name__} ({name!r})")
    if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
        raise ArgumentError(f"{name!r} is no name of a tensor: expected text without U+0000 and surrogates")
    return name


def _described(name: str, value: object) -> tuple[_Described, object]:
    """What the library wants to know of an array; whatever goes wrong, the error has the name."""
    try:
        return _torch_array(name, value) if is_torch_tensor(value) else _numpy_array(name, value)
    except (ArgumentError, MemoryError):
        raise
    except Exception as error:
        what = f"{type(value).__module__}.{type(value).__qualname__}"
        raise ArgumentError(
            f"a {what} cannot be read ({type(error).__name__}: {error}); expected an array of NumPy or torch",
            tensor=name,
        ) from error


def from_arrays(arrays: Mapping[Any, Any]) -> _core.Source:
    """A source of arrays in memory, which are not copied when they are contiguous and on the CPU."""
    described, owners = [], []
    for name, value in arrays.items():
        one, owner = _described(_check_name(name), value)
        described.append(one)
        owners.append(owner)
    return _core.open_tensors(described, owners)


def _read_table(source: object) -> ArrowStream | None:
    """The table of what can be read as one: a LazyFrame of polars, a Dataset or Scanner of pyarrow."""
    for method in ("collect", "to_table"):
        read = getattr(source, method, None)
        table = read() if callable(read) else None
        if isinstance(table, ArrowStream):
            return table
    return None


def open_core(source: SourceLike, options: dict[str, Any] | None = None) -> _core.Source:
    """Opens whatever may stand for a source. The options are those of a path.

    Raises:
        TypeError: `arrowquant.open` does not accept an object of this type.

    """
    if isinstance(source, (str, os.PathLike)):
        return _core.open_path(os.fsencode(source), {} if options is None else options)
    if isinstance(source, Source):
        return source._core
    if isinstance(source, Mapping):
        return from_arrays(source)
    if isinstance(source, ArrowStream):
        return _core.open_arrow(source.__arrow_c_stream__())
    if isinstance(source, HasStateDict):
        return from_arrays(source.state_dict())
    table = _read_table(source)
    if table is not None:
        return _core.open_arrow(table.__arrow_c_stream__())
    raise TypeError(
        f"{type(source).__name__} is no source: expected a path, a mapping of NumPy or torch tensors, a torch module, "
        "an opened source, or an object with __arrow_c_stream__ (a table of pyarrow, polars or DuckDB)"
    )


def path_or_core(source: SourceLike) -> bytes | _core.Source:
    """A path as bytes, anything else opened."""
    if isinstance(source, (str, os.PathLike)):
        return os.fsencode(source)
    return open_core(source)
