"""quality_llama - llama.cpp as a peer: a GGUF of the model, its quantizer, and the values back from what it wrote.

llama.cpp is the build in the wheel llama-cpp-py-sync. That says manylinux2014 but wants version 2.38 of glibc, for
strtol and three relatives that C23 changed (a prefix 0b is a binary number now). Where glibc is older, a copy of the
libraries is used in which that want is marked weak, with a library beside it that has the four under their new names.
"""
import atexit
import ctypes
import json
import os
import pathlib
import platform
import shutil
import struct
import subprocess
import tempfile
import time

import numpy as np
from quality_peers import Job, Quantized

WANTED = "GLIBC_2.38"
RELATIVES = """
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
long __isoc23_strtol(const char *s, char **end, int base) { return strtol(s, end, base); }
unsigned long __isoc23_strtoul(const char *s, char **end, int base) { return strtoul(s, end, base); }
unsigned long long __isoc23_strtoull(const char *s, char **end, int base) { return strtoull(s, end, base); }
int __isoc23_sscanf(const char *s, const char *format, ...) {
  va_list list;
  va_start(list, format);
  int n = vsscanf(s, format, list);
  va_end(list);
  return n;
}
"""

# ---- The library -----------------------------------------------------------------------------------------------------


def mark_weak(path: pathlib.Path) -> None:
    """Sets the flag VER_FLG_WEAK of every version WANTED in the section .gnu.version_r of a 64-bit ELF file."""
    data = bytearray(path.read_bytes())
    table, = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * size) for i in range(count)]
    for kind, offset, link, needs in ((s[1], s[4], s[6], s[7]) for s in sections):
        if kind != 0x6FFFFFFE:  # SHT_GNU_verneed
            continue
        for _ in range(needs):
            _, versions, _, first, following = struct.unpack_from("<HHIII", data, offset)
            at = offset + first
            for _ in range(versions):
                _, flags, _, name, step = struct.unpack_from("<IHHII", data, at)
                begin = sections[link][4] + name
                if data[begin:data.index(0, begin)].decode() == WANTED:
                    struct.pack_into("<H", data, at + 4, flags | 2)
                at += step
            offset += following
    path.write_bytes(data)


def copy_for_old_glibc(place: pathlib.Path) -> pathlib.Path:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="llama-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for path in place.glob("lib*.so*"):
        mark_weak(pathlib.Path(shutil.copy(path, folder)))
    relatives = folder / "librelatives.so"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-x", "c", "-", "-o", relatives], check=True,
                   input=RELATIVES.encode())
    ctypes.CDLL(str(relatives), ctypes.RTLD_GLOBAL)
    return folder


def open_libraries():
    """llama's functions, their types, and ggml."""
    import llama_cpp_py_sync
    from llama_cpp_py_sync import _cffi_bindings as bindings
    place = pathlib.Path(llama_cpp_py_sync.__file__).parent
    version = platform.libc_ver()
    if version[0] == "glibc" and tuple(map(int, version[1].split("."))) < (2, 38):
        place = copy_for_old_glibc(place)
    ffi = bindings.get_ffi()
    for name in ("libggml-base.so.0", "libggml-cpu.so.0", "libggml.so.0"):
        ctypes.CDLL(str(place / name), ctypes.RTLD_GLOBAL)
    return ffi.dlopen(str(place / "libllama.so")), ffi, ctypes.CDLL(str(place / "libggml-base.so.0"))


class Llama:
    """Opened at the first use and kept, with its messages."""
    opened, said = None, []

    @classmethod
    def get(cls):
        if cls.opened is None:
            library, ffi, ggml = open_libraries()
            listen = ffi.callback("void(enum ggml_log_level, const char *, void *)",
                                  lambda level, text, data: cls.said.append(ffi.string(text).decode().strip()))
            library.llama_log_set(listen, ffi.NULL)
            cls.opened = library, ffi, ggml, listen
        return cls.opened


# ---- The way there and back ------------------------------------------------------------------------------------------


