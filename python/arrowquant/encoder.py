"""Sentences to vectors. `Encoder.encode` has the arguments of `SentenceTransformer.encode`.

Source: `arrowquant.h` ("Embedding") and docs/EMBEDDING.md.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from . import _core, _forks
from ._arguments import count, text_list
from ._handles import Handle
from ._progress import ProgressLine, logger
from ._sources import SourceLike, path_or_core
from .errors import ArgumentError

if TYPE_CHECKING:
    import torch

__all__ = ["Encoder"]

Vectors: TypeAlias = npt.NDArray[np.float32]

# Lengths below this count as this much when vectors are normalized, as in torch.nn.functional.normalize.
_SHORTEST = 1e-12


class Encoder(Handle[_core.Encoder]):
    """A sentence encoder of the BERT family: one file or folder, no torch.

        encoder = arrowquant.Encoder("model.parquet", compute="int8")
        vectors = encoder.encode(["a sentence", "another one"])

    Vectors do not depend on the number of threads, nor on which sentences are encoded together. Threads that share an
    encoder wait for each other, batch by batch. An encoder that was opened before `os.fork()` works in the child as
    well, and gives the same vectors; `os.fork()` waits for batches in progress.
    """

    _kind = "encoder"

    def __init__(
        self,
        model: SourceLike,
        *,
        compute: Literal["fp32", "int8"] = "fp32",
        max_tokens: int | None = None,
        folder: str | os.PathLike[str] | None = None,
        threads: int = 0,
        truncate_dim: int | None = None,
    ) -> None:
        """Opens an encoder.

        Args:
            model: a source of `arrowquant.open`. A V1 or V2 table that was made from a model's folder has everything in
                it. An opened source stays open as long as the encoder.
            compute: "fp32": weights as FP32; "int8": weights and inputs of the layers as codes of 8 bits, several
                times faster.
            max_tokens: of a sentence, special tokens included; a longer one is truncated. None: the limit of the model.
            folder: where config.json and the tokenizer's files are. None: in the table, or beside the weights.
            threads: 0: the CPUs that this process may use.
            truncate_dim: only the first numbers of every vector. None: what the model's files say, else all.

        Raises:
            UnsupportedError: this architecture, pooling or tokenizer cannot be run; the message names it.
            NotFoundError: there is no such model, or it lacks its configuration.
            FormatError: a tensor is missing or has the wrong shape, or a file breaks the rules of its format.
            ArgumentError: an option is wrong.

        What does not keep a model from running, but should be known (a head that is not run, keys of its configuration
        that are not known), is a `UserWarning`.

        """
        self._lock = threading.RLock()  # of a thread: a signal handler that forks may run while its own thread has it
        self._core = _core.open_encoder(
            path_or_core(model),
            {
                "folder": None if folder is None else os.fsencode(folder),
                "compute": str(compute),
                "threads": count("threads", threads, 0),
                "max_tokens": 0 if max_tokens is None else count("max_tokens", max_tokens, 1),
                "truncate_dim": 0 if truncate_dim is None else count("truncate_dim", truncate_dim, 1),
            },
        )
        self._dimension, self._width, self._max_tokens = self._core.summary()
        for note in self._core.notes():
            warnings.warn(note, UserWarning, stacklevel=2)
        _forks.wait_for(self)

    @overload
    def encode(
        self,
        sentences: str | Iterable[str],
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: Literal["sentence_embedding"] = "sentence_embedding",
        precision: Literal["float32"] = "float32",
        convert_to_numpy: Literal[True] = True,
        convert_to_tensor: Literal[False] = False,
        device: str | torch.device | None = None,
        normalize_embeddings: bool = False,
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
    ) -> Vectors: ...
    @overload
    def encode(
        self,
        sentences: str | Iterable[str],
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: Literal["sentence_embedding"] = "sentence_embedding",
        precision: Literal["float32"] = "float32",
        convert_to_numpy: bool = True,
        *,
        convert_to_tensor: Literal[True],
        device: str | torch.device | None = None,
        normalize_embeddings: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
    ) -> torch.Tensor: ...
    @overload
    def encode(
        self,
        sentences: str | Iterable[str],
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: Literal["sentence_embedding"] = "sentence_embedding",
        precision: Literal["float32"] = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: str | torch.device | None = None,
        normalize_embeddings: bool = False,
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
    ) -> Vectors | torch.Tensor | list[torch.Tensor]: ...

    def encode(
        self,
        sentences: str | Iterable[str],
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: Literal["sentence_embedding"] = "sentence_embedding",
        precision: Literal["float32"] = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: str | torch.device | None = None,
        normalize_embeddings: bool = False,
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
    ) -> Vectors | torch.Tensor | list[torch.Tensor]:
        """The vectors of sentences, in their order, as rows of a float32 array; that of one str as a 1-D array.

        Surrogates in a str are handled as by `Tokenizer.encode`.

        Args:
            sentences: a str, or a list of them (any iterable).
            batch_size: sentences between two checks of signals (Ctrl-C) and of the progress. Nothing is padded: larger
                batches are a little faster, and the result is the same.
            show_progress_bar: a line on standard error when that is a terminal, else messages of the logger
                "arrowquant". None: when that logger is set to INFO or DEBUG.
            output_value: only "sentence_embedding".
            precision: only "float32".
            convert_to_numpy: False: a list of torch tensors, one a sentence.
            convert_to_tensor: one torch tensor, on the CPU.
            device: None or "cpu".
            normalize_embeddings: make the length of every vector 1.
            prompt_name: put before every sentence what the model's config_sentence_transformers.json has under this
                name. None: what it calls the default, if it does.
            prompt: put these words there, such as "query: "; `prompt_name` does not count then.
            truncate_dim: only the first numbers of every vector, normalized afterwards when that is asked for. Of an
                encoder that was opened for truncated vectors, no more than these have.

        Raises:
            ArgumentError: a value that cannot be had.
            TypeError: a sentence that is no str.
            ValueError: the encoder is closed.

        """
        self._check_open()
        _check("output_value", output_value, "sentence_embedding")
        _check("precision", precision, "float32")
        _check("device", "cpu" if device is None else str(device), "cpu")
        size = count("batch_size", batch_size, 1)
        dimension = self._dimension if truncate_dim is None else count("truncate_dim", truncate_dim, 1)
        if self._dimension < min(dimension, self._width):
            raise ArgumentError(f"truncate_dim: {dimension} is more than the encoder was opened for; name it there")
        items, is_single = text_list("sentences", sentences)
        with self._lock:  # words of the caller stay here: they may hold what a C string cannot
            stored = self._core.prompt(prompt_name, prompt and "given")
        words = stored if prompt is None else prompt
        if words:
            items = [words + item for item in items]
        if show_progress_bar is None:
            show_progress_bar = logger.getEffectiveLevel() in (logging.INFO, logging.DEBUG)
        vectors = np.ascontiguousarray(self._encode(items, size, bool(show_progress_bar))[:, :dimension])
        if normalize_embeddings:
            vectors = _normalized(vectors)
        if convert_to_numpy and not convert_to_tensor:
            return vectors[0] if is_single else vectors
        tensor = _tensor(vectors)
        if is_single:
            return tensor[0]
        return tensor if convert_to_tensor else list(tensor)

    def _encode(self, items: list[str], size: int, show_progress: bool) -> Vectors:
        vectors = np.empty((len(items), self._dimension), np.float32)
        with ProgressLine(show_progress) as progress:
            for at in range(0, len(items), size):
                with self._lock:
                    self._core.encode(items[at : at + size], vectors[at:].ctypes.data)
                done = min(at + size, len(items))
                progress.report(f"embed: {done}/{len(items)} texts, {100 * done // len(items)} %")
        return vectors

    def get_sentence_embedding_dimension(self) -> int:
        """Numbers of a vector."""
        return self._dimension

    get_embedding_dimension = get_sentence_embedding_dimension

    @property
    def max_seq_length(self) -> int:
        """Tokens that are looked at of a sentence, special tokens included. Set by `max_tokens` on opening."""
        return self._max_tokens

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"at most {self._max_tokens} tokens"
        return f"<arrowquant.Encoder of {self._dimension} numbers, {state}>"


def _check(name: str, value: Any, only: str) -> None:
    if value != only:
        raise ArgumentError(f"{name}: {value!r} cannot be had, only {only!r}")


def _normalized(vectors: Vectors) -> Vectors:
    lengths: npt.NDArray[np.float64] = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, _SHORTEST)).astype(np.float32)


def _tensor(vectors: Vectors) -> torch.Tensor:
    import torch

    return torch.from_numpy(vectors)
