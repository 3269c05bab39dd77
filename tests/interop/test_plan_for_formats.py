"""quantize --for FORMAT: the export to it takes every code over, and programs of the format read the values of the table."""
import json

import gguf
import numpy as np
import pytest
import scheme_rules as rules
from conftest import noise, read_pyarrow, read_safetensors, run
from encoder_families import change_tensors, make_family
from test_compressed_tensors import CONFIG, check
from test_compressed_tensors import write_model as write_linear
from test_gguf_export import exported, values_of
from test_mlx_export import arrays as mlx_arrays

CODES = ("int8", "int4", "int3", "int2")
ODD, ADDED = "odd.weight", "position_embd.weight"


def write_model(path, scale=1.0, shift=0.0):
    """Rows of two heights, a stack, a matrix whose rows no block has, one that llama.cpp adds, and a vector."""
    writer = gguf.GGUFWriter(path, "bert")
    shapes = {"token_embd.weight": (40, 256), "blk.0.attn_q.weight": (96, 96), "blk.0.exps.weight": (2, 32, 64),
              ODD: (70, 33), ADDED: (64, 32), "blk.0.attn_norm.weight": (2048,)}
    for seed, (name, shape) in enumerate(shapes.items()):
        values = np.ascontiguousarray((noise(seed, *shape) + shift) * scale, np.float32)
        values.reshape(-1)[:32] = 0 if seed == 0 else values.reshape(-1)[:32]
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def check_export(table, folder):
    """Codes are taken over, all values are those of the table bit for bit; the types of the blocks."""
    report = json.loads(run("export", table, "-o", folder / "out.gguf", "--to", "gguf", "--json").stdout)
    rows = {row["layer_name"]: row for row in read_pyarrow(table)}
    quantized = {name for name, row in rows.items() if row["quant_type"] in CODES}
    assert {t["name"] for t in report["tensors"] if t["action"] == "dequantized"} == set()
    assert {t["name"] for t in report["tensors"] if t["action"] == "kept" and t["name"] in quantized} == quantized
    plain, types = exported(table, folder), {}
    for tensor in gguf.GGUFReader(folder / "out.gguf").tensors:
        assert np.array_equal(values_of(tensor), plain[tensor.name]), tensor.name
        types[tensor.name] = tensor.tensor_type.name
    return types


PLANS = {
    "int8": (["--type", "int8"], "Q8_0"),
    "int8 minmax per channel": (["--type", "int8", "--per", "channel", "--method", "minmax"], "Q8_0"),
    "int4": (["--type", "int4"], "Q4_0"),
    "int4 minmax": (["--type", "int4", "--method", "minmax", "--per", "tensor"], "Q4_0"),
    "int4 asym": (["--type", "int4", "--asym"], "Q4_1"),
    "int4 asym minmax": (["--type", "int4", "--asym", "--method", "minmax", "--group-size", "64"], "Q4_1"),
    "int3": (["--type", "int3"], "Q4_0"),
    "int3 asym": (["--type", "int3", "--asym"], "Q4_1"),
    "int2 asym": (["--type", "int2", "--asym", "--per", "channel"], "Q4_1"),
}
# Weights of FP16's normal scales, of its smallest ones and below them, far from zero on either side, and large.
VALUES = {"around zero": (1, 0), "tiny": (2e-6, 0), "below FP16": (1e-9, 0), "above zero": (1, 9), "below zero": (1, -9),
          "large": (2000, 1)}


