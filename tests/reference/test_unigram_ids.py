"""The ids of Unigram tokenizers of many settings are those of the library `tokenizers`, on texts of every kind. No difference
is allowed. AQ_UNIGRAM_TEXTS=N takes another number of texts for each; AQ_UNIGRAM_MODELS=FOLDER:... adds real models."""

import json
import os
import pathlib
import random

import pytest
from charsmaps import nmt_nfkc, precompiled
from test_bpe_ids import CodeTexts, compare, write
from tiny_unigram import SHAPES, made
from tokenizer_library import Ours, agree
from tokenizer_texts import Texts
from tokenizers import Tokenizer

COUNT = int(os.environ.get("AQ_UNIGRAM_TEXTS", "800"))
MODELS = [pathlib.Path(folder) for folder in os.environ.get("AQ_UNIGRAM_MODELS", "").split(":") if folder]


@pytest.mark.parametrize("shape", SHAPES)
def test_ids_are_the_same(shape, tmp_path):
    compare(write(tmp_path, SHAPES[shape]()), COUNT)


@pytest.mark.parametrize("folder", MODELS, ids=[folder.name for folder in MODELS])
def test_ids_of_real_models_are_the_same(folder):
    compare(folder / "tokenizer.json", COUNT)


def test_ids_of_equal_sums_are_the_same(tmp_path):
    """Long runs of few letters: nearly every text has many best paths that differ in the order of their pieces."""
    path, rng = write(tmp_path, SHAPES["ties"]()), random.Random(8)
    texts = ["".join(rng.choice(("-", "-", "a", "b", ".", " ")) * rng.choice((1, 1, 2, 5, 30)) for _ in range(rng.randint(1, 40))) for _ in range(COUNT)]
    agree(Ours(path), Tokenizer.from_file(str(path)), texts)


# ---- Charsmaps ----


PLANES = {chr(c) for c in range(1, 0x20000) if not 0xD800 <= c < 0xE000}


def every(becomes, characters=PLANES):
    """A tokenizer with one id for each character, and its charsmap."""
    seen = sorted({c for text in becomes.values() for c in text} | characters)
    return made([["<unk>", 0.0], *([c, -1.0] for c in seen)], unk_id=0, special=False, normalizer=precompiled(becomes))


def test_every_character_of_a_charsmap_is_treated_the_same(tmp_path):
    """Alone, and beside what may join it into a cluster."""
    path = write(tmp_path, every(nmt_nfkc()))
    chars = [chr(c) for c in [*range(1, 0x20000), *range(0x2F800, 0x2FA20), *range(0xE0000, 0xE01F0)] if not 0xD800 <= c < 0xE000]
    agree(Ours(path), Tokenizer.from_file(str(path)), [text for c in chars for text in (c, f"a{c}b\u0301", f"{c}\u0301", f"½{c}")])


CLUSTERS = {"a": "A", "½": "1/2", "\xa9": "(c)", "क": "k", "ക": "m", "\u0600": "P", "\r": "R", "가": "G", "\u1100": "H", "é\u0301": "E", "\u0301": "!", "が": "ga", "\U0001f600": "smile"}


def test_clusters_end_where_the_reference_ends_them(tmp_path):
    """The rest of a short cluster is dropped when it begins with a text of the map, so that ids show where clusters end: for
    every code point after a letter, before one, between a picture and a joiner, and in a conjunct."""
    path = write(tmp_path, every(CLUSTERS))
    chars = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000 and not 0x20000 <= c < 0xE0000 and c < 0xE1000]
    texts = [f"a{c}|\xa9\u200d{c}\u0301|\xa9{c}\u200d\xa9\u0301|{c}\u200d\xa9\u0301|क\u094d{c}क\u0301|क{c}क\u0301|{c}\u094dक\u0301|{c}a" for c in chars]
    agree(Ours(path), Tokenizer.from_file(str(path)), texts)


def test_random_clusters_are_the_same(tmp_path):
    path, rng = write(tmp_path, every(CLUSTERS)), random.Random(9)
    parts = [*CLUSTERS, "\u0301", "\u0323", "\u200d", "\u200c", "\ufe0f", "\u094d", "\u0d4d", "\u093c", "\u0903", "\n", "\r\n", "\U0001f1e9", "\U0001f1ea", "\u1161", "\u11a8", "각",
             "\u070f", "\u0d4e", "\xad", "\u2028", "\U0001f3fd", "\u1039", "\u1000", " ", "b"]
    texts = ["".join(rng.choice(parts) for _ in range(rng.randint(1, 9))) for _ in range(max(COUNT, 20000))]
    agree(Ours(path), Tokenizer.from_file(str(path)), texts)


def test_random_charsmaps_are_the_same(tmp_path):
    rng = random.Random(10)
    for seed in range(max(COUNT // 100, 8)):
        texts = Texts(seed, ["a", "the"])
        keys = {text[:rng.randint(1, 3)] for text in texts.take(300) if text} - {""}
        becomes = {key: rng.choice(["", "x", "é", " ", "ab", "\u0301", key[::-1], key[:1]]) for key in keys if "\0" not in key}
        compared = [*CodeTexts(seed, sorted(keys)).take(300)]
        path = write(tmp_path, every(becomes, set("".join(compared)) - {"\0"}))
        agree(Ours(path), Tokenizer.from_file(str(path)), compared)


# ---- Scores ----


def test_numbers_are_read_as_the_library_reads_them(tmp_path):
    """A piece and its halves are as good as each other but for one bit: the ids show which of them has the larger sum."""
    rng = random.Random(11)
    texts, vocab = [], ['["<unk>",0.0]']
    for i in range(3000):
        a, b = (-rng.random() * 20 for _ in range(2))
        first, second, whole = f"{chr(0x4E00 + i)}", f"{chr(0xAC00 + i)}", f"{chr(0x4E00 + i)}{chr(0xAC00 + i)}"
        shown = rng.choice([repr, lambda x: f"{x:.25f}", lambda x: f"{x:.17e}", lambda x: f"{x * 1e30:.3f}E-30", lambda x: f"{x:.16g}"])
        vocab += [f'["{first}",{shown(a)}]', f'["{second}", {shown(b)} ]', f'["{whole}",{shown(a + b)}]']
        texts.append(whole)
    path = tmp_path / "tokenizer.json"
    path.write_text('{"version":"1.0","model":{"type":"Unigram","unk_id":0,"vocab":[' + ",".join(vocab) + "]}}", encoding="utf-8")
    theirs = Tokenizer.from_file(str(path))
    agree(Ours(path), theirs, texts)
    read = dict(json.loads(theirs.to_str())["model"]["vocab"])
    assert any(read[piece] != score for piece, score in json.loads(path.read_text())["model"]["vocab"])
