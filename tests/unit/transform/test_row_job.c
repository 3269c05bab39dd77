/* test_row_job.c - ranges of tensors into the bytes of rows: the same whatever the blocks are and whoever does them. */
#include <math.h>

#include "core/bytes.h"
#include "core/memory.h"
#include "plan_fixture.h"
#include "tensor/dtype.h"
#include "transform/row_job.h"

static aq_error err;
static aq_scratch scratch;

static int set_up(void **state) {
  (void)state;
  return aq_scratch_allocate(&scratch, &err) == AQ_OK ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  aq_scratch_reset(&scratch);
  return 0;
}

/* ---- a tensor with its plan ---- */

typedef struct subject {
  aq_source *source;
  aq_plan plan;
  float *values;
  uint64_t count;
} subject;

static subject make_subject(int64_t rows, int64_t columns, const aq_quantize_options *o) {
  subject s = {.source = make_source(), .count = (uint64_t)(rows * columns)};
  s.values = malloc((size_t)s.count * sizeof *s.values + 1);
  assert_non_null(s.values);
  fill_noise(s.values, (size_t)s.count, 5);
  add_f32(s.source, "w", rows, columns, s.values);
  s.plan = make_plan(s.source, o);
  return s;
}

static void drop_subject(subject *s) {
  aq_plan_reset(&s->plan);
  aq_source_close(s->source);
  free(s->values);
}

static aq_row_job begin_job(const subject *s, int64_t lo, int64_t hi, uint64_t large) {
  aq_row_job job;
  assert_ok(aq_row_job_init(&job, s->source, 0, &s->plan.entries[0], lo, hi, large, &err));
  return job;
}

/* All blocks from the last to the first: none may need another. */
static void run_blocks(aq_row_job *job) {
  assert_ok(aq_row_job_allocate(job, &err));
  for (uint64_t b = job->block_count; b-- > 0;) {
    uint64_t bad = UINT64_MAX;
    assert_ok(aq_row_job_block(job, b, &scratch, &bad, &err));
    if (bad < job->bad_index) job->bad_index = bad;
  }
}

/* The data of a large job, in pieces of whole bytes of any size. */
static uint8_t *fill_data(const aq_row_job *job) {
  uint8_t *data = malloc((size_t)job->data_bytes);
  assert_non_null(data);
  for (uint64_t at = 0; at < job->data_bytes;) {
    const uint64_t left = job->data_bytes - at;
    const size_t n = (size_t)(left < 300000 ? left : 300000); /* a multiple of 3 and of 8 */
    assert_ok(aq_row_job_fill(job, at, n, data + at, &scratch, &err));
    at += n;
  }
  return data;
}

/* ---- quantizing ---- */

/* Spans [first, first + count) of the values, each fitted and encoded as a whole. */
static void assert_quantized(const subject *s, const aq_row_job *job, const uint8_t *data) {
  const aq_scheme *scheme = &s->plan.entries[0].scheme;
  const float *x = s->values + job->first;
  float *scales = calloc((size_t)job->scale_count, sizeof *scales);
  float *zeros = calloc((size_t)job->scale_count, sizeof *zeros);
  int8_t *codes = malloc((size_t)job->count);
  uint8_t *expected = calloc((size_t)job->data_bytes + 1, 1);
  for (uint64_t i = 0; i < job->scale_count; i++) {
    const uint64_t begin = i * job->span_length, left = job->count - begin;
    const size_t n = (size_t)(left < job->span_length ? left : job->span_length);
    assert_true(aq_fit_span(scheme, x + begin, n, &scales[i], &zeros[i]));
  }
  aq_encode(scheme, x, (size_t)job->count, job->span_length, 0, scales, zeros, codes, expected);
  assert_int_equal(job->scales.size, job->scale_count * sizeof(float));
  assert_memory_equal(job->scales.data, scales, job->scales.size);
  assert_memory_equal(job->zero_points.data, zeros, job->zero_points.size);
  assert_memory_equal(data, expected, (size_t)job->data_bytes);
  free(scales);
  free(zeros);
  free(codes);
  free(expected);
}

