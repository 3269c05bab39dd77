"""The ids of folders whose tokenizer a class of transformers makes of Unigram pieces are those of AutoTokenizer, on texts of
every kind. No difference is allowed. AQ_CLASS_TEXTS=N takes another number of texts for each; AQ_UNIGRAM_FOLDERS=FOLDER:... adds
real models."""

import json
import os
import pathlib
import re

import pytest
from charsmaps import nmt_nfkc, precompiled
from test_tokenizer_classes import compare, of_type, token
from tiny_bpe import metaspace, sequence, split
from tiny_folders import write
from tiny_unigram import WORDS, XLMR_FRAME, made, pieces, ties
from tokenizer_library import Ours, Refused

COUNT = int(os.environ.get("AQ_CLASS_TEXTS", "150"))
MODELS = [pathlib.Path(folder) for folder in os.environ.get("AQ_UNIGRAM_FOLDERS", "").split(":") if folder]
XLMR, CAMEMBERT, ALBERT, DEBERTA, GENERAL, T5 = "XLMRobertaTokenizer", "CamembertTokenizer", "AlbertTokenizer", "DebertaV2Tokenizer", "PreTrainedTokenizerFast", "T5Tokenizer"
NOTUSED = [["<s>NOTUSED", 0.0], ["<pad>", 0.0], ["</s>NOTUSED", 0.0], ["<unk>", 0.0], ["<unk>NOTUSED", -100.0]]


def with_head(*head):
    """The trained pieces behind others."""
    first = [[content, 0.0] for content in head]
    return [*first, *(pair for pair in pieces() if pair[0] not in head)]


def folder(vocab=None, made_of=None, **config):
    """Stages that are no class's own, so that it shows which of them count."""
    stages = {"normalizer": precompiled(nmt_nfkc()), "pre_tokenizer": split(" ", kind="String"), "decoder": {"type": "Fuse"}, "post_processor": XLMR_FRAME, **(made_of or {})}
    return {"tokenizer.json": made(vocab, special=vocab is None, **stages), "tokenizer_config.json": config}


