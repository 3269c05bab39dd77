"""Folders of tiny models, written by hand: a BERT with random weights and a vocabulary of letters, a few words and a few tokens."""

import json
import os
import pathlib
import struct
import subprocess

import numpy as np

COMMAND = os.environ.get("AQ_COMMAND", "arrowquant")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [
    *SPECIAL,
    *LETTERS,
    *LETTERS.upper(),
    *("##" + c for c in LETTERS + LETTERS.upper()),
    *["the", "cat", "sat", "on", "mat", "The", "Cat", "dog", ".", ",", "<s>", "</s>", "<pad>", "<mask>", "foo", "##foo", "bar", "é"],
]
HIDDEN, INNER, LAYERS, POSITIONS = 32, 48, 2, 32
CONFIG = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "vocab_size": len(WORDS) + 8,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": INNER,
    "hidden_act": "gelu",
    "max_position_embeddings": POSITIONS,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]
POOLING = {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}


def weights(rows=CONFIG["vocab_size"], seed=5):
    rng, made = np.random.default_rng(seed), {}

    def linear(name, out, inner):
        made[name + ".weight"] = rng.standard_normal((out, inner)) * 0.3
        made[name + ".bias"] = rng.standard_normal(out) * 0.1

    def norm(name):
        made[name + ".weight"] = 1 + rng.standard_normal(HIDDEN) * 0.1
        made[name + ".bias"] = rng.standard_normal(HIDDEN) * 0.1

    for name, count in (("word", rows), ("position", POSITIONS), ("token_type", 2)):
        made[f"embeddings.{name}_embeddings.weight"] = rng.standard_normal((count, HIDDEN))
    norm("embeddings.LayerNorm")
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        for part in ("query", "key", "value"):
            linear(f"{layer}.attention.self.{part}", HIDDEN, HIDDEN)
        linear(f"{layer}.attention.output.dense", HIDDEN, HIDDEN)
        norm(f"{layer}.attention.output.LayerNorm")
        linear(f"{layer}.intermediate.dense", INNER, HIDDEN)
        linear(f"{layer}.output.dense", HIDDEN, INNER)
        norm(f"{layer}.output.LayerNorm")
    return {name: np.ascontiguousarray(value, dtype="<f4") for name, value in made.items()}


def safetensors(tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


SAFETENSORS = safetensors(weights())


def tokenizer_json(**changes):
    def special(word):
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        return {"id": WORDS.index(word), "content": word, **flags, "special": True}

    def piece(name):
        return {"SpecialToken": {"id": name, "type_id": 0}}

    text = {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [special(word) for word in SPECIAL],
        "normalizer": bert_normalizer(),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [piece("[CLS]"), text, piece("[SEP]")],
            "pair": [piece("[CLS]"), text, piece("[SEP]"), {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {t: {"id": t, "ids": [WORDS.index(t)], "tokens": [t]} for t in ("[CLS]", "[SEP]")},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": wordpiece(),
        **changes,
    }


def bert_normalizer(**changes):
    return {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True, **changes}


def wordpiece(**changes):
    vocab = {word: i for i, word in enumerate(WORDS)}
    return {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab,
            **changes}


def write(folder, files):
    """Files by their names: a text, bytes, None for none, or what becomes JSON."""
    folder = pathlib.Path(folder)
    for name, value in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if value is None:
            path.unlink(missing_ok=True)
        elif isinstance(value, (str, bytes)):
            path.write_bytes(value.encode() if isinstance(value, str) else value)
        else:
            path.write_text(json.dumps(value), encoding="utf-8")
    return folder


def model_folder(folder, files=None):
    """A whole model; `files` come in the place of its own."""
    own = {
        "config.json": CONFIG,
        "modules.json": MODULES,
        "1_Pooling/config.json": POOLING,
        "sentence_bert_config.json": {"max_seq_length": 24, "do_lower_case": False},
        "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 16},
        "tokenizer.json": tokenizer_json(),
        "model.safetensors": SAFETENSORS,
    }
    return write(folder, {**own, **(files or {})})


def run(*args, **options):
    return subprocess.run([COMMAND, *map(str, args)], capture_output=True, text=True, encoding="utf-8", check=False, timeout=120, **options)


def tokenize(path, texts, *args):
    """Ids of texts, one list each, or the message."""
    result = run("tokenize", path, "--input", "-", *args, input="\n".join(texts) + "\n")
    return [json.loads(line) for line in result.stdout.splitlines()] if result.returncode == 0 else result.stderr


def embed(path, texts, *args):
    result = run("embed", path, "--input", "-", *args, input="\n".join(texts) + "\n")
    if result.returncode != 0:
        return result.stderr
    return np.array([json.loads(line)["embedding"] for line in result.stdout.splitlines()])
