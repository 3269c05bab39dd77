"""WeightLoader, and what it loads into a model."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import arrowquant
from arrowquant import WeightLoader, _load

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("kind", ["v1", "raw1", "raw8", "int8", "int4", "int3", "int2"])
@pytest.mark.parametrize("threads", [1, 3])
def test_weights_are_the_values_of_the_tensors(tables, arrays, kind, threads):
    weights = WeightLoader(tables[kind], threads=threads).load_weights()
    assert list(weights) == list(arrays)
    with arrowquant.open(tables[kind]) as source:
        for name, tensor in source.items():
            loaded = weights[name]
            assert tuple(loaded.shape) == tensor.shape
            floating = "float" in tensor.dtype
            assert loaded.dtype == (torch.float32 if floating else getattr(torch, tensor.dtype.removeprefix("torch.")))
            np.testing.assert_array_equal(loaded.numpy(), tensor.numpy().astype(loaded.numpy().dtype))
            assert loaded.is_contiguous()


def test_without_force_float32_types_are_those_of_the_original(tables, arrays):
    for kind in ("v1", "int8"):
        weights = WeightLoader(tables[kind], force_float32=False).load_weights()
        for name, array in arrays.items():
            assert weights[name].dtype == getattr(torch, str(array.dtype))


def test_one_layer(tables):
    loader = WeightLoader(tables["int8"])
    weights = loader.load_weights()
    for name in loader.get_layer_names():
        assert torch.equal(loader.get_layer(name), weights[name])
    with pytest.raises(KeyError) as caught:
        loader.get_layer("embed.wieght")
    assert isinstance(caught.value, arrowquant.NoMatchError)
    assert "embed.weight" in str(caught.value)


def test_metadata_and_schema_version(tables, arrays):
    loader = WeightLoader(tables["int8"])
    assert loader.get_schema_version() == 2
    assert WeightLoader(tables["v1"]).get_schema_version() == 1
    assert loader.get_layer_names() == list(arrays)
    entry = loader.get_metadata()["layer.0.weight"]
    assert entry["shape"] == [64, 96]
    assert entry["dtype"] == "torch.float32"
    assert entry["quant_type"] == "int8"
    assert entry["quant_axis"] == 0
    assert entry["group_size"] == 0
    assert entry["num_params"] == 64 * 96
    assert loader.get_metadata()["layer.0.bias"]["quant_type"] is None


def test_cached_weights_are_the_same_tensors(tables):
    loader = WeightLoader(tables["int8"], cache_weights=True)
    first = loader.load_weights()
    assert all(loader.get_layer(name) is first[name] for name in first)
    assert all(value is first[name] for name, value in loader.load_weights().items())
    loader.clear_cache()
    assert loader.get_layer("embed.weight") is not first["embed.weight"]
    fresh = WeightLoader(tables["int8"])
    assert fresh.load_weights()["embed.weight"] is not fresh.load_weights()["embed.weight"]


def test_without_a_map_the_file_is_not_held(tables):
    def mapped():
        with open("/proc/self/maps") as maps:
            return tables["raw8"] in maps.read()

    loader = WeightLoader(tables["raw8"], use_memory_map=False)
    assert not mapped()
    weights = loader.load_weights()
    assert not mapped()
    held = WeightLoader(tables["raw8"])
    assert mapped()
    assert torch.equal(held.load_weights()["embed.weight"], weights["embed.weight"])
    held.close()
    assert not mapped()
    assert torch.equal(held.get_layer("embed.weight"), weights["embed.weight"])
    with held:
        pass
    assert not mapped()


def test_device(tables):
    weights = WeightLoader(tables["int8"], device="meta").load_weights()
    assert {tensor.device.type for tensor in weights.values()} == {"meta"}


def test_a_missing_file_is_a_storage_error(tmp_path):
    with pytest.raises(arrowquant.StorageError):
        WeightLoader(tmp_path / "nothing.parquet")


def test_every_tensor_has_a_storage_of_its_own(tables):
    weights = WeightLoader(tables["int8"]).load_weights()
    for tensor in weights.values():
        assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
    values = {name: tensor.clone() for name, tensor in weights.items()}
    weights["embed.weight"].fill_(7)
    for name in weights:
        assert name == "embed.weight" or torch.equal(weights[name], values[name])


def test_blocks_of_memory():
    counts = [10, 3_000_000, 0, 1, 900_000, 900_000, 7_000_000, 1_000_000] + [1_000_000] * 12
    arena = _load._Arena(counts)
    tensors = [arena.empty((count,), count) for count in counts]
    for i, tensor in enumerate(tensors):
        tensor.fill_(i)
        assert tensor.data_ptr() % 64 == 0 or not tensor.numel()
    for i, tensor in enumerate(tensors):
        assert (tensor == i).all()


def test_ranges_cover_a_large_tensor(tmp_path):
    array = np.random.default_rng(5).standard_normal((3000, 1001)).astype(np.float32)
    for kind in ("int8", "int3", "int2"):
        arrowquant.quantize({"w": array}, tmp_path / f"{kind}.parquet", type=kind)
        with arrowquant.open(tmp_path / f"{kind}.parquet") as source:
            expected = source["w"].dequantize()
            for threads in (1, 4):
                np.testing.assert_array_equal(source.load_torch(threads=threads)["w"].numpy(), expected)


def test_a_number_of_threads_that_cannot_be_is_refused(tables):
    with arrowquant.open(tables["int8"]) as source, pytest.raises(arrowquant.ArgumentError, match="threads"):
        source.load_torch(threads=-1)


def test_minilm_gives_the_embeddings_of_the_original(minilm, minilm_int8):
    transformers = pytest.importorskip("transformers")
    config = transformers.AutoConfig.from_pretrained(minilm)
    reference = transformers.AutoModel.from_pretrained(minilm).eval()
    model = transformers.AutoModel.from_config(config).eval()
    weights = WeightLoader(minilm_int8).load_weights()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not missing
    assert set(unexpected) <= {"embeddings.position_ids"}
    tokens = transformers.AutoTokenizer.from_pretrained(minilm)(
        ["A cat sits on the mat.", "The stock market fell today.", "Ein Satz auf Deutsch."],
        padding=True,
        return_tensors="pt",
    )
    with torch.no_grad():
        a, b = (m(**tokens).last_hidden_state.mean(dim=1) for m in (reference, model))
    cosine = torch.nn.functional.cosine_similarity(a, b)
    assert (cosine > 0.99).all(), cosine


def test_loading_minilm_beats_pyarrow_row_by_row(minilm_int8):
    """bench/bench_load.py measures; here only that nothing went badly wrong, on a machine that may be busy."""
    pytest.importorskip("pyarrow")
    from pathlib import Path

    bench = Path(__file__).resolve().parents[2] / "bench" / "bench_load.py"
    done = subprocess.run(
        [sys.executable, str(bench), minilm_int8, "--runs", "3", "--json"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    import json

    result = json.loads(done.stdout)
    assert result["times_faster"]["pyarrow + torch, row by row"] > 3
