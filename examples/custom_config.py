"""custom_config.py - quantizes a model with several configurations and shows what each costs.

    python examples/custom_config.py MODEL           a folder, a .safetensors file or a V1 table

Patterns of mixed_precision_layers are parts of names: 'embed' keeps every tensor with "embed" in its name as FP16.
"""

import pathlib
import sys
import tempfile

import arrowquant
from arrowquant import ArrowQuantizer, HuggingFaceToParquetConverter, QuantizationConfig

CONFIGS = {
    "int8, one scale per channel": QuantizationConfig(quant_type="int8"),
    "int8, one scale per tensor": QuantizationConfig(quant_type="int8", per_channel=False),
    "int8, custom": QuantizationConfig(
        quant_type="int8",
        per_channel=True,
        symmetric=False,  # asymmetric: the range need not lie around zero
        group_size=64,  # a scale for every 64 values
        mixed_precision_layers=["embed", "lm_head", "layer.0"],
    ),
    "int2, groups of 128": QuantizationConfig(quant_type="int2", per_channel=False),
    "int2, groups of 32, asymmetric": QuantizationConfig(quant_type="int2", symmetric=False, group_size=32),
}


def size_of(table):
    """Bytes of a table without the configuration and the tokenizer that travel in it: they are not weights."""
    source = arrowquant.info(table)["source"]
    return source["file_bytes"] - source["model_files_bytes"]


def try_config(v1_table, config, output):
    """Quantizes a V1 table; returns the size of the file and the mean cosine of its quantized tensors."""
    ArrowQuantizer(config).quantize_model(str(v1_table), str(output), show_progress=False)
    report = arrowquant.compare(v1_table, output)
    return size_of(output), report["mean_cosine"]


def main(model):
    """Prints a line for each configuration."""
    with tempfile.TemporaryDirectory() as folder:
        v1_table = pathlib.Path(folder, "model.parquet")
        HuggingFaceToParquetConverter().convert(model, str(v1_table))
        original = size_of(v1_table)
        print(f"{'configuration':32} {'size':>10} {'ratio':>7} {'cosine':>9}")
        for i, (name, config) in enumerate(CONFIGS.items()):
            size, cosine = try_config(v1_table, config, pathlib.Path(folder, f"{i}.parquet"))
            print(f"{name:32} {size / 1e6:7.2f} MB {original / size:6.2f}x {cosine:9.6f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
