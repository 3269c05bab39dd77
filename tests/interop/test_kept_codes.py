"""--keep-codes: tensors that a format stores as codes become rows with these codes where the formula of docs/FORMAT.md,
written here in NumPy, gives exactly the values of the format; every other tensor becomes values."""
import json
import pathlib
import sys

import gguf
import numpy as np
import pyarrow.parquet as pq
import pytest
import test_onnx as onnx_files
from conftest import dequantize, noise, read_safetensors, run, write_safetensors
from gguf_models import byte_level, decoder_tensors, write_decoder
from onnx import helper, numpy_helper
from quantized_layers import CASES, config_of, gptq, gptq_config, pack_quantized
from test_gguf import BLOCKS, TYPES, decode, random_blocks, write_gguf
from test_quantized_checkpoints import NORM, SHAPES, bits_of, write_checkpoint

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from tiny_bert import make_encoder

# Of each type: the codes that a row has, and how many values share a scale. Those of the types in TRIED differ from the
# values of the format unless scale and minimum fit; all other types are never codes.
EXACT = {"Q4_0": ("int4", 32), "Q5_0": ("int8", 32), "Q8_0": ("int8", 32), "Q3_K": ("int3", 16), "Q6_K": ("int8", 16),
         "IQ4_NL": ("int8", 32)}


def kept(source, path, *options, command="convert"):
    """The rows of the table by name, and the warnings."""
    said = run(command, source, "-o", path, "--force", "--keep-codes", "--json", *options)
    return rows_of(path), json.loads(said.stdout)["warnings"]


def rows_of(path):
    return {row["layer_name"]: row for row in pq.read_table(path).to_pylist()}


def same_codes(a, b):
    columns = ("shape", "quant_type", "data", "quant_axis", "group_size")
    numbers = [np.frombuffer(row[name], "<f4") for row in (a, b) for name in ("scales", "zero_points")]
    return (all(a[c] == b[c] for c in columns) and np.array_equal(numbers[0], numbers[2])
            and np.array_equal(numbers[1], numbers[3]))  # a zero point -0 comes back as 0


def values_of(source, folder):
    run("export", source, "-o", folder / "values.safetensors", "--force")
    return read_safetensors(folder / "values.safetensors")


# ---- GGUF ----


@pytest.mark.parametrize("quant_type", BLOCKS, ids=lambda t: t.name)
def test_blocks_are_kept_where_a_row_has_their_values(tmp_path, quant_type):
    blocks = random_blocks(quant_type, 100 + quant_type.value)
    write_gguf(tmp_path / "m.gguf", {"w": (blocks, quant_type)})
    rows, notes = kept(tmp_path / "m.gguf", tmp_path / "t.parquet")
    expected = decode(blocks, quant_type).view("<f4")
    if quant_type.name in EXACT:
        row = rows["w"]
        assert (row["quant_type"], row["group_size"]) == EXACT[quant_type.name]
        np.testing.assert_array_equal(dequantize(row).reshape(expected.shape).view("<u4"), expected.view("<u4"))
        assert np.frombuffer(row["scales"], "<f4").min() < 0 or quant_type is TYPES.MXFP4  # as stored
        assert "the codes of 1 tensor are taken over as they are stored, without loss" in notes
    else:
        assert "quant_type" not in rows["w"]
        np.testing.assert_array_equal(np.frombuffer(rows["w"]["data"], "<u4"), expected.view("<u4").reshape(-1))
        assert [note for note in notes if note.startswith("1 tensor ('w') that is codes in the source becomes values")]
    assert not [note for note in notes if "decoded to FP32" in note]


