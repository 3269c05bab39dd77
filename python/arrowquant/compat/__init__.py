"""The classes of the validation guide, for callers that know the schema from there.

Each is a few calls of the package's own functions, with the guide's names and defaults. They are importable from
`arrowquant` itself too, as the guide writes it; new code does better with `arrowquant.quantize` and `arrowquant.open`.
"""

from __future__ import annotations

from .converter import HuggingFaceToParquetConverter
from .loader import WeightLoader
from .quantizer import ArrowQuantizer, QuantizationConfig
from .schema import detect_schema_version

__all__ = [
    "ArrowQuantizer",
    "HuggingFaceToParquetConverter",
    "QuantizationConfig",
    "WeightLoader",
    "detect_schema_version",
]
