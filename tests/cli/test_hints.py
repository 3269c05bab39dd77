"""What a message tells to do can be done: every option that it names is one of the command that says it."""
import json
import re
import struct

import pytest
from cli_helpers import COMMANDS, ROOT, done, floats, run, safetensors, tiny_tensors

EVERYTHING_THAT_WRITES = ["convert", "quantize", "export", "embed", "sensitivity"]
# Sources of the library whose texts name options, and the commands that can come to print them. "arrowquant COMMAND
# --option" in a text names the command itself and is held against that one.
REACHED_FROM = {
    "core/outfile.c": EVERYTHING_THAT_WRITES,
    "search/bit_allocation.c": ["quantize"],
    "search/calibration.c": ["quantize"],
    "ops/convert.c": ["convert"],
    "ops/export.c": ["export"],
    "search/gptq.c": ["quantize"],
    "ops/quantize.c": ["quantize"],
    "transform/row_job.c": ["quantize"],
    "search/exclude.c": ["quantize"],
    "transform/table_job.c": ["convert", "quantize", "validate"],
    "quant/plan.c": ["quantize"],
    "quant/plan_entry.c": ["quantize"],
    "report/validate_advice.c": ["validate"],
}
TEXTS_AS_DATA = ["calib/corpus/", "measure/builtin_texts.c", "measure/tuning_texts.c"]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
OF_A_COMMAND = re.compile(r"arrowquant ([a-z]+)((?: [^-'`\"]\S*)*)((?: (?:--[a-z][a-z0-9-]*)[^-`]*)+)")


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """{command: its options}, from the help that it prints."""
    folder = tmp_path_factory.mktemp("help")
    return {name: set(OPTION.findall(done(name, "--help", cwd=folder).stdout)) for name in COMMANDS}


def missing(text, command, options):
    """Options in a text that the command it is printed by, or the one that it names, does not have."""
    found = []
    for named in OF_A_COMMAND.finditer(text):
        found += [option for option in OPTION.findall(named[0]) if option not in options[named[1]]]
    rest = OF_A_COMMAND.sub("", text)
    return found + [option for option in OPTION.findall(rest) if option not in options[command]]


def strings_of(path):
    """The string literals of a C source, those that stand one after another joined."""
    text = re.sub(r"/\*.*?\*/|^\s*#.*?$", "", path.read_text(), flags=re.S | re.M)
    literals = re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', text)
    return [re.sub(r'"\s*"', "", literal)[1:-1] for literal in literals]


def texts_of_the_library():
    for path in sorted((ROOT / "src").rglob("*.c")):
        name = str(path.relative_to(ROOT / "src"))
        if name.startswith("cli/") or any(name.startswith(data) for data in TEXTS_AS_DATA):
            continue
        for text in strings_of(path):
            if OPTION.search(text):
                yield name, text


def test_every_option_in_the_texts_of_the_library_exists(options):
    found = list(texts_of_the_library())
    assert len(found) > 15
    assert {name for name, _ in found} == set(REACHED_FROM)
    wrong = [(name, command, text, missing(text, command, options)) for name, text in found
             for command in REACHED_FROM[name] if missing(text, command, options)]
    assert not wrong


def test_every_option_in_the_texts_of_a_command_exists(options):
    wrong = []
    for command in COMMANDS:
        for text in strings_of(ROOT / "src" / "cli" / f"{command}.c"):
            wrong += [(command, option, text) for option in missing(text, command, options)]
    assert not wrong


def test_the_check_sees_an_option_that_is_not_there(options):
    assert missing("Use --keep", "convert", options) == ["--keep"]
    assert missing("Use `arrowquant quantize --keep x` first", "convert", options) == []
    assert missing("Use `arrowquant convert --keep x` first", "quantize", options) == ["--keep"]


def test_python_has_every_keyword_that_a_hint_becomes():
    """The package turns options in hints into keywords."""
    api = (ROOT / "python" / "arrowquant" / "api.py").read_text()
    for name, text in texts_of_the_library():
        for option in OPTION.findall(OF_A_COMMAND.sub("", text)):
            if not name.startswith("report/"):
                assert re.search(rf"^ +{option[2:].replace('-', '_')}: ", api, re.M), (name, text)


def bad_value(dtype, shape, value):
    return safetensors({"layer.weight": (dtype, shape, struct.pack("<f", value) + floats(shape[0] * shape[1] - 1))})


