/* test_transform_stream.c - a stream through a plan: what is held, what is let go, and when. */
#include <math.h>

#include "plan_fixture.h"
#include "table_fixture.h"
#include "temp_folder.h"

enum { ROWS = 600, COLUMNS = 512, SMALL = 40 }; /* the first is a batch of its own */

static aq_error err;

static struct {
  aq_source *source;
  float *large, *small;
  aq_plan plan;
  bool released;
} ts;

static void note_release(void *ctx) { *(bool *)ctx = true; }

static int set_up(void **state) {
  const aq_quantize_options o = plan_options("int4", "group", 64, "minmax");
  (void)temp_setup(state);
  memset(&ts, 0, sizeof ts);
  ts.large = malloc(sizeof(float) * ROWS * COLUMNS);
  ts.small = malloc(sizeof(float) * SMALL * SMALL);
  fill_noise(ts.large, (size_t)ROWS * COLUMNS, 1);
  fill_noise(ts.small, (size_t)SMALL * SMALL, 2);
  ts.source = make_source();
  add_f32(ts.source, "small", SMALL, SMALL, ts.small);
  add_f32(ts.source, "large", ROWS, COLUMNS, ts.large);
  add_f32(ts.source, "tied", SMALL, SMALL, ts.small);
  aq_source_on_release(ts.source, note_release, &ts.released);
  aq_tensor_info *tied;
  assert_ok(aq_source_find_ties(ts.source, &tied, &err));
  assert_ok(aq_plan_make(tied, 3, &o, &ts.plan, &err));
  assert_ok(aq_plan_keep_tensors(&ts.plan, tied, &err));
  aq_free(tied);
  assert_true(ts.plan.entries[2].tied);
  return 0;
}

static int tear_down(void **state) {
  aq_source_close(ts.source);
  aq_plan_reset(&ts.plan);
  free(ts.large);
  free(ts.small);
  return temp_teardown(state);
}

static struct ArrowArrayStream open_stream(const aq_run_options *run) {
  struct ArrowArrayStream in, out;
  assert_ok(aq_source_export_arrow(ts.source, &in, &err));
  assert_ok(aq_transform_stream(&in, &ts.plan, run, &out, &err));
  assert_null(in.release);
  assert_non_null(out.release);
  return out;
}

/* Tensors of the stream are those of the table by the same plan; a row more, since tied tensors are rows. */
static void tensors_are_those_of_the_table(void **state) {
  (void)state;
  const aq_table_options table = {.codec = "none"};
  for (uint32_t threads = 1; threads < 4; threads += 2) {
    const aq_run_options run = {.threads = threads, .max_memory = threads == 1 ? (uint64_t)24 << 20 : 0};
    const aq_table_options again = {.codec = "none", .force = threads > 1};
    table_write(ts.source, &ts.plan, NULL, temp_path("t.parquet"), threads > 1 ? &again : &table, &run);
    struct ArrowArrayStream stream = open_stream(&run);
    aq_source *written, *streamed;
    assert_ok(aq_source_open_arrow(&stream, &streamed, &err));
    assert_ok(aq_source_open(temp_path("t.parquet"), NULL, &written, &err));
    assert_string_equal(aq_source_format(streamed), "Arrow V2");
    assert_int_equal(aq_source_tensor_count(streamed), 3);
    for (size_t i = 0; i < 3; i++) {
      aq_tensor a, b;
      const int64_t k = aq_source_find(written, aq_source_tensor(streamed, i)->name);
      assert_true(k >= 0);
      assert_int_equal(aq_source_tensor(streamed, i)->quant_type, AQ_INT4);
      assert_int_equal(aq_source_tensor(streamed, i)->alias_of, -1);
      assert_ok(aq_source_load(streamed, i, &a, &err));
      assert_ok(aq_source_load(written, (size_t)k, &b, &err));
      assert_int_equal(a.data_bytes, b.data_bytes);
      assert_int_equal(a.num_scales, b.num_scales);
      assert_memory_equal(a.data, b.data, a.data_bytes);
      assert_memory_equal(a.scales, b.scales, a.num_scales * sizeof(float));
      assert_memory_equal(a.zero_points, b.zero_points, a.num_scales * sizeof(float));
      aq_tensor_release(&a);
      aq_tensor_release(&b);
    }
    aq_source_close(streamed);
    aq_source_close(written);
  }
}

