"""Threads and references: many threads open, look, drop and close."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import sys
import threading

import numpy as np

import arrowquant


def run_threads(count, work):
    errors = []

    def guarded(seed):
        try:
            work(random.Random(seed))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def open_files():
    return len(os.listdir("/proc/self/fd"))


def maps(*paths):
    with open("/proc/self/maps") as file:
        text = file.read()
    return sum(text.count(path) for path in paths)


def test_threads_open_view_drop_and_close(tables, arrays):
    """Each on its own sources."""
    paths = [tables[name] for name in ("v1", "raw1", "raw8", "int8", "int4", "int2")]
    before = open_files()

    def work(rng):
        held = []
        for _ in range(150):
            source = arrowquant.open(rng.choice([*paths, arrays]))
            tensor = source[rng.choice(list(source))]
            held.append(tensor.codes if tensor.is_quantized and rng.random() < 0.5 else tensor.numpy())
            if rng.random() < 0.5:
                source.close()
            if rng.random() < 0.3:
                held.append(source)
            rng.shuffle(held)
            del held[5:]
        for item in held:
            if isinstance(item, np.ndarray):
                item.sum()

    run_threads(6, work)
    gc.collect()
    assert open_files() == before
    assert maps(*paths) == 0


def test_threads_share_a_source_that_one_of_them_closes(tables):
    for name in ("raw8", "int8", "int4"):
        with arrowquant.open(tables[name]) as expected:
            values = {key: tensor.numpy().copy() for key, tensor in expected.items()}
        for _ in range(10):
            source = arrowquant.open(tables[name])

            def work(rng, source=source, values=values):
                for i in range(60):
                    if i == 40 and rng.random() < 0.4:
                        source.close()
                    try:
                        tensor = source[rng.choice(list(values))]
                        found = tensor.numpy()
                        codes = tensor.codes
                    except ValueError as error:
                        if "closed" not in str(error):
                            raise
                        return
                    np.testing.assert_array_equal(found, values[tensor.name])
                    assert (codes is None) != tensor.is_quantized

            run_threads(4, work)
            source.close()
            del source
    gc.collect()
    assert maps(*(tables[name] for name in ("raw8", "int8", "int4"))) == 0


def test_jobs_run_side_by_side(arrays, tmp_path):
    def work(rng):
        path = tmp_path / f"{threading.get_ident()}.parquet"
        for _ in range(4):
            arrowquant.quantize(arrays, path, type="int4", threads=2, force=True, progress=lambda event: None)

    run_threads(4, work)
    contents = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(contents) == 1


def test_a_source_in_use_by_a_job_serves_others_too(arrays, tmp_path):
    source = arrowquant.open(arrays)
    entered, leave = threading.Event(), threading.Event()

    def pause(event):
        entered.set()
        leave.wait(30)

    thread = threading.Thread(
        target=arrowquant.quantize, args=(source, tmp_path / "t.parquet"), kwargs={"progress": pause}
    )
    thread.start()
    assert entered.wait(30)
    assert (source["embed.weight"].numpy() == arrays["embed.weight"]).all()
    arrowquant.quantize(source, tmp_path / "beside.parquet")
    source.close()
    leave.set()
    thread.join()
    assert (tmp_path / "t.parquet").read_bytes() == (tmp_path / "beside.parquet").read_bytes()


def test_references_are_balanced(tables, arrays, tmp_path):
    """Repeating anything leaves no objects behind."""

    def everything():
        with arrowquant.open(tables["int8"]) as source:
            _ = source.metadata
            for tensor in source.values():
                _ = tensor.codes, tensor.scales, tensor.numpy(), tensor.dequantize()
            capsule = source.__arrow_c_stream__()
            del capsule
        with arrowquant.open(arrays) as source:
            _ = source["embed.weight"].numpy()
        arrowquant.compare(arrays, tables["int8"], progress=lambda event: None)
        for bad in ({"x": object()}, "/nothing"):
            with contextlib.suppress(arrowquant.ArrowQuantError):
                arrowquant.open(bad)

    everything()
    gc.collect()
    before = sys.getallocatedblocks(), [sys.getrefcount(x) for x in (*arrays.values(), None.__class__)]
    for _ in range(20):
        everything()
    gc.collect()
    after = sys.getallocatedblocks(), [sys.getrefcount(x) for x in (*arrays.values(), None.__class__)]
    assert after[1] == before[1]
    assert abs(after[0] - before[0]) < 200
