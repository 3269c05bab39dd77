"""A small model with awkward tensors, and docs/FORMAT.md written down a second time."""

from __future__ import annotations

import numpy as np

import arrowquant


def small_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    return {
        "embed.weight": normal(120, 64),
        "layer.0.weight": normal(64, 96),
        "layer.0.bias": normal(64),
        "layer.1.weight": normal(33, 37),
        "half.weight": normal(24, 48).astype(np.float16),
        "double.weight": normal(20, 60).astype(np.float64),
        "experts.weight": normal(3, 20, 48),
        "scalar": np.array(1.5, np.float32),
        "empty": np.zeros((0, 4), np.float32),
        "position_ids": np.arange(128, dtype=np.int64).reshape(1, 128),
        "mask": np.array([True, False, True]),
    }


def unpack_codes(codes: np.ndarray, quant_type: str, count: int) -> np.ndarray:
    """Codes q of packed bytes, as docs/FORMAT.md says."""
    bits = int(quant_type.removeprefix("int"))
    if bits == 8:
        return codes.reshape(-1).astype(np.int64)
    stream = np.unpackbits(codes, bitorder="little")[: count * bits].reshape(count, bits)
    return (stream * (1 << np.arange(bits))).sum(axis=1) - (1 << (bits - 1))


def dequantize(tensor: arrowquant.Tensor) -> np.ndarray:
    """x = (q - zero_point) * scale, from what the tensor says about itself."""
    count = tensor.num_params
    q = unpack_codes(tensor.codes, tensor.quant_type, count).astype(np.float32)
    if tensor.quant_axis == -1:
        which = np.zeros(count, np.int64)
    elif tensor.group_size > 0:
        which = np.arange(count) // tensor.group_size
    else:
        which = np.arange(count) // (count // tensor.shape[0])
    return ((q - tensor.zero_points[which]) * tensor.scales[which]).astype(np.float32).reshape(tensor.shape)
