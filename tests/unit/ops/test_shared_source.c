/* test_shared_source.c - one source, several operations on it at once. */
#include <pthread.h>

#include "temp_folder.h"
#include "tiny_encoder.h"

enum { ROWS = 64, COLUMNS = 96, COUNT = ROWS * COLUMNS, ROUNDS = 3 };
static float matrix[COUNT], copy_of_matrix[COUNT], vector[COLUMNS];

/* A matrix, a vector, the matrix again. */
static aq_source *make_model(void) {
  aq_error err;
  aq_source *s;
  const int64_t shape[] = {ROWS, COLUMNS};
  static const char *const names[] = {"w", "b", "tied"};
  const float *const values[] = {matrix, vector, copy_of_matrix};
  for (int i = 0; i < COUNT; i++) matrix[i] = copy_of_matrix[i] = (float)(i * 7919 % 2003 - 1001) / 997;
  for (int i = 0; i < COLUMNS; i++) vector[i] = (float)i / 8;
  assert_ok(aq_source_create(&s, &err));
  for (size_t i = 0; i < 3; i++) {
    aq_tensor_info info = {.name = names[i], .dtype = AQ_F32, .rank = i == 1 ? 1 : 2};
    info.shape[0] = i == 1 ? COLUMNS : shape[0];
    info.shape[1] = i == 1 ? 0 : shape[1];
    assert_ok(aq_source_add(s, &info, values[i], &err));
  }
  return s;
}

typedef struct job {
  const aq_source *source;
  char output[600];
  aq_status status;
  aq_error err;
  aq_status (*run)(struct job *job);
} job;

static aq_status run_quantize(job *j) {
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  o.type = "int4";
  o.table.force = true;
  o.run.threads = 2;
  return aq_quantize_source(j->source, j->output, &o, NULL, &j->err);
}

static aq_status run_convert(job *j) {
  aq_convert_options o;
  aq_convert_options_init(&o);
  o.table.force = true;
  o.run.threads = 2;
  return aq_convert_source(j->source, j->output, &o, NULL, &j->err);
}

static aq_status run_export(job *j) {
  aq_export_options o;
  aq_export_options_init(&o);
  o.force = true;
  return aq_export_source(j->source, j->output, &o, NULL, &j->err);
}

static aq_status run_compare(job *j) {
  aq_compare_options o;
  aq_compare_options_init(&o);
  o.min_cosine = 1;
  return aq_compare_sources(j->source, j->source, &o, NULL, &j->err);
}

static aq_status run_info(job *j) { return aq_info_source(j->source, NULL, NULL, &j->err); }

static aq_status run_stream(job *j) {
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  aq_status status = aq_source_export_arrow(j->source, &stream, &j->err);
  if (status != AQ_OK) return status;
  do {
    if (stream.get_next(&stream, &batch) != 0) status = AQ_ERR_INTERNAL;
    const bool last = status != AQ_OK || batch.release == NULL;
    if (batch.release != NULL) batch.release(&batch);
    if (last) break;
  } while (true);
  stream.release(&stream);
  return status;
}

static void *run_job(void *ctx) {
  job *j = ctx;
  for (int i = 0; i < ROUNDS && j->status == AQ_OK; i++) j->status = j->run(j);
  return NULL;
}