@pytest.mark.parametrize("scale, shift", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("options, blocks", PLANS.values(), ids=PLANS)
def test_blocks_are_the_values_of_the_table(tmp_path, options, blocks, scale, shift):
    source = write_model(tmp_path / "m.gguf", scale, shift)
    run("quantize", source, "-o", tmp_path / "t.parquet", "--for", "gguf", "--quantize-1d", *options)
    values = {ODD, ADDED, "blk.0.attn_norm.weight"}
    for name, kind in check_export(tmp_path / "t.parquet", tmp_path).items():
        assert kind == ("F32" if name in values else blocks), name


def on_grid(x, quant_type, symmetric):
    """docs/schemes/grids.md for min-max, once more: scale and zero point of a span for GGUF."""
    scale, zero = rules.minmax(x, quant_type, symmetric)
    lo, hi = rules.RANGES[quant_type]
    if not symmetric:
        whole = np.rint(zero)
        zero = np.clip(whole, lo, hi).astype(np.float32)
        if zero != whole:
            far = float(x.max()) if whole < lo else -float(x.min())
            scale = np.float32(far / (hi - lo)) if far > 0 else scale
    if scale > 0:
        unit = 2.0 ** max(np.frexp(float(scale))[1] - (11 if symmetric else 7), -24)
        scale = np.float32(max(np.rint(float(scale) / unit) * unit, 2.0**-24))
    return scale, zero


@pytest.mark.parametrize("scale, shift", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("quant_type, symmetric", [("int8", True), ("int4", True), ("int4", False), ("int3", False)])
def test_tables_hold_what_the_page_on_grids_says(tmp_path, quant_type, symmetric, scale, shift):
    source = write_model(tmp_path / "m.gguf", scale, shift)
    run("quantize", source, "-o", tmp_path / "t.parquet", "--for", "gguf", "--type", quant_type, "--method", "minmax",
        "--sym" if symmetric else "--asym")
    names = ("token_embd.weight", "blk.0.attn_q.weight", "blk.0.exps.weight")
    values = {t.name: values_of(t).reshape(-1, 32) for t in gguf.GGUFReader(source).tensors if t.name in names}
    for row in read_pyarrow(tmp_path / "t.parquet"):
        if row["layer_name"] not in values:
            continue
        found = [on_grid(x, quant_type, symmetric) for x in values[row["layer_name"]]]
        codes = [rules.codes(x, s, z, quant_type) for x, (s, z) in zip(values[row["layer_name"]], found, strict=True)]
        assert row["scales"] == np.array([s for s, _ in found], "<f4").tobytes(), row["layer_name"]
        assert row["zero_points"] == np.array([z for _, z in found], "<f4").tobytes()
        assert row["data"] == rules.pack(np.concatenate(codes), quant_type)


def error_of(table, folder, source):
    plain = exported(table, folder)
    return sum(float(((plain[t.name] - values_of(t)) ** 2).sum()) for t in gguf.GGUFReader(source).tensors)


@pytest.mark.parametrize("options, most", [(["--type", "int8"], 1.01), (["--type", "int4", "--sym"], 1.01),
                                           (["--type", "int4", "--asym"], 1.25)], ids=str)
@pytest.mark.parametrize("shift", [0, 0.7])
def test_rounding_of_scales_costs_little(tmp_path, options, most, shift):
    source = write_model(tmp_path / "m.gguf", 0.05, shift)
    keep = ["--keep", ODD, "--keep", ADDED, "--group-size", "32", *options]
    run("quantize", source, "-o", tmp_path / "free.parquet", *keep)
    run("quantize", source, "-o", tmp_path / "for.parquet", "--for", "gguf", *keep)
    free, bound = (error_of(tmp_path / f"{name}.parquet", tmp_path, source) for name in ("free", "for"))
    assert 0 < bound <= most * free


def test_zero_points_are_worth_their_half_bit(tmp_path):
    source = write_model(tmp_path / "m.gguf", 0.05)
    errors = []
    for name, options in {"sym": [], "asym": ["--asym"]}.items():
        run("quantize", source, "-o", tmp_path / f"{name}.parquet", "--for", "gguf", "--type", "int4", *options)
        errors.append(error_of(tmp_path / f"{name}.parquet", tmp_path, source))
    assert errors[1] < errors[0]


def test_report_says_what_was_kept_and_strict_refuses_it(tmp_path):
    source = write_model(tmp_path / "m.gguf")
    report = json.loads(run("quantize", source, "-o", tmp_path / "t.parquet", "--for", "gguf", "--json").stdout)
    rules = {t["name"]: t["rule"] for t in report["tensors"]}
    assert rules[ODD] == "no codes in gguf: its rows are no multiple of 32 values"
    assert rules[ADDED] == "no codes in gguf: llama.cpp adds it as FP32"
    assert report["options"]["for"] == "gguf"
    done = run("quantize", source, "-o", tmp_path / "s.parquet", "--for", "gguf", "--strict", expect=5)
    assert ADDED in done.stderr or ODD in done.stderr


REFUSED = {
    "int8 with zero points": (["--type", "int8", "--asym"], ["int8", "it has no such codes", "symmetric"]),
    "groups": (["--type", "int4", "--group-size", "48"], ["no multiple of 32 values", "--group-size 32"]),
    "a rule": (["--tensor", f"{ODD}=int4,per=channel"], [ODD, "int4 per channel", "--keep"]),
    "a rule for a group": (["--tensor", "blk.0.attn_q.weight=int4,group=48"], ["blk.0.attn_q.weight", "g48"]),
    "another format": (["--for", "safetensors"], ["safetensors"]),
}


@pytest.mark.parametrize("options, says", REFUSED.values(), ids=REFUSED)
def test_settings_that_the_format_has_not_are_refused_by_name(tmp_path, options, says):
    source = write_model(tmp_path / "m.gguf")
    done = run("quantize", source, "-o", tmp_path / "t.parquet", "--for", "gguf", *options, expect=2)
    for words in says:
        assert words in done.stderr
    assert not list(tmp_path.glob("t*"))


def test_model_that_llama_cpp_has_not_is_refused_before_the_work(tmp_path):
    write_linear(tmp_path / "m")
    done = run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "gguf", expect=3)
    assert "llama.cpp's own conversion" in done.stderr and not list(tmp_path.glob("t*"))


def test_plan_that_was_saved_makes_the_same_file(tmp_path):
    source = write_model(tmp_path / "m.gguf")
    options = ["--for", "gguf", "--type", "int4", "--asym"]
    run("quantize", source, "-o", tmp_path / "a.parquet", "--save-plan", tmp_path / "plan.json", *options)
    assert '"scale_grid": "fp16-whole-zeros"' in (tmp_path / "plan.json").read_text()
    run("quantize", source, "-o", tmp_path / "b.parquet", "--plan", tmp_path / "plan.json")
    run("quantize", source, "-o", tmp_path / "c.parquet", "--plan", tmp_path / "plan.json", "--for", "gguf")
    plain = exported(tmp_path / "a.parquet", tmp_path)
    for name in ("b", "c"):
        again = exported(tmp_path / f"{name}.parquet", tmp_path)
        assert all(np.array_equal(again[key], plain[key]) for key in plain)
        check_export(tmp_path / f"{name}.parquet", tmp_path)
        (tmp_path / "out.gguf").unlink()
    changed = (tmp_path / "plan.json").read_text().replace("fp16-whole-zeros", "fp8")
    (tmp_path / "plan.json").write_text(changed)
    done = run("quantize", source, "-o", tmp_path / "d.parquet", "--plan", tmp_path / "plan.json", expect=3)
    assert "scale_grid 'fp8' is not fp16" in done.stderr


UP, DOWN = "layers.0.up_proj", "layers.0.down_proj"


@pytest.mark.parametrize("options", [["--type", "int8"], ["--type", "int4"], ["--type", "int4", "--asym"],
                                     ["--type", "int3", "--asym", "--method", "minmax"], ["--type", "int2", "--per", "tensor"],
                                     ["--type", "int8", "--asym", "--per", "channel"]], ids=str)
@pytest.mark.parametrize("shift", [0, 6, -6])
@pytest.mark.parametrize("columns", [96, 100, 128])
def test_compressed_tensors_are_the_values_of_the_table(tmp_path, options, shift, columns):
    """Groups of 64 divide the rows, or every row has a scale of its own; the embedding table is kept."""
    more = {"layers.0.gate_proj.weight": ("F32", noise(9, 32, columns) + np.float32(shift)),
            "layers.0.conv.weight": ("F32", noise(8, 16, 8, 8)), "visual.weight_g": ("F32", noise(8, 64, 32))}
    write_linear(tmp_path / "m", columns=columns, **more)
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "compressed-tensors", *options)
    config = check(tmp_path / "t.parquet", tmp_path, {UP, DOWN, "layers.0.gate_proj"})
    kept = {row["layer_name"] for row in read_pyarrow(tmp_path / "t.parquet") if row["quant_type"] not in CODES}
    assert kept == {"embed_tokens.weight", "layers.0.bias", "norm.weight", "layers.0.conv.weight", "visual.weight_g"}
    group = config["config_groups"]["group_0"]["weights"]
    grouped = "int8" not in options and "--per" not in options and columns % 64 == 0
    assert group["strategy"] == ("group" if grouped else "channel")
    assert CONFIG["rms_norm_eps"] == 1e-05


