"""Judging by outputs: compare --outputs and validate on a tiny encoder made here."""
import json
import re

import page_sizes
import pytest

from cli_helpers import done, refused, run
from tiny_bert import make_encoder

@pytest.fixture
def encoder(tmp_path):
    """A folder with the model in encoder/, and texts and labels beside it."""
    make_encoder(tmp_path / "encoder")
    (tmp_path / "texts").write_text("one text\n\nanother one\nand a third\n")
    (tmp_path / "labels").write_text("# a comment\ncat\tdog\t0.5\ncat\tcat\t1\ncar\tmoon\t0\n")
    return tmp_path


def report(*args, cwd):
    return json.loads(done(*args, "--json", cwd=cwd).stdout)


def test_compare_outputs_tells_the_figures(encoder):
    done("quantize", "encoder", "-o", "q.parquet", "--bits=8", "--quantize-1d", "-q", cwd=encoder)
    text = done("compare", "encoder", "q.parquet", "--outputs", cwd=encoder).stdout
    assert "outputs on 178 built-in texts: outputs agree" in text
    outputs = report("compare", "encoder", "q.parquet", "--outputs", cwd=encoder)["outputs"]
    assert 0.99 < outputs["min_cosine"] <= outputs["p1_cosine"] <= outputs["mean_cosine"] < 1
    assert outputs["texts"] == outputs["paired_texts"] == 178 and outputs["neighbours"] == 10
    assert sum(kind["texts"] for kind in outputs["kinds"]) == 178
    assert 0.5 < outputs["neighbour_overlap"] <= 1 and 0.9 < outputs["similarity_spearman"] <= 1
    assert report("compare", "encoder", "q.parquet", cwd=encoder)["outputs"] is None


def test_compare_named_files_mean_outputs(encoder):
    line = ["compare", "encoder", "encoder", "--texts", "texts", "--labels", "labels"]
    outputs = report(*line, cwd=encoder)["outputs"]
    assert outputs["texts"] == 3 and outputs["texts_from"] == "texts" and outputs["kinds"] == []
    assert outputs["label_pairs"] == 3 and outputs["labels_from"] == "labels"
    assert outputs["labels"]["reference_spearman"] == outputs["labels"]["spearman"]
    assert "3 labelled pairs of labels: Spearman" in done(*line, cwd=encoder).stdout


def test_threads_change_no_figure(encoder):
    done("quantize", "encoder", "-o", "q.parquet", "--bits=2", "--quantize-1d", "-q", cwd=encoder)
    one, three = (report("compare", "encoder", "q.parquet", "--outputs", f"-t{n}", cwd=encoder)["outputs"] for n in (1, 3))
    for figures in (one, three):
        del figures["seconds"], figures["reference_seconds"]
    assert one == three and one["mean_cosine"] < 0.9999


def test_folder_names_where_the_files_are(encoder):
    (encoder / "bare").mkdir()
    (encoder / "encoder" / "model.safetensors").rename(encoder / "bare" / "model.safetensors")
    refused("compare", "bare", "bare", "--outputs", cwd=encoder, status=3, says=["config.json", "name the folder"])
    assert report("compare", "bare", "bare", "--outputs", "--folder", "encoder", cwd=encoder)["outputs"]["min_cosine"] == 1


def test_wrong_files_of_texts_and_labels_are_refused(encoder):
    line = ["compare", "encoder", "encoder"]
    (encoder / "empty").write_text("\n\n")
    (encoder / "wrong").write_text("a\tb\t1\na\tb\n")
    refused(*line, "--texts", "absent", cwd=encoder, status=3, says="absent")
    refused(*line, "--texts", "empty", cwd=encoder, status=3, says=["empty", "no text"])
    refused(*line, "--labels", "wrong", cwd=encoder, status=3, says=["wrong", "line 2", "tab"])


def validated(encoder, model, *options):
    """validation.json and the Markdown; so small a model may fail criteria of size."""
    result = run("validate", model, "--types", "int8,int4", "-o", "out", *options, cwd=encoder)
    assert result.returncode in (0, 4), result.stderr
    return (json.loads((encoder / "out" / "validation.json").read_text()),
            (encoder / "out" / "validation_summary.md").read_text())


def test_validate_shows_weights_and_outputs(encoder):
    document, markdown = validated(encoder, "encoder", "--labels", "labels")
    assert document["outputs"]["measured"] and document["outputs"]["label_pairs"] == 3
    assert [t["outputs"]["mean_cosine"] > 0.5 for t in document["types"]] == [True, True]
    assert {"int8_outputs_promised", "int4_outputs_promised"} <= {c["id"] for c in document["criteria"]}
    assert "## Agreement of the outputs" in markdown and "labels, quantized" in markdown
    assert "not measured" not in markdown


def test_validate_of_what_cannot_be_run_says_why(encoder):
    (encoder / "encoder" / "config.json").write_text('{"model_type": "gpt2"}')
    document, markdown = validated(encoder, "encoder")
    assert not document["outputs"]["measured"] and "'gpt2'" in document["outputs"]["reason"]
    assert all(t["outputs"] is None for t in document["types"])
    assert not any("outputs" in c["id"] for c in document["criteria"])
    assert "Outputs were not measured: " in markdown and "'gpt2'" in markdown
    before = sorted(p.name for p in encoder.iterdir())
    refused("validate", "encoder", "--texts", "texts", "-o", "out", cwd=encoder, status=3, says="'gpt2'")
    assert sorted(p.name for p in encoder.iterdir()) == before


