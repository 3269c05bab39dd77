"""export --to compressed-tensors: a reader of the format in NumPy, written from its definition and not from our code,
finds the values that the table decodes to, bit for bit."""
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import noise, read_safetensors, run, write_safetensors

LOWEST = {"int8": -128, "int4": -8, "int3": -4, "int2": -2}
NUMPY = {"I32": "<i4", "F32": "<f4", "I64": "<i8", "F16": "<f2"}
CONFIG = {"architectures": ["Tiny"], "rms_norm_eps": 1e-05, "torch_dtype": "float32", "big": 12345678901234567890123}


def write_model(folder, rows=48, columns=96, **more):
    """Two linear layers, one of them with rows that end within a word, an embedding table and its output layer."""
    folder.mkdir()
    table = noise(1, 40, 64)
    model = {"embed_tokens.weight": ("F32", table), "layers.0.up_proj.weight": ("F32", noise(2, rows, columns)),
             "layers.0.down_proj.weight": ("F32", noise(3, 33, columns)), "layers.0.bias": ("F32", noise(4, 33)),
             "norm.weight": ("F32", noise(5, 64)), **more}
    write_safetensors(folder / "model.safetensors", model)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def with_whole_zero_points(path, beyond=0):
    """The table with its zero points rounded to codes other than 0, and then moved by `beyond`: as other tools may make
    it."""
    table = pq.read_table(path)
    rounded = []
    for name, points in zip(table["quant_type"].to_pylist(), table["zero_points"].to_pylist(), strict=True):
        values = np.frombuffer(points, "<f4")
        if values.any():
            values = np.clip(np.rint(values), LOWEST[name], -LOWEST[name] - 1)
            values = np.where(values == 0, 1, values)
        rounded.append((values + beyond).astype("<f4").tobytes())
    column = table.schema.get_field_index("zero_points")
    changed = table.set_column(column, "zero_points", pa.array(rounded, pa.binary()))
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), path)


def arrays(path):
    return {name: np.frombuffer(data, NUMPY[dtype]).reshape(shape)
            for name, (dtype, shape, data) in read_safetensors(path).items()}


def unpack(words, bits, count):
    """[n, words] of int32 to [n, count]: dense, element i is bits i * bits and up of its row."""
    stream = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")
    fields = stream[:, :count * bits].reshape(len(words), count, bits)
    return (fields.astype(np.int64) << np.arange(bits)).sum(axis=2) - (1 << (bits - 1))


def settings_of(config, module):
    """As the format resolves it: names before classes, and no setting for what is ignored."""
    found = [group for group in config["config_groups"].values() if module in group["targets"]]
    if not found and module not in config["ignore"]:
        found = [group for group in config["config_groups"].values() if "Linear" in group["targets"]]
    assert len(found) == 1, module
    return found[0]["weights"]


