/* test_option_table.c - members of the table of options, and how options reach the operations. The table is not part of
 * the library, so its sources are included here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first. */
#include <cmocka.h>
#include <string.h>

#include "io/formats.h"
#include "options/option_table.c"
#include "options/option_values.c"

static const size_t size_of_kind[] = {
    [AQ_OPTION_FLAG] = sizeof(bool),     [AQ_OPTION_TEXT] = sizeof(char *),
    [AQ_OPTION_WORD] = sizeof(char *),   [AQ_OPTION_ENUM] = sizeof(aq_symmetry),
    [AQ_OPTION_LIST] = sizeof(char **),  [AQ_OPTION_TEXTS] = sizeof(aq_text_list),
    [AQ_OPTION_UINT] = sizeof(uint32_t), [AQ_OPTION_SIZE] = sizeof(uint64_t),
    [AQ_OPTION_REAL] = sizeof(double),   [AQ_OPTION_INPUTS] = sizeof(aq_activations *),
};

static void members_have_the_size_of_their_kind(void **state) {
  size_t places = 0;
  (void)state;
  for (const aq_option *o = aq_option_table; o->title != NULL || o->at[0].member != NULL; o++) {
    if (o->title != NULL) continue;
    for (const aq_option_place *p = o->at; p->member != NULL; p++, places++) {
      const bool is_counted = o->kind == AQ_OPTION_LIST || o->kind == AQ_OPTION_INPUTS;
      if (p->size != size_of_kind[o->kind]) fail_msg("%s has %zu bytes", p->member, p->size);
      if (p->offset + p->size > sizeof(aq_option_values) || is_counted != (p->count != 0)) fail_msg("%s", p->member);
    }
  }
  assert_true(places > 70);
}

static void lines_say_what_their_kind_needs(void **state) {
  (void)state;
  for (const aq_option *o = aq_option_table; o->title != NULL || o->at[0].member != NULL; o++) {
    if (o->title != NULL || o->name == NULL) continue;
    const bool has_words = o->kind == AQ_OPTION_WORD || o->kind == AQ_OPTION_ENUM;
    const bool has_range = o->kind == AQ_OPTION_UINT || o->kind == AQ_OPTION_REAL;
    const bool is_alone = o->kind == AQ_OPTION_FLAG || o->sets != NULL;
    if (has_words != (o->words != NULL)) fail_msg("words of --%s", o->name);
    if (has_range != (o->maximum > o->minimum)) fail_msg("range of --%s", o->name);
    if (o->argument == NULL && !is_alone) fail_msg("argument of --%s", o->name);
    if (o->help == NULL) fail_msg("help of --%s", o->name);
  }
}

static void a_member_is_found_in_the_structs_that_are_asked_for(void **state) {
  const uint32_t compare = AQ_OPTIONS_OF(compare), quantize = AQ_OPTIONS_OF(quantize) | AQ_OPTIONS_OF(table);
  (void)state;
  assert_string_equal(aq_option_find_member("force", 5, quantize)->name, "force");
  assert_null(aq_option_find_member("force", 5, compare));
  assert_null(aq_option_find_member("forc", 4, quantize));
  assert_null(aq_option_find_member("type\0x", 6, quantize));
  assert_null(aq_option_find_member("", 0, quantize));
  const aq_option *folder = aq_option_find_member("folder", 6, compare);
  assert_int_equal(aq_option_place_of(folder, compare)->offset, offsetof(aq_option_values, compare.folder));
}

static size_t count_words(const aq_option *option, const char *word) {
  size_t count = 0;
  for (size_t i = 0; option->words[i] != NULL; i++) count += word == NULL || strcmp(option->words[i], word) == 0;
  return count;
}

static void words_of_exports_are_the_formats_that_are_written(void **state) {
  static const aq_file_format *const formats[] = {
#define FORMAT(format) &format,
#include "io/formats.inc"
#undef FORMAT
  };
  const aq_option *option = aq_option_find_member("format", 6, AQ_OPTIONS_OF(export));
  size_t exported = 0;
  (void)state;
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    const bool is_export = formats[i]->write != NULL && formats[i]->write->is_export;
    exported += is_export;
    if (is_export && count_words(option, formats[i]->name) != 1) fail_msg("--to has no '%s'", formats[i]->name);
  }
  assert_int_equal(count_words(option, NULL), exported);
}

static void joined_values_have_run_and_table(void **state) {
  aq_option_values values;
  (void)state;
  aq_option_values_init(&values);
  assert_int_equal(values.search.sizeof_options, sizeof values.search);
  values.run.threads = 3;
  values.table.codec = "none";
  aq_option_values_join(&values);
  assert_int_equal(values.convert.run.threads + values.quantize.run.threads + values.export.run.threads, 9);
  assert_int_equal(values.info.run.threads + values.verify.run.threads + values.compare.run.threads, 9);
  assert_int_equal(values.validate.run.threads + values.sensitivity.run.threads + values.embed.run.threads, 9);
  assert_string_equal(values.convert.table.codec, "none");
  assert_string_equal(values.quantize.table.codec, "none");
  assert_ptr_equal(values.quantize.search, &values.search);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(members_have_the_size_of_their_kind),
      cmocka_unit_test(lines_say_what_their_kind_needs),
      cmocka_unit_test(a_member_is_found_in_the_structs_that_are_asked_for),
      cmocka_unit_test(words_of_exports_are_the_formats_that_are_written),
      cmocka_unit_test(joined_values_have_run_and_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
