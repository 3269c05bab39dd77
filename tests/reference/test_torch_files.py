"""Files that torch.save writes, in every way it can: what is read is what torch.load gives, bit for bit. And files that
are meant to run something: all are refused, by name, and nothing runs."""
import json
import os
import pathlib
import pickle
import shutil
import struct
import subprocess
import zipfile
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("AQ_COMMAND", str(ROOT / "build" / "release" / "arrowquant"))
MODEL = ROOT / ".cache" / "models" / "all-MiniLM-L6-v2"

FORMS = [(zipped, protocol) for zipped in (True, False) for protocol in (2, 3, 4, 5)]
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
BYTES = [torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float8_e8m0fnu]
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint64, torch.uint32, torch.uint16, torch.uint8]


def arrowquant(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True)


def tensors_of(path, tmp_path):
    """What the file holds, through an export to safetensors; and what the command says."""
    out = tmp_path / "out.safetensors"
    done = arrowquant("export", path, "-o", out, "--force")
    assert done.returncode == 0, done.stderr
    return load_file(out), done


def refusal_of(path):
    done = arrowquant("info", path)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 2
    return done.stderr


def flattened(value, name=""):
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from flattened(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for key, item in enumerate(value):
            yield from flattened(item, f"{name}.{key}" if name else str(key))


def bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def assert_read(value, path, tmp_path):
    found, done = tensors_of(path, tmp_path)
    expected = dict(flattened(value))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape), name
        assert torch.equal(bits(found[name]), bits(tensor)), name
    return done


def sample():
    torch.manual_seed(3)
    weight = torch.randn(48, 80)
    buffer = torch.randn(1000)
    return OrderedDict(
        weight=weight, tied=weight, parameter=torch.nn.Parameter(weight), transposed=weight.t(),
        rows=weight[7:19], columns=weight[:, 3:70:4], permuted=torch.randn(5, 6, 7, 8).permute(3, 1, 0, 2),
        overlapping=buffer.as_strided((30, 40), (11, 3), 5), expanded=torch.randn(4, 1, 3).expand(4, 6, 3),
        empty=torch.zeros(0, 5), nothing=torch.tensor([]), scalar=torch.tensor(2.5), last=buffer[-1],
        frozen=torch.randn(3, requires_grad=True))


