"""The ids and types of pairs of texts are those of AutoTokenizer with truncation "longest_first", for every class and post-processor,
on texts of every kind at every length: no difference is allowed. AQ_PAIRS=N takes another number of pairs for each."""

import json
import os
import random

import pytest
from test_unigram_classes import BERT_LIKE, DEBERTA_LIKE, T5_LIKE
from tiny_bpe import ROBERTA, bytes_model, sequence
from tiny_bpe import tokenizer_json as bpe_json
from tiny_encoders import SPECIAL, WORDS, config_of, dump, tokenizer_json
from tiny_unigram import made
from tokenizer_library import Ours, Refused
from tokenizer_texts import Texts
from transformers import AutoTokenizer

COUNT = int(os.environ.get("AQ_PAIRS", "150"))
NAMES = {f"{word[1:-1].lower()}_token": word for word in SPECIAL}
TYPES = ["input_ids", "token_type_ids", "attention_mask"]
LEVEL = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
BERT = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
LIKE_ROBERTA = {"type": "RobertaProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2], "trim_offsets": True, "add_prefix_space": False}


def piece(kind, name, type_id=0):
    return {kind: {"id": name, "type_id": type_id}}


def template(*pair, single=("[CLS]", "A", "[SEP]")):
    def of(name, type_id=0):
        return piece("Sequence" if name in "AB" else "SpecialToken", name, type_id)

    tokens = {word: {"id": word, "ids": [WORDS.index(word)], "tokens": [word]} for word in SPECIAL}
    return {"type": "TemplateProcessing", "single": [of(name) for name in single], "pair": [of(*item) for item in pair], "special_tokens": tokens}


def general(post_processor="own", **config):
    """A tokenizer.json of words that is taken as it is."""
    tokenizer = tokenizer_json()
    if post_processor != "own":
        tokenizer["post_processor"] = post_processor
    return {"tokenizer.json": tokenizer, "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", **NAMES, **config}}


def words(name, **config):
    return {"tokenizer.json": tokenizer_json(), "tokenizer_config.json": {"tokenizer_class": name, **config}}


def unigram(name, vocab=None, **config):
    return {"tokenizer.json": made(vocab), "tokenizer_config.json": {"tokenizer_class": name, **config}}


SEVERAL = template(("[CLS]", 3), ("[MASK]", 1), ("A", 2), ("[SEP]", 0), ("[SEP]", 5), ("B", 4), ("[PAD]", 7), ("[MASK]", 6))
CASES = {
    "BertTokenizer": words("BertTokenizer"),
    "BertTokenizer, left": words("BertTokenizer", truncation_side="left"),
    "BertTokenizer, no types": words("BertTokenizer", model_input_names=["input_ids", "attention_mask"]),
    "DistilBertTokenizer": words("DistilBertTokenizer"),
    "DistilBertTokenizer, types": words("DistilBertTokenizer", model_input_names=TYPES),
    "ElectraTokenizer": words("ElectraTokenizer"),
    "MPNetTokenizer": words("MPNetTokenizer", **NAMES),
    "MPNetTokenizer, types": words("MPNetTokenizer", **NAMES, model_input_names=TYPES),
    "general": general(),
    "general, types": general(model_input_names=TYPES),
    "general, several": general(SEVERAL, model_input_names=TYPES),
    "general, no special tokens": general(template(("A", 1), ("B", 1)), model_input_names=TYPES),
    "general, BertProcessing": general(BERT, model_input_names=TYPES),
    "general, RobertaProcessing": general(LIKE_ROBERTA, model_input_names=TYPES, truncation_side="left"),
    "general, none": general(None, model_input_names=TYPES),
    "general, ByteLevel": general(LEVEL, model_input_names=TYPES),
    "general, Sequence": general(sequence("processors", LEVEL, BERT), model_input_names=TYPES),
    "general, Sequence of a template": general(sequence("processors", SEVERAL, LEVEL), model_input_names=TYPES),
    "RobertaTokenizer": {"tokenizer.json": bpe_json(bytes_model(), post_processor=ROBERTA), "tokenizer_config.json": {"tokenizer_class": "RobertaTokenizer"}},
    "GPT2Tokenizer": {"tokenizer.json": bpe_json(bytes_model(), post_processor=ROBERTA), "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"}},
    "XLMRobertaTokenizer": unigram("XLMRobertaTokenizer"),
    "XLMRobertaTokenizer, types": unigram("XLMRobertaTokenizer", model_input_names=TYPES),
    "CamembertTokenizer": unigram("CamembertTokenizer"),
    "AlbertTokenizer": unigram("AlbertTokenizer", BERT_LIKE),
    "AlbertTokenizer, types": unigram("AlbertTokenizer", BERT_LIKE, model_input_names=TYPES),
    "DebertaV2Tokenizer": unigram("DebertaV2Tokenizer", DEBERTA_LIKE),
    "T5Tokenizer": unigram("T5Tokenizer", T5_LIKE),
}


