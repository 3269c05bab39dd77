"""A stream through aq_transform_stream has the rows of the file that `quantize` writes by the same plan: pyarrow on both
sides, the library in between."""
import ctypes
import os
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import ROOT, noise, read_pyarrow, run, write_safetensors

COLUMNS = ["shape", "dtype", "data", "num_params", "quant_type", "scales", "zero_points", "quant_axis", "group_size"]


@pytest.fixture(scope="module")
def library():
    build = pathlib.Path(os.environ.get("AQ_BUILD", ROOT / "build" / "release"))
    lib = ctypes.CDLL(str(build / "libarrowquant.so"))
    pointer = ctypes.c_void_p
    lib.aq_source_open.argtypes = [ctypes.c_char_p, pointer, pointer, pointer]
    lib.aq_plan_parse.argtypes = [pointer, ctypes.c_char_p, ctypes.c_size_t, pointer, pointer]
    lib.aq_plan_render.argtypes = [pointer, pointer, pointer]
    lib.aq_transform_stream.argtypes = [pointer, pointer, pointer, pointer, pointer]
    lib.aq_error_format.argtypes = [pointer, ctypes.c_char_p, ctypes.c_size_t]
    for name in ("aq_source_close", "aq_plan_free", "aq_free"):
        getattr(lib, name).argtypes = [pointer]
    return lib


