"""Key by key: what sentence-transformers makes of a configuration, the command makes of it too, or it names the key.

The keys are those of src/model/config_keys.inc; every one of them has a test here, and docs/EMBEDDING.md has them all.
"""

import re
from pathlib import Path

import numpy as np
import pytest
from embedding import TEXTS, check_refused, check_same, embed, reference, run
from safetensors.numpy import save_file
from tiny_encoders import HIDDEN, MODULES, NORMALIZE, POOLING, TYPES, config_of, dump, make, weights_of

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r'^\s*KEY\((\w+),\s*"([^"]+)",\s*(\w+),\s*(NULL|"(?:[^"\\]|\\.)*"),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)', re.M)


def table():
    """(file, key, treatment) of every line."""
    text = (ROOT / "src/model/config_keys.inc").read_text(encoding="utf-8")
    rows = [(match[1], match[2], match[3]) for match in LINE.finditer(text)]
    assert len(rows) == len(re.findall(r"^\s*KEY\(", text, re.M))
    return rows


def keys(file, treatment):
    return {key for of, key, how in table() if of == file and how == treatment}


# ---- config.json ----

ACTIVATIONS = [
    *("relu", "gelu_new", "gelu_fast", "gelu_accurate", "silu", "swish", "tanh"),
    *("gelu_python", "quick_gelu", "mish", "sigmoid"),
]

ROPE = {
    "full_attention": {"rope_type": "default", "rope_theta": 40.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 20.0},
}

