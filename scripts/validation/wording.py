"""wording - numbers and tables as people read them.

A number is never rounded across a limit: what must be large is cut, what must be small is rounded up. So "1.99x" is
said of 1.998, and 1.0 of equal things only.
"""

import math

DECIMALS = {"x": 2, "%": 3, "s": 2, "nats": 5, "": 6}  # by unit; no unit is a cosine, or a count


def number(value, unit="", up=False):
    """`value` with its unit and without trailing zeros: "0.999952", "2.14x", "0.005 %", "1.2 s", "3"."""
    if value is None or not math.isfinite(value):
        return "not measured"
    if isinstance(value, int):
        return f"{value:,}{gap(unit)}"
    scale = 10.0 ** DECIMALS[unit]
    # The 1e-9 keeps 0.29 * 100 = 28.999999999999996 from becoming 0.28.
    cut = math.ceil(value * scale - 1e-9) if up else math.floor(value * scale + 1e-9)
    text = f"{cut / scale:.{DECIMALS[unit]}f}".rstrip("0")
    return (text + "0" if text.endswith(".") else text) + gap(unit)


def gap(unit):
    return unit if unit in ("", "x") else f" {unit}"


def size(count):
    """Bytes in powers of 1000: "21.0 MB"."""
    if count is None:
        return "not measured"
    value, names = float(count), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.95 and len(names) > 1:
        value, names = value / 1000, names[1:]
    return f"{count} B" if names[0] == "B" else f"{value:.1f} {names[0]}"


def band(cosine):
    """The guide's word for a cosine similarity."""
    if cosine >= 1:
        return "perfect"
    bands = [(0.95, "excellent"), (0.85, "good"), (0.70, "fair")]
    return next((word for limit, word in bands if cosine >= limit), "poor")


def table(head, rows, align=None):
    """A Markdown table. `align` has one letter a column: l or r; numbers go right."""
    align = align or "l" * len(head)
    lines = [head, ["---:" if a == "r" else "---" for a in align], *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"
