"""What the tests of the Python package share: a small model, tables of it, and all-MiniLM-L6-v2."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest
from package_helpers import small_arrays

import arrowquant

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def arrays() -> dict[str, np.ndarray]:
    return small_arrays()


@pytest.fixture(scope="session")
def tables(arrays, tmp_path_factory) -> dict[str, str]:
    """Paths by name: v1, int8, int4, int3, int2 (compressed), raw8 (int8, uncompressed), raw1 (V1, uncompressed)."""
    folder = tmp_path_factory.mktemp("tables")
    paths = {name: str(folder / f"{name}.parquet") for name in ("v1", "raw1", "raw8", "int8", "int4", "int3", "int2")}
    arrowquant.convert(arrays, paths["v1"])
    arrowquant.convert(arrays, paths["raw1"], codec="none")
    arrowquant.quantize(arrays, paths["raw8"], codec="none")
    for kind in ("int8", "int4", "int3", "int2"):
        arrowquant.quantize(arrays, paths[kind], type=kind, codec="zstd")
    return paths


@pytest.fixture(scope="session")
def minilm() -> str:
    """Folder of all-MiniLM-L6-v2."""
    folder = ROOT / ".cache" / "models" / "all-MiniLM-L6-v2"
    if not folder.exists():
        pytest.skip("the model is not here: scripts/fetch-model")
    return os.fspath(folder)


@pytest.fixture(scope="session")
def minilm_int8(minilm, tmp_path_factory) -> str:
    path = str(tmp_path_factory.mktemp("minilm") / "int8.parquet")
    arrowquant.quantize(minilm, path)
    return path
