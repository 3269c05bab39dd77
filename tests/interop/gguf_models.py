"""Tiny models of Hugging Face and the GGUF files that llama.cpp's conversion would make of them: the package gguf gives
the names, and what conversion does to values is written here once more."""
import json

import gguf
import numpy as np
from conftest import write_safetensors

HIDDEN, INNER, LAYERS, HEADS, KEY_HEADS = 32, 48, 2, 4, 2
BASE = 1 / 64  # of noise, so that 1 is added to gains and subtracted again without rounding


def byte_alphabet():
    """The characters that stand for the 256 bytes in byte-level BPE."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


def byte_level(pre="gpt-2"):
    """A vocabulary of bytes, some merges and two added tokens, as metadata."""
    level = byte_alphabet()
    space = level[32]
    merges = [(space, space), (space + space, space + space), ("t", "h"), ("th", "e"), (space, "the"), ("1", "2"),
              (space, "1"), (level[10], level[10]), ("l", "l"), ("'", "ll"), ("i", "n"), ("3", "4"), ("12", "34")]
    tokens = level + [a + b for a, b in merges] + ["world", "<|end|>", "<tool>"]  # no merges lead to a world
    return {"model": "gpt2", "pre": pre, "tokens": tokens, "merges": [f"{a} {b}" for a, b in merges],
            "types": [1] * (len(tokens) - 2) + [3, 4], "eos": len(tokens) - 2}


def pieces():
    """A SentencePiece vocabulary with a score for each piece. Of "opqr" two pairs of neighbours have one score."""
    words = ["▁", *"abcdefghijklmnopqrstuvwxyz,.", "▁t", "he", "▁the", "er", "in", "▁a", "ther", "▁in", "th", "▁▁", "an", "and",
             "▁and", "here", "ing", "hing", "thing", "▁▁▁▁"]
    words += ["zz"] * (len(words) % 2) + ["op", "xx", "opq", "qr"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    scores = [0.0] * 259 + [-float(i // 2) for i in range(len(words))]  # pairs of pieces have one score
    return {"model": "llama", "pre": "default", "tokens": tokens, "scores": scores, "types": [2, 3, 3] + [6] * 256 + [1] * len(words),
            "bos": 1, "eos": 2, "unknown": 0}


def word_pieces():
    """A vocabulary of WordPiece in llama.cpp's form, and the one it was made from."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz,.!", "the", "hello",
             *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"), "##ing", "中"]
    tokens = [w if w[0] == "[" else w[2:] if w.startswith("##") else "▁" + w for w in words]
    return {"model": "bert", "tokens": tokens, "types": [3] * 5 + [1] * (len(words) - 5), "cls": 2, "seperator": 3, "unknown": 1,
            "padding": 0, "mask": 4}, words


ARCHS = {  # architecture: (its keys beside the usual ones, config.json of the model it was made from)
    "llama": ({"rope.freq_base": 5000.0, "rope.dimension_count": 8}, {"model_type": "llama", "rope_theta": 5000.0}),
    "qwen2": ({}, {"model_type": "qwen2", "rope_theta": 10000.0}),
    "qwen3": ({"attention.key_length": 16, "attention.value_length": 16}, {"model_type": "qwen3", "head_dim": 16}),
    "gemma3": ({"attention.key_length": 16, "attention.value_length": 16, "attention.sliding_window": 8, "rope.freq_base": 1e6},
               {"model_type": "gemma3_text", "head_dim": 16, "sliding_window": 8, "query_pre_attn_scalar": 16,
                "hidden_activation": "gelu_pytorch_tanh"}),
    "smollm3": ({"rope.freq_base": 2e6, "rope.dimension_count": 8}, {"model_type": "smollm3", "rope_theta": 2e6}),
    "phi3": ({"attention.sliding_window": 16, "rope.dimension_count": 6},
             {"model_type": "phi3", "sliding_window": 16, "partial_rotary_factor": 0.75, "pad_token_id": None}),
}


