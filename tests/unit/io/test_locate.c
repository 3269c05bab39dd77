/* test_locate.c - from paths and model names to files, and words for files that cannot be read. */
#include "check.h"
#include "temp_folder.h"

#include "io/listing.h"
#include "io/locate.h"
#include "io/part_file.h"
#include "io/table/table_parts.h"

static aq_error err;

static void resolves(const char *path, const char *end) {
  char *file = NULL;
  const aq_status status = aq_locate_file(path, &file, &err);
  if (status != AQ_OK) print_error("%s\n", err.message);
  assert_int_equal(status, AQ_OK);
  if (!aq_ends_with(file, end)) fail_msg("'%s' does not end with '%s'", file, end);
  aq_free(file);
}

static void fails(const char *path, aq_status status, const char *words, const char *hint) {
  char *file = (char *)&err;
  assert_int_equal(aq_locate_file(path, &file, &err), status);
  assert_null(file);
  if (strstr(err.message, words) == NULL) fail_msg("'%s' is not in '%s'", words, err.message);
  if (strstr(err.hint, hint) == NULL) fail_msg("'%s' is not in '%s'", hint, err.hint);
}

static void folder_canonical_name_is_taken(void **state) {
  (void)state;
  temp_mkdir("one");
  (void)temp_write_text("one/model.safetensors", "x");
  (void)temp_write_text("one/adapter.safetensors", "x");
  (void)temp_write_text("one/model.parquet", "x");
  (void)temp_write_text("one/pytorch_model.bin", "x");
  resolves(temp_path("one"), "/one/model.safetensors");
  resolves(temp_path("one/"), "/one/model.safetensors");
  resolves(temp_path("one/adapter.safetensors"), "/one/adapter.safetensors");
  (void)temp_write_text("one/model.safetensors.index.json", "{}");
  fails(temp_path("one"), AQ_ERR_ARGUMENT, "both model.safetensors.index.json and model.safetensors", "Name the one");
}

static void folder_index_is_taken_before_shards(void **state) {
  (void)state;
  temp_mkdir("idx");
  (void)temp_write_text("idx/unet-1.safetensors", "x");
  (void)temp_write_text("idx/unet-2.safetensors", "x");
  (void)temp_write_text("idx/unet.safetensors.index.json", "{}");
  resolves(temp_path("idx"), "/idx/unet.safetensors.index.json");
  (void)temp_write_text("idx/model.safetensors.index.json", "{}");
  resolves(temp_path("idx"), "/idx/model.safetensors.index.json");
}

static void folder_single_other_file_is_taken(void **state) {
  (void)state;
  temp_mkdir("st");
  (void)temp_write_text("st/weights.safetensors", "x");
  (void)temp_write_text("st/config.json", "{}");
  resolves(temp_path("st"), "/st/weights.safetensors");
  temp_mkdir("pq");
  (void)temp_write_text("pq/w.parquet", "x");
  (void)temp_write_text("pq/old.gguf", "x");
  resolves(temp_path("pq"), "/pq/w.parquet");
}

static void folder_several_candidates_lists_them(void **state) {
  (void)state;
  temp_mkdir("many");
  (void)temp_write_text("many/b.safetensors", "x");
  (void)temp_write_text("many/a.parquet", "x");
  fails(temp_path("many"), AQ_ERR_ARGUMENT, "several models: a.parquet, b.safetensors", "Name the file");
  for (char name[] = "many/c0.parquet"; name[6] <= '9'; name[6]++) (void)temp_write_text(name, "x");
  fails(temp_path("many"), AQ_ERR_ARGUMENT, "c3.parquet and 6 more", "Name the file");
}

static void folder_with_other_formats_only_says_what_to_do(void **state) {
  (void)state;
  temp_mkdir("pt");
  fails(temp_path("pt"), AQ_ERR_NOT_FOUND, "holds no model", "");
  temp_mkdir("gg");
  (void)temp_write_text("gg/model-q4.ggml", "x");
  fails(temp_path("gg"), AQ_ERR_UNSUPPORTED, "model-q4.ggml (a GGML file, as before GGUF)",
        "safetensors files of the model that it was made from");
}

