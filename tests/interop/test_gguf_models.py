"""GGUF files as whole models: names, order of rows, config.json and tokenizer of Hugging Face are those of the model that
the file was made from."""
import itertools
import json

import gguf
import gguf_models as made
import numpy as np
import pytest
import tokenizers
from conftest import read_safetensors, run, write_safetensors
from tokenizer_library import Ours
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

# ---- Tensors ---------------------------------------------------------------------------------------------------------


def exported(source, folder, *options):
    out = folder / "out.safetensors"
    run("export", source, "-o", out, "--force", *options)
    return read_safetensors(out)


def own_files(path, *options):
    """{name: text} of the files of the model that a source has."""
    start = "arrowquant.file."
    pairs = json.loads(run("info", path, "--json", *options).stdout)["metadata"]
    return {p["key"][len(start):]: p["value"] for p in pairs if p["key"].startswith(start)}


@pytest.fixture
def tokenizer():
    return made.byte_level()


@pytest.mark.parametrize("arch", made.ARCHS)
def test_tensors_are_those_of_the_model(tmp_path, arch, tokenizer):
    tensors = made.decoder_tensors(arch, len(tokenizer["tokens"]), tied=arch != "qwen3", biased=arch == "llama")
    path = tmp_path / "m.gguf"
    tokenizer["pre"] = "qwen2" if arch == "qwen2" else "gpt-2"
    made.write_decoder(path, arch, tensors, tokenizer)
    found = exported(path, tmp_path, "--names", "hf")
    assert set(found) == set(tensors)
    for name, values in tensors.items():
        assert found[name] == ("F32", list(values.shape), values.tobytes()), name
    assert "blk.0.attn_norm.weight" in exported(path, tmp_path)
    assert set(exported(path, tmp_path, "--names", "auto")) == set(tensors)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "F16"])
def test_rows_of_blocks_are_put_in_order(tmp_path, tokenizer, kind):
    kind = gguf.GGMLQuantizationType[kind]
    tensors = made.decoder_tensors("llama", len(tokenizer["tokens"]))
    path = tmp_path / "m.gguf"
    made.write_decoder(path, "llama", tensors, tokenizer, types={"q_proj": kind, "k_proj": kind})
    found = exported(path, tmp_path, "--names", "hf")
    for name, values in tensors.items():
        if "q_proj" in name or "k_proj" in name:
            values = gguf.quants.dequantize(gguf.quants.quantize(values, kind), kind)
            assert np.array_equal(np.frombuffer(found[name][2], "<f2" if kind.name == "F16" else "<f4").astype("f4"), values.ravel())


def test_gains_less_one_are_rounded_once(tmp_path, tokenizer):
    tensors = made.decoder_tensors("gemma3", len(tokenizer["tokens"]))
    gains = np.float32(1) + np.linspace(-3, 40, made.HIDDEN, dtype="f4")
    tensors["model.norm.weight"] = gains - np.float32(1)
    made.write_decoder(tmp_path / "m.gguf", "gemma3", tensors, tokenizer)
    stored = {t.name: t.data for t in gguf.GGUFReader(tmp_path / "m.gguf").tensors}["output_norm.weight"]
    found = exported(tmp_path / "m.gguf", tmp_path, "--names", "hf")["model.norm.weight"]
    assert found[2] == (np.array(stored) - np.float32(1)).tobytes()


# ---- Running ---------------------------------------------------------------------------------------------------------