BERT_LIKE = with_head("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>")
DEBERTA_LIKE = with_head("[PAD]", "[CLS]", "[SEP]", "[UNK]", "<s>", "</s>")
BYTES_LIKE = [*NOTUSED, *(pair for pair in pieces() if pair[0] not in dict(NOTUSED))]
T5_LIKE = [*(pair for pair in with_head("<pad>", "</s>", "<unk>") if not pair[0].startswith("<extra_id_")), *([f"<extra_id_{i}>", 0.0] for i in range(99, -1, -1))]
SENTINELS = {str(len(T5_LIKE) - 1 - i): token(f"<extra_id_{i}>") for i in range(100)}
LATER = {"normalizer": sequence("normalizers", {"type": "Lowercase"}, precompiled(nmt_nfkc()), {"type": "Strip", "strip_left": True, "strip_right": True})}
ALBERT_FRAME = {**XLMR_FRAME, "special_tokens": {"<s>": {"id": "<s>", "ids": [2], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [3], "tokens": ["</s>"]}}}
CASES = {
    **{name: folder(tokenizer_class=name) for name in (XLMR, XLMR + "Fast", CAMEMBERT, GENERAL)},
    f"{XLMR}, ties": folder(ties(), {"normalizer": None}, tokenizer_class=XLMR),
    f"{XLMR}, charsmap in a sequence": folder(None, LATER, tokenizer_class=XLMR),
    f"{XLMR}, no space": folder(tokenizer_class=XLMR, add_prefix_space=False),
    f"{XLMR}, space null": folder(tokenizer_class=XLMR, add_prefix_space=None),
    f"{XLMR}, no normalizer, no frame": folder(None, {"normalizer": None, "post_processor": None}, tokenizer_class=XLMR),
    f"{XLMR}, bos and eos": folder(tokenizer_class=XLMR, add_bos_token=True, add_eos_token=False, bos_token="</s>", eos_token="q"),
    f"{XLMR}, tokens with flags": folder(tokenizer_class=XLMR, mask_token=token("<mask>", lstrip=True), additional_special_tokens=["<left>", "▁the"], sep_token="▁of"),
    f"{XLMR}, as it is saved": folder(
        tokenizer_class=XLMR, added_tokens_decoder={"0": token("<s>"), "1": token("<pad>"), "2": token("</s>"), "3": token("<unk>"), str(len(pieces())): token("<mask>", lstrip=True)},
        bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", unk_token="<unk>", pad_token="<pad>", mask_token="<mask>", model_max_length=512, sp_model_kwargs={}),
    "type xlm-roberta": of_type("xlm-roberta", folder()), "type bert, XLM-R": of_type("bert", folder(tokenizer_class=XLMR)),
    "type xlm-roberta, general": of_type("xlm-roberta", folder(tokenizer_class=GENERAL)),
    "type camembert": of_type("camembert", folder(BYTES_LIKE)), "type albert": of_type("albert", folder(BERT_LIKE, {"post_processor": None})),
    "type deberta-v2": of_type("deberta-v2", folder(DEBERTA_LIKE)),
    f"{CAMEMBERT}, NOTUSED": folder(BYTES_LIKE, tokenizer_class=CAMEMBERT),
    f"{CAMEMBERT}, unknown": folder(BYTES_LIKE, tokenizer_class=CAMEMBERT, unk_token="▁the", add_prefix_space=False),
    f"{CAMEMBERT}, unknown not there": folder(BYTES_LIKE, tokenizer_class=CAMEMBERT, unk_token="<nothing>", additional_special_tokens=["<left>"]),
    f"{CAMEMBERT}, mask with flags": folder(BYTES_LIKE, tokenizer_class=CAMEMBERT, mask_token=token("<mask>", rstrip=True), extra_special_tokens=["<left>"]),
    f"{CAMEMBERT}, names": folder(BYTES_LIKE, tokenizer_class=CAMEMBERT, extra_special_tokens={"x": "▁of"}),
    f"{CAMEMBERT}, mask": folder(BYTES_LIKE, tokenizer_class=CAMEMBERT, mask_token="<mask>", additional_special_tokens=[]),
    **{f"{ALBERT}, {name}": folder(BERT_LIKE, tokenizer_class=ALBERT, **options) for name, options in {
        "plain": {}, "accents": {"keep_accents": True}, "capitals": {"do_lower_case": False}, "both": {"keep_accents": True, "do_lower_case": False},
        "null": {"do_lower_case": None, "keep_accents": None, "add_prefix_space": False}, "bos": {"add_bos_token": True}, "eos": {"add_eos_token": True, "add_bos_token": None}}.items()},
    **{f"{T5}, {name}": folder(T5_LIKE, tokenizer_class=T5, **options) for name, options in {
        "plain": {}, "no space": {"add_prefix_space": False}, "few": {"extra_ids": 3}, "none": {"extra_ids": 0}, "eos": {"eos_token": "▁the", "add_eos_token": False},
        "listed": {"additional_special_tokens": [f"<extra_id_{i}>" for i in range(100)], "extra_ids": 100},
        "as it is saved": {"additional_special_tokens": [f"<extra_id_{i}>" for i in range(100)], "extra_ids": 100, "added_tokens_decoder": {"0": token("<pad>"), "1": token("</s>"), "2": token("<unk>"), **SENTINELS}},
        "as 5 saves it": {"extra_special_tokens": [f"<extra_id_{i}>" for i in range(100)], "extra_ids": 100}, "others": {"extra_special_tokens": ["▁of"]}, "no others": {"additional_special_tokens": []},
        "names": {"extra_special_tokens": {"x": "▁of"}}, "null": {"additional_special_tokens": None}}.items()},
    f"{T5}, not in the vocabulary": folder(None, tokenizer_class=T5), "type mt5": of_type("mt5", folder(T5_LIKE)), "type t5": of_type("t5", folder(T5_LIKE, {"post_processor": None})),
    f"{ALBERT}, no frame": folder(BERT_LIKE, {"post_processor": None}, tokenizer_class=ALBERT),
    f"{ALBERT}, no frame, bos": folder(BERT_LIKE, {"post_processor": None}, tokenizer_class=ALBERT, add_bos_token=True, cls_token="<s>"),
    f"{ALBERT}, frame": folder(BERT_LIKE, {"post_processor": ALBERT_FRAME}, tokenizer_class=ALBERT, cls_token="<s>", sep_token="</s>"),
    **{f"{DEBERTA}, {name}": folder(DEBERTA_LIKE, tokenizer_class=DEBERTA, **options) for name, options in {
        "plain": {}, "lower": {"do_lower_case": True}, "punctuation": {"split_by_punct": True}, "first": {"add_prefix_space": False, "split_by_punct": True},
        "first, no punctuation": {"add_prefix_space": False, "do_lower_case": None}, "unknown": {"unk_token": "▁the", "unk_id": 4}, "unk_id": {"unk_token": "<other>", "unk_id": 3},
        "bos": {"add_bos_token": True, "bos_token": "<s>"}, "vocab_type": {"vocab_type": "spm", "sp_model_kwargs": {}}}.items()},
    f"{DEBERTA}, no frame": folder(DEBERTA_LIKE, {"post_processor": None, "pre_tokenizer": WORDS, "decoder": metaspace()}, tokenizer_class=DEBERTA),
}


@pytest.mark.parametrize("case", CASES)
def test_ids_and_texts_are_the_same(case, tmp_path):
    compare(write(tmp_path, CASES[case]), COUNT)


@pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])
def test_ids_of_real_models_are_the_same(model):
    compare(model, COUNT)


REFUSED = {
    "no tokenizer.json": ({"vocab.txt": "a\n", "tokenizer_config.json": {"tokenizer_class": XLMR}}, "needs a tokenizer.json"),
    "WordPiece": ({"tokenizer.json": {"model": {"type": "WordPiece", "vocab": {"[UNK]": 0}}}, "tokenizer_config.json": {"tokenizer_class": XLMR}}, "'WordPiece', and its class is one of 'Unigram'"),
    "BERT": (folder(tokenizer_class="BertTokenizer"), "'Unigram', and its class is one of 'WordPiece'"),
    "Pegasus": (folder(tokenizer_class="PegasusTokenizer"), "'PegasusTokenizer'"),
    "extra_ids": (folder(T5_LIKE, tokenizer_class=T5, extra_ids=-1), "'extra_ids' is -1"),
    "unknown": (folder(tokenizer_class=CAMEMBERT, unk_token=None), "'unk_token' is null"),
    "few pieces": (folder([["a", 0.0]], {"post_processor": None}, tokenizer_class=XLMR), "id of the unknown token is 3"),
    "frame": (folder(ties(), tokenizer_class=DEBERTA), "does not hold the cls_token '[CLS]'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_followed_is_refused(case, tmp_path):
    files, says = REFUSED[case]
    with pytest.raises(Refused, match=re.escape(says)):
        Ours(write(tmp_path, json.loads(json.dumps(files)) if "vocab.txt" not in files else files))