/* Runs each function on the source in a thread of its own, all at once; outputs are NAME.0, NAME.1, ... */
static void run_at_once(const aq_source *source, const char *name, aq_status (*const *runs)(job *), size_t count) {
  job jobs[8];
  pthread_t threads[8];
  for (size_t i = 0; i < count; i++) {
    jobs[i] = (job){.source = source, .status = AQ_OK, .run = runs[i]};
    char file[64];
    (void)snprintf(file, sizeof file, "%s.%zu", name, i);
    (void)snprintf(jobs[i].output, sizeof jobs[i].output, "%s", temp_path(file));
    assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
  }
  for (size_t i = 0; i < count; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (size_t i = 0; i < count; i++) {
    if (jobs[i].status != AQ_OK) fail_msg("job %zu: %s", i, jobs[i].err.message);
  }
}

static size_t read_file(const char *path, uint8_t *out, size_t size) {
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  const size_t n = fread(out, 1, size, file);
  assert_int_equal(fclose(file), 0);
  return n;
}

static void assert_same_file(const char *name, const char *other) {
  static uint8_t a[1 << 20], b[1 << 20];
  const size_t n = read_file(temp_path(name), a, sizeof a);
  assert_true(n > 0 && n < sizeof a);
  assert_int_equal(read_file(temp_path(other), b, sizeof b), n);
  assert_memory_equal(a, b, n);
}

static void operations_run_on_one_source_at_once(void **state) {
  (void)state;
  static aq_status (*const runs[])(job *) = {run_quantize, run_quantize, run_convert, run_convert,
                                             run_export,   run_compare,  run_info,    run_stream};
  aq_error err;
  aq_source *s = make_model();
  run_at_once(s, "memory", runs, 8);
  assert_same_file("memory.0", "memory.1");
  assert_same_file("memory.2", "memory.3");
  for (size_t i = 0; i < 3; i++) assert_int_equal(aq_source_tensor(s, i)->alias_of, -1);
  aq_source_close(s);
  assert_ok(aq_source_open(temp_path("memory.4"), NULL, &s, &err)); /* the safetensors file */
  run_at_once(s, "file", runs, 8);
  assert_same_file("file.0", "file.1");
  aq_source_close(s);
}

static aq_status run_encoder(job *j) {
  aq_encoder *encoder;
  aq_status status = aq_encoder_open_source(j->source, NULL, &encoder, &j->err);
  if (status != AQ_OK) return status;
  static const int32_t ids[] = {1, 2, 3};
  static const uint32_t lengths[] = {3};
  float out[TINY_HIDDEN];
  status = aq_encoder_encode_ids(encoder, ids, lengths, 1, out, &j->err);
  aq_encoder_close(encoder);
  return status;
}

static void encoders_share_a_source_with_operations(void **state) {
  (void)state;
  static aq_status (*const runs[])(job *) = {run_encoder, run_encoder, run_quantize};
  aq_error err;
  aq_source *s;
  tiny_encoder tiny;
  tiny_make(&tiny, "");
  char weights[600];
  (void)snprintf(weights, sizeof weights, "%s", temp_path("model.safetensors"));
  temp_write_text("config.json", tiny_config);
  tiny_write(&tiny, weights, NULL);
  assert_ok(aq_source_open(weights, NULL, &s, &err));
  run_at_once(s, "encoder", runs, 3);
  aq_source_close(s);
  tiny_free(&tiny);
}

/* An encoder holds what it needs: the source may be closed before it. */
static void a_source_may_be_closed_before_its_encoder(void **state) {
  (void)state;
  aq_error err;
  aq_source *s;
  aq_encoder *encoder;
  assert_ok(aq_source_open(temp_path("model.safetensors"), NULL, &s, &err));
  assert_ok(aq_encoder_open_source(s, NULL, &encoder, &err));
  aq_source_close(s);
  static const int32_t ids[] = {1, 2, 3};
  static const uint32_t lengths[] = {3};
  float out[TINY_HIDDEN];
  assert_ok(aq_encoder_encode_ids(encoder, ids, lengths, 1, out, &err));
  aq_encoder_close(encoder);
}

static void a_tokenizer_is_opened_from_a_source(void **state) {
  (void)state;
  aq_error err;
  aq_source *s;
  aq_tokenizer *tokenizer;
  temp_write_text("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\n");
  assert_ok(aq_source_open(temp_path("model.safetensors"), NULL, &s, &err));
  assert_ok(aq_tokenizer_open_source(s, &tokenizer, &err));
  aq_source_close(s);
  aq_token_ids ids = {0};
  assert_ok(aq_tokenizer_encode(tokenizer, "cat", 3, 0, true, &ids, &err));
  assert_int_equal(ids.count, 3);
  assert_int_equal(ids.ids[1], 5);
  aq_free(ids.ids);
  aq_tokenizer_close(tokenizer);
  s = make_model();
  assert_int_equal(aq_tokenizer_open_source(s, &tokenizer, &err), AQ_ERR_NOT_FOUND);
  assert_null(tokenizer);
  aq_source_close(s);
}

static void the_source_form_reports_what_the_path_form_reports(void **state) {
  (void)state;
  aq_error err;
  aq_source *s, *model;
  aq_report *by_path, *by_source;
  const char *table = temp_path("file.0"), *plain = temp_path("memory.4"); /* of the tests above */
  aq_verify_options o;
  aq_verify_options_init(&o);
  o.deep = true;
  assert_ok(aq_source_open(table, NULL, &s, &err));
  assert_ok(aq_verify(table, &o, &by_path, &err));
  assert_ok(aq_verify_source(s, &o, &by_source, &err));
  static const char *const paths[] = {"ok", "deep", "pages", "pages_with_crc", "values_decoded", "source.file_bytes"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    double a, b;
    assert_ok(aq_report_number(by_path, paths[i], &a, &err));
    assert_ok(aq_report_number(by_source, paths[i], &b, &err));
    assert_true(a >= b && a <= b && a > 0);
  }
  aq_report_free(by_path);
  aq_report_free(by_source);
  double tensors;
  assert_ok(aq_source_open(plain, NULL, &model, &err));
  o.against_source = model;
  assert_ok(aq_verify_source(s, &o, &by_source, &err));
  assert_ok(aq_report_number(by_source, "against.tensors", &tensors, &err));
  assert_true(tensors > 2 && tensors < 4);
  aq_report_free(by_source);
  o.against = plain;
  assert_int_equal(aq_verify_source(s, &o, NULL, &err), AQ_ERR_ARGUMENT);
  aq_source_close(model);
  aq_source_close(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(operations_run_on_one_source_at_once),
      cmocka_unit_test(encoders_share_a_source_with_operations),
      cmocka_unit_test(the_source_form_reports_what_the_path_form_reports),
      cmocka_unit_test(a_tokenizer_is_opened_from_a_source),
      cmocka_unit_test(a_source_may_be_closed_before_its_encoder),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
