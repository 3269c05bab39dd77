"""export --to gguf of models with names of Hugging Face: the file that llama.cpp's conversion would make of them."""
import json

import gguf
import gguf_models as made
import numpy as np
import pytest
from conftest import read_safetensors, run, write_safetensors
from encoder_families import change_tensors, make_family
from test_gguf_models import bert_tensors, write_bert

# Keys that a converted file has and an exported one may have besides, which say what follows from others.
IMPLIED = {"vocab_size", "attention.key_length", "attention.value_length", "rope.dimension_count", "rope.freq_base"}
DECODERS = ["llama", "qwen2", "qwen3"]


def pairs_of(path):
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()
            if not name.startswith(("GGUF.", "general."))}


def tensors_of(path):
    return {t.name: (t.tensor_type, [int(n) for n in t.shape], t.data.tobytes()) for t in gguf.GGUFReader(path).tensors}


def write_back(path, folder):
    run("convert", path, "-o", folder / "t.parquet", "--names", "hf")
    run("export", folder / "t.parquet", "-o", folder / "out.gguf", "--to", "gguf")
    return folder / "out.gguf"


@pytest.mark.parametrize("arch", DECODERS)
def test_decoder_is_the_file_that_it_began_as(tmp_path, arch):
    tokenizer = made.byte_level("qwen2" if arch == "qwen2" else "gpt-2")
    tensors = made.decoder_tensors(arch, len(tokenizer["tokens"]), tied=arch != "qwen3", biased=arch == "llama")
    made.write_decoder(tmp_path / "m.gguf", arch, tensors, tokenizer)
    out = write_back(tmp_path / "m.gguf", tmp_path)
    assert tensors_of(out) == tensors_of(tmp_path / "m.gguf")
    before, after = pairs_of(tmp_path / "m.gguf"), pairs_of(out)
    implied = {f"{arch}.{key}" for key in IMPLIED}
    optional = {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token"}
    assert set(after) - set(before) <= implied | optional and set(before) <= set(after)
    for key, value in before.items():
        assert after[key] == value, key
    texts = [arg for text in ("the world's 1234  in\n<|end|>", "\u00e9 <tool>") for arg in ("--text", text)]
    assert run("tokenize", out, *texts).stdout == run("tokenize", tmp_path / "m.gguf", *texts).stdout
    run("convert", out, "-o", tmp_path / "again.parquet", "--names", "hf")


@pytest.mark.parametrize("pooling", [1, 2])
def test_encoder_is_the_file_that_it_began_as(tmp_path, pooling):
    tokenizer, words = made.word_pieces()
    write_bert(tmp_path / "m.gguf", bert_tensors(len(words)), tokenizer, pooling_type=pooling)
    out = write_back(tmp_path / "m.gguf", tmp_path)
    assert tensors_of(out) == tensors_of(tmp_path / "m.gguf")
    before, after = pairs_of(tmp_path / "m.gguf"), pairs_of(out)
    for key, value in before.items():
        assert after[key] == value, key
    assert after["tokenizer.ggml.token_type_count"] == 2
    texts = ["--text", "Hello, the singing!", "--text", "\u4e2d h\u00e9llo"]
    assert run("embed", out, *texts).stdout == run("embed", tmp_path / "m.gguf", *texts).stdout


@pytest.mark.parametrize("prefix", ["", "bert.", "0.auto_model.", "0.auto_model.bert."])
def test_pooler_is_left_out_whatever_stands_in_front_of_names(tmp_path, prefix):
    tokenizer, words = made.word_pieces()
    write_bert(tmp_path / "m.gguf", bert_tensors(len(words)), tokenizer)
    run("export", tmp_path / "m.gguf", "-o", tmp_path / "folder", "--names", "hf")
    weights = tmp_path / "folder" / "model.safetensors"
    tensors = {f"{prefix}{name}": (dtype, np.frombuffer(data, "<f4").reshape(shape))
               for name, (dtype, shape, data) in read_safetensors(weights).items()}
    width = next(values.shape[0] for name, (_, values) in tensors.items() if name.endswith("LayerNorm.weight"))
    write_safetensors(weights, {**tensors, f"{prefix}pooler.dense.weight": ("F32", np.zeros((width, width), "<f4"))})
    told = run("export", tmp_path / "folder", "-o", tmp_path / "out.gguf", "--to", "gguf").stdout
    assert "pooler.dense.weight" in told
    assert tensors_of(tmp_path / "out.gguf") == tensors_of(tmp_path / "m.gguf")
    run("quantize", tmp_path / "folder", "-o", tmp_path / "t.parquet", "--for", "gguf", "--type", "int4")


@pytest.mark.parametrize("options, blocks", [(["--type", "int8"], "Q8_0"), (["--type", "int4", "--group-size", "32"], "Q4_1")])
def test_rows_of_codes_are_interleaved_as_values_are(tmp_path, options, blocks):
    tokenizer = made.byte_level()
    tensors = made.decoder_tensors("llama", len(tokenizer["tokens"]))
    made.write_decoder(tmp_path / "m.gguf", "llama", tensors, tokenizer)
    run("quantize", tmp_path / "m.gguf", "-o", tmp_path / "t.parquet", "--names", "hf", "--keep", "*down_proj*", *options)
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "plain.safetensors")
    found = {t.name: t for t in gguf.GGUFReader(tmp_path / "out.gguf").tensors}
    assert found["blk.0.attn_q.weight"].tensor_type.name == blocks
    for name, (_, shape, data) in read_safetensors(tmp_path / "plain.safetensors").items():
        own, values = made.as_llama_cpp("llama", name, np.frombuffer(data, "<f4").reshape(shape))
        got = gguf.quants.dequantize(found[own].data, found[own].tensor_type).reshape(values.shape)
        # Scales of FP16, and minima that are sums of up to 16 steps.
        assert np.abs(got - values).max() <= np.abs(values).max() * 2.0**-9, name
        assert np.corrcoef(got.ravel(), values.ravel())[0, 1] > 0.99999


