"""The command `score`: where its pairs come from, what it prints, and lines that are no pairs. That the scores are those of
sentence-transformers is in tests/reference/test_scores.py."""
import json
import subprocess

import pytest
from cli_helpers import COMMAND, TIMEOUT, done, environment, floats, refused, run, safetensors
from tiny_bert import make_encoder, make_scorer

PAIRS = [("a cat", "dogs run"), ("é", "ü"), ("", "x" * 90), ("a cat", "")]


@pytest.fixture
def scorer(tmp_path):
    make_scorer(tmp_path / "model")
    return tmp_path


def scores(*args, cwd):
    return [float(line) for line in done("score", "model", *args, cwd=cwd).stdout.splitlines()]


def from_stdin(data, *args, cwd):
    return subprocess.run([COMMAND, "score", "model", *args], input=data, capture_output=True, cwd=cwd, env=environment(), timeout=TIMEOUT)


def tsv(pairs=PAIRS):
    return "".join("\t".join(pair) + "\n" for pair in pairs)


def test_fields_objects_lists_and_arguments_give_the_same_scores(scorer):
    (scorer / "pairs.tsv").write_text("\ufeff" + tsv().replace("\n", "\r\n"), newline="")
    (scorer / "pairs.jsonl").write_text("\n".join(json.dumps({"id": 1, "query": query, "text": text}) for query, text in PAIRS) + "\n\n")
    (scorer / "lists").write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    wanted = scores("--input", "pairs.tsv", cwd=scorer)
    assert len(wanted) == len(set(wanted)) == len(PAIRS) and all(0 < score < 1 for score in wanted)
    assert scores("--input", "pairs.jsonl", cwd=scorer) == wanted
    assert scores("--input", "lists", "--jsonl", cwd=scorer) == wanted
    piped = from_stdin(tsv().encode(), cwd=scorer)
    assert [float(line) for line in piped.stdout.splitlines()] == wanted
    (scorer / "texts").write_text("dogs run\n\n")
    assert scores("--query=a cat", "--input", "texts", cwd=scorer) == scores("--query=a cat", "--text=dogs run", "--text=", cwd=scorer) == [wanted[0], wanted[3]]
    (scorer / "texts.jsonl").write_text('{"text": "dogs run"}\n')
    assert scores("--query=a cat", "--text=", "--input", "texts.jsonl", cwd=scorer) == [wanted[3], wanted[0]]
    assert scores("--query=a cat", "--input", "texts.jsonl", "--threads", "1", cwd=scorer) == wanted[:1]


def test_the_report_has_scores_labels_and_activation(tmp_path):
    make_scorer(tmp_path / "model", 2)
    lines = done("score", "model", "--query=a", "--text=b", "--text=c", cwd=tmp_path).stdout.splitlines()
    printed = [[float(number) for number in line.split("\t")] for line in lines]
    report = json.loads(done("score", "model", "--query=a", "--text=b", "--text=c", "--json", cwd=tmp_path).stdout)
    assert report["kind"] == "score" and report["pairs"] == 2 and report["labels"] == ["label 0", "label 1"]
    assert report["activation"] == "identity" and report["query"] == "a"
    for row, wanted in zip(report["scores"], printed, strict=True):
        assert row == pytest.approx(wanted, rel=1e-7) and len(row) == 2


def test_raw_scores_are_before_the_activation(scorer):
    score, raw = (scores("--query=a", "--text=b", *options, cwd=scorer)[0] for options in ([], ["--raw"]))
    assert score == pytest.approx(1 / (1 + 2.718281828459045 ** -raw), abs=1e-6) and score != raw
    assert json.loads(done("score", "model", "--query=a", "--text=b", "--raw", "--json", cwd=scorer).stdout)["activation"] == "identity"


