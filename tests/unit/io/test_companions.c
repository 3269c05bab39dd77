/* test_companions.c - what lies around a model's weights: modules in folders of their own, adapters, and which files
 * are a model's. */
#include "check.h"
#include "core/compiler.h"
#include "core/memory.h"
#include "core/pool.h"
#include "io/companions.h"
#include "io/model_files.h"
#include "io/source.h"
#include "temp_folder.h"

/* {"w": F32 [1]} */
static const char header[] = "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";

static void write_model(const char *name) { (void)temp_write_safetensors(name, header, NULL, 4); }

static aq_source *open_model(void) {
  aq_error err;
  aq_source *source = NULL;
  assert_ok(aq_source_open(temp_folder, NULL, &source, &err));
  return source;
}

static void drop(const char *name) { assert_int_equal(remove(temp_path(name)), 0); }

#define MODULE(number, path, type) \
  "{\"name\":\"" number "\",\"path\":\"" path "\",\"type\":\"sentence_transformers.models." type "\"}"

static void open_follows_the_first_module_into_its_folder(void **state) {
  (void)state;
  aq_error err;
  aq_source *source = NULL;
  temp_mkdir("0_Transformer");
  temp_mkdir("p");
  write_model("0_Transformer/model.safetensors");
  (void)temp_write_text("0_Transformer/config.json", "inner");
  (void)temp_write_text("config.json", "outer");
  (void)temp_write_text("p/config.json", "pooling");
  (void)temp_write_text("modules.json",
                        "[" MODULE("0", "0_Transformer", "Transformer") "," MODULE("1", "p", "Pooling") "]");
  assert_ok(aq_source_open(temp_folder, NULL, &source, &err));
  static const char *const files[][2] = {{"config.json", "inner"}, {"p/config.json", "pooling"}};
  for (size_t i = 0; i < AQ_COUNT_OF(files); i++) {
    char *text;
    size_t size;
    assert_ok(aq_model_file_read(source, NULL, files[i][0], &text, &size, &err));
    assert_string_equal(text, files[i][1]);
    aq_free(text);
    assert_ok(aq_model_file_read(NULL, temp_folder, files[i][0], &text, &size, &err));
    assert_string_equal(text, files[i][1]);
    aq_free(text);
  }
  aq_source_close(source);
  assert_ok(aq_source_open(temp_path("0_Transformer"), NULL, &source, &err));
  assert_int_equal(source->note_count, 1);
  assert_non_null(strstr(source->notes[0], "'0_Transformer' is the first module of the model in the folder above"));
  aq_source_close(source);
  drop("0_Transformer/model.safetensors");
  drop("0_Transformer/config.json");
  drop("0_Transformer");
  assert_int_equal(aq_source_open(temp_folder, NULL, &source, &err), AQ_ERR_NOT_FOUND);
  assert_non_null(strstr(err.message, "'0_Transformer'"));
}

static aq_status put_key(void *ctx, const char *key, const char *text, aq_error *err) {
  (void)text;
  (void)err;
  (void)strcat(ctx, key + sizeof AQ_MODEL_FILE_KEY - 1);
  (void)strcat(ctx, " ");
  return AQ_OK;
}

static void files_travel_by_their_places(void **state) {
  (void)state;
  aq_error err;
  aq_source *source = NULL;
  char keys[400] = "";
  temp_mkdir("t");
  temp_mkdir("pool");
  write_model("t/model.safetensors");
  (void)temp_write_text("t/config.json", "{}");
  (void)temp_write_text("t/vocab.txt", "a");
  (void)temp_write_text("t/adapter_config.json", "{}");
  (void)temp_write_text("t/added_tokens.json", "{}");
  (void)temp_write_text("pool/config.json", "{}");
  (void)temp_write_text("modules.json", "[" MODULE("0", "t", "Transformer") "," MODULE(
                                            "1", "pool", "Pooling") "," MODULE("2", "pool", "Normalize") "]");
  (void)temp_write_text("config_sentence_transformers.json", "{}");
  assert_ok(aq_source_open(temp_folder, NULL, &source, &err));
  assert_ok(aq_model_files_each(source, put_key, keys, &err));
  assert_string_equal(keys,
                      "t/config.json modules.json pool/config.json t/adapter_config.json t/added_tokens.json "
                      "config_sentence_transformers.json t/vocab.txt ");
  aq_source_close(source);
  static const char *const made[] = {"t/model.safetensors", "t/config.json",    "t/vocab.txt", "t/adapter_config.json",
                                     "t/added_tokens.json", "pool/config.json", "t",           "pool"};
  for (size_t i = 0; i < AQ_COUNT_OF(made); i++) drop(made[i]);
}

