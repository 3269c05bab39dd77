"""export to a folder: the model's files beside the weights, complete or not at all."""
import json
import math
import resource

import pytest
import tiny_bert
from cli_helpers import done, floats, refused, safetensors, snapshot

KEPT = ["config.json", "modules.json", "1_Pooling/config.json", "vocab.txt"]


@pytest.fixture
def made(tmp_path):
    """An encoder as sentence-transformers saves it, and its int8 table in a folder of its own."""
    tiny_bert.make_encoder(tmp_path / "encoder")
    (tmp_path / "encoder" / "1_Pooling").mkdir()
    (tmp_path / "encoder" / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
               {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]
    (tmp_path / "encoder" / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "work").mkdir()
    done("quantize", "encoder", "-o", "work/t.parquet", "--type", "int8", cwd=tmp_path)
    return tmp_path


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def test_folder_has_the_files_of_the_model_and_runs(made):
    done("export", "work/t.parquet", "-o", "out", cwd=made)
    assert sorted(snapshot(made / "out")) == sorted([*KEPT, "1_Pooling", "model.safetensors"])
    for name in KEPT:
        assert (made / "out" / name).read_bytes() == (made / "encoder" / name).read_bytes()
    texts = ["--text=a cat sat", "--text=the dog"]
    assert (done("embed", "out", *texts, cwd=made).stdout == done("embed", "work/t.parquet", *texts, cwd=made).stdout)


@pytest.mark.parametrize("key", ["dtype", "torch_dtype", None])
def test_configuration_says_the_dtype_and_all_else_stays(made, key):
    config = {name: value for name, value in config_of(made / "encoder").items() if "dtype" not in name}
    text = json.dumps({**config, "limit": 1e-05, **({key: "float32"} if key else {})}).replace("1e-05", "-Infinity")
    (made / "encoder" / "config.json").write_text(text)
    done("export", "encoder", "-o", "out", "--dtype", "bf16", cwd=made)
    changed = (made / "out" / "config.json").read_text()
    assert config_of(made / "out") == {**json.loads(text), key or "torch_dtype": "bfloat16"}
    if key:
        assert changed == text.replace('"float32"', '"bfloat16"')
    done("export", "encoder", "-o", "same", cwd=made)
    assert (made / "same" / "config.json").read_text() == text


def test_weights_of_a_first_module_in_a_folder_lie_there(made):
    inner = made / "encoder" / "0_Transformer"
    inner.mkdir()
    for name in ["config.json", "vocab.txt", "model.safetensors"]:
        (made / "encoder" / name).rename(inner / name)
    modules = json.loads((made / "encoder" / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (made / "encoder" / "modules.json").write_text(json.dumps(modules))
    done("export", "encoder", "-o", "out", "--dtype", "fp32", cwd=made)
    assert {name for name, kind in snapshot(made / "out").items() if kind != "folder"} == {
        "modules.json", "1_Pooling/config.json", "0_Transformer/config.json", "0_Transformer/vocab.txt",
        "0_Transformer/model.safetensors"}
    assert config_of(made / "out" / "0_Transformer")["torch_dtype"] == "float32"
    done("embed", "out", "--text=a cat", cwd=made)


def test_folder_that_exists_is_replaced_on_request_only(made):
    done("export", "work/t.parquet", "-o", "out", cwd=made)
    before = snapshot(made / "out")
    refused("export", "work/t.parquet", "-o", "out", cwd=made, status=2, says=["exists already", "--force"])
    (made / "out" / "notes.txt").write_text("mine")
    done("export", "work/t.parquet", "-o", "out/", "--force", "--dtype", "fp16", cwd=made)
    after = snapshot(made / "out")
    assert set(after) == {*before, "notes.txt"} and after["model.safetensors"] != before["model.safetensors"]
    (made / "out" / "model-00001-of-00002.safetensors").write_bytes(b"")
    refused("export", "work/t.parquet", "-o", "out", "--force", cwd=made, status=2, says=["holds other weights"])
    (made / "empty").mkdir()
    done("export", "work/t.parquet", "-o", "empty", cwd=made)
    assert snapshot(made / "empty") == before


def test_places_that_cannot_be_a_folder_are_refused(made):
    (made / "file").write_text("")
    refused("export", "work/t.parquet", "-o", "file", "--force", cwd=made, status=2, says=["is a file"])
    refused("export", "encoder", "-o", "encoder", "--force", cwd=made, status=2, says=["the output is the input"])
    refused("export", "work/t.parquet", "-o", "work", "--force", cwd=made, status=2, says=["the output is the input"])
    (made / "late.partial").mkdir()
    refused("export", "work/t.parquet", "-o", "late", cwd=made, status=2, says=["late.partial", "Remove it"])
    refused("export", "work/t.parquet", "-o", "gone/out", cwd=made, status=1, says=["gone/out", "Create the folder"])


def test_names_of_files_are_no_folders(made):
    refused("export", "work/t.parquet", "-o", "x.gguf", "--to", "compressed-tensors", cwd=made, status=2,
            says=["is the name of a gguf file", "Choose the name of a folder"])
    refused("export", "work/t.parquet", "-o", "x.gguf", cwd=made, status=2, says=["Choose a name that ends in .safetensors"])


def test_disk_that_is_full_leaves_nothing(made):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
    refused("export", "work/t.parquet", "-o", "out", cwd=made, status=6, says=["out"], preexec_fn=limit)


def test_input_is_never_written_into(made):
    """Modules are folders inside the model's: an export there would replace their files."""
    before = snapshot(made / "encoder")
    (made / "link").symlink_to(made / "encoder" / "1_Pooling")
    for place in ["encoder/1_Pooling", "encoder/out", "encoder/1_Pooling/deep", "link", "link/deep"]:
        for force in [[], ["--force"]]:
            refused("export", "encoder", "-o", place, *force, cwd=made, status=2,
                    says=["lies inside the folder of the input", "outside of it"])
    refused("export", ".", "-o", "1_Pooling", "--force", cwd=made / "encoder", status=2, says=["folder of the input"])
    assert snapshot(made / "encoder") == before
    done("export", "work/t.parquet", "-o", "work/out", cwd=made)  # a table brings its files along


WRAPPERS = ["0.auto_model.", "auto_model.", "0.model."]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_names_of_a_wrapper_are_written_as_loaders_know_them(made, wrapper):
    """They would fill what they miss with random values."""
    done("export", "encoder", "-o", "plain", cwd=made)
    tensors = {f"{wrapper}{name}": value for name, value in tiny_bert.encoder_tensors().items()}
    (made / "encoder" / "model.safetensors").write_bytes(safetensors(tensors))
    result = done("export", "encoder", "-o", "out", cwd=made)
    assert f"without '{wrapper}'" in result.stdout
    assert snapshot(made / "out") == snapshot(made / "plain")
    done("export", "encoder", "-o", "one.safetensors", cwd=made)
    assert wrapper.encode() in (made / "one.safetensors").read_bytes()


def test_names_that_are_one_without_the_wrapper_are_refused(made):
    name, value = next(iter(tiny_bert.encoder_tensors().items()))
    tensors = {**tiny_bert.encoder_tensors(), f"0.auto_model.{name}": value}
    (made / "encoder" / "model.safetensors").write_bytes(safetensors(tensors))
    refused("export", "encoder", "-o", "out", cwd=made, status=3, says=[name, "two tensors have this name"])
    assert not (made / "out").exists()


def add_dense(folder, out=4):
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "2_Dense").mkdir()
    hidden = config_of(folder)["hidden_size"]
    (folder / "2_Dense" / "config.json").write_text(
        json.dumps({"in_features": hidden, "out_features": out, "bias": False}))
    (folder / "2_Dense" / "model.safetensors").write_bytes(
        safetensors({"linear.weight": ("F32", (out, hidden), floats(out * hidden, 3, 1))}))


def test_weights_of_modules_are_written_into_their_folders(made):
    add_dense(made / "encoder")
    report = json.loads(done("export", "encoder", "-o", "out", "--json", cwd=made).stdout)
    files = [path for path in (made / "out").rglob("*") if path.is_file()]
    assert report["output"]["file_bytes"] == sum(path.stat().st_size for path in files)
    assert sorted(path.name for path in (made / "out" / "2_Dense").iterdir()) == ["config.json", "model.safetensors"]
    assert b'"linear.weight"' in (made / "out" / "2_Dense" / "model.safetensors").read_bytes()
    assert b"linear.weight" not in (made / "out" / "model.safetensors").read_bytes()
    texts = ["--text=a cat sat", "--text=the dog"]
    assert done("embed", "out", *texts, cwd=made).stdout == done("embed", "encoder", *texts, cwd=made).stdout
    done("export", "encoder", "-o", "one.safetensors", cwd=made)


def test_weights_beside_those_of_a_module_are_refused(made):
    add_dense(made / "encoder")
    (made / "out" / "2_Dense").mkdir(parents=True)
    (made / "out" / "2_Dense" / "pytorch_model.bin").write_bytes(b"")
    refused("export", "encoder", "-o", "out", "--force", cwd=made, status=2, says=["2_Dense", "pytorch_model.bin"])


def test_disk_that_is_full_at_the_second_file_leaves_nothing(made):
    add_dense(made / "encoder", out=4096)
    model = (made / "encoder" / "model.safetensors").stat().st_size
    assert model < (made / "encoder" / "2_Dense" / "model.safetensors").stat().st_size - 4096
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (model + 4096, model + 4096))  # noqa: E731
    refused("export", "encoder", "-o", "out", cwd=made, status=6, says=["model.safetensors"], preexec_fn=limit)
    assert not list(made.glob("out*"))


def test_codes_are_those_of_the_model_alone(made):
    """A Dense module has no configuration in which codes could be declared: its weights are values."""
    add_dense(made / "encoder", out=64)
    done("quantize", "encoder", "-o", "work/d.parquet", "--type", "int8", "--per", "channel", "--sym", "--tensor",
         "encoder.*.query.weight=int8", "--tensor", "2_Dense/linear.weight=int8", cwd=made)
    done("export", "work/d.parquet", "-o", "out", "--to", "compressed-tensors", cwd=made)
    assert b'"linear.weight"' in (made / "out" / "2_Dense" / "model.safetensors").read_bytes()
    assert b"weight_packed" in (made / "out" / "model.safetensors").read_bytes()
    assert "2_Dense" not in (made / "out" / "config.json").read_text()


def embed(source, made):
    lines = done("embed", source, "--text=a cat sat", "--text=the dog", cwd=made).stdout.splitlines()
    return [json.loads(line)["embedding"] for line in lines]


@pytest.mark.parametrize("kind", ["fp32", "int8"])
def test_graph_has_the_weights_of_modules_beside_it(made, kind):
    add_dense(made / "encoder", out=32)
    source = "encoder"
    if kind == "int8":
        source = "work/d.parquet"
        done("quantize", "encoder", "-o", source, "--type", "int8", cwd=made)
    report = json.loads(done("export", source, "-o", "out", "--to", "onnx", "--json", cwd=made).stdout)
    assert not any("left out" in note for note in report["source"].get("notes", []))
    files = [path for path in (made / "out").rglob("*") if path.is_file()]
    assert report["output"]["file_bytes"] == sum(path.stat().st_size for path in files)
    dense = {t["name"]: t for t in report["tensors"]}["2_Dense/linear.weight"]
    assert dense["type"] == "float32" and dense["bytes_after"] == 4 * math.prod(dense["shape"])
    assert sorted(path.name for path in (made / "out" / "2_Dense").iterdir()) == ["config.json", "model.safetensors"]
    assert b'"linear.weight"' in (made / "out" / "2_Dense" / "model.safetensors").read_bytes()
    assert b"linear.weight" not in (made / "out" / "onnx" / "model.onnx").read_bytes()
    assert embed("out", made) == embed(source, made)
    said = done("export", source, "-o", "one.onnx", "--to", "onnx", cwd=made).stdout
    assert "'2_Dense/linear.weight'" in said and "left out" in said
    (made / "one" / "2_Dense").mkdir(parents=True)
    (made / "one" / "2_Dense" / "pytorch_model.bin").write_bytes(b"")
    refused("export", source, "-o", "one", "--to", "onnx", "--force", cwd=made, status=2, says=["pytorch_model.bin"])


def test_disk_that_is_full_behind_the_graph_leaves_nothing(made):
    add_dense(made / "encoder", out=4096)
    done("export", "encoder", "-o", "one.onnx", "--to", "onnx", cwd=made)
    graph = (made / "one.onnx").stat().st_size
    (made / "one.onnx").unlink()
    assert graph < (made / "encoder" / "2_Dense" / "model.safetensors").stat().st_size - 4096
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (graph + 4096, graph + 4096))  # noqa: E731
    refused("export", "encoder", "-o", "out", "--to", "onnx", cwd=made, status=6, says=["2_Dense"], preexec_fn=limit)
    assert not list(made.glob("out*"))


