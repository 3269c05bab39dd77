"""export --to gguf of models whose tokenizer.json is SentencePiece BPE: Gemma 3, and Llama's older models."""
import json

import gguf_models as made
import numpy as np
import pytest
from conftest import read_safetensors, run, write_safetensors
from test_gguf_export_models import IMPLIED, pairs_of, tensors_of

TEXTS = ["another thing and there, in here", "opqr opqr", "</s>the<s> the", "    the", "\t\x01\u4e2d\U0001f600", "<pad> the"]


def gemma_pieces():
    """Tokens in the order of their merges, as Gemma has them, and tokens of the user, of spaces among them."""
    words = ["\n", "\n\n", "  ", "    ", "th", "▁th", "he", "▁the", "▁a", "an", "▁", *"the an".replace(" ", ""), "[x]"]
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *dict.fromkeys(words)]
    types = [3] * 4 + [6] * 256 + [4] * 4 + [1] * (len(tokens) - 265) + [4]
    scores = [-1000.0] * 4 + [0.0] * 256 + [-1000.0] * 4 + [-float(i) for i in range(len(tokens) - 265)] + [-1000.0]
    return {"model": "llama", "pre": "default", "tokens": tokens, "scores": scores, "types": types, "bos": 2, "eos": 1, "unknown": 3,
            "padding": 0, "add_bos_token": True, "add_eos_token": False, "add_space_prefix": False}


def folder_of(path, arch, tokenizer, tensors=None, tied=True, **keys):
    """A GGUF file at `path` and the folder of the model that it is."""
    tensors = tensors or made.decoder_tensors(arch, len(tokenizer["tokens"]), tied=tied)
    made.write_decoder(path, arch, tensors, tokenizer, **keys)
    run("export", path, "-o", path.parent / "folder", "--names", "hf")
    return path.parent / "folder"


