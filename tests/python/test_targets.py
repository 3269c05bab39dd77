"""Targets of size and similarity, what texts and layers' inputs are for, and which of these arguments go together."""

from __future__ import annotations

import os
import tempfile
import time

import numpy as np
import page_sizes
import pytest
from tiny_encoder import WORDS, write_tiny

import arrowquant

MORE_WORDS = [*WORDS, *(first + second for first in "bdfgklmn" for second in ("ab", "ec", "id", "of", "ug", "yx"))]
LAYER = "encoder.layer.0.output.dense.weight"


def sentences(count: int) -> list[str]:
    rng = np.random.default_rng(5)
    return [" ".join(rng.choice(MORE_WORDS[5:], rng.integers(3, 15))) for _ in range(count)]


TEXTS = sentences(60)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folder of an encoder."""
    folder = tmp_path_factory.mktemp("targets") / "tiny"
    write_tiny(folder, words=MORE_WORDS, hidden=64, inner=128)
    return folder


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where temporary files go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(folder))
    return folder


def matrices(count: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {f"{i}.weight": (rng.standard_normal((256, 512)) * 0.02 * (i + 1)).astype(np.float32) for i in range(count)}


def bits(report, path) -> float:
    """Measured in the file; the report says the same."""
    measured = page_sizes.bits_per_weight(path)
    assert report["totals"]["bits_per_weight"] == pytest.approx(measured, rel=1e-9)
    return measured


# ---- targets ----


def test_bits_are_used_but_not_exceeded(tmp_path):
    report = arrowquant.quantize(matrices(), tmp_path / "q.parquet", target_bpw=3)
    assert 0.97 * 3 <= bits(report, tmp_path / "q.parquet") <= 3
    assert report["search"]["planned_tensors"] == 3
    assert report["search"]["model_was_run"] is False
    with arrowquant.open(tmp_path / "q.parquet") as source:
        assert all(source[name].is_quantized for name in matrices())


def test_size_is_that_of_the_whole_file(tmp_path):
    report = arrowquant.quantize(matrices(), tmp_path / "q.parquet", target_size="150kB", calib="none")
    size = (tmp_path / "q.parquet").stat().st_size
    assert 0.9 * 150_000 <= size <= 150_000
    assert report["search"]["target"] == "target 0.15 MB"


def test_an_encoder_is_run_over_the_texts(tiny, tmp_path, scratch):
    report = arrowquant.quantize(tiny, tmp_path / "q.parquet", target_bpw=3, calib=TEXTS)
    assert 0.9 * 3 <= bits(report, tmp_path / "q.parquet") <= 3
    search = report["search"]
    assert search["model_was_run"] is True
    assert search["calibration"]["texts"] + search["calibration"]["held_out_texts"] == len(TEXTS)
    assert search["similarity"] > 0.8
    assert list(scratch.iterdir()) == []


def test_the_similarity_asked_for_is_reached(tiny, tmp_path):
    loose = arrowquant.quantize(tiny, tmp_path / "a.parquet", min_similarity=0.8, calib=sentences(200))
    tight = arrowquant.quantize(tiny, tmp_path / "b.parquet", min_similarity=0.95, calib=sentences(200))
    assert loose["search"]["similarity_on_other_texts"] >= 0.8
    assert tight["search"]["similarity_on_other_texts"] >= 0.95
    assert bits(loose, tmp_path / "a.parquet") < bits(tight, tmp_path / "b.parquet")


def test_a_target_that_cannot_be_met_says_what_can(tmp_path):
    with pytest.raises(arrowquant.ArgumentError, match=r"cannot be reached.*Use target_bpw=\d") as caught:
        arrowquant.quantize({"w": matrices(1)["0.weight"][:64, :64]}, tmp_path / "q.parquet", target_bpw=0.1)
    assert "--" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_rules_go_before_the_target(tmp_path):
    arrowquant.quantize(matrices(), tmp_path / "q.parquet", target_bpw=5, tensor={"1.weight": "int8"}, keep="2.weight")
    with arrowquant.open(tmp_path / "q.parquet") as source:
        assert source["1.weight"].quant_type == "int8"
        assert not source["2.weight"].is_quantized
        assert source["0.weight"].is_quantized


# ---- texts and statistics ----


def test_texts_come_in_many_forms(tiny, tmp_path, scratch):
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(TEXTS) + "\n")
    broken = [text.replace(" ", "\r\n", 1) for text in TEXTS]
    contents = set()
    for i, calib in enumerate((str(file), TEXTS, iter(TEXTS), np.array(TEXTS), broken)):
        arrowquant.quantize(tiny, tmp_path / f"{i}.parquet", target_bpw=3, calib=calib)
        contents.add((tmp_path / f"{i}.parquet").read_bytes())
    assert len(contents) == 1
    assert list(scratch.iterdir()) == []


def test_outputs_are_compared_on_texts_in_memory(tiny, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(TEXTS) + "\n")
    arrowquant.quantize(tiny, tmp_path / "q.parquet", type="int4")
    by_file = arrowquant.compare(tiny, tmp_path / "q.parquet", texts=file)["outputs"]
    by_list = arrowquant.compare(tiny, tmp_path / "q.parquet", texts=TEXTS)["outputs"]
    assert by_list["texts"] == len(TEXTS)
    assert by_list["texts_from"] == "list"
    for figure in ("mean_cosine", "min_cosine", "neighbour_overlap", "worst_text"):
        assert by_list[figure] == by_file[figure], figure
    with pytest.raises(arrowquant.ArgumentError, match="texts: 7 is not a text"):
        arrowquant.compare(tiny, tmp_path / "q.parquet", texts=[*TEXTS, 7])


def test_any_str_is_a_text(tiny, tmp_path):
    odd = ["\ud800 lone", "pair \ud83d\ude00", "zero \0 byte", "", "ü", " "]
    report = arrowquant.quantize(tiny, tmp_path / "q.parquet", target_bpw=3, calib=TEXTS + odd)
    calibration = report["search"]["calibration"]
    assert calibration["texts"] + calibration["held_out_texts"] == len(TEXTS) + 4


def test_texts_that_are_none_are_refused_and_leave_nothing(tiny, tmp_path, scratch):
    for calib, words in ((TEXTS[:3], "has 3 texts"), (["", " "], "there is no text in the list"), ([*TEXTS, 7], "7 is not")):
        with pytest.raises(arrowquant.ArrowQuantError, match=words):
            arrowquant.quantize(tiny, tmp_path / "q.parquet", target_bpw=3, calib=calib)
    with pytest.raises(arrowquant.NotFoundError, match=r"absent\.txt"):
        arrowquant.quantize(tiny, tmp_path / "q.parquet", target_bpw=3, calib=tmp_path / "absent.txt")
    assert os.listdir(tmp_path) == ["scratch"]
    assert list(scratch.iterdir()) == []


def test_statistics_are_saved_and_used_again(tiny, tmp_path):
    path = tmp_path / "stats.safetensors"
    arrowquant.quantize(tiny, tmp_path / "a.parquet", target_bpw=3, calib=TEXTS, save_stats=path)
    with arrowquant.open(path) as source:
        assert source[f"{LAYER}.moments"].shape == (128, 128)
    report = arrowquant.quantize(tiny, tmp_path / "b.parquet", target_bpw=3, calib=TEXTS, stats=path)
    assert report["search"]["calibration"]["seconds"] == 0
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    with pytest.raises(arrowquant.ExistsError, match=r"stats\.safetensors"):
        arrowquant.quantize(tiny, tmp_path / "c.parquet", target_bpw=3, calib=TEXTS, save_stats=path)


def test_tuning_takes_the_time_that_it_is_given(tiny, tmp_path):
    begin = time.monotonic()
    report = arrowquant.quantize(tiny, tmp_path / "q.parquet", target_bpw=3, calib=TEXTS, tune=1)
    assert time.monotonic() - begin < 10
    tuning = report["search"]["tuning"]
    assert tuning["steps"] > 0
    assert not tuning["accepted"] or tuning["loss_after"] < tuning["loss_before"]
    assert bits(report, tmp_path / "q.parquet") <= 3


# ---- inputs of layers ----


def correlated(rows: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(8)
    mixed = rng.standard_normal((rows, columns // 4)) @ rng.standard_normal((columns // 4, columns))
    return (mixed + 0.3 * rng.standard_normal((rows, columns))).astype(np.float32)


def output_error(name: str, inputs: np.ndarray, original: np.ndarray, path) -> float:
    with arrowquant.open(path) as source:
        error = inputs.reshape(-1, inputs.shape[-1]).astype(np.float64) @ (original - source[name].dequantize()).T
    return float(np.linalg.norm(error))


@pytest.mark.parametrize("kind", ["int4", "int3", "int2"])
def test_gptq_keeps_outputs_closer_than_mse(tmp_path, kind):
    weights, inputs = matrices(2), correlated(600, 512)
    arrowquant.quantize(weights, tmp_path / "mse.parquet", type=kind, method="mse")
    report = arrowquant.quantize(
        weights, tmp_path / "gptq.parquet", type=kind, method="gptq", activations={"0.weight": inputs}
    )
    rules = {tensor["name"]: tensor["rule"] for tensor in report["tensors"]}
    assert "rounded for its inputs" in rules["0.weight"]
    assert "no inputs" in rules["1.weight"]
    mse, gptq = (
        output_error("0.weight", inputs, weights["0.weight"], tmp_path / name)
        for name in ("mse.parquet", "gptq.parquet")
    )
    assert gptq < 0.8 * mse
    with arrowquant.open(tmp_path / "mse.parquet") as a, arrowquant.open(tmp_path / "gptq.parquet") as b:
        np.testing.assert_array_equal(a["1.weight"].dequantize(), b["1.weight"].dequantize())


def test_inputs_come_in_many_forms(tmp_path):
    torch = pytest.importorskip("torch")
    half = correlated(64, 512).astype(np.float16)
    forms = [
        half,
        half.astype(np.float32).reshape(4, 16, 512),
        half.astype(np.float64),
        np.asfortranarray(half),
        np.repeat(half, 2, axis=0)[::2],
        half.astype(">f4"),
        torch.from_numpy(half),
        torch.from_numpy(half.astype(np.float64)).T.contiguous().T,
        torch.from_numpy(half.astype(np.float32)).reshape(2, 32, 512).requires_grad_(),
    ]
    contents = set()
    for i, form in enumerate(forms):
        path = tmp_path / f"{i}.parquet"
        arrowquant.quantize(matrices(1), path, tensor="*=int3,method=gptq", activations={"0.weight": form})
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_types_of_torch(tmp_path):
    torch = pytest.importorskip("torch")
    path, inputs = tmp_path / "q.parquet", torch.from_numpy(correlated(64, 512))
    for dtype in (torch.bfloat16, torch.float8_e5m2):
        arrowquant.quantize(matrices(1), path, method="gptq", activations={"0.weight": inputs.to(dtype)}, force=True)
    with pytest.raises(arrowquant.ArgumentError, match=r"type torch\.int8 and shape \(64, 512\)"):
        arrowquant.quantize(matrices(1), path, method="gptq", activations={"0.weight": inputs.to(torch.int8)})


def test_gptq_of_an_encoder_needs_no_arrays(tiny, tmp_path):
    report = arrowquant.quantize(tiny, tmp_path / "q.parquet", type="int4", method="gptq", calib=TEXTS)
    rules = {tensor["name"]: tensor["rule"] for tensor in report["tensors"]}
    assert "rounded for its inputs" in rules[LAYER]


def test_gptq_without_anything_to_go_by_is_refused(tmp_path):
    with pytest.raises(arrowquant.ArgumentError, match="gptq needs to see"):
        arrowquant.quantize(matrices(), tmp_path / "q.parquet", method="gptq")


@pytest.mark.parametrize(
    ("activations", "error", "words"),
    [
        ([1], TypeError, "activations: a mapping"),
        ({}, arrowquant.ArgumentError, "activations: no arrays"),
        ({7: np.ones((4, 512))}, arrowquant.ArgumentError, "names of tensors are str"),
        ({"0": np.ones((4, 512))}, arrowquant.NoMatchError, "'0'"),
        ({"0.weight": np.ones((4, 511))}, arrowquant.ArgumentError, "tensor '0.weight'.* 511 columns.* 512"),
        ({"0.weight": np.ones((4, 512), int)}, arrowquant.ArgumentError, r"activations\['0.weight'\].*int64.*floating"),
        ({"0.weight": np.ones((0, 512))}, arrowquant.ArgumentError, r"activations\['0.weight'\].*\(0, 512\)"),
        ({"0.weight": 1.5}, arrowquant.ArgumentError, r"activations\['0.weight'\].*shape \(\)"),
        ({"0.weight": np.full((4, 512), np.nan)}, arrowquant.ArgumentError, "holds NaN"),
        ({"0.weight": np.full((4, 512), 1e300)}, arrowquant.ArgumentError, "FP32"),
        ({"0.weight\0": np.ones((4, 512))}, arrowquant.ArgumentError, "zero byte"),
    ],
)
def test_what_are_no_inputs_is_refused(tmp_path, activations, error, words):
    with pytest.raises(error, match=words):
        arrowquant.quantize(matrices(1), tmp_path / "q.parquet", method="gptq", activations=activations)
    assert os.listdir(tmp_path) == []


# ---- what goes together ----


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target_bpw": 3, "target_size": 10**6}, "one of target size, target bits per weight, similarity and KL divergence, not more"),
        ({"target_bpw": 3, "type": "int4"}, r"none \(type 'int4'\)"),
        ({"type": "auto"}, "type auto needs a target. Add target_size="),
        ({"target_bpw": 0}, "target_bpw: 0 is out of range: expected a number from 0.1 to 32"),
        ({"target_bpw": 33}, "target_bpw: 33 is out of range"),
        ({"target_bpw": float("nan")}, "target_bpw: nan is out of range"),
        ({"min_similarity": -0.5}, "min_similarity: -0.5 is out of range"),
        ({"min_similarity": 1}, "min_similarity: 1 is out of range: expected a number from 0.01 to 0.999999"),
        ({"target_size": "big"}, "target_size: 'big' is out of range: expected bytes, or text such as '6MB'"),
        ({"target_size": "64M"}, "target_size: '64M' is out of range"),
        ({"max_memory": -1}, "max_memory: -1 is out of range"),
        ({"threads": 5000}, "threads: 5000 is out of range: expected a whole number from 1 to 1024"),
        ({"target_bpw": 3, "tune": -1}, "tune: -1 is out of range: expected a number from 1 to"),
        ({"tune": True}, "tuning is of use with a target only. Leave out tune"),
        ({"target_bpw": 3, "tune_from": "q.parquet"}, "of use with tuning only. Leave out tune_from"),
        ({"tune": 5, "method": "gptq"}, "tuning is of use with a target only"),
        ({"calib": ["a"]}, "of use with a target or method gptq only. Leave out calib"),
        ({"save_stats": "x"}, "Leave out save_stats"),
        ({"stats": "x", "type": "int4"}, "Leave out stats"),
        ({"activations": {"0.weight": np.ones((4, 512))}}, "of use with method gptq only. Leave out activations"),
        ({"activations": {"0.weight": np.ones((4, 512))}, "target_bpw": 3}, "of use with method gptq only"),
        ({"target_bpw": 3, "per": "channel"}, "type auto chooses granularity"),
    ],
)
def test_arguments_that_do_not_go_together(tmp_path, options, words):
    with pytest.raises(arrowquant.ArgumentError, match=words):
        arrowquant.quantize(matrices(1), tmp_path / "q.parquet", **options)
    assert os.listdir(tmp_path) == []


def test_a_similarity_needs_a_model_that_can_be_run(tmp_path):
    with pytest.raises(arrowquant.NotFoundError, match=r"config\.json"):
        arrowquant.quantize(matrices(1), tmp_path / "q.parquet", min_similarity=0.9)
    assert os.listdir(tmp_path) == []


def test_arguments_of_the_wrong_type(tmp_path):
    for options in ({"target_bpw": [3]}, {"min_similarity": object()}, {"target_bpw": True}, {"threads": "2"}):
        with pytest.raises(TypeError, match="number is expected"):
            arrowquant.quantize(matrices(1), tmp_path / "q.parquet", **options)