# ---- onnx: a graph in a folder of its own ----------------------------------------------------------------------------


def test_graph_is_in_a_folder_beside_the_files_of_the_model(made):
    said = done("export", "work/t.parquet", "-o", "out", "--to", "onnx", cwd=made).stdout
    assert "int8 per channel" in said and "dequantized" not in said
    assert sorted(snapshot(made / "out")) == sorted([*KEPT, "1_Pooling", "onnx", "onnx/model.onnx"])
    assert {**config_of(made / "out"), "torch_dtype": 0} == {**config_of(made / "encoder"), "torch_dtype": 0}
    texts = ["--text=a cat sat", "--text=the dog"]
    assert done("embed", "out", *texts, cwd=made).stdout == done("embed", "work/t.parquet", *texts, cwd=made).stdout
    refused("export", "work/t.parquet", "-o", "out", "--to", "onnx", cwd=made, status=2, says=["exists already"])
    done("export", "encoder", "-o", "out", "--to", "onnx", "--force", cwd=made)
    refused("export", "out/onnx/model.onnx", "-o", "out", "--to", "onnx", "--force", cwd=made, status=2,
            says=["the folder of the input"])
    done("export", "work/t.parquet", "-o", "one.onnx", "--to", "onnx", cwd=made)
    done("export", "encoder", "-o", "plain", cwd=made)
    refused("export", "work/t.parquet", "-o", "plain", "--to", "onnx", "--force", cwd=made, status=2,
            says=["holds other weights", "model.safetensors"])


