/* test_options.c - programs that were built with an older or a newer header than the library's. */
#include "check.h"
#include "core/options.h"

/* ---- structs of options ---- */

/* The options of exporting, as the first header had them: without `dtype` and what follows. */
typedef struct older_export_options {
  size_t sizeof_options;
  aq_run_options run;
  const char *format;
} older_export_options;

/* The same as a later header may have them. */
typedef struct newer_export_options {
  aq_export_options known;
  const char *compression;
  uint32_t level;
} newer_export_options;

static void options_of_an_older_caller_are_taken(void **state) {
  (void)state;
  aq_error err;
  struct {
    older_export_options options;
    uint8_t beyond[64];
  } caller;
  memset(&caller, 0xA5, sizeof caller);
  aq_options_init(&caller.options, sizeof caller.options); /* what its init function does */
  for (size_t i = 0; i < sizeof caller.beyond; i++) assert_int_equal(caller.beyond[i], 0xA5);
  caller.options.run.threads = 3;
  caller.options.format = "safetensors";
  aq_export_options taken;
  assert_ok(aq_options_read(&taken, sizeof taken, &caller, &err));
  assert_int_equal(taken.sizeof_options, sizeof taken);
  assert_int_equal(taken.run.threads, 3);
  assert_string_equal(taken.format, "safetensors");
  assert_null(taken.dtype);
  assert_false(taken.force);
}

static void options_of_a_newer_caller_are_taken_when_the_rest_is_zero(void **state) {
  (void)state;
  aq_error err;
  newer_export_options caller;
  aq_options_init(&caller, sizeof caller);
  assert_int_equal(caller.known.sizeof_options, sizeof caller);
  caller.known.dtype = "fp16";
  aq_export_options taken;
  assert_ok(aq_options_read(&taken, sizeof taken, &caller, &err));
  assert_string_equal(taken.dtype, "fp16");
  caller.level = 3;
  assert_int_equal(aq_options_read(&taken, sizeof taken, &caller, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.hint, "newer"));
}

static void sizes_that_were_never_set_are_refused(void **state) {
  (void)state;
  aq_error err;
  aq_export_options caller, taken;
  memset(&caller, 0, sizeof caller);
  assert_int_equal(aq_options_read(&taken, sizeof taken, &caller, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "init"));
  memset(&caller, 0xFF, sizeof caller);
  assert_int_equal(aq_options_read(&taken, sizeof taken, &caller, &err), AQ_ERR_ARGUMENT);
  assert_ok(aq_options_read(&taken, sizeof taken, NULL, &err));
  assert_int_equal(taken.sizeof_options, sizeof taken);
}

/* The whole way: what the older caller asked for is what it gets. */
typedef struct older_convert_options {
  size_t sizeof_options;
  aq_run_options run;
  aq_table_options table;
  const char *dtype;
} older_convert_options;

static void an_operation_does_what_an_older_caller_asks_for(void **state) {
  (void)state;
  aq_error err;
  static const float values[] = {1, 2};
  const aq_tensor_info info = {.name = "w", .dtype = AQ_F32, .rank = 1, .shape = {2}};
  aq_source *source, *table;
  assert_ok(aq_source_create(&source, &err));
  assert_ok(aq_source_add(source, &info, values, &err));
  char *folder = make_folder(), path[600];
  (void)snprintf(path, sizeof path, "%s/out.parquet", folder);
  older_convert_options older;
  aq_options_init(&older, sizeof older);
  older.dtype = "fp16";
  assert_true(sizeof older < sizeof(aq_convert_options));
  assert_ok(aq_convert_source(source, path, (const aq_convert_options *)(const void *)&older, NULL, &err));
  assert_ok(aq_source_open(path, NULL, &table, &err));
  assert_int_equal(aq_source_tensor(table, 0)->dtype, AQ_F16);
  aq_source_close(table);
  aq_source_close(source);
  drop_folder(folder);
}

/* ---- structs inside others: a member that takes reserved room moves nothing ---- */

typedef struct newer_run_options {
  uint32_t threads;
  uint64_t max_memory;
  aq_progress_fn progress;
  void *progress_ctx;
  uint64_t deadline; /* new */
  uint64_t reserved[7];
} newer_run_options;

typedef struct newer_convert_options {
  size_t sizeof_options;
  newer_run_options run;
  aq_table_options table;
  const char *dtype;
  bool keep_unsupported;
} newer_convert_options;

static void a_nested_struct_keeps_its_size_when_it_grows(void **state) {
  (void)state;
  assert_int_equal(sizeof(newer_run_options), sizeof(aq_run_options));
  assert_int_equal(offsetof(newer_convert_options, dtype), offsetof(aq_convert_options, dtype));
}

static void reserved_room_that_is_set_is_refused(void **state) {
  (void)state;
  aq_error err;
  union {
    newer_convert_options newer;
    aq_convert_options known;
  } caller;
  aq_options_init(&caller, sizeof caller.newer);
  caller.newer.dtype = "fp16";
  aq_source *source;
  assert_ok(aq_source_create(&source, &err));
  char *folder = make_folder(), path[600];
  (void)snprintf(path, sizeof path, "%s/out.parquet", folder);
  assert_ok(aq_convert_source(source, path, &caller.known, NULL, &err));
  caller.newer.run.deadline = 5;
  assert_int_equal(aq_convert_source(source, path, &caller.known, NULL, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "reserved members of run"));
  caller.newer.run.deadline = 0;
  caller.newer.table.reserved[7] = 1;
  assert_int_equal(aq_convert_source(source, path, &caller.known, NULL, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "reserved members of table"));
  drop_folder(folder);
  aq_source_close(source);
}

static void reserved_room_of_a_tensor_is_refused(void **state) {
  (void)state;
  aq_error err;
  aq_source *source;
  const float value = 1;
  aq_tensor_info info = {.name = "w", .dtype = AQ_F32, .rank = 1, .shape = {1}};
  assert_ok(aq_source_create(&source, &err));
  info.reserved[2] = 1;
  assert_int_equal(aq_source_add(source, &info, &value, &err), AQ_ERR_ARGUMENT);
  info.reserved[2] = 0;
  assert_ok(aq_source_add(source, &info, &value, &err));
  aq_source_close(source);
}

/* ---- the version ---- */

static void version_number_and_text_agree(void **state) {
  (void)state;
  char text[32];
  const uint32_t number = aq_version_number();
  assert_int_equal(number, AQ_VERSION_NUMBER);
  (void)snprintf(text, sizeof text, "%u.%u.%u", number / 10000, number / 100 % 100, number % 100);
  assert_string_equal(text, aq_version());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_of_an_older_caller_are_taken),
      cmocka_unit_test(options_of_a_newer_caller_are_taken_when_the_rest_is_zero),
      cmocka_unit_test(sizes_that_were_never_set_are_refused),
      cmocka_unit_test(an_operation_does_what_an_older_caller_asks_for),
      cmocka_unit_test(a_nested_struct_keeps_its_size_when_it_grows),
      cmocka_unit_test(reserved_room_that_is_set_is_refused),
      cmocka_unit_test(reserved_room_of_a_tensor_is_refused),
      cmocka_unit_test(version_number_and_text_agree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
