"""Errors: classes, what they carry, and that each failure of the library has one."""

from __future__ import annotations

import errno
import importlib.util
import os
import pathlib
import pickle

import numpy as np
import pytest

import arrowquant
from arrowquant import errors


def test_every_status_has_a_class():
    for status in errors.Status:
        if status is errors.Status.OK:
            continue
        error = errors._from_core(int(status), "m", "f", "t", 3, 2, "do", None)
        assert isinstance(error, arrowquant.ArrowQuantError)
        assert error.code is status
        assert str(error) == "f: tensor 't': m (offset 3, row group 2). do"
        assert (error.file, error.tensor, error.offset, error.row_group, error.hint) == ("f", "t", 3, 2, "do")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)


@pytest.mark.parametrize(
    ("status", "builtin", "number"),
    [
        (21, FileNotFoundError, errno.ENOENT),
        (22, FileExistsError, errno.EEXIST),
        (23, OSError, errno.ENOSPC),
        (24, PermissionError, errno.EACCES),
        (11, MemoryError, None),
        (10, ValueError, None),
        (41, KeyError, None),
    ],
)
def test_errors_are_builtin_ones_too(status, builtin, number):
    error = errors._from_core(status, "m", "f", None, None, None, None, None)
    assert isinstance(error, builtin)
    if number is not None:
        assert error.errno == number
        assert isinstance(error, arrowquant.StorageError)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        arrowquant.open(tmp_path / "nothing.parquet")
    assert isinstance(caught.value, arrowquant.NotFoundError)
    assert caught.value.file.endswith("nothing.parquet")
    assert caught.value.filename == caught.value.file


def test_an_output_that_exists(arrays, tables, tmp_path):
    path = tmp_path / "t.parquet"
    path.write_text("mine")
    with pytest.raises(arrowquant.ExistsError):
        arrowquant.quantize(arrays, path)
    assert path.read_text() == "mine"
    arrowquant.quantize(arrays, path, force=True)
    assert arrowquant.open(path).schema_version == 2


def test_what_is_no_model(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 this is nothing PAR1")
    with pytest.raises((arrowquant.FormatError, arrowquant.CorruptError)) as caught:
        arrowquant.open(tmp_path / "x.parquet")
    assert caught.value.file.endswith("x.parquet")


def test_a_flipped_byte_is_found_where_it_is(tables, tmp_path):
    raw = bytearray(pathlib.Path(tables["raw8"]).read_bytes())
    with arrowquant.open(tables["raw8"]) as source:
        needle = source["layer.0.weight"].codes.tobytes()
    raw[raw.index(needle) + 100] ^= 1
    path = tmp_path / "bad.parquet"
    path.write_bytes(raw)
    with arrowquant.open(path) as source:
        with pytest.raises(arrowquant.CorruptError) as caught:
            source["layer.0.weight"].numpy()
        assert caught.value.tensor == "layer.0.weight"
        assert caught.value.offset is not None
        assert source["embed.weight"].numpy().shape == (120, 64)
        if importlib.util.find_spec("torch"):
            with pytest.raises(arrowquant.CorruptError):
                source.load_torch(threads=2)
    with arrowquant.open(path, checksums=False) as source:
        assert source["layer.0.weight"].numpy().shape == (64, 96)
    with pytest.raises(arrowquant.CorruptError) as caught:
        arrowquant.verify(path)
    assert caught.value.report["kind"] == "verify"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"type": "int5"}, "int5"),
        ({"per": "row"}, "row"),
        ({"method": "best"}, "best"),
        ({"group_size": 1}, "1"),
        ({"group_size": -1}, "group_size"),
        ({"group_size": 1 << 40}, "group_size"),
        ({"tensor": ["nonsense"]}, "nonsense"),
        ({"codec": "rar"}, "rar"),
        ({"nonfinite": "zero"}, "zero"),
        ({"threads": -3}, "threads"),
        ({"max_memory": "lots"}, "lots"),
        ({"keep": [3]}, "3"),
        ({"keep": ["a\0b"]}, "zero byte"),
    ],
)
def test_wrong_options_name_themselves(arrays, tmp_path, options, word):
    with pytest.raises(arrowquant.ArgumentError, match=word):
        arrowquant.quantize(arrays, tmp_path / "t.parquet", **options)
    assert list(tmp_path.iterdir()) == []


def test_options_of_a_wrong_type(arrays, tmp_path):
    for options in ({"threads": "two"}, {"type": 8}, {"progress": 3}, {"unknown": 1}):
        with pytest.raises(TypeError):
            arrowquant.quantize(arrays, tmp_path / "t.parquet", **options)


def test_a_pattern_without_a_tensor(arrays, tmp_path):
    with pytest.raises(arrowquant.NoMatchError) as caught:
        arrowquant.quantize(arrays, tmp_path / "t.parquet", keep=["embed.wieght"])
    assert "embed.weight" in str(caught.value)


def test_quantizing_twice(tables, tmp_path):
    with pytest.raises(arrowquant.RequantizeError):
        arrowquant.quantize(tables["int8"], tmp_path / "t.parquet")
    arrowquant.quantize(tables["int8"], tmp_path / "t.parquet", allow_requantize=True)


def test_strict(tmp_path):
    flat = {"w": np.random.default_rng(0).integers(0, 9, (64, 64)), "x": np.ones((4, 4), np.float32)}
    arrowquant.quantize(flat, tmp_path / "t.parquet")
    fp16 = {"w": np.full((64, 64), 1e9, np.float64)}
    with pytest.raises(arrowquant.ArrowQuantError):
        arrowquant.quantize(fp16, tmp_path / "u.parquet", type="fp16", strict=True)


def test_a_memory_limit(minilm_int8, minilm, tmp_path):
    with arrowquant.open(minilm_int8, max_memory="8MiB") as source:
        assert source["encoder.layer.0.attention.self.key.weight"].codes.shape == (384, 384)
        with pytest.raises(arrowquant.OutOfMemoryError) as caught:
            _ = source["embeddings.word_embeddings.weight"].codes
    assert isinstance(caught.value, MemoryError)
    assert caught.value.tensor == "embeddings.word_embeddings.weight"
    with pytest.raises(arrowquant.ArgumentError, match="memory limit"):
        arrowquant.quantize(minilm, tmp_path / "t.parquet", max_memory="1MiB")
    assert list(tmp_path.iterdir()) == []


def test_permission(arrays, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(arrowquant.PermissionDeniedError):
        arrowquant.quantize(arrays, tmp_path / "t.parquet")


@pytest.mark.parametrize("size", [1 << 30, "1073741824", "1GiB", "1.5 GB", np.int64(1 << 30)])
def test_sizes_as_the_command_reads_them(minilm_int8, size):
    with arrowquant.open(minilm_int8, max_memory=size) as source:
        assert len(source) > 0


@pytest.mark.parametrize("size", [-1, "", "x", "1ib", "1 XB", "64M", 1 << 65])
def test_what_is_no_size(minilm_int8, size):
    with pytest.raises(arrowquant.ArgumentError, match=r"max_memory: .* is out of range: expected bytes"):
        arrowquant.open(minilm_int8, max_memory=size)


@pytest.mark.parametrize("size", [True, 1.5, None])
def test_what_a_size_cannot_be(minilm_int8, size):
    with pytest.raises(TypeError, match=r"max_memory: a size, such as .* is expected"):
        arrowquant.open(minilm_int8, max_memory=size)
