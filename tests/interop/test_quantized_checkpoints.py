"""Checkpoints that other tools quantized are read as the values that their formats define, bit for bit: the formats are
written in NumPy (quantized_layers.py), and read by the command."""
import json
import pathlib
import sys

import numpy as np
import pytest
from conftest import read_safetensors, run
from quantized_layers import CASES, awq, config_of, fp8, gptq, gptq_config, mlx, mxfp4

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from tiny_bert import encoder_tensors, make_encoder
from tiny_llama import llama_tensors, make_llama

NORM = ("F32", np.linspace(0, 1, 64).astype("<f4"))


def write(path, tensors):
    header, data = {}, b""
    for name, (dtype, array) in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": dtype, "shape": list(np.shape(array)), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def write_checkpoint(folder, layers, config):
    """layers: {name: parts}."""
    folder.mkdir(exist_ok=True)
    parts = {name + suffix: part for name, layer in layers.items() for suffix, part in layer.items()}
    write(folder / "model.safetensors", {"norm.weight": NORM, **parts})
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def exported(source, folder, *options):
    run("export", source, "-o", folder / "out.safetensors", "--force", *options)
    return read_safetensors(folder / "out.safetensors")


def bits_of(values):
    values = np.ascontiguousarray(values, dtype="<f4")
    return np.where(np.isnan(values), np.uint32(0x7FC00000), values.view("<u4"))


def check(source, folder, wanted):
    """The tensors are those with the values, and the norm; no other."""
    found = exported(source, folder)
    assert set(found) == {*wanted, "norm.weight"}
    for name, values in wanted.items():
        dtype, shape, data = found[name]
        assert (dtype, tuple(shape)) == ("F32", values.shape), name
        differ = np.flatnonzero(np.frombuffer(data, "<u4") != bits_of(values).reshape(-1))
        assert differ.size == 0, (name, differ[:8])


def info(source, *options):
    return json.loads(run("info", source, "--json", *options).stdout)


SHAPES = [(32, 64), (64, 96), (8, 320), (96, 32)]


@pytest.mark.parametrize("case", CASES)
def test_layers_are_the_values_of_their_format(tmp_path, case):
    random = np.random.default_rng(list(CASES).index(case))
    made = {f"layers.{i}.proj": CASES[case][1](random, *shape) for i, shape in enumerate(SHAPES)}
    folder = write_checkpoint(tmp_path / "m", {name: parts for name, (parts, _) in made.items()}, config_of(case))
    check(folder, tmp_path, {name + ".weight": values for name, (_, values) in made.items()})
    notes = info(folder)["source"]["notes"]
    assert [note for note in notes if "another tool has quantized 4 of the layers" in note and "decoded to FP32" in note]


