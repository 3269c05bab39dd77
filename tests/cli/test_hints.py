"""What a message tells to do can be done: the library marks members of its options, which the command that says it
shows as options that it has, and the Python package as arguments that it has."""
import importlib
import json
import re
import struct
import sys
import types

import pytest
from cli_helpers import COMMANDS, ROOT, done, floats, run, safetensors, tiny_tensors

sys.path.insert(0, str(ROOT / "scripts"))
from option_table import read_options, read_owners

OPTIONS = read_options()

EVERYTHING_THAT_WRITES = ["convert", "quantize", "export", "embed", "sensitivity"]
# Sources of the library whose texts mark fields, and the commands that can come to print them.
REACHED_FROM = {
    "core/outfile.c": EVERYTHING_THAT_WRITES,
    "search/bit_allocation.c": ["quantize"],
    "search/budget.c": ["quantize"],
    "search/calibrate_decoder.c": ["quantize"],
    "search/calibrate_encoder.c": ["quantize"],
    "search/calibration.c": ["quantize"],
    "ops/convert.c": ["convert"],
    "ops/export.c": ["export"],
    "ops/export_place.c": ["export"],
    "ops/export_plan.c": ["quantize"],
    "io/gguf/gguf_store.c": ["export"],
    "io/gguf/gguf_store_bytes.c": ["export"],
    "io/mlx/mlx.c": ["export"],
    "io/onnx/onnx_layout.c": ["export"],
    "io/onnx/onnx_store.c": ["export"],
    "ops/generate.c": ["generate"],
    "ops/score.c": ["score"],
    "io/pair_input.c": ["score"],
    "ops/perplexity.c": ["perplexity"],
    "calib/fisher/text_groups.c": ["quantize"],
    "calib/self_texts.c": ["quantize"],
    "model/run/decoder.c": ["generate", "perplexity", "compare", "validate"],
    "model/run/decoder_open.c": ["generate", "perplexity", "compare", "validate"],
    "ops/evaluate/decoder_evaluator.c": ["compare", "validate"],
    "search/gptq.c": ["quantize"],
    "ops/quantize.c": ["quantize"],
    "transform/nonfinite.c": ["quantize"],
    "transform/row_copy.c": ["quantize"],
    "transform/transform_stream.c": [],  # of no command
    "transform/transform_limits.c": ["convert", "quantize", "export", "validate"],
    "quant/plan.c": ["quantize"],
    "quant/plan_json.c": ["quantize"],
    "ops/source_plan.c": ["quantize"],
    "report/validate_advice.c": [],  # of a file that is written: the fields as they are
    "report/outputs_embeddings.c": [],
    "report/outputs_predictions.c": [],
    "report/outputs_words.c": [],
}
NOT_IN_PYTHON = {"score"}  # as a function with options: there it is a class
TEXTS_AS_DATA = ["calib/corpus/", "measure/builtin_texts.c", "measure/tuning_texts.c"]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
FIELD = re.compile(r"`([a-z][a-z0-9_]*)(?:=[^`]*)?`")


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """{command: its options}, from the help that it prints."""
    folder = tmp_path_factory.mktemp("help")
    return {name: set(OPTION.findall(done(name, "--help", cwd=folder).stdout)) for name in COMMANDS}


def option_of(field, command):
    """The option of the command for a member of the library's options, by the table."""
    owners = read_owners(command)
    return next(("--" + o.name for o in OPTIONS if o.name and field in (o.at.get(owner) for owner in owners)), None)


def missing(text, command, options):
    """Options in a text that the command it is printed by does not have."""
    return [option for option in OPTION.findall(text) if option not in options[command]]


def strings_of(path):
    """The string literals of a C source, those that stand one after another joined."""
    text = re.sub(r"/\*.*?\*/|^\s*#.*?$", "", path.read_text(), flags=re.S | re.M)
    literals = re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', text)
    return [re.sub(r'"\s*"', "", literal)[1:-1] for literal in literals]


