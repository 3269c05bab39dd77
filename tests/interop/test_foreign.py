"""Tables that others wrote: every codec, encoding, page version and schema variant is read and agrees."""
import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import V1_COLUMNS, V2_COLUMNS, read_safetensors, run

BLOBS = ["data", "scales", "zero_points"]
TEXTS = ["layer_name", "dtype", "quant_type"]
NUMBERS = ["num_params", "quant_axis", "group_size"]


def encode(columns, encoding):
    """Keyword arguments of write_table that give these columns one encoding."""
    return {"use_dictionary": False, "column_encoding": dict.fromkeys(columns, encoding)}


WRITERS = {  # name: keyword arguments of pyarrow.parquet.write_table
    "default": {},
    "none": {"compression": "none"},
    "gzip": {"compression": "gzip"},
    "brotli": {"compression": "brotli"},
    "zstd": {"compression": "zstd", "compression_level": 9},
    "lz4": {"compression": "lz4"},
    "codec per column": {"compression": {"data": "zstd", "layer_name": "gzip", "shape.list.element": "lz4"}},
    "pages v2": {"data_page_version": "2.0"},
    "pages v2 none": {"data_page_version": "2.0", "compression": "none"},
    "pages v2 zstd": {"data_page_version": "2.0", "compression": "zstd"},
    "small pages": {"data_page_size": 512, "write_batch_size": 2},
    "small pages v2": {"data_page_size": 512, "write_batch_size": 2, "data_page_version": "2.0"},
    "plain": {"use_dictionary": False},
    "dictionary small": {"use_dictionary": True, "dictionary_pagesize_limit": 600},
    "dictionary of texts": {"use_dictionary": ["dtype", "quant_type"]},
    "format 1.0": {"version": "1.0"},
    "format 2.4": {"version": "2.4"},
    "one row a group": {"row_group_size": 1},
    "three rows a group": {"row_group_size": 3, "data_page_version": "2.0"},
    "delta length": encode(BLOBS + TEXTS, "DELTA_LENGTH_BYTE_ARRAY"),
    "delta byte array": encode(BLOBS + TEXTS, "DELTA_BYTE_ARRAY"),
    "delta binary packed": encode(NUMBERS + ["shape.list.element"], "DELTA_BINARY_PACKED"),
    "delta all v2": {"data_page_version": "2.0", "use_dictionary": False, "column_encoding": {
        **dict.fromkeys(BLOBS, "DELTA_LENGTH_BYTE_ARRAY"), **dict.fromkeys(TEXTS, "DELTA_BYTE_ARRAY"),
        **dict.fromkeys(NUMBERS, "DELTA_BINARY_PACKED")}},
    "byte stream split": encode(NUMBERS, "BYTE_STREAM_SPLIT"),
    "item lists": {"use_compliant_nested_type": False},
    "no arrow schema": {"store_schema": False},
    "page index": {"write_page_index": True},
    "checksums": {"write_page_checksum": True},
    "checksums v2": {"write_page_checksum": True, "data_page_version": "2.0", "compression": "zstd"},
    "no statistics": {"write_statistics": False},
    "sorted": {"sorting_columns": [pq.SortingColumn(0)]},
}


def as_type(columns, kind):
    def change(table):
        for name in set(columns) & set(table.column_names):
            table = table.set_column(table.column_names.index(name), name, table.column(name).cast(kind))
        return table
    return change


def required(table):
    lists = pa.list_(pa.field("element", pa.int32(), nullable=False))
    fields = [pa.field(f.name, lists if f.name == "shape" else f.type, nullable=False) for f in table.schema]
    return pa.table([c.cast(f.type) for c, f in zip(table.columns, fields)], schema=pa.schema(fields))


def dictionaries(table):
    for name in set(TEXTS) & set(table.column_names):
        table = table.set_column(table.column_names.index(name), name, table.column(name).dictionary_encode())
    return table


def reversed_with_extras(table):
    table = table.select(table.column_names[::-1])
    extra = pa.array([{"a": [1, None], "b": "x"}] * table.num_rows)
    return table.add_column(2, "note", extra).append_column("another", pa.array([None] * table.num_rows, pa.float64()))


