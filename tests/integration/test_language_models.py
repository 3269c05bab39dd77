"""What the suite measures of a language model, on a tiny one: predictions beside the weights, and how they are told."""

import json
import sys

import pytest
from conftest import ROOT
from quantization_pipeline import Pipeline

import arrowquant
from validation import advice, report, targets

sys.path.insert(0, str(ROOT / "tests" / "cli"))
from tiny_llama import make_llama


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "llama"
    make_llama(folder, architectures=["LlamaForCausalLM"])
    return folder


def test_predictions_are_measured_beside_the_weights(llama, tmp_path):
    pipeline = Pipeline(llama, tmp_path)
    metrics = {}
    for table in (pipeline.int8, pipeline.int2):
        metrics |= table.sizes | table.agreement | table.predictions
    expected = arrowquant.compare(llama, pipeline.int8.path, windows=4)["outputs"]
    assert metrics["int8.kl"] == expected["divergence"]["mean"]
    assert metrics["model.perplexity"] == expected["reference_perplexity"]["value"]
    assert metrics["int8.kl"] < 0.05 < metrics["int2.kl"]
    verdicts = {v.criterion.metric: v for v in targets.judge(metrics)}
    assert verdicts["int8.kl"].passed
    assert "int8.embedding_similarity" not in verdicts
    lines = report.predictions(metrics)
    assert lines[0].startswith("Model: perplexity")
    assert "noise floor" in lines[0]
    assert [line[:4] for line in lines[1:]] == ["INT8", "INT2"]
    assert f"KL divergence {metrics['int2.kl']:.5f} nats per token" in lines[2]
    figures = report.figures(metrics)
    assert "KL divergence, nats per token" in figures
    assert "Similarity of embeddings" not in figures
    said = "\n".join(advice.recommendations(metrics, list(verdicts.values())))
    assert "Do not use it in place of the model" in said


def test_a_bad_divergence_fails_the_criterion():
    verdicts = {v.criterion.metric: v for v in targets.judge({"int8.kl": 0.051})}
    assert not verdicts["int8.kl"].passed
    assert "INT8 KL divergence" in verdicts["int8.kl"].criterion.failure(0.051)


def test_a_tokenizer_that_cannot_be_run_leaves_the_weights(llama, tmp_path):
    """The weights are measured all the same, and the reason is a warning."""
    other = tmp_path / "other"
    make_llama(other, architectures=["LlamaForCausalLM"])
    (other / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "NoSuchTokenizer"}))
    table = Pipeline(other, tmp_path).int8
    with pytest.warns(UserWarning, match="NoSuchTokenizer"):
        assert table.predictions == {}
    assert table.agreement["int8.similarity"] > 0.99
    assert report.predictions(table.agreement) == []
