/* test_transform.c - a whole source into a table, by a plan. */
#include <math.h>
#include <sys/stat.h>

#include "core/file.h"
#include "io/safetensors/safetensors_sink.h"
#include "transform/nonfinite.h"
#include "transform/table_estimate.h"
#include "transform_fixture.h"

static aq_error err;

static const aq_tensor_info *info_of(const aq_source *table, size_t tensor) {
  return aq_source_tensor(table, job_find(table, job_names[tensor]));
}

static void read_values(const aq_source *table, size_t tensor, float *out, size_t count) {
  assert_ok(aq_source_read_f32(table, job_find(table, job_names[tensor]), 0, count, out, &err));
}

static void *read_file(size_t *size) {
  FILE *f = fopen(jf.output, "rb");
  assert_non_null(f);
  static char bytes[1 << 16];
  *size = fread(bytes, 1, sizeof bytes, f);
  assert_true(*size < sizeof bytes);
  assert_int_equal(fclose(f), 0);
  char *copy = malloc(*size);
  memcpy(copy, bytes, *size);
  return copy;
}

static bool folder_is_empty(void) {
  char command[700];
  (void)snprintf(command, sizeof command, "test -z \"$(ls -A '%s')\"", temp_folder);
  return system(command) == 0;
}

/* ---- what is written ---- */

static void every_tensor_becomes_what_the_plan_says(void **state) {
  (void)state;
  job_plan("int8");
  const aq_transform job = job_make();
  aq_source *table = job_run(&job);
  assert_int_equal(aq_source_schema_version(table), 2);
  assert_int_equal(aq_source_tensor_count(table), JOB_TENSORS);
  static const aq_quant_type types[JOB_TENSORS] = {AQ_INT8, AQ_INT8, AQ_KEPT, AQ_KEPT, AQ_KEPT, AQ_KEPT, AQ_INT8};
  for (size_t i = 0; i < JOB_TENSORS; i++) {
    const aq_tensor_info *t = info_of(table, i), *from = &jf.source->tensors[i];
    assert_int_equal(t->quant_type, types[i]);
    assert_int_equal(t->dtype, from->dtype);
    assert_int_equal(t->rank, from->rank);
    assert_memory_equal(t->shape, from->shape, sizeof t->shape);
  }
  float values[JOB_ROWS * JOB_COLUMNS], bias[JOB_COLUMNS];
  read_values(table, JOB_MATRIX, values, JOB_ROWS * JOB_COLUMNS);
  for (size_t i = 0; i < JOB_ROWS * JOB_COLUMNS; i++) {
    assert_true(fabsf(values[i] - jf.matrix[i]) <= 1 / 127.0F / 2 + 1e-6F); /* the largest is 1 at most */
  }
  read_values(table, JOB_BIAS, bias, JOB_COLUMNS);
  assert_memory_equal(bias, jf.bias, sizeof bias);
  assert_int_equal(info_of(table, JOB_TIED)->alias_of, job_find(table, job_names[JOB_MATRIX]));
  aq_source_close(table);
}

static void conversion_changes_the_type_of_floats_alone(void **state) {
  (void)state;
  job_plan("bf16");
  aq_transform job = job_make();
  job.schema_version = 1;
  aq_source *table = job_run(&job);
  assert_int_equal(aq_source_schema_version(table), 1);
  assert_int_equal(info_of(table, JOB_MATRIX)->dtype, AQ_BF16);
  assert_int_equal(info_of(table, JOB_STEPS)->dtype, AQ_I64);
  aq_source_close(table);
}

static void threads_and_memory_change_no_byte(void **state) {
  (void)state;
  job_plan("int4");
  const aq_transform job = job_make();
  size_t size = 0, again;
  void *first = NULL;
  for (uint32_t i = 0; i < 4; i++) {
    jf.run.threads = i == 3 ? 2 : i + 1;
    jf.run.max_memory = i == 3 ? (uint64_t)64 << 20 : 0;
    jf.table.force = i > 0;
    assert_ok(aq_transform_run(&job, NULL, &err));
    void *bytes = read_file(&again);
    if (i == 0) {
      first = bytes;
      size = again;
      continue;
    }
    assert_int_equal(again, size);
    assert_memory_equal(bytes, first, size);
    free(bytes);
  }
  free(first);
}