@pytest.fixture
def files(tmp_path):
    """Models that are wrong in some way, and tables."""
    models = {"large": bad_value("F32", (32, 64), 1e30), "nan": bad_value("F32", (32, 64), float("nan")),
              "inf": bad_value("F32", (32, 64), float("inf")), "good": safetensors(tiny_tensors()),
              "ints": safetensors({"a": ("I64", (4,), struct.pack("<4q", *range(4)))})}
    for name, data in models.items():
        (tmp_path / f"{name}.safetensors").write_bytes(data)
    done("quantize", "good.safetensors", "-o", "int4.parquet", "--type", "int4", cwd=tmp_path)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "exists.parquet").write_text("something")
    (tmp_path / "exists.safetensors").write_text("something")
    (tmp_path / "plan.json").write_text(json.dumps({"no": "plan"}))
    return tmp_path


LINES = [
    "convert large.safetensors -o x.parquet --dtype fp16", "convert int4.parquet -o x.parquet --dtype fp17",
    "convert good.safetensors -o exists.parquet", "convert good.safetensors", "convert nothing -o x.parquet",
    "convert good.safetensors -o x.parquet --max-memory 1KiB", "convert nan.safetensors -o x.parquet --dtype fp16",
    "convert good.safetensors -o x.parquet --codec lzma", "convert good.safetensors -o no/x.parquet",
    "quantize nan.safetensors -o x.parquet", "quantize large.safetensors -o x.parquet --type fp16",
    "quantize inf.safetensors -o x.parquet --type int4", "quantize int4.parquet -o x.parquet --type int8",
    "quantize good.safetensors -o x.parquet --type auto",
    "quantize good.safetensors -o x.parquet --target-size 1KB", "quantize good.safetensors -o x.parquet --target-bpw .1",
    "quantize good.safetensors -o x.parquet --min-similarity .9", "quantize good.safetensors -o x.parquet --method gptq",
    "quantize nan.safetensors -o x.parquet --target-bpw 4", "quantize good.safetensors -o exists.parquet",
    "quantize good.safetensors -o x.parquet --plan plan.json", "quantize good.safetensors -o x.parquet --keep zzz",
    "quantize good.safetensors -o x.parquet --tensor zzz=int8", "quantize good.safetensors -o x.parquet --tensor zzz",
    "quantize good.safetensors -o x.parquet --max-memory 1KiB", "quantize good.safetensors -o x.parquet --calib empty.txt",
    "quantize good.safetensors -o x.parquet --type int8 --calib builtin",
    "quantize good.safetensors -o x.parquet --save-plan exists.parquet",
    "validate nan.safetensors --output-dir out", "validate inf.safetensors --output-dir out",
    "validate int4.parquet --output-dir out", "validate good.safetensors --max-memory 1KiB --output-dir out",
    "validate ints.safetensors --output-dir out", "validate good.safetensors --texts empty.txt --output-dir out",
    "validate good.safetensors --types int5 --output-dir out",
    "sensitivity good.safetensors", "sensitivity int4.parquet", "sensitivity nan.safetensors",
    "sensitivity good.safetensors -o exists.parquet", "sensitivity good.safetensors --types int9",
    "export int4.parquet -o exists.safetensors", "export int4.parquet -o x.safetensors --dtype int8",
    "export large.safetensors -o x.safetensors --dtype fp16", "export int4.parquet", "export exists.parquet -o y.safetensors",
    "compare good.safetensors int4.parquet --outputs", "compare good.safetensors int4.parquet --min-cosine 1",
    "compare good.safetensors int4.parquet --texts empty.txt", "compare nothing int4.parquet",
    "compare good.safetensors ints.safetensors", "verify int4.parquet --against nan.safetensors",
    "verify exists.parquet --deep", "info exists.parquet",
    "embed good.safetensors --text a", "embed int4.parquet --input empty.txt", "embed good.safetensors --json --text a",
    "embed good.safetensors --prompt a --no-prompt", "embed good.safetensors --text a --compute int4",
    "tokenize good.safetensors --text a", "tokenize empty.txt --text a", "tokenize nothing --text a",
]


@pytest.mark.parametrize("line", LINES)
def test_messages_name_options_of_their_command(files, options, line):
    result = run(*line.split(), cwd=files)
    assert result.returncode != 0 or "nan.safetensors" in line, f"no error: {result.stdout}"
    assert missing(result.stderr, line.split()[0], options) == [], result.stderr
