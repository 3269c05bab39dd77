"""decoder_texts - running text for judging language models, three kinds to report on, three to choose by, and one file
to calibrate with.

All come from the packages that bench/texts.py fetches; the two sets share no source. A text is cut into windows of
WINDOW tokens from its beginning.

    report  news        gensim's lee_background.cor, as it is
            dictionary  FOLDOC's entries in their order, without the notices in front
            manual      paragraphs of Perl's answers to questions that are often asked
    choose  fortunes    quotations
            essays      paragraphs of the package anarchism
            glosses     WordNet's glosses of nouns

The file to calibrate with is of what the choosing set leaves of its sources: nothing of it is in a window of either.
"""
import pathlib
import re

import numpy as np
import texts

WINDOW = 512
KINDS = {"report": ("news", "dictionary", "manual"), "choose": ("fortunes", "essays", "glosses")}
NOTICES = 20  # entries of FOLDOC at whose place the dictionary speaks of itself
CHARACTERS = 400_000  # of a text that are looked at: more than any number of windows needs
ESSAYS = 8  # files of essays to choose by
CALIBRATION = 160_000  # characters of each source
LINE = 2_000  # characters of a text in the file to calibrate with


def news(cache: pathlib.Path) -> str:
    return texts.read(cache / "wheel/gensim/test/test_data/lee_background.cor")


def dictionary(cache: pathlib.Path) -> str:
    entries = texts.dictionary(cache / "debian", "foldoc.dict.dz")
    return "\n".join(entries[NOTICES:])


def manual(cache: pathlib.Path) -> str:
    return "\n".join(texts.manuals(cache / "debian", "perlfaq*.pod"))


def fortunes(cache: pathlib.Path) -> str:
    return "\n".join(texts.fortunes(cache / "debian"))


def paragraphs(files: list[pathlib.Path]) -> str:
    found = (texts.plain_markdown(b) for path in files for b in texts.blocks(texts.read(path)))
    return "\n".join(p for p in found if len(p.split()) >= 12)


def essay_files(cache: pathlib.Path) -> list[pathlib.Path]:
    return sorted((cache / "debian/usr/share/doc/anarchism/markdown").glob("*.md.gz"))


def essays(cache: pathlib.Path) -> str:
    return paragraphs(essay_files(cache)[:ESSAYS])


def glosses(cache: pathlib.Path) -> str:
    lines = texts.read(cache / "debian/usr/share/wordnet/data.noun").splitlines()
    return "\n".join(line.split("|", 1)[1].strip() for line in lines if "|" in line and not line.startswith(" "))


SOURCES = {f.__name__: f for f in (news, dictionary, manual, fortunes, essays, glosses)}


def fetch(cache: pathlib.Path) -> None:
    """Brings the packages into the folder `cache`; does nothing where they are."""
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "debian").exists():
        texts.fetch_debian(cache)
    if not (cache / "wheel").exists():
        texts.fetch_wheel(cache)


def calibration(cache: pathlib.Path) -> pathlib.Path:
    """The file to calibrate with, a text of LINE characters in each line, the sources in turns."""
    parts = [part[:CALIBRATION] for part in (fortunes(cache)[CHARACTERS:], paragraphs(essay_files(cache)[ESSAYS:]),
                                             glosses(cache)[CHARACTERS:])]
    cut = [[part[at:at + LINE].replace("\n", " ") for at in range(0, len(part), LINE)] for part in parts]
    path = cache / "decoder-calibration.txt"
    path.write_text("\n".join(line for lines in zip(*cut, strict=False) for line in lines) + "\n", encoding="utf-8")
    return path


def windows(kind: str, cache: pathlib.Path, tokenizer, count: int) -> np.ndarray:
    """The ids of that many windows of one kind of text, without tokens of beginning and end."""
    text = re.sub(r"\r\n?", "\n", SOURCES[kind](cache))[:CHARACTERS]
    ids = tokenizer(text, add_special_tokens=False, return_tensors="np", verbose=False)["input_ids"][0]
    if len(ids) < count * WINDOW:
        raise SystemExit(f"decoder_texts: {kind} has {len(ids)} tokens, {count} windows need {count * WINDOW}")
    return ids[: count * WINDOW].reshape(count, WINDOW).astype(np.int64)
