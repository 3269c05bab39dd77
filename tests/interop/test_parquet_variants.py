"""Files of four Parquet writers in every variant, read by our reader: every value must be the same.

AQ_PQDUMP names the pqdump program (tests/interop/CMakeLists.txt builds it)."""

import json
import os
import random
import subprocess
import zlib

import pytest

duckdb = pytest.importorskip("duckdb")
fastparquet = pytest.importorskip("fastparquet")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

FIELDS = [  # the columns of schema V2, docs/FORMAT.md; the first five are V1
    ("layer_name", pa.string()),
    ("shape", pa.list_(pa.field("element", pa.int32()))),
    ("dtype", pa.string()),
    ("data", pa.binary()),
    ("num_params", pa.int64()),
    ("quant_type", pa.string()),
    ("scales", pa.binary()),
    ("zero_points", pa.binary()),
    ("quant_axis", pa.int32()),
    ("group_size", pa.int32()),
]
NAMES = [name for name, _ in FIELDS]
CODECS = ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]
STRINGS = ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"]
INTEGERS = ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]


def make_rows(count=40, seed=1, largest=90000):
    """Rows with scalars, empty values, text outside ASCII, and data that compresses well, badly and not at all."""
    rng = random.Random(seed)
    rows = []
    for i in range(count):
        size = [0, 1, 3, 1000, largest][i % 5]
        data = [bytes(size), rng.randbytes(size), (b"abcd" * (size // 4 + 1))[:size]][i % 3]
        scales = rng.randbytes(4 * (i % 9))
        rows.append({
            "layer_name": f"encoder.layer.{i // 4}.attention.{['query', 'kéy', '值', 'out'][i % 4]}.weight",
            "shape": [[], [0], [size], [2, 3, 5], [1, 1, 1, 7]][i % 5],
            "dtype": ["torch.float32", "torch.float16", "torch.int64"][i % 3],
            "data": data,
            "num_params": [1, 0, size, 30, 2**40 + i][i % 5],
            "quant_type": ["int8", "int4", "int3", "int2", "fp32"][i % 5],
            "scales": scales,
            "zero_points": scales[::-1],
            "quant_axis": (i % 2) - 1,
            "group_size": [0, 32, 64, 2**31 - 1][i % 4],
        })
    return rows


ROWS = make_rows()


def table(rows=ROWS, fields=FIELDS, nullable=True, **types):
    """An Arrow table of the rows; types replaces the type of a column, or of several (string=..., binary=...)."""
    out = []
    for name, kind in fields:
        kind = types.get(name, types.get(str(kind), kind))
        out.append(pa.field(name, kind, nullable=nullable))
    columns = [pa.array([row[f.name] for row in rows], f.type if not pa.types.is_dictionary(f.type) else pa.string())
               for f in out]
    columns = [c.dictionary_encode() if pa.types.is_dictionary(f.type) else c for c, f in zip(columns, out)]
    return pa.table(columns, schema=pa.schema(out))


def dump(path, piece=777, memory=0, expect=0):
    program = os.environ.get("AQ_PQDUMP")
    assert program, "set AQ_PQDUMP to the path of the pqdump program"
    done = subprocess.run([program, str(path), str(piece), str(memory)], capture_output=True)
    assert done.returncode == expect, done.stderr.decode(errors="replace")
    if expect:
        return done.stderr.decode()
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[0], lines[1:]


def as_dumped(value):
    if isinstance(value, (bytes, bytearray)):
        return {"size": len(value), "crc": zlib.crc32(value)}
    return value


def check(path, rows=ROWS, names=NAMES, piece=777, memory=0):
    """Every row and column is as it was written; returns the summary and the dumped rows."""
    summary, found = dump(path, piece, memory)
    assert summary["rows"] == len(rows) == len(found)
    for want, got in zip(rows, found):
        for name in names:
            value = got[name]
            if isinstance(value, dict):
                value = {k: value[k] for k in ("size", "crc")}
            assert value == as_dumped(want[name]), (name, want["layer_name"])
    return summary, found


def write(tmp_path, t, **options):
    path = tmp_path / "t.parquet"
    options.setdefault("write_page_checksum", True)
    pq.write_table(t, path, **options)
    return path


# ---- pyarrow: codecs, pages, encodings -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("codec", CODECS)
def test_codec_and_page_version(tmp_path, codec, dictionary, version):
    path = write(tmp_path, table(), compression=codec, use_dictionary=dictionary, data_page_version=version,
                 data_page_size=2000, row_group_size=17, write_batch_size=4)
    summary, _ = check(path)
    assert summary["groups"] == 3
    assert summary["crcs"] == summary["pages"] > 30


@pytest.mark.parametrize("codec", CODECS)
def test_one_large_page(tmp_path, codec):
    """A page of many values is the same through views, copies and pieces of any size."""
    path = write(tmp_path, table(), compression=codec, use_dictionary=False, data_page_size=1 << 30)
    for piece in (1, 4096, 1 << 20):
        rows = ROWS if piece > 1 else ROWS[:4]
        check(write(tmp_path, table(rows), compression=codec, use_dictionary=False), rows, piece=piece)
    _, found = check(path)
    data = [row["data"] for row in found]
    assert all(d["view"] == (codec == "none") for d in data if d["size"] > 0)
    assert sum(d["stored"] for d in data) <= path.stat().st_size


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("encoding", STRINGS)
def test_encoding_of_bytes(tmp_path, encoding, version):
    columns = [name for name, kind in FIELDS if kind in (pa.string(), pa.binary())]
    for codec in ("none", "zstd"):
        path = write(tmp_path, table(), use_dictionary=False, column_encoding={c: encoding for c in columns},
                     data_page_version=version, compression=codec, data_page_size=3000, write_batch_size=4)
        check(path)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("encoding", INTEGERS)
def test_encoding_of_integers(tmp_path, encoding, version):
    columns = ["num_params", "quant_axis", "group_size", "shape.list.element"]
    rows = make_rows(700, largest=50)
    path = write(tmp_path, table(rows), use_dictionary=False, column_encoding={c: encoding for c in columns},
                 data_page_version=version, data_page_size=500, write_batch_size=64)
    check(path, rows)


def test_delta_of_extreme_integers(tmp_path):
    values = [0, -1, 2**63 - 1, -2**63, 5] * 60
    small = [0, -1, 2**31 - 1, -2**31, 5] * 60
    t = pa.table({"a": pa.array(values, pa.int64()), "b": pa.array(small, pa.int32())})
    path = write(tmp_path, t, use_dictionary=False, column_encoding="DELTA_BINARY_PACKED")
    check(path, [{"a": a, "b": b, "layer_name": ""} for a, b in zip(values, small)], ["a", "b"])


def test_dictionary_that_overflows_into_plain_pages(tmp_path):
    rows = make_rows(3000, largest=40)
    path = write(tmp_path, table(rows), dictionary_pagesize_limit=500, data_page_size=1000, write_batch_size=50)
    check(path, rows)


# ---- pyarrow: schema -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    {"write_page_index": True}, {"write_page_checksum": False}, {"store_schema": False}, {"write_statistics": False},
    {"use_compliant_nested_type": False}, {"version": "1.0"}, {"version": "2.4"}, {"row_group_size": 1},
    {"store_decimal_as_integer": True}, {"sorting_columns": [pq.SortingColumn(0)]},
], ids=lambda o: "-".join(o))
def test_option(tmp_path, options):
    summary, _ = check(write(tmp_path, table(), **options))
    assert summary["created_by"].startswith("parquet-cpp-arrow")
    assert summary["columns"]["shape"] == "list"


@pytest.mark.parametrize("types", [
    {"string": pa.large_string()}, {"binary": pa.large_binary()}, {"dtype": pa.dictionary(pa.int32(), pa.string())},
    {"shape": pa.list_(pa.field("item", pa.int32()))}, {"shape": pa.large_list(pa.int32())},
    {"shape": pa.list_(pa.field("x", pa.int32(), nullable=False))}, {"shape": pa.list_(pa.int64())},
    {"shape": pa.list_(pa.uint16())}, {"num_params": pa.uint64()}, {"num_params": pa.uint32()},
    {"quant_axis": pa.int8()}, {"group_size": pa.int64()},
    {"string": pa.string_view(), "binary": pa.binary_view()},
], ids=str)
@pytest.mark.parametrize("nullable", [True, False])
def test_type(tmp_path, types, nullable):
    rows = [dict(row, num_params=row["num_params"] % 2**32) for row in ROWS]
    check(write(tmp_path, table(rows, nullable=nullable, **types), data_page_size=5000), rows)


def test_unsigned_above_the_sign_bit(tmp_path):
    rows = [{"layer_name": "", "num_params": 2**32 - 1}, {"layer_name": "", "num_params": 0}]
    t = pa.table({"num_params": pa.array([r["num_params"] for r in rows], pa.uint32())})
    check(write(tmp_path, t), rows, ["num_params"])
    t = pa.table({"num_params": pa.array([2**63], pa.uint64())})
    assert "2^63" in dump(write(tmp_path, t), expect=3)


def test_columns_in_another_order_and_others(tmp_path):
    t = table()
    t = t.select(list(reversed(NAMES)))
    t = t.add_column(2, "when", pa.array([1] * len(ROWS), pa.timestamp("us")))
    t = t.add_column(4, "nested", pa.array([{"a": [1, 2], "b": {"c": "x"}}] * len(ROWS)))
    t = t.append_column("f", pa.array([1.5] * len(ROWS)))
    t = t.append_column("d", pa.array([1] * len(ROWS), pa.decimal128(5, 2)))
    t = t.append_column("flags", pa.array([[True]] * len(ROWS)))
    summary, _ = check(write(tmp_path, t, row_group_size=7))
    assert [summary["columns"][c] for c in ("when", "nested", "d", "flags")] == ["other"] * 4
    assert summary["columns"]["f"] == "real"


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["none", "snappy"])
def test_nulls(tmp_path, codec, version):
    rows = [{n: None if (i * 7 + k) % 3 == 0 else row[n] for k, n in enumerate(NAMES)} for i, row in enumerate(ROWS)]
    for dictionary in (True, False):
        path = write(tmp_path, table(rows), compression=codec, data_page_version=version, data_page_size=1500, write_batch_size=3,
                     use_dictionary=dictionary)
        check(path, rows)
    rows = [dict.fromkeys(NAMES) for _ in range(2000)]
    check(write(tmp_path, table(rows), compression=codec, data_page_version=version), rows)


