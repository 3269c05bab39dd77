"""Sources that could be taken for something they are not: opaque dtypes, layers that another tool quantized, parts of a
model. Standard library and pytest only."""
import json
import struct

import pytest
from cli_helpers import done, floats, refused, safetensors
from test_judge import encoder  # noqa: F401
from tiny_bert import encoder_tensors

# Name and bits an element of the dtypes that only their bytes are known of.
OPAQUE = [("F8_E8M0", 8), ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8), ("F6_E2M3", 6), ("F6_E3M2", 6), ("F4", 4),
          ("C64", 64)]


def read_safetensors(path):
    """{name: (dtype, shape, bytes)} and the metadata."""
    blob = path.read_bytes()
    length, = struct.unpack("<Q", blob[:8])
    header = json.loads(blob[8:8 + length])
    metadata = header.pop("__metadata__", {})
    data = blob[8 + length:]
    return {n: (e["dtype"], tuple(e["shape"]), data[slice(*e["data_offsets"])]) for n, e in header.items()}, metadata


def report(*args, cwd, **popen):
    return json.loads(done(*args, "--json", cwd=cwd, **popen).stdout)


def actions(document):
    return {t["name"]: t["action"] for t in document["tensors"]}


# ---- Opaque dtypes ----


def write_opaque(path):
    tensors = {"w": ("F32", (64, 64), floats(4096))}
    for i, (dtype, bits) in enumerate(OPAQUE):
        tensors[f"x.{dtype}"] = (dtype, (8, 9), bytes((7 * i + k) % 256 for k in range(9 * bits)))
    path.write_bytes(safetensors(tensors))
    return tensors


@pytest.mark.parametrize("command", [["quantize", "--type", "int4"], ["convert"], ["convert", "--dtype", "bf16"]])
def test_bytes_of_opaque_dtypes_are_kept_on_request_and_given_back(tmp_path, command):
    tensors = write_opaque(tmp_path / "m.safetensors")
    done(*command, "m.safetensors", "-o", "m.parquet", "--keep-unsupported", cwd=tmp_path)
    done("verify", "m.parquet", "--deep", "--against", "m.safetensors", cwd=tmp_path)
    shown = done("info", "m.parquet", cwd=tmp_path).stdout
    done("export", "m.parquet", "-o", "back.safetensors", cwd=tmp_path)
    back, _ = read_safetensors(tmp_path / "back.safetensors")
    for dtype, _ in OPAQUE:
        assert back[f"x.{dtype}"] == tensors[f"x.{dtype}"]
        assert dtype in shown
    compared = report("compare", "m.safetensors", "m.parquet", cwd=tmp_path)
    assert compared["compared_as_bytes"] == len(OPAQUE) and compared["bytes_differ"] == []
    # through a second table, and exported as another type
    done("convert", "m.parquet", "-o", "n.parquet", "--keep-unsupported", cwd=tmp_path)
    done("export", "n.parquet", "-o", "again.safetensors", "--dtype", "fp16", cwd=tmp_path)
    again, _ = read_safetensors(tmp_path / "again.safetensors")
    assert again["w"][0] == "F16"
    assert {n: t for n, t in again.items() if n != "w"} == {n: t for n, t in tensors.items() if n != "w"}


def test_other_bytes_of_an_opaque_dtype_are_told(tmp_path):
    tensors = write_opaque(tmp_path / "m.safetensors")
    done("convert", "m.safetensors", "-o", "m.parquet", "--keep-unsupported", cwd=tmp_path)
    dtype, shape, data = tensors["x.F4"]
    tensors["x.F4"] = (dtype, shape, data[:5] + bytes([data[5] ^ 1]) + data[6:])
    (tmp_path / "other.safetensors").write_bytes(safetensors(tensors))
    refused("compare", "other.safetensors", "m.parquet", cwd=tmp_path, status=3, says=["x.F4", "bytes differ"],
            reports="DIFFERENT BYTES (1): x.F4")
    refused("verify", "m.parquet", "--against", "other.safetensors", cwd=tmp_path, status=3, says="x.F4",
            reports="is kept, but its value 10 is not the model's")