def write(folder, files):
    for name, value in {"config.json": config_of("bert"), **files}.items():
        dump(folder / name, value)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_ids_and_types_are_those_of_the_reference(tmp_path, case):
    folder = write(tmp_path / "model", CASES[case])
    ours, theirs = Ours(folder), AutoTokenizer.from_pretrained(str(folder))
    rng, found = random.Random(case), []
    texts = [text for text in Texts(7, WORDS).take(2 * COUNT) if "\0" not in text]
    texts = [text * rng.choice((1, 1, 1, 4)) for text in texts] + ["", " ", "a"] * 4
    rng.shuffle(texts)
    special = len(theirs([""], [""])["input_ids"][0])
    for first, second in zip(texts[::2], texts[1::2], strict=False):
        limit = rng.choice((max(special, 1), special + 1, special + 2, special + 3, 16, 17, 30, 31, 64, 1000))
        batch = theirs([first], [second], truncation=True, max_length=limit)  # by itself an empty second text would be none
        wanted = {key: lists[0] for key, lists in batch.items()}
        ids, types = ours.encode_pair(first, second, limit)
        if (ids, types) != (wanted["input_ids"], wanted.get("token_type_ids", [0] * len(ids))):
            found.append((first[:80], second[:80], limit, ids[:40], wanted["input_ids"][:40], types[:40], wanted.get("token_type_ids")))
    assert not found, f"{len(found)} differ: " + json.dumps(found[:3])


def test_a_real_vocabulary_without_a_limit(tmp_path):
    folder = os.environ.get("AQ_PAIR_MODEL", os.path.join(os.path.dirname(__file__), "../../.cache/models/all-MiniLM-L6-v2"))
    if not os.path.exists(folder):
        pytest.skip("the model is not there (make model)")
    ours, theirs = Ours(folder), AutoTokenizer.from_pretrained(folder, local_files_only=True)
    texts = [text for text in Texts(8, list(theirs.get_vocab())[:5000]).take(4 * COUNT) if "\0" not in text]
    for first, second in zip(texts[::2], texts[1::2], strict=False):
        wanted = theirs(first, second)
        assert ours.encode_pair(first, second) == (wanted["input_ids"], wanted["token_type_ids"]), (first, second)


@pytest.mark.parametrize(("post_processor", "word"), [
    (template(("B", 0), ("A", 1)), "pair"),
    (template(("[CLS]", 0), ("A", 0), ("[SEP]", 0)), "pair"),
    (template(("A", 0), ("B", 0), ("A", 0)), "pair"),
    (template(("A", 0), *[("[SEP]", 0)] * 17, ("B", 0)), "pair"),
    (sequence("processors", BERT, SEVERAL), "Sequence"),
])
def test_pairs_that_cannot_be_made_are_refused_and_single_texts_are_not(tmp_path, post_processor, word):
    ours = Ours(write(tmp_path / "model", general(post_processor)))
    assert ours.encode("the cat")
    with pytest.raises(Refused, match=word):
        ours.encode_pair("the cat", "a dog")


def test_a_limit_without_room_for_the_special_tokens_is_refused(tmp_path):
    ours = Ours(write(tmp_path / "model", CASES["BertTokenizer"]))
    assert ours.encode_pair("the cat", "a dog", 3) == ([2, 3, 3], [0, 0, 1])
    with pytest.raises(Refused, match="2 tokens are too few"):
        ours.encode_pair("the cat", "a dog", 2)