def change(folder, name, with_new):
    path = folder / name
    path.write_text(json.dumps(with_new(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")


def change_config(folder, **keys):
    change(folder, "config.json", lambda config: config | keys)


def write_gguf(folder, expect=0, name="out.gguf"):
    out = folder.parent / name
    return run("export", folder, "-o", out, "--to", "gguf", expect=expect), out


def tokenizer_of(path, folder):
    run("export", path, "-o", folder, "--names", "hf")
    return json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))


def says_no(folder, words):
    done, out = write_gguf(folder, expect=3)
    assert words in done.stderr and not out.exists(), done.stderr


@pytest.mark.parametrize("arch, tied", [("gemma3", True), ("gemma3", False), ("llama", True)])
def test_file_is_the_one_that_the_folder_was_made_of(tmp_path, arch, tied):
    tokenizer = gemma_pieces() if arch == "gemma3" else made.pieces() | {"add_space_prefix": True}
    folder = folder_of(tmp_path / "m.gguf", arch, tokenizer, tied=tied)
    _, out = write_gguf(folder)
    assert tensors_of(out) == tensors_of(tmp_path / "m.gguf")
    before, after = pairs_of(tmp_path / "m.gguf"), pairs_of(out)
    added = {f"{arch}.{key}" for key in IMPLIED} | {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token"}
    assert set(before) <= set(after) and set(after) - set(before) <= added
    if arch == "gemma3":  # our folder does not list tokens of spaces among the added ones
        for key, of_spaces in (("tokens", lambda text: "▁" * len(text)), ("token_type", lambda _: 1)):
            values = before[f"tokenizer.ggml.{key}"]
            for i, text in enumerate(tokenizer["tokens"]):
                values[i] = of_spaces(text) if text.strip(" ") == "" else values[i]
    for key in set(before) - {"tokenizer.ggml.scores"}:
        assert after[key] == before[key], key
    # Scores are others in the same order, so that the merges are the same.
    assert tokenizer_of(out, tmp_path / "again") == tokenizer_of(tmp_path / "m.gguf", tmp_path / "first")
    texts = [arg for text in TEXTS for arg in ("--text", text)]
    assert run("tokenize", out, *texts).stdout == run("tokenize", tmp_path / "m.gguf", *texts).stdout


def joined_by_scores(path, text):
    """What llama.cpp does with a text without special tokens: the neighbours of the best joint token first, leftmost first."""
    keys = pairs_of(path)
    tokens = keys["tokenizer.ggml.tokens"]
    best = {t: (s, i) for i, (t, s) in enumerate(zip(tokens, keys["tokenizer.ggml.scores"], strict=True))}
    parts = list(" " * keys["tokenizer.ggml.add_space_prefix"] + text)
    parts = ["▁" if part == " " else part for part in parts]
    while joins := [(best[a + b][0], -i) for i, (a, b) in enumerate(zip(parts, parts[1:], strict=False)) if a + b in best]:
        at = -max(joins)[1]
        parts[at:at + 2] = ["".join(parts[at:at + 2])]
    byte = {t: i for i, t in enumerate(tokens)}
    return [i for part in parts for i in ([best[part][1]] if part in best else [byte[f"<0x{b:02X}>"] for b in part.encode()])]


@pytest.mark.parametrize("arch", ["gemma3", "llama"])
def test_scores_join_a_text_as_merges_do(tmp_path, arch):
    folder = folder_of(tmp_path / "m.gguf", arch, gemma_pieces() if arch == "gemma3" else made.pieces() | {"add_space_prefix": True})
    _, out = write_gguf(folder)
    for text in ("another thing and there, in here", "thethe  the   an", "here the thing\u00e9\t and"):
        ids = json.loads(run("tokenize", folder, "--text", text).stdout)
        assert ids[1:] == joined_by_scores(out, text), text


def test_gains_have_one_added_and_are_fp32(tmp_path):
    tokenizer = gemma_pieces()
    tensors = made.decoder_tensors("gemma3", len(tokenizer["tokens"]))
    folder = folder_of(tmp_path / "m.gguf", "gemma3", tokenizer, tensors)
    gains = np.linspace(-3, 40, made.HIDDEN).astype("<f2")
    found = {name: (dtype, np.frombuffer(data, "<f4").reshape(shape))
             for name, (dtype, shape, data) in read_safetensors(folder / "model.safetensors").items()}
    write_safetensors(folder / "model.safetensors", found | {"model.norm.weight": ("F16", gains)})
    _, out = write_gguf(folder)
    kind, _, data = tensors_of(out)["output_norm.weight"]
    assert kind.name == "F32" and data == (gains.astype("<f4") + np.float32(1)).tobytes()


def test_codes_of_gemma_are_taken_over(tmp_path):
    folder = folder_of(tmp_path / "m.gguf", "gemma3", gemma_pieces())
    run("quantize", folder, "-o", tmp_path / "t.parquet", "--type", "int8", "--for", "gguf", "--keep", "*down_proj*")
    run("export", tmp_path / "t.parquet", "-o", tmp_path / "codes.gguf", "--to", "gguf")
    kinds = {name: kind.name for name, (kind, _, _) in tensors_of(tmp_path / "codes.gguf").items()}
    assert kinds["blk.0.attn_q.weight"] == kinds["token_embd.weight"] == "Q8_0" and kinds["blk.1.attn_norm.weight"] == "F32"


@pytest.mark.parametrize("config, keys", [
    ({"final_logit_softcapping": 30.0}, {"final_logit_softcapping": 30.0}),
    ({"rope_local_base_freq": 5000.0}, {"rope.freq_base_swa": 5000.0}),
    ({"rope_scaling": {"rope_type": "linear", "factor": 8.0}}, {"rope.scaling.type": "linear", "rope.scaling.factor": 8.0}),
    ({"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 3e5},
                          "sliding_attention": {"rope_type": "default", "rope_theta": 7e3}}},
     {"rope.scaling.type": "linear", "rope.scaling.factor": 2.0, "rope.freq_base": 3e5, "rope.freq_base_swa": 7e3}),
    ({"layer_types": ["sliding_attention"] * 2, "sliding_window_pattern": 2}, {"attention.sliding_window": 8}),
], ids=str)
def test_settings_of_gemma_become_keys(tmp_path, config, keys):
    folder = folder_of(tmp_path / "m.gguf", "gemma3", gemma_pieces())
    change_config(folder, **config)
    _, out = write_gguf(folder)
    found = pairs_of(out)
    for key, value in keys.items():
        assert found[f"gemma3.{key}"] == value


@pytest.mark.parametrize("config, says", [
    ({"layer_types": ["sliding_attention", "full_attention"]}, "'layer_types'"), ({"layer_types": ["sliding_attention"]}, "'layer_types'"),
    ({"sliding_window_pattern": 2}, "'sliding_window_pattern'"), ({"query_pre_attn_scalar": 17}, "'query_pre_attn_scalar'"),
    ({"query_pre_attn_scalar": None}, "'query_pre_attn_scalar'"), ({"hidden_activation": "silu"}, "'hidden_activation'"),
    ({"attn_logit_softcapping": 50.0}, "'attn_logit_softcapping'"), ({"use_bidirectional_attention": True}, "'use_bidirectional_attention'"),
    ({"attention_bias": True}, "'attention_bias'"), ({"sliding_window": None}, "'sliding_window'"), ({"head_dim": None}, "'head_dim'"),
    ({"num_key_value_heads": None}, "'num_key_value_heads'"), ({"rope_parameters": {"rope_theta": 1e4}}, "'rope_parameters'"),
    ({"rope_parameters": {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_type": "linear", "factor": 2.0}}}, "'rope_parameters'"),
    ({"rope_scaling": {"rope_type": "linear", "factor": 0}}, "'rope_scaling'"), ({"rope_local_base_freq": "x"}, "'rope_local_base_freq'"),
    ({"rope_theta": 0}, "'rope_theta'"), ({"rope_theta": 1e300}, "'rope_theta'"), ({"rms_norm_eps": -1}, "'rms_norm_eps'"),
    ({"final_logit_softcapping": 1e300}, "'final_logit_softcapping'"),
    ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "'rope_scaling'")], ids=str)
def test_gemma_that_would_be_another_in_llama_cpp_is_refused_by_name(tmp_path, config, says):
    folder = folder_of(tmp_path / "m.gguf", "gemma3", gemma_pieces())
    change_config(folder, **config)
    says_no(folder, says)


def test_model_of_mistral_is_one_of_llama(tmp_path):
    folder = folder_of(tmp_path / "m.gguf", "llama", made.pieces())
    change_config(folder, model_type="mistral", sliding_window=None)
    _, out = write_gguf(folder)
    assert tensors_of(out) == tensors_of(tmp_path / "m.gguf")
    change_config(folder, sliding_window=16)
    out.unlink()
    says_no(folder, "'sliding_window'")


def test_linear_scaling_of_llama_is_a_key(tmp_path):
    folder = folder_of(tmp_path / "m.gguf", "llama", made.pieces(), rope__scaling__type="linear", rope__scaling__factor=4.0)
    _, out = write_gguf(folder)
    assert pairs_of(out)["llama.rope.scaling.type"] == "linear" and pairs_of(out)["llama.rope.scaling.factor"] == 4.0


# ---- tokenizers ------------------------------------------------------------------------------------------------------

REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
SPACED = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, REPLACE]}
SPLIT = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}


