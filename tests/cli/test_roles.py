"""What a data-free target takes a table of tokens for, by the configuration beside the weights."""
import json
import struct

import pytest
from cli_helpers import done, floats, refused, safetensors

ROWS, WIDTH = 2048, 16
TOKENS, HEAD = "model.embed_tokens.weight", "lm_head.weight"
DECODER = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": WIDTH, "num_attention_heads": 2}
ENCODER = {"model_type": "bert", "hidden_size": WIDTH, "num_attention_heads": 2}
PART = {"model_type": "t5", "architectures": ["T5EncoderModel"]}
WHOLE = {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}  # the table is its output layer as well


def write_model(folder, config, head=None, **files):
    """A table of tokens whose first rows are the longest, a matrix, and a head: None, "tied" or "own"."""
    folder.mkdir()
    row = [floats(ROWS * WIDTH, seed, 0.1) for seed in (1, 2)]
    falling = [[v * (2 - i / WIDTH / ROWS) for i, v in enumerate(values)] for values in unpack(row)]
    tensors = {TOKENS: ("F32", [ROWS, WIDTH], pack(falling[0])), "layers.0.mlp.weight": ("F32", [64, 64], floats(4096))}
    if head is not None:
        tensors[HEAD] = ("F32", [ROWS, WIDTH], pack(falling[0 if head == "tied" else 1]))
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    if config is not None:
        (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name, text in files.items():
        (folder / name.replace("_json", ".json").replace("_txt", ".txt")).write_text(text)


def unpack(buffers):
    return [struct.unpack(f"<{len(b) // 4}f", b) for b in buffers]


def pack(values):
    return struct.pack(f"<{len(values)}f", *values)


def rule_of(tmp_path, config, head=None, **files):
    write_model(tmp_path / "m", config, head, **files)
    report = done("quantize", "m", "--target-bpw", 5, "--calib", "none", "--dry-run", "--json", cwd=tmp_path)
    tensors = {t["name"]: t for t in json.loads(report.stdout)["tensors"]}
    assert "expected_loss" not in tensors[TOKENS]  # nothing was measured that could be lost
    return tensors[TOKENS]["rule"]


@pytest.mark.parametrize("config, head", [
    (DECODER, None),  # the configuration does not say, and the file has no head of its own
    ({**DECODER, "tie_word_embeddings": True}, None),
    ({**DECODER, "tie_word_embeddings": True}, "tied"),
    ({**DECODER, "tie_word_embeddings": True}, "own"),  # transformers uses the table, whatever the file has
    (None, None),
    ({"model_type": "something_new"}, None),
    ('{"model_type": "llama", "x": NaN, "y": 1000000000000000019884624838656}', None),  # as Python's json writes numbers
    (WHOLE, None),
    ({"model_type": "t5"}, None),
    (ENCODER, "tied"),  # with the layer that guesses masked tokens
])
def test_a_table_that_may_be_the_output_layer_counts_as_one(tmp_path, config, head):
    assert "output layer" in rule_of(tmp_path, config, head)


@pytest.mark.parametrize("config, head", [(DECODER, "own"), ({**DECODER, "tie_word_embeddings": False}, "own"),
                                          (None, "own"), (ENCODER, None), (PART, None)])
def test_a_table_that_is_only_looked_up(tmp_path, config, head):
    assert rule_of(tmp_path, config, head).endswith("lookup table: an input reads one row")


@pytest.mark.parametrize("files, ranked", [
    ({"vocab_txt": "a\nb\n"}, True),
    ({"tokenizer_json": '{"model": {"type": "WordPiece"}}'}, True),
    ({"tokenizer_json": '{"model": {"type": "Unigram"}}'}, False),
    ({}, False),
])
def test_row_order_counts_for_word_pieces_alone(tmp_path, files, ranked):
    assert ("first rows most often" in rule_of(tmp_path, ENCODER, **files)) == ranked


def test_row_order_does_not_count_for_a_decoder(tmp_path):
    assert "first rows" not in rule_of(tmp_path, DECODER, "own", vocab_txt="a\nb\n")


@pytest.mark.parametrize("config", ["{", "[]", '{"model_type": "bert", "model_type": 1'])
def test_a_damaged_configuration_is_an_error(tmp_path, config):
    write_model(tmp_path / "m", config)
    for calib in ([], ["--calib", "none"]):
        refused("quantize", "m", "-o", "x.parquet", "--target-bpw", 5, *calib, cwd=tmp_path, status=3, says="config.json")


def test_a_plan_without_texts_says_that_outputs_were_not_measured(tmp_path):
    write_model(tmp_path / "m", DECODER)
    for more in (["-o", "x.parquet"], ["--dry-run"]):
        told = done("quantize", "m", "--target-bpw", 5, *more, cwd=tmp_path)
        assert "outputs were not measured" in told.stdout + told.stderr
