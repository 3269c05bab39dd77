"""A tiny language model made byte by byte: random weights of the Llama family, and a tokenizer whose tokens are single
letters. Standard library and cli_helpers only."""
import json

from cli_helpers import floats, safetensors

HIDDEN, INNER, LAYERS, HEADS, POSITIONS = 32, 48, 2, 4, 128
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,!?\n'-"


def tensors():
    shapes = {"model.embed_tokens.weight": (len(LETTERS), HIDDEN)}
    for layer in (f"model.layers.{i}." for i in range(LAYERS)):
        shapes |= {layer + f"self_attn.{part}_proj.weight": (HIDDEN, HIDDEN) for part in "qkvo"}
        shapes |= {layer + "mlp.gate_proj.weight": (INNER, HIDDEN), layer + "mlp.up_proj.weight": (INNER, HIDDEN),
                   layer + "mlp.down_proj.weight": (HIDDEN, INNER)}
    made = {name: ("F32", shape, floats(shape[0] * shape[1], seed, 0.3))
            for seed, (name, shape) in enumerate(shapes.items())}
    gains = ["model.norm", *(f"model.layers.{i}.{part}_layernorm" for i in range(LAYERS)
                             for part in ("input", "post_attention"))]
    return made | {f"{name}.weight": ("F32", (HIDDEN,), floats(HIDDEN, 100 + i, 1))
                   for i, name in enumerate(gains)}


def make_language_model(folder, model_type="llama"):
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(safetensors(tensors()))
    (folder / "config.json").write_text(json.dumps(
        {"model_type": model_type, "hidden_size": HIDDEN, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS,
         "intermediate_size": INNER, "vocab_size": len(LETTERS), "max_position_embeddings": POSITIONS,
         "rms_norm_eps": 1e-6, "tie_word_embeddings": True}))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    (folder / "tokenizer.json").write_text(json.dumps(
        {"added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None,
         "decoder": {"type": "Fuse"},
         "model": {"type": "BPE", "merges": [], "vocab": {letter: i for i, letter in enumerate(LETTERS)}}}))
