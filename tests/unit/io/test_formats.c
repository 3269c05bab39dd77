/* test_formats.c - the table of formats: what is read by name, and what models are exported to. */
#include "check.h"
#include "io/formats.h"

static void names_of_files_are_those_of_formats_that_are_read(void **state) {
  (void)state;
  assert_true(aq_formats_know_name("model.safetensors"));
  assert_true(aq_formats_know_name("t.parquet"));
  assert_true(aq_formats_know_name("m.gguf"));
  assert_true(aq_formats_know_name("model.bin"));
  assert_true(aq_formats_know_name("model.pt"));
  assert_true(aq_formats_know_name("model.onnx"));
  assert_false(aq_formats_know_name("openvino_model.bin"));
  assert_false(aq_formats_know_name("parquet"));
}

static void exports_are_found_by_name(void **state) {
  (void)state;
  const aq_file_format *format;
  aq_error err;
  assert_ok(aq_formats_find_export("safetensors", &format, &err));
  assert_ptr_equal(format, &aq_safetensors_format);
  assert_true(format->write->is_export);
}

/* Weight tables are made by convert and quantize, with all that a table says of its model. */
static void other_names_are_refused_with_those_there_are(void **state) {
  (void)state;
  static const char *const names[] = {"parquet", "openvino", "", "Safetensors"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const aq_file_format *format = &aq_table_format;
    aq_error err;
    assert_int_equal(aq_formats_find_export(names[i], &format, &err), AQ_ERR_ARGUMENT);
    assert_null(format);
    assert_non_null(strstr(err.message, "exported to: safetensors, gguf, onnx, compressed-tensors"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_of_files_are_those_of_formats_that_are_read),
      cmocka_unit_test(exports_are_found_by_name),
      cmocka_unit_test(other_names_are_refused_with_those_there_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
