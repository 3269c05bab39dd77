"""No byte of a file made without calibration changes by accident: digests of what commands make of small models.

golden_files.json has a line for each command, with the beginnings of five SHA-256 digests: of the rows as pyarrow reads
them, of our metadata but for the version of the program, of the model's own files in the metadata, of all bytes of the
file, and of what `export` makes of it. Bytes, and what a target chooses (by compressed sizes), belong to the libraries that
compress as well: where these are others than in golden_files.json, they are left out, with a message. After a wanted
change, write the file anew and look at every line that changed:

    .venv/bin/python -m pytest tests/interop/test_golden_files.py --regenerate-golden
"""
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import warnings

import pyarrow.parquet as pq
import pytest
from conftest import BITS, COMMAND, cpu_sets, run
from golden_models import MODELS

GOLDEN = pathlib.Path(__file__).with_name("golden_files.json")
KINDS = ["rows", "metadata", "files", "bytes", "export"]
FILE_KEY = (b"arrowquant.file.", b"arrowquant.file_zstd.")

# ---- Commands, without -o: the second word is a model, and @NAME a file made by the fixture `place` ---------------------

ALL = "--quantize-1d"
PER = ["--per tensor", "--per channel", "--group-size 16", "--group-size 33", "--group-size 64", "--group-size 1024"]
CODECS = ["none", "auto", "zstd", "zstd:1", "zstd:19", "lz4", "snappy", "brotli"]
SCHEMES = [f"quantize odd --type {kind} {per} --{sym} --method {method} {ALL}"
           for kind in BITS for per in PER for sym in ("sym", "asym") for method in ("minmax", "mse")]
DEFAULTS = [f"quantize {model} --type {kind} {rest}".strip() for kind in BITS
            for model, rest in (("odd", ""), ("odd", ALL), ("experts", ""), ("experts", "--per channel"),
                                ("experts", "--group-size 24"), ("decoder", ""), ("tied", ""), ("bert", ""))]
FLOATS = [f"quantize {model} --type {kind} {rest}".strip() for kind in ("fp32", "fp16", "bf16")
          for model, rest in (("odd", ""), ("odd", ALL), ("tied", ""))]
CONVERTED = [f"convert {model} --dtype {kind}" for kind in ("keep", "fp32", "fp16", "bf16")
             for model in ("odd", "experts", "tied", "bert", "nonfinite")]
PACKED = [f"{command} --codec {codec}" for codec in CODECS
          for command in ("quantize odd --type int4", "quantize bert --type int8", "quantize wide --type int3", "convert odd")]
RULES = [
    "quantize odd --tensor *=keep",
    "quantize odd --type int4 --keep matrix.*",
    "quantize odd --type int4 --ignore re:^rank[34]",
    "quantize odd --tensor rank?.weight=int2,per=tensor,sym,method=minmax --tensor re:bias$=int8 --tensor vector.63=fp16",
    "quantize bert --type int4 --tensor *.query.weight=int8,per=channel --tensor *embeddings*=int3,group=20,asym",
    "quantize decoder --type int2 --tensor lm_head.weight=bf16 --keep model.embed_tokens.weight",
    "quantize tied --type int4 --tensor model.embed_tokens.weight=int8 --tensor lm_head.weight=int8",
    "quantize experts --type int8 --tensor *experts*=int4,group=32,sym,method=minmax --keep *router*",
    "quantize nonfinite --type int4 --nonfinite keep",
    "quantize eights --type int8 --keep-unsupported",
    "quantize eights --type int4 --keep-unsupported --group-size 16 --quantize-1d",
    "convert eights --keep-unsupported",
    "convert eights --keep-unsupported --dtype fp16",
]
PARTS = [f"{command} {limits}" for limits in ("--part-size 2kB", "--part-size 100", "--row-group-size 6kB",
                                              "--part-size 5kB --row-group-size 3kB")
         for command in ("quantize odd --type int4", "quantize odd --type int8 --per channel", "quantize odd --type fp16",
                         "quantize experts --type int3 --per tensor", "convert odd", "convert tied --dtype bf16")]
