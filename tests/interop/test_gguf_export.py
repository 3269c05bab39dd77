"""export --to gguf: the package gguf reads what we write, and its values are ours up to the FP16 scales of the blocks."""
import json

import gguf
import numpy as np
import pytest
from conftest import noise, read_pyarrow, read_safetensors, run, spread, unpack

TYPES = gguf.GGMLQuantizationType
FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "BF16": 32}


def write_model(path, rows=96, columns=256, dtype=np.float32):
    """Tensors with llama.cpp's names, and a key of every type."""
    writer = gguf.GGUFWriter(path, "llama")
    for name, value in {"a.u8": 255, "a.i8": -128, "a.u16": 65535, "a.i16": -32768, "a.u32": 2**32 - 1,
                        "a.i32": -2**31, "a.u64": 2**63 - 1, "a.i64": -2**63, "a.f32": 0.1, "a.f64": 0.1}.items():
        kind = {"u": "uint", "i": "int", "f": "float"}[name[2]] + name[3:]
        getattr(writer, f"add_{kind}")(name, value)
    writer.add_float32("a.infinite", -np.inf)
    writer.add_bool("a.bool", True)
    writer.add_array("a.strings", ["", "ä\n", "\"\\"])
    writer.add_array("a.floats", [1.5, -0.1])
    writer.add_array("a.bools", [True, False])
    for name, values in {"token_embd.weight": noise(1, 40, columns), "blk.0.attn_q.weight": noise(2, rows, columns),
                         "blk.0.ffn_up.weight": noise(3, 33, columns), "blk.0.exps.weight": noise(4, 2, 32, 64),
                         "blk.0.attn_norm.weight": noise(5, columns), "odd.weight": noise(6, 7, 5)}.items():
        writer.add_tensor(name, values.astype(dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def pairs_of(reader):
    return {name: (field.types, str(field.contents())) for name, field in reader.fields.items()
            if not name.startswith("GGUF.") and name not in ("general.file_type", "general.quantization_version")}


def values_of(tensor):
    values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return values.reshape([int(n) for n in reversed(tensor.shape)]).astype(np.float32)


def exported(table, folder):
    run("export", table, "-o", folder / "plain.safetensors", "--dtype", "fp32", "--force")
    return {name: np.frombuffer(data, "<f4").reshape(shape)
            for name, (_, shape, data) in read_safetensors(folder / "plain.safetensors").items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_converted_file_is_written_back(tmp_path, dtype):
    source = write_model(tmp_path / "m.gguf", dtype=dtype)
    run("convert", source, "-o", tmp_path / "t.parquet")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf")
    before, after = gguf.GGUFReader(source), gguf.GGUFReader(tmp_path / "out.gguf")
    assert pairs_of(after) == pairs_of(before) and list(pairs_of(after)) == list(pairs_of(before))
    assert after.fields["general.file_type"].contents() == (0 if dtype == np.float32 else 1)
    assert [t.name for t in after.tensors] == [t.name for t in before.tensors]
    for old, new in zip(before.tensors, after.tensors, strict=True):
        assert list(new.shape) == list(old.shape)
        if len(old.shape) > 1:
            assert new.tensor_type == old.tensor_type and new.data.tobytes() == old.data.tobytes()
        else:  # which llama.cpp wants as FP32
            assert new.tensor_type == TYPES.F32 and (new.data == old.data.astype(np.float32)).all()


def rounded(row, blocks):
    """The values of a row of the table whose scale, or line through its codes, has coefficients of FP16."""
    codes, index = unpack(row["quant_type"], row["data"], row["num_params"]), spread(row)
    scale, point = (np.frombuffer(row[name], "<f4")[index] for name in ("scales", "zero_points"))
    d = scale.astype("<f2").astype(np.float32)
    m = ((-(np.float32(8) + point)) * scale).astype("<f2").astype(np.float32)
    values = d * (codes + 8) + m if blocks == "Q4_1" else d * codes
    return values.reshape(row["shape"])


CODES = {  # options of quantize: the type of blocks
    "Q8_0 per channel": (["--type", "int8"], "Q8_0"),
    "Q8_0 per tensor": (["--type", "int8", "--per", "tensor"], "Q8_0"),
    "Q8_0 in groups": (["--type", "int8", "--group-size", "32"], "Q8_0"),
    "Q4_0 in groups": (["--type", "int4", "--sym", "--group-size", "32"], "Q4_0"),
    "Q4_0 from int3": (["--type", "int3", "--sym", "--per", "channel"], "Q4_0"),
    "Q4_1": (["--type", "int4"], "Q4_1"),
    "Q4_1 in groups over rows": (["--type", "int4", "--group-size", "512"], "Q4_1"),
    "Q4_1 from int2": (["--type", "int2", "--group-size", "96"], "Q4_1"),
    "Q4_1 from int3": (["--type", "int3", "--group-size", "64"], "Q4_1"),
}


@pytest.mark.parametrize("options, blocks", CODES.values(), ids=CODES)
def test_codes_are_taken_over_up_to_the_rounding_of_scales(tmp_path, options, blocks):
    source = write_model(tmp_path / "m.gguf")
    run("quantize", source, "-o", tmp_path / "t.parquet", "--keep", "odd.weight", *options)
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf")
    reader = gguf.GGUFReader(tmp_path / "out.gguf")
    assert reader.fields["general.file_type"].contents() == FILE_TYPES[blocks]
    assert reader.fields["general.quantization_version"].contents() == 2
    rows = {row["layer_name"]: row for row in read_pyarrow(tmp_path / "t.parquet")}
    for tensor in reader.tensors:
        quantized = tensor.name not in ("blk.0.attn_norm.weight", "odd.weight")
        assert tensor.tensor_type.name == (blocks if quantized else "F32")
        if quantized:
            assert (values_of(tensor) == rounded(rows[tensor.name], blocks)).all(), tensor.name


@pytest.mark.parametrize("options", [["--type", "int4"], ["--type", "int8"]])
def test_matrix_of_megabytes_streams_to_the_same_blocks(tmp_path, options):
    """More than a block of the sink, at offsets that are within blocks of ggml."""
    source = write_model(tmp_path / "m.gguf", rows=1500, columns=4096)
    run("quantize", source, "-o", tmp_path / "t.parquet", "--keep", "odd.weight", *options)
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf")
    row = next(row for row in read_pyarrow(tmp_path / "t.parquet") if row["layer_name"] == "blk.0.attn_q.weight")
    tensor = next(t for t in gguf.GGUFReader(tmp_path / "out.gguf").tensors if t.name == row["layer_name"])
    assert (values_of(tensor) == rounded(row, tensor.tensor_type.name)).all()


def test_our_reader_reads_the_same_file(tmp_path):
    source = write_model(tmp_path / "m.gguf")
    run("quantize", source, "-o", tmp_path / "t.parquet", "--type", "int4", "--keep", "odd.weight")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf")
    ours = exported(tmp_path / "out.gguf", tmp_path)
    for tensor in gguf.GGUFReader(tmp_path / "out.gguf").tensors:
        assert (ours[tensor.name] == values_of(tensor)).all()
    run("export", tmp_path / "out.gguf", "-o", tmp_path / "again.gguf", "--to", "gguf")
    for tensor in gguf.GGUFReader(tmp_path / "again.gguf").tensors:
        assert tensor.tensor_type == TYPES.F32 and (tensor.data == ours[tensor.name]).all()


def test_dtype_is_for_matrices_and_for_codes_that_no_block_has(tmp_path):
    source = write_model(tmp_path / "m.gguf")
    run("quantize", source, "-o", tmp_path / "t.parquet", "--type", "int8", "--tensor", "blk.0.ffn_up.weight=int8,asym")
    done = run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf", expect=3)
    assert "'blk.0.ffn_up.weight'" in done.stderr and "no block of 8 bits has zero points" in done.stderr
    assert not (tmp_path / "out.gguf").exists()
    report = json.loads(run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf", "--dtype",
                            "bf16", "--json").stdout)
    types = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / "out.gguf").tensors}
    assert types == {"token_embd.weight": "Q8_0", "blk.0.attn_q.weight": "Q8_0", "blk.0.ffn_up.weight": "BF16",
                     "blk.0.exps.weight": "Q8_0", "blk.0.attn_norm.weight": "F32", "odd.weight": "BF16"}
    assert {t["name"]: t["action"] for t in report["tensors"]} == {
        "token_embd.weight": "kept", "blk.0.attn_q.weight": "kept", "blk.0.ffn_up.weight": "dequantized",
        "blk.0.exps.weight": "kept", "blk.0.attn_norm.weight": "kept", "odd.weight": "converted"}


