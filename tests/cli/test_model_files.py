"""What a model's folder says about how it is run: damaged files, weights that are not finite, heads, modules with weights
of their own. Comparisons with sentence-transformers itself are in tests/reference."""
import json
import math
import struct

import pytest

from cli_helpers import done, refused, safetensors
from tiny_bert import HIDDEN, encoder_tensors, make_encoder

TYPE = "sentence_transformers.models."


def write_json(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))


def change_config(model, **changes):
    config = json.loads((model / "config.json").read_text())
    write_json(model / "config.json", config | changes)


@pytest.fixture
def model(tmp_path):
    make_encoder(tmp_path / "model")
    return tmp_path / "model"


def write_weights(model, name, value, at=0):
    """The encoder with one number of a tensor replaced."""
    tensors = encoder_tensors()
    dtype, shape, data = tensors[name]
    tensors[name] = (dtype, shape, data[:4 * at] + struct.pack("<f", value) + data[4 * at + 4:])
    (model / "model.safetensors").write_bytes(safetensors(tensors))


# ---- not finite ----


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("compute", ["fp32", "int8"])
@pytest.mark.parametrize("name", ["encoder.layer.1.output.dense.weight", "encoder.layer.0.intermediate.dense.bias",
                                  "embeddings.position_embeddings.weight", "encoder.layer.1.output.LayerNorm.weight"])
def test_embed_weights_that_are_not_finite(tmp_path, model, value, compute, name):
    write_weights(model, name, value)
    refused("embed", "model", "--text", "cat", "--compute", compute, cwd=tmp_path, status=3, says=[name, "NaN"])
    refused("embed", "model", "--text", "cat", "--compute", compute, "-o", "v.npy", cwd=tmp_path, status=3, says=name)


def test_embed_names_the_text(tmp_path, model):
    write_weights(model, "embeddings.word_embeddings.weight", math.nan, at=HIDDEN * 7)  # "c"
    (tmp_path / "texts").write_text("a b\n" * 700 + "c\n")
    refused("embed", "model", "--input", "texts", "-o", "v.npy", cwd=tmp_path, status=3, says="text 700 is not finite")
    done("embed", "model", "--text", "a b", cwd=tmp_path)


def test_embed_sums_that_overflow(tmp_path, model):
    write_weights(model, "encoder.layer.1.output.LayerNorm.weight", 3e38)
    refused("embed", "model", *["--text=a b c d e f g h"] * 3, cwd=tmp_path, status=3, says="overflow")


def test_compare_of_models_that_are_not_finite(tmp_path, model):
    write_weights(model, "encoder.layer.1.output.dense.weight", math.nan)
    refused("compare", "model", "model", "--outputs", cwd=tmp_path, status=3, says="encoder.layer.1.output.dense.weight")


# ---- damaged files, and models that are none that can be run ----


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model_type": "bert"}', '{"model_type": "bert", "model_type": "bert"}',
                                  '{"model_type": 7}', "\0", '{"model_type": "bert", "hidden_size": NaN}'])
def test_target_with_a_damaged_config(tmp_path, model, text):
    (model / "config.json").write_text(text)
    refused("quantize", "model", "-o", "x.parquet", "--target-bpw", "4", cwd=tmp_path, status=3, says="config.json")


@pytest.mark.parametrize("name", ["modules.json", "tokenizer.json"])
def test_target_with_another_damaged_file(tmp_path, model, name):
    (model / name).write_text("[{")
    refused("quantize", "model", "-o", "x.parquet", "--target-bpw", "4", cwd=tmp_path, status=3, says=name)


@pytest.mark.parametrize(("config", "why"), [
    (None, "the model has no config.json"),
    ({"model_type": "llama", "hidden_size": 16}, "of type llama, is run only when texts are named"),
    ({"architecture": "resnet50"}, "'model_type' is missing"),
    ({"quantization_config": {"bits": 8}}, "'quantization_config' is an object"),
])
def test_target_of_a_model_that_cannot_be_run_says_so(tmp_path, model, config, why):
    if config is None:
        (model / "config.json").unlink()
    elif "quantization_config" in config:
        change_config(model, **config)
    else:
        write_json(model / "config.json", config)
    told = done("quantize", "model", "-o", "x.parquet", "--target-bpw", "5", cwd=tmp_path).stdout
    lines = [line for line in told.splitlines() if "was not run" in line]
    assert len(lines) == 1
    assert why in lines[0]


# ---- heads ----


def make_cross_encoder(model, **config):
    tensors = {f"bert.{name}": tensor for name, tensor in encoder_tensors().items()}
    tensors |= {"classifier.weight": ("F32", (1, HIDDEN), bytes(4 * HIDDEN)), "classifier.bias": ("F32", (1,), bytes(4))}
    (model / "model.safetensors").write_bytes(safetensors(tensors))
    change_config(model, **config)


