"""Quantizing to a size, to bits a weight or to a similarity: a small encoder made here, and one that is not run."""
import json

import struct

import page_sizes
import pytest
from cli_helpers import done, floats, refused, safetensors
from tiny_bert import encoder_tensors, make_encoder

WORDS = ["alpha", "beta", "gamma", "delta", "one", "two", "three", "red", "green", "blue", "cat", "dog", "tree"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A model in encoder/, texts to calibrate with, and their statistics."""
    folder = tmp_path_factory.mktemp("targets")
    make_encoder(folder / "encoder", hidden=64, inner=128)
    lines = [" ".join(WORDS[(i * k + k) % len(WORDS)] for k in range(1, 3 + i % 9)) for i in range(300)]
    (folder / "calib.txt").write_text("\n".join(lines) + "\n")
    done("quantize", "encoder", "-o", "begun.parquet", "--target-bpw", 4, "--calib", "calib.txt", "--save-stats",
         "stats", cwd=folder)
    return folder


def report(*args, cwd):
    return json.loads(done("quantize", "encoder", *args, "--json", cwd=cwd).stdout)


def known(folder, name, *args):
    return report("-o", name, "--calib", "calib.txt", "--stats", "stats", "--force", *args, cwd=folder)


def bits_per_weight(made, path):
    """Measured in the file; the report says the same."""
    bits = page_sizes.bits_per_weight(path)
    assert abs(made["totals"]["bits_per_weight"] - bits) < 1e-9
    return bits


@pytest.mark.parametrize("bits", [3.5, 5])
def test_bits_a_weight_are_kept_and_used(shared, bits):
    made = known(shared, "bits.parquet", "--target-bpw", bits)
    assert 0.97 * bits <= bits_per_weight(made, shared / "bits.parquet") <= bits
    assert made["search"]["model_was_run"] and made["search"]["similarity"] > 0.8
    assert made["search"]["target"] == f"target {bits:g} bits"


@pytest.mark.parametrize("calib", ["none", "calib.txt"])
@pytest.mark.parametrize("codec", ["brotli", "none", "zstd", "lz4"])
def test_bits_a_weight_are_kept_in_every_codec(shared, codec, calib):
    stats = ["--stats", "stats"] if calib != "none" else []
    bits = 5.5 if codec == "none" else 4  # codes of few bits do not shrink by being alike
    made = report("-o", "codec.parquet", "--force", "--target-bpw", bits, "--codec", codec, "--calib", calib, *stats,
                  cwd=shared)
    assert 0.9 * bits <= bits_per_weight(made, shared / "codec.parquet") <= bits
    done("verify", "codec.parquet", "--deep", cwd=shared)


@pytest.mark.parametrize("codec", ["brotli", "none"])
def test_a_size_is_kept_in_every_codec(shared, codec):
    made = known(shared, "size.parquet", "--target-size", "75kB", "--codec", codec)
    assert 0.85 * 75_000 <= (shared / "size.parquet").stat().st_size == made["output"]["file_bytes"] <= 75_000


def test_a_size_is_kept_and_used(shared):
    made = known(shared, "size.parquet", "--target-size", "60kB")
    assert 0.85 * 60_000 <= (shared / "size.parquet").stat().st_size <= 60_000  # of a file this small, much is footer
    assert made["output"]["file_bytes"] == (shared / "size.parquet").stat().st_size


def test_a_similarity_is_reached_at_fewer_bits_than_a_higher_one(shared):
    low, high = (known(shared, f"{s}.parquet", "--min-similarity", s) for s in (0.998, 0.9995))
    for made, asked in ((low, 0.998), (high, 0.9995)):
        assert made["search"]["similarity"] >= asked and made["search"]["similarity_on_other_texts"] >= asked
    assert bits_per_weight(low, shared / "0.998.parquet") < bits_per_weight(high, shared / "0.9995.parquet")
    judged = json.loads(done("compare", "encoder", "0.9995.parquet", "--outputs", "--json", cwd=shared).stdout)
    assert judged["outputs"]["mean_cosine"] > 0.98  # texts that nothing was decided by


def test_threads_and_instruction_sets_change_no_byte(shared):
    made = []
    for threads, env in ((1, {}), (3, {})):
        done("quantize", "encoder", "-o", "same.parquet", "--force", "--target-bpw", 4, "--calib", "calib.txt", "-t",
             threads, cwd=shared, env=env)
        made.append((shared / "same.parquet").read_bytes())
    assert made[0] == made[1]


def test_a_plan_gives_the_same_bytes_everywhere(shared):
    known(shared, "planned.parquet", "--target-bpw", 3, "--save-plan", "plan.json")
    made = []
    for threads, cpu in ((1, "ref"), (3, None)):
        done("quantize", "encoder", "-o", "replayed.parquet", "--force", "--plan", "plan.json", "-t", threads, cwd=shared,
             env={"AQ_CPU": cpu} if cpu else {})
        made.append((shared / "replayed.parquet").read_bytes())
    assert made[0] == made[1]
    plan = json.loads((shared / "plan.json").read_text())
    planned = [t for t in plan["tensors"] if t.get("method") == "rd"]
    assert planned and all(t["scales"] and t["bits"] > 0 and "target 3 bits" in t["rule"] for t in planned)
    compared = json.loads(done("compare", "encoder", "replayed.parquet", "--json", cwd=shared).stdout)
    assert compared["mean_cosine"] > 0.7  # the weights that matter least are coarse


def test_a_damaged_plan_is_refused(shared):
    known(shared, "planned.parquet", "--target-bpw", 3, "--save-plan", "bad.json", "--dry-run")
    plan = json.loads((shared / "bad.json").read_text())
    entry = next(t for t in plan["tensors"] if t.get("method") == "rd")
    for scales in (entry["scales"][:-1], "0000" + entry["scales"][4:], "zz" + entry["scales"][2:], 7):
        entry["scales"] = scales
        (shared / "bad.json").write_text(json.dumps(plan))
        refused("quantize", "encoder", "-o", "x.parquet", "--plan", "bad.json", cwd=shared, status=3,
                says=[entry["name"], "scale"])


def test_adjusted_tensors_are_named(shared):
    known(shared, "adjusted.parquet", "--target-bpw", 3)
    info = json.loads(done("info", "adjusted.parquet", "--json", cwd=shared).stdout)
    names = json.loads(next(m["value"] for m in info["metadata"] if m["key"] == "arrowquant.adjusted"))
    assert names and all("LayerNorm.bias" in name for name in names)
    done("verify", "adjusted.parquet", "--deep", cwd=shared)
    against = json.loads(done("verify", "adjusted.parquet", "--against", "encoder", "--json", cwd=shared).stdout)["against"]
    assert against["adjusted"] == len(names) and against["converted"] == 0
    assert against["quantized"] + against["kept"] + against["adjusted"] == against["tensors"] == len(info["tensors"])


def test_a_table_of_another_model_is_told(shared, tmp_path):
    known(shared, "adjusted.parquet", "--target-bpw", 3)
    tensors = encoder_tensors(hidden=64, inner=128)
    name = "encoder.layer.1.output.dense.bias"
    dtype, shape, values = tensors[name]
    cases = {
        "value": {name: (dtype, shape, values[:-4] + struct.pack("<f", 77))},
        "shape": {name: (dtype, [1, *shape], values)},
        "more": {"another.weight": ("F32", [2], bytes(8))},
    }
    for case, changed in cases.items():
        (tmp_path / f"{case}.safetensors").write_bytes(safetensors({**tensors, **changed}))
    del tensors[name]
    (tmp_path / "fewer.safetensors").write_bytes(safetensors(tensors))
    words = {"value": "value 63 is not the model's", "shape": "has another shape in the model",
             "more": "is in the model and not in the table", "fewer": "is in the table and not in the model"}
    for case, said in words.items():
        result = done("verify", shared / "adjusted.parquet", "--against", f"{case}.safetensors", cwd=tmp_path, status=3)
        assert said in result.stderr and said in result.stdout and "NOT OK: 1 problem\n" in result.stdout


def test_tuning_is_bounded_and_never_worse(shared):
    plain = known(shared, "plain.parquet", "--target-bpw", 3)
    tuned = known(shared, "tuned.parquet", "--target-bpw", 3, "--tune=2")
    assert bits_per_weight(tuned, shared / "tuned.parquet") <= 3
    assert tuned["search"]["tuning"]["steps"] > 0
    assert tuned["search"]["similarity"] >= plain["search"]["similarity"] - 0.02  # a little less room was used
    assert tuned["search"]["tuning"]["loss_after"] <= tuned["search"]["tuning"]["loss_before"]


def test_tuning_goes_on_from_a_table(shared):
    known(shared, "begun.parquet", "--target-bpw", 3)
    first = json.loads(done("compare", "encoder", "begun.parquet", "--json", cwd=shared).stdout)
    more = known(shared, "more.parquet", "--tune-from", "begun.parquet", "--tune=1")
    assert more["search"]["target"] == "as in the table it was tuned from" and more["search"]["tuning"]["steps"] > 0
    second = json.loads(done("compare", "begun.parquet", "more.parquet", "--json", cwd=shared).stdout)
    changed = [t["name"] for t in second["tensors"] if t["max_abs_error"] > 0]
    assert bool(changed) == more["search"]["tuning"]["accepted"]
    # Where nothing was accepted the table is the same; where something was, it is near.
    far, near = (min(t["cosine"] for t in both["tensors"]) for both in (first, second))
    assert near > far
    done("verify", "more.parquet", "--deep", "--against", "encoder", cwd=shared)
    within = known(shared, "within.parquet", "--tune-from", "begun.parquet", "--tune=1", "--target-bpw", 3)
    assert bits_per_weight(within, shared / "within.parquet") <= 3


def test_tables_that_tuning_cannot_go_on_from_are_refused(shared, tmp_path):
    line = ["quantize", "encoder", "-o", "no.parquet", "--calib", "calib.txt", "--stats", "stats"]
    known(shared, "begun.parquet", "--target-bpw", 3)
    done("quantize", "encoder", "-o", "zeros.parquet", "--type", "int4", "--force", cwd=shared)
    make_encoder(tmp_path / "other", hidden=32, inner=64)
    done("quantize", "other", "-o", shared / "other.parquet", "--type", "int8", "--force", cwd=tmp_path)
    tune = ["--tune-from", "begun.parquet", "--tune=1"]
    refused(*line, "--tune-from", "begun.parquet", cwd=shared, status=2, says="a table to go on with is of use with tuning only")
    refused(*line, *tune, "--target-bpw", 2, cwd=shared, status=2, says="larger than the target")
    refused(*line, *tune, "--min-similarity", 0.9, cwd=shared, status=2, says="nothing to search")
    refused(*line, "--tune-from", "zeros.parquet", "--tune=1", cwd=shared, status=2, says="has zero points")
    refused(*line, "--tune-from", "other.parquet", "--tune=1", cwd=shared, status=2, says="no table of this model")
    refused(*line, "--tune-from", "missing.parquet", "--tune=1", cwd=shared, status=3, says="does not exist")


def test_rules_stand_beside_a_target(shared):
    made = known(shared, "rules.parquet", "--target-bpw", 5, "--tensor", "*.query.weight=int8", "--keep", "*.key.weight")
    types = {t["name"]: t["type"] for t in made["tensors"]}
    assert types["encoder.layer.0.attention.self.query.weight"] == "int8 per channel sym minmax"
    assert types["encoder.layer.1.attention.self.key.weight"] == "kept"
    assert bits_per_weight(made, shared / "rules.parquet") <= 5


def test_a_dry_run_explains_and_writes_nothing(shared):
    before = sorted(p.name for p in shared.iterdir())
    text = done("quantize", "encoder", "--dry-run", "--target-bpw", 3, "--calib", "calib.txt", "--stats", "stats",
                cwd=shared).stdout
    assert "target 3 bits; calibrated" in text and "loss" in text.splitlines()[0]
    assert sorted(p.name for p in shared.iterdir()) == before


def test_a_model_that_is_not_run_is_planned_by_its_tensors(shared):
    made = report("-o", "unrun.parquet", "--target-bpw", 4, "--calib", "none", cwd=shared)
    assert 0.95 * 4 <= bits_per_weight(made, shared / "unrun.parquet") <= 4  # small tensors have few plans
    assert not made["search"]["model_was_run"]
    refused("quantize", "encoder", "-o", "x.parquet", "--min-similarity", 0.9, "--calib", "none", cwd=shared, status=2,
            says=["not run", "--target-size"])


def test_gptq_beats_rounding_to_nearest(shared):
    figures = {}
    for method in ("mse", "gptq"):
        done("quantize", "encoder", "-o", "g.parquet", "--force", "--type", "int3", "--method", method,
             *(["--calib", "calib.txt", "--stats", "stats"] if method == "gptq" else []), cwd=shared)
        figures[method] = json.loads(done("compare", "encoder", "g.parquet", "--texts", "calib.txt", "--json",
                                          cwd=shared).stdout)["outputs"]["mean_cosine"]
    assert figures["gptq"] > figures["mse"]


def test_what_cannot_be_met_or_meant_is_refused(shared):
    stats = ["--calib", "calib.txt", "--stats", "stats"]
    line = ["quantize", "encoder", "-o", "x.parquet"]
    refused(*line, "--target-bpw", 0.2, *stats, cwd=shared, status=2, says=["0.2 bits", "--target-bpw"])
    refused(*line, "--target-size", "10kB", *stats, cwd=shared, status=2, says=["10000 bytes", "--target-size"])
    refused(*line, "--type", "int4", *stats, cwd=shared, status=2, says="texts to calibrate with")
    refused(*line, "--type", "int4", "--tune", cwd=shared, status=2, says="tuning")
    refused(*line, "--type", "auto", cwd=shared, status=2, says="target")
    refused(*line, "--type", "int4", "--target-bpw", 3, cwd=shared, status=2, says="int4")
    refused(*line, "--target-bpw", 3, "--calib", "absent.txt", cwd=shared, status=3, says="absent.txt")
    refused(*line, "--type", "int4", "--method", "gptq", "--calib", "none", cwd=shared, status=2, says="--calib")
    (shared / "few.txt").write_text("one\ntwo\n")
    refused(*line, "--target-bpw", 3, "--calib", "few.txt", cwd=shared, status=2, says=["few.txt", "2 texts"])


def changed(folder, name, change, hidden=64, **config):
    """The model with its tensors changed by a function of name, shape and values; None leaves one as it is."""
    make_encoder(folder / name, hidden=hidden, inner=128)
    tensors = encoder_tensors(hidden, 128)
    tensors = {key: ("F32", shape, change(key, shape, data) or data) for key, (_, shape, data) in tensors.items()}
    (folder / name / "model.safetensors").write_bytes(safetensors(tensors))
    settings = folder / name / "config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | config))
    return tensors


def test_a_plan_of_tied_tensors_can_be_replayed(tmp_path):
    tensors = changed(tmp_path, "encoder", lambda *_: None)
    tensors["tied.decoder.weight"] = tensors["embeddings.word_embeddings.weight"]
    (tmp_path / "encoder" / "model.safetensors").write_bytes(safetensors(tensors))
    done("quantize", "encoder", "-o", "a.parquet", "--target-bpw", 4, "--calib", "none", "--save-plan", "plan", cwd=tmp_path)
    done("quantize", "encoder", "-o", "b.parquet", "--plan", "plan", cwd=tmp_path)
    plan = json.loads((tmp_path / "plan").read_text())
    entries = {t["name"]: t for t in plan["tensors"]}
    entries["tied.decoder.weight"]["scales"] = entries["embeddings.word_embeddings.weight"]["scales"]
    (tmp_path / "plan").write_text(json.dumps(plan))
    done("quantize", "encoder", "-o", "c.parquet", "--plan", "plan", cwd=tmp_path)
    assert (tmp_path / "b.parquet").read_bytes() == (tmp_path / "c.parquet").read_bytes()


def test_vectors_that_began_alike_are_adjusted_apart(shared, tmp_path):
    def untrained(name, shape, _):
        if len(shape) == 1:
            return struct.pack(f"<{shape[0]}f", *[float(name.endswith("LayerNorm.weight"))] * shape[0])

    changed(tmp_path, "encoder", untrained, hidden=256)
    made = report("-o", "q.parquet", "--target-bpw", 4, "--calib", shared / "calib.txt", "-t1", cwd=tmp_path)
    adjusted = [t["name"] for t in made["tensors"] if t["action"] == "adjusted"]
    assert len(adjusted) == 5 and all("LayerNorm.bias" in name for name in adjusted)
    compared = json.loads(done("compare", "encoder", "q.parquet", "--json", cwd=tmp_path).stdout)
    changes = [t["max_abs_error"] for t in compared["tensors"] if t["name"] in adjusted]
    assert len(set(changes)) == len(changes)


def test_what_rules_keep_is_not_adjusted(shared):
    made = known(shared, "kept.parquet", "--target-bpw", 3.5, "--keep", "*output.LayerNorm.bias")
    actions = {t["name"]: t["action"] for t in made["tensors"]}
    assert actions["encoder.layer.0.output.LayerNorm.bias"] == "kept"
    assert actions["embeddings.LayerNorm.bias"] == "adjusted"


def test_vectors_of_the_encoder_are_not_planned(shared):
    made = known(shared, "vectors.parquet", "--target-bpw", 4, "--quantize-1d")
    actions = {t["name"]: t["action"] for t in made["tensors"]}
    assert actions["encoder.layer.0.output.LayerNorm.weight"] == "kept"
    assert actions["encoder.layer.0.output.LayerNorm.bias"] == "adjusted"


@pytest.mark.parametrize("calib", ["none", "calib.txt"])
def test_a_value_that_is_not_finite_is_named_or_its_tensor_kept(shared, tmp_path, calib):
    bad = "embeddings.word_embeddings.weight"
    changed(tmp_path, "encoder",
            lambda name, _, data: struct.pack("<f", float("nan")) + data[4:] if name == bad else None)
    line = ["-o", "q.parquet", "--target-bpw", 4, "--calib", calib if calib == "none" else shared / calib]
    refused("quantize", "encoder", *line, cwd=tmp_path, status=3, says=[bad, "[0, 0] is NaN", "--nonfinite keep"])
    made = report(*line, "--nonfinite", "keep", cwd=tmp_path)
    assert {t["name"]: t["action"] for t in made["tensors"]}[bad] == "kept"
    assert bits_per_weight(made, tmp_path / "q.parquet") <= 4


def test_attention_with_biases_by_distance_is_calibrated(tmp_path):
    """MPNet's names; embeddings of the table are those of the file that the report was made of."""
    parts = {"self.query": "attn.q", "self.key": "attn.k", "self.value": "attn.v", "output.dense": "attn.o",
             "output.LayerNorm": "LayerNorm"}
    tensors = changed(tmp_path, "encoder", lambda *_: None, model_type="mpnet", pad_token_id=1)
    del tensors["embeddings.token_type_embeddings.weight"]
    for old, new in parts.items():
        tensors = {key.replace(f"attention.{old}", f"attention.{new}"): value for key, value in tensors.items()}
    biases = "encoder.relative_attention_bias.weight"
    tensors[biases] = ("F32", (32, 2), floats(64, 7, 2))
    (tmp_path / "encoder" / "model.safetensors").write_bytes(safetensors(tensors))
    (tmp_path / "encoder" / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    for threads in (1, 3):
        made = report("-o", f"{threads}.parquet", "--target-bpw", 4, "-t", threads, cwd=tmp_path)
        assert made["search"]["model_was_run"] and made["search"]["similarity"] > 0.9
        entry = {t["name"]: t for t in made["tensors"]}[biases]
        assert entry["action"] == "kept"
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "3.parquet").read_bytes()


def test_places_are_checked_before_the_work(shared):
    """Texts that cannot be read stand for the work: an error of a place must come first."""
    line = ["quantize", "encoder", "--target-bpw", 3, "--calib", "absent.txt"]
    refused(*line, "-o", "begun.parquet", cwd=shared, status=2, says=["begun.parquet", "exists", "--force"])
    refused(*line, "-o", "x.parquet", "--save-stats", "stats", cwd=shared, status=2, says=["stats", "exists"])
    refused(*line, "-o", "none/x.parquet", cwd=shared, status=1, says=["none/x.parquet", "folder"])
    refused(*line, "-o", "x.parquet", "--save-stats", "none/s", cwd=shared, status=1, says=["none/s", "folder"])
    force = ["quantize", "encoder", "--target-bpw", 3, "--calib", "calib.txt", "--force"]
    for places in (["-o", "stats", "--stats", "stats"], ["-o", "calib.txt"], ["-o", "x.parquet", "--save-stats", "calib.txt"],
                   ["-o", "x.parquet", "--save-stats", "x.parquet"], ["-o", "x.parquet", "--save-stats", "p", "--save-plan", "p"]):
        refused(*force, *places, cwd=shared, status=2, says="cannot have one name")


def test_a_target_may_be_for_some_tensors(shared):
    made = known(shared, "some.parquet", "--type", "int8", "--tensor", "*.query.weight=auto", "--target-bpw", 8.4)
    methods = {t["name"]: t["type"].split()[-1] for t in made["tensors"]}
    assert methods["encoder.layer.0.attention.self.query.weight"] == "rd"
    assert methods["encoder.layer.0.attention.self.key.weight"] == "minmax"
    refused("quantize", "encoder", "-o", "x.parquet", "--target-bpw", 3, "--tensor", "*=int8", "--calib", "absent.txt",
            cwd=shared, status=2, says="type auto, and there are none")


def test_what_needs_a_run_is_refused_without_one(shared):
    line = ["quantize", "encoder", "-o", "x.parquet", "--target-bpw", 3, "--calib", "none"]
    for options in (["--stats", "stats"], ["--save-stats", "new"], ["--tune=1"]):
        refused(*line, *options, cwd=shared, status=2, says="need the model to be run")
