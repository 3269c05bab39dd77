#!/usr/bin/env python3
"""decoder_models - real language models as Hugging Face folders in FP32, made from the GGUF files at hand.

    bench/decoder_models.py [NAME...] [--models .cache/models]

    SmolLM2-135M           SmolLM2-135M-Instruct, 135 M, Llama architecture, tied head: from a GGUF in Q4_1
    SmolLM2-135M-dithered  the same with uniform noise of one step of its Q4_1 grid, for grids that fall on that one
    Qwen2.5-0.5B           Qwen2.5-Coder-0.5B-Instruct as its GGUF has it, head (Q8_0) and table (Q5_0) apart, 630 M
    Qwen2.5-0.5B-tied      the head's values as both, in one matrix, as the published model is tied, 494 M
    Gemma-3-270M           Gemma 3 270M, 268 M of which 168 M are its table of 262,144 tokens, tied: from Q4_K_M

Each is a reference of its own: what its GGUF lost before does not matter to a comparison of what is lost after it, but
figures of two references do not stand in one column. From the packed file gguf makes NAME.gguf with every tensor in F32
(what llama.cpp quantizes), and from that transformers makes the folder NAME: model.safetensors, config, tokenizer.
"""
import argparse
import contextlib
import dataclasses
import io
import pathlib
import shutil
import sys

import gguf
import model_packages
import numpy as np
from model_packages import MODELS, Packed

TABLE, HEAD = "token_embd.weight", "output.weight"
SEED = 20250207


@dataclasses.dataclass(frozen=True)
class Decoder:
    name: str
    packed: Packed
    dithered: bool = False  # noise of one step is added to what is Q4_1
    tied: bool = False  # the head's values are the table's, and there is no head


DECODERS = (Decoder("SmolLM2-135M", model_packages.SMOLLM2),
            Decoder("SmolLM2-135M-dithered", model_packages.SMOLLM2, dithered=True),
            Decoder("Qwen2.5-0.5B", model_packages.QWEN),
            Decoder("Qwen2.5-0.5B-tied", model_packages.QWEN, tied=True),
            Decoder("Gemma-3-270M", model_packages.GEMMA))

# ---- GGUF in F32 -----------------------------------------------------------------------------------------------------


def values_of(tensor: gguf.ReaderTensor) -> np.ndarray:
    """In FP32, rows last but one."""
    shape = tuple(int(n) for n in reversed(tensor.shape))
    return gguf.dequantize(tensor.data, tensor.tensor_type).reshape(shape).astype(np.float32, copy=False)


def dither(tensor: gguf.ReaderTensor, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The values with noise between minus and plus half a step of their group of 32. A block of Q4_1 is 20 bytes, of
    which the first two are the step in FP16."""
    if tensor.tensor_type != gguf.GGMLQuantizationType.Q4_1:
        return values
    steps = np.ascontiguousarray(tensor.data.reshape(-1, 20)[:, :2]).view(np.float16).astype(np.float32)
    noise = rng.random((len(steps), 32), np.float32) - np.float32(0.5)
    return (values.reshape(-1, 32) + noise * np.abs(steps)).reshape(values.shape)


def copy_metadata(reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, inner)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def write_plain(decoder: Decoder, source: pathlib.Path, path: pathlib.Path) -> None:
    reader, rng = gguf.GGUFReader(source), np.random.default_rng(SEED)
    tensors = {t.name: t for t in reader.tensors}
    if decoder.tied:
        tensors[TABLE] = tensors.pop(HEAD)
    writer = gguf.GGUFWriter(str(path), str(reader.fields["general.architecture"].contents()))
    copy_metadata(reader, writer)
    for name, tensor in tensors.items():
        writer.add_tensor_info(name, [int(n) for n in reversed(tensor.shape)], np.dtype(np.float32),
                               int(tensor.n_elements) * 4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors.values():  # one at a time: all of them would not fit a small machine
        values = values_of(tensor)
        writer.write_tensor_data(dither(tensor, values, rng) if decoder.dithered else values)
    writer.close()


# ---- The folder ------------------------------------------------------------------------------------------------------


def write_folder(plain: pathlib.Path, folder: pathlib.Path) -> None:
    import torch
    import transformers
    transformers.logging.set_verbosity_error()
    where, name = str(plain.parent), plain.name
    with contextlib.redirect_stderr(io.StringIO()):  # it draws progress
        model = transformers.AutoModelForCausalLM.from_pretrained(where, gguf_file=name, dtype=torch.float32)
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, gguf_file=name)
    model.hf_quantizer = None  # the values are plain FP32: a file in GGUF counts as quantized, and would not be saved
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder, max_shard_size="20GB")
    tokenizer.save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)


def prepare(decoder: Decoder, models: pathlib.Path) -> pathlib.Path:
    """The folder of that model, made if it is not there."""
    folder, plain = models / decoder.name, models / f"{decoder.name}.gguf"
    if (folder / "model.safetensors").exists() and plain.exists():
        return folder
    source = model_packages.unpack(decoder.packed, models / "packed" / f"{decoder.packed.sha256[:16]}.gguf")
    print(f"Making {folder}", flush=True)
    partial = models / f"{decoder.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    made = partial / plain.name
    partial.mkdir(parents=True)
    write_plain(decoder, source, made)
    write_folder(made, partial / "folder")
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(plain)
    (partial / "folder").rename(folder)
    partial.rmdir()
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (all)")
    parser.add_argument("--models", type=pathlib.Path, default=MODELS)
    options = parser.parse_args()
    known = {d.name: d for d in DECODERS}
    for name in options.names or known:
        if name not in known:
            sys.exit(f"decoder_models: no model {name}; there are {', '.join(known)}")
        print(prepare(known[name], options.models.resolve()), flush=True)


if __name__ == "__main__":
    main()
