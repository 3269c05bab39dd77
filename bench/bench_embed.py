#!/usr/bin/env python3
"""bench_embed - texts a second and latency of the encoder, beside torch.

    bench/bench_embed.py MODEL_FOLDER [--library build/release/libarrowquant.so] [--threads 2] [--rounds 3] [--no-torch]

512 lists of token ids, 4 to 250 long, the same for all, so that no tokenizer is measured. Batches of 32 come sorted by
length, as sentence-transformers makes them; latency is that of one list at a time, every fourth of them. The fastest of
the rounds counts, the median for latency. Then the command: from the start of the process to the first vector.

Tables are made from the folder for the rows that run quantized weights. `agreement` is the mean and the smallest cosine
with our FP32 vectors of the same lists.
"""
import argparse
import ctypes
import pathlib
import subprocess
import tempfile
import time

import numpy as np

LISTS, BATCH = 512, 32


class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("threads", ctypes.c_uint32), ("max_tokens", ctypes.c_uint32),
                ("compute", ctypes.c_char_p), ("folder", ctypes.c_char_p), ("normalize", ctypes.c_bool)]


class Encoder:
    """aq_encoder_* by ctypes."""

    def __init__(self, library, path, threads, compute):
        self.library, self.handle = library, ctypes.c_void_p()
        options = Options(ctypes.sizeof(Options), threads, 0, compute.encode(), None, False)
        status = library.aq_encoder_open(str(path).encode(), ctypes.byref(options), ctypes.byref(self.handle), None)
        if status != 0:
            raise SystemExit(f"bench_embed: cannot open {path}: status {status}")
        self.dimension = library.aq_encoder_dimension(self.handle)

    def __call__(self, lists):
        ids, lengths = np.concatenate(lists), np.array([len(x) for x in lists], np.uint32)
        out = np.empty((len(lists), self.dimension), np.float32)
        pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (ids, lengths, out)]
        status = self.library.aq_encoder_encode_ids(self.handle, pointers[0], pointers[1],
                                                    ctypes.c_size_t(len(lists)), pointers[2], None)
        assert status == 0, status
        return out


def torch_encoder(folder, threads):
    import torch
    import transformers
    torch.set_num_threads(threads)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def encode(lists):
        ids = torch.zeros(len(lists), max(map(len, lists)), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, x in enumerate(lists):
            ids[row, :len(x)], mask[row, :len(x)] = torch.from_numpy(x), 1
        with torch.inference_mode():
            hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        mask = mask[..., None]
        return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy()

    return encode


def token_lists():
    random = np.random.default_rng(7)
    lengths = np.clip(np.exp(random.normal(3.4, 0.9, LISTS)).astype(int) + 3, 4, 250)
    lists = [random.integers(1000, 30000, n).astype(np.int32) for n in lengths]
    return sorted(lists, key=len, reverse=True)


def measure(encode, lists, rounds):
    best, singles, vectors = float("inf"), [], None
    for _ in range(rounds):
        start = time.perf_counter()
        vectors = np.concatenate([encode(lists[i:i + BATCH]) for i in range(0, LISTS, BATCH)])
        best = min(best, time.perf_counter() - start)
    for one in lists[::4]:
        start = time.perf_counter()
        encode([one])
        singles.append(time.perf_counter() - start)
    return LISTS / best, np.median(singles), vectors


def process_start(command, model, compute, threads):
    times = []
    for _ in range(7):
        start = time.perf_counter()
        subprocess.run([command, "embed", model, "--text", "A cat sits outside.", "--compute", compute, "-t",
                        str(threads)], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--library", type=pathlib.Path, default=pathlib.Path("build/release/libarrowquant.so"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-torch", action="store_true")
    args = parser.parse_args()
    library, command = ctypes.CDLL(str(args.library.resolve())), args.library.parent / "arrowquant"
    lists = token_lists()
    print(f"{LISTS} lists, {sum(map(len, lists))} tokens; {args.threads} threads")
    print(f"{'':24}{'texts/s':>9}{'ms for one':>12}{'ms to first':>13}   agreement")
    if not args.no_torch:
        rate, single, _ = measure(torch_encoder(args.model, args.threads), lists, args.rounds)
        print(f"{'torch fp32':24}{rate:9.0f}{1e3 * single:12.2f}{'':13}")
    with tempfile.TemporaryDirectory() as folder:
        models = {"safetensors": args.model}
        for kind in ("int8", "int4"):
            models[kind] = pathlib.Path(folder, f"{kind}.parquet")
            subprocess.run([command, "quantize", args.model, "-o", models[kind], "--type", kind, "-q"], check=True)
        exact = None
        for name, model in models.items():
            for compute in ("fp32", "int8"):
                encode = Encoder(library, model, args.threads, compute)
                rate, single, vectors = measure(encode, lists, args.rounds)
                exact = vectors if exact is None else exact
                cosine = (vectors * exact).sum(1)
                first = process_start(command, model, compute, args.threads)
                print(f"{name + ' in ' + compute:24}{rate:9.0f}{1e3 * single:12.2f}{1e3 * first:13.0f}"
                      f"   {cosine.mean():.4f} {cosine.min():.4f}")


if __name__ == "__main__":
    main()
