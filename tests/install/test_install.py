"""An installed tree serves a user: pkg-config, CMake, C and C++, the example of the header, the symbols that show."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("AQ_BUILD", ROOT / "build" / "release"))

sys.path.insert(0, str(ROOT / "tests" / "interop"))
sys.path.append(str(ROOT / "tests" / "cli"))
from conftest import dequantize, read_pyarrow, small_model, write_safetensors  # noqa: E402
from tiny_bert import make_encoder  # noqa: E402

HEADERS = ["arrowquant.h", "arrowquant_experimental.h"]

FRAME = """
#include <arrowquant.h>
#include <stdio.h>
#include <stdlib.h>
static int fail(const aq_error *err) { fprintf(stderr, "%s\\n", err->message); return 1; }
int main(void) {
EXAMPLE
  if (st != AQ_OK) return fail(&err);
  printf("%.9g %.9g\\n", (double)values[0], (double)values[1]);
  free(values);
  return 0;
}
"""


def call(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("installed")
    call("cmake", "--install", BUILD, "--prefix", prefix)
    return prefix


@pytest.fixture(scope="module")
def libdir(prefix):
    return next(prefix.rglob("libarrowquant.so")).parent


@pytest.fixture(scope="module")
def pkg_config(libdir):
    env = {**os.environ, "PKG_CONFIG_PATH": str(libdir / "pkgconfig")}
    return lambda *options: call("pkg-config", *options, "arrowquant", env=env).split()


@pytest.fixture(scope="module")
def models(prefix, tmp_path_factory):
    """A folder with model.safetensors, and the V2 table that the installed command makes of it."""
    folder = tmp_path_factory.mktemp("models")
    write_safetensors(folder / "model.safetensors", small_model())
    call(prefix / "bin" / "arrowquant", "quantize", folder / "model.safetensors", "-o", folder / "table.parquet",
         "--type", "int4")
    return folder


def run_linked(program, libdir, *args, **options):
    return call(program, *args, env={**os.environ, "LD_LIBRARY_PATH": str(libdir)}, **options)


def expected_lines(table):
    """What tensors.c prints, from pyarrow and numpy."""
    rows = {row["layer_name"]: row for row in read_pyarrow(table)}
    return {name: float(dequantize(row)[0]) for name, row in rows.items() if row["quant_type"] == "int4"}


def check_printed(text, table):
    found = dict(re.findall(r"^(\S+) int4 (\S+)$", text, flags=re.M))
    for name, value in expected_lines(table).items():
        assert float(found[name]) == pytest.approx(value, rel=1e-8), name


def test_installed_tree_has_everything(prefix, libdir):
    version = re.search(r'AQ_VERSION_STRING "([0-9.]+)"', (ROOT / "include" / "arrowquant.h").read_text())[1]
    assert sorted(path.name for path in (prefix / "include").iterdir()) == sorted(HEADERS)
    for header in HEADERS:
        assert (prefix / "include" / header).read_bytes() == (ROOT / "include" / header).read_bytes()
    assert (libdir / f"libarrowquant.so.{version}").is_file()
    assert (libdir / f"libarrowquant.so.{version.split('.')[0]}").is_symlink()
    assert (libdir / "libarrowquant.a").is_file()
    assert (libdir / "cmake" / "arrowquant" / "arrowquantConfig.cmake").is_file()
    assert (prefix / "share" / "man" / "man1" / "arrowquant.1").is_file()
    assert version in call(prefix / "bin" / "arrowquant", "--version")


def test_pkg_config_names_the_version_and_the_private_libraries(pkg_config, libdir):
    assert pkg_config("--modversion") == [re.search(r"VERSION_STRING \"(.*)\"", (
        ROOT / "include" / "arrowquant.h").read_text())[1]]
    assert "-larrowquant" in pkg_config("--libs") and "-lzstd" not in pkg_config("--libs")
    assert {"-lzstd", "-lsnappy", "-ljansson"} <= set(pkg_config("--static", "--libs"))


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_example_of_the_header_builds_and_reads_a_v2_file(models, pkg_config, libdir, tmp_path, compiler):
    text = (ROOT / "include" / "arrowquant.h").read_text()
    example = "\n".join(line[3:] for line in text[:text.index("Ownership:")].splitlines()
                        if line.startswith(" *     "))
    (tmp_path / "example.c").write_text(FRAME.replace("EXAMPLE", example))
    call(compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", tmp_path / "example.c", "-o", tmp_path / "example",
         *pkg_config("--cflags", "--libs"))
    shutil.copy(models / "model.safetensors", tmp_path)
    printed = run_linked(tmp_path / "example", libdir, cwd=tmp_path)
    row = read_pyarrow(tmp_path / "model.parquet")[0]
    assert row["quant_type"] == "int4"
    assert [float(x) for x in printed.split()] == pytest.approx(dequantize(row)[:2], rel=1e-8)


@pytest.fixture(scope="module", params=["gcc", "clang"])
def example(request, pkg_config, libdir, tmp_path_factory):
    """Builds a program of examples/ as its head says, with every warning an error, and runs it."""
    folder = tmp_path_factory.mktemp(f"examples-{request.param}")

    def run_example(name, *args, status=0):
        program = folder / name
        if not program.exists():
            call(request.param, "-std=c11", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror",
                 ROOT / "examples" / f"{name}.c", "-o", program, *pkg_config("--cflags", "--libs"), "-lm")
        done = subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "LD_LIBRARY_PATH": str(libdir)})
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if status == 0 else done.stderr

    return run_example


def test_every_program_of_the_examples_is_tested():
    assert {path.stem for path in (ROOT / "examples").glob("*.c")} == {"quantize", "embed", "stream"}


def test_example_that_quantizes_reads_back_what_it_made(example, prefix, models, tmp_path):
    table = tmp_path / "table.parquet"
    *lines, figures = [
        line.split() for line in example("quantize", models / "model.safetensors", table, "int4").splitlines()]
    totals = json.loads(call(prefix / "bin" / "arrowquant", "info", table, "--json"))["totals"]
    assert 4 < float(figures[0]) < totals["bits_per_weight"]
    rows = {row["layer_name"]: row for row in read_pyarrow(table)}
    assert {name for name, *_ in lines} == set(small_model())
    checked = 0
    for name, kind, count, rmse in lines:
        dtype, before = small_model()[name]
        assert int(count) == numpy.size(before)
        if kind != "int4":
            assert float(rmse) == 0
        elif dtype == "F32" and name in rows:
            error = dequantize(rows[name]).astype(numpy.float64).ravel() - before.astype(numpy.float64).ravel()
            assert float(rmse) == pytest.approx(numpy.sqrt(numpy.mean(error ** 2)), rel=1e-6), name
            checked += float(rmse) > 0
    assert checked > 2
    assert "exists already" in example("quantize", models / "model.safetensors", table, status=1)
    assert "usage" in example("quantize", status=2)


def test_example_that_embeds_finds_the_nearest_texts(example, prefix, tmp_path):
    make_encoder(tmp_path / "encoder")
    (tmp_path / "texts").write_text("a cat\nsome dogs run\na cat\n")
    assert example("embed", tmp_path / "encoder", tmp_path / "texts") == (
        "3 texts, 16 numbers each\nnearest: 1.000000\n  a cat\n  a cat\n")
    (tmp_path / "texts.jsonl").write_text('{"text": "one", "n": NaN}\n')
    call(prefix / "bin" / "arrowquant", "quantize", tmp_path / "encoder", "-o", tmp_path / "table.parquet", "-q")
    assert example("embed", tmp_path / "table.parquet", tmp_path / "texts.jsonl") == "1 texts, 16 numbers each\n"
    (tmp_path / "texts").write_bytes(b"\xff\xfea\0")
    assert "UTF-16" in example("embed", tmp_path / "encoder", tmp_path / "texts", status=1)
    (tmp_path / "texts").write_text("a\n")
    assert "does not exist" in example("embed", tmp_path / "absent", tmp_path / "texts", status=1)


def test_example_that_streams_names_every_tensor(example, models):
    *names, end = example("stream", models / "table.parquet").splitlines()
    assert sorted(names) == sorted(small_model())
    assert re.fullmatch(rf"{len(names)} rows in [0-9]+ batches", end)
    assert "does not exist" in example("stream", models / "absent", status=1)


def test_static_library_links_with_what_pkg_config_names(models, pkg_config, libdir, tmp_path):
    libraries = [str(libdir / "libarrowquant.a") if word == "-larrowquant" else word
                 for word in pkg_config("--static", "--libs")]
    call("gcc", "-std=c11", HERE / "tensors.c", "-o", tmp_path / "tensors", *pkg_config("--cflags"), *libraries)
    check_printed(call(tmp_path / "tensors", models / "table.parquet"), models / "table.parquet")
    assert "libarrowquant" not in call("ldd", tmp_path / "tensors")


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_cmake_package_serves_a_program(models, prefix, libdir, tmp_path, kind):
    call("cmake", "-S", HERE / "consumer", "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}")
    call("cmake", "--build", tmp_path, "--target", f"{kind}_consumer")
    check_printed(run_linked(tmp_path / f"{kind}_consumer", libdir, models / "table.parquet"),
                  models / "table.parquet")


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("command", [
    ["gcc", "-std=c11", "-x", "c", "-pedantic-errors"], ["clang", "-std=c11", "-x", "c", "-pedantic-errors"],
    ["gcc", "-std=c17", "-x", "c"], ["g++", "-std=c++11", "-x", "c++", "-pedantic-errors"],
    ["g++", "-std=c++20", "-x", "c++"], ["clang++", "-std=c++17", "-x", "c++"]], ids=" ".join)
def test_header_compiles_alone(prefix, tmp_path, header, command):
    (tmp_path / "alone").write_text(f'#include "{header}"\nint main() {{ aq_quantize_options o; '
                                    "aq_quantize_options_init(&o); return aq_version() == 0 || o.run.threads > 0; }\n")
    call(*command, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", prefix / "include", tmp_path / "alone")


def test_shared_library_shows_the_declared_functions_and_no_others(libdir):
    call(ROOT / "scripts" / "check-symbols", libdir / "libarrowquant.so", libdir / "libarrowquant.a")


def test_check_symbols_finds_a_foreign_symbol(tmp_path):
    (tmp_path / "x.c").write_text("int helper(void) { return 1; }\n")
    call("gcc", "-shared", "-fPIC", tmp_path / "x.c", "-o", tmp_path / "libx.so")
    done = subprocess.run([ROOT / "scripts" / "check-symbols", tmp_path / "libx.so"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "helper is exported" in done.stderr and "aq_version is declared" in done.stderr


def test_install_honours_destdir(tmp_path):
    call("cmake", "--install", BUILD, "--prefix", "/usr/local", env={**os.environ, "DESTDIR": str(tmp_path)})
    assert (tmp_path / "usr" / "local" / "bin" / "arrowquant").is_file()
