"""The sizes that are reported are those of the file: of every tensor, in every codec, in parts and row groups. Targets are
kept by the sizes in the file."""
import json

import numpy as np
import page_sizes
import pytest
from conftest import noise, run, write_safetensors
from golden_models import MODELS

OPTIONS = {
    "codecs": ["--type int4 --codec none", "--type int4 --codec zstd", "--type int3 --codec brotli", "--type int2 --codec lz4"],
    "parts": ["--type int8 --part-size 2kB", "--type int3 --part-size 5kB --row-group-size 3kB"],
    "others": ["--type fp16", "--type int4 --quantize-1d --per tensor", "--target-bpw 3.5 --calib none"],
}


@pytest.mark.parametrize("options", [line for lines in OPTIONS.values() for line in lines])
@pytest.mark.parametrize("model", ["odd", "experts", "tied", "bert"])
def test_reported_sizes_are_those_of_the_file(tmp_path, model, options):
    folder, table = tmp_path / model, tmp_path / "t.parquet"
    folder.mkdir()
    MODELS[model](folder)
    made = json.loads(run("quantize", folder, "-o", table, "--json", *options.split()).stdout)
    info = json.loads(run("info", table, "--json").stdout)
    measured = page_sizes.stored_bytes(table)
    reported = {t["name"]: t["stored_bytes"] for t in info["tensors"] if t["alias_of"] is None}
    assert reported == measured
    assert made["totals"]["payload_bytes"] == sum(measured.values()) < page_sizes.chunk_bytes(table)
    assert made["output"]["file_bytes"] == info["source"]["file_bytes"] == table.stat().st_size
    assert made["output"]["model_files_bytes"] == page_sizes.model_files_bytes(table)
    if page_sizes.weights_of(table):
        assert abs(made["totals"]["bits_per_weight"] - page_sizes.bits_per_weight(table)) < 1e-9
    else:
        assert made["totals"]["bits_per_weight"] == 0


def weights(seed, rows, columns):
    """Rows of which some are much longer than others, so that codecs differ in what they make of codes."""
    values = noise(seed, rows, columns) * np.float32(0.5) + noise(seed + 99, rows, columns) * np.float32(0.5)
    return "F32", (values * np.exp2(np.arange(rows) // 16 / 3).astype("<f4")[:, None]).astype("<f4")


# What is kept is far larger than what is planned, and wants another codec: none, and zstd instead of Brotli.
NEIGHBOURS = {"random": ("U8", (noise(77, 6 << 20) * np.float32(127)).astype("i1").view("u1")),
              "mask": ("BOOL", np.tril(np.ones((1024, 1024), "u1")))}


@pytest.mark.parametrize("codec", ["auto", "brotli", "zstd"])
@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_targets_are_kept_beside_tensors_that_want_another_codec(tmp_path, neighbour, codec):
    source, table = tmp_path / "m.safetensors", tmp_path / "t.parquet"
    kept = NEIGHBOURS[neighbour]
    write_safetensors(source, {**{f"layer.{i}.weight": weights(i, 256, 256) for i in range(4)}, "kept": kept})
    for bits in (2.5, 4):
        run("quantize", source, "-o", table, "--force", "--target-bpw", bits, "--codec", codec)
        assert 0.98 * bits <= page_sizes.bits_per_weight(table) <= bits
    limit = kept[1].nbytes + 120_000
    run("quantize", source, "-o", table, "--force", "--target-size", limit, "--codec", codec)
    assert table.stat().st_size <= limit


@pytest.mark.parametrize("model", ["odd", "bert", "tied"])
def test_a_dry_run_says_no_less_than_the_file_takes(tmp_path, model):
    folder, table = tmp_path / model, tmp_path / "t.parquet"
    folder.mkdir()
    MODELS[model](folder)
    for line in ("--type int8", "--type int4 --codec none", "--type fp32 --codec none", "--type int3 --codec lz4 --quantize-1d",
                 "--type int2 --part-size 2kB --codec none", "--type int4 --row-group-size 3kB --codec snappy",
                 "--target-bpw 4 --calib none", "--target-size 75kB --calib none"):
        planned = json.loads(run("quantize", folder, "--dry-run", "--json", *line.split()).stdout)["estimate"]
        run("quantize", folder, "-o", table, "--force", *line.split())
        size = table.stat().st_size
        assert size <= planned["file_bytes_at_most"] <= 4 * size, line  # much of a file this small is headers
        assert planned["model_files_bytes"] == page_sizes.model_files_bytes(table)
