"""The ids of tokenizers of the shapes that decoders have are those of the library `tokenizers`, on texts of every kind. No
difference is allowed. AQ_BPE_TEXTS=N takes another number of texts for each; AQ_BPE_MODELS=FOLDER:... adds real models."""

import json
import os
import pathlib

import pytest
import tokenizers as hf
from tiny_bpe import SHAPES
from tokenizer_library import Ours, agree
from tokenizer_texts import Texts

COUNT = int(os.environ.get("AQ_BPE_TEXTS", "1500"))
MODELS = [pathlib.Path(folder) for folder in os.environ.get("AQ_BPE_MODELS", "").split(":") if folder]


class CodeTexts(Texts):
    """With what code, numbers and contractions add."""

    def __init__(self, seed, words):
        super().__init__(seed, [word.replace("Ġ", " ").replace("▁", " ") for word in words])
        self.kinds = [self.code, self.contractions, self.numbers, self.blanks, self.tokens, *self.kinds]

    def code(self):
        lines = [" " * self.rng.choice((0, 2, 4, 8, 17)) + self.rng.choice(("if (x==1){", "\treturn a->b;", "}", "", "def f(self, x: int=0):  # ok", "a[i]+=1;\r"))
                 for _ in range(self.rng.randint(1, 8))]
        return "\n".join(lines)

    def contractions(self):
        words = ["I'm", "DON'T", "we'Ll", "it'ſ", "they'VE", "o'clock", "'s", "x'D", "'re'", "K'K", "l'été", "''ll", "’s"]
        return self.rng.choice((" ", "", "\n")).join(self.rng.choice(words) for _ in range(self.rng.randint(1, 8)))

    def numbers(self):
        digits = ["0", "12", "345", "6789", "1234567", "٣٤", "१२३", "Ⅷ", "½", "²", "𝟘𝟙", "１２", "3.14", "1e-5", "0xFF", "-7,000"]
        return self.rng.choice((" ", "", ", ")).join(self.rng.choice(digits) for _ in range(self.rng.randint(1, 8)))

    def blanks(self):
        return "".join(self.rng.choice((" ", "  ", "   ", "\n", "\r\n", "\n\n", "\t", "\u3000", "\u00a0", "a", "b.", "▁", "▁▁")) for _ in range(self.rng.randint(1, 14)))

    def tokens(self):
        some = ["<s>", "</s>", "<unk>", "<|im_start|>", "<left>", "<right>", "<word>", "<norm>", "new tok", "plain", "<0x41>", "a", "é", " ", "  ", "x", "\n", "▁"]
        return "".join(self.rng.choice(some) for _ in range(self.rng.randint(1, 12)))


def write(folder, made):
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
    return path


def theirs_of(path):
    tokenizer = hf.Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def compare(path, count):
    ours, theirs = Ours(path), theirs_of(path)
    words = sorted(theirs.get_vocab(with_added_tokens=False))
    assert agree(ours, theirs, CodeTexts(11, words).take(count)) == count
    agree(ours, theirs, CodeTexts(12, words).long_lines(8 if count > 10000 else 4))
    agree(ours, theirs, CodeTexts(13, words).broken(count // 10))
    agree(ours, theirs, ["", " ", "  ", "a", " a", "a ", "\n", "é", "\u0301", "<s>", "<s> ", " <s>a", "▁", "▁a", "'s", "\ufffd", *map(chr, range(0x250))])


@pytest.mark.parametrize("shape", SHAPES)
def test_ids_are_the_same(shape, tmp_path):
    compare(write(tmp_path, SHAPES[shape]()), COUNT)


@pytest.mark.parametrize("folder", MODELS, ids=[folder.name for folder in MODELS])
def test_ids_of_real_models_are_the_same(folder):
    compare(folder / "tokenizer.json", COUNT)
