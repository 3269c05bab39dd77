#!/usr/bin/env python3
"""bench_decoder - quality against size of language models: what quantizing their weights costs, beside llama.cpp.

    bench/bench_decoder.py [MODEL...] [--texts FOLDER] [--command build/release/arrowquant]
                           [--only REGEX] [--ours-only | --peers-only] [--quick] [--set choose] [--list]

The models are those of bench/decoder_models.py, made here if they are not there; the texts are those of
bench/decoder_texts.py, and bench/decoder_judge.py says what is measured. Every line of RUNS is a method with its
settings. `bpw` is the whole file over all parameters of the model, where a matrix that is both table and head counts
once; `bpw_weights` is the file without the tokenizer, which both formats carry.

Results go into bench/results/decoder_MODEL.csv, a line for each kind of text and one for all: a run replaces its own
lines and leaves the others. Then the tables in docs/BENCHMARKS.md are made anew. The figures of --quick, --windows and
--set choose are printed only, because they are of other texts.
"""
import argparse
import csv
import dataclasses
import pathlib
import re
import subprocess
from collections.abc import Callable

import decoder_methods as methods
import decoder_models
import decoder_page
import decoder_texts
import quality_peers
from decoder_judge import FIGURES, Judge, stored_tensors
from decoder_methods import Candidate, Job

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
COLUMNS = ("method", "settings", "version", "bytes", "bpw", "bpw_weights", "text", "windows", *FIGURES, "note")
LLAMA = "llama-cpp-py-sync"


@dataclasses.dataclass(frozen=True)
class Run:
    method: str
    settings: str
    work: Callable[[Job], Candidate]
    quick: bool = False
    checks: bool = False  # on the second forms of the models too


def ours(arguments: str, quick: bool = False, checks: bool = False) -> Run:
    return Run("arrowquant", arguments, lambda job: methods.arrowquant(job, arguments), quick, checks)


def same_size(arguments: str, checks: bool = False) -> Run:
    return Run("arrowquant", f"--target-size of {arguments}", lambda job: methods.target_of_size(job, arguments), False,
               checks)


def whole_file(bits: float, codec: str = "auto", checks: bool = False) -> Run:
    arguments = "" if codec == "auto" else f" --codec {codec}"
    return Run("arrowquant", f"--target-size of {bits:g} bits per weight, including all overhead{arguments}",
               lambda job: methods.target_of_bits(job, bits, arguments), False, checks)


def calibrated(bits: float, calib: str, checks: bool = False) -> Run:
    said = "self" if calib == "self" else "TEXTS"
    return Run("arrowquant", f"--target-size of {bits:g} bits per weight, including all overhead --codec brotli --calib {said}",
               lambda job: methods.calibrated(job, bits, calib, " --codec brotli"), False, checks)


def llama(kind: str, table: str = "", quick: bool = False, checks: bool = False) -> Run:
    settings = f"{kind}, table and head {table}" if table else kind
    return Run("llama.cpp", settings, lambda job: methods.llama_cpp(job, kind, table), quick, checks)


RUNS = (
    ours("--type int8"), ours("--type int4", True, True), ours("--type int3"), ours("--type int2"),
    ours("--type int4 --group-size 32", False, True),
    ours("--target-bpw 2.5"), ours("--target-bpw 3", True), ours("--target-bpw 4", True, True), ours("--target-bpw 5"),
    whole_file(3), whole_file(4, "auto", True), whole_file(5), whole_file(3, "brotli"), whole_file(4, "brotli"),
    whole_file(5, "brotli"),
    calibrated(3, "self"), calibrated(4, "self"),
    calibrated(2.5, "texts", True), calibrated(3, "texts", True), calibrated(4, "texts", True),
    calibrated(5, "texts", True),
    same_size("--type int8"), same_size("--type int4", True), same_size("--type int3"), same_size("--type int2"),
    llama("Q8_0"), llama("Q4_K_M", "", False, True), llama("IQ4_NL"), llama("IQ4_NL", "IQ4_NL", True, True),
    llama("Q4_0", "Q4_0"), llama("IQ4_XS"), llama("Q3_K_M"), llama("Q2_K"), llama("IQ2_M"),
)
WINDOWS = {"SmolLM2-135M": 6, "SmolLM2-135M-dithered": 3, "Qwen2.5-0.5B": 2, "Qwen2.5-0.5B-tied": 1}
SECOND_FORMS = ("SmolLM2-135M-dithered", "Qwen2.5-0.5B-tied")
Rows = dict[tuple[str, str, str], dict[str, str]]

# ---- The table of results --------------------------------------------------------------------------------------------


def results_of(model: str) -> pathlib.Path:
    return RESULTS / f"decoder_{model}.csv"


def load(path: pathlib.Path) -> Rows:
    if not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {(row["method"], row["settings"], row["text"]): row for row in csv.DictReader(file)}


def save(path: pathlib.Path, rows: Rows) -> None:
    """In the order of RUNS; lines of runs that are no more go."""
    path.parent.mkdir(exist_ok=True)
    kinds = ("all", *decoder_texts.KINDS["report"])
    order = [(m, s, k) for m, s in [("FP32", ""), *((r.method, r.settings) for r in RUNS)] for k in kinds]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows[key] for key in order if key in rows)


# ---- One run ---------------------------------------------------------------------------------------------------------


def written(figures: dict[str, float]) -> dict[str, str]:
    """Six significant digits: the last ones differ between machines, with the order of torch's sums."""
    return {key: f"{figures[key]:.6g}" for key in FIGURES}


