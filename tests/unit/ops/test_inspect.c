/* test_inspect.c - info, verify, compare, export and validate on a small model made here. */
#include <jansson.h>
#include <math.h>

#include "check.h"
#include "io/safetensors/safetensors_writer.h"
#include "report/report.h"

enum { ROWS = 96, COLUMNS = 128 };

static char folder[512];

static const char *in_folder(const char *name) {
  static char paths[16][640]; /* so that a test can use several */
  static int next;
  char *path = paths[next++ % 16];
  (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

/* Roughly Gaussian, always the same. */
static float noise(uint32_t *seed) {
  float sum = 0;
  for (int i = 0; i < 12; i++) {
    *seed = *seed * 1664525U + 1013904223U;
    sum += (float)(*seed >> 8) * 0x1p-24F;
  }
  return (sum - 6.0F) * 0.05F;
}

/* "w" [96, 128], "tied" with the same values, "b" [128], "ids" of int64. `change` is added to the first element. */
static void write_model(const char *path, float change, bool with_bias) {
  aq_error err;
  static float w[ROWS * COLUMNS], b[COLUMNS];
  const int64_t ids[4] = {0, 1, 2, 3};
  uint32_t seed = 7;
  for (size_t i = 0; i < ROWS * COLUMNS; i++) w[i] = noise(&seed);
  for (size_t i = 0; i < COLUMNS; i++) b[i] = noise(&seed);
  w[0] += change;
  const aq_tensor_info tensors[] = {
      {.name = "w", .dtype = AQ_F32, .rank = 2, .shape = {ROWS, COLUMNS}, .num_params = ROWS * COLUMNS},
      {.name = "tied", .dtype = AQ_F32, .rank = 2, .shape = {ROWS, COLUMNS}, .num_params = ROWS * COLUMNS},
      {.name = "ids", .dtype = AQ_I64, .rank = 1, .shape = {4}, .num_params = 4},
      {.name = "b", .dtype = AQ_F32, .rank = 1, .shape = {COLUMNS}, .num_params = COLUMNS},
  };
  const char *const metadata[] = {"format", "pt", "note", "x"};
  aq_safetensors_writer *writer;
  assert_ok(aq_safetensors_writer_create(path, true, tensors, with_bias ? 4 : 3, metadata, 2, &writer, &err));
  assert_ok(aq_safetensors_writer_write(writer, w, sizeof w, &err));
  assert_ok(aq_safetensors_writer_write(writer, w, sizeof w, &err));
  assert_ok(aq_safetensors_writer_write(writer, ids, sizeof ids, &err));
  if (with_bias) assert_ok(aq_safetensors_writer_write(writer, b, sizeof b, &err));
  assert_ok(aq_safetensors_writer_commit(writer, NULL, &err));
}

static void quantize(const char *from, const char *to, const char *type) {
  aq_error err;
  aq_quantize_options options;
  aq_quantize_options_init(&options);
  options.type = type;
  options.table.force = true;
  assert_ok(aq_quantize(from, to, &options, NULL, &err));
}

static int set_up(void **state) {
  (void)state;
  (void)snprintf(folder, sizeof folder, "%s", make_folder());
  write_model(in_folder("m.safetensors"), 0, true);
  quantize(in_folder("m.safetensors"), in_folder("m8.parquet"), "int8");
  quantize(in_folder("m.safetensors"), in_folder("m2.parquet"), "int2");
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  drop_folder(folder);
  return 0;
}

/* ---- info ---- */

static void info_lists_tensors_types_and_metadata(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  assert_ok(aq_info(in_folder("m8.parquet"), NULL, &report, &err));
  const json_t *tensors = json_object_get(report->root, "tensors"), *totals = json_object_get(report->root, "totals");
  assert_int_equal(json_array_size(tensors), 4);
  const json_t *w = json_array_get(tensors, 0), *tied = json_array_get(tensors, 3);
  assert_string_equal(aq_json_get_string(w, "name"), "w");
  assert_string_equal(aq_json_get_string(w, "stored_as"), "int8 per channel");
  assert_string_equal(aq_json_get_string(w, "dtype"), "torch.float32");
  assert_int_equal(aq_json_get_count(w, "num_scales"), ROWS);
  assert_string_equal(aq_json_get_string(tied, "name"), "tied"); /* tables list aliases last */
  assert_string_equal(aq_json_get_string(tied, "alias_of"), "w");
  assert_int_equal(aq_json_get_count(tied, "stored_bytes"), 0);
  assert_int_equal(aq_json_get_count(totals, "tensors"), 3);
  assert_int_equal(aq_json_get_count(totals, "aliases"), 1);
  assert_int_equal(aq_json_get_count(totals, "params"), ROWS * COLUMNS + COLUMNS + 4);
  char *text;
  assert_ok(aq_report_render(report, AQ_REPORT_TEXT, &text, &err));
  assert_non_null(strstr(text, "[96, 128]"));
  assert_non_null(strstr(text, "int8 per channel"));
  assert_non_null(strstr(text, "and 1 tied tensor that shares the bytes of another"));
  aq_free(text);
  aq_report_free(report);
}

static void info_of_nothing_says_so(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  assert_int_equal(aq_info(in_folder("absent.parquet"), NULL, &report, &err), AQ_ERR_NOT_FOUND);
  assert_null(report);
}

/* ---- verify ---- */

static void verify_sound_file_is_ok(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  aq_verify_options options;
  aq_verify_options_init(&options);
  options.deep = true;
  assert_ok(aq_verify(in_folder("m2.parquet"), &options, &report, &err));
  assert_true(aq_json_get_flag(report->root, "ok"));
  assert_int_equal(aq_json_get_count(report->root, "rows"), 3);
  assert_true(aq_json_get_count(report->root, "pages") >= 10);
  assert_int_equal(aq_json_get_count(report->root, "pages"), aq_json_get_count(report->root, "pages_with_crc"));
  assert_int_equal(aq_json_get_count(report->root, "values_decoded"), ROWS * COLUMNS + COLUMNS + 4);
  aq_report_free(report);
  assert_ok(aq_verify(in_folder("m.safetensors"), &options, NULL, &err));
}

static void flip_byte(const char *path, long offset) {
  FILE *f = fopen(path, "r+b");
  assert_non_null(f);
  assert_int_equal(fseek(f, offset, SEEK_SET), 0);
  const int c = fgetc(f);
  assert_int_equal(fseek(f, offset, SEEK_SET), 0);
  assert_int_equal(fputc(c ^ 0x40, f), c ^ 0x40);
  assert_int_equal(fclose(f), 0);
}

static void verify_damaged_page_is_found_and_reported(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  quantize(in_folder("m.safetensors"), in_folder("bad.parquet"), "int8");
  flip_byte(in_folder("bad.parquet"), 3000); /* amid the codes */
  assert_int_equal(aq_verify(in_folder("bad.parquet"), NULL, &report, &err), AQ_ERR_CORRUPT);
  assert_non_null(report);
  assert_false(aq_json_get_flag(report->root, "ok"));
  assert_int_equal(json_array_size(json_object_get(report->root, "problems")), 1);
  char *text;
  assert_ok(aq_report_render(report, AQ_REPORT_TEXT, &text, &err));
  assert_non_null(strstr(text, "NOT OK: 1 problem\n"));
  aq_free(text);
  aq_report_free(report);
}

static void verify_file_of_another_kind_is_an_error(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  FILE *f = fopen(in_folder("junk"), "wb");
  assert_non_null(f);
  assert_int_equal(fclose(f), 0);
  assert_int_not_equal(aq_verify(in_folder("junk"), NULL, &report, &err), AQ_OK);
  assert_null(report);
  assert_int_equal(aq_verify(in_folder("absent"), NULL, &report, &err), AQ_ERR_NOT_FOUND);
}

/* ---- compare ---- */

static void compare_equal_sources_are_equal(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  aq_compare_options options;
  aq_compare_options_init(&options);
  options.min_cosine = 1;
  assert_ok(aq_compare(in_folder("m.safetensors"), in_folder("m.safetensors"), &options, &report, &err));
  const json_t *totals = json_object_get(report->root, "totals");
  assert_int_equal(aq_json_get_count(totals, "equal_tensors"), aq_json_get_count(totals, "tensors"));
  assert_true(aq_json_get_real(report->root, "mean_cosine") == 1.0);
  assert_true(json_is_null(json_object_get(totals, "snr_db"))); /* infinite */
  aq_report_free(report);
}

static void compare_quantized_source_is_close_and_tied_tensors_count_once(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  assert_ok(aq_compare(in_folder("m.safetensors"), in_folder("m2.parquet"), NULL, &report, &err));
  const json_t *cosine = json_object_get(report->root, "cosine");
  const json_t *quantized = json_object_get(cosine, "quantized"), *all = json_object_get(cosine, "all");
  assert_int_equal(aq_json_get_count(quantized, "tensors"), 1);
  assert_int_equal(aq_json_get_count(all, "tensors"), 3);
  const double mean = aq_json_get_real(quantized, "mean");
  assert_true(mean > 0.92 && mean < 0.97);
  assert_true(aq_json_get_real(report->root, "mean_cosine") == mean);
  const json_t *worst = json_array_get(json_object_get(report->root, "worst"), 0);
  assert_string_equal(aq_json_get_string(worst, "name"), "w");
  assert_int_equal(json_array_size(json_object_get(report->root, "tensors")), 4);
  aq_report_free(report);
}

static void compare_below_threshold_fails_with_the_report(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  aq_compare_options options;
  aq_compare_options_init(&options);
  options.min_cosine = 0.99;
  assert_int_equal(aq_compare(in_folder("m.safetensors"), in_folder("m2.parquet"), &options, &report, &err),
                   AQ_ERR_THRESHOLD);
  assert_non_null(report);
  assert_false(aq_json_get_flag(report->root, "passed"));
  aq_report_free(report);
  options.min_cosine = NAN;
  assert_int_equal(aq_compare(in_folder("m.safetensors"), in_folder("m2.parquet"), &options, &report, &err),
                   AQ_ERR_ARGUMENT);
  assert_null(report);
}

static void compare_missing_tensor_fails_by_name(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  write_model(in_folder("less.safetensors"), 0, false);
  assert_int_equal(aq_compare(in_folder("m.safetensors"), in_folder("less.safetensors"), NULL, &report, &err),
                   AQ_ERR_FORMAT);
  assert_string_equal(err.tensor, "b");
  const json_t *missing = json_object_get(report->root, "missing");
  assert_int_equal(json_array_size(missing), 1);
  assert_string_equal(json_string_value(json_array_get(missing, 0)), "b");
  aq_report_free(report);
  assert_int_equal(aq_compare(in_folder("less.safetensors"), in_folder("m.safetensors"), NULL, NULL, &err),
                   AQ_ERR_FORMAT);
}

/* ---- export ---- */

static void export_of_quantized_table_has_its_values_and_all_tensors(void **state) {
  (void)state;
  aq_error err;
  aq_export_options options;
  aq_export_options_init(&options);
  assert_ok(aq_export(in_folder("m8.parquet"), in_folder("out.safetensors"), &options, NULL, &err));
  aq_compare_options same;
  aq_compare_options_init(&same);
  same.min_cosine = 1;
  assert_ok(aq_compare(in_folder("m8.parquet"), in_folder("out.safetensors"), &same, NULL, &err));
  aq_source *source;
  assert_ok(aq_source_open(in_folder("out.safetensors"), NULL, &source, &err));
  assert_int_equal(aq_source_tensor_count(source), 4);
  assert_int_equal(aq_source_tensor(source, (size_t)aq_source_find(source, "ids"))->dtype, AQ_I64);
  assert_int_equal(aq_source_tensor(source, (size_t)aq_source_find(source, "w"))->dtype, AQ_F32);
  aq_source_close(source);
  assert_int_equal(aq_export(in_folder("m8.parquet"), in_folder("out.safetensors"), &options, NULL, &err),
                   AQ_ERR_EXISTS);
}

static void export_narrows_on_request_and_refuses_what_does_not_fit(void **state) {
  (void)state;
  aq_error err;
  aq_export_options options;
  aq_export_options_init(&options);
  options.dtype = "fp16";
  options.force = true;
  assert_ok(aq_export(in_folder("m.safetensors"), in_folder("half.safetensors"), &options, NULL, &err));
  aq_source *source;
  assert_ok(aq_source_open(in_folder("half.safetensors"), NULL, &source, &err));
  assert_int_equal(aq_source_tensor(source, 0)->dtype, AQ_F16);
  aq_source_close(source);
  write_model(in_folder("big.safetensors"), 1e6F, true);
  assert_int_equal(aq_export(in_folder("big.safetensors"), in_folder("big16.safetensors"), &options, NULL, &err),
                   AQ_ERR_NONFINITE);
  assert_string_equal(err.tensor, "w");
  assert_int_equal(access(in_folder("big16.safetensors"), F_OK), -1);
  options.dtype = "bf16";
  assert_ok(aq_export(in_folder("big.safetensors"), in_folder("big16.safetensors"), &options, NULL, &err));
  options.format = "parquet";
  assert_int_equal(aq_export(in_folder("m.safetensors"), in_folder("x"), &options, NULL, &err), AQ_ERR_ARGUMENT);
}

/* ---- validate ---- */

static void validate_writes_reports_and_leaves_no_tables(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  aq_validate_options options;
  aq_validate_options_init(&options);
  options.output_dir = in_folder("results");
  const aq_status status = aq_validate(in_folder("m.safetensors"), &options, &report, &err);
  assert_true(status == AQ_OK || status == AQ_ERR_THRESHOLD); /* so small a file hardly shrinks */
  assert_non_null(report);
  const json_t *types = json_object_get(report->root, "types");
  assert_int_equal(json_array_size(types), 3);
  const json_t *int8 = json_array_get(types, 0);
  assert_true(aq_json_get_real(int8, "mean_cosine") > 0.9999);
  size_t i;
  json_t *check;
  json_array_foreach(json_object_get(int8, "checks"), i, check) assert_true(aq_json_get_flag(check, "passed"));
  json_array_foreach(json_object_get(json_object_get(report->root, "v1"), "checks"), i, check) {
    assert_true(aq_json_get_flag(check, "passed"));
  }
  aq_report_free(report);
  assert_int_equal(access(in_folder("results/validation.json"), F_OK), 0);
  assert_int_equal(access(in_folder("results/validation_summary.md"), F_OK), 0);
  char command[700];
  (void)snprintf(command, sizeof command, "test $(ls -A '%s/results' | wc -l) -eq 2", folder);
  assert_int_equal(system(command), 0);
}

static void validate_keeps_tables_on_request(void **state) {
  (void)state;
  aq_error err;
  aq_validate_options options;
  aq_validate_options_init(&options);
  options.output_dir = in_folder("kept");
  options.types = "int4";
  options.keep_tables = true;
  const aq_status status = aq_validate(in_folder("m.safetensors"), &options, NULL, &err);
  assert_true(status == AQ_OK || status == AQ_ERR_THRESHOLD);
  assert_ok(aq_verify(in_folder("kept/model.v1.parquet"), NULL, NULL, &err));
  assert_ok(aq_verify(in_folder("kept/model.int4.v2.parquet"), NULL, NULL, &err));
  /* The model itself must not be replaced by its own table. */
  assert_int_equal(aq_validate(in_folder("kept/model.v1.parquet"), &options, NULL, &err), AQ_ERR_ARGUMENT);
}

static void validate_refuses_quantized_models_and_unknown_types(void **state) {
  (void)state;
  aq_error err;
  aq_validate_options options;
  aq_validate_options_init(&options);
  options.output_dir = in_folder("none");
  assert_int_equal(aq_validate(in_folder("m8.parquet"), &options, NULL, &err), AQ_ERR_REQUANTIZE);
  options.types = "int8,int5";
  assert_int_equal(aq_validate(in_folder("m.safetensors"), &options, NULL, &err), AQ_ERR_ARGUMENT);
  options.types = "int8, int8";
  assert_int_equal(aq_validate(in_folder("m.safetensors"), &options, NULL, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(access(in_folder("none"), F_OK), -1);
}

static bool stop_at_second_stage(void *ctx, const aq_progress_event *event) {
  (void)ctx;
  return strcmp(event->stage, "quantize") != 0;
}

static void validate_interrupted_leaves_nothing(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  aq_validate_options options;
  aq_validate_options_init(&options);
  options.output_dir = in_folder("stopped");
  options.run.progress = stop_at_second_stage;
  assert_int_equal(aq_validate(in_folder("m.safetensors"), &options, &report, &err), AQ_ERR_INTERRUPTED);
  assert_null(report);
  char command[700];
  (void)snprintf(command, sizeof command, "test -z \"$(ls -A '%s/stopped')\"", folder);
  assert_int_equal(system(command), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(info_lists_tensors_types_and_metadata),
      cmocka_unit_test(info_of_nothing_says_so),
      cmocka_unit_test(verify_sound_file_is_ok),
      cmocka_unit_test(verify_damaged_page_is_found_and_reported),
      cmocka_unit_test(verify_file_of_another_kind_is_an_error),
      cmocka_unit_test(compare_equal_sources_are_equal),
      cmocka_unit_test(compare_quantized_source_is_close_and_tied_tensors_count_once),
      cmocka_unit_test(compare_below_threshold_fails_with_the_report),
      cmocka_unit_test(compare_missing_tensor_fails_by_name),
      cmocka_unit_test(export_of_quantized_table_has_its_values_and_all_tensors),
      cmocka_unit_test(export_narrows_on_request_and_refuses_what_does_not_fit),
      cmocka_unit_test(validate_writes_reports_and_leaves_no_tables),
      cmocka_unit_test(validate_keeps_tables_on_request),
      cmocka_unit_test(validate_refuses_quantized_models_and_unknown_types),
      cmocka_unit_test(validate_interrupted_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
