"""Families whose files were saved by the models' own code: other names of weights and other keys, which transformers
renames when it reads them; and JinaBERT, which it does not know, beside its formulas in NumPy."""

import json
from math import erf, log2

import numpy as np
import pytest
from embedding import check_refused, check_same, embed, run, tables
from own_code_models import OWN_NAMES, jina, own_names_of_gte, own_names_of_nomic
from safetensors.numpy import load_file, save_file
from test_architectures import LONG
from tiny_encoders import HIDDEN, INNER, LAYERS, WORDS, config_of, make, weights_of

# ---- names ----

@pytest.mark.parametrize("model_type", OWN_NAMES)
def test_own_names_are_those_of_transformers(tmp_path, model_type):
    """sentence-transformers reads the renamed file too, so that all three agree."""
    config = config_of(model_type)
    native = make(tmp_path / "native", config)
    own = make(tmp_path / "own", config, weights=OWN_NAMES[model_type](weights_of(config)))
    expected = check_same(own, tmp_path, LONG)
    assert np.abs(embed(native, LONG) - expected).max() < 1e-5


@pytest.mark.parametrize("model_type", OWN_NAMES)
def test_files_with_own_names_are_quantized_and_exported(tmp_path, model_type):
    config = config_of(model_type)
    own = make(tmp_path / "own", config, weights=OWN_NAMES[model_type](weights_of(config)))
    for arguments in (("quantize", own, "-o", tmp_path / "x.parquet", "--type", "int8"),
                      ("compare", own, tmp_path / "x.parquet", "--outputs"),
                      ("quantize", own, "-o", tmp_path / "y.parquet", "--target-bpw", 6, "--calib", "none")):
        process = run(*arguments)
        assert process.returncode == 0, process.stderr
    stored = {t["name"]: t["stored_as"] for t in json.loads(run("info", tmp_path / "x.parquet", "--json").stdout)["tensors"]}
    joined_matrices = [stored[name] for name in stored if name.endswith(("Wqkv.weight", "qkv_proj.weight", "up_gate_proj.weight"))]
    assert len(joined_matrices) >= LAYERS and all(kind.startswith("int8") for kind in joined_matrices)


# ---- the configuration of Nomic BERT's own code ----

OWN_CONFIG = {
    "activation_function": "swiglu", "architectures": ["NomicBertModel"], "attn_pdrop": 0.0,
    "auto_map": {"AutoModel": "nomic-ai/nomic-bert-2048--modeling_hf_nomic_bert.NomicBertModel"}, "bos_token_id": None,
    "causal": False, "dense_seq_output": True, "embd_pdrop": 0.0, "eos_token_id": None, "fused_bias_fc": True,
    "fused_dropout_add_ln": True, "initializer_range": 0.02, "layer_norm_epsilon": 1e-12, "max_trained_positions": 40,
    "mlp_fc1_bias": False, "mlp_fc2_bias": False, "model_type": "nomic_bert", "n_embd": HIDDEN, "n_head": 2,
    "n_inner": INNER, "n_layer": LAYERS, "n_positions": 40, "pad_vocab_size_multiple": 64, "parallel_block": False,
    "parallel_block_tied_norm": False, "prenorm": False, "qkv_proj_bias": False, "reorder_and_upcast_attn": False,
    "resid_pdrop": 0.0, "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None, "rotary_scaling_factor": None, "scale_attn_by_inverse_layer_idx": False,
    "scale_attn_weights": True, "summary_activation": None, "summary_first_dropout": 0.0, "summary_proj_to_labels": True,
    "summary_type": "cls_index", "summary_use_proj": True, "torch_dtype": "float32", "transformers_version": "4.34.0",
    "type_vocab_size": 2, "use_cache": True, "use_flash_attn": True, "use_rms_norm": False, "use_xentropy": True,
    "vocab_size": len(WORDS)}


def test_the_configuration_of_own_code_means_the_same(tmp_path):
    config = config_of("nomic_bert")
    native = make(tmp_path / "native", config)
    own = make(tmp_path / "own", OWN_CONFIG, weights=own_names_of_nomic(weights_of(config)))
    expected = embed(native, LONG)
    for model in (own, *tables(own, tmp_path)):
        np.testing.assert_array_equal(embed(model, LONG), expected)
    assert run("embed", own, "--text", "a").stderr == ""