def test_minimums_are_kept_where_they_are_multiples_of_the_scale(tmp_path):
    """Q4_1 and Q5_1 of whole zero points; one block that has none makes values of the tensor."""
    for quant_type, width, top in ((TYPES.Q4_1, 20, 15), (TYPES.Q5_1, 24, 31)):
        blocks = np.random.default_rng(5).integers(0, 256, (40, width), dtype=np.uint8)
        scales = np.random.default_rng(6).integers(33, 64, 40).astype("<f2") / np.float16(1024)
        zeros = np.random.default_rng(7).integers(0, top, 40)
        blocks[:, :2] = scales.view(np.uint8).reshape(40, 2)
        minimums = (-scales.astype("<f4") * zeros).astype("<f2")
        blocks[:, 2:4] = minimums.view(np.uint8).reshape(40, 2)
        other = blocks.copy()
        other[39, 2] ^= 1
        write_gguf(tmp_path / "m.gguf", {"fits": (blocks, quant_type), "other": (other, quant_type)})
        rows, notes = kept(tmp_path / "m.gguf", tmp_path / "t.parquet")
        assert rows["fits"]["quant_type"] == ("int4" if top == 15 else "int8")
        assert rows["other"]["quant_type"] == "fp32"
        np.testing.assert_array_equal(np.frombuffer(rows["fits"]["zero_points"], "<f4"), zeros - (top + 1) // 2)
        for row, stored in ((rows["fits"], blocks), (rows["other"], other)):
            values = dequantize(row) if row["scales"] else np.frombuffer(row["data"], "<f4")
            np.testing.assert_array_equal(values.view("<u4"), decode(stored, quant_type).reshape(-1))
        assert [note for note in notes if "1 tensor ('other') that is codes" in note]


def test_infinite_scales_are_never_kept(tmp_path):
    blocks = random_blocks(TYPES.Q8_0, 1)
    fine = blocks.copy()
    blocks[-1, -33] = 0x7C  # the last block's scale
    write_gguf(tmp_path / "m.gguf", {"bad": (blocks, TYPES.Q8_0), "fine": (fine, TYPES.Q8_0)})
    rows, _ = kept(tmp_path / "m.gguf", tmp_path / "t.parquet")
    assert (rows["bad"]["quant_type"], rows["fine"]["quant_type"]) == ("fp32", "int8")
    np.testing.assert_array_equal(np.frombuffer(rows["bad"]["data"], "<u4"), decode(blocks, TYPES.Q8_0).reshape(-1))


@pytest.mark.parametrize("quant_type", [TYPES.Q8_0, TYPES.Q4_0], ids=lambda t: t.name)
def test_the_largest_scales_of_fp16_go_back(tmp_path, quant_type):
    """Whose minimum, which these blocks do not have, would be too large."""
    blocks = random_blocks(quant_type, 3)
    blocks.reshape(-1, gguf.GGML_QUANT_SIZES[quant_type][1])[:, :2] = np.frombuffer(np.float16(65504).tobytes(), np.uint8)
    write_gguf(tmp_path / "m.gguf", {"token_embd.weight": (blocks, quant_type)})
    run("export", tmp_path / "m.gguf", "-o", tmp_path / "again.gguf", "--to", "gguf", "--keep-codes")
    again = gguf.GGUFReader(tmp_path / "again.gguf").tensors[0]
    assert again.tensor_type == quant_type
    assert again.data.tobytes() == blocks.tobytes()


def blocks_of_three_bits(factors, times, seed):
    """Blocks of Q3_K with random codes, as the page of ggml has them: 32 bytes of high bits, 64 of low ones, 12 of scales."""
    blocks = np.random.default_rng(seed).integers(0, 256, (len(factors), 110), dtype=np.uint8)
    scale = (times + 32).astype(np.uint8)
    blocks[:, 96:104] = (scale[:, :8] & 15) | (scale[:, 8:] & 15) << 4
    high = (scale >> 4).reshape(-1, 4, 4)
    blocks[:, 104:108] = high[:, 0] | high[:, 1] << 2 | high[:, 2] << 4 | high[:, 3] << 6
    blocks[:, 108:] = factors.astype("<f2").view(np.uint8).reshape(-1, 2)
    return blocks


def test_blocks_of_three_bits_go_back(tmp_path):
    """Scales and factors of both signs, of zero and below FP16's normal numbers: the same values, and the same bytes where
    the largest multiple is -32, as llama.cpp makes them, and no smaller one would do."""
    rng = np.random.default_rng(11)
    count = 400
    factors = (rng.standard_normal(count) * 2.0 ** rng.integers(-22, 12, count)).astype("<f2")
    factors[200:][factors[200:] == 0] = 1
    factors[:6] = [0, -0.0, 2**-24, -(2**-24), 65504 / 32, -65504]
    times = rng.integers(-32, 32, (count, 16))
    times[50:90] = times[50:90] // 2 * 2  # factors of twice the size do as well
    times[90:130] = np.abs(times[90:130] + 1) % 32
    times[130:150] = 0
    times[150:170, 1:] = 0
    times[200:, 0], times[200:, 1] = -32, 7
    blocks = blocks_of_three_bits(factors, times, 12)
    write_gguf(tmp_path / "m.gguf", {"token_embd.weight": (blocks.reshape(100, -1), TYPES.Q3_K)})
    rows, _ = kept(tmp_path / "m.gguf", tmp_path / "t.parquet")
    assert rows["token_embd.weight"]["quant_type"] == "int3"
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "again.gguf", "--to", "gguf")
    run("export", tmp_path / "m.gguf", "-o", tmp_path / "direct.gguf", "--to", "gguf", "--keep-codes")
    for path in ("again.gguf", "direct.gguf"):
        again = gguf.GGUFReader(tmp_path / path).tensors[0]
        assert again.tensor_type == TYPES.Q3_K
        found = np.frombuffer(again.data.tobytes(), np.uint8).reshape(count, 110)
        np.testing.assert_array_equal(decode(found, TYPES.Q3_K), decode(blocks, TYPES.Q3_K))
        assert found[200:].tobytes() == blocks[200:].tobytes()


