"""The way of a model through the package, with what can be measured on it: model -> V1 table -> quantized V2 tables."""

import functools
import json
import pathlib
import time
import warnings

import numpy as np
import page_sizes
import pyarrow as pa
import pyarrow.parquet as pq

import arrowquant
from arrowquant import ArrowQuantizer, HuggingFaceToParquetConverter, QuantizationConfig, WeightLoader
from validation import wording

CONFIGS = {
    "int8": {"quant_type": "int8"},
    "int2": {"quant_type": "int2", "per_channel": False},  # groups of 128
}

V1_SCHEMA = {
    "layer_name": pa.string(),
    "shape": pa.list_(pa.field("element", pa.int32())),
    "dtype": pa.string(),
    "data": pa.binary(),
    "num_params": pa.int64(),
}
V2_SCHEMA = V1_SCHEMA | {
    "quant_type": pa.string(),
    "scales": pa.binary(),
    "zero_points": pa.binary(),
    "quant_axis": pa.int32(),
    "group_size": pa.int32(),
}
WINDOWS = 4  # of 512 tokens, for outputs of language models
BITS = {"int8": 8, "int4": 4, "int3": 3, "int2": 2}
HALVES = ("torch.float16", "torch.bfloat16")


def timed(function, *args, **kwargs):
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return result, time.perf_counter() - start


def sizes_of(path):
    """Bytes of a table without the model's own files in it (config.json, the tokenizer), and bytes of those.

    They are not weights and take the same room at any number of bits, so ratios leave them out.
    """
    model_files = page_sizes.model_files_bytes(path)
    size = path.stat().st_size
    source = arrowquant.info(path)["source"]
    assert (source["file_bytes"], source["model_files_bytes"]) == (size, model_files)
    return size - model_files, model_files


class Pipeline:
    """Everything is made when it is first asked for, in `folder`."""

    def __init__(self, model_dir, folder):
        self.model_dir, self.folder = pathlib.Path(model_dir), pathlib.Path(folder)

    @functools.cached_property
    def v1(self):
        path = self.folder / "model.v1.parquet"
        HuggingFaceToParquetConverter().convert(str(self.model_dir), str(path))
        return path

    @functools.cached_property
    def int8(self):
        return self.quantize("int8")

    @functools.cached_property
    def int2(self):
        return self.quantize("int2")

    def quantize(self, type_, name=None, **changes):
        path = self.folder / f"{name or 'model'}.{type_}.parquet"
        config = QuantizationConfig(**(CONFIGS[type_] | changes))
        ArrowQuantizer(config).quantize_model(str(self.v1), str(path), show_progress=False)
        return Quantized(self, type_, path)

    @functools.cached_property
    def params(self):
        """Parameters of the model, tied weights counted once."""
        with arrowquant.open(self.model_dir) as tensors:
            return {name: t.num_params for name, t in tensors.items() if t.alias_of is None}

    @functools.cached_property
    def is_language_model(self):
        """Whether the configuration says that the model predicts tokens."""
        config = self.model_dir / "config.json"
        names = json.loads(config.read_text(encoding="utf-8")).get("architectures") if config.is_file() else None
        return any(name.endswith("ForCausalLM") for name in names or [])

    @functools.cached_property
    def baseline(self):
        """What a compression ratio is measured against, as (words, bytes).

        The V1 table; of a model of mostly 16-bit floats, which starts at half the size, its values in FP32.
        """
        with arrowquant.open(self.model_dir) as tensors:
            half = sum(t.num_params for t in tensors.values() if t.dtype in HALVES)
        params = sum(self.params.values())
        if 2 * half > params:
            return "FP32 values", 4 * params
        return "the V1 table", sizes_of(self.v1)[0]


