/* test_export_parts.c - the file of a folder that a tensor is in, and its name there. */
#include "io/source_part.h"
#include "ops/export_parts.h"
#include "source_fixture.h"

static const float values[] = {1, 2, 3};

static aq_source *source_of(const char *const *names, size_t count) {
  aq_source *source = make_source();
  for (size_t i = 0; i < count; i++) add_f32(source, names[i], 3, 0, values);
  return source;
}

/* Modules at these paths; all of one type, which parts do not depend on. */
static void list_modules(const char *const *paths, size_t count, aq_module_list *out) {
  *out = (aq_module_list){.count = count};
  for (size_t i = 0; i < count; i++) out->modules[i] = (aq_module){"Dense", paths[i], "", NULL};
}

static void assert_part(const aq_export_part *part, const char *place, size_t count, const char *first) {
  assert_string_equal(part->place, place);
  assert_int_equal(part->source->tensor_count, count);
  if (count > 0) assert_string_equal(part->source->tensors[0].name, first);
}

static void tensors_are_in_the_file_of_the_longest_path(void **state) {
  (void)state;
  static const char *const names[] = {"a/b/w",  "norm.weight", "2_Dense/linear.weight", "2_Dense2/x",
                                      "a/bc/w", "a/x",         "2_Dense/linear.bias",   "0_T/inner"};
  static const char *const paths[] = {"0_T", "a", "a/b", "2_Dense"};
  aq_module_list modules;
  aq_export_parts parts;
  aq_error err;
  aq_source *source = source_of(names, AQ_COUNT_OF(names));
  list_modules(paths, AQ_COUNT_OF(paths), &modules);
  assert_ok(aq_export_parts_make(source, &modules, "model.safetensors", &parts, &err));
  assert_int_equal(parts.count, 4);
  assert_part(&parts.parts[0], "0_T/model.safetensors", 3, "norm.weight");
  assert_string_equal(parts.parts[0].source->tensors[1].name, "2_Dense2/x");
  assert_string_equal(parts.parts[0].source->tensors[2].name, "0_T/inner");
  assert_part(&parts.parts[1], "a/b/model.safetensors", 1, "w");
  assert_part(&parts.parts[2], "2_Dense/model.safetensors", 2, "linear.weight");
  assert_int_equal(aq_source_part_origin(parts.parts[2].source, 1), 6);
  assert_part(&parts.parts[3], "a/model.safetensors", 2, "bc/w");
  float read[3];
  assert_ok(aq_source_read_f32(parts.parts[2].source, 1, 0, 3, read, &err));
  assert_memory_equal(read, values, sizeof values);
  aq_export_parts_reset(&parts);
  aq_source_close(source);
}

static void paths_that_look_like_files_stay_apart(void **state) {
  (void)state;
  static const char *const names[] = {"d/w", "d/model.safetensors/w", "x"};
  static const char *const paths[] = {"", "d", "d/model.safetensors"};
  aq_module_list modules;
  aq_export_parts parts;
  aq_error err;
  aq_source *source = source_of(names, AQ_COUNT_OF(names));
  list_modules(paths, AQ_COUNT_OF(paths), &modules);
  assert_ok(aq_export_parts_make(source, &modules, "model.safetensors", &parts, &err));
  assert_int_equal(parts.count, 3);
  assert_part(&parts.parts[0], "model.safetensors", 1, "x");
  assert_part(&parts.parts[1], "d/model.safetensors", 1, "w");
  assert_part(&parts.parts[2], "d/model.safetensors/model.safetensors", 1, "w");
  aq_export_parts_reset(&parts);
  aq_source_close(source);
}

static void model_without_tensors_has_a_file(void **state) {
  (void)state;
  const aq_module_list none = {.count = 0};
  aq_export_parts parts;
  aq_error err;
  aq_source *source = make_source();
  assert_ok(aq_export_parts_make(source, &none, "model.safetensors", &parts, &err));
  assert_int_equal(parts.count, 1);
  assert_part(&parts.parts[0], "model.safetensors", 0, NULL);
  aq_export_parts_reset(&parts);
  aq_source_close(source);
}

static void wrappers_end_where_a_part_of_a_name_begins(void **state) {
  (void)state;
  static const struct {
    const char *name, *bare;
  } cases[] = {{"0.auto_model.embeddings.w", "embeddings.w"},
               {"auto_model.w", "w"},
               {"0.model.layers.0.w", "layers.0.w"},
               {"my_auto_model.w", "my_auto_model.w"},
               {"encoder.0.model.w", "encoder.0.model.w"},
               {"10.model.w", "10.model.w"},
               {"0.auto_model.", "0.auto_model."},
               {"model.layers.0.w", "model.layers.0.w"}};
  aq_error err;
  const char *names[AQ_COUNT_OF(cases)];
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) names[i] = cases[i].name;
  aq_source *source = source_of(names, AQ_COUNT_OF(names)), *overlay;
  assert_ok(aq_source_overlay(source, NULL, &overlay, &err));
  assert_ok(aq_export_names_unwrap(overlay, &err));
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    assert_string_equal(overlay->tensors[i].name, cases[i].bare);
    assert_string_equal(source->tensors[i].name, cases[i].name);
  }
  assert_int_equal(overlay->note_count, 1);
  assert_non_null(strstr(overlay->notes[0], "names of 3 tensors are written without '0.auto_model.'"));
  aq_source_close(overlay);
  aq_source_close(source);
}

static void names_that_become_one_are_refused(void **state) {
  (void)state;
  static const char *const names[] = {"w", "auto_model.w"};
  const aq_module_list none = {.count = 0};
  aq_export_parts parts;
  aq_error err;
  aq_source *source = source_of(names, AQ_COUNT_OF(names)), *overlay;
  assert_ok(aq_source_overlay(source, NULL, &overlay, &err));
  assert_ok(aq_export_names_unwrap(overlay, &err));
  assert_int_equal(aq_export_parts_make(overlay, &none, "model.safetensors", &parts, &err), AQ_ERR_FORMAT);
  assert_string_equal(err.tensor, "w");
  assert_int_equal(parts.count, 0);
  aq_source_close(overlay);
  aq_source_close(source);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tensors_are_in_the_file_of_the_longest_path),
      cmocka_unit_test(paths_that_look_like_files_stay_apart),
      cmocka_unit_test(model_without_tensors_has_a_file),
      cmocka_unit_test(wrappers_end_where_a_part_of_a_name_begins),
      cmocka_unit_test(names_that_become_one_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