# Each is another model; the vectors of the reference and of the command must be the same, and not the first one's.
HONOURED = [
    ("model_type", config_of("roberta")),
    ("model_type", config_of("xlm-roberta")),
    ("model_type", config_of("camembert")),
    ("model_type", config_of("mpnet")),
    ("model_type", config_of("distilbert")),
    ("hidden_size", config_of("bert", hidden_size=16)),
    ("num_hidden_layers", config_of("bert", num_hidden_layers=1)),
    ("num_attention_heads", config_of("bert", num_attention_heads=4)),
    ("intermediate_size", config_of("bert", intermediate_size=20)),
    *[("hidden_act", config_of("bert", hidden_act=act)) for act in ACTIVATIONS],
    ("hidden_act", config_of("mpnet", hidden_act="gelu_pytorch_tanh")),
    ("vocab_size", config_of("bert", vocab_size=25)),
    ("max_position_embeddings", config_of("bert", max_position_embeddings=12)),
    ("type_vocab_size", config_of("bert", type_vocab_size=1)),
    ("type_vocab_size", config_of("roberta", type_vocab_size=1)),
    ("layer_norm_eps", config_of("bert", layer_norm_eps=0.5)),
    ("layer_norm_eps", config_of("mpnet", layer_norm_eps=0.5)),
    ("layer_norm_eps", config_of("distilbert", layer_norm_eps=0.5)),  # which does not read it
    ("pad_token_id", config_of("bert", pad_token_id=5)),
    ("pad_token_id", config_of("roberta", pad_token_id=1)),
    ("pad_token_id", config_of("xlm-roberta", pad_token_id=7)),
    ("pad_token_id", config_of("camembert", pad_token_id=9)),
    ("pad_token_id", config_of("mpnet", pad_token_id=7)),  # which has 1 always
    ("relative_attention_num_buckets", config_of("mpnet", relative_attention_num_buckets=32)),
    ("model_type", config_of("electra")),
    ("model_type", config_of("albert")),
    ("model_type", config_of("modernbert")),
    ("model_type", config_of("ernie")),
    ("model_type", config_of("nomic_bert")),
    ("model_type", config_of("gte")),
    ("model_type", config_of("jina_embeddings_v3")),
    ("hidden_act", config_of("nomic_bert", hidden_act=None)),
    ("hidden_act", config_of("gte", hidden_act="relu")),
    ("type_vocab_size", config_of("gte", type_vocab_size=0)),
    ("type_vocab_size", config_of("gte", type_vocab_size=None)),
    ("type_vocab_size", config_of("jina_embeddings_v3", type_vocab_size=None)),
    ("layer_norm_eps", config_of("jina_embeddings_v3", layer_norm_eps=None)),
    ("rope_theta", config_of("nomic_bert", rope_theta=30.0)),
    ("rope_theta", config_of("gte", rope_theta=30.0)),
    ("rope_parameters", config_of("nomic_bert", rope_parameters={"rope_type": "default", "rope_theta": 30.0})),
    ("rope_parameters", config_of("jina_embeddings_v3", rope_parameters={"rope_type": "default", "rope_theta": 30.0})),
    ("head_dim", config_of("nomic_bert", head_dim=16)),
    ("embedding_size", config_of("electra", embedding_size=HIDDEN)),
    ("embedding_size", config_of("electra", embedding_size=3 * HIDDEN)),
    ("embedding_size", config_of("albert", embedding_size=HIDDEN)),
    ("num_hidden_layers", config_of("albert", num_hidden_layers=5)),
    ("num_hidden_groups", config_of("albert", num_hidden_groups=1)),
    ("inner_group_num", config_of("albert", inner_group_num=1)),
    ("hidden_act", config_of("albert", hidden_act=None)),
    ("hidden_activation", config_of("modernbert", hidden_activation="relu")),
    ("norm_eps", config_of("modernbert", norm_eps=0.5)),
    ("norm_eps", config_of("modernbert", norm_eps=None)),
    ("norm_bias", config_of("modernbert", norm_bias=True)),
    ("attention_bias", config_of("modernbert", attention_bias=True)),
    ("mlp_bias", config_of("modernbert", mlp_bias=True)),
    ("local_attention", config_of("modernbert", local_attention=0)),
    ("local_attention", config_of("modernbert", local_attention=7)),
    ("local_attention", config_of("modernbert", local_attention=None)),
    ("layer_types", config_of("modernbert", layer_types=["sliding_attention", *["full_attention"] * 2, "sliding_attention"])),
    ("global_attn_every_n_layers", config_of("modernbert", global_attn_every_n_layers=2)),
    ("global_attn_every_n_layers", config_of("modernbert", global_attn_every_n_layers=None)),
    ("global_rope_theta", config_of("modernbert", global_rope_theta=30.0)),
    ("local_rope_theta", config_of("modernbert", local_rope_theta=30.0)),
    ("rope_parameters", config_of("modernbert", rope_parameters=ROPE)),
    ("model_type", config_of("deberta-v2")),
    ("relative_attention", config_of("deberta-v2", relative_attention=False)),
    ("relative_attention", config_of("deberta-v2", relative_attention=None)),
    *[("pos_att_type", config_of("deberta-v2", pos_att_type=kinds)) for kinds in ("c2p", "p2c", ["p2c", "c2p"], [], None)],
    ("pos_att_type", config_of("deberta-v2", pos_att_type="c2p", share_att_key=False)),
    ("pos_att_type", config_of("deberta-v2", pos_att_type="p2c", share_att_key=False)),
    ("position_buckets", config_of("deberta-v2", position_buckets=5)),
    ("position_buckets", config_of("deberta-v2", position_buckets=None)),
    ("max_relative_positions", config_of("deberta-v2", max_relative_positions=8)),
    ("max_relative_positions", config_of("deberta-v2", max_relative_positions=4, position_buckets=-1)),
    ("share_att_key", config_of("deberta-v2", share_att_key=None)),
    ("norm_rel_ebd", config_of("deberta-v2", norm_rel_ebd="none")),
    ("norm_rel_ebd", config_of("deberta-v2", norm_rel_ebd=None)),
    ("position_biased_input", config_of("deberta-v2", position_biased_input=True)),
    ("position_biased_input", config_of("deberta-v2", position_biased_input=None)),
    ("conv_kernel_size", config_of("deberta-v2", conv_kernel_size=0)),
    ("attention_head_size", config_of("deberta-v2", attention_head_size=16)),
    ("embedding_size", config_of("deberta-v2", embedding_size=HIDDEN)),
    ("type_vocab_size", config_of("deberta-v2", type_vocab_size=2)),
    ("layer_norm_eps", config_of("deberta-v2", layer_norm_eps=0.5)),
    ("layer_norm_eps", config_of("deberta-v2", layer_norm_eps=None)),
    ("hidden_act", config_of("deberta-v2", hidden_act="relu")),
    *[("model_type", config_of(kind)) for kind in ("t5", "mt5")],
    *[("d_model", config_of("t5", d_model=16, **sizes)) for sizes in ({}, {"hidden_size": 16})],
    ("num_layers", config_of("t5", num_layers=1)),
    ("num_heads", config_of("mt5", num_heads=5)),
    *[("d_kv", config_of(kind, d_kv=width)) for kind, width in (("t5", 3), ("mt5", 40))],
    ("head_dim", config_of("t5", head_dim=12)),
    ("d_ff", config_of("mt5", d_ff=20)),
    *[("feed_forward_proj", config_of("t5", feed_forward_proj=kind)) for kind in ("gelu", "gated-gelu", "gated-silu", "gated-relu", None)],
    ("feed_forward_proj", config_of("mt5", feed_forward_proj=None)),
    ("dense_act_fn", config_of("t5", dense_act_fn="silu")),
    ("dense_act_fn", config_of("mt5", dense_act_fn="gelu")),
    ("is_gated_act", config_of("t5", is_gated_act=True)),
    ("is_gated_act", config_of("mt5", is_gated_act=False)),
    ("layer_norm_epsilon", config_of("t5", layer_norm_epsilon=0.5)),
    ("layer_norm_epsilon", config_of("mt5", layer_norm_epsilon=None)),
    ("relative_attention_num_buckets", config_of("t5", relative_attention_num_buckets=32)),
    ("relative_attention_max_distance", config_of("t5", relative_attention_max_distance=128)),
    ("max_position_embeddings", config_of("t5", max_position_embeddings=8)),
    ("is_encoder_decoder", config_of("t5", is_encoder_decoder=False)),
    ("dim", config_of("distilbert", dim=16)),
    ("n_layers", config_of("distilbert", n_layers=1)),
    ("n_heads", config_of("distilbert", n_heads=4)),
    ("hidden_dim", config_of("distilbert", hidden_dim=20)),
    ("activation", config_of("distilbert", activation="relu")),
]


