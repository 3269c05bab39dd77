"""The tables that the command writes: four libraries read the same rows, and every byte is what FORMAT.md says."""
import hashlib
import itertools
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import (BITS, READERS, ST_DTYPES, V1_COLUMNS, V2_COLUMNS, as_f32, cpu_sets, dequantize, noise,
                      read_pyarrow, read_safetensors, run, spread, unpack, write_safetensors)

TIED = "head.weight"  # the same bytes as encoder.attention.weight
TYPES = ["int8", "int4", "int3", "int2"]
CODECS = ["auto", "none", "zstd", "zstd:19", "brotli", "lz4", "snappy"]
GRANULARITIES = [["--per", "tensor"], ["--per", "channel"], ["--per", "group", "--group-size", "32"],
                 ["--per", "group", "--group-size", "40"]]
V1_VARIANTS = [[f"--codec={codec}"] for codec in CODECS] + [["--row-group-size", "10kB"]]
ALL = "--quantize-1d"  # small tensors as well
V2_VARIANTS = [["--type", kind, *per, f"--codec={codec}", ALL] for (kind, per), codec in
               zip(itertools.product(TYPES, GRANULARITIES), itertools.cycle(CODECS))]
V2_VARIANTS += [["--type", kind, *rest] for kind in TYPES for rest in
                ([], ["--sym", "--method=minmax", ALL], ["--asym", "--method=minmax", ALL],
                 ["--sym", "--method=mse", ALL], ["--asym", "--method=mse", ALL], ["--row-group-size", "10kB"])]
V2_VARIANTS += [["--type", kind] for kind in ("fp32", "fp16", "bf16")]


def name_of(variant):
    return "_".join(word.lstrip("-") for word in variant) or "default"


def make(kind, source, folder, variant):
    path = folder / "table.parquet"
    run(kind, source, "-o", path, *variant)
    return path


def by_name(rows):
    found = {row["layer_name"]: row for row in rows}
    assert len(found) == len(rows), "a tensor has two rows"
    return found


def assert_readers_agree(path, columns):
    rows = READERS["pyarrow"](path)
    for name, reader in READERS.items():
        found = reader(path)
        assert len(found) == len(rows), name
        for a, b in zip(rows, found):
            assert list(b) == columns, name
            for column in columns:
                assert a[column] == b[column], f"{name}: {a['layer_name']}, column {column}"
    return rows


# ---- V1 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", V1_VARIANTS, ids=name_of)
def test_v1_table_is_read_alike_and_holds_the_source_bytes(model, model_file, tmp_path, variant):
    rows = by_name(assert_readers_agree(make("convert", model_file, tmp_path, variant), V1_COLUMNS))
    assert set(rows) == set(model) - {TIED}
    for name, row in rows.items():
        dtype, bits = model[name]
        assert row["dtype"] == ST_DTYPES[dtype][1]
        assert row["shape"] == list(bits.shape)
        assert row["num_params"] == bits.size
        assert row["data"] == bits.tobytes()


def test_v1_dtype_option_converts_floats_alone(model, model_file, tmp_path):
    path = make("convert", model_file, tmp_path, ["--dtype", "fp16"])
    rows = by_name(assert_readers_agree(path, V1_COLUMNS))
    for name, row in rows.items():
        dtype, bits = model[name]
        if dtype in ("F64", "F32", "F16", "BF16"):
            assert row["dtype"] == "torch.float16"
            assert row["data"] == as_f32(dtype, bits).astype("<f2").tobytes()
        else:
            assert row["dtype"] == ST_DTYPES[dtype][1]
            assert row["data"] == bits.tobytes()


# ---- V2 --------------------------------------------------------------------------------------------------------------


def check_kept_row(row, dtype, bits):
    """A row that was not quantized: the values, as they were or in the dtype that was asked for."""
    assert row["quant_type"] == ("fp16" if row["dtype"] in ("torch.float16", "torch.bfloat16") else "fp32")
    assert row["scales"] == row["zero_points"] == b""
    assert (row["quant_axis"], row["group_size"]) == (-1, 0)
    if row["dtype"] == ST_DTYPES[dtype][1]:
        assert row["data"] == bits.tobytes()
    elif row["dtype"] == "torch.float16":
        assert row["data"] == as_f32(dtype, bits).astype("<f2").tobytes()
    elif row["dtype"] == "torch.float32":
        assert row["data"] == as_f32(dtype, bits).tobytes()


