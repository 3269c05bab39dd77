"""The surface of the command: help, errors in the command line, reports, exit status. What it prints is compared with
the texts in expected/; AQ_REWRITE_EXPECTED=1 writes them anew."""
import json
import os
import pathlib
import pty
import re
import select
import struct
import subprocess

import pytest
import tiny_bert
from cli_helpers import (COMMAND, COMMANDS, ROOT, TIMEOUT, big_model, done, environment, floats, folder,  # noqa: F401
                         refused, run, safetensors, snapshot)
from peak_memory import peak_memory

EXPECTED = pathlib.Path(__file__).parent / "expected"


def expect(name, text):
    path = EXPECTED / f"{name}.txt"
    if os.environ.get("AQ_REWRITE_EXPECTED") == "1":
        path.write_text(text)
    assert text == path.read_text()


# ---- Help and version ----


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_is_as_stored(command, tmp_path):
    result = done("help", command, cwd=tmp_path)
    assert result.stderr == ""
    assert max(map(len, result.stdout.splitlines())) <= 100
    expect(f"help_{command}", result.stdout)
    for flag in ("-h", "--help"):
        assert done(command, flag, cwd=tmp_path).stdout == result.stdout
    assert done(command, "--threads", "nonsense", "--help", cwd=tmp_path).stdout == result.stdout


def test_help_is_as_stored(tmp_path):
    result = done("--help", cwd=tmp_path)
    expect("help", result.stdout)
    assert result.stderr == ""
    for same in (["-h"], ["help"]):
        assert done(*same, cwd=tmp_path).stdout == result.stdout


def test_no_command_gives_short_help_on_stderr(tmp_path):
    result = done(cwd=tmp_path, status=2)
    assert result.stdout == ""
    expect("no_command", result.stderr)


def test_version_is_as_stored(tmp_path):
    text = done("--version", cwd=tmp_path).stdout
    names = "ref|avx2|avxvnni|avx512|avx512vnni|neon|neondot"
    expect("version", re.sub(rf"^instruction set: ({names}) \(AQ_CPU accepts: (({names}) ?)+\)$",
                             "instruction set: NAME (AQ_CPU accepts: NAMES)", text, flags=re.M))
    assert done("-V", cwd=tmp_path).stdout == text


def test_version_with_a_masked_instruction_set_shows_it(tmp_path):
    assert "instruction set: ref (" in done("--version", cwd=tmp_path, env={"AQ_CPU": "ref"}).stdout


