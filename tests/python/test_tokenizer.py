"""The tokenizer: what it takes, what it gives, its life and its errors. Ids against `tokenizers` when it is there."""

from __future__ import annotations

import gc
import json
import pathlib
import shutil
import sys
import threading

import numpy as np
import pytest

import arrowquant

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "##s", "sat", "\N{GRINNING FACE}", "!", "é"]
CLS, SEP, UNK, A, CAT, S, SAT, FACE = 2, 3, 1, 5, 6, 7, 8, 9

HEADER = json.dumps({"w": {"dtype": "F32", "shape": [4, 16], "data_offsets": [0, 256]}}).encode()
SAFETENSORS = len(HEADER).to_bytes(8, "little") + HEADER + np.linspace(-1, 1, 64, dtype="<f4").tobytes()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def tokenizer(folder):
    with arrowquant.Tokenizer(folder) as opened:
        yield opened


def test_a_str_gives_ids_and_a_list_gives_lists(tokenizer):
    assert tokenizer.encode("A cats sat") == [CLS, A, CAT, S, SAT, SEP]
    assert tokenizer.encode(["A cats", "", "dog"]) == [[CLS, A, CAT, S, SEP], [CLS, SEP], [CLS, UNK, SEP]]
    assert tokenizer.encode([]) == []
    assert tokenizer.id_end == len(WORDS)


def test_a_table_carries_its_tokenizer(folder, tmp_path):
    table = tmp_path / "v2.parquet"
    (folder / "model.safetensors").write_bytes(SAFETENSORS)
    arrowquant.quantize(folder, table, type="int8")
    shutil.rmtree(folder)
    with arrowquant.Tokenizer(table) as tokenizer:
        assert tokenizer.encode("A cats sat") == [CLS, A, CAT, S, SAT, SEP]


def test_any_iterable_of_str_is_taken(tokenizer):
    expected = [[CLS, A, SEP], [CLS, CAT, SEP]]
    for texts in (("a", "cat"), iter(["a", "cat"]), np.array(["a", "cat"]), {"a": 0, "cat": 1}):
        assert tokenizer.encode(texts) == expected
    assert tokenizer.encode(np.str_("cat")) == [CLS, CAT, SEP]


def test_more_texts_than_are_encoded_at_a_time(tokenizer):
    texts = [("cat", "a", "a cat")[i % 3] for i in range(5000)]
    assert tokenizer.encode(texts, add_special_tokens=False) == [([CAT], [A], [A, CAT])[i % 3] for i in range(5000)]


def test_max_tokens_and_special_tokens(tokenizer):
    text = "a cat sat a cat sat"
    assert tokenizer.encode(text, 4) == [CLS, A, CAT, SEP]
    assert tokenizer.encode(text, max_tokens=2) == [CLS, SEP]
    assert tokenizer.encode(text, add_special_tokens=False) == [A, CAT, SAT] * 2
    assert tokenizer.encode([text], max_tokens=1, add_special_tokens=False) == [[A]]
    with pytest.raises(arrowquant.ArgumentError):
        tokenizer.encode(text, max_tokens=1)
    for wrong in (0, -1, 2**32):
        with pytest.raises(arrowquant.ArgumentError, match="max_tokens"):
            tokenizer.encode(text, max_tokens=wrong)
    for wrong in ("4", 4.0):
        with pytest.raises(TypeError, match="max_tokens"):
            tokenizer.encode(text, max_tokens=wrong)


@pytest.mark.parametrize("units", [[0xD83D], [0xDE00], [0xDC80], [0xDE00, 0xD83D], [0xD83D, 0xD83D]])
def test_lone_surrogates_count_as_the_replacement_character(tokenizer, units):
    lone = "".join(map(chr, units))
    for text in ("cat {} sat", "{}", "a{}", "{}a", "ca{}t", "\N{GRINNING FACE}{}!"):
        assert tokenizer.encode(text.format(lone)) == tokenizer.encode(text.format("\ufffd" * len(lone)))
    assert tokenizer.encode(f"ca{lone}t") == [CLS, CAT, SEP]


