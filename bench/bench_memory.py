#!/usr/bin/env python3
"""bench_memory - peak resident memory of quantizing a synthetic model of 4 GB with one FP32 tensor of 1.2 GB in it.

    bench/bench_memory.py [--command PATH] [--folder .cache/bench] [--types int8,int4] [--limit-mb 400]

Measured: the VmHWM of the process (ru_maxrss, which the kernel takes from the same counter), mapped file pages counted.
ru_maxrss also remembers this interpreter before the exec, some 20 MB, so a smaller peak would not show.
The model is made in chunks from a fixed seed and removed afterwards; it needs about 6 GB of disk. Exits 1 when a peak
is above the limit.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHUNK = 1 << 20


def tensors():
    """(name, shape) of a model of 4 GB: a token table of 1.2 GB, then layers."""
    yield "embed_tokens.weight", [146485, 2048]
    for layer in range(25):
        for name, shape in (("attention.weight", [2048, 6144]), ("mlp.weight", [6144, 2048]), ("norm.weight", [2048])):
            yield f"layers.{layer}.{name}", shape
    yield "lm_head.weight", [34000, 2048]


def noise_chunk(rng):
    """1 MiB of FP32 values: random sign and mantissa, exponents that give about 0.001 to 0.06."""
    words = bytearray(rng.randbytes(CHUNK))
    exponents = rng.randbytes(CHUNK // 4)
    words[3::4] = bytes(0x80 * (b >> 7) | (0x3B + (b & 1)) for b in exponents)
    words[2::4] = bytes(b & 0x7F | (b & 0x40) << 1 for b in words[2::4])
    return bytes(words)


def write_model(path):
    header, offset = {}, 0
    for name, shape in tensors():
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    rng = random.Random(7)
    pool = [noise_chunk(rng) for _ in range(37)]  # a period that is no multiple of a row
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        done = 0
        while done < offset:
            done += out.write(pool[rng.randrange(len(pool))][:offset - done])
    return offset


def measure(command):
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"exit status {process.returncode}: {' '.join(map(str, command))}")
    return usage.ru_maxrss * 1024, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", default=ROOT / "build" / "release" / "arrowquant")
    parser.add_argument("--folder", default=ROOT / ".cache" / "bench", type=pathlib.Path)
    parser.add_argument("--types", default="int8,int4")
    parser.add_argument("--limit-mb", type=float, default=400)
    options = parser.parse_args()
    folder = options.folder / "memory"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        size = write_model(folder / "model.safetensors")
        largest = max(4 * shape[0] * shape[-1] for _, shape in tensors())
        print(f"model: {size / 1e9:.2f} GB FP32, largest tensor {largest / 1e9:.2f} GB; "
              f"limit {options.limit_mb:.0f} MB", flush=True)
        failed = False
        for kind in options.types.split(","):
            table = folder / "table.parquet"
            peak, seconds = measure([options.command, "quantize", folder / "model.safetensors", "-o", table, "--force",
                                     "--type", kind, "--quiet"])
            failed |= peak > options.limit_mb * 1e6
            print(f"{kind}: peak resident {peak / 1e6:.0f} MB (VmHWM, mapped pages counted), {seconds:.1f} s, "
                  f"{size / 1e6 / seconds:.0f} MB/s, table {table.stat().st_size / 1e9:.2f} GB", flush=True)
    finally:
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