def rows_of(about: dict[str, str], candidate: Candidate, judge: Judge, windows: int) -> list[dict[str, str]]:
    about = about | {"bytes": str(candidate.bytes), "bpw": f"{candidate.bytes * 8 / judge.parameters:.3f}",
                     "bpw_weights": f"{candidate.bytes_weights * 8 / judge.parameters:.3f}", "note": candidate.note}
    found = judge.figures(candidate.tensors)
    counts = dict.fromkeys(judge.windows, windows) | {"all": windows * len(judge.windows)}
    return [about | written(f) | {"text": kind, "windows": str(counts[kind])} for kind, f in found.items()]


def measure(run: Run, job: Job, judge: Judge, version: str, windows: int) -> list[dict[str, str]]:
    about = {"method": run.method, "settings": run.settings, "version": version}
    try:
        if run.method == "llama.cpp":
            about["version"] = quality_peers.version_of(LLAMA)
            with quality_peers.quiet():
                candidate = run.work(job)
        else:
            candidate = run.work(job)
        return rows_of(about, candidate, judge, windows)
    except Exception as error:  # a peer may fail in any way; the table says so
        lines = str(error).strip().splitlines() or [""]
        return [about | {"text": "all", "note": f"not run: {type(error).__name__}: {lines[0]}"}]


def reference_rows(judge: Judge, folder: pathlib.Path, windows: int) -> list[dict[str, str]]:
    """The FP32 model compared with itself: KL 0, and the perplexity that the others' stand beside."""
    size = (folder / "model.safetensors").stat().st_size
    about = {"method": "FP32", "settings": "", "version": ""}
    return rows_of(about, Candidate(stored_tensors(folder), size, size), judge, windows)


def show(rows: list[dict[str, str]]) -> None:
    for row in rows:
        figures = " ".join(f"{key} {row[key]:<11}" for key in FIGURES) if row.get("kl_mean") else row["note"]
        print(f"{row['method']:11}{row['settings']:34}{row.get('bpw', ''):>7}  {row['text']:11}{figures}", flush=True)


def run_model(name: str, runs: list[Run], options) -> None:
    decoder = {d.name: d for d in decoder_models.DECODERS}[name]
    folder = decoder_models.prepare(decoder, options.models.resolve())
    windows = options.windows or (1 if options.quick else WINDOWS[name])
    kept = options.set == "report" and windows == WINDOWS[name]
    kinds = decoder_texts.KINDS[options.set]
    judge = Judge(folder, options.texts, kinds, windows, options.threads)
    print(f"\n{name}: {judge.parameters} parameters, {windows} windows of {', '.join(kinds)} each", flush=True)
    job = Job(folder, folder.with_suffix(folder.suffix + ".gguf"), judge.model, options.command, options.threads,
              decoder_texts.calibration(options.texts))
    said = subprocess.run([options.command, "--version"], check=True, capture_output=True, text=True).stdout
    rows = load(results_of(name))
    work = [lambda r=run: measure(r, job, judge, said.splitlines()[0], windows) for run in runs]
    if not kept or ("FP32", "", "all") not in rows:
        work.insert(0, lambda: reference_rows(judge, folder, windows))
    for made in work:
        found = made()
        show(found)
        if kept:
            head = found[0]["method"], found[0]["settings"]
            rows = {key: row for key, row in rows.items() if key[:2] != head}
            rows |= {(*head, row["text"]): row for row in found}
            save(results_of(name), rows)


def chosen(name: str, options) -> list[Run]:
    return [r for r in RUNS if (not options.ours_only or r.method == "arrowquant")
            and (not options.peers_only or r.method != "arrowquant") and (not options.quick or r.quick)
            and (name not in SECOND_FORMS or r.checks) and re.search(options.only, f"{r.method} {r.settings}")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="MODEL", help="which (all)")
    parser.add_argument("--models", type=pathlib.Path, default=decoder_models.MODELS)
    parser.add_argument("--texts", type=pathlib.Path, default=ROOT / ".cache/texts/packages",
                        help="where bench/texts.py keeps its packages")
    parser.add_argument("--command", type=pathlib.Path, default=ROOT / "build/release/arrowquant")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", metavar="REGEX", help="runs whose method and settings match")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--ours-only", action="store_true")
    which.add_argument("--peers-only", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a few runs on one window of each kind, printed only")
    parser.add_argument("--windows", type=int, help="of each kind of text")
    parser.add_argument("--set", choices=decoder_texts.KINDS, default="report", help="which texts (report)")
    parser.add_argument("--list", action="store_true", help="say what would run")
    parser.add_argument("--page-only", action="store_true", help="only make the tables anew")
    options = parser.parse_args()
    if unknown := set(options.names) - set(WINDOWS):
        parser.error(f"no model {min(unknown)}; there are {', '.join(WINDOWS)}")
    options.command, options.texts = options.command.resolve(), options.texts.resolve()
    if not options.page_only and not options.list:
        decoder_texts.fetch(options.texts)
    for name in [] if options.page_only else options.names or WINDOWS:
        runs = chosen(name, options)
        if options.list:
            print("\n".join(f"{name}: {r.method}: {r.settings}" for r in runs))
        else:
            run_model(name, runs, options)
    if not options.list:
        decoder_page.make({name: list(load(results_of(name)).values()) for name in WINDOWS}, ROOT)


if __name__ == "__main__":
    main()
