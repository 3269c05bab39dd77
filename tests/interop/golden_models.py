"""Small models of every awkward kind, the same on every machine: integers from a recurrence, made into floats exactly."""
import json

import numpy as np
from conftest import bf16_bits, noise, write_safetensors


class Weights:
    """Tensors in the order in which they were added, each from a seed of its own."""

    def __init__(self, seed):
        self.tensors = {}
        self.seed = seed

    def values(self, *shape):
        """The sum of two uniform numbers: a hump, as weights have."""
        self.seed += 2
        return noise(self.seed, *shape) * np.float32(0.5) + noise(self.seed + 1, *shape) * np.float32(0.5)

    def add(self, name, *shape, dtype="F32", scale=2.0**-3):
        values = self.values(*shape) * np.float32(scale)
        self.tensors[name] = (dtype, {"F32": values, "F16": values.astype("<f2"), "BF16": bf16_bits(values),
                                      "F64": values.astype("<f8")}[dtype])

    def outliers(self, name, every):
        """Makes one column in `every` eight times as long, as in models that were trained."""
        dtype, values = self.tensors[name]
        values[:, ::every] *= np.float32(8)
        self.tensors[name] = (dtype, values)


def odd(folder):
    """Shapes: 1-D, scalars, empty, prime, ranks 3 and 4; values: zeros, constants, tiny, one huge; and every dtype."""
    w = Weights(1000)
    for shape in ((1,), (2,), (63,), (64,), (65,), (127,), (1031,)):
        w.add(f"vector.{shape[0]}", *shape)
    for shape in ((17, 61), (31, 97), (101, 13), (1, 1031), (1031, 1), (64, 64), (3, 700)):
        w.add(f"matrix.{shape[0]}x{shape[1]}", *shape)
    w.add("rank3.weight", 5, 7, 37)
    w.add("rank4.weight", 6, 5, 7, 11)
    w.add("rank5.weight", 2, 3, 2, 5, 23)
    for dtype in ("F16", "BF16", "F64"):
        w.add(f"{dtype.lower()}.weight", 23, 47, dtype=dtype)
        w.add(f"{dtype.lower()}.bias", 47, dtype=dtype)
    w.add("outlier.weight", 19, 64)
    w.tensors["outlier.weight"][1][5, 11] = np.float32(90)
    w.add("tiny.weight", 16, 80, scale=2.0**-140)
    w.add("zero_rows.weight", 24, 48)
    w.tensors["zero_rows.weight"][1][::3] = 0
    w.tensors |= {
        "zeros.weight": ("F32", np.zeros((32, 40), np.float32)),
        "negative_zeros.weight": ("F32", np.full((33, 32), -0.0, np.float32)),
        "constant.weight": ("F32", np.full((30, 41), -0.37, np.float32)),
        "one_sided.weight": ("F32", np.abs(w.values(30, 40)) + np.float32(0.5)),
        "steps.weight": ("F32", (np.arange(2048) % 16).astype(np.float32).reshape(32, 64)),  # ties of every grid
        "empty.rows": ("F32", np.zeros((0, 8), np.float32)), "empty.columns": ("F16", np.zeros((8, 0), "<f2")),
        "empty": ("F32", np.zeros(0, np.float32)), "scalar": ("F32", np.array(4.6052, np.float32)),
        "scalar.half": ("F16", np.array(0.5, "<f2")),
        "position_ids": ("I64", np.arange(40, dtype="<i8").reshape(1, 40)),
        "i32": ("I32", np.arange(-5, 5, dtype="<i4")), "i16": ("I16", np.arange(-5, 5, dtype="<i2")),
        "i8": ("I8", np.arange(-5, 5, dtype="i1")), "u8": ("U8", np.arange(246, 256, dtype="u1")),
        "mask": ("BOOL", np.array([0, 1, 1, 0], dtype="u1")),
    }
    write_safetensors(folder / "model.safetensors", w.tensors)