static void blocks_give_what_whole_spans_give(void **state) {
  (void)state;
  static const struct {
    const char *type, *per;
    uint32_t group;
    int64_t rows, columns;
    uint64_t scales;
    bool one_block, large;
  } cases[] = {
      {"int8", "channel", 0, 3, 7, 3, true, false},
      {"int3", "group", 33, 9, 41, 12, true, false},         /* 369 values: a last span of 6 */
      {"int4", "group", 64, 700, 512, 5600, false, false},   /* several blocks */
      {"int3", "group", 1021, 300, 1021, 300, false, false}, /* blocks end on whole bytes */
      {"int2", "channel", 0, 3, 300000, 3, false, false},    /* spans longer than what is read at a time */
      {"int4", "tensor", 0, 1, 300001, 1, true, false},      /* one span */
      {"int4", "tensor", 0, 1, 1100001, 1, true, false},     /* longer than the scratch: fitted chunk by chunk */
      {"int3", "channel", 0, 2, 1100001, 2, false, true},    /* spans that share a byte */
      {"int8", "channel", 0, 2, 1100008, 2, false, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const aq_quantize_options o = plan_options(cases[i].type, cases[i].per, cases[i].group, "minmax");
    subject s = make_subject(cases[i].rows, cases[i].columns, &o);
    aq_row_job job = begin_job(&s, -1, -1, UINT64_MAX);
    if (job.scale_count != cases[i].scales) fail_msg("case %zu: %llu scales", i, (unsigned long long)job.scale_count);
    assert_int_equal(job.block_count == 1, cases[i].one_block);
    assert_int_equal(job.large, cases[i].large);
    run_blocks(&job);
    assert_true(job.bad_index == UINT64_MAX);
    uint8_t *filled = job.large ? fill_data(&job) : NULL;
    assert_quantized(&s, &job, filled != NULL ? filled : job.data.data);
    free(filled);
    aq_row_job_reset(&job);
    drop_subject(&s);
  }
}

static void large_jobs_stream_the_same_bytes(void **state) {
  (void)state;
  static const char *const types[] = {"int8", "int4", "int3", "int2", "fp32", "fp16", "bf16"};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    const bool quantized = types[i][0] == 'i';
    const aq_quantize_options o = plan_options(types[i], quantized ? "group" : NULL, quantized ? 48 : 0, NULL);
    subject s = make_subject(610, 480, &o);
    aq_row_job held = begin_job(&s, -1, -1, UINT64_MAX), large = begin_job(&s, -1, -1, 1000);
    assert_true(large.large && !held.large);
    run_blocks(&held);
    run_blocks(&large);
    assert_int_equal(large.data.size, 0);
    uint8_t *filled = fill_data(&large);
    assert_int_equal(held.data.size, large.data_bytes);
    assert_memory_equal(filled, held.data.data, held.data.size);
    if (quantized) assert_memory_equal(large.scales.data, held.scales.data, held.scales.size);
    free(filled);
    aq_row_job_reset(&held);
    aq_row_job_reset(&large);
    drop_subject(&s);
  }
}

static void parts_have_the_elements_of_their_slices(void **state) {
  (void)state;
  const aq_quantize_options o = plan_options("int4", "channel", 0, "mse");
  subject s = make_subject(12, 40, &o);
  aq_row_job part = begin_job(&s, 5, 9, UINT64_MAX);
  assert_int_equal(part.first, 200);
  assert_int_equal(part.count, 160);
  assert_int_equal(part.scale_count, 4);
  run_blocks(&part);
  assert_quantized(&s, &part, part.data.data);
  aq_row_job_reset(&part);
  drop_subject(&s);
}

static void scales_of_the_plan_are_used_as_they_are(void **state) {
  (void)state;
  const aq_quantize_options o = plan_options("int8", "channel", 0, "minmax");
  subject s = make_subject(6, 8, &o);
  aq_plan_entry *entry = &s.plan.entries[0];
  entry->scheme.method = AQ_RD;
  entry->scales = aq_realloc_array(NULL, 6, sizeof *entry->scales);
  for (size_t i = 0; i < 6; i++) entry->scales[i] = 0.25F * (float)(i + 1);
  aq_row_job part = begin_job(&s, 2, 6, UINT64_MAX);
  run_blocks(&part);
  for (uint64_t i = 0; i < part.count; i++) {
    const float scale = 0.25F * (float)(2 + i / 8 + 1);
    assert_true(aq_load_f32(part.scales.data + i / 8 * 4) == scale);
    assert_true(aq_load_f32(part.zero_points.data + i / 8 * 4) == 0);
    assert_int_equal((int8_t)part.data.data[i], lrintf(s.values[16 + i] / scale));
  }
  aq_row_job_reset(&part);
  drop_subject(&s);
}