def test_help_to_a_full_device_fails():
    with open("/dev/full", "w") as full:
        result = subprocess.run([COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
    assert result.returncode == 6
    assert result.stderr == "arrowquant: error: cannot write to standard output: No space left on device\n"


def test_manual_page_has_every_option(tmp_path):
    """Every --option of the help stands in the manual page, and no other."""
    page = (ROOT / "docs" / "arrowquant.1").read_text()
    in_page = set(re.findall(r"Fl -([a-z0-9][a-z0-9-]*)", page)) - {"name", "version"}
    in_help = set()
    for command in COMMANDS:
        in_help |= set(re.findall(r"^ .{4} --([a-z0-9-]+)", done("help", command, cwd=tmp_path).stdout, flags=re.M))
    assert in_page == in_help and len(in_help) > 30


# ---- Command lines that are wrong ----

WRONG_LINES = [
    ["qantize"], ["frobnicate"], ["-q", "quantize"], ["help", "qantize"],
    ["quantize"], ["quantize", "m"], ["compare", "m"], ["info", ""], ["info", "m", "n"],
    ["quantize", "m", "-o"], ["quantize", "m", "-o", "--force"], ["quantize", "m", "--output="],
    ["quantize", "m", "-o", "x", "--grop-size", "3"], ["quantize", "m", "-o", "x", "--group"],
    ["info", "m", "--qqqqqq"], ["info", "m", "-x"], ["info", "m", "--force"],
    ["quantize", "m", "-o", "x", "--type", "int5"], ["quantize", "m", "-o", "x", "--bits=16"],
    ["quantize", "m", "-o", "x", "--group_size", "0"], ["quantize", "m", "-o", "x", "--group-size=3.5"],
    ["quantize", "m", "-o", "x", "--nonfinite=drop"], ["quantize", "m", "-o", "x", "--sym", "--asym"],
    ["quantize", "m", "-o", "x", "--type", "int4", "--bits", "4"],
    ["quantize", "m", "-o", "x", "--plan", "p", "--type", "int4"], ["quantize", "m", "-o", "x", "--force=yes"],
    ["convert", "m", "-o", "x", "--dtype", "int8"], ["convert", "m", "-o", "x", "--row-group-size", "6M"],
    ["convert", "m", "-o", "x", "--part-size", "0"], ["export", "m", "-o", "x", "--to", "openvino"],
    ["compare", "m", "n", "--min-cosine", "1.5"], ["compare", "m", "n", "--min-cosine", "nan"],
    ["info", "m", "-t", "0"], ["info", "m", "-t-1"], ["info", "m", "--threads=1025"], ["info", "m", "--max-memory", "-5"],
]


def test_wrong_command_lines_say_what_is_wrong(tmp_path):
    told = ""
    for line in WRONG_LINES:
        told += f"$ arrowquant {' '.join(a if a else repr(a) for a in line)}\n"
        told += refused(*line, cwd=tmp_path, status=2, says=[])
    expect("wrong_lines", told)


def test_wrong_command_line_with_json_gives_a_document(tmp_path):
    result = done("quantize", "m", "--json", "--typ=int4", cwd=tmp_path, status=2)
    document = json.loads(result.stdout)
    assert document["kind"] == "error" and document["exit_status"] == 2 and document["command"] == "quantize"
    assert document["message"] == "'quantize' has no option '--typ'"
    assert result.stderr.count("\n") == 1


# ---- Options that are right ----


def test_option_spellings_are_all_taken(folder):
    lines = [["--group-size=32", "--bits=4"], ["--group_size", "32", "--bits", "4"], ["--group-size", "32", "--type=INT4"],
             ["-t1", "--type", "int8", "--group-size=32", "--type", "int4"], ["-t", "1", "--group-size=32", "--bits", "4"]]
    tables = set()
    for i, line in enumerate(lines):
        done("quantize", "model.safetensors", *line, "-q", f"-o{i}.parquet", cwd=folder)
        tables.add((folder / f"{i}.parquet").read_bytes())
    assert len(tables) == 1


def test_double_dash_ends_the_options(folder):
    (folder / "model.safetensors").rename(folder / "--model")
    done("info", "-q", "--", "--model", cwd=folder)


def test_every_option_that_shapes_a_table_does_something(folder):
    """No option may be accepted and then forgotten."""
    def table(*options):
        done("quantize", "model.safetensors", "-o", "t.parquet", "-q", "--force", *options, cwd=folder)
        whole = (folder / "t.parquet").read_bytes()
        footer = int.from_bytes(whole[-8:-4], "little")
        return whole[:-8 - footer]  # the footer records the options and differs anyway

    base = table("--bits=4")
    for options in (["--sym"], ["--per=tensor"], ["--per=channel"], ["--group-size=16"], ["--method=minmax"],
                    ["--tensor", "embed*=int8"], ["--keep", "embed.weight"], ["--ignore", "re:^layer"], ["--quantize-1d"],
                    ["--codec=none"], ["--row-group-size=1kB"], ["--part-size=1kB"]):
        assert table("--bits=4", *options) != base, options
    assert table("--bits=4", "--asym", "--per=group", "--method=mse", "--nonfinite=refuse", "--codec=auto") == base
    assert table("--bits=4", "--keep", "embed.weight") == table("--bits=4", "--ignore", "embed.weight")


def test_convert_dtype_changes_the_values_stored(folder):
    done("convert", "model.safetensors", "-o", "a.parquet", "--codec=none", cwd=folder)
    done("convert", "model.safetensors", "-o", "b.parquet", "--codec=none", "--dtype=fp16", cwd=folder)
    assert (folder / "b.parquet").stat().st_size < (folder / "a.parquet").stat().st_size


def test_codecs_change_the_file_and_no_value(folder):
    digests, sizes = set(), {}
    for codec in ("none", "zstd", "brotli", "lz4", "snappy"):
        table = f"{codec}.parquet"
        done("quantize", "model.safetensors", "-o", table, "--bits=4", f"--codec={codec}", cwd=folder)
        done("verify", table, "--deep", cwd=folder)
        done("export", table, "-o", "again.safetensors", "--force", cwd=folder)
        digests.add(snapshot(folder)["again.safetensors"])
        sizes[codec] = (folder / table).stat().st_size
    assert len(digests) == 1
    assert sizes["brotli"] <= sizes["zstd"] < sizes["none"]


def test_saved_plan_gives_the_same_rows(folder):
    done("quantize", "model.safetensors", "--dry-run", "--bits=4", "--save-plan=plan.json", cwd=folder)
    assert sorted(p.name for p in folder.iterdir()) == ["model.safetensors", "plan.json"]
    done("quantize", "model.safetensors", "-o", "a.parquet", "--bits=4", cwd=folder)
    done("quantize", "model.safetensors", "-o", "b.parquet", "--plan=plan.json", cwd=folder)
    a, b = (json.loads(done("compare", "model.safetensors", f, "--json", cwd=folder).stdout) for f in
            ("a.parquet", "b.parquet"))
    assert a["tensors"] == b["tensors"]


# ---- Reports ----


def test_info_is_as_stored(folder):
    expect("info", done("info", "model.safetensors", cwd=folder).stdout)
    done("quantize", "model.safetensors", "-o", "m.parquet", "--bits=4", "--codec=none", "-q", cwd=folder)
    expect("info_quantized", done("info", "m.parquet", cwd=folder).stdout)


def test_dry_run_writes_nothing_and_names_the_rules(folder):
    result = done("quantize", "model.safetensors", "--dry-run", "--keep", "embed*", cwd=folder)
    assert [p.name for p in folder.iterdir()] == ["model.safetensors"]
    for tensor in ("embed.weight", "layer.0.weight", "layer.0.bias", "logit_scale", "position_ids"):
        assert tensor in result.stdout
    assert "--keep" in result.stdout


def every_command(folder):
    (folder / "wide.safetensors").write_bytes(safetensors({"w": ("F32", (128, 256), floats(128 * 256))}))
    done("quantize", "model.safetensors", "-o", "q.parquet", "-q", cwd=folder)
    return {
        "convert": ["convert", "model.safetensors", "-o", "c.parquet", "--force"],
        "quantize": ["quantize", "model.safetensors", "-o", "q2.parquet", "--force"],
        "info": ["info", "q.parquet"],
        "verify": ["verify", "q.parquet", "--deep"],
        "compare": ["compare", "model.safetensors", "q.parquet"],
        "validate": ["validate", "wide.safetensors"],
        "export": ["export", "q.parquet", "-o", "e.safetensors", "--force"],
    }


def test_every_command_tells_text_json_or_nothing(folder):
    for command, line in every_command(folder).items():
        text = done(*line, cwd=folder)
        assert text.stdout.endswith("\n") and text.stderr == "", command
        document = done(*line, "--json", cwd=folder)
        assert json.loads(document.stdout)["kind"] == command and document.stderr == ""
        quiet = done(*line, "--quiet", cwd=folder)
        assert quiet.stdout == quiet.stderr == "", command


def test_log_file_gathers_what_was_run(folder):
    done("info", "model.safetensors", "--log-file", "log", cwd=folder)
    done("info", "model.safetensors", "--log-file=log", "--json", cwd=folder)
    refusal = run("info", "it's missing", "--log-file=log", cwd=folder).stderr
    log = re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ arrowquant\[\d+\]", "DATE", (folder / "log").read_text(), flags=re.M)
    log = log.replace(COMMAND, "arrowquant")
    report = "".join(f"  {line}\n" if line else "\n"
                     for line in done("info", "model.safetensors", cwd=folder).stdout.splitlines())
    assert log == (
        "DATE: start: arrowquant info model.safetensors --log-file log\n" + report + "DATE: end: info, exit status 0\n"
        "DATE: start: arrowquant info model.safetensors --log-file=log --json\n" + report +
        "DATE: end: info, exit status 0\n"
        "DATE: start: arrowquant info 'it'\\''s missing' --log-file=log\n"
        f"DATE: error: {refusal.removeprefix('arrowquant: error: ')}DATE: end: info, exit status 3\n")


# ---- Exit status ----


def test_compare_below_the_threshold_gives_4_and_the_report(folder):
    done("quantize", "model.safetensors", "-o", "q.parquet", "--bits=2", "-q", cwd=folder)
    done("compare", "model.safetensors", "q.parquet", "--min-cosine=0.5", cwd=folder)
    result = done("compare", "model.safetensors", "q.parquet", "--min-cosine=0.9999", cwd=folder, status=4)
    assert "layer.0.weight" in result.stdout and result.stderr.count("\n") == 1
    document = done("compare", "model.safetensors", "q.parquet", "--min-cosine=0.9999", "--json", cwd=folder, status=4)
    assert json.loads(document.stdout)["kind"] == "compare"


def test_strict_gives_5_when_a_matrix_was_kept(tmp_path):
    data = bytearray(floats(64 * 64))
    data[:4] = b"\0\0\xc0\x7f"  # NaN
    (tmp_path / "m.safetensors").write_bytes(safetensors({"bad.weight": ("F32", (64, 64), bytes(data)),
                                                          "good.weight": ("F32", (64, 64), floats(64 * 64))}))
    line = ["quantize", "m.safetensors", "-o", "q.parquet", "--nonfinite=keep", "--force"]
    result = done(*line, "--strict", cwd=tmp_path, status=5)
    assert "bad.weight" in result.stderr and result.stderr.count("\n") == 1
    assert not (tmp_path / "q.parquet").exists()
    assert "bad.weight" in done(*line, cwd=tmp_path).stdout
    done(*line, "--strict", "--keep", "bad.weight", cwd=tmp_path)


def test_tied_tensors_kept_after_all_are_kept_in_the_plan_of_the_table(tmp_path):
    data = bytearray(floats(64 * 64))
    data[:4] = b"\0\0\xc0\x7f"  # NaN
    tied = ("F32", (64, 64), bytes(data))
    (tmp_path / "m.safetensors").write_bytes(safetensors({"embed.weight": tied, "head.weight": tied}))
    done("quantize", "m.safetensors", "-o", "q.parquet", "--nonfinite=keep", cwd=tmp_path)
    metadata = json.loads(done("info", "q.parquet", "--json", cwd=tmp_path).stdout)["metadata"]
    plan = json.loads(next(m["value"] for m in metadata if m["key"] == "arrowquant.plan"))
    assert {t["name"]: t["action"] for t in plan["tensors"]} == {"embed.weight": "keep", "head.weight": "keep"}


def test_memory_limit_holds_for_a_tensor_that_is_kept_after_all(tmp_path):
    """As int2 it is a sixteenth of what it is as it is; that must not be held either."""
    rows = 30000
    head = json.dumps({"w": {"dtype": "F32", "shape": [rows, 1000], "data_offsets": [0, 4000 * rows]}}).encode()
    with open(tmp_path / "m.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(head)) + head)
        out.truncate(8 + len(head) + 4000 * rows)
        out.seek(-4, os.SEEK_END)
        out.write(struct.pack("<f", float("nan")))
    status, told, peak = peak_memory(COMMAND, "quantize", "m.safetensors", "-o", "q.parquet", "--type=int2", "-q", "-t1",
                                     "--nonfinite=keep", "--max-memory=60MiB", cwd=tmp_path, env=environment())
    assert status == 0, told
    if "ASAN_OPTIONS" not in os.environ:
        assert peak < 90 << 20  # the tensor has 114 MiB
    done("compare", "m.safetensors", "q.parquet", cwd=tmp_path)


def test_memory_limit_that_is_too_small_says_what_is_needed(folder):
    told = refused("quantize", "model.safetensors", "-o", "x.parquet", "--max-memory", "64kB", cwd=folder, status=2,
                   says=["memory limit", "64000"])
    enough = re.search(r"Use --max-memory (\w+)", told)[1]
    done("quantize", "model.safetensors", "-o", "x.parquet", "--max-memory", enough, cwd=folder)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_report_that_cannot_be_printed_fails(tmp_path, form):
    many = {f"layer.{i}.bias": ("F32", (4,), floats(4)) for i in range(400)}  # more than a buffer of stdio
    (tmp_path / "m.safetensors").write_bytes(safetensors(many))
    with open("/dev/full", "w") as full:
        result = subprocess.run([COMMAND, "info", "m.safetensors", *form], cwd=tmp_path, stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
    assert result.returncode == 6 and "standard output: No space" in result.stderr


def test_vectors_that_cannot_be_printed_fail(tmp_path):
    tiny_bert.make_encoder(tmp_path / "encoder")
    (tmp_path / "texts.txt").write_text("a cat\n" * 2000)  # more than a buffer of stdio
    with open("/dev/full", "w") as full:
        result = subprocess.run([COMMAND, "embed", "encoder", "--input", "texts.txt"], cwd=tmp_path, stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
    assert result.returncode == 6 and "standard output: No space" in result.stderr


# ---- On a terminal ----


def on_terminal(args, cwd, **env):
    """Standard error as the command writes it to a terminal, its standard output, and the exit status."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([COMMAND, *map(str, args)], cwd=cwd, env=environment(**env), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    seen = b""
    while True:
        select.select([leader], [], [], TIMEOUT)
        try:
            more = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        seen += more
    out = process.stdout.read()
    process.stdout.close()
    os.close(leader)
    return seen.decode(), out.decode(), process.wait(TIMEOUT)


def test_error_is_red_on_a_terminal_only(tmp_path):
    assert "\033[31merror:\033[0m" in on_terminal(["info", "missing"], tmp_path)[0]
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert on_terminal(["info", "missing"], tmp_path, **env)[0].startswith("arrowquant: error: ")
    assert "\033" not in run("info", "missing", cwd=tmp_path).stderr


def test_progress_is_drawn_on_a_terminal_and_cleared(big_model, tmp_path):
    line = ["quantize", big_model, "-o", "big.parquet", "--force", "--bits=2", "-t1"]
    shown, out, status = on_terminal(line, tmp_path, AQ_CPU="ref")  # slow enough to be seen
    assert status == 0 and "big.parquet" in out
    drawn = re.findall(r"\rquantize +\d+%  [\d.]+ [kM]?B of 134\.2 MB  \d+/64 tensors", shown)
    assert drawn and "\n" not in shown and shown.endswith(" \r")
    for flag in ("-q", "--json", "--no-progress"):
        assert on_terminal([*line, flag], tmp_path)[0] == ""
