"""How fast weights come back from a table: WeightLoader against pyarrow with NumPy or torch, in one run.

    python bench/bench_load.py TABLE.parquet [--runs N] [--json]

The table is a V2 table of int8 per channel. Every way returns the same torch tensors, and that is checked. "row by row"
dequantizes channel by channel in Python, "whole tensors" with one broadcast expression a tensor. The fastest run of
each counts; runs take turns, so that a busy machine disturbs all alike.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
import pyarrow.parquet as pq
import torch

import arrowquant

Weights = dict[str, torch.Tensor]
NUMPY = {"torch.float32": np.float32, "torch.float16": np.float16, "torch.int64": np.int64}


def numpy_rows(codes: np.ndarray, scales: np.ndarray, zero_points: np.ndarray) -> torch.Tensor:
    out = np.empty(codes.shape, np.float32)
    for i in range(len(scales)):
        out[i] = (codes[i].astype(np.float32) - zero_points[i]) * scales[i]
    return torch.from_numpy(out)


def torch_rows(codes: np.ndarray, scales: np.ndarray, zero_points: np.ndarray) -> torch.Tensor:
    code, scale, zero = (torch.from_numpy(x.copy()) for x in (codes, scales, zero_points))
    out = torch.empty(code.shape, dtype=torch.float32)
    for i in range(len(scale)):
        out[i] = (code[i].float() - zero[i]) * scale[i]
    return out


def numpy_tensors(codes: np.ndarray, scales: np.ndarray, zero_points: np.ndarray) -> torch.Tensor:
    return torch.from_numpy((codes.astype(np.float32) - zero_points[:, None]) * scales[:, None])


def with_pyarrow(path: str, dequantize: Callable[..., torch.Tensor]) -> Weights:
    weights = {}
    table = pq.read_table(path)
    for i in range(len(table)):
        row = {name: values[0] for name, values in table.slice(i, 1).to_pydict().items()}
        if row["quant_type"] == "int8":
            scales, zeros = (np.frombuffer(row[name], np.float32) for name in ("scales", "zero_points"))
            codes = np.frombuffer(row["data"], np.int8).reshape(len(scales), -1)
            tensor = dequantize(codes, scales, zeros)
        else:
            tensor = torch.from_numpy(np.frombuffer(row["data"], NUMPY[row["dtype"]]).copy())
        weights[row["layer_name"]] = tensor.reshape(row["shape"])
    return weights


def with_arrowquant(path: str) -> Weights:
    with arrowquant.WeightLoader(path) as loader:
        return loader.load_weights()


def opened_with_views(path: str) -> int:
    views = []
    with arrowquant.open(path) as source:
        for tensor in source.values():
            views.append(tensor)
    return len(views)


WAYS: dict[str, Callable[[str], Weights]] = {
    "pyarrow + NumPy, row by row": lambda path: with_pyarrow(path, numpy_rows),
    "pyarrow + torch, row by row": lambda path: with_pyarrow(path, torch_rows),
    "pyarrow + NumPy, whole tensors": lambda path: with_pyarrow(path, numpy_tensors),
    "WeightLoader.load_weights": with_arrowquant,
}


def best_ms(runs: int, path: str) -> dict[str, float]:
    best = dict.fromkeys(WAYS, float("inf"))
    for _ in range(runs):
        for name, way in WAYS.items():
            begin = time.perf_counter()
            way(path)
            best[name] = min(best[name], 1e3 * (time.perf_counter() - begin))
    return best


def best_open_ms(runs: int, path: str) -> float:
    best = float("inf")
    for _ in range(5 * runs):
        begin = time.perf_counter()
        opened_with_views(path)
        best = min(best, 1e3 * (time.perf_counter() - begin))
    return best


def check(path: str) -> None:
    ours = with_arrowquant(path)
    for name, way in WAYS.items():
        theirs = way(path)
        if theirs.keys() != ours.keys() or any(not torch.equal(theirs[key], ours[key]) for key in ours):
            sys.exit(f"bench_load: {name} gives other values")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    check(args.table)
    times = best_ms(args.runs, args.table)
    ours = times["WeightLoader.load_weights"]
    result = {"open_and_tensors_ms": best_open_ms(args.runs, args.table), "ms": times}
    result["times_faster"] = {name: value / ours for name, value in times.items() if value != ours}
    if args.json:
        print(json.dumps(result))
        return
    for name, value in times.items():
        print(f"{name:34}{value:9.1f} ms{value / ours:9.1f} x")
    print(f"{'open, and all tensors':34}{result['open_and_tensors_ms']:9.2f} ms")


if __name__ == "__main__":
    main()
