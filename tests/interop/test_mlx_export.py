"""export --to mlx: a reader of MLX's affine codes in NumPy, written from its definition (value = scale * code + bias)
and not from our code, finds the values that the table decodes to."""
import json

import numpy as np
import pytest
from conftest import noise, read_safetensors, run, write_safetensors

NUMPY = {"U32": "<u4", "F32": "<f4", "F16": "<f2"}
UP, DOWN, TABLE = "layers.0.up_proj", "layers.0.down_proj", "model.embed_tokens"


def write_model(folder, columns=256, config=None, **more):
    folder.mkdir()
    table = noise(1, 40, 64)
    model = {f"{TABLE}.weight": ("F32", table), "lm_head.weight": ("F32", table),
             f"{UP}.weight": ("F32", noise(2, 48, columns)), f"{DOWN}.weight": ("F32", noise(3, 33, columns)),
             "layers.0.bias": ("F32", noise(4, 33)), "norm.weight": ("F32", noise(5, 64)), **more}
    write_safetensors(folder / "model.safetensors", model)
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "llama", "eps": 1e-05}))
    return folder


def arrays(folder):
    return {name: np.frombuffer(data, NUMPY[dtype]).reshape(shape)
            for name, (dtype, shape, data) in read_safetensors(folder / "model.safetensors").items()}


def decode(stored, module, quantization):
    """In double precision: [rows, columns], and the largest error that FP32 arithmetic on it may have."""
    settings = quantization.get(module, quantization)
    bits, group = settings["bits"], settings["group_size"]
    assert settings["mode"] == "affine" and bits in (2, 3, 4, 8) and group in (32, 64, 128)
    words, scales = stored[f"{module}.weight"], stored[f"{module}.scales"].astype(np.float64)
    biases = stored[f"{module}.biases"].astype(np.float64)
    assert words.dtype == np.uint32 and scales.shape == biases.shape
    rows, groups = scales.shape
    stream = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
    assert stream.shape == (rows, groups * group * bits)
    codes = (stream.reshape(rows, groups, group, bits).astype(np.float64) * 2.0 ** np.arange(bits)).sum(axis=3)
    values = codes * scales[:, :, None] + biases[:, :, None]
    bound = 2.0 ** -23 * (codes * scales[:, :, None] + np.abs(biases[:, :, None]))
    return values.reshape(rows, -1), bound.reshape(rows, -1)


def check(tmp_path, *options):
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "mlx", "--to", "mlx", *options)
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "plain")
    config = json.loads((tmp_path / "mlx" / "config.json").read_text())
    assert config["quantization"] == config["quantization_config"]
    plain, stored = arrays(tmp_path / "plain"), arrays(tmp_path / "mlx")
    for name, values in plain.items():
        module = name.removesuffix(".weight")
        if f"{module}.scales" in stored:
            got, bound = decode(stored, module, config["quantization"])
            assert np.all(np.abs(got - values) <= bound), name
        elif name != "lm_head.weight":
            assert stored[name].tobytes() == values.tobytes(), name
    return config["quantization"], stored


@pytest.mark.parametrize("quant_type", ["int8", "int4", "int3", "int2"])
@pytest.mark.parametrize("symmetric", ["--sym", "--asym"])
@pytest.mark.parametrize(("form", "group"), [(("--per", "channel"), 128), (("--per", "tensor"), 128),
                                             (("--group-size", "32"), 32), (("--group-size", "64"), 64)])
def test_every_type_and_granularity_is_read_as_it_is_decoded(tmp_path, quant_type, symmetric, form, group):
    write_model(tmp_path / "m")
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", quant_type, *form, symmetric)
    quantization, stored = check(tmp_path)
    assert (quantization["group_size"], quantization["bits"]) == (group, int(quant_type[3:]))
    for module in (UP, DOWN, TABLE):
        assert f"{module}.scales" in stored
    assert "lm_head.weight" not in stored and "lm_head.scales" not in stored


def test_modules_with_settings_of_their_own_are_named(tmp_path):
    write_model(tmp_path / "m", columns=96)
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int4", "--group-size", "32",
        "--tensor", f"{UP}.weight=int8,per=channel")
    quantization, _ = check(tmp_path)
    assert quantization[UP] == {"group_size": 32, "bits": 8, "mode": "affine"}
    assert set(quantization) == {"group_size", "bits", "mode", UP}


def test_a_table_of_tokens_that_is_kept_stays_values(tmp_path):
    write_model(tmp_path / "m")
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int4", "--keep", "*embed*")
    assert f"{TABLE}.scales" not in check(tmp_path)[1]


def test_an_output_layer_of_its_own_has_codes(tmp_path):
    write_model(tmp_path / "m", **{"lm_head.weight": ("F32", noise(7, 40, 64))})
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int8")
    assert "lm_head.scales" in check(tmp_path)[1]


def test_scales_have_the_type_that_is_asked_for(tmp_path):
    write_model(tmp_path / "m")
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int4")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "full", "--to", "mlx")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "half", "--to", "mlx", "--dtype", "fp16")
    full, half = arrays(tmp_path / "full"), arrays(tmp_path / "half")
    assert np.array_equal(half[f"{UP}.scales"], full[f"{UP}.scales"].astype(np.float16))
    assert np.array_equal(half[f"{UP}.biases"], full[f"{UP}.biases"].astype(np.float16))
    assert np.array_equal(half[f"{UP}.weight"], full[f"{UP}.weight"])


def test_rotary_settings_are_where_mlx_reads_them(tmp_path):
    scaled = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0}
    for name, parameters, more, expected in [
            ("plain", {"rope_type": "default", "rope_theta": 1e5}, {}, {"rope_theta": 1e5}),
            ("scaled", scaled, {}, {"rope_theta": 5e5, "rope_scaling": scaled}),
            ("named", scaled, {"rope_theta": 7.0}, {"rope_theta": 7.0, "rope_scaling": scaled}),
            ("two", {"full_attention": {"rope_type": "default", "rope_theta": 1e6},
                     "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}, {},
             {"rope_theta": 1e6, "rope_local_base_freq": 1e4})]:
        write_model(tmp_path / name, config={"model_type": "llama", "rope_parameters": parameters, **more})
        run("quantize", tmp_path / name, "-o", tmp_path / "t.parquet", "--type", "int4", "--force")
        run("export", tmp_path / "t.parquet", "-o", tmp_path / f"{name}.mlx", "--to", "mlx")
        config = json.loads((tmp_path / f"{name}.mlx" / "config.json").read_text())
        assert {key: config[key] for key in config if key.startswith("rope_") and key != "rope_parameters"} == expected


@pytest.mark.parametrize(("columns", "form", "word"), [(100, ("--per", "channel"), "rows of 100"),
                                                       (96, ("--group-size", "48"), "groups of 48")])
def test_groups_that_mlx_has_not_are_refused_before_anything_is_written(tmp_path, columns, form, word):
    write_model(tmp_path / "m", columns=columns)
    run("quantize", tmp_path / "m", "-o", tmp_path / "t.parquet", "--type", "int4", *form, "--keep", "*embed*")
    failed = run("export", tmp_path / "t.parquet", "-o", tmp_path / "mlx", "--to", "mlx", expect=3)
    assert word in failed.stderr and f"{UP}.weight" in failed.stderr
    assert not (tmp_path / "mlx").exists()
