"""Encoders small enough to be made for every test: random weights in the names of transformers, a WordPiece tokenizer of
some words, and the files that sentence-transformers saves. What a test changes are members of these files."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "the", "cat", "sat", "on", "mat", "dog", "run", "a", "small", "house", "near", "river", ".", ","]
HIDDEN, INNER, LAYERS, HEADS, POSITIONS = 32, 48, 2, 2, 40

TYPES = "sentence_transformers.models."
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": TYPES + "Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": TYPES + "Pooling"},
]
NORMALIZE = {"idx": 2, "name": "2", "path": "2_Normalize", "type": TYPES + "Normalize"}
POOLING = {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}

GENERAL = ("modernbert", "nomic_bert", "gte", "jina_embeddings_v3", "deberta-v2", "t5", "mt5")  # whose tokenizer has no class of its own

NAMES = {
    "bert": {
        "attention": ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
        "norm": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "last": "output.LayerNorm",
        "layer": "encoder.layer",
    },
    "mpnet": {
        "attention": ("attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"),
        "norm": "attention.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "last": "output.LayerNorm",
        "layer": "encoder.layer",
    },
    "distilbert": {
        "attention": ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"),
        "norm": "sa_layer_norm",
        "up": "ffn.lin1",
        "down": "ffn.lin2",
        "last": "output_layer_norm",
        "layer": "transformer.layer",
    },
}


T5 = {
    "d_model": HIDDEN,
    "num_layers": LAYERS,
    "num_heads": 3,
    "d_kv": 12,
    "d_ff": INNER,
    "layer_norm_epsilon": 1e-6,
    "is_encoder_decoder": True,
}

# DeBERTa v3; texts are longer than its buckets, so that distances share rows.
DEBERTA = {
    "type_vocab_size": 0,
    "layer_norm_eps": 1e-7,
    "relative_attention": True,
    "position_buckets": 8,
    "max_relative_positions": -1,
    "pos_att_type": "p2c|c2p",
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
}


def config_of(model_type, **changes):
    """A config.json; a change to None takes the key away."""
    config = {
        "architectures": [model_type.title() + "Model"],
        "model_type": model_type,
        "vocab_size": len(WORDS),
        "max_position_embeddings": POSITIONS,
        "pad_token_id": 0,
    }
    if model_type == "modernbert":
        config |= {
            "hidden_size": HIDDEN,
            "num_hidden_layers": 4,
            "num_attention_heads": HEADS,
            "intermediate_size": INNER,
            "hidden_activation": "gelu",
            "norm_eps": 1e-5,
            "local_attention": 4,
            "global_attn_every_n_layers": 3,
            "global_rope_theta": 160000.0,
            "local_rope_theta": 10000.0,
        }
    elif model_type in ("t5", "mt5"):
        config |= T5 | {"feed_forward_proj": "relu" if model_type == "t5" else "gated-gelu"}
        del config["max_position_embeddings"]
    elif model_type == "distilbert":
        config |= {"dim": HIDDEN, "n_layers": LAYERS, "n_heads": HEADS, "hidden_dim": INNER, "activation": "gelu"}
    else:
        config |= {
            "hidden_size": HIDDEN,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "intermediate_size": INNER,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-12,
        }
    if model_type not in ("distilbert", "mpnet", "modernbert", "t5", "mt5"):
        config["type_vocab_size"] = 2
    if model_type == "nomic_bert":
        config["hidden_act"] = "silu"
    if model_type in ("electra", "albert"):
        config["embedding_size"] = 20
    if model_type == "deberta-v2":
        config |= DEBERTA
    return {key: value for key, value in (config | changes).items() if value is not None}


def weights_by_transformers(config, seed=5):
    """The same by the names and shapes of the class in transformers, for architectures that are not in NAMES."""
    from transformers import AutoConfig, AutoModel, MT5EncoderModel, T5EncoderModel

    made = AutoConfig.for_model(**config)
    encoders = {"t5": T5EncoderModel, "mt5": MT5EncoderModel}
    model = encoders[config["model_type"]](made) if config["model_type"] in encoders else AutoModel.from_config(made)
    rng, weights = np.random.default_rng(seed), {}
    for name, values in model.state_dict().items():
        if name == "encoder.embed_tokens.weight":  # is shared.weight
            continue
        is_gain = "norm" in name.lower() and name.endswith("weight")
        scale = 1.0 if "embeddings.weight" in name or name == "shared.weight" else 0.3
        random = rng.standard_normal(tuple(values.shape)) * (0.1 if is_gain else scale)
        weights[name] = (is_gain + random).astype(np.float32)
    return weights


def weights_of(config, seed=5):
    """Random weights of the shapes that a config.json asks for."""
    if config["model_type"] in ("electra", "albert", "modernbert", "nomic_bert", "gte", "jina_embeddings_v3", "deberta-v2", "t5", "mt5"):
        return weights_by_transformers(config, seed)
    kind = config["model_type"] if config["model_type"] in NAMES else "bert"
    names = NAMES[kind]
    hidden = config.get("dim", config.get("hidden_size"))
    inner = config.get("hidden_dim", config.get("intermediate_size"))
    rng, weights = np.random.default_rng(seed), {}

    def add(name, *shape, scale=0.3, around=0.0):
        weights[name] = (around + rng.standard_normal(shape) * scale).astype(np.float32)

    def linear(name, out, into):
        add(name + ".weight", out, into)
        add(name + ".bias", out, scale=0.1)

    def norm(name):
        add(name + ".weight", hidden, scale=0.1, around=1.0)
        add(name + ".bias", hidden, scale=0.1)

    add("embeddings.word_embeddings.weight", config["vocab_size"], hidden, scale=1.0)
    add("embeddings.position_embeddings.weight", config["max_position_embeddings"], hidden, scale=1.0)
    if kind == "bert":
        add("embeddings.token_type_embeddings.weight", config.get("type_vocab_size", 2), hidden, scale=1.0)
    norm("embeddings.LayerNorm")
    if kind == "mpnet":
        add("encoder.relative_attention_bias.weight", 32, config["num_attention_heads"], scale=1.0)
    for i in range(config.get("n_layers", config.get("num_hidden_layers"))):
        layer = f"{names['layer']}.{i}."
        for name in names["attention"]:
            linear(layer + name, hidden, hidden)
        norm(layer + names["norm"])
        linear(layer + names["up"], inner, hidden)
        linear(layer + names["down"], hidden, inner)
        norm(layer + names["last"])
    return weights


def tokenizer_json(words=WORDS):
    def special(word):
        return {
            "id": words.index(word),
            "content": word,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }

    def token(word, kind=0):
        return {"SpecialToken": {"id": word, "type_id": kind}}

    first, second = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [special(word) for word in SPECIAL],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token("[CLS]"), first, token("[SEP]")],
            "pair": [token("[CLS]"), first, token("[SEP]"), second, token("[SEP]", 1)],
            "special_tokens": {
                word: {"id": word, "ids": [words.index(word)], "tokens": [word]} for word in ("[CLS]", "[SEP]")
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: i for i, word in enumerate(words)},
        },
    }


def dump(path, value):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def make(folder, config=None, *, modules=MODULES, files=None, weights=None, transformer=""):
    """A model's folder. `files`: more of them, or others, by their names; None takes one away. `transformer`: the folder
    of the first module."""
    folder = Path(folder)
    config = config_of("bert") if config is None else config
    inner = folder / transformer
    dump(inner / "config.json", config)
    dump(inner / "tokenizer.json", tokenizer_json())
    names = {f"{word[1:-1].lower()}_token": word for word in SPECIAL}
    own = {"tokenizer_class": "PreTrainedTokenizerFast", **names} if config.get("model_type") in GENERAL else {}
    dump(inner / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 30, **own})
    (inner / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    if modules is not None:
        dump(folder / "modules.json", modules)
        dump(folder / "1_Pooling" / "config.json", POOLING)
    for name, value in (files or {}).items():
        if value is None:
            (folder / name).unlink()
        else:
            dump(folder / name, value)
    save_file(weights if weights is not None else weights_of(config), inner / "model.safetensors", {"format": "pt"})
    return folder