def folder_beside(tmp_path, arch, tensors, path, **config):
    """The model's folder, with the tokenizer of the GGUF file, which other tests are about."""
    folder = tmp_path / "folder"
    made.write_folder(folder, arch, tensors, **config)
    for name, text in own_files(path, "--names", "hf").items():
        if name.startswith(("tokenizer", "generation")):
            (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("arch", made.ARCHS)
def test_predictions_are_those_of_the_model(tmp_path, arch, tokenizer):
    tied = arch not in ("qwen3", "phi3")
    tensors = made.decoder_tensors(arch, len(tokenizer["tokens"]), tied)
    path, texts = tmp_path / "m.gguf", tmp_path / "texts.txt"
    tokenizer["pre"] = "qwen2" if arch == "qwen2" else "gpt-2"
    made.write_decoder(path, arch, tensors, tokenizer)
    folder = folder_beside(tmp_path, arch, tensors, path)
    texts.write_text("the thing in the 1234  the\n\nI'll sing\n" * 40)
    report = json.loads(run("perplexity", path, "--against", folder, "--texts", texts, "--context", "48", "--json").stdout)
    assert report["divergence"]["mean"] < 1e-9
    assert report["divergence"]["top_agreement"] == 1.0
    run("compare", folder, path, "--texts", texts, "--context", "48", "--max-kl", "1e-6")
    said = [run("generate", p, "--prompt", "the ", "--max-tokens", "12").stdout for p in (folder, path)]
    assert said[0] == said[1]


def test_tables_carry_the_model(tmp_path, tokenizer):
    tensors = made.decoder_tensors("llama", len(tokenizer["tokens"]))
    path, table, codes = tmp_path / "m.gguf", tmp_path / "v1.parquet", tmp_path / "v2.parquet"
    made.write_decoder(path, "llama", tensors, tokenizer)
    run("convert", path, "-o", table, "--names", "hf")
    run("quantize", path, "-o", codes, "--type", "int8", "--names", "hf")
    said = [run("generate", p, "--prompt", "the ", "--max-tokens", "12").stdout for p in (path, table)]
    assert said[0] == said[1]
    run("verify", codes, "--against", path, "--names", "hf")
    run("compare", path, codes, "--outputs")
    assert {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "gguf.json"} <= set(own_files(table))
    assert "tokens" not in own_files(table)["gguf.json"]
    run("convert", path, "-o", table, "--force")
    said = run("generate", table, "--prompt", "a", expect=3).stderr
    assert "no config.json" in said
    assert "names=hf" in said
    said = run("validate", path, "-o", tmp_path / "out", "--types", "int8", "--context", "8").stdout
    assert "outputs agree" in said


def test_config_of_a_file(tmp_path, tokenizer):
    tensors = made.decoder_tensors("llama", len(tokenizer["tokens"]), tied=False, biased=True)
    tokenizer["bos"] = 0
    made.write_decoder(tmp_path / "m.gguf", "llama", tensors, tokenizer, **{"tokenizer.ggml.eot_token_id": 5, "rope__scaling__type": "yarn",
                       "rope__scaling__factor": 4.0, "rope__scaling__original_context_length": 16})
    files = own_files(tmp_path / "m.gguf", "--names", "hf")
    config = json.loads(files["config.json"])
    assert config["rope_scaling"] == {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
    assert np.float32(config["rms_norm_eps"]) == np.float32(1e-6)
    expected = {"model_type": "llama", "hidden_size": made.HIDDEN, "head_dim": 8, "tie_word_embeddings": False, "attention_bias": True,
                "mlp_bias": True, "rope_theta": 5000.0, "vocab_size": len(tokenizer["tokens"]), "bos_token_id": 0}
    assert expected.items() <= config.items()
    assert json.loads(files["generation_config.json"]) == {"eos_token_id": [tokenizer["eos"], 5]}


def llama3_divisors(factor, theta, width, original=8192):
    """As conversion writes them."""
    divisors = []
    for frequency in np.float32(1) / np.float32(theta) ** (np.arange(0, width, 2, dtype="f4") / np.float32(width)):
        wavelength = 2 * np.pi / frequency
        smooth = (original / wavelength - 1) / 3
        divisors.append(1 if wavelength < original / 4 else factor if wavelength > original else 1 / ((1 - smooth) / factor + smooth))
    return np.array(divisors, "f4")


def test_divisors_of_frequencies_are_positions_of_llama_3(tmp_path, tokenizer):
    tensors = made.decoder_tensors("llama", len(tokenizer["tokens"]))
    path = tmp_path / "m.gguf"
    for factor in (8, 32):
        made.write_decoder(path, "llama", tensors, tokenizer, **{"rope.freq_base": 5e5}, extra={"rope_freqs.weight": llama3_divisors(factor, 5e5, 8)})
        config = json.loads(own_files(path, "--names", "hf")["config.json"])
        assert config["rope_scaling"] == {"rope_type": "llama3", "factor": factor, "low_freq_factor": 1, "high_freq_factor": 4,
                                          "original_max_position_embeddings": 8192}
        assert set(exported(path, tmp_path, "--names", "hf")) == set(tensors)
        run("generate", path, "--prompt", "the", "--max-tokens", "4")
    for divisors in (llama3_divisors(8, 5e5, 8, 4096), llama3_divisors(8, 5e5, 16), np.full(4, np.nan, "f4")):
        made.write_decoder(path, "llama", tensors, tokenizer, **{"rope.freq_base": 5e5}, extra={"rope_freqs.weight": divisors})
        assert "rope_freqs.weight" in run("generate", path, "--prompt", "the", expect=3).stderr


# ---- Encoders --------------------------------------------------------------------------------------------------------

BERT = {"context_length": 32, "embedding_length": 16, "feed_forward_length": 24, "block_count": 2, "attention.head_count": 2,
        "attention.layer_norm_epsilon": 1e-12, "attention.causal": False, "pooling_type": 2}


def bert_tensors(vocabulary):
    random = np.random.default_rng(4)
    shapes = {"embeddings.word_embeddings.weight": (vocabulary, 16), "embeddings.position_embeddings.weight": (32, 16),
              "embeddings.token_type_embeddings.weight": (2, 16)}
    both = {"embeddings.LayerNorm": (16,)}
    for layer in (f"encoder.layer.{i}." for i in range(2)):
        both |= {layer + f"attention.self.{part}": (16, 16) for part in ("query", "key", "value")}
        both |= {layer + "attention.output.dense": (16, 16), layer + "intermediate.dense": (24, 16), layer + "output.dense": (16, 24),
                 layer + "attention.output.LayerNorm": (16,), layer + "output.LayerNorm": (16,)}
    for name, shape in both.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return {name: random.normal(0, 0.4, shape).astype("<f4") for name, shape in shapes.items()}


def write_bert(path, tensors, tokenizer, **keys):
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, 2)
    writer = gguf.GGUFWriter(path, "bert")
    made.write_keys(writer, "bert", BERT | keys)
    made.write_tokenizer(writer, tokenizer)
    for name, values in tensors.items():
        stem, end = name.rsplit(".", 1)
        writer.add_tensor(f"{names.get_name(stem)}.{end}", values)
    made.finish(writer)


@pytest.mark.parametrize("pooling", [1, 2], ids=["mean", "cls"])
def test_embeddings_are_those_of_the_model(tmp_path, pooling):
    tokenizer, words = made.word_pieces()
    tensors = bert_tensors(len(words))
    path, folder = tmp_path / "m.gguf", tmp_path / "folder"
    write_bert(path, tensors, tokenizer, pooling_type=pooling)
    found = exported(path, tmp_path, "--names", "hf")
    assert {n: t[2] for n, t in found.items()} == {n: v.tobytes() for n, v in tensors.items()}
    (folder / "1_Pooling").mkdir(parents=True)
    write_safetensors(folder / "model.safetensors", {n: ("F32", v) for n, v in tensors.items()})
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "config.json").write_text(json.dumps({
        "model_type": "bert", "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 24,
        "vocab_size": len(words), "max_position_embeddings": 32, "type_vocab_size": 2}))
    (folder / "modules.json").write_text(json.dumps([
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({
        "word_embedding_dimension": 16, "pooling_mode_cls_token": pooling == 2, "pooling_mode_mean_tokens": pooling == 1}))
    texts = [arg for text in ("Hello, the singing!", "", "中 héllo", "x" * 200) for arg in ("--text", text)]
    assert run("embed", path, *texts).stdout == run("embed", folder, *texts).stdout
    assert run("tokenize", path, *texts).stdout == run("tokenize", folder, *texts).stdout


def test_an_encoder_that_is_not_known_is_refused(tmp_path):
    tokenizer, words = made.word_pieces()
    for change, keys, says in (({}, {"pooling_type": 3}, "pooling_type' is 3"), ({}, {"attention.causal": True}, "attention.causal' is true"),
                               ({"tokens": ["▁Hello", *tokenizer["tokens"][1:]]}, {}, "has capitals"),
                               ({"model": "t5"}, {}, "tokenizer.ggml.model' is 't5'")):
        write_bert(tmp_path / "m.gguf", bert_tensors(len(words)), tokenizer | change, **keys)
        assert says in run("embed", tmp_path / "m.gguf", "--text", "a", expect=3).stderr


# ---- Tokenizers ------------------------------------------------------------------------------------------------------

TEXTS = ["", " ", "the thing", "  12  1234", " \n\n the\r\n\t x", "I'LL i'll 'll", "naïve Ünï é e\u0301 中文字 👍🏽", "<|end|>the<tool> the",
         "HelloWorld fooBar XMLHttp 12345678", "a\u00a0b\u2028c", "world hello world", "the" * 30, "/path/to\n//x", "½ ² Ⅳ ٣٤", "\x00\x07", "▁▁ a▁b"]


def gpt2_stages():
    return None, pre_tokenizers.ByteLevel(add_prefix_space=False)


def digits_stages():
    return None, pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), gpt2_stages()[1]])


