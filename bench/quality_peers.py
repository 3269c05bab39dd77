"""quality_peers - other quantizers, each applied to the same matrices.

A peer is a function of a Job that returns Quantized: the matrices as FP32 again, what the peer's own file or state_dict
stores for them (codes, scales, zero points and what else lies beside them), and the seconds that quantizing took. Where
a peer knows layers and not matrices, every matrix is the weight of a linear layer: the tables of embeddings too.
"""
import contextlib
import dataclasses
import importlib.metadata
import io
import logging
import pathlib
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable

import numpy as np

Matrices = dict[str, np.ndarray]


@dataclasses.dataclass
class Job:
    model: pathlib.Path  # the folder
    matrices: Matrices
    command: pathlib.Path
    calibration: pathlib.Path | None
    threads: int


@dataclasses.dataclass
class Quantized:
    tensors: Matrices  # dequantized; tensors that are not here stay as they are
    bytes: int
    weights: int  # that these bytes are for
    seconds: float
    note: str = ""


def limit_threads(threads: int) -> None:
    import torch
    torch.set_num_threads(threads)


BUILDS = {"llama-cpp-py-sync": " (llama.cpp b11739)"}  # what a package is a build of


def version_of(*packages: str) -> str:
    return ", ".join(f"{p} {importlib.metadata.version(p)}{BUILDS.get(p, '')}" for p in packages)


