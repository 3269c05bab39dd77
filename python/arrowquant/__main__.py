"""`python -m arrowquant`: the command."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path


def find_command() -> str | None:
    """The command that was installed with this package, else one on the PATH."""
    above = Path(__file__).resolve().parents  # arrowquant/, then the folder that was installed into, ...
    own = [above[1] / "bin"]  # pip install --target DIR: DIR/arrowquant and DIR/bin
    if len(above) > 4:
        own.append(above[4] / "bin")  # --prefix DIR: DIR/lib/python3.x/site-packages/arrowquant and DIR/bin
    schemes = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", f"{os.name}_user")]
    for folder in [*own, *map(Path, schemes), Path(sys.executable).parent]:
        candidate = folder / "arrowquant"
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    return shutil.which("arrowquant")


def main() -> None:
    """Becomes the command."""
    command = find_command()
    if command is None:
        sys.exit("arrowquant: the command is not installed beside this package; install it again")
    sys.stdout.flush()
    os.execv(command, ["arrowquant", *sys.argv[1:]])


if __name__ == "__main__":
    main()