@pytest.mark.parametrize(("key", "config"), HONOURED)
def test_config_key_is_honoured(tmp_path, key, config):
    files = {"1_Pooling/config.json": POOLING | {"word_embedding_dimension": config.get("dim", config.get("d_model", config.get("hidden_size")))}}
    texts = [*TEXTS, "the [PAD] cat [MASK] zebra near [UNK] a a"]
    check_same(make(tmp_path / "model", config, files=files), tmp_path, texts)


# The same weights with another value of the key: the vector changes, or the key would be no test of anything.
CHANGES = [
    (config_of("bert"), {"num_hidden_layers": 1}),
    (config_of("bert"), {"num_attention_heads": 4}),
    (config_of("bert"), {"hidden_act": "relu"}),
    (config_of("bert"), {"layer_norm_eps": 0.5}),
    (config_of("roberta"), {"pad_token_id": 3}),
    (config_of("distilbert"), {"n_heads": 4}),
    (config_of("distilbert"), {"activation": "relu"}),
    (config_of("bert", type_vocab_size=2), {"model_type": "roberta"}),
    (config_of("albert"), {"num_hidden_layers": 3}),
    (config_of("nomic_bert"), {"rope_theta": 3.0}),
    (config_of("gte"), {"rope_parameters": {"rope_type": "default", "rope_theta": 3.0}}),
    (config_of("jina_embeddings_v3"), {"rope_theta": 3.0}),
    (config_of("deberta-v2"), {"relative_attention": False}),
    (config_of("deberta-v2"), {"pos_att_type": "c2p"}),
    (config_of("deberta-v2"), {"pos_att_type": "p2c"}),
    (config_of("deberta-v2"), {"max_relative_positions": 8}),
    (config_of("deberta-v2"), {"norm_rel_ebd": "none"}),
    (config_of("deberta-v2"), {"layer_norm_eps": 0.5}),
    (config_of("deberta-v2", share_att_key=False), {"share_att_key": True}),
    (config_of("deberta-v2", position_biased_input=True), {"position_biased_input": False}),
    (config_of("deberta-v2", position_buckets=None, max_relative_positions=8), {"position_buckets": 8}),
    (config_of("t5"), {"num_layers": 1}),
    (config_of("t5"), {"feed_forward_proj": "gelu"}),
    (config_of("t5"), {"dense_act_fn": "tanh"}),
    (config_of("t5", feed_forward_proj="gated-gelu"), {"feed_forward_proj": "gated-relu"}),
    (config_of("t5"), {"layer_norm_epsilon": 0.5}),
    (config_of("t5"), {"max_position_embeddings": 5}),
    (config_of("modernbert"), {"local_attention": 2}),
    (config_of("modernbert"), {"norm_eps": 0.5}),
    (config_of("modernbert"), {"global_attn_every_n_layers": 2}),
    (config_of("modernbert"), {"global_rope_theta": 3.0}),
    (config_of("modernbert"), {"local_rope_theta": 3.0}),
    (config_of("modernbert"), {"rope_parameters": ROPE}),
    (config_of("modernbert"), {"layer_types": ["full_attention"] * 4}),
]


