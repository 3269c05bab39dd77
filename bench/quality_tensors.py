#!/usr/bin/env python3
"""quality_tensors - how near quantized weights come to what their bits allow, on tensors whose bound is known.

    bench/quality_tensors.py [--command build/release/arrowquant] [--model NAME=PATH]... [--only REGEX]

Synthetic matrices of independent values, 1024 x 1024: no code of R bits per value can have a mean squared error below
N 2^-2R, where N is the entropy power of the distribution (Shannon's lower bound; for a Gaussian N is its variance, and
codes that reach it exist). The best reproduction of error D then has the cosine

    sqrt(1 - N 2^-2R / variance)

with the original. Beside the cosine at the bits that the table takes stands that bound, and how many bits it would have
needed. Models (a folder, a safetensors file, or a GGUF, which is dequantized first) have no known bound: bits and mean
cosine of their matrices. Results: bench/results/tensors.csv, and a table in docs/BENCHMARKS.md.
"""
import argparse
import csv
import pathlib
import re
import tempfile

import numpy as np
import quality_page
from quality_judge import cosine
from quality_ours import Table
from safetensors import safe_open
from safetensors.numpy import save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "tensors.csv"
COLUMNS = ("tensor", "settings", "bpw", "bytes", "cosine", "bound", "needed")
SIDE, SEED = 1024, 7
RUNS = [*(f"--type int{bits} --method {method}" for bits in (4, 3, 2) for method in ("minmax", "mse")),
        *(f"--target-bpw {bits} --calib none" for bits in (4, 3, 2))]

# ---- Distributions ---------------------------------------------------------------------------------------------------


def gaussian(x, deviation=1.0):
    return np.exp(-0.5 * (x / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))


OUTLIERS, FAR = 0.001, 20.0  # their share, and how many deviations they spread
# Name: (density, sample of n values).
DISTRIBUTIONS = {
    "Gaussian": (gaussian, lambda r, n: r.standard_normal(n)),
    "Laplace": (lambda x: 0.5 * np.exp(-np.abs(x)), lambda r, n: r.laplace(size=n)),
    "Student t, 4 degrees": (lambda x: 0.375 * (1 + x * x / 4) ** -2.5, lambda r, n: r.standard_t(4, n)),
    "Gaussian, 0.1 % outliers": (
        lambda x: (1 - OUTLIERS) * gaussian(x) + OUTLIERS * gaussian(x, FAR),
        lambda r, n: r.standard_normal(n) * np.where(r.random(n) < OUTLIERS, FAR, 1)),
}


def power_share(density) -> float:
    """Entropy power over variance, by integration on a grid that is fine near zero and wide."""
    x = np.sinh(np.linspace(-12, 12, 2_000_001))
    p = density(x)
    logs = np.log(p, where=p > 0, out=np.zeros_like(p))
    entropy, variance = -np.trapezoid(p * logs, x), np.trapezoid(p * x * x, x)
    return float(np.exp(2 * entropy) / (2 * np.pi * np.e) / variance)


# ---- Runs ------------------------------------------------------------------------------------------------------------


def measure(source: pathlib.Path, settings: str, command: pathlib.Path) -> dict:
    """Bits and mean cosine of the matrices of a model."""
    with tempfile.TemporaryDirectory() as folder:
        table = Table(command, source, pathlib.Path(folder), settings.split())
        matrices = [t["name"] for t in table.tensors if len(t["shape"]) == 2 and "int64" not in t["dtype"]]
        file = source / "model.safetensors" if source.is_dir() else source
        with safe_open(file, "numpy") as before, safe_open(table.restored, "numpy") as after:
            cosines = [cosine(before.get_tensor(n), after.get_tensor(n)) for n in matrices]
        weights, stored = sum(t["params"] for t in table.tensors if t["name"] in matrices), table.bytes_of(matrices)
    return {"bpw": stored * 8 / weights, "bytes": stored, "cosine": float(np.mean(cosines))}


def synthetic(folder: pathlib.Path) -> dict[str, tuple[pathlib.Path, float]]:
    made = {}
    for i, (name, (density, sample)) in enumerate(DISTRIBUTIONS.items()):
        path = folder / f"{i}.safetensors"
        values = sample(np.random.default_rng(SEED + i), SIDE * SIDE) * 0.05
        save_file({"weight": values.reshape(SIDE, SIDE).astype(np.float32)}, path)
        made[name] = path, power_share(density)
    return made


def from_gguf(path: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    import gguf
    tensors = {}
    for tensor in gguf.GGUFReader(path).tensors:
        shape = [int(n) for n in reversed(tensor.shape)]
        tensors[tensor.name] = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
    save_file(tensors, folder / f"{path.stem}.safetensors")
    return folder / f"{path.stem}.safetensors"


def bounds(row: dict, power: float | None) -> dict:
    if power is None:
        return row | {"bound": "", "needed": ""}
    bound = np.sqrt(max(0.0, 1 - power * 2 ** (-2 * row["bpw"])))
    needed = 0.5 * np.log2(power / (1 - row["cosine"] ** 2))
    return row | {"bound": f"{bound:.6f}", "needed": f"{needed:.3f}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", type=pathlib.Path, default=ROOT / "build/release/arrowquant")
    parser.add_argument("--model", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--only", default="", metavar="REGEX", help="runs whose tensor and settings match")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    options = parser.parse_args()
    rows, command = {}, options.command.resolve()
    if options.results.exists():
        with open(options.results, newline="", encoding="utf-8") as file:
            rows = {(r["tensor"], r["settings"]): r for r in csv.DictReader(file)}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sources = synthetic(folder)
        for label, path in (m.split("=", 1) for m in options.model):
            place = pathlib.Path(path)
            sources[label] = (from_gguf(place, folder) if place.suffix == ".gguf" else place), None
        for label, (source, power) in sources.items():
            for settings in (s for s in RUNS if re.search(options.only, f"{label} {s}")):
                row = bounds(measure(source, settings, command), power)
                row |= {"tensor": label, "settings": settings, "bpw": f"{row['bpw']:.3f}",
                        "cosine": f"{row['cosine']:.6f}"}
                rows[label, settings] = row
                print(*(row[c] for c in COLUMNS), flush=True)
    options.results.parent.mkdir(exist_ok=True)
    with open(options.results, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())
    if options.results == RESULTS:
        quality_page.make_tensors(list(rows.values()), ROOT)


if __name__ == "__main__":
    main()
