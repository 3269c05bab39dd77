"""Everything that can go wrong outside the command: it says so in one line, with the right exit status, and leaves
nothing behind."""
import json
import os
import pathlib
import resource
import shutil
import signal
import stat
import struct
import subprocess
import tempfile
import time

import pytest

from cli_helpers import (COMMAND, big_model, done, environment, floats, folder, refused, run, safetensors,  # noqa: F401
                         snapshot, tiny_tensors, write_tiny)

NOBODY = 65534
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def quantize_refused(folder, status, says, source="model.safetensors", *options, **popen):
    return refused("quantize", source, "-o", "out.parquet", *options, cwd=folder, status=status, says=says, **popen)


# ---- Inputs ----


@pytest.mark.parametrize("line", [["quantize", "gone", "-o", "o"], ["convert", "gone", "-o", "o"], ["info", "gone"],
                                  ["verify", "gone"], ["validate", "gone"], ["export", "gone", "-o", "o"],
                                  ["compare", "gone", "model.safetensors"], ["compare", "model.safetensors", "gone"]])
def test_missing_input_is_named(folder, line):
    refused(*line, cwd=folder, status=3, says="gone")


def test_empty_file_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    quantize_refused(tmp_path, 3, ["model.safetensors", "empty"])


def test_text_file_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not a model, just some words that go on for a while\n")
    quantize_refused(tmp_path, 3, ["notes.txt"], "notes.txt")


def test_every_truncation_of_a_model_is_refused(folder):
    whole = (folder / "model.safetensors").read_bytes()
    for size in [1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1]:
        (folder / "model.safetensors").write_bytes(whole[:size])
        quantize_refused(folder, 3, "model.safetensors")


def test_longer_file_than_the_header_says_is_refused(folder):
    with open(folder / "model.safetensors", "ab") as out:
        out.write(b"more")
    quantize_refused(folder, 3, "model.safetensors")


@pytest.mark.parametrize("length, says", [(1 << 20, "header"), (0, ""), (1 << 63, ""), ((1 << 64) - 1, "")])
def test_header_length_past_the_end_is_refused(folder, length, says):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", length) + whole[8:])
    quantize_refused(folder, 3, ["model.safetensors", says])


def test_header_that_is_not_json_is_refused(folder):
    whole = bytearray((folder / "model.safetensors").read_bytes())
    whole[20] = 0x01
    (folder / "model.safetensors").write_bytes(whole)
    quantize_refused(folder, 3, "model.safetensors")


def test_unknown_dtype_is_named(tmp_path):
    tensors = {**tiny_tensors(), "odd": ("F13", (2,), b"\0" * 8)}
    (tmp_path / "model.safetensors").write_bytes(safetensors(tensors))
    quantize_refused(tmp_path, 3, ["odd", "F13"])