def test_null_element_is_refused(tmp_path):
    t = pa.table({"shape": pa.array([[1, None]], pa.list_(pa.int32()))})
    assert "null element" in dump(write(tmp_path, t), expect=3)
    t = pa.table({"shape": pa.array([[2**31]], pa.list_(pa.int64()))})
    assert "32 bits" in dump(write(tmp_path, t), expect=3)


def test_empty_tables(tmp_path):
    for options in ({}, {"use_dictionary": False}, {"compression": "none"}):
        check(write(tmp_path, table([]), **options), [])
    writer = pq.ParquetWriter(tmp_path / "w.parquet", table().schema)
    writer.close()
    check(tmp_path / "w.parquet", [])
    with pq.ParquetWriter(tmp_path / "w.parquet", table().schema) as writer:  # an empty row group between others
        writer.write_table(table(ROWS[:3]))
        writer.write_table(table([]))
        writer.write_table(table(ROWS[3:]))
    check(tmp_path / "w.parquet")


def test_v1_schema_and_metadata(tmp_path):
    t = table(fields=FIELDS[:5]).replace_schema_metadata({"arrowquant.format": "1", "empty": ""})
    summary, _ = check(write(tmp_path, t), names=NAMES[:5])
    assert summary["metadata"]["arrowquant.format"] == "1" and summary["metadata"]["empty"] == ""


