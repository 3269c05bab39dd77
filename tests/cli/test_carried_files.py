"""The model files that a table carries: large ones compressed, small ones as text, both read alike; damage is named."""
import base64
import json
import shutil

import pytest
import tiny_bert
from cli_helpers import done, refused

KEY, ZSTD_KEY = "arrowquant.file.", "arrowquant.file_zstd."
VOCABULARY = [*tiny_bert.WORDS, *(f"word{i}" for i in range(2500))]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An encoder with a vocabulary of 24 kB, and its V1 and int8 tables away from it."""
    folder = tmp_path_factory.mktemp("carried")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_bert, "WORDS", VOCABULARY)
        tiny_bert.make_encoder(folder / "encoder")
    (folder / "tables").mkdir()
    done("convert", "encoder", "-o", "tables/v1.parquet", cwd=folder)
    done("quantize", "encoder", "-o", "tables/v2.parquet", "--type", "int8", cwd=folder)
    return folder


def info(table, cwd):
    return json.loads(done("info", table, "--json", cwd=cwd).stdout)


def pairs(table, cwd):
    return {m["key"]: m["value"] for m in info(table, cwd)["metadata"]}


def files_of(table, cwd):
    return {key: value for key, value in pairs(table, cwd).items() if key.startswith("arrowquant.file")}


def test_large_files_are_compressed_and_small_ones_are_text(made):
    files = files_of("tables/v1.parquet", made)
    assert list(files) == [KEY + "config.json", ZSTD_KEY + "vocab.txt"]
    assert files[KEY + "config.json"] == (made / "encoder" / "config.json").read_text()
    frame, size = base64.b64decode(files[ZSTD_KEY + "vocab.txt"], validate=True), (made / "encoder" / "vocab.txt").stat().st_size
    assert frame[:4] == b"\x28\xb5\x2f\xfd" and frame[4] & 0x04  # a zstd frame with a checksum
    assert len(files[ZSTD_KEY + "vocab.txt"]) < size / 2
    assert files_of("tables/v2.parquet", made) == files


@pytest.mark.parametrize("table", ["v1.parquet", "v2.parquet"])
def test_tables_are_run_by_themselves(made, table):
    texts = ["--text=word7 cat", "--text=word2499"]
    assert (done("tokenize", f"tables/{table}", *texts, cwd=made).stdout
            == done("tokenize", "encoder", *texts, cwd=made).stdout)
    vectors = done("embed", f"tables/{table}", *texts, cwd=made).stdout
    if table == "v1.parquet":
        assert vectors == done("embed", "encoder", *texts, cwd=made).stdout


def test_the_next_table_carries_the_same_values(made, tmp_path):
    for source, options in {"v1.parquet": [], "v2.parquet": ["--allow-requantize"]}.items():
        done("quantize", made / "tables" / source, "-o", f"of-{source}", "--type", "int4", *options, cwd=tmp_path)
        assert files_of(f"of-{source}", tmp_path) == files_of(f"tables/{source}", made)


def test_sizes_are_those_of_the_values(made):
    table = info("tables/v2.parquet", made)
    size = sum(len(key) + len(value) for key, value in files_of("tables/v2.parquet", made).items())
    assert table["source"]["model_files_bytes"] == size
    planned = json.loads(done("quantize", "encoder", "-o", "x.parquet", "--dry-run", "--json", cwd=made).stdout)
    assert planned["estimate"]["model_files_bytes"] == size
    vocabulary = (made / "encoder" / "vocab.txt").stat().st_size
    assert [m["text_bytes"] for m in table["metadata"] if "text_bytes" in m] == [vocabulary]
    said = done("info", "tables/v2.parquet", cwd=made).stdout
    assert f"  {ZSTD_KEY}vocab.txt = a text of {vocabulary / 1000:.1f} kB, as zstd in base64 (" in said


@pytest.mark.parametrize("size", [70_000, 60_000])
def test_a_size_counts_the_values(made, tmp_path, size):
    done("quantize", made / "encoder", "-o", "t.parquet", "--target-size", size, "--calib", "none", cwd=tmp_path)
    # Less is left than the vocabulary would take as text; a footer is counted with some room.
    assert size - 10_000 < (tmp_path / "t.parquet").stat().st_size <= size


def damaged(made, tmp_path, place):
    """The V1 table with one character of the vocabulary's value changed, and all lengths as they were."""
    table = bytearray((made / "tables" / "v1.parquet").read_bytes())
    value = files_of("tables/v1.parquet", made)[ZSTD_KEY + "vocab.txt"].encode()
    at = table.index(value) + (place if place >= 0 else len(value) + place)
    table[at] = ord("A") if table[at] != ord("A") else ord("B")
    (tmp_path / "d.parquet").write_bytes(table)
    return tmp_path


@pytest.mark.parametrize("place", [0, 9, 500, -3])
def test_damage_is_named_and_not_passed_over(made, tmp_path, place):
    folder = damaged(made, tmp_path, place)
    says = [ZSTD_KEY + "vocab.txt", "Make the table again"]
    for command in (["embed", "d.parquet", "--text", "cat"], ["tokenize", "d.parquet", "--text", "cat"],
                    ["quantize", "d.parquet", "-o", "x.parquet", "--type", "int4"],
                    ["quantize", "d.parquet", "-o", "x.parquet", "--target-size", "80kB"],
                    ["validate", "d.parquet", "-o", "out"]):
        refused(*command, cwd=folder, status=3, says=says)
    told = done("verify", "d.parquet", cwd=folder, status=3)
    assert "NOT OK: 1 problem" in told.stdout and ZSTD_KEY + "vocab.txt" in told.stdout
    done("export", "d.parquet", "-o", "x.safetensors", cwd=folder)
    said = done("info", "d.parquet", cwd=folder).stdout
    assert (f"{ZSTD_KEY}vocab.txt = damaged" in said) == (place == 0)  # later damage takes unpacking to be seen


@pytest.mark.parametrize("command", [["convert"], ["quantize"], ["quantize", "--dry-run"],
                                     ["quantize", "--target-bpw=6", "--calib=none", "--dry-run"]])
def test_a_file_that_stays_behind_is_told_once(made, tmp_path, command):
    shutil.copytree(made / "encoder", tmp_path / "encoder")
    (tmp_path / "encoder" / "added_tokens.json").write_bytes(b'{"caf\xe9": 7}')
    report = json.loads(done(*command, "encoder", "-o", "x.parquet", "--json", cwd=tmp_path).stdout)
    assert report["warnings"].count("added_tokens.json is not UTF-8, and does not travel with a table") == 1
