/* test_scratch.c - a file without a name. */
#include "core/scratch.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#include "check.h"
#include "core/memory.h"

static aq_error err;
static char *folder;

static int set_up(void **state) {
  (void)state;
  folder = make_folder();
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  drop_folder(folder);
  return 0;
}

static aq_scratch *create(void) {
  char path[600];
  aq_scratch *s;
  (void)snprintf(path, sizeof path, "%s/output.parquet", folder);
  assert_ok(aq_scratch_create(path, &s, &err));
  return s;
}

static size_t names_in_folder(void) {
  size_t count = 0;
  DIR *d = opendir(folder);
  for (const struct dirent *e; (e = readdir(d)) != NULL;) count += e->d_name[0] != '.' || strlen(e->d_name) > 2;
  (void)closedir(d);
  return count;
}

static void places_keep_what_was_written(void **state) {
  (void)state;
  aq_scratch *s = create();
  const uint64_t a = aq_scratch_reserve(s, 5), b = aq_scratch_reserve(s, 3);
  char read[6] = "";
  assert_ok(aq_scratch_write(s, b, "xyz", 3, &err));
  assert_ok(aq_scratch_write(s, a, "hello", 5, &err));
  assert_ok(aq_scratch_write(s, a + 1, "u", 1, &err));
  assert_ok(aq_scratch_read(s, a, read, 5, &err));
  assert_string_equal(read, "hullo");
  assert_ok(aq_scratch_read(s, b, read, 3, &err));
  assert_memory_equal(read, "xyz", 3);
  aq_scratch_free(s);
}

static void nothing_has_a_name(void **state) {
  (void)state;
  aq_scratch *s = create();
  assert_ok(aq_scratch_write(s, aq_scratch_reserve(s, 3), "abc", 3, &err));
  assert_int_equal(names_in_folder(), 0);
  aq_scratch_free(s);
  aq_scratch_free(NULL);
}

static void what_was_not_written_cannot_be_read(void **state) {
  (void)state;
  char byte;
  aq_scratch *s = create();
  assert_int_equal(aq_scratch_read(s, aq_scratch_reserve(s, 1), &byte, 1, &err), AQ_ERR_IO);
  assert_string_equal(err.file, folder);
  aq_scratch_free(s);
}

static void a_folder_that_is_not_there_is_named(void **state) {
  (void)state;
  char path[600];
  aq_scratch *s;
  (void)snprintf(path, sizeof path, "%s/none/output.parquet", folder);
  assert_int_equal(aq_scratch_create(path, &s, &err), AQ_ERR_NOT_FOUND);
  assert_null(s);
  assert_non_null(strstr(err.file, "none"));
}

/* Without an output it is in $TMPDIR. */
static void the_environment_names_another_folder(void **state) {
  (void)state;
  aq_scratch *s;
  char missing[600];
  (void)snprintf(missing, sizeof missing, "%s/gone", folder);
  assert_int_equal(setenv("TMPDIR", missing, 1), 0);
  assert_int_equal(aq_scratch_create(NULL, &s, &err), AQ_ERR_NOT_FOUND);
  assert_string_equal(err.file, missing);
  assert_int_equal(setenv("TMPDIR", folder, 1), 0);
  assert_ok(aq_scratch_create(NULL, &s, &err));
  aq_scratch_free(s);
  assert_int_equal(unsetenv("TMPDIR"), 0);
}

/* A limit on the size of files stands for a full disk. */
static void a_failed_write_is_an_error(void **state) {
  (void)state;
  struct rlimit before, small;
  aq_scratch *s = create();
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = (struct rlimit){4, before.rlim_max};
  (void)signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  const aq_status status = aq_scratch_write(s, aq_scratch_reserve(s, 8), "12345678", 8, &err);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_true(status != AQ_OK);
  assert_non_null(strstr(err.message, "write to a temporary file"));
  aq_scratch_free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(places_keep_what_was_written),         cmocka_unit_test(nothing_has_a_name),
      cmocka_unit_test(what_was_not_written_cannot_be_read),  cmocka_unit_test(a_folder_that_is_not_there_is_named),
      cmocka_unit_test(the_environment_names_another_folder), cmocka_unit_test(a_failed_write_is_an_error),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