def test_long_lists_over_many_pages(tmp_path):
    rows = [{"layer_name": "", "shape": list(range(i * 37 % 900))} for i in range(60)]
    t = pa.table({"shape": pa.array([r["shape"] for r in rows], pa.list_(pa.int32()))})
    for version in ("1.0", "2.0"):
        path = write(tmp_path, t, data_page_size=256, use_dictionary=False, data_page_version=version,
                     write_batch_size=100)
        check(path, rows, ["shape"])


def test_statistics_of_large_values_are_skipped(tmp_path):
    rows = make_rows(5, largest=3_000_000)
    check(write(tmp_path, table(rows), compression="none", write_statistics=True), rows, piece=500_000)


def test_memory_limit(tmp_path):
    path = write(tmp_path, table(), compression="zstd", use_dictionary=False)
    check(path, memory=8 << 20)
    assert "out of memory" in dump(path, memory=100_000, expect=3)


def test_encryption_is_named(tmp_path):
    pe = pytest.importorskip("pyarrow.parquet.encryption")

    class Kms(pe.KmsClient):
        def wrap_key(self, key_bytes, master_key_identifier):
            return key_bytes.hex()

        def unwrap_key(self, wrapped_key, master_key_identifier):
            return bytes.fromhex(wrapped_key)

    for plaintext_footer in (False, True):
        config = pe.EncryptionConfiguration(footer_key="f", column_keys={"c": ["data"]},
                                            plaintext_footer=plaintext_footer)
        factory = pe.CryptoFactory(lambda _: Kms())
        properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
        path = tmp_path / "e.parquet"
        pq.write_table(table(), path, encryption_properties=properties)
        said = dump(path, expect=3)
        assert "unsupported" in said and "encrypted" in said


