"""Files of a few kilobytes that unpack to hundreds of megabytes: refused before memory is taken, for every codec, encoding
and column."""
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import COMMAND, run
from peak_memory import peak_memory

SIZE = 64 << 20
LIMIT = 48 << 20  # of the whole process
CODECS = ["zstd", "brotli", "gzip", "snappy", "lz4"]


def table(rows=1, **columns):
    base = {
        "layer_name": [f"w{i}" for i in range(rows)],
        "shape": pa.array([[2, 3]] * rows, pa.list_(pa.int32())),
        "dtype": ["torch.float32"] * rows,
        "data": [bytes(24)] * rows,
        "num_params": [6] * rows,
        "quant_type": ["fp32"] * rows,
        "scales": [b""] * rows,
        "zero_points": [b""] * rows,
        "quant_axis": pa.array([-1] * rows, pa.int32()),
        "group_size": pa.array([0] * rows, pa.int32()),
    }
    return pa.table({**base, **columns})


@pytest.fixture(scope="module")
def long_text():
    return "a" * SIZE


def refused(path, says="account for"):
    assert path.stat().st_size < SIZE // 20
    for command in ("info", "verify"):
        status, told, peak = peak_memory(COMMAND, command, path)
        assert status == 3 and says in told, told
        assert peak < LIMIT, f"{command}: {peak >> 20} MiB"


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("column", ["layer_name", "dtype", "quant_type"])
def test_text_columns_are_bounded_by_their_rows(tmp_path, long_text, codec, column):
    path = tmp_path / "t.parquet"
    pq.write_table(table(**{column: [long_text]}), path, compression=codec, use_dictionary=False)
    refused(path)


@pytest.mark.parametrize("codec", CODECS)
def test_shapes_are_bounded_by_their_rows(tmp_path, codec):
    path = tmp_path / "t.parquet"
    long = pa.ListArray.from_arrays(pa.array([0, SIZE // 4], pa.int32()), pa.nulls(SIZE // 4, pa.int32()).fill_null(1))
    pq.write_table(table(shape=long), path, compression=codec, use_dictionary=False, data_page_size=1 << 30)
    refused(path)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("rows", [1, 2])
def test_values_are_bounded_by_their_shapes(tmp_path, long_text, codec, rows):
    path = tmp_path / "t.parquet"
    data = pa.array([long_text.encode()] + [bytes(24)] * (rows - 1), pa.binary())
    pq.write_table(table(rows, data=data), path, compression=codec, use_dictionary=False, data_page_size=1 << 30)
    refused(path)


@pytest.mark.parametrize("column", ["layer_name", "data"])
def test_dictionaries_are_bounded_by_their_rows(tmp_path, long_text, column):
    path = tmp_path / "t.parquet"
    value = long_text if column == "layer_name" else long_text.encode()
    pq.write_table(table(**{column: [value]}), path, compression="zstd", use_dictionary=[column],
                   dictionary_pagesize_limit=1 << 30)
    refused(path)


def test_a_dictionary_entry_of_every_row_is_bounded(tmp_path):
    """A name of half a megabyte that a thousand rows refer to in a few bytes."""
    path = tmp_path / "t.parquet"
    pq.write_table(table(1000, layer_name=["a" * (1 << 19)] * 1000), path, compression="zstd",
                   use_dictionary=["layer_name"], dictionary_pagesize_limit=1 << 30)
    refused(path)


def test_shared_prefixes_are_bounded(tmp_path):
    """DELTA_BYTE_ARRAY: each name is all of the one before."""
    path = tmp_path / "t.parquet"
    pq.write_table(table(1000, layer_name=["a" * (1 << 19)] * 1000), path, compression="zstd", use_dictionary=False,
                   column_encoding={"layer_name": "DELTA_BYTE_ARRAY"})
    refused(path)


def test_row_groups_do_not_add_up(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(table(1000, layer_name=["a" * (1 << 19)] * 1000), path, compression="zstd", use_dictionary=False,
                   row_group_size=1)
    refused(path)


def test_rows_need_bytes(tmp_path):
    """Rows without end that are a few run lengths."""
    path = tmp_path / "t.parquet"
    rows = 3 << 20
    same = table(rows).set_column(0, "layer_name", pa.array(["w"] * rows))
    pq.write_table(same, path, compression="zstd", row_group_size=rows)
    assert path.stat().st_size < rows
    refused(path, says="rows, but has")


def test_tables_of_many_and_of_long_names_are_read(tmp_path):
    rows = 20000
    names = [f"model.layers.{i}.{'block.' * (i % 50)}weight" for i in range(rows)]
    for options in ({}, {"use_dictionary": False}, {"compression": "brotli", "data_page_version": "2.0"}):
        pq.write_table(table(rows, layer_name=names), tmp_path / "t.parquet", **options)
        run("info", tmp_path / "t.parquet", "--json")
    pq.write_table(table(layer_name=["x" * 100000]), tmp_path / "t.parquet")
    run("info", tmp_path / "t.parquet")
