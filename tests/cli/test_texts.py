"""Files of texts: one reader for all commands, what is no text, and what there is of no text."""
import gzip
import io
import json
import subprocess
import zipfile

import pytest
from cli_helpers import COMMAND, TIMEOUT, done, environment, refused
from tiny_bert import make_encoder

TEXTS = ["a cat", "dogs run", "é ü", "", "x" * 80]


@pytest.fixture
def encoder(tmp_path):
    make_encoder(tmp_path / "encoder")
    return tmp_path


def vectors(*args, cwd):
    return [json.loads(line)["embedding"] for line in done("embed", "encoder", *args, cwd=cwd).stdout.splitlines()]


def from_stdin(command, data, *args, cwd):
    return subprocess.run([COMMAND, command, "encoder", *args], input=data, capture_output=True, cwd=cwd,
                          env=environment(), timeout=TIMEOUT)


def json_lines(texts, name="text"):
    return "".join(json.dumps({"id": 10 ** 30, "score": float("nan"), name: text}) + "\n" for text in texts)


def test_lines_objects_and_arguments_give_the_same_vectors(encoder):
    wanted = vectors(*(f"--text={text}" for text in TEXTS), cwd=encoder)
    (encoder / "lines.txt").write_text("\ufeff" + "\r\n".join(TEXTS) + "\r\n", newline="")
    (encoder / "objects.jsonl").write_text(json_lines(TEXTS))
    (encoder / "bodies").write_text(json_lines(TEXTS, "body"))
    assert vectors("--input", "lines.txt", cwd=encoder) == wanted
    assert vectors("--input", "objects.jsonl", cwd=encoder) == wanted
    assert vectors("--input", "bodies", "--field", "body", cwd=encoder) == wanted
    ids = done("tokenize", "encoder", "--input", "lines.txt", cwd=encoder).stdout
    assert done("tokenize", "encoder", "--input", "objects.jsonl", cwd=encoder).stdout == ids
    assert done("tokenize", "encoder", "--input", "bodies", "--field=body", cwd=encoder).stdout == ids
    piped = from_stdin("embed", (encoder / "bodies").read_bytes(), "--field", "body", cwd=encoder)
    assert [json.loads(line)["embedding"] for line in piped.stdout.splitlines()] == wanted


def test_an_empty_text_and_one_of_spaces_are_the_special_tokens(encoder):
    assert done("tokenize", "encoder", "--text=", "--text=  ", cwd=encoder).stdout == "[2, 3]\n[2, 3]\n"
    empty, spaces, other = vectors("--text=", "--text=  ", "--text=a", cwd=encoder)
    assert empty == spaces != other


def judged(command, cwd):
    """The line of a command that reads texts, and how many of them it says that it read."""
    if command == "quantize":
        line = ["quantize", "encoder", "-o", "q.parquet", "--force", "--target-bpw=4", "--calib"]
        return line, lambda report: report["search"]["calibration"]["texts"]
    if command == "sensitivity":
        return ["sensitivity", "encoder", "--types=int8", "--texts"], lambda report: report["texts"]["count"]
    if command == "validate":
        return ["validate", "encoder", "--types=int8", "--output-dir=out", "--texts"], \
            lambda report: report["outputs"]["texts"]
    return ["compare", "encoder", "encoder", "--texts"], lambda report: report["outputs"]["texts"]


READERS = ["compare", "validate", "sensitivity", "quantize"]


def figures(report):
    """What depends on the texts."""
    if report["kind"] == "sensitivity":
        return report["tensors"]
    return [report.get(key, {}).get("verdict") for key in ("outputs",)]


@pytest.mark.parametrize("command", READERS)
def test_every_command_reads_lines_and_objects_alike(encoder, command):
    line, count = judged(command, encoder)
    texts = [f"a text of number {i} {'x' * (i % 7)}" for i in range(60)]
    (encoder / "lines.txt").write_text("\n \n".join(texts))
    (encoder / "objects.jsonl").write_text(json_lines(texts).replace("\n", "\r\n\r\n"))
    found = []
    for name in ("lines.txt", "objects.jsonl"):
        result = subprocess.run([COMMAND, *line, name, "--json"], capture_output=True, cwd=encoder, env=environment(),
                                timeout=TIMEOUT)
        assert result.returncode in (0, 4), result.stderr
        report = json.loads(result.stdout)
        found.append((count(report), figures(report)))
    assert found[0] == found[1]
    assert found[0][0] == (57 if command == "quantize" else 60)  # one in twenty is held out


