/* test_memory_source.c - sources of the caller's arrays, and the operations that take an open source. */
#include "io/source.h"
#include "temp_folder.h"

static aq_error err;

static aq_tensor_info describe(const char *name, aq_dtype dtype, int32_t rank, const int64_t *shape) {
  aq_tensor_info info = {.name = name, .dtype = dtype, .rank = rank};
  for (int32_t i = 0; i < rank && i < AQ_MAX_RANK; i++) info.shape[i] = shape[i];
  return info;
}

static aq_status add(aq_source *s, const char *name, aq_dtype dtype, int32_t rank, const int64_t *shape,
                     const void *data) {
  const aq_tensor_info info = describe(name, dtype, rank, shape);
  return aq_source_add(s, &info, data, &err);
}

enum { ROWS = 64, COLUMNS = 96, COUNT = ROWS * COLUMNS };
static float matrix[COUNT], copy_of_matrix[COUNT], vector[COLUMNS];

static int fill_arrays(void **state) {
  for (int i = 0; i < COUNT; i++) matrix[i] = copy_of_matrix[i] = (float)(i * 7919 % 2003 - 1001) / 997;
  for (int i = 0; i < COLUMNS; i++) vector[i] = (float)i / 8;
  return temp_setup(state);
}

/* A matrix, a vector, the matrix again. */
static aq_source *model(void) {
  aq_source *s;
  assert_ok(aq_source_create(&s, &err));
  assert_ok(add(s, "w", AQ_F32, 2, (const int64_t[]){ROWS, COLUMNS}, matrix));
  assert_ok(add(s, "b", AQ_F32, 1, (const int64_t[]){COLUMNS}, vector));
  assert_ok(add(s, "tied", AQ_F32, 2, (const int64_t[]){ROWS, COLUMNS}, copy_of_matrix));
  return s;
}

static void added_tensors_are_views_of_the_arrays(void **state) {
  (void)state;
  aq_source *s = model();
  assert_string_equal(aq_source_format(s), "memory");
  assert_int_equal(aq_source_schema_version(s), 0);
  assert_int_equal(aq_source_tensor_count(s), 3);
  assert_int_equal(aq_source_file_bytes(s), 2 * sizeof matrix + sizeof vector);
  assert_int_equal(aq_source_tensor(s, 0)->num_params, COUNT);
  aq_tensor t;
  assert_ok(aq_source_load(s, 0, &t, &err));
  assert_true(t.is_view);
  assert_ptr_equal(t.data, matrix);
  aq_tensor_release(&t);
  float out[3];
  assert_ok(aq_source_read_f32(s, 1, 5, 3, out, &err));
  assert_memory_equal(out, vector + 5, sizeof out);
  aq_source_close(s);
}

static void scalar_empty_and_unaligned_tensors_are_taken(void **state) {
  (void)state;
  static uint8_t bytes[9] = {0, 0, 0, 128, 63}; /* 1.0 at an odd address */
  static const int64_t number = 42;
  aq_source *s;
  float out;
  assert_ok(aq_source_create(&s, &err));
  assert_ok(add(s, "odd", AQ_F32, 1, (const int64_t[]){1}, bytes + 1));
  assert_ok(add(s, "scalar", AQ_I64, 0, NULL, &number));
  assert_ok(add(s, "empty", AQ_F16, 2, (const int64_t[]){0, 7}, NULL));
  assert_ok(aq_source_read_f32(s, 0, 0, 1, &out, &err));
  assert_true(out == 1.0F);
  assert_ok(aq_source_read_f32(s, 1, 0, 1, &out, &err));
  assert_true(out == 42.0F);
  aq_tensor t;
  assert_ok(aq_source_load(s, 2, &t, &err));
  assert_int_equal(t.data_bytes, 0);
  aq_tensor_release(&t);
  aq_source_close(s);
}

