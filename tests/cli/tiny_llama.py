"""A tiny language model made byte by byte: a Llama of two layers whose tokens are bytes. Standard library and cli_helpers
only."""
import json

from cli_helpers import floats, safetensors

HIDDEN, INNER, LAYERS, HEADS, TOKENS = 16, 24, 2, 2, 256
CONFIG = {"model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
          "num_attention_heads": HEADS, "num_key_value_heads": 1, "vocab_size": TOKENS, "max_position_embeddings": 256,
          "tie_word_embeddings": True}


def llama_tensors(scale=0.6):
    """{name: (dtype, shape, bytes)} of noise; the larger it is, the surer the model is of its predictions."""
    shapes = {"model.embed_tokens": (TOKENS, HIDDEN), "model.norm": (HIDDEN,)}
    for layer in (f"model.layers.{i}." for i in range(LAYERS)):
        shapes |= {layer + "self_attn.q_proj": (HIDDEN, HIDDEN), layer + "self_attn.k_proj": (HIDDEN // HEADS, HIDDEN),
                   layer + "self_attn.v_proj": (HIDDEN // HEADS, HIDDEN), layer + "self_attn.o_proj": (HIDDEN, HIDDEN),
                   layer + "mlp.gate_proj": (INNER, HIDDEN), layer + "mlp.up_proj": (INNER, HIDDEN),
                   layer + "mlp.down_proj": (HIDDEN, INNER), layer + "input_layernorm": (HIDDEN,),
                   layer + "post_attention_layernorm": (HIDDEN,)}
    return {name + ".weight": ("F32", shape, floats(shape[0] * (shape[1] if len(shape) > 1 else 1), seed, scale))
            for seed, (name, shape) in enumerate(shapes.items())}


def byte_alphabet():
    """The characters that stand for the 256 bytes in byte-level BPE: those that print, and others from U+0100 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


def make_llama(model, scale=0.6, **config):
    """The folder as transformers saves it."""
    model.mkdir()
    (model / "model.safetensors").write_bytes(safetensors(llama_tensors(scale)))
    (model / "config.json").write_text(json.dumps(CONFIG | config))
    (model / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    (model / "tokenizer.json").write_text(json.dumps(
        {"added_tokens": [], "normalizer": None, "pre_tokenizer": level, "post_processor": None, "decoder": level,
         "model": {"type": "BPE", "vocab": {c: i for i, c in enumerate(byte_alphabet())}, "merges": []}}))