SCHEMAS = {  # name: what is done to the table before it is written
    "large strings": as_type(TEXTS, pa.large_string()),
    "large binaries": as_type(BLOBS, pa.large_binary()),
    "large lists": as_type(["shape"], pa.large_list(pa.int32())),
    "views": lambda t: as_type(TEXTS, pa.string_view())(as_type(BLOBS, pa.binary_view())(t)),
    "dictionary types": dictionaries,
    "doubles": as_type(NUMBERS, pa.float64()),
    "floats": as_type(NUMBERS, pa.float32()),
    "lists of doubles": as_type(["shape"], pa.list_(pa.float64())),
    "lists of int64": as_type(["shape"], pa.list_(pa.int64())),
    "small integers": as_type(["quant_axis"], pa.int8()),
    "unsigned integers": as_type(["num_params"], pa.uint64()),
    "required columns": required,
    "other order and extra columns": reversed_with_extras,
    "no metadata": lambda t: t.replace_schema_metadata(None),
}


def write_duckdb(table, path, options):
    connection = duckdb.connect()
    connection.register("weights", table)
    connection.execute(f"copy (select * from weights) to '{path}' (format parquet, {options})")


OTHERS = {
    "duckdb snappy": lambda t, path: write_duckdb(t, path, "compression snappy"),
    "duckdb zstd": lambda t, path: write_duckdb(t, path, "compression zstd, row_group_size 5"),
    "duckdb gzip": lambda t, path: write_duckdb(t, path, "compression gzip"),
    "duckdb brotli": lambda t, path: write_duckdb(t, path, "compression brotli"),
    "duckdb lz4": lambda t, path: write_duckdb(t, path, "compression lz4_raw"),
    "duckdb v2": lambda t, path: write_duckdb(t, path, "parquet_version v2"),
    "polars": lambda t, path: polars.from_arrow(t).write_parquet(path),
    "polars lz4": lambda t, path: polars.from_arrow(t).write_parquet(path, compression="lz4", row_group_size=4),
    "polars none": lambda t, path: polars.from_arrow(t).write_parquet(path, compression="uncompressed",
                                                                      data_page_size=700),
}


@pytest.fixture(scope="session", params=["V1", "V2"])
def ours(request, model_file, tmp_path_factory):
    """(our table as pyarrow reads it, its columns, what it is exported to)."""
    folder = tmp_path_factory.mktemp("ours")
    path, out = folder / "ours.parquet", folder / "ours.safetensors"
    if request.param == "V1":
        run("convert", model_file, "-o", path)
    else:
        run("quantize", model_file, "-o", path, "--type", "int3", "--quantize-1d", "--tensor", "experts.weight=int8",
            "--tensor", "half.weight=int4,per=tensor", "--tensor", "odd.weight=int2,per=channel")
    run("export", path, "-o", out, "--dtype", "fp32")
    return pq.read_table(path), V1_COLUMNS if request.param == "V1" else V2_COLUMNS, read_safetensors(out), path


def without_alias(exported, table):
    """Writers that drop our metadata drop the aliases with it."""
    names = set(table.column("layer_name").to_pylist())
    return {name: value for name, value in exported.items() if name in names}


def assert_agrees(path, ours, tmp_path):
    table, _, exported, original = ours
    out = tmp_path / "back.safetensors"
    run("verify", path, "--deep")
    run("export", path, "-o", out, "--dtype", "fp32")
    found = read_safetensors(out)
    assert without_alias(found, table) == without_alias(exported, table)


@pytest.mark.parametrize("writer", WRITERS)
def test_pyarrow_file_agrees(ours, tmp_path, writer):
    table, columns, *_ = ours
    options = dict(WRITERS[writer])
    wanted = options.get("column_encoding")
    if wanted:
        options["column_encoding"] = {k: v for k, v in wanted.items() if k.split(".")[0] in columns}
    path = tmp_path / "theirs.parquet"
    pq.write_table(table, path, **options)
    assert_agrees(path, ours, tmp_path)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_pyarrow_schema_agrees(ours, tmp_path, schema):
    path = tmp_path / "theirs.parquet"
    pq.write_table(SCHEMAS[schema](ours[0]), path)
    assert_agrees(path, ours, tmp_path)


@pytest.mark.parametrize("writer", OTHERS)
def test_file_of_another_library_agrees(ours, tmp_path, writer):
    path = tmp_path / "theirs.parquet"
    OTHERS[writer](ours[0], path)
    assert_agrees(path, ours, tmp_path)


