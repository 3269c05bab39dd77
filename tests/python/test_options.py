"""What the table of options allows, the library takes; what it does not, the library refuses by itself."""
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import write_tiny

import arrowquant
from arrowquant import _core

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "scripts"))
from option_python import OWNERS
from option_table import read_options

WORDS = [(operation, option.at[owner], option.values) for operation, owners in OWNERS.items() for option in read_options()
         for owner in owners if owner in option.at and option.kind == "WORD"]
UNKNOWN = "no-such-word"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "m.parquet"
    arrowquant.convert({"w": np.ones((64, 64), np.float32)}, path)
    return path


def refusal(operation, member, value, table, folder):
    """What the library says of a value, with the value left out; None when it takes it."""
    more = {"perplexity": {}, "compare": {}, "info": {}, "verify": {}, "quantize": {"force": True, "dry_run": True}}
    options = {member: value} | more.get(operation, {"force": True})
    try:
        _core.run(operation, bytes(table), bytes(folder / "out"), options, None)
    except arrowquant.ArrowQuantError as error:
        return str(error).replace(str(value), "VALUE")
    return None


def test_the_table_has_words():
    assert {(operation, member) for operation, member, _ in WORDS} == {
        ("convert", "dtype"), ("quantize", "type"), ("quantize", "granularity"), ("quantize", "method"),
        ("quantize", "for_format"), ("export", "format"), ("export", "dtype"), ("perplexity", "compute"),
        *((operation, "names") for operation in ("convert", "quantize", "export", "compare", "info", "verify"))}


@pytest.mark.parametrize(("operation", "member", "values"), WORDS)
def test_words_are_taken_and_others_refused(operation, member, values, table, tmp_path):
    unknown = refusal(operation, member, UNKNOWN, table, tmp_path)
    assert unknown is not None
    assert "VALUE" in unknown
    for value in values:
        assert refusal(operation, member, value, table, tmp_path) != unknown


@pytest.mark.parametrize("member", ["nonfinite", "symmetry"])
def test_numbers_of_enumerations_are_taken_and_others_refused(member, table, tmp_path):
    words = next(option.words for option in read_options() if option.at.get("quantize") == member)
    for number in range(len(words)):
        assert refusal("quantize", member, number, table, tmp_path) is None
    assert refusal("quantize", member, len(words), table, tmp_path) is not None


def test_ways_to_compute_are_taken_and_others_refused(tmp_path):
    model = tmp_path / "tiny"
    write_tiny(model)
    for value in next(option.words for option in read_options() if "compute" in option.at.values()):
        arrowquant.Encoder(model, compute=value).close()
    with pytest.raises(arrowquant.ArgumentError, match=UNKNOWN):
        arrowquant.Encoder(model, compute=UNKNOWN)


def test_keys_that_are_no_members_are_refused(table):
    for key in ["no_such_member", "type\0x", "", "per", "search", "texts_file"]:
        with pytest.raises(TypeError, match="is not known"):
            _core.run("quantize", bytes(table), None, {key: "x", "dry_run": True}, None)