/* One vocabulary travels: the first of tokenizer.json, vocab.txt, vocab.json with merges.txt, and models of
 * SentencePiece. */
static void vocabulary_that_counts_travels(void **state) {
  (void)state;
  static const struct {
    const char *file, *keys;
  } steps[] = {{"merges.txt", ""},
               {"spm.model", "zstd.spm.model "},
               {"tokenizer.model", "zstd.tokenizer.model "},
               {"vocab.json", "vocab.json merges.txt "},
               {"vocab.txt", "vocab.txt "},
               {"tokenizer.json", "tokenizer.json "}};
  write_model("model.safetensors");
  for (size_t i = 0; i < AQ_COUNT_OF(steps); i++) {
    aq_error err;
    char keys[400] = "";
    (void)temp_write_text(steps[i].file, "{}");
    aq_source *source = open_model();
    assert_ok(aq_model_files_each(source, put_key, keys, &err));
    assert_string_equal(keys, steps[i].keys);
    aq_source_close(source);
  }
}

static aq_status put_value(void *ctx, const char *key, const char *value, aq_error *err) {
  return strstr(key, ".model") != NULL ? aq_source_add_metadata(ctx, key, value, err) : AQ_OK;
}

/* A model of SentencePiece is bytes, of which a table holds the packed form, however short they are. */
static void bytes_travel_packed(void **state) {
  (void)state;
  static const char bytes[] = "\n\0\377 zeros, and no UTF-8";
  aq_error err;
  aq_source *source, *table = NULL;
  char *text;
  size_t size;
  write_model("model.safetensors");
  (void)temp_write("spiece.model", bytes, sizeof bytes);
  source = open_model();
  assert_ok(aq_source_open(temp_folder, NULL, &table, &err));
  assert_ok(aq_model_files_each(source, put_value, table, &err));
  assert_non_null(aq_model_file_compressed(table, "spiece.model"));
  assert_int_equal(remove(temp_path("spiece.model")), 0);
  assert_ok(aq_model_file_read(table, NULL, "spiece.model", &text, &size, &err));
  assert_int_equal(size, sizeof bytes);
  assert_memory_equal(text, bytes, size);
  aq_free(text);
  aq_source_close(table);
  aq_source_close(source);
}

/* A table that carries one model, beside the files of another. */
static void files_of_two_models_are_not_mixed(void **state) {
  (void)state;
  aq_error err;
  aq_source *source = NULL;
  char *text;
  size_t size;
  write_model("model.safetensors");
  (void)temp_write_text("modules.json", "[]");
  assert_ok(aq_source_open(temp_folder, NULL, &source, &err));
  assert_ok(aq_model_file_read(source, NULL, "modules.json", &text, &size, &err));
  assert_non_null(text);
  aq_free(text);
  assert_ok(aq_source_add_metadata(source, AQ_MODEL_FILE_KEY "config.json", "{}", &err));
  assert_ok(aq_model_file_read(source, NULL, "modules.json", &text, &size, &err));
  assert_null(text);
  aq_source_close(source);
}

/* ---- large files ---- */

typedef struct pairs {
  size_t count;
  char keys[4][64];
  char *values[4];
} pairs;

static aq_status keep_pair(void *ctx, const char *key, const char *value, aq_error *err) {
  (void)err;
  pairs *p = ctx;
  assert_true(p->count < AQ_COUNT_OF(p->keys));
  (void)snprintf(p->keys[p->count], sizeof p->keys[0], "%s", key);
  p->values[p->count] = aq_strdup(value);
  assert_non_null(p->values[p->count++]);
  return AQ_OK;
}

static void drop_pairs(pairs *p) {
  for (size_t i = 0; i < p->count; i++) aq_free(p->values[i]);
  p->count = 0;
}

