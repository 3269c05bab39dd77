"""export --to gptq: a reader of the format in NumPy, written from its definition and not from our code, finds the values
that the table decodes to, with scales of FP16."""
import json

import numpy as np
import pytest
from conftest import noise, read_safetensors, run, write_safetensors
from test_compressed_tensors import with_whole_zero_points

NUMPY = {"I32": "<i4", "F32": "<f4", "F16": "<f2"}
UP, DOWN, TABLE = "layers.0.up_proj", "layers.0.down_proj", "model.embed_tokens"


def write_model(folder, rows=96, columns=128, **more):
    folder.mkdir()
    table = noise(1, 40, 64)
    model = {f"{TABLE}.weight": ("F32", table), "lm_head.weight": ("F32", table),
             f"{UP}.weight": ("F32", noise(2, rows, columns)), f"{DOWN}.weight": ("F32", noise(3, 32, columns)),
             "layers.0.bias": ("F32", noise(4, 33)), "norm.weight": ("F32", noise(5, 64)), **more}
    write_safetensors(folder / "model.safetensors", model)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "eps": 1e-05}))


def arrays(folder):
    return {name: np.frombuffer(data, NUMPY[dtype]).reshape(shape)
            for name, (dtype, shape, data) in read_safetensors(folder / "model.safetensors").items()}


def unpack(words, bits):
    """[n, words] of int32 to [n, 32 * words / bits]: a bit stream, lowest bit first."""
    stream = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")
    return (stream.reshape(len(words), -1, bits).astype(np.int64) << np.arange(bits)).sum(axis=2)


def dequantize(stored, module, settings):
    """[outputs, inputs] as gptqmodel decodes it: the first version of the format adds 1 to stored zero points."""
    codes = unpack(stored[f"{module}.qweight"].T, settings["bits"])
    zeros = unpack(stored[f"{module}.qzeros"], settings["bits"])
    zeros = zeros + 1 if settings["checkpoint_format"] == "gptq" else zeros
    scales, groups = stored[f"{module}.scales"], stored[f"{module}.g_idx"]
    assert scales.dtype == np.float16 and scales.shape == zeros.shape and len(groups) == codes.shape[1]
    size = settings["group_size"] if settings["group_size"] > 0 else len(groups)
    assert np.array_equal(groups, np.arange(len(groups)) // size)
    return (codes - zeros[groups].T).astype(np.float32) * scales[groups].T.astype(np.float32)


def check(tmp_path, modules):
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "gptq", "--to", "gptq")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "plain")
    config = json.loads((tmp_path / "gptq" / "config.json").read_text())
    settings = config.pop("quantization_config")
    assert config == {"model_type": "llama", "eps": 1e-05}
    assert settings["quant_method"] == "gptq" and settings["desc_act"] is False
    plain, stored = arrays(tmp_path / "plain"), arrays(tmp_path / "gptq")
    for name, values in plain.items():
        module = name.removesuffix(".weight")
        if module not in modules:
            assert stored[name].tobytes() == values.tobytes(), name
            continue
        got = dequantize(stored, module, settings)
        assert np.all(np.abs(got - values) <= 2.0 ** -11 * np.abs(values)), name  # the rounding of a scale to FP16
        assert np.array_equal(got == 0, values == 0)
    return settings, stored


@pytest.mark.parametrize("quant_type", ["int8", "int4", "int3", "int2"])
@pytest.mark.parametrize("symmetric", ["--sym", "--asym"])
@pytest.mark.parametrize(("form", "group"), [(("--per", "channel"), -1), (("--group-size", "32"), 32),
                                             (("--group-size", "64"), 64)])
def test_every_type_and_granularity_is_read_as_it_is_decoded(tmp_path, quant_type, symmetric, form, group):
    write_model(tmp_path / "m")
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", quant_type, *form, symmetric)
    with_whole_zero_points(tmp_path / "t.parquet")
    settings, _ = check(tmp_path, {UP, DOWN})
    assert (settings["group_size"], settings["bits"], settings["sym"]) == (group, int(quant_type[3:]),
                                                                           symmetric == "--sym")
    assert settings["checkpoint_format"] == ("gptq" if symmetric == "--sym" else "gptq_v2")
    assert settings["lm_head"] is False


