"""validate on the real model meets the bars that README promises."""
import json

import pytest

from conftest import noise, run, write_safetensors

BARS = {  # type: (least ratio to the FP32 file, least mean cosine)
    "int8": (3.9, 0.9999),
    "int4": (0, 0.996),
    "int2": (12, 0.942),
}


@pytest.fixture(scope="module")
def validation(minilm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation")
    done = run("validate", minilm, "--types", "int8,int4,int2", "--output-dir", folder)
    return done.stdout, folder


def test_demo_writes_both_reports_and_prints_the_summary(validation):
    printed, folder = validation
    markdown = (folder / "validation_summary.md").read_text()
    assert len(markdown) > 1000 and "validation_summary.md" in printed
    for kind in BARS:
        assert kind in printed.lower() and kind in markdown.lower()
    assert sorted(p.name for p in folder.iterdir()) == ["validation.json", "validation_summary.md"]


@pytest.mark.parametrize("kind", BARS)
def test_demo_meets_the_bars(validation, kind):
    report = json.loads((validation[1] / "validation.json").read_text())
    result = next(t for t in report["types"] if t["type"] == kind)
    ratio, cosine = BARS[kind]
    assert result["ratio_to_fp32"] >= ratio
    assert result["mean_cosine"] >= cosine


def test_demo_says_the_same_in_json_and_in_words(validation):
    printed, folder = validation
    assert "ALL ACCEPTANCE CRITERIA PASSED" in printed
    report = json.loads((folder / "validation.json").read_text())
    assert all(check["passed"] for part in (report["v1"], *report["types"]) for check in part["checks"])


def test_validate_exits_4_when_a_criterion_fails(tmp_path):
    """Weights with one huge outlier a row: int2 per group cannot hold them."""
    values = noise(99, 64, 256) ** 9
    values[:, ::61] = 1e4
    write_safetensors(tmp_path / "model.safetensors", {"w": ("F32", values.astype("<f4"))})
    done = run("validate", tmp_path, "--types", "int8,int2", "--output-dir", tmp_path / "out", expect=4)
    assert "FAIL" in done.stdout.upper()
    assert (tmp_path / "out" / "validation_summary.md").is_file()
