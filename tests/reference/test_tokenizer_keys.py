"""Every key of a tokenizer's files, one at a time, on a tiny model: the ids are AutoTokenizer's and the vectors those of
SentenceTransformer, or the model is refused with the name of the file and the key. docs/TOKENIZER.md has the keys in words."""

import json

import numpy as np
import pytest
import sentence_transformers
from tiny_folders import (
    CONFIG,
    MODULES,
    POOLING,
    SAFETENSORS,
    SPECIAL,
    WORDS,
    bert_normalizer,
    embed,
    model_folder,
    run,
    tokenize,
    tokenizer_json,
    wordpiece,
)

TEXTS = [
    "The Cat sat [MASK] on the mat.",
    "THE [mask] x[SEP]y [CLS] [PAD] [UNK]",
    "foo FOO fOo bar <s> <S> </s> <mask>  z <pad>",
    "Éé café <img> <IMG> a<img>b",
    "NEW new c\u200bat 中文 the",
    "dog, " * 30,
    "",
    "   \t ",
    "the   [MASK]   cat",
    "İ Å Ǆ ẞ ¼ e\u0301 \uff41",
]
GENERAL = "PreTrainedTokenizerFast"
MASK = {"content": "[MASK]", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
TYPED = {"__type": "AddedToken", **MASK}
IMG = len(WORDS)


def config(**changes):
    return {"tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "model_max_length": 16, **changes}}


def general(**changes):
    return {"tokenizer_config.json": {"tokenizer_class": GENERAL, "model_max_length": 16, "pad_token": "[PAD]"},
            "tokenizer.json": tokenizer_json(**changes)}


def vocab(**changes):
    return {"tokenizer.json": None, "vocab.txt": "\n".join(WORDS) + "\n", **config(**changes)}


def sentence(**changes):
    return {"sentence_bert_config.json": changes}


def added(content, number, **flags):
    return {"id": number, **MASK, "content": content, **flags}


def sequence(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


LOWER, NFD, MARKS = {"type": "Lowercase"}, {"type": "NFD"}, {"type": "StripAccents"}
CASED = bert_normalizer(lowercase=False)
RESAVED = {"transformer_task": "feature-extraction", "module_output_name": "token_embeddings",
           "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}}
ROBERTA_FRAME = {"type": "RobertaProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2], "trim_offsets": True, "add_prefix_space": False}

HONOURED = {
    # tokenizer_config.json
    "plain": {},
    "do_lower_case": config(do_lower_case=False),
    "do_lower_case by default": config(),
    "strip_accents": config(strip_accents=False),
    "strip_accents, cased": config(do_lower_case=False, strip_accents=True),
    "tokenize_chinese_chars": config(tokenize_chinese_chars=False),
    "unk_token": config(unk_token="foo"),
    "cls_token": config(cls_token="<s>"),
    "sep_token": config(sep_token={**TYPED, "content": "</s>", "lstrip": True}),
    "pad_token": config(pad_token="<pad>"),
    "mask_token": config(mask_token="<mask>"),
    "mask_token, null": {**config(mask_token=None), "tokenizer.json": tokenizer_json(added_tokens=[])},
    "mask_token, lstrip": {**config(mask_token={**TYPED, "lstrip": True, "rstrip": True}), "tokenizer.json": tokenizer_json(added_tokens=[])},
    "bos_token": config(bos_token="<s>"),
    "eos_token": config(eos_token="<img>"),
    "token of another name": config(image_token="<img>"),
    "additional_special_tokens": config(additional_special_tokens=["<img>", "dog"]),
    "extra_special_tokens": config(extra_special_tokens=["<img>", {**TYPED, "content": "NEW", "normalized": True, "special": False}]),
    "extra_special_tokens, named": config(extra_special_tokens={"image": "<img>"}, additional_special_tokens=["dog"]),
    "added_tokens_decoder": config(added_tokens_decoder={"4": MASK, str(IMG): {**MASK, "content": "NEW", "normalized": True, "special": False}}),
    "added_tokens_decoder, single_word": config(added_tokens_decoder={str(IMG): {**MASK, "content": "<img>", "single_word": True}}),
    "added_tokens_decoder hides the other files": {**config(added_tokens_decoder={}), "added_tokens.json": {"<img>": IMG},
                                                   "special_tokens_map.json": {"cls_token": "<s>"}},
    "split_special_tokens": config(split_special_tokens=True),
    "model_max_length": {**config(model_max_length=6), **sentence()},
    "model_max_length, none": {**config(model_max_length=10**30), **sentence()},
    "model_max_length, a sentence config that is as saved today": {**config(model_max_length=7), **sentence(**RESAVED)},
    "model_max_length, null": {**config(model_max_length=None), **sentence()},
    "max_len": {"tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "max_len": 6}, **sentence()},
    "truncation_side": config(truncation_side="left"),
    "padding_side": config(padding_side="right"),
    "model_input_names": config(model_input_names=["input_ids", "attention_mask"]),
    "tokenizer_class, general": {**config(tokenizer_class=GENERAL, pad_token="[PAD]", do_lower_case=True),
                                 "tokenizer.json": tokenizer_json(normalizer=CASED)},
    "tokenizer_class, MPNet's": config(tokenizer_class="MPNetTokenizer"),
    "tokenizer_class of config.json": {"config.json": {**CONFIG, "tokenizer_class": GENERAL}, "tokenizer_config.json": {"pad_token": "[PAD]"},
                                       "tokenizer.json": tokenizer_json(normalizer=CASED)},
    "no class, no configuration": {"tokenizer_config.json": None, "tokenizer.json": tokenizer_json(normalizer=CASED)},
    "what has no effect": config(never_split=["cat"], do_basic_tokenize=False, clean_text=False, wordpieces_prefix="@@", max_length=3, stride=1,
                                 truncation_strategy="only_second", pad_to_multiple_of=8, pad_token_type_id=1, add_bos_token=True,
                                 add_eos_token=True, add_prefix_space=True, clean_up_tokenization_spaces=True, name_or_path="x",
                                 tokenizer_file="/x", vocab_file="/x", special_tokens_map_file="/x", backend="tokenizers", is_local=True,
                                 local_files_only=True, use_fast=False, chat_template="{{ messages }}", something="else"),
    # special_tokens_map.json, added_tokens.json, vocab.txt
    "special_tokens_map.json": {"special_tokens_map.json": {"cls_token": "<s>", "mask_token": {**MASK, "content": "<img>", "rstrip": True},
                                                            "additional_special_tokens": ["dog"]}},
    "special_tokens_map.json, extra": {**config(extra_special_tokens=["bar"]), "special_tokens_map.json": {"extra_special_tokens": ["<img>"]}},
    "added_tokens.json": {"added_tokens.json": {"<img>": IMG, "NEW": IMG + 1}},
    "added_tokens.json, special": {**config(mask_token="<img>"), "added_tokens.json": {"<img>": IMG}},
    "vocab.txt": vocab(),
    "vocab.txt, cased": vocab(do_lower_case=False, strip_accents=True),
    "vocab.txt, no configuration": {"tokenizer.json": None, "vocab.txt": "\n".join(WORDS), "tokenizer_config.json": None},
    "vocab.txt, white space at the ends": {"tokenizer.json": None, "vocab.txt": " \r\n".join(WORDS) + "\n\n\nzed\n", **config(mask_token="<img>")},
    # tokenizer.json, of a class that takes the vocabulary alone
    "tokenizer.json's normalizer": {"tokenizer.json": tokenizer_json(normalizer={"type": "NFKC"}, pre_tokenizer=None, post_processor=None)},
    "lower case in front": {**config(do_lower_case=False), "tokenizer.json": tokenizer_json(normalizer=sequence(LOWER, CASED))},
    "tokenizer.json's model": {"tokenizer.json": tokenizer_json(model=wordpiece(unk_token="foo", continuing_subword_prefix="@@", max_input_chars_per_word=3))},
    "truncation": {"tokenizer.json": tokenizer_json(truncation={"direction": "Left", "max_length": 4, "strategy": "OnlyFirst", "stride": 1})},
    "truncation, and truncation_side": {**config(truncation_side="right"), "tokenizer.json": tokenizer_json(
        truncation={"direction": "Left", "max_length": 4, "strategy": "LongestFirst", "stride": 0})},
    "padding": {"tokenizer.json": tokenizer_json(padding={"strategy": {"Fixed": 20}, "direction": "Right", "pad_to_multiple_of": 8, "pad_id": 5,
                                                          "pad_type_id": 1, "pad_token": "cat"})},
    "added_tokens": {"tokenizer.json": tokenizer_json(added_tokens=[added("[MASK]", 4, lstrip=True), added("<img>", IMG, normalized=True),
                                                                    added("NEW", IMG + 1, special=False, single_word=True)])},
    # tokenizer.json as it is
    "general": general(),
    "general, version": {k: {n: v for n, v in f.items() if n != "version"} if k == "tokenizer.json" else f for k, f in general().items()},
    "general, no normalizer": general(normalizer=None),
    **{f"general, normalizer {i}": general(normalizer=n) for i, n in enumerate([
        LOWER, NFD, MARKS, CASED, bert_normalizer(strip_accents=False), bert_normalizer(clean_text=False), bert_normalizer(handle_chinese_chars=False),
        sequence(), sequence(LOWER, CASED), sequence(NFD, MARKS, LOWER), sequence(sequence(LOWER), sequence(NFD, MARKS)), sequence(MARKS, NFD)])},
    "general, added_tokens": general(added_tokens=[added("[MASK]", 4, rstrip=True), added("NEW", IMG, special=False, normalized=True)]),
    "general, padding": {**general(padding={"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                                            "pad_type_id": 0, "pad_token": "<s>"}), **config(tokenizer_class=GENERAL)},
    "general, post_processor null": general(post_processor=None),
    "general, BertProcessing": general(post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["the", WORDS.index("the")]}),
    "general, RobertaProcessing": general(post_processor=ROBERTA_FRAME),
    "general, unk_token": general(model=wordpiece(unk_token="foo")),
    "general, continuing_subword_prefix": general(model=wordpiece(continuing_subword_prefix="")),
    "general, max_input_chars_per_word": general(model=wordpiece(max_input_chars_per_word=2)),
    # the sentence config
    "sentence max_seq_length": sentence(max_seq_length=5),
    "sentence max_seq_length goes before model_max_length": {**config(model_max_length=6), **sentence(max_seq_length=12)},
    "sentence max_seq_length null": sentence(max_seq_length=None, do_lower_case=False),
    "sentence do_lower_case": {**config(do_lower_case=False), **sentence(do_lower_case=True)},
    "sentence do_lower_case, accents": {**config(do_lower_case=True, strip_accents=False), **sentence(do_lower_case=True)},
    "sentence do_lower_case, a normalized token": {
        **config(do_lower_case=False, added_tokens_decoder={str(IMG): {**MASK, "content": "NEW", "normalized": True}}), **sentence(do_lower_case=True)},
    "sentence do_lower_case, general": {**general(normalizer=CASED), **sentence(do_lower_case=True)},
    "sentence do_lower_case, lower already": {**general(normalizer=sequence(NFD, LOWER)), **sentence(do_lower_case=True)},
    "sentence tokenizer_args": sentence(tokenizer_args={"model_max_length": 9, "use_fast": True}, max_seq_length=20),
    "sentence processor_kwargs": sentence(processor_kwargs={"model_max_length": 9}),
    "sentence as saved today": sentence(**RESAVED),
    "sentence unpad_inputs": sentence(unpad_inputs=False, max_seq_length=24),
    "sentence config that is empty": {"sentence_bert_config.json": {}, "sentence_roberta_config.json": {"max_seq_length": 6}},
    **{f"sentence_{kind}_config.json": {"sentence_bert_config.json": None, f"sentence_{kind}_config.json": {"max_seq_length": 6}}
       for kind in ("roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")},
    "sentence config without modules.json": {"modules.json": None, **sentence(max_seq_length=5, do_lower_case=True), **config(do_lower_case=False)},
}


def texts_of(case):
    """Without special tokens around them, some texts have no token: the reference fails on those, and so do we."""
    return [text for text in TEXTS if text.strip()] if case == "general, post_processor null" else TEXTS


@pytest.mark.parametrize("case", HONOURED)
def test_a_key_that_is_honoured_gives_the_same_ids_and_vectors(case, tmp_path):
    folder, texts = model_folder(tmp_path / "model", HONOURED[case]), texts_of(case)
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    limit = ["--max-length", min(model.max_seq_length, CONFIG["max_position_embeddings"])]
    assert tokenize(folder, texts, *limit) == [model.tokenizer(text, truncation="longest_first")["input_ids"] for text in texts]
    wanted = np.array([model.encode(text) for text in texts])
    found = embed(folder, texts)
    assert isinstance(found, np.ndarray), found
    assert np.abs(found - wanted).max() < 1e-5


@pytest.mark.parametrize("case", HONOURED)
def test_a_table_gives_what_the_folder_gives(case, tmp_path):
    folder, texts = model_folder(tmp_path / "model", HONOURED[case]), texts_of(case)
    (tmp_path / "apart").mkdir()
    table = tmp_path / "apart" / "v2.parquet"
    assert run("quantize", folder, "-o", table, "--keep", "*", "-q").returncode == 0
    found = embed(table, texts)
    assert isinstance(found, np.ndarray), found
    assert np.array_equal(found, embed(folder, texts))
    assert tokenize(table, texts) == tokenize(folder, texts)


# Cases that give what another one gives, and say so: the key has no effect there, or its value is the usual one.
SAME = {
    "plain", "do_lower_case by default", "padding_side", "model_input_names", "what has no effect", "tokenizer.json's normalizer",
    "tokenizer.json's model", "padding", "vocab.txt", "vocab.txt, no configuration", "general", "general, version", "sentence unpad_inputs",
    "added_tokens_decoder hides the other files", "truncation, and truncation_side", "no class, no configuration",
    "mask_token, lstrip", "general, RobertaProcessing",
}


def test_every_honoured_key_changes_something(tmp_path):
    """A case that gives what the plain model gives would not tell whether its key is read."""
    plain, silent = embed(model_folder(tmp_path / "plain"), TEXTS), set()
    for number, (case, files) in enumerate(HONOURED.items()):
        found = embed(model_folder(tmp_path / str(number), files), texts_of(case))
        if found.shape == plain.shape and np.abs(found - plain).max() < 1e-3:
            silent.add(case)
    assert silent == SAME


REFUSED = {
    **{f"tokenizer_config.json {key}": (config(**{key: value}), "tokenizer_config.json", key) for key, value in {
        "auto_map": {"AutoTokenizer": [None, "x.Tokenizer"]}, "trust_remote_code": True, "processor_class": "CLIPProcessor",
        "fast_tokenizer_files": ["tokenizer.4.0.0.json"], "init_inputs": ["x"], "vocab": {"a": 0}, "merges": ["a b"], "gguf_file": "x.gguf",
        "post_processor": {"type": "x"}, "tokenizer_object": "x", "tokenizer_padding": {"length": 8}, "tokenizer_truncation": {"max_length": 8},
        "_json_padding": {"length": 8}, "_json_truncation": {"max_length": 8}, "model_specific_special_tokens": {"a": "b"},
        "tokenizer_class": "XLNetTokenizer", "padding_side": "left", "model_input_names": ["input_ids"], "truncation_side": "middle",
        "cls_token": None, "unk_token": None, "extra_special_tokens": 7}.items()},
    "tokenizer_config.json model_max_length": ({**config(model_max_length="long"), **sentence()}, "tokenizer_config.json", "model_max_length"),
    "tokenizer_config.json unk_token that is nowhere": (config(unk_token="<nowhere>"), "tokenizer_config.json", "unk_token"),
    "added_tokens_decoder with another id": (config(added_tokens_decoder={"7": MASK}), "tokenizer_config.json", "[MASK]"),
    "a member of a token": (config(added_tokens_decoder={"4": {**MASK, "weight": 1}}), "tokenizer_config.json", "weight"),
    "config.json model_type": ({"config.json": {**CONFIG, "model_type": "xlnet"}, "tokenizer_config.json": {}}, "config.json", "model_type"),
    "chat_template without modules.json": ({"modules.json": None, **config(chat_template="{{ messages }}")}, "tokenizer_config.json", "chat_template"),
    "special_tokens_map.json": ({"special_tokens_map.json": {"auto_map": {"a": "b"}}}, "special_tokens_map.json", "auto_map"),
    "added_tokens.json": ({"added_tokens.json": {"<img>": 77}}, "", "<img>"),
    "tokenizer.json of another version": ({"tokenizer.json": tokenizer_json(version="2.0")}, "tokenizer.json", "version"),
    "tokenizer.json with another key": ({"tokenizer.json": tokenizer_json(speed=1)}, "tokenizer.json", "speed"),
    "tokenizer.json of another model": ({"tokenizer.json": tokenizer_json(model={"type": "Trie", "vocab": {}})}, "tokenizer.json", "Trie"),
    "tokenizer.json padding.direction": ({"tokenizer.json": tokenizer_json(padding={
        "strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"})},
        "", "padding"),
    "general, normalizer": (general(normalizer={"type": "Trim"}), "tokenizer.json", "Trim"),
    "general, normalizer in a sequence": (general(normalizer=sequence(LOWER, {"type": "Trim"})), "tokenizer.json", "Trim"),
    "general, pre_tokenizer": (general(pre_tokenizer={"type": "UnicodeScripts"}), "tokenizer.json", "UnicodeScripts"),
    "general, post_processor": (general(post_processor={"type": "Other"}), "tokenizer.json", "Other"),
    "general, type_id": (general(post_processor={"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 1}}], "pair": [],
                                                 "special_tokens": {}}), "tokenizer.json", "type_id"),
    **{f"sentence config {key}": (sentence(**{key: value}), "sentence_bert_config.json", key) for key, value in {
        "transformer_task": "fill-mask", "module_output_name": "sentence_embedding", "processing_kwargs": {"text": {"max_length": 4}},
        "modality_config": {"message": {"method": "forward", "method_output_name": "last_hidden_state"}}, "model_args": {"torch_dtype": "float16"},
        "model_kwargs": {"attn_implementation": "eager"}, "config_args": {"hidden_act": "relu"}, "config_kwargs": {"hidden_act": "relu"},
        "query_length": 8, "document_length": 8, "query_expansion": {"strategy": "fixed", "length": 8}, "tokenizer_name_or_path": "other",
        "tokenizer_args": {"truncation_side": "left"}, "processor_kwargs": {"do_lower_case": False}, "max_seq_length": 0,
        "pooling": "mean"}.items()},
    "modality_config, another output": (sentence(**{**RESAVED, "modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}}}),
                                        "sentence_bert_config.json", "method_output_name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_key_that_cannot_be_honoured_is_refused_by_name(case, tmp_path):
    files, file, key = REFUSED[case]
    found = embed(model_folder(tmp_path / "model", files), TEXTS)
    assert isinstance(found, str), "it was run"
    assert file in found, found
    assert key in found, found


def test_a_model_that_is_saved_again_gives_the_same(tmp_path):
    """sentence-transformers writes other files than it reads: model_max_length in the place of max_seq_length, and others."""
    folder = model_folder(tmp_path / "model", {**config(do_lower_case=False), **sentence(max_seq_length=7, do_lower_case=False)})
    before = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    before.save(str(tmp_path / "again"))
    after = sentence_transformers.SentenceTransformer(str(tmp_path / "again"), device="cpu")
    wanted = np.array([after.encode(text) for text in TEXTS])
    assert json.loads((tmp_path / "again" / "tokenizer_config.json").read_text())["model_max_length"] == 7
    for path in (folder, tmp_path / "again"):
        assert np.abs(embed(path, TEXTS) - wanted).max() < 1e-5


def test_a_model_saved_with_lower_case_gives_what_the_reference_gives(tmp_path):
    """The lower case is in tokenizer.json then, where BertTokenizer does not look for it."""
    folder = model_folder(tmp_path / "model", {**config(do_lower_case=False), **sentence(do_lower_case=True)})
    sentence_transformers.SentenceTransformer(str(folder), device="cpu").save(str(tmp_path / "again"))
    after = sentence_transformers.SentenceTransformer(str(tmp_path / "again"), device="cpu")
    assert tokenize(tmp_path / "again", TEXTS) == [after.tokenizer(text)["input_ids"] for text in TEXTS]


def test_a_transformer_in_a_folder_of_its_own_has_its_tokenizer_there(tmp_path):
    modules = [{**MODULES[0], "path": "0_Transformer"}, MODULES[1]]
    inside = {"config.json": CONFIG, "sentence_bert_config.json": {"do_lower_case": True}, "model.safetensors": SAFETENSORS,
              "tokenizer_config.json": config(do_lower_case=False)["tokenizer_config.json"], "tokenizer.json": tokenizer_json()}
    files = {**{f"0_Transformer/{name}": value for name, value in inside.items()}, "modules.json": modules, "1_Pooling/config.json": POOLING}
    folder = model_folder(tmp_path / "model", {**dict.fromkeys(inside, None), **files})
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu").tokenizer
    assert tokenize(folder, TEXTS) == [theirs(text)["input_ids"] for text in TEXTS]


def test_special_tokens_of_the_vocabulary_are_all_there():
    assert [WORDS.index(word) for word in SPECIAL] == [0, 1, 2, 3, 4]
