"""models - finds the model to test, or says what was tried and what to do.

In this order: a path that was given, the Hugging Face cache, the Hugging Face hub, a Python package that ships the
model, a folder that scripts/fetch-model made. `HF_HUB_CACHE`, `HF_HOME` and `XDG_CACHE_HOME` say where caches are;
`HF_HUB_OFFLINE=1` or `TRANSFORMERS_OFFLINE=1` forbid the network.
"""

import os
import pathlib
from dataclasses import dataclass

from . import model_package


@dataclass(frozen=True)
class Model:
    """A model that the suite knows by a short name."""

    title: str
    repository: str
    package: model_package.Package | None = None
    made: str | None = None  # what scripts/fetch-model makes in .cache/models


MADE = pathlib.Path(__file__).resolve().parents[2] / ".cache" / "models"

MODELS = {
    "minilm": Model("MiniLM", "sentence-transformers/all-MiniLM-L6-v2", model_package.MINILM),
    "qwen": Model("Qwen", "Qwen/Qwen2.5-0.5B", made="Qwen2.5-0.5B"),
}

REMEDIES = (
    "check the internet connection",
    "try again: Hugging Face may be down for a while",
    "bring it from a machine that is online (hf download {repository} --local-dir DIR) and name the folder: "
    "--model-path DIR",
    "use a different model: --model {other}",
)


class Unavailable(Exception):
    """The model cannot be had. The message is ready to be printed."""


def find(name, path=None):
    """The folder of the model `name`, or `path` when it is given."""
    try:
        import arrowquant
    except ImportError as problem:
        raise Unavailable(
            f"Failed to load {MODELS[name].title} model: arrowquant cannot be imported ({problem})\n"
            "  - install it: pip install -e ."
        ) from problem
    try:
        model_dir = os.path.abspath(path or look(name))
        arrowquant.open(model_dir).close()
    except (arrowquant.ArrowQuantError, model_package.Damaged) as problem:
        reason = str(problem) if not path or os.path.exists(path) else f"there is nothing at {path}"
        raise Unavailable(explain(name, reason)) from problem
    return model_dir


def look(name):
    """The folder of a model that the suite knows."""
    tried = []
    for label, way in ways(MODELS[name]):
        try:
            return way()
        except model_package.Unavailable as reason:
            tried.append(f"    {label}: {reason}")
    raise Unavailable(explain(name, "\n".join(["none of these worked", *tried])))


def ways(model):
    """What can be tried, as (words, function)."""
    from . import hub

    yield "Hugging Face cache", lambda: hub.cached(model.repository)
    yield "Hugging Face hub", lambda: hub.downloaded(model.repository)
    if package := model.package:
        yield f"installed package {package.module}", lambda: model_package.installed(package)
        yield f"Python package {package.requirement}", lambda: fetched(package)
    if model.made:
        yield "made by scripts/fetch-model", lambda: made(model.made)


def made(name):
    """The folder that scripts/fetch-model made."""
    if not (MADE / name / "config.json").exists():
        raise model_package.Unavailable(f"{name} is not there")
    return str(MADE / name)


def fetched(package):
    """The model of a package, from the user's cache or downloaded into it."""
    from . import hub

    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    target = cache / "arrowquant" / "models" / package.requirement.replace("==", "-")
    if hub.is_offline() and not target.exists():
        raise model_package.Unavailable("not allowed, offline mode is set")
    return model_package.fetched(package, target)


def explain(name, reason):
    """What is wrong, and what to do."""
    other = next(n for n in MODELS if n != name)
    remedies = [remedy.format(other=other, repository=MODELS[name].repository) for remedy in REMEDIES]
    return "\n".join([f"Failed to load {MODELS[name].title} model: {reason}", *(f"  - {r}" for r in remedies)])


def describe(name, path, model_dir):
    """The model as (name, value) pairs for the report."""
    import arrowquant

    from . import environment

    title = os.path.basename(os.path.abspath(path)) if path else MODELS[name].title
    with arrowquant.open(model_dir) as tensors:
        return environment.model(title, tensors)
