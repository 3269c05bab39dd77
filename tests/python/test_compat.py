"""The guide's classes: one object each, under the package's name and under compat's; and what an import brings along."""

from __future__ import annotations

import subprocess
import sys

import arrowquant
from arrowquant import compat


def test_the_guides_names_are_importable_from_the_package():
    assert sorted(compat.__all__) == [
        "ArrowQuantizer",
        "HuggingFaceToParquetConverter",
        "QuantizationConfig",
        "WeightLoader",
        "detect_schema_version",
    ]
    for name in compat.__all__:
        assert name in arrowquant.__all__
        assert getattr(arrowquant, name) is getattr(compat, name)


def test_the_package_brings_numpy_and_nothing_else_along():
    code = (
        "import sys, numpy.typing; before = {name.split('.')[0] for name in sys.modules}; import arrowquant; "
        "print(*{name.split('.')[0] for name in sys.modules} - before - set(sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["arrowquant"]