static void parts_are_joined_to_the_same_values(void **state) {
  (void)state;
  job_plan("int8");
  const aq_transform job = job_make();
  float whole[JOB_ROWS * JOB_COLUMNS], parts[JOB_ROWS * JOB_COLUMNS];
  aq_source *table = job_run(&job);
  read_values(table, JOB_MATRIX, whole, JOB_ROWS * JOB_COLUMNS);
  const uint64_t one_row = info_of(table, JOB_MATRIX)->stored_bytes;
  aq_source_close(table);
  jf.table.part_bytes = (uint64_t)JOB_COLUMNS * 4 * 7; /* 7 rows of the matrix */
  jf.table.force = true;
  table = job_run(&job);
  read_values(table, JOB_MATRIX, parts, JOB_ROWS * JOB_COLUMNS);
  assert_memory_equal(parts, whole, sizeof whole); /* a scale a channel: parts have the same ones */
  assert_true(info_of(table, JOB_MATRIX)->stored_bytes > one_row + 5 * 20); /* the headers of five parts more */
  aq_source_close(table);
}

static void other_values_are_written_in_place_of_the_sources(void **state) {
  (void)state;
  job_plan("int8");
  float bias[JOB_COLUMNS], found[JOB_COLUMNS];
  const aq_encoded encoded[JOB_TENSORS] = {[JOB_BIAS] = {.count = JOB_COLUMNS, .type = AQ_KEPT, .values = bias}};
  fill_noise(bias, JOB_COLUMNS, 99);
  aq_transform job = job_make();
  job.encoded = encoded;
  aq_source *table = job_run(&job);
  read_values(table, JOB_BIAS, found, JOB_COLUMNS);
  assert_memory_equal(found, bias, sizeof bias);
  aq_source_close(table);
}

/* ---- values that are not finite ---- */

static void values_that_are_not_finite_are_refused_and_leave_nothing(void **state) {
  (void)state;
  job_plan("int8");
  jf.matrix[5 * JOB_COLUMNS + 2] = NAN;
  const aq_transform job = job_make();
  assert_int_equal(aq_transform_run(&job, NULL, &err), AQ_ERR_NONFINITE);
  assert_string_equal(err.tensor, "matrix");
  assert_non_null(strstr(err.message, "[5, 2]"));
  assert_true(folder_is_empty());
}

static void such_tensors_are_kept_with_those_that_share_their_bytes(void **state) {
  (void)state;
  jf.matrix[7] = INFINITY;
  for (int parts = 0; parts < 2; parts++) {
    job_plan("int8");
    jf.table.part_bytes = parts == 1 ? 1000 : 0;
    jf.table.force = parts == 1;
    const aq_transform job = job_make();
    assert_ok(aq_nonfinite_settle(jf.source, AQ_NONFINITE_KEEP, 2, &jf.plan, &err));
    aq_source *table = job_run(&job);
    float values[JOB_ROWS * JOB_COLUMNS];
    assert_int_equal(info_of(table, JOB_MATRIX)->quant_type, AQ_KEPT);
    assert_int_equal(info_of(table, JOB_HALF)->quant_type, AQ_INT8);
    read_values(table, JOB_MATRIX, values, JOB_ROWS * JOB_COLUMNS);
    assert_memory_equal(values, jf.matrix, sizeof values);
    assert_int_equal(jf.plan.entries[JOB_MATRIX].action, AQ_KEEP);
    assert_int_equal(jf.plan.entries[JOB_TIED].action, AQ_KEEP);
    assert_non_null(strstr(job_metadata(table, "arrowquant.plan"), "\"action\":\"keep\",\"name\":\"tied\""));
    aq_source_close(table);
  }
}

/* ---- the file ---- */

static void an_existing_output_is_left_alone(void **state) {
  (void)state;
  job_plan("int8");
  const aq_transform job = job_make();
  struct stat info;
  (void)temp_write_text("t.parquet", "old");
  assert_int_equal(aq_transform_run(&job, NULL, &err), AQ_ERR_EXISTS);
  assert_int_equal(stat(jf.output, &info), 0);
  assert_int_equal(info.st_size, 3);
  jf.table.force = true;
  aq_source_close(job_run(&job));
}

static bool stop_at_once(void *ctx, const aq_progress_event *event) {
  (void)event;
  ++*(int *)ctx;
  return false;
}

static void caller_can_stop_and_nothing_is_left(void **state) {
  (void)state;
  job_plan("int8");
  int calls = 0;
  jf.run.progress = stop_at_once;
  jf.run.progress_ctx = &calls;
  const aq_transform job = job_make();
  assert_int_equal(aq_transform_run(&job, NULL, &err), AQ_ERR_INTERRUPTED);
  assert_int_equal(calls, 1);
  assert_true(folder_is_empty());
}

/* ---- other sinks ---- */

