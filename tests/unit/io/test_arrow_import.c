/* test_arrow_import.c - Arrow streams as sources: every layout that is accepted, every damage that is refused, and what
 * is released when. */
#include "arrow_fixture.h"
#include "core/memory.h"

/* ---- what is accepted ---- */

static void every_encoding_is_read(void **state) {
  (void)state;
  for (int version = 1; version <= 2; version++) {
    for (int how = 0; how < ENCODINGS; how++) {
      for (int shift = 0; shift <= MAX_SHIFT; shift++) {
        build(version, (encoding)how, shift);
        open_and_expect(version);
      }
    }
  }
}

static void values_are_views_into_the_batch(void **state) {
  (void)state;
  build(2, OFFSETS_32, 0);
  aq_source *s;
  aq_tensor t;
  assert_ok(aq_source_open_arrow(&fx.stream, &s, &err));
  assert_ok(aq_source_load(s, 0, &t, &err));
  assert_true(t.is_view);
  assert_ptr_equal(t.data, fx.buffers[AQ_COLUMN_DATA][2]);
  assert_ptr_equal(t.scales, fx.buffers[AQ_COLUMN_SCALES][2]);
  aq_tensor_release(&t);
  aq_source_close(s);
}

static void columns_in_another_order_and_extra_ones_are_read(void **state) {
  (void)state;
  build(2, OFFSETS_32, 0);
  fx.fields[AQ_COLUMNS_V2] = (struct ArrowSchema){.format = "+vl", .name = "comment"};
  fx.field_pointers[AQ_COLUMNS_V2] = fx.field_pointers[0];
  fx.array_pointers[AQ_COLUMNS_V2] = fx.array_pointers[0];
  fx.field_pointers[0] = &fx.fields[AQ_COLUMNS_V2];
  fx.array_pointers[0] = &fx.arrays[AQ_COLUMNS_V2];
  fx.schema.n_children = fx.batch.n_children = AQ_COLUMNS_V2 + 1;
  open_and_expect(2);
}

static void names_may_be_binary_and_have_several_batches(void **state) {
  (void)state;
  build(1, OFFSETS_32, 0);
  fx.fields[AQ_COLUMN_NAME].format = "z";
  open_and_expect(1);
  build(1, OFFSETS_32, 0);
  fx.batches = 0;
  aq_source *s;
  assert_ok(aq_source_open_arrow(&fx.stream, &s, &err));
  assert_int_equal(aq_source_tensor_count(s), 0);
  aq_source_close(s);
  assert_int_equal(fx.streams_released, 1);
}

/* "k" = "value", and a pair that is not text. */
static void metadata_is_taken_over(void **state) {
  (void)state;
  static const char metadata[] = "\2\0\0\0\1\0\0\0k\5\0\0\0value\1\0\0\0x\2\0\0\0\xff\xfe";
  build(1, OFFSETS_32, 0);
  fx.schema.metadata = metadata;
  aq_source *s;
  assert_ok(aq_source_open_arrow(&fx.stream, &s, &err));
  assert_int_equal(aq_source_metadata_count(s), 1);
  assert_string_equal(aq_source_metadata_key(s, 0), "k");
  assert_string_equal(aq_source_metadata_value(s, 0), "value");
  assert_int_equal(s->note_count, 1);
  aq_source_close(s);
}

static void aliases_of_the_metadata_are_tensors(void **state) {
  (void)state;
  static const char metadata[] = "\1\0\0\0\x12\0\0\0arrowquant.aliases\x16\0\0\0{\"t\":\"encoder.weight\"}";
  build(1, OFFSETS_32, 0);
  fx.schema.metadata = metadata;
  aq_source *s;
  assert_ok(aq_source_open_arrow(&fx.stream, &s, &err));
  assert_int_equal(aq_source_tensor_count(s), 3);
  assert_int_equal(aq_source_tensor(s, 2)->alias_of, 0);
  aq_source_close(s);
}

static void missing_axis_and_group_size_have_defaults(void **state) {
  (void)state;
  static const uint8_t only_first[1] = {1}, none[1] = {0};
  build(2, OFFSETS_32, 0);
  fx.buffers[AQ_COLUMN_QUANT_AXIS][0] = only_first;
  fx.arrays[AQ_COLUMN_QUANT_AXIS].null_count = -1; /* not counted */
  fx.buffers[AQ_COLUMN_GROUP_SIZE][0] = none;
  fx.arrays[AQ_COLUMN_GROUP_SIZE].null_count = 2;
  open_and_expect(2);
}