@contextlib.contextmanager
def quiet():
    """Without what the peers say while they are imported and run."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def each(matrices: Matrices, one: Callable[[np.ndarray], tuple[Callable[[], np.ndarray], int]]) -> Quantized:
    """Of a function that quantizes one matrix, and returns what dequantizes it and the bytes stored."""
    restore, stored, start = {}, 0, time.perf_counter()
    for name, matrix in matrices.items():
        restore[name], size = one(matrix)
        stored += size
    seconds = time.perf_counter() - start
    return Quantized({n: r() for n, r in restore.items()}, stored, sum(m.size for m in matrices.values()), seconds)


# ---- torch: HQQ, optimum-quanto, torchao, torch itself ---------------------------------------------------------------


def linear(matrix: np.ndarray):
    import torch
    layer = torch.nn.Linear(matrix.shape[1], matrix.shape[0], bias=False)
    layer.weight = torch.nn.Parameter(torch.from_numpy(matrix.copy()), requires_grad=False)
    return layer


def total(tensors: Iterable) -> int:
    return sum(t.nbytes for t in tensors if hasattr(t, "nbytes"))


def hqq(job: Job, bits: int, group: int, axis: int = 1) -> Quantized:
    """HQQLinear as its README says; scales and zero points in its default, FP16."""
    import torch
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    def one(matrix):
        config = BaseQuantizeConfig(nbits=bits, group_size=group, axis=axis)
        layer = HQQLinear(linear(matrix), config, compute_dtype=torch.float16, device="cpu")
        return lambda: layer.dequantize().float().numpy(), total(layer.state_dict().values())

    return each(job.matrices, one)


def quanto(job: Job, kind: str) -> Quantized:
    """quantize and freeze; groups as it chooses, scales and shifts in the type of the weights, FP32."""
    import torch
    from optimum.quanto import freeze, qtypes, quantize

    def one(matrix):
        layer = torch.nn.Sequential(linear(matrix))
        quantize(layer, weights=qtypes[kind])
        freeze(layer)
        weights = [v for k, v in layer.state_dict().items() if ".weight" in k]
        return lambda: layer[0].weight.dequantize().detach().numpy(), total(weights)

    return each(job.matrices, one)


def plain_tensors(tensor):
    """The tensors that a tensor of torchao is made of."""
    if not hasattr(tensor, "__tensor_flatten__"):
        return [tensor]
    return [p for name in tensor.__tensor_flatten__()[0] for p in plain_tensors(getattr(tensor, name))]


def torchao(job: Job, bits: int, group: int | None = None, algorithm: str | None = None) -> Quantized:
    """Weight-only configurations. int4 is the prototype for CPUs, which wants a multiple of 16 rows (rows of zeros are
    added, and counted); other widths are IntxWeightOnlyConfig, which stores a code in a byte."""
    import torch
    from torchao.prototype.quantization.int4 import PrototypeInt4WeightOnlyConfig
    from torchao.quantization import Int8WeightOnlyConfig, IntxWeightOnlyConfig, quantize_
    from torchao.quantization.granularity import PerGroup, PerRow

    def config():
        if bits == 8:
            return Int8WeightOnlyConfig(granularity=PerGroup(group) if group else PerRow())
        if bits == 4:
            return PrototypeInt4WeightOnlyConfig(group_size=group, int4_choose_qparams_algorithm=algorithm)
        return IntxWeightOnlyConfig(weight_dtype=getattr(torch, f"int{bits}"), granularity=PerGroup(group))

    def one(matrix):
        rows, columns = matrix.shape
        filled = np.pad(matrix, ((0, -rows % 16), (0, 0))) if bits == 4 else matrix
        layer = torch.nn.Sequential(linear(filled))
        quantize_(layer, config())
        weight = layer[0].weight
        restore = (lambda: layer(torch.eye(columns)).T.numpy()) if bits == 4 else weight.dequantize().numpy
        return lambda: np.ascontiguousarray(restore()[:rows]), total(plain_tensors(weight))

    return each(job.matrices, one)


def torch_dynamic(job: Job, per_channel: bool) -> Quantized:
    import torch
    from torch.ao.quantization import default_dynamic_qconfig, per_channel_dynamic_qconfig, quantize_dynamic
    rule = per_channel_dynamic_qconfig if per_channel else default_dynamic_qconfig

    def one(matrix):
        weight = quantize_dynamic(torch.nn.Sequential(linear(matrix)), {torch.nn.Linear: rule})[0].weight()
        size = weight.int_repr().nbytes
        size += total([weight.q_per_channel_scales(), weight.q_per_channel_zero_points()]) if per_channel else 16
        return lambda: weight.dequantize().numpy(), size

    return each(job.matrices, one)


# ---- ONNX Runtime ----------------------------------------------------------------------------------------------------


def matmul_model(matrix: np.ndarray):
    """A graph of one product with the matrix, called w."""
    from onnx import TensorProto, helper, numpy_helper
    constant = numpy_helper.from_array(np.ascontiguousarray(matrix.T), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")], "matrix",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", matrix.shape[1]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", matrix.shape[0]])], [constant])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def onnx_int8(job: Job) -> Quantized:
    import onnx
    from onnx import numpy_helper
    from onnxruntime.quantization import QuantType, quantize_dynamic

    def one(matrix):
        with tempfile.TemporaryDirectory() as folder:
            small = str(pathlib.Path(folder, "int8.onnx"))
            quantize_dynamic(matmul_model(matrix), small, per_channel=True, weight_type=QuantType.QInt8)
            found = {t.name: numpy_helper.to_array(t) for t in onnx.load(small).graph.initializer}
        codes, scale, zero = (found["w_" + end] for end in ("quantized", "scale", "zero_point"))
        return lambda: np.ascontiguousarray(((codes.astype(np.float32) - zero) * scale).T), total((codes, scale, zero))

    return each(job.matrices, one)


def onnx_4bit(job: Job, group: int, algorithm: str) -> Quantized:
    """MatMulNBits; a matrix comes back as what the operator makes of the unit vectors."""
    import onnxruntime
    from onnx import numpy_helper
    from onnxruntime.quantization import matmul_nbits_quantizer as nbits
    how = {"rtn": nbits.DefaultWeightOnlyQuantConfig(block_size=group, is_symmetric=False, bits=4),
           "hqq": nbits.HQQWeightOnlyQuantConfig(block_size=group, bits=4)}[algorithm]

    def one(matrix):
        quantizer = nbits.MatMulNBitsQuantizer(matmul_model(matrix), algo_config=how)
        quantizer.process()
        graph = quantizer.model.model.graph
        if [n.op_type for n in graph.node] != ["MatMulNBits"]:
            raise RuntimeError(f"left as {[n.op_type for n in graph.node]}")
        session = onnxruntime.InferenceSession(quantizer.model.model.SerializeToString(),
                                               providers=["CPUExecutionProvider"])
        units = np.eye(matrix.shape[1], dtype=np.float32)
        return (lambda: np.ascontiguousarray(session.run(None, {"x": units})[0].T),
                total(map(numpy_helper.to_array, graph.initializer)))

    return each(job.matrices, one)