def dequantize(stored, module, settings):
    rows, columns = stored[f"{module}.weight_shape"]
    bits = settings["num_bits"]
    packed, scale = stored[f"{module}.weight_packed"], stored[f"{module}.weight_scale"]
    assert packed.shape == (rows, -(-columns * bits // 32)) and packed.dtype == np.int32
    codes, groups = unpack(packed, bits, columns), scale.shape[1]
    assert groups == (1 if settings["strategy"] == "channel" else columns // settings["group_size"])
    zero = np.zeros((rows, groups), np.int64)
    if settings["symmetric"]:
        assert f"{module}.weight_zero_point" not in stored
    else:
        points = stored[f"{module}.weight_zero_point"]
        assert points.shape == (-(-rows * bits // 32), groups) and points.dtype == np.int32
        zero = unpack(np.ascontiguousarray(points.T), bits, rows).T
    difference = (codes.reshape(rows, groups, -1) - zero[:, :, None]).astype(np.float32)
    return (difference * scale[:, :, None]).reshape(rows, columns)


def check(table, folder, packed):
    """The export of a table has codes of the modules `packed`, and all values of the table, which are read back."""
    run("export", table, "-o", folder / "ct", "--to", "compressed-tensors")
    run("export", table, "-o", folder / "plain")
    run("export", folder / "ct", "-o", folder / "back")
    assert json.loads((folder / "back" / "config.json").read_text()) == CONFIG
    back, values = (read_safetensors(folder / name / "model.safetensors") for name in ("back", "plain"))
    assert {name: (dtype, tuple(shape), data) for name, (dtype, shape, data) in back.items()} == {
        name: (dtype, tuple(shape), data) for name, (dtype, shape, data) in values.items()}
    config = json.loads((folder / "ct" / "config.json").read_text())
    plain, stored = arrays(folder / "plain" / "model.safetensors"), arrays(folder / "ct" / "model.safetensors")
    quantization = config.pop("quantization_config")
    assert config == CONFIG
    assert (quantization["quant_method"], quantization["format"]) == ("compressed-tensors", "pack-quantized")
    assert {name.removesuffix(".weight_packed") for name in stored if name.endswith("_packed")} == packed
    for name, values in plain.items():
        module = name.removesuffix(".weight")
        if module in packed:
            got = dequantize(stored, module, settings_of(quantization, module))
        else:
            got = stored[name]
        assert got.dtype == values.dtype and got.tobytes() == values.tobytes(), name
    return quantization


UP, DOWN = "layers.0.up_proj", "layers.0.down_proj"


@pytest.mark.parametrize("columns", [96, 100, 37])
@pytest.mark.parametrize("quant_type", LOWEST)
@pytest.mark.parametrize("per", ["channel", "tensor"])
@pytest.mark.parametrize("symmetric", ["--sym", "--asym"])
def test_rows_with_one_scale_are_read_as_they_are_decoded(tmp_path, columns, quant_type, per, symmetric):
    write_model(tmp_path / "m", columns=columns)
    table = tmp_path / "t.parquet"
    run("quantize", tmp_path / "m", "-o", table, "--type", quant_type, "--per", per, symmetric)
    with_whole_zero_points(table)
    config = check(table, tmp_path, {UP, DOWN})
    assert config["config_groups"]["group_0"]["targets"] == ["Linear"]
    assert config["config_groups"]["group_0"]["weights"]["symmetric"] == (symmetric == "--sym")
    assert config["ignore"] == ["embed_tokens", "lm_head"]


@pytest.mark.parametrize("group", [32, 48, 96, 192])
@pytest.mark.parametrize("quant_type", LOWEST)
@pytest.mark.parametrize("symmetric", ["--sym", "--asym"])
def test_groups_that_divide_a_row_or_are_whole_rows_are_read_as_they_are_decoded(tmp_path, group, quant_type, symmetric):
    write_model(tmp_path / "m")
    table = tmp_path / "t.parquet"
    run("quantize", tmp_path / "m", "-o", table, "--type", quant_type, "--group-size", group, symmetric)
    with_whole_zero_points(table)
    weights = check(table, tmp_path, {UP, DOWN})["config_groups"]["group_0"]["weights"]
    assert (weights["strategy"], weights["group_size"]) == (("group", group) if group < 96 else ("channel", None))


def test_several_schemes_name_their_modules(tmp_path):
    write_model(tmp_path / "m", **{"lm_head.weight": ("F32", noise(7, 40, 64)), "kept.weight": ("F32", noise(8, 9, 64))})
    table = tmp_path / "t.parquet"
    run("quantize", tmp_path / "m", "-o", table, "--type", "int8", "--tensor", f"{UP}.weight=int3,group=32,sym")
    config = check(table, tmp_path, {UP, DOWN, "lm_head"})
    assert [group["targets"] for group in config["config_groups"].values()] == [[UP], [DOWN, "lm_head"]]
    assert config["ignore"] == ["embed_tokens", "kept"]


def test_output_layer_that_is_tied_to_the_embeddings_stays_values(tmp_path):
    write_model(tmp_path / "m", **{"lm_head.weight": ("F32", noise(1, 40, 64))})
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int8")
    assert check(tmp_path / "t.parquet", tmp_path, {UP, DOWN})["ignore"] == ["embed_tokens", "lm_head"]


def test_matrix_of_megabytes_streams_to_the_same_codes(tmp_path):
    """More than a block of a sink, with rows that end within words: the export reads it in pieces."""
    write_model(tmp_path / "m", **{"big.weight": ("F32", noise(9, 1500, 1237))})
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int8", "--part-size", "1MiB")
    check(tmp_path / "t.parquet", tmp_path, {UP, DOWN, "big"})


def test_values_that_stay_get_the_dtype_and_scales_stay_exact(tmp_path):
    write_model(tmp_path / "m")
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int8")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "ct", "--to", "compressed-tensors", "--dtype", "fp16")
    stored = arrays(tmp_path / "ct" / "model.safetensors")
    assert {stored[name].dtype.name for name in ("embed_tokens.weight", "norm.weight", "layers.0.bias")} == {"float16"}
    assert stored[f"{UP}.weight_scale"].dtype == np.float32
    assert json.loads((tmp_path / "ct" / "config.json").read_text())["torch_dtype"] == "float16"


REFUSED = {  # options of quantize: words of the error
    "groups that cross rows": (["--sym", "--group-size", "64"], ["its groups of 64 values cross rows of 96"]),
    "zero points with fractions": (["--asym", "--group-size", "32"], ["its zero point", "is no code of int4"]),
}


@pytest.mark.parametrize("options, says", REFUSED.values(), ids=REFUSED)
def test_rows_that_the_format_has_not_are_refused_by_name(tmp_path, options, says):
    write_model(tmp_path / "m")
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int4", *options)
    done = run("export", tmp_path / "t.parquet", "-o", tmp_path / "ct", "--to", "compressed-tensors", expect=3)
    for words in [*says, f"'{UP}.weight'", "Quantize it"]:
        assert words in done.stderr
    assert not list(tmp_path.glob("ct*"))


@pytest.mark.parametrize("beyond", [16, -16, np.inf, np.nan])
def test_zero_points_beyond_the_codes_are_refused(tmp_path, beyond):
    write_model(tmp_path / "m")
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int4", "--per", "channel")
    with_whole_zero_points(tmp_path / "t.parquet", beyond)
    done = run("export", tmp_path / "t.parquet", "-o", tmp_path / "ct", "--to", "compressed-tensors", expect=3)
    assert "zero point" in done.stderr and not list(tmp_path.glob("ct*"))


@pytest.mark.parametrize("name, shape, says", [("experts.weight", (4, 32, 64), "has codes of matrices only"),
                                               ("experts.down", (64, 64), "whose names end in .weight")])
def test_tensors_that_are_no_linear_layers_are_refused_by_name(tmp_path, name, shape, says):
    write_model(tmp_path / "m", **{name: ("F32", noise(6, *shape))})
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int8")
    done = run("export", tmp_path / "t.parquet", "-o", tmp_path / "ct", "--to", "compressed-tensors", expect=3)
    assert says in done.stderr and f"'{name}'" in done.stderr
    assert not list(tmp_path.glob("ct*"))


def test_model_without_codes_or_configuration_is_refused(tmp_path):
    write_model(tmp_path / "m")
    done = run("export", tmp_path / "m", "-o", tmp_path / "ct", "--to", "compressed-tensors", expect=3)
    assert "no linear layer has codes" in done.stderr
    (tmp_path / "m" / "config.json").unlink()
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int8")
    done = run("export", tmp_path / "t.parquet", "-o", tmp_path / "ct", "--to", "compressed-tensors", expect=3)
    assert "there is no config.json" in done.stderr
    assert not list(tmp_path.glob("ct*"))
