"""Folders that sentence-transformers and peft themselves save: run without a word, or refused by name."""

import numpy as np
import pytest
from embedding import TEXTS, check_same, run
from peft import LoraConfig
from sentence_transformers import CrossEncoder, SentenceTransformer
from tiny_encoders import MODULES, NORMALIZE, config_of, make


def load(folder, **options):
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True, **options)


@pytest.mark.parametrize("model_type", ["bert", "mpnet", "distilbert"])
def test_saved_again_it_is_the_same_model(tmp_path, model_type):
    folder = make(tmp_path / "model", config_of(model_type), modules=[*MODULES, NORMALIZE])
    expected = check_same(folder, tmp_path)
    load(folder).save(str(tmp_path / "saved"))
    assert np.abs(check_same(tmp_path / "saved", tmp_path) - expected).max() < 1e-5
    process = run("embed", tmp_path / "saved", "--text", TEXTS[0])
    assert process.stderr == ""


def test_saved_with_prompts(tmp_path):
    folder = make(tmp_path / "model")
    load(folder, prompts={"query": "the dog "}, default_prompt_name="query").save(str(tmp_path / "saved"))
    plain = check_same(folder, tmp_path)
    assert np.abs(check_same(tmp_path / "saved", tmp_path) - plain).max() > 1e-2


def test_saved_with_truncation(tmp_path):
    load(make(tmp_path / "model"), truncate_dim=8).save(str(tmp_path / "saved"))
    assert check_same(tmp_path / "saved", tmp_path).shape == (len(TEXTS), 8)


def test_saved_with_an_adapter(tmp_path):
    model = load(make(tmp_path / "model"))
    model.add_adapter(LoraConfig(r=4, target_modules=["query"], task_type="FEATURE_EXTRACTION"))
    model.save(str(tmp_path / "saved"))
    process = run("embed", tmp_path / "saved", "--text", TEXTS[0])
    assert process.returncode == 3
    assert "the folder holds a PEFT adapter of" in process.stderr


def test_saved_cross_encoder(tmp_path):
    folder = make(tmp_path / "model", modules=None)
    CrossEncoder(str(folder), num_labels=1, device="cpu").save_pretrained(str(tmp_path / "saved"))
    process = run("embed", tmp_path / "saved", "--text", TEXTS[0])
    assert process.returncode != 0 or "cross-encoder" in process.stderr