@pytest.mark.parametrize("offsets", [[0, 4], [0, 1 << 62], [8, 0], [-8, 0]])
def test_offsets_that_do_not_fit_are_refused(tmp_path, offsets):
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": offsets}}).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 8)
    quantize_refused(tmp_path, 3, "model.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_nonfinite_value_is_refused_with_the_tensor(tmp_path, value):
    data = bytearray(floats(2048))
    data[4 * 77:4 * 78] = struct.pack("<f", value)
    (tmp_path / "model.safetensors").write_bytes(
        safetensors({**tiny_tensors(), "bad.weight": ("F32", (32, 64), bytes(data))}))
    quantize_refused(tmp_path, 3, ["bad.weight", "[1, 13]", "--nonfinite"])
    done("quantize", "model.safetensors", "-o", "out.parquet", "--nonfinite=keep", cwd=tmp_path)


def index_of(folder, *shards):
    tensors = tiny_tensors()
    halves = {shards[0]: dict(list(tensors.items())[:2]), shards[1]: dict(list(tensors.items())[2:])}
    for shard, part in halves.items():
        (folder / shard).write_bytes(safetensors(part))
    weight_map = {name: shard for shard, part in halves.items() for name in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def test_sharded_model_is_read(tmp_path):
    index_of(tmp_path, *SHARDS)
    for source in (".", "model.safetensors.index.json"):
        assert "layer.0.weight" in done("info", source, cwd=tmp_path).stdout


def test_index_that_names_a_missing_shard_names_it(tmp_path):
    index_of(tmp_path, *SHARDS)
    (tmp_path / SHARDS[1]).unlink()
    for source in (".", "model.safetensors.index.json"):
        quantize_refused(tmp_path, 3, SHARDS[1], source)


def test_index_that_names_a_missing_tensor_names_it(tmp_path):
    index_of(tmp_path, *SHARDS)
    path = tmp_path / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["ghost.weight"] = SHARDS[0]
    path.write_text(json.dumps(index))
    quantize_refused(tmp_path, 3, "ghost.weight", ".")


def test_index_that_leaves_the_folder_is_refused(tmp_path):
    index_of(tmp_path, *SHARDS)
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(path.read_text().replace(SHARDS[0], "../" + SHARDS[0]))
    quantize_refused(tmp_path, 3, "index.json", ".")


def test_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "config.json").write_text("{}")
    quantize_refused(tmp_path, 3, "sub", "sub")


def test_device_as_input_is_refused(tmp_path):
    quantize_refused(tmp_path, 3, "/dev/null", "/dev/null")


def test_damaged_table_is_found_and_placed(folder):
    done("quantize", "model.safetensors", "-o", "t.parquet", "--codec=none", cwd=folder)
    whole = bytearray((folder / "t.parquet").read_bytes())
    codes = len(whole) // 4
    whole[codes] ^= 0x10
    (folder / "t.parquet").write_bytes(whole)
    refused("verify", "t.parquet", cwd=folder, status=3, says="t.parquet", reports="NOT OK: 1 problem")


def test_every_truncation_of_a_table_is_refused(folder):
    done("quantize", "model.safetensors", "-o", "t.parquet", cwd=folder)
    whole = (folder / "t.parquet").read_bytes()
    for size in [0, 3, 4, 11, 12, len(whole) // 2, len(whole) - 9, len(whole) - 1]:
        (folder / "t.parquet").write_bytes(whole[:size])
        looked = "NOT OK: 1 problem" if size >= 4 else None  # PAR1: it is a table
        refused("verify", "t.parquet", cwd=folder, status=3, says="t.parquet", reports=looked)


# ---- What was asked for ----


@pytest.mark.parametrize("option", ["--keep", "--ignore"])
def test_pattern_that_matches_nothing_is_named(folder, option):
    quantize_refused(folder, 2, ["layer.1*"], "model.safetensors", option, "layer.1*")


def test_tensor_rule_that_matches_nothing_is_named(folder):
    quantize_refused(folder, 2, ["re:^decoder"], "model.safetensors", "--tensor", "re:^decoder=int8")


@pytest.mark.parametrize("rule", ["embed.weight", "embed.weight=", "embed.weight=int9", "=int8", "embed.weight=group=x",
                                  "re:(=int8", "embed.weight=sym,asym,"])
def test_tensor_rule_that_cannot_be_read_is_refused(folder, rule):
    quantize_refused(folder, 2, [], "model.safetensors", "--tensor", rule)


def test_unknown_codec_is_refused(folder):
    for codec in ("gzip9", "zstd:99", "zstd:", "lz4:3", "brotli:5"):
        quantize_refused(folder, 2, "codec", "model.safetensors", "--codec", codec)


def test_group_size_with_another_granularity_is_refused(folder):
    quantize_refused(folder, 2, "group", "model.safetensors", "--per=channel", "--group-size=32")


@pytest.mark.parametrize("plan", ["out.parquet", "./out.parquet", "link/out.parquet"])
def test_plan_under_the_name_of_the_table_is_refused(folder, plan):
    (folder / "link").symlink_to(".")
    quantize_refused(folder, 2, "the plan", "model.safetensors", f"--save-plan={plan}", "--force")


def test_parts_that_end_within_a_byte_can_be_quantized_again(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(safetensors({"w": ("F32", (101, 333), floats(101 * 333))}))
    done("quantize", "m.safetensors", "-o", "parts.parquet", "--type=int3", "--part-size=4000", cwd=tmp_path)
    done("quantize", "parts.parquet", "-o", "again.parquet", "--type=fp16", "--allow-requantize", cwd=tmp_path)
    done("compare", "parts.parquet", "again.parquet", "--min-cosine=0.999999", cwd=tmp_path)


def test_parts_that_do_not_join_say_what_to_do(folder):
    line = ["--type=int3", "--part-size=4KiB", "--per=tensor"]
    done("quantize", "model.safetensors", "-o", "parts.parquet", *line, cwd=folder)
    refused("quantize", "parts.parquet", "-o", "out.parquet", "--keep=*", cwd=folder, status=3,
            says=["embed.weight", "parts", "--allow-requantize", "export"])
    done("quantize", "parts.parquet", "-o", "out.parquet", "--allow-requantize", cwd=folder)


def test_plan_of_another_model_is_refused(folder):
    done("quantize", "model.safetensors", "--dry-run", "--save-plan=plan.json", cwd=folder)
    tensors = tiny_tensors()
    del tensors["embed.weight"]
    (folder / "other.safetensors").write_bytes(safetensors(tensors))
    refused("quantize", "other.safetensors", "-o", "out.parquet", "--plan=plan.json", cwd=folder, status=2,
            says=["plan.json", "embed.weight"])
    (folder / "plan.json").write_text("[1, 2")
    quantize_refused(folder, 3, "plan.json", "model.safetensors", "--plan=plan.json")
    quantize_refused(folder, 3, "gone.json", "model.safetensors", "--plan=gone.json")


def test_quantized_source_needs_permission(folder):
    done("quantize", "model.safetensors", "-o", "q.parquet", cwd=folder)
    quantize_refused(folder, 2, "--allow-requantize", "q.parquet", "--bits=4")
    done("quantize", "q.parquet", "-o", "out.parquet", "--bits=4", "--allow-requantize", cwd=folder)


def test_compare_of_different_tensors_is_refused(folder):
    tensors = tiny_tensors()
    tensors["other.weight"] = tensors.pop("embed.weight")
    (folder / "other.safetensors").write_bytes(safetensors(tensors))
    result = run("compare", "model.safetensors", "other.safetensors", cwd=folder)
    assert result.returncode != 0 and result.stderr.count("\n") == 1


def test_validate_with_an_unknown_type_is_refused(folder):
    refused("validate", "model.safetensors", "--types", "int8,int5", cwd=folder, status=2, says="int5")


# ---- Outputs ----


# What export writes under another name is a folder: test_export_folder.py.
FILES = [("quantize", "out"), ("convert", "out"), ("export", "out.safetensors")]


@pytest.mark.parametrize(("command", "out"), FILES)
def test_existing_output_is_kept_without_force(folder, command, out):
    (folder / out).write_text("precious")
    refused(command, "model.safetensors", "-o", out, cwd=folder, status=2, says=["out", "--force"])
    done(command, "model.safetensors", "-o", out, "--force", cwd=folder)
    assert (folder / out).read_bytes() != b"precious"


@pytest.mark.parametrize(("command", "out"), FILES)
def test_folder_as_output_is_refused(folder, command, out):
    (folder / out).mkdir()
    for options in ([], ["--force"]):
        result = run(command, "model.safetensors", "-o", out, *options, cwd=folder)
        assert result.returncode in (1, 2) and "out" in result.stderr and result.stderr.count("\n") == 1
    assert list((folder / out).iterdir()) == [] and len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("command", ["quantize", "convert", "export"])
def test_missing_output_folder_is_named(folder, command):
    result = run(command, "model.safetensors", "-o", "no/such/out", cwd=folder)
    assert result.returncode in (1, 2, 3) and "no/such" in result.stderr and result.stderr.count("\n") == 1
    assert [p.name for p in folder.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("command", ["quantize", "convert", "export"])
@pytest.mark.parametrize("name", ["model.safetensors", "./model.safetensors", "link", "hard"])
def test_output_that_is_the_input_is_refused(folder, command, name):
    (folder / "link").symlink_to("model.safetensors")
    os.link(folder / "model.safetensors", folder / "hard")
    refused(command, "model.safetensors", "-o", name, "--force", cwd=folder, status=2, says=[])


def test_output_that_is_a_shard_of_the_input_is_refused(tmp_path):
    index_of(tmp_path, *SHARDS)
    for source in (".", "model.safetensors.index.json"):
        for name in (SHARDS[1], "model.safetensors.index.json"):
            refused("convert", source, "-o", name, "--force", cwd=tmp_path, status=2, says=[])


def test_control_characters_in_a_name_do_not_reach_the_terminal(tmp_path):
    told = refused("info", "a\nb\033[2J", cwd=tmp_path, status=3, says=[])
    assert "\033" not in told


# ---- The machine ----


@pytest.fixture
def public():
    """A folder that every user can reach, with the tiny model and the command."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="aq-cli-"))
    path.chmod(0o755)
    shutil.copy(COMMAND, path / "arrowquant")
    write_tiny(path / "model.safetensors").chmod(0o644)
    yield path
    shutil.rmtree(path)


def as_nobody(path):
    """How to run the copy of the command in `path` as a user without rights."""
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return {"command": str(path / "arrowquant"), **who}


def test_folder_without_write_permission_is_refused(public):
    public.chmod(0o555)
    quantize_refused(public, 1, ["out.parquet", "permission"], **as_nobody(public))
    public.chmod(0o755)


def test_input_without_read_permission_is_refused(public):
    (public / "model.safetensors").chmod(0)
    refused("info", "model.safetensors", cwd=public, status=1, says=["model.safetensors", "permission"],
            **as_nobody(public))


def test_log_file_that_cannot_be_opened_stops_the_command(folder):
    quantize_refused(folder, 1, ["no/log", "--log-file"], "model.safetensors", "--log-file=no/log")


def test_log_file_that_is_a_model_table_or_plan_is_left_alone(folder):
    done("quantize", "model.safetensors", "-o", "q.parquet", "--save-plan=plan.json", cwd=folder)
    for path in ("model.safetensors", "q.parquet", "plan.json"):
        quantize_refused(folder, 2, [path, "--log-file"], "model.safetensors", "--force", f"--log-file={path}")
    (folder / "notes").write_text("a log of something else\n")
    done("info", "model.safetensors", "--log-file=notes", cwd=folder)
    assert (folder / "notes").read_text().startswith("a log of something else\n20")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("cannot mount a tmpfs here")
    yield path
    subprocess.run(["umount", path], check=True)


@ROOT_ONLY
def test_full_disk_is_reported(small_disk, big_model):
    for command in ("quantize", "convert", "export"):
        refused(command, big_model, "-o", "out", cwd=small_disk, status=6, says="out")


@ROOT_ONLY
def test_disk_that_fills_up_on_the_way_is_reported(small_disk, tmp_path):
    """Enough is free for the estimate that is made first, but not for the whole output."""
    (tmp_path / "m.safetensors").write_bytes(safetensors({"w": ("F32", (1024, 300), floats(1024 * 300))}))
    for command in ("convert", "export"):
        refused(command, tmp_path / "m.safetensors", "-o", "out", cwd=small_disk, status=6, says="out")


@ROOT_ONLY
def test_read_only_disk_is_reported(small_disk):
    write_tiny(small_disk / "model.safetensors")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for command in ("quantize", "convert", "export"):
        refused(command, "model.safetensors", "-o", "out", cwd=small_disk, status=1, says="out")


def test_file_size_limit_is_reported_like_a_full_disk(folder, big_model):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))  # noqa: E731
    for command in ("quantize", "convert", "export"):
        refused(command, big_model, "-o", "out", cwd=folder, status=6, says="out", preexec_fn=limit)


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="the sanitizer needs address space")
def test_address_space_that_runs_out_is_reported(folder, big_model):
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (30 << 20, 30 << 20))  # noqa: E731
    refused("quantize", big_model, "-o", "out", "-t1", cwd=folder, status=6, says="memory", preexec_fn=limit)


# ---- Interruption ----


def start_and_wait_for_partial(args, folder, partial):
    process = subprocess.Popen([COMMAND, *map(str, args)], cwd=folder, env=environment(AQ_CPU="ref"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not partial.exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.002)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_with_130_and_leaves_nothing(tmp_path, big_model, number):
    line = ["quantize", big_model, "-o", "out.parquet", "--bits=2", "-t1"]
    process = start_and_wait_for_partial(line, tmp_path, tmp_path / "out.parquet.partial")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == "" and err.startswith("arrowquant: error: ") and err.count("\n") == 1 and "stopped" in err
    assert list(tmp_path.iterdir()) == []


def test_signal_that_was_ignored_stays_ignored(tmp_path, big_model):
    line = ["nohup", COMMAND, "quantize", str(big_model), "-o", "out.parquet", "-q"]
    process = subprocess.Popen(line, cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not (tmp_path / "out.parquet.partial").exists() and process.poll() is None:
        time.sleep(0.002)
    if process.poll() is None:
        process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0 and (tmp_path / "out.parquet").exists()


def test_interrupted_run_keeps_the_output_that_was_there(tmp_path, big_model):
    (tmp_path / "out.parquet").write_text("precious")
    line = ["quantize", big_model, "-o", "out.parquet", "--bits=2", "-t1", "--force"]
    process = start_and_wait_for_partial(line, tmp_path, tmp_path / "out.parquet.partial")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert snapshot(tmp_path).keys() == {"out.parquet"} and (tmp_path / "out.parquet").read_text() == "precious"


def test_output_follows_the_umask(folder):
    done("quantize", "model.safetensors", "-o", "out.parquet", cwd=folder, preexec_fn=lambda: os.umask(0o027))
    assert stat.S_IMODE((folder / "out.parquet").stat().st_mode) == 0o640
