"""The command sensitivity on a tiny encoder made here; its figures are checked by tests/unit and tests/interop."""
import json

from cli_helpers import done, refused
from test_judge import encoder  # noqa: F401

POSITIONS = "embeddings.position_embeddings.weight"  # the one matrix that is large enough to be quantized by default


def report(*args, cwd):
    return json.loads(done("sensitivity", "encoder", *args, "--json", cwd=cwd).stdout)


def test_figures_are_printed_and_written(encoder):  # noqa: F811
    text = done("sensitivity", "encoder", "-o", "sens.json", cwd=encoder).stdout
    written = json.loads((encoder / "sens.json").read_text())
    assert written["kind"] == "sensitivity" and written["output"] == "sens.json"
    assert written["texts"] == {"count": 48, "source": "built-in"}
    assert written["types"] == ["int8", "int4", "int3", "int2"]
    [tensor] = written["tensors"]
    assert (tensor["name"], tensor["shape"], tensor["params"], tensor["used"]) == (POSITIONS, [64, 16], 1024, True)
    losses = [tensor["types"][kind]["loss"] for kind in written["types"]]
    assert 0 < losses[0] < losses[1] < losses[2] < losses[3] < 1
    bits = [tensor["types"][kind]["bits_per_weight"] for kind in written["types"]]
    assert bits == [12, 5, 4, 3]  # a scale and a zero point for 16, and for 64
    assert POSITIONS in text and "48 built-in texts" in text and "written to sens.json" in text


def test_options_choose_types_texts_and_threads(encoder):  # noqa: F811
    one, three = (report("--types", "int3, int8", "--texts", "texts", f"-t{n}", cwd=encoder) for n in (1, 3))
    assert one["types"] == ["int3", "int8"] and list(one["tensors"][0]["types"]) == ["int3", "int8"]
    assert one["texts"] == {"count": 3, "source": "texts"} and one["output"] is None
    del one["seconds"], three["seconds"]
    assert one == three


def test_output_is_replaced_with_force_only(encoder):  # noqa: F811
    (encoder / "sens.json").write_text("mine")
    line = ["sensitivity", "encoder", "--types", "int8", "-o", "sens.json"]
    refused(*line, cwd=encoder, status=2, says=["sens.json", "exists"])
    done(*line, "--force", cwd=encoder)
    assert json.loads((encoder / "sens.json").read_text())["kind"] == "sensitivity"


def test_what_cannot_be_studied_is_refused(encoder):  # noqa: F811
    done("quantize", "encoder", "-o", "q.parquet", "-q", cwd=encoder)
    refused("sensitivity", "q.parquet", cwd=encoder, status=2, says=[POSITIONS, "int8"])
    refused("sensitivity", "encoder", "--types", "int4,fp16", cwd=encoder, status=2, says="fp16")
    refused("sensitivity", "encoder", "--texts", "absent", cwd=encoder, status=3, says="absent")
    (encoder / "encoder" / "config.json").write_text('{"model_type": "llama"}')
    refused("sensitivity", "encoder", "-o", "sens.json", cwd=encoder, status=3, says="'llama'")
