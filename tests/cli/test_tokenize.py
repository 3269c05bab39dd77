"""arrowquant tokenize: a small vocabulary made here, texts from everywhere, files that are wrong."""
import json
import subprocess

import pytest
import spm_writer

from cli_helpers import COMMAND, TIMEOUT, done, environment, floats, refused, safetensors

VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", "hello", "world", "!", ","]


@pytest.fixture
def vocab(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(VOCAB) + "\n")
    return tmp_path


def lines_of(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_texts_give_a_line_each_in_order(vocab):
    result = done("tokenize", "vocab.txt", "--text", "Hello, world!", "--text", "unaffable", "--text=-", cwd=vocab)
    assert result.stdout == "[2, 8, 11, 9, 10, 3]\n[2, 5, 6, 7, 3]\n[2, 1, 3]\n" and result.stderr == ""
    assert done("tokenize", ".", "--text", "Hello, world!", cwd=vocab).stdout == "[2, 8, 11, 9, 10, 3]\n"


def test_options_do_what_they_say(vocab):
    assert lines_of(done("tokenize", "vocab.txt", "--text", "unaffable", "--no-special", cwd=vocab)) == [[5, 6, 7]]
    assert lines_of(done("tokenize", "vocab.txt", "--text", "unaffable", "--max-length", 4, cwd=vocab)) == [[2, 5, 6, 3]]
    assert lines_of(done("tokenize", "vocab.txt", "--text", "unaffable", "--max-length=2", "--no-special", cwd=vocab)) == [[5, 6]]
    refused("tokenize", "vocab.txt", "--text", "x", "--max-length", 1, cwd=vocab, status=2, says=["1 tokens are too few"])


def test_input_is_a_text_a_line(vocab):
    data = b"hello\r\n\nworld\xff\nun\x00affable\n \nhello world"
    (vocab / "texts").write_bytes(data)
    wanted = [[2, 8, 3], [2, 3], [2, 9, 3], [2, 5, 6, 7, 3], [2, 3], [2, 8, 9, 3]]
    assert lines_of(done("tokenize", "vocab.txt", "--input", "texts", cwd=vocab)) == wanted
    assert lines_of(done("tokenize", "vocab.txt", "--input", "texts", "--text", "un", cwd=vocab)) == [[2, 5, 3], *wanted]
    for line in (["tokenize", "vocab.txt"], ["tokenize", "vocab.txt", "--input", "-"]):
        piped = subprocess.run([COMMAND, *line], input=data, capture_output=True, cwd=vocab, env=environment(), timeout=TIMEOUT)
        assert piped.returncode == 0 and [json.loads(x) for x in piped.stdout.splitlines()] == wanted
    empty = subprocess.run([COMMAND, "tokenize", "vocab.txt"], input=b"", capture_output=True, cwd=vocab, env=environment(), timeout=TIMEOUT)
    assert (empty.returncode, empty.stdout) == (0, b"")


def test_a_table_is_enough(vocab):
    (vocab / "model.safetensors").write_bytes(safetensors({"w": ("F32", (8, 16), floats(128, 1, 1.0))}))
    (vocab / "apart").mkdir()
    done("convert", "model.safetensors", "-o", "v1.parquet", "-q", cwd=vocab)
    done("quantize", "v1.parquet", "-o", "apart/v2.parquet", "-q", cwd=vocab)
    for table in ("apart/v2.parquet", "apart"):
        assert lines_of(done("tokenize", table, "--text", "unaffable", cwd=vocab)) == [[2, 5, 6, 7, 3]]


def test_a_model_of_sentencepiece_travels_too(tmp_path):
    pieces = [("<unk>", 0.0, spm_writer.UNKNOWN), ("<s>", 0.0, spm_writer.CONTROL), ("</s>", 0.0, spm_writer.CONTROL), ("▁", -2.0), ("a", -1.0), ("▁a", -1.5), ("b", -1.0)]
    model = spm_writer.model(pieces)
    (tmp_path / "sentencepiece.bpe.model").write_bytes(model)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "XLMRobertaTokenizer"}')
    (tmp_path / "model.safetensors").write_bytes(safetensors({"w": ("F32", (8, 16), floats(128, 1, 1.0))}))
    for file in (".", "sentencepiece.bpe.model"):
        assert lines_of(done("tokenize", file, "--text", "a bx<mask>", cwd=tmp_path)) == [[0, 6, 4, 7, 3, 8, 2]]
    (tmp_path / "apart").mkdir()
    done("quantize", ".", "-o", "apart/v2.parquet", "-q", cwd=tmp_path)
    assert lines_of(done("tokenize", "apart/v2.parquet", "--text", "a bx<mask>", cwd=tmp_path)) == [[0, 6, 4, 7, 3, 8, 2]]
    assert done("verify", "apart/v2.parquet", cwd=tmp_path).returncode == 0
    done("export", "apart/v2.parquet", "-o", "back", "--to", "safetensors", "-q", cwd=tmp_path)
    assert (tmp_path / "back" / "sentencepiece.bpe.model").read_bytes() == model
    (tmp_path / "sentencepiece.bpe.model").write_bytes(model[:-3])
    refused("tokenize", ".", "--text", "a", cwd=tmp_path, status=3, says=["sentencepiece.bpe.model", "the file ends inside a field"])


