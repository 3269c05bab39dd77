#!/usr/bin/env python3
"""bench_generate - tokens a second of language models in codes, beside llama.cpp.

    bench/bench_generate.py [MODEL...] [--command build/release/arrowquant] [--threads 2] [--rounds 5]

Our `compute` int8 on a table of 8 bits runs beside Q8_0, and on one of 4 bits with a scale for each row beside Q4_0
(its table of tokens too): a prompt of 512 tokens, then 64 tokens one by one. The two take turns in one process, and the
fastest run of each counts. With one thread the clock is the CPU time of the process, which other work on the machine
changes little; with more it is the time that passes, and the machine must be idle. Loading is the CPU time of one
thread in a new process, with the file in the system's cache, until one token has been run; `MB/s` is the file over it.
"""
import argparse
import ctypes
import pathlib
import subprocess
import sys
import time

import decoder_models
import numpy as np
import quality_llama
from quality_peers import quiet

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMPT, WRITTEN, CONTEXT = 512, 64, 1024
PAIRS = (("int8", "--type int8", "Q8_0"), ("int4", "--type int4 --per channel --sym", "Q4_0"))

# ---- Engines: logits of tokens behind those that are held ------------------------------------------------------------


class Options(ctypes.Structure):
    """aq_decoder_options"""
    _fields_ = [("sizeof_options", ctypes.c_size_t), ("threads", ctypes.c_uint32), ("context", ctypes.c_uint32),
                ("folder", ctypes.c_char_p), ("compute", ctypes.c_char_p)]


class Ours:
    def __init__(self, path: pathlib.Path, library: pathlib.Path, threads: int):
        self.library = ctypes.CDLL(str(library))
        self.decoder, self.error = ctypes.c_void_p(), ctypes.create_string_buffer(8192)
        options = Options(ctypes.sizeof(Options), threads, CONTEXT, None, b"int8")
        self.check(self.library.aq_decoder_open(str(path).encode(), ctypes.byref(options), ctypes.byref(self.decoder),
                                                self.error))
        self.logits = np.empty(self.library.aq_decoder_vocabulary(self.decoder), np.float32)

    def check(self, status: int) -> None:
        if status != 0:
            raise RuntimeError(f"status {status} of the library")

    def run(self, past: int, ids: list[int]) -> None:
        tokens = np.array(ids, np.int32)
        self.check(self.library.aq_decoder_logits(
            self.decoder, ctypes.c_size_t(past), tokens.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(ids)),
            ctypes.c_size_t(1), self.logits.ctypes.data_as(ctypes.c_void_p), self.error))


class Theirs:
    def __init__(self, path: pathlib.Path, threads: int):
        self.library, self.ffi, _, _ = quality_llama.Llama.get()
        model = self.ffi.new("struct llama_model_params *", self.library.llama_model_default_params())
        model.n_gpu_layers = 0
        context = self.ffi.new("struct llama_context_params *", self.library.llama_context_default_params())
        context.n_ctx, context.n_batch, context.n_ubatch = CONTEXT, PROMPT, PROMPT
        context.n_threads = context.n_threads_batch = threads
        self.model = self.library.llama_model_load_from_file(str(path).encode(), model[0])
        self.context = self.library.llama_init_from_model(self.model, context[0])

    def run(self, past: int, ids: list[int]) -> None:
        if past == 0:
            self.library.llama_memory_clear(self.library.llama_get_memory(self.context), True)
        tokens = self.ffi.new("llama_token[]", ids)
        if self.library.llama_decode(self.context, self.library.llama_batch_get_one(tokens, len(ids))) != 0:
            raise RuntimeError("llama_decode fails")
        self.library.llama_synchronize(self.context)


# ---- Runs ------------------------------------------------------------------------------------------------------------


def speeds(engine, clock) -> tuple[float, float]:
    """Tokens a second of the prompt, and of what follows a token."""
    started = clock()
    engine.run(0, list(range(100, 100 + PROMPT)))
    prompted = clock() - started
    engine.run(0, [5])
    started = clock()
    for i in range(WRITTEN):
        engine.run(1 + i, [100 + i])
    return PROMPT / prompted, WRITTEN / (clock() - started)


def load_once(path: str, library: str) -> None:
    """In a process of its own: prints the seconds."""
    if library == "llama":
        quality_llama.Llama.get()  # its libraries do not count
    started = time.process_time()
    engine = Theirs(pathlib.Path(path), 1) if library == "llama" else Ours(pathlib.Path(path), pathlib.Path(library), 1)
    engine.run(0, [5])
    print(time.process_time() - started)


def load_seconds(path: pathlib.Path, library: pathlib.Path | str, rounds: int) -> float:
    command = [sys.executable, __file__, "--load", path, library]
    return min(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
               for _ in range(rounds))


def prepare_files(folder: pathlib.Path, pair: tuple[str, str, str], options) -> tuple[pathlib.Path, pathlib.Path]:
    kind, arguments, theirs = pair
    options.work.mkdir(parents=True, exist_ok=True)
    table, gguf = options.work / f"{folder.name}-{kind}.parquet", options.work / f"{folder.name}-{theirs}.gguf"
    if not table.exists():
        subprocess.run([options.command, "quantize", folder, "-o", table, "-q", *arguments.split()], check=True)
    if not gguf.exists():
        script = ROOT / "bench" / "decoder_methods.py"
        subprocess.run([sys.executable, script, folder.with_suffix(folder.suffix + ".gguf"), gguf, theirs, theirs, "2"],
                       check=True, capture_output=True)
    return table, gguf


def compare_pair(folder: pathlib.Path, pair: tuple[str, str, str], options) -> None:
    table, gguf = prepare_files(folder, pair, options)
    library = options.command.parent / "libarrowquant.so"
    clock = time.process_time if options.threads == 1 else time.perf_counter
    with quiet():
        engines = Ours(table, library, options.threads), Theirs(gguf, options.threads)
        best = [(0.0, 0.0), (0.0, 0.0)]
        for _ in range(options.rounds):
            for i, engine in enumerate(engines):
                best[i] = tuple(map(max, best[i], speeds(engine, clock)))
    (prompt, written), (their_prompt, their_written) = best
    one, other = load_seconds(table, library, options.rounds), load_seconds(gguf, "llama", options.rounds)
    print(f"{folder.name:16}{pair[0]:5} prompt {prompt:7.1f} tokens/s, {prompt / their_prompt:.2f} of {pair[2]}'s "
          f"{their_prompt:7.1f}; writing {written:6.1f}, {written / their_written:.2f} of {their_written:6.1f}; load "
          f"{one:.2f} s ({table.stat().st_size / one / 1e6:.0f} MB/s), {one / other:.2f} of {other:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="MODEL", default=["SmolLM2-135M", "Qwen2.5-0.5B"])
    parser.add_argument("--models", type=pathlib.Path, default=decoder_models.MODELS)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / ".cache/generate",
                        help="where quantized files are kept")
    parser.add_argument("--command", type=pathlib.Path, default=ROOT / "build/release/arrowquant")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--load", nargs=2, metavar=("FILE", "LIBRARY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        load_once(*options.load)
        return
    options.command = options.command.resolve()
    known = {d.name: d for d in decoder_models.DECODERS}
    print(subprocess.run([options.command, "--version"], check=True, capture_output=True, text=True).stdout, end="")
    for name in options.names:
        folder = decoder_models.prepare(known[name], options.models.resolve())
        for pair in PAIRS:
            compare_pair(folder, pair, options)


if __name__ == "__main__":
    main()