/* The plan may go at once, the source with the stream, and a batch outlives both. */
static void a_batch_outlives_the_stream_and_the_source(void **state) {
  (void)state;
  struct ArrowArrayStream stream = open_stream(NULL);
  struct ArrowArray first, second, end;
  aq_source_close(ts.source);
  ts.source = NULL;
  aq_plan_reset(&ts.plan);
  assert_int_equal(stream.get_next(&stream, &first), 0);
  assert_int_equal(first.length, 1);
  assert_int_equal(stream.get_next(&stream, &second), 0);
  assert_int_equal(second.length, 1);
  first.release(&first);
  struct ArrowArray third;
  assert_int_equal(stream.get_next(&stream, &third), 0);
  third.release(&third);
  assert_int_equal(stream.get_next(&stream, &end), 0);
  assert_null(end.release);
  assert_int_equal(stream.get_next(&stream, &end), 0); /* asked again, it is still the end */
  assert_null(end.release);
  assert_null(stream.get_last_error(&stream));
  stream.release(&stream);
  assert_true(ts.released);                              /* nothing of the input is held for what was handed out */
  const uint8_t *codes = second.children[3]->buffers[2]; /* of "large", two a byte */
  uint32_t sum = 0;
  for (size_t i = 0; i < (size_t)ROWS * COLUMNS / 2; i++) sum += codes[i];
  assert_true(sum > 0);
  second.release(&second);
}

static void a_stream_that_is_not_read_lets_go_of_everything(void **state) {
  (void)state;
  struct ArrowArrayStream stream = open_stream(NULL);
  struct ArrowSchema schema;
  assert_int_equal(stream.get_schema(&stream, &schema), 0);
  assert_int_equal(schema.n_children, 10);
  schema.release(&schema);
  aq_source_close(ts.source);
  ts.source = NULL;
  assert_false(ts.released);
  stream.release(&stream);
  assert_true(ts.released);
}

static void a_failure_ends_the_stream_with_its_words(void **state) {
  (void)state;
  struct ArrowArrayStream stream = open_stream(NULL);
  struct ArrowArray batch;
  ts.large[5 * COLUMNS + 7] = NAN;
  assert_int_equal(stream.get_next(&stream, &batch), 0);
  batch.release(&batch);
  for (int i = 0; i < 2; i++) {
    assert_int_not_equal(stream.get_next(&stream, &batch), 0);
    assert_null(batch.release);
    assert_non_null(strstr(stream.get_last_error(&stream), "'large'"));
    assert_non_null(strstr(stream.get_last_error(&stream), "[5, 7] is NaN"));
  }
  stream.release(&stream);
}

static void arguments_that_cannot_be_release_the_input(void **state) {
  (void)state;
  struct ArrowArrayStream in, out;
  const aq_run_options newer = {.reserved = {1}}, little = {.max_memory = 1000};
  const struct {
    const aq_plan *plan;
    const aq_run_options *run;
    struct ArrowArrayStream *out;
  } cases[] = {{NULL, NULL, &out}, {&ts.plan, NULL, NULL}, {&ts.plan, &newer, &out}, {&ts.plan, &little, &out}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_ok(aq_source_export_arrow(ts.source, &in, &err));
    assert_int_equal(aq_transform_stream(&in, cases[i].plan, cases[i].run, cases[i].out, &err), AQ_ERR_ARGUMENT);
    assert_null(in.release);
    if (cases[i].out != NULL) assert_null(out.release);
  }
  assert_int_equal(aq_transform_stream(&in, &ts.plan, NULL, &out, &err), AQ_ERR_ARGUMENT);
  ts.plan.entries[1].scheme.method = AQ_GPTQ;
  assert_ok(aq_source_export_arrow(ts.source, &in, &err));
  assert_int_equal(aq_transform_stream(&in, &ts.plan, NULL, &out, &err), AQ_ERR_UNSUPPORTED);
  assert_string_equal(err.tensor, "large");
  assert_null(in.release);
  aq_source_close(ts.source);
  ts.source = NULL;
  assert_true(ts.released);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(tensors_are_those_of_the_table, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_batch_outlives_the_stream_and_the_source, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_stream_that_is_not_read_lets_go_of_everything, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_failure_ends_the_stream_with_its_words, set_up, tear_down),
      cmocka_unit_test_setup_teardown(arguments_that_cannot_be_release_the_input, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
