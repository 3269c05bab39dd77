"""Folders of tokenizers with random keys together: the ids are those of AutoTokenizer, whatever the keys do to each other.
AQ_RANDOM_TOKENIZERS=N takes another number of folders."""

import os
import random

import pytest
import transformers
from tiny_folders import CONFIG, WORDS, bert_normalizer, tokenize, tokenizer_json, wordpiece, write

COUNT, GROUPS = int(os.environ.get("AQ_RANDOM_TOKENIZERS", "600")), 12
TEXTS = [
    "The Cat sat [MASK] on the mat.", "THE [mask] x[SEP]y [CLS] [PAD]", "foo FOO fOo bar <s> <S> </s> <mask>  z", "Éé café [UNK] <img> <IMG> a<img>b",
    "中文 the", "new tok NEW Tok newtok", "", "   ", "the   [MASK]   cat", "İ Å Ǆ ẞ",
]
CLASSES = ["BertTokenizer", "BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "ElectraTokenizer", "MPNetTokenizer", "MPNetTokenizerFast",
           "PreTrainedTokenizerFast", "PreTrainedTokenizer", "TokenizersBackend"]
OPTIONS = {
    "do_lower_case": [True, False], "strip_accents": [True, False, None], "tokenize_chinese_chars": [True, False], "truncation_side": ["left", "right"],
    "padding_side": ["right", "left"], "split_special_tokens": [True, False], "never_split": [["the"], None], "do_basic_tokenize": [True, False],
    "max_length": [4], "stride": [1], "clean_up_tokenization_spaces": [True], "add_bos_token": [True], "clean_text": [False],
    "model_input_names": [["input_ids", "attention_mask"], ["input_ids", "token_type_ids", "attention_mask"]], "wordpieces_prefix": ["@@"],
    "add_prefix_space": [True], "backend": ["tokenizers"], "init_inputs": [[]], "special_tokens_map_file": [None], "name_or_path": ["x"],
}
TOKENS = {
    "unk_token": ["[UNK]", "[UNK]", "foo"], "cls_token": ["[CLS]", "<s>", "the"], "sep_token": ["[SEP]", "</s>"], "pad_token": ["[PAD]", "<pad>"],
    "mask_token": ["[MASK]", "<mask>", "<new>"], "bos_token": ["<s>", "bar"], "eos_token": ["</s>", "<eos>"], "image_token": ["<img>"],
    "other_token": ["newtok"],
}
FLAGS = ["single_word", "lstrip", "rstrip", "normalized", "special"]