def check_mlx(table, folder, modules):
    """MLX's formula in FP32 gives the values of the table bit for bit; which matrices have codes."""
    run("export", table, "-o", folder / "mlx", "--to", "mlx")
    run("export", table, "-o", folder / "plain")
    settings = json.loads((folder / "mlx" / "config.json").read_text())["quantization"]
    plain, stored = mlx_arrays(folder / "plain"), mlx_arrays(folder / "mlx")
    assert {name.removesuffix(".scales") for name in stored if name.endswith(".scales")} == modules
    for module in modules:
        own = settings.get(module, settings)
        stream = np.unpackbits(stored[f"{module}.weight"].view(np.uint8), axis=1, bitorder="little")
        codes = stream.reshape(len(stream), -1, own["bits"]) @ (1 << np.arange(own["bits"]))
        scales, biases = (np.repeat(stored[f"{module}.{part}"], own["group_size"], axis=1) for part in ("scales", "biases"))
        assert scales.dtype == biases.dtype == np.float32
        values = codes.astype(np.float32) * scales + biases
        assert np.array_equal(values, plain[f"{module}.weight"]), module
    return settings


@pytest.mark.parametrize("options", [["--type", "int8"], ["--type", "int4"], ["--type", "int4", "--asym"],
                                     ["--type", "int3", "--asym", "--method", "minmax"], ["--type", "int2", "--per", "tensor"],
                                     ["--type", "int8", "--asym", "--per", "channel"]], ids=str)