class Quantized:
    """A quantized table and what can be measured on it."""

    def __init__(self, pipeline, type_, path):
        self.pipeline, self.type, self.path = pipeline, type_, path

    # ---- size ----

    @functools.cached_property
    def sizes(self):
        """Figures of size, keyed as metrics."""
        (size, model_files), params = sizes_of(self.path), sum(self.pipeline.params.values())
        with arrowquant.open(self.path) as tensors:
            measured = page_sizes.stored_bytes(self.path)
            assert {t.name: t.stored_bytes for t in tensors.values() if t.alias_of is None} == measured
            stored = sum(measured.values())
            bits = page_sizes.bits_per_weight(self.path)
            skipped = sorted((t for t in tensors.values() if not t.is_quantized), key=lambda t: -t.num_params)
            figures = {
                "file_bytes": size + model_files,
                "model_files_bytes": model_files,
                "counted_bytes": size,
                "payload_bytes": stored,
                "bits_per_weight": bits,
                "metadata_percent": 100 * (size - stored) / size,
                "compression_ratio": self.pipeline.baseline[1] / size,
                "ratio_to_v1": sizes_of(self.pipeline.v1)[0] / size,
                "ratio_to_fp32": 4 * params / size,
                "ratio_to_fp16": 2 * params / size,
                "skipped_tensors": [t.name for t in skipped],
            }
        return {f"{self.type}.{k}": v for k, v in figures.items()}

    def overhead_words(self):
        """The reason of a low ratio: the share of metadata, and what was not quantized."""
        skipped = self.sizes[f"{self.type}.skipped_tensors"]
        with arrowquant.open(self.path) as tensors:
            params = sum(tensors[name].num_params for name in skipped)
            total = sum(t.num_params for t in tensors.values())
        share = wording.number(100.0 * params / total, "%", up=True)
        names = ", ".join(skipped[:5]) + (", ..." if len(skipped) > 5 else "")
        left = f"{len(skipped)} tensors ({share} of the parameters): {names}" if skipped else "nothing"
        return (
            f"Metadata takes {wording.number(self.sizes[f'{self.type}.metadata_percent'], '%', up=True)} of the file. "
            f"Not quantized: {left}."
        )

    # ---- agreement ----

    @functools.cached_property
    def comparison(self):
        """Weights and, of a language model that can be run, predictions of the next token."""
        model_dir = self.pipeline.model_dir
        if self.pipeline.is_language_model:
            try:
                return arrowquant.compare(model_dir, self.path, windows=WINDOWS)
            except (arrowquant.UnsupportedError, arrowquant.NotFoundError) as problem:
                warnings.warn(f"outputs are not compared: {problem}", stacklevel=2)
        return arrowquant.compare(model_dir, self.path)

    @functools.cached_property
    def predictions(self):
        """Figures of a language model's outputs, keyed as metrics; empty where they were not measured."""
        outputs = self.comparison["outputs"]
        if not outputs:
            return {}
        figures = {
            "perplexity": outputs["perplexity"]["value"],
            "perplexity_error": outputs["perplexity"]["error"],
            "perplexity_increase_percent": outputs["perplexity_increase_percent"],
            "kl": outputs["divergence"]["mean"],
            "kl_p99": outputs["divergence"]["p99"],
            "top_agreement": outputs["divergence"]["top_agreement"],
            "flips": outputs["divergence"]["flips"],
        }
        of_model = {
            "model.perplexity": outputs["reference_perplexity"]["value"],
            "model.perplexity_error": outputs["reference_perplexity"]["error"],
            "model.positions": outputs["text"]["positions"],
        }
        if outputs["noise_floor"]:
            of_model["model.noise_kl"] = outputs["noise_floor"]["mean"]
        return of_model | {f"{self.type}.{k}": v for k, v in figures.items()}

    @functools.cached_property
    def layers(self):
        """The quantized layers, the worst first: name, cosine, params, stored_bytes."""
        with arrowquant.open(self.path) as tensors:
            layers = [
                {
                    "name": t["name"],
                    "cosine": t["cosine"],
                    "params": t["params"],
                    "stored_bytes": tensors[t["name"]].stored_bytes,
                }
                for t in self.comparison["tensors"]
                if t["quantized"]
            ]
        return sorted(layers, key=lambda layer: layer["cosine"])

    @functools.cached_property
    def agreement(self):
        """Figures of agreement with the model, keyed as metrics."""
        cosine = self.comparison["cosine"]["quantized"]
        figures = {
            "similarity": cosine["mean"],
            "lowest_similarity": cosine["min"],
            "p5_similarity": cosine["p5"],
            "loss_percent": 100 * (1 - cosine["mean"]),
            "snr_db": self.comparison["quantized_totals"]["snr_db"],
            "worst_layers": self.layers[:5],
        }
        return {f"{self.type}.{k}": v for k, v in figures.items()}

    def worst_words(self):
        worst = ", ".join(f"{layer['name']} {wording.number(layer['cosine'])}" for layer in self.layers[:5])
        return f"Worst layers: {worst}."

    def cosines(self):
        """Cosine of every layer by NumPy in double precision, from values read back: a second opinion."""
        values = {}
        with arrowquant.open(self.pipeline.model_dir) as model, arrowquant.open(self.path) as table:
            for layer in self.layers:
                a, b = (np.asarray(s[layer["name"]].numpy(), np.float64).ravel() for s in (model, table))
                length = np.sqrt((a @ a) * (b @ b))
                values[layer["name"]] = float(a @ b / length) if length > 0 else float(not a.any() and not b.any())
        return values

    # ---- schema ----

    @functools.cached_property
    def rows(self):
        """The rows as pyarrow reads them: {name: row}."""
        return {row["layer_name"]: row for row in pq.read_table(self.path).to_pylist()}

    def problems(self):
        """What is wrong with the table as a V2 table, as sentences."""
        found = schema_problems(self.path, V2_SCHEMA)
        for name, row in self.rows.items():
            found += [f"{name}: {problem}" for problem in row_problems(row)]
        return found

    def lost(self):
        """Tensors of the model that are not in the table, or not in their shape."""
        with arrowquant.open(self.pipeline.model_dir) as model, arrowquant.open(self.path) as table:
            return [n for n, t in model.items() if n not in table or table[n].shape != t.shape]

    # ---- use ----

    def load(self):
        return WeightLoader(str(self.path), device="cpu").load_weights()

    def load_seconds(self, repeats=3):
        """Best time of loading every weight as a torch tensor."""
        return min(timed(self.load)[1] for _ in range(repeats))