/* ---- what is refused ---- */

static int32_t *offsets_of(aq_column c) { return (int32_t *)(uintptr_t)fx.buffers[c][1]; }
static const uint8_t no_first[1] = {2};

static void null_in(aq_column c) {
  fx.buffers[c][0] = no_first;
  fx.arrays[c].null_count = 1;
}

static void no_struct(void) { fx.schema.format = "u"; }
static void no_format(void) { fx.schema.format = NULL; }
static void no_children(void) { fx.schema.children = NULL; }
static void no_field(void) { fx.field_pointers[3] = NULL; }
static void field_without_format(void) { fx.fields[AQ_COLUMN_DATA].format = NULL; }
static void no_data_column(void) { fx.fields[AQ_COLUMN_DATA].name = "Data"; }
static void nameless_column(void) { fx.fields[AQ_COLUMN_DATA].name = NULL; }
static void bad_metadata(void) { fx.schema.metadata = "\xff\xff\xff\xff"; }
static void bad_metadata_length(void) { fx.schema.metadata = "\1\0\0\0\xff\xff\xff\xff"; }
static void list_view(void) { fx.fields[AQ_COLUMN_SHAPE].format = "+vl"; }
static void list_view_past_the_end(void) {
  static const int32_t offsets[ROWS] = {1, 2}, sizes[ROWS] = {2, 0};
  fx.fields[AQ_COLUMN_SHAPE].format = "+vl";
  fx.arrays[AQ_COLUMN_SHAPE].n_buffers = 3;
  fx.buffers[AQ_COLUMN_SHAPE][1] = offsets;
  fx.buffers[AQ_COLUMN_SHAPE][2] = sizes;
}
static void list_view_negative(void) {
  static const int32_t sizes[ROWS] = {-2, 0};
  list_view_past_the_end();
  fx.buffers[AQ_COLUMN_SHAPE][2] = sizes;
}
static void list_view_without_sizes(void) {
  list_view_past_the_end();
  fx.buffers[AQ_COLUMN_SHAPE][2] = NULL;
}
static void fixed_list_past_the_end(void) {
  fx.fields[AQ_COLUMN_SHAPE].format = "+w:2";
  fx.arrays[AQ_COLUMN_SHAPE].n_buffers = 1;
}
static void fixed_list_endless(void) { fx.fields[AQ_COLUMN_SHAPE].format = "+w:99999999999999999999"; }
static void null_names(void) { fx.fields[AQ_COLUMN_NAME].format = "n"; }
static void decimal_fractions(void) { fx.fields[AQ_COLUMN_NUM_PARAMS].format = "d:38,2"; }
static void decimal_too_wide(void) {
  static const int64_t values[ROWS][2] = {{6, 1}, {1, 0}};
  fx.fields[AQ_COLUMN_NUM_PARAMS].format = "d:38,0";
  fx.buffers[AQ_COLUMN_NUM_PARAMS][1] = values;
}
static void list_of_texts(void) { fx.element.format = "u"; }
static void list_without_item(void) { fx.fields[AQ_COLUMN_SHAPE].n_children = 0; }
static void float_params(void) { fx.fields[AQ_COLUMN_NUM_PARAMS].format = "g"; }
static void unsigned_params(void) {
  fx.fields[AQ_COLUMN_NUM_PARAMS].format = "L";
  *(int64_t *)(uintptr_t)fx.buffers[AQ_COLUMN_NUM_PARAMS][1] = INT64_MIN;
}
static void number_as_name(void) { fx.fields[AQ_COLUMN_NAME].format = "l"; }
static void fixed_size_data(void) { fx.fields[AQ_COLUMN_DATA].format = "w:8"; }
static void dictionary_of_numbers(void) {
  build(2, DICTIONARIES, 0);
  fx.dictionaries[AQ_COLUMN_DTYPE].format = "l";
}
static void run_ends(void) { fx.fields[AQ_COLUMN_DTYPE].format = "+r"; }

