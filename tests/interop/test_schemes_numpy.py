"""Every scheme on values that are hard for it: scales, zero points and packed codes of each row must be, byte for byte,
what scheme_rules.py derives from docs/schemes/."""

import numpy as np
import pytest

import scheme_rules as rules
from conftest import read_pyarrow, run, write_safetensors

SHAPE = (24, 50)  # 1200 values; neither rows nor groups of 64 end at whole bytes of 3-bit codes


def subnormal(rng):
    return (rng.integers(-400, 400, SHAPE) * 2.0**-149).astype(np.float32)


def one_outlier(rng):
    x = rng.normal(size=SHAPE)
    x[7, 11] = -1000.0
    return x


def half_grid(rng):
    """Multiples of half a step of the int4 grid that spans -8..7: ties in every quotient."""
    x = rng.integers(-16, 15, SHAPE) * 0.5
    x[:, 0], x[:, 1] = -8, 7
    return x


def far_from_zero(rng):
    return 1000 + rng.normal(size=SHAPE) * 0.01


def both_ends(rng):
    """max - min is beyond float."""
    x = rng.normal(size=SHAPE)
    x[:, 0], x[:, 1] = np.finfo("f4").max, -3.3e38
    x[3] = np.finfo("f4").max
    x[3, 5] = np.nextafter(np.finfo("f4").max, np.float32(0))  # the largest but one: narrower than LIMIT allows
    return x


def two_values(rng):
    return np.where(rng.random(SHAPE) < 0.3, -0.7, 0.2)


def constants(rng):
    """A constant a row: of each sign, the smallest subnormal, the largest float, zeros of both signs."""
    c = np.array([0.37, -0.37, 2.0**-149, -(2.0**-127), 3.4e38, 0.0, -0.0, 1.0])
    return np.repeat(np.resize(c, SHAPE[0]), SHAPE[1]).reshape(SHAPE)


VALUES = {
    "normal": lambda rng: rng.normal(size=SHAPE) * 0.05,
    "heavy_tail": lambda rng: rng.standard_t(2, SHAPE) * 0.05,
    "one_sided": lambda rng: np.abs(rng.normal(size=SHAPE)) + 0.1,
    "constants": constants,
    "zero": lambda rng: np.zeros(SHAPE),
    "one_outlier": one_outlier,
    "subnormal": subnormal,
    "half_grid": half_grid,
    "far_from_zero": far_from_zero,
    "both_ends": both_ends,
    "two_values": two_values,
    "odd_tail": lambda rng: rng.normal(size=(37, 31)),
    "experts": lambda rng: rng.normal(size=(3, 8, 50)) * np.array([0.01, 1, 100])[:, None, None],
    "convolution": lambda rng: rng.normal(size=(16, 8, 3, 3)),
    "one_row": lambda rng: rng.normal(size=(1, 1029)),
    "one_column": lambda rng: rng.normal(size=(1100, 1)),
}
GRANULARITIES = {
    "tensor": ["--per", "tensor"],
    "channel": ["--per", "channel"],
    "g64": ["--group-size", "64"],
    "g13": ["--group-size", "13"],
    "g4096": ["--group-size", "4096"],
}


@pytest.fixture(scope="module")
def hard_model():
    rng = np.random.default_rng(7)
    return {name: ("F32", np.ascontiguousarray(make(rng), "<f4")) for name, make in VALUES.items()}


@pytest.fixture(scope="module")
def hard_file(hard_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("hard") / "model.safetensors"
    write_safetensors(path, hard_model)
    return path


def layout(shape, per):
    """(quant_axis, group_size, elements a scale) of docs/schemes/README.md."""
    count = int(np.prod(shape))
    if per == "tensor":
        return -1, 0, count
    if per == "channel":
        return (0, shape[-1], shape[-1]) if len(shape) > 2 and shape[-1] >= 32 else (0, 0, count // shape[0])
    return 0, int(per[1:]), int(per[1:])


def expected_row(x, per, quant_type, symmetric, method):
    axis, group, span = layout(x.shape, per)
    flat = x.reshape(-1)
    scales, zeros, codes = [], [], []
    for begin in range(0, flat.size, span):
        part = flat[begin : begin + span]
        scale, zero = rules.fit(part, quant_type, symmetric, method)
        scales.append(scale)
        zeros.append(zero)
        codes.append(rules.codes(part, scale, zero, quant_type))
    return {
        "quant_type": quant_type,
        "quant_axis": axis,
        "group_size": group,
        "scales": np.array(scales, "<f4").tobytes(),
        "zero_points": np.array(zeros, "<f4").tobytes(),
        "data": rules.pack(np.concatenate(codes), quant_type),
    }


@pytest.mark.parametrize("per", GRANULARITIES)
@pytest.mark.parametrize("symmetric", [True, False], ids=["sym", "asym"])
@pytest.mark.parametrize("method", ["minmax", "mse"])
@pytest.mark.parametrize("quant_type", rules.RANGES)
def test_rows_equal_the_written_rule(hard_model, hard_file, tmp_path, quant_type, method, symmetric, per):
    path = tmp_path / "q.parquet"
    run("quantize", hard_file, "-o", path, "--type", quant_type, "--method", method,
        "--sym" if symmetric else "--asym", *GRANULARITIES[per])  # fmt: skip
    rows = {row["layer_name"]: row for row in read_pyarrow(path)}
    assert rows.keys() == hard_model.keys()
    for name, (_, x) in hard_model.items():
        for column, value in expected_row(x, per, quant_type, symmetric, method).items():
            assert rows[name][column] == value, (name, column)


@pytest.mark.parametrize("quant_type", rules.RANGES)
@pytest.mark.parametrize("symmetric", [True, False], ids=["sym", "asym"])
def test_least_squares_is_never_far_behind_minmax(hard_model, quant_type, symmetric):
    for name, (_, x) in hard_model.items():
        for row in x.reshape(x.shape[0], -1)[:8]:
            error = {}
            for method in ("minmax", "mse"):
                scale, zero = rules.fit(row, quant_type, symmetric, method)
                y = rules.decode(rules.codes(row, scale, zero, quant_type), scale, zero)
                assert np.isfinite(y).all(), (name, method)
                error[method] = float(((row.astype(np.float64) - y) ** 2).sum())
            # the rest: what float rounding of (q - zero) * scale adds
            assert error["mse"] <= 1.25 * error["minmax"] + 1e-11 * float((row.astype(np.float64) ** 2).sum()), name