@pytest.mark.parametrize("shift", [0, 6, -6])
def test_mlx_has_the_values_of_the_table(tmp_path, options, shift):
    """Rows that no group divides, and what is no matrix of a layer, are kept; tables of tokens have codes."""
    more = {"layers.0.odd.weight": ("F32", noise(9, 32, 100)), "layers.0.conv.weight": ("F32", noise(8, 16, 8, 8)),
            "layers.0.wide.weight": ("F32", noise(7, 64, 160) + np.float32(shift)), "visual.weight_g": ("F32", noise(6, 64, 32))}
    write_linear(tmp_path / "m", columns=96, **more)
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "mlx", *options)
    check_mlx(tmp_path / "t.parquet", tmp_path, {"embed_tokens", UP, DOWN, "layers.0.wide"})


@pytest.mark.parametrize("bits", [3.2, 5, 8])
def test_target_for_mlx(tmp_path, bits):
    more = {f"layers.{i}.fc.weight": ("F32", (noise(i, 64, 256) * (1 + i)).astype(np.float32)) for i in range(1, 9)}
    write_linear(tmp_path / "m", columns=128, **more)
    target = round((128 * (48 + 33) + 8 * 64 * 256) * bits / 8) + 64 * 64 * 4 + 8000
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "mlx", "--target-size", target, "--calib", "none")
    modules = {"embed_tokens", UP, DOWN} | {name.removesuffix(".weight") for name in more}
    check_mlx(tmp_path / "t.parquet", tmp_path, modules)
    assert 0.8 * target < (tmp_path / "mlx" / "model.safetensors").stat().st_size <= target


def test_groups_that_cross_rows_are_refused_when_they_were_asked_for(tmp_path):
    write_linear(tmp_path / "m")
    done = run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "compressed-tensors", "--type", "int4",
               "--tensor", f"{UP}.weight=int4,group=64", expect=2)
    assert UP in done.stderr and "its groups cross rows" in done.stderr


# ---- targets ---------------------------------------------------------------------------------------------------------


