#!/usr/bin/env python3
"""bench_embed - texts to vectors: arrowquant beside sentence-transformers and ONNX Runtime, in one run.

    bench/bench_embed.py MODEL_FOLDER [--command build/release/arrowquant] [--threads 2] [--rounds 5]

The same 512 texts of 4 to 250 tokens for all, from text to vector, tokenizer included. Every engine has a process of
its own with as many threads, and they take turns, so that a slow moment of the machine meets all. Printed for each:

- texts per second in batches of 32 of about the same length (sorted, as sentence-transformers does; peers pad a batch to
  its longest text): the median of the rounds, and the fastest; and the CPU time of all threads for a text, the median,
  which other work on the machine disturbs less;
- milliseconds for one text at a time, every eighth of the texts: the median over all, and the median of each text's
  fastest;
- milliseconds from the start of a process to its first vector: the median. The peers' process imports no more than it
  needs (ONNX Runtime: numpy and tokenizers; the model is exported beforehand);
- mean and smallest cosine with the vectors of sentence-transformers in FP32.

The engines: arrowquant in fp32 (from the safetensors file) and in int8 (from an int8 table); sentence-transformers;
ONNX Runtime in FP32 (exported by torch.onnx from transformers' BertModel, pooling in the graph, then fused by
onnxruntime.transformers.optimizer) and int8 (of that, quantize_dynamic: QInt8 weights, per channel).
"""
import argparse
import ctypes
import multiprocessing
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

TEXTS, BATCH, TURN, LONGEST, SEED = 512, 32, 8, 250, 7
FIRST = "A cat sits outside."
ENGINES = {"arrowquant fp32": "fp32", "arrowquant int8": "int8", "sentence-transformers FP32": "torch",
           "ONNX Runtime FP32": "onnx-fp32", "ONNX Runtime int8": "onnx-int8"}
BASELINE = "sentence-transformers FP32"

# ---- The engines: each makes a function from a list of texts to an array of vectors ----------------------------------


class Options(ctypes.Structure):
    """aq_encoder_options"""
    _fields_ = [("size", ctypes.c_size_t), ("threads", ctypes.c_uint32), ("max_tokens", ctypes.c_uint32),
                ("compute", ctypes.c_char_p), ("folder", ctypes.c_char_p), ("normalize", ctypes.c_bool)]


def open_arrowquant(place, compute, threads):
    import numpy as np
    library = ctypes.CDLL(str(place["library"]))
    handle = ctypes.c_void_p()
    options = Options(ctypes.sizeof(Options), threads, 0, compute.encode(), None, False)
    status = library.aq_encoder_open(str(place[compute]).encode(), ctypes.byref(options), ctypes.byref(handle), None)
    if status != 0:
        sys.exit(f"bench_embed: cannot open {place[compute]}: status {status}")
    dimension = library.aq_encoder_dimension(handle)

    def encode(texts):
        coded = [t.encode() for t in texts]
        n = len(coded)
        pointers, lengths = (ctypes.c_char_p * n)(*coded), (ctypes.c_size_t * n)(*map(len, coded))
        out = np.empty((n, dimension), np.float32)
        status = library.aq_encoder_encode_texts(handle, pointers, lengths, ctypes.c_size_t(n),
                                                 ctypes.c_void_p(out.ctypes.data), None)
        if status != 0:
            sys.exit(f"bench_embed: embedding failed: status {status}")
        return out

    return encode


def open_torch(place, _, threads):
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(threads)
    model = SentenceTransformer(str(place["model"]), device="cpu", model_kwargs={"dtype": torch.float32})
    return lambda texts: model.encode(texts, batch_size=BATCH, show_progress_bar=False)