static void other_values_take_the_place_of_the_tensors(void **state) {
  (void)state;
  static const char *const types[] = {"int8", "fp32", "fp16"};
  float other[48];
  fill_noise(other, 48, 77);
  for (size_t i = 0; i < 3; i++) {
    const aq_quantize_options o = plan_options(types[i], i == 0 ? "channel" : NULL, 0, NULL);
    subject s = make_subject(6, 8, &o), t = make_subject(6, 8, &o);
    memcpy(t.values, other, sizeof other);
    aq_row_job replaced = begin_job(&s, 1, 5, UINT64_MAX), own = begin_job(&t, 1, 5, UINT64_MAX);
    const aq_encoded finished = {.count = 48, .type = AQ_KEPT, .values = other};
    aq_row_job_set_encoded(&replaced, &finished);
    run_blocks(&replaced);
    run_blocks(&own);
    assert_int_equal(replaced.data.size, own.data.size);
    assert_memory_equal(replaced.data.data, own.data.data, own.data.size);
    aq_row_job_reset(&replaced);
    aq_row_job_reset(&own);
    drop_subject(&s);
    drop_subject(&t);
  }
}

/* Codes are packed as they are: the row is that of the values which they stand for. */
static void a_finished_tensor_gives_the_row_of_its_values(void **state) {
  (void)state;
  static const struct {
    const char *type, *granularity;
    uint32_t group;
    int64_t lo, hi; /* of 40 rows of 24 values */
    uint64_t large;
  } cases[] = {{"int8", "channel", 0, -1, -1, UINT64_MAX},
               {"int8", "tensor", 0, -1, -1, UINT64_MAX},
               {"int4", "group", 12, -1, -1, UINT64_MAX},
               {"int3", "group", 8, 8, 32, UINT64_MAX},
               {"int2", "channel", 0, 16, 40, UINT64_MAX},
               {"int4", "group", 8, -1, -1, 0},
               {"int8", "channel", 0, 8, 16, 0}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    const aq_quantize_options o = plan_options(cases[i].type, cases[i].granularity, cases[i].group, NULL);
    subject s = make_subject(40, 24, &o), t = make_subject(40, 24, &o);
    aq_plan_entry *e = &s.plan.entries[0];
    aq_encoded found = {.count = s.count, .type = e->scheme.type, .span_length = e->span_length};
    found.span_count = s.count / found.span_length;
    found.scales = aq_calloc((size_t)found.span_count, sizeof(float));
    found.zero_points = aq_calloc((size_t)found.span_count, sizeof(float));
    found.codes = aq_calloc((size_t)s.count, 1);
    found.quant_axis = e->quant_axis;
    found.group_size = e->group_size;
    for (size_t k = 0; k < found.span_count; k++) {
      found.scales[k] = 0.01F * (float)(k + 1);
      found.zero_points[k] = (float)(k % 3) - 1;
    }
    fill_noise(s.values, (size_t)s.count, 40 + (uint32_t)i);
    aq_encoded_round(&found, s.values, found.codes);
    aq_encoded_decode(&found, t.values); /* the values, in a source of their own, with the same scales */
    assert_ok(aq_encoded_describe(&found, &t.plan.entries[0], &err));
    aq_row_job codes = begin_job(&s, cases[i].lo, cases[i].hi, cases[i].large),
               values = begin_job(&t, cases[i].lo, cases[i].hi, cases[i].large);
    aq_row_job_set_encoded(&codes, &found);
    for (size_t k = 0; k < s.count; k++) s.values[k] = NAN; /* nobody looks at the source's values */
    run_blocks(&codes);
    run_blocks(&values);
    assert_memory_equal(codes.scales.data, values.scales.data, values.scales.size);
    assert_memory_equal(codes.zero_points.data, values.zero_points.data, values.zero_points.size);
    if (cases[i].large == 0) {
      uint8_t a[40 * 24], b[40 * 24];
      assert_true(codes.large && values.large);
      const size_t half = (size_t)codes.data_bytes / 2;
      assert_ok(aq_row_job_fill(&codes, half, half, a, &scratch, &err));
      assert_ok(aq_row_job_fill(&values, half, half, b, &scratch, &err));
      assert_memory_equal(a, b, half);
    } else {
      assert_int_equal(codes.data.size, values.data.size);
      assert_memory_equal(codes.data.data, values.data.data, values.data.size);
    }
    aq_row_job_reset(&codes);
    aq_row_job_reset(&values);
    aq_encoded_reset(&found);
    drop_subject(&s);
    drop_subject(&t);
  }
}

/* ---- keeping and converting ---- */

