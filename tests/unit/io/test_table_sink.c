/* test_table_sink.c - which rows a V1 or V2 table takes, and what it refuses. */
#include <sys/stat.h>

#include "check.h"
#include "core/file.h"
#include "io/table/table_sink.h"

static char *folder, path[600];

static int set_up(void **state) {
  (void)state;
  folder = make_folder();
  (void)snprintf(path, sizeof path, "%s/out.parquet", folder);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  drop_folder(folder);
  return 0;
}

static aq_status create_table(const aq_table_options *options, int schema_version, aq_sink **out, aq_error *err) {
  const aq_sink_options o = {.table = options, .schema_version = schema_version};
  return aq_sink_create(&aq_table_sink, path, &o, out, err);
}

static aq_sink *open_table(int schema_version) {
  const aq_table_options options = {.force = true, .codec = "none"};
  aq_sink *sink;
  aq_error err;
  assert_ok(create_table(&options, schema_version, &sink, &err));
  return sink;
}

static void set_bytes(aq_buffer *buffer, size_t size) {
  aq_error err;
  aq_buffer_reset(buffer);
  assert_ok(aq_buffer_reserve(buffer, size, &err));
  memset(buffer->data, 7, size);
  buffer->size = size;
}

/* A valid int4 row of [3, 5], groups of 4. */
static aq_row quantized_row(void) {
  static const int64_t shape[] = {3, 5};
  aq_row row = {.name = "w",
                .dtype = AQ_F32,
                .rank = 2,
                .shape = shape,
                .num_params = 15,
                .quant_type = AQ_INT4,
                .quant_axis = 0,
                .group_size = 4};
  set_bytes(&row.data, 8);
  set_bytes(&row.scales, 16);
  set_bytes(&row.zero_points, 16);
  return row;
}

/* A valid BF16 row of [3, 5]. */
static aq_row kept_row(void) {
  static const int64_t shape[] = {3, 5};
  aq_row row = {.name = "w", .dtype = AQ_BF16, .rank = 2, .shape = shape, .num_params = 15, .quant_axis = -1};
  set_bytes(&row.data, 30);
  return row;
}

static size_t count_in_file(const char *text) {
  char *bytes;
  size_t size, count = 0;
  aq_error err;
  assert_ok(aq_file_slurp(path, (size_t)1 << 24, &bytes, &size, &err));
  for (size_t i = 0; i + strlen(text) <= size; i++) count += memcmp(bytes + i, text, strlen(text)) == 0;
  aq_free(bytes);
  return count;
}

static void v2_rows_valid_are_written_and_emptied(void **state) {
  (void)state;
  aq_error err;
  aq_sink *sink = open_table(2);
  aq_row rows[] = {quantized_row(), kept_row()};
  for (size_t i = 0; i < 2; i++) {
    assert_ok(aq_sink_add(sink, &rows[i], &err));
    assert_null(rows[i].data.data);
    assert_null(rows[i].scales.data);
    assert_null(rows[i].zero_points.data);
  }
  assert_ok(aq_sink_metadata(sink, "arrowquant.plan", "{}", &err));
  uint64_t file_bytes;
  assert_ok(aq_sink_commit(sink, &file_bytes, &err));
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_size, file_bytes);
  assert_int_equal(count_in_file("int4"), 1);
  assert_int_equal(count_in_file("fp16"), 1);
  assert_int_equal(count_in_file("torch.bfloat16"), 1);
  assert_int_equal(count_in_file("torch.float32"), 1);
  assert_int_equal(count_in_file("arrowquant version " AQ_VERSION_STRING), 1);
  assert_int_equal(count_in_file("arrowquant.format_version"), 1);
  assert_int_equal(count_in_file("arrowquant.plan"), 1);
  assert_int_equal(count_in_file("zero_points"), 2); /* in the schema and as the path of its chunk */
}