static void folder_of_pytorch_files_is_found(void **state) {
  (void)state;
  temp_mkdir("old");
  (void)temp_write_text("old/training_args.bin", "x");
  (void)temp_write_text("old/optimizer.pt", "x");
  (void)temp_write_text("old/rng_state_0.pth", "x");
  fails(temp_path("old"), AQ_ERR_NOT_FOUND, "holds no model", "");
  (void)temp_write_text("old/a.pt", "x");
  resolves(temp_path("old"), "/old/a.pt");
  (void)temp_write_text("old/b.pth", "x");
  fails(temp_path("old"), AQ_ERR_ARGUMENT, "several models: a.pt, b.pth", "Name the file");
  (void)temp_write_text("old/copy.gguf", "x");
  (void)temp_write_text("old/pytorch_model.bin", "x");
  resolves(temp_path("old"), "/old/pytorch_model.bin");
  (void)temp_write_text("old/pytorch_model.bin.index.json", "{}");
  resolves(temp_path("old"), "/old/pytorch_model.bin.index.json");
  (void)temp_write_text("old/weights.safetensors", "x");
  resolves(temp_path("old"), "/old/weights.safetensors");
  temp_mkdir("cut");
  (void)temp_write_text("cut/pytorch_model-00001-of-00002.bin", "x");
  fails(temp_path("cut"), AQ_ERR_ARGUMENT, "1 of 2 shards of a model, but no index",
        "pytorch_model.bin.index.json and the other shards");
}

static void folder_of_gguf_files_is_one_model_or_none(void **state) {
  (void)state;
  temp_mkdir("gu");
  (void)temp_write_text("gu/a-00001-of-00002.gguf", "x");
  (void)temp_write_text("gu/a-00002-of-00002.gguf", "x");
  resolves(temp_path("gu"), "/gu/a-00001-of-00002.gguf");
  (void)temp_write_text("gu/b.gguf", "x");
  fails(temp_path("gu"), AQ_ERR_ARGUMENT, "several models: a-00001-of-00002.gguf, a-00002-of-00002.gguf, b.gguf",
        "Name the file");
  (void)temp_write_text("gu/c.safetensors", "x");
  resolves(temp_path("gu"), "/gu/c.safetensors");
}

static void folder_of_shards_without_index_asks_for_it(void **state) {
  (void)state;
  temp_mkdir("sh");
  (void)temp_write_text("sh/model-00001-of-00003.safetensors", "x");
  fails(temp_path("sh"), AQ_ERR_ARGUMENT, "1 of 3 shards of a model, but no index: model-00001-of-00003.safetensors",
        "model.safetensors.index.json and the other shards");
  (void)temp_write_text("sh/model-00002-of-00003.safetensors", "x");
  (void)temp_write_text("sh/model-00003-of-00003.safetensors", "x");
  fails(temp_path("sh"), AQ_ERR_ARGUMENT, "3 of 3 shards", "Download model.safetensors.index.json into the folder");
  (void)temp_write_text("sh/model.safetensors.index.json", "{}");
  resolves(temp_path("sh"), "/model.safetensors.index.json");
}

static void folder_index_of_the_single_file_is_taken(void **state) {
  (void)state;
  temp_mkdir("same");
  (void)temp_write_text("same/model.safetensors", "x");
  (void)temp_write_text("same/model.safetensors.index.json", "{\"weight_map\":{\"a\":\"model.safetensors\"}}");
  resolves(temp_path("same"), "/same/model.safetensors.index.json");
  (void)temp_write_text("same/model.safetensors.index.json", "{\"weight_map\":{\"a\":\"other.safetensors\"}}");
  fails(temp_path("same"), AQ_ERR_ARGUMENT, "holds both", "Name the one");
}

static void parts_are(const char *folder, const char *names) {
  aq_listing parts;
  char text[256];
  resolves(temp_path(folder), "/");
  assert_int_equal(aq_table_parts(temp_path(folder), &parts, &err), AQ_OK);
  assert_string_equal(aq_listing_text(&parts, text, sizeof text), names);
  aq_listing_reset(&parts);
}