def write_gguf(job: Job, path: pathlib.Path) -> dict[str, str]:
    """The model in FP32 as llama.cpp's converter lays it out; returns its names of the tensors -> ours."""
    import gguf
    from safetensors.numpy import load_file
    config = json.loads((job.model / "config.json").read_text())
    layers = config["num_hidden_layers"]
    writer = gguf.GGUFWriter(str(path), "bert")
    writer.add_block_count(layers)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    known, names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, layers), {}
    for name, tensor in load_file(job.model / "model.safetensors").items():
        theirs = known.get_name(name, try_suffixes=(".weight", ".bias"))
        if theirs is not None and "pooler" not in name:
            writer.add_tensor(theirs, tensor.astype(np.float32))
            names[theirs] = name
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return names


class Traits(ctypes.Structure):
    """ggml_type_traits"""
    _fields_ = [("name", ctypes.c_char_p), ("block", ctypes.c_int64), ("interleave", ctypes.c_int64),
                ("size", ctypes.c_size_t), ("quantized", ctypes.c_bool),
                ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64))]


class Options(ctypes.Structure):
    """gguf_init_params"""
    _fields_ = [("no_alloc", ctypes.c_bool), ("context", ctypes.c_void_p)]


def read_back(path: pathlib.Path, names: dict[str, str], job: Job, ggml) -> tuple[dict, int, str]:
    """The matrices as ggml makes FP32 of them, the bytes stored for them, and how many are of which type."""
    for name in ("gguf_get_data_offset", "gguf_get_tensor_offset", "gguf_get_tensor_size"):
        getattr(ggml, name).restype = ctypes.c_size_t
    ggml.gguf_init_from_file.restype, ggml.gguf_get_tensor_name.restype = ctypes.c_void_p, ctypes.c_char_p
    ggml.gguf_get_n_tensors.restype, ggml.ggml_get_type_traits.restype = ctypes.c_int64, ctypes.POINTER(Traits)
    file = ctypes.c_void_p(ggml.gguf_init_from_file(str(path).encode(), Options(True, None)))
    data, begin = np.fromfile(path, np.uint8), ggml.gguf_get_data_offset(file)
    tensors, stored, kinds = {}, 0, {}
    for index in map(ctypes.c_int64, range(ggml.gguf_get_n_tensors(file))):
        name = names[ggml.gguf_get_tensor_name(file, index).decode()]
        if name not in job.matrices:
            continue
        traits = ggml.ggml_get_type_traits(ggml.gguf_get_tensor_type(file, index)).contents
        at, size = begin + ggml.gguf_get_tensor_offset(file, index), ggml.gguf_get_tensor_size(file, index)
        source, out = data[at:at + size], np.empty(job.matrices[name].shape, np.float32)
        if traits.name == b"f32":
            out[:] = source.view(np.float32).reshape(out.shape)
        else:
            traits.to_float(source.ctypes.data, out.ctypes.data, out.size)
        tensors[name], stored = out, stored + size
        kinds[traits.name.decode()] = kinds.get(traits.name.decode(), 0) + 1
    ggml.gguf_free(file)
    return tensors, stored, ", ".join(f"{n} {k}" for k, n in sorted(kinds.items()))


def llama_cpp(job: Job, kind: str, table: str | None = None) -> Quantized:
    """llama_model_quantize, which picks a type for every tensor and falls back where the shape does not fit; that of
    the token table can be asked for. The file has no pooler, as its converter leaves that out."""
    library, ffi, ggml, _ = Llama.get()
    with tempfile.TemporaryDirectory() as folder:
        plain, small = pathlib.Path(folder, "f32.gguf"), pathlib.Path(folder, "small.gguf")
        names = write_gguf(job, plain)
        options = ffi.new("llama_model_quantize_params *", library.llama_model_quantize_default_params())
        options.nthread, options.ftype = job.threads, getattr(library, f"LLAMA_FTYPE_MOSTLY_{kind}")
        if table is not None:
            options.output_tensor_type = options.token_embedding_type = getattr(library, f"GGML_TYPE_{table}")
        start = time.perf_counter()
        if library.llama_model_quantize(str(plain).encode(), str(small).encode(), options) != 0:
            raise RuntimeError(f"llama_model_quantize refuses {kind}: {Llama.said[-1]}")
        seconds = time.perf_counter() - start
        tensors, stored, kinds = read_back(small, names, job, ggml)
    return Quantized(tensors, stored, sum(m.size for m in tensors.values()), seconds, f"stored as {kinds}")
