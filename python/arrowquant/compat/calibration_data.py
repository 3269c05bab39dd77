"""Calibration data: what went into the layers of a model, under the names that a caller has for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .._calibration import Activations, matrix
from ..errors import ArgumentError, NoMatchError
from ..tensors import Source


def by_weight(name: str, activations: Activations, source: Source) -> dict[str, npt.NDArray[np.float32]]:
    """The same arrays under the names of the weights: a layer is called 'layer' or 'layer.weight'.

    Raises:
        ArgumentError: a layer is named twice, or is no matrix; an array does not hold inputs of a layer.
        NoMatchError: there is no such layer.
        TypeError: it is no mapping.

    """
    if not isinstance(activations, Mapping):
        raise TypeError(f"{name}: a mapping from layers to arrays is expected, not {type(activations).__name__}")
    named: dict[str, npt.NDArray[np.float32]] = {}
    for layer, value in activations.items():
        weight = layer if layer in source else f"{layer}.weight"
        if weight not in source:
            raise NoMatchError(f"{name}: there is no weight {layer!r}, and no {weight!r}")
        if weight in named:
            raise ArgumentError(f"{name}: the layer is there twice", tensor=weight)
        shape = source[weight].shape
        if len(shape) != 2:
            raise ArgumentError(f"{name}: only a matrix has inputs; its shape is {list(shape)}", tensor=weight)
        named[weight] = matrix(f"{name}[{layer!r}]", value)
    return named