static void folder_of_table_parts_is_one_table(void **state) {
  (void)state;
  temp_mkdir("dask");
  (void)temp_write_text("dask/part.0.parquet", "x");
  resolves(temp_path("dask"), "/part.0.parquet");
  (void)temp_write_text("dask/part.10.parquet", "x");
  (void)temp_write_text("dask/part.2.parquet", "x");
  (void)temp_write_text("dask/.part.2.parquet.crc", "x");
  (void)temp_write_text("dask/._part.2.parquet", "x");
  parts_are("dask", "part.0.parquet, part.2.parquet, part.10.parquet");
  temp_mkdir("marked");
  (void)temp_write_text("marked/b.parquet", "x");
  (void)temp_write_text("marked/a.parquet", "x");
  fails(temp_path("marked"), AQ_ERR_ARGUMENT, "several models: a.parquet, b.parquet", "Name the file");
  (void)temp_write_text("marked/_SUCCESS", "");
  parts_are("marked", "a.parquet, b.parquet");
  temp_mkdir("of");
  (void)temp_write_text("of/t-00000-of-00003.parquet", "x");
  (void)temp_write_text("of/t-00001-of-00003.parquet", "x");
  fails(temp_path("of"), AQ_ERR_NOT_FOUND, "2 of the 3 parts of a table", "Copy the others");
  (void)temp_write_text("of/t-00002-of-00003.parquet", "x");
  parts_are("of", "t-00000-of-00003.parquet, t-00001-of-00003.parquet, t-00002-of-00003.parquet");
  (void)temp_write_text("of/u-00001-of-00002.parquet", "x");
  fails(temp_path("of"), AQ_ERR_ARGUMENT, "parts of several tables", "");
}

static void folder_of_other_layouts_says_how_to_go_on(void **state) {
  (void)state;
  temp_mkdir("hive");
  temp_mkdir("hive/quant_type=int8");
  (void)temp_write_text("hive/quant_type=int8/0.parquet", "x");
  fails(temp_path("hive"), AQ_ERR_UNSUPPORTED, "parts of one table in folders of their own ('quant_type=int8')",
        "hive_partitioning=true");
  temp_mkdir("delta");
  temp_mkdir("delta/_delta_log");
  (void)temp_write_text("delta/part-00000-x.parquet", "x");
  fails(temp_path("delta"), AQ_ERR_UNSUPPORTED, "Delta table", "delta_scan");
  temp_mkdir("plain");
  (void)temp_write_text("plain/a=b.parquet", "x"); /* a file, no folder */
  resolves(temp_path("plain"), "/a=b.parquet");
}

static void part_names_are_those_of_writers(void **state) {
  (void)state;
  static const struct {
    const char *name;
    bool is_part;
    uint64_t number, total;
  } names[] = {{"model-00001-of-00003.safetensors", true, 1, 3},
               {"diffusion_pytorch_model-00002-of-00002.safetensors", true, 2, 2},
               {"model_00003-of-00004.safetensors", true, 3, 4},
               {"model-00001-of-00001.safetensors", false, 0, 0},
               {"model-00004-of-00003.safetensors", false, 0, 0},
               {"model.safetensors", false, 0, 0},
               {"one-of-2.safetensors", false, 0, 0},
               {"train-00000-of-00002.parquet", true, 0, 2},
               {"part-00000-6c8e.c000.snappy.parquet", true, 0, 0},
               {"part-00012.parquet", true, 12, 0},
               {"part.7.parquet", true, 7, 0},
               {"part_1.parquet", true, 1, 0},
               {"data_3.parquet", true, 3, 0},
               {"00000005.parquet", true, 5, 0},
               {"0123456789abcdef0123456789abcdef-4.parquet", true, 4, 0},
               {"int8.parquet", false, 0, 0},
               {"4bit.parquet", false, 0, 0},
               {"part-of-it.parquet", false, 0, 0},
               {"partial.parquet", false, 0, 0},
               {"part-0.safetensors", false, 0, 0},
               {"part-99999999999999999999.parquet", false, 0, 0}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    aq_part_file part;
    if (aq_part_file_parse(names[i].name, &part) != names[i].is_part) fail_msg("'%s'", names[i].name);
    if (!names[i].is_part) continue;
    assert_int_equal(part.number, names[i].number);
    assert_int_equal(part.total, names[i].total);
  }
}

