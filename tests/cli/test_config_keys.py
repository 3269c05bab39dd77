"""docs/EMBEDDING.md has every key of src/model/config_keys.inc, docs/DECODERS.md those of decoder_keys.inc, and they say of
them what the code does."""
import json
import re

import pytest
from cli_helpers import ROOT

TEXT = r'"(?:[^"\\]|\\.)*"'
LINE = re.compile(rf"^KEY\((\w+), ({TEXT}), (\w+), (NULL|{TEXT}),\s+({TEXT}(?:\s+{TEXT})*)\)$", re.M)
ENCODERS = {
    "CONFIG": "config.json",
    "MODEL2VEC": "config.json of model2vec",
    "MODULES": "modules.json",
    "POOLING": "config.json of Pooling",
    "DENSE": "config.json of Dense",
    "LAYER_NORM": "config.json of LayerNorm",
    "NORMALIZE": "config.json of Normalize",
    "DROPOUT": "config.json of Dropout",
    "MODEL": "config_sentence_transformers.json",
    "CROSS_ENCODER": "config_sentence_transformers.json of a cross-encoder",
}
DECODERS = {"DECODER": "config.json", "ROPE": "rope_parameters, rope_scaling"}
TABLES = [("config_keys.inc", "EMBEDDING.md", ENCODERS), ("decoder_keys.inc", "DECODERS.md", DECODERS)]


def keys(table):
    """(file, key, treatment, neutral value or None, why)."""
    source = (ROOT / "src/model" / table).read_text(encoding="utf-8")
    rows = []
    for file, key, treatment, neutral, why in LINE.findall(source):
        value = None if neutral == "NULL" else json.loads(neutral)
        rows.append((file, json.loads(key), treatment, value, "".join(json.loads(t) for t in re.findall(TEXT, why))))
    assert len(rows) == source.count("\nKEY("), "a line of the table has another form"
    return rows


def words(treatment, neutral):
    if treatment == "REFUSED":
        return "refused" if neutral is None else f"refused unless `{neutral}`"
    return {"HONOURED": "honoured", "NO_EFFECT": "no effect"}[treatment]


def section(table, file, heading):
    """The table of a file as the page has it: keys that are treated alike for one reason share a row."""
    groups = {}
    for of, key, treatment, neutral, why in keys(table):
        if of == file:
            groups.setdefault((words(treatment, neutral), why), []).append(f"`{key}`")
    rows = [f"| {', '.join(names)} | {what} | {why} |" for (what, why), names in groups.items()]
    return "\n".join([f"### {heading}", "", "| key | | |", "|---|---|---|", *rows, ""])


@pytest.mark.parametrize("table, page, headings", TABLES)
def test_every_key_is_listed_once(table, page, headings):
    names = [(file, key) for file, key, *_ in keys(table)]
    assert len(names) == len(set(names))
    assert {file for file, _ in names} == set(headings)


@pytest.mark.parametrize("table, page, headings", TABLES)
def test_the_page_says_what_the_code_does(table, page, headings):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for file, heading in headings.items():
        wanted = section(table, file, heading)
        assert wanted in text, f"docs/{page} should have:\n{wanted}"
