"""The sizes that are reported are those of the file: of every tensor, in every codec, in parts and row groups."""
import json

import page_sizes
import pytest
from conftest import run
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
