"""Encoders of every family that is run, small enough to be made for a test: a configuration and random weights under the
names of transformers."""
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "reference"))
from own_code_models import OWN_NAMES, jina  # noqa: E402
from tiny_encoders import HIDDEN, INNER, LAYERS, config_of, make, weights_of  # noqa: E402

POST_NORM = ["bert", "roberta", "xlm-roberta", "camembert", "ernie", "mpnet", "distilbert"]
ROTARY = ["nomic_bert", "gte", "jina_embeddings_v3"]
OTHERS = ["electra", "albert", "modernbert", "deberta-v2", "t5", "mt5"]
OWN_CODE = ["jina_bert", *(f"{name} by own code" for name in OWN_NAMES)]
FAMILIES = [*POST_NORM, *OTHERS, *ROTARY, *OWN_CODE]
TYPED = ("bert", "ernie", "electra", "albert", "nomic_bert", "gte", "jina_embeddings_v3", *OWN_CODE)  # that have token_type_ids


class Weights(dict):
    def __init__(self, seed):
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def add(self, name, *shape, scale=0.3, around=0.0):
        self[name] = (around + self.rng.standard_normal(shape) * scale).astype(np.float32)

    def linear(self, name, out, into, bias=True):
        self.add(f"{name}.weight", out, into)
        if bias:
            self.add(f"{name}.bias", out, scale=0.1)

    def norm(self, name, width, bias=True):
        self.add(f"{name}.weight", width, scale=0.1, around=1.0)
        if bias:
            self.add(f"{name}.bias", width, scale=0.1)


def add_tables(weights, config, width, positions=True):
    tables = {"word": config["vocab_size"], "position": config["max_position_embeddings"], "token_type": 2}
    for name, rows in tables.items():
        if positions or name != "position":
            weights.add(f"embeddings.{name}_embeddings.weight", rows, width, scale=1.0)
    weights.norm("embeddings.LayerNorm", width)


def electra(weights, config):
    add_tables(weights, config, config["embedding_size"])
    weights.linear("embeddings_project", HIDDEN, config["embedding_size"])
    weights |= {name: values for name, values in weights_of(config_of("bert")).items() if name.startswith("encoder.")}


def albert(weights, config):
    add_tables(weights, config, config["embedding_size"])
    weights.linear("encoder.embedding_hidden_mapping_in", HIDDEN, config["embedding_size"])
    layer = "encoder.albert_layer_groups.0.albert_layers.0."
    for name in ("query", "key", "value", "dense"):
        weights.linear(f"{layer}attention.{name}", HIDDEN, HIDDEN)
    weights.linear(layer + "ffn", INNER, HIDDEN)
    weights.linear(layer + "ffn_output", HIDDEN, INNER)
    weights.norm(layer + "attention.LayerNorm", HIDDEN)
    weights.norm(layer + "full_layer_layer_norm", HIDDEN)


def modernbert(weights, config):
    weights.add("embeddings.tok_embeddings.weight", config["vocab_size"], HIDDEN, scale=1.0)
    weights.norm("embeddings.norm", HIDDEN, bias=False)
    weights.norm("final_norm", HIDDEN, bias=False)
    for i in range(config["num_hidden_layers"]):
        layer = f"layers.{i}."
        weights.linear(layer + "attn.Wqkv", 3 * HIDDEN, HIDDEN, bias=False)
        weights.linear(layer + "attn.Wo", HIDDEN, HIDDEN, bias=False)
        weights.linear(layer + "mlp.Wi", 2 * INNER, HIDDEN, bias=False)
        weights.linear(layer + "mlp.Wo", HIDDEN, INNER, bias=False)
        weights.norm(layer + "mlp_norm", HIDDEN, bias=False)
        if i > 0:
            weights.norm(layer + "attn_norm", HIDDEN, bias=False)


