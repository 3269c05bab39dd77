"""Layers as other tools quantize them, written in NumPy from the definitions of their formats and not from our code: the
tensors of a layer with random codes, what config.json says, and the values that the format gives to the codes.

Each writer takes a generator and the shape [out, in] and returns {suffix: (dtype, array)} and the values in FP32."""
import json

import numpy as np

F32, F16 = np.float32, np.float16


def stream(codes, bits):
    """[n, k] codes -> [n, ceil(k * bits / 32)] words: code i is bits i * bits and up of its row, lowest first."""
    fields = (codes.astype(np.int64)[..., None] >> np.arange(bits) & 1).reshape(len(codes), -1)
    padded = np.pad(fields, ((0, 0), (0, -fields.shape[1] % 32))).astype(np.uint8)
    return np.packbits(padded, axis=1, bitorder="little").view("<u4")


def whole(codes, bits):
    """The same with as many whole codes as a word holds."""
    per = 32 // bits
    padded = np.pad(codes.astype(np.int64), ((0, 0), (0, -codes.shape[1] % per))).reshape(len(codes), -1, per)
    return (padded << (np.arange(per) * bits)).sum(axis=2).astype("<u4")


def awq_words(codes):
    """[n, k] codes of 4 bits -> [n, k / 8]: from the lowest bits of a word on codes 0, 2, 4, 6, 1, 3, 5, 7."""
    eights = codes.astype(np.int64).reshape(len(codes), -1, 8)[:, :, [0, 2, 4, 6, 1, 3, 5, 7]]
    return (eights << (np.arange(8) * 4)).sum(axis=2).astype("<u4")


def bf16(values):
    """Rounded towards zero to BF16: (bits, FP32)."""
    bits = (np.asarray(values, F32).view("<u4") >> 16).astype("<u2")
    return bits, (bits.astype("<u4") << 16).view(F32)


def scales_like(random, *shape):
    return (random.random(shape) * 0.05 + 0.001).astype(F16)


def groups_of(columns, group):
    return np.arange(columns) // (columns if group < 0 else group)


def gptq(random, rows, columns, bits=4, group=16, v2=False, sym=False, order=None):
    """order: True: columns belong to groups at random (desc_act); False: no g_idx at all."""
    index = groups_of(columns, group)
    count = index.max() + 1
    if order:
        index = random.permutation(index)
    codes = random.integers(0, 1 << bits, (rows, columns))
    zeros = np.full((count, rows), 1 << (bits - 1)) if sym else random.integers(0, 1 << bits, (count, rows))
    scales = scales_like(random, count, rows)
    parts = {".qweight": ("I32", stream(codes, bits).T), ".qzeros": ("I32", stream((zeros - (not v2)) % (1 << bits), bits)),
             ".scales": ("F16", scales)}
    if order is not False:
        parts[".g_idx"] = ("I32", index.astype("<i4"))
    values = (codes - zeros.T[:, index]).astype(F32) * scales.astype(F32).T[:, index]
    return parts, values