def check_note_of_embed(folder, note):
    done("quantize", "model", "-o", "x.parquet", "--type", "int4", cwd=folder)
    for table in ("model", "x.parquet"):
        told = done("embed", table, "--text", "cat", cwd=folder)
        assert told.stderr.startswith("arrowquant: note: ") and told.stderr.count("\n") == 1
        assert note in told.stderr
        assert done("embed", table, "--text", "cat", "--quiet", cwd=folder).stderr == ""
    report = json.loads(done("embed", "model", "--text", "cat", "-o", "v.npy", "--json", cwd=folder).stdout)
    assert note in report["notes"][0]


def test_head_that_is_not_run_is_told(tmp_path, model):
    note = "a head (tensor 'classifier.weight') is not run"
    make_cross_encoder(model)
    check_note_of_embed(tmp_path, note)
    assert note in done("compare", "model", "x.parquet", "--outputs", cwd=tmp_path).stdout
    report = json.loads(done("compare", "model", "x.parquet", "--outputs", "--json", cwd=tmp_path).stdout)
    assert len(report["outputs"]["notes"]) == 1
    assert note in report["outputs"]["notes"][0]
    assert note in done("validate", "model", "--types", "int8", "--output-dir", "r", cwd=tmp_path, status=4).stdout
    assert note in (tmp_path / "r" / "validation_summary.md").read_text()


def test_embeddings_of_a_cross_encoder_are_told_and_its_head_is_judged(tmp_path, model):
    make_cross_encoder(model, architectures=["BertForSequenceClassification"])
    check_note_of_embed(tmp_path, "config.json: the model is a BertForSequenceClassification (a classifier or "
                                  "cross-encoder), whose head is not run")
    refused("compare", "model", "x.parquet", "--outputs", cwd=tmp_path, status=3, says=["bert.pooler.dense.weight"])


def test_head_is_told_by_a_search(tmp_path, model):
    make_cross_encoder(model)
    (tmp_path / "texts").write_text("".join(f"{a} {b} c d\n" for a in "abcdefghi" for b in "klmnopqrs"))
    told = done("quantize", "model", "-o", "x.parquet", "--target-bpw", "8", "--calib", "texts", cwd=tmp_path).stdout
    assert "a head (tensor 'classifier.weight') is not run" in told


def test_plain_encoder_has_no_notes(tmp_path, model):
    assert done("embed", "model", "--text", "cat", cwd=tmp_path).stderr == ""


# ---- modules ----


def add_dense(model):
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense")]
    write_json(model / "modules.json", [{"idx": i, "name": str(i), "path": path, "type": TYPE + kind}
                                        for i, (path, kind) in enumerate(modules)])
    write_json(model / "1_Pooling" / "config.json", {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True})
    write_json(model / "2_Dense" / "config.json", {"in_features": HIDDEN, "out_features": 4, "bias": False})
    weights = safetensors({"linear.weight": ("F32", (4, HIDDEN), bytes(16 * HIDDEN))})
    (model / "2_Dense" / "model.safetensors").write_bytes(weights)


@pytest.mark.parametrize("command", ["quantize", "convert"])
def test_weights_of_another_module_are_of_the_model(tmp_path, model, command):
    add_dense(model)
    done(command, "model", "-o", "x.parquet", cwd=tmp_path)
    done("verify", "x.parquet", "--against", "model", cwd=tmp_path)
    for source in ("model", "x.parquet"):
        assert "2_Dense/linear.weight" in done("info", source, "--json", cwd=tmp_path).stdout
        line = json.loads(done("embed", source, "--text", "cat", cwd=tmp_path).stdout)
        assert line["embedding"] == [0, 0, 0, 0]


@pytest.mark.parametrize("command", ["quantize", "convert"])
def test_weights_of_a_module_that_cannot_be_read_are_told(tmp_path, model, command):
    add_dense(model)
    (model / "2_Dense" / "model.safetensors").rename(model / "2_Dense" / "pytorch_model.bin")
    note = "the weights of module Dense (2_Dense/pytorch_model.bin) belong to the model and are left out"
    assert note in done(command, "model", "-o", "x.parquet", cwd=tmp_path).stdout
    assert note in done("verify", "x.parquet", "--against", "model", cwd=tmp_path).stdout
    assert note in done("info", "model", cwd=tmp_path).stdout
    for table in ("model", "x.parquet"):
        refused("embed", table, "--text", "cat", cwd=tmp_path, status=3,
                says=["'2_Dense/linear.weight' is missing", "model.safetensors in its folder"])


