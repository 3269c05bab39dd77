/* test_onnx_build.c - graphs that are made, their layout and the file: what another part of this library reads of it,
 * and what cannot be written. That ONNX Runtime runs such files is shown by tests/interop/test_onnx_export.py. */
#include <math.h>

#include "check.h"
#include "faulty_allocator.h"
#include "onnx_written.h"
#include "quantized_source.h"
#include "temp_folder.h"

#include "core/memory.h"
#include "io/onnx/onnx_build.h"
#include "io/onnx/onnx_layout.h"
#include "io/onnx/onnx_message.h"
#include "io/onnx/onnx_sink.h"
#include "io/wire.h"

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

/* The layout has what the graph reads, in the order of the model; the reader finds the weights' own names. */
static void a_file_is_read_back(void **state) {
  static const char *const names[] = {"table.weight_quantized",  "table.weight_scale",  "table.weight_zero_point",
                                      "blocks.weight_quantized", "blocks.weight_scale", "matrix.weight_quantized",
                                      "matrix.weight_scale"};
  static const size_t origins[] = {0, 0, 0, 2, 2, 3, 3};
  aq_source *model = make_model(), *stored, *read;
  (void)state;
  assert_ok(aq_onnx_export_layout.open_graph(model, AQ_DTYPE_INVALID, make_graph, NULL, &stored, &err));
  assert_int_equal(stored->tensor_count, 7);
  for (size_t i = 0; i < 7; i++) {
    assert_string_equal(stored->names[i], names[i]);
    assert_int_equal(aq_onnx_export_layout.describe(stored, i).origin, origins[i]);
    assert_int_equal(aq_onnx_export_layout.describe(stored, i).kind, AQ_STORED_CODES);
  }
  assert_ok(written_file(&aq_onnx_sink, true, stored, temp_path("a.onnx")));
  assert_ok(aq_source_open(temp_path("a.onnx"), NULL, &read, &err));
  assert_int_equal(read->tensor_count, 3);
  written_expect(model, 0, read, "table.weight");
  written_expect(model, 2, read, "blocks.weight");
  written_expect(model, 3, read, "matrix.weight");
  assert_string_equal(aq_source_metadata_value(read, 0), "value");
  aq_source_close(read);
  aq_source_close(stored);
  aq_source_close(model);
}

static void values_of_other_types_are_refused(void **state) {
  aq_source *model = make_model(), *stored;
  (void)state;
  assert_int_equal(aq_onnx_export_layout.open_graph(model, AQ_BF16, make_graph, NULL, &stored, &err),
                   AQ_ERR_UNSUPPORTED);
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
    status = aq_onnx_export_layout.open_graph(model, AQ_DTYPE_INVALID, make_graph, NULL, &stored, &err);
    if (status == AQ_OK) {
      status = written_file(&aq_onnx_sink, true, stored, temp_path("d.onnx"));
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
      cmocka_unit_test(a_file_is_read_back),    cmocka_unit_test(values_of_other_types_are_refused),
      cmocka_unit_test(a_name_is_given_once),   cmocka_unit_test(a_weight_has_one_use),
      cmocka_unit_test(messages_are_read_back), cmocka_unit_test(faults_leave_nothing),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