static void v1_table_has_five_columns_and_ignores_the_others(void **state) {
  (void)state;
  aq_error err;
  aq_sink *sink = open_table(1);
  aq_row row = quantized_row();
  set_bytes(&row.data, 60);
  assert_ok(aq_sink_add(sink, &row, &err));
  assert_ok(aq_sink_commit(sink, NULL, &err));
  assert_int_equal(count_in_file("num_params"), 2);
  assert_int_equal(count_in_file("quant_type"), 0);
}

static void scalars_and_empty_tensors_are_written(void **state) {
  (void)state;
  aq_error err;
  aq_sink *sink = open_table(2);
  static const int64_t empty_shape[] = {0, INT32_MAX};
  aq_row scalar = {.name = "s", .dtype = AQ_I64, .num_params = 1, .quant_axis = -1};
  set_bytes(&scalar.data, 8);
  assert_ok(aq_sink_add(sink, &scalar, &err));
  aq_row empty = {.name = "e", .dtype = AQ_F32, .rank = 2, .shape = empty_shape, .quant_axis = -1};
  assert_ok(aq_sink_add(sink, &empty, &err));
  assert_ok(aq_sink_commit(sink, NULL, &err));
}

/* ---- refusals: each changes one thing of a valid row ---- */

static const int64_t large_shape[] = {(int64_t)INT32_MAX + 1, 0}, negative_shape[] = {-3, -5},
                     huge_shape[] = {INT32_MAX, INT32_MAX, INT32_MAX};

static void no_name(aq_row *row) { row->name = NULL; }
static void empty_name(aq_row *row) { row->name = ""; }
static void latin1_name(aq_row *row) { row->name = "gr\xF6\xDF"; }
static void cut_name(aq_row *row) { row->name = "a\xE2\x82"; }
static void overlong_name(aq_row *row) { row->name = "\xC0\xAF"; }
static void surrogate_name(aq_row *row) { row->name = "\xED\xA0\x80"; }
static void past_unicode_name(aq_row *row) { row->name = "\xF4\x90\x80\x80"; }
static void unknown_dtype(aq_row *row) { row->dtype = (aq_dtype)99; }
static void deep_rank(aq_row *row) { row->rank = AQ_MAX_RANK + 1; }
static void negative_rank(aq_row *row) { row->rank = -1; }
static void other_count(aq_row *row) { row->num_params = 16; }
static void large_dimension(aq_row *row) {
  row->shape = large_shape;
  row->num_params = 0;
}
static void negative_dimension(aq_row *row) { row->shape = negative_shape; }
static void huge_product(aq_row *row) {
  row->shape = huge_shape;
  row->rank = 3;
}
static void short_data(aq_row *row) { row->data.size--; }
static void long_data(aq_row *row) { set_bytes(&row->data, row->data.size + 1); }
static void no_data(aq_row *row) { aq_buffer_reset(&row->data); }
static void short_scales(aq_row *row) { row->scales.size -= 4; }
static void odd_zero_points(aq_row *row) { row->zero_points.size -= 1; }
static void other_axis(aq_row *row) { row->quant_axis = 1; }
static void group_without_axis(aq_row *row) { row->quant_axis = -1; }
static void negative_group(aq_row *row) { row->group_size = -4; }
static void unknown_quant_type(aq_row *row) { row->quant_type = (aq_quant_type)77; }
static void kept_with_scales(aq_row *row) {
  row->quant_type = AQ_KEPT;
  row->quant_axis = -1;
  row->group_size = 0;
  set_bytes(&row->data, 60);
}
static void kept_with_group(aq_row *row) {
  kept_with_scales(row);
  row->scales.size = row->zero_points.size = 0;
  row->group_size = 4;
}
static aq_status never_filled(void *ctx, uint64_t offset, size_t size, uint8_t *out, uint32_t worker, aq_error *err) {
  (void)ctx, (void)offset, (void)size, (void)out, (void)worker, (void)err;
  fail_msg("a row that is refused was filled");
  return AQ_OK;
}
static void filled_to_other_length(aq_row *row) {
  row->fill = never_filled;
  row->data_bytes = 9;
}

