/* test_onnx_build.c - graphs that are made, their layout and the file: what another part of this library reads of it,
 * and what cannot be written. That ONNX Runtime runs such files is shown by tests/interop/test_onnx_export.py. */
#include <math.h>

#include "check.h"
#include "faulty_allocator.h"
#include "quantized_source.h"
#include "temp_folder.h"

#include "core/memory.h"
#include "io/onnx/onnx_build.h"
#include "io/onnx/onnx_layout.h"
#include "io/onnx/onnx_message.h"
#include "io/onnx/onnx_sink.h"
#include "io/wire.h"

static aq_error err;
static quantized_matrix table, matrix, blocks;

/* A table, a linear layer with a code per row, one of blocks. */
static aq_source *make_model(void) {
  aq_source *source = NULL;
  table = (quantized_matrix){.type = AQ_INT8, .rows = 10, .columns = 32};
  matrix = (quantized_matrix){.type = AQ_INT8, .rows = 6, .columns = 32};
  blocks = (quantized_matrix){.type = AQ_INT4, .rows = 32, .columns = 32, .group = 16};
  quantized_fill(&table);
  quantized_fill(&matrix);
  quantized_fill(&blocks);
  table.zero_points[3] = 0.3F;
  quantized_add(&source, "table.weight", &table);
  quantized_add(&source, "unused.weight", &table);
  quantized_add(&source, "blocks.weight", &blocks);
  quantized_add(&source, "matrix.weight", &matrix);
  return source;
}

static aq_status make_graph(const aq_source *base, struct aq_onnx_build *b, aq_error *e) {
  (void)base, (void)e;
  aq_onnx_build_input(b, "input_ids");
  const char *x = aq_onnx_build_lookup(b, "rows", 0, "input_ids", 2);
  x = aq_onnx_build_linear(b, "first", 2, AQ_ONNX_NO_TENSOR, x);
  x = aq_onnx_build_linear(b, "again", 2, AQ_ONNX_NO_TENSOR, x);
  x = aq_onnx_build_linear(b, "last", 3, AQ_ONNX_NO_TENSOR, x);
  aq_onnx_build_output(b, "out", x, AQ_ONNX_BY_TOKEN, 6);
  return aq_onnx_build_end(b);
}

static aq_status write_file(const aq_source *stored, const char *path) {
  static const aq_table_options options = {.force = true};
  const aq_sink_options o = {.table = &options, .source = stored};
  aq_sink *sink;
  aq_status status = aq_sink_create(&aq_onnx_sink, path, &o, &sink, &err);
  if (status != AQ_OK) return status;
  for (size_t i = 0; status == AQ_OK && i < stored->tensor_count; i++) {
    const aq_tensor_info *t = &stored->tensors[i];
    const aq_row row = {.name = t->name,
                        .dtype = t->dtype,
                        .rank = t->rank,
                        .shape = t->shape,
                        .num_params = t->num_params,
                        .quant_axis = -1};
    status = aq_sink_declare(sink, &row, &err);
  }
  if (status == AQ_OK) status = aq_sink_metadata(sink, "key", "value", &err);
  for (size_t i = 0; status == AQ_OK && i < stored->tensor_count; i++) {
    const aq_tensor_info *t = &stored->tensors[i];
    aq_row row = {.name = t->name,
                  .dtype = t->dtype,
                  .rank = t->rank,
                  .shape = t->shape,
                  .num_params = t->num_params,
                  .quant_axis = -1};
    status = aq_buffer_reserve(&row.data, t->data_bytes, &err);
    if (status == AQ_OK) status = aq_source_read_bytes(stored, i, 0, t->data_bytes, row.data.data, &err);
    row.data.size = t->data_bytes;
    if (status == AQ_OK) status = aq_sink_add(sink, &row, &err);
    aq_row_reset(&row);
  }
  if (status == AQ_OK) return aq_sink_commit(sink, NULL, &err);
  aq_sink_abort(sink);
  return status;
}

static void expect_same(const aq_source *a, size_t i, const aq_source *b, const char *name) {
  const int64_t k = aq_source_find(b, name);
  if (k < 0) fail_msg("no %s", name);
  const aq_tensor_info *t = &a->tensors[i], *u = &b->tensors[k];
  assert_memory_equal(t->shape, u->shape, 2 * sizeof t->shape[0]);
  float x[QUANTIZED_MOST], y[QUANTIZED_MOST];
  assert_ok(aq_source_read_f32(a, i, 0, t->num_params, x, &err));
  assert_ok(aq_source_read_f32(b, (size_t)k, 0, t->num_params, y, &err));
  assert_memory_equal(x, y, t->num_params * sizeof *x);
}