def decoder_tensors(arch, vocabulary, tied=True, biased=False):
    """{name of Hugging Face: values}."""
    width = ARCHS[arch][1].get("head_dim", HIDDEN // HEADS)
    random = np.random.default_rng(3)
    layer = {"self_attn.o_proj": (HIDDEN, HEADS * width), "mlp.down_proj": (HIDDEN, INNER), "input_layernorm": (HIDDEN,),
             "post_attention_layernorm": (HIDDEN,)}
    if arch == "phi3":
        layer |= {"self_attn.qkv_proj": ((HEADS + 2 * KEY_HEADS) * width, HIDDEN), "mlp.gate_up_proj": (2 * INNER, HIDDEN)}
    else:
        layer |= {"self_attn.q_proj": (HEADS * width, HIDDEN), "self_attn.k_proj": (KEY_HEADS * width, HIDDEN),
                  "self_attn.v_proj": (KEY_HEADS * width, HIDDEN), "mlp.gate_proj": (INNER, HIDDEN), "mlp.up_proj": (INNER, HIDDEN)}
    if arch in ("qwen3", "gemma3"):
        layer |= {"self_attn.q_norm": (width,), "self_attn.k_norm": (width,)}
    if arch == "gemma3":
        layer |= {"pre_feedforward_layernorm": (HIDDEN,), "post_feedforward_layernorm": (HIDDEN,)}
    shapes = {"model.embed_tokens.weight": (vocabulary, HIDDEN), "model.norm.weight": (HIDDEN,)}
    shapes |= {} if tied else {"lm_head.weight": (vocabulary, HIDDEN)}
    for i in range(LAYERS):
        shapes |= {f"model.layers.{i}.{part}.weight": shape for part, shape in layer.items()}
        linears = [p for p in layer if "self_attn" in p and p.endswith("proj")] + [p for p in layer if biased and "mlp" in p]
        if biased or arch == "qwen2":
            shapes |= {f"model.layers.{i}.{part}.bias": layer[part][:1] for part in linears if biased or "o_proj" not in part}
    return {name: (random.integers(-40, 41, shape) * BASE).astype("<f4") for name, shape in shapes.items()}


def interleave(values, heads):
    """Row d and row half + d of each head side by side."""
    return values.reshape(heads, 2, len(values) // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def as_llama_cpp(arch, name, values):
    """(name, values) of a tensor of a model after conversion."""
    names = gguf.get_tensor_name_map(next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == arch), LAYERS)
    stem, end = name.rsplit(".", 1)
    if arch in ("llama", "smollm3") and "q_proj" in name:
        values = interleave(values, HEADS)
    if arch in ("llama", "smollm3") and "k_proj" in name:
        values = interleave(values, KEY_HEADS)
    if arch == "gemma3" and "norm" in name:
        values = values + np.float32(1)
    return f"{names.get_name(stem)}.{end}", values


def write_tokenizer(writer, t):
    writer.add_tokenizer_model(t["model"])
    if "pre" in t:
        writer.add_tokenizer_pre(t["pre"])
    writer.add_token_list(t["tokens"])
    writer.add_token_types(t["types"])
    if "scores" in t:
        writer.add_token_scores(t["scores"])
    if "merges" in t:
        writer.add_token_merges(t["merges"])
    for key in ("bos", "eos", "unknown", "padding", "cls", "seperator", "mask"):
        if key in t:
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", t[key])
    for key in ("add_bos_token", "add_eos_token", "add_space_prefix"):
        if key in t:
            writer.add_bool(f"tokenizer.ggml.{key}", t[key])


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_keys(writer, arch, keys):
    for key, value in keys.items():
        if value is None:
            continue
        add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}[type(value)]
        add(key if "." in key and key.split(".")[0] in ("tokenizer", "general") else f"{arch}.{key}", value)


def write_decoder(path, arch, tensors, tokenizer, types=None, extra=None, **keys):
    """keys: those of the architecture, None leaves one out. types: {part of a name: type of blocks}."""
    usual = {"context_length": 64, "embedding_length": HIDDEN, "block_count": LAYERS, "feed_forward_length": INNER,
             "attention.head_count": HEADS, "attention.head_count_kv": KEY_HEADS, "attention.layer_norm_rms_epsilon": 1e-6}
    writer = gguf.GGUFWriter(path, arch)
    write_keys(writer, arch, usual | ARCHS[arch][0] | {k.replace("__", "."): v for k, v in keys.items()})
    write_tokenizer(writer, tokenizer)
    for name, values in tensors.items():
        llama_name, changed = as_llama_cpp(arch, name, values)
        kind = next((k for part, k in (types or {}).items() if part in name), None)
        writer.add_tensor(llama_name, changed if kind is None else gguf.quants.quantize(changed, kind), raw_dtype=kind)
    for name, values in (extra or {}).items():
        writer.add_tensor(name, values)
    finish(writer)


def write_folder(folder, arch, tensors, **config):
    """The model itself, without a tokenizer."""
    folder.mkdir()
    write_safetensors(folder / "model.safetensors", {name: ("F32", values) for name, values in tensors.items()})
    usual = {"hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
             "num_key_value_heads": KEY_HEADS, "max_position_embeddings": 64, "rms_norm_eps": 1e-6,
             "vocab_size": len(tensors["model.embed_tokens.weight"]), "tie_word_embeddings": "lm_head.weight" not in tensors}
    (folder / "config.json").write_text(json.dumps(usual | ARCHS[arch][1] | config))
