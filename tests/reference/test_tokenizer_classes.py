"""The ids of folders whose tokenizer a class of transformers makes are those of AutoTokenizer, on texts of every kind: byte-level
BPE and BPE with bytes to fall back on, as a tokenizer.json or as vocab.json and merges.txt, with the class named in either
configuration, by the type of the model, or not at all. No difference is allowed. AQ_CLASS_TEXTS=N takes another number of texts for
each; AQ_BPE_MODELS=FOLDER:... adds real models."""

import functools
import os
import re

import pytest
from test_bpe_ids import MODELS, CodeTexts
from tiny_bpe import (
    BOS,
    FLAGGED,
    GEMMA_DECODER,
    LLAMA3,
    LLAMA_DECODER,
    ROBERTA,
    SPACES,
    byte_level,
    bytes_model,
    cut_by,
    fallback_model,
    metaspace,
    tokenizer_json,
)
from tiny_folders import SAFETENSORS, run, write
from tokenizer_library import Ours, Refused, agree
from transformers import AutoTokenizer

COUNT = int(os.environ.get("AQ_CLASS_TEXTS", "250"))
LEVEL = byte_level()
TYPED = {"__type": "AddedToken", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def merges_text(model):
    return "\n".join(["#version: 0.2", *map(" ".join, model["merges"]), ""])


def pair(**config):
    """vocab.json and merges.txt."""
    return {"vocab.json": bytes_model()["vocab"], "merges.txt": merges_text(bytes_model()), "tokenizer_config.json": config}


def level(made=None, **config):
    """A tokenizer.json of bytes, whose stages are no class's own, so that it shows which of them count."""
    made = {"pre_tokenizer": cut_by(LLAMA3), "post_processor": ROBERTA, "decoder": LEVEL, "tokens": FLAGGED, "normalizer": {"type": "NFKC"}, **(made or {})}
    return {"tokenizer.json": tokenizer_json({**bytes_model(), "ignore_merges": True}, **made), "tokenizer_config.json": config}


def fallback(made=None, **config):
    made = {"normalizer": SPACES, "decoder": GEMMA_DECODER, "post_processor": BOS, "tokens": FLAGGED, **(made or {})}
    return {"tokenizer.json": tokenizer_json(fallback_model(), **made), "tokenizer_config.json": config}


def padded(token, files):
    padding = {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": token}
    return {**files, "tokenizer.json": {**files["tokenizer.json"], "padding": padding}}


def of_type(model_type, files, **config):
    return {**files, "config.json": {"model_type": model_type, **config}}


def token(content, **flags):
    return {**TYPED, "content": content, **flags}


GPT2, QWEN2, GEMMA, LLAMA, GENERAL, ROBERTA_NAME = "GPT2Tokenizer", "Qwen2Tokenizer", "GemmaTokenizer", "LlamaTokenizer", "PreTrainedTokenizerFast", "RobertaTokenizer"
CASES = {
    **{f"{name}, vocab.json": pair(tokenizer_class=name) for name in (GPT2, GPT2 + "Fast", QWEN2, QWEN2 + "Fast")},
    **{f"{name}, vocab.json, space": pair(tokenizer_class=name, add_prefix_space=True) for name in (GPT2, QWEN2)},
    **{f"{name}, vocab.json, bos and eos": pair(tokenizer_class=name, add_bos_token=True, add_eos_token=True, bos_token="<s>", eos_token=token("</s>", lstrip=True))
       for name in (GPT2, QWEN2)},
    f"{GPT2}, vocab.json, bos of the class": pair(tokenizer_class=GPT2, add_bos_token=True),
    f"{GPT2}, vocab.json, bos null": pair(tokenizer_class=GPT2, add_bos_token=True, add_eos_token=False, bos_token=None),
    f"{QWEN2}, vocab.json, eos of the class": pair(tokenizer_class=QWEN2, add_bos_token=True, add_eos_token=True),
    f"{QWEN2}, vocab.json, tokens lose their flags": pair(
        tokenizer_class=QWEN2, bos_token=token("<left>", lstrip=True), mask_token=token("<norm>", normalized=True, special=False, rstrip=True),
        extra_special_tokens=[token("new tok", single_word=True, lstrip=True), "<word>"], image_token=token("plain", rstrip=True)),
    f"{GPT2}, vocab.json, tokens keep their flags": pair(
        tokenizer_class=GPT2, bos_token=token("<left>", lstrip=True), mask_token=token("<norm>", normalized=True, special=False, rstrip=True),
        extra_special_tokens=[token("new tok", single_word=True, lstrip=True), "<word>"], image_token=token("plain", rstrip=True)),
    f"{QWEN2}, vocab.json, added_tokens_decoder": pair(
        tokenizer_class=QWEN2, added_tokens_decoder={"3": token("<|im_start|>"), "4000": token("<left>", lstrip=True), "4001": token("<mine>", special=False, normalized=True)},
        eos_token="<|im_start|>", pad_token="<left>", additional_special_tokens=["<|im_start|>", "<left>"]),
    f"{QWEN2}, vocab.json, older files": {**pair(tokenizer_class=QWEN2), "special_tokens_map.json": {"eos_token": "<|im_end|>", "bos_token": {"content": "<s>", "rstrip": True}},
                                          "added_tokens.json": {"<left>": 4000, "<right>": 4001}},
    "type gpt2, vocab.json": of_type("gpt2", pair()), "type qwen3, vocab.json": of_type("qwen3", pair()),
    "type qwen2, vocab.json, another class": of_type("qwen2", pair(tokenizer_class=GPT2)),
    "class of config.json, vocab.json": of_type("llama", pair(), tokenizer_class=GPT2),
    **{f"{name}, bytes": level(tokenizer_class=name) for name in (GPT2, QWEN2, GEMMA, LLAMA, LLAMA + "Fast", GENERAL)},
    **{f"{name}, bytes, no post-processor": level({"post_processor": None}, tokenizer_class=name, add_bos_token=True, add_eos_token=True) for name in (GPT2, QWEN2)},
    **{f"{name}, bytes, space": level({"post_processor": LEVEL}, tokenizer_class=name, add_prefix_space=True) for name in (GPT2, QWEN2, GENERAL)},
    **{f"{name}, fallback": fallback(tokenizer_class=name) for name in (GEMMA, GEMMA + "Fast", LLAMA, LLAMA + "Fast", QWEN2, GENERAL, "TokenizersBackend")},
    **{f"{LLAMA}, fallback, legacy {legacy}, space {space}": fallback({"pre_tokenizer": metaspace()}, tokenizer_class=LLAMA, legacy=legacy, add_prefix_space=space)
       for legacy, space in ((True, None), (True, False), (False, False), (None, True))},
    f"{GEMMA}, fallback, space": fallback(tokenizer_class=GEMMA, add_prefix_space=True),
    f"{GEMMA}, fallback, unknown": {**fallback(tokenizer_class=GEMMA, unk_token=token("</s>")), "config.json": {}},
    **{f"{name}, fallback, padding": padded("the", fallback(tokenizer_class=name, bos_token=token("<s>", lstrip=True, rstrip=True))) for name in (LLAMA, GEMMA)},
    "type gemma3_text, fallback": of_type("gemma3_text", fallback(bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<left>")),
    "type llama, class llama": of_type("llama", fallback({"decoder": LLAMA_DECODER}, tokenizer_class=LLAMA + "Fast")),
    "type llama": of_type("llama", fallback({"decoder": LLAMA_DECODER})), "type smollm3": of_type("smollm3", level()),
    "type mistral, class llama": of_type("mistral", fallback(tokenizer_class=LLAMA)), "type phi3, class llama": of_type("phi3", fallback(tokenizer_class=LLAMA)),
    "type qwen2, general class": of_type("qwen2", level(tokenizer_class=GENERAL)), "type qwen3, general class": of_type("qwen3", level(tokenizer_class=GENERAL)),
    "type qwen3": of_type("qwen3", level()), "type qwen2_moe, class llama": of_type("qwen2_moe", level(tokenizer_class=LLAMA)),
    "type gpt2": of_type("gpt2", level()), "no class": level(), "type roberta": of_type("roberta", level()), "type roberta, vocab.json": of_type("roberta", pair(cls_token="the")),
    **{f"{ROBERTA_NAME}, {name}": made for name, made in {
        "bytes": level(tokenizer_class=ROBERTA_NAME), "Fast": level(tokenizer_class=ROBERTA_NAME + "Fast", add_prefix_space=True), "vocab.json": pair(tokenizer_class=ROBERTA_NAME),
        "no post-processor": level({"post_processor": None}, tokenizer_class=ROBERTA_NAME, add_bos_token=True, sep_token="<s>", cls_token=token("</s>")),
        "mask": level(tokenizer_class=ROBERTA_NAME, mask_token=token("<mask>", lstrip=True))}.items()},
}


class Theirs:
    """AutoTokenizer, as tokenizer_library.agree asks."""

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(str(folder))
        self.backend = self.tokenizer.backend_tokenizer
        self.backend.no_padding()
        self.backend.no_truncation()

    def encode_batch(self, texts):
        return self.backend.encode_batch(texts)


@functools.cache
def texts_of(words, count):
    return [*CodeTexts(31, words).take(count), *map(chr, range(0x180))]


def compare(folder, count):
    ours, theirs = Ours(folder), Theirs(folder)
    texts = texts_of(tuple(sorted(theirs.backend.get_vocab(with_added_tokens=False))), count)
    assert agree(ours, theirs, texts) == len(texts)
    agree(ours, theirs, ["", " ", "the", " the", "the ", "<s>", "</s> <s>a", " <s>  x", "<unk>", "a<left>  b <right> c", "é e\u0301 ﬁ", "<|endoftext|> a", "1234"])
    for found in theirs.encode_batch(texts[:count // 5]):
        for skip in (False, True):
            assert ours.decode(found.ids, skip) == theirs.tokenizer.decode(found.ids, skip_special_tokens=skip), found.ids


@pytest.mark.parametrize("case", CASES)
def test_ids_and_texts_are_the_same(case, tmp_path):
    compare(write(tmp_path, CASES[case]), COUNT)


@pytest.mark.parametrize("folder", MODELS, ids=[folder.name for folder in MODELS])
def test_ids_of_real_models_are_the_same(folder):
    compare(folder, COUNT)


def test_a_table_has_both_files(tmp_path):
    folder, table = write(tmp_path / "model", {**CASES["type qwen3, vocab.json"], "model.safetensors": SAFETENSORS}), tmp_path / "v1.parquet"
    assert run("convert", folder, "-o", table, "-q").returncode == 0
    ours, again, texts = Ours(folder), Ours(table), list(CodeTexts(33, ["the"]).take(20))
    assert [again.encode(text) for text in texts] == [ours.encode(text) for text in texts]


# What the reference fails on, or makes nothing of that could be meant, is refused with these words.
REFUSED = {
    "no class": (pair(), "'PreTrainedTokenizerFast', which needs a tokenizer.json"),
    "general": (pair(tokenizer_class=GENERAL), "'PreTrainedTokenizerFast', which needs a tokenizer.json"),
    "type llama": (of_type("llama", pair()), "'PreTrainedTokenizerFast', which needs a tokenizer.json"),
    "Gemma": (pair(tokenizer_class=GEMMA), "the tokenizer's class needs a tokenizer.json"),
    "Llama": (pair(tokenizer_class=LLAMA), "the tokenizer's class needs a tokenizer.json"),
    "BERT": (pair(tokenizer_class="BertTokenizer"), "needs a tokenizer.json or a vocab.txt"),
    "another class": (pair(tokenizer_class="CLIPTokenizer"), "'CLIPTokenizer'"),
    "space": (pair(tokenizer_class=GPT2, add_prefix_space="yes"), "'add_prefix_space' is neither true nor false"),
    "unknown": (fallback(tokenizer_class=GEMMA, unk_token=None), "'unk_token' is null"),
    "no merges": ({**pair(tokenizer_class=GPT2), "merges.txt": None}, "but vocab.json"),
    **{f"merges {name}": ({**pair(tokenizer_class=GPT2), "merges.txt": text}, says) for name, text, says in (
        ("with an empty line", "#version: 0.2\n\nt h\n", "the merge '' is not two tokens"), ("of three", "t h e\n", "the merge 't h e'"),
        ("that are not there", "zzz qqq\n", "does not hold the token 'zzz'"), ("with a comment", "# t\n", "'#"))},
    "a word of WordPiece": ({"tokenizer.json": {**level()["tokenizer.json"], "model": {"type": "WordPiece", "vocab": {"[UNK]": 0}}},
                             "tokenizer_config.json": {"tokenizer_class": QWEN2}}, "the tokenizer's model is 'WordPiece', and its class is one of 'BPE'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_followed_is_refused(case, tmp_path):
    files, says = REFUSED[case]
    with pytest.raises(Refused, match=re.escape(says)):
        Ours(write(tmp_path, files))