/* Text of so many bytes that compresses well, or hardly. */
static void write_large(const char *name, size_t size, bool repeats) {
  char *text = malloc(size);
  uint64_t random = 1;
  assert_non_null(text);
  for (size_t i = 0; i < size; i++) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    text[i] = repeats ? "\"ab\": 12, "[i % 10] : (char)(' ' + (random >> 33 & 0x3F));
  }
  (void)temp_write(name, text, size);
  free(text);
}

static void large_files_travel_compressed(void **state) {
  (void)state;
  aq_error err;
  pairs p = {0};
  uint64_t bytes;
  write_model("model.safetensors");
  write_large("config.json", 16383, true);
  write_large("tokenizer_config.json", 16384, true);
  write_large("tokenizer.json", 40000, false);
  aq_source *source = open_model();
  assert_ok(aq_model_files_measure(source, &bytes, &err));
  drop("tokenizer_config.json"); /* it is read and compressed once */
  assert_ok(aq_model_files_each(source, keep_pair, &p, &err));
  assert_int_equal(p.count, 3);
  assert_string_equal(p.keys[0], "arrowquant.file.config.json");
  assert_string_equal(p.keys[1], "arrowquant.file_zstd.tokenizer_config.json");
  assert_string_equal(p.keys[2], "arrowquant.file.tokenizer.json"); /* six bits a byte: base64 is no smaller */
  assert_int_equal(strlen(p.values[0]), 16383);
  assert_true(strlen(p.values[1]) < 400);
  size_t sum = 0;
  for (size_t i = 0; i < 3; i++) sum += strlen(p.keys[i]) + strlen(p.values[i]);
  assert_int_equal(bytes, sum);
  drop_pairs(&p);
  aq_source_close(source);
}

/* What a table carries is read alike in both forms, and goes on to the next table as it is. */
static void compressed_files_are_read_and_carried_on(void **state) {
  (void)state;
  aq_error err;
  pairs p = {0}, again = {0};
  char *text;
  size_t size;
  write_model("model.safetensors");
  (void)temp_write_text("config.json", "{}");
  write_large("tokenizer.json", 50000, true);
  aq_source *source = open_model();
  assert_ok(aq_model_files_each(source, keep_pair, &p, &err));
  for (size_t i = 0; i < p.count; i++) assert_ok(aq_source_add_metadata(source, p.keys[i], p.values[i], &err));
  drop("config.json");
  drop("tokenizer.json");
  assert_ok(aq_model_file_read(source, NULL, "tokenizer.json", &text, &size, &err));
  assert_int_equal(size, 50000);
  assert_int_equal(strlen(text), 50000);
  assert_memory_equal(text, "\"ab\": 12, \"ab\"", 14);
  aq_free(text);
  assert_ok(aq_model_files_each(source, keep_pair, &again, &err));
  assert_int_equal(again.count, p.count);
  for (size_t i = 0; i < p.count; i++) {
    assert_string_equal(again.keys[i], p.keys[i]);
    assert_string_equal(again.values[i], p.values[i]);
  }
  drop_pairs(&p);
  drop_pairs(&again);
  aq_source_close(source);
}

static void damaged_values_name_their_key(void **state) {
  (void)state;
  aq_error err;
  char *text;
  size_t size;
  uint64_t bytes;
  write_model("model.safetensors");
  aq_source *source = open_model();
  assert_ok(aq_source_add_metadata(source, AQ_MODEL_FILE_ZSTD_KEY "tokenizer.json", "KLUv/SQ=", &err));
  assert_int_equal(aq_model_file_read(source, NULL, "tokenizer.json", &text, &size, &err), AQ_ERR_CORRUPT);
  assert_null(text);
  assert_non_null(strstr(err.message, "metadata arrowquant.file_zstd.tokenizer.json: "));
  assert_non_null(strstr(err.hint, "Make the table again"));
  assert_int_equal(aq_model_files_measure(source, &bytes, &err), AQ_ERR_CORRUPT);
  assert_null(source->carried);
  assert_ok(aq_model_file_read(source, NULL, "config.json", &text, &size, &err));
  assert_null(text);
  assert_ok(aq_source_add_metadata(source, AQ_MODEL_FILE_KEY "tokenizer.json", "{}", &err));
  assert_int_equal(aq_model_file_read(source, NULL, "tokenizer.json", &text, &size, &err), AQ_ERR_FORMAT);
  assert_non_null(strstr(err.message, "as arrowquant.file.tokenizer.json and as arrowquant.file_zstd.tokenizer.json"));
  aq_source_close(source);
}

