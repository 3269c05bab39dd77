"""report - the two Markdown files: a summary of a page, and the detailed report of the guide's five sections."""

from dataclasses import dataclass

from . import advice, environment, wording
from .metrics import Results
from .targets import Verdict

TYPES = ["int8", "int2"]
PASSED = "✅ ALL ACCEPTANCE CRITERIA PASSED"


@dataclass(frozen=True)
class Document:
    """All that the files are made from."""

    model: list  # (name, value) pairs
    results: Results
    verdicts: list[Verdict]
    problems: list  # diagnose.Problem
    seconds: float

    @property
    def passed(self):
        return (
            not self.problems
            and not self.results.failed
            and bool(self.results.tests)
            and all(v.passed for v in self.verdicts)
        )

    def headline(self):
        if self.passed:
            return PASSED
        failed = sum(not v.passed for v in self.verdicts)
        return (
            f"❌ ACCEPTANCE CRITERIA FAILED: {failed} of {len(self.verdicts)} criteria, "
            f"{len(self.results.failed)} of {len(self.results.tests)} tests"
        )


def summary(document):
    """validation_summary.md"""
    passed, total = document.results.count("passed"), len(document.results.tests)
    return "\n".join(
        [
            "# Quantization validation summary\n",
            f"**{document.headline()}**\n",
            f"{passed} of {total} tests passed in {document.seconds:.2f} s, {environment.now()}.\n",
            "## Figures\n",
            figures(document.results.metrics),
            "## Acceptance criteria\n",
            criteria(document.verdicts),
            *failed_tests(document),
        ]
    )


def detailed(document):
    """QUANTIZATION_VALIDATION_REPORT.md"""
    return "\n".join(
        [
            "# Quantization Validation Report\n",
            "Written by `scripts/run_quantization_validation.py`. All numbers come from the run described here.\n",
            "## 1. Executive Summary\n",
            executive(document),
            "## 2. Test Environment\n",
            surroundings(document),
            "## 3. Validation Results\n",
            results(document),
            "## 4. Acceptance Criteria\n",
            criteria(document.verdicts),
            *failed_tests(document),
            "## 5. Recommendations\n",
            "\n".join(f"- {line}" for line in advice.recommendations(document.results.metrics, document.verdicts)),
            "",
        ]
    )


# ---- parts ----


def executive(document):
    m, lines = document.results.metrics, [f"**{document.headline()}**\n"]
    for t in TYPES:
        if f"{t}.counted_bytes" not in m:
            continue
        lines.append(
            f"- {t.upper()}: {wording.size(m[f'{t}.counted_bytes'])}, "
            f"{wording.number(m.get(f'{t}.compression_ratio'), 'x')} compression, average similarity "
            f"{wording.number(m.get(f'{t}.similarity'))}, precision loss "
            f"{wording.number(m.get(f'{t}.loss_percent'), '%', up=True)}."
        )
    lines.extend(f"- {line}." for line in predictions(m))
    lines.append(
        f"- {document.results.count('passed')} of {len(document.results.tests)} tests passed, "
        f"{sum(v.passed for v in document.verdicts)} of {len(document.verdicts)} acceptance criteria are met, "
        f"in {document.seconds:.2f} s."
    )
    return "\n".join(lines) + "\n"


def surroundings(document):
    blocks = [("Hardware", environment.machine()), ("Software", environment.software()), ("Model", document.model)]
    text = [f"Measured on {environment.now()}.\n"]
    for title, pairs in blocks:
        text += [f"### {title}\n", wording.table(["", ""], pairs)]
    return "\n".join(text)


def results(document):
    m = document.results.metrics
    return "\n".join(
        [
            "### Figures\n",
            figures(m),
            *layer_bands(m),
            *worst(m),
            "### Tests\n",
            wording.table(
                ["Test", "Outcome", "Time"],
                [[f"`{t.name}`", t.outcome, f"{t.seconds:.2f} s"] for t in document.results.tests],
                "llr",
            ),
        ]
    )


FIGURES = [  # what, metric, unit, is small better
    ("File without model files", "counted_bytes", "B", True),
    ("Model files in it", "model_files_bytes", "B", True),
    ("Compression ratio", "compression_ratio", "x", False),
    ("FP32 / file without model files", "ratio_to_fp32", "x", False),
    ("FP16 / file", "ratio_to_fp16", "x", False),
    ("Bits per weight", "bits_per_weight", "x", True),
    ("Metadata in the file", "metadata_percent", "%", True),
    ("Average similarity of layers", "similarity", "", False),
    ("Lowest similarity", "lowest_similarity", "", False),
    ("Precision loss", "loss_percent", "%", True),
    ("Similarity of embeddings", "embedding_similarity", "", False),
    ("Lowest of a sentence", "embedding_lowest", "", False),
    ("Perplexity", "perplexity", "", True),
    ("Change of the perplexity", "perplexity_increase_percent", "%", True),
    ("KL divergence, nats per token", "kl", "nats", True),
    ("KL divergence, 99th percentile", "kl_p99", "nats", True),
    ("Same first choice", "top_agreement", "", False),
    ("Time to quantize", "quantize_seconds", "s", True),
    ("Time to load", "load_seconds", "s", True),
]