@pytest.mark.parametrize(("config", "change"), CHANGES)
def test_config_key_changes_the_vector(tmp_path, config, change):
    weights = weights_of(config)
    before = check_same(make(tmp_path / "before", config, weights=weights), tmp_path)
    after = check_same(make(tmp_path / "after", config | change, weights=weights), tmp_path)
    assert np.abs(before - after).max() > 1e-2


REFUSED = {
    "is_decoder": True,
    "is_causal": True,
    "add_cross_attention": True,
    "pruned_heads": {"0": [1]},
    "quantization_config": {"quant_method": "gptq", "bits": 4},
    "compression_config": {"format": "pack-quantized"},
    "quantization": {"group_size": 64, "bits": 4},
    "transformers_weights": "other.safetensors",
    "rope_scaling": {"rope_type": "linear", "factor": 2.0},
    "use_task_id": True,
    "fusion_config": {"qkv": True},
}


@pytest.mark.parametrize("key", sorted(keys("CONFIG", "REFUSED")))
def test_config_key_is_refused_by_name(tmp_path, key):
    folder = make(tmp_path / "model", config_of("bert") | {key: REFUSED[key]})
    check_refused(folder, tmp_path, f"'{key}'", "config.json")


@pytest.mark.parametrize("key", ["relative_attention_num_buckets", "hidden_act", "model_type"])
def test_config_value_that_is_not_known_is_refused_by_name(tmp_path, key):
    value = {"relative_attention_num_buckets": 64, "hidden_act": "laplace", "model_type": "funnel"}[key]
    folder = make(tmp_path / "model", config_of("mpnet") | {key: value}, weights=weights_of(config_of("mpnet")))
    check_refused(folder, tmp_path, f"'{key}'")


def test_a_model_of_two_parts_is_refused_by_its_key(tmp_path):
    check_refused(make(tmp_path / "model", config_of("bert", is_encoder_decoder=True)), tmp_path, "'is_encoder_decoder'", "config.json")


def test_neutral_values_of_refused_keys_are_run(tmp_path):
    neutral = {"position_embedding_type": "absolute", "is_decoder": False, "pruned_heads": {}, "add_cross_attention": False, "is_encoder_decoder": False}
    check_same(make(tmp_path / "model", config_of("bert") | neutral), tmp_path)


def test_distilbert_sizes_under_two_names_are_refused(tmp_path):
    folder = make(tmp_path / "model", config_of("distilbert") | {"num_attention_heads": 4})
    check_refused(folder, tmp_path, "'num_attention_heads'", "'n_heads'")


