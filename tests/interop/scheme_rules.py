"""scheme_rules.py - docs/schemes/ in numpy: the same rules, written a second time from the text alone.

Every function works on one span (a 1-D float32 array) and gives numpy float32 scalars. Nothing here looks at what the
command does; test_schemes_numpy.py compares the two byte for byte.
"""

import numpy as np

RANGES = {"int8": (-128, 127), "int4": (-8, 7), "int3": (-4, 3), "int2": (-2, 1)}
BITS = {"int8": 8, "int4": 4, "int3": 3, "int2": 2}
# shrink, step, bits of the scale's fraction, zero points a code
SEARCH = {
    "int8": (0.95, 0.031, 7, 16.0),
    "int4": (0.88, 0.335, 4, 16.0),
    "int3": (0.8, 0.55, 4, 16.0),
    "int2": (0.55, 1.0, 4, 32.0),
}
F32_MIN = np.float32(2.0**-126)
F32_MAX = float(np.finfo(np.float32).max)
LIMIT = 2.0**128 - 2.0**107
ZERO = np.float32(0)


def scale_of(value):
    """A double rounded to float32 and raised to the smallest normal number."""
    return max(np.float32(value), F32_MIN)


# ---- codes


def codes(x, scale, zero, quant_type):
    lo, hi = RANGES[quant_type]
    if scale == 0:
        return np.full(x.shape, min(max(0, lo), hi), np.int8)
    with np.errstate(over="ignore"):
        t = x / scale + zero
    assert t.dtype == np.float32
    return np.rint(np.clip(t, np.float32(lo), np.float32(hi))).astype(np.int8)


def decode(q, scale, zero):
    with np.errstate(over="ignore"):
        return (q.astype(np.float32) - zero) * scale


def pack(q, quant_type):
    bits = BITS[quant_type]
    if bits == 8:
        return q.astype(np.int8).tobytes()
    unsigned = (q.astype(np.int16) + (1 << (bits - 1))).astype(np.uint8)
    stream = (unsigned[:, None] >> np.arange(bits, dtype=np.uint8)) & 1
    return np.packbits(stream.reshape(-1), bitorder="little").tobytes()


# ---- min-max


def minmax(x, quant_type, symmetric):
    lo, hi = (float(v) for v in RANGES[quant_type])
    least, most, amax = float(x.min()), float(x.max()), float(np.abs(x).max())
    if amax == 0:
        return ZERO, ZERO
    if symmetric:
        return scale_of(min(amax, LIMIT) / hi), ZERO
    if least == most:
        return constant(x[0], symmetric)
    least, most = (min(max(v, -LIMIT), LIMIT) for v in (least, most))
    if least == most:
        return constant(np.float32(least), symmetric)
    scale = scale_of((most - least) / (hi - lo))
    return scale, np.float32(lo - least / float(scale))


def constant(c, symmetric):
    scale = max(np.abs(c), F32_MIN)
    return scale, ZERO if symmetric else -(c / scale)


# ---- least squares


