"""Opening: the mapping, tensors, views and their life."""

from __future__ import annotations

import gc
import os

import numpy as np
import pytest
from package_helpers import dequantize

import arrowquant


def test_mapping_has_all_names_in_order(arrays, tables):
    with arrowquant.open(tables["int8"]) as source:
        assert list(source) == list(arrays)
        assert len(source) == len(arrays)
        assert "embed.weight" in source
        assert "nothing" not in source
        assert [name for name, _ in source.items()] == list(arrays)
        with pytest.raises(KeyError):
            source["nothing"]


@pytest.mark.parametrize(("name", "version"), [("v1", 1), ("int8", 2)])
def test_schema_version_and_format(tables, name, version):
    with arrowquant.open(tables[name]) as source:
        assert source.schema_version == version
        assert source.format == f"table V{version}"
        assert source.file_bytes == os.path.getsize(tables[name])
        assert source.metadata["arrowquant.format_version"] == "1"


@pytest.mark.parametrize("name", ["v1", "raw1"])
def test_values_of_a_v1_table_are_those_of_the_model(arrays, tables, name):
    with arrowquant.open(tables[name]) as source:
        for key, expected in arrays.items():
            tensor = source[key]
            assert tensor.shape == expected.shape
            assert tensor.dtype == f"torch.{expected.dtype}"
            assert tensor.quant_type == "kept"
            assert tensor.codes is None
            assert tensor.scales is None
            assert tensor.zero_points is None
            values = tensor.numpy()
            assert values.dtype == expected.dtype
            np.testing.assert_array_equal(values, expected)
            assert not values.flags.writeable


@pytest.mark.parametrize("kind", ["raw8", "int8", "int4", "int3", "int2"])
def test_codes_scales_and_zero_points_give_the_dequantized_values(arrays, tables, kind):
    quantized = 0
    with arrowquant.open(tables[kind]) as source:
        for key, tensor in source.items():
            if not tensor.is_quantized:
                np.testing.assert_array_equal(tensor.numpy(), arrays[key])
                continue
            quantized += 1
            assert tensor.scales.dtype == tensor.zero_points.dtype == np.float32
            assert len(tensor.scales) == len(tensor.zero_points)
            assert tensor.codes.dtype == (np.int8 if tensor.quant_type == "int8" else np.uint8)
            if tensor.quant_type == "int8":
                assert tensor.codes.shape == tensor.shape
            values = tensor.dequantize()
            assert values.shape == arrays[key].shape
            np.testing.assert_array_equal(values, dequantize(tensor))
            np.testing.assert_array_equal(tensor.numpy(), values)
            np.testing.assert_allclose(values, arrays[key], atol=np.abs(arrays[key]).max())
    assert quantized == 6


def test_dequantize_converts_to_the_type_asked_for(tables):
    with arrowquant.open(tables["int8"]) as source:
        tensor = source["layer.0.weight"]
        assert tensor.dequantize(np.float64).dtype == np.float64
        np.testing.assert_array_equal(tensor.dequantize("float16"), tensor.dequantize().astype(np.float16))


def test_numpy_functions_take_a_tensor(arrays, tables):
    with arrowquant.open(tables["v1"]) as source:
        np.testing.assert_array_equal(np.asarray(source["layer.0.bias"]), arrays["layer.0.bias"])
        assert np.asarray(source["half.weight"], dtype=np.float32).dtype == np.float32
        assert len(source["layer.0.weight"]) == 64


def test_uncompressed_bytes_are_views_of_one_mapping(tables):
    with arrowquant.open(tables["raw8"]) as source:
        codes = source["embed.weight"].codes
        again = source["embed.weight"].codes
        assert codes.ctypes.data == again.ctypes.data
        assert not codes.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            codes[0, 0] = 1


def test_views_outlive_closing_and_the_file(arrays, tmp_path):
    path = tmp_path / "t.parquet"
    arrowquant.quantize(arrays, path, codec="none")
    source = arrowquant.open(path)
    tensor = source["embed.weight"]
    codes, scales = tensor.codes, tensor.scales
    expected, expected_scales = codes.copy(), scales.copy()
    source.close()
    path.unlink()
    del source, tensor
    gc.collect()
    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_array_equal(scales, expected_scales)