def split_stages(pattern, normalizer=None):
    return normalizer, pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def cl100k(digits):
    return (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits +
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def o200k(end, digits):
    return (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + end +
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + end + "|" + digits +
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def stages_of(pre):
    if pre in ("gpt-2", "phi-2", "olmo"):
        return gpt2_stages()
    if pre in ("smollm", "starcoder", "refact"):
        return digits_stages()
    if pre in ("qwen2", "deepseek-r1-qwen"):
        return split_stages(cl100k(r"\p{N}"), normalizers.NFC())
    if pre == "tekken":
        return split_stages(o200k("", r"\p{N}"))
    if pre == "gpt-4o":
        return split_stages(o200k("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", r"\p{N}{1,3}"))
    return split_stages(cl100k(r"\p{N}{1,3}"))


PRES = ["gpt-2", "phi-2", "olmo", "smollm", "starcoder", "refact", "qwen2", "deepseek-r1-qwen", "llama3", "llama-v3", "llama-bpe",
        "smaug-bpe", "tekken", "gpt-4o"]
IGNORES_MERGES = ADDS_BOS = ("llama3", "llama-v3", "llama-bpe", "tekken")


@pytest.mark.parametrize("pre", PRES)
def test_ids_of_byte_level_tokenizers(tmp_path, pre):
    t = made.byte_level(pre)
    t["bos"] = t["eos"]
    made.write_decoder(tmp_path / "m.gguf", "llama", made.decoder_tensors("llama", len(t["tokens"])), t)
    theirs = tokenizers.Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(t["tokens"])},
                                             merges=[tuple(m.split(" ")) for m in t["merges"]], ignore_merges=pre in IGNORES_MERGES))
    theirs.normalizer, theirs.pre_tokenizer = (stage for stage in stages_of(pre)) if stages_of(pre)[0] else (theirs.normalizer, stages_of(pre)[1])
    theirs.decoder = decoders.ByteLevel()
    theirs.add_special_tokens([tokenizers.AddedToken("<|end|>", normalized=False, special=True)])
    theirs.add_tokens([tokenizers.AddedToken("<tool>", normalized=False)])
    ours = Ours(tmp_path / "m.gguf")
    first = [t["bos"]] if pre in ADDS_BOS else []
    for text in TEXTS:
        ids = theirs.encode(text).ids
        assert ours.encode(text) == first + ids, text
        assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


