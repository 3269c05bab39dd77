"""Scores of pairs are those of sentence-transformers' CrossEncoder, from folders and from tables made of them: random tiny models of
every family with a head, its activation, its files as they were saved by this and by older versions."""

import json

import numpy as np
import pytest
from embedding import SAME, run, tables
from sentence_transformers import CrossEncoder
from tiny_encoders import MODULES, config_of, make
from transformers import AutoConfig, AutoModelForSequenceClassification

FAMILIES = ["bert", "roberta", "xlm-roberta", "camembert", "ernie", "mpnet", "distilbert", "electra", "albert", "modernbert", "nomic_bert", "gte", "jina_embeddings_v3", "deberta-v2"]
TYPED = ["bert", "ernie", "electra", "albert", "nomic_bert", "gte"]
PAIRS = [
    ("the cat sat", "a dog run near the river ."),
    ("dog", "dog"),
    ("the small house", "the cat sat on a mat . a dog near the house . the river , the dog run on a small mat on the mat near a river ."),
    ("the cat sat on a mat . a dog near the house . the river , the dog run on a small mat", "cat"),
    ("", "the mat"),
]
IDENTITY = "torch.nn.modules.linear.Identity"


def scoring_config(model_type, labels=1, **changes):
    names = {str(i): f"L{i}" for i in range(labels)}
    return config_of(model_type, architectures=["X" + "ForSequenceClassification"], id2label=names, label2id={v: int(k) for k, v in names.items()}, **changes)


def scoring_weights(config, seed=3):
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(**config))
    rng, weights = np.random.default_rng(seed), {}
    for name, values in model.state_dict().items():
        if name.endswith(("position_ids", "token_type_ids")):
            continue
        is_gain = "norm" in name.lower() and name.endswith("weight")
        is_last = "classifier" in name and values.shape[0] == len(config["id2label"])  # scores of about 1
        random = rng.standard_normal(tuple(values.shape)) * (0.1 if is_gain or is_last else 0.4)
        weights[name] = (is_gain + random).astype(np.float32)
    return weights


def make_scorer(folder, model_type="bert", labels=1, files=None, **changes):
    config = scoring_config(model_type, labels, **changes)
    made_of = {key: value for key, value in config.items() if key not in ("num_labels", "problem_type")}  # the class refuses some of these
    return make(folder, config, modules=None, weights=scoring_weights(made_of), files=files)


def score(model, pairs=PAIRS, *options):
    lines = "\n".join(json.dumps(pair) for pair in pairs)
    with open(f"{model}.pairs.jsonl", "w", encoding="utf-8") as file:
        file.write(lines)
    process = run("score", model, "--input", f"{model}.pairs.jsonl", *options)
    assert process.returncode == 0, process.stderr
    return np.array([[float(x) for x in line.split("\t")] for line in process.stdout.splitlines()], np.float32)


def load(folder):
    return CrossEncoder(str(folder), device="cpu", local_files_only=True)


def check_same(folder, tmp_path, **options):
    expected = np.asarray(load(folder).predict(PAIRS, **options)).reshape(len(PAIRS), -1)
    assert np.isfinite(expected).all()
    for model in (folder, *tables(folder, tmp_path)):
        got = score(model)
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() < SAME, f"{model}: {np.abs(got - expected).max()}"
    return expected


def refusal(folder):
    process = run("score", folder, "--query", "a cat", "--text", "a dog")
    assert process.returncode in (3, 1) and process.stdout == "", process.stderr
    return process.stderr


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_the_reference(tmp_path, family, labels):
    folder = make_scorer(tmp_path / "model", family, labels)
    expected = check_same(folder, tmp_path)
    assert len(np.unique(expected.round(4), axis=0)) > 3  # the model is not degenerate
    raw = score(folder, PAIRS, "--raw")
    wanted = 1 / (1 + np.exp(-raw)) if labels == 1 else raw
    assert np.abs(wanted - expected).max() < SAME


@pytest.mark.parametrize("family", FAMILIES)
def test_int8_is_near_and_batches_do_not_count(tmp_path, family):
    folder = make_scorer(tmp_path / "model", family)
    exact, coded = score(folder), score(folder, PAIRS, "--compute", "int8")
    assert 0 < np.abs(exact - coded).max() < 0.1
    together = score(folder, PAIRS * 40, "--threads", 2)
    alone = np.concatenate([score(folder, [pair], "--threads", 1) for pair in PAIRS])
    np.testing.assert_array_equal(together, np.concatenate([alone] * 40))


