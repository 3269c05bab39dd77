/* test_file.c - reading by position and mapped; writing that appears complete or not at all. */
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"

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

static char *in_folder(const char *name) {
  static char paths[4][600];
  static int next;
  char *path = paths[next++ % 4];
  (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void read_past_the_end_is_corrupt(void **state) {
  (void)state;
  aq_error err;
  aq_file f;
  char *path = in_folder("ten"), bytes[10];
  assert_ok(aq_file_write_all(path, false, "0123456789", 10, &err));
  assert_ok(aq_file_open(&f, path, &err));
  assert_int_equal(f.size, 10);
  assert_ok(aq_file_read(&f, 4, 3, bytes, &err));
  assert_memory_equal(bytes, "456", 3);
  assert_int_equal(aq_file_read(&f, 4, 7, bytes, &err), AQ_ERR_CORRUPT);
  assert_string_equal(err.file, path);
  assert_int_equal(aq_file_read(&f, UINT64_MAX, 1, bytes, &err), AQ_ERR_CORRUPT);
  assert_ok(aq_file_map(&f, &err));
  assert_memory_equal(f.map, "0123456789", 10);
  aq_file_close(&f);
  aq_file_close(&f);
}

static void open_names_what_is_wrong(void **state) {
  (void)state;
  aq_error err;
  aq_file f;
  assert_int_equal(aq_file_open(&f, in_folder("absent"), &err), AQ_ERR_NOT_FOUND);
  assert_int_equal(aq_file_open(&f, folder, &err), AQ_ERR_FORMAT);
  assert_string_equal(err.message, "is a folder, not a file");
  assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
  assert_int_equal(aq_file_open(&f, in_folder("pipe"), &err), AQ_ERR_FORMAT);
}

static void empty_file_maps_to_something(void **state) {
  (void)state;
  aq_error err;
  aq_file f;
  assert_ok(aq_file_write_all(in_folder("empty"), false, NULL, 0, &err));
  assert_ok(aq_file_open(&f, in_folder("empty"), &err));
  assert_ok(aq_file_map(&f, &err));
  assert_non_null(f.map);
  aq_file_close(&f);
}

static void slurp_has_a_limit_and_a_zero(void **state) {
  (void)state;
  aq_error err;
  char *text;
  size_t size;
  assert_ok(aq_file_write_all(in_folder("abc"), false, "abc", 3, &err));
  assert_int_equal(aq_file_slurp(in_folder("abc"), 2, &text, &size, &err), AQ_ERR_FORMAT);
  assert_null(text);
  assert_ok(aq_file_slurp(in_folder("abc"), 3, &text, &size, &err));
  assert_string_equal(text, "abc");
  assert_int_equal(size, 3);
  aq_free(text);
}

static void output_appears_only_on_commit(void **state) {
  (void)state;
  aq_error err;
  aq_outfile *out;
  assert_ok(aq_outfile_create(in_folder("out"), false, &out, &err));
  assert_ok(aq_outfile_write(out, "header..", 8, &err));
  static uint8_t big[1 << 20];
  memset(big, 7, sizeof big);
  assert_ok(aq_outfile_write(out, big, sizeof big, &err));
  assert_ok(aq_outfile_write(out, "end", 3, &err));
  assert_int_equal(aq_outfile_offset(out), 8 + sizeof big + 3);
  assert_ok(aq_outfile_write_at(out, 0, "HEAD", 4, &err));
  assert_false(aq_path_exists(in_folder("out")));
  assert_true(aq_path_exists(in_folder("out.partial")));
  assert_ok(aq_outfile_commit(out, &err));
  assert_false(aq_path_exists(in_folder("out.partial")));
  char *text;
  size_t size;
  assert_ok(aq_file_slurp(in_folder("out"), 2 << 20, &text, &size, &err));
  assert_int_equal(size, 8 + sizeof big + 3);
  assert_memory_equal(text, "HEADer..", 8);
  assert_memory_equal(text + size - 4, "\7end", 4);
  aq_free(text);
}

static void existing_output_is_refused_without_force(void **state) {
  (void)state;
  aq_error err;
  aq_outfile *out;
  assert_ok(aq_file_write_all(in_folder("there"), false, "old", 3, &err));
  assert_int_equal(aq_outfile_create(in_folder("there"), false, &out, &err), AQ_ERR_EXISTS);
  assert_null(out);
  assert_int_equal(aq_outfile_create(folder, true, &out, &err), AQ_ERR_EXISTS);
  assert_ok(aq_outfile_create(in_folder("there"), true, &out, &err));
  assert_ok(aq_outfile_write(out, "new", 3, &err));
  aq_outfile_abort(out);
  char *text;
  assert_ok(aq_file_slurp(in_folder("there"), 10, &text, NULL, &err));
  assert_string_equal(text, "old");
  aq_free(text);
  assert_false(aq_path_exists(in_folder("there.partial")));
}

static void partial_of_a_living_writer_is_not_touched(void **state) {
  (void)state;
  aq_error err;
  aq_outfile *first, *second;
  assert_ok(aq_outfile_create(in_folder("two"), false, &first, &err));
  assert_int_equal(aq_outfile_create(in_folder("two"), false, &second, &err), AQ_ERR_EXISTS);
  assert_true(aq_path_exists(in_folder("two.partial")));
  aq_outfile_abort(first);
  assert_ok(aq_file_write_all(in_folder("two.partial"), false, "left behind", 11, &err));
  assert_ok(aq_file_write_all(in_folder("two"), false, "x", 1, &err));
  char *text;
  assert_ok(aq_file_slurp(in_folder("two"), 10, &text, NULL, &err));
  assert_string_equal(text, "x");
  aq_free(text);
}

static void begin_pair(const char *name, const char *beside, aq_outfile *pair[2]) {
  aq_error err;
  assert_ok(aq_outfile_create(in_folder(name), true, &pair[0], &err));
  assert_ok(aq_outfile_create(in_folder(beside), true, &pair[1], &err));
  assert_ok(aq_outfile_write(pair[0], "names", 5, &err));
  assert_ok(aq_outfile_write(pair[1], "bytes", 5, &err));
}

static void two_files_appear_together(void **state) {
  aq_error err;
  aq_outfile *pair[2];
  char *text;
  (void)state;
  assert_ok(aq_file_write_all(in_folder("pair"), false, "old", 3, &err));
  assert_ok(aq_file_write_all(in_folder("pair_data"), false, "old", 3, &err));
  begin_pair("pair", "pair_data", pair);
  assert_ok(aq_outfile_commit_pair(pair[0], pair[1], &err));
  assert_ok(aq_file_slurp(in_folder("pair"), 10, &text, NULL, &err));
  assert_string_equal(text, "names");
  aq_free(text);
  assert_ok(aq_file_slurp(in_folder("pair_data"), 10, &text, NULL, &err));
  assert_string_equal(text, "bytes");
  aq_free(text);
  begin_pair("late", "late_data", pair); /* the second name is taken by a folder in the meantime */
  assert_ok(aq_folder_create(in_folder("late/full"), &err));
  assert_int_equal(aq_outfile_commit_pair(pair[0], pair[1], &err), AQ_ERR_IO);
  assert_non_null(strstr(err.file, "late"));
  assert_false(aq_path_exists(in_folder("late_data")) || aq_path_exists(in_folder("late_data.partial")));
  assert_false(aq_path_exists(in_folder("late.partial")));
}

static void missing_folder_says_so(void **state) {
  (void)state;
  aq_error err;
  aq_outfile *out;
  assert_int_equal(aq_outfile_create(in_folder("no/such/out"), false, &out, &err), AQ_ERR_IO);
  assert_non_null(strstr(err.message, "folder does not exist"));
  assert_ok(aq_folder_create(in_folder("no/such"), &err));
  assert_ok(aq_folder_create(in_folder("no/such"), &err));
  assert_ok(aq_outfile_create(in_folder("no/such/out"), false, &out, &err));
  aq_outfile_abort(out);
}

static void file_size_limit_is_disk_full_and_leaves_nothing(void **state) {
  (void)state;
  aq_error err;
  struct rlimit old, small = {4096, 4096};
  (void)signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small.rlim_max = old.rlim_max;
  static uint8_t big[1 << 20];
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  const aq_status status = aq_file_write_all(in_folder("limited"), false, big, sizeof big, &err);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(status, AQ_ERR_DISK_FULL);
  assert_false(aq_path_exists(in_folder("limited")));
  assert_false(aq_path_exists(in_folder("limited.partial")));
}

static void paths_join_and_part(void **state) {
  (void)state;
  assert_string_equal(aq_path_name("x/y"), "y");
  assert_string_equal(aq_path_name("y"), "y");
  assert_string_equal(aq_path_name("x/"), "");
  char *a = aq_path_join("x/", "y"), *b = aq_path_join("x", "y"), *c = aq_path_parent("x/y"), *d = aq_path_parent("y"),
       *e = aq_path_parent("/y");
  assert_string_equal(a, "x/y");
  assert_string_equal(b, "x/y");
  assert_string_equal(c, "x");
  assert_string_equal(d, ".");
  assert_string_equal(e, "/");
  aq_free(a);
  aq_free(b);
  aq_free(c);
  aq_free(d);
  aq_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(read_past_the_end_is_corrupt),
      cmocka_unit_test(open_names_what_is_wrong),
      cmocka_unit_test(empty_file_maps_to_something),
      cmocka_unit_test(slurp_has_a_limit_and_a_zero),
      cmocka_unit_test(output_appears_only_on_commit),
      cmocka_unit_test(existing_output_is_refused_without_force),
      cmocka_unit_test(partial_of_a_living_writer_is_not_touched),
      cmocka_unit_test(two_files_appear_together),
      cmocka_unit_test(missing_folder_says_so),
      cmocka_unit_test(file_size_limit_is_disk_full_and_leaves_nothing),
      cmocka_unit_test(paths_join_and_part),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