def experts(folder):
    """Experts as one tensor of rank 3 and as many matrices, in two shards with an index."""
    w = Weights(2000)
    w.add("model.router.weight", 4, 48)
    w.add("model.experts.gate_up_proj", 4, 48, 64)
    w.add("model.experts.down_proj", 4, 32, 48)
    first, w.tensors = w.tensors, {}
    for i in range(3):
        for part, shape in (("w1", (64, 48)), ("w2", (48, 64)), ("w3", (64, 48))):
            w.add(f"model.layers.1.experts.{i}.{part}.weight", *shape, dtype="BF16")
    w.add("model.norm.weight", 48)
    shards = {"model-00001-of-00002.safetensors": first, "model-00002-of-00002.safetensors": w.tensors}
    for name, tensors in shards.items():
        write_safetensors(folder / name, tensors)
    index = {"metadata": {"total_size": 0}, "weight_map": {t: name for name, tensors in shards.items() for t in tensors}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def decoder(folder, *, tied=False):
    """Names and configuration of Llama. tied: the output layer is the table of tokens, in the file as well."""
    hidden, inner, vocabulary, kv = 64, 112, 384, 32
    w = Weights(4000 if tied else 3000)
    kind = {"dtype": "F32" if tied else "BF16"}
    w.add("model.embed_tokens.weight", vocabulary, hidden, **kind)
    for i in range(2):
        layer = f"model.layers.{i}."
        for part, shape in (("self_attn.q_proj", (hidden, hidden)), ("self_attn.k_proj", (kv, hidden)),
                            ("self_attn.v_proj", (kv, hidden)), ("self_attn.o_proj", (hidden, hidden)),
                            ("mlp.gate_proj", (inner, hidden)), ("mlp.up_proj", (inner, hidden)),
                            ("mlp.down_proj", (hidden, inner))):
            w.add(f"{layer}{part}.weight", *shape, **kind)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            w.add(f"{layer}{norm}.weight", hidden, **kind)
    w.add("model.norm.weight", hidden, **kind)
    if tied:
        w.outliers("model.layers.0.mlp.down_proj.weight", 16)
        w.tensors["lm_head.weight"] = w.tensors["model.embed_tokens.weight"]
    else:
        w.add("lm_head.weight", vocabulary, hidden, **kind)
    write_safetensors(folder / "model.safetensors", w.tensors)
    (folder / "config.json").write_text(json.dumps(
        {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden, "intermediate_size": inner,
         "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "vocab_size": vocabulary,
         "rms_norm_eps": 1e-5, "tie_word_embeddings": tied}))


def tied(folder):
    decoder(folder, tied=True)


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz",
         *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"), *(f"word{i}" for i in range(200))]


def bert(folder):
    """A BERT with all that sentence-transformers keeps beside it, so that it could be run."""
    hidden, inner, positions = 48, 96, 40
    w = Weights(5000)
    w.add("embeddings.word_embeddings.weight", len(WORDS), hidden)
    w.add("embeddings.position_embeddings.weight", positions, hidden)
    w.add("embeddings.token_type_embeddings.weight", 2, hidden)

    def norm(name):
        w.tensors[f"{name}.weight"] = ("F32", np.ones(hidden, np.float32))
        w.add(f"{name}.bias", hidden)

    norm("embeddings.LayerNorm")
    for i in range(2):
        layer = f"encoder.layer.{i}."
        for part, rows, columns in (("attention.self.query", hidden, hidden), ("attention.self.key", hidden, hidden),
                                    ("attention.self.value", hidden, hidden), ("attention.output.dense", hidden, hidden),
                                    ("intermediate.dense", inner, hidden), ("output.dense", hidden, inner)):
            w.add(f"{layer}{part}.weight", rows, columns)
            w.add(f"{layer}{part}.bias", rows)
        norm(f"{layer}attention.output.LayerNorm")
        norm(f"{layer}output.LayerNorm")
    w.outliers("encoder.layer.1.intermediate.dense.weight", 12)
    write_safetensors(folder / "model.safetensors", w.tensors)
    (folder / "1_Pooling").mkdir()
    texts = {"config.json": {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": hidden,
                             "intermediate_size": inner, "num_attention_heads": 4, "num_hidden_layers": 2,
                             "vocab_size": len(WORDS), "max_position_embeddings": positions, "type_vocab_size": 2,
                             "hidden_act": "gelu", "layer_norm_eps": 1e-12},
             "modules.json": [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                              {"idx": 1, "name": "1", "path": "1_Pooling",
                               "type": "sentence_transformers.models.Pooling"}],
             "1_Pooling/config.json": {"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": True},
             "tokenizer_config.json": {"do_lower_case": True, "tokenizer_class": "BertTokenizer"}}
    for name, value in texts.items():
        (folder / name).write_text(json.dumps(value))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")


def wide(folder):
    """A matrix with more weights than a sample holds, and a neighbour of other statistics."""
    w = Weights(6000)
    w.add("block.0.weight", 640, 512)
    w.add("block.1.weight", 96, 512)
    values = w.tensors["block.1.weight"][1]
    values *= values * values * np.float32(64)
    write_safetensors(folder / "model.safetensors", w.tensors)


def nonfinite(folder):
    """One tensor with infinity and NaN beside one without."""
    w = Weights(7000)
    w.add("sound.weight", 40, 40)
    w.add("broken.weight", 40, 40)
    w.tensors["broken.weight"][1][3, 5:7] = np.inf, np.nan
    write_safetensors(folder / "model.safetensors", w.tensors)


def eights(folder):
    """Floats of eight bits, and dtypes whose bytes alone can be kept."""
    bits = (noise(8000, 24, 64) * np.float32(60)).astype("i1").view("u1")  # no NaN among them
    write_safetensors(folder / "model.safetensors", {
        "e4m3.weight": ("F8_E4M3", bits), "e5m2.weight": ("F8_E5M2", bits[:20]),
        "scale": ("F8_E8M0", bits[0]), "plain.weight": ("F32", noise(8001, 40, 64))})


MODELS = {make.__name__: make for make in (odd, experts, decoder, tied, bert, wide, nonfinite, eights)}
