"""Every error about a tensor says which, and what was expected."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

import arrowquant

BAD = "the.bad.one"


class Broken:
    """An object that NumPy asks for an array."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no values here")


def refused(value, words, tmp_path):
    for operation in (arrowquant.convert, arrowquant.quantize, arrowquant.export):
        with pytest.raises(arrowquant.ArgumentError) as caught:
            operation({"good": np.zeros((2, 2), np.float32), BAD: value}, tmp_path / "out", force=True)
        assert caught.value.tensor == BAD
        assert f"tensor '{BAD}'" in str(caught.value)
        for word in words:
            assert word in str(caught.value)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros(2, np.complex64), ["complex64", "expected one of", "float32"]),
        (np.array(["a"]), ["expected one of"]),
        (None, ["object", "expected one of"]),
        ("text", ["expected one of"]),
        ([[1.0, 2.0], [3.0]], ["expected an array"]),
        (Broken(), ["no values here", "expected an array", "Broken"]),
        (np.zeros((1,) * 20, np.float32), ["20 dimensions", "at most"]),
    ],
    ids=["complex", "text-array", "none", "text", "ragged", "broken", "rank"],
)
def test_arrays_that_cannot_be_stored_are_named(value, words, tmp_path):
    refused(value, words, tmp_path)


def test_torch_tensors_that_cannot_be_stored_are_named(tmp_path):
    torch = pytest.importorskip("torch")
    values = {
        "meta": torch.empty(2, 2, device="meta"),
        "complex": torch.zeros(2, dtype=torch.complex64),
        "layout": torch.eye(3).to_sparse(),
        "quantized": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    }
    for what, value in values.items():
        refused(value, [what, "only dense tensors"], tmp_path)


def test_types_of_torch_that_the_library_lacks_are_named(tmp_path):
    torch = pytest.importorskip("torch")
    for name in ("complex32", "float4_e2m1fn_x2", "bits8", "quint4x2"):
        dtype = getattr(torch, name, None)
        if dtype is None:
            continue
        try:
            value = torch.zeros(2, dtype=torch.uint8).view(dtype)
        except RuntimeError:
            continue
        refused(value, [], tmp_path)


def test_an_element_type_that_the_core_lacks_is_named(tmp_path, monkeypatch):
    """As torch's, which come and go; here a type that torch never had."""

    class Tensor:
        dtype, layout, shape = "torch.float7", "strided", (2,)
        is_nested = is_quantized = is_meta = False

        def is_complex(self):
            return False

        def detach(self):
            return self

        cpu = contiguous = detach

        def data_ptr(self):
            return 1

    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(Tensor=Tensor, strided="strided"))
    refused(Tensor(), ["torch.float7 cannot be stored", "expected one of", "bfloat16"], tmp_path)


@pytest.mark.parametrize("name", [7, None, b"bytes", "nul\0in it", "half \ud83d", ""])
def test_names_that_are_none_are_told(name):
    with pytest.raises(arrowquant.ArgumentError) as caught:
        arrowquant.open({"good": np.zeros(2), name: np.zeros(2)})
    assert repr(name) in str(caught.value) or name == ""


def test_errors_of_an_opened_tensor_name_it(tmp_path):
    arrowquant.quantize({BAD: np.ones((8, 64), np.float32), "scalar": np.float32(1)}, tmp_path / "t.parquet")
    with arrowquant.open(tmp_path / "t.parquet") as source:
        for dtype in ("nonsense", "complex64", object, "U4"):
            with pytest.raises(arrowquant.ArgumentError, match="expected a floating-point or integer type") as caught:
                source[BAD].dequantize(dtype)
            assert caught.value.tensor == BAD
        assert source[BAD].dequantize(np.float16).dtype == np.float16
        with pytest.raises(ValueError, match=f"{BAD}.*float64"):
            source[BAD].__array__(np.float64, copy=False)
        with pytest.raises(TypeError, match="'scalar' is a scalar"):
            len(source["scalar"])
        with pytest.raises(KeyError, match="absent"):
            source["absent"]