static void fewer_columns(void) { fx.batch.n_children--; }
static void no_batch_children(void) { fx.batch.children = NULL; }
static void no_batch_buffers(void) { fx.batch.n_buffers = 0; }
static void negative_batch(void) { fx.batch.length = -1; }
static void negative_batch_offset(void) { fx.batch.offset = -1; }
static void endless_batch(void) { fx.batch.length = INT64_MAX; }
static void no_array(void) { fx.array_pointers[AQ_COLUMN_DTYPE] = NULL; }
static void short_column(void) { fx.arrays[AQ_COLUMN_SCALES].length = 1; }
static void offset_past_the_column(void) { fx.batch.offset = 1; }
static void negative_offset(void) { fx.arrays[AQ_COLUMN_NAME].offset = -1; }
static void huge_offset(void) { fx.arrays[AQ_COLUMN_NAME].offset = INT64_MAX; }
static void two_buffers(void) { fx.arrays[AQ_COLUMN_DATA].n_buffers = 2; }
static void no_buffers(void) { fx.arrays[AQ_COLUMN_DATA].buffers = NULL; }
static void no_offsets(void) { fx.buffers[AQ_COLUMN_DATA][1] = NULL; }
static void no_bytes(void) { fx.buffers[AQ_COLUMN_DATA][2] = NULL; }
static void nulls_without_bitmap(void) { fx.arrays[AQ_COLUMN_DATA].null_count = 1; }
static void too_many_nulls(void) { fx.arrays[AQ_COLUMN_DATA].null_count = 9; }
static void list_without_children(void) { fx.arrays[AQ_COLUMN_SHAPE].n_children = 0; }
static void list_without_elements(void) { fx.element_array_pointer = NULL; }
static void dictionary_not_announced(void) { fx.arrays[AQ_COLUMN_DTYPE].dictionary = &fx.arrays[AQ_COLUMN_NAME]; }
static void dictionary_not_given(void) {
  build(2, DICTIONARIES, 0);
  fx.arrays[AQ_COLUMN_DTYPE].dictionary = NULL;
}
static void falling_offsets(void) { offsets_of(AQ_COLUMN_DATA)[1] = 100; }
static void negative_offsets(void) { offsets_of(AQ_COLUMN_DATA)[0] = -4; }
static void list_past_the_end(void) { offsets_of(AQ_COLUMN_SHAPE)[1] = offsets_of(AQ_COLUMN_SHAPE)[2] = 3; }
static void list_falling(void) { offsets_of(AQ_COLUMN_SHAPE)[0] = 3; }
static void list_item_null(void) {
  static const uint8_t bits[1] = {0x07}; /* the elements have the offset 2: the second one is null */
  fx.element_buffers[0] = bits;
  fx.elements.null_count = 1;
}
static void index_past_dictionary(void) {
  build(2, DICTIONARIES, 0);
  *(int16_t *)(uintptr_t)fx.buffers[AQ_COLUMN_DTYPE][1] = ROWS;
}
static void index_negative(void) {
  build(2, DICTIONARIES, 0);
  *(int16_t *)(uintptr_t)fx.buffers[AQ_COLUMN_DTYPE][1] = -1;
}
static int32_t *view_of_name(void) {
  build(2, VIEWS, 0);
  return (int32_t *)(uintptr_t)fx.buffers[AQ_COLUMN_NAME][1];
}
static void view_negative(void) { view_of_name()[0] = -1; }
static void view_past_buffer(void) { view_of_name()[0] = 15; }
static void view_offset_past_buffer(void) { view_of_name()[3] = INT32_MAX; }
static void view_negative_offset(void) { view_of_name()[3] = -1; }
static void view_of_no_buffer(void) { view_of_name()[2] = 1; }
static void view_negative_buffer(void) { view_of_name()[2] = -1; }
static void view_without_sizes(void) {
  (void)view_of_name();
  fx.buffers[AQ_COLUMN_NAME][3] = NULL;
}

