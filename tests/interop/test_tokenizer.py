"""The ids of `arrowquant tokenize` and of the library are those of the Hugging Face library `tokenizers`, on texts of every
kind (tokenizer_texts.py) and for every option. No difference is allowed."""
import json
import os
import subprocess
import threading
import unicodedata

import pytest
import tokenizers as hf
from conftest import COMMAND, run
from tokenizer_library import Ours, agree
from tokenizer_texts import EMOJI, SPACES, Texts

COUNT = int(os.environ.get("AQ_TOKENIZER_TEXTS", "120000"))


def theirs_of(path):
    tokenizer = hf.Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@pytest.fixture(scope="module")
def settings(minilm):
    return json.loads((minilm / "tokenizer.json").read_text())


@pytest.fixture(scope="module")
def words(settings):
    return sorted(settings["model"]["vocab"])


@pytest.fixture(scope="module")
def pair(minilm):
    return Ours(minilm), theirs_of(minilm / "tokenizer.json")


# ---- The model's own tokenizer ----


def test_ids_of_many_texts_are_the_same(pair, words):
    assert agree(*pair, Texts(1, words).take(COUNT)) == COUNT


def test_ids_of_long_lines_are_the_same(pair, words):
    agree(*pair, Texts(2, words).long_lines(24))


def test_ids_of_broken_utf8_are_those_of_the_repaired_text(pair, words):
    """Each maximal subpart of an ill-formed sequence is U+FFFD, as in Python's errors="replace"."""
    agree(*pair, Texts(3, words).broken(20000))


def test_ids_of_every_word_of_the_vocabulary_are_the_same(pair, words):
    agree(*pair, [form for word in words for form in (word, word.removeprefix("##"), "x" + word.removeprefix("##"))])


def test_ids_of_small_texts_are_the_same(pair):
    """Every code point up to U+3FF by itself, every pair of two that matter."""
    some = ["", "a", "A", "É", "e\u0301", "\u0301", "中", "[", "[MASK]", "!", "가", "\x00", "\ufffd", "ß", *SPACES, *EMOJI]
    agree(*pair, [*map(chr, range(0x400)), *(a + b for a in some for b in some), *(a + b + c for a in some[:14] for b in some[:14] for c in some[:14])])


@pytest.mark.parametrize("length", [2, 3, 5, 16, 128, 256])
def test_truncation_is_the_same(minilm, words, length):
    ours, theirs = Ours(minilm), theirs_of(minilm / "tokenizer.json")
    theirs.enable_truncation(length)
    texts = [*Texts(4, words).take(1500), *Texts(4, words).long_lines(4)]
    for text, wanted in zip(texts, theirs.encode_batch(texts), strict=True):
        assert ours.encode(text, max_length=length) == wanted.ids, text[:300]


def test_without_special_tokens_is_the_same(pair, words):
    ours, theirs = pair
    for text in Texts(5, words).take(1500):
        assert ours.encode(text, special=False) == theirs.encode(text, add_special_tokens=False).ids, text


def test_threads_share_a_tokenizer(pair, words):
    ours, _ = pair
    texts = list(Texts(6, words).take(2000))
    wanted, wrong = [ours.encode(t) for t in texts], []
    threads = [threading.Thread(target=lambda: wrong.extend(t for t, w in zip(texts, wanted, strict=True) if ours.encode(t) != w))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_command_prints_the_same(minilm, pair, words, tmp_path):
    _, theirs = pair
    texts = [t for t in Texts(7, words).take(3000) if not set(t) & set("\r\n")]
    (tmp_path / "texts").write_bytes("\n".join(texts).encode())
    lines = run("tokenize", minilm, "--input", tmp_path / "texts").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [e.ids for e in theirs.encode_batch(texts)]
    piped = subprocess.run([COMMAND, "tokenize", minilm], input="\n".join(texts).encode(), capture_output=True, check=True)
    assert piped.stdout.decode().splitlines() == lines


# ---- Other options: the same file, changed ----


def changed(settings, **changes):
    """A copy of a tokenizer.json; "normalizer_lowercase=False" sets settings["normalizer"]["lowercase"]."""
    copy = json.loads(json.dumps(settings))
    for name, value in changes.items():
        part, _, member = name.partition("_")
        if part in ("normalizer", "model") and member:
            copy[part][member] = value
        else:
            copy[name] = value
    return copy


def token(settings, content, **flags):
    if content.isspace():  # `tokenizers` panics when one of these takes white space with it
        flags = {**flags, "lstrip": False, "rstrip": False}
    vocab = settings["model"]["vocab"]
    number = vocab.get(content, len(vocab) + sum(map(ord, content)) % 97)
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True,
            **flags}


