"""Checkpoints that other tools quantized are read as the values that their formats define, bit for bit: the formats are
written in NumPy (quantized_layers.py), and read by the command."""
import json
import sys
import pathlib

import numpy as np
import pytest
from conftest import read_safetensors, run
from quantized_layers import CASES, config_of, gptq, gptq_config, mlx, mxfp4

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from tiny_llama import llama_tensors, make_llama  # noqa: E402

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