# What the reference takes without another result; numbers and flags that are not the defaults.
NO_EFFECT = {
    "architectures": ["BertForMaskedLM"],
    "dtype": "float32",
    "torch_dtype": "float32",
    "_attn_implementation": "eager",
    "_attn_implementation_autoset": True,
    "attn_implementation": "eager",
    "chunk_size_feed_forward": 1,
    "attention_probs_dropout_prob": 0.9,
    "hidden_dropout_prob": 0.9,
    "classifier_dropout": 0.9,
    "dropout": 0.9,
    "attention_dropout": 0.9,
    "qa_dropout": 0.9,
    "seq_classif_dropout": 0.9,
    "initializer_range": 7.0,
    "initializer_factor": 7.0,
    "gradient_checkpointing": True,
    "classifier_dropout_prob": 0.9,
    "pooler_dropout": 0.9,
    "dropout_rate": 0.9,
    "num_decoder_layers": 9,
    "scale_decoder_outputs": False,
    "emb_pooler": "cls",
    "pack_qkv": True,
    "unpad_inputs": True,
    "use_memory_efficient_attention": True,
    "attn_pdrop": 0.9,
    "embd_pdrop": 0.9,
    "resid_pdrop": 0.9,
    "summary_first_dropout": 0.9,
    "dense_seq_output": True,
    "fused_bias_fc": True,
    "fused_dropout_add_ln": True,
    "pad_vocab_size_multiple": True,
    "parallel_block_tied_norm": True,
    "reorder_and_upcast_attn": True,
    "use_flash_attn": True,
    "use_xentropy": True,
    "max_trained_positions": True,
    "summary_proj_to_labels": True,
    "cls_dropout": 0.9,
    "legacy": False,
    "conv_act": "gelu",
    "conv_groups": 2,
    "pooler_hidden_size": HIDDEN,
    "task_type_vocab_size": 5,
    "summary_last_dropout": 0.9,
    "embedding_dropout": 0.9,
    "mlp_dropout": 0.9,
    "initializer_cutoff_factor": 7.0,
    "summary_type": "mean",
    "summary_use_proj": False,
    "summary_activation": "tanh",
    "decoder_bias": False,
    "classifier_pooling": "mean",
    "classifier_bias": True,
    "classifier_activation": "relu",
    "sparse_prediction": True,
    "sparse_pred_ignore_index": 3,
    "repad_logits_with_grad": True,
    "deterministic_flash_attn": True,
    "reference_compile": True,
    "sinusoidal_pos_embds": True,
    "tie_word_embeddings": False,
    "tie_weights_": False,
    "tie_encoder_decoder": True,
    "cross_attention_hidden_size": 16,
    "decoder_start_token_id": 3,
    "use_cache": False,
    "output_attentions": True,
    "output_hidden_states": True,
    "output_past": False,
    "return_dict": False,
    "torchscript": False,
    "use_bfloat16": True,
    "tf_legacy_loss": True,
    "xla_device": True,
    "num_labels": 3,
    "_num_labels": 3,
    "id2label": {"0": "a", "1": "b"},
    "label2id": {"a": 0, "b": 1},
    "problem_type": "regression",
    "finetuning_task": "mnli",
    "task_specific_params": {"x": {"max_length": 5}},
    "sentence_transformers": {"version": "5.0.0", "activation_fn": "torch.nn.modules.activation.Sigmoid"},
    "pooler_fc_size": 7,
    "pooler_num_attention_heads": 7,
    "pooler_num_fc_layers": 7,
    "pooler_size_per_head": 7,
    "pooler_type": "last",
    "directionality": "uni",
    "bos_token_id": 5,
    "eos_token_id": 6,
    "eos_token_ids": [6],
    "sep_token_id": 7,
    "cls_token_id": 8,
    "mask_token_id": 9,
    "unk_token_id": 10,
    "model_max_length": 5,
    "max_length": 5,
    "min_length": 5,
    "do_sample": True,
    "early_stopping": True,
    "num_beams": 3,
    "num_beam_groups": 3,
    "diversity_penalty": 0.5,
    "temperature": 0.5,
    "top_k": 5,
    "top_p": 0.5,
    "typical_p": 0.5,
    "repetition_penalty": 2.0,
    "length_penalty": 2.0,
    "no_repeat_ngram_size": 3,
    "encoder_no_repeat_ngram_size": 3,
    "bad_words_ids": [[5]],
    "num_return_sequences": 3,
    "output_scores": True,
    "return_dict_in_generate": True,
    "forced_bos_token_id": 5,
    "forced_eos_token_id": 5,
    "remove_invalid_values": True,
    "exponential_decay_length_penalty": [5, 1.5],
    "suppress_tokens": [5],
    "begin_suppress_tokens": [5],
    "prefix": "dog ",
    "_name_or_path": "elsewhere/model",
    "name_or_path": "elsewhere/model",
    "transformers_version": "9.9.9",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return reference(make(tmp_path_factory.mktemp("plain") / "model"))


@pytest.mark.parametrize("key", sorted(keys("CONFIG", "NO_EFFECT")))
def test_config_key_has_no_effect(tmp_path, plain, key):
    folder = make(tmp_path / "model", config_of("bert") | {key: NO_EFFECT[key]})
    assert np.abs(reference(folder) - plain).max() < 1e-5
    assert np.abs(embed(folder) - plain).max() < 1e-5


def test_config_keys_that_are_not_known_are_named(tmp_path, plain):
    folder = make(tmp_path / "model", config_of("bert") | {"future_switch": 1})
    process = run("embed", folder, "--text", TEXTS[0])
    assert process.returncode == 0
    assert process.stderr == "arrowquant: note: config.json: not known, and passed over: 'future_switch'\n"
    assert np.abs(check_same(folder, tmp_path) - plain).max() < 1e-5


def test_dtype_of_the_reference_is_told(tmp_path):
    process = run("embed", make(tmp_path / "model", config_of("bert") | {"dtype": "float16"}), "--text", TEXTS[0])
    assert process.returncode == 0
    assert "'dtype' is float16, in which sentence-transformers computes" in process.stderr


# ---- modules.json ----


def check_modules(tmp_path, modules, files=None):
    return check_same(make(tmp_path / "model", modules=modules, files=files), tmp_path)


def test_modules_order_of_the_list_counts_and_not_idx(tmp_path, plain):
    modules = [MODULES[0] | {"idx": 2}, MODULES[1] | {"idx": 0}, NORMALIZE | {"idx": 1}]
    got = check_modules(tmp_path, modules)
    assert np.abs(np.linalg.norm(got, axis=1) - 1).max() < 1e-6
    assert np.abs(got - plain).max() > 1e-2


def test_modules_path_is_where_the_configuration_is_read(tmp_path, plain):
    modules = [MODULES[0], MODULES[1] | {"path": "own/pooling"}]
    files = {"own/pooling/config.json": {"embedding_dimension": HIDDEN, "pooling_mode": "cls"}}
    assert np.abs(check_modules(tmp_path, modules, files) - plain).max() > 1e-2


def test_modules_path_of_the_transformer_is_where_the_model_is_read(tmp_path, plain):
    modules = [MODULES[0] | {"path": "0_Transformer"}, MODULES[1]]
    folder = make(tmp_path / "model", modules=modules, transformer="0_Transformer")
    dump(folder / "config.json", {"__version__": "1.0.0"})
    assert np.abs(check_same(folder, tmp_path) - plain).max() < 1e-5


@pytest.mark.parametrize(
    "kind",
    [
        "sentence_transformers.models.{}",
        "sentence_transformers.base.modules.{1}.{0}",
        "sentence_transformers.sentence_transformer.modules.{}",
    ],
)
def test_modules_type_of_the_package_is_run(tmp_path, plain, kind):
    modules = [MODULES[0] | {"type": kind.format("Transformer", "transformer")}, MODULES[1]]
    assert np.abs(check_modules(tmp_path, modules) - plain).max() < 1e-5


@pytest.mark.parametrize("kind", ["Pooling", "WeightedLayerPooling", "WordWeights", "CNN", "LSTM", "BoW"])
def test_modules_type_that_cannot_be_run_is_refused_by_name(tmp_path, kind):
    modules = [*MODULES, {"idx": 2, "name": "2", "path": "2_" + kind, "type": TYPES + kind}]
    check_refused(make(tmp_path / "model", modules=modules), tmp_path, f"'{kind}'", "modules.json")


def test_modules_type_of_another_package_is_refused(tmp_path):
    modules = [MODULES[0], MODULES[1] | {"type": "own_code.Pooling"}]
    check_refused(make(tmp_path / "model", modules=modules), tmp_path, "'own_code.Pooling'")


def test_modules_of_one_name_are_refused(tmp_path):
    check_refused(make(tmp_path / "model", modules=[*MODULES, NORMALIZE | {"name": "1"}]), tmp_path, "'name'")


def test_modules_kwargs_and_idx_have_no_effect(tmp_path, plain):
    modules = [MODULES[0] | {"kwargs": ["task"]}, {k: v for k, v in MODULES[1].items() if k != "idx"}]
    assert np.abs(check_modules(tmp_path, modules) - plain).max() < 1e-5


def test_without_modules_the_mean_is_taken_and_nothing_beside_is_read(tmp_path, plain):
    files = {
        "1_Pooling/config.json": {"embedding_dimension": HIDDEN, "pooling_mode": "cls"},
        "sentence_bert_config.json": {"max_seq_length": 3},
        "config_sentence_transformers.json": {"prompts": {"q": "dog dog "}, "default_prompt_name": "q"},
    }
    folder = make(tmp_path / "model", modules=None, files=files)
    assert np.abs(check_same(folder, tmp_path) - plain).max() < 1e-5
    process = run("embed", folder, "--text", TEXTS[0])
    assert "is not read, as sentence-transformers does not without a modules.json" in process.stderr


# ---- the modules' configurations ----


@pytest.mark.parametrize(
    "pooling",
    [
        {"pooling_mode": "mean"},
        {"pooling_mode": "cls"},
        {"pooling_mode": ["cls"]},
        {"pooling_mode": "cls", "pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": True},
        {"pooling_mode_cls_token": True},
        {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": False},
        {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False, "pooling_mode_lasttoken": False},
        {"pooling_mode_mean_sqrt_len_tokens": False, "pooling_mode_weightedmean_tokens": False},
        {"include_prompt": True},
        {"include_prompt": False},
        {},
    ],
)
@pytest.mark.parametrize("dimension", ["word_embedding_dimension", "embedding_dimension"])
def test_pooling_key_is_honoured(tmp_path, plain, pooling, dimension):
    files = {"1_Pooling/config.json": {dimension: HIDDEN} | pooling}
    got = check_same(make(tmp_path / "model", files=files), tmp_path)
    cls = "cls" in pooling.get("pooling_mode", "") or pooling.get("pooling_mode_cls_token", False)
    assert (np.abs(got - plain).max() > 1e-2) == cls


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pooling_mode", "median"),
        ("pooling_mode", ["mean", "median"]),
        ("pooling_mode", []),
        ("not_a_key", 1),
    ],
)
def test_pooling_key_is_refused_by_name(tmp_path, key, value):
    files = {"1_Pooling/config.json": {"embedding_dimension": HIDDEN, key: value}}
    check_refused(make(tmp_path / "model", files=files), tmp_path, f"'{key}'", "1_Pooling/config.json")


