"""Logits of decoders beside those of transformers, in FP32 and with eager attention: random tiny models of each
architecture, and every key of a configuration.

The keys are those of src/model/decoder_keys.inc; every one of them has a test here, and docs/DECODERS.md has them all.
"""

import json
import pathlib
import re

import numpy as np
import pytest
import torch
import transformers
from decoder_library import Decoder, Error, logits_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4
TOKENS, WORDS = 90, 101
IDS = np.random.default_rng(1).integers(0, WORDS, TOKENS).tolist()
SIZES = {
    "vocab_size": WORDS,
    "hidden_size": 48,
    "intermediate_size": 70,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,
}
DROPPED = object()
LAYERS = ["full_attention", "sliding_attention", "full_attention", "sliding_attention"]
QWEN_WINDOW = {"use_sliding_window": True, "sliding_window": 7, "max_window_layers": 1}
GEMMA = {"head_dim": 10, "sliding_window": 8, "query_pre_attn_scalar": 12}
LONG = {"short_factor": [1, 1.1, 1.2, 1.3], "long_factor": [2, 3, 4, 5]}


def rope(kind, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0} | more}


LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
YARN = {"factor": 4.0, "original_max_position_embeddings": 32}

# Names only say what is looked at. The keys of a case are those whose being honoured it shows.
CASES = {
    "llama": ("llama", {}),
    "llama-mqa-tied": ("llama", {"num_key_value_heads": 1, "tie_word_embeddings": True}),
    "llama-mha": ("llama", {"num_key_value_heads": DROPPED}),
    "llama-mha-null": ("llama", {"num_key_value_heads": None}),
    "llama-biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "llama-wide-heads": ("llama", {"head_dim": 34, "rms_norm_eps": 0.1}),
    "llama-gelu": ("llama", {"hidden_act": "gelu"}),
    "llama-gelu-tanh": ("llama", {"hidden_act": "gelu_pytorch_tanh"}),
    "llama-theta": ("llama", {"rope_theta": 50.0}),
    "llama-parameters-before-theta": ("llama", rope("default") | {"rope_theta": 50.0}),
    "llama-linear": ("llama", rope("linear", factor=4.0)),
    "llama-linear-older": ("llama", {"rope_scaling": {"type": "linear", "factor": 3.0}, "rope_theta": 500.0}),
    "llama-dynamic": ("llama", rope("dynamic", factor=4.0)),
    "llama-llama3": ("llama", rope("llama3", **LLAMA3)),
    "llama-llama3-no-original": ("llama", rope("llama3", **{**LLAMA3, "original_max_position_embeddings": DROPPED})),
    "llama-yarn": ("llama", rope("yarn", **YARN)),
    "llama-yarn-bounds": ("llama", rope("yarn", **YARN, beta_fast=8.0, beta_slow=2.0, truncate=False)),
    "llama-yarn-scale": ("llama", rope("yarn", **YARN, attention_factor=0.7)),
    "llama-yarn-mscale": ("llama", rope("yarn", **YARN, mscale=0.9, mscale_all_dim=0.4)),
    "llama-longrope-short": ("llama", rope("longrope", **LONG, original_max_position_embeddings=100)),
    "llama-longrope-long": ("llama", rope("longrope", **LONG, original_max_position_embeddings=40, factor=5.0)),
    "qwen2": ("qwen2", {}),
    "qwen2-tied": ("qwen2", {"tie_word_embeddings": True, "sliding_window": 5}),
    "qwen2-windows": ("qwen2", QWEN_WINDOW),
    "qwen2-layer-types": ("qwen2", QWEN_WINDOW | {"layer_types": LAYERS}),
    "qwen3": ("qwen3", {"head_dim": 16}),
    "qwen3-usual-width": ("qwen3", {"attention_bias": True}),
    "qwen3-windows": ("qwen3", {"head_dim": 6} | QWEN_WINDOW),
    "mistral": ("mistral", {"sliding_window": 9}),
    "mistral-one": ("mistral", {"sliding_window": 1, "head_dim": 10}),
    "mistral-no-window": ("mistral", {"sliding_window": None, "num_attention_heads": 8, "num_key_value_heads": DROPPED}),
    "mistral-usual-window": ("mistral", {"tie_word_embeddings": True}),
    "gemma3_text": ("gemma3_text", GEMMA | {"sliding_window_pattern": 2}),
    "gemma3_text-usual": ("gemma3_text", {"sliding_window": 20, "num_attention_heads": 4, "num_key_value_heads": DROPPED}),
    "gemma3_text-layer-types": ("gemma3_text", GEMMA | {"layer_types": LAYERS, "attention_bias": True}),
    "gemma3_text-capped-untied": (
        "gemma3_text", GEMMA | {"final_logit_softcapping": 3.0, "tie_word_embeddings": False},
    ),
    "gemma3_text-older-positions": (
        "gemma3_text",
        GEMMA | {"sliding_window_pattern": 2, "rope_theta": 3000.0, "rope_local_base_freq": 40.0,
                 "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    ),
    "gemma3_text-positions": (
        "gemma3_text",
        GEMMA | {"sliding_window_pattern": 3, "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 700.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 60.0}}},
    ),
    "gemma3_text-activation": ("gemma3_text", GEMMA | {"hidden_activation": "silu"}),
    "smollm3": ("smollm3", {}),
    "smollm3-interval": ("smollm3", {"no_rope_layer_interval": 2, "attention_bias": True, "mlp_bias": True}),
    "smollm3-list": ("smollm3", {"no_rope_layers": [0, 1, 1, 0], "tie_word_embeddings": False}),
    "smollm3-windows": ("smollm3", {"use_sliding_window": True, "sliding_window": 6, "no_rope_layer_interval": 2}),
    "smollm3-layer-types": ("smollm3", {"sliding_window": 6, "layer_types": LAYERS}),
    "phi3": ("phi3", {}),
    "phi3-window": ("phi3", {"sliding_window": 11, "num_key_value_heads": 6}),
    "phi3-part-of-a-head": ("phi3", {"partial_rotary_factor": 0.5}),
    "phi3-longrope": ("phi3", rope("longrope", **LONG) | {"original_max_position_embeddings": 32}),
    "phi3-longrope-older": (
        "phi3", {"rope_scaling": {"type": "su", **LONG, "original_max_position_embeddings": 40},
                 "original_max_position_embeddings": 100, "rope_theta": 300.0},
    ),
}


def without_dropped(members):
    return {key: without_dropped(value) if isinstance(value, dict) else value
            for key, value in members.items() if value is not DROPPED}


def write_model(folder, model_type, changes, shard_size="1GB"):
    """A folder of a model with random weights, and config.json as it is given here, not as transformers saves it."""
    folder.mkdir(exist_ok=True)
    config = without_dropped({"model_type": model_type} | SIZES | changes)
    text = json.dumps(config)
    (folder / "config.json").write_text(text)
    torch.manual_seed(5)
    model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(folder))
    for parameter in model.parameters():
        is_gain = parameter.dim() == 1
        shift = 0.9 if is_gain and model_type != "gemma3_text" else 0
        parameter.data = torch.randn_like(parameter) * (0.2 if is_gain else 0.3) + shift
    model.save_pretrained(folder, max_shard_size=shard_size)
    (folder / "config.json").write_text(text)
    return folder


def reference(folder, ids=IDS):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    ).eval()
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0].numpy()


