"""Children of fork(), as gunicorn --preload and multiprocessing make them: what the parent opened works there too."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time

import pytest
from tiny_encoder import MAX_TOKENS, tiny_weights, write_tiny

import arrowquant

SECONDS = 60  # a child that takes longer hangs
TEXTS = ["cat sat", "a", "", "c a t s", "s a t " * MAX_TOKENS] * 8
MODEL = None  # what the workers of a pool find, as those of a preloading server do


def in_child(work):
    """What `work` gives as bytes, made in a child of os.fork()."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(SECONDS)
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(work())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        found = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the child hung or failed"
    return found


@pytest.fixture
def folder(tmp_path):
    write_tiny(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def table(folder, tmp_path):
    arrowquant.quantize(folder, tmp_path / "table.parquet", type="int4")
    return tmp_path / "table.parquet"


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("compute", ["fp32", "int8"])
def test_encoder_gives_the_same_bits(folder, threads, compute):
    encoder = arrowquant.Encoder(str(folder), threads=threads, compute=compute)
    untouched = in_child(lambda: encoder.encode(TEXTS).tobytes())
    expected = encoder.encode(TEXTS).tobytes()
    assert untouched == expected
    assert in_child(lambda: encoder.encode(TEXTS).tobytes()) == expected
    assert in_child(lambda: in_child(lambda: encoder.encode(TEXTS).tobytes())) == expected
    assert encoder.encode(TEXTS).tobytes() == expected


def test_encoder_is_closed_and_collected(folder):
    encoder = arrowquant.Encoder(str(folder), threads=3)
    encoder.encode(TEXTS)

    def collect():
        nonlocal encoder
        encoder = None
        gc.collect()
        return b"collected"

    assert in_child(lambda: encoder.close() or b"closed") == b"closed"
    assert in_child(collect) == b"collected"
    encoder.encode(TEXTS)


def test_encoder_in_use_by_another_thread_at_the_fork(folder):
    encoder = arrowquant.Encoder(str(folder), threads=2)
    expected = encoder.encode(TEXTS).tobytes()
    stop = threading.Event()

    def encode_on():
        while not stop.is_set():
            encoder.encode(TEXTS * 20)

    thread = threading.Thread(target=encode_on)
    thread.start()
    try:
        for _ in range(10):
            time.sleep(0.01)
            assert in_child(lambda: encoder.encode(TEXTS).tobytes()) == expected
    finally:
        stop.set()
        thread.join()


def test_fork_in_a_signal_handler(folder):
    encoder = arrowquant.Encoder(str(folder), threads=2)
    expected = encoder.encode(TEXTS).tobytes()
    found = []
    before = signal.signal(
        signal.SIGUSR1, lambda *_: found.append(in_child(lambda: encoder.encode(TEXTS).tobytes()))
    )
    try:
        for _ in range(10):
            killer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1))
            killer.start()
            while killer.is_alive():
                encoder.encode(TEXTS)
            killer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(found) > 0
    assert set(found) == {expected}


def encode_in_worker(text):
    return MODEL.encode([text, *TEXTS]).tobytes()


def test_workers_of_multiprocessing_share_an_encoder(folder):
    global MODEL
    MODEL = arrowquant.Encoder(str(folder), threads=2)
    expected = [encode_in_worker(text) for text in ("cat", "sat", "a c")]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(encode_in_worker, ("cat", "sat", "a c")).get(SECONDS) == expected
    MODEL.close()


def test_tokenizer_and_opened_sources(folder, table):
    tokenizer = arrowquant.Tokenizer(folder)
    ids = repr([list(tokenizer.encode(text)) for text in TEXTS]).encode()
    assert in_child(lambda: repr([list(tokenizer.encode(text)) for text in TEXTS]).encode()) == ids
    with arrowquant.open(table) as source:
        values = b"".join(source[name].numpy().tobytes() for name in sorted(source))
        assert in_child(lambda: b"".join(source[name].numpy().tobytes() for name in sorted(source))) == values


def test_source_read_by_threads_at_the_fork(table):
    with arrowquant.open(table) as source:
        stop = threading.Event()

        def read():
            return b"".join(source[name].numpy().tobytes() for name in sorted(source))

        def read_on():
            while not stop.is_set():
                read()

        expected = read()
        threads = [threading.Thread(target=read_on) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(15):
                assert in_child(read) == expected
        finally:
            stop.set()
            for thread in threads:
                thread.join()


@pytest.mark.parametrize("options", [{"type": "int4"}, {"target_bpw": 4.0, "calib": "none"}])
def test_files_made_in_a_child_are_the_same(folder, tmp_path, options):
    def quantize(name):
        arrowquant.quantize(folder, tmp_path / name, threads=3, **options)
        return (tmp_path / name).read_bytes()

    assert quantize("parent") == in_child(lambda: quantize("child"))


def test_a_child_of_a_running_operation_leaves_the_output_alone(tmp_path):
    """A progress function may fork: the child goes its own way, and the parent's file is made."""
    children = []

    def progress(event):
        if not children:
            children.append(os.fork())
            if children[0] == 0:
                signal.alarm(SECONDS)
        return True

    output = tmp_path / "table.parquet"
    try:
        arrowquant.quantize(tiny_weights(), output, type="int4", threads=2, progress=progress)
    except BaseException:
        if children[0] == 0:
            os._exit(0)
        raise
    if children[0] == 0:
        os._exit(1)  # the child may not finish a file of its parent
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
    with arrowquant.open(output) as source:
        assert len(source) == len(tiny_weights())


def test_loaders_opened_before_the_fork(table):
    pytest.importorskip("torch")
    loader = arrowquant.WeightLoader(table)

    def load():
        return b"".join(value.numpy().tobytes() for _, value in sorted(loader.load_weights().items()))

    expected = load()
    assert in_child(load) == expected