def test_experts_of_mxfp4_are_turned_as_the_model_has_them(tmp_path):
    parts, values = mxfp4(np.random.default_rng(1), 3, 40, 96)
    config = {"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["model.norm"]}}
    folder = write_checkpoint(tmp_path / "m", {"mlp.experts.gate_up_proj": parts}, config)
    check(folder, tmp_path, {"mlp.experts.gate_up_proj": values})


def test_a_large_layer_is_read_in_tiles(tmp_path):
    """More than one tile in both directions, at blocks of the writer that are no whole rows."""
    random = np.random.default_rng(2)
    for case in ("gptq 3", "gptq act order", "awq", "pack-quantized 3 asymmetric", "fp8 blocks", "bnb nested"):
        parts, values = CASES[case][1](random, 608, 1600)
        folder = write_checkpoint(tmp_path / "m", {"l": parts}, config_of(case))
        check(folder, tmp_path, {"l.weight": values})
        run("convert", folder, "-o", tmp_path / "t.parquet", "--force", "--max-memory", "64MiB")
        check(tmp_path / "t.parquet", tmp_path, {"l.weight": values})


def test_layers_with_settings_of_their_own(tmp_path):
    random = np.random.default_rng(3)
    own = {"bits": 8, "group_size": 64}
    made = {"layers.0.up": mlx(random, 16, 64), "layers.1.up": mlx(random, 16, 128, 8, 64), "lm_head": mlx(random, 8, 64)}
    folder = write_checkpoint(tmp_path / "mlx", {name: parts for name, (parts, _) in made.items()},
                              {"quantization": {"bits": 4, "group_size": 32, "layers.1.up": own, "layers.2.up": False},
                               "quantization_config": {"bits": 4, "group_size": 32, "layers.1.up": own}})
    check(folder, tmp_path, {name + ".weight": values for name, (_, values) in made.items()})
    made = {"a": gptq(random, 32, 64), "b": gptq(random, 32, 64, 8, 32, order=True), "c": gptq(random, 32, 96, 3)}
    dynamic = {"+:b": {"bits": 8, "group_size": 32}, "+:c": {"bits": 3}}
    folder = write_checkpoint(tmp_path / "gptq", {name: parts for name, (parts, _) in made.items()},
                              {"quantization_config": gptq_config(dynamic=dynamic)})
    check(folder, tmp_path, {name + ".weight": values for name, (_, values) in made.items()})


def test_quantizing_layers_again_is_told_and_converting_them_is_not(tmp_path):
    parts, _ = gptq(np.random.default_rng(5), 64, 64)
    folder = write_checkpoint(tmp_path / "m", {"a": parts}, {"quantization_config": gptq_config()})

    def told(command, *options):
        made = json.loads(run(command, folder, "-o", tmp_path / "t.parquet", "--force", "--json", *options).stdout)
        return [note for note in made["warnings"] if "the errors of both add up" in note]

    for options in ([], ["--dry-run"], ["--type", "int4", "--allow-requantize"]):
        notes = told("quantize", *options)
        assert len(notes) == 1 and notes[0].startswith("1 of the layers that another tool quantized are quantized again")
    assert told("quantize", "--keep", "a.weight", "--tensor", "norm.weight=int8", "--quantize-1d") == []
    assert told("convert") == []


# ---- Whole models ----

MODELS = {"gptq 4": gptq_config(4, 8), "gptq act order": gptq_config(4, 8, order=True),
          "awq": CASES["awq"][0] | {"group_size": 8},
          "pack-quantized 3": CASES["pack-quantized 3"][0], "int-quantized": CASES["int-quantized"][0],
          "float-quantized": CASES["float-quantized"][0], "fp8 blocks": CASES["fp8 blocks"][0],
          "mlx 4": {"bits": 4, "group_size": 8}, "bnb int8": CASES["bnb int8"][0], "bnb nested": CASES["bnb nested"][0]}
WRITERS = {"gptq 4": lambda r, n, k: gptq(r, n, k, 4, 8), "gptq act order": lambda r, n, k: gptq(r, n, k, 4, 8, order=True),
           "awq": lambda r, n, k: awq(r, n, k, 8), "mlx 4": lambda r, n, k: mlx(r, n, k, 4, 8),
           "fp8 blocks": lambda r, n, k: fp8(r, n, k, (7, 20), suffix=".weight_scale_inv")}


def write_models(folder, case, make, tensors, is_layer):
    """A model with quantized layers, and the same one with their values."""
    random = np.random.default_rng(4)
    for name in ("coded", "plain"):
        make(folder / name)
    coded, plain = {}, {}
    for name, (dtype, shape, data) in tensors.items():
        coded[name] = plain[name] = (dtype, np.frombuffer(data, "<f4").reshape(shape))
        if not is_layer(name):
            continue
        parts, values = WRITERS.get(case, CASES[case][1])(random, *shape)
        coded |= {name.removesuffix(".weight") + suffix: part for suffix, part in parts.items()}
        plain[name] = ("F32", values)
        if ".weight" not in parts:
            del coded[name]
    write(folder / "coded" / "model.safetensors", coded)
    write(folder / "plain" / "model.safetensors", plain)
    config = json.loads((folder / "coded" / "config.json").read_text())
    member = "quantization" if case.startswith("mlx") else "quantization_config"
    (folder / "coded" / "config.json").write_text(json.dumps({member: MODELS[case], **config}, indent=2))


@pytest.mark.parametrize("case", MODELS)
def test_model_runs_as_the_model_of_its_values(tmp_path, case):
    write_models(tmp_path, case, make_llama, llama_tensors(), lambda name: "_proj" in name)
    (tmp_path / "texts.txt").write_text("Some words to read.\nAnd a few others, of another text.\n")
    said = {}
    for name in ("coded", "plain"):
        found = json.loads(run("perplexity", tmp_path / name, "--texts", tmp_path / "texts.txt", "--json").stdout)
        text = json.loads(run("generate", tmp_path / name, "--prompt", "Words", "--max-tokens", "12", "--json").stdout)
        said[name] = (found["perplexity"], text["text"], text["tokens"])
        assert np.isfinite(found["perplexity"]["value"])
    assert said["coded"] == said["plain"]
    run("quantize", tmp_path / "coded", "-o", tmp_path / "t.parquet", "--type", "int8")
    run("compare", tmp_path / "coded", tmp_path / "t.parquet")
    run("verify", tmp_path / "t.parquet", "--against", tmp_path / "coded")
    stored = {entry["key"]: entry["value"] for entry in info(tmp_path / "t.parquet")["metadata"]}
    assert json.loads(stored["arrowquant.file.config.json"])["model_type"] == "llama"
    assert "quantization" not in stored["arrowquant.file.config.json"]
    run("perplexity", tmp_path / "t.parquet", "--texts", tmp_path / "texts.txt")
    run("export", tmp_path / "coded", "-o", tmp_path / "folder")
    assert "quantization" not in (tmp_path / "folder" / "config.json").read_text()
    assert exported(tmp_path / "folder", tmp_path) == exported(tmp_path / "plain", tmp_path)


@pytest.mark.parametrize("case", ["gptq 4", "int-quantized", "mlx 4", "bnb nested"])
def test_encoder_gives_the_vectors_of_its_values(tmp_path, case):
    """Tables of embeddings are quantized by MLX too."""
    is_layer = {True: lambda name: name.endswith(".weight") and "LayerNorm" not in name,
                False: lambda name: name.endswith("dense.weight") or ("attention.self" in name and name.endswith(".weight"))}
    write_models(tmp_path, case, make_encoder, encoder_tensors(), is_layer[case.startswith("mlx")])
    for name in ("coded", "plain"):
        run("embed", tmp_path / name, "--text", "a few words", "--text", "others", "-o", tmp_path / f"{name}.npy")
    coded, plain = (np.load(tmp_path / f"{name}.npy") for name in ("coded", "plain"))
    assert np.isfinite(plain).all()
    assert coded.tobytes() == plain.tobytes()