def write_layers(path, count=12):
    """Matrices that matter more and less, so that types differ."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("token_embd.weight", noise(1, 64, 128).astype(np.float32))
    writer.add_tensor(ODD, noise(2, 64, 33).astype(np.float32))
    for i in range(count):
        writer.add_tensor(f"blk.{i}.ffn_up.weight", (noise(i, 96, 128) * (1 + i)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_target_size_is_that_of_the_exported_file(tmp_path, part):
    source = write_layers(tmp_path / "m.gguf")
    sizes = {}
    for kind in ("int4", "int8"):
        run("quantize", source, "-o", tmp_path / "t.parquet", "--for", "gguf", "--type", kind, "--force")
        run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf", "--force")
        sizes[kind] = (tmp_path / "out.gguf").stat().st_size
    target = round(sizes["int4"] + part * (sizes["int8"] - sizes["int4"]))
    run("quantize", source, "-o", tmp_path / "t.parquet", "--for", "gguf", "--target-size", target, "--calib", "none", "--force")
    (tmp_path / "out.gguf").unlink()
    types = check_export(tmp_path / "t.parquet", tmp_path)
    size = (tmp_path / "out.gguf").stat().st_size
    step = 96 * 128 // 2  # what one matrix more of 8 bits takes
    assert target - 1.5 * step - 2000 < size <= target
    assert types.pop(ODD) == "F16" and set(types.values()) == {"Q4_0", "Q8_0"}
    assert abs(list(types.values()).count("Q8_0") - part * len(types)) < 2
    again = tmp_path / "again.parquet"
    run("quantize", source, "-o", again, "--for", "gguf", "--target-size", target, "--calib", "none", "--threads", "1")
    assert again.read_bytes() == (tmp_path / "t.parquet").read_bytes()


def test_target_in_bits_counts_the_blocks_and_rules_are_kept(tmp_path):
    source = write_layers(tmp_path / "m.gguf")
    run("quantize", source, "-o", tmp_path / "t.parquet", "--for", "gguf", "--target-bpw", "6", "--calib", "none",
        "--tensor", "blk.0.*=int8", "--keep", "blk.1.*")
    types = check_export(tmp_path / "t.parquet", tmp_path)
    assert types["blk.0.ffn_up.weight"] == "Q8_0" and types["blk.1.ffn_up.weight"] == "F32"
    blocks = [t for t in gguf.GGUFReader(tmp_path / "out.gguf").tensors if t.tensor_type.name != "F32"]
    assert 5.5 < 8 * sum(int(t.n_bytes) for t in blocks) / sum(int(t.n_elements) for t in blocks) <= 6


@pytest.mark.parametrize("bits", [9.2, 10, 14])
def test_target_above_eight_bits_has_values_of_sixteen(tmp_path, bits):
    """The blocks of 8 bits and the values of 16 together keep to the target and use it."""
    source = write_layers(tmp_path / "m.gguf")
    target = ["--for", "gguf", "--target-bpw", bits, "--calib", "none"]
    run("quantize", source, "-o", tmp_path / "t.parquet", *target, "--save-plan", tmp_path / "plan.json")
    types = check_export(tmp_path / "t.parquet", tmp_path)
    assert types.pop(ODD) == "F16" and set(types.values()) == {"Q8_0", "F16"}
    planned = [t for t in gguf.GGUFReader(tmp_path / "out.gguf").tensors if t.name != ODD]
    assert bits - 0.7 < 8 * sum(int(t.n_bytes) for t in planned) / sum(int(t.n_elements) for t in planned) <= bits
    own = {t.name: values_of(t) for t in gguf.GGUFReader(source).tensors}
    for t in planned:
        if t.tensor_type.name == "F16":
            np.testing.assert_array_equal(t.data, own[t.name].astype("<f2"))
    run("quantize", source, "-o", tmp_path / "again.parquet", "--for", "gguf", "--plan", tmp_path / "plan.json")
    for row, again in zip(read_pyarrow(tmp_path / "t.parquet"), read_pyarrow(tmp_path / "again.parquet"), strict=True):
        assert row["data"] == again["data"] and row["quant_type"] == again["quant_type"]


def test_values_that_fp16_cannot_hold_stay_what_they_are(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    for name, columns in ((ODD, 33), ("token_embd.weight", 128), ("blk.0.ffn_up.weight", 128)):
        values = noise(columns, 64, columns).astype(np.float32)
        values[3, 5] = 1 if name.startswith("blk") else 65520
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    run("quantize", tmp_path / "m.gguf", "-o", tmp_path / "t.parquet", "--for", "gguf", "--target-bpw", "16", "--calib", "none")
    types = check_export(tmp_path / "t.parquet", tmp_path)
    assert types[ODD] == "F32" and types["token_embd.weight"][0] == "Q" and types["blk.0.ffn_up.weight"] == "F16"


def test_values_of_bf16_stay_bf16(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    for i, columns in enumerate((33, 128, 128)):
        bits = (noise(i, 64, columns).astype("<f4").view("<u4") >> 16).astype("<u2")
        writer.add_tensor(["odd.weight", "token_embd.weight", "blk.0.ffn_up.weight"][i], bits.view(np.uint8).reshape(64, -1),
                          raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    run("quantize", tmp_path / "m.gguf", "-o", tmp_path / "t.parquet", "--for", "gguf", "--target-bpw", "16", "--calib", "none")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf")
    for t, own in zip(gguf.GGUFReader(tmp_path / "out.gguf").tensors, gguf.GGUFReader(tmp_path / "m.gguf").tensors, strict=True):
        assert t.tensor_type.name == "BF16" and t.data.tobytes() == own.data.tobytes()


DRY = {
    "int4": ["--type", "int4"],
    "int4 asym": ["--type", "int4", "--asym"],
    "target": ["--target-bpw", "6", "--calib", "none"],
    "target with a rule": ["--target-size", "120kB", "--calib", "none", "--tensor", "blk.0.*=int4,group=32,asym"],
}


@pytest.mark.parametrize("options", DRY.values(), ids=DRY)
def test_dry_run_says_what_the_export_takes(tmp_path, options):
    """Bytes of each tensor are those of the file, and the whole is no more than was said."""
    source = write_layers(tmp_path / "m.gguf")
    command = ["quantize", source, "--for", "gguf", *options]
    report = json.loads(run(*command, "--dry-run", "--json").stdout)
    text = run(*command, "--dry-run").stdout
    run(*command, "-o", tmp_path / "t.parquet")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf")
    size = (tmp_path / "out.gguf").stat().st_size
    stored = {t.name: t for t in gguf.GGUFReader(tmp_path / "out.gguf").tensors}
    assert {t["name"]: t["bytes_after"] for t in report["tensors"]} == {k: int(t.n_bytes) for k, t in stored.items()}
    assert report["estimate"]["for"] == "gguf" and "its export to gguf would have at most" in text
    assert size <= report["estimate"]["file_bytes_at_most"] < size + 1500
    params, payload = report["totals"]["params"], sum(int(t.n_bytes) for t in stored.values())
    assert report["totals"]["ratio_to_fp32"] == pytest.approx(4 * params / payload)
    codes = [t for t in stored.values() if t.tensor_type.name[0] == "Q"]
    bits = 8 * sum(int(t.n_bytes) for t in codes) / sum(int(t.n_elements) for t in codes)
    assert report["totals"]["bits_per_weight"] == pytest.approx(bits)
    assert report["totals"]["file_ratio"] == pytest.approx(source.stat().st_size / size, rel=0.02)
    if "--target-size" in options:
        assert size <= 120_000


def write_wide_layers(path, columns=512):
    """Rows of whole blocks of 256, with groups of other heights beside each other, of zeros and of tiny values."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("token_embd.weight", noise(1, 64, columns).astype(np.float32))
    for i in range(8):
        values = noise(i, 48, columns).astype(np.float32) * (1 + i)
        values[:, :16] *= np.linspace(0, 1e-6, 48, dtype=np.float32)[:, None]
        values[:, 16:32] *= 20
        values[0] = 0
        writer.add_tensor(f"blk.{i}.ffn_up.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("bits, kinds", [(3.44, {"Q3_K"}), (3.9, {"Q3_K", "Q4_0"}), (6, {"Q4_0", "Q8_0"})])
def test_target_below_four_bits_has_blocks_of_three(tmp_path, bits, kinds):
    source = write_wide_layers(tmp_path / "m.gguf")
    target = ["--for", "gguf", "--target-bpw", bits, "--calib", "none"]
    run("quantize", source, "-o", tmp_path / "t.parquet", *target, "--save-plan", tmp_path / "plan.json")
    types = check_export(tmp_path / "t.parquet", tmp_path)
    assert kinds <= set(types.values())
    blocks = gguf.GGUFReader(tmp_path / "out.gguf").tensors
    assert bits - 0.35 < 8 * sum(int(t.n_bytes) for t in blocks) / sum(int(t.n_elements) for t in blocks) <= bits
    run("quantize", source, "-o", tmp_path / "again.parquet", "--for", "gguf", "--plan", tmp_path / "plan.json")
    for row, again in zip(read_pyarrow(tmp_path / "t.parquet"), read_pyarrow(tmp_path / "again.parquet"), strict=True):
        assert row["data"] == again["data"] and row["scales"] == again["scales"]


def factors(least):
    """FP16 numbers of three significant bits from `least` to twice as much."""
    unit = 2.0 ** max(np.frexp(least)[1] - 3, -24)
    return [unit * n for n in range(1, 17) if least <= unit * n]


def test_scales_with_a_factor_are_what_the_page_on_grids_says(tmp_path):
    source = write_wide_layers(tmp_path / "m.gguf")
    run("quantize", source, "-o", tmp_path / "t.parquet", "--for", "gguf", "--target-bpw", "3.44", "--calib", "none")
    run("quantize", source, "-o", tmp_path / "free.parquet", "--type", "int3", "--sym", "--group-size", "16")
    for row in read_pyarrow(tmp_path / "t.parquet"):
        found = np.frombuffer(row["scales"], "<f4").reshape(-1, 16)
        for scales in found:
            times = [np.rint(scales / d) for d in factors(float(scales.max()) / 31)]
            assert any(np.array_equal(scales, np.float32(d * k)) and 1 <= k.min() and k.max() <= 31
                       for d, k in zip(factors(float(scales.max()) / 31), times, strict=True))
    plain = {t.name: values_of(t) for t in gguf.GGUFReader(source).tensors}
    errors = [sum(float(((exported(tmp_path / f"{name}.parquet", tmp_path)[k] - x) ** 2).sum()) for k, x in plain.items())
              for name in ("t", "free")]
    assert errors[0] < 1.05 * errors[1]  # of scales that may be anything


def test_groups_of_three_bits_that_are_asked_for_are_refused(tmp_path):
    source = write_wide_layers(tmp_path / "m.gguf")
    done = run("quantize", source, "-o", tmp_path / "t.parquet", "--for", "gguf", "--type", "int3", "--group-size", "16", expect=2)
    assert "no multiple of 32 values" in done.stderr


def test_plan_whose_scales_have_no_factor_is_refused(tmp_path):
    source = write_wide_layers(tmp_path / "m.gguf")
    run("quantize", source, "-o", tmp_path / "t.parquet", "--for", "gguf", "--target-bpw", "3.44", "--calib", "none",
        "--save-plan", tmp_path / "plan.json")
    plan = json.loads((tmp_path / "plan.json").read_text())
    entry = next(e for e in plan["tensors"] if "scales" in e)
    entry["scales"] = "3f80" + "3f81" + entry["scales"][8:]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    done = run("quantize", source, "-o", tmp_path / "s.parquet", "--for", "gguf", "--plan", tmp_path / "plan.json", expect=2)
    assert entry["name"] in done.stderr


def test_target_that_cannot_be_reached_names_one_that_can(tmp_path):
    source = write_layers(tmp_path / "m.gguf")
    target = ["--for", "gguf", "--calib", "none", "--target-bpw"]
    done = run("quantize", source, "-o", tmp_path / "t.parquet", *target, "4", expect=2)
    assert "--target-bpw 4.50" in done.stderr
    run("quantize", source, "-o", tmp_path / "t.parquet", *target, "4.50")
    assert "Q8_0" not in check_export(tmp_path / "t.parquet", tmp_path).values()


@pytest.mark.parametrize("bits", [2.8, 4.6, 7])
def test_target_for_compressed_tensors(tmp_path, bits):
    more = {f"layers.{i}.fc.weight": ("F32", (noise(i, 64, 256) * (1 + i)).astype(np.float32)) for i in range(1, 9)}
    write_linear(tmp_path / "m", columns=128, **more)
    params = 128 * (48 + 33) + 8 * 64 * 256
    target = round(params * bits / 8) + 2 * 64 * 64 * 4 + 8000
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "compressed-tensors", "--target-size", target,
        "--calib", "none")
    modules = {UP, DOWN} | {name.removesuffix(".weight") for name in more}
    config = check(tmp_path / "t.parquet", tmp_path, modules)
    assert 0.85 * target < (tmp_path / "ct" / "model.safetensors").stat().st_size <= target
    assert len(config["config_groups"]) > 1