def check_plan(tmp_path, modules):
    """The export of a table that was made for it has exactly its values, matrices without codes in 16 bits."""
    report = json.loads(run("export", tmp_path / "t.parquet", "-o", tmp_path / "gptq", "--to", "gptq", "--json").stdout)
    assert "dequantized" not in {t["action"] for t in report["tensors"]}
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "plain", "--dtype", "fp32")
    settings = json.loads((tmp_path / "gptq" / "config.json").read_text())["quantization_config"]
    plain, stored = arrays(tmp_path / "plain"), arrays(tmp_path / "gptq")
    assert {name.removesuffix(".qweight") for name in stored if name.endswith(".qweight")} == modules
    for name, values in plain.items():
        module = name.removesuffix(".weight")
        if module in modules:
            np.testing.assert_array_equal(dequantize(stored, module, settings), values)
        else:
            assert stored[name].dtype == ("<f2" if values.ndim == 2 and values.size >= 1024 else "<f4"), name
            np.testing.assert_array_equal(stored[name].astype("<f4"), values)
    return settings


# Weights of FP16's normal scales, of its smallest ones, and far from zero on either side.
VALUES = {"around zero": (1, 0), "tiny": (2e-6, 0), "above zero": (1, 9), "below zero": (1, -9)}


@pytest.mark.parametrize("scale, shift", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("options", [("--type", "int8"), ("--type", "int4"), ("--type", "int4", "--asym"),
                                     ("--type", "int3", "--asym", "--method", "minmax", "--group-size", "32"),
                                     ("--type", "int2", "--per", "tensor"), ("--type", "int8", "--asym", "--per", "channel")], ids=str)
def test_plans_lose_nothing(tmp_path, options, scale, shift):
    values = {f"{UP}.weight": ("F32", ((noise(2, 96, 128) + shift) * scale).astype("<f4")),
              f"{DOWN}.weight": ("F32", ((noise(3, 32, 128) + shift) * scale).astype("<f4")),
              "pooler.dense.weight": ("F32", noise(7, 64, 64)), "lm_head.weight": ("F32", noise(8, 70, 64))}
    write_model(tmp_path / "m", **values)
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "gptq", *options)
    dry = json.loads(run("quantize", tmp_path / "m", "--dry-run", "--for", "gptq", "--json", *options).stdout)
    settings = check_plan(tmp_path, {UP, DOWN})
    assert settings["sym"] is ("--asym" not in options) and settings["bits"] == int(options[1][3:])
    size = (tmp_path / "gptq" / "model.safetensors").stat().st_size
    assert size <= dry["estimate"]["file_bytes_at_most"] < size + 15_000
    assert {t["name"]: t["rule"] for t in dry["tensors"]}["lm_head.weight"] == (
        "no codes in gptq: GPTQ has matrices of multiples of 32 rows and columns")


def test_a_layer_of_zeros_is_one_of_zero_points(tmp_path):
    """Its zero points are all 0, as those of symmetric codes are."""
    write_model(tmp_path / "m", **{f"{UP}.weight": ("F32", np.zeros((96, 128), "<f4"))})
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "gptq", "--type", "int4", "--asym")
    settings = check_plan(tmp_path, {UP, DOWN})
    assert settings["sym"] is False and settings["checkpoint_format"] == "gptq_v2"


def write_layers(folder, count=4):
    more = {f"layers.{i}.fc.weight": ("F32", (noise(i, 64, 256) * (1 + i)).astype("<f4")) for i in range(1, 1 + count)}
    write_model(folder, rows=64, columns=256, **more)
    return {UP, DOWN} | {name.removesuffix(".weight") for name in more}


# Half a bit is g_idx here, as the matrices have 64 rows; scale and zero point of a group of int4 have 20.
@pytest.mark.parametrize("bits, expected", [(2.9, (2, 64)), (3.75, (3, 128)), (4.77, (4, 128)), (4.9, (4, 64)), (8.8, (8, 128)),
                                            (16, (8, 32))])
def test_target_chooses_one_setting(tmp_path, bits, expected):
    modules = write_layers(tmp_path / "m")
    options = ["--for", "gptq", "--target-bpw", bits, "--calib", "none"]
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", *options, "--save-plan", tmp_path / "plan.json")
    settings = check_plan(tmp_path, modules)
    stored = arrays(tmp_path / "gptq")
    size = sum(stored[f"{module}.{part}"].nbytes for module in modules for part in ("qweight", "qzeros", "scales", "g_idx"))
    assert 8 * size / (256 * (64 + 32) + 4 * 64 * 256) <= bits
    assert (settings["bits"], settings["group_size"], settings["sym"]) == (*expected, True)
    run("quantize", tmp_path / "m", "-o", tmp_path / "again.parquet", "--for", "gptq", "--plan", tmp_path / "plan.json")
    run("export", tmp_path / "again.parquet", "-o", tmp_path / "second", "--to", "gptq")
    again = arrays(tmp_path / "second")
    assert all(again[name].tobytes() == values.tobytes() for name, values in stored.items())


