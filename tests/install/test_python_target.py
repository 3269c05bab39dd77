"""`pip install --target DIR .`: the package and the command work from there, wherever DIR is."""
import os
import pathlib
import shutil
import subprocess
import sys

import numpy
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(1200)  # it compiles


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    target = tmp_path_factory.mktemp("installed") / "target"
    pip = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps",
                          "--target", str(target), str(ROOT)], capture_output=True, text=True)
    assert pip.returncode == 0, pip.stdout + pip.stderr
    return target


PYTHON = [sys.executable, "-S"]  # without what is installed into this environment, which may be this package
NUMPY = str(pathlib.Path(numpy.__file__).parents[1])


def call(*command, path, cwd):
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join([str(path), NUMPY] if path else [NUMPY]),
           "HOME": str(cwd)}
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, env=env, cwd=cwd)


def test_module_runs_the_command_that_came_with_it(target, tmp_path):
    for cwd, path in ((tmp_path, target), (target, "")):
        result = call(*PYTHON, "-m", "arrowquant", "--version", path=path, cwd=cwd)
        assert result.returncode == 0 and result.stdout.startswith("arrowquant "), result.stderr
    result = call(*PYTHON, "-m", "arrowquant", "info", "absent.safetensors", path=target, cwd=tmp_path)
    assert result.returncode == 3 and "absent.safetensors" in result.stderr
    script = call(target / "bin" / "arrowquant", "--version", path="", cwd=tmp_path)
    assert script.returncode == 0 and script.stdout.startswith("arrowquant ")


def test_package_is_imported_from_there(target, tmp_path):
    code = "import arrowquant; print(arrowquant.__file__)"
    result = call(*PYTHON, "-c", code, path=target, cwd=tmp_path)
    assert result.stdout.strip() == str(target / "arrowquant" / "__init__.py"), result.stderr


@pytest.mark.parametrize(("package", "command"), [
    (".", "bin"), ("lib/python3.11/site-packages", "bin")], ids=["target", "prefix"])
def test_the_command_is_the_one_of_this_installation(target, tmp_path, package, command):
    """Not that of the interpreter, which may be of another version."""
    shutil.copytree(target / "arrowquant", tmp_path / package / "arrowquant")
    script = tmp_path / command / "arrowquant"
    script.parent.mkdir(exist_ok=True)
    script.write_text("#!/bin/sh\necho this one: $1\n")
    script.chmod(0o755)
    result = call(*PYTHON, "-m", "arrowquant", "x", path=tmp_path / package, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "this one: x\n"), result.stderr
    os.remove(script)
    (tmp_path / command / "arrowquant").mkdir()  # a folder is no command
    result = call(*PYTHON, "-m", "arrowquant", "--version", path=tmp_path / package, cwd=tmp_path)
    assert "Permission" not in result.stderr
