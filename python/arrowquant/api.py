"""The functions of the package. Options have the names, meanings and defaults of the command `arrowquant`.

Source: `arrowquant.h`, and `arrowquant COMMAND --help` for what the options mean.
"""

from __future__ import annotations

import os
import re
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

_UNITS = {"": 1, "b": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}


def _size(name: str, value: Size) -> int:
    """Bytes of 1000, "64MiB", "2 GB"."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", value.lower()) if isinstance(value, str) else None
    if match is None or (match[3] and not match[2]):
        raise ArgumentError(f"{name}: {value!r} is no size: expected bytes, or text such as '64MiB' or '2GB'")
    unit = 1024 ** "kmgt".index(match[2]).__add__(1) if match[3] else _UNITS[match[2]]
    return int(float(match[1]) * unit)


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
    threads: int,
    max_memory: Size,
    progress: ProgressCallback | None,
) -> Report:
    options = {**options, "threads": threads, "max_memory": _size("max_memory", max_memory)}
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


def open(source: SourceLike, *, max_memory: Size = 0, checksums: bool = True) -> Source:
    """Opens a model or weight table, lazily: no tensor data is read.

    Args:
        source: path of a .safetensors file, a model.safetensors.index.json, a Hugging Face folder, or a V1 or V2 table
            in Parquet. Or: a mapping from names to NumPy or torch tensors, a torch module, an object with
            `__arrow_c_stream__` that holds a weight table. Arrays are not copied; do not change them meanwhile.
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
    opened = Source(open_core(source, max_memory=_size("max_memory", max_memory), checksums=checksums))
    for note in opened.notes:
        warnings.warn(note, stacklevel=2)
    return opened


