"""decoder_page - bench/results/decoder_MODEL.csv as tables in docs/BENCHMARKS.md, between the comments `decoders`."""
import pathlib

from quality_page import put

TEXTS = ("news", "dictionary", "manual")
HEAD = ("| method | settings | bits | without tokenizer | KL mean | median | 99th percentile | top-1 agreement | perplexity "
        "| KL news | dictionary | manual |", "|---|---|" + "---:|" * 10)
Row = dict[str, str]


def number(value: str, digits: int = 3) -> str:
    """That many significant digits, without an exponent where it is readable."""
    found = float(value)
    if found == 0 or abs(found) >= 1e6:
        return f"{found:.{digits - 1}e}" if found else "0"
    return f"{found:.{digits}g}" if abs(found) < 1000 else f"{found:.0f}"


def front(rows: list[Row]) -> set[int]:
    """Places of the rows that no other row beats or equals in both bits and KL."""
    points = [(float(r["bpw"]), float(r["kl_mean"])) for r in rows]
    return {i for i, p in enumerate(points) if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)}


def cells_of(row: Row, by_text: dict[str, Row]) -> list[str]:
    settings = f"`{row['settings']}`" if row["settings"].startswith("--") else row["settings"]
    cells = [row["method"], settings, f"{float(row['bpw']):.2f}", f"{float(row['bpw_weights']):.2f}",
             *(number(row[k]) for k in ("kl_mean", "kl_median", "kl_p99")), f"{float(row['top1']) * 100:.1f} %",
             number(row["ppl"])]
    return cells + [number(by_text[kind]["kl_mean"]) if kind in by_text else "" for kind in TEXTS]


def table(rows: list[Row]) -> list[str]:
    done = sorted((r for r in rows if r["text"] == "all" and r["kl_mean"]), key=lambda r: -float(r["bpw"]))
    best = front(done)
    out = list(HEAD)
    for i, row in enumerate(done):
        same = {r["text"]: r for r in rows if (r["method"], r["settings"]) == (row["method"], row["settings"])}
        cells = cells_of(row, same)
        if i in best:
            cells[2], cells[4] = f"**{cells[2]}**", f"**{cells[4]}**"
        out.append("| " + " | ".join(cells) + " |")
    return out


def notes(rows: list[Row]) -> list[str]:
    every = [r for r in rows if r["text"] == "all"]
    failed = [r for r in every if not r["kl_mean"]]
    out = ["", "Did not run here:", ""] if failed else []
    out += [f"- {r['method']} {r['settings']}: {r['note'].removeprefix('not run: ')}" for r in failed]
    theirs = [f"{r['settings']}: {r['note']}" for r in every if r["method"] == "llama.cpp" and r["kl_mean"]]
    if theirs:
        out += ["", "What llama.cpp made of the matrices: " + "; ".join(theirs) + "."]
    versions = dict.fromkeys(r["version"] for r in every if r["version"])
    return [*out, "", "Versions: " + ", ".join(versions) + "."]


def section(model: str, rows: list[Row]) -> list[str]:
    exact = {r["text"]: r for r in rows if r["method"] == "FP32"}
    said = ", ".join(f"{number(exact[k]['ppl'])} on {k}" for k in TEXTS if k in exact)
    windows = exact["all"]["windows"] if "all" in exact else "?"
    first = f"{windows} windows; perplexity of the reference: {said}."
    return [f"### {model}", "", first, "", *table(rows), *notes(rows)]


def make(results: dict[str, list[Row]], root: pathlib.Path) -> None:
    parts = [section(model, rows) for model, rows in results.items() if rows]
    put(root / "docs" / "BENCHMARKS.md", "decoders", "\n\n".join("\n".join(part) for part in parts))