def test_nulls_in_axis_and_group_mean_the_defaults(model_file, tmp_path):
    path, out = tmp_path / "a.parquet", tmp_path / "a.safetensors"
    run("quantize", model_file, "-o", path, "--type", "int8", "--per", "tensor", "--quantize-1d")
    table = pq.read_table(path)
    nulls = pa.nulls(table.num_rows, pa.int32())
    for name in ("quant_axis", "group_size"):
        table = table.set_column(table.column_names.index(name), name, nulls)
    pq.write_table(table, tmp_path / "b.parquet")
    run("export", path, "-o", out)
    run("export", tmp_path / "b.parquet", "-o", tmp_path / "b.safetensors")
    names = table.column("layer_name").to_pylist()
    a, b = read_safetensors(out), read_safetensors(tmp_path / "b.safetensors")
    assert {n: a[n] for n in names} == {n: b[n] for n in names}


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize("options", [
    {}, {"use_dictionary": False}, {"data_page_version": "2.0"},
    {"use_dictionary": False, "column_encoding": {"quant_axis": "BYTE_STREAM_SPLIT"}}],
    ids=["default", "plain", "pages v2", "byte stream split"])
def test_doubles_with_nulls_and_nan_mean_the_defaults(model_file, tmp_path, options):
    path = tmp_path / "a.parquet"
    run("quantize", model_file, "-o", path, "--type", "int8", "--per", "tensor", "--quantize-1d")
    table = pq.read_table(path)
    values = [float("nan") if i % 2 else None for i in range(table.num_rows)]
    table = with_column(table, "quant_axis", pa.array(values, pa.float64()))
    table = with_column(table, "group_size", pa.nulls(table.num_rows))  # Arrow's type null
    pq.write_table(table, tmp_path / "b.parquet", **options)
    run("compare", path, tmp_path / "b.parquet", "--min-cosine", "1")


@pytest.mark.parametrize(("column", "values", "row"), [
    ("num_params", lambda n: n[:-1] + [n[-1] + 0.5], "last"),
    ("quant_axis", lambda n: [-1.0, float("inf")] + [-1.0] * (len(n) - 2), 1),
    ("group_size", lambda n: [2.0 ** 60] + [0.0] * (len(n) - 1), 0),
])
def test_doubles_that_are_no_integers_name_column_and_row(model_file, tmp_path, column, values, row):
    path = tmp_path / "a.parquet"
    run("quantize", model_file, "-o", path, "--type", "int8")
    table = pq.read_table(path)
    table = with_column(table, column, pa.array(values(table.column("num_params").to_pylist()), pa.float64()))
    pq.write_table(table, path, row_group_size=2)
    told = run("info", path, expect=3).stderr
    number = table.num_rows - 1 if row == "last" else row
    assert f"row {number}: column '{column}' has a value that is no whole number" in told


def test_fp16_row_that_says_float32_is_read_as_fp16(tmp_path):
    import numpy as np
    values = np.linspace(-2, 2, 24, dtype="<f2")
    table = pa.table({
        "layer_name": ["w"], "shape": pa.array([[4, 6]], pa.list_(pa.int32())), "dtype": ["torch.float32"],
        "data": [values.tobytes()], "num_params": [24], "quant_type": ["fp16"], "scales": [b""], "zero_points": [b""],
        "quant_axis": pa.array([-1], pa.int32()), "group_size": pa.array([0], pa.int32())})
    pq.write_table(table, tmp_path / "w.parquet")
    run("export", tmp_path / "w.parquet", "-o", tmp_path / "w.safetensors", "--dtype", "fp32")
    assert read_safetensors(tmp_path / "w.safetensors")["w"] == ("F32", [4, 6], values.astype("<f4").tobytes())


def test_compare_of_the_same_table_in_two_files_is_exact(ours, tmp_path):
    path = tmp_path / "theirs.parquet"
    pq.write_table(ours[0], path, compression="gzip", data_page_version="2.0")
    run("compare", ours[3], path, "--min-cosine", "1")


@pytest.mark.parametrize("change", ["short data", "wrong count", "negative shape", "one scale missing", "twice"])
def test_row_that_contradicts_itself_is_refused(model_file, tmp_path, change):
    run("quantize", model_file, "-o", tmp_path / "a.parquet", "--type", "int4")
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    row = next(r for r in rows if r["quant_type"] == "int4")
    if change == "short data":
        row["data"] = row["data"][:-1]
    elif change == "wrong count":
        row["num_params"] += 1
    elif change == "negative shape":
        row["shape"] = [-n for n in row["shape"]]
    elif change == "one scale missing":
        row["scales"] = row["scales"][:-4]
    else:
        rows.append(dict(row))
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(tmp_path / "a.parquet")), tmp_path / "b.parquet")
    out = tmp_path / "b.safetensors"
    done = run("export", tmp_path / "b.parquet", "-o", out, expect=3)
    assert row["layer_name"] in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not out.exists() and not list(tmp_path.glob("*.partial"))