@pytest.mark.parametrize(("dtype", "bits"), OPAQUE)
def test_opaque_dtypes_are_refused_with_a_way_round(tmp_path, dtype, bits):
    data = bytes(i % 256 for i in range(8 * bits))
    (tmp_path / "m.safetensors").write_bytes(
        safetensors({"w": ("F32", (64, 64), floats(4096)), "a.scale": (dtype, (8, 8), data)}))
    refused("quantize", "m.safetensors", "-o", "m.parquet", cwd=tmp_path, status=3,
            says=["tensor 'a.scale'", dtype, "--keep 'a.scale'", "--keep-unsupported"])
    for command in ("convert", "validate"):
        output = ["-o", "m.parquet"] if command == "convert" else ["-o", "results", "--no-outputs"]
        told = done(command, "m.safetensors", *output, cwd=tmp_path, status=3).stderr
        assert "tensor 'a.scale'" in told and dtype in told and "--keep-unsupported" in told and "--keep '" not in told
    done("quantize", "m.safetensors", "-o", "m.parquet", "--keep", "a.scale", cwd=tmp_path)
    done("export", "m.parquet", "-o", "back.safetensors", cwd=tmp_path)
    assert read_safetensors(tmp_path / "back.safetensors")[0]["a.scale"] == (dtype, (8, 8), data)
    done("validate", "m.safetensors", "-o", "results", "--no-outputs", "--keep-unsupported", "--types", "int8",
         cwd=tmp_path)
    done("quantize", "m.safetensors", "-o", "n.parquet", "--tensor", "a.scale=keep", cwd=tmp_path)


# ---- Layers that another tool quantized, and that are not decoded ----

N = "model.layers.0.self_attn.q_proj"
ELSEWHERE = {
    "MLX": ({N + ".weight": ("U32", (512, 64)), N + ".scales": ("F16", (512, 8)), N + ".biases": ("F16", (512, 8))},
            {"quantization": {"group_size": 64, "bits": 4, "mode": "nvfp4"}}),
    "gptq": ({N + ".qweight": ("I32", (64, 512)), N + ".qzeros": ("I32", (4, 64)), N + ".scales": ("F16", (4, 512)),
              N + ".g_idx": ("I32", (512,))}, {"quantization_config": {"quant_method": "gptq"}}),
    "compressed-tensors": ({N + ".weight_packed": ("I32", (512, 64)), N + ".weight_scale": ("BF16", (512, 4)),
                            N + ".weight_shape": ("I64", (2,))}, None),
    "FP8": ({N + ".weight": ("F8_E4M3", (512, 512)), N + ".weight_scale_inv": ("F32", (64, 64))}, None),
    "bitsandbytes": ({N + ".weight": ("U8", (4096, 1)), N + ".weight.absmax": ("F32", (16, 128)),
                      N + ".weight.quant_map": ("F32", (16,))}, None),
    "quanto": ({N + ".weight._data": ("I8", (512, 512)), N + ".weight._scale": ("F32", (512, 4))}, None),
    "HQQ": ({N + ".W_q": ("U8", (256, 512)), N + ".scale": ("F16", (64, 64)), N + ".zero": ("F16", (64, 64))}, None),
}
SIZES = {"U32": 4, "I32": 4, "I64": 8, "F16": 2, "BF16": 2, "F32": 4, "F8_E4M3": 1, "U8": 1, "I8": 1}


def write_elsewhere(folder, scheme):
    shapes, config = ELSEWHERE[scheme]
    tensors = {"model.norm_proj.weight": ("F32", (64, 64), floats(4096))}
    for k, (name, (dtype, shape)) in enumerate(shapes.items()):
        count = SIZES[dtype]
        for n in shape:
            count *= n
        tensors[name] = (dtype, shape, bytes((31 * i + k) % 61 for i in range(count)))
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return tensors


@pytest.mark.parametrize("scheme", ELSEWHERE)
def test_layers_quantized_elsewhere_are_kept_with_a_warning(tmp_path, scheme):
    tensors = write_elsewhere(tmp_path, scheme)
    theirs = {name for name in tensors if name.startswith(N)}
    for options in (["--type", "int4"], ["--type", "int8", "--quantize-1d"], ["--type", "bf16"],
                    ["--tensor", "*.q_proj.*=int8", "--tensor", "*norm*=int8"], ["--target-bpw", "4"]):
        made = report("quantize", tmp_path, "-o", "m.parquet", "--force", *options, cwd=tmp_path)
        told = [w for w in made["warnings"] if "another tool" in w]
        assert len(told) == 1 and scheme in told[0] and N in told[0]
        done_to = actions(made)
        assert {done_to[name] for name in theirs} == {"kept"}
        assert done_to["model.norm_proj.weight"] != "kept"
    done("convert", tmp_path, "-o", "v1.parquet", "--dtype", "fp16", cwd=tmp_path)
    for table, options in (("m.parquet", []), ("m.parquet", ["--dtype", "fp16"]), ("v1.parquet", [])):
        done("export", table, "-o", "back.safetensors", "--force", *options, cwd=tmp_path)
        back, _ = read_safetensors(tmp_path / "back.safetensors")
        assert {name: back[name] for name in theirs} == {name: tensors[name] for name in theirs}
        assert back["model.norm_proj.weight"][2] != tensors["model.norm_proj.weight"][2] or table == "v1.parquet"
    assert "another tool" in done("info", tmp_path, cwd=tmp_path).stdout
    assert "another tool" in done("info", "v1.parquet", cwd=tmp_path).stdout


