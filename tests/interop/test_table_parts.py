"""Tables that other writers cut into parts: read as one table, or refused with what to do."""
import json

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from conftest import noise, read_safetensors, run, write_safetensors


def export(source, path):
    run("export", source, "-o", path)
    return read_safetensors(path)


def document(*args):
    return json.loads(run(*args, "--json").stdout)


def told_at(status, *args):
    return run(*args, expect=status).stderr


def floats(seed, *shape):
    return "F32", noise(seed, *shape).astype("<f4")


@pytest.fixture
def tables(tmp_path):
    """A model of six tensors, and its int4 table."""
    write_safetensors(tmp_path / "m.safetensors", {f"layer.{i}.weight": floats(i, 32, 64) for i in range(6)})
    run("quantize", tmp_path / "m.safetensors", "-o", tmp_path / "whole.parquet", "--type", "int4")
    return tmp_path


def parts_of(table, counts):
    at = 0
    for n in counts:
        yield table.slice(at, n)
        at += n


NAMES = {
    "spark": [f"part-{i:05}-5a1c-c000.snappy.parquet" for i in range(3)] + ["_SUCCESS"],
    "dask": [f"part.{i}.parquet" for i in (0, 1, 10)],
    "pyarrow": [f"part-{i}.parquet" for i in range(3)],
    "duckdb": [f"data_{i}.parquet" for i in range(3)],
    "of": [f"train-{i:05}-of-00003.parquet" for i in range(3)],
    "marked": ["x.parquet", "y.parquet", "z.parquet", "_metadata"],
}


@pytest.mark.parametrize("writer", NAMES)
@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "none"])
def test_a_folder_of_parts_is_one_table(tables, writer, metadata):
    table = pq.read_table(tables / "whole.parquet")
    if not metadata:
        table = table.replace_schema_metadata(None)
    folder = tables / "parts"
    folder.mkdir()
    for name, part in zip(NAMES[writer], [*parts_of(table, (2, 3, 1)), None]):
        if part is None:
            (folder / name).write_bytes(b"")
        else:
            pq.write_table(part, folder / name, compression="snappy")
    assert export(folder, tables / "parts.safetensors") == export(tables / "whole.parquet", tables / "w.safetensors")
    run("verify", folder, "--deep", "--against", tables / "m.safetensors")
    run("compare", tables / "whole.parquet", folder)
    info = document("info", folder)
    assert len(info["tensors"]) == 6 and "3 Parquet files" in info["notes"][0]
    made = document("convert", folder, "-o", tables / "v1.parquet")
    assert "3 Parquet files" in made["warnings"][0]
    told = told_at(2, "export", folder / NAMES[writer][1], "-o", tables / "half.safetensors") \
        if writer != "marked" else "part"
    assert "part" in told and not (tables / "half.safetensors").exists()


def test_dataset_of_pyarrow_is_one_table_and_its_hive_layout_is_refused(tables):
    table = pq.read_table(tables / "whole.parquet")
    ds.write_dataset(table, tables / "flat", format="parquet", max_rows_per_file=2, max_rows_per_group=2)
    assert len(list((tables / "flat").iterdir())) == 3
    assert export(tables / "flat", tables / "f.safetensors") == export(tables / "whole.parquet", tables / "w.safetensors")
    ds.write_dataset(table, tables / "hive", format="parquet", partitioning=["quant_type"], partitioning_flavor="hive")
    told = told_at(3, "info", tables / "hive")
    assert "quant_type=int4" in told and "hive_partitioning=true" in told
    # A part of kept rows looks like a whole V1 table.
    run("convert", tables / "m.safetensors", "-o", tables / "v1.parquet")
    v1 = pq.read_table(tables / "v1.parquet")
    ds.write_dataset(v1.append_column("quant_type", pa.array(["fp32"] * 6)), tables / "kept", format="parquet",
                     partitioning=["quant_type"], partitioning_flavor="hive")
    part, = (tables / "kept" / "quant_type=fp32").iterdir()
    told = told_at(2, "export", part, "-o", tables / "half.safetensors")
    assert "quant_type=fp32" in told and "hive_partitioning=true" in told


def test_parts_that_do_not_make_a_table_are_refused(tables):
    table = pq.read_table(tables / "whole.parquet")
    folder = tables / "parts"
    folder.mkdir()
    pq.write_table(table.slice(0, 4), folder / "part-0.parquet")
    pq.write_table(table.slice(3, 3), folder / "part-1.parquet")
    assert "layer.3.weight" in told_at(3, "info", folder)
    pq.write_table(table.slice(4).drop_columns(["scales"]), folder / "part-1.parquet")
    told = told_at(3, "info", folder)
    assert "part-1.parquet" in told and "scales" in told
    run("convert", tables / "m.safetensors", "-o", tables / "v1.parquet")
    pq.write_table(pq.read_table(tables / "v1.parquet").slice(4), folder / "part-1.parquet")
    told = told_at(3, "info", folder)
    assert "part-1.parquet" in told and "V1" in told
    write_safetensors(tables / "o.safetensors", {f"other.{i}.weight": floats(9 + i, 32, 64) for i in range(2)})
    run("quantize", tables / "o.safetensors", "-o", folder / "part-1.parquet", "--type", "int4", "--force")
    told = told_at(3, "info", folder)
    assert "part-1.parquet" in told and "another table" in told


def test_a_part_that_lies_alone_and_a_table_that_lost_rows_draw_notes(tables):
    table = pq.read_table(tables / "whole.parquet")
    folder = tables / "parts"
    folder.mkdir()
    pq.write_table(table.slice(0, 2), folder / "part-0.parquet")
    notes = document("convert", folder, "-o", tables / "x.parquet")["warnings"]
    assert any("named like a part" in n for n in notes)
    assert any("2 of the 6 tensors" in n for n in notes)
    pq.write_table(table, folder / "again.parquet")
    notes = document("info", folder / "again.parquet")["notes"]
    assert notes == []