def write_encoder(folder):
    """Layers of multiples of 32 rows and columns."""
    model = make_family(folder, "bert", vocab_size=2000, intermediate_size=64)
    wide = {f"encoder.layer.{i}.{name}": 0.3 * noise(i, *shape) for i in range(2) for name, shape in
            {"intermediate.dense.weight": (64, 32), "intermediate.dense.bias": (64,), "output.dense.weight": (32, 64)}.items()}
    change_tensors(model, lambda tensors: {**tensors, **wide})
    return model


def plan_with_texts(model, table, *options):
    report = json.loads(run("quantize", model, "-o", table, "--calib", "builtin", "--json", *options).stdout)
    assert report["search"]["model_was_run"]
    return report["search"]["similarity"], {row["layer_name"]: row for row in read_pyarrow(table)}


def test_values_of_sixteen_bits_are_a_choice_with_texts(tmp_path):
    """Of matrices that stay values nothing is adjusted: they are the source's, rounded."""
    model = write_encoder(tmp_path / "m")
    own = read_safetensors(model / "model.safetensors")
    options = ["--for", "gguf", "--target-bpw"]
    similar, rows = plan_with_texts(model, tmp_path / "t.parquet", *options, 11)
    less, _ = plan_with_texts(model, tmp_path / "less.parquet", *options, 8.5)
    assert 1 - similar < 0.5 * (1 - less)
    halves = {name: row for name, row in rows.items() if row["quant_type"] == "fp16"}
    assert 3 < len(halves) < 13 and {row["quant_type"] for name, row in rows.items() if name.endswith("key.weight")} <= {"fp16", "int8"}
    for name, row in halves.items():
        np.testing.assert_array_equal(np.frombuffer(row["data"], "<f2"), np.frombuffer(own[name][2], "<f4").astype("<f2"))
    plan_with_texts(model, tmp_path / "one.parquet", *options, 11, "--threads", 1)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "t.parquet").read_bytes()


