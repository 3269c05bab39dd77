"""hub - models of the Hugging Face hub: in the cache of this machine, or downloaded."""

import importlib.util
import os
import pathlib
import socket
import threading
from urllib.parse import urlsplit

import arrowquant

from .model_package import Unavailable

CONNECT_SECONDS = 4.0
TRUTHS = ("1", "true", "yes", "on")


def is_offline():
    """Whether the environment forbids the network."""
    return any(os.environ.get(name, "").lower() in TRUTHS for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def cached(repository):
    """The folder of a model in the cache. The library finds it, as it finds any model by its name."""
    try:
        return pathlib.Path(arrowquant.info(repository)["source"]["path"]).parent
    except arrowquant.ArrowQuantError as problem:
        raise Unavailable(str(problem)) from problem


def downloaded(repository):
    """The folder of a model that huggingface_hub brings into the cache."""
    if is_offline():
        raise Unavailable("not allowed, offline mode is set")
    if importlib.util.find_spec("huggingface_hub") is None:
        raise Unavailable("huggingface_hub is not installed")
    if not any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        check_reachable(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(repository, allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"])
    except Exception as error:  # its errors have no common base
        lines = str(error).strip().splitlines()
        raise Unavailable(lines[0] if lines else type(error).__name__) from error
    return cached(repository)


def check_reachable(url):
    """Connects to a server in bounded time: name resolution alone may take minutes."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443))
    failure = ["Connection timeout"]

    def connect():
        try:
            socket.create_connection(address, CONNECT_SECONDS).close()
            failure.clear()
        except OSError as error:
            failure[0] = str(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    if failure:
        raise Unavailable(f"{address[0]} cannot be reached: {failure[0]}")
