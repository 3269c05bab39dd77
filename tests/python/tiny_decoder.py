"""A language model small enough for tests: a Llama of two layers, and its folder."""

from __future__ import annotations

import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

HIDDEN, INNER, WORDS, HEADS, KV_HEADS = 32, 48, 70, 4, 2
CONFIG = {
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "vocab_size": WORDS,
    "num_hidden_layers": 2,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}


def tiny_weights() -> dict[str, np.ndarray]:
    """Of random numbers; the same ones each time."""
    rng = np.random.default_rng(12)
    width = HIDDEN // HEADS
    shapes = {
        "self_attn.q_proj": (HIDDEN, HIDDEN),
        "self_attn.k_proj": (KV_HEADS * width, HIDDEN),
        "self_attn.v_proj": (KV_HEADS * width, HIDDEN),
        "self_attn.o_proj": (HIDDEN, HIDDEN),
        "mlp.gate_proj": (INNER, HIDDEN),
        "mlp.up_proj": (INNER, HIDDEN),
        "mlp.down_proj": (HIDDEN, INNER),
        "input_layernorm": (HIDDEN,),
        "post_attention_layernorm": (HIDDEN,),
    }
    all_shapes = {"model.embed_tokens": (WORDS, HIDDEN), "model.norm": (HIDDEN,)}
    all_shapes |= {f"model.layers.{i}.{name}": shape for i in range(2) for name, shape in shapes.items()}
    return {
        f"{name}.weight": (rng.standard_normal(shape) * 0.3 + (len(shape) == 1)).astype(np.float32)
        for name, shape in all_shapes.items()
    }


def write_tiny(folder: pathlib.Path, shards: int = 1, **changes: object) -> pathlib.Path:
    """The folder as transformers saves it, with other values of some keys of its configuration."""
    folder.mkdir(exist_ok=True)
    weights = tiny_weights()
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    names, places = list(weights), {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors" if shards > 1 else "model.safetensors"
        part = {name: weights[name] for name in names[i::shards]}
        save_file(part, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(part, file)
    if shards > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder
