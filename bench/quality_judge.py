"""quality_judge - the one judge of all methods: weights in, figures out.

The dequantized matrices replace those of the FP32 model in a folder of its own, and `arrowquant embed` runs that folder
in FP32. The texts are the three report sets of bench/texts.py, which no method has seen.

    emb_mean, emb_p1, emb_min  cosine between a text's vector and the one of the FP32 model: mean, 1st percentile, least
    overlap10                  share of a text's 10 nearest neighbours (of its own set) that stay, mean over texts
    weight_cosine              mean over the matrices
    wordsim                    Spearman correlation with people's judgement of pairs of words: WordSim-353
    emb_words, ...             emb_mean of one set
"""
import pathlib
import subprocess
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

SETS = ("words", "sentences", "long")
PAIRS = "labels-words.tsv"
CONFIGURATION = ("config.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "tokenizer.json",
                 "vocab.txt", "tokenizer_config.json", "special_tokens_map.json")
NEIGHBOURS = 10


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Of two arrays; 1 when both are zero."""
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norms) if norms else float(not (a.any() or b.any()))


def ranks(values: np.ndarray) -> np.ndarray:
    """1.. in order of size; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def neighbours(vectors: np.ndarray) -> np.ndarray:
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -np.inf)
    return np.argpartition(-alike, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]


def overlap(exact: np.ndarray, other: np.ndarray) -> np.ndarray:
    """For every text the share of its nearest neighbours that both have (overlap@10)."""
    pairs = zip(neighbours(exact), neighbours(other), strict=True)
    return np.array([len(np.intersect1d(a, b)) for a, b in pairs]) / NEIGHBOURS


class Judge:
    def __init__(self, model: pathlib.Path, texts: pathlib.Path, command: pathlib.Path, threads: int):
        self.model, self.command, self.threads = model, command, threads
        self.weights = load_file(model / "model.safetensors")
        self.matrices = {n: w for n, w in self.weights.items() if w.ndim == 2 and w.dtype == np.float32}
        self.sets = {s: (texts / f"report-{s}.txt").read_text(encoding="utf-8").splitlines() for s in SETS}
        self.pairs = [line.split("\t") for line in (texts / PAIRS).read_text(encoding="utf-8").splitlines()]
        every = [t for s in self.sets.values() for t in s] + [t for pair in self.pairs for t in pair[:2]]
        self.place = {text: i for i, text in enumerate(dict.fromkeys(every))}
        self.exact = self.embed(self.weights)

    def embed(self, weights: dict[str, np.ndarray]) -> np.ndarray:
        """Vectors of all texts, of length 1, in the order of their places."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "1_Pooling").mkdir()
            for part in CONFIGURATION:
                if (self.model / part).exists():
                    (folder / part).symlink_to((self.model / part).resolve())
            save_file({n: np.ascontiguousarray(w) for n, w in weights.items()}, folder / "model.safetensors")
            (folder / "texts").write_text("\n".join(self.place) + "\n", encoding="utf-8")
            subprocess.run([self.command, "embed", folder, "--input", folder / "texts", "-o", folder / "vectors.npy",
                            "-q", "-t", str(self.threads)], check=True)
            vectors = np.load(folder / "vectors.npy").astype(np.float64)
        if len(vectors) != len(self.place):
            raise RuntimeError(f"{len(vectors)} vectors of {len(self.place)} texts")
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def of(self, vectors: np.ndarray, texts: list[str]) -> np.ndarray:
        return vectors[[self.place[t] for t in texts]]

    def figures(self, tensors: dict[str, np.ndarray]) -> dict[str, float]:
        """Of the model with these tensors in the place of its own."""
        unknown = tensors.keys() - self.weights.keys()
        if unknown:
            raise RuntimeError(f"the model has no {sorted(unknown)[0]}")
        return self.compared(self.embed(self.weights | tensors), tensors)

    def compared(self, vectors: np.ndarray, tensors: dict[str, np.ndarray]) -> dict[str, float]:
        alike = {s: (self.of(self.exact, t) * self.of(vectors, t)).sum(1) for s, t in self.sets.items()}
        kept = np.concatenate([overlap(self.of(self.exact, t), self.of(vectors, t)) for t in self.sets.values()])
        every = np.concatenate(list(alike.values()))
        found = {"emb_mean": every.mean(), "emb_p1": np.percentile(every, 1), "emb_min": every.min(),
                 "overlap10": kept.mean(),
                 "weight_cosine": np.mean([cosine(m, tensors[n]) for n, m in self.matrices.items() if n in tensors])}
        left, right = (self.of(vectors, [p[i] for p in self.pairs]) for i in (0, 1))
        found["wordsim"] = spearman((left * right).sum(1), np.array([float(p[2]) for p in self.pairs]))
        return found | {f"emb_{s}": a.mean() for s, a in alike.items()}