def gptq_config(bits=4, group=16, v2=False, sym=False, order=None, **more):
    named = {"checkpoint_format": "gptq_v2"} if v2 else {}
    return {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": sym, "desc_act": bool(order), **named, **more}


def awq(random, rows, columns, group=16):
    index = groups_of(columns, group)
    codes = random.integers(0, 16, (rows, columns))
    zeros = random.integers(0, 16, (index.max() + 1, rows))
    scales = scales_like(random, index.max() + 1, rows)
    parts = {".qweight": ("I32", awq_words(codes.T)), ".qzeros": ("I32", awq_words(zeros)), ".scales": ("F16", scales)}
    return parts, (codes - zeros.T[:, index]).astype(F32) * scales.astype(F32).T[:, index]


def awq_config(group=16, **more):
    return {"quant_method": "awq", "bits": 4, "group_size": group, "zero_point": True, "version": "gemm", **more}


def pack_quantized(random, rows, columns, bits=4, group=16, sym=True, dense=True, order=False, plain_zeros=False):
    pack = stream if dense else whole
    index = groups_of(columns, group)
    count, low = index.max() + 1, 1 << (bits - 1)
    if order:
        index = random.permutation(index)
    codes = random.integers(-low, low, (rows, columns))
    scale_bits, scales = bf16(scales_like(random, rows, count))
    parts = {".weight_packed": ("I32", pack(codes + low, bits)), ".weight_scale": ("BF16", scale_bits),
             ".weight_shape": ("I64", np.array([rows, columns], "<i8"))}
    zeros = np.zeros((rows, count), np.int64)
    if not sym:
        zeros = random.integers(-low, low, (rows, count))
        packed = ("I8", zeros.astype("i1")) if plain_zeros else ("I32", pack((zeros + low).T, bits).T)
        parts[".weight_zero_point"] = packed
    if order:
        parts[".weight_g_idx"] = ("I32", index.astype("<i4"))
    return parts, (codes - zeros[:, index]).astype(F32) * scales[:, index]


def int_quantized(random, rows, columns, group=-1, sym=True):
    index = groups_of(columns, group)
    codes = random.integers(-128, 128, (rows, columns))
    scales = scales_like(random, rows, index.max() + 1).astype("<f4")
    parts = {".weight": ("I8", codes.astype("i1")), ".weight_scale": ("F32", scales),
             ".input_scale": ("F32", np.ones(1, F32))}
    zeros = np.zeros(scales.shape, np.int64)
    if not sym:
        zeros = random.integers(-128, 128, scales.shape)
        parts[".weight_zero_point"] = ("I8", zeros.astype("i1"))
    return parts, (codes - zeros[:, index]).astype(F32) * scales[:, index]


def ct_config(form, weights, version="0.20.1", **more):
    known = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel", "group_size": None, "dynamic": False,
             "actorder": None, "block_structure": None, "observer": "minmax", "observer_kwargs": {}}
    group = {"targets": ["Linear"], "weights": known | weights, "input_activations": None, "output_activations": None,
             "format": form}
    return {"quant_method": "compressed-tensors", "format": form, "config_groups": {"group_0": group}, "ignore": ["lm_head"],
            "version": version, "quantization_status": "compressed", "global_compression_ratio": None,
            "kv_cache_scheme": None, "sparsity_config": {}, "transform_config": {}, **more}


def group_weights(bits, group, sym):
    return {"num_bits": bits, "symmetric": sym, "strategy": "channel" if group < 0 else "group",
            "group_size": None if group < 0 else group}


def e4m3(codes):
    """Values of FP8 E4M3 (the "fn" variant): bias 7, no infinities, NaN where all lower bits are set."""
    exponent, mantissa = codes >> 3 & 15, codes & 7
    size = np.where(exponent == 0, mantissa / 8 * 2.0 ** -6, (1 + mantissa / 8) * 2.0 ** (exponent.astype(int) - 7))
    return np.where(codes & 127 == 127, np.nan, np.where(codes & 128, -size, size)).astype(F32)


def fp8(random, rows, columns, block=None, per_row=False, suffix=".weight_scale", e8m0=False, nan=False):
    codes = random.integers(0, 256, (rows, columns)).astype(np.uint8)
    if not nan:
        codes[codes & 127 == 127] = 0
    shape = (-(-rows // block[0]), -(-columns // block[1])) if block else (rows, 1) if per_row else (1,)
    scales = (random.random(shape) * 0.002 + 0.0001).astype(F32)
    stored = ("F32", scales)
    if e8m0:
        exponents = random.integers(115, 122, shape).astype(np.uint8)
        scales, stored = np.ldexp(F32(1), exponents.astype(int) - 127).astype(F32), ("F8_E8M0", exponents)
    spread = np.repeat(np.repeat(scales, block[0], 0), block[1], 1)[:rows, :columns] if block else scales
    parts = {".weight": ("F8_E4M3", codes), suffix: stored}
    return parts, e4m3(codes) * spread


def mlx(random, rows, columns, bits=4, group=32, dtype="BF16"):
    index = groups_of(columns, group)
    codes = random.integers(0, 1 << bits, (rows, columns))
    scales, biases = (random.random((rows, index.max() + 1)).astype(F32) * s + o for s, o in ((0.04, 0.001), (0.4, -0.3)))
    stored = {"F32": lambda v: (v.astype(F32), v.astype(F32)), "BF16": bf16,
              "F16": lambda v: (v.astype(F16), v.astype(F16).astype(F32))}[dtype]
    (scale_bits, scales), (bias_bits, biases) = stored(scales), stored(biases)
    parts = {".weight": ("U32", stream(codes, bits)), ".scales": (dtype, scale_bits), ".biases": (dtype, bias_bits)}
    return parts, codes.astype(F32) * scales[:, index] + biases[:, index]


def bnb_int8(random, rows, columns):
    codes = random.integers(-127, 128, (rows, columns))
    largest = (random.random(rows) + 0.1).astype(F32)
    parts = {".weight": ("I8", codes.astype("i1")), ".SCB": ("F32", largest),
             ".weight_format": ("U8", np.zeros((), np.uint8))}
    return parts, codes.astype(F32) * largest[:, None] * F32(1 / 127)


NF4 = np.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
                0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023,
                1.0], F32)


