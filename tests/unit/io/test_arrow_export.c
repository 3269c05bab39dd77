/* test_arrow_export.c - sources as Arrow streams: what they look like, that reading them back gives the same tensors,
 * that nothing is copied which need not be, and who lives how long. */
#include <errno.h>
#include <pthread.h>

#include "core/memory.h"
#include "io/arrow/arrow_export.h"
#include "io/table/table_row.h"
#include "temp_folder.h"

static aq_error err;

enum { ROWS = 512, COLUMNS = 600, COUNT = ROWS * COLUMNS }; /* more than 1 MiB */
static float large[COUNT], small[COLUMNS];
static const uint16_t halves[4] = {0x3c00, 0xc000, 0x0001, 0x7bff};
static const int64_t number = -5;

static int fill_arrays(void **state) {
  for (int i = 0; i < COUNT; i++) large[i] = (float)(i % 99991 * 7919 % 2003 - 1001) / 997;
  for (int i = 0; i < COLUMNS; i++) small[i] = (float)i / 8;
  return temp_setup(state);
}

static void add(aq_source *s, const char *name, aq_dtype dtype, int32_t rank, int64_t d0, int64_t d1,
                const void *data) {
  const aq_tensor_info info = {.name = name, .dtype = dtype, .rank = rank, .shape = {d0, d1}};
  assert_ok(aq_source_add(s, &info, data, &err));
}

static aq_source *model(void) {
  aq_source *s;
  assert_ok(aq_source_create(&s, &err));
  add(s, "small", AQ_F32, 1, COLUMNS, 0, small);
  add(s, "scalar", AQ_I64, 0, 0, 0, &number);
  add(s, "large", AQ_F32, 2, ROWS, COLUMNS, large);
  add(s, "halves", AQ_F16, 2, 2, 2, halves);
  add(s, "empty", AQ_BF16, 2, 0, 3, NULL);
  add(s, "tied", AQ_F32, 2, ROWS, COLUMNS, large);
  assert_ok(aq_source_set_metadata(s, "format", "pt", &err));
  assert_ok(aq_source_set_metadata(s, "arrowquant.aliases", "{}", &err));
  return s;
}

/* Every tensor, by its name. */
static void expect_equal(const aq_source *a, const aq_source *b) {
  assert_int_equal(aq_source_tensor_count(a), aq_source_tensor_count(b));
  for (size_t i = 0; i < a->tensor_count; i++) {
    const int64_t j = aq_source_find(b, a->names[i]);
    assert_true(j >= 0);
    const aq_tensor_info *x = &a->tensors[i], *y = &b->tensors[j];
    assert_int_equal(x->dtype, y->dtype);
    assert_int_equal(x->quant_type, y->quant_type);
    assert_int_equal(x->rank, y->rank);
    assert_memory_equal(x->shape, y->shape, (size_t)x->rank * sizeof x->shape[0]);
    assert_int_equal(x->quant_axis, y->quant_axis);
    assert_int_equal(x->group_size, y->group_size);
    aq_tensor p, q;
    assert_ok(aq_source_load(a, i, &p, &err));
    assert_ok(aq_source_load(b, (size_t)j, &q, &err));
    assert_int_equal(p.data_bytes, q.data_bytes);
    assert_int_equal(p.num_scales, q.num_scales);
    if (p.data_bytes > 0) assert_memory_equal(p.data, q.data, (size_t)p.data_bytes);
    if (p.num_scales > 0) {
      assert_memory_equal(p.scales, q.scales, (size_t)p.num_scales * sizeof(float));
      assert_memory_equal(p.zero_points, q.zero_points, (size_t)p.num_scales * sizeof(float));
    }
    aq_tensor_release(&p);
    aq_tensor_release(&q);
  }
}

static aq_source *through_arrow(aq_source *s, const aq_arrow_limits *limits) {
  struct ArrowArrayStream stream;
  aq_source *back;
  if (limits != NULL) {
    assert_ok(aq_arrow_export(s, limits, &stream, &err));
  } else {
    assert_ok(aq_source_export_arrow(s, &stream, &err));
  }
  assert_ok(aq_source_open_arrow(&stream, &back, &err));
  return back;
}

static aq_source *open_table(const char *name, const char *type, const char *codec, uint64_t part_bytes) {
  aq_source *s = model(), *table;
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  o.type = type;
  o.table.codec = codec;
  o.table.part_bytes = part_bytes;
  o.table.force = true;
  assert_ok(aq_quantize_source(s, temp_path(name), &o, NULL, &err));
  aq_source_close(s);
  assert_ok(aq_source_open(temp_path(name), NULL, &table, &err));
  return table;
}