@pytest.mark.parametrize("options, says", [(["--group-size", "48"], "its groups are no multiple of 32"),
                                           (["--tensor", "odd.weight=int4,per=channel"], "its rows are no multiple of 32")])
def test_codes_that_no_block_has_are_refused_by_name(tmp_path, options, says):
    source = write_model(tmp_path / "m.gguf")
    run("quantize", source, "-o", tmp_path / "t.parquet", "--type", "int4", *options)
    done = run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf", expect=3)
    assert says in done.stderr and "--dtype" in done.stderr
    assert not list(tmp_path.glob("out*"))


def test_value_that_fp16_does_not_hold_and_names_of_folders_are_refused(tmp_path):
    source = write_model(tmp_path / "m.gguf")
    done = run("export", source, "-o", tmp_path / "folder", "--to", "gguf", expect=2)
    assert "Choose a name that ends in .gguf" in done.stderr
    big = gguf.GGUFWriter(tmp_path / "big.gguf", "llama")
    big.add_tensor("token_embd.weight", np.full((2, 32), 1e6, np.float32))
    big.write_header_to_file()
    big.write_kv_data_to_file()
    big.write_tensors_to_file()
    big.close()
    done = run("export", tmp_path / "big.gguf", "-o", tmp_path / "out.gguf", "--to", "gguf", "--dtype", "fp16", expect=3)
    assert "too large" in done.stderr and "token_embd.weight" in done.stderr
    assert not list(tmp_path.glob("out*"))
