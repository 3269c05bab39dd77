"""Scores of pairs of texts. `CrossEncoder` has the methods of sentence-transformers' class of this name.

Source: `arrowquant_experimental.h` ("Scores of pairs of texts") and docs/SCORING.md.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, cast

import numpy as np
import numpy.typing as npt

from . import _core, _forks
from ._arguments import count
from ._handles import Handle
from ._progress import ProgressLine, logger
from ._sources import SourceLike, path_or_core
from .errors import ArgumentError

if TYPE_CHECKING:
    import torch

__all__ = ["CrossEncoder", "RankedDocument"]

Scores: TypeAlias = npt.NDArray[np.float32]
Pair: TypeAlias = Sequence[str]
Activation: TypeAlias = Callable[[Scores], Scores]


class _Ranked(TypedDict):
    corpus_id: int
    score: float


class RankedDocument(_Ranked, total=False):
    """A document of `CrossEncoder.rank`: its place in the list, its score, and with `return_documents` its text."""

    text: str


class CrossEncoder(Handle[_core.Scorer]):
    """An encoder of the BERT family with its head for the classification of sequences, a reranker for example.

        model = arrowquant.CrossEncoder("reranker.parquet")
        scores = model.predict([("a query", "a text"), ("a query", "another text")])
        model.rank("a query", ["a text", "another text"])

    Experimental: names may change. Scores do not depend on the number of threads, nor on which pairs are scored
    together. Threads and forks are treated as by `Encoder`.
    """

    _kind = "cross-encoder"

    def __init__(
        self,
        model: SourceLike,
        *,
        compute: Literal["fp32", "int8"] = "fp32",
        max_tokens: int | None = None,
        folder: str | os.PathLike[str] | None = None,
        threads: int = 0,
    ) -> None:
        """Opens a cross-encoder.

        Args:
            model: a source of `arrowquant.open`. A V1 or V2 table that was made from a model's folder has everything in
                it. An opened source stays open as long as the cross-encoder.
            compute: "fp32": weights as FP32; "int8": weights and inputs of the layers as codes of 8 bits, several
                times faster.
            max_tokens: of a pair, special tokens included; of a longer one the longer text is truncated first. None:
                the limit of the model.
            folder: where config.json and the tokenizer's files are. None: in the table, or beside the weights.
            threads: 0: the CPUs that this process may use.

        Raises:
            UnsupportedError: this architecture, head or tokenizer cannot be run; the message names it.
            NotFoundError: there is no such model, or it lacks its configuration or its head.
            FormatError: a tensor has the wrong shape, or a file breaks the rules of its format.
            ArgumentError: an option is wrong.

        What does not keep a model from running, but should be known, is a `UserWarning`.

        """
        self._lock = threading.RLock()  # of a thread: a signal handler that forks may run while its own thread has it
        self._core = _core.open_scorer(
            path_or_core(model),
            {
                "folder": None if folder is None else os.fsencode(folder),
                "compute": str(compute),
                "threads": count("threads", threads, 0),
                "max_tokens": 0 if max_tokens is None else count("max_tokens", max_tokens, 1),
            },
        )
        self._labels, self._max_tokens, self._activation = self._core.summary()
        for note in self._core.notes():
            warnings.warn(note, UserWarning, stacklevel=2)
        _forks.wait_for(self)

    def predict(
        self,
        inputs: Pair | Iterable[Pair],
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Activation | None = None,
        apply_softmax: bool | None = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
    ) -> Scores | np.float32 | torch.Tensor | list[torch.Tensor]:
        """The scores of pairs, in their order.

        A float32 array: one number a pair for a model of one label, else a row of numbers. Of one pair that is given by
        itself, its number or its row.

        Args:
            inputs: pairs of str, as tuples or lists (any iterable, or an array of two columns); or one pair.
            batch_size: pairs between two checks of signals (Ctrl-C) and of the progress. Nothing is padded: the result
                is the same.
            show_progress_bar: as of `Encoder.encode`.
            activation_fn: what makes scores of the outputs of the head, a function of a float32 array (pairs x
                labels). None: what the model's files ask for, as sentence-transformers finds it; usually a sigmoid for
                one label, and nothing for more.
            apply_softmax: make the scores of all labels of a pair sum up to 1.
            convert_to_numpy: False: a list of torch tensors, one a pair.
            convert_to_tensor: one torch tensor, on the CPU.

        Raises:
            ArgumentError: an input that is no pair, or a value that cannot be had.
            TypeError: a text that is no str.
            ValueError: the cross-encoder is closed.

        """
        self._check_open()
        pairs, is_single = _pair_list(inputs)
        if show_progress_bar is None:
            show_progress_bar = logger.getEffectiveLevel() in (logging.INFO, logging.DEBUG)
        size = count("batch_size", batch_size, 1)
        scores = self._score(pairs, size, bool(show_progress_bar), raw=activation_fn is not None)
        if activation_fn is not None:
            scores = np.asarray(activation_fn(scores), np.float32)
        if len(self._labels) == 1:
            scores = scores.reshape(len(pairs))
        elif apply_softmax:
            scores = _softmax(scores)
        if convert_to_numpy and not convert_to_tensor:
            return cast("np.float32", scores[0]) if is_single else scores
        tensor = _tensor(scores)
        if is_single:
            return tensor[0]
        return tensor if convert_to_tensor else list(tensor)

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Activation | None = None,
    ) -> list[RankedDocument]:
        """Documents by their scores beside a query, the highest first; of equal ones the first in the list.

        Args:
            query: the first text of every pair.
            documents: the second texts.
            top_k: so many documents at most. None: all.
            return_documents: the texts of the documents as well.
            batch_size: as of `predict`.
            show_progress_bar: as of `predict`.
            activation_fn: as of `predict`.

        Raises:
            ArgumentError: the model has more than one label.
            TypeError: a text that is no str.
            ValueError: the cross-encoder is closed.

        """
        self._check_open()
        if len(self._labels) != 1:
            raise ArgumentError(f"rank: it needs a model of one label, and this one has {len(self._labels)}")
        scores = self.predict([(query, text) for text in documents], batch_size, show_progress_bar, activation_fn)
        ranked: list[RankedDocument] = []
        for i, score in enumerate(cast("Scores", scores).tolist()):
            ranked.append({"corpus_id": i, "score": score})
            if return_documents:
                ranked[-1]["text"] = documents[i]
        return sorted(ranked, key=lambda item: item["score"], reverse=True)[:top_k]

    def _score(self, pairs: list[Pair], size: int, show_progress: bool, *, raw: bool) -> Scores:
        scores = np.empty((len(pairs), len(self._labels)), np.float32)
        with ProgressLine(show_progress) as progress:
            for at in range(0, len(pairs), size):
                texts = [text for pair in pairs[at : at + size] for text in pair]
                with self._lock:
                    self._core.score(texts, raw, scores[at:].ctypes.data)
                done = min(at + size, len(pairs))
                progress.report(f"score: {done}/{len(pairs)} pairs, {100 * done // len(pairs)} %")
        return scores

    @property
    def num_labels(self) -> int:
        """Scores of a pair."""
        return len(self._labels)

    @property
    def labels(self) -> list[str]:
        """The names of the labels, in the order of the scores."""
        return list(self._labels)

    @property
    def activation(self) -> str:
        """What is applied to the outputs of the head: "sigmoid", "identity"."""
        return self._activation

    @property
    def max_seq_length(self) -> int:
        """Tokens that are looked at of a pair, special tokens included. Set by `max_tokens` on opening."""
        return self._max_tokens

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"at most {self._max_tokens} tokens"
        return f"<arrowquant.CrossEncoder of {len(self._labels)} labels, {state}>"


def _is_single(inputs: Any) -> bool:
    """Whether the input is one pair: sentence-transformers decides it in this way."""
    if isinstance(inputs, (list, tuple)):
        return len(inputs) > 0 and not isinstance(inputs[0], (list, tuple))
    return isinstance(inputs, np.ndarray) and inputs.ndim == 1 and inputs.size > 0


def _pair_list(inputs: Pair | Iterable[Pair]) -> tuple[list[Pair], bool]:
    """The pairs as a list, and whether it was one pair by itself."""
    if isinstance(inputs, (str, bytes)):
        raise TypeError(f"inputs: a list of pairs is expected, not {type(inputs).__name__}")
    single = _is_single(inputs)
    if isinstance(inputs, np.ndarray):
        inputs = cast("list[Pair]", inputs.tolist())
    pairs = [cast("Pair", inputs)] if single else list(inputs)
    for i, pair in enumerate(pairs):
        if isinstance(pair, (str, bytes)) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise ArgumentError(f"inputs[{i}]: it is no pair of two texts")
        for text in pair:
            if not isinstance(text, str):
                raise TypeError(f"inputs[{i}]: a str is expected, not {type(text).__name__}")
    return pairs, single


def _softmax(scores: Scores) -> Scores:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _tensor(scores: Scores) -> torch.Tensor:
    import torch

    return torch.from_numpy(scores)