static void null_row(void) {
  fx.batch_buffers[0] = no_first;
  fx.batch.null_count = 1;
}
static void null_name(void) { null_in(AQ_COLUMN_NAME); }
static void null_shape(void) { null_in(AQ_COLUMN_SHAPE); }
static void null_dtype(void) { null_in(AQ_COLUMN_DTYPE); }
static void null_data(void) { null_in(AQ_COLUMN_DATA); }
static void null_params(void) { null_in(AQ_COLUMN_NUM_PARAMS); }
static void null_type(void) { null_in(AQ_COLUMN_QUANT_TYPE); }
static void null_scales(void) { null_in(AQ_COLUMN_SCALES); }
static void null_zero_points(void) { null_in(AQ_COLUMN_ZERO_POINTS); }
static char *name_bytes(void) { return (char *)(uintptr_t)fx.buffers[AQ_COLUMN_NAME][2]; }
static void zero_in_name(void) { name_bytes()[3] = '\0'; }
static void name_not_utf8(void) { name_bytes()[3] = '\xff'; }
static void unknown_dtype(void) { memset((char *)(uintptr_t)fx.buffers[AQ_COLUMN_DTYPE][2], 'x', 13); }
static void wrong_params(void) { *(int64_t *)(uintptr_t)fx.buffers[AQ_COLUMN_NUM_PARAMS][1] = 7; }
static void short_data(void) { offsets_of(AQ_COLUMN_DATA)[1] = 5; }
static void long_scales(void) { offsets_of(AQ_COLUMN_SCALES)[1] = offsets_of(AQ_COLUMN_SCALES)[2] = 12; }
static void huge_shape(void) {
  int32_t *items = (int32_t *)(uintptr_t)fx.element_buffers[1];
  items[2] = items[3] = -1;
}
static void long_shape(void) {
  offsets_of(AQ_COLUMN_SHAPE)[1] = offsets_of(AQ_COLUMN_SHAPE)[2] = 1 << 30;
  fx.elements.length = 1 << 30;
  fx.element_buffers[1] = block(64 * sizeof(int32_t));
}
static void same_name_twice(void) {
  memcpy(name_bytes(), "bbbb", 4);
  offsets_of(AQ_COLUMN_NAME)[1] = 1;
  offsets_of(AQ_COLUMN_NAME)[2] = 2;
}
static void schema_fails(void) {
  fx.schema_error = EINVAL;
  fx.words = "the table was dropped";
}
static void next_fails(void) {
  fx.next_error = EIO;
  fx.words = NULL;
}
static void next_has_no_memory(void) { fx.next_error = ENOMEM; }
static void no_schema(void) { fx.schema.release = NULL; }