/* Plain values, nothing tied: what export plans. */
static void plan_plain(aq_plan *plan) {
  for (size_t i = 0; i < plan->count; i++) plan->entries[i].tied = false;
}

static aq_status no_metadata(void *ctx, aq_sink *sink, aq_error *e) {
  (void)ctx, (void)e;
  assert_ptr_equal(sink->type, &aq_safetensors_sink);
  return AQ_OK;
}

static aq_transform plain_job(void) {
  aq_transform job = job_make();
  plan_plain(&jf.plan);
  job.sink = &aq_safetensors_sink;
  job.put_metadata = no_metadata;
  return job;
}

static void values_become_a_safetensors_file_with_every_tensor(void **state) {
  (void)state;
  job_plan("bf16");
  const aq_transform job = plain_job();
  uint64_t bytes = 0;
  struct stat info;
  float tied[JOB_ROWS * JOB_COLUMNS];
  assert_ok(aq_transform_run(&job, &bytes, &err));
  assert_int_equal(stat(jf.output, &info), 0);
  assert_int_equal(info.st_size, bytes);
  aq_source *file = job_open();
  assert_string_equal(aq_source_format(file), "safetensors");
  for (size_t i = 0; i < JOB_TENSORS; i++) {
    const bool converted = i == JOB_MATRIX || i == JOB_HALF || i == JOB_TIED;
    assert_int_equal(info_of(file, i)->dtype, converted ? AQ_BF16 : jf.source->tensors[i].dtype);
    assert_int_equal(info_of(file, i)->alias_of, -1);
  }
  read_values(file, JOB_TIED, tied, JOB_ROWS * JOB_COLUMNS);
  for (size_t i = 0; i < JOB_ROWS * JOB_COLUMNS; i++) assert_true(fabsf(tied[i] - jf.matrix[i]) <= 0x1p-8F);
  aq_source_close(file);
}

static void codes_that_a_format_cannot_hold_are_refused_before_a_row_is_made(void **state) {
  (void)state;
  job_plan("int8");
  jf.matrix[0] = NAN; /* which would be the error of the first row */
  const aq_transform job = plain_job();
  assert_int_equal(aq_transform_run(&job, NULL, &err), AQ_ERR_UNSUPPORTED);
  assert_string_equal(err.tensor, "matrix");
  assert_true(folder_is_empty());
}

