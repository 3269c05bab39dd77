"""Scales and zero points derived a second time, in numpy, from the rules of docs/schemes/: equal bit for bit."""
import math

import numpy as np
import pytest

from conftest import BITS, as_f32, read_pyarrow, run

FLT_MIN, FLT_MAX = float(np.finfo("f4").tiny), float(np.finfo("f4").max)


def spans_of(row, x):
    """The elements that share a scale, one array a scale."""
    if row["quant_axis"] == -1:
        return [x]
    length = row["group_size"] or max(1, len(x) // row["shape"][0])
    return [x[i:i + length] for i in range(0, len(x), length)]


def code_range(kind):
    return -(1 << (BITS[kind] - 1)), (1 << (BITS[kind] - 1)) - 1


def encode(x, scale, zero, kind):
    low, high = code_range(kind)
    return np.rint(np.clip(x / np.float32(scale) + np.float32(zero), low, high)).astype("f8")


# ---- minmax.md -------------------------------------------------------------------------------------------------------


def constant(c, symmetric):
    scale = max(abs(c), FLT_MIN)
    return np.float32(scale), np.float32(0 if symmetric else np.float32(-np.float32(c) / np.float32(scale)))


def minmax(x, kind, symmetric):
    low, high = code_range(kind)
    least, most = float(x.min()), float(x.max())
    if least == most == 0:
        return np.float32(0), np.float32(0)
    if least == most and not symmetric:
        return constant(least, False)
    exact = max(-least, most) / high if symmetric else (most - least) / (high - low)
    scale = np.float32(max(float(np.float32(exact)), FLT_MIN))
    return scale, np.float32(0 if symmetric else low - least / float(scale))


def derive(method, row, x, kind, symmetric):
    pairs = [method(span, kind, symmetric) for span in spans_of(row, x)]
    return [np.array([p[i] for p in pairs], "<f4").tobytes() for i in (0, 1)]


def check_table(path, model, kind, method, symmetric):
    checked = 0
    for row in read_pyarrow(path):
        if row["quant_type"] != kind:
            continue
        x = as_f32(*model[row["layer_name"]]).reshape(-1)
        scales, zeros = derive(method, row, x, kind, symmetric)
        assert row["scales"] == scales, row["layer_name"]
        assert row["zero_points"] == zeros, row["layer_name"]
        checked += 1
    assert checked >= 12


@pytest.mark.parametrize("per", [["tensor"], ["channel"], ["group", "--group-size", "32"]], ids=" ".join)
@pytest.mark.parametrize("symmetric", [True, False], ids=["sym", "asym"])
@pytest.mark.parametrize("kind", BITS)
def test_minmax_scales_are_those_of_the_rule(model, model_file, tmp_path, kind, symmetric, per):
    path = tmp_path / "t.parquet"
    run("quantize", model_file, "-o", path, "--type", kind, "--method", "minmax",
        "--sym" if symmetric else "--asym", "--quantize-1d", "--per", *per)
    check_table(path, model, kind, minmax, symmetric)


# ---- mse.md ----------------------------------------------------------------------------------------------------------

SEARCH = {  # type: (shrink, step in standard deviations, bits kept of the scale's fraction, grid of zero points)
    "int8": (0.95, 0.031, 7, 16), "int4": (0.88, 0.335, 4, 16), "int3": (0.8, 0.55, 4, 16), "int2": (0.55, 1.0, 4, 32),
}
ROUNDS, CUT_ROUNDS = 8, 2
ALLOWANCE = 1.25  # cut values may cost this factor over the error of min-max


def total(values):
    """The sum in the order that kernels.h states: eight lanes, then a fixed tree."""
    lanes = np.zeros(8)
    for start in range(0, len(values), 8):
        part = values[start:start + 8]
        lanes[:len(part)] += part
    return float(((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7])))


