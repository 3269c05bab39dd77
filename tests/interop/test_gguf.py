"""GGUF files, written by the package gguf and by hand: the values are those that the package decodes, bit for bit."""
import json
import os
import struct

import gguf
import numpy as np
import pytest
import safetensors.numpy
from conftest import COMMAND, read_safetensors, run
from peak_memory import peak_memory

TYPES = gguf.GGMLQuantizationType
PLAIN = {TYPES.F64: "<f8", TYPES.F32: "<f4", TYPES.F16: "<f2", TYPES.I8: "i1", TYPES.I16: "<i2", TYPES.I32: "<i4",
         TYPES.I64: "<i8"}
BLOCKS = [t for t in TYPES if t in gguf.quants._type_traits and t is not TYPES.BF16]
ROWS, BLOCKS_PER_ROW = 13, 48  # every point of every grid is met

# Where the FP16 scales of a block lie, so that random ones can be made finite.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "TQ1_0": [52], "TQ2_0": [64], "IQ2_XXS": [0], "IQ2_XS": [0],
          "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0], "IQ1_S": [0], "IQ4_NL": [0], "IQ4_XS": [0]}


def random_blocks(quant_type, seed, special=False):
    """Rows of random bytes as blocks; with `special`, scales may be infinite or NaN."""
    _, size = gguf.GGML_QUANT_SIZES[quant_type]
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (ROWS * BLOCKS_PER_ROW, size), dtype=np.uint8)
    for at in [] if special else HALVES.get(quant_type.name, []):
        high = blocks[:, at + 1]
        blocks[:, at + 1] = np.where(high & 0x7C == 0x7C, high ^ 0x40, high)
    if quant_type is TYPES.IQ1_M and not special:
        blocks[:, -1] &= 0xBF  # the exponent's upper bit
    return blocks.reshape(ROWS, BLOCKS_PER_ROW * size)


def decode(blocks, quant_type):
    """By the package; NaN as 0x7fc00000, because a product's NaN differs between machines."""
    with np.errstate(all="ignore"):
        values = np.ascontiguousarray(gguf.quants.dequantize(blocks, quant_type), dtype="<f4")
    return np.where(np.isnan(values), np.uint32(0x7FC00000), values.view("<u4"))


