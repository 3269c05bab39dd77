"""ONNX models, written by the package onnx: values are those of its numpy_helper and of its reference implementation of
the operators, bit for bit; names are those that a BERT encoder has."""
import json
import pathlib
import struct
import sys

import numpy as np
import onnx
import pytest
from conftest import read_safetensors, run
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from tiny_bert import LAYERS, encoder_tensors, make_encoder  # noqa: E402

FLOAT = TensorProto.FLOAT
PLAIN = {"FLOAT": ("F32", "<f4"), "DOUBLE": ("F64", "<f8"), "FLOAT16": ("F16", "<u2"), "BFLOAT16": ("BF16", "<u2"),
         "INT8": ("I8", "i1"), "UINT8": ("U8", "u1"), "INT16": ("I16", "<i2"), "UINT16": ("U16", "<u2"),
         "INT32": ("I32", "<i4"), "UINT32": ("U32", "<u4"), "INT64": ("I64", "<i8"), "UINT64": ("U64", "<u8"),
         "BOOL": ("BOOL", "u1"), "FLOAT8E4M3FN": ("F8_E4M3", "u1"), "FLOAT8E5M2": ("F8_E5M2", "u1")}
SMALL = {"INT4": ("I8", 4, True), "UINT4": ("U8", 4, False), "INT2": ("I8", 2, True), "UINT2": ("U8", 2, False)}
CODES = ["INT8", "UINT8", "INT16", "UINT16", "INT4", "UINT4", "INT2", "UINT2"]
FIELD = {"FLOAT": "float_data", "DOUBLE": "double_data", "INT64": "int64_data", "UINT32": "uint64_data",
         "UINT64": "uint64_data"}  # of the others: int32_data


def tensor_of(name, kind, shape, raw):
    return TensorProto(name=name, data_type=getattr(TensorProto, kind), dims=shape, raw_data=raw)


