"""The keys in src/tokenizer/ (tokenizer_keys.c, and the file of each type) and those in docs/TOKENIZER.md are the same."""
import re

from cli_helpers import ROOT

FILES = {"JSON": "tokenizer.json", "CONFIG": "tokenizer_config.json", "SENTENCE": "The sentence config"}
EFFECTS = {"HONOURED": "honoured", "REFUSED": "refused", "NO_EFFECT": "no effect"}


def keys_in_code():
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src" / "tokenizer").glob("*.c")))
    found = re.findall(r'\{AQ_TOKENIZER_KEYS_([A-Z]+), "([^"]+)",\s+AQ_KEY_([A-Z_]+)\}', text)
    return [(FILES[file], key, EFFECTS[effect]) for file, key, effect in found]


def keys_in_docs():
    text = (ROOT / "docs" / "TOKENIZER.md").read_text(encoding="utf-8")
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title = section.splitlines()[0]
        for key, effect in re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section, flags=re.MULTILINE):
            yield title, key, effect


def test_the_docs_have_the_keys_of_the_code():
    code, docs = keys_in_code(), list(keys_in_docs())
    assert len(docs) == len(set(docs)) > 100
    assert sorted(set(code)) == sorted(docs)  # types may share a key