GTE_CODE = {"auto_map": {"AutoModel": "modeling_hf_alibaba_nlp_gte.GteModel"}, "position_embedding_type": "rope", "pack_qkv": True, "rope_scaling": None,
            "logn_attention_scale": False, "logn_attention_clip1": False, "layer_norm_type": "layer_norm", "unpad_inputs": False,
            "use_memory_efficient_attention": False}


def test_gte_with_the_keys_of_its_own_code(tmp_path):
    config = config_of("gte")
    own = make(tmp_path / "own", config | GTE_CODE, weights=own_names_of_gte(weights_of(config)))
    np.testing.assert_array_equal(embed(own, LONG), embed(make(tmp_path / "native", config), LONG))
    assert run("embed", own, "--text", "a").stderr == ""


@pytest.mark.parametrize(("key", "value"), [("logn_attention_scale", True), ("logn_attention_clip1", True), ("layer_norm_type", "rms_norm"),
                                            ("rope_scaling", {"type": "ntk", "factor": 2.0}), ("position_embedding_type", "alibi")])
def test_what_the_code_of_gte_would_compute_in_another_way_is_refused(tmp_path, key, value):
    weights = own_names_of_gte(weights_of(config_of("gte")))
    check_refused(make(tmp_path / "own", config_of("gte") | GTE_CODE | {key: value}, weights=weights), tmp_path, key, "config.json")


@pytest.mark.parametrize(("key", "value"), [
    ("prenorm", True), ("parallel_block", True), ("causal", True), ("use_rms_norm", True), ("rotary_emb_interleaved", True),
    ("rotary_emb_fraction", 0.5), ("rotary_scaling_factor", 2.0), ("rotary_emb_scale_base", 512.0), ("qkv_proj_bias", True),
    ("mlp_fc1_bias", True), ("mlp_fc2_bias", True), ("scale_attn_weights", False), ("moe_every_n_layers", 2), ("num_experts", 8),
    ("qkv_proj_bias", None), ("mlp_fc1_bias", None), ("mlp_fc2_bias", None), ("rotary_emb_base", None),
    ("scale_attn_by_inverse_layer_idx", True), ("activation_function", "gelu"), ("n_head", 5), ("n_positions", None)])
def test_what_own_code_would_compute_in_another_way_is_refused(tmp_path, key, value):
    weights = own_names_of_nomic(weights_of(config_of("nomic_bert")))
    check_refused(make(tmp_path / "own", OWN_CONFIG | {key: value}, weights=weights), tmp_path, key, "config.json")


@pytest.mark.parametrize("changes", [{}, {"rope_theta": 30.0}, {"hidden_act": "gelu"}, {"layer_norm_eps": 0.01}, {"max_position_embeddings": 9},
                                     {"rope_parameters": {"rope_type": "default", "rope_theta": 30.0}}, {"n_inner": 7, "rotary_emb_base": 5}])
def test_keys_of_transformers_count_where_both_are(tmp_path, changes):
    """As transformers saves what it read."""
    config = {key: value for key, value in OWN_CONFIG.items() if key != "auto_map"} | config_of("nomic_bert") | changes
    check_same(make(tmp_path / "model", config, weights=own_names_of_nomic(weights_of(config_of("nomic_bert")))), tmp_path, LONG)


# ---- JinaBERT ----

def slopes(heads):
    """As the paper describes them: a geometric sequence for a power of two, else interleaved ones behind."""
    if log2(heads).is_integer():
        return [2 ** (-8 * (i + 1) / heads) for i in range(heads)]
    power = 2 ** int(log2(heads))
    return slopes(power) + slopes(2 * power)[0::2][: heads - power]


ACTIVATIONS = {"geglu": np.vectorize(lambda x: x * (1 + erf(x / 2**0.5)) / 2), "reglu": lambda x: np.maximum(x, 0)}


