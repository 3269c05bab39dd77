"""Spans longer than a block, rows that are streamed, and rows in parts: the same rules, the same bytes at any number of
threads and under any memory limit."""

import hashlib

import numpy as np
import pyarrow.parquet as pq
import pytest
import scheme_rules
from conftest import noise, run, write_safetensors

ODD, EVEN = 1_500_001, 1_600_000  # channels longer than a block; codes of ODD ones share bytes


@pytest.fixture(scope="module")
def model():
    return {"odd": ("F32", noise(1, 3, ODD)), "even": ("F32", noise(2, 2, EVEN))}


@pytest.fixture(scope="module")
def model_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "model.safetensors"
    write_safetensors(path, model)
    return path


def quantized_rows(model_file, path, *options):
    run("quantize", model_file, "-o", path, "-q", *options)
    return {row["layer_name"]: row for row in pq.read_table(path).to_pylist()}


@pytest.mark.parametrize("quant_type", ["int8", "int4", "int3", "int2"])
def test_long_channels_equal_the_written_rule(model, model_file, tmp_path, quant_type):
    rows = quantized_rows(model_file, tmp_path / "out.parquet", "--type", quant_type, "--per", "channel", "--method",
                          "minmax", "--asym")
    for name, (_, values) in model.items():
        fits = [scheme_rules.minmax(channel, quant_type, False) for channel in values]
        codes = np.concatenate([scheme_rules.codes(x, s, z, quant_type) for x, (s, z) in zip(values, fits, strict=True)])
        assert rows[name]["scales"] == np.array([s for s, _ in fits], "<f4").tobytes()
        assert rows[name]["zero_points"] == np.array([z for _, z in fits], "<f4").tobytes()
        assert rows[name]["data"] == scheme_rules.pack(codes, quant_type)


@pytest.mark.parametrize("options", [
    ("--type", "int4", "--per", "channel"),
    ("--type", "int3", "--per", "tensor"),
    ("--type", "int2"),
    ("--type", "int8", "--part-size", "1MB"),
    ("--type", "fp16", "--part-size", "1MB"),
    ("--type", "int3", "--group-size", "100", "--max-memory", "30MiB"),
])
def test_threads_never_show(model_file, tmp_path, options):
    digests = set()
    for threads in (1, 2, 5):
        path = tmp_path / f"{threads}.parquet"
        run("quantize", model_file, "-o", path, "-q", "-t", threads, *options)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_tight_memory_limit_changes_no_value(model_file, tmp_path):
    free = quantized_rows(model_file, tmp_path / "free.parquet", "--type", "int8")
    tight = quantized_rows(model_file, tmp_path / "tight.parquet", "--type", "int8", "--max-memory", "26MiB")
    assert free == tight


def test_one_bad_value_keeps_every_part(model, model_file, tmp_path):
    values = model["odd"][1].copy()
    values[1, 777] = np.nan
    bad = tmp_path / "bad.safetensors"
    write_safetensors(bad, {"odd": ("F32", values)})
    run("quantize", bad, "-o", tmp_path / "no.parquet", expect=3)
    assert not (tmp_path / "no.parquet").exists()
    rows = quantized_rows(bad, tmp_path / "kept.parquet", "--nonfinite", "keep", "--part-size", "8MB")
    assert [row["quant_type"] for row in rows.values()] == ["fp32"] * 3
    assert b"".join(row["data"] for row in rows.values()) == values.tobytes()