/* Kept in the tensor's own type, the source's bytes or other values. */
static void kept_tensors_keep_their_type(void **state) {
  (void)state;
  static const uint8_t bytes[6 * 8] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  static const aq_dtype dtypes[] = {AQ_F64, AQ_F32, AQ_F16, AQ_BF16, AQ_I64, AQ_U8, AQ_BOOL};
  float other[6] = {1, 2, -0.5F, 4, 0, 8};
  const aq_encoded finished = {.count = 6, .type = AQ_KEPT, .values = other};
  for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
    aq_quantize_options o = plan_options("int8", NULL, 0, NULL);
    o.keep_patterns = (const char *const[]){"*"};
    o.keep_pattern_count = 1;
    subject s = {.source = make_source()};
    const aq_tensor_info info = {.name = "w", .dtype = dtypes[i], .rank = 2, .shape = {3, 2}};
    assert_ok(aq_source_add(s.source, &info, bytes, &err));
    s.plan = make_plan(s.source, &o);
    aq_row_job job = begin_job(&s, 1, 3, UINT64_MAX);
    const size_t size = aq_dtype_size(dtypes[i]);
    run_blocks(&job);
    assert_int_equal(job.data.size, 4 * size);
    assert_memory_equal(job.data.data, bytes + 2 * size, 4 * size);
    aq_row_job_reset(&job);
    if (aq_dtype_is_float(dtypes[i])) {
      float back[4];
      job = begin_job(&s, 1, 3, UINT64_MAX);
      aq_row_job_set_encoded(&job, &finished);
      run_blocks(&job);
      assert_int_equal(job.data.size, 4 * size);
      aq_source *read = make_source();
      const aq_tensor_info same = {.name = "w", .dtype = dtypes[i], .rank = 1, .shape = {4}};
      assert_ok(aq_source_add(read, &same, job.data.data, &err));
      assert_ok(aq_source_read_f32(read, 0, 0, 4, back, &err));
      assert_memory_equal(back, other + 2, sizeof back);
      aq_source_close(read);
      aq_row_job_reset(&job);
    }
    aq_plan_reset(&s.plan);
    aq_source_close(s.source);
  }
}

static void tensors_without_values_have_no_blocks(void **state) {
  (void)state;
  const aq_quantize_options o = plan_options("int4", "group", 0, NULL);
  subject s = make_subject(0, 8, &o);
  aq_row_job job = begin_job(&s, -1, -1, UINT64_MAX);
  assert_int_equal(job.block_count, 0);
  assert_int_equal(job.data_bytes, 0);
  run_blocks(&job);
  assert_int_equal(job.data.size, 0);
  aq_row_job_reset(&job);
  drop_subject(&s);
}

/* ---- values that cannot be stored ---- */

static void first_bad_value_is_named(void **state) {
  (void)state;
  const aq_quantize_options o = plan_options("int4", "group", 16, NULL);
  subject s = make_subject(700, 512, &o);
  static const size_t places[] = {358399, 300000, 1000, 999};
  s.values[4000] = INFINITY;
  for (size_t i = 0; i < 4; i++) {
    char where[32];
    s.values[places[i]] = NAN;
    aq_row_job job = begin_job(&s, -1, -1, UINT64_MAX);
    run_blocks(&job);
    const size_t first = places[i] < 4000 ? places[i] : 4000;
    assert_true(job.bad_index == first);
    assert_int_equal(aq_row_job_fail_bad(&job, &err), AQ_ERR_NONFINITE);
    (void)snprintf(where, sizeof where, "[%zu, %zu] is %s", first / 512, first % 512, first == 4000 ? "inf" : "NaN");
    if (strstr(err.message, where) == NULL) fail_msg("'%s' has no '%s'", err.message, where);
    assert_string_equal(err.tensor, "w");
    aq_row_job_reset(&job);
  }
  drop_subject(&s);
}

static void part_names_the_place_in_the_whole_tensor(void **state) {
  (void)state;
  const aq_quantize_options o = plan_options("int8", "channel", 0, NULL);
  subject s = make_subject(12, 40, &o);
  s.values[7 * 40 + 3] = NAN;
  aq_row_job part = begin_job(&s, 5, 9, UINT64_MAX);
  run_blocks(&part);
  assert_int_equal(part.bad_index, 7 * 40 + 3);
  aq_row_job_reset(&part);
  drop_subject(&s);
}

