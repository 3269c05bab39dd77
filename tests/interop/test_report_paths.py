"""Every path that docs/REPORTS.md promises leads to a value in a real report of that kind."""
import json
import pathlib
import re
import sys

import pytest

from conftest import run

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "cli"))
from tiny_bert import make_encoder, make_scorer  # noqa: E402


def documented():
    """(kind, path) of the table of paths; those of every report stand under every kind."""
    section = (ROOT / "docs" / "REPORTS.md").read_text().split("## Paths")[1].split("\n## ")[0]
    rows = {kind.strip().strip("`"): re.findall("`([^`]+)`", paths)
            for kind, paths in re.findall(r"^\|([^|]+)\|([^|]+)\|$", section, flags=re.M) if "`" in paths}
    common = rows.pop("every")
    return [(kind, path) for kind, paths in rows.items() for path in [*common, *paths]]


def value_at(report, path):
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        report = report[int(index)] if index else report[name]
    return report


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    model = folder / "encoder"
    make_encoder(model)
    scorer = folder / "scorer"
    make_scorer(scorer)
    table = folder / "table.parquet"
    texts = folder / "texts"
    texts.write_text("a cat\nsome dogs run\n")
    commands = {
        "convert": [model, "-o", folder / "v1.parquet"],
        "quantize": [model, "-o", table, "--type", "int4", "--quantize-1d"],
        "export": [table, "-o", folder / "out.safetensors"],
        "info": [table],
        "verify": [table, "--deep"],
        "compare": [model, table, "--outputs"],
        "sensitivity": [model, "--types", "int4"],
        "validate": [model, "--types", "int4", "--output-dir", folder / "validation"],
        "score": [scorer, "--query", "a cat", "--text", "dogs run"],
        "embed": [table, "--input", texts, "-o", folder / "vectors.npy"],
    }
    return {name: json.loads(run(name, *words, "--json").stdout) for name, words in commands.items()}


def test_every_kind_of_report_has_documented_paths(reports):
    assert {kind for kind, _ in documented()} == set(reports)


@pytest.mark.parametrize("kind,path", documented())
def test_documented_path_is_in_the_report(reports, kind, path):
    assert value_at(reports[kind], path) is not None
