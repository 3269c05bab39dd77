"""Dtypes that only their bytes are carried of: what safetensors and torch write comes back to them the same."""
import os
import pathlib
import subprocess

import pytest
import torch
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("AQ_COMMAND", str(ROOT / "build" / "release" / "arrowquant"))

RAW = {"e8m0": torch.float8_e8m0fnu, "e4m3fnuz": torch.float8_e4m3fnuz, "e5m2fnuz": torch.float8_e5m2fnuz,
       "f4": torch.float4_e2m1fn_x2}


@pytest.mark.parametrize("command", ["quantize", "convert"])
def test_tensors_of_torch_come_back_the_same(tmp_path, command):
    torch.manual_seed(1)
    tensors = {name: torch.randint(0, 256, (8, 6), dtype=torch.uint8).view(dtype) for name, dtype in RAW.items()}
    tensors["complex"] = torch.randn(4, 6, dtype=torch.complex64)
    tensors["weight"] = torch.randn(64, 64)
    save_file(tensors, tmp_path / "m.safetensors")
    for line in ([command, "m.safetensors", "-o", "m.parquet", "--keep-unsupported"],
                 ["export", "m.parquet", "-o", "back.safetensors"]):
        subprocess.run([COMMAND, *line], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    back = load_file(tmp_path / "back.safetensors")
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert (back[name].dtype, back[name].shape) == (tensor.dtype, tensor.shape)
        if name in RAW:
            assert torch.equal(back[name].view(torch.uint8), tensor.view(torch.uint8))
    assert torch.equal(back["complex"], tensors["complex"])
