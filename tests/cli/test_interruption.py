"""A single long text: the command stops in the middle of it, on the first signal."""
import json
import signal
import subprocess
import time

import pytest
from cli_helpers import COMMAND, environment, floats, refused, safetensors
from tiny_bert import HIDDEN, encoder_tensors, make_encoder, make_scorer

LONG = 30_000  # tokens: minutes with the reference kernels
WAIT = 30


def make_long(model):
    """Positions for one long text: the table of positions alone grows."""
    make_encoder(model)
    tensors = encoder_tensors()
    tensors["embeddings.position_embeddings.weight"] = ("F32", (LONG + 8, HIDDEN), floats((LONG + 8) * HIDDEN))
    (model / "model.safetensors").write_bytes(safetensors(tensors))
    settings = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(settings | {"max_position_embeddings": LONG + 8}))


def stops(folder, *args):
    process = subprocess.Popen([COMMAND, *map(str, args)], cwd=folder, env=environment(AQ_CPU="ref"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130 and out == "" and "stopped on request" in err
    assert time.monotonic() - started < WAIT
    assert not list(folder.glob("*.npy*"))


@pytest.mark.parametrize(("threads", "before"), [(1, ""), (2, ""), (2, "a\n" * 4)])
def test_embed_stops_inside_a_text(tmp_path, threads, before):
    """Also where the thread that called is done with its texts, and another has the long one."""
    make_long(tmp_path / "model")
    (tmp_path / "text").write_text(before + "a " * LONG)
    stops(tmp_path, "embed", "model", "--input", "text", "-o", "out.npy", "--threads", threads)


@pytest.mark.parametrize(("make", "command"), [
    (make_encoder, ["embed", "model", "--text", "more"]),
    (make_scorer, ["score", "model", "--query", "a", "--text", "more"])])
def test_a_tokenizer_of_another_model_is_an_error_of_the_files(tmp_path, make, command):
    make(tmp_path / "model")
    with (tmp_path / "model/vocab.txt").open("a") as words:
        words.write("more\n")
    refused(*command, cwd=tmp_path, status=3, says=["model.safetensors", "of different models"])
