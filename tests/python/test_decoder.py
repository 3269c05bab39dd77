"""`arrowquant.Decoder`: logits from folders, shards and tables, texts in pieces, and what is refused."""

from __future__ import annotations

import os
import shutil
import threading
import warnings
from contextlib import nullcontext

import numpy as np
import pytest
from tiny_decoder import WORDS, tiny_weights, write_tiny

import arrowquant
from arrowquant.errors import ArgumentError, FormatError, NotFoundError, UnsupportedError

IDS = [(7 * i + i // 5) % WORDS for i in range(100)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def expected(folder):
    with arrowquant.Decoder(folder, threads=1) as decoder:
        return decoder.logits(IDS)


def test_facts_and_shape(folder, expected):
    with arrowquant.Decoder(str(folder)) as decoder:
        assert (decoder.vocabulary, decoder.context, decoder.layers) == (WORDS, 128, 2)
        assert "2 layers and 70 tokens" in repr(decoder)
    assert expected.shape == (100, WORDS)
    assert expected.dtype == np.float32
    assert np.ptp(expected, axis=1).min() > 0.1


def test_pieces_and_threads_give_the_same_bits(folder, expected):
    for threads in (2, 3):
        with arrowquant.Decoder(folder, threads=threads, context=100) as decoder:
            pieces = [decoder.logits(IDS[at : at + 30], past=at) for at in range(0, 100, 30)]
            assert np.array_equal(np.vstack(pieces), expected)
            assert np.array_equal(decoder.logits(np.array(IDS[50:], np.int64), past=50, last=3), expected[-3:])
            assert decoder.logits(IDS[:4], last=0).shape == (0, WORDS)
            assert np.array_equal(decoder.logits(np.array(IDS, np.uint8)[4:12:1], past=4), expected[4:12])
            assert np.array_equal(decoder.logits(IDS[::2][:1]), expected[:1])


@pytest.mark.parametrize("options", [{}, {"type": "int8"}, {"type": "int4", "group_size": 16}, {"type": "int2"}])
def test_a_table_equals_its_export(folder, expected, tmp_path, options):
    table = str(tmp_path / "table.parquet")
    if options:
        arrowquant.quantize(folder, table, **options)
    else:
        arrowquant.convert(folder, table)
    exported = tmp_path / "exported"
    exported.mkdir()
    arrowquant.export(table, str(exported / "model.safetensors"))
    shutil.copy(folder / "config.json", exported)
    with arrowquant.Decoder(table) as one, arrowquant.Decoder(exported) as other:
        logits = one.logits(IDS)
        assert np.array_equal(logits, other.logits(IDS))
    assert np.array_equal(logits, expected) == (not options)
    with arrowquant.open(table) as source, arrowquant.Decoder(source) as decoder:
        assert np.array_equal(decoder.logits(IDS), logits)


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"type": "int8"}, None),
        ({"type": "int4", "per": "channel", "symmetric": True}, None),
        ({"type": "int4", "group_size": 16}, "matrices are not stored as codes"),
    ],
)
def test_codes_are_near_fp32(folder, tmp_path, options, note):
    table = tmp_path / "table.parquet"
    arrowquant.quantize(folder, table, quantize_1d=True, keep=["*norm*"], **options)
    with arrowquant.Decoder(table) as decoder:
        expected = decoder.logits(IDS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        coded = arrowquant.Decoder(table, compute="int8", threads=2)
    assert [note in str(w.message) for w in caught] == ([True] if note else [])
    logits = coded.logits(IDS)
    coded.close()
    assert not np.array_equal(logits, expected)
    assert np.abs(logits - expected).mean() < (0.1 if note else 1e-3) * np.abs(expected).mean()
    with pytest.warns(UserWarning, match="not stored as codes") if note else nullcontext():
        other = arrowquant.Decoder(table, compute="int8", threads=1)
    assert np.array_equal(np.vstack([other.logits(IDS[:33]), other.logits(IDS[33:], past=33)]), logits)
    with pytest.raises(ArgumentError, match="int4"):
        arrowquant.Decoder(table, compute="int4")


def test_shards_and_arrays(folder, expected, tmp_path):
    with arrowquant.Decoder(write_tiny(tmp_path / "sharded", shards=3)) as decoder:
        assert np.array_equal(decoder.logits(IDS), expected)
    with arrowquant.Decoder(tiny_weights(), folder=folder) as decoder:
        assert np.array_equal(decoder.logits(IDS), expected)


def test_losses_are_those_of_the_logits(folder, expected):
    exact = expected.astype(np.float64)
    logarithms = exact - np.log(np.exp(exact).sum(axis=1, keepdims=True))
    with arrowquant.Decoder(folder) as decoder:
        losses = decoder.losses(IDS)
        assert losses.shape == (99,)
        np.testing.assert_allclose(losses, -logarithms[np.arange(99), IDS[1:]], rtol=0, atol=1e-12)
        assert np.array_equal(decoder.losses(IDS[:2]), losses[:1])
        with pytest.raises(ArgumentError, match="a text of 1 tokens"):
            decoder.losses([3])


def test_wrong_calls(folder):
    decoder = arrowquant.Decoder(folder, context=8)
    for ids, options, words in [
        ([], {}, "there are no tokens"),
        ([WORDS], {}, "token 0 is 70"),
        ([-1], {}, "-1 to -1 is out of range"),
        ([2**31], {}, "out of range"),
        ([[1, 2]], {}, "2 dimensions"),
        ([1] * 9, {}, "9 tokens; the decoder was opened for 8"),
        ([1], {"past": 1}, "the decoder holds 0"),
        ([1], {"last": 2}, "last: 2 is out of range"),
        ([1], {"past": -1}, "past: -1"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            decoder.logits(ids, **options)
    for ids in ([1.5], ["1"], [True]):
        with pytest.raises(TypeError):
            decoder.logits(ids)
    with pytest.raises(ArgumentError, match="129") as error:
        arrowquant.Decoder(folder, context=129)
    assert "context" in error.value.hint
    with pytest.raises(ArgumentError):
        arrowquant.Decoder(folder, context=0)
    decoder.close()
    assert decoder.closed
    assert "closed" in repr(decoder)
    with pytest.raises(ValueError, match="closed"):
        decoder.logits([1])


def test_models_that_are_not_run_say_why(folder, tmp_path):
    for changes, kind, words in [
        ({"model_type": "gpt2"}, UnsupportedError, "'gpt2'; decoders that can be run are llama, qwen2, qwen3, gemma3_text"),
        ({"hidden_act": "relu6"}, UnsupportedError, "relu6"),
        ({"intermediate_size": 50}, FormatError, "config.json asks for"),
        ({"tie_word_embeddings": False}, NotFoundError, "lm_head.weight"),
    ]:
        with pytest.raises(kind, match=words):
            arrowquant.Decoder(write_tiny(tmp_path / "other", **changes))
    with pytest.raises(UnsupportedError, match="'llama'; what can be run is bert"):
        arrowquant.Encoder(folder)
    with pytest.warns(UserWarning, match="'attn_gain'"):
        arrowquant.Decoder(write_tiny(tmp_path / "other", attn_gain=2)).close()


def test_threads_share_a_decoder_and_a_child_has_it_too(folder, expected):
    decoder = arrowquant.Decoder(folder, threads=2)
    results: list[np.ndarray] = []
    workers = [threading.Thread(target=lambda: results.append(decoder.logits(IDS))) for _ in range(4)]
    for worker in workers:
        worker.start()
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(decoder.logits(IDS), expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for worker in workers:
        worker.join()
    assert len(results) == 4
    assert all(np.array_equal(one, expected) for one in results)
    decoder.close()
