"""advice - recommendations that follow from the measured numbers, and from nothing else."""

from . import wording

TYPES = ["int8", "int2"]
MEASURED_OUTPUTS = "{t}.embedding_similarity"
LARGE_METADATA = 5.0  # percent of the file; the guide's limit
OUTLIER = 2.0  # a layer is far off when its loss is this many times the average


def recommendations(metrics, verdicts):
    """Sentences in Markdown, the most important first. Never empty: what was measured always says something."""
    found = failures(metrics, verdicts)
    for t in TYPES:
        for rule in (use, layers, metadata):
            found.extend(rule(t, metrics))
    found.extend(choice(metrics))
    found.extend(speed(metrics))
    return found or ["Nothing was measured, so nothing can be recommended."]


def failures(metrics, verdicts):
    """What to do about each criterion that failed."""
    lines = []
    for v in verdicts:
        if v.passed:
            continue
        details = ""
        if v.measured is not None and "similarity" in v.criterion.metric:
            details = worst_layers(v.criterion.metric.split(".")[0], metrics)
        if v.measured is not None and "compression" in v.criterion.what:
            details = overhead(v.criterion.metric.split(".")[0], metrics)
        lines.append(
            f"**{v.criterion.failure(v.measured)}.** {details}{'. ' if details else ''}"
            f"What to do: {v.criterion.remedy}."
        )
    return lines


def worst_layers(t, metrics, count=3):
    """ "Worst layers: `a` (0.71), `b` (0.75)"."""
    worst = metrics.get(f"{t}.worst_layers", [])[:count]
    names = ", ".join(f"`{w['name']}` ({wording.number(w['cosine'])})" for w in worst)
    return f"Worst layers: {names}" if names else ""


def overhead(t, metrics, count=3):
    """ "Metadata takes 1.2 % of the file; not quantized: 3 tensors, `a`, `b`, ..."."""
    percent, skipped = metrics.get(f"{t}.metadata_percent"), metrics.get(f"{t}.skipped_tensors", [])
    if percent is None:
        return ""
    names = ", ".join(f"`{name}`" for name in skipped[:count]) + (", ..." if len(skipped) > count else "")
    what = f"{len(skipped)} tensors, {names}" if skipped else "nothing"
    return f"Metadata takes {wording.number(percent, '%', up=True)} of the file; not quantized: {what}"


def use(t, metrics):
    """What a type is good for: judged by outputs where they were measured, else by weights."""
    weights, outputs = metrics.get(f"{t}.similarity"), metrics.get(MEASURED_OUTPUTS.format(t=t))
    if weights is None:
        return []
    name = (
        f"**{t.upper()}** ({wording.size(metrics.get(f'{t}.counted_bytes'))}, "
        f"{wording.number(metrics.get(f'{t}.ratio_to_fp16'), 'x')} smaller than FP16)"
    )
    agree = f"weights agree at {wording.number(weights)} ({wording.band(weights)})"
    if f"{t}.kl" in metrics:
        return [f"{name}: {agree}, {predictions(t, metrics)}"]
    if outputs is None:
        return [
            f"{name}: {agree}. This run did not compare outputs, and weights that agree do not mean outputs that "
            "agree: for a sentence encoder of the BERT family `arrowquant compare MODEL FILE --outputs` tells how far "
            "apart they are; run any other model on inputs you know before you use this file."
        ]
    agree += f", sentence embeddings at {wording.number(outputs)} ({wording.band(outputs)})"
    if outputs >= 0.999:
        return [f"{name}: {agree}. It can stand in for the original model."]
    if outputs >= 0.95:
        return [
            f"{name}: {agree}. Fit for use where small changes of the outputs do not matter; measure your own task "
            "first."
        ]
    if outputs >= 0.70:
        return [
            f"{name}: {agree}. Do not use it in place of the model before you have measured your own task: the "
            "weights look closer than the outputs are. More bits bring them closer."
        ]
    return [
        f"{name}: {agree}. Not usable in place of the model: its outputs have little to do with the model's. Use "
        "more bits."
    ]


def predictions(t, metrics):
    """The verdict on a language model, with the thresholds of `arrowquant compare --outputs`."""
    divergence = metrics[f"{t}.kl"]
    measured = (
        f"its predictions at a KL divergence of {wording.number(divergence, 'nats', up=True)} per token and the same "
        f"first choice at {100 * metrics[f'{t}.top_agreement']:.1f} % of the positions"
    )
    if divergence <= 0.01:
        return f"{measured}. It can stand in for the original model."
    if divergence <= 0.1:
        return f"{measured}. Fit for use where small changes of the outputs do not matter; measure your own task first."
    return (
        f"{measured}. Do not use it in place of the model: quantize with `arrowquant quantize --target-bpw` or more "
        "bits, and measure again."
    )


def layers(t, metrics):
    """Layers much further off than the rest, and what it costs to keep them."""
    worst, mean = metrics.get(f"{t}.worst_layers", []), metrics.get(f"{t}.similarity")
    if mean is None or metrics.get(MEASURED_OUTPUTS.format(t=t), 0.0) >= 0.999:
        return []
    outliers = [w for w in worst if 1 - w["cosine"] > max(OUTLIER * (1 - mean), 1e-3)]
    if not outliers:
        return []
    names = ", ".join(f"`{w['name']}` ({wording.number(w['cosine'])})" for w in outliers)
    cost = sum(2 * w["params"] - w["stored_bytes"] for w in outliers)
    return [
        f"{t.upper()}: the worst layers lose more than twice the average: {names}. Keeping them as FP16 "
        f"(`mixed_precision_layers`) makes the file at most {wording.size(max(cost, 0))} larger."
    ]


def metadata(t, metrics):
    percent = metrics.get(f"{t}.metadata_percent")
    if percent is None or percent < LARGE_METADATA:
        return []
    return [
        f"{t.upper()}: {wording.number(percent, '%', up=True)} of the file is metadata (the guide's limit is "
        f"{LARGE_METADATA:g} %): the model is small or made of many small tensors; larger models do better."
    ]


def choice(metrics):
    """INT8 or INT2: what the smaller file saves, and what it costs."""
    big, small = (metrics.get(f"{t}.counted_bytes") for t in TYPES)
    if not big or not small or small >= big:
        return []
    pairs = [("sentence embeddings", "embedding_similarity"), ("weights", "similarity")]
    what, a, b = next(
        (
            (w, metrics.get(f"int8.{k}"), metrics.get(f"int2.{k}"))
            for w, k in pairs
            if f"int8.{k}" in metrics and f"int2.{k}" in metrics
        ),
        ("", None, None),
    )
    if a is None:
        return []
    return [
        f"INT2 saves {wording.size(big - small)} over INT8 ({100 * (big - small) / big:.0f} % of the file); the "
        f"similarity of the {what} goes from {wording.number(a)} to {wording.number(b)}."
    ]


def speed(metrics):
    """Throughput, so that the time for another model can be told."""
    params, lines = metrics.get("model.params"), []
    for t in TYPES:
        made, loaded = metrics.get(f"{t}.quantize_seconds"), metrics.get(f"{t}.load_seconds")
        if params and made and loaded and params >= 1_000_000:
            lines.append(
                f"{t.upper()} took {made:.2f} s to make and {loaded:.2f} s to load on this machine, which is "
                f"{made * 1e9 / params:.0f} s and {loaded * 1e9 / params:.0f} s for each billion parameters."
            )
    return lines
