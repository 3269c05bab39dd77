"""Architectures that are not BERT's, as transformers saves them: the same vectors, from weights and from tables."""

import json

import numpy as np
import pytest
import torch
from embedding import TEXTS, check_refused, check_same, embed, run
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from tiny_encoders import HIDDEN, MODULES, NORMALIZE, TYPES, config_of, make, weights_of

ARCHITECTURES = ["electra", "albert", "modernbert", "nomic_bert", "gte", "jina_embeddings_v3", "deberta-v2", "t5", "mt5"]
LONG = ["the cat sat on a mat . a dog near the house . the river , the dog run on a small mat", *TEXTS]


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_vectors_are_those_of_the_reference(tmp_path, model_type):
    folder = make(tmp_path / "model", config_of(model_type))
    expected = check_same(folder, tmp_path, LONG)
    got = embed(folder, LONG)
    cosines = (got * expected).sum(1) / (np.linalg.norm(got, axis=1) * np.linalg.norm(expected, axis=1))
    assert cosines.min() >= 0.999999
    between = np.corrcoef(expected)
    assert between[np.triu_indices(len(LONG), 1)].max() < 0.9999  # texts differ: the model is not degenerate


LONGEST = {"max_position_embeddings": 300}


# Attention goes by blocks of 56 queries and keys.
@pytest.mark.parametrize("changes", [{"position_buckets": 64}, {"position_buckets": 200}, {"position_buckets": 8, "share_att_key": False}, {"position_buckets": -1}, {"position_buckets": -1, "max_relative_positions": 90}])
def test_distances_of_long_texts(tmp_path, changes):
    check_long_texts(tmp_path, config_of("deberta-v2", **LONGEST, **changes))


@pytest.mark.parametrize("model_type", ["t5", "mt5"])
def test_biases_of_long_texts(tmp_path, model_type):
    check_long_texts(tmp_path, config_of(model_type))


def check_long_texts(tmp_path, config):
    folder = make(tmp_path / "model", config, files={"sentence_bert_config.json": {"max_seq_length": 300, "do_lower_case": False}})
    check_same(folder, tmp_path, [" ".join(LONG * n)[:-k] for n in (3, 5, 9, 20) for k in (1, 30)])


@pytest.mark.parametrize("forward", ["relu", "gated-gelu"])
def test_the_encoder_of_a_whole_model_is_run(tmp_path, forward):
    from transformers import AutoConfig, T5ForConditionalGeneration

    torch.manual_seed(3)
    config = config_of("t5", feed_forward_proj=forward, decoder_start_token_id=0)
    folder = make(tmp_path / "model", config)
    T5ForConditionalGeneration(AutoConfig.for_model(**config)).save_pretrained(tmp_path / "model")
    names = load_file(folder / "model.safetensors")
    assert any(name.startswith("decoder.") for name in names)
    assert json.loads((folder / "config.json").read_text())["is_encoder_decoder"]
    check_same(folder, tmp_path)


def test_the_modules_of_sentence_t5(tmp_path):
    """Mean, a linear without a bias or an activation, length 1."""
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": TYPES + "Dense"}
    settings = {"in_features": HIDDEN, "out_features": 24, "bias": False, "activation_function": "torch.nn.modules.linear.Identity"}
    normalize = NORMALIZE | {"idx": 3, "name": "3", "path": "3_Normalize"}
    folder = make(tmp_path / "model", config_of("t5"), modules=[*MODULES, dense, normalize], files={"2_Dense/config.json": settings})
    weight = np.random.default_rng(1).standard_normal((24, HIDDEN)).astype(np.float32)
    save_file({"linear.weight": weight}, folder / "2_Dense" / "model.safetensors")
    assert check_same(folder, tmp_path).shape == (3, 24)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_vectors_do_not_depend_on_what_is_beside_a_text(tmp_path, model_type):
    folder = make(tmp_path / "model", config_of(model_type))
    together = embed(folder, LONG * 40, "--threads", "2")
    alone = np.concatenate([embed(folder, [text], "--threads", "1") for text in LONG])
    np.testing.assert_array_equal(together, np.concatenate([alone] * 40))


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_saved_again_it_is_the_same_model(tmp_path, model_type):
    folder = make(tmp_path / "model", config_of(model_type), modules=[*MODULES, NORMALIZE])
    expected = check_same(folder, tmp_path)
    SentenceTransformer(str(folder), device="cpu", local_files_only=True).save(str(tmp_path / "saved"))
    assert np.abs(check_same(tmp_path / "saved", tmp_path) - expected).max() < 1e-5
    assert run("embed", tmp_path / "saved", "--text", TEXTS[0]).stderr == ""


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_int8_is_near(tmp_path, model_type):
    folder = make(tmp_path / "model", config_of(model_type))
    exact, coded = embed(folder, LONG), embed(folder, LONG, "--compute", "int8")
    cosines = (exact * coded).sum(1) / (np.linalg.norm(exact, axis=1) * np.linalg.norm(coded, axis=1))
    assert 0.99 < cosines.min() < 1


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_commands_run_it(tmp_path, model_type):
    folder, table = make(tmp_path / "model", config_of(model_type)), tmp_path / "x.parquet"
    for arguments in (
        ("quantize", folder, "-o", table, "--type", "int8"),
        ("quantize", folder, "-o", tmp_path / "y.parquet", "--target-bpw", 6, "--calib", "none"),
        ("compare", folder, table, "--outputs"),
        ("sensitivity", folder),
        ("validate", folder, "--types", "int8", "--output-dir", tmp_path / "reports"),  # tiny tables are hardly smaller
    ):
        process = run(*arguments)
        assert process.returncode == 0 or "criteria failed: int8_compression\n" in process.stderr, process.stdout + process.stderr
        if arguments[0] == "compare":
            assert "cosine mean 0.99" in process.stdout