static void make_cached_model(const char *base) {
  char path[128];
  static const char *const folders[] = {"", "/refs", "/snapshots", "/snapshots/c0ffee", "/snapshots/old", "/blobs"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    (void)snprintf(path, sizeof path, "%s%s", base, folders[i]);
    temp_mkdir(path);
  }
  (void)snprintf(path, sizeof path, "%s/refs/main", base);
  (void)temp_write_text(path, "c0ffee\n");
  (void)snprintf(path, sizeof path, "%s/blobs/11", base);
  (void)temp_write_text(path, "x");
  (void)snprintf(path, sizeof path, "%s/snapshots/c0ffee/model.safetensors", base);
  assert_int_equal(symlink("../../blobs/11", temp_path(path)), 0);
}

static void hub_repository_folder_is_followed(void **state) {
  (void)state;
  make_cached_model("models--o--repo");
  resolves(temp_path("models--o--repo"), "/models--o--repo/snapshots/c0ffee/model.safetensors");
  (void)temp_write_text("models--o--repo/refs/main", "../../x");
  fails(temp_path("models--o--repo"), AQ_ERR_FORMAT, "does not hold the name of a commit", "");
  (void)temp_write_text("models--o--repo/refs/main", "a/../../x");
  fails(temp_path("models--o--repo"), AQ_ERR_FORMAT, "does not hold the name of a commit", "");
  (void)temp_write_text("models--o--repo/refs/main", "gone");
  fails(temp_path("models--o--repo"), AQ_ERR_NOT_FOUND, "commit gone", "Download");
  assert_int_equal(unlink(temp_path("models--o--repo/refs/main")), 0);
  fails(temp_path("models--o--repo"), AQ_ERR_ARGUMENT, "several snapshots and no refs/main: c0ffee, old", "Name");
  assert_int_equal(rmdir(temp_path("models--o--repo/snapshots/old")), 0);
  resolves(temp_path("models--o--repo"), "/snapshots/c0ffee/model.safetensors");
}

static void hub_name_is_looked_up_in_the_cache_that_is_set(void **state) {
  (void)state;
  temp_mkdir("cache");
  temp_mkdir("cache/hub");
  temp_mkdir("cache/huggingface");
  temp_mkdir("cache/huggingface/hub");
  make_cached_model("cache/models--Org--M.1");
  make_cached_model("cache/hub/models--bare");
  make_cached_model("cache/huggingface/hub/models--x--y");
  (void)setenv("HF_HUB_CACHE", temp_path("cache"), 1);
  resolves("Org/M.1", "cache/models--Org--M.1/snapshots/c0ffee/model.safetensors");
  fails("bare", AQ_ERR_NOT_FOUND, "does not exist", "cache/models--bare");
  (void)setenv("HF_HUB_CACHE", "", 1);
  (void)setenv("HF_HOME", temp_path("cache"), 1);
  resolves("bare", "cache/hub/models--bare/snapshots/c0ffee/model.safetensors");
  (void)unsetenv("HF_HOME");
  (void)setenv("XDG_CACHE_HOME", temp_path("cache"), 1);
  resolves("x/y", "cache/huggingface/hub/models--x--y/snapshots/c0ffee/model.safetensors");
  (void)unsetenv("XDG_CACHE_HOME");
  (void)setenv("HOME", temp_folder, 1);
  fails("x/y", AQ_ERR_NOT_FOUND, "does not exist", ".cache/huggingface/hub/models--x--y");
}

static void path_missing_says_what_was_tried(void **state) {
  (void)state;
  fails("/nowhere/at/all", AQ_ERR_NOT_FOUND, "does not exist", "ORG/NAME");
  fails("model.safetensors", AQ_ERR_NOT_FOUND, "does not exist", "Check the path");
  fails("a/b/c", AQ_ERR_NOT_FOUND, "does not exist", "Check the path");
  fails("../x", AQ_ERR_NOT_FOUND, "does not exist", "Check the path");
}

