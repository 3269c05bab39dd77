"""Our own stored forms never change by accident: digests of the decoded columns of a fixed small model.

Not of the file: what a compressor makes of the bytes is the business of its version. A change of a scheme changes
these; then look at every difference, and write the file anew with

    .venv/bin/python -m pytest tests/interop/test_golden.py --regenerate-golden
"""
import hashlib
import json
import pathlib

import pytest

from conftest import read_pyarrow, run

GOLDEN = pathlib.Path(__file__).with_name("golden.json")
VARIANTS = {f"{kind} {' '.join(rest)}".strip(): ["--type", kind, "--quantize-1d", *rest] for kind in ("int8", "int4", "int3", "int2")
            for rest in (["--method", "minmax"], ["--method", "mse"], ["--per", "tensor", "--method", "minmax"],
                         ["--sym", "--per", "channel", "--method", "mse"], [])}
VARIANTS |= {kind: ["--type", kind] for kind in ("fp32", "fp16", "bf16")}
COLUMNS = ["data", "scales", "zero_points"]


def digests(model_file, folder, variant):
    path = folder / "golden.parquet"
    run("quantize", model_file, "-o", path, *variant)
    hashes = {column: hashlib.sha256() for column in COLUMNS}
    for row in sorted(read_pyarrow(path), key=lambda row: row["layer_name"]):
        for column in COLUMNS:
            hashes[column].update(f"{row['layer_name']} {row['quant_type']} {len(row[column])}\n".encode())
            hashes[column].update(row[column])
    return {column: value.hexdigest() for column, value in hashes.items()}


def test_the_model_itself_is_the_same_everywhere(model_file):
    assert hashlib.sha256(model_file.read_bytes()).hexdigest() == json.loads(GOLDEN.read_text())["model"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_stored_bytes_are_those_of_golden_json(model_file, tmp_path, variant):
    assert digests(model_file, tmp_path, VARIANTS[variant]) == json.loads(GOLDEN.read_text())["tables"][variant]


@pytest.fixture(scope="session", autouse=True)
def regenerate(request, model_file, tmp_path_factory):
    if request.config.getoption("--regenerate-golden"):
        folder = tmp_path_factory.mktemp("golden")
        tables = {}
        for name, variant in VARIANTS.items():
            tables[name] = digests(model_file, folder, [*variant, "--force"])
        model = hashlib.sha256(model_file.read_bytes()).hexdigest()
        GOLDEN.write_text(json.dumps({"model": model, "tables": tables}, indent=2) + "\n")
