"""The functions: options and defaults of the command, progress, interruption, reports."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from package_helpers import small_arrays

import arrowquant
from arrowquant.__main__ import find_command


@pytest.fixture
def model(arrays, tmp_path):
    path = tmp_path / "model.parquet"
    arrowquant.convert(arrays, path)
    return path


def command(*args):
    path = find_command()
    if path is None:
        pytest.skip("the command is not installed")
    return subprocess.run([path, *map(str, args)], capture_output=True, text=True, check=True)


@pytest.mark.parametrize("kind", ["int8", "int4", "int3", "int2", "fp16"])
def test_defaults_are_those_of_the_command(model, tmp_path, kind):
    arrowquant.quantize(model, tmp_path / "a.parquet", type=kind)
    command("quantize", model, "-o", tmp_path / "b.parquet", "--type", kind)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_codes_are_kept(tables, tmp_path):
    again = tmp_path / "again.parquet"
    arrowquant.convert(tables["int4"], again, keep_codes=True)
    with arrowquant.open(tables["int4"]) as before, arrowquant.open(again) as after:
        assert list(after) == list(before)
        for name in before:
            assert after[name].quant_type == before[name].quant_type
            np.testing.assert_array_equal(after[name].codes, before[name].codes)
            np.testing.assert_array_equal(after[name].scales, before[name].scales)
    with pytest.raises(arrowquant.RequantizeError) as refused:
        arrowquant.quantize(tables["int4"], tmp_path / "int8.parquet")
    assert "keep_codes=True" in refused.value.hint
    arrowquant.quantize(tables["int4"], tmp_path / "int8.parquet", keep_codes=True)
    with arrowquant.open(tables["int4"]) as before, arrowquant.open(tmp_path / "int8.parquet") as after:
        assert [after[name].quant_type for name in before] == [before[name].quant_type for name in before]


def write_q8_0(path, rows):
    """A GGUF file of one tensor of 32 columns, by hand: scales of 1 and codes that count."""
    def text(value):
        return struct.pack("<Q", len(value)) + value

    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text(b"blk.0.attn_q.weight") + struct.pack("<IQQIQ", 2, 32, rows, 8, 0)
    codes = np.arange(rows * 32, dtype=np.int8).reshape(rows, 32)
    blocks = b"".join(np.float16(1).tobytes() + row.tobytes() for row in codes)
    path.write_bytes(head + bytes(-len(head) % 32) + blocks)
    return codes


def test_a_source_is_opened_with_the_codes_of_its_file(tmp_path):
    codes = write_q8_0(tmp_path / "model.gguf", 40)
    with pytest.warns(UserWarning, match="decoded"):
        values = arrowquant.open(tmp_path / "model.gguf")
    assert values["blk.0.attn_q.weight"].quant_type == "kept"
    with pytest.warns(UserWarning, match="codes"):
        kept = arrowquant.open(tmp_path / "model.gguf", keep_codes=True)
    assert kept["blk.0.attn_q.weight"].quant_type == "int8"
    np.testing.assert_array_equal(kept["blk.0.attn_q.weight"].codes.reshape(40, 32), codes)
    with pytest.raises(arrowquant.ArgumentError, match="names"):
        arrowquant.open(tmp_path / "model.gguf", names="ours")
    with pytest.raises(arrowquant.FormatError, match="architecture"):
        arrowquant.open(tmp_path / "model.gguf", names="hf")


def test_options_are_those_of_the_command(model, tmp_path):
    arrowquant.quantize(
        model,
        tmp_path / "a.parquet",
        type="int4",
        per="group",
        group_size=32,
        symmetric=True,
        method="minmax",
        tensor={"layer.*.weight": "int8,per=channel"},
        keep=["embed*"],
        quantize_1d=True,
        codec="zstd:5",
        row_group_size="64KiB",
        part_size=100_000,
        threads=2,
    )
    args = "--type int4 --per group --group-size 32 --sym --method minmax --tensor layer.*.weight=int8,per=channel "
    args += "--keep embed* --quantize-1d --codec zstd:5 --row-group-size 64KiB --part-size 100000 -t 1"
    command("quantize", model, "-o", tmp_path / "b.parquet", *args.split())
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_paths_may_be_text_or_path_objects(model, tmp_path):
    arrowquant.quantize(str(model), str(tmp_path / "ü.parquet"))
    assert arrowquant.open(tmp_path / "ü.parquet").schema_version == 2


def test_report_is_the_json_of_the_command(model, tmp_path):
    report = arrowquant.quantize(model, tmp_path / "a.parquet")
    theirs = json.loads(command("quantize", model, "-o", tmp_path / "b.parquet", "--json").stdout)
    assert set(report) == set(theirs)
    assert report["kind"] == "quantize"
    assert report["totals"] == theirs["totals"]
    assert len(report["tensors"]) == len(arrowquant.open(model))
    assert "quantized" in str(report)
    assert json.loads(report.json()) == report.to_dict()
    assert "quantize" in repr(report)
    assert report.markdown()


def test_dry_run_writes_nothing(model, tmp_path):
    before = sorted(os.listdir(tmp_path))
    report = arrowquant.quantize(model, dry_run=True, type="int2")
    assert sorted(os.listdir(tmp_path)) == before
    assert len(report["tensors"]) == len(arrowquant.open(model))
    with pytest.raises(arrowquant.ArgumentError, match="output"):
        arrowquant.quantize(model)


def test_plans_are_saved_and_followed(model, tmp_path):
    arrowquant.quantize(model, tmp_path / "a.parquet", type="int4", save_plan=tmp_path / "plan.json")
    arrowquant.quantize(model, tmp_path / "b.parquet", plan=tmp_path / "plan.json")
    with arrowquant.open(tmp_path / "a.parquet") as a, arrowquant.open(tmp_path / "b.parquet") as b:
        for name in a:
            np.testing.assert_array_equal(a[name].numpy(), b[name].numpy())


def test_tables_for_a_format_hold_what_it_holds(tmp_path):
    rng = np.random.default_rng(3)
    names = ["layers.0.up.weight", "embed_tokens.weight"]
    arrays = {name: rng.normal(0.5, 1, (64, 96)).astype(np.float32) for name in names}
    report = arrowquant.quantize(
        arrays, tmp_path / "q.parquet", type="int4", symmetric=False, for_format="compressed-tensors"
    )
    assert report["options"]["for"] == "compressed-tensors"
    assert [t["type"] for t in report["tensors"]] == ["int4 per channel asym mse", "kept"]
    with arrowquant.open(tmp_path / "q.parquet") as table:
        zeros = table[names[0]].zero_points
    assert zeros.any()
    np.testing.assert_array_equal(zeros, np.clip(np.rint(zeros), -8, 7))
    with pytest.raises(arrowquant.ArgumentError, match="for_format"):
        arrowquant.quantize(arrays, tmp_path / "r.parquet", for_format="safetensors")


def test_export_and_compare(model, tmp_path):
    arrowquant.quantize(model, tmp_path / "q.parquet")
    arrowquant.export(tmp_path / "q.parquet", tmp_path / "q.safetensors")
    report = arrowquant.compare(tmp_path / "q.parquet", tmp_path / "q.safetensors")
    assert report["kind"] == "compare"
    with arrowquant.open(tmp_path / "q.safetensors") as source:
        assert source["half.weight"].dtype == "torch.float16"


def test_compare_below_its_threshold_raises_with_the_numbers(model, tmp_path):
    arrowquant.quantize(model, tmp_path / "q.parquet", type="int2")
    with pytest.raises(arrowquant.ThresholdError) as caught:
        arrowquant.compare(model, tmp_path / "q.parquet", min_cosine=0.99999)
    assert caught.value.code == arrowquant.Status.THRESHOLD
    assert caught.value.report["kind"] == "compare"
    arrowquant.compare(model, tmp_path / "q.parquet", min_cosine=0.5)


def test_info_verify_and_validate(model, tmp_path):
    assert arrowquant.info(model)["schema_version"] == 1
    assert arrowquant.verify(model, deep=True)["kind"] == "verify"
    assert arrowquant.verify(model, against=model)["against"]["kept"] > 0
    report = arrowquant.validate(model, types=["int8"], output_dir=tmp_path / "results", keep_tables=True)
    assert report["kind"] == "validate"
    assert (tmp_path / "results" / "validation.json").exists()
    assert (tmp_path / "results" / "validation_summary.md").exists()


def test_outputs_of_what_cannot_be_run(model, tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("one\ntwo\n")
    results = tmp_path / "results"
    report = arrowquant.validate(model, types="int8", output_dir=results)
    assert not report["outputs"]["measured"]
    assert "config.json" in report["outputs"]["reason"]
    assert arrowquant.validate(model, types="int8", output_dir=results, outputs=False)["types"][0]["outputs"] is None
    for calls_for_it in ({"outputs": True}, {"texts": texts}, {"folder": tmp_path, "outputs": True}):
        with pytest.raises(arrowquant.ArrowQuantError, match="no config"):
            arrowquant.compare(model, model, **calls_for_it)
    assert arrowquant.compare(model, model)["outputs"] is None


def test_progress_is_told_on_the_calling_thread(model, tmp_path):
    events, threads = [], set()

    def note(event):
        events.append(event)
        threads.add(threading.get_ident())

    arrowquant.quantize(model, tmp_path / "q.parquet", progress=note)
    last = events[-1]
    assert isinstance(last, arrowquant.Progress)
    assert last.stage == "quantize"
    assert last.tensors_done == last.tensors_total == len(arrowquant.open(model))
    assert last.bytes_done == last.bytes_total > 0
    assert last.seconds >= 0
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("function", ["convert", "quantize", "export", "compare", "verify", "validate"])
def test_an_exception_in_progress_stops_and_leaves_nothing(model, tmp_path, function):
    def stop(event):
        raise RuntimeError("enough")

    folder = tmp_path / "out"
    folder.mkdir()
    calls = {
        "convert": lambda: arrowquant.convert(model, folder / "x", progress=stop),
        "quantize": lambda: arrowquant.quantize(model, folder / "x", progress=stop),
        "export": lambda: arrowquant.export(model, folder / "x", progress=stop),
        "compare": lambda: arrowquant.compare(model, model, progress=stop),
        "verify": lambda: arrowquant.verify(model, deep=True, progress=stop),
        "validate": lambda: arrowquant.validate(model, output_dir=folder, progress=stop),
    }
    with pytest.raises(RuntimeError, match="enough"):
        calls[function]()
    assert not [name for name in os.listdir(folder) if name.endswith(".parquet") or "partial" in name or name == "x"]


SLOW = """
import sys, numpy as np, arrowquant
big = {str(i): np.random.default_rng(i).standard_normal((2000, 2000), np.float32) for i in range(12)}
print("begin", flush=True)
try:
    arrowquant.quantize(big, sys.argv[1], type="int2", threads=1)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    raise