def metaspace(scheme, split=False):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


@pytest.mark.parametrize("normalizer, pre_tokenizer, has_space", [
    (REPLACE, None, False), (REPLACE, SPLIT, False), (SPACED, None, True), (None, metaspace("first"), True),
    (None, metaspace("always"), True), (None, metaspace("never"), False)], ids=range(6))
def test_space_before_a_text_is_as_the_stages_say(tmp_path, normalizer, pre_tokenizer, has_space):
    folder = folder_of(tmp_path / "m.gguf", "llama", made.pieces())
    change(folder, "tokenizer.json", lambda t: t | {"normalizer": normalizer, "pre_tokenizer": pre_tokenizer})
    _, out = write_gguf(folder)
    assert pairs_of(out)["tokenizer.ggml.add_space_prefix"] is has_space


def with_model(**keys):
    return lambda t: t | {"model": t["model"] | {k: v(t["model"][k]) for k, v in keys.items()}}


def first_alone(merges):
    """Merges of one token with those of another between them, and no order of theirs that equal scores give."""
    made_by = [a + b for a, b in merges]
    twice = next(i for i, token in enumerate(made_by) if made_by.count(token) > 1)
    return [*merges[:twice], *merges[twice + 1:], merges[twice]]


REFUSED = {
    "words are split": (lambda t: t | {"pre_tokenizer": metaspace("first", split=True)}, "nothing like the normalizer"),
    "small letters": (lambda t: t | {"normalizer": {"type": "Lowercase"}}, "nothing like the normalizer"),
    "a merge is missing": (with_model(merges=lambda merges: merges[:-1]), "merges that are not all ways"),
    "a merge is there twice": (with_model(merges=lambda merges: [*merges[:-1], merges[0]]), "merges that are not all ways"),
    "no merges": (with_model(merges=lambda _: []), "merges that are not all ways"),
    "another order": (with_model(merges=first_alone), "merges in an order"),
    "a merge of nothing": (with_model(merges=lambda merges: [["q", "q"], *merges]), "'qq', which is no token"),
    "a merge that is a number": (with_model(merges=lambda merges: [7, *merges]), "a merge is no pair of texts"),
    "a merge of one text": (with_model(merges=lambda merges: ["the", *merges]), "a merge is no pair of texts"),
    "a byte is missing": (with_model(vocab=lambda vocab: {k: v for k, v in vocab.items() if k != "<0x80>"}), "a token for each byte"),
    "an id beyond the table": (with_model(vocab=lambda vocab: vocab | {"the end": 10**6}), "'the end'"),
}


