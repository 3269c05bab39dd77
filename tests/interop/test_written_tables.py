"""Files of our Parquet writer, read by pyarrow, DuckDB, polars and fastparquet: every byte must be the same.

AQ_PQMAKE names the pqmake program (tests/interop/CMakeLists.txt builds it)."""

import json
import os
import random
import struct
import subprocess

import pytest

PQMAKE = os.environ.get("AQ_PQMAKE")
if not PQMAKE:
    pytest.skip("AQ_PQMAKE is not set", allow_module_level=True)

duckdb = pytest.importorskip("duckdb")
fastparquet = pytest.importorskip("fastparquet")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

BLOCK = 3 << 18  # AQ_PQ_BLOCK
CODECS = ["auto", "none", "zstd", "zstd:9", "brotli", "lz4", "snappy"]

V2 = [
    ("layer_name", "string", False),
    ("shape", "list", False),
    ("dtype", "string", False),
    ("data", "binary", True),
    ("num_params", "int64", False),
    ("quant_type", "string", False),
    ("scales", "binary", True),
    ("zero_points", "binary", True),
    ("quant_axis", "int32", False),
    ("group_size", "int32", False),
]


class Maker:
    """Collects rows as Python values and has pqmake write them."""

    def __init__(self, folder, columns):
        self.folder, self.columns, self.rows, self.spec_rows = folder, columns, [], []
        self.blob_path = os.path.join(folder, "blobs.bin")
        self.blobs = open(self.blob_path, "wb")

    def add(self, *cells, fill=()):
        """fill: numbers of the columns whose bytes are handed over block by block."""
        spec = []
        for i, cell in enumerate(cells):
            if isinstance(cell, bytes):
                offset = self.blobs.tell()
                self.blobs.write(cell)
                cell = {"file": self.blob_path, "offset": offset, "size": len(cell), "fill": i in fill}
            spec.append(cell)
        self.rows.append(cells)
        self.spec_rows.append(spec)

    def write(self, name="out.parquet", expect=0, **spec):
        self.blobs.flush()
        columns = [{"name": n, "kind": k, "blob": b} for n, k, b in self.columns]
        spec = {"codec": "auto", "row_group_bytes": 0, "threads": 2, "metadata": {}, **spec}
        spec_path = os.path.join(self.folder, "spec.json")
        with open(spec_path, "w") as f:
            json.dump({**spec, "columns": columns, "rows": self.spec_rows}, f)
        path = os.path.join(self.folder, name)
        done = subprocess.run([PQMAKE, spec_path, path], capture_output=True, text=True)
        assert done.returncode == expect, done.stderr
        return path if expect == 0 else done.stderr


def with_pyarrow(path):
    table = pq.read_table(path, page_checksum_verification=True)
    table.validate(full=True)
    return [tuple(row.values()) for row in table.to_pylist()]


def with_duckdb(path):
    return duckdb.execute("SELECT * FROM read_parquet(?)", [path]).fetchall()


def with_polars(path):
    return pl.read_parquet(path).rows()


def with_fastparquet(path):
    frame = fastparquet.ParquetFile(path).to_pandas()

    def value(x):
        if isinstance(x, (list, tuple)) or hasattr(x, "tolist") and getattr(x, "ndim", 0) == 1:
            return [int(v) for v in x]
        return None if x is None or x != x else x

    return [tuple(value(x) for x in row) for row in frame.itertuples(index=False, name=None)]


READERS = [with_pyarrow, with_duckdb, with_polars, with_fastparquet]


def check(path, rows, readers=READERS):
    for reader in readers:
        got = reader(path)
        assert len(got) == len(rows), reader.__name__
        for number, (have, want) in enumerate(zip(got, rows)):
            for column, (a, b) in enumerate(zip(have, want)):
                assert a == b, f"{reader.__name__}: row {number}, column {column}"


