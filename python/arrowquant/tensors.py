"""Opened sources and their tensors: lazy, zero-copy where the file allows it.

Source: `arrowquant.h` ("Sources", "Tensors") and docs/FORMAT.md, which defines codes, scales and zero points.
"""

from __future__ import annotations

import weakref
from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import _core, _load
from ._dtypes import is_opaque, numpy_dtype
from ._handles import Handle, check_open
from .errors import ArgumentError

if TYPE_CHECKING:
    import torch

__all__ = ["Source", "Tensor"]

Array = npt.NDArray[Any]


class _Info(NamedTuple):
    """One tuple of `_core.Source.tensors()`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    quant_type: str
    num_params: int
    data_bytes: int
    stored_bytes: int
    num_scales: int
    quant_axis: int
    group_size: int
    alias_of: int


class _Memory:
    """Memory that belongs to `owner`, in a form that `numpy.asarray` does not copy."""

    __slots__ = ("__array_interface__", "owner")

    def __init__(self, owner: object, address: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "version": 3,
            "data": (address, True),
            "typestr": dtype.str,
            "shape": shape,
        }


def _view(stored: _core.Stored, address: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    if address == 0:
        empty = np.empty(shape, dtype)
        empty.flags.writeable = False
        return empty
    return np.asarray(_Memory(stored, address, dtype, shape))


class Tensor:
    """A tensor of an opened source. Nothing is read before it is asked for.

    Attributes:
        name: name in the source.
        shape: tuple of ints; `()` for a scalar.
        dtype: "torch.float32", ...: the type of the values; for a quantized tensor, of the original.
        quant_type: "int8", "int4", "int3", "int2", or "kept".
        group_size: 0: one scale per tensor or channel; n: one for every n elements in C order.
        quant_axis: -1: one scale (or kept); 0: one per channel of axis 0, or per group.
        num_params: number of elements.
        data_bytes: bytes of the values or codes, decompressed.
        stored_bytes: bytes in the file, including scales and zero points.
        alias_of: name of the tensor that this one shares its bytes with (tied weights), or None.

    """

    __slots__ = ("_core", "_index", "_info", "_owner_name", "_recent")

    def __init__(self, core: _core.Source, index: int, info: _Info, owner_name: str | None) -> None:
        self._core = core
        self._index = index
        self._info = info
        self._owner_name = owner_name
        self._recent: weakref.ref[_core.Stored] | None = None

    def _load(self) -> _core.Stored:
        """The stored bytes; bytes that an array still refers to are not decoded again."""
        stored = self._recent() if self._recent is not None and not self._core.closed else None
        if stored is None:
            stored = self._core.load(self._index)
            self._recent = weakref.ref(stored)
        return stored

    # ---- what it is ----

    @property
    def name(self) -> str:
        """Name in the source."""
        return self._info.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents; `()` for a scalar."""
        return self._info.shape

    @property
    def dtype(self) -> str:
        """Type of the values ("torch.float32"); for a quantized tensor, of the original."""
        return self._info.dtype

    @property
    def quant_type(self) -> str:
        """How it is stored: "int8", "int4", "int3", "int2", or "kept"."""
        return self._info.quant_type

    @property
    def group_size(self) -> int:
        """Elements that share a scale; 0 with one scale per tensor or channel."""
        return self._info.group_size

    @property
    def quant_axis(self) -> int:
        """-1: one scale, or kept; 0: per channel of axis 0, or per group."""
        return self._info.quant_axis

    @property
    def num_params(self) -> int:
        """Number of elements."""
        return self._info.num_params

    @property
    def data_bytes(self) -> int:
        """Bytes of the values or codes, decompressed."""
        return self._info.data_bytes

    @property
    def stored_bytes(self) -> int:
        """Bytes in the file: data, scales and zero points, as they are stored."""
        return self._info.stored_bytes

    @property
    def alias_of(self) -> str | None:
        """Name of the tensor whose bytes this one shares, or None."""
        return self._owner_name

    @property
    def is_quantized(self) -> bool:
        """Whether codes are stored rather than values."""
        return self._info.quant_type != "kept"

    # ---- what is stored ----

    @property
    def codes(self) -> Array | None:
        """The stored codes, read-only; None for a kept tensor.

        int8: int8 array of the tensor's shape. int4, int3, int2: uint8 array of packed bytes, as in docs/FORMAT.md.
        A view of the file where it holds them uncompressed, else decoded at each access.

        Raises:
            ValueError: the source is closed.
            CorruptError: a checksum does not agree.

        """
        if not self.is_quantized:
            return None
        stored = self._load()
        if self._info.quant_type == "int8":
            return _view(stored, stored.data, np.dtype(np.int8), self.shape)
        return _view(stored, stored.data, np.dtype(np.uint8), (self._info.data_bytes,))

    @property
    def scales(self) -> Array | None:
        """The scales, float32, one dimension, read-only; None for a kept tensor."""
        return self._scale_array("scales")

    @property
    def zero_points(self) -> Array | None:
        """The zero points, float32, as many as scales, read-only; None for a kept tensor."""
        return self._scale_array("zero_points")

    def _scale_array(self, which: str) -> Array | None:
        if not self.is_quantized:
            return None
        stored = self._load()
        return _view(stored, getattr(stored, which), np.dtype("<f4"), (self._info.num_scales,))

    # ---- values ----

    def numpy(self) -> Array:
        """The values, in the tensor's shape.

        A kept tensor: its stored values, read-only and without a copy where the file holds them uncompressed; types
        that NumPy lacks (bfloat16, float8) come as float32. Of a type that cannot be read as numbers
        ("safetensors.F4"): its bytes, as a vector of uint8. A quantized tensor: `dequantize()`.
        """
        if is_opaque(self.dtype):
            raw = self._load()
            return _view(raw, raw.data, np.dtype("|u1"), (self._info.data_bytes,))
        dtype = numpy_dtype(self.dtype)
        if self.is_quantized or dtype is None:
            return self.dequantize()
        stored = self._load()
        return _view(stored, stored.data, dtype, self.shape)

    def dequantize(self, dtype: npt.DTypeLike = np.float32) -> Array:
        """A new array of the values, converted to `dtype`: x = (q - zero_point) * scale in float32.

        Args:
            dtype: a floating-point or integer NumPy type.

        Raises:
            ArgumentError: it is another type.

        """
        wanted = self._wanted(dtype)
        out = np.empty(self.shape, np.float32)
        self._core.read_f32([(self._index, 0, self.num_params, out.ctypes.data)], 1)
        return out if wanted == np.float32 else out.astype(wanted)

    def _wanted(self, dtype: npt.DTypeLike) -> np.dtype[Any]:
        try:
            wanted = np.dtype(dtype)
        except TypeError:
            wanted = np.dtype(object)
        if wanted.kind in "OSUMmc":
            message = f"dtype: {dtype!r}: expected a floating-point or integer type of NumPy"
            raise ArgumentError(message, tensor=self.name)
        return wanted

    def torch(self) -> torch.Tensor:
        """The values as a torch tensor of their own memory: float32 when quantized, else in the stored type.

        Of a type that cannot be read as numbers: its bytes, as a vector of uint8.
        """
        check_open(self._core, "source")
        return _load.load_torch(self._core, [(self._index, self._info)])[self.name]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        """`numpy.asarray(tensor)` is `tensor.numpy()`."""
        values = self.numpy()
        if dtype is not None and values.dtype != np.dtype(dtype):
            if copy is False:
                raise ValueError(f"tensor {self.name!r}: {values.dtype} as {np.dtype(dtype)} needs a copy")
            return values.astype(dtype)
        return values.copy() if copy else values

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"tensor {self.name!r} is a scalar, which has no length")
        return self.shape[0]

    def __repr__(self) -> str:
        kind = self.quant_type if self.is_quantized else self.dtype.removeprefix("torch.")
        return f"<arrowquant.Tensor {self.name!r} {list(self.shape)} {kind}>"


