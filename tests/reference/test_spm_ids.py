"""The ids of folders with a model of SentencePiece and no tokenizer.json are those of AutoTokenizer, on texts of every kind. The
models are trained here on the lines of this project. No difference is allowed. AQ_CLASS_TEXTS=N takes another number of texts for
each."""

import functools
import io
import os
import pathlib
import re
import sys

import pytest
from test_tokenizer_classes import compare, of_type, token
from tiny_folders import SAFETENSORS, run, write
from tiny_unigram import OTHERS
from tokenizer_library import Ours, Refused
from tokenizer_texts import real_lines

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
import spm_writer

trainer = pytest.importorskip("sentencepiece", reason="transformers reads such models by this package").SentencePieceTrainer
pytest.importorskip("google.protobuf", reason="transformers reads such models by this package")

COUNT = int(os.environ.get("AQ_CLASS_TEXTS", "150"))
FAIRSEQ, SPIECE, SPM, TOKENIZER = "sentencepiece.bpe.model", "spiece.model", "spm.model", "tokenizer.model"
XLMR, CAMEMBERT, ALBERT, DEBERTA, T5 = "XLMRobertaTokenizer", "CamembertTokenizer", "AlbertTokenizer", "DebertaV2Tokenizer", "T5Tokenizer"
LLAMA, GEMMA, GENERAL = "LlamaTokenizer", "GemmaTokenizer", "PreTrainedTokenizerFast"
TRAINED = {
    "unigram": {"vocab_size": 2000},
    "unigram, user": {"vocab_size": 1500, "user_defined_symbols": ["<left>", "new tok", "▁the"], "control_symbols": ["<ctl>", "[CLS]", "[SEP]"], "byte_fallback": True,
                      "normalization_rule_name": "nfkc_cf"},
    "albert": {"vocab_size": 2000, "pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"], "user_defined_symbols": ["(", ")"]},
    "t5": {"vocab_size": 2000, "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
    "deberta": {"vocab_size": 2000, "pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]",
                "normalization_rule_name": "identity"},
    "llama": {"vocab_size": 2000, "model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity", "split_digits": True, "remove_extra_whitespaces": False},
    "gemma": {"vocab_size": 2000, "model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity", "pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3,
              "bos_piece": "<bos>", "eos_piece": "<eos>", "user_defined_symbols": ["<mask>", "\t", "  ", "▁▁", "▁▁▁", "<unused0>"], "remove_extra_whitespaces": False},
    "bpe": {"vocab_size": 2000, "model_type": "bpe"},
    "word": {"vocab_size": 1000, "model_type": "word"},
    "char": {"vocab_size": 150, "model_type": "char"},
}


@functools.cache
def trained(name):
    made = io.BytesIO()
    lines = real_lines()[::9] + OTHERS * 40
    trainer.train(sentence_iterator=iter(lines), model_writer=made, minloglevel=2, character_coverage=0.995, **{"model_type": "unigram", **TRAINED[name]})
    return made.getvalue()


def folder(model, file, more=None, **config):
    """The model is made when the test runs: a name of TRAINED, or bytes."""
    return {file: model, "tokenizer_config.json": config, **(more or {})}


def listed(*contents, **more):
    return {str(number): token(content) for number, content in enumerate(contents)} | more


