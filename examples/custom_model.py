"""custom_model.py - quantizes a transformers model of your own and checks what came of it.

    python examples/custom_model.py MODEL            a folder, or a name on the Hugging Face hub
    CUSTOM_MODEL=MODEL pytest examples/custom_model.py

The model is taken from memory as it is: any architecture will do, nothing has to be registered.
"""

import os
import pathlib
import sys
import tempfile

import pytest
import torch
from transformers import AutoModel

import arrowquant

MIN_COSINE = 0.999  # of the weights; below it, arrowquant.compare raises ThresholdError


def quantize_model(model, output, **options):
    """Quantizes a torch module into the table `output`; returns the report of the comparison with the module."""
    arrowquant.quantize(model, output, **options)
    return arrowquant.compare(model, output, min_cosine=MIN_COSINE)


def reload(model, table):
    """The same architecture with the weights of the table."""
    twin = type(model)(model.config).to(torch.float32)
    with arrowquant.open(table) as tensors:
        twin.load_state_dict(tensors.load_torch(force_float32=True), strict=False)
    return twin.eval()


@pytest.fixture
def custom_model():
    """The model that CUSTOM_MODEL names."""
    name = os.environ.get("CUSTOM_MODEL")
    if not name:
        pytest.skip("set CUSTOM_MODEL to a folder, or to a name on the Hugging Face hub")
    return AutoModel.from_pretrained(name)


def test_custom_model_quantization(custom_model, tmp_path):
    """Quantizes it, and holds size and similarity against targets."""
    output = tmp_path / "custom.int8.parquet"
    report = quantize_model(custom_model, output)
    assert report["same_tensors"]
    assert report["mean_cosine"] >= MIN_COSINE
    before = sum(p.numel() * p.element_size() for p in custom_model.parameters())
    assert output.stat().st_size < before / 2


def main(name):
    """Prints how weights and hidden states agree."""
    model = AutoModel.from_pretrained(name).eval()
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder, "custom.int8.parquet")
        report = quantize_model(model, output)
        print(f"{output.stat().st_size / 1e6:.1f} MB, weights agree at {report['mean_cosine']:.6f}; the worst:")
        for worst in report["worst"]:
            print(f"  {worst['name']} {worst['cosine']:.6f}")
        twin = reload(model, output)
        ids = torch.arange(1, 17)[None] % model.config.vocab_size
        with torch.no_grad():
            a, b = model(ids).last_hidden_state, twin(ids).last_hidden_state
        print(f"Hidden states agree at {torch.cosine_similarity(a, b, dim=-1).mean():.6f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
