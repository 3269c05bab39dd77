"""Texts without words: their vectors are those that sentence-transformers gives."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("AQ_COMMAND", str(ROOT / "build" / "release" / "arrowquant"))
TEXTS = ["", " ", "\t", "  \t ", "a cat", " a cat ", "a\u0000cat", "\u200b"]

sys.path.append(str(ROOT / "tests" / "cli"))
from tiny_bert import make_encoder  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference") / "model"
    make_encoder(folder)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    return folder


def test_texts_without_words_are_embedded_as_the_reference_does(model):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    reference = sentence_transformers.SentenceTransformer(str(model), device="cpu").encode(TEXTS)
    lines = "".join(json.dumps({"body": text}) + "\n" for text in TEXTS)
    made = subprocess.run([COMMAND, "embed", str(model), "--field", "body"], input=lines, capture_output=True, text=True,
                          check=True)
    found = np.array([json.loads(line)["embedding"] for line in made.stdout.splitlines()])
    assert np.abs(found - reference).max() < 1e-5
    assert np.abs(found[0] - found[1]).max() == 0
    assert np.abs(found[0] - found[4]).max() > 1e-3
