"""The cross-encoder: what callers of CrossEncoder.predict and rank of sentence-transformers pass, and its errors. That the scores
are those of sentence-transformers is in tests/reference/test_scores.py."""

from __future__ import annotations

import inspect
import json
import re

import numpy as np
import pytest
from tiny_encoder import HIDDEN, tiny_weights, write_tiny

import arrowquant

PAIRS = [("a cat", "cats sat"), ("b", "c d"), ("", "e"), ("a cat", "a cat")]


def write_scorer(folder, labels=1):
    write_tiny(folder)
    rng = np.random.default_rng(5)
    shapes = {"pooler.dense.weight": (HIDDEN, HIDDEN), "pooler.dense.bias": (HIDDEN,), "classifier.weight": (labels, HIDDEN)}
    shapes["classifier.bias"] = (labels,)
    head = {name: (rng.standard_normal(shape) * 0.3).astype(np.float32) for name, shape in shapes.items()}
    arrowquant.export({**tiny_weights(), **head}, folder / "model.safetensors", force=True)
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {str(i): f"label {i}" for i in range(labels)}
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"):
        (folder / name).unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_scorer(tmp_path_factory.mktemp("scorer") / "one")


@pytest.fixture(scope="module")
def model(folder):
    with arrowquant.CrossEncoder(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with arrowquant.CrossEncoder(write_scorer(tmp_path_factory.mktemp("scorer") / "three", 3)) as opened:
        yield opened


@pytest.fixture(scope="module")
def scores(model):
    return model.predict(PAIRS)


def test_scores_are_an_array_in_the_order_of_the_pairs(model, scores):
    assert scores.dtype == np.float32
    assert scores.shape == (len(PAIRS),)
    assert len(set(scores.tolist())) == len(PAIRS)
    assert ((scores > 0) & (scores < 1)).all()
    for inputs in ([list(pair) for pair in PAIRS], iter(PAIRS), np.array(PAIRS, dtype=object)):
        np.testing.assert_array_equal(model.predict(inputs, batch_size=3), scores)
    for i, pair in enumerate(PAIRS):
        for single in (pair, list(pair), np.array(pair, dtype=object)):
            assert model.predict(single) == scores[i]
            assert np.ndim(model.predict(single)) == 0
    assert model.predict([]).shape == (0,)


def test_several_labels_have_a_row_a_pair(three):
    logits = three.predict(PAIRS)
    assert logits.shape == (len(PAIRS), 3)
    assert three.num_labels == 3
    assert three.labels == ["label 0", "label 1", "label 2"]
    np.testing.assert_array_equal(three.predict(PAIRS[1]), logits[1])
    shares = three.predict(PAIRS, apply_softmax=True)
    np.testing.assert_allclose(shares, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), rtol=1e-5)
    assert three.predict([], apply_softmax=True).shape == (0, 3)


def test_another_activation_gets_the_outputs_of_the_head(model, scores):
    logits = model.predict(PAIRS, activation_fn=lambda x: x)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), scores, rtol=1e-5)
    assert model.activation == "sigmoid"


def test_ranks_are_sorted_by_scores(model):
    texts = ["cats sat", "b", "", "a cat"]
    scores = model.predict([("a cat", text) for text in texts])
    ranked = model.rank("a cat", texts, return_documents=True)
    assert [entry["corpus_id"] for entry in ranked] == np.argsort(-scores).tolist()
    assert all(entry["score"] == scores[entry["corpus_id"]] and entry["text"] == texts[entry["corpus_id"]] for entry in ranked)
    assert model.rank("a cat", texts, top_k=2) == [{key: entry[key] for key in ("corpus_id", "score")} for entry in ranked[:2]]
    assert [entry["corpus_id"] for entry in model.rank("a", ["b", "b", "b"])] == [0, 1, 2]
    assert model.rank("a", []) == []


def test_tensors_of_torch(model, scores):
    torch = pytest.importorskip("torch")
    tensor = model.predict(PAIRS, convert_to_tensor=True)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), scores)
    assert [value.item() for value in model.predict(PAIRS, convert_to_numpy=False)] == scores.tolist()


def test_tables_threads_int8_and_a_limit(folder, scores, tmp_path):
    arrowquant.convert(folder, tmp_path / "v1.parquet")
    with arrowquant.CrossEncoder(tmp_path / "v1.parquet", threads=1) as table:
        np.testing.assert_array_equal(table.predict(PAIRS), scores)
    with arrowquant.CrossEncoder(folder, compute="int8") as coded:
        assert 0 < np.abs(coded.predict(PAIRS) - scores).max() < 0.05
    with arrowquant.CrossEncoder(folder, max_tokens=5) as short:
        assert short.max_seq_length == 5
        assert short.predict(("a b c d", "e f g")) == short.predict(("a", "e"))


@pytest.mark.parametrize("inputs", ["a cat", b"a cat", [("a", 1)], [(b"a", "b")]])
def test_what_is_no_text_is_a_type_error(model, inputs):
    with pytest.raises(TypeError, match="inputs"):
        model.predict(inputs)


@pytest.mark.parametrize("inputs", [["a", "b", "c"], [("a",)], [("a", "b", "c")], [["a", "b"], "ab"], [("a", "b"), 3]])
def test_what_is_no_pair_is_an_argument_error(model, inputs):
    with pytest.raises(arrowquant.ArgumentError, match="no pair of two texts"):
        model.predict(inputs)


def test_other_errors(model, three, tmp_path):
    with pytest.raises(arrowquant.ArgumentError, match="one label"):
        three.rank("a", ["b"])
    with pytest.raises(arrowquant.ArgumentError, match="batch_size"):
        model.predict(PAIRS, batch_size=0)
    write_tiny(tmp_path / "encoder")
    with pytest.raises(arrowquant.ArrowQuantError, match=r"Pooling|pooler"):
        arrowquant.CrossEncoder(tmp_path / "encoder")
    closed = arrowquant.CrossEncoder(write_scorer(tmp_path / "closed"))
    closed.close()
    assert closed.closed
    assert "closed" in repr(closed)
    with pytest.raises(ValueError, match="closed"):
        closed.predict(PAIRS)


def test_the_words_of_compute_are_those_of_the_encoder():
    words = re.compile(r"Literal\['(\w+)', '(\w+)'\]|Literal\[(.*?)\]")
    found = [words.search(str(inspect.signature(kind.__init__).parameters["compute"].annotation)) for kind in (arrowquant.Encoder, arrowquant.CrossEncoder)]
    assert found[0][0] == found[1][0]
