"""What the interop tests share: the command, small models, and the readers of four Parquet libraries."""
import json
import os
import pathlib
import re
import struct
import subprocess

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("AQ_COMMAND", str(ROOT / "build" / "release" / "arrowquant"))
MINILM = ROOT / ".cache" / "models" / "all-MiniLM-L6-v2"

# ---- The command -----------------------------------------------------------------------------------------------------


def run(*args, expect=0, env=None, cwd=None):
    """Runs the command; any exit status but the expected one is a failure that shows what it said."""
    done = subprocess.run([COMMAND, *map(str, args)], capture_output=True, text=True, cwd=cwd,
                          env={**os.environ, **(env or {})})
    said = f"arrowquant {' '.join(map(str, args))}\n{done.stdout}{done.stderr}"
    assert done.returncode == expect, f"exit status {done.returncode}, expected {expect}: {said}"
    return done


def cpu_sets():
    """What AQ_CPU accepts on this machine, as --version tells it."""
    return re.search(r"AQ_CPU accepts: ([a-z0-9_ ]+)", run("--version").stdout)[1].split()


# ---- safetensors, written by hand so that every dtype is there -------------------------------------------------------

ST_DTYPES = {  # safetensors name: (numpy type of the bits, name in the dtype column)
    "F64": ("<f8", "torch.float64"), "F32": ("<f4", "torch.float32"), "F16": ("<f2", "torch.float16"),
    "BF16": ("<u2", "torch.bfloat16"), "I64": ("<i8", "torch.int64"), "I32": ("<i4", "torch.int32"),
    "I16": ("<i2", "torch.int16"), "I8": ("i1", "torch.int8"), "U8": ("u1", "torch.uint8"), "BOOL": ("u1", "torch.bool"),
}


def bf16_bits(x):
    """FP32 to BF16, nearest even, as the bits."""
    u = np.ascontiguousarray(x, dtype="<f4").view("<u4").astype(np.uint64)
    return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype("<u2")


def as_f32(st_dtype, bits):
    """The values of a float tensor of a model as FP32."""
    if st_dtype == "BF16":
        return (bits.astype("<u4") << 16).view("<f4")
    return bits.astype("<f4")


def write_safetensors(path, model):
    """model: {name: (safetensors dtype, array of the bits)}."""
    header, offset = {}, 0
    for name, (dtype, bits) in model.items():
        header[name] = {"dtype": dtype, "shape": list(bits.shape), "data_offsets": [offset, offset + bits.nbytes]}
        offset += bits.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, bits in model.values():
            out.write(np.ascontiguousarray(bits).tobytes())


def read_safetensors(path):
    """{name: (dtype, shape, bytes)}."""
    raw = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    base = 8 + size
    return {n: (t["dtype"], t["shape"], raw[base + t["data_offsets"][0]:base + t["data_offsets"][1]])
            for n, t in header.items()}


def noise(seed, *shape):
    """Numbers in [-1, 1) with 24 bits, the same on every machine and in every version (SplitMix64)."""
    with np.errstate(over="ignore"):
        z = (np.arange(np.prod(shape, dtype=int), dtype="<u8") + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype("<f4") * np.float32(2.0**-23) - np.float32(1)).reshape(shape)


def small_model():
    """A model of some 100 kB with every dtype and rank and the awkward shapes and values."""
    seeds = iter(range(1, 1000))

    def uniform(*shape):  # the sum of two: a hump, as weights have
        return noise(next(seeds), *shape) * np.float32(0.5) + noise(next(seeds), *shape) * np.float32(0.5)

    heavy = uniform(40, 64)
    heavy *= heavy * heavy * np.float32(8)
    outlier = uniform(16, 50)
    outlier[3, 7] = np.float32(90)
    model = {
        "encoder.attention.weight": ("F32", uniform(64, 96)),
        "encoder.heavy.weight": ("F32", heavy),
        "encoder.outlier.weight": ("F32", outlier),
        "odd.weight": ("F32", uniform(7, 33)),
        "one_sided.weight": ("F32", np.abs(uniform(12, 40)) + np.float32(0.5)),
        "zero_rows.weight": ("F32", np.concatenate([uniform(4, 32), np.zeros((4, 32), np.float32)])),
        "constant.weight": ("F32", np.full((6, 30), 0.37, np.float32)),
        "tiny.weight": ("F32", uniform(8, 32) * np.float32(2.0 ** -140)),
        "experts.weight": ("F32", uniform(3, 20, 48)),
        "conv.weight": ("F32", uniform(5, 4, 3, 3)),
        "half.weight": ("F16", uniform(24, 40).astype("<f2")),
        "brain.weight": ("BF16", bf16_bits(uniform(24, 40))),
        "double.weight": ("F64", uniform(10, 40).astype("<f8")),
        "norm.bias": ("F32", uniform(64)),
        "norm.empty": ("F32", np.zeros((0, 8), np.float32)),
        "logit_scale": ("F32", np.array(4.6052, np.float32)),
        "position_ids": ("I64", np.arange(128, dtype="<i8").reshape(1, 128)),
        "steps": ("I32", np.arange(-5, 5, dtype="<i4")),
        "shorts": ("I16", np.arange(-5, 5, dtype="<i2")),
        "signed": ("I8", np.arange(-5, 5, dtype="i1")),
        "unsigned": ("U8", np.arange(250, 256, dtype="u1")),
        "mask": ("BOOL", np.array([0, 1, 1, 0], dtype="u1")),
    }
    model["head.weight"] = model["encoder.attention.weight"]  # tied
    return model


