"""Small Unigram tokenizers of many settings, trained on the lines of this project: a tokenizer.json each."""

import functools
import json
import random
import string

from charsmaps import nmt_nfkc, precompiled
from tiny_bpe import FLAGGED, ROBERTA, added, metaspace, sequence, split
from tokenizer_texts import real_lines
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
BYTES = [[f"<0x{byte:02X}>", 0.0] for byte in range(256)]
OTHERS = ["これは日本語の文章です。", "Привет, мир! Как дела?", "한국어 문장 하나", "नमस्ते दुनिया", "مرحبا بالعالم", "中文句子一个", "Zażółć gęślą jaźń", "ﬁn ½ Å"]
DECODER = metaspace()


@functools.cache
def pieces(cut="metaspace", size=2000):
    """The vocabulary that training gives."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = {"metaspace": pre_tokenizers.Metaspace(), "none": None, "level": pre_tokenizers.ByteLevel()}[cut]
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    lines = [line[:60] for line in real_lines()[::40]] if cut == "none" else real_lines()[::15]
    tokenizer.train_from_iterator(lines + OTHERS * 30, trainer)
    return json.loads(tokenizer.to_str())["model"]["vocab"]


@functools.cache
def ties():
    """Runs of few letters, whose paths have equal sums in other orders, and scores that the library reads inexactly."""
    rng, made = random.Random(5), [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]]
    texts = {"".join(rng.choice("ab-.▁") for _ in range(rng.randint(1, 6))) for _ in range(400)} | set("ab-.▁") | {"-" * n for n in range(2, 20)}
    scores = [-rng.random() * 4 for _ in range(12)]
    return made + [[text, rng.choice(scores) * len(text) if len(text) > 1 else rng.choice(scores)] for text in sorted(texts)]


def rises():
    """Scores above zero, so that unknown characters are better than pieces, and the text of two of them may be a piece."""
    rng = random.Random(6)
    letters = string.ascii_lowercase
    return [["<unk>", 50.0], *([a + b, 30 + rng.random()] for a in letters for b in letters if rng.random() < 0.5), ["▁", 40.0], ["ab c", 41.0], *([c, 20.0] for c in "aeiou")]


def unigram(vocab, unk_id=3, byte_fallback=False):
    return {"type": "Unigram", "unk_id": unk_id, "vocab": vocab, "byte_fallback": byte_fallback}


XLMR_FRAME = {
    "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}},
}
WORDS = sequence("pretokenizers", {"type": "WhitespaceSplit"}, metaspace())


def made(vocab=None, *, unk_id=3, byte_fallback=False, special=True, tokens=(), normalizer=None, pre_tokenizer=None, post_processor=None, decoder=None):
    model = unigram(pieces() if vocab is None else vocab, unk_id, byte_fallback)
    ids = {piece: number for number, (piece, _) in enumerate(model["vocab"])}
    for content, _ in tokens:
        ids.setdefault(content, len(ids))
    listed = [added(ids[content], content, **flags) for content, flags in [*((token, {}) for token in SPECIAL if special), *tokens]]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": listed, "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
            "post_processor": post_processor, "decoder": decoder, "model": model}


def charsmap_after(*steps):
    return sequence("normalizers", *steps, precompiled(nmt_nfkc()), {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})


SHAPES = {
    "XLM-R": lambda: made(normalizer=precompiled(nmt_nfkc()), pre_tokenizer=WORDS, post_processor=XLMR_FRAME, decoder=DECODER, tokens=FLAGGED),
    "T5": lambda: made(normalizer=charsmap_after({"type": "Strip", "strip_left": False, "strip_right": True}), pre_tokenizer=metaspace(), decoder=DECODER),
    "ALBERT": lambda: made(
        normalizer=charsmap_after({"type": "Replace", "pattern": {"String": "``"}, "content": '"'}, {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}),
        pre_tokenizer=WORDS, decoder=DECODER),
    "no normalizer, first": lambda: made(pre_tokenizer=metaspace(prepend_scheme="first"), tokens=FLAGGED, decoder=metaspace(prepend_scheme="first")),
    "no split": lambda: made(pre_tokenizer=metaspace(split=False), decoder=DECODER, normalizer={"type": "NFKC"}),
    "no pre-tokenizer": lambda: made(pieces("none"), normalizer={"type": "NFKC"}),
    "byte level": lambda: made(pieces("level"), pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, post_processor=ROBERTA),
    "bytes": lambda: made([*pieces(), *BYTES], byte_fallback=True, pre_tokenizer=metaspace(), decoder=sequence("decoders", {"type": "ByteFallback"}, metaspace())),
    "bytes that are missing": lambda: made([*pieces(), *BYTES[:0xC3], *BYTES[0xC5:0xE4], *BYTES[0xE6:]], byte_fallback=True, pre_tokenizer=metaspace()),
    "bytes without an unknown": lambda: made([["a", -1.0], *BYTES], unk_id=0, byte_fallback=True, special=False),
    "bytes, but not asked for": lambda: made([*pieces(), *BYTES], pre_tokenizer=metaspace()),
    "few characters": lambda: made([["<unk>", 0.0], ["a", -2.0], ["▁", -1.0], ["é", -3.0], ["the", -2.5], ["中", -1.5]], unk_id=0, special=False, pre_tokenizer=metaspace()),
    "unknown in the middle": lambda: made([["e", -1.0], ["e▁", -1.5], ["<unk>", -30.0], ["▁", -1.0], ["", -5.0]], unk_id=2, special=False, pre_tokenizer=metaspace(split=False)),
    "ties": lambda: made(ties(), pre_tokenizer=metaspace(split=False), special=False),
    "ties in words": lambda: made(ties(), pre_tokenizer=split(" ", "MergedWithNext", kind="String"), special=False),
    "scores above zero": lambda: made(rises(), unk_id=0, special=False, pre_tokenizer=metaspace(split=False)),
    "no type": lambda: (lambda j: {**j, "model": {k: v for k, v in j["model"].items() if k != "type"}})(made(pre_tokenizer=metaspace())),
}