def derived_merges(tokens, scores):
    """Every cut of a token into two tokens, the best token first, then the longest left part and the longest right one."""
    known = set(tokens)
    cuts = [(score, token[:i], token[i:]) for token, score in zip(tokens, scores, strict=True) for i in range(1, len(token))
            if token[:i] in known and token[i:] in known]
    return [(a, b) for _, a, b in sorted(cuts, key=lambda cut: (-cut[0], -len(cut[1]), -len(cut[2])))]


@pytest.mark.parametrize("spaced", [True, False, None], ids=["spaced", "unspaced", "unsaid"])
def test_ids_of_pieces_with_scores(tmp_path, spaced):
    t = made.pieces() | ({} if spaced is None else {"add_space_prefix": spaced})
    made.write_decoder(tmp_path / "m.gguf", "llama", made.decoder_tensors("llama", len(t["tokens"])), t)
    theirs = tokenizers.Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(t["tokens"])},
                                             merges=derived_merges(t["tokens"], t["scores"]), unk_token="<unk>", fuse_unk=True,
                                             byte_fallback=True))
    theirs.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never" if spaced is False else "first", split=False)
    theirs.add_special_tokens([tokenizers.AddedToken(s, normalized=False, special=True) for s in ("<s>", "</s>")])
    ours = Ours(tmp_path / "m.gguf")
    for text in [*TEXTS, "another thing and there, in here", "opqr opqr", "</s>the<s> the", "    the"]:
        assert ours.encode(text) == [1, *theirs.encode(text).ids], text


