"""Tests that compare with sentence-transformers, transformers and tokenizers. AQ_COMMAND names the command."""

import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))  # tokenizer_texts, tokenizer_library