static void wrong_tensors_are_refused(void **state) {
  (void)state;
  static const int64_t shape[AQ_MAX_RANK] = {2, 2}, negative[] = {-1}, huge[] = {INT64_MAX, 2};
  const struct {
    aq_tensor_info info;
    const void *data;
    const char *words;
  } rows[] = {{describe(NULL, AQ_F32, 2, shape), matrix, "a name"},
              {describe("", AQ_F32, 2, shape), matrix, "a name"},
              {describe("\xff", AQ_F32, 2, shape), matrix, "UTF-8"},
              {describe("w", AQ_F32, 2, shape), matrix, "already"},
              {describe("x[0:3]", AQ_F32, 2, shape), matrix, "a part"},
              {describe("x", AQ_DTYPE_INVALID, 2, shape), matrix, "dtype"},
              {describe("x", (aq_dtype)99, 2, shape), matrix, "dtype"},
              {describe("x", AQ_F32, -1, shape), matrix, "dimensions"},
              {describe("x", AQ_F32, AQ_MAX_RANK + 1, shape), matrix, "dimensions"},
              {describe("x", AQ_F32, 1, negative), matrix, "shape [-1]"},
              {describe("x", AQ_F32, 2, huge), matrix, "shape"},
              {describe("x", AQ_F64, 1, (const int64_t[]){INT64_MAX / 2}), matrix, "shape"},
              {describe("x", AQ_F32, 2, shape), NULL, "no data"},
              {{.name = "x", .dtype = AQ_F32, .quant_type = AQ_INT8}, matrix, "int8 codes"}};
  aq_source *s = model();
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_int_equal(aq_source_add(s, &rows[i].info, rows[i].data, &err), AQ_ERR_ARGUMENT);
    if (strstr(err.message, rows[i].words) == NULL) fail_msg("%zu: %s", i, err.message);
  }
  assert_int_equal(aq_source_add(s, NULL, matrix, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_source_tensor_count(s), 3);
  assert_int_equal(aq_source_find(s, "x"), -1);
  aq_source_close(s);
}