def test_a_table_is_enough_and_int8_is_near(scorer):
    wanted = scores("--query=a", "--text=b", "--text=c d", cwd=scorer)
    for line in (["convert", "model", "-o", "v1.parquet"], ["quantize", "model", "-o", "v2.parquet", "--type", "int8"]):
        done(*line, cwd=scorer)
    for model, bound in (("v1.parquet", 0), ("v2.parquet", 0.01)):
        got = [float(line) for line in done("score", model, "--query=a", "--text=b", "--text=c d", cwd=scorer).stdout.splitlines()]
        assert max(abs(a - b) for a, b in zip(got, wanted, strict=True)) <= bound
    coded = scores("--query=a", "--text=b", "--text=c d", "--compute=int8", cwd=scorer)
    assert coded != wanted and max(abs(a - b) for a, b in zip(coded, wanted, strict=True)) < 0.05


def test_a_longer_pair_is_truncated(scorer):
    long = scores("--query", "a " * 100, "--text", "b " * 100, "--max-length=9", cwd=scorer)
    assert long == scores("--query=a a a", "--text=b b b", cwd=scorer)
    refused("score", "model", "--query=a", "--text=b", "--max-length=65", cwd=scorer, says="positions for 64", status=2)


@pytest.mark.parametrize(("data", "options", "says"), [
    ("a\tb\nno tab\n", [], "standard input: line 2: it has no tab; a pair is a query, a tab and a text. Set --jsonl for lines of JSON, or --query for"),
    ("a\tb\n\n", [], "line 2: it has no tab"),
    ("a\tb\tc\n", [], "line 1: it has more than one tab"),
    ("a\tb\n", ["--jsonl"], "line 1:"),
    ('["a"]\n', ["--jsonl"], "line 1: it is a list of 1; a pair is a list of two texts"),
    ('{"query": "a"}\n', ["--jsonl"], "has no member 'text'"),
    ('["a", null]\n', ["--jsonl"], "item 2 of the list is no text"),
    ("a\t\udcff\n", [], "not UTF-8"),
])
def test_lines_that_are_no_pairs_are_refused_by_number(scorer, data, options, says):
    result = from_stdin(data.encode("utf-8", "surrogateescape"), *options, cwd=scorer)
    assert result.returncode == 3 and says in result.stderr.decode(), result.stderr


def test_no_pair_at_all_is_no_score(scorer):
    assert from_stdin(b"", cwd=scorer).stdout == b""
    assert json.loads(from_stdin(b"", "--json", cwd=scorer).stdout)["scores"] == []
    (scorer / "empty").write_text("")
    refused("score", "model", "--input", "empty", cwd=scorer, says="there is no text in it", status=3)


def test_wrong_command_lines_are_refused(scorer):
    refused("score", "model", "--text=a", cwd=scorer, says="a --text is scored beside a --query", status=2)
    refused("score", "model", "--input", "none.tsv", cwd=scorer, says="none.tsv", status=3)
    make_encoder(scorer / "encoder")
    refused("score", "encoder", "--query=a", "--text=b", cwd=scorer, says="ForSequenceClassification", status=3)


