"""A target of the size that a plain type takes, without texts, loses less than the plain type: KL of a decoder's next
tokens and similarity of an encoder's embeddings, computed by transformers and sentence-transformers. The decoder is
trained here for half a minute, so that its weights have the statistics of a trained model; the encoder is all-MiniLM-L6-v2.
"""

import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

COMMAND = os.environ["AQ_COMMAND"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
MINILM = ROOT / ".cache" / "models" / "all-MiniLM-L6-v2"
TYPES = ("int4", "int3", "int2")
CONTEXT, STEPS, BATCH = 96, 150, 6


def run(*arguments):
    subprocess.run([COMMAND, *map(str, arguments), "-q"], check=True, capture_output=True)


def plain_and_target(model, kind, folder):
    """Weights again of the plain type, and of a data-free target that may take as much."""
    plain, target = folder / f"{kind}.parquet", folder / f"{kind}-target.parquet"
    run("quantize", model, "-o", plain, "--type", kind)
    run("quantize", model, "-o", target, "--target-size", plain.stat().st_size, "--calib", "none")
    assert target.stat().st_size <= plain.stat().st_size
    for table in (plain, target):
        run("export", table, "-o", table.with_suffix(".safetensors"))
    return load_file(plain.with_suffix(".safetensors")), load_file(target.with_suffix(".safetensors"))


# ---- a decoder -------------------------------------------------------------------------------------------------------


def text_of_repository():
    pages = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/schemes/*.md"), ROOT / "README.md", *ROOT.glob("src/**/*.h")])
    return "\n".join(p.read_text(encoding="utf-8") for p in pages)


def train(text):
    """A Llama of 8 layers, and token ids that it was not trained on."""
    torch.manual_seed(5)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(vocab_size=2048, show_progress=False))
    ids = torch.tensor(tokenizer.encode(text).ids)
    split = len(ids) * 9 // 10
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=tokenizer.get_vocab_size(), hidden_size=96, intermediate_size=256, num_hidden_layers=8,
                    num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=256))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=STEPS)
    for _ in range(STEPS):
        at = torch.randint(split - CONTEXT, (BATCH,))
        batch = torch.stack([ids[i : i + CONTEXT] for i in at])
        model(input_ids=batch, labels=batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return model.eval(), ids[split : split + 24 * CONTEXT].view(24, CONTEXT)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decoder")
    model, held_out = train(text_of_repository())
    weights = {k: v.contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    with torch.no_grad():
        return folder, model, held_out, model(held_out).logits.log_softmax(-1)


@pytest.mark.parametrize("kind", TYPES)
def test_decoder(decoder, kind, tmp_path):
    folder, model, held_out, reference = decoder
    original = {k: v.clone() for k, v in model.state_dict().items()}
    losses = []
    for weights in plain_and_target(folder, kind, tmp_path):
        model.load_state_dict(weights, strict=False)
        with torch.no_grad():
            found = model(held_out).logits.log_softmax(-1)
        losses.append(float((reference.exp() * (reference - found)).sum(-1).mean()))
    model.load_state_dict(original)
    print(kind, "KL of the plain type and of the target:", losses)
    assert losses[1] < losses[0]


# ---- an encoder ------------------------------------------------------------------------------------------------------


def texts():
    blocks = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("\n\n")
    return [" ".join(block.split()[:40]) for block in blocks if len(block) > 40][:16]


@pytest.fixture(scope="module")
def encoder():
    model = SentenceTransformer(str(MINILM), device="cpu")
    return model, model.encode(texts(), normalize_embeddings=True)


@pytest.mark.parametrize("kind", TYPES)
def test_encoder(encoder, kind, tmp_path):
    model, reference = encoder
    network = model[0].auto_model
    original = {k: v.clone() for k, v in network.state_dict().items()}
    similarities = []
    for weights in plain_and_target(MINILM, kind, tmp_path):
        missing, unexpected = network.load_state_dict(weights, strict=False)
        assert not missing
        assert not [name for name in unexpected if not name.endswith("position_ids")]
        found = model.encode(texts(), normalize_embeddings=True)
        similarities.append(float(np.mean(np.sum(found * reference, axis=1))))
    network.load_state_dict(original)
    print(kind, "similarity of the plain type and of the target:", similarities)
    assert similarities[1] > similarities[0]