def write_gguf(path, tensors, **metadata):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_array("tokenizer.ggml.tokens", ["<s>", "ä", "\"\\\n"])
    writer.add_array("tokenizer.ggml.scores", [0.1, -1.5])
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_float32("llama.rope.freq_base", 0.1)
    writer.add_int32("llama.block_count", -3)
    for key, value in metadata.items():
        writer.add_string(key, value)
    for name, (values, raw_type) in tensors.items():
        writer.add_tensor(name, values, raw_dtype=raw_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def exported(source, folder):
    out = folder / "out.safetensors"
    run("export", source, "-o", out, "--force")
    return read_safetensors(out)


def info(path):
    return json.loads(run("info", path, "--json").stdout)


@pytest.mark.parametrize("special", [False, True], ids=["finite", "any"])
@pytest.mark.parametrize("quant_type", BLOCKS, ids=lambda t: t.name)
def test_blocks_have_the_values_of_the_package(tmp_path, quant_type, special):
    blocks = random_blocks(quant_type, quant_type.value, special)
    path = tmp_path / "m.gguf"
    write_gguf(path, {"w": (blocks, quant_type)})
    dtype, shape, data = exported(path, tmp_path)["w"]
    expected = decode(blocks, quant_type)
    assert dtype == "F32"
    assert tuple(shape) == expected.shape
    got = np.frombuffer(data, "<u4").reshape(expected.shape)
    assert special or quant_type is TYPES.MXFP4 or np.isfinite(got.view("<f4")).all()  # its scales reach 2^127
    np.testing.assert_array_equal(got, expected)


def test_every_type_that_the_package_decodes_is_read_and_no_other(tmp_path):
    """Q8_K is the one that the package does not decode; test_gguf.c has it."""
    read = {t.name for t in BLOCKS} | {t.name for t in PLAIN} | {"BF16", "Q8_K"}
    for t in TYPES:
        values, size = gguf.GGML_QUANT_SIZES[t]
        path = tmp_path / f"{t.name}.gguf"
        write_by_hand(path, [("w", [values], t.value, 0)], b"\0" * size)
        done = run("info", path, expect=0 if t.name in read else 3)
        assert t.name in read or f"({t.name})" in done.stderr


def test_plain_numbers_are_read_as_they_are(tmp_path):
    random = np.random.default_rng(3)
    tensors = {t.name: random.integers(0, 100, (2, 3, 4, 5)).astype(d) for t, d in PLAIN.items()}
    write_gguf(tmp_path / "m.gguf", {n: (v, None) for n, v in tensors.items()})
    got = exported(tmp_path / "m.gguf", tmp_path)
    for name, values in tensors.items():
        assert got[name] == (name, [2, 3, 4, 5], values.tobytes())


def test_bf16_is_read_as_it_is(tmp_path):
    bits = np.random.default_rng(4).integers(0, 1 << 16, (4, 8)).astype("<u2")
    write_gguf(tmp_path / "m.gguf", {"w": (bits.view(np.uint8), TYPES.BF16)})
    assert exported(tmp_path / "m.gguf", tmp_path)["w"] == ("BF16", [4, 8], bits.tobytes())


def test_commands_work_on_a_file(tmp_path):
    model, table, codes = tmp_path / "m.gguf", tmp_path / "v1.parquet", tmp_path / "v2.parquet"
    blocks = random_blocks(TYPES.Q5_K, 6)
    write_gguf(model, {"blk.0.attn_q.weight": (blocks, TYPES.Q5_K), "output_norm.weight": (np.ones(7, "f4"), None)})
    said = run("info", model).stdout
    assert "GGUF" in said
    assert "1 tensor is quantized already (Q5_K 1): decoded to FP32" in said
    run("convert", model, "-o", table)
    run("verify", table, "--against", model)
    assert exported(table, tmp_path)["blk.0.attn_q.weight"] == exported(model, tmp_path)["blk.0.attn_q.weight"]
    run("quantize", model, "-o", codes, "--type", "int8")
    run("verify", codes, "--deep", "--against", model)
    assert "cosine" in run("compare", model, codes).stdout
    weight = next(t for t in info(model)["tensors"] if t["name"] == "blk.0.attn_q.weight")
    assert weight["stored_bytes"] == blocks.nbytes
    assert weight["data_bytes"] == 4 * weight["params"]


def test_validate_counts_what_is_decoded_as_fp32(tmp_path):
    values = np.random.default_rng(5).standard_normal((512, 512), dtype=np.float32)
    blocks = gguf.quants.quantize(values, TYPES.Q4_0)
    write_gguf(tmp_path / "model.gguf", {"blk.0.ffn_up.weight": (blocks, TYPES.Q4_0)})
    out = tmp_path / "report"
    run("validate", tmp_path / "model.gguf", "--types", "int8", "--output-dir", out)
    report = json.loads((out / "validation.json").read_text())
    assert report["baseline"]["bytes"] == 4 * 512 * 512
    assert report["types"][0]["compression_ratio"] > 2 > report["types"][0]["ratio_to_v1"]


def test_metadata_travel_as_a_file_of_the_model(tmp_path):
    model, table, codes = tmp_path / "m.gguf", tmp_path / "v1.parquet", tmp_path / "v2.parquet"
    write_gguf(model, {"w": (np.ones((64, 64), "f4"), None)}, **{"arrowquant.file.config.json": "{}", "long": "x" * 40000})
    run("convert", model, "-o", table)
    run("quantize", table, "-o", codes, "--type", "int8")
    texts = []
    for path in (model, table, codes):
        pairs = {p["key"]: p for p in info(path)["metadata"]}
        assert "arrowquant.file.config.json" not in pairs  # a key of a file that looks like one of a table
        texts.append(pairs)
    metadata = json.loads(texts[0]["arrowquant.file.gguf.json"]["value"])
    assert metadata["general.name"] == {"type": "string", "value": "tiny"}
    assert metadata["tokenizer.ggml.tokens"] == {"type": "array", "of": "string", "value": ["<s>", "ä", "\"\\\n"]}
    assert metadata["tokenizer.ggml.scores"]["of"] == "float32"
    assert np.float32(metadata["tokenizer.ggml.scores"]["value"][0]) == np.float32(0.1)
    assert metadata["tokenizer.ggml.add_bos_token"] == {"type": "bool", "value": True}
    assert np.float32(metadata["llama.rope.freq_base"]["value"]) == np.float32(0.1)
    assert metadata["llama.block_count"] == {"type": "int32", "value": -3}
    assert texts[0]["general.architecture"]["value"] == "llama"
    packed = [t["arrowquant.file_zstd.gguf.json"]["value"] for t in texts[1:]]
    assert packed[0] == packed[1]
    run("export", codes, "-o", tmp_path / "again.safetensors")


def test_models_in_parts_are_one(tmp_path):
    tensors = {f"t{i}": np.full((3, 32), i, "f4") for i in range(6)}
    for part in range(3):
        metadata = [("split.no", 2, part), ("split.count", 2, 3), ("split.tensors.count", 5, 6)]
        infos, data = [], b""
        for i in (2 * part, 2 * part + 1):
            infos.append((f"t{i}", [32, 3], 0, len(data)))
            data += tensors[f"t{i}"].tobytes()
        write_by_hand(tmp_path / f"m-0000{part + 1}-of-00003.gguf", infos, data, metadata)
    for path in (tmp_path, tmp_path / "m-00001-of-00003.gguf", tmp_path / "m-00003-of-00003.gguf"):
        described = info(path)
        assert [t["name"] for t in described["tensors"]] == sorted(tensors)
        assert described["source"]["file_bytes"] == sum(p.stat().st_size for p in tmp_path.glob("*.gguf"))
    out = tmp_path / "out" / "m.parquet"
    out.parent.mkdir()
    run("convert", tmp_path, "-o", out)
    for name, values in tensors.items():
        assert exported(out, out.parent)[name][2] == values.tobytes()
    os.remove(tmp_path / "m-00002-of-00003.gguf")
    for path in (tmp_path, tmp_path / "m-00001-of-00003.gguf"):
        said = run("info", path, expect=3).stderr
        assert "1 of the 3 parts of the model are missing: m-00002-of-00003.gguf" in said
    os.rename(tmp_path / "m-00001-of-00003.gguf", tmp_path / "first.gguf")
    assert "is part 1 of 3" in run("info", tmp_path / "first.gguf", expect=3).stderr


def test_a_table_with_names_of_the_file_is_no_model(tmp_path):
    model, table = tmp_path / "m.gguf", tmp_path / "m.parquet"
    write_gguf(model, {"w": (np.ones((64, 64), "f4"), None)})
    (tmp_path / "config.json").write_text("{}")
    run("convert", model, "-o", table)
    for command in (("embed", table, "--text", "a"), ("generate", table, "--prompt", "a")):
        said = run(*command, expect=3).stderr
        assert "no config.json" in said
        assert "names=hf" in said


def test_memory_is_bounded(tmp_path):
    """A tensor that decodes to 256 MiB is never held."""
    rows = 1 << 13
    block = random_blocks(TYPES.IQ1_S, 9)[0, :50]
    write_by_hand(tmp_path / "m.gguf", [("w", [1 << 13, rows], TYPES.IQ1_S.value, 0)],
                  block.tobytes() * ((1 << 13) // 256 * rows))
    status, told, peak = peak_memory(COMMAND, "quantize", tmp_path / "m.gguf", "-o", tmp_path / "t.parquet", "--type", "int4",
                                     "--threads", "2")
    assert status == 0, told
    assert peak < 160 << 20


# ---- Files written by hand -------------------------------------------------------------------------------------------

FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<B", 10: "<Q", 11: "<q", 12: "<d"}


def string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def value_bytes(kind, value):
    return string(value) if kind == 8 else struct.pack(FORMATS[kind], value)


def header(infos, metadata=(), version=3, order="<"):
    """infos: (name, dimensions, type, offset); metadata: (key, type, value)."""
    out = b"GGUF" + struct.pack(order + "IQQ", version, len(infos), len(metadata))
    for key, kind, value in metadata:
        out += string(key) + struct.pack("<I", kind) + value_bytes(kind, value)
    for name, dims, kind, offset in infos:
        out += string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)
    return out


def write_by_hand(path, infos, data, metadata=(), **more):
    head = header(infos, metadata, **more)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)


def test_version_2_is_read(tmp_path):
    values = np.arange(6, dtype="<f4")
    write_by_hand(tmp_path / "m.gguf", [("w", [3, 2], 0, 0)], values.tobytes(), version=2)
    assert exported(tmp_path / "m.gguf", tmp_path)["w"] == ("F32", [2, 3], values.tobytes())


def test_alignment_is_that_of_the_file(tmp_path):
    head = header([("w", [1], 0, 0)], [("general.alignment", 4, 128)])
    (tmp_path / "m.gguf").write_bytes(head + b"\0" * (-len(head) % 128) + struct.pack("<f", 7))
    assert exported(tmp_path / "m.gguf", tmp_path)["w"][2] == struct.pack("<f", 7)


def test_values_that_json_has_no_words_for(tmp_path):
    metadata = [("nan", 6, float("nan")), ("inf", 12, float("-inf")), ("big", 10, (1 << 64) - 1), ("raw", 8, b"a\xffb"),
                ("zero", 8, "a\0b"), ("escape", 8, "\x01\x7f\"")]
    write_by_hand(tmp_path / "m.gguf", [("w", [1], 0, 0)], b"\0" * 4, metadata)
    described = info(tmp_path / "m.gguf")
    pairs = {p["key"]: p["value"] for p in described["metadata"]}
    got = {k: v["value"] for k, v in json.loads(pairs["arrowquant.file.gguf.json"]).items()}
    assert got == {"nan": "NaN", "inf": "-Infinity", "big": (1 << 64) - 1, "raw": "a\ufffdb", "zero": "a\0b",
                   "escape": "\x01\x7f\""}
    assert pairs["big"] == str((1 << 64) - 1)
    assert "raw" not in pairs
    assert "zero" not in pairs
    assert any("1 string of the metadata is not UTF-8" in note for note in described["notes"])


def test_safetensors_stand_before_gguf_in_a_folder(tmp_path):
    safetensors.numpy.save_file({"a": np.ones(3, "f4")}, tmp_path / "weights.safetensors")
    write_gguf(tmp_path / "m.gguf", {"w": (np.ones(3, "f4"), None)})
    assert info(tmp_path)["source"]["format"] == "safetensors"
