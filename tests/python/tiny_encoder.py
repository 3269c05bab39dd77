"""A sentence encoder small enough for tests: a BERT of two layers, and its folder."""

from __future__ import annotations

import json

import numpy as np

import arrowquant

HIDDEN, INNER, POSITIONS, MAX_TOKENS = 32, 48, 40, 24
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "##s", "cat", "sat"]


def tiny_weights(*, words=WORDS, hidden=HIDDEN, inner=INNER) -> dict[str, np.ndarray]:
    """Of random numbers; the same ones each time."""
    rng = np.random.default_rng(11)
    weights = {}

    def linear(name, rows, columns):
        weights[f"{name}.weight"] = (rng.standard_normal((rows, columns)) * 0.3).astype(np.float32)
        weights[f"{name}.bias"] = (rng.standard_normal(rows) * 0.1).astype(np.float32)

    def norm(name):
        weights[f"{name}.weight"] = (1 + rng.standard_normal(hidden) * 0.1).astype(np.float32)
        weights[f"{name}.bias"] = (rng.standard_normal(hidden) * 0.1).astype(np.float32)

    for name, rows in (("word", len(words)), ("position", POSITIONS), ("token_type", 2)):
        weights[f"embeddings.{name}_embeddings.weight"] = rng.standard_normal((rows, hidden)).astype(np.float32)
    norm("embeddings.LayerNorm")
    for i in range(2):
        layer = f"encoder.layer.{i}"
        for part in ("query", "key", "value"):
            linear(f"{layer}.attention.self.{part}", hidden, hidden)
        linear(f"{layer}.attention.output.dense", hidden, hidden)
        norm(f"{layer}.attention.output.LayerNorm")
        linear(f"{layer}.intermediate.dense", inner, hidden)
        linear(f"{layer}.output.dense", hidden, inner)
        norm(f"{layer}.output.LayerNorm")
    return weights


def write_tiny(folder, *, words=WORDS, hidden=HIDDEN, inner=INNER) -> None:
    """A folder with the model and its tokenizer."""
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(words),
        "hidden_size": hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": inner,
        "hidden_act": "gelu",
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "model_max_length": MAX_TOKENS}))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    arrowquant.export(tiny_weights(words=words, hidden=hidden, inner=inner), folder / "model.safetensors")
