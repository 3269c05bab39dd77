"""Judging by outputs: compare --outputs and validate on a tiny language model made here."""
import json

import pytest

from cli_helpers import done, refused, run, safetensors
from tiny_llama import llama_tensors, make_llama

SHARED = ["--texts", "text", "--context", "64"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the model in llama/, tables of it, and a text."""
    folder = tmp_path_factory.mktemp("judge")
    make_llama(folder / "llama")
    make_llama(folder / "other", scale=0.9)
    (folder / "text").write_text("".join(f"line {i}, which is {i * i} squared\n" for i in range(40)))
    for kind in ("int8", "int2"):
        done("quantize", "llama", "-o", f"{kind}.parquet", "--type", kind, "-q", cwd=folder)
    return folder


def report(*args, cwd, status=0):
    return json.loads(done(*args, "--json", cwd=cwd, status=status).stdout)


def test_compare_outputs_are_those_of_perplexity(place):
    outputs = report("compare", "llama", "int2.parquet", *SHARED, cwd=place)["outputs"]
    expected = report("perplexity", "int2.parquet", "--against", "llama", *SHARED, cwd=place)
    assert outputs["model_kind"] == "decoder" and outputs["measured"]
    assert outputs["divergence"] == expected["divergence"]  # of the same logits, bit for bit
    buckets = outputs["divergence"]["by_confidence"]
    assert outputs["perplexity"] == pytest.approx(expected["perplexity"], rel=1e-12)
    assert outputs["reference_perplexity"] == pytest.approx(expected["reference_perplexity"], rel=1e-12)
    for key in ("tokens", "windows", "window", "positions", "hash", "bytes"):
        assert outputs["text"][key] == expected["texts"][key]
    assert outputs["text"]["window"] == 64 and outputs["text"]["positions"] == 31 * outputs["text"]["windows"]
    before, after = (outputs[key]["value"] for key in ("reference_perplexity", "perplexity"))
    assert outputs["perplexity_increase_percent"] == pytest.approx(100 * (after / before - 1), rel=1e-9)
    assert 0 < outputs["noise_floor"]["mean"] < outputs["divergence"]["mean"] / 100
    assert outputs["divergence"]["nonfinite"] == 0
    assert sum(bucket["positions"] for bucket in buckets) == outputs["text"]["positions"]


def test_compare_says_it_in_words(place):
    small = done("compare", "llama", "int8.parquet", *SHARED, cwd=place).stdout
    large = done("compare", "llama", "int2.parquet", *SHARED, cwd=place).stdout
    assert "windows of 64 tokens" in small and "noise floor (its weights rounded to BF16)" in small
    assert "outputs agree up to a mean KL divergence of 0.01 nats per token, and roughly up to 0.1" in small
    assert "weights agree, outputs do not" in large and "weights agree, outputs do not" not in small
    builtin = done("compare", "llama", "int8.parquet", "--outputs", "--windows", "2", cwd=place).stdout
    assert "outputs on the built-in texts (2 windows of 256 tokens" in builtin


def test_threads_change_no_figure(place):
    one, three = (report("compare", "llama", "int2.parquet", *SHARED, f"-t{n}", cwd=place)["outputs"] for n in (1, 3))
    for figures in (one, three):
        del figures["seconds"], figures["reference_seconds"]
    assert one == three


def test_limits_have_the_exit_status_of_a_threshold(place):
    outputs = report("compare", "llama", "int2.parquet", *SHARED, cwd=place)["outputs"]
    kl = outputs["divergence"]["mean"]
    line = ["compare", "llama", "int2.parquet", *SHARED]
    assert report(*line, "--max-kl", f"{kl * 1.01}", cwd=place)["passed"]
    result = run(*line, "--max-kl", f"{kl * 0.99}", cwd=place)
    assert result.returncode == 4 and "mean KL divergence" in result.stderr and "is above" in result.stderr
    failed = json.loads(run(*line, "--max-kl", f"{kl * 0.99}", "--json", cwd=place).stdout)
    assert not failed["passed"] and failed["outputs"]["max_kl"] == pytest.approx(kl * 0.99)
    increase = report("compare", "llama", "other", *SHARED, cwd=place)["outputs"]["perplexity_increase_percent"]
    line = ["compare", "llama", "other", *SHARED, "--max-ppl-increase"]
    assert run(*line, f"{increase * 1.01}", cwd=place).returncode == 0
    result = run(*line, f"{increase * 0.99}", cwd=place)
    assert result.returncode == 4 and "increase of the perplexity" in result.stderr


def test_validate_applies_the_criteria(place):
    result = run("validate", "llama", "--types", "int8,int2", "-o", "out", *SHARED, "--max-kl", "0.01", cwd=place)
    assert result.returncode == 4, result.stderr
    document = json.loads((place / "out" / "validation.json").read_text())
    markdown = (place / "out" / "validation_summary.md").read_text()
    compared = report("compare", "llama", "int2.parquet", *SHARED, cwd=place)["outputs"]
    outputs = document["types"][1]["outputs"]
    assert outputs["divergence"] == compared["divergence"] and outputs["verdict"] == compared["verdict"]
    assert document["outputs"]["noise_floor"] == compared["noise_floor"]
    criteria = {c["id"]: c for c in document["criteria"]}
    assert criteria["int2_max_kl"]["origin"] == "option" and not criteria["int2_max_kl"]["passed"]
    assert criteria["int2_max_kl"]["measured"] == outputs["divergence"]["mean"]
    assert "int2_max_kl" in document["verdict"]["failed"] and "int2_max_kl" in result.stderr
    assert criteria["int8_outputs_promised"]["unit"] == "nats" and criteria["int8_outputs_promised"]["limit"] == 0.02
    assert "Mean KL divergence by the probability" in markdown and outputs["verdict"] in markdown
    assert outputs["verdict"] in result.stdout


def test_another_model_is_no_form_of_it(place):
    outputs = report("compare", "llama", "other", *SHARED, cwd=place)["outputs"]
    assert outputs["divergence"]["mean"] > 0.5 and outputs["verdict"] == "weights agree, outputs do not"
    assert outputs["divergence"]["top_agreement"] < 0.5


def test_logits_that_are_not_finite_are_an_error(place):
    tensors = llama_tensors()
    dtype, shape, _ = tensors["model.norm.weight"]
    tensors["model.norm.weight"] = (dtype, shape, b"\xff\xff\x7f\x7f" * shape[0])  # the largest FP32
    (place / "huge").mkdir()
    (place / "huge" / "model.safetensors").write_bytes(safetensors(tensors))
    refused("compare", "llama", "huge", *SHARED, cwd=place, status=3, says=["huge", "not all finite"])


def test_what_is_of_the_other_kind_of_model_is_refused(place):
    (place / "labels").write_text("a\tb\t1\n")
    refused("compare", "llama", "llama", "--labels", "labels", cwd=place, status=2, says="labelled pairs")
    refused("compare", "llama", "llama", "--context", "4", cwd=place, status=2, says="--context")
    refused("compare", "llama", "llama", "--context", "257", cwd=place, status=2, says="256")
    refused("validate", "llama", "--no-outputs", "--max-kl", "1", cwd=place, status=2, says=["--no-outputs", "--max-kl"])
