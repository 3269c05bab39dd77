"""Which schema a weight table has."""

from __future__ import annotations

import os
from typing import Any

from .. import api
from ..errors import ArgumentError
from ..tensors import Source

__all__ = ["detect_schema_version"]


def detect_schema_version(table: Any) -> int:
    """The schema version of a weight table: 2 when it has a column `quant_type`, else 1.

    Args:
        table: a `pyarrow.Table`, `RecordBatch`, `RecordBatchReader` or `Schema`, a polars frame, an opened `Source`, or
            the path of a Parquet file.

    Raises:
        NotFoundError, FormatError: the path names no weight table.
        ArgumentError: it is no weight table (no column `layer_name`), or nothing that has columns.

    """
    if isinstance(table, (str, os.PathLike)):
        with api.open(table) as source:
            return _version_of(source)
    if isinstance(table, Source):
        return _version_of(table)
    names = _column_names(table)
    if "layer_name" not in names:
        raise ArgumentError(f"it is no weight table: there is no 'layer_name' among its columns {', '.join(names)}")
    return 2 if "quant_type" in names else 1


def _version_of(source: Source) -> int:
    if source.schema_version == 0:
        raise ArgumentError(f"it is no weight table but {source.format}")
    return source.schema_version


def _column_names(table: Any) -> list[str]:
    schema = getattr(table, "schema", table)
    names = getattr(schema, "names", None)
    names = names() if callable(names) else names
    if names is None:
        names = getattr(table, "columns", None)
    if names is None:
        raise ArgumentError(f"{type(table).__name__} has no columns: expected a table, a schema or a path")
    return [str(name) for name in names]
