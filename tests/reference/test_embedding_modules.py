"""Modules behind the pooling, poolings and truncated embeddings: vectors of folders that sentence-transformers saves."""

import itertools

import numpy as np
import pytest
import torch
from embedding import TEXTS, check_refused, check_same, embed, reference, run
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize
from sentence_transformers.sentence_transformer.modules import Dropout, LayerNorm, Pooling
from tiny_encoders import HIDDEN, dump, make

MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
ACTIVATIONS = ["Identity", "Tanh", "ReLU", "GELU", "SiLU", "Mish", "Sigmoid"]


def save(tmp_path, *modules, pooling="mean", **options):
    """A folder with these modules behind the pooling, with random weights."""
    torch.manual_seed(3)
    transformer = SentenceTransformer(str(make(tmp_path / "plain")), device="cpu", local_files_only=True)[0]
    for module in modules:
        for values in module.parameters():
            torch.nn.init.normal_(values, std=0.5)
    chain = [transformer, Pooling(HIDDEN, pooling), *modules]
    SentenceTransformer(modules=chain, device="cpu", **options).save(str(tmp_path / "model"))
    return tmp_path / "model"


def check_cosines(got, expected):
    cosines = (got * expected).sum(1) / (np.linalg.norm(got, axis=1) * np.linalg.norm(expected, axis=1))
    assert cosines.min() >= 0.999999


@pytest.mark.parametrize("mode", [*MODES, *itertools.combinations(MODES, 2), ("lasttoken", "cls", "mean"), ("mean", "mean")])
def test_pooling(tmp_path, mode):
    folder = save(tmp_path, pooling=mode)
    check_cosines(embed(folder), check_same(folder, tmp_path))


def test_flags_of_pooling_are_joined_in_the_order_of_the_reference(tmp_path):
    flags = {f"pooling_mode_{name}": True for name in ("lasttoken", "mean_tokens", "weightedmean_tokens", "cls_token", "max_tokens")}
    folder = make(tmp_path / "model", files={"1_Pooling/config.json": {"word_embedding_dimension": HIDDEN} | flags})
    assert check_same(folder, tmp_path).shape == (len(TEXTS), 5 * HIDDEN)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias", [True, False])
def test_dense(tmp_path, activation, bias):
    dense = Dense(HIDDEN, 24, bias=bias, activation_function=getattr(torch.nn, activation)())
    folder = save(tmp_path, dense)
    expected = check_same(folder, tmp_path)
    assert expected.shape == (len(TEXTS), 24)
    check_cosines(embed(folder), expected)


CHAINS = {
    "dense, normalize": lambda: (Dense(HIDDEN, 48), Normalize()),
    "normalize, dense": lambda: (Normalize(), Dense(HIDDEN, 8)),
    "norm": lambda: (LayerNorm(HIDDEN),),
    "norm, dropout, dense, normalize, dense, norm": lambda: (
        LayerNorm(HIDDEN),
        Dropout(0.5),
        Dense(HIDDEN, 40, activation_function=torch.nn.GELU()),
        Normalize(),
        Dense(40, 3, bias=False, activation_function=None),
        LayerNorm(3),
    ),
}


@pytest.mark.parametrize("chain", sorted(CHAINS))
def test_chain(tmp_path, chain):
    folder = save(tmp_path, *CHAINS[chain]())
    expected = check_same(folder, tmp_path)
    assert np.abs(expected).max() > 0.01
    check_cosines(embed(folder), expected)


def test_dense_reads_joined_poolings(tmp_path):
    folder = save(tmp_path, Dense(3 * HIDDEN, 16), Normalize(), pooling=("max", "mean", "cls"))
    check_same(folder, tmp_path)


def test_weights_of_modules_are_quantized_with_the_others(tmp_path):
    folder = save(tmp_path, Dense(HIDDEN, 24), LayerNorm(24))
    table = tmp_path / "int8.parquet"
    process = run("quantize", folder, "-o", table, "--type", "int8", "--force")
    assert process.returncode == 0, process.stderr
    listing = run("info", table, "--json").stdout
    assert "2_Dense/linear.weight" in listing
    assert "3_LayerNorm/norm.bias" in listing
    got, expected = embed(table), reference(folder)
    assert 1e-4 < np.abs(got - expected).max() < 0.2


def test_exported_weights_hold_the_modules(tmp_path):
    folder = save(tmp_path, Dense(HIDDEN, 24))
    expected = check_same(folder, tmp_path)
    process = run("export", tmp_path / "v2.parquet", "-o", folder / "model.safetensors", "--force")
    assert process.returncode == 0, process.stderr
    assert np.abs(embed(folder) - expected).max() < 1e-5


