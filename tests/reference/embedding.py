"""Vectors of texts by sentence-transformers and by the command, from a folder and from tables made of it."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

COMMAND = os.environ.get("AQ_COMMAND", str(Path(__file__).resolve().parents[2] / "build/release/arrowquant"))
TEXTS = ["the cat sat on a mat.", "dog", "a small house near the river, the dog"]
SAME = 1e-5


def run(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


def embed(model, texts=TEXTS, *options):
    process = run("embed", model, *[f"--text={text}" for text in texts], *options)
    assert process.returncode == 0, process.stderr
    return np.array([json.loads(line)["embedding"] for line in process.stdout.splitlines()], np.float32)


def tables(folder, tmp_path):
    """The values themselves as a table of version 1, and one of version 2 that keeps them."""
    first, second = tmp_path / "v1.parquet", tmp_path / "v2.parquet"
    for arguments in (("convert", folder, "-o", first), ("quantize", folder, "-o", second, "--keep", "*")):
        process = run(*arguments, "--force")
        assert process.returncode == 0, process.stderr
    return first, second


def reference(folder, texts=TEXTS, **options):
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True).encode(texts, **options)


def check_same(folder, tmp_path, texts=TEXTS):
    """The vectors of the reference, after the command gave the same from the folder and from both tables."""
    expected = reference(folder, texts)
    assert np.isfinite(expected).all()
    for model in (folder, *tables(folder, tmp_path)):
        got = embed(model, texts)
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() < SAME, f"{model}: {np.abs(got - expected).max()}"
    return expected


def check_refused(folder, tmp_path, *words):
    """The command refuses the folder, and the table made of it, with these words."""
    models = [folder]
    process = run("convert", folder, "-o", tmp_path / "v1.parquet", "--force")
    if process.returncode == 0:
        models.append(tmp_path / "v1.parquet")
    for model in models:
        process = run("embed", model, "--text", TEXTS[0])
        assert process.returncode != 0, f"{model} was embedded"
        assert process.stdout == ""
        for word in words:
            assert word in process.stderr, process.stderr
