"""The encoder against transformers and torch: the same texts, the same weights, the same vectors."""
import json
import shutil

import numpy as np
import pytest

from conftest import cpu_sets, run

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

BATCH = 32


def random_texts(folder, count, longest, seed):
    """Words of the vocabulary, 1 to `longest` of them, so that a text has about as many tokens."""
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[999:]
    words = [w for w in lines if w and not w.startswith("##")]
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(words, rng.integers(1, longest + 1))) for _ in range(count)]


def reference(folder, texts, max_tokens=256, pooling="mean", normalize=True):
    """What sentence-transformers computes, batch by batch with padding."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    out = [None] * len(texts)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for first in range(0, len(order), BATCH):
        batch = order[first:first + BATCH]
        fed = tokenizer([texts[i] for i in batch], padding=True, truncation=True, max_length=max_tokens,
                        return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**fed).last_hidden_state
        mask = fed["attention_mask"][..., None]
        vectors = hidden[:, 0] if pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
        vectors = torch.nn.functional.normalize(vectors) if normalize else vectors
        for i, vector in zip(batch, vectors.numpy(), strict=True):
            out[i] = vector
    return np.stack(out)


def cosines(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def embed(model, texts, tmp_path, *options, env=None):
    source, target = tmp_path / "texts.txt", tmp_path / "vectors.npy"
    source.write_text("".join(t + "\n" for t in texts), encoding="utf-8")
    run("embed", model, "--input", source, "-o", target, "--force", *options, env=env)
    return np.load(target)


@pytest.fixture(scope="module")
def minilm_case(minilm):
    texts = random_texts(minilm, 1000, 250, 1)
    return texts, reference(minilm, texts)


def test_minilm_fp32_equals_torch_on_1000_texts(minilm, minilm_case, tmp_path):
    texts, expected = minilm_case
    got = embed(minilm, texts, tmp_path)
    assert got.shape == expected.shape and got.dtype == np.float32
    assert np.abs(got - expected).max() < 1e-5
    assert cosines(got, expected).min() >= 0.999999


@pytest.mark.parametrize("cpu", cpu_sets())
def test_minilm_every_instruction_set_equals_torch(minilm, minilm_case, tmp_path, cpu):
    texts, expected = (x[:6] for x in minilm_case)
    got = embed(minilm, texts, tmp_path, env={"AQ_CPU": cpu})
    assert np.abs(got - expected).max() < 1e-5


def test_minilm_int8_is_near_torch(minilm, minilm_case, tmp_path):
    texts, expected = (x[:40] for x in minilm_case)
    first = embed(minilm, texts, tmp_path, "--compute", "int8")
    near = cosines(first, expected)
    assert near.mean() > 0.995 and near.min() > 0.99


def test_table_alone_embeds_without_the_model_folder(minilm, minilm_case, tmp_path):
    texts, expected = (x[:100] for x in minilm_case)
    tables = {"v1": ("convert",), "int8": ("quantize", "--type", "int8"), "int4": ("quantize", "--type", "int4"),
              "mixed": ("quantize", "--type", "int4", "--tensor", "*layer.0*=int8", "--keep", "*layer.5*")}
    copy = tmp_path / "copy"
    shutil.copytree(minilm, copy)
    for name, (command, *options) in tables.items():
        run(command, copy, "-o", tmp_path / f"{name}.parquet", *options)
    shutil.rmtree(copy)
    least = {"v1": 0.999999, "int8": 0.997, "int4": 0.9, "mixed": 0.9}
    for name in tables:
        got = embed(tmp_path / f"{name}.parquet", texts, tmp_path)
        assert cosines(got, expected).mean() >= least[name], name


def test_parquet_of_vectors_reads_as_the_array(minilm, tmp_path):
    pq, duckdb, polars = (pytest.importorskip(m) for m in ("pyarrow.parquet", "duckdb", "polars"))
    texts = ["A cat sits outside.", "schön 🙂 日本", "", "  spaces, \"quotes\"\tand a tab"]
    source, target = tmp_path / "texts.txt", tmp_path / "vectors.parquet"
    source.write_text("\n".join([*texts, ""]), encoding="utf-8")
    run("embed", minilm, "--input", source, "-o", target)
    run("embed", minilm, "--input", source, "-o", tmp_path / "vectors.npy")
    expected = np.load(tmp_path / "vectors.npy")
    frame = polars.read_parquet(target)
    got = {"pyarrow": tuple(c.to_pylist() for c in pq.read_table(target, page_checksum_verification=True).columns),
           "duckdb": tuple(zip(*duckdb.sql(f"SELECT * FROM '{target}'").fetchall(), strict=True)),
           "polars": (frame["text"].to_list(), frame["embedding"].to_list())}
    types = {field.name: str(field.type) for field in pq.read_schema(target)}
    assert types == {"text": "string", "embedding": "fixed_size_list<element: float>[384]"}
    for reader, (words, vectors) in got.items():
        assert list(words) == texts, reader
        assert np.array_equal(np.array(vectors, np.float32), expected), reader
    assert "exists" in run("embed", minilm, "--text", "a", "-o", target, expect=2).stderr


def test_table_of_a_table_keeps_the_files(minilm, minilm_case, tmp_path):
    texts, expected = (x[:5] for x in minilm_case)
    run("convert", minilm, "-o", tmp_path / "v1.parquet")
    (tmp_path / "elsewhere").mkdir()
    run("quantize", tmp_path / "v1.parquet", "-o", tmp_path / "elsewhere" / "v2.parquet")
    (tmp_path / "v1.parquet").unlink()
    report = json.loads(run("info", tmp_path / "elsewhere" / "v2.parquet", "--json").stdout)
    assert report["kind"] == "info"
    assert cosines(embed(tmp_path / "elsewhere" / "v2.parquet", texts, tmp_path), expected).min() > 0.99


def save_tiny(folder, model, pooling, normalize):
    """A model of another architecture as sentence-transformers would save it, with MiniLM's kind of tokenizer."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab = [*special, *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghij")]
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    (folder / "1_Pooling").mkdir()
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")][:2 + normalize]
    (folder / "modules.json").write_text(json.dumps([
        {"name": str(i), "path": path, "type": f"sentence_transformers.models.{t}"}
        for i, (path, t) in enumerate(modules)]))
    flags = {"pooling_mode_cls_token": pooling == "cls", "pooling_mode_mean_tokens": pooling == "mean"}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(flags))


