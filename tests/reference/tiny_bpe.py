"""Small tokenizers of the shapes that decoders have, trained on the lines of this project: a tokenizer.json each."""

import functools
import json

from tokenizer_texts import real_lines
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN35 = QWEN2.replace(r"[^\r\n\p{L}\p{N}]?\p{L}+", r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]+", r"[^\s\p{L}\p{M}\p{N}]+")
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {"gpt2": GPT2, "llama3": LLAMA3, "cl100k": CL100K, "qwen2": QWEN2, "qwen3.5": QWEN35, "o200k": O200K}
SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]


def added(number, content, **flags):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **flags}


def byte_level(**changes):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True, **changes}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def metaspace(**changes):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True, **changes}


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def trained(pre_tokenizer, alphabet, **options):
    """The model that training gives, as the JSON of it has it."""
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = pre_tokenizer
    lines = real_lines()[::7] + ["これは日本語の文章です。", "Привет, мир! Как дела?", "한국어 문장 하나", "नमस्ते दुनिया", "مرحبا بالعالم", "中文句子一个"] * 30
    trainer = trainers.BpeTrainer(vocab_size=4000, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False, **options)
    tokenizer.train_from_iterator(lines, trainer)
    return json.loads(tokenizer.to_str())["model"]


@functools.cache
def bytes_model():
    return trained(pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.ByteLevel.alphabet())


@functools.cache
def fallback_model():
    model = trained(pre_tokenizers.Metaspace(), ["▁"], unk_token="<unk>")
    vocab, merges = model["vocab"], [pair for pair in model["merges"] if "é" not in "".join(pair)]
    vocab = {token: number for token, number in vocab.items() if "é" not in token}
    vocab = {token: number for number, token in enumerate([*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *(t for t in vocab if t not in SPECIAL)])}
    return {**model, "vocab": vocab, "merges": merges, "byte_fallback": True, "fuse_unk": True}


@functools.cache
def affix_model():
    return trained(pre_tokenizers.Whitespace(), [], unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>")


def without_bytes(model, *, lacks=()):
    """Some tokens of bytes are missing, so that characters are unknown."""
    gone = {f"<0x{byte:02X}>" for byte in lacks}
    kept = [token for token in model["vocab"] if token not in gone]
    return {**model, "vocab": {token: number for number, token in enumerate(kept)}}


def joined(model):
    """Merges as texts with a space between."""
    return {**model, "merges": [" ".join(pair) for pair in model["merges"]]}


def tokenizer_json(model, *, pre_tokenizer=None, normalizer=None, post_processor=None, decoder=None, tokens=()):
    new = [content for content, _ in tokens if content not in model["vocab"]]
    ids = {**model["vocab"], **{content: len(model["vocab"]) + i for i, content in enumerate(new)}}
    listed = [added(ids[content], content, **flags) for content, flags in [*((token, {}) for token in SPECIAL), *tokens]]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": listed, "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor, "decoder": decoder, "model": model,
    }


FLAGGED = [
    ("<left>", {"lstrip": True}), ("<right>", {"rstrip": True}), ("<word>", {"single_word": True}), ("<norm>", {"normalized": True, "special": False}),
    ("new tok", {"normalized": True, "special": False, "lstrip": True, "rstrip": True}), ("plain", {"special": False, "single_word": True}),
    ("  ", {"normalized": True, "special": False}),
]
BOS = {
    "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
}
ROBERTA = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": False}
SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
LLAMA_DECODER = sequence(
    "decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0},
)
GEMMA_DECODER = {**LLAMA_DECODER, "decoders": LLAMA_DECODER["decoders"][:3]}


def cut_by(pattern, **changes):
    return sequence("pretokenizers", split(pattern), byte_level(use_regex=False, **changes))


def shapes():
    """Names, and functions that make the JSON."""
    level = byte_level()
    made = {f"byte-level, {name}": functools.partial(lambda p: tokenizer_json(bytes_model(), pre_tokenizer=cut_by(p), decoder=level), pattern)
            for name, pattern in PATTERNS.items()}
    made |= {
        "GPT-2": lambda: tokenizer_json(joined(bytes_model()), pre_tokenizer=level, post_processor=level, decoder=level),
        "RoBERTa": lambda: tokenizer_json(bytes_model(), pre_tokenizer=byte_level(add_prefix_space=True), post_processor=ROBERTA, decoder=level, tokens=FLAGGED),
        "SmolLM2": lambda: tokenizer_json(bytes_model(), decoder=level,
                                          pre_tokenizer=sequence("pretokenizers", {"type": "Digits", "individual_digits": True}, level)),
        "Llama-3": lambda: tokenizer_json({**bytes_model(), "ignore_merges": True}, pre_tokenizer=cut_by(LLAMA3), decoder=level, tokens=FLAGGED,
                                          post_processor=sequence("processors", level, BOS)),
        "Qwen2 with NFC": lambda: tokenizer_json(joined(bytes_model()), pre_tokenizer=cut_by(QWEN2), decoder=level, normalizer={"type": "NFC"}, tokens=FLAGGED),
        "Llama-2, legacy": lambda: tokenizer_json(joined(fallback_model()), post_processor=BOS, decoder=LLAMA_DECODER, tokens=FLAGGED,
                                                  normalizer=sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, SPACES)),
        "Llama-2, metaspace": lambda: tokenizer_json(fallback_model(), post_processor=BOS, decoder=LLAMA_DECODER, tokens=FLAGGED,
                                                     pre_tokenizer=metaspace(prepend_scheme="first", split=False)),
        "Gemma": lambda: tokenizer_json(fallback_model(), normalizer=SPACES, decoder=GEMMA_DECODER, post_processor=BOS,
                                        pre_tokenizer=split(" ", "MergedWithPrevious", kind="String")),
        "metaspace, split": lambda: tokenizer_json(fallback_model(), pre_tokenizer=metaspace(), decoder=metaspace(), tokens=FLAGGED),
        "metaspace, never": lambda: tokenizer_json(fallback_model(), pre_tokenizer=metaspace(prepend_scheme="never"), decoder=metaspace(prepend_scheme="never")),
        "bytes that are missing": lambda: tokenizer_json(without_bytes(fallback_model(), lacks=(0xE4, 0xC3, 0xF0)), pre_tokenizer=metaspace(), decoder=LLAMA_DECODER),
        "bytes that are missing, not fused": lambda: tokenizer_json({**without_bytes(fallback_model(), lacks=(0xE4, 0xC3, 0xF0)), "fuse_unk": False},
                                                                    pre_tokenizer=metaspace(prepend_scheme="first"), decoder=LLAMA_DECODER),
        "affixes": lambda: tokenizer_json(affix_model(), pre_tokenizer={"type": "Whitespace"}, decoder={"type": "BPEDecoder", "suffix": "</w>"},
                                          normalizer=sequence("normalizers", {"type": "NFKC"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True})),
        "affixes, punctuation": lambda: tokenizer_json(
            {**affix_model(), "unk_token": None}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": True},
            normalizer=sequence("normalizers", {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Replace", "pattern": {"Regex": "[0-9]+"}, "content": "0"}),
            pre_tokenizer=sequence("pretokenizers", {"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "MergedWithPrevious"}, {"type": "Digits", "individual_digits": False})),
    }
    return made


SHAPES = shapes()
__all__ = ["PATTERNS", "SHAPES", "Regex", "split", "tokenizer_json"]