def open_onnx(place, kind, threads):
    import numpy as np
    import onnxruntime
    import tokenizers
    tokenizer = tokenizers.Tokenizer.from_file(str(place["model"] / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(place[kind]), options, providers=["CPUExecutionProvider"])

    def encode(texts):
        rows = tokenizer.encode_batch(texts)
        ids, mask = (np.array([getattr(r, name) for r in rows], np.int64) for name in ("ids", "attention_mask"))
        fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return session.run(None, fed)[0]

    return encode


def open_engine(kind, place, threads):
    opener = {"fp32": open_arrowquant, "int8": open_arrowquant, "torch": open_torch}.get(kind, open_onnx)
    return opener(place, kind, threads)


def export_onnx(model_folder, place):
    """BertModel, mean pooling and normalization as one graph; fused; then with int8 weights."""
    import collections
    import logging
    import warnings

    import onnx
    import torch
    import transformers
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model
    warnings.simplefilter("ignore")  # of tracing, and of weights that a sentence encoder does not use
    logging.disable(logging.WARNING)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    bert = transformers.BertModel.from_pretrained(model_folder, dtype=torch.float32, attn_implementation="eager",
                                                  add_pooling_layer=False).eval()

    class Sentence(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = bert

        def forward(self, input_ids, attention_mask, token_type_ids):
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask,
                               token_type_ids=token_type_ids).last_hidden_state
            mask = attention_mask[..., None].to(hidden.dtype)
            return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))

    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = tuple(torch.ones(2, 8, dtype=torch.long) * x for x in (1, 1, 0))
    plain = str(place["onnx-fp32"]) + ".plain"
    torch.onnx.export(Sentence(), example, plain, input_names=names, output_names=["embedding"], opset_version=17,
                      dynamic_axes={n: {0: "texts", 1: "tokens"} for n in names}, dynamo=False)
    fused = optimize_model(plain, model_type="bert", num_heads=bert.config.num_attention_heads,
                           hidden_size=bert.config.hidden_size)
    print("ONNX:    fused:", ", ".join(f"{n} {c}" for n, c in fused.get_fused_operator_statistics().items() if c))
    fused.save_model_to_file(str(place["onnx-fp32"]))
    quantize_dynamic(str(place["onnx-fp32"]), str(place["onnx-int8"]), per_channel=True, weight_type=QuantType.QInt8,
                     extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})  # fused nodes' types are not inferred
    counts = collections.Counter(n.op_type for n in onnx.load(str(place["onnx-int8"])).graph.node)
    kinds = ("DynamicQuantizeLinear", "MatMulInteger", "QAttention")
    print("ONNX:    int8:", ", ".join(f"{n} {counts[n]}" for n in kinds))


# ---- Taking turns ----------------------------------------------------------------------------------------------------


def serve(connection, kind, place, threads):
    """A process of one engine: gets a list of batches, sends the seconds of each, CPU time and vectors of all."""
    import numpy as np
    encode = open_engine(kind, place, threads)
    connection.send("ready")
    while (batches := connection.recv()) is not None:
        seconds, vectors, cpu = [], [], time.process_time()
        for batch in batches:
            start = time.perf_counter()
            vectors.append(encode(batch))
            seconds.append(time.perf_counter() - start)
        connection.send((seconds, time.process_time() - cpu, np.concatenate(vectors)))


class Engine:
    def __init__(self, kind, place, threads):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, kind, place, threads), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.recv()

    def __call__(self, batches):
        self.pipe.send(batches)
        return self.pipe.recv()

    def close(self):
        self.pipe.send(None)
        self.process.join()


def first_vector(kind, place, options):
    """Seconds from the start of a process to the first byte that it prints, which it does when it has a vector."""
    if kind in ("fp32", "int8"):
        command = [options.command, "embed", place[kind], "--text", FIRST, "--compute", kind, "-t", options.threads]
    else:
        command = [sys.executable, __file__, options.model, "--first", kind, "--onnx", place[kind].parent,
                   "--threads", options.threads]
    start = time.perf_counter()
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        if not process.stdout.read(1):
            sys.exit(f"bench_embed: no vector from: {' '.join(map(str, command))}")
        seconds = time.perf_counter() - start
        process.stdout.read()
    return seconds


# ---- The run ---------------------------------------------------------------------------------------------------------


def make_texts(model_folder):
    """Whole words of the vocabulary, as many as the text is to have tokens (log-normal), longest text first."""
    import numpy as np
    lines = (model_folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[1996:]
    words = [w for w in lines if w.isascii() and w.isalpha()]
    random = np.random.default_rng(SEED)
    counts = np.clip(np.exp(random.normal(3.4, 0.9, TEXTS)).astype(int) + 1, 2, LONGEST - 2)
    texts = [" ".join(random.choice(words, n)) for n in counts]
    return sorted(texts, key=len, reverse=True), int(counts.sum() + 2 * TEXTS)


def describe(options, tokens):
    from importlib.metadata import version
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
               platform.processor())
    packages = ["torch", "transformers", "sentence-transformers", "onnxruntime", "onnx", "tokenizers", "numpy"]
    print(f"machine: {cpu}, {len(os.sched_getaffinity(0))} CPUs, load {os.getloadavg()[0]:.1f}")
    print(f"peers:   Python {platform.python_version()}, " + ", ".join(f"{p} {version(p)}" for p in packages))
    print(f"texts:   {TEXTS}, {tokens} tokens; batches of {BATCH}; {options.threads} threads each; {options.rounds} "
          "rounds, taking turns\n")