static const struct damage {
  void (*make)(void);
  aq_status status;
  const char *words; /* in the message or the hint */
} damages[] = {
    {no_struct, AQ_ERR_FORMAT, "its Arrow format is 'u'"},
    {no_format, AQ_ERR_FORMAT, "its Arrow format is ''"},
    {no_children, AQ_ERR_CORRUPT, "no columns"},
    {no_field, AQ_ERR_CORRUPT, "is not there"},
    {field_without_format, AQ_ERR_FORMAT, "'data' must be binary"},
    {no_data_column, AQ_ERR_FORMAT, "no column data"},
    {nameless_column, AQ_ERR_FORMAT, "no column data"},
    {bad_metadata, AQ_ERR_CORRUPT, "metadata"},
    {bad_metadata_length, AQ_ERR_CORRUPT, "metadata"},
    {list_view, AQ_ERR_CORRUPT, "does not have the buffers"},
    {list_view_past_the_end, AQ_ERR_CORRUPT, "pass the end"},
    {list_view_negative, AQ_ERR_CORRUPT, "do not rise"},
    {list_view_without_sizes, AQ_ERR_CORRUPT, "lacks a buffer"},
    {fixed_list_past_the_end, AQ_ERR_CORRUPT, "pass the end"},
    {fixed_list_endless, AQ_ERR_FORMAT, "'shape' must be a list of int32"},
    {null_names, AQ_ERR_FORMAT, "'layer_name' must be a string"},
    {decimal_fractions, AQ_ERR_FORMAT, "'num_params' must be int64"},
    {decimal_too_wide, AQ_ERR_UNSUPPORTED, "64 bits do not hold"},
    {list_of_texts, AQ_ERR_FORMAT, "'+l' of 'u'"},
    {list_without_item, AQ_ERR_FORMAT, "'shape' must be a list of int32"},
    {float_params, AQ_ERR_FORMAT, "row 0: column 'num_params' has a value that is no whole number"},
    {unsigned_params, AQ_ERR_UNSUPPORTED, "row 0: column 'num_params' has a number of 2^63 or more"},
    {number_as_name, AQ_ERR_FORMAT, "'layer_name' must be a string"},
    {fixed_size_data, AQ_ERR_FORMAT, "format is 'w:8'"},
    {dictionary_of_numbers, AQ_ERR_FORMAT, "'s' of 'l'"},
    {run_ends, AQ_ERR_FORMAT, "format is '+r'"},
    {fewer_columns, AQ_ERR_CORRUPT, "has 9 columns, its schema 10"},
    {no_batch_children, AQ_ERR_CORRUPT, "columns"},
    {no_batch_buffers, AQ_ERR_CORRUPT, "buffers of its type"},
    {negative_batch, AQ_ERR_CORRUPT, "cannot be"},
    {negative_batch_offset, AQ_ERR_CORRUPT, "cannot be"},
    {endless_batch, AQ_ERR_CORRUPT, "cannot be"},
    {no_array, AQ_ERR_CORRUPT, "'dtype' of an Arrow batch is not there"},
    {short_column, AQ_ERR_CORRUPT, "'scales' of an Arrow batch is shorter"},
    {offset_past_the_column, AQ_ERR_CORRUPT, "is shorter"},
    {negative_offset, AQ_ERR_CORRUPT, "cannot be"},
    {huge_offset, AQ_ERR_CORRUPT, "cannot be"},
    {two_buffers, AQ_ERR_CORRUPT, "'data' of an Arrow batch does not have the buffers"},
    {no_buffers, AQ_ERR_CORRUPT, "does not have the buffers"},
    {no_offsets, AQ_ERR_CORRUPT, "lacks a buffer"},
    {no_bytes, AQ_ERR_CORRUPT, "lacks the buffer of its bytes"},
    {nulls_without_bitmap, AQ_ERR_CORRUPT, "nulls"},
    {too_many_nulls, AQ_ERR_CORRUPT, "nulls"},
    {list_without_children, AQ_ERR_CORRUPT, "children"},
    {list_without_elements, AQ_ERR_CORRUPT, "is not there"},
    {dictionary_not_announced, AQ_ERR_CORRUPT, "dictionary of its type"},
    {dictionary_not_given, AQ_ERR_CORRUPT, "dictionary of its type"},
    {falling_offsets, AQ_ERR_CORRUPT, "data has 100 bytes"},
    {negative_offsets, AQ_ERR_CORRUPT, "offsets that do not rise"},
    {list_past_the_end, AQ_ERR_CORRUPT, "pass the end"},
    {list_falling, AQ_ERR_CORRUPT, "do not rise"},
    {list_item_null, AQ_ERR_CORRUPT, "a null in it"},
    {index_past_dictionary, AQ_ERR_CORRUPT, "past its dictionary"},
    {index_negative, AQ_ERR_CORRUPT, "past its dictionary"},
    {view_negative, AQ_ERR_CORRUPT, "outside its buffers"},
    {view_past_buffer, AQ_ERR_CORRUPT, "outside its buffers"},
    {view_offset_past_buffer, AQ_ERR_CORRUPT, "outside its buffers"},
    {view_negative_offset, AQ_ERR_CORRUPT, "outside its buffers"},
    {view_of_no_buffer, AQ_ERR_CORRUPT, "outside its buffers"},
    {view_negative_buffer, AQ_ERR_CORRUPT, "outside its buffers"},
    {view_without_sizes, AQ_ERR_CORRUPT, "sizes of its buffers"},
    {null_row, AQ_ERR_FORMAT, "row 0: the row is null"},
    {null_name, AQ_ERR_FORMAT, "row 0: layer_name is null"},
    {null_shape, AQ_ERR_FORMAT, "shape is null"},
    {null_dtype, AQ_ERR_FORMAT, "dtype is null"},
    {null_data, AQ_ERR_FORMAT, "data is null"},
    {null_params, AQ_ERR_FORMAT, "num_params is null"},
    {null_type, AQ_ERR_FORMAT, "quant_type is null"},
    {null_scales, AQ_ERR_FORMAT, "scales is null"},
    {null_zero_points, AQ_ERR_FORMAT, "zero_points is null"},
    {zero_in_name, AQ_ERR_FORMAT, "layer_name has a zero byte"},
    {name_not_utf8, AQ_ERR_FORMAT, "not UTF-8"},
    {unknown_dtype, AQ_ERR_UNSUPPORTED, "dtype 'xxxxxxxxxxxxx'"},
    {wrong_params, AQ_ERR_FORMAT, "num_params is 7"},
    {short_data, AQ_ERR_CORRUPT, "data has 5 bytes"},
    {long_scales, AQ_ERR_CORRUPT, "scales has 12 bytes"},
    {huge_shape, AQ_ERR_FORMAT, "is not one"},
    {long_shape, AQ_ERR_UNSUPPORTED, "1073741824 dimensions"},
    {same_name_twice, AQ_ERR_FORMAT, "same name"},
    {schema_fails, AQ_ERR_IO, "schema: the table was dropped"},
    {next_fails, AQ_ERR_IO, "next batch: "},
    {next_has_no_memory, AQ_ERR_MEMORY, "next batch"},
    {no_schema, AQ_ERR_CORRUPT, "no schema"},
};