def tiny_models():
    size = {"vocab_size": 41, "pad_token_id": 0}
    common = {**size, "hidden_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 70}
    yield "bert", transformers.BertModel(
        transformers.BertConfig(**common, hidden_act="relu", max_position_embeddings=64))
    yield "bert_tanh", transformers.BertModel(
        transformers.BertConfig(**common, hidden_act="gelu_new", max_position_embeddings=64, layer_norm_eps=1e-3))
    yield "roberta", transformers.RobertaModel(
        transformers.RobertaConfig(**{**common, "pad_token_id": 4}, hidden_act="silu", max_position_embeddings=64,
                                   type_vocab_size=1, layer_norm_eps=1e-5))
    yield "distilbert", transformers.DistilBertModel(
        transformers.DistilBertConfig(**size, dim=48, n_heads=4, n_layers=2, hidden_dim=70, max_position_embeddings=64))


@pytest.mark.parametrize("pooling,normalize", [("mean", True), ("cls", False)])
def test_other_architectures_equal_torch(tmp_path, pooling, normalize):
    torch.manual_seed(3)
    rng = np.random.default_rng(4)
    texts = ["".join(rng.choice(list("abcdefghij kl"), rng.integers(1, 50))) for _ in range(40)] + ["x " * 90]
    tokenizer = None
    for name, model in tiny_models():
        folder = tmp_path / name
        model = model.eval()
        save_tiny(folder, model, pooling, normalize)
        tokenizer = tokenizer or transformers.BertTokenizer(str(folder / "vocab.txt"))
        limit = 59 if name == "roberta" else 64
        got = embed(folder, texts, tmp_path, "--max-length", limit)
        for text, vector in zip(texts, got, strict=True):
            fed = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")
            fed.pop("token_type_ids", None)
            with torch.inference_mode():
                hidden = model(**fed).last_hidden_state[0]
            expected = hidden[0] if pooling == "cls" else hidden.mean(0)
            expected = torch.nn.functional.normalize(expected, dim=0) if normalize else expected
            assert np.abs(vector - expected.numpy()).max() < 2e-5, name


def mpnet_folder(folder):
    """An MPNet of 512 tokens with its own tokenizer, as transformers saves it."""
    torch.manual_seed(5)
    vocab = ["<s>", "<pad>", "</s>", "[UNK]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghij"), "<mask>"]
    config = transformers.MPNetConfig(vocab_size=len(vocab), hidden_size=48, num_attention_heads=4, num_hidden_layers=2,
                                      intermediate_size=70, max_position_embeddings=514, layer_norm_eps=1e-5)
    model = transformers.MPNetModel(config).eval()
    torch.nn.init.normal_(model.encoder.relative_attention_bias.weight)  # at first too small to matter
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n")
    transformers.MPNetTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_mpnet_with_its_tokenizer_equals_torch(tmp_path):
    folder = mpnet_folder(tmp_path / "mpnet")
    assert json.loads((folder / "tokenizer.json").read_text())["model"]["type"] == "WordPiece"
    rng = np.random.default_rng(6)
    texts = ["".join(rng.choice(list("abcdefghij kl"), rng.integers(1, 600))) for _ in range(60)]
    texts += ["", "x " * 600, "Ünï, <mask>! b"]
    expected = reference(folder, texts, 512, "mean", False)
    for threads in (1, 2):
        got = embed(folder, texts, tmp_path, "--threads", threads)
        assert cosines(got, expected).min() >= 0.999999
        assert np.abs(got - expected).max() < 2e-5
    run("quantize", folder, "-o", tmp_path / "mpnet.parquet", "--type", "int8")
    assert cosines(embed(tmp_path / "mpnet.parquet", texts, tmp_path), expected).min() > 0.99
    assert cosines(embed(folder, texts, tmp_path, "--compute", "int8"), expected).min() > 0.99


