"""The command generate beside transformers: greedy texts token for token, and where they end."""

import json
import os
import subprocess

import pytest
import torch
from test_perplexity import TEXT, make_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

COMMAND = os.environ["AQ_COMMAND"]
PROMPTS = 50


def run(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], check=True, capture_output=True, encoding="utf-8").stdout


def report(*arguments):
    return json.loads(run("generate", *arguments, "--json"))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "bos"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tokenizer = make_tokenizer(request.param)
    torch.manual_seed(4)
    llama = LlamaForCausalLM(
        LlamaConfig(vocab_size=tokenizer.get_vocab_size(), hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=96, initializer_range=0.2,
                    bos_token_id=0, eos_token_id=[7, 11], pad_token_id=0)).eval()
    llama.save_pretrained(folder)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>")
    fast.save_pretrained(folder)
    return folder, llama, fast


def reference(llama, fast, prompt, tokens):
    ids = fast(prompt, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        found = llama.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens)[0]
    return ids.shape[1], found[ids.shape[1] :].tolist()


def prompts():
    lines = [line for line in TEXT.splitlines() if len(line) > 40]
    return [line[: 12 + i % 30] for i, line in enumerate(lines[:PROMPTS])]


def test_greedy_texts(model):
    folder, llama, fast = model
    ended = 0
    for prompt in prompts():
        length, ids = reference(llama, fast, prompt, 24)
        found = report(folder, f"--prompt={prompt}", "--max-tokens", 24)
        assert found["prompt_tokens"] == length
        stops = ids[-1] in (7, 11)
        ended += stops
        assert found["stopped_by"] == ("end of text" if stops else "max_tokens")
        assert found["tokens"] == len(ids) - stops
        assert found["text"] == fast.decode(ids, skip_special_tokens=True) if not stops else fast.decode(ids[:-1])
    print("texts that ended by themselves:", ended)


def test_the_text_is_printed(model):
    folder, _, _ = model
    said = run("generate", folder, "--prompt", "The table", "--max-tokens", 10)
    assert said == report(folder, "--prompt", "The table", "--max-tokens", 10)["text"] + "\n"


def test_a_context_is_not_passed(model):
    folder, llama, fast = model
    prompt = "The contract on disk. " * 2
    length = len(fast(prompt)["input_ids"])
    found = report(folder, f"--prompt={prompt}", "--context", length + 5)
    assert found["stopped_by"] in ("context", "end of text") and found["tokens"] <= 5
    failed = subprocess.run([COMMAND, "generate", folder, "--prompt", prompt, "--context", str(length)],
                            capture_output=True, encoding="utf-8")
    assert failed.returncode == 2 and "--context" in failed.stderr and str(length) in failed.stderr


def test_a_seed_repeats_and_a_temperature_varies(model):
    folder, _, _ = model
    texts = [report(folder, "--prompt", "A row", "--temperature", 1.5, "--top-p", 0.95, "--seed", seed)["text"]
             for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_a_stop_ends_the_text(model):
    folder, _, _ = model
    whole = report(folder, "--prompt", "The table", "--max-tokens", 20)["text"]
    stop = whole[len(whole) // 2 :][:2]
    found = report(folder, "--prompt", "The table", "--max-tokens", 20, "--stop=not there", f"--stop={stop}")
    assert found["text"] == whole[: whole.index(stop)] and found["stopped_by"] == "stop"
