"""Targets of language models: planned by what running them on texts says."""
import json
import random
import re

import page_sizes
import pytest
from cli_helpers import ROOT, done, refused, run
from tiny_bert import make_encoder
from tiny_llm import LETTERS, make_language_model


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A model in llm/, and texts in calib.txt: words of few letters, so that tokens are not equally frequent."""
    folder = tmp_path_factory.mktemp("language")
    make_language_model(folder / "llm")
    rng = random.Random(5)
    words = ["".join(rng.choice(LETTERS[: rng.randrange(2, 52)]) for _ in range(rng.randrange(1, 8))) for _ in range(900)]
    (folder / "calib.txt").write_text(" ".join(words) + "\n")
    return folder


def report(*args, cwd):
    return json.loads(done("quantize", "llm", *args, "--force", "--json", cwd=cwd).stdout)


@pytest.mark.parametrize("bits", [3.5, 5])
def test_a_target_is_met_and_what_was_run_is_told(shared, bits):
    made = report("-o", "met.parquet", "--target-bpw", bits, "--calib", "calib.txt", cwd=shared)
    assert 0.9 * bits <= page_sizes.bits_per_weight(shared / "met.parquet") <= bits
    search = made["search"]
    assert search["model_was_run"] and search["calibration"]["texts_from"] == "calib.txt"
    assert search["calibration"]["tokens"] == 128 * search["calibration"]["texts"]
    assert 0 < search["divergence"] < 2 and 0 < search["divergence_on_other_texts"] < 2
    assert "similarity" not in search


def test_a_divergence_is_met_with_the_smallest_file(shared):
    """On held-out texts and on others; a larger one makes a smaller file, and what is saved by it would pass the limit."""
    sizes = []
    for limit in (0.02, 0.2):
        search = report("-o", "kl.parquet", "--max-kl", limit, "--calib", "calib.txt", cwd=shared)["search"]
        assert search["target"] == f"target KL divergence {limit}"
        assert 0.5 * limit < max(search["divergence"], search["divergence_on_other_texts"]) <= limit
        sizes.append((shared / "kl.parquet").stat().st_size)
    assert sizes[0] > sizes[1]
    assert report("-o", "kl.parquet", "--max-kl", 0.5, cwd=shared)["search"]["calibration"]["texts_from"] == "built-in"


def test_a_divergence_needs_predictions(shared, tmp_path):
    make_encoder(tmp_path / "encoder")
    refused("quantize", "encoder", "-o", "x.parquet", "--quantize-1d", "--max-kl", 0.1, cwd=tmp_path, status=3,
            says=["max_kl", "bert"])
    refused("quantize", "llm", "-o", "x.parquet", "--max-kl", 0.1, "--calib", "none", cwd=shared, status=2,
            says=["KL divergence", "not run", "--target-bpw"])
    refused("quantize", "llm", "-o", "x.parquet", "--max-kl", 0.1, "--target-bpw", 3, cwd=shared, status=2,
            says=["not more"])


def test_texts_beat_the_tensors_alone(shared):
    figures = {}
    for calib in ("calib.txt", "none"):
        report("-o", "beat.parquet", "--target-bpw", 4, "--calib", calib, cwd=shared)
        measured = done("perplexity", "beat.parquet", "--against", "llm", "--texts", "calib.txt", "--json", cwd=shared)
        figures[calib] = json.loads(measured.stdout)["divergence"]["mean"]
    assert figures["calib.txt"] < 0.9 * figures["none"]


def test_threads_change_no_byte(shared):
    for threads in (1, 3):
        report("-o", f"{threads}.parquet", "--target-bpw", 4, "--calib", "calib.txt", "-t", threads, cwd=shared)
    assert (shared / "1.parquet").read_bytes() == (shared / "3.parquet").read_bytes()


def test_memory_is_told_and_what_was_told_is_enough(shared, tmp_path):
    """A dry run names it, a limit below it is refused, and the limit that the refusal names is enough."""
    out = tmp_path / "out"
    out.mkdir()
    options = ("llm", "-o", out / "q.parquet", "--target-bpw", 4, "--calib", "calib.txt")
    told = done("quantize", *options, "--dry-run", cwd=shared).stdout
    assert re.search(r"writing it needs [0-9.]+ [kM]B of memory, planning it [0-9.]+ [kM]B", told)
    limit, refusals = "100kiB", 0
    while (made := run("quantize", *options, "--max-memory", limit, cwd=shared)).returncode != 0:
        refusals += 1  # by planning or its statistics, and by what writes, which knows its limit as an argument
        assert made.returncode in (2, 6) and refusals < 5, made.stderr
        assert list(out.iterdir()) == []
        limit = re.search(r"Use --max-memory ([0-9]+MiB)", made.stderr).group(1)
    assert refusals > 0
    assert [path.name for path in out.iterdir()] == ["q.parquet"]


def test_saved_statistics_make_the_same_file(shared):
    options = ["--target-bpw", 4, "--calib", "calib.txt"]
    report("-o", "gathered.parquet", *options, "--save-stats", "stats", cwd=shared)
    made = report("-o", "loaded.parquet", *options, "--stats", "stats", cwd=shared)
    assert (shared / "gathered.parquet").read_bytes() == (shared / "loaded.parquet").read_bytes()
    calibration = made["search"]["calibration"]
    assert calibration["seconds"] == 0 and calibration["statistics_from"] == "stats"
    assert calibration["texts_from"] == "file" and calibration["held_out_from"] == "calib.txt"
    damaged = bytearray((shared / "stats").read_bytes())
    damaged[-1] ^= 1
    (shared / "stats").write_bytes(damaged)
    refused("quantize", "llm", "-o", "x.parquet", *options, "--stats", "stats", cwd=shared, status=3,
            says=["stats", "damaged"])


def test_tuning_keeps_the_target(shared):
    made = report("-o", "tuned.parquet", "--target-bpw", 4, "--calib", "calib.txt", "--tune=2", cwd=shared)["search"]
    tuning = made["tuning"]
    assert page_sizes.bits_per_weight(shared / "tuned.parquet") <= 4
    assert tuning["steps"] > 0 and tuning["loss_after"] <= tuning["loss_before"]
    assert tuning["accepted"] or tuning["too_large"]  # rows of 32 weights: a change of their scales is seen in the size


def test_tuning_from_a_table_lowers_the_divergence(shared):
    before = report("-o", "begun.parquet", "--target-bpw", 4, "--calib", "calib.txt", cwd=shared)["search"]
    made = report("-o", "more.parquet", "--tune-from", "begun.parquet", "--tune=5", "--calib", "calib.txt", cwd=shared)
    search, tuning = made["search"], made["search"]["tuning"]
    assert search["target"] == "as in the table it was tuned from" and tuning["accepted"]
    assert abs(tuning["loss_before"] / before["divergence"] - 1) < 1e-5
    assert search["divergence"] < 0.95 * before["divergence"]
    assert abs(search["divergence"] / tuning["loss_after"] - 1) < 1e-5  # of what was written
    measured = {}
    for table in ("begun", "more"):
        told = done("perplexity", f"{table}.parquet", "--against", "llm", "--texts", "calib.txt", "--json", cwd=shared)
        measured[table] = json.loads(told.stdout)["divergence"]["mean"]
    assert measured["more"] < measured["begun"]
    done("verify", "more.parquet", "--deep", "--against", "llm", cwd=shared)
    refused("quantize", "llm", "-o", "x.parquet", "--tune-from", "begun.parquet", "--tune=2", "--max-kl", 0.1, cwd=shared,
            status=2, says="nothing to search")


def test_a_model_writes_its_own_texts(shared):
    """The same ones each time and with any number of threads, with no texts beside; the report and the statistics say so."""
    options = ["--target-bpw", 4, "--calib", "self", "--save-stats", "own.safetensors"]
    made = report("-o", "a.parquet", *options, "-t", 1, cwd=shared)
    search, written = made["search"], made["search"]["calibration"]["written"]
    assert search["model_was_run"] and search["calibration"]["texts_from"] == "self"
    assert search["calibration"]["texts"] == 64 and search["calibration"]["held_out_texts"] == 8
    assert (written["windows"], written["tokens"], written["seed"]) == (72, 72 * 128, 0)
    assert len(written["hash"]) == 32 and written["beginning"]
    assert report("-o", "b.parquet", *options, "-t", 3, cwd=shared)["search"]["calibration"]["written"] == written
    assert (shared / "a.parquet").read_bytes() == (shared / "b.parquet").read_bytes()
    header = (shared / "own.safetensors").read_bytes()
    header = json.loads(header[8:8 + int.from_bytes(header[:8], "little")])
    assert header["__metadata__"]["texts_from"] == "self"
    told = done("quantize", "llm", "--dry-run", *options[:4], cwd=shared).stdout
    assert f"72 windows, 9,216 tokens, seed 0, hash {written['hash']}" in told


def test_texts_of_its_own_beat_the_tensors_alone_on_others(shared):
    figures = {}
    for calib in ("self", "none"):
        report("-o", "own.parquet", "--target-bpw", 4, "--calib", calib, cwd=shared)
        measured = done("perplexity", "own.parquet", "--against", "llm", "--texts", "calib.txt", "--json", cwd=shared)
        figures[calib] = json.loads(measured.stdout)["divergence"]["mean"]
    assert figures["self"] < 0.9 * figures["none"]


def test_texts_of_its_own_are_tuned_on(shared):
    made = report("-o", "tuned.parquet", "--target-bpw", 4, "--calib", "self", "--tune=2", cwd=shared)["search"]
    assert made["tuning"]["steps"] > 0 and made["calibration"]["texts_from"] == "self"


def test_a_file_named_self_is_a_path(shared):
    (shared / "self").write_bytes((shared / "calib.txt").read_bytes())
    made = report("-o", "file.parquet", "--target-bpw", 4, "--calib", "./self", cwd=shared)["search"]["calibration"]
    assert made["texts_from"] == "./self" and "written" not in made
    assert "./self" in (ROOT / "docs" / "arrowquant.1").read_text()


def test_an_encoder_writes_no_texts(tmp_path):
    make_encoder(tmp_path / "encoder")
    refused("quantize", "encoder", "-o", "x.parquet", "--target-bpw", 4, "--calib", "self", cwd=tmp_path, status=2,
            says=["bert, writes none", "--calib builtin", "--calib ./self"])


def test_tuning_runs_the_model_on_built_in_texts_when_none_are_named(shared):
    made = report("-o", "own.parquet", "--target-bpw", 4, "--tune=2", cwd=shared)["search"]
    assert made["model_was_run"] and made["calibration"]["texts_from"] == "built-in"
    assert made["tuning"]["loss_after"] <= made["tuning"]["loss_before"]


def test_the_divergence_is_that_of_the_operation_perplexity(shared):
    """Windows that are held out: of eight windows each, the last one. They are the whole text of the operation."""
    text = (shared / "calib.txt").read_text()
    windows = [text[i * 128:(i + 1) * 128] for i in range(len(text) // 128)]
    held = min(8, len(windows) // 8)
    stride = len(windows) // held
    (shared / "held.txt").write_text("".join(windows[i * stride + stride - 1] for i in range(held)))
    made = report("-o", "same.parquet", "--target-bpw", 4, "--calib", "calib.txt", cwd=shared)["search"]
    measured = done("perplexity", "same.parquet", "--against", "llm", "--texts", "held.txt", "--context", 128, "--json",
                    cwd=shared)
    found = json.loads(measured.stdout)
    assert found["texts"]["windows"] == made["calibration"]["held_out_texts"] == held
    assert abs(found["divergence"]["mean"] / made["divergence"] - 1) < 1e-3


def test_what_is_for_embeddings_is_refused_by_name(shared):
    for option in (["--min-similarity", 0.9], ["--min-similarity", 0.9, "--calib", "calib.txt"]):
        refused("quantize", "llm", "-o", "x.parquet", *option, cwd=shared, status=3, says=["llama"])


def test_too_few_texts_are_refused(shared):
    (shared / "few.txt").write_text("a few words. " * 20)
    refused("quantize", "llm", "-o", "x.parquet", "--target-bpw", 4, "--calib", "few.txt", cwd=shared, status=2,
            says=["few.txt", "windows", "calib"])


def test_what_is_not_run_says_why(shared, tmp_path):
    made = report("-o", "q.parquet", "--target-bpw", 4, cwd=shared)["search"]
    assert not made["model_was_run"] and "only when texts are named" in made["reason"]
    make_language_model(tmp_path / "llm", "phi3")
    assert "phi3" in report("-o", "q.parquet", "--target-bpw", 4, cwd=tmp_path)["search"]["reason"]
    refused("quantize", "llm", "-o", "x.parquet", "--target-bpw", 4, "--calib", "builtin", cwd=tmp_path, status=3,
            says=["qkv_proj", "missing"])


def test_padding_at_the_left_does_not_matter_to_one_text(tmp_path):
    """As tokenizers of Llama and Gemma have it by default: texts are not beside others here."""
    make_language_model(tmp_path / "llm")
    line = ["generate", "llm", "--prompt", "a text", "--max-tokens", 4]
    before = done(*line, cwd=tmp_path).stdout
    (tmp_path / "llm" / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "padding_side": "left"}')
    assert done(*line, cwd=tmp_path).stdout == before