TARGETS = [f"quantize {model} --target-bpw {bits} --calib none" for bits in ("2.5", "3", "4")
           for model in ("odd", "experts", "decoder", "tied", "bert", "wide")]
TARGETS += [
    "quantize wide --target-bpw 3 --calib none --codec brotli",
    "quantize bert --target-bpw 3 --calib none --codec brotli",
    "quantize decoder --target-bpw 5.5 --calib none --codec none",
    "quantize odd --target-bpw 4 --calib none --codec lz4 --quantize-1d",
    "quantize odd --target-size 30kB --calib none",
    "quantize decoder --target-size 45kB --calib none",
    "quantize bert --target-size 40kB --calib none --type auto",
    "quantize tied --target-size 50kB --calib none --codec brotli",
    "quantize wide --target-size 120kB --calib none",
    "quantize experts --target-bpw 4 --calib none --type auto --part-size 8kB",
    "quantize wide --target-bpw 2.2 --calib none --row-group-size 60kB",
    "quantize decoder --target-bpw 3 --calib none --keep lm_head.weight --tensor *down_proj*=int8",
    "quantize nonfinite --target-bpw 4 --calib none --nonfinite keep",
]
AGAIN = [  # a table as the source; MADE names how
    "quantize v1 --type int4",
    "quantize v1-parts --type int3 --per channel",
    "quantize v1 --target-bpw 3 --calib none",
    "quantize int8 --type int4 --allow-requantize",
    "quantize int8-parts --type int2 --allow-requantize --quantize-1d",
    "convert v1-parts",
    "convert v1 --dtype fp16",
    "quantize bert-int4 --type int8 --allow-requantize",
    "quantize bert-target --type int8 --allow-requantize",
]
PLANS = [f"quantize {plan} --plan @{plan}-plan" for plan in ("odd", "experts", "bert", "tied")]
PLANNED = {"odd": "--type int3 --group-size 24 --quantize-1d", "experts": "--target-bpw 3.5 --calib none",
           "bert": "--target-bpw 3 --calib none", "tied": "--target-size 55kB --calib none"}
MADE = {
    "v1": ["convert", "odd"], "v1-parts": ["convert", "odd", "--part-size", "1kB"],
    "int8": ["quantize", "odd"], "int8-parts": ["quantize", "odd", "--part-size", "1kB"],
    "bert-int4": ["quantize", "bert", "--type", "int4"],
    "bert-target": ["quantize", "bert", "--target-bpw", "3", "--calib", "none"],
}
CASES = SCHEMES + DEFAULTS + FLOATS + CONVERTED + PACKED + RULES + PARTS + TARGETS + AGAIN + PLANS
SAME_EVERYWHERE = [  # with several threads and every AQ_CPU; test_tables.py has more
    *TARGETS[:6], *TARGETS[18:21], TARGETS[-4], "quantize experts --type int3 --per tensor --part-size 2kB",
    "quantize bert --type int8 --codec brotli", RULES[3], "convert tied --dtype bf16",
]

# ---- Digests -----------------------------------------------------------------------------------------------------------


