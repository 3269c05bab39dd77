"""Tables as other engines hand them out: what is read from a file is read from memory, with the same values."""

from __future__ import annotations

import os

import duckdb
import numpy as np
import polars
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

import arrowquant

NUMBERS = ["num_params", "quant_axis", "group_size"]
TEXTS = ["layer_name", "dtype", "quant_type"]
BLOBS = ["data", "scales", "zero_points"]


def cast(columns, kind):
    def change(table):
        for name in columns:
            table = table.set_column(table.column_names.index(name), name, table.column(name).cast(kind))
        return table

    return change


def dictionaries(table):
    for name in [*TEXTS, *NUMBERS]:
        table = table.set_column(table.column_names.index(name), name, table.column(name).dictionary_encode())
    return table


def sql(select):
    return lambda table: duckdb.from_arrow(table).query("t", select)


# What is done to the table, and whether it can be written to a file (by pyarrow, when it is pyarrow's).
FORMS = {
    "as it is": lambda t: t,
    "chunks": lambda t: pa.concat_tables([t.slice(0, 1), t.slice(1, 2), t.slice(3)]),
    "doubles": cast(NUMBERS, pa.float64()),
    "floats": cast(NUMBERS, pa.float32()),
    "int16": cast(["quant_axis", "group_size"], pa.int16()),
    "unsigned": cast(["num_params", "group_size"], pa.uint64()),
    "lists of int64": cast(["shape"], pa.list_(pa.int64())),
    "large lists of int64": cast(["shape"], pa.large_list(pa.int64())),
    "lists of doubles": cast(["shape"], pa.list_(pa.float64())),
    "large": lambda t: cast(TEXTS, pa.large_string())(cast(BLOBS, pa.large_binary())(t)),
    "views": lambda t: cast(TEXTS, pa.string_view())(cast(BLOBS, pa.binary_view())(t)),
    "dictionaries": dictionaries,
    "polars": polars.from_arrow,
    "polars categories": lambda t: polars.from_arrow(t).with_columns(polars.col("dtype").cast(polars.Categorical)),
    "polars doubles": lambda t: polars.from_arrow(t).with_columns(polars.col(NUMBERS).cast(polars.Float64)),
    "polars lists": lambda t: polars.from_arrow(t).with_columns(polars.col("shape").cast(polars.List(polars.Int64))),
    "record batch": lambda t: t.combine_chunks().to_batches()[0],
    "reader": lambda t: t.to_reader(),
    "dataset": pads.dataset,
    "scanner": lambda t: pads.dataset(t).scanner(),
    "polars lazy": lambda t: polars.from_arrow(t).lazy(),
    "duckdb": sql("select * from t"),
    "duckdb doubles": sql("select * replace (num_params::double as num_params) from t"),
    "duckdb hugeints": sql("select * replace (num_params::hugeint as num_params) from t"),
    "duckdb lists": sql("select * replace (shape::bigint[] as shape) from t"),
}


