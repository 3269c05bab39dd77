"""Regular expressions of a tokenizer.json match where Oniguruma has them match: random patterns on random texts, and every
code point by the classes that patterns ask for. AQ_BPE_PATTERNS=N takes another number of patterns."""

import json
import os
import random

import pytest
import tokenizers as hf
from tiny_bpe import split
from tokenizer_library import Ours, Refused

COUNT = int(os.environ.get("AQ_BPE_PATTERNS", "400"))
ATOMS = ["a", "b", "s", "k", " ", r"\s", r"\S", r"\p{L}", r"\p{N}", r"\p{Lu}", r"\P{L}", r"\p{^Ll}", "[ab]", "[^a]", r"[^\s\p{L}]", "[a-c0-9]", r"\w", r"\W",
         r"\d", r"\D", ".", r"\n", r"[\r\n]", "é", r"[^\r\n\p{L}\p{N}]", r"\.", r"\x41", r"\u0062", r"[\w.]", "[s-té]", "'"]
QUANTIFIERS = ["?", "*", "+", "*?", "+?", "??", "{2}", "{1,3}", "{2,}", "{,2}", "{1,2}?", "++", "*+", "?+"]
CHARACTERS = [*"aabbsSkK Aé \n\r 01'.,cſK²½\u200d中Ⅷʼ\t"]
CLASSES = [rf"\p{{{name}}}" for name in "L N M P S Z C Lu Ll Lt Lm Lo Nd Nl No Mn".split()] + [r"\s", r"\w", r"\d", r"[\w]", r"[^\s\p{L}\p{N}]"]


def item(rng, depth):
    kind = rng.random()
    if depth > 0 and 0.2 <= kind < 0.27:
        return rng.choice(["(?=", "(?!"]) + rng.choice(ATOMS) + ")"
    atom = rng.choice(["(", "(?:", "(?:", "(?i:"]) + choice(rng, depth - 1) + ")" if depth > 0 and kind < 0.2 else rng.choice(ATOMS)
    return atom + (rng.choice(QUANTIFIERS) if rng.random() < 0.4 else "")


def choice(rng, depth):
    return "|".join("".join(item(rng, depth) for _ in range(rng.randint(1, 4))) for _ in range(rng.choice((1, 1, 2, 3))))


def both(folder, pre_tokenizer, model):
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": pre_tokenizer, "post_processor": None,
                                "decoder": None, "model": {"type": "BPE", "merges": [], **model}}))
    return Ours(path), hf.Tokenizer.from_file(str(path))


def test_random_patterns_match_the_same(tmp_path):
    """Ids tell where pieces end, since the last character of each is another token."""
    rng, compared = random.Random(5), 0
    vocab = {token: i for i, token in enumerate(sorted({form for c in CHARACTERS for form in (c, c + "$")}))}
    for _ in range(COUNT):
        pattern = choice(rng, 2)
        try:
            ours, theirs = both(tmp_path, split(pattern, "Isolated"), {"vocab": vocab, "end_of_word_suffix": "$"})
        except Refused as error:
            assert "pattern" in str(error)
            continue
        texts = ["".join(rng.choice(CHARACTERS) for _ in range(rng.randint(1, 30))) for _ in range(12)]
        for text, wanted in zip(texts, theirs.encode_batch(texts), strict=True):
            assert ours.encode(text) == wanted.ids, f"{pattern!r} in {text!r}"
        compared += 1
    assert compared > COUNT / 3


@pytest.mark.parametrize("pattern", CLASSES)
def test_every_code_point_is_of_the_same_class(pattern, tmp_path):
    """Ids are the bytes of what is not matched."""
    vocab = {f"<0x{byte:02X}>": byte for byte in range(256)}
    ours, theirs = both(tmp_path, split(pattern, "Removed"), {"vocab": vocab, "byte_fallback": True})
    points = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    blocks = ["".join(points[at : at + 2048]) for at in range(0, len(points), 2048)]
    for block, wanted in zip(blocks, theirs.encode_batch(blocks), strict=True):
        assert ours.encode(block) == wanted.ids, f"at U+{ord(block[0]):X}"