static void values_beyond_a_type_are_named_and_infinities_are_not(void **state) {
  (void)state;
  const aq_quantize_options o = plan_options("fp16", NULL, 0, NULL);
  subject s = make_subject(4, 8, &o);
  uint64_t bad = UINT64_MAX;
  s.values[3] = INFINITY; /* can be stored */
  s.values[20] = -7e4F;   /* beyond 65504 */
  aq_row_job job = begin_job(&s, -1, -1, UINT64_MAX);
  run_blocks(&job);
  assert_int_equal(job.bad_index, 20);
  assert_int_equal(aq_row_job_fail_bad(&job, &err), AQ_ERR_NONFINITE);
  assert_non_null(strstr(err.message, "-70000 at index [2, 4] does not fit torch.float16"));
  assert_non_null(strstr(err.hint, "bf16"));
  assert_ok(aq_row_job_scan(&job, 0, 20, &scratch, &bad, &err));
  assert_true(bad == UINT64_MAX);
  assert_ok(aq_row_job_scan(&job, 8, 32, &scratch, &bad, &err));
  assert_int_equal(bad, 20);
  aq_row_job_reset(&job);
  drop_subject(&s);
}

static void scan_finds_what_quantizing_would(void **state) {
  (void)state;
  const aq_quantize_options o = plan_options("int8", "channel", 0, NULL);
  subject s = make_subject(4, 8, &o);
  uint64_t bad = UINT64_MAX;
  s.values[9] = INFINITY;
  s.values[11] = NAN;
  aq_row_job job = begin_job(&s, -1, -1, UINT64_MAX);
  assert_ok(aq_row_job_scan(&job, 0, 9, &scratch, &bad, &err));
  assert_true(bad == UINT64_MAX);
  assert_ok(aq_row_job_scan(&job, 10, 32, &scratch, &bad, &err));
  assert_int_equal(bad, 11);
  assert_ok(aq_row_job_scan(&job, 0, 32, &scratch, &bad, &err));
  assert_int_equal(bad, 9);
  drop_subject(&s);
}

/* ---- lengths of parts ---- */

static void parts_end_on_whole_bytes_and_groups(void **state) {
  (void)state;
  static const struct {
    int32_t rank;
    int64_t shape[2];
    int32_t group;
    uint64_t bytes;
    int64_t length;
  } cases[] = {
      {0, {0, 0}, 0, 100, 1},
      {2, {10, 8}, 0, 320, 10},                            /* one row is enough */
      {2, {10, 8}, 0, 319, 9},                             /* slices of 8 values: whole bytes in any number */
      {2, {10, 8}, 0, 1, 1},                               /* never less than a slice */
      {2, {100, 3}, 0, 240, 16},                           /* 20 slices fit; 8 make whole bytes */
      {2, {100, 3}, 0, 24, 2},                             /* fewer than 8 fit: as many as there is room for */
      {2, {100, 12}, 32, 2400, 48},                        /* 50 fit; 8 of 12 values make three groups of 32 */
      {2, {0, 8}, 0, 1, 1},                                /* no values */
      {1, {1000, 0}, 0, 1200, 296},                        /* 300 fit */
      {2, {4, (int64_t)1 << 40}, 0, (uint64_t)1 << 30, 0}, /* a slice that no row can hold */
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_tensor_info t = {.name = "w", .dtype = AQ_F32, .rank = cases[i].rank, .num_params = 1};
    for (int32_t k = 0; k < t.rank; k++) {
      t.shape[k] = cases[i].shape[k];
      t.num_params *= (uint64_t)t.shape[k];
    }
    const aq_plan_entry entry = {.action = AQ_QUANTIZE, .group_size = cases[i].group};
    const int64_t length = aq_part_length(&t, &entry, cases[i].bytes);
    if (length != cases[i].length) fail_msg("case %zu: %lld slices", i, (long long)length);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_give_what_whole_spans_give),
      cmocka_unit_test(large_jobs_stream_the_same_bytes),
      cmocka_unit_test(parts_have_the_elements_of_their_slices),
      cmocka_unit_test(scales_of_the_plan_are_used_as_they_are),
      cmocka_unit_test(other_values_take_the_place_of_the_tensors),
      cmocka_unit_test(a_finished_tensor_gives_the_row_of_its_values),
      cmocka_unit_test(kept_tensors_keep_their_type),
      cmocka_unit_test(tensors_without_values_have_no_blocks),
      cmocka_unit_test(first_bad_value_is_named),
      cmocka_unit_test(part_names_the_place_in_the_whole_tensor),
      cmocka_unit_test(values_beyond_a_type_are_named_and_infinities_are_not),
      cmocka_unit_test(scan_finds_what_quantizing_would),
      cmocka_unit_test(parts_end_on_whole_bytes_and_groups),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