def test_a_pair_of_surrogates_counts_as_its_character(tokenizer):
    assert tokenizer.encode("a \ud83d\ude00") == tokenizer.encode("a \N{GRINNING FACE}") == [CLS, A, FACE, SEP]
    assert tokenizer.encode("\ud83d\ud83d\ude00\ude00") == [CLS, FACE, SEP]
    assert tokenizer.encode(["cat", "\ufeffa \ud83d\ude00", "a"])[1] == [CLS, A, FACE, SEP]


def test_zeros_in_a_text(tokenizer):
    assert tokenizer.encode("ca\0t") == [CLS, CAT, SEP]


@pytest.mark.parametrize("texts", [b"cat", ["a", b"cat"], ["a", None], 3, None, [["a", "cat"]]])
def test_what_is_no_text(tokenizer, texts):
    with pytest.raises(TypeError):
        tokenizer.encode(texts)


def test_the_wrong_item_is_named(tokenizer):
    with pytest.raises(TypeError, match=r"texts\[1\]: a str is expected, not int"):
        tokenizer.encode(["a", 3])


def test_paths(folder, tmp_path):
    shutil.copy(folder / "vocab.txt", tmp_path / "words")
    arrowquant.export({"w": np.ones((2, 2), np.float32)}, folder / "model.safetensors")
    for path in (folder, str(folder), folder / "vocab.txt", tmp_path / "words", folder / "model.safetensors"):
        assert arrowquant.Tokenizer(path).encode("cat") == [CLS, CAT, SEP]


def write_json(folder, words, **normalizer):
    document = {
        "added_tokens": [{"id": i, "content": words[i], "special": True} for i in range(5)],
        "normalizer": {"type": "BertNormalizer", "lowercase": True, **normalizer},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", SEP], "cls": ["[CLS]", CLS]},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {word: i for i, word in enumerate(words)}},
    }
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")


def test_lone_surrogates_are_seen_where_normalization_drops_nothing(folder):
    write_json(folder, [*WORDS, "\ufffd", "##\ufffd"], clean_text=False)
    first, next_ = len(WORDS), len(WORDS) + 1
    tokenizer = arrowquant.Tokenizer(folder)
    assert tokenizer.encode("a \udc80 cat") == [CLS, A, first, CAT, SEP]
    assert tokenizer.encode("\ud83d\ud83d a\ude00\ude00") == [CLS, first, next_, A, next_, next_, SEP]


def test_a_tokenizer_json(folder):
    (folder / "vocab.txt").unlink()
    write_json(folder, WORDS)
    for path in (folder, folder / "tokenizer.json"):
        assert arrowquant.Tokenizer(path).encode("A Cats") == [CLS, A, CAT, S, SEP]


def test_a_name(monkeypatch, folder, tmp_path):
    arrowquant.export({"w": np.ones((2, 2), np.float32)}, folder / "model.safetensors")
    repository = tmp_path / "hub" / "models--some-lab--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    shutil.copytree(folder, repository / "snapshots" / "abc")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert arrowquant.Tokenizer("some-lab/tiny").encode("cat") == [CLS, CAT, SEP]


