"""Tiny models as their own code saves them, for tests that compare them: names of weights that transformers renames, and
JinaBERT. NumPy and safetensors only."""

import numpy as np
from tiny_encoders import INNER, LAYERS, WORDS, config_of, make


def own_names_of_nomic(weights):
    own = {}
    for name, values in weights.items():
        new = name.replace("embeddings.LayerNorm", "emb_ln").replace("layers.", "encoder.layers.")
        for native, other in (("self_attn.o_proj", "attn.out_proj"), ("up_proj", "fc11"), ("gate_proj", "fc12"), ("down_proj", "fc2"), ("post_attention_layernorm", "norm1"), ("post_mlp_layernorm", "norm2")):
            new = new.replace(native, other)
        own[new] = values
    return joined(own, "encoder.layers.{}.self_attn.", ("q_proj", "k_proj", "v_proj"), "encoder.layers.{}.attn.Wqkv")


def own_names_of_gte(weights):
    own = {}
    for name, values in weights.items():
        new = name.replace("layers.", "encoder.layer.")
        for native, other in (("self_attn.o_proj", "attention.o_proj"), ("post_attention_layernorm", "attn_ln"), ("post_mlp_layernorm", "mlp_ln")):
            new = new.replace(native, other)
        own[new] = values
    own = joined(own, "encoder.layer.{}.self_attn.", ("q_proj", "k_proj", "v_proj"), "encoder.layer.{}.attention.qkv_proj")
    return joined(own, "encoder.layer.{}.mlp.", ("up_proj", "gate_proj"), "encoder.layer.{}.mlp.up_gate_proj")


def joined(weights, before, parts, name):
    for layer in range(LAYERS):
        for ending in (".weight", ".bias"):
            values = [weights.pop(before.format(layer) + part + ending, None) for part in parts]
            if values[0] is not None:
                weights[name.format(layer) + ending] = np.concatenate(values)
    return weights


OWN_NAMES = {"nomic_bert": own_names_of_nomic, "gte": own_names_of_gte}

HEADS = 6  # no power of two
JINA = {"hidden_size": 36, "num_attention_heads": HEADS, "intermediate_size": INNER, "position_embedding_type": "alibi", "feed_forward_type": "geglu",
        "emb_pooler": "mean", "architectures": ["JinaBertForMaskedLM"], "max_position_embeddings": 300,
        "auto_map": {"AutoModel": "jinaai/jina-bert-implementation--modeling_bert.JinaBertModel"}}
LIMIT = {"sentence_bert_config.json": {"max_seq_length": 300, "do_lower_case": False},
         "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "model_max_length": 300}}


def jina(folder, **changes):
    config = config_of("bert") | JINA | changes
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    rng, weights = np.random.default_rng(7), {}
    shapes = {"embeddings.word_embeddings.weight": (len(WORDS), hidden), "embeddings.token_type_embeddings.weight": (2, hidden)}
    norms = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{i}." for i in range(config["num_hidden_layers"])):
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {layer + part + ".weight": (hidden, hidden), layer + part + ".bias": (hidden,)}
        shapes |= {layer + "mlp.gated_layers.weight": (2 * inner, hidden), layer + "mlp.wo.weight": (hidden, inner), layer + "mlp.wo.bias": (hidden,)}
        norms += [layer + "attention.output.LayerNorm", layer + "mlp.layernorm"]
    weights = {name: (rng.standard_normal(shape) * 0.3).astype(np.float32) for name, shape in shapes.items()}
    for norm in norms:
        weights[norm + ".weight"] = (1 + rng.standard_normal(hidden) * 0.1).astype(np.float32)
        weights[norm + ".bias"] = (rng.standard_normal(hidden) * 0.1).astype(np.float32)
    return make(folder, config, weights=weights, files=LIMIT)