def folder_of(tmp_path, **config):
    tokenizer = made.byte_level()
    tensors = made.decoder_tensors("llama", len(tokenizer["tokens"]))
    made.write_decoder(tmp_path / "m.gguf", "llama", tensors, tokenizer)
    run("export", tmp_path / "m.gguf", "-o", tmp_path / "folder", "--names", "hf")
    path = tmp_path / "folder" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return tmp_path / "folder"


@pytest.mark.parametrize("config, says", [
    ({"model_type": "phi3"}, "'model_type'"), ({"model_type": "mamba"}, "'mamba'"), ({"hidden_act": "gelu"}, "'hidden_act'"),
    ({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "'rope_scaling'"), ({"sliding_window": 8}, "'sliding_window'"),
    ({"vocab_size": 9}, "'vocab_size' is 9, and 'model.embed_tokens.weight' has"),
    ({"vocab_size": 2**32 - 1}, "'vocab_size'"), ({"num_attention_heads": 0}, "'num_attention_heads'"), ({"num_key_value_heads": 3}, "heads"),
    ({"num_hidden_layers": "2"}, "'num_hidden_layers'")], ids=str)
def test_model_that_would_be_another_in_llama_cpp_is_refused_by_name(tmp_path, config, says):
    done = run("export", folder_of(tmp_path, **config), "-o", tmp_path / "out.gguf", "--to", "gguf", expect=3)
    assert says in done.stderr and not list(tmp_path.glob("out*"))


CHANGES = {
    "another pattern": ({"pre_tokenizer": {"type": "Whitespace"}}, "the pre-tokenizer"),
    "another normalizer": ({"normalizer": {"type": "Lowercase"}}, "the normalizer"),
    "another model": ({"model": {"type": "Unigram", "vocab": []}}, "the model of tokenizer.json"),
    "merges that are passed over": ({"ignore_merges": True}, "the pre-tokenizer"),
    "an id beyond the table": ({"added_tokens": [{"id": 10**6, "content": "x", "special": True}]}, "'x'"),
    "an id of two tokens": ({"added_tokens": [{"id": 5, "content": "x", "special": True}]}, "two tokens have the id 5"),
}


@pytest.mark.parametrize("change, says", CHANGES.values(), ids=CHANGES)
def test_tokenizer_that_llama_cpp_has_not_is_refused_by_name(tmp_path, change, says):
    folder = folder_of(tmp_path)
    text = json.loads((folder / "tokenizer.json").read_text())
    if "ignore_merges" in change:
        change = {"model": text["model"] | change}
    (folder / "tokenizer.json").write_text(json.dumps(text | change))
    done = run("export", folder, "-o", tmp_path / "out.gguf", "--to", "gguf", expect=3)
    assert says in done.stderr and not list(tmp_path.glob("out*"))


def test_tensor_that_is_not_known_and_files_that_are_missing_are_refused(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "tokenizer.json").unlink()
    assert "tokenizer.json" in run("export", folder, "-o", tmp_path / "out.gguf", "--to", "gguf", expect=3).stderr
    (folder / "config.json").unlink()
    assert "config.json" in run("export", folder, "-o", tmp_path / "out.gguf", "--to", "gguf", expect=3).stderr


# ---- Nomic BERT ------------------------------------------------------------------------------------------------------

NOMIC = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


@pytest.mark.parametrize("prefix", ["", "nomic_bert."])
def test_nomic_has_the_names_and_settings_of_llama_cpp(tmp_path, prefix):
    folder = make_family(tmp_path / "model", "nomic_bert", rope_parameters={"rope_type": "default", "rope_theta": 500.0})
    change_tensors(folder, lambda tensors: {prefix + name: values for name, values in tensors.items()})
    run("export", folder, "-o", tmp_path / "out.gguf", "--to", "gguf")
    found, tensors = tensors_of(tmp_path / "out.gguf"), read_safetensors(folder / "model.safetensors")
    assert len(found) == len([name for name in tensors if "pooler" not in name])
    for own, theirs in NOMIC.items():
        assert found[f"blk.1.{own}.weight"][2] == tensors[f"{prefix}layers.1.{theirs}.weight"][2]
    config, keys = json.loads((folder / "config.json").read_text()), pairs_of(tmp_path / "out.gguf")
    for key, value in {"context_length": config["max_position_embeddings"], "attention.head_count": config["num_attention_heads"],
                       "attention.causal": False, "rope.freq_base": 500.0, "pooling_type": 1}.items():
        assert keys[f"nomic-bert.{key}"] == value, key
    texts = ["--text", "the cat sat on the mat.", "--text", "a dog"]
    assert run("embed", tmp_path / "out.gguf", *texts).stdout == run("embed", folder, *texts).stdout


def test_codes_of_nomic_are_taken_over(tmp_path):
    folder = make_family(tmp_path / "model", "nomic_bert")
    run("quantize", folder, "-o", tmp_path / "t.parquet", "--type", "int8", "--for", "gguf")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "out.gguf", "--to", "gguf")
    kinds = {name: kind.name for name, (kind, _, _) in tensors_of(tmp_path / "out.gguf").items()}
    assert kinds["blk.0.ffn_gate.weight"] == kinds["blk.1.attn_q.weight"] == "Q8_0" and kinds["token_types.weight"] == "F32"


