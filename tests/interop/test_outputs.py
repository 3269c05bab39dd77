"""The figures of compare --outputs and validate, computed again with numpy from what `arrowquant embed` writes."""
import json

import numpy as np
import pytest

from conftest import run

BARS = {  # type: (least mean cosine of the outputs, what the verdict is)
    "int8": (0.999, "outputs agree"),
    "int4": (0.955, "outputs agree roughly"),
    "int3": (0.8, "weights agree, outputs do not"),
    "int2": (0.5, "weights agree, outputs do not"),
}
TEXTS = ["river", "bank", "a bank by the river", "How deep is the river here?", "The bank lends money to farmers.",
         "Farmers borrow money every spring.", "money", "Das Wasser steht hoch.", "水很深", "if (depth > 3) { warn(); }",
         "The water rose two metres during the night, and by morning the road to the village was gone.", "3.14159",
         "Two cats sleep on the oven.", "A dog sleeps under the oven.", "oven", "Is the oven still warm?", "cats"]
PAIRS = [("cat", "dog", 0.7), ("cat", "oven", 0.1), ("river", "bank", 0.5), ("river", "stream", 0.9), ("money", "bank", 0.8),
         ("money", "cash", 0.9), ("farmer", "oven", 0.1), ("warm", "hot", 0.8), ("warm", "cold", 0.5), ("night", "day", 0.5)]


def embed(model, texts, tmp_path):
    (tmp_path / "embed.txt").write_text("".join(t + "\n" for t in texts), encoding="utf-8")
    run("embed", model, "--input", tmp_path / "embed.txt", "-o", tmp_path / "embed.npy", "--force")
    return np.load(tmp_path / "embed.npy").astype(np.float64)


def ranks(x):
    """1 to n, equal numbers sharing the mean."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def spearman(x, y):
    return np.corrcoef(ranks(x), ranks(y))[0, 1]


def similarities(v):
    v = v / np.linalg.norm(v, axis=1, keepdims=True)
    return v @ v.T


def neighbours(s, k=10):
    s = s.copy()
    np.fill_diagonal(s, -np.inf)
    return [set(np.argsort(-row, kind="stable")[:k]) for row in s]


def figures(a, b):
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    sa, sb = similarities(a), similarities(b)
    upper = np.triu_indices(len(a), 1)
    kept = [len(x & y) / 10 for x, y in zip(neighbours(sa), neighbours(sb), strict=True)]
    return {"mean_cosine": cosines.mean(), "p1_cosine": np.percentile(cosines, 1), "min_cosine": cosines.min(),
            "neighbour_overlap": np.mean(kept), "similarity_spearman": spearman(sa[upper], sb[upper])}


def label_agreement(v):
    similar = [similarities(v[i:i + 2])[0, 1] for i in range(0, len(v), 2)]
    return spearman(similar, [label for _, _, label in PAIRS])


@pytest.mark.parametrize("kind", ["int8", "int4", "int2"])
def test_compare_outputs_equals_numpy(minilm, tmp_path, kind):
    table, texts, labels = tmp_path / "q.parquet", tmp_path / "texts", tmp_path / "labels"
    run("quantize", minilm, "-o", table, "--type", kind)
    texts.write_text("".join(t + "\n" for t in TEXTS), encoding="utf-8")
    labels.write_text("".join(f"{a}\t{b}\t{label}\n" for a, b, label in PAIRS))
    done = run("compare", minilm, table, "--texts", texts, "--labels", labels, "--json")
    outputs = json.loads(done.stdout)["outputs"]
    a, b = embed(minilm, TEXTS, tmp_path), embed(table, TEXTS, tmp_path)
    for key, expected in figures(a, b).items():
        assert outputs[key] == pytest.approx(expected, abs=1e-6), key
    halves = [text for pair in PAIRS for text in pair[:2]]
    assert outputs["labels"]["reference_spearman"] == pytest.approx(label_agreement(embed(minilm, halves, tmp_path)))
    assert outputs["labels"]["spearman"] == pytest.approx(label_agreement(embed(table, halves, tmp_path)))
    worst = ((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).argmin()
    assert outputs["worst_text"] == TEXTS[worst]


def test_validate_tells_weights_and_outputs_of_every_type(minilm, tmp_path):
    done = run("validate", minilm, "--types", ",".join(BARS), "-o", tmp_path)
    document = json.loads((tmp_path / "validation.json").read_text())
    assert document["outputs"]["measured"] and document["outputs"]["texts_from"] == "built-in"
    for entry in document["types"]:
        least, verdict = BARS[entry["type"]]
        assert entry["outputs"]["mean_cosine"] >= least and entry["outputs"]["verdict"] == verdict
    seconds = document["outputs"]["reference_seconds"] + sum(t["outputs"]["seconds"] for t in document["types"])
    assert seconds < 60
    for page in (done.stdout, (tmp_path / "validation_summary.md").read_text()):
        assert "weights agree, outputs do not" in page and "not measured" not in page