static void file_of_another_format_is_named(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
    aq_status status;
    const char *words;
  } cases[] = {
      {"", 0, AQ_ERR_FORMAT, "is empty"},
      {"PK\x03\x04....", 8, AQ_ERR_CORRUPT, "begins like a zip archive"},
      {"\x80\x02}q", 4, AQ_ERR_UNSUPPORTED, "pickle"},
      {"GGUF\x03", 5, AQ_ERR_CORRUPT, "ends inside its header"},
      {"version https://git-lfs.github.com/spec/v1\n", 43, AQ_ERR_FORMAT, "Git LFS pointer"},
      {"<!DOCTYPE html><html>", 21, AQ_ERR_FORMAT, "web page"},
      {"\x80\x05}q", 4, AQ_ERR_UNSUPPORTED, "pickle"},
      {"tjgg\1\0", 6, AQ_ERR_UNSUPPORTED, "GGML"},
      {"\x1f\x8b\x08", 3, AQ_ERR_UNSUPPORTED, "compressed with gzip"},
      {"\xfd\x37zXZ\0", 6, AQ_ERR_UNSUPPORTED, "compressed with xz"},
      {"\x28\xb5\x2f\xfd", 4, AQ_ERR_UNSUPPORTED, "compressed with zstd"},
      {"7z\xbc\xaf\x27\x1c\0\4", 8, AQ_ERR_UNSUPPORTED, "7z archive"},
      {"\x93NUMPY\1\0", 8, AQ_ERR_UNSUPPORTED, "NumPy array"},
      {"\x1c\0\0\0TFL3", 8, AQ_ERR_UNSUPPORTED, "TensorFlow Lite"},
      {"\0\0\0\0\0\0\0\0DUCK", 12, AQ_ERR_UNSUPPORTED, "DuckDB"},
      {"/annex/objects/SHA256E-s4--x", 28, AQ_ERR_FORMAT, "git-annex pointer"},
      {"\n<html><head>", 13, AQ_ERR_FORMAT, "web page"},
      {"<?xml version=\"1.0\"?><Error>", 28, AQ_ERR_FORMAT, "web page"},
      {"\0\0\0\0\0\0\0\0\0\0\0\0", 12, AQ_ERR_FORMAT, "zeros where it should begin"},
      {"hello", 5, AQ_ERR_FORMAT, "neither a safetensors file"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    aq_source *source = NULL;
    const char *path = temp_write("file.safetensors", cases[i].bytes, cases[i].size);
    assert_int_equal(aq_source_open(path, NULL, &source, &err), cases[i].status);
    if (strstr(err.message, cases[i].words) == NULL) fail_msg("'%s' is not in '%s'", cases[i].words, err.message);
    assert_true(aq_ends_with(err.file, "/file.safetensors"));
  }
}

