"""The encoder: what callers of SentenceTransformer.encode pass, its life and its errors; vectors against
sentence-transformers when it is there."""

from __future__ import annotations

import contextlib
import gc
import inspect
import json
import logging
import os
import shutil
import signal
import sys
import threading

import numpy as np
import pytest
from tiny_encoder import HIDDEN, MAX_TOKENS, POSITIONS, tiny_weights, write_tiny

import arrowquant

TEXTS = ["a cat sat", "cats", "", "b c d e f g h i j k l m n", "z"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folder of a small model, whose vectors do not have length 1."""
    folder = tmp_path_factory.mktemp("encoder") / "tiny"
    write_tiny(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(tiny):
    with arrowquant.Encoder(tiny) as opened:
        yield opened


@pytest.fixture(scope="module")
def vectors(encoder):
    return encoder.encode(TEXTS)


def cosines(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


# ---- what should be known of a model ----


def test_what_is_passed_over_is_warned_of(tiny, tmp_path, encoder):
    folder = tmp_path / "unknown"
    shutil.copytree(tiny, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"future_switch": 1, "dtype": "float16"}))
    with pytest.warns(UserWarning, match="config.json") as told, arrowquant.Encoder(folder) as opened:
        assert np.array_equal(opened.encode(TEXTS), encoder.encode(TEXTS))
    assert [str(w.message) for w in told] == [
        "config.json: not known, and passed over: 'future_switch'",
        "config.json: 'dtype' is float16, in which sentence-transformers computes; this computes in float32",
    ]
    assert {w.filename for w in told} == {__file__}


def test_nothing_to_say_of_a_plain_model(tiny, recwarn):
    arrowquant.Encoder(tiny).close()
    assert not recwarn.list


def test_weights_that_are_not_finite_are_an_error(tiny, tmp_path):
    folder, weights = tmp_path / "nan", tiny_weights()
    shutil.copytree(tiny, folder)
    weights["embeddings.word_embeddings.weight"][7] = np.nan
    arrowquant.export(weights, folder / "model.safetensors", force=True)
    with arrowquant.Encoder(folder) as opened, pytest.raises(arrowquant.NonFiniteError, match="word_embeddings"):
        opened.encode(["a", "c"])


# ---- what encode takes and gives ----


def test_a_list_gives_rows_and_a_str_one_vector(encoder, vectors):
    assert vectors.shape == (len(TEXTS), HIDDEN)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert abs(cosines(vectors[0], vectors[3])) < 0.99
    for text, expected in zip(TEXTS, vectors, strict=True):
        one = encoder.encode(text)
        assert one.shape == (HIDDEN,)
        np.testing.assert_array_equal(one, expected)
        np.testing.assert_array_equal(encoder.encode([text]), expected[None])


def test_no_sentences(encoder):
    assert encoder.encode([]).shape == (0, HIDDEN)
    assert encoder.encode([], normalize_embeddings=True).shape == (0, HIDDEN)


def test_any_iterable_of_str_is_taken(encoder, vectors):
    for sentences in (tuple(TEXTS), iter(TEXTS), np.array(TEXTS), dict.fromkeys(TEXTS)):
        np.testing.assert_array_equal(encoder.encode(sentences), vectors)


@pytest.mark.parametrize("size", [1, 2, 5, 1000, np.int64(3)])
def test_batches_do_not_change_the_result(encoder, vectors, size):
    np.testing.assert_array_equal(encoder.encode(TEXTS, batch_size=size), vectors)
    np.testing.assert_array_equal(encoder.encode(TEXTS, size), vectors)


def test_threads_of_the_encoder_do_not_change_the_result(tiny, vectors):
    for threads in (1, 3):
        with arrowquant.Encoder(tiny, threads=threads) as encoder:
            np.testing.assert_array_equal(encoder.encode(TEXTS), vectors)


def test_normalize_embeddings(encoder, vectors):
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.abs(lengths - 1).min() > 0.1
    normalized = encoder.encode(TEXTS, normalize_embeddings=True)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized, vectors / lengths, atol=1e-6)
    np.testing.assert_array_equal(encoder.encode(TEXTS[0], normalize_embeddings=True), normalized[0])


def test_truncate_dim(encoder, vectors):
    cut = encoder.encode(TEXTS, truncate_dim=8)
    np.testing.assert_array_equal(cut, vectors[:, :8])
    assert cut.flags.c_contiguous
    normalized = encoder.encode(TEXTS, truncate_dim=8, normalize_embeddings=True)
    np.testing.assert_allclose(np.linalg.norm(normalized, axis=1), 1, atol=1e-6)
    with pytest.raises(arrowquant.ArgumentError, match="truncate_dim"):
        encoder.encode(TEXTS, truncate_dim=0)


def test_truncate_dim_of_the_encoder(tiny, vectors):
    with arrowquant.Encoder(tiny, truncate_dim=8) as short:
        assert short.get_embedding_dimension() == 8
        np.testing.assert_array_equal(short.encode(TEXTS), vectors[:, :8])
        np.testing.assert_array_equal(short.encode(TEXTS, truncate_dim=5), vectors[:, :5])
        with pytest.raises(arrowquant.ArgumentError, match="truncate_dim: 9"):
            short.encode(TEXTS, truncate_dim=9)
    with arrowquant.Encoder(tiny, truncate_dim=1000) as whole:
        np.testing.assert_array_equal(whole.encode(TEXTS, truncate_dim=500), vectors)


def test_prompt(encoder):
    prompted = encoder.encode(TEXTS, prompt="q ", prompt_name=None)
    np.testing.assert_array_equal(prompted, encoder.encode([f"q {text}" for text in TEXTS]))
    assert np.abs(prompted - encoder.encode(TEXTS)).max() > 0.01


PROMPTS = {"prompts": {"query": "b c ", "document": "", "none": None}, "default_prompt_name": None}


def with_prompts(tiny, folder, **changes):
    shutil.copytree(tiny, folder)
    (folder / "config_sentence_transformers.json").write_text(json.dumps({**PROMPTS, **changes}))
    return folder


def test_prompt_name(tiny, encoder, vectors, tmp_path):
    expected = encoder.encode([f"b c {text}" for text in TEXTS])
    folder = with_prompts(tiny, tmp_path / "named")
    with arrowquant.Encoder(folder) as named:
        np.testing.assert_array_equal(named.encode(TEXTS), vectors)
        np.testing.assert_array_equal(named.encode(TEXTS, prompt_name="query"), expected)
        np.testing.assert_array_equal(named.encode(TEXTS[0], prompt_name="query"), expected[0])
        for name in ("document", "none"):
            np.testing.assert_array_equal(named.encode(TEXTS, prompt_name=name), vectors)
        np.testing.assert_array_equal(named.encode(TEXTS, prompt_name="no", prompt="b c "), expected)
        with pytest.raises(arrowquant.ArgumentError, match="no prompt named 'passage'; it has query, document, none"):
            named.encode(TEXTS, prompt_name="passage")
    with arrowquant.Encoder(with_prompts(tiny, tmp_path / "usual", default_prompt_name="query")) as usual:
        np.testing.assert_array_equal(usual.encode(TEXTS), expected)
        np.testing.assert_array_equal(usual.encode(TEXTS, prompt=""), vectors)
        np.testing.assert_array_equal(usual.encode(TEXTS, prompt_name="document"), vectors)
    arrowquant.convert(folder, tmp_path / "v1.parquet")
    shutil.rmtree(folder)
    with arrowquant.Encoder(tmp_path / "v1.parquet") as table:
        np.testing.assert_array_equal(table.encode(TEXTS, prompt_name="query"), expected)


def test_prompts_that_cannot_be_had(tiny, encoder, vectors, tmp_path):
    with pytest.raises(arrowquant.ArgumentError, match="no prompt named 'query'; it has none"):
        encoder.encode(TEXTS, prompt_name="query")
    with pytest.raises(TypeError):
        encoder.encode(TEXTS, prompt_name=3)
    folder = with_prompts(tiny, tmp_path / "skips")
    pooling = {"pooling_mode_mean_tokens": True, "include_prompt": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    with arrowquant.Encoder(folder) as skips:
        np.testing.assert_array_equal(skips.encode(TEXTS), vectors)
        for options in ({"prompt_name": "query"}, {"prompt": "b"}):
            with pytest.raises(arrowquant.UnsupportedError, match="include_prompt"):
                skips.encode(TEXTS, **options)


def test_tensors(encoder, vectors):
    torch = pytest.importorskip("torch")
    tensor = encoder.encode(TEXTS, convert_to_tensor=True)
    assert isinstance(tensor, torch.Tensor)
    assert tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor.numpy(), vectors)
    assert tuple(encoder.encode("cat", convert_to_tensor=True).shape) == (HIDDEN,)
    assert tuple(encoder.encode([], convert_to_tensor=True).shape) == (0, HIDDEN)
    rows = encoder.encode(TEXTS, convert_to_numpy=False)
    assert isinstance(rows, list)
    np.testing.assert_array_equal(torch.stack(rows).numpy(), vectors)
    assert tuple(encoder.encode("cat", convert_to_numpy=False).shape) == (HIDDEN,)
    np.testing.assert_array_equal(encoder.encode(TEXTS, device=torch.device("cpu")), vectors)


@pytest.mark.parametrize(
    "options",
    [
        {"output_value": "token_embeddings"},
        {"output_value": None},
        {"precision": "int8"},
        {"device": "cuda"},
        {"device": ["cpu", "cpu"]},
        {"batch_size": 0},
        {"batch_size": -1},
    ],
)
def test_values_that_cannot_be_had_are_named(encoder, options):
    with pytest.raises(arrowquant.ArgumentError, match=next(iter(options))):
        encoder.encode(TEXTS, **options)


@pytest.mark.parametrize("options", [{"batch": 3}, {"task": "query"}, {"batch_size": "32"}])
def test_wrong_options(encoder, options):
    with pytest.raises(TypeError):
        encoder.encode(TEXTS, **options)


@pytest.mark.parametrize("sentences", [b"cat", ["a", b"cat"], ["a", None], 3, None, [["a", "cat"]]])
def test_what_is_no_sentence(encoder, sentences):
    with pytest.raises(TypeError):
        encoder.encode(sentences)


def test_surrogates(encoder):
    np.testing.assert_array_equal(encoder.encode("cat \udc80"), encoder.encode("cat \ufffd"))
    np.testing.assert_array_equal(encoder.encode("\ud83d\ude00"), encoder.encode("\N{GRINNING FACE}"))


def test_what_the_model_says_of_itself(tiny, encoder):
    assert encoder.get_sentence_embedding_dimension() == encoder.get_embedding_dimension() == HIDDEN
    assert encoder.max_seq_length == MAX_TOKENS
    assert str(HIDDEN) in repr(encoder)
    long = "a " * 30
    with arrowquant.Encoder(tiny, max_tokens=10) as short:
        assert short.max_seq_length == 10
        np.testing.assert_array_equal(short.encode(long), encoder.encode("a " * 8))
    np.testing.assert_array_equal(encoder.encode(long), encoder.encode("a " * (MAX_TOKENS - 2)))


def test_progress(encoder, caplog, capsys):
    with caplog.at_level(logging.WARNING, "arrowquant"):
        encoder.encode(TEXTS, batch_size=2)
    assert caplog.messages == []
    with caplog.at_level(logging.INFO, "arrowquant"):
        encoder.encode(TEXTS, batch_size=2)
        assert caplog.messages == [f"embed: {n}/5 texts, {20 * n} %" for n in (2, 4, 5)]
        caplog.clear()
        encoder.encode(TEXTS, batch_size=2, show_progress_bar=False)
        assert caplog.messages == []
    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal(encoder, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    encoder.encode(TEXTS, batch_size=3, show_progress_bar=True)
    shown = capsys.readouterr().err
    assert "\rembed: 3/5 texts, 60 %" in shown
    assert shown.endswith("\r")


# ---- where a model comes from ----


@pytest.mark.parametrize("kind", ["v1", "int8", "int4"])
def test_a_table_alone_is_enough(tiny, tmp_path, monkeypatch, kind):
    shutil.copytree(tiny, tmp_path / "m")
    table = tmp_path / "alone" / "t.parquet"
    table.parent.mkdir()
    if kind == "v1":
        arrowquant.convert(tmp_path / "m", table)
    else:
        arrowquant.quantize(tmp_path / "m", table, type=kind)
    with arrowquant.open(table) as source:
        dequantized = {name: tensor.numpy() for name, tensor in source.items()}
    expected = arrowquant.Encoder(dequantized, folder=tmp_path / "m").encode(TEXTS)
    shutil.rmtree(tmp_path / "m")
    monkeypatch.chdir(tmp_path / "alone")
    with arrowquant.Encoder("t.parquet") as encoder:
        assert encoder.max_seq_length == MAX_TOKENS
        np.testing.assert_array_equal(encoder.encode(TEXTS), expected)


def test_an_opened_source_stays_until_the_encoder_is_closed(tiny, tmp_path, vectors):
    path = tmp_path / "t.parquet"
    arrowquant.convert(tiny, path, codec="none")

    def is_mapped() -> bool:
        with open("/proc/self/maps") as maps:
            return str(path) in maps.read()

    source = arrowquant.open(path)
    encoder = arrowquant.Encoder(source)
    source.close()
    del source
    gc.collect()
    assert is_mapped()
    np.testing.assert_array_equal(encoder.encode(TEXTS), vectors)
    encoder.close()
    gc.collect()
    assert not is_mapped()


def test_arrays_in_memory(tiny, vectors):
    encoder = arrowquant.Encoder(tiny_weights(), folder=tiny)
    gc.collect()
    np.testing.assert_array_equal(encoder.encode(TEXTS), vectors)


def test_a_name(monkeypatch, tiny, tmp_path, vectors):
    repository = tmp_path / "hub" / "models--some-lab--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    shutil.copytree(tiny, repository / "snapshots" / "abc")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    np.testing.assert_array_equal(arrowquant.Encoder("some-lab/tiny").encode(TEXTS), vectors)


def test_int8(tiny, vectors):
    with arrowquant.Encoder(tiny, compute="int8") as encoder:
        near = encoder.encode(TEXTS)
    assert 0.99 < cosines(near, vectors).min() < 1
    assert np.abs(near - vectors).max() > 1e-5


# ---- errors and life ----


def test_errors(tiny, tmp_path):
    with pytest.raises(arrowquant.NotFoundError):
        arrowquant.Encoder(tmp_path / "nothing")
    with pytest.raises(arrowquant.NotFoundError, match=r"config\.json"):
        arrowquant.Encoder(tiny_weights())
    for options, word in (
        ({"compute": "int2"}, "int2"),
        ({"compute": None}, "None"),
        ({"threads": -1}, "threads"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": POSITIONS + 1}, str(POSITIONS)),
    ):
        with pytest.raises(arrowquant.ArgumentError, match=word):
            arrowquant.Encoder(tiny, **options)
    with pytest.raises(TypeError):
        arrowquant.Encoder(3)
    with pytest.raises(TypeError):
        arrowquant.Encoder(tiny, device="cpu")
    weights = tiny_weights()
    del weights["encoder.layer.1.output.dense.weight"]
    with pytest.raises(arrowquant.ArrowQuantError, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        arrowquant.Encoder(weights, folder=tiny)


def test_another_architecture(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "m")
    config = json.loads((tiny / "config.json").read_text()) | {"model_type": "llama"}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    with pytest.raises(arrowquant.UnsupportedError, match="llama"):
        arrowquant.Encoder(tmp_path / "m")


def test_closing(tiny):
    encoder = arrowquant.Encoder(tiny)
    with encoder as same:
        assert same is encoder
        assert not encoder.closed
    assert encoder.closed
    assert "closed" in repr(encoder)
    encoder.close()
    assert encoder.get_sentence_embedding_dimension() == HIDDEN
    for use in (lambda: encoder.encode("a"), lambda: encoder.encode([]), encoder.__enter__):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_threads_wait_for_each_other(encoder, vectors):
    errors = []

    def work(seed):
        rng = np.random.default_rng(seed)
        try:
            for _ in range(50):
                order = rng.permutation(len(TEXTS))
                found = encoder.encode([TEXTS[i] for i in order], batch_size=int(rng.integers(1, 6)))
                np.testing.assert_array_equal(found, vectors[order])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_closing_while_another_thread_encodes(tiny):
    for _ in range(5):
        encoder = arrowquant.Encoder(tiny)
        begun = threading.Event()
        errors = []

        def work(encoder=encoder, begun=begun, errors=errors):
            try:
                while True:
                    encoder.encode(TEXTS * 20, batch_size=7)
                    begun.set()
            except ValueError as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        assert begun.wait(30)
        encoder.close()
        thread.join(30)
        assert len(errors) == 1
        assert "closed" in str(errors[0])


def test_the_gil_is_released(encoder):
    texts = ["a b c d e f g h i j k l m n o p q r s t u v w x y z"] * 20_000
    ticks = 0
    done = threading.Event()

    def work():
        encoder.encode(texts, batch_size=len(texts))
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.wait(0.001):
        ticks += 1
    thread.join()
    assert ticks >= 10


def test_control_c_stops_between_batches(encoder, vectors):
    texts = TEXTS * 100_000
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        encoder.encode(texts)
    timer.join()
    np.testing.assert_array_equal(encoder.encode(TEXTS), vectors)


def test_references_are_balanced(tiny):
    wrong = [*TEXTS, 3]

    def everything():
        with arrowquant.Encoder(tiny) as encoder:
            encoder.encode(TEXTS, normalize_embeddings=True)
            encoder.encode("cat \udc80")
            with contextlib.suppress(TypeError):
                encoder._core.encode(wrong, 0)
        with arrowquant.open(tiny) as source:
            arrowquant.Encoder(source).encode("a")
        with contextlib.suppress(arrowquant.ArrowQuantError):
            arrowquant.Encoder(tiny, compute="none")

    everything()
    gc.collect()
    before = sys.getallocatedblocks(), [sys.getrefcount(text) for text in TEXTS]
    for _ in range(20):
        everything()
    gc.collect()
    after = sys.getallocatedblocks(), [sys.getrefcount(text) for text in TEXTS]
    assert after[1] == before[1]
    assert abs(after[0] - before[0]) < 200


# ---- against sentence-transformers ----


@pytest.fixture(scope="module")
def theirs(minilm):
    library = pytest.importorskip("sentence_transformers")
    return library.SentenceTransformer(minilm, device="cpu", local_files_only=True)


@pytest.fixture(scope="module")
def sentences(minilm):
    with open(os.path.join(minilm, "vocab.txt"), encoding="utf-8") as file:
        words = [word for word in file.read().split("\n")[1000:] if word.isalpha()]
    rng = np.random.default_rng(5)
    random = [" ".join(rng.choice(words, rng.integers(1, 300 if i % 10 == 0 else 30))) for i in range(90)]
    return ["", "Hello, world!", "Où est la bibliothèque?", "東京は夜の七時", "x = [i for i in range(3)]", *random]


def test_vectors_are_those_of_sentence_transformers(minilm, theirs, sentences):
    with arrowquant.Encoder(minilm) as encoder:
        assert encoder.max_seq_length == theirs.max_seq_length
        found, expected = encoder.encode(sentences), theirs.encode(sentences)
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype
        assert cosines(found, expected).min() >= 0.999999
        assert np.abs(found - expected).max() < 1e-5
        for options in (
            {"normalize_embeddings": True},
            {"batch_size": 2, "show_progress_bar": False},
            {"convert_to_tensor": True},
            {"convert_to_numpy": False},
            {"prompt": "query: "},
            {"truncate_dim": 64, "normalize_embeddings": True},
        ):
            for given in (sentences[:6], sentences[1]):
                ours, reference = encoder.encode(given, **options), theirs.encode(given, **options)
                assert type(ours) is type(reference)
                np.testing.assert_allclose(
                    np.stack([np.asarray(row) for row in ours]),
                    np.stack([np.asarray(row) for row in reference]),
                    atol=1e-5,
                )


def test_parameters_of_sentence_transformers(theirs):
    """The names that both have mean the same, and have the same defaults."""
    ours = inspect.signature(arrowquant.Encoder.encode).parameters
    reference = inspect.signature(inspect.unwrap(theirs.encode)).parameters
    known = set(ours) - {"self", "sentences"}
    assert known <= set(reference)
    assert {name: ours[name].default for name in known} == {name: reference[name].default for name in known}


def test_a_v2_table_alone_gives_the_vectors_of_its_weights(minilm, theirs, sentences, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    shutil.copytree(minilm, tmp_path / "m")
    for kind in ("int8", "int4"):
        arrowquant.quantize(tmp_path / "m", tmp_path / f"{kind}.parquet", type=kind)
    shutil.rmtree(tmp_path / "m")
    monkeypatch.chdir("/")
    model = theirs[0].auto_model
    original = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    reference = theirs.encode(sentences[:40])
    try:
        for kind, least in (("int8", 0.999), ("int4", 0.9)):
            with arrowquant.open(tmp_path / f"{kind}.parquet") as source, torch.no_grad():
                model.load_state_dict(source.load_torch(), strict=False)
            found = arrowquant.Encoder(tmp_path / f"{kind}.parquet").encode(sentences[:40])
            assert cosines(found, theirs.encode(sentences[:40])).min() >= 0.999999
            assert least < cosines(found, reference).mean() < 0.99999
    finally:
        model.load_state_dict(original)


def test_minilm_int8(minilm, minilm_int8, theirs, sentences):
    expected = theirs.encode(sentences)
    for model in (minilm, minilm_int8):
        with arrowquant.Encoder(model, compute="int8") as encoder:
            assert cosines(encoder.encode(sentences), expected).mean() >= 0.995