def test_graph_of_a_first_module_in_a_folder_lies_there(made):
    inner = made / "encoder" / "0_Transformer"
    inner.mkdir()
    for name in ["config.json", "vocab.txt", "model.safetensors"]:
        (made / "encoder" / name).rename(inner / name)
    modules = json.loads((made / "encoder" / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (made / "encoder" / "modules.json").write_text(json.dumps(modules))
    done("export", "encoder", "-o", "out", "--to", "onnx", cwd=made)
    assert {name for name, kind in snapshot(made / "out").items() if kind != "folder"} == {
        "modules.json", "1_Pooling/config.json", "0_Transformer/config.json", "0_Transformer/vocab.txt",
        "0_Transformer/onnx/model.onnx"}
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
    refused("export", "encoder", "-o", "late", "--to", "onnx", cwd=made, status=6, says=["late"], preexec_fn=limit)
    assert not list(made.glob("late*"))


def test_names_of_the_wrapper_are_read_by_graphs(made):
    """Names in a graph are its own."""
    tensors = {f"0.auto_model.{name}": value for name, value in tiny_bert.encoder_tensors().items()}
    (made / "encoder" / "model.safetensors").write_bytes(safetensors(tensors))
    done("export", "encoder", "-o", "out", "--to", "onnx", cwd=made)


def test_graph_that_cannot_be_made_leaves_nothing(made):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
    before = sorted(path.name for path in made.iterdir())
    refused("export", "work/t.parquet", "-o", "out", "--to", "onnx", cwd=made, status=6, says=["out"], preexec_fn=limit)
    refused("export", "encoder", "-o", "out", "--to", "onnx", "--dtype", "bf16", cwd=made, status=3,
            says=["FP32 or FP16", "--dtype fp32"])
    encoder = tiny_bert.encoder_tensors()
    missing = "encoder.layer.1.output.dense.weight"
    tensors = {name: value for name, value in encoder.items() if name != missing}
    (made / "encoder" / "model.safetensors").write_bytes(safetensors(tensors))
    refused("export", "encoder", "-o", "out", "--to", "onnx", cwd=made, status=3, says=[missing])
    dtype, shape, data = encoder[missing]
    whole = {**encoder, missing: ("I32", shape, data)}
    (made / "encoder" / "model.safetensors").write_bytes(safetensors(whole))
    refused("export", "encoder", "-o", "out", "--to", "onnx", cwd=made, status=3, says=[missing, "int32"])
    (made / "encoder" / "model.safetensors").write_bytes(safetensors(encoder))
    text = (made / "encoder" / "config.json").read_text()
    (made / "encoder" / "config.json").write_text(text.replace('"bert"', '"llama"'))
    refused("export", "encoder", "-o", "out", "--to", "onnx", cwd=made, status=3, says=["llama", "bert"])
    assert sorted(path.name for path in made.iterdir()) == before


def test_codes_that_a_graph_cannot_hold_become_values_on_request(made):
    done("quantize", "encoder", "-o", "work/g10.parquet", "--type", "int4", "--group-size", "10", cwd=made)
    refused("export", "work/g10.parquet", "-o", "out", "--to", "onnx", cwd=made, status=3,
            says=["groups cross rows", "--dtype"])
    said = done("export", "work/g10.parquet", "-o", "out", "--to", "onnx", "--dtype", "fp16", "--json", cwd=made).stdout
    tensors = json.loads(said)["tensors"]
    assert {t["action"] for t in tensors if t["stored_as"] == "int4 g10"} == {"dequantized"}


def test_embeddings_are_kept_for_compressed_tensors_by_a_rule(made):
    """Peers read them as values: nothing is missing for --strict."""
    told = done("quantize", "encoder", "-o", "work/c.parquet", "--for", "compressed-tensors", "--type", "int4", "--strict",
                cwd=made).stdout
    assert "no rule says so" not in told
