/* transform_fixture.h - a model in memory with one tensor of each kind, and the transform that writes a table of it. */
#ifndef AQ_TESTS_TRANSFORM_FIXTURE_H
#define AQ_TESTS_TRANSFORM_FIXTURE_H

#include "io/table/table_sink.h"
#include "plan_fixture.h"
#include "temp_folder.h"
#include "transform/table_metadata.h"
#include "transform/transform.h"

enum { JOB_MATRIX, JOB_HALF, JOB_BIAS, JOB_STEPS, JOB_EMPTY, JOB_SCALAR, JOB_TIED, JOB_TENSORS };
static const char *const job_names[JOB_TENSORS] = {"matrix", "half", "bias", "steps", "empty", "scalar", "tied"};

#define JOB_ROWS 40
#define JOB_COLUMNS 48

static struct {
  aq_source *source;
  float matrix[JOB_ROWS * JOB_COLUMNS], bias[JOB_COLUMNS], scalar;
  uint16_t half[JOB_COLUMNS * 30];
  int64_t steps[5];
  aq_plan plan;
  char output[600];
  aq_table_options table;
  aq_run_options run;
  aq_table_metadata metadata;
} jf;

/* matrix and tied are the same bytes. */
static inline int job_set_up(void **state) {
  aq_error err;
  memset(&jf, 0, sizeof jf);
  (void)temp_setup(state);
  (void)snprintf(jf.output, sizeof jf.output, "%s/t.parquet", temp_folder);
  jf.run.threads = 2;
  fill_noise(jf.matrix, JOB_ROWS * JOB_COLUMNS, 3);
  fill_noise(jf.bias, JOB_COLUMNS, 4);
  jf.scalar = 4.5F;
  for (size_t i = 0; i < JOB_COLUMNS * 30; i++) jf.half[i] = (uint16_t)(0x3c00 + i % 1000); /* 1 to 1.98 */
  for (int64_t i = 0; i < 5; i++) jf.steps[i] = i - 2;
  const struct {
    aq_dtype dtype;
    int32_t rank;
    int64_t shape[2];
    const void *data;
  } tensors[JOB_TENSORS] = {
      {AQ_F32, 2, {JOB_ROWS, JOB_COLUMNS}, jf.matrix},
      {AQ_F16, 2, {30, JOB_COLUMNS}, jf.half},
      {AQ_F32, 1, {JOB_COLUMNS, 0}, jf.bias},
      {AQ_I64, 1, {5, 0}, jf.steps},
      {AQ_F32, 2, {0, 8}, NULL},
      {AQ_F32, 0, {0, 0}, &jf.scalar},
      {AQ_F32, 2, {JOB_ROWS, JOB_COLUMNS}, jf.matrix},
  };
  jf.source = make_source();
  for (size_t i = 0; i < JOB_TENSORS; i++) {
    aq_tensor_info info = {.name = job_names[i], .dtype = tensors[i].dtype, .rank = tensors[i].rank};
    memcpy(info.shape, tensors[i].shape, sizeof tensors[i].shape);
    assert_ok(aq_source_add(jf.source, &info, tensors[i].data, &err));
  }
  tie_source(jf.source);
  assert_int_equal(jf.source->tensors[JOB_TIED].alias_of, JOB_MATRIX);
  return 0;
}

static inline int job_tear_down(void **state) {
  aq_plan_reset(&jf.plan);
  aq_source_close(jf.source);
  return temp_teardown(state);
}

/* Of type `type`, 1-D tensors kept. */
static inline void job_plan(const char *type) {
  aq_quantize_options o = plan_options(type, NULL, 0, "minmax");
  o.quantize_1d = false;
  if (type[0] != 'i') o.method = NULL;
  aq_plan_reset(&jf.plan);
  jf.plan = make_plan(jf.source, &o);
}

/* Of the job; its parts may be changed before it is run. */
static inline aq_table_metadata job_table_metadata(void) {
  return (aq_table_metadata){.source = jf.source, .plan = &jf.plan, .schema_version = 2};
}

static inline aq_transform job_make(void) {
  jf.metadata = job_table_metadata();
  return (aq_transform){.stage = "quantize",
                        .source = jf.source,
                        .plan = &jf.plan,
                        .sink = &aq_table_sink,
                        .schema_version = 2,
                        .output = jf.output,
                        .table = &jf.table,
                        .run = &jf.run,
                        .put_metadata = aq_table_metadata_put,
                        .metadata_ctx = &jf.metadata};
}

static inline aq_source *job_open(void) {
  aq_error err;
  aq_source *table;
  assert_ok(aq_source_open(jf.output, NULL, &table, &err));
  return table;
}

/* Runs the job and opens what it wrote. */
static inline aq_source *job_run(const aq_transform *job) {
  aq_error err;
  assert_ok(aq_transform_run(job, NULL, &err));
  return job_open();
}

static inline size_t job_find(const aq_source *table, const char *name) {
  const int64_t i = aq_source_find(table, name);
  if (i < 0) fail_msg("there is no %s", name);
  return (size_t)i;
}

static inline const char *job_metadata(const aq_source *table, const char *key) {
  for (size_t i = 0; i < aq_source_metadata_count(table); i++) {
    if (strcmp(aq_source_metadata_key(table, i), key) == 0) return aq_source_metadata_value(table, i);
  }
  return NULL;
}

#endif