class Maker:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def some(self, share):
        return self.rng.random() < share

    def token(self, content):
        return {"content": content, **{flag: self.some(0.4) for flag in FLAGS}}

    def named(self, key, plain=0.7):
        content = self.rng.choice(TOKENS[key])
        if key in ("mask_token", "bos_token") and self.some(0.1):
            return None
        return content if self.some(plain) else {**self.token(content), "__type": "AddedToken"}

    def listed(self):
        """Tokens and the ids that they get."""
        following, tokens = len(WORDS), {}
        for content in self.rng.sample(["<img>", "NEW", "Tok", "foo", "[MASK]", "bar", "Cat"], self.rng.randint(0, 3)):
            known = content in WORDS
            tokens[WORDS.index(content) if known else following] = self.token(content)
            following += not known
        return tokens

    def config(self, listed):
        made = {"tokenizer_class": self.rng.choice(CLASSES)} if self.some(0.75) else {}
        made |= {key: self.rng.choice(values) for key, values in OPTIONS.items() if self.some(0.25)}
        made |= {key: self.named(key) for key in TOKENS if self.some(0.3)}
        if self.some(0.15):
            made["additional_special_tokens"] = [self.rng.choice(["<img>", "newtok", "cat"]) for _ in range(2)]
        if self.some(0.1):
            typed = {**self.token("NEW Tok"), "__type": "AddedToken"}
            made["extra_special_tokens"] = self.rng.choice([["<img>"], {"a": "<img>"}, ["bar", typed]])
        if self.some(0.35):
            made["added_tokens_decoder"] = {str(number): token for number, token in listed.items()}
        return made

    def special_map(self):
        made = {}
        for key in ("unk_token", "cls_token", "sep_token", "pad_token", "mask_token"):
            if self.some(0.5):
                value = self.named(key)
                made[key] = {k: v for k, v in value.items() if k not in ("__type", "special")} if isinstance(value, dict) else value
        if self.some(0.3):
            made["additional_special_tokens"] = ["<img>"]
        if self.some(0.2):
            made["extra_special_tokens"] = ["<img>", "bar"]
        return made

    def step(self):
        bert = bert_normalizer(clean_text=self.some(0.5), handle_chinese_chars=self.some(0.5), lowercase=self.some(0.5),
                               strip_accents=self.rng.choice([None, True, False]))
        return self.rng.choice([{"type": "Lowercase"}, {"type": "NFD"}, {"type": "StripAccents"}, bert])

    def normalizer(self):
        steps = [self.step() if self.some(0.8) else {"type": "Sequence", "normalizers": [self.step(), self.step()]} for _ in range(self.rng.randint(0, 3))]
        return self.rng.choice([self.step(), {"type": "Sequence", "normalizers": steps}, None, bert_normalizer()])

    def json(self, listed):
        made = {"normalizer": self.normalizer()}
        if self.some(0.5):
            made["added_tokens"] = [{"id": number, **token} for number, token in listed.items()] if self.some(0.5) else []
        if self.some(0.2):
            made["post_processor"] = self.rng.choice([None, {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}])
        if self.some(0.4):
            made["model"] = wordpiece(max_input_chars_per_word=self.rng.choice([3, 100]), continuing_subword_prefix=self.rng.choice(["@@", "##"]),
                                      unk_token=self.rng.choice(["[UNK]", "foo"]))
        if self.some(0.2):
            made["truncation"] = {"direction": self.rng.choice(["Left", "Right"]), "max_length": 3, "strategy": "LongestFirst", "stride": 0}
        if self.some(0.2):
            made["padding"] = {"strategy": self.rng.choice(["BatchLongest", {"Fixed": 16}]), "direction": self.rng.choice(["Right", "Left"]),
                               "pad_to_multiple_of": self.rng.choice([None, 8]), "pad_id": 0, "pad_type_id": 0, "pad_token": self.rng.choice(["[PAD]", "cat"])}
        return tokenizer_json(**made)

    def files(self):
        listed, config = self.listed(), {k: v for k, v in CONFIG.items() if k != "model_type"}
        model_type = self.rng.choice(["bert", "bert", "bert", "distilbert", "mpnet", "roberta", None])
        config |= {"model_type": model_type} if model_type else {}
        config |= {"tokenizer_class": self.rng.choice(["BertTokenizer", "PreTrainedTokenizerFast", "MPNetTokenizer"])} if self.some(0.1) else {}
        files, json = {"config.json": config}, self.some(0.75)
        if self.some(0.9):
            files["tokenizer_config.json"] = self.config(listed)
        if self.some(0.2):
            files["special_tokens_map.json"] = self.special_map()
        if self.some(0.2):
            following = self.rng.sample(["<img>", "NEW Tok", "Zed"], self.rng.randint(1, 3))
            files["added_tokens.json"] = {content: len(WORDS) + i for i, content in enumerate(following)}
        if json:
            files["tokenizer.json"] = self.json(listed)
        if not json or self.some(0.5):
            files["vocab.txt"] = "\n".join(WORDS) + "\n"
        return files


def ids_of(folder, length):
    """Those of the reference, or None where it fails."""
    options = {"truncation": True, "max_length": length} if length else {}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        return [tokenizer(text, **options)["input_ids"] for text in TEXTS]
    except BaseException:  # a panic of the library is no Exception
        return None


@pytest.mark.parametrize("group", range(GROUPS))
def test_random_folders_give_the_same_ids(group, tmp_path):
    agreed = refused = 0
    for seed in range(group, COUNT, GROUPS):
        folder = write(tmp_path / str(seed), Maker(seed).files())
        length = 4 if seed % 3 == 0 else None
        wanted, found = ids_of(folder, length), tokenize(folder, TEXTS, *(["--max-length", length] if length else []))
        if isinstance(found, str) or wanted is None:
            refused += 1
            continue
        assert found == wanted, f"seed {seed}"
        agreed += 1
    assert agreed > 5 * refused
