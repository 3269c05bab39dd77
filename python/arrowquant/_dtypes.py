"""Element types: names of the C library, NumPy types, torch types."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

# NumPy type of a name; None: NumPy has none.
_NUMPY: dict[str, str | None] = {
    "torch.float64": "<f8",
    "torch.float32": "<f4",
    "torch.float16": "<f2",
    "torch.bfloat16": None,
    "torch.float8_e4m3fn": None,
    "torch.float8_e5m2": None,
    "torch.int64": "<i8",
    "torch.int32": "<i4",
    "torch.int16": "<i2",
    "torch.int8": "|i1",
    "torch.uint64": "<u8",
    "torch.uint32": "<u4",
    "torch.uint16": "<u2",
    "torch.uint8": "|u1",
    "torch.bool": "|b1",
}

# Of an opaque dtype there are bytes and no values.
_OPAQUE = "safetensors."

_FLOATING = frozenset(name for name in _NUMPY if "float" in name)


def numpy_dtype(name: str) -> np.dtype[Any] | None:
    """NumPy type of "torch.NAME", or None when NumPy has none (bfloat16, float8, opaque dtypes)."""
    text = None if is_opaque(name) else _NUMPY[name]
    return None if text is None else np.dtype(text)


def is_opaque(name: str) -> bool:
    """Whether it is a dtype whose values cannot be read, only its bytes."""
    return name.startswith(_OPAQUE)


def is_floating(name: str) -> bool:
    """Whether "torch.NAME" is a floating-point type."""
    return name in _FLOATING


def name_of_numpy(dtype: np.dtype[Any]) -> str:
    """The name "torch.NAME" of a NumPy type, those of `ml_dtypes` included.

    Raises:
        TypeError: the type cannot be stored.

    """
    name = f"torch.{dtype.name}"
    if name not in _NUMPY:
        known = ", ".join(known.removeprefix("torch.") for known in _NUMPY)
        raise TypeError(f"arrays of type {dtype} cannot be stored as weights; expected one of {known}")
    return name


def torch_dtype(name: str) -> torch.dtype:
    """The torch type of "torch.NAME"."""
    import torch

    dtype: torch.dtype = getattr(torch, name.removeprefix("torch."))
    return dtype


def is_torch_tensor(value: object) -> bool:
    """Whether `value` is a torch tensor; does not import torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)
