#!/usr/bin/env python3
"""bench_quantize - int8 min-max quantization of a model: arrowquant against pyarrow + torch, in one run.

    bench/bench_quantize.py [--command PATH] [--model FILE.safetensors] [--repeats 7] [--threads N]

The job: read model.safetensors, quantize every matrix to int8 with one symmetric min-max scale a row, keep the rest,
write the V2 table (FORMAT.md). The Python side does it as someone who knows torch would: vectorised, no loop over
elements; the table is written with pyarrow's default codec. The two alternate, so that a slow moment of the machine
meets both. Printed: medians over the repeats (and the fastest), and two ratios: against the whole Python process, and
against the time inside it without interpreter start and imports.
"""
import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
V2 = ["layer_name", "shape", "dtype", "data", "num_params", "quant_type", "scales", "zero_points", "quant_axis",
      "group_size"]


def quantize_in_python(model, output, threads):
    """The same job with pyarrow + torch; returns the seconds without imports."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import safetensors.torch
    import torch
    if threads:
        torch.set_num_threads(threads)
    start = time.perf_counter()
    rows = {column: [] for column in V2}
    for name, tensor in safetensors.torch.load_file(model).items():
        scales = zero_points = b""
        data, kind, axis = tensor.contiguous(), "fp32", -1
        if tensor.ndim >= 2 and tensor.is_floating_point():
            flat = tensor.reshape(tensor.shape[0], -1).float()
            scale = (flat.abs().amax(dim=1) / 127).clamp_min(torch.finfo(torch.float32).tiny)
            data = (flat / scale[:, None]).round_().clamp_(-127, 127).to(torch.int8)
            scales, zero_points = scale.numpy().tobytes(), bytes(4 * len(scale))
            kind, axis = "int8", 0
        row = [name, list(tensor.shape), str(tensor.dtype), data.numpy().tobytes(), tensor.numel(), kind, scales,
               zero_points, axis, 0]
        for column, value in zip(V2, row):
            rows[column].append(value)
    schema = pa.schema([("layer_name", pa.string()), ("shape", pa.list_(pa.int32())), ("dtype", pa.string()),
                        ("data", pa.binary()), ("num_params", pa.int64()), ("quant_type", pa.string()),
                        ("scales", pa.binary()), ("zero_points", pa.binary()), ("quant_axis", pa.int32()),
                        ("group_size", pa.int32())])
    pq.write_table(pa.table(rows, schema=schema), output)
    return time.perf_counter() - start


def timed(command):
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def describe(options):
    import pyarrow
    import torch
    version = timed([options.command, "--version"])[1].strip().replace("\n", ", ")
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
               platform.processor())
    print(f"machine: {cpu}, {len(os.sched_getaffinity(0))} CPUs; Python {platform.python_version()}, "
          f"torch {torch.__version__}, pyarrow {pyarrow.__version__}")
    print(f"ours:    {version}")
    print(f"model:   {pathlib.Path(options.model).name}, {os.path.getsize(options.model) / 1e6:.1f} MB")
    print("job:     int8, per channel, symmetric, min-max; "
          f"threads: {options.threads or 'default of each'}; {options.repeats} repeats, alternating\n")


def show(name, seconds, size):
    print(f"{name:34} median {statistics.median(seconds):7.3f} s   fastest {min(seconds):7.3f} s   "
          f"{size / 1e6:6.2f} MB")


def measure(options, folder):
    ours_out, theirs_out = folder / "ours.parquet", folder / "theirs.parquet"
    ours_command = [options.command, "quantize", options.model, "-o", ours_out, "--force", "--type", "int8", "--per",
                    "channel", "--method", "minmax", "--quiet"]
    theirs_command = [sys.executable, __file__, "--model", options.model, "--python-side", theirs_out]
    if options.threads:
        ours_command += ["--threads", str(options.threads)]
        theirs_command += ["--threads", str(options.threads)]
    ours, whole, inside = [], [], []
    for repeat in range(options.repeats + 1):
        a, _ = timed(ours_command)
        b, printed = timed(theirs_command)
        if repeat > 0:  # the first round warms the page cache and the imports
            ours.append(a)
            whole.append(b)
            inside.append(float(printed))
    show("arrowquant, whole process", ours, ours_out.stat().st_size)
    show("pyarrow + torch, whole process", whole, theirs_out.stat().st_size)
    show("pyarrow + torch, without imports", inside, theirs_out.stat().st_size)
    median = statistics.median
    print(f"\nratio to the whole process: {median(whole) / median(ours):.1f}"
          f"\nratio without imports:      {median(inside) / median(ours):.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", default=ROOT / "build" / "release" / "arrowquant")
    parser.add_argument("--model", default=ROOT / ".cache" / "models" / "all-MiniLM-L6-v2" / "model.safetensors")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--python-side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.python_side:
        print(quantize_in_python(options.model, options.python_side, options.threads))
        return
    describe(options)
    with tempfile.TemporaryDirectory() as folder:
        measure(options, pathlib.Path(folder))


if __name__ == "__main__":
    main()