def test_decoding_is_the_other_way_round(vocab):
    (vocab / "texts").write_text("hello world\nunaffable hello\n\n")
    ids = done("tokenize", "vocab.txt", "--input", "texts", cwd=vocab).stdout
    (vocab / "ids").write_text(ids)
    back = done("tokenize", "vocab.txt", "--decode", "--input", "ids", "--no-special", cwd=vocab).stdout
    assert back == "hello world\nunaffable hello\n\n"
    assert done("tokenize", "vocab.txt", "--decode", "--text", "8,  9", "--text", "[2 8]", cwd=vocab).stdout == "hello world\n[CLS] hello\n"
    assert done("tokenize", "vocab.txt", "--decode", "--text", "", cwd=vocab).stdout == "\n"
    for wrong in ("hello", "[1, -2]", "1.5", "12345678901"):
        refused("tokenize", "vocab.txt", "--decode", "--text", wrong, cwd=vocab, status=2, says=["is no list of ids"])


def test_what_is_wrong_is_told(vocab):
    refused("tokenize", "vocab.txt", "--input", "missing", cwd=vocab, status=3, says=["missing", "cannot open"])
    refused("tokenize", "vocab.txt", "--input", ".", cwd=vocab, status=1, says=["cannot read"])
    refused("tokenize", "nothing", "--text", "x", cwd=vocab, status=3, says=["nothing", "does not exist"])
    (vocab / "other.json").write_text('{"model": {"type": "Trie", "vocab": {}}}')
    refused("tokenize", "other.json", "--text", "x", cwd=vocab, status=3, says=["other.json", "'Trie'", "Only WordPiece"])
    (vocab / "unigram.json").write_text('{"model": {"type": "Unigram", "vocab": [["a", -1.0], ["b"]], "unk_id": 0}}')
    refused("tokenize", "unigram.json", "--text", "x", cwd=vocab, status=3, says=["unigram.json", "member 1 of model.vocab"])
    (vocab / "twice.txt").write_text("[UNK]\na\na\n")
    refused("tokenize", "twice.txt", "--text", "x", cwd=vocab, status=3, says=["twice.txt", "'a' is there twice", "offset 8"])


def test_output_that_is_lost_is_told(vocab):
    with open("/dev/full", "w") as full:
        result = subprocess.run([COMMAND, "tokenize", "vocab.txt", "--text", "hello"], stdout=full, stderr=subprocess.PIPE, text=True,
                                cwd=vocab, env=environment(), timeout=TIMEOUT)
    assert result.returncode == 6 and "cannot write to standard output" in result.stderr