def jina_vectors(folder, texts):
    """In double precision."""
    config = json.loads((folder / "config.json").read_text())
    w = {name: values.astype(np.float64) for name, values in load_file(folder / "model.safetensors").items()}
    heads = config["num_attention_heads"]
    activation = ACTIVATIONS[config["feed_forward_type"]]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + config["layer_norm_eps"]) * w[name + ".weight"] + w[name + ".bias"]

    def linear(x, name):
        return x @ w[name + ".weight"].T + w.get(name + ".bias", 0)

    vectors = []
    for text in texts:
        ids = [WORDS.index(word) for word in ["[CLS]", *text.replace(".", " . ").replace(",", " , ").split(), "[SEP]"]]
        x = norm(w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        distance = np.abs(np.subtract.outer(np.arange(len(ids)), np.arange(len(ids))))
        for layer in (f"encoder.layer.{i}." for i in range(config["num_hidden_layers"])):
            q, k, v = (linear(x, layer + f"attention.self.{part}").reshape(len(ids), heads, -1) for part in ("query", "key", "value"))
            mixed = []
            for h, slope in enumerate(slopes(heads)):
                scores = q[:, h] @ k[:, h].T / np.sqrt(q.shape[-1]) - slope * distance
                p = np.exp(scores - scores.max(-1, keepdims=True))
                mixed.append(p / p.sum(-1, keepdims=True) @ v[:, h])
            x = norm(x + linear(np.concatenate(mixed, -1), layer + "attention.output.dense"), layer + "attention.output.LayerNorm")
            gate, up = np.split(linear(x, layer + "mlp.gated_layers"), 2, -1)
            x = norm(x + linear(activation(gate) * up, layer + "mlp.wo"), layer + "mlp.layernorm")
        vectors.append(x.mean(0))
    return np.array(vectors)


LONGER = [*LONG, " ".join(LONG * 6)[:-7].rsplit(" ", 1)[0]]  # several blocks of queries


@pytest.mark.parametrize("changes", [{}, {"feed_forward_type": "reglu"}, {"num_attention_heads": 4}])
def test_jina_bert(tmp_path, changes):
    folder = jina(tmp_path / "model", **changes)
    expected = jina_vectors(folder, LONGER)
    assert len(LONGER[-1].split()) > 120
    for model in (folder, *tables(folder, tmp_path)):
        assert np.abs(embed(model, LONGER) - expected).max() < 1e-5


@pytest.mark.parametrize(("changes", "key"), [
    ({"feed_forward_type": "original"}, "feed_forward_type"), ({"feed_forward_type": None}, "feed_forward_type"),
    ({"position_embedding_type": "relative_key", "auto_map": None}, "position_embedding_type"), ({"position_embedding_type": "absolute"}, "auto_map"), ({"model_type": "roberta"}, "position_embedding_type")])
def test_other_kinds_of_jina_bert_are_refused(tmp_path, changes, key):
    check_refused(jina(tmp_path / "model", **changes), tmp_path, key, "config.json")


def test_jina_bert_for_code_is_refused(tmp_path):
    """Its queries and keys go through norms."""
    code = {"AutoModel": "jinaai/jina-bert-v2-qk-post-norm--modeling_bert.JinaBertModel"}
    check_refused(jina(tmp_path / "model", auto_map=code), tmp_path, "'auto_map'", "qk-post-norm")


@pytest.mark.parametrize("kind", ["jina", *OWN_NAMES])
def test_models_of_own_code_are_planned_with_texts(tmp_path, kind):
    folder = tmp_path / "model"
    if kind == "jina":
        jina(folder)
    else:
        make(folder, config_of(kind), weights=OWN_NAMES[kind](weights_of(config_of(kind))))
    process = run("quantize", folder, "-o", tmp_path / "x.parquet", "--target-bpw", 7, "--calib", "builtin")
    assert process.returncode == 0, process.stderr
    assert "held-out texts" in process.stdout


def test_norms_of_queries_and_keys_are_refused(tmp_path):
    folder = jina(tmp_path / "model", auto_map=None)
    norm = {f"encoder.layer.{i}.attention.self.layer_norm_{x}.weight": np.ones(36, np.float32) for i in range(2) for x in "qk"}
    save_file(load_file(folder / "model.safetensors") | norm, folder / "model.safetensors")
    check_refused(folder, tmp_path, "'encoder.layer.0.attention.self.layer_norm_q.weight'")