def packed(codes, bits):
    """Codes in bytes, the first one in the lowest bits."""
    flat = np.concatenate([codes.reshape(-1) & ((1 << bits) - 1), np.zeros(-codes.size % (8 // bits), codes.dtype)])
    parts = flat.astype(np.uint8).reshape(-1, 8 // bits)
    return np.bitwise_or.reduce(parts << (np.arange(8 // bits) * bits).astype(np.uint8), axis=1).astype(np.uint8)


def write_model(path, nodes, tensors, properties=None):
    values = [helper.make_tensor_value_info(n, FLOAT, None) for n in ("x", "y")]
    model = helper.make_model(helper.make_graph(nodes, "graph", values[:1], values[1:], tensors))
    if properties:
        helper.set_model_props(model, properties)
    path.write_bytes(model.SerializeToString())
    return path


def exported(source, folder):
    run("export", source, "-o", folder / "out.safetensors", "--force")
    return read_safetensors(folder / "out.safetensors")


def values_of(source, folder, name):
    """FP32 values as bits; every NaN as 0x7fc00000."""
    dtype, shape, data = exported(source, folder)[name]
    assert dtype == "F32"
    return np.frombuffer(data, "<u4").reshape(shape)


def bits_of(values):
    values = np.ascontiguousarray(values, dtype="<f4")
    return np.where(np.isnan(values), np.uint32(0x7FC00000), values.view("<u4"))


def notes(path):
    return json.loads(run("info", path, "--json").stdout)["source"]["notes"]


def random_codes(kind, shape, seed):
    bits, signed = {"INT8": (8, 1), "UINT8": (8, 0), "INT16": (16, 1), "UINT16": (16, 0), "INT32": (32, 1)}.get(
        kind) or SMALL[kind][1:]
    low = -(1 << (bits - 1)) if signed else 0
    return np.random.default_rng(seed).integers(low, low + (1 << bits), shape, dtype=np.int64), bits


def code_tensor(name, kind, codes, bits):
    dtype = f"<i{bits // 8}" if bits >= 8 else None
    raw = codes.astype(dtype).tobytes() if dtype else packed(codes, bits).tobytes()
    return tensor_of(name, kind, codes.shape, raw)


# ---- numbers as they are ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PLAIN)
def test_numbers_are_read_as_they_are_from_bytes_and_one_by_one(tmp_path, kind):
    dtype, bits = PLAIN[kind]
    array = np.random.default_rng(1).integers(0, 2 if kind == "BOOL" else 120, (3, 2, 5)).astype(bits)
    if kind == "INT64":
        array[0, 0] = [-1, 2**62, -2**63, 0, 5]
    raw = tensor_of("a.raw", kind, array.shape, array.tobytes())
    single = TensorProto(name="a.single", data_type=raw.data_type, dims=raw.dims)
    getattr(single, FIELD.get(kind, "int32_data")).extend(array.reshape(-1).tolist())
    got = exported(write_model(tmp_path / "m.onnx", [], [raw, single]), tmp_path)
    for name in ("a.raw", "a.single"):
        assert got[name] == (dtype, [3, 2, 5], array.tobytes())


@pytest.mark.parametrize("kind", SMALL)
def test_codes_of_less_than_a_byte_are_held_as_bytes(tmp_path, kind):
    codes, bits = random_codes(kind, (3, 5), 2)
    path = write_model(tmp_path / "m.onnx", [], [code_tensor("a.w", kind, codes, bits)])
    assert exported(path, tmp_path)["a.w"] == (SMALL[kind][0], [3, 5], codes.astype("i1").tobytes())
    assert "1 tensor of 2 or 4 bits that no operator dequantizes: it is held as 8" in notes(path)


@pytest.mark.parametrize("kind", ["FLOAT4E2M1", "COMPLEX128", "FLOAT6E2M3"])
def test_types_that_are_not_read_are_named(tmp_path, kind):
    write_model(tmp_path / "m.onnx", [], [tensor_of("a.w", kind, [2], b"\0" * 32)])
    assert f"is of {kind}, which is not read" in run("info", tmp_path / "m.onnx", expect=3).stderr


def test_constants_of_the_graph_are_no_weights(tmp_path):
    floats = np.arange(6, dtype="f4").reshape(2, 3)
    constants = {"table": floats, "single": np.float32(3), "shape": np.array([1, -1]), "ids": np.arange(9).reshape(3, 3)}
    nodes = [helper.make_node("Constant", [], [k], value=numpy_helper.from_array(np.asarray(v))) for k, v in
             constants.items()]
    tensors = {"a.weight": floats, "logit_scale": np.array(4.6, "f4"), "/Constant_1": np.array(2, "f4"),
               "onnx::Shape_3": np.array([2, 3]), "shape": np.array([2, 3, 4]), "a.position_ids": np.arange(4).reshape(1, 4),
               "words": np.array(["a", "b"])}
    tensors = [numpy_helper.from_array(v, n if n != "shape" else "sizes") for n, v in tensors.items()]
    path = write_model(tmp_path / "m.onnx", nodes, tensors, {"task": "none", "arrowquant.file.config.json": "{}"})
    assert list(exported(path, tmp_path)) == ["table", "a.weight", "logit_scale", "a.position_ids"]
    assert any(n.startswith("7 constants of the graph") for n in notes(path))
    metadata = json.loads(run("info", path, "--json").stdout)["metadata"]
    assert {p["key"]: p["value"] for p in metadata} == {"task": "none"}


# ---- quantized weights -----------------------------------------------------------------------------------------------


def dequantize_node(inputs, **attributes):
    return helper.make_node("DequantizeLinear", inputs, ["y"], **attributes)


@pytest.mark.parametrize("layout", ["tensor", "axis0", "axis1", "axis-1", "blocks0", "blocks1", "blocks2"])
@pytest.mark.parametrize("kind", [*CODES, "INT32", "FLOAT8E4M3FN"])
def test_dequantize_linear_has_the_values_of_the_reference(tmp_path, kind, layout):
    shape, attributes, scale_shape = (6, 70, 5), {}, ()
    if layout.startswith("axis"):
        attributes["axis"] = int(layout[4:])
        scale_shape = (shape[attributes["axis"]],)
    if layout.startswith("blocks"):
        axis = int(layout[-1])
        attributes |= {"axis": axis, "block_size": 4}
        scale_shape = tuple(-(-n // 4) if i == axis else n for i, n in enumerate(shape))
    has_zero_points = kind in CODES
    if kind == "FLOAT8E4M3FN":
        codes = np.random.default_rng(5).integers(0, 120, shape).astype(np.uint8)
        tensors = [tensor_of("c.w_quantized", kind, shape, codes.tobytes())]
    else:
        codes, bits = random_codes(kind, shape, 5)
        tensors = [code_tensor("c.w_quantized", kind, codes, bits)]
    scales = np.random.default_rng(6).uniform(0.001, 2, scale_shape).astype("f4")
    tensors.append(numpy_helper.from_array(scales, "c.w_scale"))
    inputs = ["c.w_quantized", "c.w_scale"]
    if has_zero_points:
        zero_points, bits = random_codes(kind, scale_shape, 7)
        tensors.append(code_tensor("c.w_zero_point", kind, np.asarray(zero_points), bits))
        inputs.append("c.w_zero_point")
    path = write_model(tmp_path / "m.onnx", [dequantize_node(inputs, **attributes)], tensors)
    zero = zero_points if has_zero_points else np.zeros(scale_shape)
    numbers = numpy_helper.to_array(tensors[0]).astype("f4")
    if layout.startswith("blocks"):
        scale, zero = (np.repeat(a, 4, axis)[tuple(slice(n) for n in shape)] for a in (scales, zero))
    else:
        place = [-1 if i == attributes.get("axis", 0) % 3 else 1 for i in range(3)] if scale_shape else [1, 1, 1]
        scale, zero = (np.reshape(a, place) for a in (scales, zero))
    expected = (numbers - zero.astype("f4")) * scale
    np.testing.assert_array_equal(values_of(path, tmp_path, "c.w"), bits_of(expected))
    assert any("1 weight is quantized already (DequantizeLinear 1)" in n for n in notes(path))
    if kind in ("INT8", "UINT8", "INT16", "UINT16"):
        found, = ReferenceEvaluator(onnx.load(path)).run(None, {"x": np.zeros(1, "f4")})
        np.testing.assert_array_equal(bits_of(found), bits_of(expected))


@pytest.mark.parametrize("half", ["FLOAT16", "BFLOAT16"])
def test_scales_of_16_bits_are_not_rounded_again(tmp_path, half):
    codes, bits = random_codes("INT8", (4, 8), 1)
    scale = np.array([0.1, 3.0, 0.7, 5e-4], "f4")
    raw = scale.astype("f2").tobytes() if half == "FLOAT16" else (scale.view("<u4") >> 16).astype("<u2").tobytes()
    tensors = [code_tensor("w_quantized", "INT8", codes, bits), tensor_of("s", half, [4], raw)]
    path = write_model(tmp_path / "m.onnx", [dequantize_node(["w_quantized", "s"], axis=0)], tensors)
    expected = codes.astype("f4") * numpy_helper.to_array(tensors[1]).astype("f4")[:, None]
    np.testing.assert_array_equal(values_of(path, tmp_path, "w"), bits_of(expected))


def test_infinite_scales_give_one_nan(tmp_path):
    codes = np.array([[0, 1, -1], [2, 0, 3]])
    tensors = [code_tensor("w_quantized", "INT8", codes, 8), numpy_helper.from_array(np.array([np.inf, -np.nan], "f4"), "s")]
    path = write_model(tmp_path / "m.onnx", [dequantize_node(["w_quantized", "s"], axis=0)], tensors)
    with np.errstate(invalid="ignore"):
        expected = codes.astype("f4") * np.array([[np.inf], [np.nan]], "f4")
    np.testing.assert_array_equal(values_of(path, tmp_path, "w"), bits_of(expected))


@pytest.mark.parametrize("zero_points", ["none", "packed", "float"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_matmul_n_bits_has_the_values_of_its_definition(tmp_path, bits, zero_points):
    rows, columns, block = 7, 75, 16
    blocks = -(-columns // block)
    random = np.random.default_rng(bits)
    codes = random.integers(0, 1 << bits, (rows, blocks * block))
    scales = random.uniform(0.01, 1, (rows, blocks)).astype("f4")
    zero = random.integers(0, 1 << bits, (rows, blocks))
    stored = np.stack([packed(row, bits) for row in codes]).reshape(rows, blocks, -1)
    tensors = [numpy_helper.from_array(stored, "onnx::MatMul_7_Q4"), numpy_helper.from_array(scales.reshape(-1), "s")]
    if zero_points == "none":
        zero = np.full((rows, blocks), 1 << (bits - 1))
    elif zero_points == "packed":
        tensors.append(numpy_helper.from_array(np.concatenate([packed(row, bits) for row in zero]), "z"))
    else:
        zero = random.uniform(0, 5, (rows, blocks)).astype("f4")
        tensors.append(numpy_helper.from_array(zero.reshape(-1), "z"))
    node = helper.make_node("MatMulNBits", ["x", "onnx::MatMul_7_Q4", "s", *(["z"] if zero_points != "none" else [])],
                            ["y"], name="/model/layers.0/mlp/up_proj/MatMul_Q4", domain="com.microsoft", K=columns,
                            N=rows, bits=bits, block_size=block)
    path = write_model(tmp_path / "m.onnx", [node], tensors)
    wide = [np.repeat(a.astype("f4"), block, 1) for a in (zero, scales)]
    expected = ((codes.astype("f4") - wide[0]) * wide[1])[:, :columns]
    np.testing.assert_array_equal(values_of(path, tmp_path, "model.layers.0.mlp.up_proj.weight"), bits_of(expected))


@pytest.mark.parametrize("kind", ["INT4", "UINT4", "UINT8 of 4", "UINT8 of 8"])
def test_gather_block_quantized_has_the_values_of_its_definition(tmp_path, kind):
    rows, columns, block = 9, 80, 32
    blocks = -(-columns // block)
    bits, in_bytes = (8 if kind.endswith("of 8") else 4), kind.startswith("UINT8")
    random = np.random.default_rng(3)
    codes = random.integers(-8 if kind == "INT4" else 0, 8 if kind == "INT4" else 1 << bits, (rows, columns))
    zero = random.integers(0, 8, (rows, blocks))
    scales = random.uniform(0.01, 1, (rows, blocks)).astype("f4")
    for has_zero_points in (True, False):
        tensors = [numpy_helper.from_array(scales, "s")]
        if in_bytes:
            tensors.append(numpy_helper.from_array(np.stack([packed(r, bits) for r in codes]), "m.embed.weight_Q4"))
            points = numpy_helper.from_array(np.stack([packed(r, bits) for r in zero]), "z")
        else:
            tensors.append(code_tensor("m.embed.weight_Q4", kind, codes, bits))
            points = code_tensor("z", kind, zero, bits)
        tensors += [points] if has_zero_points else []
        node = helper.make_node("GatherBlockQuantized", ["m.embed.weight_Q4", "x", "s", "z" if has_zero_points else ""],
                                ["y"], domain="com.microsoft", bits=bits, block_size=block, quantize_axis=1)
        path = write_model(tmp_path / "m.onnx", [node], tensors)
        default = 1 << (bits - 1) if in_bytes else 0
        wide = np.repeat(zero if has_zero_points else np.full_like(zero, default), block, 1)[:, :columns]
        expected = (codes - wide).astype("f4") * np.repeat(scales, block, 1)[:, :columns]
        np.testing.assert_array_equal(values_of(path, tmp_path, "m.embed.weight"), bits_of(expected))


def test_codes_that_two_nodes_read_by_different_scales_are_refused(tmp_path):
    tensors = [code_tensor("w", "INT8", np.ones((2, 2), int), 8),
               *(numpy_helper.from_array(np.array(v, "f4"), n) for n, v in (("s", 1), ("t", 2)))]
    nodes = [dequantize_node(["w", "s"]), helper.make_node("DequantizeLinear", ["w", "t"], ["z"])]
    refused = run("info", write_model(tmp_path / "m.onnx", nodes, tensors), expect=3).stderr
    assert "'w'" in refused and "two nodes read its codes, by different scales" in refused


# ---- a whole encoder -------------------------------------------------------------------------------------------------


def encoder_weights():
    return {n: np.frombuffer(data, "<f4").reshape(shape) for n, (_, shape, data) in encoder_tensors().items()}


def layers_of(weights):
    """Linear layers, which exporters rename."""
    return [n[:-len(".weight")] for n, w in weights.items() if w.ndim == 2 and "embeddings" not in n]


def export_encoder(path, form, wrapper="", prefix=""):
    """The encoder as torch's exporter writes it, as far as weights go: `form` says how its linear layers are stored."""
    weights = encoder_weights()
    layers = layers_of(weights)
    tensors, nodes = [], []
    for name, values in weights.items():
        if name.removesuffix(".weight") not in layers:
            tensors.append(numpy_helper.from_array(values, prefix + name))
    for i, layer in enumerate(layers):
        path_of_node = f"{wrapper}/{(prefix + layer).replace('.', '/').replace('layer/', 'layer.')}"
        made_up, product, bias = f"onnx::MatMul_{100 + i}", f"p{i}", f"{prefix}{layer}.bias"
        weight = weights[layer + ".weight"]
        inputs, op, attributes = ["x", made_up], "MatMul", {}
        if form == "transposed":
            tensors.append(numpy_helper.from_array(np.ascontiguousarray(weight.T), made_up))
        elif form == "rows":  # Transpose in the graph
            tensors.append(numpy_helper.from_array(weight, made_up))
            nodes.append(helper.make_node("Transpose", [made_up], [made_up + "_t"], perm=[1, 0]))
            inputs[1] = made_up + "_t"
        elif form == "gemm":
            tensors.append(numpy_helper.from_array(weight, f"{prefix}{layer}.weight"))
            inputs, op, attributes = ["x", f"{prefix}{layer}.weight", bias], "Gemm", {"transB": 1}
        nodes.append(helper.make_node(op, inputs, [product], name=f"{path_of_node}/{op}", **attributes))
        nodes.append(helper.make_node("Add", [bias, product], [f"o{i}"], name=f"{path_of_node}/Add"))
    path.parent.mkdir(exist_ok=True)
    write_model(path, nodes, tensors)


@pytest.mark.parametrize("form", ["transposed", "rows", "gemm"])
@pytest.mark.parametrize("prefix", ["", "bert."])
def test_weights_of_an_encoder_get_their_names_and_their_layout_back(tmp_path, form, prefix):
    export_encoder(tmp_path / "m.onnx", form, prefix=prefix)
    got = exported(tmp_path / "m.onnx", tmp_path)
    weights = encoder_weights()
    assert set(got) == {prefix + n for n in weights}
    for name, values in weights.items():
        assert got[prefix + name] == ("F32", list(values.shape), values.tobytes())
    assert not any("made-up" in n for n in notes(tmp_path / "m.onnx"))


def test_an_exported_encoder_embeds_as_the_folder_that_it_was_made_from(tmp_path):
    model, exported_model = tmp_path / "model", tmp_path / "exported"
    make_encoder(model)
    texts = ["--text", "a cat", "--text", "the dog that sat", "--text", "b"]
    expected = run("embed", model, *texts).stdout
    exported_model.mkdir()
    for file in ("config.json", "vocab.txt"):
        (exported_model / file).write_bytes((model / file).read_bytes())
    export_encoder(exported_model / "onnx" / "model.onnx", "transposed")
    (exported_model / "onnx" / "model_quantized.onnx").write_bytes(b"not looked at")
    for path in (exported_model, exported_model / "onnx", exported_model / "onnx" / "model.onnx"):
        assert run("embed", path, *texts).stdout == expected
    run("quantize", exported_model, "-o", tmp_path / "from_onnx.parquet", "--type", "int8")
    run("quantize", model, "-o", tmp_path / "from_folder.parquet", "--type", "int8")
    assert run("embed", tmp_path / "from_onnx.parquet", *texts).stdout == run(
        "embed", tmp_path / "from_folder.parquet", *texts).stdout
    assert "cosine" in run("compare", model, tmp_path / "from_onnx.parquet", "--outputs").stdout


def dynamically_quantized(path, per_channel, weights):
    """As onnxruntime.quantization.quantize_dynamic writes it; {name: values}."""
    tensors, nodes, expected = [], [], {}
    for i, (layer, kind) in enumerate(weights.items()):
        codes, bits = random_codes(kind, (12, 10), 20 + i)
        columns = (10,) if per_channel else ()
        scale = np.random.default_rng(i).uniform(0.01, 1, columns).astype("f4")
        zero, _ = random_codes(kind, columns, 40 + i)
        gemm = layer.endswith("pooler.dense")
        base = f"{layer}.weight" if gemm else f"onnx::MatMul_{i}"
        node = f"/{layer.replace('.', '/')}/{'Gemm_MatMul' if gemm else 'MatMul'}_quant"
        tensors += [numpy_helper.from_array(scale, base + "_scale"), code_tensor(base + "_zero_point", kind, np.asarray(zero), bits),
                    code_tensor(base + "_quantized", kind, codes, bits)]
        if i % 2 == 0:
            tensors.append(numpy_helper.from_array(np.ones(10, "f4"), layer + ".bias"))
        nodes += [helper.make_node("DynamicQuantizeLinear", ["x"], [f"q{i}", f"qs{i}", f"qz{i}"]),
                  helper.make_node("Mul", [f"qs{i}", base + "_scale"], [f"ss{i}"]),
                  helper.make_node("MatMulInteger", [f"q{i}", base + "_quantized", f"qz{i}", base + "_zero_point"], [f"m{i}"],
                                   name=node),
                  helper.make_node("Cast", [f"m{i}"], [f"c{i}"], to=FLOAT),
                  helper.make_node("Mul", [f"c{i}", f"ss{i}"], [f"p{i}"])]
        nodes += [helper.make_node("Add", [layer + ".bias", f"p{i}"], [f"y{i}"])] if i % 2 == 0 else []
        expected[layer + ".weight"] = ((codes.astype("f4") - np.asarray(zero).astype("f4")) * scale).T
    write_model(path, nodes, tensors)
    return expected


@pytest.mark.parametrize("per_channel", [False, True])
def test_weights_that_were_quantized_dynamically_are_decoded_under_their_names(tmp_path, per_channel):
    expected = dynamically_quantized(tmp_path / "m.onnx", per_channel,
                                     {"e.layer.0.query": "INT8", "e.layer.0.key": "UINT8", "e.pooler.dense": "INT8"})
    for name, values in expected.items():
        np.testing.assert_array_equal(values_of(tmp_path / "m.onnx", tmp_path, name), bits_of(values))
    described = json.loads(run("info", tmp_path / "m.onnx", "--json").stdout)
    assert {t["name"] for t in described["tensors"]} == {*expected, "e.layer.0.query.bias", "e.pooler.dense.bias"}
    stored = {t["name"]: t["stored_bytes"] for t in described["tensors"]}
    assert stored["e.layer.0.query.weight"] == 120 + (10 if per_channel else 1) * (4 + 1)


def test_a_table_of_codes_that_is_gathered_before_it_is_dequantized_is_a_weight(tmp_path):
    codes, bits = random_codes("UINT8", (20, 6), 3)
    tensors = [code_tensor("embeddings.word_embeddings.weight_quantized", "UINT8", codes, bits),
               numpy_helper.from_array(np.array(0.25, "f4"), "s"), code_tensor("z", "UINT8", np.array(100), 8)]
    nodes = [helper.make_node("Gather", [tensors[0].name, "x"], ["g"]), dequantize_node(["g", "s", "z"])]
    path = write_model(tmp_path / "m.onnx", nodes, tensors)
    got = values_of(path, tmp_path, "embeddings.word_embeddings.weight")
    np.testing.assert_array_equal(got, bits_of((codes - 100) * 0.25))


# ---- names -----------------------------------------------------------------------------------------------------------


def test_a_name_from_the_path_of_a_node_loses_the_wrapper(tmp_path):
    weight = np.arange(12, dtype="f4").reshape(3, 4)
    tensors = [numpy_helper.from_array(weight, "onnx::MatMul_1"), numpy_helper.from_array(weight[0], "m.layers.0.norm.weight")]
    node = helper.make_node("MatMul", ["x", "onnx::MatMul_1"], ["y"], name="/wrapped/m/layers.0/q_proj/MatMul")
    got = exported(write_model(tmp_path / "m.onnx", [node], tensors), tmp_path)
    assert got["m.layers.0.q_proj.weight"] == ("F32", [4, 3], weight.T.tobytes())


def scoped(op, inputs, output, *scopes):
    node = helper.make_node(op, inputs, [output], name=f"node_{output}")
    for key, value in (("pkg.torch.onnx.stack_trace", "File \"x.py\"\n" * 9), ("pkg.torch.onnx.name_scopes", str(list(scopes)))):
        node.metadata_props.add(key=key, value=value)
    return node


def test_names_from_the_modules_that_the_newer_exporter_lists(tmp_path):
    weight = np.arange(12, dtype="f4").reshape(3, 4)
    tensors = [numpy_helper.from_array(w, n) for n, w in (("val_1", weight), ("val_2", weight + 1), ("val_3", weight + 2),
                                                          ("lm_head.weight", weight + 3))]
    nodes = [scoped("MatMul", ["x", "val_1"], "a", "", "model", "model.layers.0.q_proj", "linear_4"),
             scoped("MatMul", ["x", "val_2"], "b", "", "model", "matmul"),
             scoped("MatMul", ["x", "val_3"], "c", "", "linear"),
             scoped("Gather", ["lm_head.weight", "x"], "y", "", "model", "model.embed_tokens", "embedding")]
    got = exported(write_model(tmp_path / "m.onnx", nodes, tensors), tmp_path)
    assert got["model.layers.0.q_proj.weight"] == ("F32", [4, 3], weight.T.tobytes())
    assert set(got) == {"model.layers.0.q_proj.weight", "val_2", "val_3", "lm_head.weight", "model.embed_tokens.weight"}
    assert got["model.embed_tokens.weight"] == got["lm_head.weight"]


def test_a_weight_that_the_graph_does_not_explain_keeps_name_and_layout(tmp_path):
    weight = np.arange(12, dtype="f4").reshape(3, 4)
    node = helper.make_node("MatMul", ["x", "onnx::MatMul_1"], ["y"], name="MatMul_17")
    path = write_model(tmp_path / "m.onnx", [node], [numpy_helper.from_array(weight, "onnx::MatMul_1")])
    assert exported(path, tmp_path)["onnx::MatMul_1"] == ("F32", [3, 4], weight.tobytes())
    assert ("1 weight has a made-up name that the graph does not explain ('onnx::MatMul_1'): name and layout are those of "
            "the file") in notes(path)


def test_a_parameter_that_is_multiplied_under_its_own_name_keeps_its_layout(tmp_path):
    weight = np.arange(12, dtype="f4").reshape(3, 4)
    tensors = [numpy_helper.from_array(weight, "h.0.attn.c_attn.weight"), numpy_helper.from_array(weight[0], "h.0.attn.c_attn.bias")]
    nodes = [helper.make_node("Gemm", ["x", tensors[0].name, tensors[1].name], ["y"], name="/h.0/attn/c_attn/Gemm")]
    got = exported(write_model(tmp_path / "m.onnx", nodes, tensors), tmp_path)
    assert got["h.0.attn.c_attn.weight"] == ("F32", [3, 4], weight.tobytes())


def test_a_weight_under_two_names_is_tied(tmp_path):
    weight = np.arange(12, dtype="f4").reshape(3, 4)
    tensors = [numpy_helper.from_array(weight, "model.embed.weight"), numpy_helper.from_array(weight.T.copy(), "onnx::MatMul_2"),
               *(numpy_helper.from_array(weight[:, 0].copy(), f"layer.{i}.bias") for i in range(2))]
    nodes = [helper.make_node("Identity", ["model.embed.weight"], ["lm_head.weight"]),
             *(n for i in range(2) for n in (helper.make_node("MatMul", ["x", "onnx::MatMul_2"], [f"p{i}"]),
                                             helper.make_node("Add", [f"p{i}", f"layer.{i}.bias"], [f"y{i}"])))]
    path = write_model(tmp_path / "m.onnx", nodes, tensors)
    listed = json.loads(run("info", path, "--json").stdout)["tensors"]
    assert {t["name"]: t["alias_of"] for t in listed if t.get("alias_of")} == {
        "lm_head.weight": "model.embed.weight", "layer.1.weight": "layer.0.weight"}
    run("convert", path, "-o", tmp_path / "t.parquet")
    got = exported(tmp_path / "t.parquet", tmp_path)
    assert got["lm_head.weight"] == got["model.embed.weight"] == ("F32", [3, 4], weight.tobytes())
    assert got["layer.1.weight"] == got["layer.0.weight"] == ("F32", [3, 4], weight.tobytes())


# ---- external data ---------------------------------------------------------------------------------------------------


def external(name, array, **entries):
    tensor = TensorProto(name=name, data_type=FLOAT, dims=array.shape, data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def test_external_data_are_read_from_their_file(tmp_path):
    weights = {f"a.w{i}": np.random.default_rng(i).standard_normal((5, 7)).astype("f4") for i in range(4)}
    model = helper.make_model(helper.make_graph([], "g", [], [], [numpy_helper.from_array(w, n) for n, w in weights.items()]))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="sub.data", size_threshold=0)
    assert (tmp_path / "sub.data").exists()
    got = exported(tmp_path / "m.onnx", tmp_path)
    assert {n: t[2] for n, t in got.items()} == {n: w.tobytes() for n, w in weights.items()}
    described = json.loads(run("info", tmp_path / "m.onnx", "--json").stdout)["source"]
    assert described["file_bytes"] == sum((tmp_path / f).stat().st_size for f in ("m.onnx", "sub.data"))
    (tmp_path / "sub.data").rename(tmp_path / "gone")
    assert "'sub.data', which is not beside the model" in run("info", tmp_path / "m.onnx", expect=3).stderr


@pytest.mark.parametrize("location", ["../d", "/etc/hostname", "", "a/../../d", "x/.."])
def test_external_data_outside_the_folder_are_refused(tmp_path, location):
    (tmp_path / "d").write_bytes(b"\0" * 64)
    (tmp_path / "m").mkdir()
    write_model(tmp_path / "m" / "m.onnx", [], [external("a.w", np.zeros(4, "f4"), location=location)])
    assert "no name inside the model's folder" in run("info", tmp_path / "m" / "m.onnx", expect=3).stderr


@pytest.mark.parametrize(("entries", "words"), [
    ({"offset": 56}, "are past the end"), ({"offset": 2**64 - 8}, "are past the end"), ({"length": 8}, "have 8 bytes"),
    ({"offset": -1}, "no number"), ({"offset": "1e3"}, "no number"), ({"offset": 10**30}, "no number")])
def test_places_in_external_data_are_checked(tmp_path, entries, words):
    (tmp_path / "d").write_bytes(struct.pack("<16f", *range(16)))
    good = external("a.w", np.zeros(4, "f4"), location="d", offset=8)
    write_model(tmp_path / "m.onnx", [], [good])
    assert np.frombuffer(exported(tmp_path / "m.onnx", tmp_path)["a.w"][2], "<f4").tolist() == [2, 3, 4, 5]
    write_model(tmp_path / "m.onnx", [], [external("a.w", np.zeros(4, "f4"), location="d", **entries)])
    assert words in run("info", tmp_path / "m.onnx", expect=3).stderr


def test_every_layer_is_one_of_the_encoder():
    assert len(layers_of(encoder_weights())) == 6 * LAYERS
