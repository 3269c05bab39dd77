"""The ids of WordLevel tokenizers with each pre-tokenizer and normalizer are those of the library `tokenizers`, on texts of
every kind. No difference is allowed. AQ_WORDLEVEL_TEXTS=N takes another number of texts for each."""

import os
import string

import pytest
from charsmaps import nmt_nfkc, precompiled
from test_bpe_ids import CodeTexts, compare, write
from tiny_bpe import byte_level, metaspace, sequence, split
from tokenizer_library import Ours, agree
from tokenizer_texts import SCRIPTS, real_lines
from tokenizers import Tokenizer

COUNT = int(os.environ.get("AQ_WORDLEVEL_TEXTS", "800"))
WORDS = {word for line in real_lines()[::5] for word in (line.split() + [line[:3], line[1:6], line.replace(" ", "▁")[:7]]) if word}
VOCAB = {word: number for number, word in enumerate(["[UNK]", "", *sorted(WORDS - {"[UNK]"}), *(w for w in string.punctuation if w not in WORDS)])}
BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}


def wordlevel(pre_tokenizer=None, normalizer=None, **changes):
    model = {"type": "WordLevel", "vocab": VOCAB, "unk_token": "[UNK]", **changes}
    return {"version": "1.0", "added_tokens": [], "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "model": {k: v for k, v in model.items() if v is not None}}


SHAPES = {
    **{kind: wordlevel({"type": kind}) for kind in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer", "FixedLength")},
    "length 3": wordlevel({"type": "FixedLength", "length": 3}), "delimiter": wordlevel({"type": "CharDelimiterSplit", "delimiter": "é"}),
    "a space delimits": wordlevel({"type": "CharDelimiterSplit", "delimiter": " "}), "Metaspace": wordlevel(metaspace()), "ByteLevel": wordlevel(byte_level()),
    "none": wordlevel(), "punctuation": wordlevel({"type": "Punctuation", "behavior": "Contiguous"}), "Split": wordlevel(split(r"\w+|\s", "Removed", True)),
    "Digits": wordlevel(sequence("pretokenizers", {"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": True})),
    "lengths of words": wordlevel(sequence("pretokenizers", {"type": "CharDelimiterSplit", "delimiter": " "}, {"type": "FixedLength", "length": 5})),
    "Nmt": wordlevel({"type": "WhitespaceSplit"}, {"type": "Nmt"}), "Nmt, NFKC": wordlevel({"type": "Whitespace"}, sequence("normalizers", {"type": "Nmt"}, {"type": "NFKC"})),
    "Bert": wordlevel({"type": "BertPreTokenizer"}, BERT), "Precompiled": wordlevel({"type": "WhitespaceSplit"}, precompiled(nmt_nfkc())),
    "no type": wordlevel({"type": "Whitespace"}, type=None), "no type, one key of WordPiece": wordlevel({"type": "Whitespace"}, type=None, max_input_chars_per_word=3),
    "WordPiece without a type": wordlevel({"type": "Whitespace"}, type=None, max_input_chars_per_word=3, continuing_subword_prefix=""),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_ids_are_the_same(shape, tmp_path):
    compare(write(tmp_path, SHAPES[shape]), COUNT)


def test_every_character_of_nmt_is_treated_the_same(tmp_path):
    chars = [chr(c) for c in range(1, 0x20000) if not 0xD800 <= c < 0xE000]
    vocab = {"[UNK]": 0, **{f"a{c}b": number for number, c in enumerate(chars, 1)}, "ab": len(chars) + 1}
    path = write(tmp_path, wordlevel(None, {"type": "Nmt"}, vocab=vocab))
    agree(Ours(path), Tokenizer.from_file(str(path)), [f"a{c}b" for c in chars])


def test_words_of_every_script_are_the_same(tmp_path):
    path = write(tmp_path, wordlevel({"type": "Whitespace"}, vocab={"[UNK]": 0, **{chr(c): i for i, c in enumerate((c for first, last in SCRIPTS for c in range(first, last + 1)), 1)}}))
    agree(Ours(path), Tokenizer.from_file(str(path)), CodeTexts(5, ["a"]).take(COUNT))