def write_joined(path, to, change=lambda tensors: tensors):
    """The same file with query, key and value as one tensor, as llama.cpp's conversion writes it."""
    reader = gguf.GGUFReader(path)
    writer = gguf.GGUFWriter(to, "nomic-bert")
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        elements = field.types[1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], elements)
    tensors = {t.name: (t.data, t.tensor_type) for t in reader.tensors}
    for layer in {name.split(".")[1] for name in tensors if name.startswith("blk.")}:
        parts = [tensors.pop(f"blk.{layer}.attn_{part}.weight") for part in "qkv"]
        tensors[f"blk.{layer}.attn_qkv.weight"] = (np.concatenate([data for data, _ in parts]), parts[0][1])
    for name, (data, kind) in change(tensors).items():
        writer.add_tensor(name, data, raw_dtype=kind)
    made.finish(writer)


@pytest.mark.parametrize("options", [[], ["--type", "int8", "--for", "gguf"]], ids=["values", "Q8_0"])
def test_joined_query_key_and_value_of_nomic_are_three_tensors(tmp_path, options):
    folder = source = make_family(tmp_path / "model", "nomic_bert")
    if options:
        source = tmp_path / "t.parquet"
        run("quantize", folder, "-o", source, *options)
    run("export", source, "-o", tmp_path / "apart.gguf", "--to", "gguf")
    write_joined(tmp_path / "apart.gguf", tmp_path / "joined.gguf")
    assert "blk.1.attn_qkv.weight" in tensors_of(tmp_path / "joined.gguf")
    texts = ["--text", "the cat sat on the mat.", "--text", "a dog"]
    assert run("embed", tmp_path / "joined.gguf", *texts).stdout == run("embed", source, *texts).stdout
    for name in ("apart", "joined"):
        run("export", tmp_path / f"{name}.gguf", "-o", tmp_path / f"{name}.safetensors", "--names", "hf")
        run("convert", tmp_path / f"{name}.gguf", "-o", tmp_path / f"{name}.parquet", "--names", "hf", "--keep-codes")
    assert read_safetensors(tmp_path / "joined.safetensors") == read_safetensors(tmp_path / "apart.safetensors")
    tables = {name: json.loads(run("info", tmp_path / f"{name}.parquet", "--json").stdout)["tensors"] for name in ("apart", "joined")}
    kinds = {name: {(t["name"], t["stored_as"], t["data_bytes"], *t["shape"]) for t in table} for name, table in tables.items()}
    assert kinds["joined"] == kinds["apart"]
    names = {t["name"] for t in json.loads(run("info", tmp_path / "joined.gguf", "--json").stdout)["tensors"]}
    assert "blk.0.attn_qkv.weight" in names


