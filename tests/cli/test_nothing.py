"""Figures over nothing: no number, words, and no success where a threshold was asked for."""
import json
import struct

import pytest
from cli_helpers import done, floats, refused, run, safetensors, tiny_tensors

F32 = "F32"
NOTHING = {
    "no-tensors": {},
    "empty-tensors": {"a": (F32, (0, 4), b""), "b": (F32, (3, 0), b"")},
    "not-finite": {"a": (F32, (2,), struct.pack("<2f", float("nan"), float("inf")))},
}


@pytest.fixture
def models(tmp_path):
    for name, tensors in NOTHING.items():
        (tmp_path / f"{name}.safetensors").write_bytes(safetensors(tensors))
    (tmp_path / "good.safetensors").write_bytes(safetensors(tiny_tensors()))
    return tmp_path


def figures_of(value):
    """Every cosine and error in a report, wherever it is."""
    if isinstance(value, list):
        return [found for item in value for found in figures_of(item)]
    if not isinstance(value, dict):
        return []
    own = [value[key] for key in ("mean_cosine", "mean", "min", "snr_db", "rmse", "norm_ratio", "cosine")
           if key in value and not isinstance(value[key], dict)]
    return own + [found for item in value.values() for found in figures_of(item)]


@pytest.mark.parametrize("name", NOTHING)
def test_compare_of_nothing_has_no_figures(models, name):
    line = ["compare", f"{name}.safetensors", f"{name}.safetensors"]
    text = done(*line, cwd=models).stdout
    assert "1.000000" not in text
    assert ("nothing was compared" if name != "not-finite" else "no figures") in text
    report = json.loads(done(*line, "--json", cwd=models).stdout)
    assert report["mean_cosine"] is None and set(figures_of(report)) == {None}
    assert report["cosine"]["all"]["tensors"] == 0
    refused(*line, "--min-cosine", ".5", "-q", cwd=models, status=4, says=["nothing was compared"])


def test_an_empty_tensor_does_not_lift_the_mean(models):
    a, b = floats(64, 1), floats(64, 2)
    (models / "a.safetensors").write_bytes(safetensors({"w": (F32, (8, 8), a), "e": (F32, (0,), b"")}))
    (models / "b.safetensors").write_bytes(safetensors({"w": (F32, (8, 8), b), "e": (F32, (0,), b"")}))
    report = json.loads(done("compare", "a.safetensors", "b.safetensors", "--json", cwd=models).stdout)
    tensors = {tensor["name"]: tensor for tensor in report["tensors"]}
    assert tensors["e"]["cosine"] is None and tensors["e"]["equal"] is None
    assert report["mean_cosine"] == report["cosine"]["all"]["min"] == tensors["w"]["cosine"] < 0.5
    assert [tensor["name"] for tensor in report["worst"]] == ["w"]


def test_models_that_share_no_tensor(models):
    line = ["compare", "good.safetensors", "not-finite.safetensors"]
    for result in (run(*line, cwd=models), run(*line, "--min-cosine", ".1", cwd=models)):
        assert result.returncode == 3 and "nothing was compared" in result.stdout
        assert "1.000000" not in result.stdout and "are not those of the reference" in result.stderr
    report = json.loads(run(*line, "--json", cwd=models).stdout)
    assert report["mean_cosine"] is None and report["passed"] is False


@pytest.mark.parametrize("turned", [False, True])
def test_a_prefix_that_all_names_have_is_told(models, turned):
    (models / "prefix.safetensors").write_bytes(safetensors({f"bert.{n}": t for n, t in tiny_tensors().items()}))
    pair = ["good.safetensors", "prefix.safetensors"]
    result = run("compare", *(pair[::-1] if turned else pair), cwd=models)
    assert result.returncode == 3
    assert f"but for 'bert.' in front of all {'the reference' if turned else 'it'}" in result.stderr
    some = {f"bert.{n}" if n != "logit_scale" else n: t for n, t in tiny_tensors().items()}
    (models / "some.safetensors").write_bytes(safetensors(some))
    assert "in front" not in run("compare", "good.safetensors", "some.safetensors", cwd=models).stderr


def test_verify_the_wrong_way_round_is_no_success(models):
    """A model is no table of its own quantized table."""
    done("quantize", "good.safetensors", "-o", "wrong_way.parquet", "--type", "int8", "-q", cwd=models)
    done("verify", "wrong_way.parquet", "--against", "good.safetensors", cwd=models)
    result = run("verify", "good.safetensors", "--against", "wrong_way.parquet", cwd=models)
    assert result.returncode == 3 and "is quantized in the model and not here" in result.stderr


def test_verify_against_nothing_is_no_success(models):
    empty = "no-tensors.safetensors"
    result = run("verify", empty, "--against", empty, cwd=models)
    assert result.returncode == 3 and "nothing was compared" in result.stdout + result.stderr
    assert run("verify", empty, "--against", "good.safetensors", cwd=models).returncode == 3


@pytest.mark.parametrize("name", ["empty-tensors", "not-finite"])
def test_validation_of_nothing_fails_and_has_no_figures(models, name):
    result = run("validate", f"{name}.safetensors", "--output-dir", "out", "--json", cwd=models)
    assert result.returncode == 4
    report = json.loads(result.stdout)
    assert all(entry["mean_cosine"] is None for entry in report["types"])
    assert all(not c["passed"] and c["measured"] is None for c in report["criteria"] if "cosine" in c["id"])
