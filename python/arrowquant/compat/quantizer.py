"""`QuantizationConfig` and `ArrowQuantizer`: the classes that users of this schema know.

They differ from `arrowquant.quantize` in their defaults: every floating-point tensor is quantized, 1-D ones included,
`mixed_precision_layers` are substrings of names, and an existing output is replaced.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any, Literal

from .. import api
from .._calibration import Activations
from .._progress import ProgressLine
from ..errors import ConfigurationError
from ..report import Report
from .calibration_data import by_weight

__all__ = ["ArrowQuantizer", "QuantizationConfig"]

QUANT_TYPES = ("int8", "int4", "int3", "int2", "fp16")
CALIBRATION_METHODS = ("ptq", "gptq")
GROUP_SIZE_MAX = 16777216
# Group size of a type below 8 bits when neither channels nor groups are asked for.
GROUP_SIZE_DEFAULT = 128

_CONVERTIBLE = ("torch.float64", "torch.float32", "torch.float16", "torch.bfloat16")


def _alternatives(choices: tuple[str, ...]) -> str:
    return " or ".join(f"'{choice}'" for choice in choices)


@dataclass
class QuantizationConfig:
    """How a model is quantized.

    Attributes:
        quant_type: "int8", "int4", "int3", "int2"; or "fp16", which converts.
        calibration_method: "ptq", quantization after training, without data. "gptq": codes are rounded so that the
            outputs of layers stay close, for the `calibration_data` that goes into them.
        per_channel: a scale for every channel of axis 0; False: one for the tensor. 1-D tensors always have one scale.
        symmetric: zero points are 0.
        group_size: 0, or one scale for every `group_size` elements, regardless of `per_channel`. int2 (and int3, int4)
            without per_channel gets 128: one scale for a whole tensor would leave nothing of it.
        mixed_precision_layers: tensors whose name contains one of these texts are kept as fp16.

    Raises:
        ConfigurationError: names the key, the value and what was expected.

    """

    quant_type: Literal["int8", "int4", "int3", "int2", "fp16"] = "int8"
    calibration_method: Literal["ptq", "gptq"] = "ptq"
    per_channel: bool = True
    symmetric: bool = True
    group_size: int = 0
    mixed_precision_layers: list[str] | None = None

    def __post_init__(self) -> None:
        self._check_choice("quant_type", QUANT_TYPES)
        self._check_choice("calibration_method", CALIBRATION_METHODS)
        self._check_bool("per_channel")
        self._check_bool("symmetric")
        self._check_group_size()
        self._check_layers()
        if self.group_size == 0 and not self.per_channel and self.quant_type in ("int2", "int3", "int4"):
            self.group_size = GROUP_SIZE_DEFAULT

    def _check_choice(self, key: str, choices: tuple[str, ...]) -> None:
        value = getattr(self, key)
        if not isinstance(value, str) or value not in choices:
            raise ConfigurationError(f"Invalid {key}: {value!r}", key, value, _alternatives(choices))

    def _check_bool(self, key: str) -> None:
        value = getattr(self, key)
        if not isinstance(value, bool):
            raise ConfigurationError(f"{key} must be bool, got {type(value).__name__}", key, value, "bool")

    def _check_group_size(self) -> None:
        size: Any = self.group_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            message = f"group_size must be non-negative int, got {size!r}"
        elif size == 1 or size > GROUP_SIZE_MAX:
            message = f"group_size {size} is out of range"
        else:
            return
        raise ConfigurationError(message, "group_size", size, f"0, or an int from 2 to {GROUP_SIZE_MAX}")

    def _check_layers(self) -> None:
        key, layers = "mixed_precision_layers", self.mixed_precision_layers
        if layers is None:
            return
        if not isinstance(layers, list):
            raise ConfigurationError(f"{key} must be list, got {type(layers).__name__}", key, layers, "list of str")
        for layer in layers:
            if not isinstance(layer, str) or not layer:
                raise ConfigurationError(f"{key} must contain strings, got {layer!r}", key, layer, "non-empty str")

    @property
    def granularity(self) -> Literal["tensor", "channel", "group"]:
        """What shares a scale, as `arrowquant.quantize(per=)` names it."""
        if self.group_size > 0:
            return "group"
        return "channel" if self.per_channel else "tensor"


class ArrowQuantizer:
    """Quantizes weight tables with one configuration."""

    def __init__(self, config: QuantizationConfig | None = None) -> None:
        self.config = QuantizationConfig() if config is None else config

    def quantize_model(
        self,
        input_parquet: str | os.PathLike[str],
        output_parquet: str | os.PathLike[str],
        calibration_data: Activations | None = None,
        show_progress: bool = True,
    ) -> Report:
        """Reads a table of values (V1) and writes the quantized table (V2).

        Integer tensors are kept as they are: their values are indices, not weights.

        Args:
            input_parquet: the V1 table; a model in another format of `arrowquant.open` is accepted too.
            output_parquet: the V2 table. Replaced when it exists; appears when it is complete.
            calibration_data: for "gptq": a mapping from layers to what went into them, arrays [samples, ..., inputs],
                NumPy or torch, of floating-point numbers. A layer is named as its weight, with or without ".weight".
                Layers that are not there, and tensors that are no matrices, are rounded to nearest. None: built-in
                texts, for a table of a sentence encoder that can be run. Not used by "ptq", with a warning.
            show_progress: a line on standard error when that is a terminal, else messages of the logger "arrowquant".

        Returns:
            What every tensor became, and sizes before and after.

        Raises:
            StorageError: the input cannot be read or the output not written (see its subclasses).
            NonFiniteError: a tensor holds NaN or infinities.
            RequantizeError: the input is quantized already.
            NoMatchError: `calibration_data` names a layer that is not there.
            ArgumentError: an array does not fit its layer; or "gptq" has no data.

        """
        config = self.config
        options: dict[str, Any] = {}
        if config.quant_type != "fp16":
            options = {
                "per": config.granularity,
                "group_size": config.group_size,
                "symmetric": config.symmetric,
            }
        if config.calibration_method == "gptq" and config.quant_type != "fp16":
            options["method"] = "gptq"
            options["activations"] = self._activations(input_parquet, calibration_data)
        elif calibration_data is not None:
            key = "calibration_method" if config.calibration_method == "ptq" else "quant_type"
            warnings.warn(f"calibration_data is not used by {key} '{getattr(config, key)}'", stacklevel=2)
        with ProgressLine(show_progress) as progress:
            return api.quantize(
                input_parquet,
                output_parquet,
                type=config.quant_type,
                tensor=[f"{name}=fp16" for name in self._kept_names(input_parquet)],
                quantize_1d=True,
                force=True,
                progress=progress,
                **options,
            )

    @staticmethod
    def _activations(path: str | os.PathLike[str], data: Activations | None) -> Activations | None:
        """Calibration data under the names of the weights."""
        if data is None:
            return None
        with api.open(path) as source:
            return by_weight("calibration_data", data, source)

    def _should_skip_quantization(self, layer_name: str) -> bool:
        return any(layer in layer_name for layer in self.config.mixed_precision_layers or ())

    def _kept_names(self, path: str | os.PathLike[str]) -> list[str]:
        """Names of the floating-point tensors that the configuration keeps as fp16."""
        layers = self.config.mixed_precision_layers
        if not layers:
            return []
        with api.open(path) as source:
            for layer in layers:
                if not any(layer in name for name in source):
                    warnings.warn(f"mixed_precision_layers: no tensor name contains {layer!r}", stacklevel=3)
            return [
                name
                for name, tensor in source.items()
                if self._should_skip_quantization(name) and tensor.dtype in _CONVERTIBLE and tensor.num_params > 0
            ]
