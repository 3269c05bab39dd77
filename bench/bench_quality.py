#!/usr/bin/env python3
"""bench_quality - quality against size: what quantizing a sentence encoder's weights costs, beside other quantizers.

    bench/bench_quality.py MODEL_FOLDER --texts FOLDER [--command build/release/arrowquant]
                           [--only REGEX] [--ours-only | --peers-only] [--quick] [--list]

Every line of RUNS is a method with its settings. Each quantizes the same matrices (all two-dimensional weights, tables
of embeddings included, as far as it can), and bench/quality_judge.py measures what it did. Size is what the method
itself stores for these matrices, codes, scales, zero points and headers, in bits per weight; for arrowquant what the
column chunks of its table take, without the rows of other tensors.

The texts come from bench/texts.py. Results go into bench/results/quality.csv: a run replaces its own lines and leaves
the others. Then docs/images/frontier.svg and the table in docs/BENCHMARKS.md are made anew from it.
"""
import argparse
import csv
import dataclasses
import pathlib
import re
import subprocess
import tempfile
from collections.abc import Callable

import quality_llama
import quality_page
import quality_peers as peers
from quality_judge import Judge
from quality_ours import Table
from quality_peers import Job, Quantized

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "quality.csv"
COLUMNS = ("family", "method", "settings", "version", "bpw", "bytes", "emb_mean", "emb_p1", "emb_min", "overlap10",
           "weight_cosine", "wordsim", "seconds", "emb_words", "emb_sentences", "emb_long", "note")
SHOWN = (*COLUMNS[4:13], "note")


@dataclasses.dataclass
class Run:
    family: str  # a line of the plot
    method: str
    settings: str
    work: Callable[[Job], Quantized]
    packages: tuple[str, ...] = ()  # none: arrowquant
    quick: bool = False


# ---- arrowquant ------------------------------------------------------------------------------------------------------


def statistics(job: Job, arguments: str) -> list[str]:
    """Statistics of the texts are gathered by the first run that needs them: its time has them in it."""
    if "{calib}" not in arguments:
        return []
    saved = job.calibration.with_suffix(".stats")
    return ["--stats" if saved.exists() else "--save-stats", str(saved)]


def arrowquant(job: Job, arguments: str) -> Quantized:
    from safetensors.numpy import load_file
    words = [w.replace("{calib}", str(job.calibration)) for w in arguments.split()] + statistics(job, arguments)
    with tempfile.TemporaryDirectory() as folder:
        table = Table(job.command, job.model, pathlib.Path(folder), ["-t", str(job.threads), *words])
        tensors = {n: t for n, t in load_file(table.restored).items() if t.dtype == "float32"}
        stored = table.bytes_of(job.matrices)
    return Quantized(tensors, stored, sum(m.size for m in job.matrices.values()), table.seconds)


def ours(family: str, method: str, arguments: str, quick: bool = False) -> Run:
    return Run(family, method, arguments, lambda job: arrowquant(job, arguments), (), quick)


# ---- The runs --------------------------------------------------------------------------------------------------------

LLAMA = ("llama-cpp-py-sync",)


def llama(kind: str, table: str | None = None, quick: bool = False) -> Run:
    settings = kind if table is None else f"{kind}, token table {table}"
    family = "llama.cpp" if table is None else "llama.cpp, token table too"
    return Run(family, "llama.cpp", settings, lambda job: quality_llama.llama_cpp(job, kind, table), LLAMA, quick)


def hqq(bits: int, group: int, axis: int, quick: bool = False) -> Run:
    return Run(f"HQQ axis {axis}", "HQQ", f"{bits} bit, groups of {group}, axis {axis}",
               lambda job: peers.hqq(job, bits, group, axis), ("hqq",), quick)


def quanto(kind: str, quick: bool = False) -> Run:
    return Run("quanto", "quanto", kind, lambda job: peers.quanto(job, kind), ("optimum-quanto",), quick)