/* ---- equal tensors ---- */

static void arrays_come_back_equal(void **state) {
  (void)state;
  aq_source *s = model(), *back = through_arrow(s, NULL);
  assert_int_equal(aq_source_schema_version(back), 1);
  assert_int_equal(aq_source_metadata_count(back), 1); /* aliases are rows */
  assert_string_equal(aq_source_metadata_value(back, 0), "pt");
  expect_equal(s, back);
  aq_source_close(s);
  aq_source_close(back);
}

static void tables_come_back_equal(void **state) {
  (void)state;
  static const struct {
    const char *type, *codec;
    uint64_t part_bytes;
  } rows[] = {{"int8", "none", 0},
              {"int4", "zstd", 0},
              {"int3", "none", 100000},
              {"int2", "zstd", 100000},
              {"fp16", "none", 0}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    aq_source *s = open_table("t.parquet", rows[i].type, rows[i].codec, rows[i].part_bytes);
    aq_source *back = through_arrow(s, NULL);
    assert_int_equal(aq_source_schema_version(back), 2);
    expect_equal(s, back);
    aq_source_close(s);
    aq_source_close(back);
  }
}

static void tensors_beyond_the_limit_come_back_joined(void **state) {
  (void)state;
  static const aq_arrow_limits tiny = {.value_bytes = 10000, .alone_bytes = 9000, .batch_bytes = 30000};
  aq_source *s = model(), *back = through_arrow(s, &tiny);
  const size_t i = (size_t)aq_source_find(back, "large");
  /* 4 slices of 2400 bytes a row */
  assert_int_equal(back->segment_first[i + 1] - back->segment_first[i], ROWS / 4);
  expect_equal(s, back);
  aq_source_close(s);
  aq_source_close(back);
}

static void slice_beyond_the_limit_is_refused(void **state) {
  (void)state;
  static const aq_arrow_limits tiny = {.value_bytes = 2399, .alone_bytes = 9000, .batch_bytes = 30000};
  aq_source *s = model();
  struct ArrowArrayStream stream;
  assert_int_equal(aq_arrow_export(s, &tiny, &stream, &err), AQ_ERR_UNSUPPORTED);
  assert_null(stream.release);
  assert_string_equal(err.tensor, "large");
  aq_source_close(s);
}

static void codes_beyond_the_limit_are_refused(void **state) {
  (void)state;
  static const aq_arrow_limits tiny = {.value_bytes = 50000, .alone_bytes = 9000, .batch_bytes = 30000};
  aq_source *s = open_table("codes.parquet", "int4", "none", 0);
  struct ArrowArrayStream stream;
  assert_int_equal(aq_arrow_export(s, &tiny, &stream, &err), AQ_ERR_UNSUPPORTED);
  aq_source_close(s);
}

static void dimension_beyond_int32_is_refused(void **state) {
  (void)state;
  aq_source *s;
  struct ArrowArrayStream stream;
  assert_ok(aq_source_create(&s, &err));
  add(s, "wide", AQ_F32, 2, 0, (int64_t)1 << 31, NULL);
  assert_int_equal(aq_source_export_arrow(s, &stream, &err), AQ_ERR_UNSUPPORTED);
  assert_null(stream.release);
  aq_source_close(s);
  assert_int_equal(aq_source_export_arrow(NULL, &stream, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_source_export_arrow(NULL, NULL, &err), AQ_ERR_ARGUMENT);
}

/* Kept FP32 tensors that a writer stored as FP16 (docs/FORMAT.md, tolerance) are handed out as FP32. */
static void fp16_under_an_fp32_dtype_is_widened(void **state) {
  (void)state;
  aq_source *s = open_table("narrow.parquet", "fp16", "none", 0), *back;
  const size_t i = (size_t)aq_source_find(s, "large");
  static float expected[COLUMNS], out[COLUMNS];
  assert_int_equal(s->tensors[i].dtype, AQ_F16);
  assert_ok(aq_source_read_f32(s, i, COUNT - COLUMNS, COLUMNS, expected, &err));
  s->tensors[i].dtype = AQ_F32; /* what such a file looks like when it is open */
  s->tensors[i].data_bytes *= 2;
  s->segments[s->segment_first[i]].f16_bits = true;
  back = through_arrow(s, NULL);
  const size_t j = (size_t)aq_source_find(back, "large");
  assert_int_equal(back->tensors[j].dtype, AQ_F32);
  assert_false(back->segments[back->segment_first[j]].f16_bits);
  assert_ok(aq_source_read_f32(back, j, COUNT - COLUMNS, COLUMNS, out, &err));
  assert_memory_equal(out, expected, sizeof out);
  aq_source_close(s);
  aq_source_close(back);
}

/* ---- batches ---- */

static void large_tensors_are_views_and_small_ones_share_a_batch(void **state) {
  (void)state;
  static const struct {
    int64_t rows;
    const void *data;
  } expected[] = {{2, NULL}, {1, large}, {2, NULL}, {1, large}};
  aq_source *s = model();
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  assert_ok(aq_source_export_arrow(s, &stream, &err));
  aq_source_close(s);
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
    assert_int_equal(stream.get_next(&stream, &batch), 0);
    assert_int_equal(batch.length, expected[i].rows);
    assert_int_equal(batch.n_children, AQ_COLUMNS_V1);
    const struct ArrowArray *data = batch.children[AQ_COLUMN_DATA];
    assert_int_equal(data->n_buffers, 3);
    if (expected[i].data != NULL) assert_ptr_equal(data->buffers[2], expected[i].data);
    batch.release(&batch);
    assert_null(batch.release);
  }
  assert_int_equal(stream.get_next(&stream, &batch), 0);
  assert_null(batch.release);
  assert_null(stream.get_last_error(&stream));
  stream.release(&stream);
  assert_null(stream.release);
}