def test_pooling_that_leaves_the_prompt_out_is_refused_with_a_prompt(tmp_path):
    files = {
        "1_Pooling/config.json": POOLING | {"include_prompt": False},
        "config_sentence_transformers.json": {"prompts": {"q": "the cat "}, "default_prompt_name": "q"},
    }
    check_refused(make(tmp_path / "model", files=files), tmp_path, "'include_prompt'")


def test_pooling_without_its_configuration_is_refused(tmp_path):
    folder = make(tmp_path / "model", files={"1_Pooling/config.json": None})
    check_refused(folder, tmp_path, "1_Pooling", "no config.json")


@pytest.mark.parametrize("key", ["module_input_name", "module_output_name"])
def test_normalize_key(tmp_path, key):
    files = {"2_Normalize/config.json": {key: "sentence_embedding"}}
    check_modules(tmp_path, [*MODULES, NORMALIZE], files)
    dump(tmp_path / "model" / "2_Normalize" / "config.json", {key: "token_embeddings"})
    check_refused(tmp_path / "model", tmp_path, f"'{key}'", "2_Normalize/config.json")


def test_dropout_has_no_effect(tmp_path, plain):
    dropout = {"idx": 3, "name": "3", "path": "3_Dropout", "type": TYPES + "Dropout"}
    files = {"3_Dropout/config.json": {"dropout": 0.9}}
    assert np.abs(check_modules(tmp_path, [*MODULES, dropout], files) - plain).max() < 1e-5
    check_modules(tmp_path, [*MODULES, NORMALIZE, dropout], files)


