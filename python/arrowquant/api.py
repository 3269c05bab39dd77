"""The functions of the package. Options have the names, meanings and defaults of the command `arrowquant`.

Source: `arrowquant.h`, and `arrowquant COMMAND --help` for what the options mean. scripts/generate-options writes the
arguments that are options, their entries under Args, and the literals of `options`, from src/options/option_table.c.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from . import _calibration, _core
from ._calibration import Activations
from ._sources import SourceLike, open_core, path_or_core
from .errors import ArgumentError
from .report import Report
from .tensors import Source

__all__ = ["Progress", "compare", "convert", "export", "info", "open", "quantize", "validate", "verify"]

Path: TypeAlias = "str | os.PathLike[str]"
Size: TypeAlias = "int | str"


class Progress(NamedTuple):
    """How far a job is. Given to `progress=` callbacks, at most 20 times a second, on the calling thread.

    Attributes:
        stage: "convert", "quantize", "compare", ...
        tensor: the tensor just finished, or None.
        tensors_done, tensors_total: numbers of tensors.
        bytes_done, bytes_total: bytes of the source.
        seconds: since the stage began.

    """

    stage: str
    tensor: str | None
    tensors_done: int
    tensors_total: int
    bytes_done: int
    bytes_total: int
    seconds: float


ProgressCallback: TypeAlias = Callable[[Progress], object]

def _choice(name: str, value: str | None, choices: Mapping[str, int]) -> int:
    key = "" if value is None else value
    if key not in choices:
        raise ArgumentError(f"{name}: {value!r} is not known: expected {' or '.join(k for k in choices if k)}")
    return choices[key]


def _texts(name: str, value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else _calibration.checked_texts(name, value)


def _rules(value: str | Iterable[str] | Mapping[str, str]) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{pattern}={spec}" for pattern, spec in value.items()]
    return _texts("tensor", value)


def _optional_path(path: Path | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def _run(
    operation: str,
    first: bytes | _core.Source,
    second: bytes | _core.Source | None,
    options: dict[str, Any],
    progress: ProgressCallback | None,
) -> Report:
    callback = None
    if progress is not None:
        if not callable(progress):
            raise TypeError("progress must be callable")
        listener = progress

        def callback(*fields: Any) -> object:
            return listener(Progress(*fields))

    try:
        return Report(_core.run(operation, first, second, options, callback))
    except ValueError as error:
        if isinstance(error, ArgumentError) or type(error) is not ValueError:
            raise
        raise ArgumentError(str(error)) from None


def open(
    source: SourceLike,
    *,
    names: Literal["file", "hf", "auto"] | None = None,
    keep_codes: bool = False,
    threads: int = 0,
    max_memory: Size = 0,
    checksums: bool = True,
) -> Source:
    """Opens a model or weight table, lazily: no tensor data is read.

    Args:
        source: path of a .safetensors file, a model.safetensors.index.json, a Hugging Face folder, a PyTorch file
            (nothing in it is run), a GGUF or ONNX file, or a V1 or V2 table in Parquet. Or: a mapping from names to
            NumPy or torch tensors, a torch module, an object with `__arrow_c_stream__` that holds a weight table.
            Arrays are not copied; do not change them meanwhile.
        names: of a GGUF file: the tensor names in it ("file", the default), those of Hugging Face, or "auto".
        keep_codes: tensors that are quantized in a GGUF or ONNX file, or by another tool, keep their codes where a
            table holds exactly their values; otherwise they are decoded.
        threads: number of threads that compare codes with values for `keep_codes`; 0: the CPUs this process may use.
        max_memory: limit in bytes (or "2GiB") of what one read may allocate; 0: none.
        checksums: check the CRC of every page when it is first read.

    Returns:
        A mapping from names to `Tensor`. What should be known of the source (its `notes`) is warned of: that it is one
        shard of several, that another tool quantized it.

    Raises:
        NotFoundError, FormatError, CorruptError, UnsupportedError: see `arrowquant.errors`.

    """
    if isinstance(source, Source):
        return source
    options = {
        "names": names,
        "keep_codes": keep_codes,
        "threads": threads,
        "max_memory": max_memory,
        "skip_checksums": not checksums,
    }
    opened = Source(open_core(source, options))
    for note in opened.notes:
        warnings.warn(note, stacklevel=2)
    return opened


def convert(
    src: SourceLike,
    dst: Path,
    *,
    dtype: Literal["keep", "fp32", "fp16", "bf16"] | None = None,
    names: Literal["file", "hf", "auto"] | None = None,
    keep_codes: bool = False,
    keep_unsupported: bool = False,
    force: bool = False,
    codec: str | None = None,
    row_group_size: Size = 0,
    part_size: Size = 0,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Writes the V1 table of a source: its values, one row per tensor.

    Args:
        src: what `open` takes.
        dst: the table to write. It appears under its name when it is complete.
        dtype: store floating-point tensors as "keep" (unchanged, default), "fp32", "fp16" or "bf16". A value that the
            type cannot hold is an error.
        names: names of tensors in GGUF: "file" (llama.cpp's, default), "hf" (Hugging Face's, with config.json and
            tokenizer, so that the model can be run), or "auto" ("hf" where the architecture is known). With "hf" the
            rows of attention are in the order of Hugging Face. Commands that run a model do so by themselves.
        keep_codes: tensors that are quantized in the source keep their codes where a table holds exactly their values
            (default: they are decoded). convert writes a V2 table then, and quantize leaves these tensors as they are
            unless a rule of `tensor` names them.
        keep_unsupported: keep the bytes of tensors whose dtype cannot be read as numbers (F8_E8M0, F8_E4M3FNUZ,
            F8_E5M2FNUZ, F6_E2M3, F6_E3M2, F4, C64); otherwise they are an error. Tensors that match a pattern of
            quantize `keep` are no error either.
        force: replace the output when it exists.
        codec: compression: auto (zstd where it saves at least 3 %, default), none, zstd, zstd:LEVEL, brotli (smallest),
            lz4 or snappy. brotli makes the smallest tables of quantized weights, which are slower to read. A column
            chunk that zstd makes smaller uses zstd; one that neither makes 3 % smaller is not compressed.
        row_group_size: start a new row group after `row_group_size` bytes (default: 64MiB).
        part_size: write a tensor with more than `part_size` bytes as FP32 as several rows (default: 1GiB).
        threads: number of threads (default: the CPUs this process may use); the result does not depend on it.
        max_memory: limit of the working memory (default: none); a job that needs more is an error. A limit that is too
            low for any job is an error too.
        progress: called with a `Progress`; an exception from it stops the job, which then leaves no output.

    Raises:
        ExistsError, DiskFullError, NonFiniteError, ...: see `arrowquant.errors`.

    """
    options: dict[str, Any] = {
        "dtype": dtype,
        "names": names,
        "keep_codes": keep_codes,
        "keep_unsupported": keep_unsupported,
        "force": force,
        "codec": codec,
        "row_group_bytes": row_group_size,
        "part_bytes": part_size,
        "threads": threads,
        "max_memory": max_memory,
    }
    return _run("convert", path_or_core(src), os.fsencode(dst), options, progress)


