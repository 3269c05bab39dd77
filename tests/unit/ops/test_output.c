/* test_output.c - an output that is a file which the source reads is refused, and the file stays as it was. */
#include <unistd.h>

#include "temp_folder.h"

static aq_error err;
static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}";
static const char other_header[] = "{\"b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}";
static const char index_text[] =
    "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"},\"metadata\":{}}";

static long size_of(const char *path) {
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  assert_int_equal(fseek(f, 0, SEEK_END), 0);
  const long size = ftell(f);
  assert_int_equal(fclose(f), 0);
  return size;
}

static aq_status quantize(const char *source, const char *output) {
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  o.table.force = true;
  return aq_quantize(source, output, &o, NULL, &err);
}

static aq_status save_plan(const char *source, const char *plan) {
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  o.table.force = true;
  o.dry_run = true;
  o.save_plan_path = plan;
  return aq_quantize(source, NULL, &o, NULL, &err);
}

static aq_status convert(const char *source, const char *output) {
  aq_convert_options o;
  aq_convert_options_init(&o);
  o.table.force = true;
  return aq_convert(source, output, &o, NULL, &err);
}

static aq_status export(const char *source, const char *output) {
  aq_export_options o;
  aq_export_options_init(&o);
  o.force = true;
  return aq_export(source, output, &o, NULL, &err);
}

/* Every operation that writes refuses the output. */
static void refused(const char *source, const char *output) {
  static aq_status (*const operations[])(const char *, const char *) = {quantize, save_plan, convert, export};
  const long before = size_of(output);
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
    assert_int_equal(operations[i](source, output), AQ_ERR_ARGUMENT);
    assert_string_equal(err.message, "the output is the input");
    assert_int_equal(size_of(output), before);
  }
}

static void output_that_is_the_input_is_refused(void **state) {
  (void)state;
  const char *path = temp_write_safetensors("model.safetensors", header, NULL, 16);
  refused(path, path);
  assert_int_equal(symlink("model.safetensors", temp_path("link")), 0);
  refused(path, temp_path("link"));
  refused(temp_path("link"), path);
}

static void output_that_is_in_the_input_folder_is_refused(void **state) {
  (void)state;
  temp_mkdir("folder");
  (void)temp_write_safetensors("folder/model.safetensors", header, NULL, 16);
  refused(temp_path("folder"), temp_path("folder/model.safetensors"));
}

static void output_that_is_a_shard_or_the_index_is_refused(void **state) {
  (void)state;
  temp_mkdir("shards");
  (void)temp_write_safetensors("shards/one.safetensors", header, NULL, 16);
  (void)temp_write_safetensors("shards/two.safetensors", other_header, NULL, 16);
  (void)temp_write_text("shards/model.safetensors.index.json", index_text);
  refused(temp_path("shards"), temp_path("shards/one.safetensors"));
  refused(temp_path("shards"), temp_path("shards/two.safetensors"));
  refused(temp_path("shards"), temp_path("shards/model.safetensors.index.json"));
}

static void output_that_is_the_table_is_refused(void **state) {
  (void)state;
  const char *path = temp_write_safetensors("plain.safetensors", header, NULL, 16);
  const char *table = temp_path("table.parquet");
  assert_ok(convert(path, table));
  refused(table, table);
}

static void input_that_has_the_name_of_the_unfinished_output_is_refused(void **state) {
  (void)state;
  const char *path = temp_write_safetensors("out.partial", header, NULL, 16);
  const long before = size_of(path);
  assert_int_equal(quantize(path, temp_path("out")), AQ_ERR_ARGUMENT);
  assert_int_equal(size_of(path), before);
}

static void output_beside_the_input_is_written(void **state) {
  (void)state;
  temp_mkdir("beside");
  (void)temp_write_safetensors("beside/model.safetensors", header, NULL, 16);
  assert_ok(quantize(temp_path("beside"), temp_path("beside/model.parquet")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(output_that_is_the_input_is_refused),
      cmocka_unit_test(output_that_is_in_the_input_folder_is_refused),
      cmocka_unit_test(output_that_is_a_shard_or_the_index_is_refused),
      cmocka_unit_test(output_that_is_the_table_is_refused),
      cmocka_unit_test(input_that_has_the_name_of_the_unfinished_output_is_refused),
      cmocka_unit_test(output_beside_the_input_is_written),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