def assert_close(got, wanted):
    assert got.shape == wanted.shape and np.ptp(wanted) > 1
    assert np.abs(got - wanted).max() <= TOLERANCE


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_transformers(name, tmp_path):
    folder = write_model(tmp_path / "model", *CASES[name])
    with Decoder(folder) as decoder:
        assert decoder.notes == []
        assert_close(decoder.logits(IDS), reference(folder))


@pytest.mark.parametrize("model_type", ["qwen2", "gemma3_text"])
def test_losses_are_those_of_transformers(model_type, tmp_path):
    folder = write_model(tmp_path / "model", model_type, {})
    wanted = torch.nn.functional.cross_entropy(
        torch.from_numpy(reference(folder)[:-1]).double(), torch.tensor(IDS[1:]), reduction="none"
    ).numpy()
    with Decoder(folder) as decoder:
        losses = decoder.losses(IDS)
    assert losses.shape == wanted.shape
    assert np.abs(losses - wanted).max() <= TOLERANCE
    assert abs(losses.mean() / wanted.mean() - 1) <= 1e-6


@pytest.mark.parametrize("model_type", ["llama", "gemma3_text", "phi3"])
def test_sharded_folders(model_type, tmp_path):
    folder = write_model(tmp_path / "model", model_type, {}, shard_size="40KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    assert_close(logits_of(folder, IDS), reference(folder))


@pytest.mark.parametrize("changes", [{}, rope("llama3", **LLAMA3)])
def test_long_texts(changes, tmp_path):
    """An angle grows with the position, and so does what rounding makes of it."""
    ids = np.random.default_rng(2).integers(0, WORDS, 2000).tolist()
    folder = write_model(tmp_path / "model", "llama", {"max_position_embeddings": 2048, "num_hidden_layers": 2} | changes)
    assert_close(logits_of(folder, ids), reference(folder, ids))


def test_longrope_is_that_of_the_length_of_the_text(tmp_path):
    folder = write_model(tmp_path / "model", *CASES["phi3-longrope"])
    for length in (32, 33):
        assert_close(logits_of(folder, IDS[:length]), reference(folder, IDS[:length]))


def test_a_head_in_the_file_is_used_though_the_configuration_ties(tmp_path):
    folder = write_model(tmp_path / "model", "llama", {"tie_word_embeddings": False})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    assert_close(logits_of(folder, IDS), reference(folder))


# ---- keys ----

KEY = re.compile(r'^KEY\((DECODER|ROPE), "(\w+)", (\w+), (NULL|".*?(?<!\\)"), ".*"\)$', re.M)
KEYS = KEY.findall((ROOT / "src/model/decoder_keys.inc").read_text(encoding="utf-8"))
# Where transformers has no other value, or one that cannot be run, a test beside those above.
ELSEWHERE = {"model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
             "max_position_embeddings"}


def honoured_in_cases():
    found = set()
    for _, changes in CASES.values():
        for key, value in changes.items():
            found.add(key)
            for member in value.values() if isinstance(value, dict) else []:
                found |= set(member) if isinstance(member, dict) else set()
            found |= set(value) if isinstance(value, dict) else set()
    return found


def test_every_key_has_a_test():
    text = (ROOT / "src/model/decoder_keys.inc").read_text(encoding="utf-8")
    assert len(KEYS) == text.count("\nKEY(") > 100
    honoured = {key for _, key, treatment, _ in KEYS if treatment == "HONOURED"}
    assert honoured - honoured_in_cases() == ELSEWHERE


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = write_model(tmp_path_factory.mktemp("plain") / "model", "llama", {})
    return folder, json.loads((folder / "config.json").read_text()), logits_of(folder, IDS)


@pytest.mark.parametrize("key", [key for _, key, treatment, _ in KEYS if treatment == "NO_EFFECT"])
def test_keys_without_effect(key, plain):
    folder, config, expected = plain
    (folder / "config.json").write_text(json.dumps(config | {key: 3}))
    with Decoder(folder) as decoder:
        assert decoder.notes == []
        assert np.array_equal(decoder.logits(IDS), expected)


REFUSED = [(file, key, neutral) for file, key, treatment, neutral in KEYS if treatment == "REFUSED"]


@pytest.mark.parametrize("file, key, neutral", REFUSED)
def test_refused_keys_are_named(file, key, neutral, plain):
    folder, config, expected = plain
    for value, runs in [(7, False), ({"a": 1}, False), (None, True)] + (
        [(json.loads(json.loads(neutral)), True)] if neutral != "NULL" else []
    ):
        changed = {"rope_parameters": {key: value}} if file == "ROPE" else {key: value}
        (folder / "config.json").write_text(json.dumps(config | changed))
        if runs:
            assert np.array_equal(logits_of(folder, IDS), expected)
        else:
            with pytest.raises(Error, match=f"'{key}' is .*; what can be run is"):
                Decoder(folder)


@pytest.mark.parametrize(
    "model_type, changes, words",
    [
        ("gpt2", {}, "'model_type' is 'gpt2'; decoders that can be run are llama, qwen2, qwen3, gemma3_text, mistral"),
        ("gemma3", {}, "'model_type' is 'gemma3'"),
        ("llama", {"vocab_size": 102}, "its shape is \\[101, 48\\], but config.json asks for \\[102, 48\\]"),
        ("llama", {"hidden_size": 96}, "config.json asks for"),
        ("llama", {"intermediate_size": 71}, "config.json asks for"),
        ("llama", {"num_hidden_layers": 5}, "model.layers.4"),
        ("llama", {"num_attention_heads": 4}, "config.json asks for"),
        ("llama", {"max_position_embeddings": DROPPED}, "'max_position_embeddings' is missing"),
        ("llama", {"sliding_window": 9}, "'sliding_window' is set"),
        ("llama", {"layer_types": LAYERS}, "'layer_types' is set"),
        ("llama", {"original_max_position_embeddings": 9}, "'original_max_position_embeddings' is set"),
        ("llama", {"partial_rotary_factor": 0.5}, "'partial_rotary_factor' is 0.5"),
        ("llama", rope("proportional"), "'rope_type' is 'proportional'"),
        ("llama", {"hidden_act": "laplace"}, "'hidden_act' is 'laplace'"),
    ],
)
def test_other_values_are_refused_by_name(model_type, changes, words, plain):
    folder, config, _ = plain
    (folder / "config.json").write_text(json.dumps(without_dropped(config | {"model_type": model_type} | changes)))
    with pytest.raises(Error, match=words):
        Decoder(folder)


def test_a_text_longer_than_the_model_has_positions_for(plain):
    folder, config, _ = plain
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 80}))
    with Decoder(folder) as decoder, pytest.raises(Error, match="90 tokens; the decoder was opened for 80"):
        decoder.logits(IDS)


def test_unknown_keys_are_noted(plain):
    folder, config, expected = plain
    (folder / "config.json").write_text(json.dumps(config | {"residual_gain": 3}))
    with Decoder(folder) as decoder:
        assert decoder.notes == ["config.json: not known, and passed over: 'residual_gain'"]
        assert np.array_equal(decoder.logits(IDS), expected)