def test_a_view_keeps_the_file_open_and_letting_go_closes_it(arrays, tmp_path):
    path = tmp_path / "t.parquet"
    arrowquant.quantize(arrays, path, codec="none")

    def mapped() -> bool:
        with open("/proc/self/maps") as maps:
            return str(path) in maps.read()

    source = arrowquant.open(path)
    view = source["embed.weight"].codes
    source.close()
    assert mapped()
    del view
    gc.collect()
    assert not mapped()


def test_reading_after_close_raises(tables):
    source = arrowquant.open(tables["int8"])
    tensor = source["embed.weight"]
    source.close()
    source.close()
    assert source.closed
    assert "closed" in repr(source)
    for read in (
        lambda: tensor.codes,
        lambda: tensor.scales,
        tensor.numpy,
        tensor.dequantize,
        tensor.torch,
        lambda: source["embed.weight"],
        lambda: list(source),
        source.load_torch,
        source.__arrow_c_stream__,
        source.__enter__,
    ):
        with pytest.raises(ValueError, match="closed"):
            read()
    assert tensor.shape == (120, 64)


def test_a_closed_source_is_not_read_through_a_living_view(tables):
    source = arrowquant.open(tables["raw8"])
    tensor = source["embed.weight"]
    codes = tensor.codes
    source.close()
    with pytest.raises(ValueError, match="closed"):
        _ = tensor.codes
    assert codes.shape == (120, 64)


def test_torch_tensors_own_their_memory(arrays, tables):
    torch = pytest.importorskip("torch")
    with arrowquant.open(tables["v1"]) as source:
        for key, expected in arrays.items():
            tensor = source[key].torch()
            assert tensor.dtype == getattr(torch, str(expected.dtype))
            assert tuple(tensor.shape) == expected.shape
            np.testing.assert_array_equal(tensor.numpy(), expected)
        tensor = source["layer.0.bias"].torch()
        tensor.zero_()
        np.testing.assert_array_equal(source["layer.0.bias"].numpy(), arrays["layer.0.bias"])


def test_safetensors_and_bfloat16(tmp_path):
    torch = pytest.importorskip("torch")
    save = pytest.importorskip("safetensors.torch")
    model = {"b": torch.randn(4, 6).to(torch.bfloat16), "f": torch.randn(3, 5)}
    save.save_file(model, tmp_path / "m.safetensors")
    with arrowquant.open(tmp_path / "m.safetensors") as source:
        assert source.schema_version == 0
        assert source["b"].dtype == "torch.bfloat16"
        assert source["b"].numpy().dtype == np.float32
        np.testing.assert_array_equal(source["b"].numpy(), model["b"].float().numpy())
        assert torch.equal(source["b"].torch(), model["b"])
        np.testing.assert_array_equal(source["f"].numpy(), model["f"].numpy())


def test_tied_tensors_share_memory(tmp_path):
    torch = pytest.importorskip("torch")
    weight = torch.randn(64, 64)
    arrowquant.quantize({"a": weight, "b": weight}, tmp_path / "t.parquet")
    with arrowquant.open(tmp_path / "t.parquet") as source:
        assert source["a"].alias_of is None
        assert source["b"].alias_of == "a"
        loaded = source.load_torch()
        assert loaded["a"].data_ptr() == loaded["b"].data_ptr()
        np.testing.assert_array_equal(source["b"].numpy(), source["a"].numpy())


def test_opening_an_opened_source_gives_it_back(tables):
    with arrowquant.open(tables["v1"]) as source:
        assert arrowquant.open(source) is source


def test_opening_minilm_and_a_view_of_every_tensor_is_quick(minilm, tmp_path):
    import time

    path = tmp_path / "raw.parquet"
    arrowquant.quantize(minilm, path, codec="none")
    best = float("inf")
    for _ in range(20):
        begin = time.perf_counter()
        source = arrowquant.open(path, checksums=False)
        views = [t.codes if t.is_quantized else t.numpy() for t in source.values()]
        best = min(best, time.perf_counter() - begin)
        assert len(views) == 104
    assert best < 0.005