@pytest.mark.parametrize("family", TYPED)
def test_types_of_tokens_count_where_the_tokenizer_gives_them(tmp_path, family):
    tokenizer = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]", "pad_token": "[PAD]", "model_max_length": 30}
    scores = []
    for i, names in enumerate((["input_ids", "attention_mask"], ["input_ids", "token_type_ids", "attention_mask"])):
        folder = make_scorer(tmp_path / f"model{i}", family, files={"tokenizer_config.json": {**tokenizer, "model_input_names": names}})
        scores.append(check_same(folder, tmp_path))
    assert np.abs(scores[0] - scores[1]).max() > 1e-4


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_saved_by_the_library_it_is_the_same_model(tmp_path, family):
    folder = make_scorer(tmp_path / "model", family)
    expected = check_same(folder, tmp_path)
    model = load(folder)
    model.save_pretrained(str(tmp_path / "saved"))
    assert (tmp_path / "saved" / "modules.json").exists()
    assert np.abs(check_same(tmp_path / "saved", tmp_path) - expected).max() < SAME
    assert "CrossEncoder" not in run("score", tmp_path / "saved", "--query", "a", "--text", "a").stderr
    assert run("embed", tmp_path / "saved", "--text", "a").returncode == 3


@pytest.mark.parametrize("changes", [
    {"sentence_transformers": {"activation_fn": IDENTITY, "version": "4.0.1"}},
    {"sbert_ce_default_activation_function": IDENTITY},
    {"sbert_ce_default_activation_function": "torch.nn.modules.activation.Tanh"},
    {"sentence_transformers": {"version": "4.0.1"}, "sbert_ce_default_activation_function": IDENTITY},
    {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Tanh"}, "sbert_ce_default_activation_function": IDENTITY},
])
def test_activations_of_the_configuration(tmp_path, changes):
    check_same(make_scorer(tmp_path / "model", **changes), tmp_path)


def test_the_activation_of_the_settings_goes_first(tmp_path):
    folder = make_scorer(tmp_path / "model", sbert_ce_default_activation_function="torch.nn.modules.activation.Tanh")
    load(folder).save_pretrained(str(tmp_path / "saved"))
    path = tmp_path / "saved" / "config_sentence_transformers.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "activation_fn": IDENTITY}))
    expected = check_same(tmp_path / "saved", tmp_path)
    assert np.abs(expected - score(folder, PAIRS, "--raw")).max() < SAME


@pytest.mark.parametrize("changes", [
    {"classifier_pooling": "mean"}, {"classifier_bias": True, "norm_bias": True}, {"classifier_activation": "silu", "classifier_pooling": "cls"}])
def test_the_head_of_modernbert(tmp_path, changes):
    check_same(make_scorer(tmp_path / "model", "modernbert", **changes), tmp_path)


@pytest.mark.parametrize("changes", [{"pooler_hidden_act": "tanh"}, {"type_vocab_size": 2}, {"share_att_key": False, "pooler_hidden_size": 32}])
def test_the_head_of_deberta(tmp_path, changes):
    check_same(make_scorer(tmp_path / "model", "deberta-v2", **changes), tmp_path)


def test_ranks_are_those_of_the_reference(tmp_path):
    folder = make_scorer(tmp_path / "model")
    texts = [text for _, text in PAIRS]
    process = run("score", folder, "--query", "the cat", *[f"--text={text}" for text in texts], "--json")
    scores = json.loads(process.stdout)["scores"]
    expected = load(folder).rank("the cat", texts)
    assert [entry["corpus_id"] for entry in expected] == sorted(range(len(texts)), key=lambda i: -scores[i])
    assert max(abs(entry["score"] - scores[entry["corpus_id"]]) for entry in expected) < SAME


@pytest.mark.parametrize(("changes", "words"), [
    ({"num_labels": 2}, ["num_labels", "id2label"]),
    ({"problem_type": "single_label_classification"}, ["problem_type"]),
    ({"sentence_transformers": {"activation_fn": "my.own.Function"}}, ["activation_fn", "my.own.Function"]),
    ({"sbert_ce_default_activation_function": "torch.nn.modules.activation.Softplus"}, ["sbert_ce_default_activation_function", "Softplus"]),
])
def test_keys_that_are_refused(tmp_path, changes, words):
    said = refusal(make_scorer(tmp_path / "model", **changes))
    assert all(word in said for word in ["config.json", *words]), said


def test_a_model_without_a_head_is_refused(tmp_path):
    said = refusal(make(tmp_path / "model", modules=None))
    assert "pooler.dense.weight" in said and "ForSequenceClassification" in said
    said = refusal(make(tmp_path / "encoder", modules=MODULES))
    assert "pooler.dense.weight" in said or "Pooling" in said


def test_other_modules_are_refused_by_name(tmp_path):
    folder = make_scorer(tmp_path / "model")
    load(folder).save_pretrained(str(tmp_path / "saved"))
    path = tmp_path / "saved" / "modules.json"
    modules = json.loads(path.read_text())
    score_module = {"idx": 1, "name": "1", "path": "1_LogitScore", "type": "sentence_transformers.cross_encoder.modules.logit_score.LogitScore"}
    path.write_text(json.dumps([*modules, score_module]))
    assert "LogitScore" in refusal(tmp_path / "saved")
    path.write_text(json.dumps(modules))
    settings = tmp_path / "saved" / "config_sentence_transformers.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "model_type": "SparseEncoder"}))
    assert "'SparseEncoder'" in refusal(tmp_path / "saved")
