"""quality_page - bench/results/quality.csv as a plot (docs/images/frontier.svg) and as tables in docs/BENCHMARKS.md.

The page is written by hand around pairs of comments, `<!-- begin NAME -->` and `<!-- end NAME -->`; what lies between
them is made here.
"""
import math
import pathlib
import re
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 980, 600, 96, 56, 590, 470
BITS, LOSS = (1.0, 9.0), (2e-5, 1.0)
LEGEND = LEFT + PLOT_WIDTH + 28
INK, GRID = "#222222", "#dddddd"
OURS = ("#b2182b", "#e08214", "#7b3294", "#d01c8b", "#8c510a", "#000000")
PEERS = ("#2166ac", "#1b7837", "#4d4d4d", "#35978f", "#6a51a3", "#80961f", "#3288bd", "#878787", "#01665e")
SHAPES = ("circle", "square", "diamond", "up", "down", "plus", "cross")

# ---- The plot --------------------------------------------------------------------------------------------------------


def across(bits: float) -> float:
    return LEFT + PLOT_WIDTH * (bits - BITS[0]) / (BITS[1] - BITS[0])


def down(loss: float) -> float:
    share = math.log(max(loss, LOSS[0]) / LOSS[0]) / math.log(LOSS[1] / LOSS[0])
    return TOP + PLOT_HEIGHT * (1 - min(share, 1))