@pytest.mark.parametrize("model_type", ["deberta-v2", "t5", "mt5"])
def test_what_gguf_does_not_know_is_refused_by_its_type(tmp_path, model_type):
    folder = make(tmp_path / "model", config_of(model_type))
    process = run("export", folder, "-o", tmp_path / "x.gguf", "--to", "gguf")
    assert process.returncode == 3
    assert model_type in process.stderr
    assert not (tmp_path / "x.gguf").exists()
    assert "Export a folder (a name without a suffix)" in process.stderr
    assert run("export", folder, "-o", tmp_path / "exported").returncode == 0


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_tensor_that_is_missing_is_named(tmp_path, model_type):
    weights = weights_of(config_of(model_type))
    name = next(name for name in weights if name.endswith(("layers.1.attn.Wo.weight", "attention.output.dense.weight", "ffn_output.weight", "o_proj.weight", "SelfAttention.o.weight")))
    del weights[name]
    check_refused(make(tmp_path / "model", config_of(model_type), weights=weights), tmp_path, f"'{name}'")


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (config_of("albert", num_hidden_groups=2), "num_hidden_groups"),
        (config_of("albert", inner_group_num=2), "inner_group_num"),
        (config_of("modernbert", layer_types=["full_attention"]), "layer_types"),
        (config_of("modernbert", layer_types=["chunked_attention"] * 4), "layer_types"),
        (config_of("modernbert", norm_bias="yes"), "norm_bias"),
        (config_of("modernbert", rope_parameters={"rope_theta": 5.0}), "rope_parameters"),
        (config_of("modernbert", rope_parameters={"full_attention": {"rope_type": "yarn"}}), "rope_parameters"),
        (config_of("modernbert", rope_parameters={"full_attention": {"factor": 2.0}}), "rope_parameters"),
        (config_of("modernbert") | {"local_rope_theta": None}, "local_rope_theta"),
        (config_of("electra", embedding_size=97), "embedding_size"),
        (config_of("nomic_bert", rope_parameters={"rope_type": "linear", "factor": 2.0}), "rope_parameters"),
        (config_of("gte", head_dim=8), "head_dim"),
        (config_of("jina_embeddings_v3", rope_parameters=[1]), "rope_parameters"),
        (config_of("gte", num_attention_heads=32), "heads"),
        (config_of("t5", d_kv=None), "d_kv"),
        (config_of("t5", head_dim=5), "head_dim"),
        (config_of("t5", d_kv=65536), "d_kv"),
        (config_of("t5", hidden_size=16), "hidden_size"),
        (config_of("t5", feed_forward_proj="gated-laplace"), "feed_forward_proj"),
        (config_of("t5", feed_forward_proj="gated-gelu-new"), "feed_forward_proj"),
        (config_of("t5", dense_act_fn="laplace"), "dense_act_fn"),
        (config_of("t5", relative_attention_num_buckets=16), "relative_attention_num_buckets"),
        (config_of("t5", relative_attention_max_distance=64), "relative_attention_max_distance"),
        (config_of("t5", is_decoder=True), "is_decoder"),
        (config_of("deberta-v2", conv_kernel_size=3), "conv_kernel_size"),
        (config_of("deberta-v2", embedding_size=16), "embedding_size"),
        (config_of("deberta-v2", attention_head_size=8), "attention_head_size"),
        (config_of("deberta-v2", pos_att_type="p2c|p2p"), "pos_att_type"),
        (config_of("deberta-v2", norm_rel_ebd="batch_norm"), "norm_rel_ebd"),
        (config_of("deberta-v2", position_buckets=1), "position_buckets"),
        (config_of("deberta-v2", max_relative_positions=5), "max_relative_positions"),
    ],
)
def test_what_cannot_be_run_is_refused_by_its_key(tmp_path, config, key):
    weights = weights_of(config_of(config["model_type"]))
    check_refused(make(tmp_path / "model", config, weights=weights), tmp_path, key, "config.json")