def torchao(settings: str, bits: int, group: int | None, algorithm: str | None = None, family: str = "torchao") -> Run:
    return Run(family, "torchao", settings, lambda job: peers.torchao(job, bits, group, algorithm), ("torchao",))


def onnx_4bit(group: int, algorithm: str) -> Run:
    return Run("ONNX Runtime", "ONNX Runtime", f"MatMulNBits 4 bit {algorithm}, blocks of {group}",
               lambda job: peers.onnx_4bit(job, group, algorithm), ("onnxruntime",))


MINMAX, MSE = "arrowquant min-max", "arrowquant mse"
TARGET, BROTLI, TUNED = "arrowquant target", "arrowquant target, brotli", "arrowquant target, brotli, tuned"
NOT_RUN = "arrowquant target, data-free"
RUNS = [
    *(ours(TARGET, "target", f"--target-bpw {bits} --calib {{calib}}", bits == 4) for bits in (2.15, 3, 4, 6.4, 8.2)),
    ours(TARGET, "target", "--target-bpw 2.15 --calib builtin"),
    ours(TARGET, "target", "--target-size 9MB --calib {calib}"),
    ours(TARGET, "target", "--min-similarity 0.98 --calib {calib}"),
    *(ours(BROTLI, "target", f"--target-bpw {bits} --calib {{calib}} --codec brotli") for bits in (2.15, 3, 4, 6.4)),
    *(ours(TUNED, "target, tuned", f"--target-bpw {bits} --calib {{calib}} --codec brotli --tune=200")
      for bits in (2.15, 3, 4)),
    *(ours(NOT_RUN, "target, data-free", f"--target-bpw {bits} --calib none", bits == 3) for bits in (2.15, 3, 4)),
    ours(MINMAX, "min-max", "--type int8 --method minmax", True),
    ours(MINMAX, "min-max", "--type int4 --method minmax --group-size 32"),
    ours(MINMAX, "min-max", "--type int4 --method minmax --group-size 64", True),
    ours(MINMAX, "min-max", "--type int3 --method minmax --group-size 64"),
    ours(MINMAX, "min-max", "--type int2 --method minmax --group-size 32"),
    ours(MINMAX, "min-max", "--type int2 --method minmax --group-size 64", True),
    ours(MINMAX, "min-max", "--type int2 --method minmax --group-size 128"),
    ours(MSE, "mse", "--type int8 --method mse"),
    ours(MSE, "mse", "--type int4 --method mse --group-size 32"),
    ours(MSE, "mse", "--type int4 --method mse --group-size 64", True),
    ours(MSE, "mse", "--type int3 --method mse --group-size 64"),
    ours(MSE, "mse", "--type int2 --method mse --group-size 32"),
    ours(MSE, "mse", "--type int2 --method mse --group-size 64", True),
    ours(MSE, "mse", "--type int2 --method mse --group-size 128"),
    hqq(4, 32, 1), hqq(4, 64, 1, True), hqq(3, 64, 1), hqq(2, 32, 1), hqq(2, 64, 1),
    hqq(4, 64, 0), hqq(3, 64, 0), hqq(2, 64, 0),
    quanto("qint8"), quanto("qint4", True), quanto("qint2"),
    torchao("int8 per row", 8, None), torchao("int4 tinygemm, groups of 64", 4, 64, "tinygemm"),
    torchao("int4 hqq, groups of 64", 4, 64, "hqq"),
    torchao("int2, groups of 64, a code in a byte", 2, 64, None, "torchao, a code in a byte"),
    llama("Q8_0"), llama("Q5_K_M"), llama("Q4_K_M", None, True), llama("IQ4_NL"), llama("Q3_K_M"), llama("Q2_K"),
    llama("IQ2_XXS"), llama("Q5_0", "Q5_0"), llama("IQ4_NL", "IQ4_NL"), llama("Q4_0", "Q4_0"), llama("Q2_0", "Q2_0"),
    llama("Q1_0", "Q1_0"),
    Run("ONNX Runtime", "ONNX Runtime", "int8 per channel", peers.onnx_int8, ("onnxruntime",)),
    onnx_4bit(32, "rtn"), onnx_4bit(64, "rtn"),
    Run("torch", "torch", "dynamic int8 per tensor", lambda job: peers.torch_dynamic(job, False), ("torch",)),
    Run("torch", "torch", "dynamic int8 per channel", lambda job: peers.torch_dynamic(job, True), ("torch",)),
]

