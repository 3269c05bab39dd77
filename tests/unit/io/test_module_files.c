/* test_module_files.c - tensors of safetensors files in a source of another format: names, marks, bytes, failures. */
#include "check.h"
#include "faulty_allocator.h"
#include "temp_folder.h"

#include "core/error.h"
#include "core/memory.h"
#include "io/module_files.h"
#include "io/source_memory.h"
#include "io/source_over.h"

enum { OWN = 7 }; /* marks of the source's own segments are lower */

static aq_error err;
static aq_module_files files;

static aq_status read_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *e) {
  (void)source;
  return aq_source_over_read(aq_module_files_of(&files, segment, OWN), segment, piece, offset, size, out, e);
}

static void close_source(aq_source *source) {
  (void)source;
  aq_module_files_reset(&files);
}

static const aq_source_ops ops = {.close = close_source, .read = read_piece};

static void write_files(void) {
  static const char header[] =
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
      "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}";
  static const float first[] = {1, 2, 3}, second[] = {4, 5, 6};
  (void)temp_write_safetensors("1.safetensors", header, first, sizeof first);
  (void)temp_write_safetensors("2.safetensors", header, second, sizeof second);
}

static aq_status open_both(aq_source **out) {
  *out = NULL;
  AQ_TRY(aq_source_create_empty(&ops, "memory", "test", out, &err));
  AQ_TRY(aq_module_files_add(&files, *out, temp_path("1.safetensors"), "1_Dense/", OWN, &err));
  return aq_module_files_add(&files, *out, temp_path("2.safetensors"), "2_Dense/", OWN, &err);
}

static void tensors_have_the_name_of_their_module(void **state) {
  static const char *const names[] = {"1_Dense/a", "1_Dense/b", "2_Dense/a", "2_Dense/b"};
  static const float last[] = {1, 3, 4, 6};
  aq_source *source;
  (void)state;
  write_files();
  assert_ok(open_both(&source));
  assert_int_equal(source->tensor_count, 4);
  for (size_t i = 0; i < 4; i++) {
    float value;
    assert_string_equal(source->names[i], names[i]);
    assert_ok(aq_source_read_f32(source, i, source->tensors[i].num_params - 1, 1, &value, &err));
    assert_true(value == last[i]);
    assert_ptr_equal(aq_module_files_of(&files, &source->segments[i], OWN), files.sources[i / 2]);
  }
  assert_null(aq_module_files_of(&files, &(aq_segment){.where = {OWN - 1}}, OWN));
  assert_null(aq_module_files_of(&files, &(aq_segment){.where = {OWN + 2}}, OWN));
  assert_true(aq_source_reads_file(source, temp_path("1.safetensors")));
  assert_int_equal(source->file_bytes, files.sources[0]->file_bytes + files.sources[1]->file_bytes);
  aq_source_close(source);
}

static void files_of_other_formats_are_refused(void **state) {
  aq_source *source;
  (void)state;
  write_files();
  assert_ok(open_both(&source));
  assert_int_equal(aq_module_files_add(&files, source, temp_path("1.safetensors"), "1_Dense/", OWN, &err),
                   AQ_ERR_FORMAT); /* again */
  (void)temp_write_text("3.safetensors", "<html>");
  assert_int_equal(aq_module_files_add(&files, source, temp_path("3.safetensors"), "3_Dense/", OWN, &err),
                   AQ_ERR_FORMAT);
  (void)temp_write("3.safetensors", "\x08\x08\x3a\x00", 4); /* an ONNX model without a graph's content */
  assert_int_equal(aq_module_files_add(&files, source, temp_path("3.safetensors"), "3_Dense/", OWN, &err),
                   AQ_ERR_FORMAT);
  aq_source_close(source);
}

/* Every allocation fails once. */
static void faults_leave_nothing(void **state) {
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_status status = AQ_ERR_MEMORY;
  long n = 0;
  (void)state;
  write_files();
  while (status != AQ_OK) {
    aq_source *source;
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, ++n);
    status = open_both(&source);
    if (source != NULL) aq_source_close(source);
    aq_set_allocator(NULL);
    if (atomic_load(&alive) != 0) fail_msg("fault %ld: %ld blocks leaked", n, atomic_load(&alive));
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("fault %ld: %s", n, err.message);
  }
  assert_true(n > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tensors_have_the_name_of_their_module),
      cmocka_unit_test(files_of_other_formats_are_refused),
      cmocka_unit_test(faults_leave_nothing),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