def convert(
    src: SourceLike,
    dst: Path,
    *,
    dtype: Literal["keep", "fp32", "fp16", "bf16"] = "keep",
    keep_unsupported: bool = False,
    codec: str | None = None,
    row_group_size: Size = 0,
    part_size: Size = 0,
    force: bool = False,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Writes the V1 table of a source: its values, one row a tensor.

    Args:
        src: what `open` takes.
        dst: the table to write. It appears under its name when it is complete.
        dtype: what floating-point tensors become.
        keep_unsupported: keep the bytes of tensors whose dtype cannot be read as numbers ("safetensors.F8_E8M0", ...);
            they are refused otherwise.
        codec: "auto" (None: zstd where it saves at least 3 %), "none", "zstd", "zstd:LEVEL", "brotli" (the smallest
            codes, slower to read), "lz4", "snappy".
        row_group_size: bytes after which a row group is closed; 0: 64 MiB.
        part_size: a tensor of more FP32 bytes becomes several rows; 0: 1 GiB.
        force: replace `dst` when it exists.
        threads: 0: the CPUs that this process may use. The result does not depend on it.
        max_memory: limit of working memory in bytes, or "2GiB"; 0: none.
        progress: called with a `Progress`; an exception from it stops the job, which leaves nothing behind.

    Raises:
        ExistsError, DiskFullError, NonFiniteError, ...: see `arrowquant.errors`.

    """
    options = {
        "dtype": dtype,
        "keep_unsupported": keep_unsupported,
        "codec": codec,
        "row_group_bytes": _size("row_group_size", row_group_size),
        "part_bytes": _size("part_size", part_size),
        "force": force,
    }
    return _run("convert", path_or_core(src), os.fsencode(dst), options, threads, max_memory, progress)


def quantize(
    src: SourceLike,
    dst: Path | None = None,
    *,
    type: str | None = None,
    per: Literal["tensor", "channel", "group"] | None = None,
    group_size: int = 0,
    symmetric: bool | None = None,
    method: Literal["minmax", "mse", "gptq"] | None = None,
    target_size: Size = 0,
    target_bpw: float | None = None,
    min_similarity: float | None = None,
    calib: Path | Iterable[str] | None = None,
    stats: Path | None = None,
    save_stats: Path | None = None,
    tune: bool | float = False,
    tune_from: Path | None = None,
    activations: Activations | None = None,
    tensor: str | Iterable[str] | Mapping[str, str] = (),
    keep: str | Iterable[str] = (),
    quantize_1d: bool = False,
    nonfinite: Literal["refuse", "keep"] = "refuse",
    allow_requantize: bool = False,
    keep_unsupported: bool = False,
    strict: bool = False,
    dry_run: bool = False,
    plan: Path | None = None,
    save_plan: Path | None = None,
    codec: str | None = None,
    row_group_size: Size = 0,
    part_size: Size = 0,
    force: bool = False,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Writes the quantized V2 table of a source. Every tensor of the source is in it.

    Args:
        src: what `open` takes.
        dst: the table to write; None with `dry_run`.
        type: "int8", "int4", "int3", "int2"; or "fp16", "bf16", "fp32" to store floating-point values. "auto" with a
            target: it chooses for every tensor. None: "auto" with a target, else "int8".
        per: one scale per tensor, channel or group. None: channel for int8, group for the others.
        group_size: values in a group; 0: 64.
        symmetric: None: symmetric for int8, asymmetric for the others.
        method: how scales are found. None: minmax for int8, mse for the others. "gptq": as mse, and codes are rounded
            so that the outputs of layers stay close, for what `activations` or `calib` say goes into them.
        target_size: the best file of at most that many bytes (or "9MB"), all of it counted; 0: no such target. At most
            one target can be set.
        target_bpw: the best file with at most that many bits a quantized weight, scales and page headers counted.
        min_similarity: the smallest file whose embeddings have at least that mean cosine to the original's, below 1.
        calib: texts that show what matters in a sentence encoder: "builtin", "none" (go by the tensors alone), the path
            of a file with a text a line, or the texts themselves, 40 at least and better thousands. None: "builtin" for
            a model that can be run, else "none". Used with a target or "gptq".
        stats: file with statistics that `save_stats` wrote, of the same model, instead of gathering them.
        save_stats: where to write the statistics of the texts.
        tune: after a target is met, improve codes and scales by gradient descent, for so many seconds; True: 300. The
            result depends on what the machine gets done meanwhile.
        tune_from: a table of this model that was made with a target: `tune` goes on from there, and nothing is searched
            for. A target of size is kept to.
        activations: for "gptq", what goes into layers: a mapping from names of weights to arrays of floating-point
            numbers, NumPy or torch, whose last axis has as many values as a row of the weight.
        tensor: rules "PATTERN=SPEC", or a mapping from patterns to specs; later ones win. A pattern is an exact name, a
            glob over the whole name, or "re:REGEX". A spec is a list such as "int4,per=group,group=32,asym,method=mse",
            or "keep".
        keep: patterns of tensors to leave as they are.
        quantize_1d: quantize 1-D and small tensors too (biases, norms).
        nonfinite: what happens to a tensor with NaN or infinite values.
        allow_requantize: take a source that is quantized already; its error adds up.
        keep_unsupported: keep the bytes of tensors whose dtype cannot be read as numbers, as in `convert`. Those that
            `keep` names are kept without it.
        strict: fail when a matrix would be kept that no rule keeps.
        dry_run: plan only; the report shows what every tensor would become, and by which rule.
        plan: a plan file to follow instead of the options above.
        save_plan: where to write the plan, as JSON that can be edited.
        codec, row_group_size, part_size, force, threads, max_memory, progress: as in `convert`.

    Raises:
        ArgumentError, NoMatchError, NonFiniteError, RequantizeError, DegradedError, ...: see `arrowquant.errors`. A
            target that cannot be met is an ArgumentError, which says what can.

    """
    if dst is None and not dry_run:
        raise ArgumentError("an output is expected, unless dry_run is set")
    rules = _rules(tensor)
    targets = {
        "target_size": _size("target_size", target_size),
        "target_bpw": _calibration.number("target_bpw", target_bpw, 32),
        "min_similarity": _calibration.number("min_similarity", min_similarity, 1),
    }
    seconds = _calibration.tune_seconds(tune)
    uses = {
        "calib": calib,
        "stats": stats,
        "save_stats": save_stats,
        "tune": seconds or None,
        "tune_from": tune_from,
        "activations": activations,
    }
    _calibration.check(type, [f"method={method}", *rules], targets, uses, is_planned=plan is not None)
    options: dict[str, Any] = {
        "type": type,
        "granularity": per,
        "group_size": group_size,
        "symmetry": {None: 0, True: 1, False: 2}[symmetric if symmetric is None else bool(symmetric)],
        "method": method,
        **targets,
        "stats_path": _optional_path(stats),
        "save_stats_path": _optional_path(save_stats),
        "tune_seconds": seconds,
        "tune_from": _optional_path(tune_from),
        "activations": _calibration.inputs("activations", activations),
        "tensor_rules": rules,
        "keep_patterns": _texts("keep", keep),
        "quantize_1d": quantize_1d,
        "nonfinite": _choice("nonfinite", nonfinite, {"refuse": 0, "keep": 1}),
        "allow_requantize": allow_requantize,
        "keep_unsupported": keep_unsupported,
        "strict": strict,
        "dry_run": dry_run,
        "plan_path": _optional_path(plan),
        "save_plan_path": _optional_path(save_plan),
        "codec": codec,
        "row_group_bytes": _size("row_group_size", row_group_size),
        "part_bytes": _size("part_size", part_size),
        "force": force,
    }
    options |= _calibration.text_options("calib", calib, "calib", "calib_texts")
    return _run("quantize", path_or_core(src), _optional_path(dst), options, threads, max_memory, progress)


def export(
    src: SourceLike,
    dst: Path,
    *,
    to: Literal["safetensors"] = "safetensors",
    dtype: Literal["original", "fp32", "fp16", "bf16"] = "original",
    force: bool = False,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Writes every tensor of a source, dequantized, into another format.

    Args:
        src: what `open` takes.
        dst: the file to write.
        to: its format.
        dtype: of floating-point tensors; "original" is what they had before they were quantized.
        force, threads, max_memory, progress: as in `convert`.

    """
    options = {"format": to, "dtype": dtype, "force": force}
    return _run("export", path_or_core(src), os.fsencode(dst), options, threads, max_memory, progress)


def _output_files(texts: Path | Iterable[str] | None, labels: Path | None, folder: Path | None) -> dict[str, Any]:
    return {
        **_calibration.text_options("texts", texts, "texts_file", "texts"),
        "labels_file": _optional_path(labels),
        "folder": _optional_path(folder),
    }


def compare(
    reference: SourceLike,
    other: SourceLike,
    *,
    min_cosine: float | None = None,
    outputs: bool = False,
    texts: Path | Iterable[str] | None = None,
    labels: Path | None = None,
    folder: Path | None = None,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Measures for every tensor, and for all together, how well `other` agrees with `reference`.

    Args:
        reference, other: what `open` takes; both must have the same tensors.
        min_cosine: threshold of the mean cosine of the quantized tensors, 0 to 1; None: no threshold.
        outputs: run both as well, and compare their embeddings of texts.
        texts: file with a text a line, or the texts themselves; None: built-in texts. Naming them, or labels, implies
            outputs.
        labels: file with lines of text, tab, text, tab, number: how alike the two are.
        folder: of config.json and the tokenizer of both; None: in the table, or beside the weights.
        threads, max_memory, progress: as in `convert`.

    Raises:
        ThresholdError: the mean cosine is below `min_cosine`; its `report` has the numbers.
        FormatError: the sources do not have the same tensors; its `report` names them.

    """
    options: dict[str, Any] = {"min_cosine": 0.0 if min_cosine is None else min_cosine, "outputs": outputs}
    options |= _output_files(texts, labels, folder)
    first, second = path_or_core(reference), path_or_core(other)
    if isinstance(first, bytes) != isinstance(second, bytes):
        first, second = (open_core(os.fsdecode(x)) if isinstance(x, bytes) else x for x in (first, second))
    return _run("compare", first, second, options, threads, max_memory, progress)


def info(
    src: SourceLike, *, threads: int = 0, max_memory: Size = 0, progress: ProgressCallback | None = None
) -> Report:
    """What is inside: tensors, types, sizes, bits per weight, metadata.

    Args:
        src: what `open` takes.
        threads, max_memory, progress: as in `convert`.

    """
    return _run("info", path_or_core(src), None, {}, threads, max_memory, progress)


def verify(
    src: SourceLike,
    *,
    deep: bool = False,
    against: Path | None = None,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Checks every page CRC and the lengths of every row.

    Args:
        src: what `open` takes.
        deep: decode every value as well.
        against: the model that the table must be of: the same tensors and shapes, and the bytes of those that are
            kept, but for those that were adjusted.
        threads, max_memory, progress: as in `convert`.

    Raises:
        CorruptError, FormatError: something is wrong; its `report` lists all of it.

    """
    options = {"deep": deep, "against": _optional_path(against)}
    return _run("verify", path_or_core(src), None, options, threads, max_memory, progress)


def validate(
    model: SourceLike,
    *,
    types: str | Iterable[str] = "int8,int4,int2",
    output_dir: Path = "validation_results",
    keep_tables: bool = False,
    keep_unsupported: bool = False,
    outputs: bool = True,
    texts: Path | Iterable[str] | None = None,
    labels: Path | None = None,
    folder: Path | None = None,
    threads: int = 0,
    max_memory: Size = 0,
    progress: ProgressCallback | None = None,
) -> Report:
    """Quantizes a model to several types, measures each, and writes a report.

    Args:
        model: what `open` takes.
        types: what to try, as a list or separated by commas.
        output_dir: folder for validation.json and validation_summary.md.
        keep_tables: leave the tables that were made there, too.
        keep_unsupported: as in `convert`.
        outputs: run the model and compare its embeddings of texts, when it can be run.
        texts, labels, folder: as in `compare`; naming one makes it an error when the model cannot be run.
        threads, max_memory, progress: as in `convert`.

    Raises:
        ThresholdError: an acceptance criterion fails; its `report` has the numbers.

    """
    options = {
        "types": types if isinstance(types, str) else ",".join(_texts("types", types)),
        "output_dir": os.fsencode(output_dir),
        "keep_tables": keep_tables,
        "keep_unsupported": keep_unsupported,
        "no_outputs": not outputs,
        **_output_files(texts, labels, folder),
    }
    return _run("validate", path_or_core(model), None, options, threads, max_memory, progress)