class Stream(ctypes.Structure):
    """ArrowArrayStream of the Arrow C stream interface."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("get_schema", "get_next", "get_last_error", "release", "private_data")]


class Library:
    """Calls that raise what the library says."""

    def __init__(self, lib):
        self.lib, self.error = lib, ctypes.create_string_buffer(1 << 14)

    def call(self, name, *args):
        if getattr(self.lib, name)(*args, self.error) != 0:
            words = ctypes.create_string_buffer(4096)
            self.lib.aq_error_format(self.error, words, len(words))
            raise RuntimeError(words.value.decode())

    def plan(self, model, text):
        source, plan = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("aq_source_open", str(model).encode(), None, ctypes.byref(source))
        try:
            self.call("aq_plan_parse", source, text, len(text), ctypes.byref(plan))
        finally:
            self.lib.aq_source_close(source)
        return plan

    def transform(self, reader, model, text):
        """The plan and the source are gone before the first batch is pulled."""
        plan, into, out = self.plan(model, text), Stream(), Stream()
        reader._export_to_c(ctypes.addressof(into))
        try:
            self.call("aq_transform_stream", ctypes.byref(into), plan, None, ctypes.byref(out))
        finally:
            self.lib.aq_plan_free(plan)
            assert into.release is None
        return pa.RecordBatchReader._import_from_c(ctypes.addressof(out))


@pytest.fixture
def aq(library):
    return Library(library)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("stream") / "model.safetensors"
    large = noise(1, 700, 520)  # more than 1 MiB
    tied = noise(2, 40, 48)
    write_safetensors(path, {
        "large.weight": ("F32", large), "tied.weight": ("F32", tied), "tied.again": ("F32", tied.copy()),
        "half.weight": ("F16", noise(3, 30, 64).astype("<f2")), "bias": ("F32", noise(4, 48)),
        "steps": ("I64", np.arange(7)), "scalar": ("F32", np.float32(2.5).reshape(())),
        "empty": ("F32", np.zeros((0, 4), "<f4")), "experts": ("F32", noise(5, 3, 20, 64))})
    return path


@pytest.fixture(scope="module")
def table(model):
    """The V1 table of the model, as pyarrow has it: tied.again is an alias of its metadata."""
    path = model.with_name("v1.parquet")
    run("convert", model, "-o", path)
    return pq.read_table(path)


def by_name(rows):
    return {row["layer_name"]: {column: row[column] for column in COLUMNS} for row in rows}


def reader_of(table, rows_of_a_batch, pulled=None):
    def batches():
        for batch in table.to_batches(max_chunksize=rows_of_a_batch):
            if pulled is not None:
                pulled.append(batch.num_rows)
            yield batch
    return pa.RecordBatchReader.from_batches(table.schema, batches())


def quantized(model, folder, *options):
    """Rows of the file by name, and the plan it was written by."""
    run("quantize", model, "-o", folder / "q.parquet", "--save-plan", folder / "plan.json", *options)
    return by_name(read_pyarrow(folder / "q.parquet")), (folder / "plan.json").read_bytes()


@pytest.mark.parametrize("options", [
    ["--type", "int8"], ["--type", "int4", "--group-size", "32"], ["--type", "int3", "--per", "tensor", "--quantize-1d"],
    ["--type", "int2", "--keep", "large*"], ["--type", "fp16"],
    ["--tensor", "experts=int8,per=tensor", "--tensor", "half*=bf16"],
    ["--target-bpw", "4", "--calib", "none"]], ids=" ".join)
@pytest.mark.parametrize("rows_of_a_batch", [1, 3, 1000])
def test_rows_are_those_of_the_file_by_the_same_plan(aq, model, table, tmp_path, options, rows_of_a_batch):
    expected, plan = quantized(model, tmp_path, *options)
    found = aq.transform(reader_of(table, rows_of_a_batch), model, plan).read_all()
    assert found.schema.names == ["layer_name", *COLUMNS]
    assert by_name(found.to_pylist()) == expected
    assert found.schema.metadata[b"arrowquant.aliases"] == b'{"tied.again":"tied.weight"}'


def test_a_stream_written_as_parquet_is_a_table(aq, model, table, tmp_path):
    expected, plan = quantized(model, tmp_path, "--type", "int4")
    pq.write_table(aq.transform(reader_of(table, 2), model, plan).read_all(), tmp_path / "s.parquet")
    run("verify", tmp_path / "s.parquet", "--deep")
    run("compare", tmp_path / "q.parquet", tmp_path / "s.parquet", "--min-cosine", "1")


@pytest.mark.parametrize("options", [["--type", "int4"], ["--target-bpw", "4", "--calib", "none"]], ids=" ".join)
def test_tied_tensors_that_are_rows_stay_rows(aq, model, table, tmp_path, options):
    expected, plan = quantized(model, tmp_path, *options)
    owner = table.slice(table["layer_name"].to_pylist().index("tied.weight"), 1)
    again = owner.set_column(0, owner.schema.field(0), pa.array(["tied.again"]).cast(owner.schema.field(0).type))
    found = by_name(aq.transform(reader_of(pa.concat_tables([again, table]), 2), model, plan).read_all().to_pylist())
    assert found.pop("tied.again") == expected["tied.weight"]
    assert found == expected


def test_batches_are_pulled_as_they_are_asked_for(aq, model, table, tmp_path):
    _, plan = quantized(model, tmp_path, "--type", "int8")
    pulled = []
    stream = aq.transform(reader_of(table, 1, pulled), model, plan)
    assert pulled == []
    for count in range(1, 4):
        assert stream.read_next_batch().num_rows == 1
        assert len(pulled) == count


def test_parts_are_joined_across_batches(aq, model, tmp_path):
    expected, plan = quantized(model, tmp_path, "--type", "int4")
    run("convert", model, "-o", tmp_path / "parts.parquet", "--part-size", "100KiB")
    parts = pq.read_table(tmp_path / "parts.parquet")
    assert parts.num_rows > len(expected) + 10
    for rows_of_a_batch in (1, 4):
        found = aq.transform(reader_of(parts, rows_of_a_batch), model, plan).read_all()
        assert by_name(found.to_pylist()) == expected


def refusal(stream):
    with pytest.raises((OSError, pa.ArrowException)) as caught:
        stream.read_all()
    with pytest.raises((OSError, pa.ArrowException)):  # and it stays so
        stream.read_next_batch()
    return str(caught.value)


def test_values_that_cannot_be_stored_end_the_stream(aq, tmp_path):
    values = noise(9, 64, 64)
    values[3, 4] = np.nan
    model = tmp_path / "nan.safetensors"
    write_safetensors(model, {"good": ("F32", noise(8, 64, 64)), "bad": ("F32", values)})
    run("convert", model, "-o", tmp_path / "v1.parquet")
    run("quantize", model, "--dry-run", "--type", "int8", "--save-plan", tmp_path / "plan.json")
    plan = (tmp_path / "plan.json").read_bytes()
    words = refusal(aq.transform(reader_of(pq.read_table(tmp_path / "v1.parquet"), 1), model, plan))
    assert "'bad'" in words and "[3, 4] is NaN" in words


def test_rows_that_are_not_the_plans_end_the_stream(aq, model, table, tmp_path):
    _, plan = quantized(model, tmp_path, "--type", "int8")
    other = tmp_path / "other.safetensors"
    write_safetensors(other, {"large.weight": ("F32", noise(1, 5, 5)), "more": ("F32", noise(2, 3))})
    run("convert", other, "-o", tmp_path / "other.parquet")
    others = pq.read_table(tmp_path / "other.parquet")
    assert "another dtype, shape" in refusal(aq.transform(reader_of(others.slice(0, 1), 1), model, plan))
    assert "no entry" in refusal(aq.transform(reader_of(others.slice(1, 1), 1), model, plan))
    twice = pa.concat_tables([table.slice(0, 1), table.slice(0, 1)])
    assert "two tensors have this name" in refusal(aq.transform(reader_of(twice, 1), model, plan))


def test_errors_of_the_producer_are_passed_on(aq, model, table, tmp_path):
    _, plan = quantized(model, tmp_path, "--type", "int8")

    def batches():
        yield table.to_batches(max_chunksize=1)[0]
        raise ValueError("the disk is gone")

    assert "the disk is gone" in refusal(aq.transform(pa.RecordBatchReader.from_batches(table.schema, batches()), model, plan))


def test_plans_are_read_back_as_they_are_written(aq, model, tmp_path):
    _, text = quantized(model, tmp_path, "--type", "int4", "--keep", "experts")
    plan, out = aq.plan(model, text), ctypes.c_char_p()
    aq.call("aq_plan_render", plan, ctypes.byref(out))
    again = out.value
    aq.lib.aq_plan_free(plan)
    run("quantize", model, "-o", tmp_path / "again.parquet", "--plan", tmp_path / "plan.json", "--save-plan", tmp_path / "2.json")
    assert again == (tmp_path / "2.json").read_bytes()


def test_plans_that_need_a_search_are_refused(aq, model, table, tmp_path):
    run("quantize", model, "--dry-run", "--type", "int8", "--save-plan", tmp_path / "plan.json")
    plan = (tmp_path / "plan.json").read_bytes().replace(b'"method": "minmax"', b'"method": "gptq"')
    with pytest.raises(RuntimeError, match="no scales for it, and method gptq"):
        aq.transform(reader_of(table, 1), model, plan)
    with pytest.raises(RuntimeError, match="is not a plan"):
        aq.transform(reader_of(table, 1), model, b"{")