def pytest_addoption(parser):
    parser.addoption("--regenerate-golden", action="store_true", help="write tests/interop/golden*.json anew")


@pytest.fixture(scope="session")
def model():
    return small_model()


@pytest.fixture(scope="session")
def model_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    write_safetensors(path, model)
    return path


@pytest.fixture(scope="session")
def minilm():
    if not (MINILM / "model.safetensors").is_file():
        pytest.skip("the model is not here: scripts/fetch-model")
    return MINILM


# ---- Readers: a table as a list of plain rows, one reader a library --------------------------------------------------

V1_COLUMNS = ["layer_name", "shape", "dtype", "data", "num_params"]
V2_COLUMNS = V1_COLUMNS + ["quant_type", "scales", "zero_points", "quant_axis", "group_size"]


def plain(value):
    """One cell as str, int, bytes or a list of int."""
    if value is None or isinstance(value, (str, int, bytes)):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, np.integer):
        return int(value)
    return [int(x) for x in value]


def plain_rows(columns, rows):
    return [dict(zip(columns, map(plain, row), strict=True)) for row in rows]


def read_pyarrow(path):
    import pyarrow.parquet as pq
    table = pq.ParquetFile(path, page_checksum_verification=True).read()
    return plain_rows(table.column_names, zip(*(column.to_pylist() for column in table.columns)))


def read_duckdb(path):
    import duckdb
    found = duckdb.connect().execute("select * from read_parquet(?)", [str(path)])
    return plain_rows([c[0] for c in found.description], found.fetchall())


def read_polars(path):
    import polars
    frame = polars.read_parquet(path)
    return plain_rows(frame.columns, frame.rows())


def read_fastparquet(path):
    import fastparquet
    frame = fastparquet.ParquetFile(str(path)).to_pandas()
    return plain_rows(list(frame.columns), frame.itertuples(index=False))


READERS = {"pyarrow": read_pyarrow, "duckdb": read_duckdb, "polars": read_polars, "fastparquet": read_fastparquet}

# ---- The format, written down a second time: numpy only --------------------------------------------------------------

BITS = {"int8": 8, "int4": 4, "int3": 3, "int2": 2}


def unpack(quant_type, data, count):
    """Codes q of a row, as FP32."""
    bits = BITS[quant_type]
    assert len(data) == -(-count * bits // 8)
    if bits == 8:
        return np.frombuffer(data, "i1").astype(np.float32)
    stream = np.unpackbits(np.frombuffer(data, "u1"), bitorder="little")
    assert not stream[count * bits:].any(), "unused bits must be zero"
    digits = stream[:count * bits].reshape(count, bits)
    stored = (digits * (1 << np.arange(bits))).sum(axis=1)
    return (stored - (1 << (bits - 1))).astype(np.float32)


def spread(row):
    """Index of the scale of every element."""
    count = row["num_params"]
    if row["quant_axis"] == -1:
        return np.zeros(count, np.int64)
    if row["group_size"] > 0:
        return np.arange(count) // row["group_size"]
    return np.arange(count) // max(1, count // row["shape"][0])


def dequantize(row):
    """The one formula: x = (q - zero_point) * scale in FP32."""
    q = unpack(row["quant_type"], row["data"], row["num_params"])
    index = spread(row)
    scale, zero = (np.frombuffer(row[c], "<f4") for c in ("scales", "zero_points"))
    assert len(scale) == len(zero) == (index.max() + 1 if len(index) else len(scale))
    return ((q - zero[index]) * scale[index]).astype("<f4")