static void every_damage_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
    const struct damage *d = &damages[i];
    aq_source *s = (aq_source *)(uintptr_t)1;
    build(2, OFFSETS_32, 0);
    d->make();
    const aq_status status = aq_source_open_arrow(&fx.stream, &s, &err);
    if (status != d->status || (strstr(err.message, d->words) == NULL && strstr(err.hint, d->words) == NULL))
      fail_msg("damage %zu: %s: %s. %s", i, aq_status_name(status), err.message, err.hint);
    assert_null(s);
    assert_null(fx.stream.release);
    assert_string_equal(err.file, "Arrow stream");
    assert_int_equal(fx.streams_released, 1);
    assert_int_equal(fx.schemas_released, fx.schema_error == 0 && fx.schema.release != NULL ? 1 : 0);
    assert_int_equal(fx.batches_released, fx.given);
    assert_int_equal(aq_source_open_arrow(&fx.stream, &s, NULL), AQ_ERR_ARGUMENT);
  }
}

static void no_stream_is_refused(void **state) {
  (void)state;
  aq_source *s;
  assert_int_equal(aq_source_open_arrow(NULL, &s, &err), AQ_ERR_ARGUMENT);
  assert_null(s);
}

static void row_and_tensor_of_a_failure_are_named(void **state) {
  (void)state;
  build(1, OFFSETS_32, 0);
  offsets_of(AQ_COLUMN_DATA)[2] -= 1;
  aq_source *s;
  assert_int_equal(aq_source_open_arrow(&fx.stream, &s, &err), AQ_ERR_CORRUPT);
  assert_string_equal(err.tensor, "b");
  assert_string_equal(err.message, "row 1: data has 7 bytes; 1 elements of torch.int64 take 8");
}

/* ---- memory ---- */

static long alive, countdown;

static void *failing_reallocate(void *ctx, void *ptr, size_t size) {
  (void)ctx;
  if (countdown-- <= 1) return NULL;
  void *p = realloc(ptr, size);
  if (ptr == NULL && p != NULL) alive++;
  return p;
}

static void counting_release(void *ctx, void *ptr) {
  (void)ctx;
  alive--;
  free(ptr);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  const aq_allocator faulty = {failing_reallocate, counting_release, NULL};
  static const char metadata[] = "\1\0\0\0\1\0\0\0k\5\0\0\0value";
  aq_status status = AQ_ERR_MEMORY;
  for (long n = 1; status != AQ_OK; n++) {
    build(2, DICTIONARIES, 1);
    fx.schema.metadata = metadata;
    aq_source *s = NULL;
    aq_set_allocator(&faulty);
    countdown = n;
    status = aq_source_open_arrow(&fx.stream, &s, &err);
    aq_source_close(s);
    aq_set_allocator(NULL);
    assert_true(status == AQ_OK || status == AQ_ERR_MEMORY);
    assert_int_equal(alive, 0);
    assert_int_equal(fx.streams_released, 1);
    assert_int_equal(fx.batches_released, fx.given);
    assert_true(n < 1000);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(every_encoding_is_read, drop),
      cmocka_unit_test_teardown(values_are_views_into_the_batch, drop),
      cmocka_unit_test_teardown(columns_in_another_order_and_extra_ones_are_read, drop),
      cmocka_unit_test_teardown(names_may_be_binary_and_have_several_batches, drop),
      cmocka_unit_test_teardown(metadata_is_taken_over, drop),
      cmocka_unit_test_teardown(aliases_of_the_metadata_are_tensors, drop),
      cmocka_unit_test_teardown(missing_axis_and_group_size_have_defaults, drop),
      cmocka_unit_test_teardown(every_damage_is_refused, drop),
      cmocka_unit_test_teardown(no_stream_is_refused, drop),
      cmocka_unit_test_teardown(row_and_tensor_of_a_failure_are_named, drop),
      cmocka_unit_test_teardown(every_allocation_may_fail, drop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