def one_by_one(engines, singles, found):
    """Turns are short here, so that a moment in which the machine does something else is nobody's alone."""
    taken = {name: [] for name in engines}
    for first in range(0, len(singles), TURN):
        for name, engine in engines.items():
            taken[name] += engine(singles[first:first + TURN])[0]
    for name, seconds in taken.items():
        found[name]["singles"].append(seconds)


def measure(place, texts, options):
    import numpy as np
    batches = [texts[i:i + BATCH] for i in range(0, TEXTS, BATCH)]
    singles = [[t] for t in texts[::8]]
    engines = {name: Engine(kind, place, options.threads) for name, kind in ENGINES.items()}
    found = {name: {"rounds": [], "cpu": [], "singles": [], "first": []} for name in ENGINES}
    for engine in engines.values():
        engine(batches[-1:] + batches[:1])  # warm
    for _ in range(options.rounds):
        for name, engine in engines.items():
            seconds, cpu, found[name]["vectors"] = engine(batches)
            found[name]["rounds"].append(sum(seconds))
            found[name]["cpu"].append(cpu / TEXTS)
        for _ in range(2):
            one_by_one(engines, singles, found)
    for engine in engines.values():
        engine.close()
    for _ in range(options.rounds):
        for name, kind in ENGINES.items():
            found[name]["first"].append(first_vector(kind, place, options))
    exact = found[BASELINE]["vectors"].astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    for row in found.values():
        vectors = row["vectors"].astype(np.float64)
        cosine = (vectors * exact).sum(1) / np.linalg.norm(vectors, axis=1)
        row["rate"], row["best"] = TEXTS / statistics.median(row["rounds"]), TEXTS / min(row["rounds"])
        row["cpu"], row["first"] = (1e3 * statistics.median(row[k]) for k in ("cpu", "first"))
        row["ms"], row["best ms"] = 1e3 * np.median(row["singles"]), 1e3 * np.median(np.min(row["singles"], axis=0))
        row["mean"], row["least"] = cosine.mean(), cosine.min()
    return found


def show(found):
    print(f"{'':28}{'texts/s':>9}{'fastest':>9}{'CPU ms':>8}{'ms for one':>12}{'fastest':>9}{'ms to first':>13}"
          "   cosine: mean, minimum")
    for name, r in found.items():
        print(f"{name:28}{r['rate']:9.0f}{r['best']:9.0f}{r['cpu']:8.2f}{r['ms']:12.2f}{r['best ms']:9.2f}"
              f"{r['first']:13.0f}   {r['mean']:.6f} {r['least']:.6f}")
    print()
    for ours, peer in (("arrowquant int8", "ONNX Runtime int8"), ("arrowquant int8", BASELINE),
                       ("arrowquant fp32", "ONNX Runtime FP32"), ("arrowquant fp32", BASELINE)):
        a, b = found[ours], found[peer]
        print(f"{ours} against {peer}: {a['rate'] / b['rate']:.2f}x texts per second (fastest rounds "
              f"{a['best'] / b['best']:.2f}x, CPU time {b['cpu'] / a['cpu']:.2f}x), {b['ms'] / a['ms']:.2f}x sooner "
              f"for one text (fastest {b['best ms'] / a['best ms']:.2f}x), {b['first'] / a['first']:.0f}x sooner to "
              "the first")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--command", type=pathlib.Path, default=pathlib.Path("build/release/arrowquant"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--first", help=argparse.SUPPRESS)  # the process of first_vector
    parser.add_argument("--onnx", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"  # the folder is here: nobody asks the hub
    if options.first is not None:
        place = {"model": options.model, options.first: options.onnx / f"{options.first}.onnx"}
        print(open_engine(options.first, place, options.threads)([FIRST])[0, 0], flush=True)
        return
    options.command = options.command.resolve()
    with tempfile.TemporaryDirectory() as folder:
        place = {k: pathlib.Path(folder, f"{k}.onnx") for k in ("torch", "onnx-fp32", "onnx-int8")}
        place |= {"model": options.model, "fp32": options.model, "int8": pathlib.Path(folder, "int8.parquet"),
                  "library": options.command.parent / "libarrowquant.so"}
        subprocess.run([options.command, "quantize", options.model, "-o", place["int8"], "--type", "int8", "-q"],
                       check=True)
        exporter = multiprocessing.get_context("spawn").Process(target=export_onnx, args=(options.model, place))
        exporter.start()
        exporter.join()
        if exporter.exitcode != 0:
            sys.exit("bench_embed: the export to ONNX failed")
        texts, tokens = make_texts(options.model)
        describe(options, tokens)
        show(measure(place, texts, options))


if __name__ == "__main__":
    main()
