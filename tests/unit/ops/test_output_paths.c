/* test_output_paths.c - the files that a quantization writes, checked before it begins. */
#include <sys/stat.h>

#include "arrowquant_experimental.h"
#include "ops/output_paths.h"
#include "source_fixture.h"
#include "temp_folder.h"

static const char header[] = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
static aq_error err;

/* Path of a name in the folder, for the whole test. */
static char *place(const char *name) {
  static char paths[32][600];
  static size_t next;
  char *path = paths[next++ % 32];
  (void)snprintf(path, sizeof paths[0], "%s/%s", temp_folder, name);
  return path;
}

static char *write_place(const char *name, const char *text) {
  (void)temp_write_text(name, text);
  return place(name);
}

/* Checks in the folder, with a model that is a file there. */
static aq_status check(const char *output, const aq_quantize_options *o) {
  aq_source *source;
  assert_ok(aq_source_open(place("m.safetensors"), NULL, &source, &err));
  const aq_status status = aq_output_paths_check(source, output, o, &err);
  aq_source_close(source);
  return status;
}

static int set_up(void **state) {
  (void)temp_setup(state);
  (void)temp_write_safetensors("m.safetensors", header, NULL, 8);
  return 0;
}

/* As operations hand them on. */
static const aq_search_options no_search_options = {.sizeof_options = sizeof no_search_options};

static aq_quantize_options defaults(void) {
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  o.search = &no_search_options;
  return o;
}

static bool exists(const char *name) { return access(place(name), F_OK) == 0; }

static void places_that_are_free_pass_and_stay_free(void **state) {
  (void)state;
  aq_search_options search;
  aq_search_options_init(&search);
  aq_quantize_options o = defaults();
  o.search = &search;
  o.save_plan_path = place("plan");
  search.save_stats_path = place("stats");
  assert_ok(check(place("t.parquet"), &o));
  assert_ok(check(NULL, &o));
  assert_false(exists("t.parquet") || exists("plan") || exists("stats"));
  assert_false(exists("t.parquet.partial") || exists("plan.partial") || exists("stats.partial"));
}

static void existing_files_are_refused_unless_forced(void **state) {
  (void)state;
  aq_quantize_options o = defaults();
  const char *output = write_place("t.parquet", "old");
  assert_int_equal(check(output, &o), AQ_ERR_EXISTS);
  assert_non_null(strstr(err.file, "t.parquet"));
  o.dry_run = true; /* writes no table */
  assert_ok(check(output, &o));
  o.dry_run = false;
  o.table.force = true;
  assert_ok(check(output, &o));
  struct stat info;
  assert_int_equal(stat(output, &info), 0);
  assert_int_equal(info.st_size, 3); /* not touched */
  o.table.force = false;
  o.save_plan_path = write_place("plan", "old");
  assert_int_equal(check(NULL, &o), AQ_ERR_EXISTS);
  assert_non_null(strstr(err.file, "plan"));
}

static void folders_that_are_missing_are_told(void **state) {
  (void)state;
  const aq_quantize_options o = defaults();
  assert_int_equal(check(place("no/t.parquet"), &o), AQ_ERR_IO);
  assert_non_null(strstr(err.file, "no/t.parquet"));
}

static void the_model_is_not_overwritten(void **state) {
  (void)state;
  aq_quantize_options o = defaults();
  o.table.force = true;
  assert_int_equal(check(place("m.safetensors"), &o), AQ_ERR_ARGUMENT);
  o.save_plan_path = place("m.safetensors");
  assert_int_equal(check(NULL, &o), AQ_ERR_ARGUMENT);
}

/* Two of what is written, and what is written beside what is read. */
static void one_name_for_two_files_is_refused(void **state) {
  (void)state;
  aq_search_options search;
  aq_search_options_init(&search);
  aq_quantize_options o = defaults();
  o.search = &search;
  o.table.force = true;
  o.save_plan_path = place("t.parquet");
  assert_int_equal(check(place("./t.parquet"), &o), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "the table"));
  assert_non_null(strstr(err.message, "the plan"));
  search.save_stats_path = place("s");
  o.save_plan_path = place("s");
  assert_int_equal(check(NULL, &o), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "the statistics"));
  o = defaults();
  o.table.force = true;
  o.calib = write_place("texts", "a\n");
  o.save_plan_path = place("texts");
  assert_int_equal(check(NULL, &o), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "the texts"));
}

static void links_to_one_file_are_one_place(void **state) {
  (void)state;
  aq_search_options search;
  aq_search_options_init(&search);
  aq_quantize_options o = defaults();
  o.search = &search;
  o.table.force = true;
  (void)temp_write_text("stats", "x");
  assert_int_equal(symlink(place("stats"), place("link")), 0);
  search.stats_path = place("stats");
  search.save_stats_path = place("link");
  assert_int_equal(check(NULL, &o), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "the statistics that are read"));
}

static void a_plan_may_replace_the_one_it_comes_from(void **state) {
  (void)state;
  aq_quantize_options o = defaults();
  o.table.force = true;
  o.plan_path = write_place("plan", "{}");
  o.save_plan_path = o.plan_path;
  assert_ok(check(place("t.parquet"), &o));
  assert_int_equal(check(o.plan_path, &o), AQ_ERR_ARGUMENT); /* but a table may not */
}

static void names_of_built_in_texts_are_no_files(void **state) {
  (void)state;
  static const char *const words[] = {"builtin", "none"};
  aq_quantize_options o = defaults();
  for (size_t i = 0; i < 2; i++) {
    o.calib = words[i];
    assert_ok(check(place(words[i]), &o));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(places_that_are_free_pass_and_stay_free, set_up, temp_teardown),
      cmocka_unit_test_setup_teardown(existing_files_are_refused_unless_forced, set_up, temp_teardown),
      cmocka_unit_test_setup_teardown(folders_that_are_missing_are_told, set_up, temp_teardown),
      cmocka_unit_test_setup_teardown(the_model_is_not_overwritten, set_up, temp_teardown),
      cmocka_unit_test_setup_teardown(one_name_for_two_files_is_refused, set_up, temp_teardown),
      cmocka_unit_test_setup_teardown(links_to_one_file_are_one_place, set_up, temp_teardown),
      cmocka_unit_test_setup_teardown(a_plan_may_replace_the_one_it_comes_from, set_up, temp_teardown),
      cmocka_unit_test_setup_teardown(names_of_built_in_texts_are_no_files, set_up, temp_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