SENTINELS = [f"<extra_id_{i}>" for i in range(100)]
MASK_MAP = {"special_tokens_map.json": {"mask_token": {"content": "<mask>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": True}}}
CASES = {
    XLMR: folder("unigram", FAIRSEQ, tokenizer_class=XLMR), f"{XLMR}, user": folder("unigram, user", FAIRSEQ, tokenizer_class=XLMR),
    f"{XLMR}, other name": folder("unigram", TOKENIZER, {FAIRSEQ: "t5"}, tokenizer_class=XLMR + "Fast"),
    f"{XLMR}, tokens": folder("unigram", FAIRSEQ, tokenizer_class=XLMR, pad_token="<PAD>", mask_token=token("[MASK]", lstrip=True), cls_token=None, additional_special_tokens=["▁of"]),
    f"{XLMR}, names": folder("unigram, user", FAIRSEQ, tokenizer_class=XLMR, extra_special_tokens={"x": "▁of"}, add_prefix_space=False),
    f"{XLMR}, listed": folder("unigram, user", FAIRSEQ, tokenizer_class=XLMR, added_tokens_decoder=listed("<s>", "<pad>", "</s>", "<unk>", **{"1501": token("<mask>", lstrip=True)})),
    f"{XLMR}, map": folder("unigram", FAIRSEQ, MASK_MAP, tokenizer_class=XLMR), "type xlm-roberta": of_type("xlm-roberta", folder("unigram", FAIRSEQ)),
    **{f"{CAMEMBERT}, {name}": folder(model, FAIRSEQ, tokenizer_class=CAMEMBERT, **options) for name, model, options in [
        ("plain", "unigram", {}), ("user", "unigram, user", {}), ("mask", "unigram", {"mask_token": token("<mask>", rstrip=True)}), ("null", "unigram", {"additional_special_tokens": None}),
        ("listed", "unigram", {"additional_special_tokens": ["<s>NOTUSED", "</s>NOTUSED"], "unk_token": "[UNK]"})]},
    "type camembert": of_type("camembert", folder("unigram", FAIRSEQ)),
    **{f"{ALBERT}, {name}": folder("albert", SPIECE, tokenizer_class=ALBERT, **options) for name, options in {
        "plain": {}, "accents": {"do_lower_case": False, "keep_accents": True}, "cls": {"cls_token": "[SEP]"}, "extra": {"extra_special_tokens": ["▁of"]}}.items()},
    "type albert": of_type("albert", folder("albert", SPIECE)),
    **{f"{T5}, {name}": folder("t5", SPIECE, tokenizer_class=T5, **options) for name, options in {
        "plain": {}, "few": {"extra_ids": 3}, "none": {"extra_ids": 0}, "listed": {"additional_special_tokens": SENTINELS}, "names": {"extra_special_tokens": {"x": "▁of"}}}.items()},
    f"{T5}, user": folder("unigram, user", SPIECE, tokenizer_class=T5), "type t5": of_type("t5", folder("t5", SPIECE)), "type mt5": of_type("mt5", folder("t5", SPIECE)),
    f"{T5}, map": folder("t5", SPIECE, {"special_tokens_map.json": {"additional_special_tokens": SENTINELS, "eos_token": "</s>"}}, tokenizer_class=T5),
    **{f"{DEBERTA}, {name}": folder("deberta", SPM, tokenizer_class=DEBERTA, **options) for name, options in {
        "plain": {}, "lower": {"do_lower_case": True, "split_by_punct": True}, "unknown": {"unk_token": "<x>", "unk_id": 5}}.items()},
    f"{DEBERTA}, added": folder("deberta", SPM, {"added_tokens.json": {"[MASK]": 2000}}, tokenizer_class=DEBERTA), f"{DEBERTA}, user": folder("unigram, user", SPM, tokenizer_class=DEBERTA),
    "type deberta-v2": of_type("deberta-v2", folder("deberta", SPM)),
    **{f"{LLAMA}, {name}": folder("llama", TOKENIZER, tokenizer_class=LLAMA, **options) for name, options in {
        "plain": {}, "legacy": {"legacy": True, "add_bos_token": True, "add_eos_token": True}, "no space": {"add_prefix_space": False},
        "listed": {"added_tokens_decoder": listed("<unk>", "<s>", "</s>"), "add_bos_token": True}}.items()},
    f"{LLAMA}, no bytes": folder("bpe", TOKENIZER, tokenizer_class=LLAMA), f"{LLAMA}, user": folder("gemma", TOKENIZER, tokenizer_class=LLAMA),
    GEMMA: folder("gemma", TOKENIZER, tokenizer_class=GEMMA, add_bos_token=True), "type gemma2": of_type("gemma2", folder("gemma", TOKENIZER)),
    f"{GEMMA}, not its own": folder("llama", TOKENIZER, tokenizer_class=GEMMA),
    **{f"{GENERAL}, {name}": folder(name, TOKENIZER, tokenizer_class=GENERAL, **options) for name, options in {
        "llama": {}, "bpe": {}, "unigram": {}, "unigram, user": {"add_bos_token": True, "add_eos_token": True}, "gemma": {"bos_token": "<bos>", "add_bos_token": True}}.items()},
    "type mistral": of_type("mistral", folder("llama", TOKENIZER, tokenizer_class=LLAMA, add_bos_token=True, added_tokens_decoder=listed("<unk>", "<s>", "</s>"))),
    "type phi3": of_type("phi3", folder("gemma", TOKENIZER, tokenizer_class=LLAMA)),
}


def put(path, files):
    return write(path, {name: trained(value) if isinstance(value, str) and value in TRAINED else value for name, value in files.items()})


@pytest.mark.parametrize("case", CASES)
def test_ids_and_texts_are_the_same(case, tmp_path):
    compare(put(tmp_path, {"config.json": {}, **CASES[case]}), COUNT)


def test_a_table_has_the_model(tmp_path):
    model, table = put(tmp_path / "model", {**CASES[f"{XLMR}, user"], "model.safetensors": SAFETENSORS}), tmp_path / "apart" / "v1.parquet"
    table.parent.mkdir()
    assert run("convert", model, "-o", table, "-q").returncode == 0
    ours, again = Ours(model), Ours(table)
    for text in real_lines()[::400]:
        assert again.encode(text) == ours.encode(text)
    assert run("export", table, "-o", tmp_path / "folder", "--to", "safetensors", "-q").returncode == 0
    assert (tmp_path / "folder" / FAIRSEQ).read_bytes() == trained("unigram, user")


REFUSED = {
    "words": (folder("word", FAIRSEQ, tokenizer_class=XLMR), "model_type is 3 (words)"), "characters": (folder("char", SPIECE, tokenizer_class=T5), "model_type is 4 (characters)"),
    "BPE": (folder("bpe", FAIRSEQ, tokenizer_class=XLMR), "'BPE', and its class is one of 'Unigram'"),
    "Unigram": (folder("unigram", TOKENIZER, tokenizer_class=LLAMA), "'Unigram', and its class is one of 'BPE'"),
    "name": (folder("albert", SPM, tokenizer_class=ALBERT), "which reads a spiece.model, and this is a spm.model"),
    "BERT": (folder("unigram", SPIECE, tokenizer_class="BertTokenizer"), "'BertTokenizer', which does not read a model of SentencePiece"),
    "renamed": (of_type("mistral", folder("llama", TOKENIZER, added_tokens_decoder={"3": token("<new>")})), "gives piece 3 of the model another text"),
    "twice": (folder(spm_writer.model([("<unk>", 0.0, 2), ("a", 0.0), ("a", 0.0)]), SPIECE, tokenizer_class=ALBERT), "'a' is there twice"),
    "tiktoken": (folder("IQ== 0\nIg== 1\n", TOKENIZER, tokenizer_class=LLAMA), "holds no pieces"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_followed_is_refused(case, tmp_path):
    files, says = REFUSED[case]
    with pytest.raises(Refused, match=re.escape(says)):
        Ours(put(tmp_path, files))