def lanes_total(values):
    """The sum of doubles in the fixed order: 8 lanes, then a fixed tree."""
    padded = np.zeros(-(-values.size // 8) * 8)
    padded[: values.size] = values
    rows = padded.reshape(-1, 8)
    # cumsum adds in order; its last row is every lane's sum (adding the padding zeros changes nothing)
    lane = np.cumsum(rows, axis=0)[-1]
    return float(((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7])))


class Sums:
    def __init__(self, x, scale, zero, quant_type):
        q = codes(x, scale, zero, quant_type).astype(np.int64)
        x = x.astype(np.float64)
        self.n = float(x.size)
        self.x = lanes_total(x)
        self.xx = lanes_total(x * x)
        self.qx = lanes_total(q * x)
        self.q = float(q.sum())
        self.qq = float((q * q).sum())

    def error(self, scale, zero):
        s, z = float(scale), float(zero)
        cross = self.qx - z * self.x
        square = (self.qq - (2 * z) * self.q) + (self.n * z) * z
        return (self.xx - (2 * s) * cross) + (s * s) * square

    def centred(self, q, scale):
        return (q - self.x / float(scale)) / self.n

    def solve(self, symmetric):
        over = self.qx if symmetric else self.n * self.qx - self.q * self.x
        under = self.qq if symmetric else self.n * self.qq - self.q * self.q
        if not (over > 0 and under > 0):
            return None
        s = over / under
        if not float(F32_MIN) <= s <= F32_MAX:
            return None
        scale = np.float32(s)
        if symmetric:
            return scale, ZERO
        z = self.centred(self.q, scale)
        return (scale, np.float32(z)) if abs(z) <= F32_MAX else None


def starts(x, quant_type, symmetric, minmax_values):
    """The three starting points; a function each, as the third needs sums."""
    lo, hi = (float(v) for v in RANGES[quant_type])
    shrink, step, _, _ = SEARCH[quant_type]
    least, most, amax = float(x.min()), float(x.max()), float(np.abs(x).max())

    def usable(scale, centre):
        if not scale <= F32_MAX:
            return None
        scale = scale_of(scale)
        if symmetric:
            return scale, ZERO
        z = -0.5 - centre / float(scale)
        return (scale, np.float32(z)) if abs(z) <= F32_MAX else None

    def shrunk(_):
        if symmetric:
            return usable((shrink * amax) / hi, 0.0)
        return usable((shrink * (most - least)) / (hi - lo), 0.5 * (most + least))

    def sigma(sums):
        mean = 0.0 if symmetric else sums.x / sums.n
        variance = sums.xx / sums.n - mean * mean
        if not variance > 0:
            return None
        return usable(step * float(np.sqrt(variance)), mean)

    return [lambda _: minmax_values, shrunk, sigma]


def place(sums, q, scale, quant_type, symmetric):
    if symmetric:
        return ZERO
    grid = SEARCH[quant_type][3]
    z = float(np.rint(sums.centred(q, scale) * grid)) / grid
    return np.float32(z) if abs(z) <= F32_MAX else None


def decodes_finite(scale, zero, quant_type):
    return max(abs(q - float(zero)) for q in RANGES[quant_type]) * float(scale) <= LIMIT


def mse(x, quant_type, symmetric):
    amax = np.abs(x).max()
    if amax == 0:
        return ZERO, ZERO
    if x.min() == x.max():
        return constant(x[0], symmetric)
    first = minmax(x, quant_type, symmetric)
    sums = Sums(x, *first, quant_type)
    result, limit = first, 1.25 * sums.error(*first)

    best, best_error = None, np.inf  # (scale, sum of q)
    for start in starts(x, quant_type, symmetric, first):
        values = start(sums)
        if values is None:
            continue
        for _ in range(8):
            sums = Sums(x, *values, quant_type)
            solved = sums.solve(symmetric)
            if solved is None:
                break
            error = sums.error(*solved)
            if error < best_error:
                best, best_error = (solved[0], sums.q), error
            if solved == values:
                break
            values = solved
    if best is None:
        return result

    step = np.uint32(1 << (23 - SEARCH[quant_type][2]))
    below = best[0].view(np.uint32) & ~(step - np.uint32(1))
    for bits in (below, below + step):
        scale = np.uint32(bits).view(np.float32)
        if not scale <= F32_MAX:
            continue
        zero = place(sums, best[1], scale, quant_type, symmetric)
        for _ in range(2):
            if zero is None:
                break
            sums = Sums(x, scale, zero, quant_type)
            error = sums.error(scale, zero)
            if error < limit and decodes_finite(scale, zero, quant_type):
                result, limit = (scale, zero), error
            zero = place(sums, sums.q, scale, quant_type, symmetric)
    return result


def fit(x, quant_type, symmetric, method):
    return (minmax if method == "minmax" else mse)(x, quant_type, symmetric)