static void rows_that_break_the_format_are_refused(void **state) {
  static const struct {
    const char *name;
    void (*change)(aq_row *row);
  } cases[] = {
      {"no name", no_name},
      {"empty name", empty_name},
      {"latin-1 name", latin1_name},
      {"cut name", cut_name},
      {"overlong name", overlong_name},
      {"surrogate name", surrogate_name},
      {"name past Unicode", past_unicode_name},
      {"unknown dtype", unknown_dtype},
      {"deep rank", deep_rank},
      {"negative rank", negative_rank},
      {"other count", other_count},
      {"large dimension", large_dimension},
      {"negative dimension", negative_dimension},
      {"huge product", huge_product},
      {"short data", short_data},
      {"long data", long_data},
      {"no data", no_data},
      {"short scales", short_scales},
      {"odd zero points", odd_zero_points},
      {"other axis", other_axis},
      {"group without axis", group_without_axis},
      {"negative group", negative_group},
      {"unknown quant type", unknown_quant_type},
      {"kept with scales", kept_with_scales},
      {"kept with group", kept_with_group},
      {"filled to other length", filled_to_other_length},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_error err;
    aq_sink *sink = open_table(2);
    aq_row row = quantized_row();
    cases[i].change(&row);
    const aq_status status = aq_sink_add(sink, &row, &err);
    if (status != AQ_ERR_FORMAT) fail_msg("%s: %s", cases[i].name, aq_status_name(status));
    if (row.name != NULL) assert_string_equal(err.tensor, row.name);
    assert_null(row.data.data);
    aq_sink_abort(sink);
  }
}

static void unicode_names_of_every_length_are_written(void **state) {
  (void)state;
  static const char *const names[] = {"w",        "\xC3\xA9",        "\xE2\x82\xAC", "\xEF\xBF\xBF", "\xF0\x9F\x99\x82",
                                      "\x7F\x01", "\xF4\x8F\xBF\xBF"};
  aq_error err;
  aq_sink *sink = open_table(2);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    aq_row row = kept_row();
    row.name = names[i];
    assert_ok(aq_sink_add(sink, &row, &err));
  }
  aq_sink_abort(sink);
}

static void value_past_a_page_is_refused_with_a_hint(void **state) {
  (void)state;
  static const int64_t shape[] = {1 << 16, 1 << 15};
  aq_error err;
  aq_sink *sink = open_table(2);
  aq_row row = {.name = "w",
                .dtype = AQ_I8,
                .rank = 2,
                .shape = shape,
                .num_params = (uint64_t)1 << 31,
                .quant_axis = -1,
                .fill = never_filled,
                .data_bytes = (uint64_t)1 << 31};
  assert_int_equal(aq_sink_add(sink, &row, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.hint, "part"));
  aq_sink_abort(sink);
}

static void options_that_are_wrong_are_refused(void **state) {
  (void)state;
  aq_table_options options = {.force = true, .codec = "gzip"};
  aq_sink *sink;
  aq_error err;
  assert_int_equal(create_table(&options, 2, &sink, &err), AQ_ERR_ARGUMENT);
  assert_null(sink);
  options.codec = NULL;
  assert_int_equal(create_table(&options, 3, &sink, &err), AQ_ERR_ARGUMENT);
  assert_null(sink);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(v2_rows_valid_are_written_and_emptied),
      cmocka_unit_test(v1_table_has_five_columns_and_ignores_the_others),
      cmocka_unit_test(scalars_and_empty_tensors_are_written),
      cmocka_unit_test(rows_that_break_the_format_are_refused),
      cmocka_unit_test(unicode_names_of_every_length_are_written),
      cmocka_unit_test(value_past_a_page_is_refused_with_a_hint),
      cmocka_unit_test(options_that_are_wrong_are_refused),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