def test_what_no_file_can_hold_is_refused(tmp_path):
    """No block has groups of 16 codes of 8 bits. A file of values has no codes."""
    write_gguf(tmp_path / "m.gguf", {"token_embd.weight": (random_blocks(TYPES.Q6_K, 4), TYPES.Q6_K)})
    said = run("export", tmp_path / "m.gguf", "-o", tmp_path / "x.gguf", "--to", "gguf", "--keep-codes", expect=3).stderr
    assert "no multiple of 32 values" in said
    said = run("export", tmp_path / "m.gguf", "-o", tmp_path / "x.safetensors", "--keep-codes", expect=2).stderr
    assert "safetensors files hold values" in said
    assert "--keep-codes" in said
    assert {path.name for path in tmp_path.iterdir()} == {"m.gguf"}


def test_codes_go_back_to_the_same_blocks(tmp_path):
    stored = {"token_embd.weight": TYPES.Q8_0, "blk.0.attn_q.weight": TYPES.Q4_0, "blk.0.ffn_up.weight": TYPES.F32}
    made = {name: (noise(i, 64, 96) if t is TYPES.F32 else gguf.quantize(noise(i, 64, 96), t), t)
            for i, (name, t) in enumerate(stored.items())}
    write_gguf(tmp_path / "m.gguf", made)
    kept(tmp_path / "m.gguf", tmp_path / "t.parquet")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "again.gguf", "--to", "gguf")
    run("export", tmp_path / "m.gguf", "-o", tmp_path / "direct.gguf", "--to", "gguf", "--keep-codes")
    for path in ("again.gguf", "direct.gguf"):
        again = {t.name: t for t in gguf.GGUFReader(tmp_path / path).tensors}
        for name, (values, quant_type) in made.items():
            assert again[name].tensor_type == quant_type
            assert again[name].data.tobytes() == values.tobytes(), name


def test_rows_of_attention_are_in_the_order_of_the_model(tmp_path):
    """With names of Hugging Face query and key of llama have their rows in another order, codes too."""
    tokenizer = byte_level()
    tensors = decoder_tensors("llama", len(tokenizer["tokens"]))
    types = {name: TYPES.Q8_0 for name, values in tensors.items() if np.ndim(values) == 2 and values.shape[1] % 32 == 0}
    assert [name for name in types if "attn_q" in name or "q_proj" in name]
    write_decoder(tmp_path / "m.gguf", "llama", tensors, tokenizer, types)
    rows, _ = kept(tmp_path / "m.gguf", tmp_path / "t.parquet", "--names", "hf")
    plain = values_of_names(tmp_path)
    assert set(plain) == set(rows)
    coded = [name for name, row in rows.items() if row["quant_type"] == "int8"]
    assert len(coded) == len(types)
    for name in coded:
        assert dequantize(rows[name]).tobytes() == plain[name][2], name
    run("generate", tmp_path / "t.parquet", "--prompt", "a", "--max-tokens", "3")