def test_errors(tmp_path, folder):
    with pytest.raises(arrowquant.NotFoundError):
        arrowquant.Tokenizer(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(arrowquant.NotFoundError, match=r"tokenizer\.json"):
        arrowquant.Tokenizer(tmp_path / "empty")
    (folder / "tokenizer.json").write_text("{ not json")
    with pytest.raises(arrowquant.FormatError) as caught:
        arrowquant.Tokenizer(folder)
    assert caught.value.file.endswith("tokenizer.json")
    (folder / "tokenizer.json").write_text('{"model": {"type": "Trie"}}')
    with pytest.raises(arrowquant.UnsupportedError, match="Trie"):
        arrowquant.Tokenizer(folder)
    with pytest.raises(TypeError):
        arrowquant.Tokenizer(3)


def test_closing(folder):
    tokenizer = arrowquant.Tokenizer(folder)
    with tokenizer as same:
        assert same is tokenizer
        assert not tokenizer.closed
        assert str(folder) in repr(tokenizer)
    assert tokenizer.closed
    assert "closed" in repr(tokenizer)
    tokenizer.close()
    for use in (
        lambda: tokenizer.encode("a"),
        lambda: tokenizer.encode([]),
        lambda: tokenizer.id_end,
        tokenizer.__enter__,
    ):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_threads_share_a_tokenizer_that_one_of_them_closes(folder):
    for _ in range(10):
        tokenizer = arrowquant.Tokenizer(folder)
        errors = []

        def work(number, tokenizer=tokenizer, errors=errors):
            try:
                for i in range(200):
                    if number == 0 and i == 150:
                        tokenizer.close()
                    assert tokenizer.encode(["a cat sat"] * 20)[19] == [CLS, A, CAT, SAT, SEP]
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors
        assert all(isinstance(caught, ValueError) and "closed" in str(caught) for caught in errors)


def test_the_gil_is_released(tokenizer):
    text = "x" * 20_000_000
    ticks = 0
    done = threading.Event()

    def work():
        tokenizer.encode([text])
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.wait(0.001):
        ticks += 1
    thread.join()
    assert ticks >= 5


def test_references_are_balanced(folder):
    texts = [*("cat " + str(i) for i in range(50)), "a \ud83d\ude00 \udc80", "é" * 3]
    wrong = [*texts, 3]

    def everything():
        with arrowquant.Tokenizer(folder) as tokenizer:
            tokenizer.encode(texts)
            tokenizer.encode("cat", 2)
            for bad in (lambda: tokenizer._core.encode(wrong, 0, True), lambda: tokenizer.encode(texts, 1)):
                with pytest.raises((TypeError, arrowquant.ArgumentError)):
                    bad()
        with pytest.raises(arrowquant.NotFoundError):
            arrowquant.Tokenizer(folder / "nothing")

    everything()
    gc.collect()
    before = sys.getallocatedblocks(), [sys.getrefcount(text) for text in texts]
    for _ in range(20):
        everything()
    gc.collect()
    after = sys.getallocatedblocks(), [sys.getrefcount(text) for text in texts]
    assert after[1] == before[1]
    assert abs(after[0] - before[0]) < 200


def test_ids_become_text(minilm):
    with arrowquant.Tokenizer(minilm) as tokenizer:
        ids = tokenizer.encode("Don't stop, naïve one.")
        assert tokenizer.decode(ids) == "[CLS] don ' t stop, naive one. [SEP]"
        assert tokenizer.decode(np.array(ids), skip_special_tokens=True) == "don ' t stop, naive one."
        assert tokenizer.decode([]) == ""
        assert tokenizer.decode([-1, 1 << 40, ids[1]]) == "don"
        with pytest.raises(TypeError):
            tokenizer.decode([1.5])
        with pytest.raises(TypeError):
            tokenizer.decode("ab")
    with pytest.raises(ValueError, match="closed"):
        tokenizer.decode(ids)


def test_ids_are_those_of_tokenizers(minilm):
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer.from_file(str(pathlib.Path(minilm) / "tokenizer.json"))
    theirs.no_padding()
    theirs.no_truncation()
    ours = arrowquant.Tokenizer(minilm)
    rng = np.random.default_rng(3)
    ranges = ((0x20, 0x7F), (0xA0, 0x250), (0x370, 0x600), (0x900, 0xE00), (0x3040, 0x30FF), (0x4E00, 0x9FFF),
              (0xAC00, 0xD7A3), (0x1F300, 0x1F700))  # fmt: skip
    words = [word.removeprefix("##") for word in theirs.get_vocab()]
    texts = ["", " ", "naïve CAFÉ", "don't stop[MASK]now", "日本語 text", "x" * 300, "\u202eright\u200d to left"]
    texts += [" ".join(words[i] for i in rng.integers(len(words), size=rng.integers(1, 40))) for _ in range(500)]
    for low, high in ranges:
        texts += ["".join(map(chr, rng.integers(low, high, rng.integers(1, 30)))) for _ in range(100)]
    assert ours.encode(texts) == [e.ids for e in theirs.encode_batch(texts)]
    bare = theirs.encode_batch(texts, add_special_tokens=False)
    assert ours.encode(texts, add_special_tokens=False) == [e.ids for e in bare]
    theirs.enable_truncation(16)
    assert ours.encode(texts, max_tokens=16) == [e.ids for e in theirs.encode_batch(texts)]