static void files_that_cannot_travel_are_noted(void **state) {
  (void)state;
  aq_error err;
  pairs p = {0};
  write_model("model.safetensors");
  (void)temp_write_text("tokenizer_config.json", "\"caf\xe9\"");
  write_large("tokenizer.json", AQ_MODEL_FILES_MAX + 1, false);
  (void)temp_write_text("vocab.txt", "a");
  aq_source *source = open_model();
  assert_ok(aq_model_files_each(source, keep_pair, &p, &err));
  assert_ok(aq_model_files_each(source, keep_pair, &p, &err));
  assert_int_equal(p.count, 2); /* once a call */
  assert_string_equal(p.keys[0], "arrowquant.file.vocab.txt");
  assert_int_equal(source->note_count, 2);
  assert_string_equal(source->notes[0], "tokenizer_config.json is not UTF-8, and does not travel with a table");
  assert_string_equal(source->notes[1],
                      "tokenizer.json does not fit into a table, which carries up to 16 MiB of files");
  drop_pairs(&p);
  aq_source_close(source);
}

/* Too large to be read at all; a sparse file, which takes no room on the disk. */
static void huge_files_are_noted_and_the_others_travel(void **state) {
  (void)state;
  aq_error err;
  pairs p = {0};
  write_model("model.safetensors");
  (void)temp_write_text("config.json", "{}");
  (void)temp_write_text("vocab.txt", "a");
  const char *path = temp_write_text("tokenizer.json", "{}");
  assert_int_equal(truncate(path, (off_t)AQ_MODEL_FILE_MAX + 1), 0);
  aq_source *source = open_model();
  assert_ok(aq_model_files_each(source, keep_pair, &p, &err));
  assert_int_equal(p.count, 2);
  assert_string_equal(p.keys[0], "arrowquant.file.config.json");
  assert_string_equal(p.keys[1], "arrowquant.file.vocab.txt");
  assert_int_equal(source->note_count, 1);
  assert_string_equal(source->notes[0], "tokenizer.json has more than 64 MiB, and does not travel with a table");
  drop_pairs(&p);
  aq_source_close(source);
}

/* Beside other work, on the workers of a pool: the values are those that are made without. */
static void files_compressed_beforehand_have_the_same_values(void **state) {
  (void)state;
  aq_error err;
  pairs before = {0}, after = {0};
  uint64_t count;
  aq_pool *pool;
  write_model("model.safetensors");
  (void)temp_write_text("config.json", "{}");
  write_large("tokenizer.json", (size_t)1 << 18, true);
  aq_source *source = open_model(), *other = open_model();
  assert_ok(aq_model_files_each(other, keep_pair, &after, &err));
  assert_ok(aq_pool_create(3, &pool, &err));
  assert_ok(aq_model_files_read(source, &count, &err));
  assert_int_equal(count, 2);
  assert_ok(aq_pool_run(pool, count, aq_model_files_compress, source, &err));
  assert_ok(aq_model_files_each(source, keep_pair, &before, &err));
  assert_ok(aq_model_files_read(source, &count, &err));
  assert_int_equal(count, 0); /* nothing is left to be done */
  assert_int_equal(before.count, after.count);
  assert_string_equal(before.keys[1], "arrowquant.file_zstd.tokenizer.json");
  for (size_t i = 0; i < before.count; i++) assert_string_equal(before.values[i], after.values[i]);
  aq_pool_free(pool);
  drop_pairs(&before);
  drop_pairs(&after);
  aq_source_close(source);
  aq_source_close(other);
}

static void open_of_an_adapter_alone_says_so(void **state) {
  (void)state;
  aq_error err;
  aq_source *source = NULL;
  (void)temp_write_text("adapter_config.json", "{\"base_model_name_or_path\":\"org/base\"}");
  assert_int_equal(aq_source_open(temp_folder, NULL, &source, &err), AQ_ERR_UNSUPPORTED);
  assert_non_null(strstr(err.message, "a PEFT adapter of 'org/base', and no model"));
  write_model("adapter_model.safetensors");
  assert_int_equal(aq_source_open(temp_folder, NULL, &source, &err), AQ_ERR_UNSUPPORTED);
  assert_non_null(strstr(err.hint, "merge_and_unload"));
  (void)temp_write_text("adapter_config.json", "[");
  assert_int_equal(aq_source_open(temp_folder, NULL, &source, &err), AQ_ERR_UNSUPPORTED);
  assert_non_null(strstr(err.message, "a PEFT adapter, and no model"));
}

