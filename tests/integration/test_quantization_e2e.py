"""The validation suite of the guide: five classes, thirteen tests, on a real model.

Targets are in scripts/validation/targets.py: those of the guide, and stricter ones of this project. Run all of it with
scripts/run_quantization_validation.py; docs/VALIDATION_GUIDE.md explains the results.
"""

import importlib.util

import numpy as np
import pyarrow.parquet as pq
import torch
from quantization_pipeline import BITS, V1_SCHEMA, Pipeline, schema_problems, timed

import arrowquant
from arrowquant import WeightLoader, detect_schema_version
from validation import wording


class TestRealModelQuantization:
    """Conversion and quantization work end to end."""

    def test_minilm_int8_quantization(self, pipeline, measured):
        check_quantized(pipeline.int8, measured)

    def test_minilm_int2_quantization(self, pipeline, measured):
        check_quantized(pipeline.int2, measured)


class TestCompressionRatioValidation:
    """Files shrink as much as they must."""

    def test_int8_compression_ratio_target(self, pipeline, measured):
        check_ratio(pipeline.int8, measured)

    def test_int2_compression_ratio_target(self, pipeline, measured):
        check_ratio(pipeline.int2, measured)

    def test_compression_ratio_comparison(self, pipeline, measured):
        int8, int2 = (t.sizes[f"{t.type}.counted_bytes"] for t in (pipeline.int8, pipeline.int2))
        measured.record({"int2_over_int8.compression_ratio": int8 / int2})
        measured.require("int2_over_int8.compression_ratio", f"INT8 takes {int8} bytes, INT2 {int2}.")


class TestAccuracyValidation:
    """Weights, and where transformers can run the model its outputs, stay close to the model."""

    def test_int8_accuracy_target(self, pipeline, measured):
        check_accuracy(pipeline.int8, measured)

    def test_int2_accuracy_target(self, pipeline, measured):
        check_accuracy(pipeline.int2, measured)

    def test_layer_wise_accuracy_distribution(self, pipeline, measured):
        for table in (pipeline.int8, pipeline.int2):
            bands = {}
            for layer in table.layers:
                word = wording.band(layer["cosine"])
                bands[word] = bands.get(word, 0) + 1
            lowest = f"{table.type}.lowest_similarity"
            measured.record({f"{table.type}.bands": bands, lowest: table.layers[0]["cosine"]})
            measured.require(lowest, table.worst_words())
            again = table.cosines()
            off = {
                layer["name"]: (layer["cosine"], again[layer["name"]])
                for layer in table.layers
                if abs(layer["cosine"] - again[layer["name"]]) > 1e-6
            }
            assert not off, f"the report's cosines and NumPy's differ: {off}"


class TestSchemaCompatibility:
    """V1 and V2 tables are what docs/FORMAT.md says, and each reader can use them."""

    def test_v1_schema_read(self, pipeline, measured, tmp_path):
        again = tmp_path / "pyarrow.parquet"
        pq.write_table(pq.read_table(pipeline.v1), again)
        assert schema_problems(pipeline.v1, V1_SCHEMA) == []
        for path in (pipeline.v1, again):  # one that we wrote, and one that pyarrow wrote
            assert detect_schema_version(str(path)) == 1
            assert detect_schema_version(pq.read_table(path)) == 1
            assert WeightLoader(str(path)).get_schema_version() == 1
        differ = different_values(pipeline.model_dir, pipeline.v1) + different_values(pipeline.model_dir, again)
        measured.record({"v1.file_bytes": pipeline.v1.stat().st_size, "v1.mismatched_tensors": len(differ)})
        measured.require("v1.mismatched_tensors", f"These differ: {', '.join(differ[:5])}.")

    def test_v2_schema_write(self, pipeline, measured):
        for table in (pipeline.int8, pipeline.int2):
            problems = table.problems()
            measured.record({f"{table.type}.schema_problems": len(problems)})
            measured.require(f"{table.type}.schema_problems", *problems[:5])
            assert detect_schema_version(str(table.path)) == 2
            assert detect_schema_version(pq.read_table(table.path)) == 2
            assert arrowquant.verify(table.path, deep=True)["ok"]

    def test_v2_to_v1_compatibility(self, pipeline, measured):
        """A loader that knows the five V1 columns only finds every tensor, and WeightLoader gives torch tensors."""
        unreadable = []
        for table in (pipeline.int8, pipeline.int2):
            unreadable += unreadable_by_v1(pipeline, table)
            weights = table.load()
            wrong = [
                n
                for n, row in table.rows.items()
                if not isinstance(weights[n], torch.Tensor) or list(weights[n].shape) != row["shape"]
            ]
            unreadable += [f"{n} is no torch tensor of its shape" for n in wrong]
            assert all(torch.isfinite(w).all() for w in weights.values() if w.is_floating_point())
            assert torch.equal(weights[table.layers[0]["name"]], by_formula(table.rows[table.layers[0]["name"]]))
        measured.record({"v2.unreadable_by_v1": len(unreadable)})
        measured.require("v2.unreadable_by_v1", *unreadable[:5])


