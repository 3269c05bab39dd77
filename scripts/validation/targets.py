"""targets - what is demanded of the measured numbers, as one table.

The tests hold their measurements against it, and the script applies it once more to the numbers of the tests' report,
so that the verdict rests on numbers and not only on a test's word. A criterion of origin "guide" is one of the
validation guide; "arrowquant" is what this project demands of itself on top.
"""

import operator
from dataclasses import dataclass

from . import wording

COMPARISONS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}

CHECK_QUALITY = (
    "check that the model is whole (`arrowquant info MODEL`), give every channel or group a scale of its "
    "own (per_channel=True, or a group_size), and keep the worst layers: mixed_precision_layers=[...]"
)
CHECK_RATIO = (
    "drop patterns from mixed_precision_layers so that more is quantized, see that metadata stays below "
    "5 %, or use fewer bits"
)
CHECK_SPEED = "check system resources (CPU/memory): use a machine that is not busy, or more threads"
CHECK_FILE = "run `arrowquant verify --deep FILE`; it names every damaged row"


@dataclass(frozen=True)
class Criterion:
    metric: str  # name under which a test records the number
    what: str  # as it is said in messages
    comparison: str  # what must hold: measured COMPARISON limit
    limit: float
    unit: str
    origin: str
    remedy: str
    optional: bool = False  # left out when it was not measured

    @property
    def key(self):
        return f"{self.metric} {self.comparison} {self.limit:g}"

    def holds(self, value):
        return value is not None and COMPARISONS[self.comparison](value, self.limit)

    def value_words(self, value):
        return wording.number(value, self.unit, up=self.comparison.startswith("<"))

    def limit_words(self):
        limit = f"{self.limit:.1f}" if self.unit == "x" else f"{self.limit:g}"
        return limit + wording.gap(self.unit)

    def failure(self, value):
        """The guide's sentence: "INT8 average similarity 0.82 < 0.85 target"."""
        if value is None:
            return f"{self.what}: not measured, {self.comparison} {self.limit_words()} target"
        sign = "<" if value < self.limit else ">" if value > self.limit else "="
        return f"{self.what} {self.value_words(value)} {sign} {self.limit_words()} target"


def per_type(type_, ratio, similarity, loss, own_similarity, own_lowest, own_seconds):
    """The criteria of one quantization type."""
    up, low = type_.upper(), type_
    return [
        Criterion(f"{low}.compression_ratio", f"{up} compression ratio", ">", ratio, "x", "guide", CHECK_RATIO),
        Criterion(
            f"{low}.ratio_to_fp16", f"{up} compression ratio against FP16", ">", ratio, "x", "arrowquant", CHECK_RATIO
        ),
        Criterion(f"{low}.similarity", f"{up} average similarity", ">", similarity, "", "guide", CHECK_QUALITY),
        Criterion(f"{low}.loss_percent", f"{up} precision loss", "<", loss, "%", "guide", CHECK_QUALITY),
        Criterion(
            f"{low}.similarity", f"{up} average similarity", ">=", own_similarity, "", "arrowquant", CHECK_QUALITY
        ),
        Criterion(
            f"{low}.lowest_similarity",
            f"{up} lowest similarity of a layer",
            ">=",
            own_lowest,
            "",
            "arrowquant",
            CHECK_QUALITY,
        ),
        Criterion(f"{low}.lost_tensors", f"{up} tensors lost", "<=", 0, "", "arrowquant", CHECK_FILE),
        Criterion(f"{low}.schema_problems", f"{up} schema problems", "<=", 0, "", "guide", CHECK_FILE),
        Criterion(f"{low}.quantize_seconds", f"{up} quantization time", "<", 60, "s", "guide", CHECK_SPEED),
        Criterion(
            f"{low}.quantize_seconds", f"{up} quantization time", "<", own_seconds, "s", "arrowquant", CHECK_SPEED
        ),
        Criterion(f"{low}.load_seconds", f"{up} weight loading time", "<", 0.8, "s", "arrowquant", CHECK_SPEED),
    ]


CRITERIA = [
    *per_type("int8", 2.0, 0.85, 15, own_similarity=0.9999, own_lowest=0.999, own_seconds=15),
    *per_type("int2", 4.0, 0.70, 30, own_similarity=0.90, own_lowest=0.80, own_seconds=20),
    Criterion(
        "int2_over_int8.compression_ratio", "INT2 over INT8 compression ratio", ">", 1.0, "x", "guide", CHECK_RATIO
    ),
    Criterion("v1.mismatched_tensors", "V1 tensors that differ from the model", "<=", 0, "", "guide", CHECK_FILE),
    Criterion("v2.unreadable_by_v1", "V2 tensors that a V1 loader cannot read", "<=", 0, "", "guide", CHECK_FILE),
    Criterion(
        "int8.embedding_similarity",
        "INT8 similarity of embeddings",
        ">=",
        0.999,
        "",
        "arrowquant",
        CHECK_QUALITY,
        optional=True,
    ),
    Criterion("int8.kl", "INT8 KL divergence", "<=", 0.05, "nats", "arrowquant", CHECK_QUALITY, optional=True),
]


def of_metric(metric):
    """The criteria of one metric; the guide's first."""
    return [c for c in CRITERIA if c.metric == metric]


def require(metric, value, *details):
    """Raises AssertionError when `value` misses a target of `metric`. `details` are sentences on the why."""
    __tracebackhide__ = True  # pytest shows the test's line instead
    for criterion in of_metric(metric):
        if not criterion.holds(value):
            lines = [criterion.failure(value), *(d for d in details if d), f"What to do: {criterion.remedy}"]
            raise AssertionError("\n  ".join(lines))


@dataclass(frozen=True)
class Verdict:
    criterion: Criterion
    measured: float | None

    @property
    def passed(self):
        return self.criterion.holds(self.measured)


def judge(metrics):
    """Every criterion with what was measured; an optional one that was not measured is left out."""
    return [Verdict(c, metrics.get(c.metric)) for c in CRITERIA if not (c.optional and c.metric not in metrics)]