def settings_of(rows):
    return {(row["quant_type"], row["group_size"]) for row in rows.values() if row["scales"]}


def test_one_setting_with_texts(tmp_path):
    """More bits are more similar; a similarity is met by the smallest setting that has it."""
    model = write_encoder(tmp_path / "m")
    options = ["--for", "gptq", "--target-bpw"]
    found = [plan_with_texts(model, tmp_path / f"{bits}.parquet", *options, bits) for bits in (3.5, 5.7, 9.6)]
    assert [len(settings_of(rows)) for _, rows in found] == [1, 1, 1]
    assert found[0][0] < found[1][0] < found[2][0]
    asked = (found[0][0] + found[1][0]) / 2
    similar, rows = plan_with_texts(model, tmp_path / "s.parquet", "--for", "gptq", "--min-similarity", asked)
    assert similar >= asked and len(settings_of(rows)) == 1
    assert {kind for kind, _ in settings_of(rows)} <= {"int2", "int3", "int4"}
    run("export", tmp_path / "s.parquet", "-o", tmp_path / "out", "--to", "gptq")
    done = run("quantize", model, "-o", tmp_path / "no.parquet", "--for", "gptq", "--min-similarity", "0.999999", "--calib", "builtin",
               expect=2)
    assert "cannot be reached" in done.stderr
    done = run("quantize", model, "-o", tmp_path / "no.parquet", "--for", "gptq", "--min-similarity", "0.9", "--calib", "none", expect=2)
    assert "this model is not run" in done.stderr


def test_tuning_is_refused_with_a_format(tmp_path):
    source = write_layers(tmp_path / "m.gguf")
    done = run("quantize", source, "-o", tmp_path / "t.parquet", "--for", "gguf", "--target-bpw", "6", "--tune=1", expect=3)
    assert "tuning" in done.stderr and "--for" in done.stderr