def schema_problems(path, expected):
    """How the columns differ from the ones of docs/FORMAT.md."""
    schema = pq.read_schema(path)
    if schema.names != list(expected):
        return [f"columns are {schema.names}, expected {list(expected)}"]
    return [
        f"column {n} is {schema.field(n).type}, expected {t}" for n, t in expected.items() if schema.field(n).type != t
    ]


def row_problems(row):
    """How a row breaks the rules of docs/FORMAT.md."""
    count = int(np.prod(row["shape"], dtype=np.int64))
    if row["num_params"] != count:
        yield f"num_params is {row['num_params']}, the shape {row['shape']} has {count} elements"
    bits = BITS.get(row["quant_type"])
    if bits is None:
        if row["quant_type"] not in ("fp16", "fp32"):
            yield f"unknown quant_type {row['quant_type']}"
        return
    if len(row["data"]) != -(-count * bits // 8):
        yield f"data has {len(row['data'])} bytes, expected {-(-count * bits // 8)}"
    scales = 1
    if row["quant_axis"] == 0:
        scales = -(-count // row["group_size"]) if row["group_size"] else row["shape"][0]
    for column in ("scales", "zero_points"):
        if len(row[column]) != 4 * scales:
            yield f"{column} has {len(row[column])} bytes, expected {4 * scales}"
        elif not np.isfinite(np.frombuffer(row[column], "<f4")).all():
            yield f"{column} holds numbers that are not finite"
