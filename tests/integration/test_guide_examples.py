"""The examples of the guide as tests: a model of one's own, a configuration of one's own, and models that transformers
runs with our weights."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tiny_models
import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

import arrowquant
from arrowquant import ArrowQuantizer, HuggingFaceToParquetConverter, QuantizationConfig, WeightLoader

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(EXAMPLES))

import custom_config  # noqa: E402
import custom_model  # noqa: E402


@pytest.fixture(scope="module")
def bert_dir(tmp_path_factory):
    return tiny_models.save(tiny_models.bert(), tmp_path_factory.mktemp("bert"))


def agreement(a, b):
    return torch.nn.functional.cosine_similarity(a.flatten().double(), b.flatten().double(), dim=0).item()


# ---- custom model ----


def test_custom_model_quantization(bert_dir, tmp_path):
    """The guide's example: AutoModel.from_pretrained, quantized from memory."""
    model = AutoModel.from_pretrained(bert_dir).eval()
    report = custom_model.quantize_model(model, tmp_path / "custom.parquet")
    assert report["same_tensors"]
    twin = custom_model.reload(model, tmp_path / "custom.parquet")
    assert agreement(tiny_models.outputs(model), tiny_models.outputs(twin)) > 0.999


def test_custom_model_below_threshold_raises(bert_dir, tmp_path):
    model = AutoModel.from_pretrained(bert_dir)
    with pytest.raises(arrowquant.ThresholdError) as caught:
        custom_model.quantize_model(model, tmp_path / "custom.parquet", type="int2")
    assert caught.value.report["mean_cosine"] < custom_model.MIN_COSINE


def test_custom_model_example_runs_as_written(bert_dir):
    done = subprocess.run([sys.executable, EXAMPLES / "custom_model.py", bert_dir], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.rsplit(" ", 1)[1]) > 0.999


def test_custom_model_example_is_a_test_too(bert_dir, tmp_path):
    custom_model.test_custom_model_quantization(AutoModel.from_pretrained(bert_dir), tmp_path)


# ---- custom configuration ----


@pytest.mark.filterwarnings("ignore:mixed_precision_layers")  # MiniLM has no lm_head
def test_custom_config_quantization(pipeline, tmp_path):
    """The guide's configuration on the real model: every part of it shows in the table."""
    config = custom_config.CONFIGS["int8, custom"]
    assert (config.symmetric, config.group_size) == (False, 64)
    size, cosine = custom_config.try_config(pipeline.v1, config, tmp_path / "custom.parquet")
    assert size < pipeline.v1.stat().st_size / 1.4  # more than half of MiniLM is its embedding table, kept as FP16
    assert cosine > 0.9999
    with arrowquant.open(tmp_path / "custom.parquet") as tensors:
        for name, tensor in tensors.items():
            kept = any(part in name for part in config.mixed_precision_layers) or "position_ids" in name
            assert tensor.is_quantized != kept, name
            if tensor.is_quantized:
                assert tensor.group_size in (0, 64)
                assert tensor.zero_points.any() or not tensor.dequantize().any()
            elif "position_ids" not in name:
                assert tensor.dtype == "torch.float16"