def test_a_model_of_scores_has_no_embeddings_of_its_own(scorer):
    (scorer / "model" / "sentence_bert_config.json").write_text('{"transformer_task": "sequence-classification", "module_output_name": "scores"}')
    (scorer / "model" / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"}]')
    (scorer / "model" / "config_sentence_transformers.json").write_text('{"model_type": "CrossEncoder"}')
    assert len(scores("--query=a", "--text=b", cwd=scorer)) == 1
    refused("embed", "model", "--text=a", cwd=scorer, says="Pooling", status=3)
    assert done("tokenize", "model", "--text=a", cwd=scorer).stdout == "[2, 5, 3]\n"
    (scorer / "model" / "sentence_bert_config.json").write_text('{"transformer_task": "feature-extraction"}')
    refused("score", "model", "--query=a", "--text=b", cwd=scorer, says="'transformer_task' is 'feature-extraction'", status=3)


# ---- judged by scores ----


def test_compare_judges_by_scores(scorer):
    done("quantize", "model", "-o", "q.parquet", "--type", "int2", cwd=scorer)
    report = json.loads(done("compare", "model", "q.parquet", "--outputs", "--json", cwd=scorer).stdout)["outputs"]
    assert report["model_kind"] == "scorer" and report["measured"] and report["notes"] == []
    assert (report["pairs"], report["queries"], report["labels"], report["activation"]) == (178 * 8, 178, 1, "sigmoid")
    assert -1 <= report["score_spearman"] < 1 and 0 <= report["order_agreement"] < 1
    assert 0 < report["mean_difference"] < report["max_difference"] < 1
    text = done("compare", "model", "q.parquet", "--outputs", cwd=scorer).stdout
    assert "outputs on 1,424 pairs of built-in texts, 178 queries: " in text and "Spearman correlation of the scores" in text


def test_the_figures_are_those_of_the_scores(scorer):
    done("quantize", "model", "-o", "q.parquet", "--type", "int2", cwd=scorer)
    texts = [f"{query}\t{text}" for query in ("a b", "c d") for text in ("e f", "g", "h i j", "a b c d e")]
    (scorer / "pairs.txt").write_text("\n".join(texts) + "\n")
    report = json.loads(done("compare", "model", "q.parquet", "--texts", "pairs.txt", "--json", cwd=scorer).stdout)["outputs"]
    before, after = ([float(line) for line in done("score", model, "--input", "pairs.txt", cwd=scorer).stdout.splitlines()] for model in ("model", "q.parquet"))
    assert (report["pairs"], report["queries"], report["texts_from"]) == (8, 2, "pairs.txt")
    assert report["max_difference"] == pytest.approx(max(abs(a - b) for a, b in zip(before, after, strict=True)), rel=1e-6)
    twos = [(i, j) for i in range(8) for j in range(i + 1, 8) if i // 4 == j // 4]
    kept = sum((before[i] < before[j]) == (after[i] < after[j]) for i, j in twos)
    assert report["order_agreement"] == pytest.approx(kept / len(twos)) and report["ordered"] == len(twos)
    ranks = [[sorted(values).index(value) for value in values] for values in (before, after)]
    assert report["score_spearman"] == pytest.approx(1 - 6 * sum((a - b) ** 2 for a, b in zip(*ranks, strict=True)) / (8 * 63))


def test_the_same_model_agrees_and_labels_are_compared(tmp_path):
    make_scorer(tmp_path / "model", 3)
    done("convert", "model", "-o", "v1.parquet", cwd=tmp_path)
    report = json.loads(done("compare", "model", "v1.parquet", "--outputs", "--json", cwd=tmp_path).stdout)["outputs"]
    assert (report["score_spearman"], report["order_agreement"], report["max_difference"], report["label_agreement"]) == (1, 1, 0, 1)
    assert report["verdict"] == "outputs agree" and report["labels"] == 3
    assert "same label first 1.0000, of 3 labels" in done("compare", "model", "v1.parquet", "--outputs", cwd=tmp_path).stdout


def test_validate_judges_by_scores(scorer):
    result = run("validate", "model", "-o", "out", cwd=scorer)
    assert result.returncode in (0, 4), result.stderr
    assert "order kept" in result.stdout
    report = json.loads((scorer / "out" / "validation.json").read_text())
    assert report["outputs"]["model_kind"] == "scorer" and all("score_spearman" in entry["outputs"] for entry in report["types"])
    assert "whose scores correlate" in result.stdout + (scorer / "out" / "validation_summary.md").read_text()


def test_options_of_other_kinds_are_refused(scorer):
    done("convert", "model", "-o", "v1.parquet", cwd=scorer)
    refused("compare", "model", "v1.parquet", "--max-kl", "1", cwd=scorer, says="this is a cross-encoder", status=2)
    (scorer / "labels.tsv").write_text("a\tb\t1\nc\td\t2\n")
    refused("compare", "model", "v1.parquet", "--labels", "labels.tsv", cwd=scorer, says="this is a cross-encoder", status=2)