def test_output_in_place_of_the_weights_of_a_module_is_refused(tmp_path, model):
    add_dense(model)
    refused("convert", "model", "-o", "model/2_Dense/model.safetensors", "--force", cwd=tmp_path, status=2, says=["2_Dense"])


@pytest.mark.parametrize("command", ["quantize", "convert", "compare"])
def test_adapter_beside_the_weights_is_told_once(tmp_path, model, command):
    write_json(model / "adapter_config.json", {"base_model_name_or_path": "org/base"})
    (model / "adapter_model.safetensors").write_bytes(safetensors({"a": ("F32", (1,), bytes(4))}))
    output = ["model"] if command == "compare" else ["-o", "x.parquet"]
    report = json.loads(done(command, "model", *output, "--json", cwd=tmp_path).stdout)
    notes = report["reference"]["notes"] if command == "compare" else report["warnings"]
    assert len(notes) == 1
    assert "a PEFT adapter of 'org/base' belongs to this model and is left out" in notes[0]


def test_embed_of_one_shard_says_what_to_name(tmp_path, model):
    (model / "model.safetensors").unlink()
    tensors = encoder_tensors()
    half = dict(list(tensors.items())[: len(tensors) // 2])
    (model / "model-00001-of-00002.safetensors").write_bytes(safetensors(half))
    refused("embed", "model/model-00001-of-00002.safetensors", "--text", "cat", cwd=tmp_path, status=3,
            says=["is missing", "The file is shard 1 of 2 of a model", "Name the folder"])


def move_into_first_module(model):
    inner = model / "0_Transformer"
    inner.mkdir()
    for path in list(model.iterdir()):
        if path.is_file():
            path.rename(inner / path.name)
    write_json(model / "config.json", {"__version__": "1.0.0"})
    write_json(model / "1_Pooling" / "config.json", {"word_embedding_dimension": HIDDEN})
    write_json(model / "modules.json", [{"name": "0", "path": "0_Transformer", "type": TYPE + "Transformer"},
                                        {"name": "1", "path": "1_Pooling", "type": TYPE + "Pooling"}])
    return inner


def test_model_in_the_folder_of_its_first_module(tmp_path, model):
    vectors = done("embed", "model", "--text", "cat", cwd=tmp_path).stdout
    move_into_first_module(model)
    done("convert", "model", "-o", "x.parquet", cwd=tmp_path)
    (tmp_path / "apart").mkdir()
    (tmp_path / "x.parquet").rename(tmp_path / "apart" / "x.parquet")
    for table in ("model", "apart/x.parquet"):
        assert done("embed", table, "--text", "cat", cwd=tmp_path).stdout == vectors
    tokens = done("tokenize", "model", "--text", "cat", cwd=tmp_path).stdout
    assert tokens == done("tokenize", "apart/x.parquet", "--text", "cat", cwd=tmp_path).stdout
    done("quantize", "model", "-o", "y.parquet", "--type", "int8", cwd=tmp_path)
    assert "0.99" in done("compare", "model", "y.parquet", "--outputs", cwd=tmp_path).stdout


def test_tokenizer_in_the_folder_of_the_first_module(tmp_path, model):
    """Its settings are found from the model's folder, from a table and from a repository of the hub's cache."""
    plain = done("tokenize", "model", "--text", "a b", cwd=tmp_path).stdout
    inner = move_into_first_module(model)
    write_json(inner / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": False})
    write_json(inner / "sentence_bert_config.json", {"do_lower_case": True, "max_seq_length": 4})
    done("convert", "model", "-o", "x.parquet", cwd=tmp_path)
    snapshot = tmp_path / "models--org--name" / "snapshots" / "0123"
    snapshot.parent.mkdir(parents=True)
    model.rename(snapshot)
    (tmp_path / "models--org--name" / "refs").mkdir()
    (tmp_path / "models--org--name" / "refs" / "main").write_text("0123")
    for path in (snapshot, "x.parquet", "models--org--name"):
        assert done("tokenize", path, "--text", "A B", cwd=tmp_path).stdout == plain
        cut, short = done("embed", path, "--text", "a b c d", "--text", "A B", cwd=tmp_path).stdout.splitlines()
        assert json.loads(cut)["embedding"] == json.loads(short)["embedding"]


def test_table_beside_another_model_is_run_by_its_own_files(tmp_path, model):
    vectors = done("embed", "model", "--text", "cat", cwd=tmp_path).stdout
    make_encoder(tmp_path / "other")
    add_dense(tmp_path / "other")
    done("convert", "model", "-o", "other/x.parquet", cwd=tmp_path)
    assert done("embed", "other/x.parquet", "--text", "cat", cwd=tmp_path).stdout == vectors
