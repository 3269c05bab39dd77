"""decoder_methods - what quantizes a language model: arrowquant and llama.cpp, each from the same FP32 weights.

A method is a function of a Job that returns a Candidate: the values of all tensors again, and the bytes of the file.
Called as a program it is llama.cpp's quantizer: FROM.gguf TO.gguf TYPE TABLE-TYPE THREADS.
"""
import contextlib
import dataclasses
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable

import quality_llama
import torch

sys.path.append(str(pathlib.Path(__file__).parents[1] / "tests"))
import page_sizes  # noqa: E402


@dataclasses.dataclass
class Job:
    folder: pathlib.Path  # the model in FP32, for arrowquant
    plain: pathlib.Path  # the same as GGUF in F32, for llama.cpp
    model: torch.nn.Module  # transformers' model of it, by which names of GGUF become those of the folder
    command: pathlib.Path
    threads: int
    calibration: pathlib.Path  # a file of texts to calibrate with
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)  # of files that were made before, by arguments


@dataclasses.dataclass
class Candidate:
    tensors: dict[str, torch.Tensor]
    bytes: int  # the file, all of it
    bytes_weights: int  # without the tokenizer and what else of the model's files lies in it
    note: str = ""


# ---- arrowquant ------------------------------------------------------------------------------------------------------


def quantize(job: Job, arguments: str, path: pathlib.Path) -> int:
    """Makes the table; returns its size."""
    subprocess.run([job.command, "quantize", job.folder, "-o", path, "-q", "-t", str(job.threads), *arguments.split()],
                   check=True)
    job.sizes[arguments] = path.stat().st_size
    return job.sizes[arguments]


def count_types(kinds: Iterable[str]) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(kinds).items()))


def information_of(job: Job, table: pathlib.Path) -> tuple[int, str]:
    """The bytes of the model's other files in the table, and how many matrices are stored as which type."""
    said = subprocess.run([job.command, "info", table, "--json"], check=True, capture_output=True).stdout
    info = json.loads(said)
    return (page_sizes.model_files_bytes(table),
            count_types(t["stored_as"] for t in info["tensors"] if len(t["shape"]) > 1))


def arrowquant(job: Job, arguments: str) -> Candidate:
    from safetensors.torch import load_file
    with tempfile.TemporaryDirectory(dir=job.folder.parent) as folder:
        table, restored = pathlib.Path(folder, "table.parquet"), pathlib.Path(folder, "restored.safetensors")
        size = quantize(job, arguments, table)
        subprocess.run([job.command, "export", table, "-o", restored, "--dtype", "fp32", "-q"], check=True)
        files, kinds = information_of(job, table)
        return Candidate({n: t.clone() for n, t in load_file(restored).items()}, size, size - files, kinds)


def size_of(job: Job, arguments: str) -> int:
    """Of the table that these arguments make, made for that if it has not been made before."""
    if arguments not in job.sizes:
        with tempfile.TemporaryDirectory(dir=job.folder.parent) as folder:
            quantize(job, arguments, pathlib.Path(folder, "table.parquet"))
    return job.sizes[arguments]


def target_of_bits(job: Job, bits: float, arguments: str) -> Candidate:
    """A target for the whole file: tokenizer, configuration and footer count as well."""
    limit = int(bits * sum(p.numel() for p in job.model.parameters()) / 8)
    return arrowquant(job, f"--target-size {limit}{arguments}")


def calibrated(job: Job, bits: float, calib: str, arguments: str) -> Candidate:
    """The same with statistics of texts: `self` (those the model writes) or `texts`. They are collected once."""
    statistics = job.folder.with_name(f"{job.folder.name}.{calib}.stats")
    source = str(job.calibration) if calib == "texts" else calib
    how = f"--stats {statistics}" if statistics.exists() else f"--calib {source} --save-stats {statistics}"
    return target_of_bits(job, bits, f"{arguments} {how}")


def target_of_size(job: Job, arguments: str) -> Candidate:
    """The best file that is no larger than the one these arguments make."""
    return arrowquant(job, f"--target-size {size_of(job, arguments)}")


# ---- llama.cpp -------------------------------------------------------------------------------------------------------


def quantize_gguf(plain: str, small: str, kind: str, table: str, threads: str) -> None:
    """llama_model_quantize, in a process of its own: a type that does not fit the rows can end the process."""
    library, ffi, _, _ = quality_llama.Llama.get()
    options = ffi.new("llama_model_quantize_params *", library.llama_model_quantize_default_params())
    options.nthread, options.ftype = int(threads), getattr(library, f"LLAMA_FTYPE_MOSTLY_{kind}")
    if table:
        options.output_tensor_type = options.token_embedding_type = getattr(library, f"GGML_TYPE_{table}")
    if library.llama_model_quantize(plain.encode(), small.encode(), options) != 0:
        sys.exit(f"llama_model_quantize refuses {kind}: {quality_llama.Llama.said[-1]}")


def llama_cpp(job: Job, kind: str, table: str = "") -> Candidate:
    """llama.cpp picks a type for every tensor, and another where a row is no multiple of its block; the type of the
    token table and of the head can be asked for. gguf dequantizes what it wrote, and transformers' loader brings names
    and the order of rows back."""
    with tempfile.TemporaryDirectory(dir=job.folder.parent) as folder:
        small = pathlib.Path(folder, "small.gguf")
        done = subprocess.run([sys.executable, __file__, job.plain, small, kind, table, str(job.threads)],
                              capture_output=True, text=True,
                              env=os.environ | {"GGML_NO_BACKTRACE": "1", "TMPDIR": folder})
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip() or f"llama_model_quantize ended with {done.returncode}")
        return read_gguf(job, small)


def read_gguf(job: Job, path: pathlib.Path) -> Candidate:
    import gguf
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint
    reader = gguf.GGUFReader(path)
    kinds = count_types(t.tensor_type.name for t in reader.tensors if len(t.shape) > 1)
    header = int(reader.data_offset)
    del reader
    with contextlib.redirect_stderr(io.StringIO()):  # it draws progress
        tensors = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=job.model)["tensors"]
    size = path.stat().st_size
    return Candidate(tensors, size, size - header, kinds)


if __name__ == "__main__":
    quantize_gguf(*sys.argv[1:])
