"""`Decoder.generate` and `arrowquant.perplexity`, beside the same computed from logits in NumPy."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest
from tiny_decoder import WORDS, write_tiny

import arrowquant
from arrowquant.errors import ArgumentError, NoMatchError, ThresholdError

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,;:?!-"[:WORDS]
PROMPT = "a quick test"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A token is a letter."""
    made = write_tiny(tmp_path_factory.mktemp("language") / "model", eos_token_id=3)
    tokenizer = {
        "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {"type": "BPE", "vocab": {letter: i for i, letter in enumerate(LETTERS)}, "merges": []},
    }  # fmt: skip
    (made / "tokenizer.json").write_text(json.dumps(tokenizer))
    (made / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return made


def greedy(decoder, count):
    ids = [LETTERS.index(letter) for letter in PROMPT]
    written = []
    while len(written) < count:
        token = int(decoder.logits(ids + written, last=1)[0].argmax())
        if token == 3:
            break
        written.append(token)
    return "".join(LETTERS[i] for i in written)


def test_greedy_text(folder):
    with arrowquant.Decoder(folder) as decoder:
        expected = greedy(decoder, 40)
        assert decoder.generate(PROMPT, max_tokens=40) == expected
        assert decoder.generate(PROMPT, max_tokens=5) == expected[:5]
        stop = expected[3:5]
        assert decoder.generate(PROMPT, max_tokens=40, stop=stop) == expected[: expected.index(stop)]
        assert decoder.generate(PROMPT, max_tokens=40, stop=["zzzz", stop]) == expected[: expected.index(stop)]


def test_drawn_text(folder):
    with arrowquant.Decoder(folder) as decoder:
        texts = [decoder.generate(PROMPT, max_tokens=30, temperature=1.2, seed=seed) for seed in (5, 5, 6)]
        assert texts[0] == texts[1] != texts[2]
        assert decoder.generate(PROMPT, max_tokens=30, temperature=1.2, top_p=1e-6) == greedy(decoder, 30)


def test_what_cannot_be_written(folder):
    decoder = arrowquant.Decoder(folder, context=20)
    for options, words in (
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"stop": ""}, "stop"),
        ({"max_tokens": -3}, "max_tokens"),
    ):
        with pytest.raises(ArgumentError, match=words):
            decoder.generate(PROMPT, **options)
    with pytest.raises(ArgumentError, match="24 tokens"):
        decoder.generate(PROMPT * 2)
    decoder.close()
    with pytest.raises(ValueError, match="closed"):
        decoder.generate(PROMPT)


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def test_perplexity(folder, tmp_path):
    text = "The quick brown fox jumps over 13 lazy dogs. Not so quick, are we? " * 3
    table = tmp_path / "t.parquet"
    arrowquant.quantize(folder, table, type="int4", group_size=16)
    ids = [LETTERS.index(letter) for letter in text if letter in LETTERS]
    texts = ["".join(LETTERS[i] for i in ids)]
    report = arrowquant.perplexity(table, against=folder, texts=texts, context=32)
    with arrowquant.Decoder(folder) as reference, arrowquant.Decoder(table) as decoder:
        windows = [ids[at : at + 32] for at in range(0, len(ids) - 31, 32)]
        p, q = (np.concatenate([log_softmax(d.logits(w)[16:-1]) for w in windows]) for d in (reference, decoder))
    following = np.concatenate([w[17:] for w in windows])
    assert report["texts"]["windows"] == len(windows)
    assert report["texts"]["positions"] == len(following) == len(p)
    loss = -q[np.arange(len(q)), following].mean()
    assert report["perplexity"]["loss"] == pytest.approx(loss, rel=1e-6)
    assert report["divergence"]["mean"] == pytest.approx((np.exp(p) * (p - q)).sum(-1).mean(), rel=1e-5)
    assert report["divergence"]["top_agreement"] == pytest.approx((p.argmax(-1) == q.argmax(-1)).mean())
    alone = arrowquant.perplexity(table, texts=texts, context=32)
    assert alone["perplexity"]["loss"] == pytest.approx(loss, rel=1e-6)
    assert "divergence" not in alone