def values_of_names(folder):
    run("export", folder / "m.gguf", "-o", folder / "values.safetensors", "--force", "--names", "hf")
    return read_safetensors(folder / "values.safetensors")


@pytest.mark.parametrize("form", ["mlx", "compressed-tensors"])
def test_codes_of_one_format_are_codes_in_another(tmp_path, form):
    """Scales of Q4_0 are negative in half of its blocks. Sums of MLX have no -0, so that such a tensor comes back as values."""
    tokenizer = byte_level()
    tensors = {name: noise(i, *values.shape) for i, (name, values) in
               enumerate(decoder_tensors("llama", len(tokenizer["tokens"])).items())}
    types = {name: TYPES.Q4_0 for name, values in tensors.items() if values.ndim == 2 and values.shape[1] % 32 == 0}
    write_decoder(tmp_path / "m.gguf", "llama", tensors, tokenizer, types)
    run("export", tmp_path / "m.gguf", "-o", tmp_path / "out", "--to", form, "--keep-codes", "--names", "hf")
    plain, found = values_of_names(tmp_path), values_of(tmp_path / "out", tmp_path)
    stored = read_safetensors(tmp_path / "out" / "model.safetensors")
    assert sum(name.endswith(("scales", "weight_scale")) for name in stored) >= len(types) - 1  # the table of tokens
    for name, (_, _, data) in found.items():
        a, b = np.frombuffer(data, "<f4"), np.frombuffer(plain[name][2], "<f4")
        np.testing.assert_array_equal(a if form == "mlx" else a.view("<u4"), b if form == "mlx" else b.view("<u4"))
    rows, _ = kept(tmp_path / "out", tmp_path / "t.parquet")
    coded = [row for row in rows.values() if row.get("scales")]
    assert bool(coded) == (form != "mlx")
    assert not coded or min(np.frombuffer(row["scales"], "<f4").min() for row in coded) < 0
    run("perplexity", tmp_path / "t.parquet", "--against", tmp_path / "m.gguf", "--texts", __file__, "--context", "32",
        "--windows", "2")