def test_merges_are_those_of_scores():
    """What the order of merges means: the two neighbours whose joint piece has the best score are joined first."""
    t = made.pieces()
    best = dict(zip(t["tokens"], (-float(i) for i in range(len(t["tokens"]))), strict=True))
    bpe = tokenizers.Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(t["tokens"])},
                                          merges=derived_merges(list(best), list(best.values()))))
    for text in ("▁another▁thing", "▁▁▁▁▁the▁in", "there▁and▁here"):
        parts = list(text)
        while True:
            joins = [(best[a + b], -i) for i, (a, b) in enumerate(itertools.pairwise(parts)) if a + b in best]
            if not joins:
                break
            i = -max(joins)[1]
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
        assert bpe.encode(text).tokens == parts


def test_gemma_has_tokens_of_spaces_and_the_order_of_its_tokens(tmp_path):
    t = made.pieces() | {"scores": None, "bos": 1}
    words = ["▁the", "▁", "the", "  ", "    ", "t", "h", "e", "th", "he", "\n", "\n\n", "a", "▁a"]
    tokens = ["<pad>", "<bos>", "<eos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    t |= {"tokens": tokens, "types": [3, 3, 3, 3] + [6] * 256 + [1, 1, 1, 4, 4] + [1] * 5 + [4, 4, 1, 1],
          "scores": [-float(7 * i % 11) for i in range(len(tokens))], "eos": 2, "unknown": 3}
    marked = ["▁" * len(x) if x.strip(" ") == "" else x for x in tokens]
    made.write_decoder(tmp_path / "m.gguf", "gemma3", made.decoder_tensors("gemma3", len(tokens)), t)
    theirs = tokenizers.Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(marked)}, unk_token="<unk>", fuse_unk=True,
                                             byte_fallback=True, merges=derived_merges(marked, [-i for i in range(len(marked))])))
    theirs.normalizer = normalizers.Replace(" ", "▁")
    theirs.add_special_tokens([tokenizers.AddedToken(s, normalized=False, special=True) for s in tokens[:4]])
    theirs.add_tokens([tokenizers.AddedToken(s, normalized=False) for s in ("\n", "\n\n")])
    ours = Ours(tmp_path / "m.gguf")
    for text in [*TEXTS, "the the", "a  a    a     a", "\n\n\n the\n"]:
        assert ours.encode(text) == [1, *theirs.encode(text).ids], text


# ---- What is refused -------------------------------------------------------------------------------------------------


def without(t, key):
    return {k: v for k, v in t.items() if k != key}