def text(x: float, y: float, words: str, anchor: str = "start", size: int = 13, extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{extra}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"/>'


def mark(shape: str, x: float, y: float, color: str, r: float) -> str:
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{color}"/>'
    turns = {"square": [(-1, -1), (1, -1), (1, 1), (-1, 1)], "diamond": [(0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)],
             "up": [(0, -1.3), (1.2, 1), (-1.2, 1)], "down": [(0, 1.3), (1.2, -1), (-1.2, -1)]}
    if shape in turns:
        corners = " ".join(f"{x + r * a:.1f},{y + r * b:.1f}" for a, b in turns[shape])
        return f'<polygon points="{corners}" fill="{color}"/>'
    strokes = {"plus": ((1.3, 0), (0, 1.3)), "cross": ((1, 1), (1, -1))}[shape]
    path = " ".join(f"M{x - r * a:.1f} {y - r * b:.1f}L{x + r * a:.1f} {y + r * b:.1f}" for a, b in strokes)
    return f'<path d="{path}" stroke="{color}" stroke-width="2" fill="none"/>'


def axes() -> list[str]:
    right, bottom = LEFT + PLOT_WIDTH, TOP + PLOT_HEIGHT
    out = []
    for bits in range(int(BITS[0]), int(BITS[1]) + 1):
        out.append(line(across(bits), TOP, across(bits), bottom, GRID))
        out.append(text(across(bits), bottom + 20, str(bits), "middle"))
    for loss in (step * 10.0**power for power in range(-6, 1) for step in (1, 2, 5)):
        if LOSS[0] <= loss * 1.001 and loss <= LOSS[1]:
            out.append(line(LEFT, down(loss), right, down(loss), GRID))
            out.append(text(LEFT - 8, down(loss) + 4, f"{loss:.6f}".rstrip("0").rstrip("."), "end"))
    out.append(f'<rect x="{LEFT}" y="{TOP}" width="{PLOT_WIDTH}" height="{PLOT_HEIGHT}" fill="none" stroke="{INK}"/>')
    out.append(text(LEFT + PLOT_WIDTH / 2, bottom + 44, "bits per weight as stored", "middle", 14))
    turn = f' transform="rotate(-90 20 {TOP + PLOT_HEIGHT / 2:.1f})"'
    out.append(text(20, TOP + PLOT_HEIGHT / 2, "1 - mean cosine with the FP32 embeddings", "middle", 14, turn))
    return out


def curve(points: list[tuple[float, float]], color: str, shape: str, ours: bool, place: float, name: str) -> list[str]:
    places = [(across(b), down(v)) for b, v in sorted(points)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    wide, dash = (2.6, "") if ours else (1.4, ' stroke-dasharray="5 3"')
    out = [f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{wide}"{dash}/>']
    out += [mark(shape, x, y, color, 5 if ours else 4) for x, y in places]
    out.append(f'<line x1="{LEGEND}" y1="{place}" x2="{LEGEND + 28}" y2="{place}" stroke="{color}" '
               f'stroke-width="{wide}"{dash}/>')
    out.append(mark(shape, LEGEND + 14, place, color, 5 if ours else 4))
    out.append(text(LEGEND + 36, place + 4, name))
    return out


def plot(rows: list[dict]) -> str:
    families: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row["family"] and row.get("emb_mean"):
            families.setdefault(row["family"], []).append((float(row["bpw"]), 1 - float(row["emb_mean"])))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
           f'font-family="Helvetica, Arial, DejaVu Sans, sans-serif" fill="{INK}">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
           text(LEFT, 32, "all-MiniLM-L6-v2: loss of the embeddings against size (down and left is better)", size=16)]
    out += axes()
    counts = [0, 0]
    for i, (name, points) in enumerate(families.items()):
        ours = name.startswith("arrowquant")
        colors, n = (OURS, counts[0]) if ours else (PEERS, counts[1])
        counts[0 if ours else 1] += 1
        out += curve(points, colors[n % len(colors)], SHAPES[i % len(SHAPES)], ours, TOP + 14 + 24 * i, name)
    return "\n".join([*out, "</svg>"]) + "\n"


# ---- The tables ------------------------------------------------------------------------------------------------------


def best(rows: list[dict]) -> set[int]:
    """Places of the rows that no other row beats or equals in both bits and mean cosine."""
    points = [(float(r["bpw"]), -float(r["emb_mean"])) for r in rows]
    return {i for i, p in enumerate(points)
            if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)}


def cut(number: str, digits: int = 4) -> str:
    return f"{float(number):.{digits}f}"


def table(rows: list[dict]) -> str:
    done = sorted((r for r in rows if r.get("emb_mean")), key=lambda r: -float(r["bpw"]))
    front = best(done)
    out = ["| method | settings | bits per weight | MB | mean | 1st percentile | minimum | overlap@10 | weights "
           "| WordSim-353 |", "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for i, row in enumerate(done):
        settings = f"`{row['settings']}`" if row["settings"].startswith("--") else row["settings"]
        cells = [row["method"], settings, cut(row["bpw"], 2), cut(str(int(row["bytes"]) / 1e6), 2),
                 cut(row["emb_mean"]), cut(row["emb_p1"], 3), cut(row["emb_min"], 3), cut(row["overlap10"], 3),
                 cut(row["weight_cosine"]), cut(row["wordsim"], 3)]
        if i in front:
            cells[2], cells[4] = f"**{cells[2]}**", f"**{cells[4]}**"
        out.append("| " + " | ".join(cells) + " |")
    failed = [r for r in rows if not r.get("emb_mean")]
    if failed:
        out += ["", "Did not run here:", ""]
        out += [f"- {r['method']} {r['settings']}: {r['note'].removeprefix('not run: ')}" for r in failed]
    notes = [f"{r['settings']}: {r['note'].removeprefix('stored as ')}" for r in rows
             if r.get("emb_mean") and (r.get("note") or "").startswith("stored as")]
    if notes:
        out += ["", "What llama.cpp made of the matrices: " + "; ".join(notes) + "."]
    versions = dict.fromkeys(r["version"] for r in rows if r["version"])
    return "\n".join([*out, "", "Versions: " + ", ".join(versions) + "."])


def tensor_table(rows: list[dict]) -> str:
    out = ["| tensor | settings | bits per weight | cosine | bound at these bits | bits the bound needs |",
           "|---|---|---:|---:|---:|---:|"]
    for row in rows:
        cells = [row["tensor"], f"`{row['settings']}`", cut(row["bpw"], 2), cut(row["cosine"], 5),
                 cut(row["bound"], 5) if row["bound"] else "", cut(row["needed"], 2) if row["needed"] else ""]
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def put(page: pathlib.Path, name: str, words: str) -> None:
    """Between the two comments of that name."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    old = page.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.S)
    new, count = pattern.subn(lambda _: f"{begin}\n{words}\n{end}", old)
    if count != 1:
        raise SystemExit(f"{page}: expected one pair of comments {begin} {end}")
    page.write_text(new, encoding="utf-8")


def make(rows: list[dict], root: pathlib.Path) -> None:
    image = root / "docs" / "images" / "frontier.svg"
    image.parent.mkdir(exist_ok=True)
    image.write_text(plot(rows), encoding="utf-8")
    put(root / "docs" / "BENCHMARKS.md", "quality", table(rows))


def make_tensors(rows: list[dict], root: pathlib.Path) -> None:
    put(root / "docs" / "BENCHMARKS.md", "tensors", tensor_table(rows))
