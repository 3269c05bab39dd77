"""Static embeddings: the vectors of model2vec's StaticModel and of sentence-transformers' StaticEmbedding within 1e-6, from the
folder that either has saved and from tables, which quantize and compare go by."""

import json

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, LayerNorm, Normalize, StaticEmbedding
from tiny_folders import bert_normalizer, embed, run, tokenizer_json
from tiny_unigram import SHAPES
from tokenizer_texts import real_lines
from tokenizers import Tokenizer

WIDTH = 24
LONG = " ".join(real_lines()[:300]).replace("\r", " ")
TEXTS = [*real_lines()[::150], "", "   ", "日本語 です", "[UNK] a [MASK] <mask>", "x" * 3000, LONG, "word " * 1500, "Ünïcode " * 900]
TOKENIZERS = {"WordPiece": lambda: tokenizer_json(normalizer=bert_normalizer(lowercase=True)), "Unigram": SHAPES["XLM-R"]}


def tokenizer(kind, **changes):
    return Tokenizer.from_str(json.dumps({**TOKENIZERS[kind](), **changes}))


def close(ours, theirs):
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-6


def check_tables(folder, tmp_path, theirs):
    """A table of the values by itself, and one of codes against its own values as a model."""
    (tmp_path / "apart").mkdir()
    table, codes, back = tmp_path / "apart" / "v1.parquet", tmp_path / "apart" / "v2.parquet", tmp_path / "back"
    assert run("convert", folder, "-o", table, "-q").returncode == 0
    close(embed(table, TEXTS), theirs)
    assert run("quantize", folder, "-o", codes, "--type", "int8", "-q").returncode == 0
    assert run("export", codes, "-o", back, "--to", "safetensors", "-q").returncode == 0
    close(embed(codes, TEXTS), embed(back, TEXTS))
    return back


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("changes", [{}, {"normalize": True}, {"max_length": None, "normalize": True}, {"max_length": 7}, {"weights": True}, {"mapping": True, "weights": True, "normalize": True}])
def test_vectors_are_those_of_model2vec(kind, changes, tmp_path):
    model2vec = pytest.importorskip("model2vec")
    rng, made = np.random.default_rng(3), tokenizer(kind)
    tokens = made.get_vocab_size()
    rows = 50 if "mapping" in changes else tokens
    extra = {"token_mapping": rng.integers(0, rows, tokens) if "mapping" in changes else None, "weights": rng.random(tokens, dtype=np.float32) if "weights" in changes else None}
    config = {"model_type": "model2vec", "architectures": ["StaticModel"], "apply_pca": WIDTH, "hidden_dim": WIDTH, "seq_length": 1000000}
    model = model2vec.StaticModel(rng.standard_normal((rows, WIDTH), dtype=np.float32), made, config=config, normalize=changes.get("normalize", False),
                                  max_length=changes.get("max_length", 512), **extra)
    model.save_pretrained(tmp_path / "model")
    theirs = model2vec.StaticModel.from_pretrained(tmp_path / "model", force_download=False).encode(TEXTS)
    close(embed(tmp_path / "model", TEXTS), theirs)
    back = check_tables(tmp_path / "model", tmp_path, theirs)
    close(embed(back, TEXTS), model2vec.StaticModel.from_pretrained(back, force_download=False).encode(TEXTS))


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("modules", [(), (Normalize,), (lambda: Dense(WIDTH, 9), Normalize), (lambda: LayerNorm(WIDTH),)])
def test_vectors_are_those_of_sentence_transformers(kind, modules, tmp_path):
    torch.manual_seed(4)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer(kind), embedding_dim=WIDTH), *(module() for module in modules)], device="cpu")
    model.save(str(tmp_path / "model"))
    theirs = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(TEXTS)
    close(embed(tmp_path / "model", TEXTS), theirs)
    back = check_tables(tmp_path / "model", tmp_path, theirs)
    close(embed(back, TEXTS), SentenceTransformer(str(back), device="cpu").encode(TEXTS))


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_the_tokenizer_truncates(side, tmp_path):
    made = tokenizer("Unigram", truncation={"direction": side, "max_length": 5, "strategy": "LongestFirst", "stride": 0})
    SentenceTransformer(modules=[StaticEmbedding(made, embedding_dim=WIDTH)], device="cpu").save(str(tmp_path / "model"))
    close(embed(tmp_path / "model", TEXTS), SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(TEXTS))


def test_tables_are_planned_and_judged(tmp_path):
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer("Unigram"), embedding_dim=WIDTH)], device="cpu")
    model.save(str(tmp_path / "model"))
    loss = {}
    for bits in (2.5, 4.5):
        table = tmp_path / f"{bits}.parquet"
        done = run("quantize", tmp_path / "model", "-o", table, "--target-bpw", bits)
        assert done.returncode == 0
        assert "data-free" in done.stdout
        report = json.loads(run("compare", tmp_path / "model", table, "--outputs", "--json").stdout)
        loss[bits] = 1 - report["outputs"]["mean_cosine"]
    assert 0 < loss[4.5] < loss[2.5] < 0.1
    assert run("sensitivity", tmp_path / "model").returncode == 0
    refused = run("quantize", tmp_path / "model", "-o", tmp_path / "x.parquet", "--target-bpw", 3, "--calib", "builtin")
    assert refused.returncode != 0
    assert "calibration does not know encoders of type StaticEmbedding" in refused.stderr
    for option in ("--save-stats=x.statistics", "--tune=5"):
        refused = run("quantize", tmp_path / "model", "-o", tmp_path / "x.parquet", "--target-bpw", 3, option)
        assert f"go by the tensors (--calib none), without {option.split('=')[0]}" in refused.stderr
    refused = run("export", table, "-o", tmp_path / "x.gguf", "--to", "gguf")
    assert refused.returncode != 0
    assert "export to a name that ends in .safetensors" in refused.stderr
    assert run("export", table, "-o", tmp_path / "x.safetensors").returncode == 0
    refused = run("export", table, "-o", tmp_path / "x.onnx", "--to", "onnx")
    assert refused.returncode != 0
    assert "static embeddings have no layers" in refused.stderr
