"""Folders of tiny models, written by hand: a BERT with random weights and a vocabulary of letters, a few words and a few tokens."""

import json
import os
import pathlib
import subprocess

import numpy as np
import tiny_encoders
from safetensors.numpy import save
from tiny_encoders import MODULES, POOLING, SPECIAL, config_of, weights_of

COMMAND = os.environ.get("AQ_COMMAND", "arrowquant")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = [
    *SPECIAL,
    *LETTERS,
    *LETTERS.upper(),
    *("##" + c for c in LETTERS + LETTERS.upper()),
    *["the", "cat", "sat", "on", "mat", "The", "Cat", "dog", ".", ",", "<s>", "</s>", "<pad>", "<mask>", "foo", "##foo", "bar", "é"],
]
CONFIG = config_of("bert", vocab_size=len(WORDS) + 8, max_position_embeddings=32)
SAFETENSORS = save(weights_of(CONFIG), metadata={"format": "pt"})


def tokenizer_json(**changes):
    return {**tiny_encoders.tokenizer_json(WORDS), **changes}


def bert_normalizer(**changes):
    return {**tokenizer_json()["normalizer"], **changes}


def wordpiece(**changes):
    return {**tokenizer_json()["model"], **changes}


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