def codes(size, seed=0):
    """Like int8 codes: bytes from a bell curve, which zstd makes a little smaller."""
    rng = random.Random(seed)
    some = bytes(int(rng.gauss(128, 12)) & 255 for _ in range(min(size, 1 << 14)))
    return (some * (size // len(some) + 1))[:size] if size else b""


def noise(size, seed=0):
    return random.Random(seed).randbytes(size)


def v2_row(name, shape, data, scales=b"", zeros=b"", kind="int8", axis=-1, group=0):
    count = 1
    for d in shape:
        count *= d
    return name, list(shape), "torch.float32", data, count, kind, scales, zeros, axis, group


@pytest.fixture
def maker(tmp_path):
    return Maker(str(tmp_path), V2)


def fill_table(maker):
    maker.add(*v2_row("encoder.weight", [30, 100], codes(3000), struct.pack("<30f", *range(30)), bytes(120), axis=0))
    maker.add(*v2_row("scalar", [], b"\x00\x00\x80\x3f", kind="fp32"))
    maker.add(*v2_row("empty", [0, 5], b"", kind="fp32"))
    maker.add(*v2_row("schicht.gewicht_äöü_層_🙂", [7], noise(7), noise(4), noise(4)))
    for i in range(100):
        maker.add(*v2_row(f"layer.{i}.bias", [i % 5 + 1, 2, 3], noise(6 * (i % 5 + 1), i), b"abcd", b"efgh", group=i))
    maker.add(*v2_row("big.random", [BLOCK * 2 + 11], noise(BLOCK * 2 + 11), b"wxyz", b"\0\0\0\0"))
    maker.add(*v2_row("big.zeros", [BLOCK * 3], bytes(BLOCK * 3), b"wxyz", b"\0\0\0\0"))


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_reads_the_same(maker, codec):
    fill_table(maker)
    path = maker.write(codec=codec, metadata={"arrowquant.x": "ü", "empty": ""})
    check(path, maker.rows)
    meta = pq.read_metadata(path)
    assert meta.metadata[b"arrowquant.x"] == "ü".encode() and meta.metadata[b"empty"] == b""
    assert meta.created_by.startswith("arrowquant version ")


@pytest.mark.parametrize("codec", CODECS)
def test_many_row_groups_read_the_same(maker, codec):
    fill_table(maker)
    path = maker.write(codec=codec, row_group_bytes=1000)
    assert pq.read_metadata(path).num_row_groups > 10
    check(path, maker.rows)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("make", [noise, codes, lambda size: bytes(size)], ids=["noise", "codes", "zeros"])
def test_streamed_rows_read_the_same(maker, codec, make):
    maker.add(*v2_row("before", [3], b"abc"))
    for size in (0, 1, BLOCK, BLOCK + 1, 7 * BLOCK + 12345):
        maker.add(*v2_row(f"streamed.{size}", [size], make(size), b"wxyz", b"\0\0\0\0"), fill=(3,))
    maker.add(*v2_row("after", [3], b"xyz"))
    path = maker.write(codec=codec)
    assert pq.read_metadata(path).num_row_groups == 7
    check(path, maker.rows)


@pytest.mark.parametrize("codec", ["auto", "none", "zstd", "brotli", "lz4"])
def test_nulls_everywhere_read_the_same(maker, codec):
    maker.add(*[None] * len(V2))
    maker.add(*v2_row("x", [], b""))
    maker.add("only a name", *[None] * (len(V2) - 1))
    maker.add(None, [1, 2], None, b"data", 4, None, None, b"", -1, None)
    maker.add(*[None] * len(V2))
    path = maker.write(codec=codec)
    # fastparquet cannot give a null integer back as anything but a float, nor tell a null list from an empty one.
    check(path, maker.rows, [with_pyarrow, with_duckdb, with_polars])


def test_schema_is_what_pyarrow_writes(maker, tmp_path):
    fill_table(maker)
    path = maker.write()
    schema = pa.schema([(n, {"string": pa.string(), "binary": pa.binary(), "int32": pa.int32(), "int64": pa.int64(),
                             "list": pa.list_(pa.int32())}[k]) for n, k, _ in V2])
    assert pq.read_schema(path).equals(schema)
    other = str(tmp_path / "pyarrow.parquet")
    pq.write_table(schema.empty_table(), other, store_schema=False)
    assert str(pq.ParquetFile(path).schema).split("\n", 1)[1] == str(pq.ParquetFile(other).schema).split("\n", 1)[1]


def test_thread_count_does_not_change_the_file(maker):
    fill_table(maker)
    for i, size in enumerate((5 * BLOCK + 1, 9 * BLOCK)):
        maker.add(*v2_row(f"streamed.{i}", [size], codes(size)), fill=(3,))
    files = [open(maker.write(f"{t}.parquet", threads=t, row_group_bytes=1 << 20), "rb").read() for t in (1, 2, 5)]
    assert files[0] == files[1] == files[2]


def test_codec_follows_the_data(maker):
    maker.add(*v2_row("noise", [8 * BLOCK], noise(8 * BLOCK)))
    maker.add(*v2_row("zeros", [8 * BLOCK], bytes(8 * BLOCK)))
    maker.add(*v2_row("noise.streamed", [8 * BLOCK], noise(8 * BLOCK)), fill=(3,))
    maker.add(*v2_row("zeros.streamed", [8 * BLOCK], bytes(8 * BLOCK)), fill=(3,))
    meta = pq.read_metadata(maker.write(row_group_bytes=1))
    assert [meta.row_group(i).column(3).compression for i in range(4)] == ["UNCOMPRESSED", "ZSTD"] * 2


def test_uncompressed_values_are_aligned(maker):
    for i in range(3):
        maker.add(*v2_row("x" * (i + 1), [100 + i], noise(100 + i, i)))
    maker.add(*v2_row("streamed", [BLOCK + 5], noise(BLOCK + 5)), fill=(3,))
    path = maker.write(codec="none", row_group_bytes=1)
    raw = open(path, "rb").read()
    for row in maker.rows:
        assert raw.index(row[3]) % 64 == 0, row[0]


def test_no_column_has_statistics_or_a_dictionary(maker):
    fill_table(maker)
    meta = pq.read_metadata(maker.write(codec="none")).row_group(0)
    for i in range(meta.num_columns):
        assert not meta.column(i).is_stats_set and meta.column(i).encodings == ("PLAIN", "RLE")


def test_chunks_lie_where_the_footer_says(maker):
    fill_table(maker)
    maker.add(*v2_row("streamed", [BLOCK + 5], noise(BLOCK + 5)), fill=(3,))
    path = maker.write(row_group_bytes=4000)
    meta, end = pq.read_metadata(path), 4
    for g in range(meta.num_row_groups):
        group = meta.row_group(g)
        for c in range(group.num_columns):
            chunk = group.column(c)
            assert 0 <= chunk.data_page_offset - end < 128  # a gap at most
            end = chunk.data_page_offset + chunk.total_compressed_size
    assert end < os.path.getsize(path) - 12


def test_damage_is_seen_by_the_page_checksums(maker):
    maker.add(*v2_row("w", [5000], noise(5000)))
    maker.add(*v2_row("s", [BLOCK * 2], codes(BLOCK * 2)), fill=(3,))
    path = maker.write(codec="zstd")
    meta = pq.read_metadata(path)
    raw = bytearray(open(path, "rb").read())
    for g in range(2):
        chunk = meta.row_group(g).column(3)
        broken = bytearray(raw)
        broken[chunk.data_page_offset + chunk.total_compressed_size - 100] ^= 1
        with open(path, "wb") as f:
            f.write(broken)
        with pytest.raises(OSError, match="(?i)crc|checksum"):
            pq.read_table(path, page_checksum_verification=True)


def test_no_rows_is_an_empty_table(maker):
    path = maker.write()
    assert pq.read_table(path).num_rows == 0
    assert with_duckdb(path) == [] and with_polars(path) == []


def test_list_lengths_of_all_kinds_read_the_same(tmp_path):
    maker = Maker(str(tmp_path), [("v", "list", False), ("s", "string", False), ("b", "binary", False)])
    rng = random.Random(5)
    for i in range(500):
        values = [rng.randrange(-(2**31), 2**31) for _ in range(rng.choice([0, 1, 1, 2, 3, 9]))]
        maker.add(values, "ab" * (i % 70), b"x" * i)
    check(maker.write(), maker.rows, [with_pyarrow, with_duckdb, with_polars])


def test_lists_of_floats_read_the_same(tmp_path):
    """fastparquet is left out: with_fastparquet makes integers of lists."""
    maker = Maker(str(tmp_path), [("text", "string", False), ("embedding", "floats", False)])
    rng = random.Random(6)
    for i in range(300):
        values = struct.unpack("<384f", struct.pack("<384f", *(rng.gauss(0, 1) for _ in range(384))))
        maker.add(f"text {i}", list(values[:rng.choice([0, 1, 7, 384])]) if i % 11 else None)
    maker.add("extremes", [3.4028234663852886e38, 1.401298464324817e-45, -0.0, 16777217.0 - 1])
    for codec in CODECS:
        for group in (0, 20000):
            path = maker.write(codec=codec, row_group_bytes=group)
            check(path, maker.rows, [with_pyarrow, with_duckdb, with_polars])
            assert pq.ParquetFile(path).num_row_groups > 1 or group == 0


def test_schema_of_lists_of_floats_is_what_pyarrow_writes(tmp_path):
    maker = Maker(str(tmp_path), [("text", "string", False), ("embedding", "floats", False)])
    maker.add("a", [0.5, -1.0])
    path, other = maker.write(), str(tmp_path / "pyarrow.parquet")
    schema = pa.schema([("text", pa.string()), ("embedding", pa.list_(pa.float32()))])
    pq.write_table(schema.empty_table(), other, store_schema=False)
    assert pq.read_schema(path).equals(schema)
    assert str(pq.ParquetFile(path).schema).split("\n", 1)[1] == str(pq.ParquetFile(other).schema).split("\n", 1)[1]
