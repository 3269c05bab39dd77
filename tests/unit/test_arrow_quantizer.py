"""QuantizationConfig, ArrowQuantizer, HuggingFaceToParquetConverter: the classes that users of this schema know."""

from __future__ import annotations

import logging
import pickle

import numpy as np
import pytest

import arrowquant
from arrowquant import ArrowQuantizer, ConfigurationError, HuggingFaceToParquetConverter, QuantizationConfig


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    rng = np.random.default_rng(11)
    arrays = {
        "embeddings.weight": rng.standard_normal((60, 128)).astype(np.float32),
        "layer.0.weight": rng.standard_normal((128, 128)).astype(np.float32),
        "layer.0.bias": rng.standard_normal(128).astype(np.float32),
        "norm.weight": np.ones(128, np.float32),
        "lm_head.weight": rng.standard_normal((60, 128)).astype(np.float16),
        "position_ids": np.arange(64, dtype=np.int64),
    }
    path = tmp_path_factory.mktemp("model") / "v1.parquet"
    arrowquant.convert(arrays, path)
    return path, arrays


class TestQuantizationConfig:
    def test_defaults(self):
        config = QuantizationConfig()
        assert config.quant_type == "int8"
        assert config.calibration_method == "ptq"
        assert config.per_channel is True
        assert config.symmetric is True
        assert config.group_size == 0
        assert config.mixed_precision_layers is None
        assert config == QuantizationConfig("int8", "ptq", True, True, 0, None)

    @pytest.mark.parametrize(
        ("options", "group_size", "granularity"),
        [
            ({"quant_type": "int2", "per_channel": False}, 128, "group"),
            ({"quant_type": "int2", "per_channel": False, "group_size": 32}, 32, "group"),
            ({"quant_type": "int2"}, 0, "channel"),
            ({"quant_type": "int8", "per_channel": False}, 0, "tensor"),
            ({"quant_type": "int8", "group_size": 64}, 64, "group"),
            ({"quant_type": "int4", "per_channel": False}, 128, "group"),
        ],
    )
    def test_what_shares_a_scale(self, options, group_size, granularity):
        config = QuantizationConfig(**options)
        assert config.group_size == group_size
        assert config.granularity == granularity

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"quant_type": "int5"}, "Invalid quant_type"),
            ({"quant_type": None}, "Invalid quant_type"),
            ({"calibration_method": "awq"}, "Invalid calibration_method"),
            ({"per_channel": "true"}, "per_channel must be bool"),
            ({"symmetric": 1}, "symmetric must be bool"),
            ({"group_size": -1}, "group_size must be non-negative int"),
            ({"group_size": 1.5}, "group_size must be non-negative int"),
            ({"group_size": True}, "group_size must be non-negative int"),
            ({"group_size": 1}, "group_size 1 is out of range"),
            ({"mixed_precision_layers": "embed"}, "mixed_precision_layers must be list"),
            ({"mixed_precision_layers": ["embed", 3]}, "mixed_precision_layers must contain strings"),
            ({"mixed_precision_layers": [""]}, "mixed_precision_layers must contain strings"),
        ],
    )
    def test_wrong_values_name_key_value_and_what_was_expected(self, options, words):
        (key, value) = next(iter(options.items()))
        with pytest.raises(ConfigurationError, match=words) as caught:
            QuantizationConfig(**options)
        error = caught.value
        assert error.config_key == key
        assert error.config_value == value or error.config_value in value
        assert error.expected_type
        assert error.expected_type in str(error)
        assert key in str(error)
        assert isinstance(error, ValueError)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


