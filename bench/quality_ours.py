"""quality_ours - what the command makes of a model: a table, its size, and its values as FP32 again."""
import json
import pathlib
import subprocess
import time


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
        import pyarrow.parquet
        meta = pyarrow.parquet.read_metadata(self.path)
        groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
        chunks = sum(g.column(c).total_compressed_size for g in groups for c in range(meta.num_columns))
        return chunks - sum(t["stored_bytes"] for t in self.tensors if t["name"] not in names)