/* The layout has what the graph reads, in the order of the model; the reader finds the weights' own names. */
static void a_file_is_read_back(void **state) {
  static const char *const names[] = {"table.weight_quantized",  "table.weight_scale",  "table.weight_zero_point",
                                      "blocks.weight_quantized", "blocks.weight_scale", "matrix.weight_quantized",
                                      "matrix.weight_scale"};
  static const size_t origins[] = {0, 0, 0, 2, 2, 3, 3};
  aq_source *model = make_model(), *stored, *read;
  (void)state;
  assert_ok(aq_onnx_export_layout.open_graph(model, AQ_DTYPE_INVALID, make_graph, &stored, &err));
  assert_int_equal(stored->tensor_count, 7);
  for (size_t i = 0; i < 7; i++) {
    assert_string_equal(stored->names[i], names[i]);
    assert_int_equal(aq_onnx_export_layout.describe(stored, i).origin, origins[i]);
    assert_int_equal(aq_onnx_export_layout.describe(stored, i).kind, AQ_STORED_CODES);
  }
  assert_ok(write_file(stored, temp_path("a.onnx")));
  assert_ok(aq_source_open(temp_path("a.onnx"), NULL, &read, &err));
  assert_int_equal(read->tensor_count, 3);
  expect_same(model, 0, read, "table.weight");
  expect_same(model, 2, read, "blocks.weight");
  expect_same(model, 3, read, "matrix.weight");
  assert_string_equal(aq_source_metadata_value(read, 0), "value");
  aq_source_close(read);
  aq_source_close(stored);
  aq_source_close(model);
}

static void values_of_other_types_are_refused(void **state) {
  aq_source *model = make_model(), *stored;
  (void)state;
  assert_int_equal(aq_onnx_export_layout.open_graph(model, AQ_BF16, make_graph, &stored, &err), AQ_ERR_UNSUPPORTED);
  assert_null(stored);
  const aq_table_options options = {0};
  const aq_sink_options o = {.table = &options, .source = model}; /* no layout */
  aq_sink *sink;
  assert_int_equal(aq_sink_create(&aq_onnx_sink, temp_path("b.onnx"), &o, &sink, &err), AQ_ERR_INTERNAL);
  aq_source_close(model);
}

/* The first failure stays, and nothing is added behind it. */
static void a_name_is_given_once(void **state) {
  aq_source *model = make_model();
  aq_onnx_build b;
  (void)state;
  assert_ok(aq_onnx_build_init(&b, model, AQ_DTYPE_INVALID, &err));
  aq_onnx_build_input(&b, "matrix.weight_scale");
  const size_t before = b.nodes.size;
  assert_string_equal(aq_onnx_build_linear(&b, "x", 3, AQ_ONNX_NO_TENSOR, "matrix.weight_scale"), "");
  assert_string_equal(aq_onnx_build_int(&b, 1), "");
  aq_onnx_build_output(&b, "out", "x", AQ_ONNX_BY_TOKEN, 6);
  assert_int_equal(aq_onnx_build_end(&b), AQ_ERR_UNSUPPORTED);
  assert_non_null(strstr(err.message, "two values of the graph would have the name 'matrix.weight_scale'"));
  assert_int_equal(b.nodes.size, before);
  aq_onnx_build_reset(&b);
  aq_source_close(model);
}

static void a_weight_has_one_use(void **state) {
  aq_source *model = make_model();
  aq_onnx_build b;
  (void)state;
  assert_ok(aq_onnx_build_init(&b, model, AQ_DTYPE_INVALID, &err));
  const char *rows = aq_onnx_build_lookup(&b, "x", 3, "input_ids", 2);
  assert_string_equal(aq_onnx_build_linear(&b, "y", 3, AQ_ONNX_NO_TENSOR, rows), "");
  assert_int_equal(aq_onnx_build_end(&b), AQ_ERR_UNSUPPORTED);
  assert_string_equal(err.tensor, "matrix.weight");
  aq_onnx_build_reset(&b);
  aq_source_close(model);
}

static aq_status look_up(const aq_source *base, struct aq_onnx_build *b, aq_error *e) {
  (void)e;
  for (size_t i = 0; i < base->tensor_count; i++) (void)aq_onnx_build_lookup(b, NULL, i, "input_ids", 2);
  return aq_onnx_build_end(b);
}

