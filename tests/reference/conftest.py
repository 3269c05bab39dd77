"""Tests that compare with sentence-transformers, transformers and tokenizers. AQ_COMMAND names the command."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