def test_joined_matrix_of_other_rows_is_refused_by_name(tmp_path):
    folder = make_family(tmp_path / "model", "nomic_bert")
    run("export", folder, "-o", tmp_path / "apart.gguf", "--to", "gguf")

    def cut(tensors):
        data, kind = tensors["blk.1.attn_qkv.weight"]
        return {**tensors, "blk.1.attn_qkv.weight": (np.ascontiguousarray(data[:-32]), kind)}

    write_joined(tmp_path / "apart.gguf", tmp_path / "joined.gguf", cut)
    told = run("convert", tmp_path / "joined.gguf", "-o", tmp_path / "t.parquet", "--names", "hf", expect=3).stderr
    assert "blk.1.attn_qkv.weight" in told and "three rows for each column" in told


@pytest.mark.parametrize("name", ["attn_qkv", "attn_output", "ffn_up"])
def test_bias_that_nomic_has_not_is_refused_by_name(tmp_path, name):
    folder = make_family(tmp_path / "model", "nomic_bert")
    run("export", folder, "-o", tmp_path / "apart.gguf", "--to", "gguf")
    biased = {f"blk.1.{name}.bias": (np.zeros(96, "<f4"), gguf.GGMLQuantizationType.F32)}
    write_joined(tmp_path / "apart.gguf", tmp_path / "joined.gguf", lambda tensors: {**tensors, **biased})
    assert f"blk.1.{name}.bias" in run("embed", tmp_path / "joined.gguf", "--text", "a", expect=3).stderr


@pytest.mark.parametrize("config, says", [
    ({"hidden_act": "gelu"}, "'hidden_act'"), ({"head_dim": 8}, "'head_dim'"),
    ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "'rope_parameters'"),
    ({"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "'rope_scaling'")], ids=str)
def test_nomic_that_would_be_another_in_llama_cpp_is_refused_by_name(tmp_path, config, says):
    folder = make_family(tmp_path / "model", "nomic_bert")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    assert says in run("export", folder, "-o", tmp_path / "out.gguf", "--to", "gguf", expect=3).stderr