def check_quantized_row(row, dtype, bits):
    """The codes are what the rule of encoding makes of the values with the row's scales and zero points."""
    assert row["dtype"] == ST_DTYPES[dtype][1]
    assert row["quant_axis"] in (-1, 0) and row["group_size"] >= 0
    kind = row["quant_type"]
    low = -(1 << (BITS[kind] - 1))
    index = spread(row)
    scale, zero = (np.frombuffer(row[c], "<f4")[index] for c in ("scales", "zero_points"))
    x = as_f32(dtype, bits).reshape(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.where(scale > 0, x / scale + zero, np.float32(0))
    q = np.rint(np.clip(exact, low, -low - 1))
    assert np.array_equal(q, unpack(kind, row["data"], row["num_params"]))


@pytest.mark.parametrize("variant", V2_VARIANTS, ids=name_of)
def test_v2_table_is_read_alike_and_decodes_as_the_export(model, model_file, tmp_path, variant):
    path = make("quantize", model_file, tmp_path, variant)
    rows = by_name(assert_readers_agree(path, V2_COLUMNS))
    assert set(rows) == set(model) - {TIED}
    out = tmp_path / "out.safetensors"
    run("export", path, "-o", out, "--to", "safetensors", "--dtype", "fp32")
    exported = read_safetensors(out)
    assert set(exported) == set(model), "tied tensors come back, none is lost"
    quantized = 0
    for name, row in rows.items():
        dtype, bits = model[name]
        assert (row["shape"], row["num_params"]) == (list(bits.shape), bits.size)
        if row["quant_type"] in BITS:
            quantized += 1
            check_quantized_row(row, dtype, bits)
            assert exported[name] == ("F32", list(bits.shape), dequantize(row).tobytes())
        else:
            check_kept_row(row, dtype, bits)
            if row["dtype"] == "torch.float32":
                assert exported[name][2] == row["data"]
    assert exported[TIED] == exported["encoder.attention.weight"]
    if variant[1] in BITS:
        assert quantized >= (12 if ALL in variant else 3)


def test_brotli_and_zstd_hold_the_same_rows_for_every_reader(tmp_path):
    """A tensor of several blocks is one brotli stream; scales, which repeat, stay in zstd."""
    weights = noise(1, 1500, 1600) * noise(2, 1500, 1600)
    weights[::3] *= np.float32(0.25)  # rows of another distribution, as one scale serves all
    write_safetensors(tmp_path / "m.safetensors", {"a.weight": ("F32", weights), "b.weight": ("F32", noise(3, 300, 384))})
    rows, codecs, sizes = {}, {}, {}
    for codec in ("zstd", "brotli"):
        path = tmp_path / f"{codec}.parquet"
        run("quantize", tmp_path / "m.safetensors", "-o", path, "--type", "int8", "--per", "tensor", f"--codec={codec}",
            "--tensor", "b.weight=int4,group=64,sym")
        run("verify", path, "--deep")
        rows[codec] = {name: reader(path) for name, reader in READERS.items()}
        group = pq.read_metadata(path).row_group(0)
        codecs[codec] = {c.path_in_schema: c.compression for c in (group.column(i) for i in range(group.num_columns))}
        sizes[codec] = path.stat().st_size
    assert codecs["brotli"]["data"] == "BROTLI" and codecs["brotli"]["zero_points"] == "ZSTD"
    assert sizes["brotli"] < 0.97 * sizes["zstd"]
    for name in READERS:
        assert rows["brotli"][name] == rows["zstd"][name] == rows["zstd"]["pyarrow"], name


def test_v2_schema_is_what_pyarrow_writes_by_default(model_file, tmp_path):
    path = make("quantize", model_file, tmp_path, ["--type", "int4"])
    schema = pq.read_schema(path)
    types = [pa.string(), pa.list_(pa.field("element", pa.int32())), pa.string(), pa.binary(), pa.int64(), pa.string(),
             pa.binary(), pa.binary(), pa.int32(), pa.int32()]
    assert schema.names == V2_COLUMNS
    for field, kind in zip(schema, types):
        assert field.type in (kind, {pa.binary(): pa.large_binary(), pa.string(): pa.large_string()}.get(kind))
        assert field.nullable


def test_v2_blobs_have_no_statistics(model_file, tmp_path):
    meta = pq.read_metadata(make("quantize", model_file, tmp_path, ["--type", "int4"]))
    for group in range(meta.num_row_groups):
        for i in range(meta.num_columns):
            column = meta.row_group(group).column(i)
            if column.path_in_schema in ("data", "scales", "zero_points"):
                assert not column.is_stats_set


def test_v2_metadata_names_aliases_and_version(model_file, tmp_path):
    path = make("quantize", model_file, tmp_path, ["--type", "int4"])
    pairs = {k.decode(): v.decode() for k, v in pq.read_metadata(path).metadata.items()}
    ours = {k: v for k, v in pairs.items() if k.startswith("arrowquant.")}
    assert any("0." in v for k, v in ours.items() if "version" in k)
    aliases = next(v for k, v in ours.items() if "alias" in k)
    assert TIED in json.dumps(json.loads(aliases))


# ---- The same bytes everywhere ---------------------------------------------------------------------------------------


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_same_bytes(kind, source, folder, variant, threads, cpus):
    digests = set()
    for i, (count, cpu) in enumerate([(t, None) for t in threads] + [(2, c) for c in cpus]):
        path = folder / f"{i}.parquet"
        run(kind, source, "-o", path, "-t", count, *variant, env={"AQ_CPU": cpu} if cpu else None)
        digests.add(digest(path))
    assert len(digests) == 1


@pytest.mark.parametrize("method", ["minmax", "mse"])
@pytest.mark.parametrize("kind", TYPES)
def test_threads_and_instruction_sets_give_the_same_file(model_file, tmp_path, kind, method):
    variant = ["--type", kind, "--method", method, "--row-group-size", "20kB", ALL]
    assert_same_bytes("quantize", model_file, tmp_path, variant, [1, 2, 3, 7], cpu_sets())


def test_threads_and_instruction_sets_give_the_same_file_of_the_real_model(minilm, tmp_path):
    for kind in ("int8", "int3"):
        folder = tmp_path / kind
        folder.mkdir()
        assert_same_bytes("quantize", minilm, folder, ["--type", kind], [1, 2, 5], cpu_sets())


def test_threads_give_the_same_v1_file(model_file, tmp_path):
    assert_same_bytes("convert", model_file, tmp_path, ["--dtype", "bf16"], [1, 2, 5], cpu_sets())


# ---- Part rows -------------------------------------------------------------------------------------------------------


def parts_of(rows, name):
    """Rows NAME[lo:hi] in order, checked for gaps."""
    found = []
    for row in rows:
        if row["layer_name"].startswith(name + "["):
            lo, hi = map(int, row["layer_name"][len(name) + 1:-1].split(":"))
            found.append((lo, hi, row))
    assert found and found[0][0] == 0
    for (_, hi, _), (lo, _, _) in itertools.pairwise(found):
        assert lo == hi
    return found


@pytest.mark.parametrize("variant", [["--type", kind, "--per", per] for kind in TYPES for per in
                                     ("tensor", "channel", "group")], ids=name_of)
def test_part_rows_are_joined_again(model, model_file, tmp_path, variant):
    path = make("quantize", model_file, tmp_path, [*variant, "--part-size", "6kB"])
    rows = assert_readers_agree(path, V2_COLUMNS)
    out = tmp_path / "out.safetensors"
    run("export", path, "-o", out, "--dtype", "fp32")
    exported = read_safetensors(out)
    assert set(exported) == set(model)
    name = "encoder.attention.weight"
    parts = parts_of(rows, name)
    assert len(parts) > 1 and parts[-1][1] == model[name][1].shape[0]
    joined = b"".join(dequantize(row).tobytes() for _, _, row in parts)
    assert exported[name] == ("F32", list(model[name][1].shape), joined)
    assert exported[TIED] == exported[name]


def test_part_rows_of_v1_hold_the_source_bytes(model, model_file, tmp_path):
    path = make("convert", model_file, tmp_path, ["--part-size", "6kB"])
    rows = assert_readers_agree(path, V1_COLUMNS)
    name = "encoder.attention.weight"
    assert b"".join(row["data"] for _, _, row in parts_of(rows, name)) == model[name][1].tobytes()
    out = tmp_path / "out.safetensors"
    run("export", path, "-o", out)
    assert {n: (d, s, b) for n, (d, s, b) in read_safetensors(out).items()} == {
        n: (d, list(b.shape), b.tobytes()) for n, (d, b) in model.items()}


# ---- The real model --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["int8", "int2"])
def test_real_model_is_read_alike_and_decodes_as_the_export(minilm, tmp_path, kind):
    path = make("quantize", minilm, tmp_path, ["--type", kind])
    rows = assert_readers_agree(path, V2_COLUMNS)
    out = tmp_path / "out.safetensors"
    run("export", path, "-o", out, "--dtype", "fp32")
    exported = read_safetensors(out)
    source = read_safetensors(minilm / "model.safetensors")
    assert set(exported) == set(source)
    for row in rows:
        name = row["layer_name"]
        want = dequantize(row).tobytes() if row["quant_type"] in BITS else row["data"]
        if source[name][0] == "F32":
            assert exported[name][2] == want, name


def test_real_model_v1_holds_the_source_bytes(minilm, tmp_path):
    rows = read_pyarrow(make("convert", minilm, tmp_path, []))
    source = read_safetensors(minilm / "model.safetensors")
    assert {r["layer_name"]: r["data"] for r in rows} == {n: b for n, (_, _, b) in source.items()}


@pytest.mark.parametrize("kind", ["int8", "int4", "fp16", "fp32"])
def test_little_memory_gives_the_same_rows(minilm, tmp_path, kind):
    """Rows that do not fit the memory allowed are written while they are made."""
    whole, streamed = tmp_path / "whole.parquet", tmp_path / "streamed.parquet"
    run("quantize", minilm, "-o", whole, "--type", kind)
    run("quantize", minilm, "-o", streamed, "--type", kind, "--max-memory", "24MiB")
    assert read_pyarrow(streamed) == read_pyarrow(whole)
    run("verify", streamed, "--deep")