@pytest.mark.parametrize(("zipped", "protocol"), FORMS)
def test_views_of_storages_are_what_torch_loads(tmp_path, zipped, protocol):
    path = tmp_path / "m.pt"
    torch.save(sample(), path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    assert_read(torch.load(path, weights_only=False), path, tmp_path)
    told = arrowquant("info", path).stdout
    assert "2 tied tensors that share the bytes of another" in told
    assert "5 tensors are not stored in the order of rows" in told


@pytest.mark.parametrize(("zipped", "protocol"), [(True, 2), (False, 2), (True, 5)])
def test_every_dtype_is_read(tmp_path, zipped, protocol):
    torch.manual_seed(4)
    value = {}
    for dtype in FLOATS:
        value[str(dtype)] = torch.randn(6, 10).to(dtype)
    for dtype in BYTES + INTEGERS:
        width = torch.empty(0, dtype=dtype).element_size()
        value[str(dtype)] = torch.randint(0, 256, (6, 10 * width), dtype=torch.uint8).view(dtype)
    value["bool"] = torch.rand(6, 10) < .5
    value["complex"] = torch.randn(6, 10, dtype=torch.complex64)
    value.update({f"{name} turned": tensor.t() for name, tensor in list(value.items())})
    path = tmp_path / "m.pt"
    torch.save(value, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    assert_read(value, path, tmp_path)


@pytest.mark.parametrize(("zipped", "protocol"), FORMS)
def test_other_values_are_passed_over_with_a_note(tmp_path, zipped, protocol):
    model = torch.nn.Linear(5, 3)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, 5)).sum().backward()
    optimizer.step()
    tensor = torch.randn(3)
    tensor.attribute = "a word"
    value = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "lr": 1e-3, "none": None,
             "size": torch.Size([1, 2]), "dtype": torch.float16, "device": torch.device("cpu"), "name": "käse",
             "bytes": b"\0\xff", "array": bytearray(b"x"), "set": {1, 2}, "frozen": frozenset("ab"), "complex": 1j,
             "huge": 1 << 100, "negative": -5, "yes": True, "with attribute": tensor, "list": [tensor + 1, {"x": tensor + 2}]}
    path = tmp_path / "m.ckpt"
    torch.save(value, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    assert_read(value, path, tmp_path)
    told = arrowquant("info", path).stdout
    assert "values of the pickle are no tensors, and left out" in told
    assert "1 tensor has attributes of a program" in told


@pytest.mark.parametrize(("value", "name"), [
    (torch.randn(3, 4), "tensor"), ([torch.randn(3)], "0"), ({7: {"w": torch.randn(2)}}, "7.w")])
def test_a_file_may_hold_any_container(tmp_path, value, name):
    torch.save(value, tmp_path / "m.pth")
    found, _ = tensors_of(tmp_path / "m.pth", tmp_path)
    assert list(found) == [name]
    assert torch.equal(found[name], next(flattened(value))[1])


def test_a_large_transposed_matrix_is_read_in_bounded_memory(tmp_path):
    torch.manual_seed(5)
    value = {"w": torch.randn(3000, 4000).t(), "v": torch.randn(2, 3000, 1000).permute(2, 1, 0)}
    torch.save(value, tmp_path / "m.pt")
    done = assert_read(value, tmp_path / "m.pt", tmp_path)
    assert done.returncode == 0
    assert arrowquant("convert", tmp_path / "m.pt", "-o", tmp_path / "m.parquet", "--max-memory", "48MiB").returncode == 0
    assert arrowquant("verify", tmp_path / "m.parquet", "--against", tmp_path / "m.pt").returncode == 0


# ---- models ----

@pytest.fixture(scope="module")
def state():
    """The tensors of all-MiniLM-L6-v2, in the order of their bytes in its file."""
    with open(MODEL / "model.safetensors", "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    names = sorted((n for n in header if n != "__metadata__"), key=lambda n: header[n]["data_offsets"])
    loaded = load_file(MODEL / "model.safetensors")
    return OrderedDict((name, loaded[name]) for name in names)


def model_folder(folder):
    shutil.copytree(MODEL, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


def parts_of(table):
    """The bytes of a table before and after what it says of the file that it was made from, and without the length of
    its footer, in which that is; and the fingerprint of that file's tensors."""
    before, after = table.read_bytes().split(b"arrowquant.source")
    begin, end = after.index(b"{"), after.index(b"}") + 1
    return before, after[end:-8], json.loads(after[begin:end])["fingerprint"]


@pytest.mark.parametrize("zipped", [True, False])
def test_the_table_of_a_model_is_that_from_safetensors(state, tmp_path, zipped):
    folder = model_folder(tmp_path / "m")
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    for source, out in ((folder, "a.parquet"), (MODEL, "b.parquet")):
        done = arrowquant("quantize", source, "-o", tmp_path / out, "--type", "int4")
        assert done.returncode == 0, done.stderr
    assert parts_of(tmp_path / "a.parquet") == parts_of(tmp_path / "b.parquet")


def test_a_folder_of_pytorch_files_is_a_model(state, tmp_path):
    folder = model_folder(tmp_path / "m")
    names = list(state)
    shards = {"pytorch_model-00001-of-00002.bin": names[:40], "pytorch_model-00002-of-00002.bin": names[40:]}
    for shard, held in shards.items():
        torch.save({name: state[name].clone() for name in held}, folder / shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(
        {"metadata": {"total_size": 1}, "weight_map": {n: s for s, held in shards.items() for n in held}}))
    done = [arrowquant("embed", source, "--text", "A sentence.") for source in (folder, MODEL)]
    assert done[0].returncode == 0, done[0].stderr
    assert done[0].stdout == done[1].stdout
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    assert "pytorch_model-00002-of-00002.bin" in refusal_of(folder)


# ---- programs ----

class Runs:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(marker):
    line = f"touch {marker}"
    return {
        "posix.system": Runs(os.system, line),
        "builtins.eval": Runs(eval, f"__import__('os').system('{line}')"),
        "builtins.exec": Runs(exec, f"__import__('os').system('{line}')"),
        "builtins.getattr": Runs(getattr, "text", "upper"),
        "subprocess.Popen": Runs(subprocess.Popen, line.split()),
        "torch.storage._load_from_bytes": Runs(torch.storage._load_from_bytes, b"x"),
        "builtins.compile": Runs(compile, line, "x", "exec"),
        "importlib.import_module": Runs(__import__("importlib").import_module, "antigravity"),
    }


@pytest.mark.parametrize("name", attacks(""))
@pytest.mark.parametrize(("zipped", "protocol"), FORMS)
def test_programs_are_refused_by_name(tmp_path, name, zipped, protocol):
    marker = tmp_path / "ran"
    value = {"w": torch.randn(3), "x": attacks(marker)[name]}
    path = tmp_path / "m.pt"
    torch.save(value, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    told = refusal_of(path)
    if protocol == 2:  # the names of Python 2
        name = name.replace("builtins", "__builtin__").replace("subprocess", "commands")
    assert f"'{name}'" in told and "(offset " in told
    assert not marker.exists()


def test_modules_and_other_tensors_are_refused_by_name(tmp_path):
    from numpy import float64
    cases = {
        "torch.nn.modules.linear.Linear": torch.nn.Linear(2, 3),
        "torch._utils._rebuild_sparse_tensor": torch.eye(3).to_sparse(),
        "torch._utils._rebuild_qtensor": torch.quantize_per_tensor(torch.randn(4), .1, 0, torch.qint8),
        "torch.ComplexDoubleStorage": torch.randn(2, dtype=torch.complex128),
        "torch.float4_e2m1fn_x2": torch.zeros(2, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
        "argparse.Namespace": __import__("argparse").Namespace(a=1),
        "scalar": float64(3),
        "conjugated": torch.randn(2, dtype=torch.complex64).conj(),
        "torch._utils._rebuild_meta_tensor_no_storage": torch.randn(2, device="meta"),
    }
    for words, value in cases.items():
        torch.save({"x": value}, tmp_path / "m.pt")
        assert words in refusal_of(tmp_path / "m.pt")


def test_torchscript_is_refused_by_name(tmp_path):
    torch.jit.trace(torch.nn.Linear(2, 3), torch.randn(1, 2)).save(tmp_path / "m.pt")
    assert "TorchScript" in refusal_of(tmp_path / "m.pt")


def rewritten(source, target, change, compression=zipfile.ZIP_STORED):
    """The archive again, by Python's zipfile, with `change` of its entries (name, bytes)."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name, data in change([(i.filename, old.read(i)) for i in old.infolist()]):
            new.writestr(name, data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_of_other_writers(tmp_path):
    path, other = tmp_path / "m.pt", tmp_path / "other.pt"
    value = {"w": torch.randn(30, 40)}
    torch.save(value, path)
    rewritten(path, other, lambda entries: entries[::-1])
    assert_read(value, other, tmp_path)
    rewritten(path, other, lambda entries: entries, zipfile.ZIP_DEFLATED)
    assert "compressed" in refusal_of(other)
    evil = pickle.dumps({"x": Runs(os.system, "true")}, protocol=2)
    rewritten(path, other, lambda entries: [*entries, ("m/data.pkl", evil)])
    assert "two entries of the name 'm/data.pkl'" in refusal_of(other)
    rewritten(path, other, lambda entries: [("m/data.pkl", evil), *entries[1:]])
    assert "system" in refusal_of(other)
    rewritten(path, other, lambda entries: [*entries, ("m/nested.pt", path.read_bytes())])
    assert "nested.pt" in refusal_of(other)
    rewritten(path, other, lambda entries: [*entries, ("../../evil", b"x")])
    assert "no path inside the archive" in refusal_of(other)
    rewritten(path, other, lambda entries: [*entries, ("/evil", b"x")])
    assert "no path inside the archive" in refusal_of(other)
    other.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert "neither" in refusal_of(other)
    other.write_bytes(path.read_bytes() + path.read_bytes())
    assert "zip archive" in refusal_of(other)
    other.write_bytes(b"7z\xbc\xaf\x27\x1c" + path.read_bytes())
    assert "7z archive" in refusal_of(other)
    other.write_bytes(b"Rar!\x1a\x07" + path.read_bytes())
    assert "RAR archive" in refusal_of(other)
