"""export --to onnx: ONNX Runtime runs what we write to the vectors of embed, and what we read of it are the values of the
table, bit for bit."""
import json

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import noise, read_safetensors, run
from encoder_families import FAMILIES, HIDDEN, TYPED, change_tensors, make_family
from test_compressed_tensors import with_whole_zero_points

TEXTS = ["the cat sat on the mat .", "a dog", "", "the river near a small house , the dog run on a mat . the cat sat near",
         "[PAD] cat [PAD] [PAD] dog ."]


def vectors_of(source):
    lines = run("embed", source, *(f"--text={text}" for text in TEXTS)).stdout.splitlines()
    return np.array([json.loads(line)["embedding"] for line in lines])


def tokens_of(source):
    """Ids and mask of all texts in one batch, shorter ones filled up."""
    ids = [json.loads(line) for line in run("tokenize", source, *(f"--text={t}" for t in TEXTS)).stdout.splitlines()]
    length = max(map(len, ids))
    pad = json.loads((source / "config.json").read_text()).get("pad_token_id", 0)
    rows = np.array([row + [pad] * (length - len(row)) for row in ids], np.int64)
    return rows, np.array([[1] * len(row) + [0] * (length - len(row)) for row in ids], np.int64)


def run_graph(path, ids, mask):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    names = [value.name for value in session.get_inputs()]
    assert [value.name for value in session.get_outputs()] == ["last_hidden_state"]
    states = session.run(None, {name: feed[name] for name in names})[0]
    assert states.dtype == np.float32 and states.shape[:2] == ids.shape
    return names, (states * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)


def check_same(source, folder, model, *, largest=1e-5):
    """What ONNX Runtime computes of the export of `source`, for which `model` has the tokenizer."""
    path = folder / "onnx" / "model.onnx"
    onnx.checker.check_model(onnx.load(path))
    names, got = run_graph(path, *tokens_of(model))
    expected = vectors_of(source)
    cosines = (got * expected).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 1 - 1e-6 and np.abs(got - expected).max() < largest
    return names


def values_of(source, path):
    run("export", source, "-o", path, "--dtype", "fp32", "--force")
    return read_safetensors(path)


def check_round_trip(source, folder):
    """Our reader finds the tensors under their names, and their values."""
    before = values_of(source, folder / "before.safetensors")
    after = values_of(folder / "out" / "onnx" / "model.onnx", folder / "after.safetensors")
    assert set(after) <= set(before)
    for name, tensor in after.items():
        assert tensor == before[name], name
    return set(before) - set(after)


@pytest.mark.parametrize("family", FAMILIES)
def test_values_of_every_family(tmp_path, family):
    model = make_family(tmp_path / "model", family)
    run("export", model, "-o", tmp_path / "out", "--to", "onnx")
    types = ["token_type_ids"] if family in TYPED else []
    if family in ("roberta", "xlm-roberta", "camembert"):
        types = ["token_type_ids"]  # config_of gives them two types of tokens
    assert check_same(model, tmp_path / "out", model) == ["input_ids", "attention_mask", *types]
    assert check_round_trip(model, tmp_path) == set()
    for name in ("modules.json", "1_Pooling/config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (model / name).read_bytes()


@pytest.mark.parametrize("family", ["roberta", "bert", "mpnet"])
def test_one_type_of_tokens_and_other_padding(tmp_path, family):
    model = make_family(tmp_path / "model", family, pad_token_id=1, **({} if family == "mpnet" else {"type_vocab_size": 1}))
    run("export", model, "-o", tmp_path / "out", "--to", "onnx")
    assert check_same(model, tmp_path / "out", model) == ["input_ids", "attention_mask"]


DISTANCES = [{"position_buckets": -1}, {"position_buckets": -1, "max_relative_positions": 9}, {"pos_att_type": "c2p"},
             {"pos_att_type": "p2c"}, {"share_att_key": False}, {"pos_att_type": "p2c", "share_att_key": False},
             {"norm_rel_ebd": "none"}, {"type_vocab_size": 2}, {"position_biased_input": False}, {"position_buckets": 64}]


@pytest.mark.parametrize("changes", DISTANCES)
def test_distances_of_every_kind(tmp_path, changes):
    model = make_family(tmp_path / "model", "deberta-v2", max_position_embeddings=200, **changes)
    run("export", model, "-o", tmp_path / "out", "--to", "onnx")
    check_same(model, tmp_path / "out", model)
    assert check_round_trip(model, tmp_path) == set()


@pytest.mark.parametrize("family", ["deberta-v2", "t5", "mt5"])
def test_distances_of_long_texts(tmp_path, family, monkeypatch):
    """Far tokens share rows and buckets; a text of one token has no distance."""
    sizes = {} if family != "deberta-v2" else {"max_position_embeddings": 300}
    model = make_family(tmp_path / "model", family, **sizes)
    (model / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 290, "do_lower_case": False}))
    run("export", model, "-o", tmp_path / "out", "--to", "onnx")
    monkeypatch.setattr("test_onnx_export.TEXTS", [" ".join(TEXTS * n)[:-n] for n in (1, 3, 8)])
    ids, mask = tokens_of(model)
    assert 200 < ids.shape[1] < 290
    check_same(model, tmp_path / "out", model)
    path = tmp_path / "out" / "onnx" / "model.onnx"
    alone = run_graph(path, ids[:1, :1], mask[:1, :1])[1]
    padded = run_graph(path, ids[:1, :3], np.array([[1, 0, 0]]))[1]
    assert np.abs(alone - padded).max() < 1e-5