static void codes_and_scales_are_views_of_an_uncompressed_table(void **state) {
  (void)state;
  static const aq_arrow_limits alone = {.value_bytes = 1 << 30, .alone_bytes = 1, .batch_bytes = 1};
  aq_source *s = open_table("view.parquet", "int8", "none", 0);
  aq_source *back = through_arrow(s, &alone);
  const int64_t i = aq_source_find(s, "large"), j = aq_source_find(back, "large");
  aq_tensor p, q;
  assert_ok(aq_source_load(s, (size_t)i, &p, &err));
  assert_ok(aq_source_load(back, (size_t)j, &q, &err));
  assert_true(p.is_view);
  assert_ptr_equal(p.data, q.data);
  assert_ptr_equal(p.scales, q.scales);
  aq_source_close(s); /* the batches keep the file open */
  float out[4];
  assert_ok(aq_source_read_f32(back, (size_t)j, COUNT - 4, 4, out, &err));
  aq_tensor_release(&p);
  aq_tensor_release(&q);
  aq_source_close(back);
}

static void schema_is_that_of_the_format(void **state) {
  (void)state;
  static const char *const formats[] = {"u", "+l", "u", "z", "l", "u", "z", "z", "i", "i"};
  aq_source *s = open_table("schema.parquet", "int8", "none", 0);
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  assert_ok(aq_source_export_arrow(s, &stream, &err));
  aq_source_close(s);
  assert_int_equal(stream.get_schema(&stream, &schema), 0);
  assert_string_equal(schema.format, "+s");
  assert_int_equal(schema.n_children, AQ_COLUMNS_V2);
  for (int i = 0; i < AQ_COLUMNS_V2; i++) {
    assert_string_equal(schema.children[i]->name, aq_column_name((aq_column)i));
    assert_string_equal(schema.children[i]->format, formats[i]);
    assert_int_equal(schema.children[i]->flags, ARROW_FLAG_NULLABLE);
  }
  assert_string_equal(schema.children[1]->children[0]->name, "element");
  assert_non_null(schema.metadata);
  stream.release(&stream); /* the schema does not need it */
  schema.release(&schema);
  assert_null(schema.release);
}

/* ---- lives ---- */

static void count_release(void *ctx) { ++*(int *)ctx; }

/* C data interface: a consumer may move a child out, and releases it by itself. */
static void moved_children_outlive_their_batch_and_schema(void **state) {
  (void)state;
  int released = 0;
  aq_source *s = model();
  aq_source_on_release(s, count_release, &released);
  struct ArrowArrayStream stream;
  struct ArrowArray batch, moved;
  struct ArrowSchema schema, moved_schema;
  assert_ok(aq_source_export_arrow(s, &stream, &err));
  aq_source_close(s);
  assert_int_equal(stream.get_next(&stream, &batch), 0);
  assert_int_equal(stream.get_schema(&stream, &schema), 0);
  stream.release(&stream);
  moved = *batch.children[AQ_COLUMN_SHAPE];
  batch.children[AQ_COLUMN_SHAPE]->release = NULL;
  moved_schema = *schema.children[AQ_COLUMN_SHAPE];
  schema.children[AQ_COLUMN_SHAPE]->release = NULL;
  batch.release(&batch);
  schema.release(&schema);
  assert_int_equal(released, 0);
  assert_int_equal(*(const int32_t *)moved.children[0]->buffers[1], COLUMNS);
  assert_string_equal(moved_schema.children[0]->format, "i");
  moved.release(&moved);
  moved_schema.release(&moved_schema);
  assert_int_equal(released, 1);
}