def short(*pieces):
    """Of byte strings, each with its length, so that no two lists of pieces are one."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(b"%d:" % len(piece) + piece)
    return digest.hexdigest()[:16]


def masked(path):
    """All bytes, with zeros for the version of the program in the two places where it stands."""
    version = re.escape(program().encode())
    found, count = re.subn(rb"(arrowquant version |arrowquant\.version\x18.)" + version,
                           lambda m: m[1] + b"0" * len(program()), path.read_bytes())
    assert count == 2
    return found


def digests(line, place, folder, **options):
    """What a command makes, as five digests."""
    table, exported = folder / "golden.parquet", folder / "golden.safetensors"
    command, model, *rest = line.split()
    rest = [place[word[1:]] if word.startswith("@") else word for word in rest]
    run(command, place[model], "-o", table, "--force", *rest, *options.pop("more", []), **options)
    read = pq.ParquetFile(table, page_checksum_verification=True)
    rows = read.read().to_pylist()
    assert rows
    metadata = {k: v for k, v in read.metadata.metadata.items() if k not in (b"ARROW:schema", b"arrowquant.version")}
    files = sorted(pair for pair in metadata.items() if pair[0].startswith(FILE_KEY))
    ours = sorted(pair for pair in metadata.items() if not pair[0].startswith(FILE_KEY))
    run("export", table, "-o", exported, "--force", **options)
    return dict(zip(KINDS, [short(*(repr(sorted(row.items())).encode() for row in rows)),
                            short(*(piece for pair in ours for piece in pair)),
                            short(*(piece for pair in files for piece in pair)) if files else "-",
                            short(masked(table)), short(exported.read_bytes())], strict=True))


@functools.cache
def program():
    return run("--version").stdout.split()[1]


def libraries():
    """The libraries that compress, as files with their versions: {"libzstd": "libzstd.so.1.5.4", ...}."""
    found = {}
    try:
        linked = subprocess.run(["ldd", COMMAND], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return found
    for name, path in re.findall(r"(lib(?:zstd|lz4|snappy))\.so\S* => (\S+)", linked):
        found[name] = os.path.basename(os.path.realpath(path))
    return found


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """Where the models and the tables made of them lie."""
    root = tmp_path_factory.mktemp("golden-models")
    places = {}
    for name, make in MODELS.items():
        places[name] = root / name
        places[name].mkdir()
        make(places[name])
    for name, (command, model, *rest) in MADE.items():
        places[name] = root / f"{name}.parquet"
        run(command, places[model], "-o", places[name], *rest)
    for model, options in PLANNED.items():
        places[f"{model}-plan"] = root / f"{model}.json"
        run("quantize", places[model], "--dry-run", "--save-plan", places[f"{model}-plan"], *options.split())
    return places


@pytest.fixture(scope="session")
def golden(request, place, tmp_path_factory):
    if request.config.getoption("--regenerate-golden"):
        folder = tmp_path_factory.mktemp("golden")
        lines = {line: " ".join(digests(line, place, folder).values()) for line in CASES}
        cases = ",\n".join(f" {json.dumps(line)}: {json.dumps(found)}" for line, found in lines.items())
        head = ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in
                          {"program": program(), "libraries": libraries(), "models": models(place)}.items())
        GOLDEN.write_text("{\n" + head + ',\n"cases": {\n' + cases + "\n}}\n")
    return json.loads(GOLDEN.read_text())


def models(place):
    """Of all files of a model, with their names."""
    return {name: short(*(piece for path in sorted(place[name].rglob("*")) if path.is_file()
                          for piece in (path.relative_to(place[name]).as_posix().encode(), path.read_bytes())))
            for name in MODELS}


@pytest.fixture(scope="session")
def left_out(golden):
    """Which digests say nothing here."""
    here = libraries()
    others = {"libraries": (golden["libraries"], here)} if here != golden["libraries"] else {}
    if len(golden["program"]) != len(program()):
        others["program"] = (golden["program"], program())
    if others:
        warnings.warn(f"not all bytes are compared: golden_files.json is of other versions: {others}", stacklevel=1)
    return others


def test_the_models_are_the_same_everywhere(golden, place):
    assert models(place) == golden["models"]


def test_there_is_a_line_for_every_command(golden):
    assert list(golden["cases"]) == CASES
    assert len(set(CASES)) == len(CASES)


@pytest.mark.parametrize("line", CASES)
def test_files_are_those_of_golden_files_json(golden, left_out, place, tmp_path, line):
    expected = dict(zip(KINDS, golden["cases"][line].split(), strict=True))
    found = digests(line, place, tmp_path)
    if left_out:
        expected["bytes"] = found["bytes"]
    if "libraries" in left_out and re.search("target|-plan", line):
        pytest.skip("what a target chooses depends on the libraries that compress, which are others here")
    assert found == expected


@pytest.mark.parametrize("line", SAME_EVERYWHERE)
def test_threads_and_instruction_sets_change_nothing(place, tmp_path, line):
    first = digests(line, place, tmp_path, more=["-t", "2"])
    for threads, cpu in [(1, "ref"), (3, None), *((2, cpu) for cpu in cpu_sets()[1:])]:
        env = {"AQ_CPU": cpu} if cpu else None
        assert digests(line, place, tmp_path, more=["-t", threads], env=env) == first