def rotary(weights, config):
    model_type = config["model_type"]
    add_tables(weights, config, HIDDEN, positions=False)
    for layer in (f"layers.{i}." for i in range(LAYERS)):
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            weights.linear(f"{layer}self_attn.{name}", HIDDEN, HIDDEN, bias=model_type != "nomic_bert")
        up = ["fc1"] if model_type == "jina_embeddings_v3" else ["gate_proj", "up_proj"]
        for name in up:
            weights.linear(f"{layer}mlp.{name}", INNER, HIDDEN, bias=len(up) == 1)
        down = "fc2" if len(up) == 1 else "down_proj"
        weights.linear(f"{layer}mlp.{down}", HIDDEN, INNER, bias=model_type != "nomic_bert")
        weights.norm(layer + "post_attention_layernorm", HIDDEN)
        weights.norm(layer + "post_mlp_layernorm", HIDDEN)


def deberta(weights, config):
    weights.add("embeddings.word_embeddings.weight", config["vocab_size"], HIDDEN, scale=1.0)
    if config.get("position_biased_input", True):
        weights.add("embeddings.position_embeddings.weight", config["max_position_embeddings"], HIDDEN, scale=1.0)
    if config["type_vocab_size"] > 0:
        weights.add("embeddings.token_type_embeddings.weight", config["type_vocab_size"], HIDDEN, scale=1.0)
    weights.norm("embeddings.LayerNorm", HIDDEN)
    longest = config["max_relative_positions"] if config["max_relative_positions"] > 0 else config["max_position_embeddings"]
    buckets = config["position_buckets"]
    weights.add("encoder.rel_embeddings.weight", 2 * (buckets if buckets > 0 else longest), HIDDEN, scale=1.0)
    if config["norm_rel_ebd"] == "layer_norm":
        weights.norm("encoder.LayerNorm", HIDDEN)
    own = {"c2p": "pos_key_proj", "p2c": "pos_query_proj"}
    names = ["query_proj", "key_proj", "value_proj"]
    names += [] if config["share_att_key"] else [own[kind] for kind in config["pos_att_type"].split("|")]
    for layer in (f"encoder.layer.{i}." for i in range(LAYERS)):
        for name in names:
            weights.linear(f"{layer}attention.self.{name}", HIDDEN, HIDDEN)
        weights.linear(layer + "attention.output.dense", HIDDEN, HIDDEN)
        weights.linear(layer + "intermediate.dense", INNER, HIDDEN)
        weights.linear(layer + "output.dense", HIDDEN, INNER)
        weights.norm(layer + "attention.output.LayerNorm", HIDDEN)
        weights.norm(layer + "output.LayerNorm", HIDDEN)


def t5(weights, config):
    heads, width = config["num_heads"], config["d_kv"]
    weights.add("shared.weight", config["vocab_size"], HIDDEN, scale=1.0)
    weights.norm("encoder.final_layer_norm", HIDDEN, bias=False)
    up = ["wi_0", "wi_1"] if config["feed_forward_proj"].startswith("gated") else ["wi"]
    for i in range(LAYERS):
        layer = f"encoder.block.{i}.layer."
        for name in ("q", "k", "v"):
            weights.linear(f"{layer}0.SelfAttention.{name}", heads * width, HIDDEN, bias=False)
        weights.linear(f"{layer}0.SelfAttention.o", HIDDEN, heads * width, bias=False)
        if i == 0:
            weights.add(f"{layer}0.SelfAttention.relative_attention_bias.weight", 32, heads, scale=1.0)
        for name in up:
            weights.linear(f"{layer}1.DenseReluDense.{name}", INNER, HIDDEN, bias=False)
        weights.linear(f"{layer}1.DenseReluDense.wo", HIDDEN, INNER, bias=False)
        for half in (0, 1):
            weights.norm(f"{layer}{half}.layer_norm", HIDDEN, bias=False)


MAKERS = {"electra": electra, "albert": albert, "modernbert": modernbert, "deberta-v2": deberta, "t5": t5, "mt5": t5}


def make_family(folder, model_type, **changes):
    """A model's folder as sentence-transformers saves one."""
    if model_type == "jina_bert":
        return jina(folder, **changes)
    model_type, *own = model_type.split(" by ")
    config = config_of(model_type, **changes)
    weights = Weights(5)
    if model_type in POST_NORM:
        weights = weights_of(config)
    elif model_type in ROTARY:
        rotary(weights, config)
    else:
        MAKERS[model_type](weights, config)
    make(folder, config, weights=OWN_NAMES[model_type](dict(weights)) if own else weights)
    return folder


def change_tensors(folder, change):
    """Applies a function to the arrays of model.safetensors."""
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})
