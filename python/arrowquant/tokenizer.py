"""Texts to token ids, as the models of the BERT family and decoders want them.

Source: `arrowquant.h` ("Tokenizing").
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable
from typing import overload

from . import _core
from ._arguments import count, text_list
from ._handles import Handle

__all__ = ["Tokenizer"]

# Texts between two checks of signals.
_BATCH = 1024


class Tokenizer(Handle[_core.Tokenizer]):
    """A WordPiece, BPE, Unigram or WordLevel tokenizer.

    Its ids are those that sentence-transformers gives to the same model.

        with arrowquant.Tokenizer("model") as tokenizer:
            ids = tokenizer.encode(["a text", "another"], max_tokens=256)

    Several threads may use one at once. Closing it is safe meanwhile: calls in progress end first.
    """

    _kind = "tokenizer"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens the tokenizer of a model.

        Args:
            path: a folder with a tokenizer.json or else a vocab.txt, or else vocab.json and merges.txt, or else a model
                of SentencePiece (tokenizer.model, sentencepiece.bpe.model, spiece.model, spm.model); a model in such a
                folder; a V1 or V2 table, which carries the tokenizer of the model that it was made from; a
                tokenizer.json, vocab.txt or NAME.model under any name; or a name in the Hugging Face cache.
                All of the model's files count that transformers reads for it, except when the path is a tokenizer.json
                itself, which is read as by the library `tokenizers`.

        Raises:
            NotFoundError: there is no such model, or no tokenizer beside it.
            UnsupportedError: the tokenizer is of another kind, or a key of its files asks for what is not handled; the
                message names it.
            FormatError: a file breaks the rules of its format.

        """
        self._path = path
        self._core = _core.open_tokenizer(os.fsencode(path))

    @overload
    def encode(  # type: ignore[overload-overlap]  # a str is also an iterable of str
        self, texts: str, max_tokens: int | None = None, add_special_tokens: bool = True
    ) -> list[int]: ...
    @overload
    def encode(
        self, texts: Iterable[str], max_tokens: int | None = None, add_special_tokens: bool = True
    ) -> list[list[int]]: ...

    def encode(
        self, texts: str | Iterable[str], max_tokens: int | None = None, add_special_tokens: bool = True
    ) -> list[int] | list[list[int]]:
        """The ids of a text, or of each text of a list.

        Surrogates in a str are no characters: a pair of them, high and low, counts as the character that it stands for
        in UTF-16, a lone one as U+FFFD, which BERT's normalization drops. (`tokenizers` refuses such a str.)

        Args:
            texts: a str, or a list of them. Other threads run meanwhile.
            max_tokens: maximum number of ids per text, special tokens included; None: no limit. A longer text is
                truncated at its end, or at its beginning when the tokenizer is configured so.
            add_special_tokens: put the special tokens of the model around the text.

        Raises:
            ArgumentError: `max_tokens` has no room for the special tokens.
            ValueError: the tokenizer is closed.

        """
        self._check_open()
        items, is_single = text_list("texts", texts)
        limit = 0 if max_tokens is None else count("max_tokens", max_tokens, 1)
        lists: list[list[int]] = []
        for at in range(0, len(items), _BATCH):
            lists += self._core.encode(items[at : at + _BATCH], limit, add_special_tokens)
        return lists[0] if is_single else lists

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """The text of token ids, as transformers decodes them. Experimental: what it is called may change.

        Args:
            ids: what `encode` gives, or what a model writes. Ids that the tokenizer does not have are passed over.
            skip_special_tokens: leave out the special tokens of the model.

        Raises:
            UnsupportedError: the tokenizer's decoder is not known; the message names it.
            TypeError: an id is not an int.
            ValueError: the tokenizer is closed.

        """
        self._check_open()
        return self._core.decode([operator.index(number) for number in ids], skip_special_tokens)

    @property
    def id_end(self) -> int:
        """One past the largest id: what a table of embeddings needs rows for."""
        return self._core.id_end

    def __repr__(self) -> str:
        return f"<arrowquant.Tokenizer {os.fspath(self._path)!r}{', closed' if self.closed else ''}>"