def check(settings, tmp_path, texts):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(settings, ensure_ascii=False))
    agree(Ours(path), theirs_of(path), texts)


OPTIONS = [{"normalizer_lowercase": False}, {"normalizer_lowercase": False, "normalizer_strip_accents": True},
           {"normalizer_strip_accents": False}, {"normalizer_handle_chinese_chars": False}, {"normalizer_clean_text": False},
           {"normalizer": None}, {"normalizer_clean_text": False, "normalizer_strip_accents": False, "normalizer_handle_chinese_chars": False},
           {"model_max_input_chars_per_word": 5}, {"model_max_input_chars_per_word": 0}, {"model_max_input_chars_per_word": 1500},
           {"model_continuing_subword_prefix": ""}, {"model_continuing_subword_prefix": "un"}, {"model_unk_token": "the"},
           {"post_processor": None}, {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}},
           {"post_processor": {"type": "RobertaProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101], "trim_offsets": True,
                               "add_prefix_space": False}}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_ids_with_other_options_are_the_same(settings, words, tmp_path, options):
    texts = Texts(8, words)
    check(changed(settings, **options), tmp_path, [*texts.take(6000), *texts.long_lines(4, 5000)])


def test_truncation_at_the_beginning_is_the_same(settings, words, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(changed(settings, truncation={"direction": "Left", "max_length": 12, "strategy": "LongestFirst", "stride": 0})))
    ours, theirs = Ours(path), theirs_of(path)
    theirs.enable_truncation(12, direction="left")
    for text in Texts(9, words).take(1500):
        assert ours.encode(text, max_length=12) == theirs.encode(text).ids, text


ADDED = ["[MASK]", "[CLS]", "<mask>", "fox", "FOXY", "Fó", "a b", " ", "  ", "ab", "abc", "中", "É", "[MASK] [MASK]", "x\u0301", "...", "1", "٣"]
FLAGS = ["lstrip", "rstrip", "single_word", "normalized"]