static void *read_all(void *arg) {
  aq_source *s = arg;
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  if (aq_source_export_arrow(s, &stream, NULL) != AQ_OK) return s;
  do {
    if (stream.get_next(&stream, &batch) != 0) return s;
    if (batch.release != NULL)
      batch.release(&batch);
    else
      break;
  } while (true);
  stream.release(&stream);
  return NULL;
}

static void several_threads_may_read_streams_of_one_source(void **state) {
  (void)state;
  aq_source *s = open_table("threads.parquet", "int4", "zstd", 0);
  pthread_t threads[4];
  void *failed;
  for (size_t i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_all, s), 0);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(pthread_join(threads[i], &failed), 0);
    assert_null(failed);
  }
  aq_source_close(s);
}

/* ---- failures ---- */

static aq_status failing_read(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                              size_t size, void *out, aq_error *e) {
  (void)source;
  (void)segment;
  (void)piece;
  (void)offset;
  (void)size;
  (void)out;
  *e = (aq_error){.code = AQ_ERR_IO, .offset = AQ_ERROR_NO_OFFSET, .row_group = -1, .message = "the disk is on fire"};
  return AQ_ERR_IO;
}

static void failure_to_read_is_told_and_nothing_left_out(void **state) {
  (void)state;
  aq_source *s = model();
  const aq_source_ops *good = s->ops;
  aq_source_ops bad = *good;
  bad.read = failing_read;
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  assert_ok(aq_source_export_arrow(s, &stream, &err));
  s->ops = &bad;
  assert_int_equal(stream.get_next(&stream, &batch), EIO);
  assert_null(batch.release);
  assert_non_null(strstr(stream.get_last_error(&stream), "tensor 'small': the disk is on fire"));
  s->ops = good;
  assert_int_equal(stream.get_next(&stream, &batch), 0);
  assert_int_equal(batch.length, 2);
  batch.release(&batch);
  stream.release(&stream);
  aq_source_close(s);
}

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

static int walk(aq_source *s) {
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  struct ArrowArray batch = {0};
  if (aq_source_export_arrow(s, &stream, &err) != AQ_OK) return err.code == AQ_ERR_MEMORY ? ENOMEM : EIO;
  int code = stream.get_schema(&stream, &schema);
  if (code == 0) schema.release(&schema);
  for (bool more = code == 0; more;) {
    code = stream.get_next(&stream, &batch);
    more = code == 0 && batch.release != NULL;
    if (more) batch.release(&batch);
  }
  stream.release(&stream);
  return code;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  const aq_allocator faulty = {failing_reallocate, counting_release, NULL};
  aq_set_allocator(&faulty);
  countdown = 1000000;
  aq_source *s = model();
  const long before = alive;
  int code = ENOMEM;
  for (long n = 1; code != 0; n++) {
    countdown = n;
    code = walk(s);
    assert_true(code == 0 || code == ENOMEM);
    assert_int_equal(alive, before);
    assert_true(n < 1000);
  }
  aq_source_close(s);
  assert_int_equal(alive, 0);
  aq_set_allocator(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arrays_come_back_equal),
      cmocka_unit_test(tables_come_back_equal),
      cmocka_unit_test(tensors_beyond_the_limit_come_back_joined),
      cmocka_unit_test(slice_beyond_the_limit_is_refused),
      cmocka_unit_test(codes_beyond_the_limit_are_refused),
      cmocka_unit_test(dimension_beyond_int32_is_refused),
      cmocka_unit_test(fp16_under_an_fp32_dtype_is_widened),
      cmocka_unit_test(large_tensors_are_views_and_small_ones_share_a_batch),
      cmocka_unit_test(codes_and_scales_are_views_of_an_uncompressed_table),
      cmocka_unit_test(schema_is_that_of_the_format),
      cmocka_unit_test(moved_children_outlive_their_batch_and_schema),
      cmocka_unit_test(several_threads_may_read_streams_of_one_source),
      cmocka_unit_test(failure_to_read_is_told_and_nothing_left_out),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, fill_arrays, temp_teardown);
}
