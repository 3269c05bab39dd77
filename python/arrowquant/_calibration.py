"""What shows how a model is used: texts for an encoder, arrays that went into layers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._dtypes import is_floating, is_torch_tensor, name_of_numpy
from .errors import ArgumentError

if TYPE_CHECKING:
    import torch

Activations: TypeAlias = "Mapping[str, npt.ArrayLike | torch.Tensor]"

# Tensor, rows, columns, address, and who owns the memory there.
_Input = tuple[str, int, int, int, object]


# ---- texts ----


def checked_texts(name: str, value: Iterable[str]) -> list[str]:
    """The texts of any iterable.

    Raises:
        ArgumentError: one of them is no text.

    """
    texts = list(value)
    for text in texts:
        if not isinstance(text, str):
            raise ArgumentError(f"{name}: {text!r} is not a text")
    return texts


def text_options(
    name: str, value: str | os.PathLike[str] | Iterable[str] | None, by_name: str, as_list: str
) -> dict[str, Any]:
    """The option of the library for a path (or a word), or the one for texts. A path object is never a word."""
    if isinstance(value, os.PathLike) and not os.path.dirname(value):
        value = os.path.join(os.curdir, os.fsdecode(value))
    if value is None or isinstance(value, (str, os.PathLike)):
        return {by_name: None if value is None else os.fsencode(value)}
    return {as_list: checked_texts(name, value)}


# ---- inputs of layers ----


def _is_floating(value: Any) -> bool:
    if is_torch_tensor(value):
        return bool(value.is_floating_point())
    try:
        return is_floating(name_of_numpy(value.dtype))
    except TypeError:
        return False


def matrix(where: str, value: Any) -> npt.NDArray[np.float32]:
    """The values as FP32, a row for each sample; a copy only where they are something else."""
    array: Any = value if is_torch_tensor(value) else np.asarray(value)
    if not _is_floating(array) or not array.shape or 0 in array.shape:
        kind = f"an array of type {array.dtype} and shape {tuple(array.shape)}"
        raise ArgumentError(f"{where}: {kind}: expected floating-point values [..., inputs of the layer]")
    if is_torch_tensor(array):
        array = array.detach().cpu().float().numpy()
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(array.reshape(-1, array.shape[-1]), dtype="<f4")
    if not np.isfinite(rows).all():
        raise ArgumentError(f"{where}: holds NaN or values that FP32 has no number for")
    return rows


def inputs(name: str, activations: Activations | None) -> list[_Input]:
    """Inputs of layers in the form of the library.

    Raises:
        ArgumentError: an array does not hold inputs of a layer.
        TypeError: it is no mapping.

    """
    if activations is None:
        return []
    if not isinstance(activations, Mapping):
        raise TypeError(f"{name}: a mapping from names to arrays is expected, not {type(activations).__name__}")
    if not activations:
        raise ArgumentError(f"{name}: no arrays in it")
    given: list[_Input] = []
    for tensor, value in activations.items():
        if not isinstance(tensor, str):
            raise ArgumentError(f"{name}: names of tensors are str, not {type(tensor).__name__}")
        rows = matrix(f"{name}[{tensor!r}]", value)
        given.append((tensor, *rows.shape, rows.ctypes.data, rows))
    return given
