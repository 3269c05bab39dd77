"""Tables of other engines in, and out, over the Arrow C stream interface."""

from __future__ import annotations

import base64
import gc

import numpy as np
import pytest
from tiny_encoder import WORDS, write_tiny

import arrowquant

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

V1 = ["layer_name", "shape", "dtype", "data", "num_params"]
V2 = [*V1, "quant_type", "scales", "zero_points", "quant_axis", "group_size"]


def same(a, b):
    assert list(a) == list(b)
    for name in a:
        assert a[name].quant_type == b[name].quant_type
        assert a[name].shape == b[name].shape
        np.testing.assert_array_equal(a[name].numpy(), b[name].numpy())


@pytest.mark.parametrize("name", ["v1", "raw1", "int8", "int4", "raw8"])
def test_pyarrow_takes_a_source(tables, name):
    with arrowquant.open(tables[name]) as source:
        table = pa.table(source)
        assert table.column_names == (V1 if "1" in name else V2)
        expected = pq.read_table(tables[name])
        for column in expected.column_names:
            assert table[column].to_pylist() == expected[column].to_pylist()


def test_blobs_are_not_copied(tmp_path):
    array = np.random.default_rng(3).standard_normal((1024, 512)).astype(np.float32)
    source = arrowquant.open({"w": array})
    table = pa.table(source)
    blob = table["data"].chunk(0).buffers()[2]
    assert blob.address <= array.ctypes.data < blob.address + blob.size
    source.close()
    del source
    gc.collect()
    assert table["data"][0].as_py() == array.tobytes()


@pytest.mark.parametrize("name", ["v1", "int8", "int2"])
def test_a_pyarrow_table_is_a_source(tables, name):
    with arrowquant.open(tables[name]) as expected:
        table = pq.read_table(tables[name])
        with arrowquant.open(table) as source:
            assert source.schema_version == expected.schema_version
            assert source.format.startswith("Arrow")
            same(source, expected)
        with arrowquant.open(table.to_reader()) as source:
            same(source, expected)
        with arrowquant.open(expected) as again:
            same(again, expected)


def test_a_source_goes_round(tables):
    with arrowquant.open(tables["int4"]) as expected, arrowquant.open(pa.table(expected)) as source:
        same(source, expected)


def test_a_table_is_quantized_like_its_file(tables, tmp_path):
    arrowquant.quantize(pq.read_table(tables["v1"]), tmp_path / "a.parquet", type="int4")
    arrowquant.quantize(tables["v1"], tmp_path / "b.parquet", type="int4")
    with arrowquant.open(tmp_path / "a.parquet") as a, arrowquant.open(tmp_path / "b.parquet") as b:
        same(a, b)


@pytest.mark.parametrize("name", ["v1", "int8"])
def test_polars(tables, name):
    pl = pytest.importorskip("polars")
    with arrowquant.open(tables[name]) as expected:
        frame = pl.DataFrame(expected)
        assert frame.height == len(expected)
        assert frame["layer_name"].to_list() == list(expected)
        with arrowquant.open(frame) as source:
            same(source, expected)
        with arrowquant.open(pl.read_parquet(tables[name])) as source:
            same(source, expected)


@pytest.mark.parametrize("name", ["v1", "int8"])
def test_duckdb(tables, name):
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    with arrowquant.open(tables[name]) as expected:
        weights = expected
        assert weights is not None
        count, total = connection.execute("select count(*), sum(num_params) from weights").fetchall()[0]
        assert count == len(expected)
        assert total == sum(tensor.num_params for tensor in expected.values())
        found = connection.sql(f"select * from read_parquet('{tables[name]}')")
        with arrowquant.open(found) as source:
            same(source, expected)


def test_a_table_that_holds_no_weights_is_refused():
    with pytest.raises(arrowquant.FormatError):
        arrowquant.open(pa.table({"a": [1, 2]}))


def test_damaged_rows_are_refused(tables):
    table = pq.read_table(tables["v1"])
    counts = table["num_params"].to_pylist()
    counts[0] += 1
    bad = table.set_column(4, "num_params", pa.array(counts, pa.int64()))
    with pytest.raises((arrowquant.FormatError, arrowquant.CorruptError)) as caught:
        arrowquant.open(bad)
    assert caught.value.tensor == "embed.weight"


def test_errors_of_a_producer_are_told():
    def batches():
        yield pa.record_batch({"layer_name": ["a"]})
        raise RuntimeError("the well is dry")

    reader = pa.RecordBatchReader.from_batches(pa.schema([("layer_name", pa.string())]), batches())
    with pytest.raises(Exception, match=r"well is dry|column"):
        arrowquant.open(reader)


