"""`python -m arrowquant`: the command."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path


def find_command() -> str | None:
    """The command that was installed with this package, else one on the PATH."""
    schemes = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", f"{os.name}_user")]
    for folder in [*schemes, str(Path(sys.executable).parent)]:
        candidate = Path(folder) / "arrowquant"
        if os.access(candidate, os.X_OK):
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