def test_unknown_architecture_is_named(tmp_path, minilm):
    folder = tmp_path / "deberta"
    folder.mkdir()
    shutil.copy(minilm / "model.safetensors", folder)
    config = json.loads((minilm / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "deberta"}))
    said = run("embed", folder, "--text", "x", expect=3).stderr
    assert "'deberta'" in said and "bert" in said


def test_prompts_go_before_texts_and_stay_out_of_the_output(minilm, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(minilm, folder)
    prompts = {"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    (tmp_path / "in.txt").write_text("second\n\ncaf\u00e9\n", encoding="utf-8")
    texts = ["first", "second", "", "café"]

    def rows(model, *options):
        said = run("embed", model, "--text", "first", "--input", tmp_path / "in.txt", *options).stdout
        lines = [json.loads(line) for line in said.splitlines()]
        assert [line["text"] for line in lines] == texts
        return np.array([line["embedding"] for line in lines], np.float32)

    def expected(prompt):
        return embed(minilm, [prompt + text for text in texts], tmp_path)

    assert np.array_equal(rows(folder), expected("query: "))
    assert np.array_equal(rows(folder, "--prompt-name", "passage"), expected("passage: "))
    assert np.array_equal(rows(folder, "--prompt", "x "), expected("x "))
    assert np.array_equal(rows(folder, "--no-prompt"), expected(""))
    run("quantize", folder, "-o", tmp_path / "v2.parquet")
    shutil.rmtree(folder)
    run("quantize", minilm, "-o", tmp_path / "plain.parquet")
    table = rows(tmp_path / "v2.parquet")
    assert np.array_equal(table, rows(tmp_path / "plain.parquet", "--prompt", "query: "))
    said = run("embed", tmp_path / "v2.parquet", "--text", "a", "--prompt-name", "document", expect=2).stderr
    assert "no prompt named 'document'; it has query, passage" in said
    assert "--prompt-name" in run("embed", minilm, "--text", "a", "--no-prompt", "--prompt-name", "x", expect=2).stderr


def test_jsonl_lines_hold_text_and_vector(minilm, tmp_path):
    lines = ['{"body": "caf\\u00e9 \\"x\\""}', '{"other": 1, "body": "second"}']
    (tmp_path / "in.jsonl").write_text("\r\n".join(lines))
    said = run("embed", minilm, "--text", "first", "--input", tmp_path / "in.jsonl", "--field", "body").stdout
    rows = [json.loads(line) for line in said.splitlines()]
    assert [r["text"] for r in rows] == ["first", 'café "x"', "second"]
    same = embed(minilm, ["first"], tmp_path)[0]
    assert np.array_equal(np.array(rows[0]["embedding"], np.float32), same)
