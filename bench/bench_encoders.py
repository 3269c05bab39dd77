#!/usr/bin/env python3
"""bench_encoders - targets on three sentence encoders, beside the plain types at the same size.

    bench/bench_encoders.py [MODEL...] --texts FOLDER [--command build/release/arrowquant] [--only REGEX] [--quick]

The models are those of bench/encoder_models.py, made here if they are not there. Figures, texts and bits per weight are
those of bench/bench_quality.py: cosine of embeddings with those of the FP32 model, and overlap@10, by
bench/quality_judge.py on the report sets of bench/texts.py. `--target-size of ARGUMENTS` is the target whose limit is
the size of the file that these arguments make.

Results go into bench/results/encoders.csv: a run replaces its own lines and leaves the others. Then the table in
docs/BENCHMARKS.md is made anew.
"""
import argparse
import csv
import pathlib
import re
import subprocess
import tempfile

import encoder_models
from quality_judge import Judge
from quality_ours import Table
from quality_page import cut, put

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "encoders.csv"
FIGURES = ("emb_mean", "emb_p1", "emb_min", "overlap10", "emb_words", "emb_sentences", "emb_long")
COLUMNS = ("model", "settings", "version", "bpw", "bytes", *FIGURES)
OF = "--target-size of "
TYPES = ("--type int4", "--type int3", "--type int2")
TARGETS = tuple(f"--target-bpw {bits} --calib none" for bits in (4, 3, 2.15))
CALIBRATED = tuple(f"--target-bpw {bits} --calib builtin" for bits in (4, 3, 2.15))
RUNS = (*TARGETS, *CALIBRATED, *TYPES, *(f"{OF}{kind} --calib none" for kind in TYPES))
Row = dict[str, str]


def load(path: pathlib.Path) -> dict[tuple[str, str], Row]:
    if not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {(row["model"], row["settings"]): row for row in csv.DictReader(file)}


def save(path: pathlib.Path, rows: dict[tuple[str, str], Row]) -> None:
    """In the order of models and RUNS; lines of runs that are no more go."""
    path.parent.mkdir(exist_ok=True)
    order = [(model, settings) for model in encoder_models.ENCODERS for settings in RUNS]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows[key] for key in order if key in rows)


def table_of(settings: str, model: pathlib.Path, options, folder: pathlib.Path) -> Table:
    """The table that these settings make; with `OF` the size of another is the limit, which is made first."""
    words = settings.split()
    if settings.startswith(OF):
        kind, calib = settings.removeprefix(OF).split(" --calib ")
        (folder / "other").mkdir()
        other = Table(options.command, model, folder / "other", ["-t", str(options.threads), *kind.split()])
        words = ["--target-size", str(other.path.stat().st_size), "--calib", calib]
    return Table(options.command, model, folder, ["-t", str(options.threads), *words])


def measure(settings: str, judge: Judge, options) -> Row:
    from safetensors.numpy import load_file
    with tempfile.TemporaryDirectory() as name:
        table = table_of(settings, judge.model, options, pathlib.Path(name))
        tensors = {n: t for n, t in load_file(table.restored).items() if t.dtype == "float32"}
        stored, size = table.bytes_of(judge.matrices), table.path.stat().st_size
    found = judge.figures(tensors)
    bits = stored * 8 / sum(m.size for m in judge.matrices.values())
    return {"bpw": f"{bits:.3f}", "bytes": str(size), **{key: f"{found[key]:.6f}" for key in FIGURES}}


def page(rows: dict[tuple[str, str], Row]) -> str:
    out = ["| model | settings | bits per weight | MB | mean | 1st percentile | minimum | overlap@10 |",
           "|---|---|---:|---:|---:|---:|---:|---:|"]
    for row in rows.values():
        cells = [row["model"], f"`{row['settings']}`", cut(row["bpw"], 2), cut(str(int(row["bytes"]) / 1e6), 2),
                 cut(row["emb_mean"]), cut(row["emb_p1"], 3), cut(row["emb_min"], 3), cut(row["overlap10"], 3)]
        out.append("| " + " | ".join(cells) + " |")
    versions = dict.fromkeys(r["version"] for r in rows.values())
    return "\n".join([*out, "", "Versions: " + ", ".join(versions) + "."])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="MODEL", help="which (all)")
    parser.add_argument("--models", type=pathlib.Path, default=encoder_models.MODELS)
    parser.add_argument("--texts", type=pathlib.Path, required=True, help="what bench/texts.py made")
    parser.add_argument("--command", type=pathlib.Path, default=ROOT / "build/release/arrowquant")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", metavar="REGEX", help="settings that match")
    parser.add_argument("--quick", action="store_true", help="the data-free targets in bits only")
    options = parser.parse_args()
    if unknown := set(options.names) - set(encoder_models.ENCODERS):
        parser.error(f"no model {min(unknown)}; there are {', '.join(encoder_models.ENCODERS)}")
    options.command = options.command.resolve()
    said = subprocess.run([options.command, "--version"], check=True, capture_output=True, text=True).stdout
    rows = load(RESULTS)
    for name in options.names or encoder_models.ENCODERS:
        folder = encoder_models.prepare(name, options.models.resolve())
        judge = Judge(folder, options.texts, options.command, options.threads)
        for settings in TARGETS if options.quick else RUNS:
            if re.search(options.only, settings):
                about = {"model": name, "settings": settings, "version": said.splitlines()[0]}
                row = rows[name, settings] = about | measure(settings, judge, options)
                save(RESULTS, rows)
                print(f"{name:25}{settings:46}", *(row[c] for c in COLUMNS[3:9]), flush=True)
    put(ROOT / "docs" / "BENCHMARKS.md", "encoders", page(load(RESULTS)))


if __name__ == "__main__":
    main()