def test_planning_says_why_the_model_was_not_run(tmp_path):
    folder = save(tmp_path, Dense(HIDDEN, 24))
    process = run("quantize", folder, "-o", tmp_path / "x.parquet", "--target-bpw", 5, "--calib", "builtin")
    told = process.stdout + process.stderr
    assert "modules behind the pooling" in told


def test_weights_that_are_missing_are_named(tmp_path):
    folder = save(tmp_path, Dense(HIDDEN, 24))
    (folder / "2_Dense" / "model.safetensors").unlink()
    check_refused(folder, tmp_path, "'2_Dense/linear.weight'")


def test_dense_of_another_width_is_refused(tmp_path):
    folder = save(tmp_path, Dense(HIDDEN, 24))
    config = {"in_features": HIDDEN + 1, "out_features": 24}
    dump(folder / "2_Dense" / "config.json", config)
    check_refused(folder, tmp_path, "'in_features' is 33", "2_Dense/config.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("module_input_name", "token_embeddings"),
        ("module_output_name", "other"),
        ("use_residual", True),
        ("activation_function", "torch.nn.modules.activation.Softmax"),
        ("activation_function", "own.Tanh"),
        ("activation_function", None),
        ("out_features", 0),
        ("bias", 1),
    ],
)
def test_dense_key_is_refused_by_name(tmp_path, key, value):
    folder = save(tmp_path, Dense(HIDDEN, 24))
    dump(folder / "2_Dense" / "config.json", {"in_features": HIDDEN, "out_features": 24, key: value})
    check_refused(folder, tmp_path, f"'{key}'", "2_Dense/config.json")


def test_dense_without_an_activation_has_tanh(tmp_path):
    folder = save(tmp_path, Dense(HIDDEN, 24))
    expected = check_same(folder, tmp_path)
    dump(folder / "2_Dense" / "config.json", {"in_features": HIDDEN, "out_features": 24, "unknown": 1})
    assert np.abs(check_same(folder, tmp_path) - expected).max() < 1e-5
    assert "2_Dense/config.json: not known, and passed over: 'unknown'" in run("embed", folder, "--text", "a").stderr


def test_layer_norm_of_another_width_is_refused(tmp_path):
    folder = save(tmp_path, LayerNorm(HIDDEN))
    dump(folder / "2_LayerNorm" / "config.json", {"dimension": 31})
    check_refused(folder, tmp_path, "'dimension' is 31", "2_LayerNorm/config.json")


@pytest.mark.parametrize("modules", [(), (Normalize,)])
def test_truncated_embeddings(tmp_path, modules):
    folder = save(tmp_path, *[module() for module in modules], truncate_dim=8)
    expected = check_same(folder, tmp_path)
    assert expected.shape == (len(TEXTS), 8)
    assert np.abs(embed(folder, TEXTS, "--normalize") - reference(folder, normalize_embeddings=True)).max() < 1e-5
    for dimension in (5, 20, 100):
        expected = reference(folder, truncate_dim=dimension)
        assert np.abs(embed(folder, TEXTS, "--truncate-dim", str(dimension)) - expected).max() < 1e-5


def check_exported(model, tmp_path, expected, *options):
    """sentence-transformers makes these vectors of the folder that is exported, and so does the command."""
    process = run("export", model, "-o", tmp_path / "out", "--force", *options)
    assert process.returncode == 0, process.stderr
    assert np.abs(reference(tmp_path / "out") - expected).max() < 1e-5
    assert np.abs(embed(tmp_path / "out") - expected).max() < 1e-5


@pytest.mark.parametrize("chain", sorted(CHAINS))
def test_exported_folder_is_the_model(tmp_path, chain):
    folder = save(tmp_path, *CHAINS[chain]())
    check_exported(folder, tmp_path, reference(folder))
    table = tmp_path / "int8.parquet"
    process = run("quantize", folder, "-o", table, "--type", "int8")
    assert process.returncode == 0, process.stderr
    assert np.abs(embed(table) - reference(folder)).max() > 1e-4
    check_exported(table, tmp_path, embed(table))


@pytest.mark.parametrize("wrapper", ["0.auto_model.", "0.model."])
def test_exported_folder_has_the_names_of_the_model(tmp_path, wrapper):
    folder = save(tmp_path, Dense(HIDDEN, 24), LayerNorm(24))
    expected = reference(folder)
    tensors = load_file(folder / "model.safetensors")
    save_file({wrapper + name: values for name, values in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    assert np.abs(reference(folder) - expected).max() > 1e-3, "transformers knows these names by now"
    check_exported(folder, tmp_path, expected)
