"""A tiny BERT encoder made byte by byte. Standard library and cli_helpers only: tests/reference uses it too, whose
environment has no pyarrow."""
import json

from cli_helpers import floats, safetensors

HIDDEN, INNER, LAYERS, POSITIONS = 16, 24, 2, 64
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz",
         *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]


def encoder_tensors(hidden=HIDDEN, inner=INNER):
    shapes = {"embeddings.word_embeddings.weight": (len(WORDS), hidden),
              "embeddings.position_embeddings.weight": (POSITIONS, hidden),
              "embeddings.token_type_embeddings.weight": (2, hidden)}
    norms, dense = ["embeddings.LayerNorm"], {}
    for layer in (f"encoder.layer.{i}." for i in range(LAYERS)):
        norms += [layer + "attention.output.LayerNorm", layer + "output.LayerNorm"]
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            dense[layer + part] = (hidden, hidden)
        dense |= {layer + "intermediate.dense": (inner, hidden), layer + "output.dense": (hidden, inner)}
    for name, shape in {**dense, **{name: (hidden,) for name in norms}}.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    sizes = {name: shape[0] * (shape[1] if len(shape) > 1 else 1) for name, shape in shapes.items()}
    return {name: ("F32", shape, floats(sizes[name], seed, 0.5)) for seed, (name, shape) in enumerate(shapes.items())}


def make_encoder(model, hidden=HIDDEN, inner=INNER):
    model.mkdir()
    (model / "model.safetensors").write_bytes(safetensors(encoder_tensors(hidden, inner)))
    (model / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (model / "config.json").write_text(json.dumps(
        {"model_type": "bert", "hidden_size": hidden, "num_attention_heads": 2, "num_hidden_layers": LAYERS,
         "intermediate_size": inner, "vocab_size": len(WORDS), "max_position_embeddings": POSITIONS,
         "type_vocab_size": 2}))


def make_scorer(model, labels=1, **config):
    """The same with a head for sequence classification: a cross-encoder."""
    make_encoder(model)
    shapes = {"pooler.dense.weight": (HIDDEN, HIDDEN), "pooler.dense.bias": (HIDDEN,),
              "classifier.weight": (labels, HIDDEN), "classifier.bias": (labels,)}
    head = {name: ("F32", shape, floats(shape[0] * (shape[1] if len(shape) > 1 else 1), 100 + seed, 0.5))
            for seed, (name, shape) in enumerate(shapes.items())}
    (model / "model.safetensors").write_bytes(safetensors(encoder_tensors() | head))
    settings = json.loads((model / "config.json").read_text())
    settings |= {"architectures": ["BertForSequenceClassification"],
                 "id2label": {str(i): f"label {i}" for i in range(labels)}, **config}
    (model / "config.json").write_text(json.dumps(settings))