def quantize(
    src: SourceLike,
    dst: Path | None = None,
    *,
    dry_run: bool = False,
    names: Literal["file", "hf", "auto"] | None = None,
    keep_codes: bool = False,
    type: str | None = None,
    per: Literal["tensor", "channel", "group"] | None = None,
    group_size: int = 0,
    symmetric: bool | None = None,
    method: Literal["minmax", "mse", "gptq"] | None = None,
    for_format: Literal["compressed-tensors", "gguf", "gptq", "mlx", "onnx"] | None = None,
    target_size: Size = 0,
    target_bpw: float | None = None,
    min_similarity: float | None = None,
    max_kl: float | None = None,
    calib: Path | Iterable[str] | None = None,
    activations: Activations | None = None,
    stats: Path | None = None,
    save_stats: Path | None = None,
    tune: bool | float = False,
    tune_from: Path | None = None,
    tensor: str | Iterable[str] | Mapping[str, str] = (),
    keep: str | Iterable[str] = (),
    keep_unsupported: bool = False,
    quantize_1d: bool = False,
    nonfinite: Literal["refuse", "keep"] = "refuse",
    allow_requantize: bool = False,
    strict: bool = False,
    plan: Path | None = None,
    save_plan: Path | None = None,
    force: bool = False,
    codec: str | None = None,
    row_group_size: Size = 0,
    part_size: Size = 0,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Writes the quantized V2 table of a source. Every tensor of the source is in it.

    Args:
        src: what `open` takes.
        dst: the table to write; None with `dry_run`.
        dry_run: show what every tensor would become, and by which rule; write no table.
        names: names of tensors in GGUF: "file" (llama.cpp's, default), "hf" (Hugging Face's, with config.json and
            tokenizer, so that the model can be run), or "auto" ("hf" where the architecture is known). With "hf" the
            rows of attention are in the order of Hugging Face. Commands that run a model do so by themselves.
        keep_codes: tensors that are quantized in the source keep their codes where a table holds exactly their values
            (default: they are decoded). convert writes a V2 table then, and quantize leaves these tensors as they are
            unless a rule of `tensor` names them.
        type: "int8" (default), "int4", "int3", "int2"; "fp16", "bf16", "fp32" store floating-point values; "auto"
            (default with a target): bit allocation chooses.
        per: one scale per "tensor", "channel" or "group" (default: "channel" for int8, "group" for the others).
        group_size: values in a group (default: 64).
        symmetric: whether zero points are 0 (default: for int8 only).
        method: "minmax": scales from the range of the values (default for int8); "mse": scales that minimize the
            squared error (default for the others); "gptq": the same scales, and rounding with error feedback from the
            inputs of each layer on calibration texts (`calib`).
        for_format: quantize only what an export to `for_format` takes over as codes, so that it loses nothing:
            symmetric unless asked otherwise, for "gguf" in groups of 32, for "gguf", "gptq" and "mlx" with FP16 scales.
            A target then counts the file that the export writes, and chooses among the types of the format; for "gptq"
            it chooses one type and group size for all layers.
        target_size: the best file of at most `target_size`, including all overhead (9MB); chooses type, groups and
            scales of every tensor.
        target_bpw: the best file with at most `target_bpw` bits per quantized weight, including scales, zero points and
            page headers.
        min_similarity: the smallest file whose embeddings have a mean cosine of at least `min_similarity` with the
            original's (0.99).
        max_kl: language models: the smallest file with a mean KL divergence from the original of at most `max_kl` nats
            per token on held-out calibration texts (0.1). Other texts can diverge more: calibrate with texts like your
            own.
        calib: calibration texts: "builtin" (default for an encoder that can be run), the path of a file with one text
            per line or JSONL with a member text, the texts themselves (at least 40, better thousands), "self": texts
            that a language model writes itself (a file of that name is "./self"), or "none": data-free, from the
            tensors alone. Used with a target or "gptq".
        activations: for "gptq", inputs of layers: a mapping from names of weights to floating-point arrays of NumPy or
            torch, whose last axis has the length of a row of the weight.
        stats: calibration statistics that `save_stats` wrote, instead of computing them.
        save_stats: write the calibration statistics to `save_stats`, for another run of this model.
        tune: after a target is met, tune codes and scales by gradient descent for this number of seconds (True: 300).
            The result depends on the speed of the machine.
        tune_from: continue to tune `tune_from`, a table of this model, instead of searching. It must have been
            quantized with a target. A target size that is given now is an upper limit.
        tensor: rules "PATTERN=SPEC", or a mapping from patterns to specs; later ones win. A pattern is an exact name, a
            glob over the whole name, or "re:REGEX". A spec is a list such as "int4,per=group,group=32,asym,method=mse",
            or "keep".
        keep: patterns of tensors that are not quantized; takes precedence over `tensor`.
        keep_unsupported: keep the bytes of tensors whose dtype cannot be read as numbers (F8_E8M0, F8_E4M3FNUZ,
            F8_E5M2FNUZ, F6_E2M3, F6_E3M2, F4, C64); otherwise they are an error. Tensors that match a pattern of
            quantize `keep` are no error either.
        quantize_1d: also quantize 1-D and small tensors (biases, norms), which are not quantized by default.
        nonfinite: a tensor with NaN or infinite values: "refuse" (an error, default) or "keep" (do not quantize it).
        allow_requantize: accept a table that holds codes already; the errors of both add up, as they do for layers of
            other tools, which are decoded and need no flag (a warning says so).
        strict: fail when a matrix would not be quantized and none of your rules keeps it.
        plan: a plan that `save_plan` wrote: the type and the scales of every tensor, instead of the options above.
        save_plan: write the plan to `save_plan`, as JSON that can be edited. It can be given to `plan`.
        force, codec, row_group_size, part_size, threads, max_memory, progress: as in `convert`.

    Raises:
        ArgumentError, NoMatchError, NonFiniteError, RequantizeError, DegradedError, ...: see `arrowquant.errors`. A
            target that cannot be met is an ArgumentError, which says what can.

    """
    if dst is None and not dry_run:
        raise ArgumentError("an output is expected, unless dry_run is set")
    options: dict[str, Any] = {
        "dry_run": dry_run,
        "names": names,
        "keep_codes": keep_codes,
        "type": type,
        "granularity": per,
        "group_size": group_size,
        "symmetry": {None: 0, True: 1, False: 2}[symmetric if symmetric is None else bool(symmetric)],
        "method": method,
        "for_format": for_format,
        "target_size": target_size,
        "target_bpw": target_bpw,
        "min_similarity": min_similarity,
        "max_kl": max_kl,
        **_calibration.text_options("calib", calib, "calib", "calib_texts"),
        "activations": _calibration.inputs("activations", activations),
        "stats_path": _optional_path(stats),
        "save_stats_path": _optional_path(save_stats),
        "tune_seconds": tune,
        "tune_from": _optional_path(tune_from),
        "tensor_rules": _rules(tensor),
        "keep_patterns": _texts("keep", keep),
        "keep_unsupported": keep_unsupported,
        "quantize_1d": quantize_1d,
        "nonfinite": _choice("nonfinite", nonfinite, {"refuse": 0, "keep": 1}),
        "allow_requantize": allow_requantize,
        "strict": strict,
        "plan_path": _optional_path(plan),
        "save_plan_path": _optional_path(save_plan),
        "force": force,
        "codec": codec,
        "row_group_bytes": row_group_size,
        "part_bytes": part_size,
        "threads": threads,
        "max_memory": max_memory,
    }
    return _run("quantize", path_or_core(src), _optional_path(dst), options, progress)


def export(
    src: SourceLike,
    dst: Path,
    *,
    to: Literal["safetensors", "compressed-tensors", "gptq", "mlx", "gguf", "onnx"] | None = None,
    dtype: Literal["original", "fp32", "fp16", "bf16"] | None = None,
    force: bool = False,
    names: Literal["file", "hf", "auto"] | None = None,
    keep_codes: bool = False,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Writes every tensor of a source, dequantized, into another format.

    Args:
        src: what `open` takes.
        dst: the file to write.
        to: "safetensors" (default: values), compressed-tensors (the codes, for transformers), "gptq" (the codes, in
            GPTQ's layout), "mlx" (the codes, for MLX), "gguf" (for llama.cpp), or "onnx" (for ONNX Runtime).
            "safetensors" is one file when the output ends in .safetensors, else a folder with the model's configuration
            and tokenizer beside model.safetensors, and the weights of sentence-transformers' modules in their folders;
            compressed-tensors, "gptq" and "mlx" are folders. "gguf" is a file of a model that began as a GGUF file, or
            of type llama, mistral, qwen2, qwen3, gemma3_text, bert or nomic_bert. "onnx" is the graph of an encoder
            with its weights, one file when the output ends in .onnx, else "onnx"/model.onnx in such a folder.
        dtype: store floating-point tensors as "original" (their type before quantization, default), "fp32", "fp16" or
            "bf16".
        force: replace the output when it exists.
        names: names of tensors in GGUF: "file" (llama.cpp's, default), "hf" (Hugging Face's, with config.json and
            tokenizer, so that the model can be run), or "auto" ("hf" where the architecture is known). With "hf" the
            rows of attention are in the order of Hugging Face. Commands that run a model do so by themselves.
        keep_codes: tensors that are quantized in the source keep their codes where a table holds exactly their values
            (default: they are decoded). convert writes a V2 table then, and quantize leaves these tensors as they are
            unless a rule of `tensor` names them.
        threads, max_memory, progress: as in `convert`.

    """
    options: dict[str, Any] = {
        "format": to,
        "dtype": dtype,
        "force": force,
        "names": names,
        "keep_codes": keep_codes,
        "threads": threads,
        "max_memory": max_memory,
    }
    return _run("export", path_or_core(src), os.fsencode(dst), options, progress)


def compare(
    reference: SourceLike,
    other: SourceLike,
    *,
    names: Literal["file", "hf", "auto"] | None = None,
    min_cosine: float | None = None,
    outputs: bool = False,
    texts: Path | Iterable[str] | None = None,
    context: int = 0,
    windows: int = 0,
    max_kl: float | None = None,
    max_ppl_increase: float | None = None,
    labels: Path | None = None,
    folder: Path | None = None,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Measures for every tensor, and for all together, how well `other` agrees with `reference`.

    Args:
        reference, other: what `open` takes; both must have the same tensors.
        names: names of tensors in GGUF: "file" (llama.cpp's, default), "hf" (Hugging Face's, with config.json and
            tokenizer, so that the model can be run), or "auto" ("hf" where the architecture is known). With "hf" the
            rows of attention are in the order of Hugging Face. Commands that run a model do so by themselves.
        min_cosine: minimum of the mean cosine of the quantized tensors, 0 to 1 (default: none).
        outputs: also run both models, and compare their embeddings, scores or predictions. Of sentence encoders of the
            BERT family the report has the mean, the 1st percentile and the minimum of the cosines of their embeddings,
            overlap@10 (the share of the 10 nearest neighbours that both have), and the rank correlation of all
            similarities; of language models of the Llama family their perplexities, the KL divergence of their
            predictions, and how often both have the same first choice. Both need their config.json and tokenizer.
            Options that only outputs have a use for imply it.
        texts: evaluation texts: the path of a file with one text per line or JSONL with a member text, or the texts
            themselves (default: built-in texts).
        context: language models: tokens of a window, whose second half counts (default: 512).
        windows: language models: run at most `windows` windows (default: all that the text fills).
        max_kl: language models: exit with status 4 when the mean KL divergence from the model is above `max_kl` nats
            per token (default: no limit).
        max_ppl_increase: language models: exit with status 4 when the perplexity is more than `max_ppl_increase` %
            above the model's (default: no limit).
        labels: pairs of texts with a similarity score, lines of TEXT, tab, TEXT, tab, number: compare outputs with
            them. The report has the rank correlation of the similarities with the scores, for both models.
        folder: folder of config.json and the tokenizer (default: those in the table, or beside the weights).
        threads, max_memory, progress: as in `convert`.

    Raises:
        ThresholdError: the mean cosine is below `min_cosine`; its `report` has the numbers.
        FormatError: the sources do not have the same tensors; its `report` names them.

    """
    options: dict[str, Any] = {
        "names": names,
        "min_cosine": min_cosine,
        "outputs": outputs,
        **_calibration.text_options("texts", texts, "texts_file", "texts"),
        "context": context,
        "windows": windows,
        "max_kl": max_kl,
        "max_ppl_increase": max_ppl_increase,
        "labels_file": _optional_path(labels),
        "folder": _optional_path(folder),
        "threads": threads,
        "max_memory": max_memory,
    }
    first, second = path_or_core(reference), path_or_core(other)
    if isinstance(first, bytes) != isinstance(second, bytes):
        first, second = (open_core(os.fsdecode(x)) if isinstance(x, bytes) else x for x in (first, second))
    return _run("compare", first, second, options, progress)


def info(
    src: SourceLike,
    *,
    names: Literal["file", "hf", "auto"] | None = None,
    keep_codes: bool = False,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """What is inside: tensors, types, sizes, bits per weight, metadata.

    Args:
        src: what `open` takes.
        names: names of tensors in GGUF: "file" (llama.cpp's, default), "hf" (Hugging Face's, with config.json and
            tokenizer, so that the model can be run), or "auto" ("hf" where the architecture is known). With "hf" the
            rows of attention are in the order of Hugging Face. Commands that run a model do so by themselves.
        keep_codes: tensors that are quantized in the source keep their codes where a table holds exactly their values
            (default: they are decoded). convert writes a V2 table then, and quantize leaves these tensors as they are
            unless a rule of `tensor` names them.
        threads, max_memory, progress: as in `convert`.

    """
    options: dict[str, Any] = {
        "names": names,
        "keep_codes": keep_codes,
        "threads": threads,
        "max_memory": max_memory,
    }
    return _run("info", path_or_core(src), None, options, progress)


def verify(
    src: SourceLike,
    *,
    names: Literal["file", "hf", "auto"] | None = None,
    deep: bool = False,
    against: Path | None = None,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Checks every page CRC and the lengths of every row.

    Args:
        src: what `open` takes.
        names: names of tensors in GGUF: "file" (llama.cpp's, default), "hf" (Hugging Face's, with config.json and
            tokenizer, so that the model can be run), or "auto" ("hf" where the architecture is known). With "hf" the
            rows of attention are in the order of Hugging Face. Commands that run a model do so by themselves.
        deep: also decode every value.
        against: also check that the source is a table of `against`: same tensors, same shapes, same bytes where not
            quantized. Tensors that the metadata name as adjusted (by bias correction or tuning) may have different
            bytes.
        threads, max_memory, progress: as in `convert`.

    Raises:
        CorruptError, FormatError: something is wrong; its `report` lists all of it.

    """
    options: dict[str, Any] = {
        "names": names,
        "deep": deep,
        "against": _optional_path(against),
        "threads": threads,
        "max_memory": max_memory,
    }
    return _run("verify", path_or_core(src), None, options, progress)


def validate(
    model: SourceLike,
    *,
    output_dir: Path = "validation_results",
    keep_tables: bool = False,
    keep_unsupported: bool = False,
    types: str | Iterable[str] = "int8,int4,int2",
    outputs: bool = True,
    texts: Path | Iterable[str] | None = None,
    context: int = 0,
    windows: int = 0,
    max_kl: float | None = None,
    max_ppl_increase: float | None = None,
    labels: Path | None = None,
    folder: Path | None = None,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Quantizes a model to several types, measures each, and writes a report.

    Args:
        model: what `open` takes.
        output_dir: folder for the reports.
        keep_tables: keep the tables that are written in `output_dir`.
        keep_unsupported: keep the bytes of tensors whose dtype cannot be read as numbers (F8_E8M0, F8_E4M3FNUZ,
            F8_E5M2FNUZ, F6_E2M3, F6_E3M2, F4, C64); otherwise they are an error. Tensors that match a pattern of
            quantize `keep` are no error either.
        types: types to try, as a list or separated by commas.
        outputs: run the model and compare its embeddings of texts, when it can be run. When it cannot, passing `texts`,
            `labels` or `folder` is an error.
        texts: evaluation texts: the path of a file with one text per line or JSONL with a member text, or the texts
            themselves (default: built-in texts).
        context: language models: tokens of a window, whose second half counts (default: 512).
        windows: language models: run at most `windows` windows (default: all that the text fills).
        max_kl: language models: exit with status 4 when the mean KL divergence from the model is above `max_kl` nats
            per token (default: no limit).
        max_ppl_increase: language models: exit with status 4 when the perplexity is more than `max_ppl_increase` %
            above the model's (default: no limit).
        labels: pairs of texts with a similarity score, lines of TEXT, tab, TEXT, tab, number: compare outputs with
            them. The report has the rank correlation of the similarities with the scores, for both models.
        folder: folder of config.json and the tokenizer (default: those in the table, or beside the weights).
        threads, max_memory, progress: as in `convert`.

    Raises:
        ThresholdError: an acceptance criterion fails; its `report` has the numbers.

    """
    options: dict[str, Any] = {
        "output_dir": os.fsencode(output_dir),
        "keep_tables": keep_tables,
        "keep_unsupported": keep_unsupported,
        "types": types if isinstance(types, str) else ",".join(_texts("types", types)),
        "no_outputs": not outputs,
        **_calibration.text_options("texts", texts, "texts_file", "texts"),
        "context": context,
        "windows": windows,
        "max_kl": max_kl,
        "max_ppl_increase": max_ppl_increase,
        "labels_file": _optional_path(labels),
        "folder": _optional_path(folder),
        "threads": threads,
        "max_memory": max_memory,
    }
    return _run("validate", path_or_core(model), None, options, progress)


def perplexity(
    model: SourceLike,
    *,
    texts: Path | Iterable[str] | None = None,
    against: Path | None = None,
    context: int = 0,
    windows: int = 0,
    compute: Literal["fp32", "int8"] | None = None,
    folder: Path | None = None,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Measures how well a language model predicts a text, and how far its predictions are from a reference's.

    Args:
        model: what `open` takes.
        texts: evaluation texts: the path of a file with one text per line or JSONL with a member text, or the texts
            themselves (default: built-in texts).
        against: run `against`, the reference, on the same windows, and compare the predictions.
        context: language models: tokens of a window, whose second half counts (default: 512).
        windows: language models: run at most `windows` windows (default: all that the text fills).
        compute: "fp32" (default) or "int8": faster, outputs change slightly. With "int8", the weights of the layers are
            codes of 8 bits, in a language model of 4 where those of the file fit, and so are the inputs of the layers.
            Embeddings agree to about 0.998.
        folder: folder of config.json and the tokenizer (default: those in the table, or beside the weights).
        threads, max_memory, progress: as in `convert`.

    Returns:
        A report with "perplexity" and, beside a reference, "reference_perplexity" and "divergence".

    Raises:
        NoMatchError: the vocabularies differ.

    """
    options: dict[str, Any] = {
        **_calibration.text_options("texts", texts, "texts_file", "texts"),
        "against": _optional_path(against),
        "context": context,
        "windows": windows,
        "compute": compute,
        "folder": _optional_path(folder),
        "threads": threads,
        "max_memory": max_memory,
    }
    return _run("perplexity", path_or_core(model), None, options, progress)
