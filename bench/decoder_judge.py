"""decoder_judge - the one judge of quantized language models: values of all tensors in, figures out.

transformers runs the model in FP32, once with its own weights and once with those of a candidate, over windows of
decoder_texts.WINDOW tokens. As in llama-perplexity, only the second half of a window counts, so that every token that
counts has at least half a window in front of it. For each of them, with p the distribution of the next token that the
reference gives, and q that of the candidate:

    kl_mean, kl_median, kl_p99  KL(p || q) = sum over the vocabulary of p (log p - log q), in nats
    top1                        share of tokens where the likeliest token is the same
    ppl                         exp of the mean of -log q of the token that follows; ppl_reference that of p

A candidate has to bring every tensor of the reference: what a file lacks is not taken from the original.

The reference is cached as the states in front of the head (a few megabytes), from which its distributions are computed
again exactly. The name of the cached file has a digest of the windows, of the versions of the two libraries, and of the
size and time of the file of weights.
"""
import hashlib
import json
import pathlib
from collections.abc import Iterator

import decoder_texts
import numpy as np
import torch
import transformers
from safetensors import safe_open

HALF = decoder_texts.WINDOW // 2
FIGURES = ("kl_mean", "kl_median", "kl_p99", "top1", "ppl")
Tensors = dict[str, torch.Tensor]


def parameters_of(folder: pathlib.Path) -> int:
    """Values in the model's file: a table that is the head as well counts once."""
    with safe_open(folder / "model.safetensors", "pt") as file:
        return sum(int(np.prod(file.get_slice(name).get_shape())) for name in file.keys())  # noqa: SIM118


def stored_tensors(folder: pathlib.Path) -> Tensors:
    from safetensors.torch import load_file
    return load_file(folder / "model.safetensors")


class Judge:
    def __init__(self, folder: pathlib.Path, texts: pathlib.Path, kinds: tuple[str, ...], count: int, threads: int):
        torch.set_num_threads(threads)
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        self.folder, self.parameters = folder, parameters_of(folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.windows = {k: decoder_texts.windows(k, texts, tokenizer, count) for k in kinds}
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.head = self.model.get_output_embeddings().weight.detach().clone()
        self.states = {k: self.reference(k, folder.parent / "states") for k in kinds}

    # ---- the reference ----

    def reference(self, kind: str, cache: pathlib.Path) -> torch.Tensor:
        """The states in front of the head where tokens count: [windows, HALF - 1, width]."""
        stat = (self.folder / "model.safetensors").stat()
        about = json.dumps([stat.st_size, stat.st_mtime_ns, transformers.__version__, torch.__version__])
        digest = hashlib.sha256(about.encode() + self.windows[kind].tobytes()).hexdigest()[:16]
        path = cache / f"{self.folder.name}-{kind}-{digest}.npy"
        if path.exists():
            return torch.from_numpy(np.load(path))
        states = torch.cat([self.run(window) for window in self.windows[kind]])
        cache.mkdir(exist_ok=True)
        np.save(path, states.numpy())
        return states

    def run(self, window: np.ndarray) -> torch.Tensor:
        """States of the model as it is now, [1, HALF - 1, width]: those that predict tokens HALF + 1 and later."""
        with torch.inference_mode():
            done = self.model.get_decoder()(torch.from_numpy(window)[None], use_cache=False)
        return done.last_hidden_state[:, HALF:-1].clone()

    # ---- a candidate ----

    def load(self, tensors: Tensors) -> None:
        """Puts these values into the model; they must be all of its tensors, in its shapes."""
        own = self.model.state_dict()
        tied = "lm_head.weight" if self.model.config.tie_word_embeddings else ""
        missing, unknown = own.keys() - tensors.keys() - {tied}, tensors.keys() - own.keys()
        if missing or unknown:
            raise RuntimeError(f"missing: {sorted(missing)[:3]}, unknown: {sorted(unknown)[:3]}")
        with torch.no_grad():
            for name, tensor in tensors.items():
                if own[name].shape != tensor.shape:
                    raise RuntimeError(f"{name} is {list(tensor.shape)}, expected {list(own[name].shape)}")
                own[name].copy_(tensor)

    def tokens(self, kind: str) -> Iterator[dict[str, np.ndarray]]:
        """For each window what its tokens give, with the model as it is now."""
        head = self.model.get_output_embeddings().weight
        for window, state in zip(self.windows[kind], self.states[kind], strict=True):
            following = torch.from_numpy(window[HALF + 1:])[:, None]
            with torch.inference_mode():
                p = (state @ self.head.T).log_softmax(-1)
                q = (self.run(window)[0] @ head.T).log_softmax(-1)
                kl = p.exp().mul_(p - q).sum(-1).double()
                yield {"kl": kl.numpy(), "same": (p.argmax(-1) == q.argmax(-1)).numpy(),
                       "nll": -q.gather(1, following)[:, 0].double().numpy(),
                       "nll_reference": -p.gather(1, following)[:, 0].double().numpy()}

    def figures(self, tensors: Tensors) -> dict[str, dict[str, float]]:
        """By kind of text, and of all of them together as `all`."""
        self.load(tensors)
        found = {}
        for kind in self.windows:
            parts = list(self.tokens(kind))
            found[kind] = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
        found["all"] = {key: np.concatenate([f[key] for f in found.values()]) for key in next(iter(found.values()))}
        return {kind: summary(values) for kind, values in found.items()}


def summary(values: dict[str, np.ndarray]) -> dict[str, float]:
    kl = values["kl"]
    with np.errstate(over="ignore"):
        ppl, reference = np.exp(values["nll"].mean()), np.exp(values["nll_reference"].mean())
    return {"kl_mean": float(kl.mean()), "kl_median": float(np.median(kl)), "kl_p99": float(np.percentile(kl, 99)),
            "top1": float(values["same"].mean()), "ppl": float(ppl), "ppl_reference": float(reference)}