# ---- config_sentence_transformers.json ----


def make_with_settings(tmp_path, settings):
    return make(tmp_path / "model", files={"config_sentence_transformers.json": settings})


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"prompts": {"q": "the dog "}, "default_prompt_name": "q"}, True),
        ({"prompts": {"q": "the dog "}, "default_prompt_name": None}, False),
        ({"prompts": {"q": "the dog "}}, False),
        ({"prompts": {}, "default_prompt_name": "query"}, False),
        ({"truncate_dim": None}, False),
        ({"truncate_dim": HIDDEN}, False),
        ({"truncate_dim": HIDDEN + 1}, False),
        ({"model_type": "SentenceTransformer"}, False),
        ({"similarity_fn_name": "dot"}, False),
        ({"requirements": {}}, False),
        ({"__version__": {"sentence_transformers": "9.0.0"}}, False),
    ],
)
def test_model_key_is_honoured(tmp_path, plain, settings, changes):
    got = check_same(make_with_settings(tmp_path, settings), tmp_path)
    assert (np.abs(got - plain).max() > 1e-2) == changes


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("truncate_dim", {"truncate_dim": 7.5}),
        ("model_type", {"model_type": "CrossEncoder"}),
        ("model_type", {"model_type": "SparseEncoder"}),
        ("default_prompt_name", {"prompts": {"a": "b"}, "default_prompt_name": "q"}),
    ],
)
def test_model_key_is_refused_by_name(tmp_path, key, settings):
    folder = make_with_settings(tmp_path, settings)
    check_refused(folder, tmp_path, f"'{key}'", "config_sentence_transformers.json")