/* Two tensors of 1.2 GB each, of which nothing is ever read. */
static void two_gigabytes_are_the_most(void **state) {
  static const aq_source_ops ops = {.close = quantized_close, .read = aq_memory_read, .view = aq_memory_view};
  aq_source *model, *stored;
  (void)state;
  assert_ok(aq_source_create_empty(&ops, "memory", "memory", &model, &err));
  for (int i = 0; i < 2; i++) {
    aq_tensor_info info = {
        .name = i == 0 ? "a" : "b", .dtype = AQ_F32, .rank = 2, .shape = {300000, 1000}, .alias_of = -1};
    info.num_params = 300000000;
    info.data_bytes = info.num_params * 4;
    const aq_segment segment = {.num_params = info.num_params, .data_bytes = info.data_bytes};
    assert_ok(aq_source_add_tensor(model, &info, &segment, 1, &err));
  }
  assert_ok(aq_onnx_export_layout.open_graph(model, AQ_DTYPE_INVALID, look_up, &stored, &err));
  assert_int_equal(write_file(stored, temp_path("c.onnx")), AQ_ERR_UNSUPPORTED);
  assert_non_null(strstr(err.message, "more than 2 GB"));
  assert_string_equal(err.tensor, "b");
  assert_int_not_equal(access(temp_path("c.onnx"), F_OK), 0);
  aq_source_close(stored);
  aq_source_close(model);
}

/* Every field is what the reader reads. */
static void messages_are_read_back(void **state) {
  static const int64_t numbers[] = {0, 1, 127, 128, -1, INT64_MAX, INT64_MIN};
  aq_buffer message = {NULL, 0, 0}, inside = {NULL, 0, 0};
  aq_wire wire;
  aq_wire_field field;
  aq_file file;
  (void)state;
  for (size_t i = 0; i < 7; i++) assert_ok(aq_onnx_put_number(&message, 15, numbers[i], &err));
  assert_ok(aq_onnx_put_float(&message, 16, -2.5F, &err));
  assert_ok(aq_onnx_put_text(&inside, 1, "text", &err));
  assert_ok(aq_onnx_put_message(&message, 20000, &inside, &err));
  assert_int_equal(inside.size, 0);
  assert_ok(aq_file_open(&file, temp_write("message", message.data, message.size), &err));
  aq_wire_init_file(&wire, &file);
  for (size_t i = 0; i < 7; i++) {
    assert_ok(aq_wire_next(&wire, file.size, &field, &err));
    assert_int_equal(field.number, 15);
    assert_true(field.value == (uint64_t)numbers[i]);
  }
  assert_ok(aq_wire_next(&wire, file.size, &field, &err));
  assert_int_equal(field.type, AQ_WIRE_32);
  assert_int_equal(field.value, 0xc0200000);
  assert_ok(aq_wire_next(&wire, file.size, &field, &err));
  assert_int_equal(field.number, 20000);
  assert_int_equal(field.end - field.begin, 6);
  assert_int_equal(field.end, file.size);
  aq_file_close(&file);
  aq_buffer_reset(&message);
}

/* Every allocation fails once. */
static void faults_leave_nothing(void **state) {
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_source *model = make_model();
  aq_status status = AQ_ERR_MEMORY;
  long n = 0;
  (void)state;
  while (status != AQ_OK) {
    aq_source *stored;
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, ++n);
    status = aq_onnx_export_layout.open_graph(model, AQ_DTYPE_INVALID, make_graph, &stored, &err);
    if (status == AQ_OK) {
      status = write_file(stored, temp_path("d.onnx"));
      aq_source_close(stored);
    }
    aq_set_allocator(NULL);
    if (atomic_load(&alive) != 0) fail_msg("fault %ld: %ld blocks leaked", n, atomic_load(&alive));
    if (status != AQ_OK && (status != AQ_ERR_MEMORY || access(temp_path("d.onnx"), F_OK) == 0))
      fail_msg("fault %ld", n);
  }
  assert_true(n > 20);
  aq_source_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_is_read_back),        cmocka_unit_test(values_of_other_types_are_refused),
      cmocka_unit_test(a_name_is_given_once),       cmocka_unit_test(a_weight_has_one_use),
      cmocka_unit_test(two_gigabytes_are_the_most), cmocka_unit_test(messages_are_read_back),
      cmocka_unit_test(faults_leave_nothing),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