def test_large_tensors_are_streamed_and_cut_as_values_are(tmp_path):
    blocks = np.random.default_rng(9).integers(0, 256, (600, 2048 // 32 * 18), dtype=np.uint8)
    halves = blocks.reshape(-1, 18)[:, 1]
    blocks.reshape(-1, 18)[:, 1] = np.where(halves & 0x7C == 0x7C, halves ^ 0x40, halves)
    write_gguf(tmp_path / "m.gguf", {"w": (blocks, TYPES.Q4_0)})
    whole, _ = kept(tmp_path / "m.gguf", tmp_path / "t.parquet")
    parts, _ = kept(tmp_path / "m.gguf", tmp_path / "p.parquet", "--part-size", "1MiB", "--max-memory", "64MiB")
    assert len(parts) > 2 and list(whole) == ["w"]
    assert b"".join(row["data"] for row in parts.values()) == whole["w"]["data"]
    assert b"".join(row["scales"] for row in parts.values()) == whole["w"]["scales"]
    assert values_of(tmp_path / "p.parquet", tmp_path)["w"][2] == values_of(tmp_path / "m.gguf", tmp_path)["w"][2]
    streamed, _ = kept(tmp_path / "m.gguf", tmp_path / "s.parquet", "--max-memory", "26MiB", "-t", "1")
    assert streamed["w"] == whole["w"]


# ---- layers that other tools quantized ----

# Layers whose values are products of a scale and a difference of whole numbers, in groups of columns that follow each
# other, and the type that their codes have.
PRODUCTS = {"gptq": "int4", "awq": "int4", "pack-quantized": "int4", "int-quantized": "int8"}


def is_product(case):
    return case.split()[0] in PRODUCTS and "act order" not in case and case != "pack-quantized g_idx"


@pytest.mark.parametrize("case", CASES)
def test_layers_are_kept_where_a_row_has_their_values(tmp_path, case):
    random = np.random.default_rng(1000 + list(CASES).index(case))
    made = {f"layers.{i}.proj": CASES[case][1](random, *shape) for i, shape in enumerate(SHAPES)}
    folder = write_checkpoint(tmp_path / "m", {name: parts for name, (parts, _) in made.items()}, config_of(case))
    rows, notes = kept(folder, tmp_path / "t.parquet")
    assert set(rows) == {"norm.weight", *(name + ".weight" for name in made)}
    coded = {name for name, row in rows.items() if row.get("scales")}
    for name, (_, values) in made.items():
        row = rows[name + ".weight"]
        got = dequantize(row) if row.get("scales") else np.frombuffer(row["data"], "<f4")
        np.testing.assert_array_equal(bits_of(got), bits_of(values).reshape(-1))
    assert rows["norm.weight"]["data"] == NORM[1].tobytes()
    if is_product(case):
        assert len(coded) == len(made), notes
    elif not case.startswith("mlx"):
        assert not coded, case
    assert not [note for note in notes if "decoded to FP32" in note]


def test_groups_in_another_order_become_values(tmp_path):
    random = np.random.default_rng(3)
    made = {"a": gptq(random, 32, 64), "b": gptq(random, 32, 64, order=True)}
    folder = write_checkpoint(tmp_path / "m", {name: parts for name, (parts, _) in made.items()},
                              {"quantization_config": gptq_config(dynamic={"+:b": {"desc_act": True}})})
    rows, notes = kept(folder, tmp_path / "t.parquet")
    assert rows["a.weight"]["quant_type"] == "int4" and rows["b.weight"]["quant_type"] == "fp32"
    assert [note for note in notes if "1 tensor ('b.weight') that is codes in the source becomes values" in note]


@pytest.mark.parametrize("form", ["compressed-tensors", "gptq", "mlx"])
@pytest.mark.parametrize("quant_type", ["int8", "int4", "int3", "int2"])
def test_what_was_exported_comes_back_with_the_same_rows(tmp_path, quant_type, form):
    """Scales that FP16 holds, as GPTQ has no others: powers of two."""
    folder = tmp_path / "m"
    folder.mkdir()
    top = {"int8": 127, "int4": 7, "int3": 3, "int2": 1}[quant_type]
    random = np.random.default_rng(top)
    model = {}
    for i in range(3):
        codes = random.integers(-top, top + 1, (64, 4, 32)).astype("<f4")
        codes[:, :, 0] = top
        values = codes * 2.0 ** random.integers(-9, -3, (64, 4, 1))
        model[f"layers.{i}.proj.weight"] = ("F32", values.astype("<f4").reshape(64, 128))
    write_safetensors(folder / "model.safetensors", {**model, "norm.weight": ("F32", noise(9, 64))})
    (folder / "config.json").write_text('{"model_type": "llama"}')
    run("quantize", folder, "-o", tmp_path / "t.parquet", "--type", quant_type, "--method", "minmax", "--sym",
        "--per", "group", "--group-size", "32")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "out", "--to", form)
    rows, notes = kept(tmp_path / "out", tmp_path / "again.parquet")
    before = rows_of(tmp_path / "t.parquet")
    assert set(rows) == set(before)
    for name in model:
        assert same_codes(rows[name], before[name]), (name, notes)
    assert values_of(tmp_path / "again.parquet", tmp_path) == values_of(tmp_path / "t.parquet", tmp_path)


# ---- ONNX ----


def check_weight(path, folder, name, coded):
    """The weight is kept or not, and has its values; returns the row."""
    rows, _ = kept(path, folder / "t.parquet")
    row, expected = rows[name], values_of(path, folder)[name]
    got = dequantize(row) if row.get("scales") else np.frombuffer(row["data"], "<f4")
    np.testing.assert_array_equal(bits_of(got), np.frombuffer(expected[2], "<u4"))
    assert (row.get("quant_type", "fp32") if row.get("scales") else "values") == coded
    return row


@pytest.mark.parametrize("layout", ["tensor", "axis0", "axis1", "blocks0", "blocks1", "short blocks"])
@pytest.mark.parametrize("turned", [False, True], ids=["as it is", "turned"])
@pytest.mark.parametrize("kind", ["INT8", "UINT8", "INT4", "UINT4", "INT2", "UINT2", "INT16"])
def test_weights_of_onnx_are_kept_where_scales_follow_rows(tmp_path, kind, turned, layout):
    """A weight of a MatMul lies turned in the file: what are its columns there are rows of the tensor."""
    shape = (48, 80)
    axis = {"axis1": 1, "blocks1": 1, "short blocks": 1}.get(layout, 0)
    if layout == "short blocks" and turned:
        axis = 0
    block = {"short blocks": 36}.get(layout, 16)
    scale_shape = () if layout == "tensor" else (shape[axis],)
    attributes = {} if layout == "tensor" else {"axis": axis}
    if "blocks" in layout:
        scale_shape = tuple(-(-n // block) if i == axis else n for i, n in enumerate(shape))
        attributes["block_size"] = block
    codes, bits = onnx_files.random_codes(kind, shape, 5)
    zeros, _ = onnx_files.random_codes(kind, scale_shape, 7)
    scales = np.random.default_rng(6).uniform(-2, 2, scale_shape).astype("f4")
    name = "onnx::MatMul_7_quantized" if turned else "m.w_quantized"
    tensors = [onnx_files.code_tensor(name, kind, codes, bits), numpy_helper.from_array(scales, "s"),
               onnx_files.code_tensor("z", kind, np.asarray(zeros), bits)]
    read = helper.make_node("DequantizeLinear", [name, "s", "z"], ["v"], **attributes)
    use = helper.make_node("MatMul" if turned else "Mul", ["x", "v"], ["y"], name="/m/w/MatMul")
    path = onnx_files.write_model(tmp_path / "m.onnx", [read, use], tensors)
    names = list(values_of(path, tmp_path))
    along_rows = 0 if turned else 1  # of the file: the axis that is along rows of the tensor
    fits = layout == "tensor" or axis == (along_rows if "blocks" in layout else 1 - along_rows)
    fits &= layout != "short blocks" and kind != "INT16"
    row = check_weight(path, tmp_path, names[0], f"int{bits}" if fits else "values")
    assert row["shape"] == list(shape[::-1] if turned else shape)
    if fits:
        groups = {"tensor": (-1, 0)}.get(layout, (0, block if "blocks" in layout else 0))
        assert (row["quant_axis"], row["group_size"]) == groups


@pytest.mark.parametrize("columns", [64, 75])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_weights_of_matmul_n_bits_are_kept_where_blocks_fill_rows(tmp_path, bits, columns):
    rows, block = 7, 16
    blocks = -(-columns // block)
    random = np.random.default_rng(bits)
    codes = random.integers(0, 1 << bits, (rows, blocks * block))
    stored = np.stack([onnx_files.packed(row, bits) for row in codes]).reshape(rows, blocks, -1)
    zeros = np.concatenate([onnx_files.packed(row, bits) for row in random.integers(0, 1 << bits, (rows, blocks))])
    tensors = [numpy_helper.from_array(stored, "onnx::MatMul_7_Q4"), numpy_helper.from_array(zeros, "z"),
               numpy_helper.from_array(random.uniform(0.01, 1, rows * blocks).astype("f4"), "s")]
    node = helper.make_node("MatMulNBits", ["x", "onnx::MatMul_7_Q4", "s", "z"], ["y"], name="/layers.0/up/MatMul_Q4",
                            domain="com.microsoft", K=columns, N=rows, bits=bits, block_size=block)
    path = onnx_files.write_model(tmp_path / "m.onnx", [node], tensors)
    check_weight(path, tmp_path, "layers.0.up.weight", f"int{bits}" if columns == 64 else "values")


@pytest.mark.parametrize("options", [["int8", "--per", "channel"], ["int4", "--sym", "--group-size", "32"],
                                     ["int4", "--group-size", "16"], ["int8", "--group-size", "16", "--asym"]])
def test_what_was_exported_to_onnx_comes_back_with_the_same_rows(tmp_path, options):
    make_encoder(tmp_path / "m", hidden=64, inner=128)
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", *options)
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "out", "--to", "onnx")
    rows, _ = kept(tmp_path / "out", tmp_path / "again.parquet")
    before = rows_of(tmp_path / "t.parquet")
    coded = [name for name, row in rows.items() if row["scales"]]
    assert len(coded) >= 12
    for name in coded:
        assert dequantize(rows[name]).tobytes() == dequantize(before[name]).tobytes(), name
        assert rows[name]["data"] == before[name]["data"] or rows[name]["quant_type"] != before[name]["quant_type"], name


# ---- the commands ----


def test_quantize_keeps_codes_and_quantizes_the_rest(tmp_path):
    blocks = random_blocks(TYPES.Q8_0, 4)
    write_gguf(tmp_path / "m.gguf", {"a": (blocks, TYPES.Q8_0), "b": (noise(1, 64, 64), None),
                                     "c": (random_blocks(TYPES.Q4_K, 4), TYPES.Q4_K)})
    rows, notes = kept(tmp_path / "m.gguf", tmp_path / "t.parquet", "--type", "int4", command="quantize")
    assert [rows[name]["quant_type"] for name in "abc"] == ["int8", "int4", "int4"]
    again = [note for note in notes if "the errors of both add up" in note]
    assert len(again) == 1 and again[0].startswith("1 of the layers") and "option keep-codes" in again[0]
    direct, _ = kept(tmp_path / "m.gguf", tmp_path / "v.parquet")
    assert direct["a"] == rows["a"]
    # A rule that names the tensor is a request that the options do not allow.
    done = run("quantize", tmp_path / "m.gguf", "-o", tmp_path / "u.parquet", "--keep-codes", "--tensor", "a=int4", expect=2)
    assert "is int8 already" in done.stderr and "--allow-requantize" in done.stderr
    # Of a table the codes are kept too, and nothing else needs to be named.
    more, _ = kept(tmp_path / "v.parquet", tmp_path / "w.parquet", "--type", "int4", command="quantize")
    assert more == rows
    plain = run("quantize", tmp_path / "m.gguf", "-o", tmp_path / "x.parquet", "--type", "int4").stdout
    assert "2 of the layers that another tool quantized are quantized again" in plain


def test_convert_of_a_table_keeps_its_rows(tmp_path):
    write_safetensors(tmp_path / "m.safetensors", {"a": ("F32", noise(1, 64, 64)), "n": ("F32", noise(2, 64))})
    run("quantize", tmp_path / "m.safetensors", "-o", tmp_path / "t.parquet", "--type", "int4", "--per", "channel")
    rows, _ = kept(tmp_path / "t.parquet", tmp_path / "u.parquet", "--dtype", "fp16")
    before = rows_of(tmp_path / "t.parquet")
    assert rows["a"] == before["a"] and rows["n"]["dtype"] == "torch.float16"
    run("convert", tmp_path / "t.parquet", "-o", tmp_path / "v.parquet")
    assert "quant_type" not in rows_of(tmp_path / "v.parquet")["a"]


def test_a_source_without_codes_is_converted_as_ever(tmp_path):
    write_safetensors(tmp_path / "m.safetensors", {"a": ("F32", noise(1, 64, 64))})
    run("convert", tmp_path / "m.safetensors", "-o", tmp_path / "a.parquet")
    run("convert", tmp_path / "m.safetensors", "-o", tmp_path / "b.parquet", "--keep-codes")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_an_encoder_of_kept_codes_gives_the_vectors_of_the_checkpoint(tmp_path):
    folder = tmp_path / "m"
    make_encoder(folder, hidden=64, inner=128)
    run("quantize", folder, "-o", tmp_path / "t.parquet", "--type", "int4", "--sym", "--group-size", "16")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "ct", "--to", "compressed-tensors")
    kept(tmp_path / "ct", tmp_path / "again.parquet")
    for source, vectors in (("ct", "a.npy"), ("again.parquet", "b.npy")):
        run("embed", tmp_path / source, "--text", "a b c", "-o", tmp_path / vectors)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_info_tells_what_would_be_kept(tmp_path):
    parts, _ = pack_quantized(np.random.default_rng(1), 32, 64)
    folder = write_checkpoint(tmp_path / "m", {"a": parts}, config_of("pack-quantized 4"))
    tensors = {t["name"]: t["stored_as"] for t in json.loads(run("info", folder, "--keep-codes", "--json").stdout)["tensors"]}
    assert tensors == {"a.weight": "int4 g16", "norm.weight": "float32"}