def zip_bytes(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("texts", data)
    return file.getvalue()


LINES = "the cat\nsat on\n" * 30
NO_TEXTS = {
    "utf-16": (LINES.encode("utf-16"), ["UTF-16", "iconv"]),
    "utf-16-le": (LINES.encode("utf-16-le"), ["UTF-16", "iconv"]),
    "utf-16-be": (LINES.encode("utf-16-be"), ["UTF-16", "iconv"]),
    "utf-32": (LINES.encode("utf-32"), ["UTF-32", "iconv"]),
    "utf-32-be": (LINES.encode("utf-32-be"), ["UTF-32", "iconv"]),
    "gzip": (gzip.compress(LINES.encode()), ["gzip", "gunzip"]),
    "zip": (zip_bytes(LINES), ["ZIP", "unzip"]),
    "latin-1": ("the cat\ncafé\n".encode("latin-1"), ["line 2", "not UTF-8", "0xe9", "iconv"]),
    "zero": (b"the cat\nsat\0on\n", ["line 2", "byte 4 is zero"]),
    "empty": (b"", ["no text in it", "empty"]),
    "blank": (b"\n \n\t\r\n", ["no text in it", "blank"]),
}


@pytest.mark.parametrize("kind", NO_TEXTS)
@pytest.mark.parametrize("command", ["embed", *READERS])
def test_what_is_no_text_is_refused_by_name(encoder, command, kind):
    data, says = NO_TEXTS[kind]
    (encoder / "texts").write_bytes(data)
    line = ["embed", "encoder", "--input"] if command == "embed" else judged(command, encoder)[0]
    refused(*line, "texts", cwd=encoder, status=3, says=["texts", *says])


def test_a_table_is_no_text(encoder):
    done("quantize", "encoder", "-o", "q.parquet", "-q", cwd=encoder)
    refused("embed", "encoder", "--input", "q.parquet", cwd=encoder, status=3, says=["Parquet", "lines"])
    refused("compare", "encoder", "q.parquet", "--texts", "q.parquet", cwd=encoder, status=3, says=["Parquet"])
    refused("embed", "encoder", "--input", "encoder/model.safetensors", cwd=encoder, status=3, says=["model.safetensors"])


def test_tokenize_repairs_what_is_not_utf8_and_says_so(encoder):
    (encoder / "texts").write_bytes("a\ncaf\xe9\nb \xff\n".encode("latin-1"))
    result = done("tokenize", "encoder", "--input", "texts", cwd=encoder)
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == "arrowquant: warning: 2 lines are not UTF-8; invalid bytes are read as U+FFFD\n"
    (encoder / "texts").write_bytes(gzip.compress(b"a\n"))
    refused("tokenize", "encoder", "--input", "texts", cwd=encoder, status=3, says=["gzip"])


def test_empty_standard_input_is_no_text_and_no_error(encoder):
    for command in ("embed", "tokenize"):
        result = from_stdin(command, b"", cwd=encoder)
        assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


@pytest.mark.parametrize(("line", "says"), [
    ('{"text": "cat \\ud83d"}', "surrogate"), ('{"body": "cat"}', "no member 'text'"), ('{"text": 5}', "no string"),
    ('["cat"]', "'{'"), ('{"text": "cat"', "ends"), ("cat", "JSON object")])
def test_objects_that_have_no_text_are_refused_with_their_line(encoder, line, says):
    (encoder / "texts.jsonl").write_text('{"text": "fine"}\n' + line + "\n")
    refused("embed", "encoder", "--input", "texts.jsonl", cwd=encoder, status=3, says=["texts.jsonl", "line 2", says])
    refused("compare", "encoder", "encoder", "--texts", "texts.jsonl", cwd=encoder, status=3, says=["line 2", says])