static void metadata_is_set_and_replaced(void **state) {
  (void)state;
  aq_source *s = model();
  assert_ok(aq_source_set_metadata(s, "format", "pt", &err));
  assert_ok(aq_source_set_metadata(s, "other", "1", &err));
  assert_ok(aq_source_set_metadata(s, "format", "np", &err));
  assert_int_equal(aq_source_metadata_count(s), 2);
  assert_string_equal(aq_source_metadata_value(s, 0), "np");
  assert_int_equal(aq_source_set_metadata(s, "x", "\xff", &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_source_set_metadata(s, NULL, "x", &err), AQ_ERR_ARGUMENT);
  aq_source_close(s);
}

static void count_release(void *ctx) { ++*(int *)ctx; }

static void release_runs_once_after_the_last_hold(void **state) {
  (void)state;
  int released = 0, never = 0;
  aq_source *s = model();
  aq_source_on_release(s, count_release, &never);
  aq_source_on_release(s, count_release, &released);
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  assert_ok(aq_source_export_arrow(s, &stream, &err));
  assert_int_equal(stream.get_next(&stream, &batch), 0);
  assert_int_equal(add(s, "late", AQ_F32, 0, NULL, matrix), AQ_ERR_ARGUMENT);
  aq_source_close(s);
  stream.release(&stream);
  assert_int_equal(released, 0);
  batch.release(&batch);
  assert_int_equal(released, 1);
  assert_int_equal(never, 0);
}

static void file_sources_cannot_be_added_to(void **state) {
  (void)state;
  const char *path = temp_write_safetensors(
      "m.safetensors", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", NULL, 4);
  aq_source *s;
  assert_ok(aq_source_open(path, NULL, &s, &err));
  assert_int_equal(add(s, "x", AQ_F32, 0, NULL, matrix), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_source_set_metadata(s, "k", "v", &err), AQ_ERR_ARGUMENT);
  aq_source_close(s);
}

/* ---- operations on open sources ---- */

static void quantize_source_twice_gives_the_same_file(void **state) {
  (void)state;
  aq_source *s = model(), *a, *b;
  const char *first = temp_path("first.parquet"), *second = temp_path("second.parquet");
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  o.type = "int4";
  assert_ok(aq_quantize_source(s, first, &o, NULL, &err));
  assert_ok(aq_quantize_source(s, second, &o, NULL, &err));
  assert_int_equal(aq_source_tensor(s, 2)->alias_of, -1); /* an operation leaves the source as it was */
  assert_ok(aq_source_open(first, NULL, &a, &err));
  assert_ok(aq_source_open(second, NULL, &b, &err));
  assert_int_equal(aq_source_schema_version(a), 2);
  assert_int_equal(aq_source_file_bytes(a), aq_source_file_bytes(b));
  assert_true(aq_source_find(a, "tied") >= 0);
  assert_true(aq_source_tensor(a, (size_t)aq_source_find(a, "tied"))->alias_of >= 0);
  aq_source_close(a);
  aq_source_close(b);
  aq_source_close(s);
}

static void tensors_added_later_are_searched_for_ties_too(void **state) {
  (void)state;
  aq_source *s = model();
  aq_tensor_info *tied;
  assert_ok(aq_source_find_ties(s, &tied, &err));
  assert_int_equal(tied[2].alias_of, 0);
  aq_free(tied);
  assert_ok(add(s, "again", AQ_F32, 2, (const int64_t[]){ROWS, COLUMNS}, matrix));
  assert_ok(aq_source_find_ties(s, &tied, &err));
  assert_int_equal(tied[3].alias_of, 0);
  assert_int_equal(tied[2].alias_of, 0);
  aq_free(tied);
  aq_source_close(s);
}

static void converted_and_exported_sources_compare_equal(void **state) {
  (void)state;
  aq_source *s = model(), *other;
  const char *table = temp_path("v1.parquet"), *plain = temp_path("out.safetensors");
  aq_compare_options o;
  aq_compare_options_init(&o);
  o.min_cosine = 1;
  aq_report *report;
  assert_ok(aq_convert_source(s, table, NULL, &report, &err));
  aq_report_free(report);
  assert_ok(aq_source_open(table, NULL, &other, &err));
  assert_ok(aq_compare_sources(s, other, &o, &report, &err));
  aq_report_free(report);
  assert_ok(aq_export_source(other, plain, NULL, NULL, &err));
  aq_source_close(other);
  assert_ok(aq_source_open(plain, NULL, &other, &err));
  assert_ok(aq_compare_sources(s, other, &o, NULL, &err));
  assert_ok(aq_compare_sources(s, s, &o, NULL, &err));
  aq_source_close(other);
  aq_source_close(s);
}

static void missing_arguments_are_refused(void **state) {
  (void)state;
  aq_source *s = model();
  assert_int_equal(aq_convert_source(NULL, "x", NULL, NULL, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_convert_source(s, NULL, NULL, NULL, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_quantize_source(NULL, "x", NULL, NULL, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_quantize_source(s, NULL, NULL, NULL, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_export_source(s, NULL, NULL, NULL, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_compare_sources(s, NULL, NULL, NULL, &err), AQ_ERR_ARGUMENT);
  aq_source_close(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(added_tensors_are_views_of_the_arrays),
      cmocka_unit_test(scalar_empty_and_unaligned_tensors_are_taken),
      cmocka_unit_test(wrong_tensors_are_refused),
      cmocka_unit_test(metadata_is_set_and_replaced),
      cmocka_unit_test(release_runs_once_after_the_last_hold),
      cmocka_unit_test(file_sources_cannot_be_added_to),
      cmocka_unit_test(quantize_source_twice_gives_the_same_file),
      cmocka_unit_test(tensors_added_later_are_searched_for_ties_too),
      cmocka_unit_test(converted_and_exported_sources_compare_equal),
      cmocka_unit_test(missing_arguments_are_refused),
  };
  return cmocka_run_group_tests(tests, fill_arrays, temp_teardown);
}