print("done", flush=True)
"""


def test_ctrl_c_stops_without_a_callback(tmp_path):
    output = tmp_path / "big.parquet"
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(output)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"begin\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    if out == b"done\n":
        pytest.skip("the machine was quicker than the signal")
    assert out == b"interrupted\n"
    assert b"KeyboardInterrupt" in err
    assert os.listdir(tmp_path) == []


def test_other_threads_run_meanwhile(tmp_path):
    rng = np.random.default_rng(1)
    big = {str(i): rng.standard_normal((1500, 1500), np.float32) for i in range(4)}
    ticks = 0
    done = threading.Event()

    def tick():
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.perf_counter()
    arrowquant.quantize(big, tmp_path / "q.parquet", type="int2", threads=1)
    seconds = time.perf_counter() - begin
    done.set()
    thread.join()
    assert ticks > 20 * seconds


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "arrowquant", "--version"], capture_output=True, text=True)
    if find_command() is None:
        pytest.skip("the command is not installed")
    assert done.returncode == 0
    assert done.stdout.startswith(f"arrowquant {arrowquant.__version__}\n")
    assert f"instruction set: {arrowquant.cpu_in_use()}" in done.stdout
    bad = subprocess.run([sys.executable, "-m", "arrowquant", "nonsense"], capture_output=True, text=True)
    assert bad.returncode == 2


def test_same_arrays_give_the_same_bytes(tmp_path):
    arrowquant.quantize(small_arrays(), tmp_path / "a.parquet", threads=1)
    arrowquant.quantize(small_arrays(), tmp_path / "b.parquet", threads=4)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
