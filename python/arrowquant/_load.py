"""Decoding many tensors at once, straight into the memory of new torch tensors, on several threads.

The C library decodes. Fresh memory costs more than decoding into it, when the system hands it out in pages of 4 KiB. So
it is asked for in blocks that it may back with huge pages. A large tensor has a block of its own, small ones share
blocks; each has a torch storage of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from . import _arguments, _core
from ._dtypes import is_floating, is_opaque, torch_dtype

if TYPE_CHECKING:
    import torch

# Small tensors share blocks of this many bytes, which are freed with the last of them; so many bytes are a large one.
BLOCK = 32 << 20
LARGE = 4 << 20
ALIGNMENT = 64


class Info(Protocol):
    """What is needed of a tensor."""

    @property
    def name(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def quant_type(self) -> str: ...
    @property
    def num_params(self) -> int: ...
    @property
    def data_bytes(self) -> int: ...
    @property
    def alias_of(self) -> int: ...


def _new_block(size: int) -> mmap.mmap:
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without huge pages
            block.madvise(mmap.MADV_HUGEPAGE)
    return block


class _Arena:
    """Memory for float32 tensors whose sizes are known beforehand."""

    def __init__(self, counts: Iterable[int]) -> None:
        self._left = sum(self._padded(count) for count in counts if 4 * count < LARGE)
        self._block: mmap.mmap | None = None
        self._used = self._size = 0

    @staticmethod
    def _padded(count: int) -> int:
        return -(-4 * count // ALIGNMENT) * ALIGNMENT

    def empty(self, shape: tuple[int, ...], count: int) -> torch.Tensor:
        """An uninitialised tensor."""
        import torch

        if count == 0:
            return torch.empty(shape, dtype=torch.float32)
        if 4 * count >= LARGE:
            return torch.frombuffer(_new_block(4 * count), dtype=torch.float32).view(shape)
        size = self._padded(count)
        if self._block is None or self._size - self._used < size:
            self._size = max(size, min(self._left, BLOCK))
            self._block = _new_block(self._size)
            self._used = 0
        values = torch.frombuffer(self._block, dtype=torch.float32, count=count, offset=self._used)
        self._used += size
        self._left -= size
        return values.view(shape)


def load_torch(
    core: _core.Source,
    items: Sequence[tuple[int, Info]],
    *,
    force_float32: bool = False,
    original_dtype: bool = False,
    threads: int = 0,
) -> dict[str, torch.Tensor]:
    """The tensors (index and info) as torch tensors on the CPU, by name.

    Quantized tensors become float32, or with `original_dtype` what they were before. Kept ones keep their type, but
    with `force_float32` floating-point ones become float32. Tensors that share their bytes in the source share memory.
    """

    def is_decoded(info: Info) -> bool:
        """Whether it goes through float32, rather than being copied as it is stored."""
        return info.quant_type != "kept" or info.dtype == "torch.float32" or (force_float32 and is_floating(info.dtype))

    arena = _Arena(info.num_params for _, info in items if is_decoded(info))
    by_index: dict[int, torch.Tensor] = {}
    ranges: list[tuple[int, int, int, int]] = []
    for index, info in items:
        if info.alias_of in by_index:
            by_index[index] = by_index[info.alias_of]
        elif is_decoded(info):
            by_index[index] = out = arena.empty(info.shape, info.num_params)
            ranges.append((index, 0, info.num_params, out.data_ptr()))
        else:
            by_index[index] = _copy(core, index, info)
    core.read_f32(ranges, _arguments.count("threads", threads, 0))
    if original_dtype:
        for index, info in items:
            if not is_opaque(info.dtype):
                by_index[index] = by_index[index].to(torch_dtype(info.dtype))
    return {info.name: by_index[index] for index, info in items}


def _copy(core: _core.Source, index: int, info: Info) -> torch.Tensor:
    """The stored values, as they are; of a type that cannot be read as numbers, a vector of its bytes."""
    import torch

    if is_opaque(info.dtype):
        out = torch.empty((info.data_bytes,), dtype=torch.uint8)
    else:
        out = torch.empty(info.shape, dtype=torch_dtype(info.dtype))
    stored = core.load(index)
    if info.data_bytes > 0:
        ctypes.memmove(out.data_ptr(), stored.data, info.data_bytes)
    return out
