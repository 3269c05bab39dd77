/* test_onnx_initializer.c - models that do not fit one message: their weights are in a second file, at places that the
 * initializers name, and both files appear or none. The limit is lowered, so that small models are too large. */
#include "check.h"
#include "faulty_allocator.h"
#include "onnx_written.h"
#include "temp_folder.h"

#include "core/file.h"
#include "core/memory.h"
#include "io/onnx/onnx_build.h"
#include "io/onnx/onnx_initializer.h"
#include "io/onnx/onnx_layout.h"

static uint64_t model_max;
static aq_sink_type sink_type; /* with that limit */
static quantized_matrix table, matrix;

static aq_status create_limited(const char *path, const aq_sink_options *options, aq_sink **out, aq_error *e) {
  return aq_onnx_sink_create(path, options, model_max, out, e);
}

/* Codes of 4,000 and 1,024 bytes; scales of less than a KiB stay in the model. */
static aq_source *make_model(void) {
  aq_source *source = NULL;
  table = (quantized_matrix){.type = AQ_INT8, .rows = 125, .columns = 32};
  matrix = (quantized_matrix){.type = AQ_INT8, .rows = 32, .columns = 32};
  quantized_fill(&table);
  quantized_fill(&matrix);
  quantized_add(&source, "table.weight", &table);
  quantized_add(&source, "matrix.weight", &matrix);
  sink_type = aq_onnx_sink;
  sink_type.create = create_limited;
  return source;
}

static aq_status make_graph(const aq_source *base, struct aq_onnx_build *b, aq_error *e) {
  (void)base, (void)e;
  aq_onnx_build_input(b, "input_ids");
  const char *x = aq_onnx_build_lookup(b, "rows", 0, "input_ids", 2);
  x = aq_onnx_build_linear(b, "last", 1, AQ_ONNX_NO_TENSOR, x);
  aq_onnx_build_output(b, "out", x, AQ_ONNX_BY_TOKEN, 32);
  return aq_onnx_build_end(b);
}

static aq_status open_stored(const aq_source *model, aq_source **stored) {
  return aq_onnx_export_layout.open_graph(model, AQ_DTYPE_INVALID, make_graph, NULL, stored, &err);
}

static aq_status write_limited(const aq_source *stored, const char *path, uint64_t limit, bool force) {
  model_max = limit;
  return written_file(&sink_type, force, stored, path);
}

static uint64_t size_of(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

static bool has_files(const char *name) {
  char path[64];
  bool found = false;
  static const char *const endings[] = {"", ".partial", "_data", "_data.partial"};
  for (size_t i = 0; i < 4; i++) {
    (void)snprintf(path, sizeof path, "%s%s", name, endings[i]);
    found = found || aq_path_exists(temp_path(path));
  }
  return found;
}

static void places_are_aligned_and_small_weights_stay(void **state) {
  aq_onnx_initializer small = {.name = "a", .shape = {.bytes = 1023}}, large = {.name = "b", .shape = {.bytes = 1024}};
  uint64_t end = 0;
  (void)state;
  assert_true(aq_onnx_initializer_place(&small, "data", &end));
  assert_null(small.location);
  assert_int_equal(end, 0);
  assert_true(aq_onnx_initializer_place(&large, "data", &end));
  assert_string_equal(large.location, "data");
  assert_int_equal(large.offset, 0);
  assert_int_equal(end, 1024);
  assert_true(aq_onnx_initializer_place(&large, "data", &end));
  assert_int_equal(large.offset, 4096);
  assert_int_equal(end, 4096 + 1024);
  end = UINT64_MAX - 4000;
  assert_false(aq_onnx_initializer_place(&large, "data", &end));
  end = 0;
  large.shape.bytes = UINT64_MAX;
  assert_true(aq_onnx_initializer_place(&large, "data", &end));
  assert_false(aq_onnx_initializer_place(&large, "data", &end));
}

static void a_large_model_is_two_files(void **state) {
  aq_source *model = make_model(), *stored, *read;
  (void)state;
  assert_ok(open_stored(model, &stored));
  assert_ok(write_limited(stored, temp_path("one.onnx"), UINT32_MAX, false));
  const uint64_t whole = size_of(temp_path("one.onnx"));
  assert_false(aq_path_exists(temp_path("one.onnx_data")));
  assert_ok(write_limited(stored, temp_path("fits.onnx"), whole + 512, false));
  assert_int_equal(size_of(temp_path("fits.onnx")), whole);
  assert_false(aq_path_exists(temp_path("fits.onnx_data")));
  assert_ok(write_limited(stored, temp_path("two.onnx"), whole - 1, false));
  assert_true(size_of(temp_path("two.onnx")) < whole - 4000);
  assert_int_equal(size_of(temp_path("two.onnx_data")), 4096 + 1024);
  assert_ok(aq_source_open(temp_path("two.onnx"), NULL, &read, &err));
  written_expect(model, 0, read, "table.weight");
  written_expect(model, 1, read, "matrix.weight");
  assert_string_equal(aq_source_metadata_value(read, 0), "value");
  aq_source_close(read);
  aq_source_close(stored);
  aq_source_close(model);
}

static void files_appear_together_or_not_at_all(void **state) {
  aq_source *model = make_model(), *stored;
  (void)state;
  assert_ok(open_stored(model, &stored));
  assert_int_equal(write_limited(stored, temp_path("graph.onnx"), 600, false), AQ_ERR_UNSUPPORTED);
  assert_non_null(strstr(err.message, "the graph without its weights has more than 2 GB"));
  assert_false(has_files("graph.onnx"));
  assert_ok(aq_file_write_all(temp_path("old.onnx_data"), false, "mine", 4, &err));
  assert_int_equal(write_limited(stored, temp_path("old.onnx"), 4000, false), AQ_ERR_EXISTS);
  assert_non_null(strstr(err.file, "old.onnx_data"));
  assert_int_equal(size_of(temp_path("old.onnx_data")), 4);
  assert_false(aq_path_exists(temp_path("old.onnx")) || aq_path_exists(temp_path("old.onnx.partial")));
  assert_ok(write_limited(stored, temp_path("old.onnx"), 4000, true));
  assert_int_equal(size_of(temp_path("old.onnx_data")), 4096 + 1024);
  const char *not_utf8 = temp_path("\xff.onnx");
  assert_int_equal(write_limited(stored, not_utf8, 4000, true), AQ_ERR_ARGUMENT);
  assert_false(has_files("\xff.onnx"));
  aq_source_close(stored);
  aq_source_close(model);
}

/* Every allocation fails once. */
static void faults_leave_nothing(void **state) {
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_source *model = make_model(), *stored;
  aq_status status = AQ_ERR_MEMORY;
  long n = 0;
  (void)state;
  assert_ok(open_stored(model, &stored));
  while (status != AQ_OK) {
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, ++n);
    status = write_limited(stored, temp_path("f.onnx"), 4000, false);
    aq_set_allocator(NULL);
    if (atomic_load(&alive) != 0) fail_msg("fault %ld: %ld blocks leaked", n, atomic_load(&alive));
    if (status != AQ_OK && (status != AQ_ERR_MEMORY || has_files("f.onnx"))) fail_msg("fault %ld", n);
  }
  assert_true(n > 20);
  aq_source_close(stored);
  aq_source_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(places_are_aligned_and_small_weights_stay),
      cmocka_unit_test(a_large_model_is_two_files),
      cmocka_unit_test(files_appear_together_or_not_at_all),
      cmocka_unit_test(faults_leave_nothing),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