def test_custom_config_example_runs_as_written(bert_dir):
    done = subprocess.run([sys.executable, EXAMPLES / "custom_config.py", bert_dir], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [line[:32].strip() for line in done.stdout.splitlines()[1:]] == list(custom_config.CONFIGS)


# ---- models in transformers ----


def quantized(model_dir, folder, **config):
    """Converts and quantizes a saved model; returns the paths of the V1 and of the V2 table."""
    v1, v2 = folder / "v1.parquet", folder / "v2.parquet"
    HuggingFaceToParquetConverter().convert(str(model_dir), str(v1))
    ArrowQuantizer(QuantizationConfig(**config)).quantize_model(str(v1), str(v2), show_progress=False)
    return v1, v2


def with_weights(auto_class, model_dir, table):
    """The architecture of a saved model, built from its configuration, with the weights of a table."""
    model = auto_class.from_config(AutoConfig.from_pretrained(model_dir), dtype=torch.float32)
    missing, unexpected = model.load_state_dict(WeightLoader(str(table)).load_weights(), strict=False)
    model.tie_weights()
    tied = ["lm_head.weight"] if model.config.tie_word_embeddings else []
    assert set(missing) <= set(tied)
    assert not unexpected
    return model.eval()


MODELS = {  # name: (class, maker, options of save_pretrained)
    "bert": (AutoModel, tiny_models.bert, {}),
    "bert sharded": (AutoModel, tiny_models.bert, {"max_shard_size": "500KB"}),
    "qwen": (AutoModelForCausalLM, tiny_models.qwen, {}),
    "qwen sharded": (AutoModelForCausalLM, tiny_models.qwen, {"max_shard_size": "500KB"}),
    "qwen untied": (AutoModelForCausalLM, lambda: tiny_models.qwen(tie_word_embeddings=False), {}),
}


@pytest.mark.parametrize("name", MODELS)
def test_model_with_our_weights_gives_the_same_outputs(name, tmp_path):
    auto_class, make, options = MODELS[name]
    model = make()
    tiny_models.save(model, tmp_path / "model", **options)
    shards = list((tmp_path / "model").glob("model-*.safetensors"))
    assert (len(shards) > 1) == ("sharded" in name)
    v1, v2 = quantized(tmp_path / "model", tmp_path, quant_type="int8")
    expected = tiny_models.outputs(model)
    assert torch.equal(tiny_models.outputs(with_weights(auto_class, tmp_path / "model", v1)), expected)
    twin = with_weights(auto_class, tmp_path / "model", v2)
    weights = arrowquant.compare(tmp_path / "model", v2)["mean_cosine"]
    assert weights > 0.9999
    assert agreement(tiny_models.outputs(twin), expected) > 0.999


def test_bf16_model_is_quantized_from_its_own_values(tmp_path):
    """Qwen2.5 is published in BF16: the V1 table keeps it, the V2 table names it, outputs stay."""
    model = tiny_models.qwen().to(torch.bfloat16)
    tiny_models.save(model, tmp_path / "model")
    v1, v2 = quantized(tmp_path / "model", tmp_path, quant_type="int8")
    for table in (v1, v2):
        assert {m["dtype"] for m in WeightLoader(str(table)).get_metadata().values()} == {"torch.bfloat16"}
    expected = tiny_models.outputs(AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32).eval())
    assert torch.equal(tiny_models.outputs(with_weights(AutoModelForCausalLM, tmp_path / "model", v1)), expected)
    assert agreement(tiny_models.outputs(with_weights(AutoModelForCausalLM, tmp_path / "model", v2)), expected) > 0.999


def test_qwen_mixed_precision_keeps_what_it_names(tmp_path):
    tiny_models.save(tiny_models.qwen(tie_word_embeddings=False), tmp_path / "model")
    _, v2 = quantized(
        tmp_path / "model", tmp_path, quant_type="int2", per_channel=False, mixed_precision_layers=["embed", "lm_head"]
    )
    with arrowquant.open(v2) as tensors:
        kept = {name for name, tensor in tensors.items() if not tensor.is_quantized}
    assert kept == {"model.embed_tokens.weight", "lm_head.weight"}


# ---- the real model ----


def test_minilm_int8_embeddings_are_close(pipeline, measured):
    """MiniLM in transformers with our int8 weights, on a dozen sentences."""
    from embeddings import SENTENCES, similarities

    cosines = similarities(pipeline.model_dir, pipeline.int8.load()).numpy()
    measured.record({"int8.embedding_similarity": float(np.mean(cosines))})
    assert len(cosines) == len(SENTENCES) == 12
    measured.require("int8.embedding_similarity", f"Lowest of a sentence: {cosines.min():.6f}.")


def test_minilm_v1_embeddings_are_equal(pipeline):
    """Weights that were only converted give the very same embeddings."""
    from embeddings import embed, model_from

    weights = WeightLoader(str(pipeline.v1)).load_weights()
    ours, reference = (embed(model_from(pipeline.model_dir, w), pipeline.model_dir) for w in (weights, None))
    assert torch.equal(ours, reference)