class TestPerformanceBenchmarks:
    """Quantizing and loading are fast."""

    def test_quantization_speed(self, pipeline, measured, tmp_path):
        for type_ in ("int8", "int2"):
            fresh = Pipeline(pipeline.model_dir, tmp_path)
            fresh.v1 = pipeline.v1  # the time to convert is not the time to quantize
            seconds = min(timed(fresh.quantize, type_, name=f"run{i}")[1] for i in range(2))
            measured.record({f"{type_}.quantize_seconds": seconds})
            measured.require(f"{type_}.quantize_seconds")

    def test_weight_loading_speed(self, pipeline, measured):
        for table in (pipeline.int8, pipeline.int2):
            measured.record({f"{table.type}.load_seconds": table.load_seconds()})
            measured.require(f"{table.type}.load_seconds")


# ---- what tests of both types do ----


def check_quantized(table, measured):
    """The file is a whole V2 table with every tensor of the model quantized."""
    baseline, size = table.pipeline.baseline
    measured.record(
        {
            "model.params": sum(table.pipeline.params.values()),
            "model.baseline": baseline,
            "model.baseline_bytes": size,
            f"{table.type}.lost_tensors": len(table.lost()),
        }
    )
    measured.require(f"{table.type}.lost_tensors", f"Lost: {', '.join(table.lost()[:5])}.")
    assert pq.ParquetFile(table.path).metadata.num_rows == len(table.rows) > 0
    assert WeightLoader(str(table.path)).get_schema_version() == 2
    floats = [row for row in table.rows.values() if row["dtype"].startswith(("torch.float", "torch.bfloat"))]
    assert {row["quant_type"] for row in floats} == {table.type}
    assert not list(table.path.parent.glob("*.partial"))


def check_ratio(table, measured):
    measured.record(table.sizes)
    for metric in ("compression_ratio", "ratio_to_fp16"):
        measured.require(f"{table.type}.{metric}", table.overhead_words())


def check_accuracy(table, measured):
    measured.record(table.agreement | output_similarity(table))
    for metric in ("similarity", "loss_percent", "embedding_similarity", "kl"):
        name = f"{table.type}.{metric}"
        if name in measured.numbers:
            measured.require(name, table.worst_words())


def output_similarity(table):
    """Agreement of a language model's predictions, else of sentence embeddings; nothing where it cannot be run."""
    if table.pipeline.is_language_model:
        return table.predictions
    can_run = importlib.util.find_spec("transformers") and (table.pipeline.model_dir / "tokenizer.json").is_file()
    if not can_run:
        return {}
    from embeddings import similarities

    cosines = similarities(table.pipeline.model_dir, table.load())
    return {
        f"{table.type}.embedding_similarity": float(cosines.mean()),
        f"{table.type}.embedding_lowest": float(cosines.min()),
    }


def different_values(reference, other):
    """Names of tensors whose values are not bit for bit the same."""
    with arrowquant.open(reference) as a, arrowquant.open(other) as b:
        differ = [
            n
            for n in a
            if n not in b
            or a[n].dtype != b[n].dtype
            or a[n].shape != b[n].shape
            or a[n].numpy().tobytes() != b[n].numpy().tobytes()
        ]
        return differ + [n for n in b if n not in a]


def unreadable_by_v1(pipeline, table):
    """What a reader of the V1 columns alone cannot make sense of."""
    rows = pq.read_table(table.path, columns=list(V1_SCHEMA)).to_pylist()
    expected = {
        row["layer_name"]: row
        for row in pq.read_table(pipeline.v1, columns=["layer_name", "shape", "dtype", "num_params"]).to_pylist()
    }
    found = {row["layer_name"]: {k: v for k, v in row.items() if k != "data"} for row in rows}
    problems = [f"{n} is {found.get(n)}, expected {row}" for n, row in expected.items() if found.get(n) != row]
    return problems + [f"{row['layer_name']} has no data" for row in rows if row["num_params"] and not row["data"]]


def by_formula(row):
    """The one formula of docs/FORMAT.md in NumPy: x = (q - zero_point) * scale."""
    bits, count = BITS[row["quant_type"]], row["num_params"]
    if bits == 8:
        codes = np.frombuffer(row["data"], "i1").astype(np.float32)
    else:
        digits = np.unpackbits(np.frombuffer(row["data"], "u1"), bitorder="little")[: count * bits].reshape(count, bits)
        codes = ((digits << np.arange(bits)).sum(1) - (1 << (bits - 1))).astype(np.float32)
    scales, zeros = (np.frombuffer(row[c], "<f4") for c in ("scales", "zero_points"))
    per_scale = row["group_size"] or -(-count // len(scales))
    index = np.arange(count) // per_scale
    return torch.from_numpy(((codes - zeros[index]) * scales[index]).reshape(row["shape"]))