OUTPUTS = {"embedding_similarity", "embedding_lowest"}  # of one kind of model each: left out where not measured
PREDICTIONS = {"perplexity", "perplexity_increase_percent", "kl", "kl_p99", "top_agreement"}


def predictions(m):
    """What a language model predicts, beside the weights: a line each; empty of other models."""
    lines = [
        f"{t.upper()}: similarity of the weights {wording.number(m.get(f'{t}.similarity'))}; perplexity "
        f"{m[f'{t}.perplexity']:.2f} +- {m[f'{t}.perplexity_error']:.2f}, KL divergence {m[f'{t}.kl']:.5f} nats per "
        f"token, same first choice {100 * m[f'{t}.top_agreement']:.1f} %"
        for t in TYPES
        if f"{t}.perplexity" in m
    ]
    if not lines:
        return []
    noise = f", noise floor (BF16 weights) KL {m['model.noise_kl']:.6f}" if "model.noise_kl" in m else ""
    model = (
        f"Model: perplexity {m['model.perplexity']:.2f} +- {m['model.perplexity_error']:.2f} at "
        f"{m['model.positions']:,} positions of the built-in texts{noise}"
    )
    return [model, *lines]


def figures(m):
    def cell(t, metric, unit, up):
        value = m.get(f"{t}.{metric}")
        if unit == "B":
            return wording.size(value)
        text = wording.number(value, unit, up)
        return text.rstrip("x") if metric == "bits_per_weight" else text

    rows = [
        [what, *(cell(t, metric, unit, up) for t in TYPES)]
        for what, metric, unit, up in FIGURES
        if metric not in OUTPUTS | PREDICTIONS or any(f"{t}.{metric}" in m for t in TYPES)
    ]
    baseline = m.get("model.baseline", "the original model")
    note = (
        "Sizes and ratios do not count the model's own files (configuration, tokenizer) that travel in a table. "
        f"Compression ratio is {baseline} ({wording.size(m.get('model.baseline_bytes'))}) over the file; FP32 and "
        "FP16 are 4 and 2 bytes per parameter. Precision loss is (1 - average similarity) in percent. Bits per weight "
        "count data, scales, zero points and page headers as they lie in the file.\n"
    )
    return wording.table(["", *(t.upper() for t in TYPES)], rows, "l" + "r" * len(TYPES)) + "\n" + note


def layer_bands(m):
    bands = ["perfect", "excellent", "good", "fair", "poor"]
    rows = [[t.upper(), *(m[f"{t}.bands"].get(b, 0) for b in bands)] for t in TYPES if f"{t}.bands" in m]
    if not rows:
        return []
    head = ["", "perfect (1)", "excellent (0.95)", "good (0.85)", "fair (0.70)", "poor"]
    return ["### Layers by similarity\n", wording.table(head, rows, "lrrrrr")]


def worst(m):
    text = []
    for t in TYPES:
        rows = [
            [f"`{w['name']}`", wording.number(w["cosine"]), f"{w['params']:,}"] for w in m.get(f"{t}.worst_layers", [])
        ]
        if rows:
            text += [
                f"### Layers with the lowest similarity, {t.upper()}\n",
                wording.table(["Layer", "Similarity", "Parameters"], rows, "lrr"),
            ]
    return text


def criteria(verdicts):
    rows = [
        [
            "PASS" if v.passed else "**FAIL**",
            v.criterion.what,
            v.criterion.value_words(v.measured),
            f"{v.criterion.comparison} {v.criterion.limit_words()}",
            v.criterion.origin,
        ]
        for v in verdicts
    ]
    return wording.table(["", "Criterion", "Measured", "Target", "Set by"], rows, "llrrl")


def failed_tests(document):
    lines = []
    if document.problems:
        lines += ["## Problems\n", *("\n".join(p.lines()) + "\n" for p in document.problems)]
    if document.results.failed:
        lines.append("## Tests that did not pass\n")
        for test in document.results.failed:
            lines.append(f"- `{test.name}`: {test.outcome}\n\n```\n{test.message.strip()}\n```\n")
    return lines
