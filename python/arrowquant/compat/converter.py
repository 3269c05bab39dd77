"""`HuggingFaceToParquetConverter`: from a Hugging Face model to a weight table."""

from __future__ import annotations

import os

from .. import api
from .._progress import ProgressLine
from ..report import Report

__all__ = ["HuggingFaceToParquetConverter"]


class HuggingFaceToParquetConverter:
    """Writes the weights of Hugging Face models as V1 tables."""

    def convert(
        self,
        hf_model_path: str | os.PathLike[str],
        output_parquet: str | os.PathLike[str],
        *,
        show_progress: bool = False,
    ) -> Report:
        """Writes the V1 table of a model: every tensor of its safetensors files, in their types.

        Args:
            hf_model_path: a model folder, a .safetensors file, or the name of a model in the Hugging Face cache
                ("sentence-transformers/all-MiniLM-L6-v2"). Nothing is downloaded.
            output_parquet: the table. Replaced when it exists; appears when it is complete.
            show_progress: as in `ArrowQuantizer.quantize_model`.

        Raises:
            NotFoundError: there is no such model; the message lists the places that were searched.
            StorageError: the model cannot be read or the table not written (see its subclasses).

        """
        with ProgressLine(show_progress) as progress:
            return api.convert(hf_model_path, output_parquet, force=True, progress=progress)