@pytest.mark.parametrize("changed, says", REFUSED.values(), ids=REFUSED)
def test_tokenizer_that_scores_do_not_say_is_refused(tmp_path, changed, says):
    folder = folder_of(tmp_path / "m.gguf", "llama", made.pieces())
    change(folder, "tokenizer.json", changed)
    says_no(folder, says)


def test_merges_may_be_texts(tmp_path):
    folder = folder_of(tmp_path / "m.gguf", "llama", made.pieces())
    _, out = write_gguf(folder)
    change(folder, "tokenizer.json", with_model(merges=lambda merges: [" ".join(merge) for merge in merges]))
    _, again = write_gguf(folder, name="again.gguf")
    assert again.read_bytes() == out.read_bytes()


def test_character_may_stand_for_its_byte(tmp_path):
    folder = folder_of(tmp_path / "m.gguf", "gemma3", gemma_pieces())
    change(folder, "tokenizer.json", with_model(vocab=lambda vocab: {"\t" if k == "<0x09>" else k: v for k, v in vocab.items()}))
    _, out = write_gguf(folder)
    assert pairs_of(out)["tokenizer.ggml.tokens"][4 + 9] == "\t" and pairs_of(out)["tokenizer.ggml.token_type"][4 + 9] == 1
    assert pairs_of(out)["tokenizer.ggml.token_type"][4 + 8] == 6


def test_added_token_without_a_row_is_left_out_with_a_note(tmp_path):
    folder = folder_of(tmp_path / "m.gguf", "gemma3", gemma_pieces())
    _, out = write_gguf(folder)
    change(folder, "tokenizer.json", lambda t: t | {"added_tokens": [*t["added_tokens"], {"id": 10**6, "content": "x", "special": True}]})
    done, again = write_gguf(folder, name="again.gguf")
    assert "1 added tokens of tokenizer.json have no row" in done.stdout + done.stderr
    assert again.read_bytes() == out.read_bytes()


def test_tokens_of_the_user_have_spaces_as_they_are(tmp_path):
    folder = folder_of(tmp_path / "m.gguf", "llama", made.pieces())
    id = made.pieces()["tokens"].index("▁▁▁▁")
    added = {"id": id, "content": "▁▁▁▁", "special": False, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False}
    change(folder, "tokenizer.json", lambda t: t | {"added_tokens": [*t["added_tokens"], added]})
    _, out = write_gguf(folder)
    keys = pairs_of(out)
    assert keys["tokenizer.ggml.tokens"][id] == "    " and keys["tokenizer.ggml.token_type"][id] == 4
    assert keys["tokenizer.ggml.scores"][id] == -1000 and keys["tokenizer.ggml.token_type"][0] == 2  # the token for unknown ones


def test_tokens_whose_merges_stand_among_each_other_have_one_score(tmp_path):
    tokenizer = made.pieces()
    words = ["op", "pq", "qr", "rs", "opq", "qrs"]
    tokens = [*tokenizer["tokens"][:259], "▁", *"opqrs", *words]
    scores = [0.0] * 259 + [-9.0] * 6 + [-1.0, -2.0, -3.0, -4.0, -5.0, -5.0]
    tokenizer |= {"tokens": tokens, "scores": scores, "types": tokenizer["types"][:len(tokens)]}
    folder = folder_of(tmp_path / "m.gguf", "llama", tokenizer)
    merges = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["merges"]
    assert [a + b for a, b in merges][4:] == ["opq", "qrs", "opq", "qrs"]
    found = dict(zip(tokens, pairs_of(write_gguf(folder)[1])["tokenizer.ggml.scores"], strict=True))
    assert [found[word] for word in words] == [0, -1, -2, -3, -4, -4] and found["o"] < -4