def bnb_4bit(random, rows, columns, block=64, nested=False, kind="nf4"):
    count = rows * columns
    codes = random.integers(0, 16, count)
    blocks = -(-count // block)
    table = NF4 if kind == "nf4" else np.linspace(-1, 1, 16).astype(F32)
    state = {"quant_type": kind, "blocksize": block, "dtype": "bfloat16", "shape": [rows, columns]}
    high_first = np.pad(codes, (0, count % 2)).reshape(-1, 2)
    parts = {".weight": ("U8", (high_first[:, :1] << 4 | high_first[:, 1:]).astype(np.uint8)),
             ".weight.quant_map": ("F32", table)}
    if nested:
        quantized = random.integers(0, 256, blocks).astype(np.uint8)
        values = (np.linspace(-1, 1, 256) ** 3).astype(F32)
        factors = (random.random(-(-blocks // 256)) * 0.1 + 0.01).astype(F32)
        offset = F32(0.0712890625)
        state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": float(offset)}
        parts |= {".weight.absmax": ("U8", quantized), ".weight.nested_absmax": ("F32", factors),
                  ".weight.nested_quant_map": ("F32", values)}
        absmax = values[quantized] * factors[np.arange(blocks) // 256] + offset
    else:
        absmax = (random.random(blocks) * 0.1).astype(F32)
        parts[".weight.absmax"] = ("F32", absmax)
    text = np.frombuffer(json.dumps(state).encode(), np.uint8)
    parts[f".weight.quant_state.bitsandbytes__{kind}"] = ("U8", text)
    return parts, (table[codes] * absmax[np.arange(count) // block]).reshape(rows, columns)


def bnb_config(bits, **more):
    return {"quant_method": "bitsandbytes", "load_in_4bit": bits == 4, "load_in_8bit": bits == 8, "_load_in_4bit": bits == 4,
            "_load_in_8bit": bits == 8, "llm_int8_threshold": 6.0, "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_compute_dtype": "bfloat16", "bnb_4bit_quant_storage": "uint8", **more}


E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], F32)


def mxfp4(random, experts, rows, columns):
    """As gpt-oss: values [experts, columns, rows]."""
    codes = random.integers(0, 16, (experts, rows, columns))
    scales = random.integers(100, 140, (experts, rows, columns // 32)).astype(np.uint8)
    scales[0, 0, 0] = 0
    pairs = codes.reshape(experts, rows, columns // 32, 16, 2)
    parts = {"_blocks": ("U8", (pairs[..., 0] | pairs[..., 1] << 4).astype(np.uint8)), "_scales": ("U8", scales)}
    values = E2M1[codes] * np.repeat(np.ldexp(1.0, scales.astype(int) - 127), 32, axis=2)
    return parts, np.ascontiguousarray(values.astype(F32).transpose(0, 2, 1))


CASES = {  # name: (what config.json says, writer)
    **{f"gptq {bits}": (gptq_config(bits), lambda r, n, k, b=bits: gptq(r, n, k, b)) for bits in (2, 3, 4, 8)},
    "gptq symmetric": (gptq_config(sym=True), lambda r, n, k: gptq(r, n, k, sym=True)),
    "gptq one group": (gptq_config(group=-1), lambda r, n, k: gptq(r, n, k, group=-1)),
    "gptq no g_idx": (gptq_config(group=32), lambda r, n, k: gptq(r, n, k, group=32, order=False)),
    "gptq act order": (gptq_config(order=True), lambda r, n, k: gptq(r, n, k, order=True)),
    **{f"gptq v2 {bits}": (gptq_config(bits, v2=True), lambda r, n, k, b=bits: gptq(r, n, k, b, v2=True))
       for bits in (2, 3, 4, 8)},
    "gptq v2 symmetric": (gptq_config(v2=True, sym=True), lambda r, n, k: gptq(r, n, k, v2=True, sym=True)),
    "awq": (awq_config(), awq),
    "awq one group": (awq_config(-1), lambda r, n, k: awq(r, n, k, -1)),
    **{f"pack-quantized {bits}": (ct_config("pack-quantized", group_weights(bits, 16, True)),
                                  lambda r, n, k, b=bits: pack_quantized(r, n, k, b)) for bits in range(1, 9)},
    **{f"pack-quantized {bits} asymmetric": (ct_config("pack-quantized", group_weights(bits, 16, False)),
                                             lambda r, n, k, b=bits: pack_quantized(r, n, k, b, sym=False))
       for bits in (2, 3, 4, 7, 8)},
    **{f"pack-quantized {bits} whole words": (ct_config("pack-quantized", group_weights(bits, 16, False), "0.9.4"),
                                              lambda r, n, k, b=bits: pack_quantized(r, n, k, b, sym=False, dense=False))
       for bits in (2, 3, 4, 5, 6, 7, 8)},
    "pack-quantized channel": (ct_config("pack-quantized", group_weights(4, -1, True)),
                               lambda r, n, k: pack_quantized(r, n, k, group=-1)),
    "pack-quantized g_idx": (ct_config("pack-quantized", group_weights(4, 16, False) | {"actorder": "group"}),
                             lambda r, n, k: pack_quantized(r, n, k, sym=False, order=True)),
    "pack-quantized plain zero points": (ct_config("pack-quantized", group_weights(4, 16, False)),
                                         lambda r, n, k: pack_quantized(r, n, k, sym=False, plain_zeros=True)),
    "int-quantized": (ct_config("int-quantized", {}), int_quantized),
    "int-quantized asymmetric": (ct_config("int-quantized", {"symmetric": False}),
                                 lambda r, n, k: int_quantized(r, n, k, sym=False)),
    "int-quantized groups": (ct_config("int-quantized", group_weights(8, 32, True)),
                             lambda r, n, k: int_quantized(r, n, k, 32)),
    "float-quantized": (ct_config("float-quantized", {"type": "float"}), lambda r, n, k: fp8(r, n, k, per_row=True)),
    "float-quantized tensor": (ct_config("float-quantized", {"type": "float", "strategy": "tensor"}), fp8),
    "float-quantized blocks": (ct_config("float-quantized", {"type": "float", "strategy": "block",
                                                             "block_structure": [5, 24]}),
                               lambda r, n, k: fp8(r, n, k, (5, 24))),
    "fp8 blocks": ({"quant_method": "fp8", "weight_block_size": [7, 20], "activation_scheme": "dynamic", "fmt": "e4m3"},
                   lambda r, n, k: fp8(r, n, k, (7, 20), suffix=".weight_scale_inv", nan=True)),
    "fp8 e8m0": ({"quant_method": "fp8", "weight_block_size": [16, 16], "scale_fmt": "ue8m0"},
                 lambda r, n, k: fp8(r, n, k, (16, 16), suffix=".weight_scale_inv", e8m0=True)),
    "fp8 tensor": ({"quant_method": "fp8", "weight_block_size": None},
                   lambda r, n, k: fp8(r, n, k, suffix=".weight_scale_inv")),
    "fbgemm": ({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0}, lambda r, n, k: fp8(r, n, k, per_row=True)),
    "modelopt": ({"quant_method": "modelopt", "quant_algo": "FP8"}, fp8),
    **{f"mlx {bits}": ({"group_size": 32, "bits": bits}, lambda r, n, k, b=bits: mlx(r, n, k, b))
       for bits in (2, 3, 4, 5, 6, 8)},
    "mlx f16": ({"group_size": 32, "bits": 4, "mode": "affine"}, lambda r, n, k: mlx(r, n, k, dtype="F16")),
    "mlx f32": ({"group_size": 32, "bits": 4}, lambda r, n, k: mlx(r, n, k, dtype="F32")),
    "bnb int8": (bnb_config(8), bnb_int8),
    "bnb nf4": (bnb_config(4), bnb_4bit),
    "bnb fp4": (bnb_config(4, bnb_4bit_quant_type="fp4"), lambda r, n, k: bnb_4bit(r, n, k, kind="fp4")),
    "bnb nested": (bnb_config(4, bnb_4bit_use_double_quant=True), lambda r, n, k: bnb_4bit(r, n, k, nested=True)),
    "bnb blocks over rows": (bnb_config(4), lambda r, n, k: bnb_4bit(r, n, k, block=100)),
}


def config_of(case, **more):
    """config.json for a case: MLX has a member of its own."""
    said = CASES[case][0]
    return {**more, ("quantization_config" if "quant_method" in said else "quantization"): said}
