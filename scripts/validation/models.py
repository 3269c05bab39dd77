"""models - finds the model to test, or says what was tried and what to do."""

import os

TITLES = {"minilm": "MiniLM", "qwen": "Qwen"}

REPOSITORIES = {"minilm": "sentence-transformers/all-MiniLM-L6-v2", "qwen": "Qwen/Qwen2.5-0.5B"}

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
            f"Failed to load {TITLES[name]} model: arrowquant cannot be imported ({problem})\n"
            "  - install it: pip install -e ."
        ) from problem
    try:
        model_dir = os.path.abspath(arrowquant.resolve_model(path or name))
        arrowquant.open(model_dir).close()
    except arrowquant.ArrowQuantError as problem:
        raise Unavailable(explain(name, path, problem)) from problem
    return model_dir


def explain(name, path, problem):
    """What was tried, one line each, and what to do."""
    other = next(n for n in TITLES if n != name)
    reason = problem.message.removeprefix(f"Failed to load {TITLES[name]} model. ")
    if path and not os.path.exists(path):
        reason = f"there is nothing at {path}"
    if reason.startswith("Tried: "):
        ways = reason.removeprefix("Tried: ").split("; ")
        reason = "\n".join(["none of these worked", *(f"    {way}" for way in ways)])
    elif problem.file:
        reason = f"{problem.file}: {reason}"
    remedies = [remedy.format(other=other, repository=REPOSITORIES[name]) for remedy in REMEDIES]
    return "\n".join([f"Failed to load {TITLES[name]} model: {reason}", *(f"  - {r}" for r in remedies)])


def describe(name, path, model_dir):
    """The model as (name, value) pairs for the report."""
    import arrowquant

    from . import environment

    title = os.path.basename(os.path.abspath(path)) if path else TITLES[name]
    with arrowquant.open(model_dir) as tensors:
        return environment.model(title, tensors)