STEPS = {"lower": {"type": "Lowercase"}, "nfd": {"type": "NFD"}, "marks": {"type": "StripAccents"},
         "bert": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": False}}


@pytest.mark.parametrize("steps", ["lower", "nfd", "marks", "lower bert", "bert lower", "nfd marks lower", "marks nfd", "bert nfd", "",
                                   "nfd marks lower bert marks nfd"])
def test_sequences_of_normalizers_are_the_same(settings, words, tmp_path, steps):
    sequence = {"type": "Sequence", "normalizers": [STEPS[step] for step in steps.split()]}
    texts = Texts(11, words)
    check(changed(settings, normalizer=sequence), tmp_path, [*texts.take(3000), *texts.long_lines(2, 5000)])


@pytest.mark.parametrize("bits", range(16))
def test_added_tokens_in_the_text_are_the_same(settings, words, tmp_path, bits):
    """Tokens with each combination of flags, which meet, hold each other, and stand beside words and spaces."""
    flags = {flag: bool(bits >> i & 1) for i, flag in enumerate(FLAGS)}
    tokens = [token(settings, content, **flags) for content in ADDED]
    mixed = [token(settings, content, **{f: bool((i * 7 + 5) >> k & 1) for k, f in enumerate(FLAGS)}) for i, content in enumerate(ADDED)]
    texts = Texts(10 + bits, words)
    rng = texts.rng
    parts = [*ADDED, *map(str.lower, ADDED), " ", " ", "\t", "\u3000", "_", "é", "x", "\u0301", "\u200d", "ⓐ", "dog", "!", "中"]
    made = ["".join(rng.choice(parts) for _ in range(rng.randint(1, 12))) for _ in range(4000)] + list(texts.take(1000))
    # \w is that of utf8proc here: characters younger than this Python are left out.
    made = ["".join("x" if unicodedata.category(c) == "Cn" else c for c in text) for text in made]
    check(changed(settings, added_tokens=renumbered(settings, tokens)), tmp_path, made)
    check(changed(settings, added_tokens=renumbered(settings, mixed)), tmp_path, made)


def renumbered(settings, tokens):
    """Tokens outside the vocabulary get the ids that `tokenizers` would give them."""
    vocab, fresh = settings["model"]["vocab"], len(settings["model"]["vocab"])
    for entry in tokens:
        if entry["content"] not in vocab:
            entry["id"], fresh = fresh, fresh + 1
    return tokens


# ---- Every character ----


@pytest.mark.parametrize("options", [{}, {"normalizer_lowercase": False}, {"normalizer_strip_accents": False},
                                     {"normalizer_lowercase": False, "normalizer_strip_accents": True}, {"normalizer": None},
                                     {"normalizer": STEPS["marks"]}, {"normalizer": {"type": "Sequence", "normalizers": list(STEPS.values())}}],
                         ids=str)
def test_every_character_is_treated_the_same(settings, tmp_path, options):
    """With a vocabulary of all characters of the first two planes, ids show what becomes of each. Beside it stand a letter and
    marks of low and high combining class, so that order shows too."""
    chars = [chr(c) for c in [*range(1, 0x20000), *range(0x2F800, 0x2FA20), *range(0xE0000, 0xE01F0)] if not 0xD800 <= c < 0xE000]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *chars, *("##" + c for c in chars)]
    vocab = {t: i for i, t in enumerate(tokens)}
    frame = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    all_chars = changed(settings, model_vocab=vocab, added_tokens=[], post_processor=frame, **options)
    check(all_chars, tmp_path, [text for c in chars for text in (f"a{c}b", f"{c}\u302a\u302e", f"\U00016ff0\u302e{c}\u302f")])


# ---- vocab.txt ----


def test_vocab_txt_gives_the_same(minilm, words, tmp_path):
    (tmp_path / "words").write_bytes((minilm / "vocab.txt").read_bytes().replace(b"\n", b"\r\n"))
    theirs = theirs_of(minilm / "tokenizer.json")
    agree(Ours(minilm / "vocab.txt"), theirs, Texts(30, words).take(4000))
    agree(Ours(tmp_path / "words"), theirs, Texts(31, words).take(1000))


def test_vocab_txt_heeds_the_configuration(settings, minilm, words, tmp_path):
    (tmp_path / "vocab.txt").write_bytes((minilm / "vocab.txt").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "tokenize_chinese_chars": False,
                                                                "tokenizer_class": "BertTokenizerFast"}))
    ours = Ours(tmp_path)
    (tmp_path / "other.json").write_text(json.dumps(changed(settings, normalizer_lowercase=False, normalizer_handle_chinese_chars=False)))
    agree(ours, theirs_of(tmp_path / "other.json"), Texts(32, words).take(3000))


def test_configuration_beside_tokenizer_json_decides(settings, words, tmp_path):
    """As in transformers: for BertTokenizer tokenizer_config.json wins over the normalizer, when the folder is opened."""
    (tmp_path / "tokenizer.json").write_text(json.dumps(settings))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": False,
                                                                "strip_accents": None}))
    (tmp_path / "other.json").write_text(json.dumps(changed(settings, normalizer_lowercase=False)))
    agree(Ours(tmp_path), theirs_of(tmp_path / "other.json"), Texts(33, words).take(1000))
    agree(Ours(tmp_path / "tokenizer.json"), theirs_of(tmp_path / "tokenizer.json"), Texts(34, words).take(1000))
