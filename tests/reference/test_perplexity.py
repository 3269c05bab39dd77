"""The command perplexity beside transformers: the same windows, perplexity and KL divergence computed by torch."""

import json
import math
import os
import pathlib
import subprocess

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

COMMAND = os.environ["AQ_COMMAND"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = "\n".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("FORMAT.md", "TESTING.md"))
CONTEXT = 48


def run(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], check=True, capture_output=True, encoding="utf-8").stdout


def make_tokenizer(bos):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [TEXT],
        trainers.BpeTrainer(vocab_size=600, special_tokens=["<s>"], show_progress=False,
                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return tokenizer


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "bos"])
def model(request, tmp_path_factory):
    """A folder, its model with sharp predictions, the windows, and the file of text."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = make_tokenizer(request.param)
    torch.manual_seed(3)
    llama = LlamaForCausalLM(
        LlamaConfig(vocab_size=tokenizer.get_vocab_size(), hidden_size=64, intermediate_size=96, num_hidden_layers=3,
                    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.2)).eval()
    llama.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>").save_pretrained(folder)
    ids = tokenizer.encode(TEXT.rstrip("\n"), add_special_tokens=False).ids
    own = CONTEXT - request.param
    rows = [[0] * request.param + ids[i : i + own] for i in range(0, len(ids) - own + 1, own)]
    text = folder / "text.txt"
    text.write_text(TEXT, encoding="utf-8", newline="")
    return folder, llama, torch.tensor(rows), text


def log_probabilities(llama, windows):
    with torch.no_grad():
        logits = torch.cat([llama(part).logits for part in windows.split(16)])
    return logits[:, CONTEXT // 2 : -1].double().log_softmax(-1)


def check_perplexity(found, log_p, windows):
    losses = -log_p.gather(-1, windows[:, CONTEXT // 2 + 1 :, None])[..., 0].flatten()
    error = float(losses.std() / math.sqrt(len(losses)))
    assert found["loss"] == pytest.approx(float(losses.mean()), rel=1e-5)
    assert found["loss_error"] == pytest.approx(error, rel=1e-4)
    assert found["value"] == pytest.approx(math.exp(losses.mean()), rel=1e-4)
    assert found["error"] == pytest.approx(math.exp(losses.mean()) * error, rel=1e-3)


def test_perplexity(model):
    folder, llama, windows, text = model
    report = json.loads(run("perplexity", folder, "--texts", text, "--context", CONTEXT, "--json"))
    assert report["texts"]["windows"] == len(windows) and report["texts"]["window"] == CONTEXT
    assert report["texts"]["positions"] == len(windows) * (CONTEXT - 1 - CONTEXT // 2)
    check_perplexity(report["perplexity"], log_probabilities(llama, windows), windows)


def test_divergence(model, tmp_path):
    folder, llama, windows, text = model
    table, exported = tmp_path / "q.parquet", tmp_path / "q.safetensors"
    run("quantize", folder, "-o", table, "--type", "int4", "-q")
    run("export", table, "-o", exported, "-q")
    report = json.loads(
        run("perplexity", table, "--against", folder, "--texts", text, "--context", CONTEXT, "--windows", 40, "--json"))
    windows = windows[:40]
    log_p = log_probabilities(llama, windows)
    original = {k: v.clone() for k, v in llama.state_dict().items()}
    llama.load_state_dict(load_file(exported), strict=False)
    log_q = log_probabilities(llama, windows)
    llama.load_state_dict(original)
    check_perplexity(report["reference_perplexity"], log_p, windows)
    check_perplexity(report["perplexity"], log_q, windows)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1).flatten()
    found = report["divergence"]
    assert kl.mean() > 1e-3  # there is something to measure
    assert found["mean"] == pytest.approx(float(kl.mean()), rel=1e-3)
    for key, share in (("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999), ("max", 1.0)):
        assert found[key] == pytest.approx(float(kl.quantile(share)), rel=5e-3), key
    same = (log_p.argmax(-1) == log_q.argmax(-1)).flatten()
    assert found["top_agreement"] == pytest.approx(float(same.double().mean()), abs=2 / len(same))
    right = [(log.argmax(-1) == windows[:, CONTEXT // 2 + 1 :]).flatten() for log in (log_p, log_q)]
    assert found["flips"] == pytest.approx(float((right[0] != right[1]).double().mean()), abs=2 / len(same))
    confidence = log_p.max(-1).values.exp().flatten()
    assert found["nonfinite"] == 0
    for bucket in found["by_confidence"]:
        inside = (confidence >= bucket["from"]) & ((confidence < bucket["to"]) | (bucket["to"] == 1))
        assert bucket["positions"] == pytest.approx(int(inside.sum()), abs=2)
        if inside.sum() > 20:
            assert bucket["mean"] == pytest.approx(float(kl[inside].mean()), rel=1e-2)


def test_compare_has_the_same_figures(model, tmp_path):
    """Beside those of perplexity the noise floor, whose weights torch rounds here."""
    folder, llama, windows, text = model
    table = tmp_path / "q.parquet"
    run("quantize", folder, "-o", table, "--type", "int4", "-q")
    shared = ["--texts", text, "--context", CONTEXT, "--windows", 20, "--json"]
    outputs = json.loads(run("compare", folder, table, *shared))["outputs"]
    expected = json.loads(run("perplexity", table, "--against", folder, *shared))
    assert outputs["divergence"] == expected["divergence"] and outputs["text"]["hash"] == expected["texts"]["hash"]
    log_p = log_probabilities(llama, windows[:20])
    check_perplexity(outputs["reference_perplexity"], log_p, windows[:20])
    original = {k: v.clone() for k, v in llama.state_dict().items()}
    llama.load_state_dict({k: v.bfloat16().float() for k, v in original.items()})
    log_q = log_probabilities(llama, windows[:20])
    llama.load_state_dict(original)
    noise = float((log_p.exp() * (log_p - log_q)).sum(-1).mean())
    assert noise > 1e-6
    assert outputs["noise_floor"]["mean"] == pytest.approx(noise, rel=2e-2)
    same = float((log_p.argmax(-1) == log_q.argmax(-1)).double().mean())
    assert outputs["noise_floor"]["top_agreement"] == pytest.approx(same, abs=2 / log_p[..., 0].numel())


def test_a_model_does_not_diverge_from_itself(model):
    folder, _, _, text = model
    report = json.loads(run("perplexity", folder, "--against", folder, "--texts", text, "--windows", 3, "--json"))
    assert report["divergence"]["max"] == 0 and report["divergence"]["top_agreement"] == 1
    assert report["perplexity"] == report["reference_perplexity"]


def test_the_report_is_readable(model):
    folder, _, _, text = model
    said = run("perplexity", folder, "--against", folder, "--texts", text, "--windows", 2)
    assert "perplexity" in said and "KL divergence" in said and "2 windows of 128 tokens" in said


def test_threads_do_not_show(model):
    folder, _, _, text = model
    one, three = (json.loads(run("perplexity", folder, "--texts", text, "--context", CONTEXT, f"-t{n}", "--json"))
                  for n in (1, 3))
    assert one["perplexity"] == three["perplexity"] and one["texts"] == three["texts"]