/* Each once, behind the folder of its module. */
static void open_reads_the_tensors_of_modules(void **state) {
  (void)state;
  aq_error err;
  aq_source *source = NULL;
  float value;
  temp_mkdir("2_Dense");
  write_model("model.safetensors");
  write_model("2_Dense/model.safetensors");
  (void)temp_write_text("modules.json",
                        "[" MODULE("0", "", "Transformer") "," MODULE("1", "2_Dense", "Dense") "," MODULE(
                            "2", "2_Dense", "LayerNorm") "," MODULE("3", "none", "Dense") "]");
  assert_ok(aq_source_open(temp_folder, NULL, &source, &err));
  assert_int_equal(source->tensor_count, 2);
  assert_int_equal(source->note_count, 0);
  const int64_t found = aq_source_find(source, "2_Dense/w");
  assert_true(found > 0);
  assert_ok(aq_source_read_f32(source, (size_t)found, 0, 1, &value, &err));
  assert_true(aq_source_reads_file(source, temp_path("2_Dense/model.safetensors")));
  aq_source_close(source);
  (void)temp_write_text("2_Dense/model.safetensors", "<html>");
  assert_int_equal(aq_source_open(temp_folder, NULL, &source, &err), AQ_ERR_FORMAT);
  assert_non_null(strstr(err.file, "2_Dense/model.safetensors"));
  drop("2_Dense/model.safetensors");
  drop("2_Dense");
}

static void open_of_an_export_has_its_modules_already(void **state) {
  (void)state;
  aq_error err;
  aq_source *source = NULL;
  temp_mkdir("d");
  (void)temp_write_safetensors("model.safetensors",
                               "{\"d/w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", NULL, 4);
  write_model("d/model.safetensors");
  (void)temp_write_text("modules.json", "[" MODULE("0", "", "Transformer") "," MODULE("1", "d", "Dense") "]");
  assert_ok(aq_source_open(temp_folder, NULL, &source, &err));
  assert_int_equal(source->tensor_count, 1);
  aq_source_close(source);
  drop("d/model.safetensors");
  drop("d");
}

static void open_notes_what_is_left_out(void **state) {
  (void)state;
  aq_error err;
  aq_source *source = NULL;
  temp_mkdir("2_CNN");
  temp_mkdir("3_Dense");
  write_model("model.safetensors");
  write_model("2_CNN/model.safetensors");
  write_model("3_Dense/pytorch_model.bin");
  (void)temp_write_text("adapter_config.json", "{}");
  (void)temp_write_text("modules.json",
                        "[" MODULE("0", "", "Transformer") "," MODULE("1", "1_Pooling", "Pooling") "," MODULE(
                            "2", "2_CNN", "CNN") "," MODULE("3", "3_Dense", "Dense") "]");
  assert_ok(aq_source_open(temp_folder, NULL, &source, &err));
  assert_int_equal(source->note_count, 3);
  assert_non_null(strstr(source->notes[0], "a PEFT adapter belongs to this model and is left out"));
  assert_non_null(strstr(source->notes[1], "module CNN (2_CNN/model.safetensors)"));
  assert_non_null(strstr(source->notes[2], "module Dense (3_Dense/pytorch_model.bin)"));
  aq_source_close(source);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(open_follows_the_first_module_into_its_folder, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(files_travel_by_their_places, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(vocabulary_that_counts_travels, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(bytes_travel_packed, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(files_of_two_models_are_not_mixed, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(large_files_travel_compressed, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(compressed_files_are_read_and_carried_on, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(damaged_values_name_their_key, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(files_that_cannot_travel_are_noted, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(huge_files_are_noted_and_the_others_travel, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(files_compressed_beforehand_have_the_same_values, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(open_of_an_adapter_alone_says_so, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(open_reads_the_tensors_of_modules, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(open_of_an_export_has_its_modules_already, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(open_notes_what_is_left_out, temp_setup, temp_teardown),
  };
  return cmocka_run_group_tests_name("companions", tests, NULL, NULL);
}