ACTIVATIONS = ["gelu_new", "relu", "silu", "tanh", "sigmoid", "quick_gelu", "mish"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(tmp_path, activation):
    model = make_family(tmp_path / "model", "bert", hidden_act=activation)
    run("export", model, "-o", tmp_path / "out", "--to", "onnx")
    check_same(model, tmp_path / "out", model)


CODES = {  # options, type of the codes in the file, bits of a code there
    "int8 per channel": (["--type", "int8"], "INT8", 8),
    "int8 in groups": (["--type", "int8", "--group-size", "16"], "INT8", 8),
    "int8 in small groups": (["--type", "int8", "--group-size", "4"], "INT8", 8),
    "int8 per tensor": (["--type", "int8", "--per", "tensor"], "INT8", 8),
    "int8 with zero points": (["--type", "int8", "--asym"], "INT8", 8),
    "int4": (["--type", "int4", "--sym", "--group-size", "16"], "UINT8", 4),
    "int4 per channel": (["--type", "int4", "--sym", "--per", "channel"], "UINT8", 4),
    "int3": (["--type", "int3", "--sym", "--group-size", "16"], "UINT8", 4),
    "int2": (["--type", "int2", "--sym", "--group-size", "16"], "UINT8", 4),
    "int4 with zero points": (["--type", "int4", "--group-size", "16"], "INT8", 8),
    "int3 with zero points": (["--type", "int3", "--group-size", "16"], "INT8", 8),
    "int2 with zero points": (["--type", "int2", "--group-size", "16", "--method", "minmax"], "INT8", 8),
    "int4 per channel with zero points": (["--type", "int4", "--per", "channel"], "INT8", 8),
}


@pytest.mark.parametrize("family", ["bert", "mpnet", "modernbert", "nomic_bert", "albert", "deberta-v2", "t5"])
@pytest.mark.parametrize("kind", CODES)
def test_codes(tmp_path, kind, family):
    options, dtype, bits = CODES[kind]
    model = make_family(tmp_path / "model", family, **({"d_kv": 16} if family == "t5" else {}))
    table = tmp_path / "t.parquet"
    run("quantize", model, "-o", table, *options)
    said = run("export", table, "-o", tmp_path / "out", "--to", "onnx").stdout
    assert "dequantized" not in said and ("tensors have their codes in 8 bits" in said) == (
        bits == 8 and "int8" not in options)
    check_same(table, tmp_path / "out", model)
    assert check_round_trip(table, tmp_path) == set()
    graph = onnx.load(tmp_path / "out" / "onnx" / "model.onnx").graph
    stored = {t.name: t for t in graph.initializer}
    assert {node.op_type for node in graph.node} & {"DequantizeLinear", "MatMulInteger"} == set()
    quantized = [t for t in json.loads(run("info", table, "--json").stdout)["tensors"] if t["num_scales"] > 0]
    assert len(quantized) > 5
    for tensor in quantized:
        codes = stored[f"{tensor['name']}_quantized"]
        assert tensor["name"] not in stored
        assert onnx.TensorProto.DataType.Name(codes.data_type) == dtype
        padded = -(-tensor["shape"][-1] // 32) * 32 if bits == 4 else tensor["shape"][-1]
        assert len(codes.raw_data) <= tensor["shape"][0] * padded * bits // 8


def stored_codes(path):
    """Of each tensor with codes in the file: how many bits a code takes, and its bytes with scales and zero points."""
    graph = onnx.load(path).graph
    stored = {t.name: t for t in graph.initializer}
    names = [name.removesuffix("_quantized") for name in stored if name.endswith("_quantized")]
    parts = ("_quantized", "_scale", "_zero_point")
    return {name: (8 if stored[f"{name}_quantized"].data_type == onnx.TensorProto.INT8 else 4,
                   sum(len(stored[name + end].raw_data) for end in parts if name + end in stored)) for name in names}


PLANNED = {  # options, bits of a code in the file
    "int8": (["--type", "int8"], 8),
    "int8 with zero points": (["--type", "int8", "--asym"], 8),
    "int4": (["--type", "int4"], 4),
    "int4 with zero points": (["--type", "int4", "--asym"], 4),
    "int4 in groups with zero points": (["--type", "int4", "--asym", "--group-size", "16", "--method", "minmax"], 4),
    "int3 with zero points": (["--type", "int3", "--asym"], 4),
    "int2 per tensor": (["--type", "int2", "--asym", "--per", "tensor"], 4),
}


@pytest.mark.parametrize("family", ["bert", "mpnet", "modernbert", "nomic_bert", "albert"])
@pytest.mark.parametrize("kind", PLANNED)
def test_plans_for_onnx_lose_nothing(tmp_path, kind, family):
    options, bits = PLANNED[kind]
    model, table = make_family(tmp_path / "model", family), tmp_path / "t.parquet"
    change_tensors(model, lambda tensors: {**tensors, "pooler.dense.weight": noise(1, HIDDEN, HIDDEN)})
    run("quantize", model, "-o", table, "--for", "onnx", *options)
    dry = json.loads(run("quantize", model, "--dry-run", "--for", "onnx", "--json", *options).stdout)
    said = run("export", table, "-o", tmp_path / "out", "--to", "onnx").stdout
    assert "dequantized" not in said and "8 bits" not in said
    check_same(table, tmp_path / "out", model)
    assert check_round_trip(table, tmp_path) == {"pooler.dense.weight"}
    codes = stored_codes(tmp_path / "out" / "onnx" / "model.onnx")
    quantized = {t["name"] for t in json.loads(run("info", table, "--json").stdout)["tensors"] if t["num_scales"] > 0}
    assert set(codes) == quantized and {width for width, _ in codes.values()} == {bits}
    planned = {t["name"]: t["bytes_after"] for t in dry["tensors"]}
    for name, (_, size) in codes.items():
        assert size <= planned[name] < size * 1.3, name  # zero points of a tensor may all be 0
    size = (tmp_path / "out" / "onnx" / "model.onnx").stat().st_size
    assert size <= dry["estimate"]["file_bytes_at_most"] < size + 30_000  # names of values may be longer


@pytest.mark.parametrize("bits", [5.4, 6.5, 8.5, 9.5])
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_target_is_the_size_of_the_onnx_file(tmp_path, family, bits):
    """Two large tables, which may be of other types; matrices of layers are small here."""
    model = make_family(tmp_path / "model", family, vocab_size=40000, max_position_embeddings=30000)
    params = json.loads(run("info", model, "--json").stdout)["totals"]["params"]
    target = round(params * bits / 8) + 30_000
    run("quantize", model, "-o", tmp_path / "t.parquet", "--for", "onnx", "--target-size", target, "--calib", "none")
    assert "8 bits" not in run("export", tmp_path / "t.parquet", "-o", tmp_path / "out", "--to", "onnx").stdout
    size = (tmp_path / "out" / "onnx" / "model.onnx").stat().st_size
    assert 0.75 * target < size <= target
    check_same(tmp_path / "t.parquet", tmp_path / "out", model)
    assert check_round_trip(tmp_path / "t.parquet", tmp_path) == set()
    tensors = json.loads(run("info", tmp_path / "t.parquet", "--json").stdout)["tensors"]
    assert {t["stored_as"].split()[0] for t in tensors if t["num_scales"] > 0} <= {"int4", "int8"}


def test_what_onnx_has_not_is_refused_before_the_work(tmp_path):
    model = make_family(tmp_path / "model", "bert")
    name = "encoder.layer.0.attention.self.query.weight"
    said = run("quantize", model, "-o", tmp_path / "t.parquet", "--for", "onnx", "--tensor", f"{name}=int4,group=8", expect=2)
    assert name in said.stderr and "no multiple of 16" in said.stderr
    said = run("quantize", model, "-o", tmp_path / "t.parquet", "--for", "onnx", "--tensor", f"{name}=int4,group=48", expect=2)
    assert name in said.stderr and "cross rows" in said.stderr
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    assert "llama" in run("quantize", model, "-o", tmp_path / "t.parquet", "--for", "onnx", expect=3).stderr
    assert not list(tmp_path.glob("t.parquet*"))


def test_zero_points_that_are_codes_stay_in_4_bits(tmp_path):
    """As other tools may make them."""
    model = make_family(tmp_path / "model", "bert")
    table = tmp_path / "t.parquet"
    run("quantize", model, "-o", table, "--type", "int4", "--group-size", "16")
    with_whole_zero_points(table)
    assert "8 bits" not in run("export", table, "-o", tmp_path / "out", "--to", "onnx").stdout
    check_same(table, tmp_path / "out", model)
    assert check_round_trip(table, tmp_path) == set()
    nodes = onnx.load(tmp_path / "out" / "onnx" / "model.onnx").graph.node
    assert sum(node.op_type == "MatMulNBits" and len(node.input) == 4 for node in nodes) == 12


def test_fp16(tmp_path):
    model = make_family(tmp_path / "model", "nomic_bert")
    run("export", model, "-o", tmp_path / "out", "--to", "onnx", "--dtype", "fp16")
    run("convert", model, "-o", tmp_path / "half.parquet", "--dtype", "fp16")
    check_same(tmp_path / "half.parquet", tmp_path / "out", model)
    types = {t.data_type for t in onnx.load(tmp_path / "out" / "onnx" / "model.onnx").graph.initializer if len(t.dims) == 2}
    assert types == {onnx.TensorProto.FLOAT16}


def test_values_of_other_types_become_fp32(tmp_path):
    model = make_family(tmp_path / "model", "bert")
    run("convert", model, "-o", tmp_path / "bf16.parquet", "--dtype", "bf16")
    run("export", tmp_path / "bf16.parquet", "-o", tmp_path / "out", "--to", "onnx")
    check_same(tmp_path / "bf16.parquet", tmp_path / "out", model)
    assert check_round_trip(tmp_path / "bf16.parquet", tmp_path) == set()


def test_weights_that_the_graph_does_not_read_are_left_out(tmp_path):
    model = make_family(tmp_path / "model", "bert")
    change_tensors(model, lambda tensors: {**tensors, "pooler.dense.weight": noise(1, HIDDEN, HIDDEN)})
    said = run("export", model, "-o", tmp_path / "out", "--to", "onnx").stdout
    assert "'pooler.dense.weight'" in said and "left out" in said
    check_same(model, tmp_path / "out", model)
    assert check_round_trip(model, tmp_path) == {"pooler.dense.weight"}


HEADS = {"bert": ("pooler.dense", "classifier"), "roberta": ("classifier.dense", "classifier.out_proj"),
         "distilbert": ("pre_classifier", "classifier"), "electra": ("classifier.dense", "classifier.out_proj"),
         "albert": ("pooler", "classifier"), "deberta-v2": ("pooler.dense", "classifier"),
         "modernbert": ("head.dense", "classifier")}
PAIRS = [("the cat sat", "a dog run on a mat"), ("a", "the river near a small house , the dog run"), ("cat", "")]


def make_cross_encoder(folder, family, labels=1, **changes):
    names = {str(i): f"L{i}" for i in range(labels)}
    model = make_family(folder, family, architectures=["XForSequenceClassification"], id2label=names,
                        label2id={name: int(i) for i, name in names.items()}, **changes)
    (model / "modules.json").unlink()
    dense, classifier = HEADS[family]
    added = {f"{dense}.weight": 0.3 * noise(1, HIDDEN, HIDDEN), f"{classifier}.weight": 0.3 * noise(2, labels, HIDDEN),
             f"{classifier}.bias": noise(3, labels)}
    added |= {"head.norm.weight": noise(4, HIDDEN)} if family == "modernbert" else {f"{dense}.bias": noise(4, HIDDEN)}
    change_tensors(model, lambda tensors: {**tensors, **added})
    return model


def scores_of(source):
    lines = run("score", source, "--raw", "--query", PAIRS[0][0], "--text", PAIRS[0][1]).stdout.splitlines()
    for query, text in PAIRS[1:]:
        lines += run("score", source, "--raw", "--query", query, "--text", text).stdout.splitlines()
    return np.array([[float(score) for score in line.split("\t")] for line in lines])


def logits_of(folder, model):
    """By ONNX Runtime, all pairs in one batch."""
    path = folder / "onnx" / "model.onnx"
    onnx.checker.check_model(onnx.load(path))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [(value.name, len(value.shape)) for value in session.get_outputs()] == [("logits", 2)]
    texts = [f"--text={text}" for pair in PAIRS for text in pair]
    ids = [json.loads(line) for line in run("tokenize", model, *texts).stdout.splitlines()]
    rows = [(first, second[1:]) for first, second in zip(ids[::2], ids[1::2], strict=True)]
    length = max(len(first) + len(second) for first, second in rows)
    feed = {"input_ids": np.zeros((len(rows), length), np.int64)}
    feed["input_ids"] += json.loads((model / "config.json").read_text()).get("pad_token_id", 0)
    feed |= {name: np.zeros((len(rows), length), np.int64) for name in ("attention_mask", "token_type_ids")}
    for i, (first, second) in enumerate(rows):
        both = len(first) + len(second)
        feed["input_ids"][i, :both] = first + second
        feed["attention_mask"][i, :both] = 1
        feed["token_type_ids"][i, len(first):both] = 1
    return session.run(None, {value.name: feed[value.name] for value in session.get_inputs()})[0]


@pytest.mark.parametrize(("family", "changes"), [*((family, {}) for family in HEADS),
                                                 ("modernbert", {"classifier_pooling": "mean"}), ("bert", {"labels": 3})])
def test_scores_of_cross_encoders(tmp_path, family, changes):
    model = make_cross_encoder(tmp_path / "model", family, **changes)
    run("export", model, "-o", tmp_path / "out", "--to", "onnx")
    assert np.abs(logits_of(tmp_path / "out", model) - scores_of(model)).max() < 1e-5
    assert check_round_trip(model, tmp_path) == set()


def test_scores_of_codes(tmp_path):
    model = make_cross_encoder(tmp_path / "model", "bert")
    run("quantize", model, "-o", tmp_path / "int8.parquet", "--type", "int8")
    run("export", tmp_path / "int8.parquet", "-o", tmp_path / "out", "--to", "onnx")
    assert np.abs(logits_of(tmp_path / "out", model) - scores_of(tmp_path / "int8.parquet")).max() < 1e-5


def test_large_tensors_are_written_as_small_ones(tmp_path):
    """More than a megabyte is made while it is written."""
    model = make_family(tmp_path / "model", "bert", vocab_size=20000)
    for number, options in enumerate((["--type", "int8"], ["--type", "int4", "--sym", "--group-size", "16"], ["--type", "int3", "--group-size", "8"])):
        (tmp_path / str(number)).mkdir()
        table = tmp_path / str(number) / "t.parquet"
        run("quantize", model, "-o", table, *options)
        for threads in (1, 3):
            run("export", table, "-o", tmp_path / f"{threads}.onnx", "--to", "onnx", "--force", "--threads", threads)
        assert (tmp_path / "1.onnx").read_bytes() == (tmp_path / "3.onnx").read_bytes()
        run("export", table, "-o", tmp_path / "out", "--to", "onnx", "--force")
        check_same(table, tmp_path / "out", model)
        assert check_round_trip(table, tmp_path) == set()