def test_the_scheme_is_named_from_a_configuration_with_numbers_of_python(tmp_path):
    write_elsewhere(tmp_path, "gptq")
    config = json.loads((tmp_path / "config.json").read_text())
    assert list(config) == ["quantization_config"]
    (tmp_path / "config.json").write_text(json.dumps({"rope_theta": float("nan"), **config}))
    made = report("quantize", tmp_path, "-o", "m.parquet", cwd=tmp_path)
    assert [w for w in made["warnings"] if "another tool" in w and "gptq" in w]


def test_a_target_without_a_tensor_left_says_so(tmp_path):
    tensors = write_elsewhere(tmp_path, "gptq")
    del tensors["model.norm_proj.weight"]
    (tmp_path / "model.safetensors").write_bytes(safetensors(tensors))
    refused("quantize", tmp_path, "-o", "m.parquet", "--target-bpw", "4", cwd=tmp_path, status=2,
            says=["and there are none: each is kept", "--dry-run"])


def test_a_scale_that_is_named_exactly_is_quantized_all_the_same(tmp_path):
    write_elsewhere(tmp_path, "MLX")
    made = report("quantize", tmp_path, "-o", "m.parquet", "--tensor", N + ".scales=int8", cwd=tmp_path)
    assert actions(made)[N + ".scales"] == "quantized" and actions(made)[N + ".biases"] == "kept"


# ---- Parts of a model ----


def write_shards(folder, count=3, index="model.safetensors.index.json", extra=None):
    folder.mkdir(exist_ok=True)
    names = [f"model-{i + 1:05}-of-{count:05}.safetensors" for i in range(count)]
    tensors = {}
    for i, name in enumerate(names):
        tensors[f"layer.{i}.weight"] = ("F32", (64, 64), floats(4096, i + 1))
        (folder / name).write_bytes(safetensors({f"layer.{i}.weight": tensors[f"layer.{i}.weight"], **(extra or {})}))
    if index:
        weight_map = {f"layer.{i}.weight": name for i, name in enumerate(names)}
        (folder / index).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return names, tensors


WRITES = [["quantize", "-o", "x.parquet"], ["convert", "-o", "x.parquet"], ["export", "-o", "x.safetensors"],
          ["validate", "-o", "results", "--no-outputs"]]


@pytest.mark.parametrize("command", WRITES, ids=lambda c: c[0])
@pytest.mark.parametrize("index", ["model.safetensors.index.json", None], ids=["index", "no index"])
def test_one_shard_is_no_model(tmp_path, command, index):
    names, _ = write_shards(tmp_path / "m", index=index)
    told = done(command[0], tmp_path / "m" / names[1], *command[1:], cwd=tmp_path, status=2).stderr
    assert "is shard 2 of 3 of a model" in told and "Name the folder" in told and "index" in told
    assert not list(tmp_path.glob("x.*"))
    assert "'model-00002-of-00003.safetensors' is shard 2 of 3" in done("info", f"m/{names[1]}", cwd=tmp_path).stdout


def test_a_shard_of_any_name_is_known_by_the_index_beside_it(tmp_path):
    names, _ = write_shards(tmp_path / "m", index=None)
    weight_map = {}
    for i, name in enumerate(names):
        (tmp_path / "m" / name).rename(tmp_path / "m" / f"piece{'abc'[i]}.safetensors")
        weight_map[f"layer.{i}.weight"] = f"piece{'abc'[i]}.safetensors"
    (tmp_path / "m" / "unet.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    refused("convert", "m/pieceb.safetensors", "-o", "x.parquet", cwd=tmp_path, status=2,
            says=["one of the 3 shards", "unet.safetensors.index.json"])
    done("convert", "m", "-o", "x.parquet", cwd=tmp_path)
    (tmp_path / "m" / "lone.safetensors").write_bytes(safetensors({"a": ("U8", (4,), b"abcd")}))
    done("convert", "m/lone.safetensors", "-o", "y.parquet", cwd=tmp_path)


def test_a_model_in_one_shard_is_whole(tmp_path):
    names, _ = write_shards(tmp_path / "m", count=1, index=None)
    for source in (f"m/{names[0]}", "m"):
        made = report("convert", source, "-o", "x.parquet", "--force", cwd=tmp_path)
        assert made["warnings"] == []