class Source(Handle[_core.Source]):
    """An opened source: a mapping from names to tensors, in the order of the file.

    It has all methods of a mapping. It is not registered as one: polars would iterate over it and not read the table.

    Made by `arrowquant.open`. It may be read by several threads at once. A context manager; arrays that were made from
    it stay good after it is closed, and keep the file open. Offers `__arrow_c_stream__`: `pyarrow.table(source)`,
    `polars.DataFrame(source)` and DuckDB read it as a weight table.
    """

    _kind = "source"

    def __init__(self, core: _core.Source) -> None:
        self._core = core
        infos = [_Info(*fields) for fields in core.tensors()]
        names = [info.name for info in infos]
        self._tensors = {
            info.name: Tensor(core, i, info, names[info.alias_of] if info.alias_of >= 0 else None)
            for i, info in enumerate(infos)
        }
        self._format, self._schema_version, self._file_bytes = core.summary()
        self._metadata: dict[str, str] | None = None

    def __getitem__(self, name: str) -> Tensor:
        self._check_open()
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        self._check_open()
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def keys(self) -> KeysView[str]:
        """The names of the tensors."""
        self._check_open()
        return self._tensors.keys()

    def values(self) -> ValuesView[Tensor]:
        """The tensors."""
        self._check_open()
        return self._tensors.values()

    def items(self) -> ItemsView[str, Tensor]:
        """Names and tensors."""
        self._check_open()
        return self._tensors.items()

    def get(self, name: str, default: Tensor | None = None) -> Tensor | None:
        """The tensor of that name, or `default`."""
        self._check_open()
        return self._tensors.get(name, default)

    @property
    def format(self) -> str:
        """Such as "safetensors", "PyTorch", "GGUF", "ONNX", "table V1", "table V2", "memory", "Arrow V2"."""
        return self._format

    @property
    def schema_version(self) -> int:
        """1 or 2 for weight tables, 0 for anything else."""
        return self._schema_version

    @property
    def file_bytes(self) -> int:
        """Size of all files of the source."""
        return self._file_bytes

    @property
    def notes(self) -> list[str]:
        """What a reader should know: that the source is one shard of several, quantized by another tool, ..."""
        self._check_open()
        return self._core.notes()

    @property
    def metadata(self) -> dict[str, str]:
        """Key-value metadata of the file."""
        if self._metadata is None:
            self._metadata = dict(self._core.metadata())
        return dict(self._metadata)

    def load_torch(
        self,
        names: Iterable[str] | None = None,
        *,
        force_float32: bool = False,
        original_dtype: bool = False,
        threads: int = 0,
    ) -> dict[str, torch.Tensor]:
        """Tensors as torch tensors of their own memory, dequantized by several threads; tied weights share memory.

        Args:
            names: which; None: all.
            force_float32: also widen kept floating-point tensors to float32.
            original_dtype: give dequantized tensors the type of the original instead of float32.
            threads: 0: the CPUs that this process may use.

        """
        self._check_open()
        tensors = self._tensors.values() if names is None else [self[name] for name in names]
        return _load.load_torch(
            self._core,
            [(t._index, t._info) for t in tensors],
            force_float32=force_float32,
            original_dtype=original_dtype,
            threads=threads,
        )

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A stream of record batches: the columns of a V2 table, or of a V1 table. Blobs are not copied."""
        return self._core.arrow_stream()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{len(self)} tensors"
        return f"<arrowquant.Source {self._format}, {state}>"
