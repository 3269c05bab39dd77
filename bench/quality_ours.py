"""quality_ours - what the command makes of a model: a table, its size, and its values as FP32 again."""
import json
import pathlib
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parents[1] / "tests"))
import page_sizes  # noqa: E402


class Table:
    """A model quantized into a folder: `restored` is the safetensors file of the dequantized values."""

    def __init__(self, command: pathlib.Path, source: pathlib.Path, folder: pathlib.Path, words: list[str]):
        self.path, self.restored = folder / "table.parquet", folder / "restored.safetensors"
        start = time.perf_counter()
        subprocess.run([command, "quantize", source, "-o", self.path, "-q", *words], check=True)
        self.seconds = time.perf_counter() - start
        subprocess.run([command, "export", self.path, "-o", self.restored, "--dtype", "fp32", "-q"], check=True)
        info = subprocess.run([command, "info", self.path, "--json"], check=True, capture_output=True).stdout
        self.tensors = json.loads(info)["tensors"]

    def bytes_of(self, names) -> int:
        """What the column chunks take, all columns together, without the values of tensors that are not among these."""
        chunks = page_sizes.chunk_bytes(self.path)
        return chunks - sum(size for name, size in page_sizes.stored_bytes(self.path).items() if name not in names)