/* Formats without first bytes of their own, and those that share them. */
static void file_of_another_format_is_named_by_its_name(void **state) {
  (void)state;
  static const struct {
    const char *name, *bytes, *words;
  } cases[] = {{"a.onnx", "\x08\x07pytorch", "is named like an ONNX file, but does not begin like one"},
               {"a.onnx_data", "\1\2\3", "is the external data of an ONNX file"},
               {"flax_model.msgpack", "\x81\xa6params", "is a Flax file"},
               {"a.npz", "PK\x03\x04", "is an archive of NumPy arrays"},
               {"a.pt", "PK\x03\x04", "does not end with the directory"},
               {"a.zip", "PK\x03\x04", "is a zip archive"},
               {"openvino_model.bin", "\1\2\3", "is an OpenVINO file"},
               {"raw.bin", "\1\2\3", "is neither"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    aq_source *source = NULL;
    const char *path = temp_write_text(cases[i].name, cases[i].bytes);
    assert_int_not_equal(aq_source_open(path, NULL, &source, &err), AQ_OK);
    if (strstr(err.message, cases[i].words) == NULL) fail_msg("%s: '%s'", cases[i].name, err.message);
  }
  temp_mkdir("ov");
  (void)temp_write_text("ov/openvino_model.bin", "x");
  fails(temp_path("ov"), AQ_ERR_UNSUPPORTED, "openvino_model.bin (an OpenVINO file)", "safetensors files of the model");
  temp_mkdir("half");
  (void)temp_write_text("half/model.safetensors.incomplete", "x");
  fails(temp_path("half"), AQ_ERR_UNSUPPORTED, "an unfinished download", "Finish");
}

static void folder_of_onnx_files_is_the_model_of_the_folder_above(void **state) {
  (void)state;
  temp_mkdir("ox");
  temp_mkdir("ox/onnx");
  (void)temp_write_text("ox/onnx/model_quantized.onnx", "x");
  resolves(temp_path("ox"), "/ox/onnx/model_quantized.onnx");
  (void)temp_write_text("ox/onnx/model_q4.onnx", "x");
  fails(temp_path("ox"), AQ_ERR_ARGUMENT, "several models: model_q4.onnx, model_quantized.onnx", "Name the file");
  (void)temp_write_text("ox/onnx/model.onnx", "x");
  resolves(temp_path("ox"), "/ox/onnx/model.onnx");
  char *file, *folder;
  for (int has_config = 0; has_config < 2; has_config++) {
    static const char *const names[] = {"ox/onnx", "ox/onnx/model_q4.onnx"};
    for (size_t i = 0; i < 2; i++) {
      assert_ok(aq_locate_model(temp_path(names[i]), &file, &folder, &err));
      assert_int_equal(folder != NULL, has_config);
      if (folder != NULL) assert_true(aq_ends_with(folder, "/ox"));
      aq_free(file);
      aq_free(folder);
    }
    (void)temp_write_text("ox/config.json", "{}");
  }
  (void)temp_write_text("ox/onnx/config.json", "{}"); /* its own */
  assert_ok(aq_locate_model(temp_path("ox/onnx"), &file, &folder, &err));
  assert_null(folder);
  aq_free(file);
  (void)temp_write_text("ox/flax_model.msgpack", "x"); /* is not read */
  resolves(temp_path("ox"), "/ox/onnx/model.onnx");
  (void)temp_write_text("ox/other.safetensors", "x");
  resolves(temp_path("ox"), "/ox/other.safetensors");
}

static void argument_wrong_is_refused(void **state) {
  (void)state;
  aq_source *source = NULL;
  assert_int_equal(aq_source_open("", NULL, &source, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_source_open(NULL, NULL, &source, &err), AQ_ERR_ARGUMENT);
  const aq_source_options options = {0};
  assert_int_equal(aq_source_open("x", &options, &source, &err), AQ_ERR_ARGUMENT);
  aq_source_close(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(folder_canonical_name_is_taken),
      cmocka_unit_test(folder_index_is_taken_before_shards),
      cmocka_unit_test(folder_single_other_file_is_taken),
      cmocka_unit_test(folder_several_candidates_lists_them),
      cmocka_unit_test(folder_with_other_formats_only_says_what_to_do),
      cmocka_unit_test(folder_of_pytorch_files_is_found),
      cmocka_unit_test(folder_of_gguf_files_is_one_model_or_none),
      cmocka_unit_test(folder_of_shards_without_index_asks_for_it),
      cmocka_unit_test(folder_index_of_the_single_file_is_taken),
      cmocka_unit_test(folder_of_table_parts_is_one_table),
      cmocka_unit_test(folder_of_other_layouts_says_how_to_go_on),
      cmocka_unit_test(part_names_are_those_of_writers),
      cmocka_unit_test(hub_repository_folder_is_followed),
      cmocka_unit_test(hub_name_is_looked_up_in_the_cache_that_is_set),
      cmocka_unit_test(path_missing_says_what_was_tried),
      cmocka_unit_test(file_of_another_format_is_named),
      cmocka_unit_test(file_of_another_format_is_named_by_its_name),
      cmocka_unit_test(folder_of_onnx_files_is_the_model_of_the_folder_above),
      cmocka_unit_test(argument_wrong_is_refused),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