class Sums:
    def __init__(self, x, scale, zero, kind):
        q, wide = encode(x, scale, zero, kind), x.astype("f8")
        self.n, self.q, self.qq = float(len(x)), float(q.sum()), float((q * q).sum())
        self.x, self.xx, self.qx = total(wide), total(wide * wide), total(q * wide)

    def error(self, scale, zero):
        s, z = float(scale), float(zero)
        cross = self.qx - z * self.x
        square = (self.qq - (2 * z) * self.q) + (self.n * z) * z
        return (self.xx - (2 * s) * cross) + (s * s) * square

    def centred_zero(self, scale, codes):
        return (codes - self.x / float(scale)) / self.n

    def line(self, symmetric):
        """Scale and zero point of the least squares line through (q, x), or None."""
        over = self.qx if symmetric else self.n * self.qx - self.q * self.x
        under = self.qq if symmetric else self.n * self.qq - self.q * self.q
        if not (over > 0 and under > 0 and FLT_MIN <= over / under <= FLT_MAX):
            return None
        scale = np.float32(over / under)
        zero = 0 if symmetric else self.centred_zero(scale, self.q)
        return (scale, np.float32(zero)) if abs(zero) <= FLT_MAX else None


class Search:
    def __init__(self, x, kind, symmetric):
        self.x, self.kind, self.symmetric = x, kind, symmetric
        self.best = (math.inf, None, None)  # error, scale, sum of codes

    def sums(self, scale, zero):
        self.last = Sums(self.x, scale, zero, self.kind)
        return self.last

    def alternate(self, pair):
        for _ in range(ROUNDS):
            sums = self.sums(*pair)
            better = sums.line(self.symmetric)
            if better is None:
                return
            if sums.error(*better) < self.best[0]:
                self.best = (sums.error(*better), better[0], sums.q)
            if better == pair:
                return
            pair = better

    def start(self, scale, centre):
        if not scale <= FLT_MAX:
            return None
        scale = np.float32(max(float(np.float32(scale)), FLT_MIN))
        zero = 0 if self.symmetric else -0.5 - centre / float(scale)
        return (scale, np.float32(zero)) if abs(zero) <= FLT_MAX else None

    def shrunk(self):
        low, high = code_range(self.kind)
        least, most = float(self.x.min()), float(self.x.max())
        if self.symmetric:
            return self.start(SEARCH[self.kind][0] * max(-least, most) / high, 0)
        return self.start(SEARCH[self.kind][0] * (most - least) / (high - low), 0.5 * (most + least))

    def deviations(self):
        mean = 0 if self.symmetric else self.last.x / self.last.n
        variance = self.last.xx / self.last.n - mean * mean
        return self.start(SEARCH[self.kind][1] * math.sqrt(variance), mean) if variance > 0 else None

    def place(self, scale, codes):
        grid = SEARCH[self.kind][3]
        zero = 0 if self.symmetric else float(np.rint(self.last.centred_zero(scale, codes) * grid)) / grid
        return np.float32(zero) if abs(zero) <= FLT_MAX else None

    def cut(self, above):
        """The best scale with its fraction cut (or one step more), each with its best zero point on the grid."""
        step = 1 << (23 - SEARCH[self.kind][2])
        bits = (int(self.best[1].view("u4")) & ~(step - 1)) + (step if above else 0)
        scale = np.array(bits, "u4").view("f4")[()]
        zero = self.place(scale, self.best[2]) if scale <= FLT_MAX else None
        for _ in range(CUT_ROUNDS):
            if zero is None:
                return
            sums = self.sums(scale, zero)
            yield sums.error(scale, zero), scale, zero
            again = self.place(scale, sums.q)
            zero = again if again != zero else None


def mse(x, kind, symmetric):
    pair = minmax(x, kind, symmetric)
    if x.min() == x.max():
        return pair if x.min() == 0 else constant(float(x[0]), symmetric)
    search = Search(x, kind, symmetric)
    result = (ALLOWANCE * search.sums(*pair).error(*pair), *pair)
    search.alternate(pair)
    for begin in (search.shrunk, search.deviations):
        pair = begin()
        if pair is not None:
            search.alternate(pair)
    if search.best[1] is not None:
        for above in (False, True):
            for found in search.cut(above):
                result = min(result, found, key=lambda r: r[0])
    return result[1:]


@pytest.mark.parametrize("per", [["channel"], ["group", "--group-size", "32"], ["group", "--group-size", "40"]],
                         ids=" ".join)
@pytest.mark.parametrize("symmetric", [True, False], ids=["sym", "asym"])
@pytest.mark.parametrize("kind", BITS)
def test_mse_scales_are_those_of_the_rule(model, model_file, tmp_path, kind, symmetric, per):
    path = tmp_path / "t.parquet"
    run("quantize", model_file, "-o", path, "--type", kind, "--method", "mse", "--quantize-1d",
        "--sym" if symmetric else "--asym", "--per", *per)
    check_table(path, model, kind, mse, symmetric)
