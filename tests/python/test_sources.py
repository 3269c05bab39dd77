"""Sources in memory: NumPy and torch tensors, torch modules."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import arrowquant


def test_a_mapping_of_arrays_is_a_source(arrays):
    with arrowquant.open(arrays) as source:
        assert source.format == "memory"
        for name, expected in arrays.items():
            np.testing.assert_array_equal(source[name].numpy(), expected)


def test_arrays_are_not_copied(arrays):
    with arrowquant.open(arrays) as source:
        assert source["embed.weight"].numpy().ctypes.data == arrays["embed.weight"].ctypes.data


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.float32).reshape(4, 6).T,
        np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::-1],
        np.arange(6, dtype=">f4"),
        np.arange(6, dtype=">i8").reshape(2, 3),
        np.broadcast_to(np.float32(2), (3, 4)),
        np.frombuffer(b"\0" + np.arange(3, dtype="<f4").tobytes(), "<f4", offset=1) if True else None,
        np.float32(3),
    ],
    ids=["transposed", "strided", "big-endian", "big-endian-int", "broadcast", "unaligned", "scalar"],
)
def test_any_layout_is_taken(array, tmp_path):
    arrowquant.convert({"x": array}, tmp_path / "t.parquet")
    with arrowquant.open(tmp_path / "t.parquet") as source:
        np.testing.assert_array_equal(source["x"].numpy(), array)
        assert source["x"].shape == np.shape(array)


@pytest.mark.parametrize("dtype", ["complex64", "datetime64[s]", "U4", "object", "float128"])
def test_types_that_cannot_be_stored_are_refused(dtype):
    if dtype == "float128" and not hasattr(np, "float128"):
        pytest.skip("no such type here")
    with pytest.raises(arrowquant.ArgumentError, match="cannot be stored") as caught:
        arrowquant.open({"good": np.zeros(2), "bad": np.zeros(2, dtype)})
    assert caught.value.tensor == "bad"


def test_names_must_be_text():
    with pytest.raises(arrowquant.ArgumentError, match="names"):
        arrowquant.open({1: np.zeros(2)})
    with pytest.raises(arrowquant.ArgumentError):
        arrowquant.open({"": np.zeros(2)})


def test_too_many_dimensions_are_refused():
    with pytest.raises((ValueError, arrowquant.ArgumentError)):
        arrowquant.open({"x": np.zeros((1,) * 20)})


def test_what_is_no_source_is_refused():
    for value in (3, None, object(), [np.zeros(2)]):
        with pytest.raises(TypeError, match="is no source"):
            arrowquant.open(value)
    for function in (arrowquant.info, arrowquant.verify, arrowquant.validate):
        with pytest.raises(TypeError, match="is no source"):
            function(3)


def test_arrays_live_as_long_as_what_looks_at_them():
    class Array(np.ndarray):
        pass

    array = np.ndarray.__new__(Array, (8,), np.float32)
    array[:] = np.arange(8)
    alive = weakref.ref(array)
    source = arrowquant.open({"x": array})
    view = source["x"].numpy()
    del array
    gc.collect()
    assert alive() is not None
    source.close()
    del source
    gc.collect()
    np.testing.assert_array_equal(view, np.arange(8, dtype=np.float32))
    assert alive() is not None
    del view
    gc.collect()
    assert alive() is None


def test_torch_tensors(tmp_path):
    torch = pytest.importorskip("torch")
    tensors = {
        "bf16": torch.randn(40, 40).to(torch.bfloat16),
        "transposed": torch.randn(30, 50).t(),
        "strided": torch.randn(30, 50)[::3],
        "grad": torch.randn(20, 60, requires_grad=True),
        "half": torch.randn(33, 40).half(),
        "int": torch.arange(9),
        "bool": torch.tensor([True, False]),
        "fp8": torch.randn(8, 8).to(torch.float8_e4m3fn),
        "scalar": torch.tensor(2.5),
    }
    arrowquant.convert(tensors, tmp_path / "t.parquet")
    with arrowquant.open(tmp_path / "t.parquet") as source:
        for name, expected in tensors.items():
            found = source[name].torch()
            assert found.dtype == expected.dtype
            assert torch.equal(found.double(), expected.detach().double()), name


def test_torch_tensors_that_cannot_be_stored():
    torch = pytest.importorskip("torch")
    for bad in (torch.zeros(2, dtype=torch.complex64), torch.eye(3).to_sparse()):
        with pytest.raises(arrowquant.ArgumentError):
            arrowquant.open({"x": bad})


def test_a_torch_module_with_tied_weights(tmp_path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Embedding(50, 40), torch.nn.Linear(40, 50, bias=False))
    model[1].weight = model[0].weight
    arrowquant.quantize(model, tmp_path / "t.parquet")
    with arrowquant.open(tmp_path / "t.parquet") as source:
        assert list(source) == ["0.weight", "1.weight"]
        assert source["1.weight"].alias_of == "0.weight"
        assert source["0.weight"].quant_type == "int8"
    report = arrowquant.compare(model, tmp_path / "t.parquet")
    assert report["kind"] == "compare"


def test_a_source_in_memory_quantizes_like_its_file(arrays, tmp_path):
    arrowquant.convert(arrays, tmp_path / "v1.parquet")
    with arrowquant.open(tmp_path / "v1.parquet") as opened:
        arrowquant.quantize(opened, tmp_path / "a.parquet", type="int4")
    arrowquant.quantize(arrays, tmp_path / "b.parquet", type="int4")
    with arrowquant.open(tmp_path / "a.parquet") as a, arrowquant.open(tmp_path / "b.parquet") as b:
        assert list(a) == list(b)
        for name in a:
            np.testing.assert_array_equal(a[name].numpy(), b[name].numpy())


def test_export_of_arrays(arrays, tmp_path):
    arrowquant.export(arrays, tmp_path / "m.safetensors")
    with arrowquant.open(tmp_path / "m.safetensors") as source:
        np.testing.assert_array_equal(source["double.weight"].numpy(), arrays["double.weight"])


def test_compare_mixes_paths_and_arrays(arrays, tables):
    for a, b in ((arrays, tables["int8"]), (tables["int8"], arrays), (arrays, arrays)):
        assert arrowquant.compare(a, b)["kind"] == "compare"
    with arrowquant.open(arrays) as source:
        assert arrowquant.compare(source, source)["kind"] == "compare"


def test_a_nonfinite_array_is_refused_and_nothing_written(tmp_path):
    bad = np.zeros((40, 40), np.float32)
    bad[3, 5] = np.nan
    with pytest.raises(arrowquant.NonFiniteError) as caught:
        arrowquant.quantize({"w": bad}, tmp_path / "t.parquet")
    assert caught.value.tensor == "w"
    assert list(tmp_path.iterdir()) == []
    arrowquant.quantize({"w": bad}, tmp_path / "t.parquet", nonfinite="keep")


def test_every_operation_takes_an_opened_source(arrays, tmp_path):
    table = tmp_path / "table.parquet"
    source = arrowquant.open(arrays)
    arrowquant.quantize(source, table, type="int8")
    assert arrowquant.info(source)["totals"]["tensors"] == len(arrays)
    with arrowquant.open(table) as opened:
        checked = arrowquant.verify(opened, deep=True)
        assert checked["ok"]
        assert checked["pages"] > 0
        assert arrowquant.info(opened)["tensors"] == arrowquant.info(table)["tensors"]
    report = arrowquant.validate(source, types="int8", output_dir=tmp_path / "out")
    assert [entry["type"] for entry in report["types"]] == ["int8"]