def fields_of_the_library():
    """(source, field) of everything that is marked."""
    for path in sorted((ROOT / "src").rglob("*.c")):
        name = str(path.relative_to(ROOT / "src"))
        if name.startswith("cli/") or any(name.startswith(data) for data in TEXTS_AS_DATA):
            continue
        for text in strings_of(path):
            for field in FIELD.findall(text):
                yield name, field


def test_every_field_that_is_marked_is_a_member_of_options():
    found = list(fields_of_the_library())
    assert len(found) > 20
    assert {name for name, _ in found} == set(REACHED_FROM)
    headers = "".join(path.read_text() for path in (ROOT / "include").glob("*.h"))
    structs = "".join(re.findall(r"typedef struct aq_\w+_options \{.*?\} aq_\w+_options;", headers, flags=re.S))
    members = set(re.findall(r"\*?(\w+)[;,]", re.sub(r"/\*.*?\*/", "", structs, flags=re.S)))
    assert [(name, field) for name, field in found if field not in members] == []


def test_every_field_that_is_marked_is_an_option_of_the_command(options):
    wrong = [(name, command, field) for name, field in fields_of_the_library() for command in REACHED_FROM[name]
             if option_of(field, command) not in options[command]]
    assert not wrong


def test_every_field_that_is_marked_is_an_argument_in_python():
    api = (ROOT / "python" / "arrowquant" / "api.py").read_text()
    keywords = errors_module().KEYWORDS
    wrong = [(name, field) for name, field in fields_of_the_library()
             if set(REACHED_FROM[name]) - NOT_IN_PYTHON and not re.search(rf"\b{keywords.get(field, field)}: ", api)]
    assert not wrong


def test_every_option_in_the_texts_of_a_command_exists(options):
    wrong = []
    for command in COMMANDS:
        for text in strings_of(ROOT / "src" / "cli" / f"{command}.c"):
            text = re.sub(r"arrowquant ([a-z]+) [^\n]*", lambda line: line[0] if line[1] == command else "", text)
            wrong += [(command, option, text) for option in missing(text, command, options)]
    assert not wrong


def test_the_check_sees_an_option_that_is_not_there(options):
    assert missing("Use --keep", "convert", options) == ["--keep"]
    assert option_of("keep_patterns", "quantize") == "--keep" and option_of("keep_patterns", "convert") is None


def errors_module():
    """The package's module of errors, which needs no extension module."""
    alone = types.ModuleType("arrowquant_alone")
    alone.__path__ = [str(ROOT / "python" / "arrowquant")]
    sys.modules["arrowquant_alone"] = alone
    return importlib.import_module("arrowquant_alone.errors")


def python_words(hint):
    return errors_module()._in_python(hint)


def test_a_marked_field_is_an_argument_in_the_words_of_python():
    for hint, shown in [("Use `force=true`", "Use force=True"), ("(`keep_patterns`)", "(keep)"),
                        ("Add `target_size=6MB`, or `target_bpw=2.5`", "Add target_size='6MB', or target_bpw=2.5"),
                        ("`calib=FILE` or `calib=builtin`", "calib=FILE or calib='builtin'"),
                        ("`keep_patterns='a.b'`", "keep='a.b'"), ("a `name with spaces`", "a `name with spaces`")]:
        assert python_words(hint) == shown


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
    assert not FIELD.search(result.stderr), result.stderr


def test_a_marked_field_is_an_option_in_the_words_of_the_command(files):
    for line, hint in [("convert good.safetensors -o exists.parquet", "Use --force to replace it"),
                       ("quantize good.safetensors -o x.parquet --type auto",
                        "Add --target-size 6MB, --target-bpw 2.5, --min-similarity 0.99 or --max-kl 0.1"),
                       ("quantize nan.safetensors -o x.parquet", "(--keep), or keep all such tensors (--nonfinite keep)")]:
        assert hint in run(*line.split(), cwd=files).stderr
    told = json.loads(run("convert", "good.safetensors", "-o", "exists.parquet", "--json", cwd=files).stdout)
    assert told["hint"].startswith("Use --force ")
