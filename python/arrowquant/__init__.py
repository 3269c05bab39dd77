"""arrowquant: quantize neural-network weights into Parquet tables, and measure what that costs.

    import arrowquant

    arrowquant.quantize("model.safetensors", "model.parquet", type="int4")
    with arrowquant.open("model.parquet") as weights:
        w = weights["encoder.layer.0.attention.self.query.weight"]
        print(w.shape, w.quant_type, w.scales.shape)
        values = w.dequantize()

    encoder = arrowquant.Encoder("model.parquet", compute="int8")
    vectors = encoder.encode(["a sentence", "another one"])

Sources may also be mappings of NumPy or torch tensors, torch modules, and tables of pyarrow, polars or DuckDB, and
an opened source is an Arrow stream for those. NumPy is needed; torch and pyarrow are used when a call asks for
them. Errors are `ArrowQuantError`s (see `arrowquant.errors`).
"""

from __future__ import annotations

from . import _core, compat, errors
from .api import Progress, compare, convert, export, info, open, perplexity, quantize, validate, verify
from .compat import (
    ArrowQuantizer,
    HuggingFaceToParquetConverter,
    QuantizationConfig,
    WeightLoader,
    detect_schema_version,
)
from .cross_encoder import CrossEncoder
from .decoder import Decoder
from .encoder import Encoder
from .errors import *  # noqa: F403
from .report import Report
from .tensors import Source, Tensor
from .tokenizer import Tokenizer

__version__ = _core.version

__all__ = [
    "ArrowQuantizer",
    "CrossEncoder",
    "Decoder",
    "Encoder",
    "HuggingFaceToParquetConverter",
    "Progress",
    "QuantizationConfig",
    "Report",
    "Source",
    "Tensor",
    "Tokenizer",
    "WeightLoader",
    "__version__",
    "compare",
    "compat",
    "convert",
    "cpu_in_use",
    "detect_schema_version",
    "errors",
    "export",
    "info",
    "open",
    "perplexity",
    "quantize",
    "validate",
    "verify",
    *errors.__all__,
]


def cpu_in_use() -> str:
    """The instruction set in use: "ref", "avx2", "avxvnni", "avx512", "avx512vnni", "neon" or "neondot".

    The environment variable AQ_CPU limits it.
    """
    return _core.cpu()