# ---- damage ----------------------------------------------------------------------------------------------------------


def test_every_damaged_byte_of_a_page_is_noticed(tmp_path):
    path = write(tmp_path, table(ROWS[:4]), compression="zstd")
    good = path.read_bytes()
    meta = pq.ParquetFile(path).metadata.row_group(0)
    for c in range(meta.num_columns):
        chunk = meta.column(c)
        at = chunk.data_page_offset + chunk.total_compressed_size // 2
        bad = bytearray(good)
        bad[min(at, len(bad) - 1)] ^= 0x40
        path.write_bytes(bad)
        assert dump(path, expect=3)


def test_cut_files_are_refused(tmp_path):
    path = write(tmp_path, table(ROWS[:2]))
    good = path.read_bytes()
    for size in list(range(0, 40)) + [len(good) // 2, len(good) - 1]:
        path.write_bytes(good[:size])
        assert "Parquet" in dump(path, expect=3) or size > 11


# ---- other writers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize("codec", ["uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4", "lz4_raw"])
def test_duckdb(tmp_path, codec, version):
    source = write(tmp_path, table())
    path = tmp_path / "d.parquet"
    duckdb.connect().execute(f"copy (select * from read_parquet('{source}')) to '{path}' "
                             f"(format parquet, codec '{codec}', parquet_version {version}, row_group_size 2048)")
    summary, _ = check(path)
    assert "DuckDB" in summary["created_by"]


@pytest.mark.parametrize("codec", ["uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4"])
def test_polars(tmp_path, codec):
    path = tmp_path / "p.parquet"
    frame = pl.from_arrow(table())
    for options in ({}, {"row_group_size": 9, "data_page_size": 1000}, {"statistics": "full"}):
        frame.write_parquet(path, compression=codec, **options)
        summary, _ = check(path)
        assert "Polars" in summary["created_by"]


@pytest.mark.parametrize("codec", ["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "BROTLI", "LZ4_RAW", "LZ4"])
@pytest.mark.parametrize("has_nulls", [True, False])
def test_fastparquet(tmp_path, codec, has_nulls):
    """fastparquet has no lists of integers; it can write the other nine columns."""
    import pandas
    names = [n for n in NAMES if n != "shape"]
    frame = pandas.DataFrame({n: pandas.Series([r[n] for r in ROWS], dtype=None if isinstance(ROWS[0][n], int)
                                               else object) for n in names})
    encodings = {n: "bytes" if isinstance(ROWS[0][n], bytes) else "utf8" for n in names
                 if not isinstance(ROWS[0][n], int)}
    path = tmp_path / "f.parquet"
    fastparquet.write(str(path), frame, compression=codec, object_encoding=encodings, has_nulls=has_nulls,
                      row_group_offsets=13)
    summary, _ = check(path, names=names)
    assert "fastparquet" in summary["created_by"]


# ---- our own writer --------------------------------------------------------------------------------------------------

PQMAKE = os.environ.get("AQ_PQMAKE")


@pytest.mark.skipif(not PQMAKE, reason="AQ_PQMAKE is not set")
@pytest.mark.parametrize("codec", ["auto", "none", "zstd", "zstd:9", "brotli", "lz4", "snappy"])
def test_our_own_files(tmp_path, codec):
    """Streamed and copied values; a piece needs memory for some frames, not for the value."""
    rows = make_rows(12, largest=5_000_000)
    kinds = {pa.string(): "string", pa.binary(): "binary", pa.int64(): "int64", pa.int32(): "int32"}
    columns = [{"name": n, "kind": kinds.get(k, "list"), "blob": k == pa.binary()} for n, k in FIELDS]
    blobs, cells = bytearray(), []
    for row in rows:
        cells.append([])
        for name in NAMES:
            cell = row[name]
            if isinstance(cell, bytes):
                blobs += cell
                cell = {"file": str(tmp_path / "blobs"), "offset": len(blobs) - len(cell), "size": len(cell),
                        "fill": name == "data" and len(cell) > 1_000_000}
            cells[-1].append(cell)
    (tmp_path / "blobs").write_bytes(blobs)
    spec = {"codec": codec, "row_group_bytes": 4_000_000, "threads": 2, "metadata": {"k": "v"}, "columns": columns,
            "rows": cells}
    (tmp_path / "spec").write_text(json.dumps(spec))
    subprocess.run([PQMAKE, tmp_path / "spec", tmp_path / "t.parquet"], check=True)
    summary, _ = check(tmp_path / "t.parquet", rows, piece=3 << 18)
    assert summary["crcs"] == summary["pages"] and summary["metadata"]["k"] == "v"