# ---- adapters ----


def make_with_adapter(folder, **config):
    rng = np.random.default_rng(2)
    make(folder)
    dump(folder / "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": str(folder), "r": 4} | config)
    names = [f"base_model.model.encoder.layer.{i}.attention.self.query.lora_" for i in range(2)]
    pairs = {n + k + ".weight": (4, HIDDEN) if k == "A" else (HIDDEN, 4) for n in names for k in "AB"}
    save_file(
        {name: rng.standard_normal(shape).astype(np.float32) for name, shape in pairs.items()},
        folder / "adapter_model.safetensors",
    )
    return folder


def test_adapter_is_applied_by_the_reference_and_refused_here(tmp_path, plain):
    folder = make_with_adapter(tmp_path / "model", lora_alpha=8, target_modules=["query"], task_type="FEATURE_EXTRACTION")
    assert np.abs(reference(folder) - plain).max() > 1e-2
    check_refused(folder, tmp_path, "adapter_config.json", "adapter")


@pytest.mark.parametrize("command", ["quantize", "convert"])
def test_adapter_is_said_to_be_left_out(tmp_path, command):
    process = run(command, make_with_adapter(tmp_path / "model"), "-o", tmp_path / "x.parquet")
    assert process.returncode == 0
    assert "a PEFT adapter" in process.stdout
    assert "is left out" in process.stdout


@pytest.mark.parametrize("command", ["quantize", "convert", "embed", "info", "export"])
def test_adapter_alone_is_no_model(tmp_path, command):
    folder = make_with_adapter(tmp_path / "model")
    for name in ("model.safetensors", "config.json", "modules.json"):
        (folder / name).unlink()
    output = () if command in ("embed", "info") else ("-o", tmp_path / "x")
    process = run(command, folder, *(("--text", "a") if command == "embed" else ()), *output)
    assert process.returncode == 3
    assert "the folder holds a PEFT adapter of" in process.stderr
    assert "merge_and_unload" in process.stderr


# ---- the table of keys itself ----


def test_every_key_of_the_table_has_a_test():
    of_the_tokenizer = {"tokenizer_class"}  # test_tokenizer_keys.py
    of_heads = {"classifier_activation", "classifier_bias", "classifier_pooling", "id2label", "num_labels", "pooler_hidden_act", "problem_type",
                "sbert_ce_default_activation_function", "sentence_transformers"}  # test_scores.py; none moves embeddings
    of_own_code = {"auto_map", "position_embedding_type", "feed_forward_type", "n_embd", "n_head", "n_layer", "n_inner", "n_positions",
                   "activation_function", "rotary_emb_base", "rotary_emb_fraction", "rotary_emb_interleaved", "rotary_emb_scale_base",
                   "rotary_scaling_factor", "prenorm", "parallel_block", "causal", "use_rms_norm", "qkv_proj_bias", "mlp_fc1_bias",
                   "mlp_fc2_bias", "scale_attn_weights", "scale_attn_by_inverse_layer_idx", "moe_every_n_layers",
                   "num_experts", "logn_attention_scale", "logn_attention_clip1", "layer_norm_type"}  # test_own_code.py
    assert keys("CONFIG", "HONOURED") == {key for key, _ in HONOURED} | of_the_tokenizer | of_heads | of_own_code
    assert keys("CONFIG", "REFUSED") == set(REFUSED)
    assert keys("CONFIG", "NO_EFFECT") == set(NO_EFFECT) - of_heads