def test_validate_of_a_broken_configuration_names_the_file(encoder):
    (encoder / "encoder" / "config.json").write_text('{"model_type": "bert", "hidden_size": "many"}')
    reason = validated(encoder, "encoder")[0]["outputs"]["reason"]
    assert reason.startswith("config.json: ") and "integer" in reason


def test_validate_without_outputs_does_not_run_the_model(encoder):
    document, markdown = validated(encoder, "encoder", "--no-outputs")
    assert document["outputs"] == {"measured": False, "reason": "they were turned off"}
    assert "\nOutputs were not measured: they were turned off\n" in markdown
    refused("validate", "encoder", "--no-outputs", "--texts", "texts", cwd=encoder, status=2, says=["--no-outputs", "--texts"])


def test_model_files_in_a_table_count_as_no_weights(encoder):
    """Ratios are the same whether the configuration and the tokenizer travel in the table or not."""
    (encoder / "bare").mkdir()
    (encoder / "bare" / "model.safetensors").write_bytes((encoder / "encoder" / "model.safetensors").read_bytes())
    names = ["config.json", "vocab.txt"]
    files = sum(len(f"arrowquant.file.{name}") + (encoder / "encoder" / name).stat().st_size for name in names)
    document, markdown = validated(encoder, "encoder")
    bare, bare_markdown = validated(encoder, "bare")
    for one, other in zip([document["v1"], *document["types"]], [bare["v1"], *bare["types"]]):
        assert one["model_files_bytes"] == files and other["model_files_bytes"] == 0
        assert one["counted_bytes"] == one["file_bytes"] - files
        assert other["counted_bytes"] == other["file_bytes"]
        for key in ("ratio_to_v1", "ratio_to_fp32", "ratio_to_fp16"):
            assert abs(one[key] / other[key] - 1) < 0.01  # the lengths of keys and values are left
        assert abs(one.get("compression_ratio", 1) / other.get("compression_ratio", 1) - 1) < 0.01
    assert document["baseline"]["bytes"] == document["v1"]["counted_bytes"]
    assert "\nModel files: " in markdown and "Model files" not in bare_markdown
    overhead, bare_overhead = ([float(share) for share in re.findall(r"^- ([0-9.]+) % of the INT.* not weights", page, re.M)]
                               for page in (markdown, bare_markdown))
    assert len(overhead) == 2 and all(abs(a - b) < 0.2 for a, b in zip(overhead, bare_overhead, strict=True))


def test_ratios_of_files_are_those_that_the_file_system_shows(encoder):
    """Each ratio that is printed can be computed again from sizes of files, and bytes that the report names."""
    done("validate", "encoder", "--output-dir", "out", "--keep-tables", "--types=int8,int2", cwd=encoder, status=4)
    document = json.loads((encoder / "out" / "validation.json").read_text())
    markdown = (encoder / "out" / "validation_summary.md").read_text()
    model = (encoder / "encoder" / "model.safetensors").stat().st_size
    v1 = (encoder / "out" / "model.v1.parquet").stat().st_size
    files = page_sizes.model_files_bytes(encoder / "out" / "model.v1.parquet")
    assert document["v1"]["model_files_bytes"] == files > 0
    assert document["model"]["file_bytes"] == model and f"{model:,} bytes of the model's own file" in markdown
    for entry in document["types"]:
        size = (encoder / "out" / f"model.{entry['type']}.v2.parquet").stat().st_size
        assert entry["file_bytes"] == size and abs(entry["file_ratio"] - model / size) < 1e-9
        bits = page_sizes.bits_per_weight(encoder / "out" / f"model.{entry['type']}.v2.parquet")
        assert abs(entry["bits_per_weight"] - bits) < 1e-9
        assert abs(entry["compression_ratio"] - (v1 - files) / (size - files)) < 1e-9
        assert f"| {size:,} | {model / size:.2f} | {size - files:,} | {(v1 - files) / (size - files):.2f} |" in markdown
    made = report("quantize", "encoder", "-o", "q.parquet", "--bits=8", cwd=encoder)
    ratio = model / (encoder / "q.parquet").stat().st_size
    assert abs(made["totals"]["file_ratio"] - ratio) < 1e-9
    assert f"ratio {ratio:.2f} to the source file" in done("quantize", "encoder", "-o", "q.parquet", "--bits=8", "--force",
                                                           cwd=encoder).stdout


def test_quantize_tells_model_files_apart(encoder):
    line = ["quantize", "encoder", "-o", "q.parquet", "--bits=8"]
    planned, made = report(*line, "--dry-run", cwd=encoder), report(*line, cwd=encoder)
    size, files = (encoder / "q.parquet").stat().st_size, page_sizes.model_files_bytes(encoder / "q.parquet")
    assert [made["output"][key] for key in ("file_bytes", "model_files_bytes")] == [size, files]
    assert planned["estimate"]["model_files_bytes"] == files > 0
    assert abs(made["totals"]["ratio_to_fp32"] - 4 * made["totals"]["params"] / (size - files)) < 1e-9
    again = report("quantize", "q.parquet", "-o", "q4.parquet", "--bits=4", "--allow-requantize", cwd=encoder)
    counted = (encoder / "q4.parquet").stat().st_size - page_sizes.model_files_bytes(encoder / "q4.parquet")
    assert abs(again["totals"]["ratio_to_source_file"] - (size - files) / counted) < 1e-9
    assert " of it model files)" in done(*line, "--force", cwd=encoder).stdout