T = made.byte_level()
BAD_TOKENIZERS = {
    "pre": (T | {"pre": "default"}, "tokenizer.ggml.pre' is default"),
    "no pre": (without(T, "pre"), "tokenizer.ggml.pre' is missing"),
    "model": (T | {"model": "rwkv"}, "tokenizer.ggml.model' is 'rwkv'"),
    "no merges": (without(T, "merges"), "tokenizer.ggml.merges' is missing"),
    "merge of one": (T | {"merges": ["the"]}, "text 0, 'the', is not two tokens"),
    "merge of three": (T | {"merges": ["t h", "t h e"]}, "text 1, 't h e', is not two tokens"),
    "merge of others": (T | {"merges": ["zz z"]}, "does not hold the token 'zz'"),
    "fewer tokens": (T | {"tokens": T["tokens"][:-1], "types": T["types"][:-1], "eos": 0}, "tokens, and token_embd.weight"),
    "fewer types": (T | {"types": T["types"][:-1]}, "token_type' has 271 values for 272 tokens"),
    "two of one": (T | {"tokens": [*T["tokens"][:-1], "a"]}, "are both 'a'"),
    "eos": (T | {"eos": 5000}, "eos_token_id' is 5000"),
    "bos that is missing": (T | {"add_bos_token": True}, "bos_token_id, is missing"),
    "scores missing": (without(made.pieces(), "scores"), "scores' is missing"),
    "scores short": (made.pieces() | {"scores": [0.0]}, "scores' has 1 values"),
    "score nan": (made.pieces() | {"scores": [float("nan")] * len(made.pieces()["tokens"])}, "score of token 0 is not finite"),
    "long piece": (made.pieces() | {"tokens": ["x" * 300, *made.pieces()["tokens"][1:]]}, "token 0 has 300 bytes"),
}


@pytest.mark.parametrize("case", BAD_TOKENIZERS)
def test_tokenizers_that_do_not_fit_are_refused(tmp_path, case):
    t, says = BAD_TOKENIZERS[case]
    rows = len((T if t["model"] == "gpt2" or t["model"] == "rwkv" else t)["tokens"])
    made.write_decoder(tmp_path / "m.gguf", "llama", made.decoder_tensors("llama", rows), t)
    assert says in run("tokenize", tmp_path / "m.gguf", "--text", "a", expect=3).stderr
    run("convert", tmp_path / "m.gguf", "-o", tmp_path / "t.parquet")  # names of the file need no tokenizer


BAD_KEYS = {
    "context_length": None, "embedding_length": None, "block_count": None, "feed_forward_length": None, "attention.head_count": None,
    "attention.layer_norm_rms_epsilon": None, "attention.head_count_kv": "two", "expert_count": 8, "attention.sliding_window": 8,
    "logit_scale": 2.0, "rope.scaling.type": "longrope", "rope.dimension_count": 4, "attention.value_length": 4,
}


@pytest.mark.parametrize("key", BAD_KEYS)
def test_keys_that_do_not_fit_are_refused(tmp_path, key, tokenizer):
    tensors = made.decoder_tensors("llama", len(tokenizer["tokens"]))
    made.write_decoder(tmp_path / "m.gguf", "llama", tensors, tokenizer, **{key: BAD_KEYS[key]})
    said = run("generate", tmp_path / "m.gguf", "--prompt", "a", expect=3).stderr
    assert key in said
    run("info", tmp_path / "m.gguf")


def test_tensors_without_a_name_are_refused_by_name(tmp_path, tokenizer):
    tensors = made.decoder_tensors("llama", len(tokenizer["tokens"]))
    path = tmp_path / "m.gguf"
    made.write_decoder(path, "llama", tensors, tokenizer, extra={"blk.0.attn_sinks.weight": np.ones(4, "f4")})
    said = run("export", path, "-o", tmp_path / "o.safetensors", "--names", "hf", expect=3).stderr
    assert "blk.0.attn_sinks.weight" in said
    assert "no such tensor" in said
    described = json.loads(run("info", path, "--names", "auto", "--json").stdout)
    assert "blk.0.attn_sinks.weight" in {t["name"] for t in described["tensors"]}
    assert any("llama.cpp's names" in note and "attn_sinks" in note for note in described["notes"])


def test_other_architectures_are_refused_by_name(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "falcon")
    writer.add_tensor("token_embd.weight", np.ones((4, 4), "f4"))
    made.finish(writer)
    for command in (("info", "--names", "hf"), ("generate", "--prompt", "a"), ("tokenize", "--text", "a")):
        said = run(command[0], tmp_path / "m.gguf", *command[1:], expect=3).stderr
        assert "architecture 'falcon'" in said
        assert "llama, qwen2" in said
    said = run("validate", tmp_path / "m.gguf", "-o", tmp_path / "out", "--types", "int8", expect=4).stdout  # it is too small
    assert "the model cannot be run: architecture 'falcon'" in said


def test_names_are_a_word_of_three(tmp_path):
    assert "--names" in run("info", tmp_path, "--names", "mine", expect=2).stderr
