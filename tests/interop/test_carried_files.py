"""The model files in a table's metadata, as docs/FORMAT.md tells other readers to read them, and as others may write them."""
import base64
import json
import struct

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import run

KEY, ZSTD_KEY = "arrowquant.file.", "arrowquant.file_zstd."
TOKENIZER = "tokenizer.json"


@pytest.fixture(scope="module")
def tables(minilm, tmp_path_factory):
    """MiniLM as V1, away from its folder."""
    folder = tmp_path_factory.mktemp("carried")
    run("convert", minilm, "-o", folder / "v1.parquet", "--dtype", "fp16")
    return folder


def frame_of(text):
    """A zstd frame with the content size, without a checksum: pyarrow writes no other."""
    return pa.compress(text, codec="zstd", asbytes=True)


def rewritten(tables, name, changes):
    """The table as pyarrow writes it again, with some keys changed, or taken out where they are None."""
    table = pq.read_table(tables / "v1.parquet")
    metadata = {k.decode(): v for k, v in table.schema.metadata.items()} | changes
    pq.write_table(table.replace_schema_metadata({k: v for k, v in metadata.items() if v is not None}), tables / name)
    return tables / name


def vectors(table, expect=0):
    done = run("embed", table, "--text", "Café résumé, 数据", "--text", "a second text", expect=expect)
    return done.stdout if expect == 0 else done.stderr


def test_the_lines_of_the_format_page_read_a_file(tables, minilm):
    value = pq.read_metadata(tables / "v1.parquet").metadata[b"arrowquant.file_zstd.tokenizer.json"]
    text = pa.input_stream(pa.BufferReader(base64.b64decode(value)), compression="zstd").read()
    assert text == (minilm / TOKENIZER).read_bytes()


def test_duckdb_reads_both_forms(tables, minilm):
    said = duckdb.sql("SELECT decode(key) AS key, decode(value) AS value, value AS raw FROM "
                      f"parquet_kv_metadata('{tables / 'v1.parquet'}')")
    layers = duckdb.sql(f"SELECT value->>'num_hidden_layers' FROM said WHERE key = '{KEY}config.json'").fetchall()
    assert layers == [("6",)]
    (frame,), = duckdb.sql(f"SELECT from_base64(value) FROM said WHERE key = '{ZSTD_KEY}{TOKENIZER}'").fetchall()
    assert pa.input_stream(pa.BufferReader(frame), compression="zstd").read() == (minilm / TOKENIZER).read_bytes()


@pytest.mark.parametrize("form", ["as it was", "plain", "of pyarrow"])
def test_tables_in_every_form_give_the_same_vectors(tables, minilm, form):
    text = (minilm / TOKENIZER).read_text(encoding="utf-8")
    changes = {"as it was": {},
               "plain": {ZSTD_KEY + TOKENIZER: None, KEY + TOKENIZER: text},
               "of pyarrow": {ZSTD_KEY + TOKENIZER: base64.b64encode(frame_of(text.encode()))}}[form]
    table = rewritten(tables, "t.parquet", changes)
    assert vectors(table) == vectors(tables / "v1.parquet")
    run("quantize", table, "-o", tables / "q.parquet", "--type", "int8", "--force")
    carried = json.loads(run("info", tables / "q.parquet", "--json").stdout)["metadata"]
    value = next(m["value"] for m in carried if m["key"] == ZSTD_KEY + TOKENIZER)
    assert pa.input_stream(pa.BufferReader(base64.b64decode(value)), compression="zstd").read() == text.encode()
    assert not any(m["key"] == KEY + TOKENIZER for m in carried)
    if form == "of pyarrow":  # carried on as it is
        assert value.encode() == changes[ZSTD_KEY + TOKENIZER]


def test_parts_of_a_table_carry_their_files(tables):
    table = pq.read_table(tables / "v1.parquet")
    folder = tables / "parts"
    folder.mkdir()
    for i in range(3):
        pq.write_table(table.slice(i * 40, 40), folder / f"part-{i:05}.parquet")
    assert vectors(folder) == vectors(tables / "v1.parquet")


def changed_size(frame, size):
    """The frame with another content size in its header, which has one of four bytes."""
    assert frame[4] >> 6 == 2
    at = 5 if frame[4] & 0x20 else 6
    return frame[:at] + struct.pack("<I", size) + frame[at + 4:]


HOSTILE = {
    "text": (lambda frame: b"{\"model\": {}}", "not base64"),
    "line ends": (lambda frame: base64.encodebytes(frame), "not base64"),
    "no frame": (lambda frame: base64.b64encode(b"PK\x03\x04" + frame), "does not begin as a zstd frame"),
    "cut": (lambda frame: base64.b64encode(frame[:-9]), "cut short"),
    "twice": (lambda frame: base64.b64encode(frame + frame), "bytes follow its zstd frame"),
    "larger": (lambda frame: base64.b64encode(changed_size(frame, 466_248)), "damaged"),
    "smaller": (lambda frame: base64.b64encode(changed_size(frame, 466_246)), "damaged"),
    "huge": (lambda frame: base64.b64encode(changed_size(frame, 0xFFFFFFF0)), "holds a text of 4294967280 bytes"),
    "bomb": (lambda frame: base64.b64encode(frame_of(bytes((64 << 20) + 1))), "holds a text of 67108865 bytes"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_values_are_refused_by_their_key(tables, minilm, kind):
    change, words = HOSTILE[kind]
    text = (minilm / TOKENIZER).read_bytes()
    assert len(text) == 466_247
    told = vectors(rewritten(tables, "h.parquet", {ZSTD_KEY + TOKENIZER: change(frame_of(text))}), expect=3)
    assert ZSTD_KEY + TOKENIZER in told and words in told and told.count("\n") == 1


def test_a_file_in_both_forms_is_refused(tables):
    both = rewritten(tables, "b.parquet", {KEY + TOKENIZER: "{}"})
    told = vectors(both, expect=3)
    assert f"as {KEY}{TOKENIZER} and as {ZSTD_KEY}{TOKENIZER}" in told
    assert "NOT OK" in run("verify", both, expect=3).stdout


def test_the_same_folder_gives_the_same_values(tables, minilm):
    run("convert", minilm, "-o", tables / "again.parquet", "--dtype", "fp16", "-t", "1")
    assert (tables / "again.parquet").read_bytes() == (tables / "v1.parquet").read_bytes()