def test_perplexity_of_an_open_decoder_is_that_of_the_function(folder, tmp_path):
    table = tmp_path / "t.parquet"
    arrowquant.quantize(folder, table, type="int4", group_size=16)
    texts = ["The quick brown fox jumps over lazy dogs", "and is not so quick when it is tired"]
    (tmp_path / "text").write_text("\n".join(texts))
    expected = arrowquant.perplexity(table, against=folder, texts=texts, context=16, windows=3)
    with arrowquant.Decoder(table) as decoder:
        decoder.logits([1, 2, 3])
        for given in (texts, tmp_path / "text"):
            report = decoder.perplexity(given, against=folder, context=16, windows=3)
            assert isinstance(report, arrowquant.Report)
            assert "KL divergence" in str(report)
            assert report["perplexity"] == expected["perplexity"]
            assert report["divergence"] == expected["divergence"]
            assert report["texts"]["hash"] == expected["texts"]["hash"]
        alone = decoder.perplexity(texts, context=16)
        assert "divergence" not in alone
        assert alone["texts"]["windows"] > 3
        for options in ({"context": 7}, {"windows": 0}, {"context": 2**32}):
            with pytest.raises(ArgumentError):
                decoder.perplexity(texts, **options)
        with pytest.raises(ArgumentError, match="opened for"):
            arrowquant.Decoder(table, context=12).perplexity(texts, context=16)
    with pytest.raises(ValueError, match="closed"):
        decoder.perplexity(texts)


def test_compare_and_validate_take_the_options_of_language_models(folder, tmp_path):
    table = tmp_path / "t.parquet"
    arrowquant.quantize(folder, table, type="int2", group_size=16)
    texts = ["The quick brown fox jumps over lazy dogs and is not so quick when it is tired"]
    report = arrowquant.compare(folder, table, texts=texts, context=16)
    expected = arrowquant.perplexity(table, against=folder, texts=texts, context=16)
    assert report["outputs"]["divergence"] == expected["divergence"]
    with pytest.raises(ThresholdError, match="mean KL divergence") as caught:
        arrowquant.compare(folder, table, texts=texts, context=16, max_kl=report["outputs"]["divergence"]["mean"] / 2)
    assert not caught.value.report["passed"]
    with pytest.raises(ThresholdError, match="int2_max_kl"):
        arrowquant.validate(
            folder, types="int2", texts=texts, context=16, max_kl=1e-6, output_dir=str(tmp_path / "results")
        )


def test_another_vocabulary_is_refused(folder, tmp_path):
    weights = {name: np.array(t.dequantize()) for name, t in arrowquant.open(folder).items()}
    weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"][:-1]
    other = tmp_path / "other"
    other.mkdir()
    from safetensors.numpy import save_file

    save_file(weights, other / "model.safetensors")
    config = json.loads((folder / "config.json").read_text()) | {"vocab_size": WORDS - 1}
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(NoMatchError, match=f"vocabulary of {WORDS - 1} tokens"):
        arrowquant.perplexity(folder, against=other, texts=["some text of letters"], context=8)


def test_the_model_in_codes_beside_itself_in_fp32(folder, tmp_path):
    table = tmp_path / "table.parquet"
    arrowquant.quantize(folder, table, type="int8", quantize_1d=True, keep=["*norm*"])
    with arrowquant.Decoder(table, compute="int8") as decoder:
        assert decoder.generate(PROMPT, max_tokens=9) == greedy(decoder, 9)
    texts = ["".join(LETTERS[(7 * i + i // 5) % WORDS] for i in range(200))]
    report = arrowquant.perplexity(table, texts=texts, against=table, context=32, compute="int8")
    assert report["compute"] == "int8"
    assert 0 < report["divergence"]["mean"] < 1e-5
    assert arrowquant.perplexity(table, texts=texts, against=table, context=32)["divergence"]["max"] == 0
    with pytest.raises(ArgumentError, match="int3"):
        arrowquant.perplexity(table, texts=texts, compute="int3")


# ---- texts of its own ----


def test_a_model_calibrates_itself(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = arrowquant.quantize(folder, "a.parquet", target_bpw=4, calib="self")["search"]["calibration"]
    assert made["texts_from"] == "self"
    assert made["written"]["windows"] == made["texts"] + made["held_out_texts"] == 72
    with pytest.raises(arrowquant.NotFoundError, match="self"):  # a path is no word, absent or not
        arrowquant.quantize(folder, "b.parquet", target_bpw=4, calib=pathlib.Path("self"))
