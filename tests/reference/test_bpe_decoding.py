"""The texts that ids become are those of the library `tokenizers`: of texts of every kind, and of ids by chance, whose bytes
are mostly no UTF-8. No difference is allowed. AQ_BPE_TEXTS=N takes another number of each."""

import os
import random

import pytest
from test_bpe_ids import MODELS, CodeTexts, theirs_of, write
from tiny_bpe import SHAPES
from tokenizer_library import Ours

COUNT = int(os.environ.get("AQ_BPE_TEXTS", "1500"))


def lists_of_ids(theirs, count):
    rng, vocab = random.Random(3), theirs.get_vocab(with_added_tokens=True)
    texts = [*CodeTexts(21, sorted(vocab)).take(count), "", " ", "\ufffd"]
    known, few = sorted(vocab.values()), [number for token, number in vocab.items() if len(token) == 1 or token.startswith("<")]
    yield from (found.ids for found in theirs.encode_batch(texts))
    for _ in range(count // 2):
        yield [rng.choice(few if rng.random() < 0.7 else known) for _ in range(rng.randint(1, 30))]
    yield [known[0], known[-1] + 1, known[0], 1 << 23]


def compare(path, count):
    ours, theirs = Ours(path), theirs_of(path)
    for ids in lists_of_ids(theirs, count):
        for skip in (False, True):
            assert ours.decode(ids, skip) == theirs.decode(ids, skip_special_tokens=skip), ids


@pytest.mark.parametrize("shape", SHAPES)
def test_texts_are_the_same(shape, tmp_path):
    compare(write(tmp_path, SHAPES[shape]()), COUNT)


@pytest.mark.parametrize("folder", MODELS, ids=[folder.name for folder in MODELS])
def test_texts_of_real_models_are_the_same(folder):
    compare(folder / "tokenizer.json", COUNT)


@pytest.mark.parametrize("shape", ["GPT-2", "Llama-2, metaspace", "Gemma"])
def test_streams_hand_out_the_text_of_all_ids(shape, tmp_path):
    path = write(tmp_path, SHAPES[shape]())
    ours, theirs = Ours(path), theirs_of(path)
    for text in CodeTexts(22, sorted(theirs.get_vocab())).take(COUNT // 5):
        ids = theirs.encode(text).ids
        pieces = ours.stream(ids)
        assert "".join(pieces) == theirs.decode(ids, skip_special_tokens=False), text
        assert "\ufffd" in text or not any("\ufffd" in piece for piece in pieces), text  # no character is torn
        assert len(ids) < 40 or sum(map(bool, pieces)) > len(ids) / 8
