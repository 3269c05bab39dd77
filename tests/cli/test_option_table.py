"""The table of options beside the headers, the command, and what is generated from it."""
import re
import shutil
import subprocess
import sys

import pytest
from cli_helpers import COMMANDS, ROOT, done, run

sys.path.insert(0, str(ROOT / "scripts"))
import option_table

OPTIONS = option_table.read_options()
SETTLED_ELSEWHERE = {"sizeof_options", "reserved", "run", "table", "search"}
# What a program sets and no user: callbacks, sources that are open, counts of lists.
NO_OPTIONS = {"run": {"progress", "progress_ctx"}, "verify": {"against_source"},
              "quantize": {"tensor_rule_count", "keep_pattern_count"}, "search": {"activation_count"},
              "embed": {"write", "write_ctx", "note", "note_ctx"}, "generate": {"write", "write_ctx", "note", "note_ctx"},
              "score": {"write", "write_ctx", "note", "note_ctx"}}


def structs():
    """{struct: its members}, of the public headers."""
    text = "".join(path.read_text() for path in sorted((ROOT / "include").glob("*.h")))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    found = {}
    for name, body in re.findall(r"typedef struct aq_(\w+)_options \{(.*?)\n\} aq_\w+_options;", text, flags=re.S):
        body = re.sub(r"\(\*(\w+)\)\([^)]*\)", r"\1", body)  # pointers to functions
        found[name] = {member for line in body.split(";") for member in re.findall(r"(\w+)(?:\[\d+\])?\s*(?=,|$)", line.strip())}
    return found


def command_options(command):
    owners = option_table.read_owners(command)
    return [option for option in OPTIONS if option.name and owners & set(option.at)]


def test_every_member_of_every_struct_has_a_line_in_the_table():
    found = structs()
    assert {"run", "table", "convert", "quantize", "search", "embed", "encoder", "source"} <= set(found) and len(found) > 12
    for name, members in found.items():
        in_table = {option.at[name] for option in OPTIONS if name in option.at}
        assert members - SETTLED_ELSEWHERE - NO_OPTIONS.get(name, set()) == in_table, name


def test_the_script_reads_every_line_of_the_table():
    source = option_table.TABLE.read_text()
    assert len(OPTIONS) == source.count(".kind = ") > 50
    assert sum(len(option.at) for option in OPTIONS) == len(re.findall(r"[{ ]AT(?:_COUNTED)?\(\w+, ", source)) - 2
    assert all(option.help and not option.help.endswith(".") for option in OPTIONS if option.name)


def test_generated_files_are_fresh_and_stale_ones_are_seen(tmp_path):
    assert subprocess.run([ROOT / "scripts" / "generate-options", "--check"]).returncode == 0
    for name in ["scripts", "src/cli", "src/options", "docs", "python/arrowquant"]:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "images", "*.so"))
    table = tmp_path / "src" / "options" / "option_table.c"
    table.write_text(table.read_text().replace("values in a group", "numbers in a group"))
    result = subprocess.run([tmp_path / "scripts" / "generate-options", "--check"], capture_output=True, text=True)
    assert result.returncode == 1 and "arrowquant.1: stale" in result.stderr and "api.py: stale" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_the_options_of_the_table(command, tmp_path):
    in_help = re.findall(r"^ .{4} --([a-z0-9-]+)", done("help", command, cwd=tmp_path).stdout, flags=re.M)
    assert in_help == [option.name for option in command_options(command)] and in_help[-1] == "help"


def answer(command, option, value, cwd):
    """What the command says of a value; the rest of the line is right, but names a model that is not there."""
    operands = ["missing"] * (2 if command == "compare" else 1)
    output = [] if "output" not in option_table.read_owners(command) or option.name == "output" else ["-o", "x"]
    return run(command, *operands, *output, f"--{option.name}={value}", cwd=cwd)


@pytest.mark.parametrize("command", COMMANDS)
def test_values_in_the_table_are_accepted_and_others_refused(command, tmp_path):
    for option in command_options(command):
        if option.argument is None:
            continue
        range_of = [option.minimum, option.maximum]
        good = option.words or {"UINT": range_of, "REAL": range_of}.get(option.kind, [])
        for value in good:
            said = answer(command, option, f"{value:.10g}" if isinstance(value, float) else value, tmp_path).stderr
            assert f"--{option.name} must be " not in said, said
        bad = {"UINT": [option.minimum - 1, option.maximum + 1, "1.5"],
               "REAL": [option.minimum - .01, option.maximum * 1.01, "x"], "SIZE": ["0", "6M"], "WORD": ["no-such-word"], "ENUM": ["no-such-word"]}.get(option.kind, [])
        for value in bad:
            result = answer(command, option, f"{value:.10g}" if isinstance(value, float) else value, tmp_path)
            assert result.returncode == 2 and f"--{option.name} must be " in result.stderr, (option.name, value)


@pytest.mark.parametrize("command", COMMANDS)
def test_options_that_exclude_each_other_exist(command):
    source = (ROOT / "src" / "cli" / f"{command}.c").read_text()
    pairs = re.search(r"conflicts\[\] = \{(.*?)\};", source, re.S)
    names = set(re.findall(r'"([\w-]+)"', pairs[1])) if pairs else set()
    assert names <= {option.name for option in command_options(command)}


def test_python_opens_an_encoder_with_the_words_of_the_table():
    source = (ROOT / "python" / "arrowquant" / "encoder.py").read_text()
    words = next(option.words for option in OPTIONS if option.at.get("encoder") == "compute")
    assert re.findall(r'"(\w+)"', re.search(r"compute: Literal\[(.*?)\]", source)[1]) == words


def test_every_member_marked_in_a_hint_finds_its_option():
    by_member = {member: option.name for option in reversed(OPTIONS) for member in option.at.values()}
    assert [by_member[m] for m in ("keep_patterns", "granularity", "row_group_bytes", "tune_seconds", "symmetry")] == [
        "keep", "per", "row-group-size", "tune", "sym"]
