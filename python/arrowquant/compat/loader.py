"""`WeightLoader`: the weights of a table as torch tensors."""

from __future__ import annotations

import difflib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .. import api
from ..errors import NoMatchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from ..tensors import Source

__all__ = ["WeightLoader"]


class WeightLoader:
    """Loads weights from a V1 or V2 table (or any model that `arrowquant.open` accepts) into torch tensors.

    Args:
        parquet_path: the table.
        device: where the tensors go: "cpu", "cuda:0", ...
        force_float32: floating-point tensors become float32. Otherwise they have the type that they have in the table;
            quantized tensors, the type of the original. Integer tensors always keep theirs.
        use_memory_map: keep the file open and mapped between calls; otherwise it is opened for each call.
        cache_weights: remember what was loaded and hand out the same tensors again.
        threads: that decode; 0: the CPUs that this process may use.

    Raises:
        StorageError: the file is not there or is no weight table (see its subclasses).

    """

    def __init__(
        self,
        parquet_path: str | os.PathLike[str],
        device: str | torch.device = "cpu",
        force_float32: bool = True,
        use_memory_map: bool = True,
        cache_weights: bool = False,
        *,
        threads: int = 0,
    ) -> None:
        self.parquet_path = os.fspath(parquet_path)
        self.device = device
        self.force_float32 = force_float32
        self.use_memory_map = use_memory_map
        self.cache_weights = cache_weights
        self._threads = threads
        self._cache: dict[str, torch.Tensor] = {}
        self._source: Source | None = api.open(self.parquet_path)
        self._names = list(self._source)
        self._schema_version = self._source.schema_version
        if not use_memory_map:
            self.close()

    @contextmanager
    def _opened(self) -> Iterator[Source]:
        if self.use_memory_map:
            if self._source is None or self._source.closed:
                self._source = api.open(self.parquet_path)
            yield self._source
        else:
            with api.open(self.parquet_path) as source:
                yield source

    def _load(self, names: list[str]) -> dict[str, torch.Tensor]:
        if all(name in self._cache for name in names):
            return {name: self._cache[name] for name in names}
        with self._opened() as source:
            loaded = source.load_torch(
                None if len(names) == len(source) else names,
                force_float32=self.force_float32,
                original_dtype=not self.force_float32,
                threads=self._threads,
            )
        if str(self.device) != "cpu":
            loaded = {name: tensor.to(self.device) for name, tensor in loaded.items()}
        if self.cache_weights:
            self._cache.update(loaded)
        return loaded

    def load_weights(self) -> dict[str, torch.Tensor]:
        """All weights: tensors by name, dequantized, in the tensors' shapes. Tied weights share memory."""
        return self._load(self._names)

    def get_layer(self, layer_name: str) -> torch.Tensor:
        """One tensor.

        Raises:
            NoMatchError: there is none of that name; the hint names the nearest.

        """
        if layer_name not in self._names:
            near = difflib.get_close_matches(layer_name, self._names, 3)
            raise NoMatchError(
                f"there is no tensor '{layer_name}' among the {len(self._names)}",
                file=self.parquet_path,
                hint=f"Near: {', '.join(near)}" if near else None,
            )
        return self._load([layer_name])[layer_name]

    def get_layer_names(self) -> list[str]:
        """The names of all tensors, in the order of the table."""
        return list(self._names)

    def get_metadata(self) -> dict[str, dict[str, Any]]:
        """What each tensor is, by name, without reading any.

        Keys: shape (list of int), dtype ("torch.float32": of the original when quantized), num_params, quant_type (None
        when kept), group_size, quant_axis, stored_bytes.
        """
        with self._opened() as source:
            return {
                name: {
                    "shape": list(tensor.shape),
                    "dtype": tensor.dtype,
                    "num_params": tensor.num_params,
                    "quant_type": tensor.quant_type if tensor.is_quantized else None,
                    "group_size": tensor.group_size,
                    "quant_axis": tensor.quant_axis,
                    "stored_bytes": tensor.stored_bytes,
                }
                for name, tensor in source.items()
            }

    def get_schema_version(self) -> int:
        """1 or 2; 0 when it is no table."""
        return self._schema_version

    def clear_cache(self) -> None:
        """Forgets remembered tensors."""
        self._cache.clear()

    def close(self) -> None:
        """Closes the file. A later call opens it again."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def __enter__(self) -> WeightLoader:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()