/* A tensor that is held, and the same one streamed, in little memory and by more threads. */
static void large_rows_are_streamed_to_the_same_file(void **state) {
  (void)state;
  enum { ROWS = 1300, COLUMNS = 1111 };
  float *values = malloc(sizeof(float) * ROWS * COLUMNS);
  fill_noise(values, (size_t)ROWS * COLUMNS, 8);
  aq_source_close(jf.source);
  jf.source = make_source();
  add_f32(jf.source, "a", ROWS, COLUMNS, values);
  add_f32(jf.source, "b", 3, 7, values);
  static const char *const types[] = {"fp16", "fp32"};
  for (size_t i = 0; i < 2; i++) {
    size_t sizes[2] = {0, 0};
    char *bytes[2];
    for (int streamed = 0; streamed < 2; streamed++) {
      job_plan(types[i]);
      aq_transform job = plain_job();
      aq_sink_type held = aq_safetensors_sink;
      held.held_bytes = 0; /* as many rows as memory allows */
      if (!streamed) job.sink = &held;
      jf.run.max_memory = streamed ? (uint64_t)24 << 20 : 0;
      jf.run.threads = streamed ? 3 : 1;
      jf.table.force = true;
      assert_ok(aq_transform_run(&job, NULL, &err));
      assert_ok(aq_file_slurp(jf.output, (size_t)1 << 28, &bytes[streamed], &sizes[streamed], &err));
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    aq_free(bytes[0]);
    aq_free(bytes[1]);
  }
  free(values);
}

/* ---- work beside the rows ---- */

static aq_status count_item(void *ctx, uint64_t item, uint32_t worker, aq_error *e) {
  (void)worker, (void)e;
  ((int *)ctx)[item]++; /* an item is one worker's */
  return AQ_OK;
}

static void side_work_is_done_once_with_rows_and_without(void **state) {
  (void)state;
  for (int empty = 0; empty < 2; empty++) {
    int done[3] = {0, 0, 0};
    if (empty) {
      aq_source_close(jf.source);
      jf.source = make_source();
      add_f32(jf.source, "none", 0, 4, NULL);
    }
    job_plan("int8");
    jf.table.force = true;
    aq_transform job = job_make();
    job.side = (aq_side_work){count_item, done, 3};
    aq_source_close(job_run(&job));
    for (size_t i = 0; i < 3; i++) assert_int_equal(done[i], 1);
  }
}

/* ---- estimates ---- */

static void bytes_of_a_tensor_follow_its_entry(void **state) {
  (void)state;
  const aq_tensor_info *t = &jf.source->tensors[JOB_MATRIX];
  const uint64_t count = JOB_ROWS * JOB_COLUMNS;
  static const struct {
    const char *type, *per;
    uint64_t bits, scales;
  } cases[] = {
      {"int8", "channel", 8, JOB_ROWS}, {"int3", "tensor", 3, 1}, {"int4", "group", 4, 60}, {"fp16", NULL, 16, 0}};
  for (size_t i = 0; i < 4; i++) {
    const aq_quantize_options o = plan_options(cases[i].type, cases[i].per, i == 2 ? 32 : 0, NULL);
    aq_plan plan = make_plan(jf.source, &o);
    assert_int_equal(aq_plan_entry_bytes(t, &plan.entries[JOB_MATRIX]),
                     count * cases[i].bits / 8 + 8 * cases[i].scales);
    aq_plan_reset(&plan);
  }
  const aq_plan_entry kept = {.action = AQ_KEEP};
  assert_int_equal(aq_plan_entry_bytes(t, &kept), count * 4);
}

static void an_estimate_is_no_less_than_the_file(void **state) {
  (void)state;
  static const char *const types[] = {"int8", "int2", "fp32"};
  jf.table.codec = "none";
  for (size_t i = 0; i < 3; i++) {
    aq_table_estimate estimate;
    struct stat info;
    uint64_t bytes = 0;
    job_plan(types[i]);
    jf.table.force = i > 0;
    const aq_transform job = job_make();
    assert_ok(aq_table_estimate_make(&job, &jf.metadata, &estimate, &err));
    aq_source *table = job_run(&job);
    for (size_t k = 0; k < aq_source_tensor_count(table); k++) bytes += aq_source_tensor(table, k)->stored_bytes;
    assert_in_range(bytes, estimate.file_bytes, estimate.file_bytes + 1000); /* page headers */
    assert_int_equal(stat(jf.output, &info), 0);
    const uint64_t most = estimate.file_bytes + estimate.overhead_bytes;
    assert_in_range((uint64_t)info.st_size, most / 4, most);
    aq_source_close(table);
  }
}

static void memory_that_cannot_do_is_refused_with_what_can(void **state) {
  (void)state;
  job_plan("int8");
  aq_table_estimate little, plenty;
  jf.run.max_memory = 1 << 20;
  const aq_transform job = job_make();
  assert_int_equal(aq_transform_run(&job, NULL, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_table_estimate_make(&job, &jf.metadata, &little, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "memory limit"));
  const char *asked = strstr(err.hint, "24MiB");
  assert_non_null(asked);
  jf.run.max_memory = (uint64_t)24 << 20; /* what it said */
  assert_ok(aq_table_estimate_make(&job, &jf.metadata, &little, &err));
  jf.run.max_memory = 0;
  jf.run.threads = 8;
  assert_ok(aq_table_estimate_make(&job, &jf.metadata, &plenty, &err));
  assert_true(little.memory_bytes < plenty.memory_bytes);
  assert_true(little.memory_bytes <= (uint64_t)24 << 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_tensor_becomes_what_the_plan_says, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(conversion_changes_the_type_of_floats_alone, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(threads_and_memory_change_no_byte, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(parts_are_joined_to_the_same_values, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(other_values_are_written_in_place_of_the_sources, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(values_that_are_not_finite_are_refused_and_leave_nothing, job_set_up,
                                      job_tear_down),
      cmocka_unit_test_setup_teardown(such_tensors_are_kept_with_those_that_share_their_bytes, job_set_up,
                                      job_tear_down),
      cmocka_unit_test_setup_teardown(an_existing_output_is_left_alone, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(caller_can_stop_and_nothing_is_left, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(values_become_a_safetensors_file_with_every_tensor, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(codes_that_a_format_cannot_hold_are_refused_before_a_row_is_made, job_set_up,
                                      job_tear_down),
      cmocka_unit_test_setup_teardown(large_rows_are_streamed_to_the_same_file, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(side_work_is_done_once_with_rows_and_without, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(bytes_of_a_tensor_follow_its_entry, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(an_estimate_is_no_less_than_the_file, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(memory_that_cannot_do_is_refused_with_what_can, job_set_up, job_tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