def test_files_that_the_index_does_not_name_are_told(tmp_path):
    write_shards(tmp_path / "m")
    assert report("convert", "m", "-o", "x.parquet", cwd=tmp_path)["warnings"] == []
    (tmp_path / "m" / "consolidated.safetensors").write_bytes(safetensors({"a": ("U8", (4,), b"abcd")}))
    for source in ("m", "m/model.safetensors.index.json"):
        made = report("convert", source, "-o", "x.parquet", "--force", cwd=tmp_path)
        assert len(made["warnings"]) == 1 and "'consolidated.safetensors'" in made["warnings"][0]
        assert made["totals"]["tensors"] == 3
    (tmp_path / "one").mkdir()
    for name in ("model", "old"):
        (tmp_path / "one" / f"{name}.safetensors").write_bytes(safetensors({name: ("U8", (4,), b"abcd")}))
    assert "'old.safetensors'" in report("convert", "one", "-o", "y.parquet", cwd=tmp_path)["warnings"][0]
    assert report("convert", "one/model.safetensors", "-o", "z.parquet", cwd=tmp_path)["warnings"] == []


def test_stale_tensors_of_shards_are_refused_with_the_shard(tmp_path):
    names, tensors = write_shards(tmp_path / "m")
    first = tmp_path / "m" / names[0]
    first.write_bytes(safetensors({"layer.0.weight": tensors["layer.0.weight"],
                                   "layer.2.weight": ("F32", (64, 64), floats(4096, 9))}))
    told = refused("convert", "m", "-o", "x.parquet", cwd=tmp_path, status=3,
                   says=["tensor 'layer.2.weight'", f"is in shard '{names[0]}' as well as in '{names[2]}'",
                         f"write '{names[0]}' again without this tensor"])
    assert "ownload" not in told
    first.write_bytes(safetensors({"layer.0.weight": tensors["layer.0.weight"], "old": ("U8", (4,), b"abcd")}))
    refused("convert", "m", "-o", "x.parquet", cwd=tmp_path, status=3,
            says=["tensor 'old'", f"is in shard '{names[0]}', but the index does not name it", "weight_map"])


def test_an_index_of_one_file_lies_beside_it(tmp_path):
    tensors = {"a": ("U8", (4,), b"abcd"), "b": ("U8", (2,), b"ef")}
    (tmp_path / "model.safetensors").write_bytes(safetensors(tensors))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(tensors, "model.safetensors")}))
    for source in (".", "model.safetensors", index.name):
        made = report("convert", source, "-o", "x.parquet", "--force", cwd=tmp_path)
        assert made["totals"]["tensors"] == 2 and made["warnings"] == []
    index.write_text(json.dumps({"weight_map": {"a": "model.safetensors"}}))
    refused("convert", ".", "-o", "y.parquet", cwd=tmp_path, status=3, says=["tensor 'b'", "does not name it"])


@pytest.mark.parametrize(("dtype", "scale"), [("I8", True), ("I8", False), ("F8_E4M3", True), ("F8_E4M3", False)])
def test_codes_of_another_tool_are_not_embedded(encoder, dtype, scale):  # noqa: F811
    tensors = encoder_tensors()
    name = "encoder.layer.0.attention.self.query"
    shape = tensors[name + ".weight"][1]
    tensors[name + ".weight"] = (dtype, shape, bytes(i % 100 for i in range(shape[0] * shape[1])))
    if scale:
        tensors[name + ".weight_scale"] = ("F32", (shape[0], 1), floats(shape[0], 5))
    (encoder / "encoder" / "model.safetensors").write_bytes(safetensors(tensors))
    line = ["embed", "encoder", "--text", "one"]
    if dtype == "F8_E4M3" and not scale:  # FP8 is a dtype of values, too
        done(*line, cwd=encoder)
    else:
        refused(*line, cwd=encoder, status=3, says=[f"tensor '{name}.weight'", "before it was quantized"])


@pytest.mark.parametrize("command, name, wrong, right", [
    (("export", "t.parquet"), "m.gguf", "gguf", "safetensors"),
    (("export", "t.parquet"), "m.parquet", "parquet", "safetensors"),
    (("convert", "m.safetensors"), "m.gguf", "gguf", "parquet"),
    (("quantize", "m.safetensors", "--bits=8"), "q.safetensors", "safetensors", "parquet")])
def test_no_file_gets_the_name_of_another_format(tmp_path, command, name, wrong, right):
    (tmp_path / "m.safetensors").write_bytes(safetensors({"a": ("F32", (4, 8), floats(32, 1, 1.0))}))
    done("convert", "m.safetensors", "-o", "t.parquet", "-q", cwd=tmp_path)
    refused(*command, "-o", name, cwd=tmp_path, status=2,
            says=(f"{name}: is the name of a {wrong} file, and a {right} file would be written",
                  f"Choose a name that ends in .{right}"))