class TestArrowQuantizer:
    @pytest.mark.parametrize("quant_type", ["int8", "int4", "int3", "int2"])
    @pytest.mark.parametrize("per_channel", [True, False])
    @pytest.mark.parametrize("symmetric", [True, False])
    def test_every_float_tensor_is_quantized(self, model, tmp_path, quant_type, per_channel, symmetric):
        path, arrays = model
        config = QuantizationConfig(quant_type=quant_type, per_channel=per_channel, symmetric=symmetric)
        ArrowQuantizer(config).quantize_model(str(path), str(tmp_path / "q.parquet"))
        assert arrowquant.detect_schema_version(tmp_path / "q.parquet") == 2
        with arrowquant.open(tmp_path / "q.parquet") as source:
            assert list(source) == list(arrays)
            for name, tensor in source.items():
                if name == "position_ids":
                    np.testing.assert_array_equal(tensor.numpy(), arrays[name])
                    continue
                assert tensor.quant_type == quant_type
                assert tensor.dtype == f"torch.{arrays[name].dtype}"
                if symmetric:
                    assert not tensor.zero_points.any()
                a, b = tensor.numpy().ravel(), arrays[name].ravel().astype(np.float32)
                cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
                assert cosine > {"int8": 0.999, "int4": 0.97, "int3": 0.9, "int2": 0.7}[quant_type]

    def test_scales_follow_the_configuration(self, model, tmp_path):
        path, _ = model
        for options, axis, group, count in (
            ({}, 0, 0, 128),
            ({"per_channel": False}, -1, 0, 1),
            ({"group_size": 64}, 0, 64, 256),
        ):
            ArrowQuantizer(QuantizationConfig(**options)).quantize_model(path, tmp_path / "q.parquet")
            with arrowquant.open(tmp_path / "q.parquet") as source:
                tensor = source["layer.0.weight"]
                assert (tensor.quant_axis, tensor.group_size, len(tensor.scales)) == (axis, group, count)
                bias = source["layer.0.bias"]
                assert len(bias.scales) == (2 if group else 1)

    def test_mixed_precision_layers_are_substrings_kept_as_fp16(self, model, tmp_path):
        path, arrays = model
        config = QuantizationConfig(mixed_precision_layers=["embed", "lm_head", "position"])
        report = ArrowQuantizer(config).quantize_model(path, tmp_path / "q.parquet")
        assert report["kind"] == "quantize"
        with arrowquant.open(tmp_path / "q.parquet") as source:
            for name in ("embeddings.weight", "lm_head.weight"):
                assert source[name].quant_type == "kept"
                assert source[name].dtype == "torch.float16"
                np.testing.assert_array_equal(source[name].numpy(), arrays[name].astype(np.float16))
            assert source["layer.0.weight"].quant_type == "int8"
            assert source["position_ids"].dtype == "torch.int64"

    def test_rows_of_kept_layers_say_fp16(self, model, tmp_path):
        pq = pytest.importorskip("pyarrow.parquet")
        config = QuantizationConfig(quant_type="int2", mixed_precision_layers=["embed"])
        ArrowQuantizer(config).quantize_model(model[0], tmp_path / "q.parquet")
        rows = {row["layer_name"]: row for row in pq.read_table(tmp_path / "q.parquet").to_pylist()}
        assert rows["embeddings.weight"]["quant_type"] == "fp16"
        assert rows["layer.0.weight"]["quant_type"] == "int2"
        assert rows["layer.0.weight"]["shape"] == [128, 128]
        assert len(rows["layer.0.weight"]["data"]) == 128 * 128 // 4

    def test_a_pattern_that_matches_nothing_warns(self, model, tmp_path):
        config = QuantizationConfig(mixed_precision_layers=["nowhere"])
        with pytest.warns(UserWarning, match="nowhere"):
            ArrowQuantizer(config).quantize_model(model[0], tmp_path / "q.parquet")

    def test_fp16_converts(self, model, tmp_path):
        ArrowQuantizer(QuantizationConfig(quant_type="fp16")).quantize_model(model[0], tmp_path / "q.parquet")
        with arrowquant.open(tmp_path / "q.parquet") as source:
            assert source.schema_version == 2
            assert source["layer.0.weight"].dtype == "torch.float16"
            assert source["layer.0.bias"].dtype == "torch.float16"

    def test_an_existing_output_is_replaced(self, model, tmp_path):
        (tmp_path / "q.parquet").write_text("old")
        ArrowQuantizer().quantize_model(model[0], tmp_path / "q.parquet")
        assert arrowquant.detect_schema_version(tmp_path / "q.parquet") == 2

    def test_calibration_data_is_not_silently_ignored(self, model, tmp_path):
        with pytest.warns(UserWarning, match="calibration_data"):
            ArrowQuantizer().quantize_model(model[0], tmp_path / "q.parquet", calibration_data=[1])

    @pytest.mark.parametrize("layer", ["layer.0", "layer.0.weight"])
    def test_gptq_rounds_for_the_inputs_of_layers(self, model, tmp_path, layer):
        path, arrays = model
        rng = np.random.default_rng(4)
        inputs = (rng.standard_normal((320, 16)) @ rng.standard_normal((16, 128))).reshape(8, 40, 128)
        errors = []
        for method, data in (("ptq", None), ("gptq", {layer: inputs})):
            config = QuantizationConfig("int2", calibration_method=method, symmetric=False, group_size=32)
            ArrowQuantizer(config).quantize_model(path, tmp_path / "q.parquet", calibration_data=data)
            with arrowquant.open(tmp_path / "q.parquet") as source:
                assert source["norm.weight"].is_quantized
                difference = arrays["layer.0.weight"] - source["layer.0.weight"].dequantize()
            errors.append(np.linalg.norm(inputs @ difference.T.astype(np.float64)))
        assert errors[1] < 0.7 * errors[0]

    @pytest.mark.parametrize(
        ("data", "error", "words"),
        [
            ([1], TypeError, "calibration_data: a mapping from layers"),
            (None, arrowquant.ArgumentError, "gptq needs to see"),
            ({"layer.9": np.ones((4, 128))}, arrowquant.NoMatchError, "no weight 'layer.9', and no 'layer.9.weight'"),
            ({"layer.0.bias": np.ones((4, 128))}, arrowquant.ArgumentError, "'layer.0.bias'.*only a matrix"),
            ({"layer.0": np.ones((4, 64))}, arrowquant.ArgumentError, "'layer.0.weight'.*64 columns.*128"),
            ({"layer.0": np.ones((4, 128), int)}, arrowquant.ArgumentError, r"calibration_data\['layer.0'\].*int64"),
            (dict.fromkeys(["layer.0", "layer.0.weight"], np.ones((4, 128))), arrowquant.ArgumentError, "twice"),
        ],
    )
    def test_calibration_data_that_does_not_fit(self, model, tmp_path, data, error, words):
        quantizer = ArrowQuantizer(QuantizationConfig("int4", calibration_method="gptq"))
        with pytest.raises(error, match=words):
            quantizer.quantize_model(model[0], tmp_path / "q.parquet", calibration_data=data)
        assert list(tmp_path.iterdir()) == []

    def test_fp16_has_no_codes_to_round(self, model, tmp_path):
        quantizer = ArrowQuantizer(QuantizationConfig("fp16", calibration_method="gptq"))
        with pytest.warns(UserWarning, match="not used by quant_type 'fp16'"):
            quantizer.quantize_model(model[0], tmp_path / "q.parquet", calibration_data={"layer.0": np.ones((4, 128))})

    def test_missing_input(self, tmp_path):
        for config in (QuantizationConfig(), QuantizationConfig(mixed_precision_layers=["x"])):
            with pytest.raises(arrowquant.StorageError, match="does not exist"):
                ArrowQuantizer(config).quantize_model(tmp_path / "no.parquet", tmp_path / "q.parquet")
        assert list(tmp_path.iterdir()) == []

    def test_quantizing_twice_is_refused(self, model, tmp_path):
        ArrowQuantizer().quantize_model(model[0], tmp_path / "q.parquet")
        with pytest.raises(arrowquant.RequantizeError):
            ArrowQuantizer().quantize_model(tmp_path / "q.parquet", tmp_path / "r.parquet")

    def test_progress_is_logged_when_there_is_no_terminal(self, model, tmp_path, caplog):
        with caplog.at_level(logging.INFO, logger="arrowquant"):
            ArrowQuantizer().quantize_model(model[0], tmp_path / "q.parquet", show_progress=True)
        assert "tensors" in caplog.text
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="arrowquant"):
            ArrowQuantizer().quantize_model(model[0], tmp_path / "q.parquet", show_progress=False)
        assert caplog.text == ""


class TestConverter:
    def test_a_folder_becomes_a_v1_table(self, model, tmp_path):
        path, arrays = model
        folder = tmp_path / "hf"
        folder.mkdir()
        arrowquant.export(path, folder / "model.safetensors")
        HuggingFaceToParquetConverter().convert(hf_model_path=folder, output_parquet=tmp_path / "v1.parquet")
        assert arrowquant.detect_schema_version(tmp_path / "v1.parquet") == 1
        with arrowquant.open(tmp_path / "v1.parquet") as source:
            for name, array in arrays.items():
                np.testing.assert_array_equal(source[name].numpy(), array)

    def test_a_missing_model_is_named(self, tmp_path):
        with pytest.raises(arrowquant.NotFoundError, match="does not exist"):
            HuggingFaceToParquetConverter().convert(tmp_path / "nothing", tmp_path / "v1.parquet")
