"""What the tests of the command share: running it, and inputs made byte by byte. Standard library and pytest only;
sizes in tables are measured by page_sizes.py."""
import hashlib
import json
import os
import pathlib
import random
import struct
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("AQ_COMMAND", str(ROOT / "build" / "release" / "arrowquant"))
COMMANDS = ["convert", "quantize", "info", "verify", "compare", "validate", "export", "tokenize", "embed",
            "score", "sensitivity", "perplexity", "generate"]
TIMEOUT = 120


def environment(**changes):
    """A bare environment, so that what is printed does not depend on the caller's."""
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TERM": "xterm"}
    for name in ("AQ_CPU", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LLVM_PROFILE_FILE"):
        if name in os.environ:
            env[name] = os.environ[name]
    env.update(changes)
    return env


def run(*args, cwd, command=COMMAND, env=None, **popen):
    return subprocess.run([command, *map(str, args)], cwd=cwd, env=environment(**(env or {})), capture_output=True,
                          text=True, timeout=TIMEOUT, **popen)


def done(*args, cwd, status=0, **popen):
    """Runs the command and expects this exit status."""
    result = run(*args, cwd=cwd, **popen)
    assert result.returncode == status, f"exit status {result.returncode}: {result.stdout}{result.stderr}"
    return result


def snapshot(folder):
    """{relative path: digest or kind} of everything in a folder."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        name = str(path.relative_to(folder))
        try:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        except PermissionError:
            found[name] = "unreadable"
    return found


def refused(*args, cwd, status, says, reports=None, **popen):
    """The command must fail with this status, say so in one line that holds all of `says`, print nothing else, and
    leave the folder as it was. A command that looked at everything before it failed `reports` these words besides."""
    before = snapshot(cwd)
    result = run(*args, cwd=cwd, **popen)
    told = f"exit status {result.returncode}\nstdout: {result.stdout}\nstderr: {result.stderr}"
    assert result.returncode == status, told
    assert result.stderr.startswith("arrowquant: error: ") and result.stderr.count("\n") == 1, told
    assert result.stderr.endswith("\n"), told
    assert reports in result.stdout if reports else result.stdout == "", told
    for words in [says] if isinstance(says, str) else says:
        assert words.lower() in result.stderr.lower(), f"'{words}' is missing: {told}"
    assert snapshot(cwd) == before, f"something was left behind: {told}"
    return result.stderr


def floats(count, seed=1, scale=0.1):
    rng = random.Random(seed)
    return struct.pack(f"<{count}f", *(rng.gauss(0, scale) for _ in range(count)))


def safetensors(tensors, extra=None):
    """Bytes of a safetensors file. tensors: {name: (dtype, shape, bytes)}; extra: more header entries."""
    header, offset = dict(extra or {}), 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


def tiny_tensors():
    """Two matrices, a bias, a scalar and some integers: 16 kB."""
    return {
        "embed.weight": ("F32", (32, 64), floats(2048, 1)),
        "layer.0.weight": ("F32", (32, 48), floats(1536, 2)),
        "layer.0.bias": ("F32", (32,), floats(32, 3)),
        "logit_scale": ("F32", (), struct.pack("<f", 4.5)),
        "position_ids": ("I64", (1, 8), struct.pack("<8q", *range(8))),
    }


def write_tiny(path):
    pathlib.Path(path).write_bytes(safetensors(tiny_tensors(), {"__metadata__": {"format": "pt"}}))
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder with the tiny model as model.safetensors."""
    write_tiny(tmp_path / "model.safetensors")
    return tmp_path


@pytest.fixture(scope="session")
def big_model(tmp_path_factory):
    """128 MB in 64 matrices: seconds of work for the slowest settings, and not much on the disk twice."""
    path = tmp_path_factory.mktemp("big") / "big.safetensors"
    block = floats(1 << 16, 7) * 8  # 2 MiB
    header, offset = {}, 0
    for i in range(64):
        header[f"layer.{i}.weight"] = {"dtype": "F32", "shape": [1024, 512],
                                       "data_offsets": [offset, offset + len(block)]}
        offset += len(block)
    text = json.dumps(header).encode()
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for i in range(64):
            # Every matrix differs a little, so that none is found to be a tied copy of another.
            out.write(struct.pack("<f", i / 100) + block[4:])
    return path