def test_target_size_is_that_of_the_file(tmp_path):
    modules = write_layers(tmp_path / "m", 8)
    for target in (90_000, 120_000, 200_000):
        run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "gptq", "--target-size", target, "--calib", "none", "--force")
        run("export", tmp_path / "t.parquet", "-o", tmp_path / "gptq", "--to", "gptq", "--force")
        size = (tmp_path / "gptq" / "model.safetensors").stat().st_size
        assert 0.7 * target < size <= target
    said = run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "gptq", "--target-size", 50_000, "--calib", "none",
               "--force", expect=2)
    assert "cannot be reached" in said.stderr
    assert len(modules) == 10


PLANS_REFUSED = {
    "another type": (["--type", "int4", "--tensor", f"{UP}.weight=int8,group=64,sym"], [DOWN, "one setting"]),
    "a rule with a target": (["--target-bpw", "5", "--calib", "none", "--tensor", f"{UP}.weight=int4,group=64,sym"], ["one setting"]),
    "kept": (["--type", "int4", "--keep", f"{UP}.weight"], [UP, "stay values", "compressed-tensors"]),
    "groups": (["--type", "int4", "--group-size", "48"], ["cross rows"]),
}


@pytest.mark.parametrize("options, says", PLANS_REFUSED.values(), ids=PLANS_REFUSED)
def test_plans_that_it_cannot_hold_are_refused_by_name(tmp_path, options, says):
    write_model(tmp_path / "m")
    said = run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "gptq", *options, expect=2).stderr
    assert all(words in said for words in says), said
    assert not list(tmp_path.glob("t.parquet*"))


def test_a_layer_that_it_cannot_hold_is_refused_before_the_work(tmp_path):
    write_model(tmp_path / "m", rows=40)
    said = run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--for", "gptq", "--type", "int4", expect=2).stderr
    assert f"{UP}.weight" in said and "multiples of 32" in said


def test_an_output_layer_of_its_own_has_codes(tmp_path):
    write_model(tmp_path / "m", **{"lm_head.weight": ("F32", noise(7, 64, 64))})
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int4", "--sym")
    assert check(tmp_path, {UP, DOWN, "lm_head"})[0]["lm_head"] is True


def test_layers_outside_of_the_blocks_are_values(tmp_path):
    write_model(tmp_path / "m", **{"pooler.dense.weight": ("F32", noise(7, 64, 64)),
                                   "classifier.weight": ("F32", noise(8, 2, 64))})
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int4", "--sym", "--keep", "classifier*")
    check(tmp_path, {UP, DOWN})


def test_matrix_of_megabytes_streams_to_the_same_codes(tmp_path):
    """More than a block of a sink, whose pieces begin and end within rows of words."""
    write_model(tmp_path / "m", rows=1504, columns=2272)
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int8", "--group-size", "32", "--sym")
    check(tmp_path, {UP, DOWN})


@pytest.mark.parametrize(("options", "words"), [
    (("--sym", "--tensor", f"{UP}.weight=int8,sym"), ("one setting", DOWN, UP)),
    (("--sym", "--tensor", f"{UP}.weight=int4,group=32,sym"), ("one setting", DOWN, UP)),
    (("--sym", "--keep", f"{UP}.weight"), ("one setting", DOWN, UP)),
    (("--asym",), ("zero point", "symmetric"))])
def test_what_it_cannot_hold_is_refused_before_anything_is_written(tmp_path, options, words):
    write_model(tmp_path / "m")
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int4", *options)
    said = run("export", tmp_path / "t.parquet", "-o", tmp_path / "gptq", "--to", "gptq", expect=3).stderr
    assert all(word in said for word in words), said
    assert not (tmp_path / "gptq").exists()


def test_rows_and_scales_that_it_has_not_are_refused(tmp_path):
    write_model(tmp_path / "odd", rows=40)
    run("quantize", tmp_path / "odd", "-o", tmp_path / "odd.parquet", "--type", "int4", "--sym")
    said = run("export", tmp_path / "odd.parquet", "-o", tmp_path / "gptq", "--to", "gptq", expect=3).stderr
    assert "40 x 128" in said and f"{UP}.weight" in said
    write_model(tmp_path / "tiny", **{f"{UP}.weight": ("F32", (np.float32(1e-6) * np.ones((96, 128), "<f4")))})
    run("quantize", tmp_path / "tiny", "-o", tmp_path / "tiny.parquet", "--type", "int4", "--sym")
    said = run("export", tmp_path / "tiny.parquet", "-o", tmp_path / "gptq", "--to", "gptq", expect=3).stderr
    assert "FP16" in said and f"{UP}.weight" in said