# ---- The table of results --------------------------------------------------------------------------------------------


def key(row: dict) -> tuple[str, str]:
    return row["method"], row["settings"]


def measure(run: Run, job: Job, judge: Judge, version: str) -> dict:
    row = {"family": run.family, "method": run.method, "settings": run.settings, "version": version}
    try:
        if run.packages:
            row["version"] = peers.version_of(*run.packages)
            with peers.quiet():
                done = run.work(job)
        else:
            done = run.work(job)
    except Exception as error:  # a peer may fail in any way; the table says so
        lines = str(error).strip().splitlines() or [""]
        return row | {"note": f"not run: {type(error).__name__}: {lines[0]}"}
    found = {k: f"{v:.6f}" for k, v in judge.figures(done.tensors).items()}
    return row | found | {"bpw": f"{done.bytes * 8 / done.weights:.3f}", "bytes": done.bytes,
                          "seconds": f"{done.seconds:.1f}", "note": done.note}


def load(path: pathlib.Path) -> dict:
    if not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {key(row): row for row in csv.DictReader(file)}


def save(path: pathlib.Path, rows: dict) -> None:
    """In the order of RUNS; lines of runs that are no more go."""
    path.parent.mkdir(exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows[k] for k in [("FP32", ""), *((r.method, r.settings) for r in RUNS)] if k in rows)


def exact_row(judge: Judge) -> dict:
    """What the FP32 model is compared with: itself."""
    found = {k: f"{v:.6f}" for k, v in judge.compared(judge.exact, judge.matrices).items()}
    size = sum(m.nbytes for m in judge.matrices.values())
    return {"family": "", "method": "FP32", "settings": "", "version": "", "bpw": "32.000", "bytes": size, **found}


def chosen(options) -> list[Run]:
    return [r for r in RUNS if (not options.ours_only or not r.packages) and (not options.peers_only or r.packages)
            and (not options.quick or r.quick) and re.search(options.only, f"{r.method} {r.settings}")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--texts", type=pathlib.Path, required=True, help="what bench/texts.py made")
    parser.add_argument("--command", type=pathlib.Path, default=ROOT / "build/release/arrowquant")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", metavar="REGEX", help="runs whose method and settings match")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--ours-only", action="store_true")
    which.add_argument("--peers-only", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a few runs of each family")
    parser.add_argument("--list", action="store_true", help="say what would run")
    parser.add_argument("--page-only", action="store_true", help="only make the plot and the table anew")
    options = parser.parse_args()
    runs = [] if options.page_only else chosen(options)
    if options.list:
        print("\n".join(f"{r.method}: {r.settings}" for r in runs))
        return
    rows = load(options.results)
    if runs:
        peers.limit_threads(options.threads)
        command = options.command.resolve()
        judge = Judge(options.model, options.texts, command, options.threads)
        job = Job(options.model, judge.matrices, command, options.texts / "calib.txt", options.threads)
        said = subprocess.run([command, "--version"], check=True, capture_output=True, text=True).stdout
        rows[("FP32", "")] = exact_row(judge)
        for run in runs:
            row = rows[key(dataclasses.asdict(run))] = measure(run, job, judge, said.splitlines()[0])
            save(options.results, rows)
            print(f"{run.method:14}{run.settings:52}", *(row.get(c, "") for c in SHOWN), flush=True)
    if options.results == RESULTS:
        quality_page.make(list(rows.values()), ROOT)


if __name__ == "__main__":
    main()
