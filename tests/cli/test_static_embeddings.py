"""Static embeddings through the command: a folder, its tables, and what is refused. The vectors are compared with those of their
programs in tests/reference/test_static_embeddings.py."""
import json

import pytest
from cli_helpers import done, floats, refused, run, safetensors

WORDS = ["[UNK]", *"abcdefghijklmnopqrstuvwxyz"]
TOKENIZER = {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"},
             "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {word: i for i, word in enumerate(WORDS)}}}
STATIC = [{"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"}]


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(safetensors({"embeddings": ("F32", (len(WORDS), 256), floats(len(WORDS) * 256, 1, 1.0))}))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": False}))
    (folder / "modules.json").write_text(json.dumps(STATIC))
    return tmp_path


def vector(model, text, cwd):
    return json.loads(done("embed", model, "--text", text, cwd=cwd).stdout)["embedding"]


def test_a_vector_is_the_mean_of_rows(model):
    a, b = (vector("model", letter, model) for letter in "ab")
    assert vector("model", "a ? b", model) == pytest.approx([(x + y) / 2 for x, y in zip(a, b, strict=False)], abs=1e-6)
    assert vector("model", "?", model) == [0] * 256
    (model / "model/config.json").unlink()
    unknown = vector("model", "?", model)  # sentence-transformers counts it
    assert vector("model", "a ?", model) == pytest.approx([(x + y) / 2 for x, y in zip(a, unknown, strict=False)], abs=1e-6)


@pytest.mark.parametrize("options", [["--type", "int8"], ["--type", "int4"], ["--type", "int2"], ["--target-bpw", 6]])
def test_tables_are_run_and_judged(model, options):
    done("quantize", "model", "-o", "q.parquet", *options, "-q", cwd=model)
    assert len(vector("q.parquet", "a b", model)) == 256
    report = json.loads(done("compare", "model", "q.parquet", "--outputs", "--json", cwd=model).stdout)
    assert 0.5 < report["outputs"]["mean_cosine"] <= 1


def test_validation_runs_the_model(model):
    outputs = json.loads(run("validate", "model", "--types", "int8", "-o", "report", "--json", cwd=model).stdout)["outputs"]
    assert (outputs["measured"], outputs["model_kind"]) == (True, "encoder")


def test_a_tokenizer_of_another_model_is_an_error_of_the_files(model):
    (model / "model/model.safetensors").write_bytes(safetensors({"embeddings": ("F32", (4, 64), floats(4 * 64))}))
    refused("embed", "model", "--text", "z", cwd=model, status=3, says=["model.safetensors", "of different models"])


def test_what_cannot_be_done_is_told(model):
    done("convert", "model", "-o", "t.parquet", "-q", cwd=model)
    refused("quantize", "model", "-o", "q.parquet", "--target-bpw", 3, "--calib", "builtin", cwd=model, status=3,
            says=["calibration does not know encoders of type model2vec", "--calib none"])
    refused("export", "t.parquet", "-o", "x.onnx", "--to", "onnx", cwd=model, status=3, says="static embeddings have no layers")
    (model / "model/config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    refused("embed", "model", "--text", "a", cwd=model, status=3, says=["modules.json", "'normalize' is true"])