@pytest.fixture(scope="module")
def table(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("types") / "t.parquet"
    arrowquant.quantize({k: v for k, v in arrays.items() if k != "empty"}, path, type="int4")
    with arrowquant.open(path) as source:
        return pq.read_table(path), {name: tensor.numpy().copy() for name, tensor in source.items()}


def write(form, path):
    for method in ("write_parquet", "sink_parquet"):
        if hasattr(form, method):
            getattr(form, method)(os.fspath(path))
            return
    if not isinstance(form, pa.Table):
        pytest.skip("has no way into a file of its own")
    pq.write_table(form, path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("where", ["file", "memory"])
def test_a_table_is_read_from_a_file_and_from_memory(table, tmp_path, form, where):
    made = FORMS[form](table[0])
    if where == "file":
        write(made, tmp_path / "t.parquet")
        made = tmp_path / "t.parquet"
    with arrowquant.open(made) as source:
        assert set(source) == set(table[1])
        for name, expected in table[1].items():
            np.testing.assert_array_equal(source[name].numpy(), expected)


@pytest.mark.parametrize("where", ["file", "memory"])
def test_pandas_makes_doubles_of_columns_with_nulls(table, tmp_path, where):
    pandas = pytest.importorskip("pandas")
    frame = table[0].to_pandas()
    kept = frame["quant_type"].isin(["fp16", "fp32"])
    frame["group_size"] = frame["group_size"].astype("float64").where(~kept, float("nan"))
    frame["quant_axis"] = frame["quant_axis"].astype("float64").where(~kept, float("nan"))
    assert isinstance(frame, pandas.DataFrame)
    made = frame
    if where == "file":
        frame.to_parquet(tmp_path / "t.parquet")
        made = tmp_path / "t.parquet"
    with arrowquant.open(made) as source:
        for name, expected in table[1].items():
            np.testing.assert_array_equal(source[name].numpy(), expected)


@pytest.mark.parametrize("where", ["file", "memory"])
def test_a_fraction_names_column_and_row(table, tmp_path, where):
    values = [float(n) for n in table[0].column("num_params").to_pylist()]
    values[3] += 0.5
    made = table[0].set_column(4, "num_params", pa.array(values))
    if where == "file":
        pq.write_table(made, tmp_path / "t.parquet", row_group_size=2)
        made = tmp_path / "t.parquet"
    with pytest.raises(arrowquant.FormatError, match=r"row 3: column 'num_params' has a value that is no whole number"):
        arrowquant.open(made)


def test_tables_in_memory_take_no_files_of_the_current_folder(table, arrays, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "tokenizer.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    for name, source in {"arrays": arrays, "table": table[0]}.items():
        arrowquant.convert(source, f"{name}.parquet")
        with arrowquant.open(f"{name}.parquet") as made:
            assert [key for key in made.metadata if key.startswith("arrowquant.file.")] == []


def test_opaque_dtypes_come_as_bytes(tmp_path):
    import json
    import struct

    data = bytes(range(36))
    header = json.dumps({"x": {"dtype": "F4", "shape": [8, 9], "data_offsets": [0, 36]}}).encode()
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)
    with pytest.raises(arrowquant.UnsupportedError, match="F4") as caught:
        arrowquant.quantize(tmp_path / "m.safetensors", tmp_path / "m.parquet")
    assert caught.value.tensor == "x"
    arrowquant.quantize(tmp_path / "m.safetensors", tmp_path / "m.parquet", keep_unsupported=True)
    arrowquant.convert(tmp_path / "m.parquet", tmp_path / "v1.parquet", keep_unsupported=True)
    for path in (tmp_path / "m.safetensors", tmp_path / "m.parquet", tmp_path / "v1.parquet"):
        with arrowquant.open(path) as source:
            tensor = source["x"]
            assert (tensor.dtype, tensor.shape) == ("safetensors.F4", (8, 9))
            assert tensor.numpy().tobytes() == data
            assert tensor.numpy().dtype == np.uint8
            with pytest.raises(arrowquant.UnsupportedError, match="only its bytes"):
                tensor.dequantize()
            made = pa.table(source)
        with arrowquant.open(made) as again:
            assert again["x"].numpy().tobytes() == data


def test_opening_a_shard_warns(tmp_path, arrays):
    arrowquant.convert({"a": arrays["layer.0.weight"]}, tmp_path / "t.parquet")
    arrowquant.export(tmp_path / "t.parquet", tmp_path / "model-00001-of-00002.safetensors")
    with pytest.warns(UserWarning, match="is shard 1 of 2 of a model; the tensors of the others are not here"):
        source = arrowquant.open(tmp_path / "model-00001-of-00002.safetensors")
    with source, pytest.raises(arrowquant.ArgumentError, match="not the whole"):
        arrowquant.quantize(source, tmp_path / "q.parquet")
