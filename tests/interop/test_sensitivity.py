"""The figures of `arrowquant sensitivity` on MiniLM, against files in which one tensor alone is quantized."""
import json

import numpy as np
import pytest

from conftest import run
from test_outputs import TEXTS, embed

PROBES = [("embeddings.word_embeddings.weight", "int8"), ("embeddings.word_embeddings.weight", "int2"),
          ("encoder.layer.0.attention.self.key.weight", "int4"),
          ("encoder.layer.5.attention.self.value.weight", "int3"), ("encoder.layer.3.output.dense.weight", "int8")]


@pytest.fixture(scope="module")
def study(minilm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sensitivity")
    (folder / "texts").write_text("".join(t + "\n" for t in TEXTS), encoding="utf-8")
    run("sensitivity", minilm, "-o", folder / "sens.json", "--texts", folder / "texts")
    return {t["name"]: t for t in json.loads((folder / "sens.json").read_text())["tensors"]}


def test_fewer_bits_lose_more(study):
    used = [t["types"] for t in study.values() if t["used"]]
    assert len(study) == 39 and [name for name, t in study.items() if not t["used"]] == ["pooler.dense.weight"]
    losses = np.array([[t[kind]["loss"] for kind in ("int8", "int4", "int3", "int2")] for t in used])
    assert losses.min() > -1e-9 and losses.max() < 0.5
    ordered = (np.diff(losses, axis=1) > 0).all(axis=1)
    assert ordered.mean() > 0.9


@pytest.mark.parametrize(("name", "kind"), PROBES)
def test_loss_is_that_of_a_file_with_one_tensor_quantized(study, minilm, tmp_path, name, kind):
    table = tmp_path / "one.parquet"
    (tmp_path / "texts").write_text("".join(t + "\n" for t in TEXTS), encoding="utf-8")
    run("quantize", minilm, "-o", table, "--type", "fp32", "--tensor", f"{name}={kind}")
    compared = json.loads(run("compare", minilm, table, "--texts", tmp_path / "texts", "--json").stdout)
    figures = study[name]["types"][kind]
    assert [t["name"] for t in compared["tensors"] if t["quantized"]] == [name]
    assert figures["loss"] == pytest.approx(1 - compared["outputs"]["mean_cosine"], abs=1e-12)
    a, b = (embed(model, TEXTS, tmp_path) for model in (minilm, table))
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert figures["loss"] == pytest.approx(1 - cosines.mean(), abs=1e-6)