def test_a_stream_is_used_once(tables):
    class Twice:
        def __init__(self, capsule):
            self.capsule = capsule

        def __arrow_c_stream__(self, requested_schema=None):
            return self.capsule

    twice = Twice(pq.read_table(tables["v1"]).__arrow_c_stream__())
    arrowquant.open(twice)
    with pytest.raises(ValueError, match="used already"):
        arrowquant.open(twice)
    with pytest.raises(ValueError):  # noqa: PT011 - the words are CPython's
        arrowquant.open(Twice(object()))


@pytest.mark.parametrize("name", ["v1", "int8"])
def test_detect_schema_version(tables, name):
    version = 1 if name == "v1" else 2
    table = pq.read_table(tables[name])
    for value in (table, table.schema, table.to_batches()[0], tables[name], arrowquant.open(tables[name])):
        assert arrowquant.detect_schema_version(value) == version
    polars = pytest.importorskip("polars")
    assert arrowquant.detect_schema_version(polars.read_parquet(tables[name])) == version


def test_detect_schema_version_refuses_other_tables(arrays, tmp_path):
    for value in (pa.table({"a": [1]}), 3, arrowquant.open(arrays)):
        with pytest.raises(arrowquant.ArgumentError):
            arrowquant.detect_schema_version(value)
    with pytest.raises(arrowquant.NotFoundError):
        arrowquant.detect_schema_version(tmp_path / "nothing.parquet")


# ---- the model's files on the way ----

KEY, ZSTD_KEY = "arrowquant.file.", "arrowquant.file_zstd."


@pytest.fixture(scope="module")
def encoder_table(tmp_path_factory):
    """The V1 table of a small encoder whose vocabulary is large enough to be compressed, and its vectors."""
    folder = tmp_path_factory.mktemp("carried")
    write_tiny(folder / "tiny", words=[*WORDS, *(f"word{i}" for i in range(3000))])
    arrowquant.convert(folder / "tiny", folder / "v1.parquet")
    with arrowquant.Encoder(folder / "tiny") as encoder:
        return folder / "v1.parquet", encoder.encode(["cat word7", "word2999"])


def carried(source):
    return {key: value for key, value in source.metadata.items() if key.startswith("arrowquant.file")}


@pytest.mark.parametrize("way", ["file", "pyarrow", "export"])
def test_model_files_keep_their_form_on_every_way(encoder_table, tmp_path, way):
    path, vectors = encoder_table
    with arrowquant.open(path) as source:
        files = carried(source)
        assert {ZSTD_KEY + "vocab.txt", KEY + "config.json"} < set(files)
        assert KEY + "vocab.txt" not in files
        table = pa.table(source)
    taken = {"file": path, "pyarrow": pq.read_table(path), "export": table}[way]
    with arrowquant.open(taken) as source:
        assert carried(source) == files
    report = arrowquant.quantize(taken, tmp_path / "q.parquet", type="int8")
    with arrowquant.open(tmp_path / "q.parquet") as made:
        assert carried(made) == files
    size = sum(len(key) + len(value) for key, value in files.items())
    assert report["output"]["model_files_bytes"] == size
    assert report["source"]["model_files_bytes"] == (size if way == "file" else 0)
    arrowquant.convert(taken, tmp_path / "c.parquet")
    with arrowquant.Encoder(tmp_path / "c.parquet") as encoder:
        np.testing.assert_array_equal(encoder.encode(["cat word7", "word2999"]), vectors)


def test_files_that_a_user_adds_are_compressed_too(encoder_table, tmp_path):
    path, _ = encoder_table
    table = pq.read_table(path)
    text = pa.input_stream(
        pa.BufferReader(base64.b64decode(table.schema.metadata[ZSTD_KEY.encode() + b"vocab.txt"])), compression="zstd"
    ).read()
    metadata = {k: v for k, v in table.schema.metadata.items() if k != ZSTD_KEY.encode() + b"vocab.txt"}
    plain = table.replace_schema_metadata(metadata | {KEY + "vocab.txt": text})
    arrowquant.convert(plain, tmp_path / "c.parquet")
    with arrowquant.open(tmp_path / "c.parquet") as made, arrowquant.open(path) as expected:
        assert carried(made) == carried(expected)


def test_a_damaged_file_is_an_error_with_its_key(encoder_table, tmp_path):
    path, _ = encoder_table
    table = pq.read_table(path)
    key = ZSTD_KEY.encode() + b"vocab.txt"
    value = table.schema.metadata[key]
    damaged = table.replace_schema_metadata(table.schema.metadata | {key: value[:400] + value[404:]})
    with pytest.raises(arrowquant.CorruptError, match=r"metadata arrowquant\.file_zstd\.vocab\.txt: .*Make the table"):
        arrowquant.quantize(damaged, tmp_path / "q.parquet", type="int8")
    assert not (tmp_path / "q.parquet").exists()
    pq.write_table(damaged, tmp_path / "d.parquet")
    with arrowquant.Encoder(tmp_path / "d.parquet") as encoder, pytest.raises(arrowquant.CorruptError, match="file_zstd"):
        encoder.encode(["cat"])
