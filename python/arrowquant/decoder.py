"""Token ids to logits: language models of the Llama family.

Source: `arrowquant_experimental.h` ("Decoders") and docs/DECODERS.md.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _core, _forks
from ._arguments import count, text_list
from ._handles import Handle
from ._sources import SourceLike, path_or_core
from .errors import ArgumentError
from .report import Report

__all__ = ["Decoder"]

Ids: TypeAlias = Sequence[int] | npt.NDArray[np.integer]
Logits: TypeAlias = npt.NDArray[np.float32]


class Decoder(Handle[_core.Decoder]):
    """A language model of the Llama family, computed in FP32 or in codes: one file or folder, no torch.

        decoder = arrowquant.Decoder("model.parquet")
        logits = decoder.logits([1, 450, 4996])  # one row per token

    Experimental: names may change in any version. Logits depend neither on the number of threads nor on how a text is
    cut into calls. Threads that share a decoder wait for each other, call by call, and share the text that it holds. A
    decoder that was opened before `os.fork()` works in the child as well; `os.fork()` waits for calls in progress.
    """

    _kind = "decoder"

    def __init__(
        self,
        model: SourceLike,
        *,
        compute: Literal["fp32", "int8"] = "fp32",
        context: int | None = None,
        folder: str | os.PathLike[str] | None = None,
        threads: int = 0,
    ) -> None:
        """Opens a decoder.

        Args:
            model: what `arrowquant.open` takes. A V1 or V2 table that was made from a model's folder has everything in
                it. An opened source stays open as long as the decoder.
            compute: "fp32": weights as FP32; "int8": weights as codes of 8 bits, or of 4 where those of the file fit,
                and inputs of the layers as two codes of 8 bits each: faster, in a quarter of the memory or less.
            context: tokens of the longest text. None: 4096, or what the model has positions for if that is less.
            folder: where config.json is. None: in the table, or beside the weights.
            threads: 0: the CPUs that this process may use.

        Raises:
            UnsupportedError: this architecture cannot be run, or a key of its configuration; the message names it.
            NotFoundError: there is no such model, or it lacks its configuration or a tensor.
            FormatError: a tensor has the wrong shape, or a file breaks the rules of its format.
            NonFiniteError: a tensor holds what is not finite.
            ArgumentError: an option is wrong.

        Keys of the configuration that are not known, and weights that had to be rounded to codes, are a `UserWarning`.

        """
        self._lock = threading.RLock()  # of a thread: a signal handler that forks may run while its own thread has it
        self._core = _core.open_decoder(
            path_or_core(model),
            {
                "folder": None if folder is None else os.fsencode(folder),
                "compute": str(compute),
                "context": 0 if context is None else count("context", context, 1),
                "threads": count("threads", threads, 0),
            },
        )
        self._vocabulary, self._context, self._layers = self._core.summary()
        for note in self._core.notes():
            warnings.warn(note, UserWarning, stacklevel=2)
        _forks.wait_for(self)

    def logits(self, ids: Ids, *, past: int = 0, last: int | None = None) -> Logits:
        """The logits after each token of a text: an array of tokens x vocabulary, float32.

        Args:
            ids: the tokens, special tokens included; nothing is added.
            past: how many tokens of the text that the last calls had come before these: they are kept, and not given
                again. 0: a new text.
            last: rows of the last so many tokens only. None: of all that are given.

        Raises:
            ArgumentError: an id is not in the vocabulary, the text is longer than the context, or `past` or `last` is
                more than there is.
            NonFiniteError: a logit would be NaN or infinite.
            UnsupportedError: positions change at this length of a text (longrope): give all of it, with `past` 0.
            TypeError: an id is no whole number.
            ValueError: the decoder is closed.

        """
        self._check_open()
        tokens = _tokens(ids)
        rows = len(tokens) if last is None else count("last", last, 0)
        kept = count("past", past, 0)
        if rows > len(tokens):
            raise ArgumentError(f"last: {rows} is out of range: {len(tokens)} tokens are given")
        logits = np.empty((rows, self._vocabulary), np.float32)
        with self._lock:
            self._core.logits(kept, tokens.ctypes.data, len(tokens), rows, logits.ctypes.data)
        return logits

    def losses(self, ids: Ids) -> npt.NDArray[np.float64]:
        """How much each token of a text but the first surprises the model, in nats.

        That is the negative logarithm of its probability after the tokens before it. The perplexity of the text is
        `np.exp(losses.mean())`. No array of logits is made.

        Args:
            ids: the tokens, at least two, special tokens included; nothing is added.

        Raises:
            ArgumentError: there are less than two tokens, an id is not in the vocabulary, or the text is longer than
                the context.
            NonFiniteError: a logit would be NaN or infinite.
            TypeError: an id is no whole number.
            ValueError: the decoder is closed.

        """
        self._check_open()
        tokens = _tokens(ids)
        losses = np.empty(len(tokens) - 1, np.float64)
        with self._lock:
            self._core.losses(tokens.ctypes.data, len(tokens), losses.ctypes.data)
        return losses

    def generate(
        self,
        prompt: str,
        *,
        max_tokens: int = 128,
        temperature: float = 0.0,
        top_p: float | None = None,
        seed: int = 0,
        stop: str | Iterable[str] = (),
    ) -> str:
        """The text that follows a prompt.

        It ends where the model ends it, before a `stop`, after `max_tokens`, or where the context ends.

        Args:
            prompt: goes to the model as it is, behind the special tokens that the tokenizer puts in front of a text; a
                chat template is not applied.
            max_tokens: tokens to write at most.
            temperature: 0: the likeliest token each time; else logits are divided by it, and each token is drawn.
            top_p: draw from the likeliest tokens that together have this probability. None: from all.
            seed: the same seed draws the same tokens.
            stop: a text, or several, before which the text ends.

        Raises:
            ArgumentError: an option is out of range, or the prompt fills the context.
            UnsupportedError: the model's tokenizer cannot be run.
            NotFoundError: there is none.
            ValueError: the decoder is closed.

        """
        self._check_open()
        options = {
            "prompt": prompt,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "seed": seed,
            "stops": text_list("stop", stop)[0],
        }
        with self._lock:
            text: str = Report(self._core.generate(options))["text"]
        return text

    @property
    def vocabulary(self) -> int:
        """Tokens there are: the numbers of a row of logits."""
        return self._vocabulary

    @property
    def context(self) -> int:
        """Tokens of the longest text. Set by `context` on opening."""
        return self._context

    @property
    def layers(self) -> int:
        """Layers of the model."""
        return self._layers

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"a context of {self._context} tokens"
        return f"<arrowquant.Decoder of {self._layers} layers and {self._vocabulary} tokens, {state}>"


def _tokens(ids: Ids) -> npt.NDArray[np.int32]:
    given = np.asarray(ids)
    if given.size == 0:
        raise ArgumentError("ids: there are no tokens")
    if given.ndim != 1:
        raise ArgumentError(f"ids: a list of tokens is expected, not an array of {given.ndim} dimensions")
    if not np.issubdtype(given.dtype, np.integer):
        raise TypeError(f"ids: whole numbers are expected, not {given.dtype}")
    if given.min() < 0 or given.max() > np.iinfo(np.int32).max:
        raise ArgumentError(f"ids: {given.min()} to {given.max()} is out of range: no vocabulary has those")
    return np.ascontiguousarray(given, np.int32)
