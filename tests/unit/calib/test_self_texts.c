/* test_self_texts.c - texts that a tiny language model writes: always the same ones, and each its own. */
#include "calib/self_texts.h"

#include "core/compiler.h"
#include "faulty_allocator.h"
#include "io/source.h"
#include "language_model.h"

enum { LENGTH = 40, COUNT = 30 };

static aq_error err;

static aq_source *source;
static aq_model model;

static void open_model(void) {
  assert_ok(aq_source_open(language_folder, NULL, &source, &err));
  assert_ok(aq_model_open_decoder(source, NULL, &model, &err));
  assert_ok(aq_model_need_tokenizer(&model, &err));
}

static void close_model(void) {
  aq_model_reset(&model);
  aq_source_close(source);
}

static aq_status write_opened(size_t count, uint32_t threads, uint64_t max_memory, aq_text_windows *out) {
  const aq_self_texts wanted = {.count = count, .length = LENGTH, .threads = threads, .max_memory = max_memory};
  const aq_run_options run = {.threads = threads};
  aq_progress progress;
  aq_progress_begin(&progress, &run, "write texts", count, count * LENGTH);
  *out = (aq_text_windows){0};
  const aq_status status = aq_self_texts_write(&model, &wanted, &progress, out, &err);
  if (status == AQ_OK) assert_int_equal(progress.event.tensors_done, count);
  if (status == AQ_OK) assert_int_equal(progress.event.bytes_done, count * LENGTH);
  return status;
}

/* With the model of the folder as it is now. */
static aq_status write_texts(size_t count, uint32_t threads, uint64_t max_memory, aq_text_windows *out) {
  open_model();
  const aq_status status = write_opened(count, threads, max_memory, out);
  close_model();
  return status;
}

static void write_config(const char *text) { write_text(language_folder, "generation_config.json", text); }

/* Those of every machine, set of instructions and number of threads; in little memory one at a time. */
static void the_same_texts_everywhere(void **state) {
  static const struct {
    uint32_t threads;
    uint64_t max_memory;
  } ways[] = {{1, 0}, {2, 0}, {5, 0}, {2, 80000}, {1, 90000}};
  (void)state;
  write_config("{}");
  for (size_t i = 0; i < AQ_COUNT_OF(ways); i++) {
    aq_text_windows w;
    assert_ok(write_texts(COUNT, ways[i].threads, ways[i].max_memory, &w));
    assert_int_equal(w.count, COUNT);
    assert_int_equal(w.length, LENGTH);
    assert_int_equal(w.tokens, COUNT * LENGTH);
    assert_string_equal(w.hash, "bddcdf44b4903e586f8bed55f31c9764");
    aq_text_windows_reset(&w);
  }
}

static void texts_are_tokens_of_the_model_and_differ(void **state) {
  aq_text_windows w, few;
  bool seen[DEC_WORDS] = {false};
  size_t kinds = 0;
  (void)state;
  write_config("{}");
  assert_ok(write_texts(COUNT, 2, 0, &w));
  assert_ok(aq_text_windows_check(&w, DEC_WORDS, &err));
  for (size_t i = 0; i < w.tokens; i++) {
    assert_true(w.ids[i] >= 0);
    kinds += seen[w.ids[i]] ? 0 : 1;
    seen[w.ids[i]] = true;
  }
  assert_true(kinds > DEC_WORDS / 2);
  for (size_t i = 0; i < COUNT; i++) {
    for (size_t k = 0; k < i; k++) {
      assert_memory_not_equal(w.ids + i * LENGTH, w.ids + k * LENGTH, LENGTH * sizeof *w.ids);
    }
  }
  assert_ok(write_texts(COUNT / 3, 2, 0, &few)); /* the first are the same, however many follow */
  assert_memory_equal(few.ids, w.ids, COUNT / 3 * LENGTH * sizeof *w.ids);
  aq_text_windows_reset(&few);
  aq_text_windows_reset(&w);
}

/* The share of each token among the tokens behind the first is what the model says of it, on average. */
static void tokens_are_drawn_from_the_predictions(void **state) {
  double expected[DEC_WORDS] = {0}, found[DEC_WORDS] = {0};
  static float logits[LENGTH * DEC_WORDS];
  aq_text_windows w;
  (void)state;
  write_config("{}");
  assert_ok(write_texts(COUNT, 2, 0, &w));
  aq_decoder *decoder = language_open();
  for (size_t i = 0; i < COUNT; i++) {
    const int32_t *ids = w.ids + i * LENGTH;
    assert_ok(aq_decoder_logits(decoder, 0, ids, LENGTH, LENGTH, logits, &err));
    for (size_t t = 0; t + 1 < LENGTH; t++) {
      double sum = 0;
      for (size_t k = 0; k < DEC_WORDS; k++) sum += exp((double)logits[t * DEC_WORDS + k]);
      for (size_t k = 0; k < DEC_WORDS; k++) expected[k] += exp((double)logits[t * DEC_WORDS + k]) / sum;
      found[ids[t + 1]]++;
    }
  }
  double squares = 0; /* chi square of 52 degrees of freedom: 104 and more once in 20,000 */
  for (size_t k = 0; k < DEC_WORDS; k++) squares += (found[k] - expected[k]) * (found[k] - expected[k]) / expected[k];
  if (squares > 104) fail_msg("%g", squares);
  aq_decoder_close(decoder);
  aq_text_windows_reset(&w);
}

/* ---- beginnings and ends ---- */

static void check_firsts(int32_t expected) {
  aq_text_windows w;
  assert_ok(write_texts(COUNT, 1, 0, &w));
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(w.ids[i * LENGTH], expected);
  aq_text_windows_reset(&w);
}

static void texts_begin_as_those_of_the_model_do(void **state) {
  (void)state;
  write_config("{\"eos_token_id\":[9,7],\"bos_token_id\":5}");
  check_firsts(5);
  write_config("{\"eos_token_id\":[9,7]}");
  check_firsts(9);
}

/* A special token in front of every text, those of a window that has ended one included. */
static void an_end_is_followed_by_a_beginning(void **state) {
  aq_text_windows w;
  size_t ends = 0;
  (void)state;
  language_write_tokenizer(
      "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"Z\",\"type_id\":0}},"
      "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"special_tokens\":{\"Z\":{\"id\":\"Z\",\"ids\":[51],"
      "\"tokens\":[\"Z\"]}}}");
  write_config("{\"eos_token_id\":[3,8],\"bos_token_id\":5}");
  check_firsts(51);
  assert_ok(write_texts(COUNT, 2, 0, &w));
  for (size_t i = 0; i + 1 < w.tokens; i++) {
    if ((w.ids[i] != 3 && w.ids[i] != 8) || (i + 1) % LENGTH == 0) continue;
    assert_int_equal(w.ids[i + 1], 51);
    ends++;
  }
  assert_true(ends > 3);
  aq_text_windows_reset(&w);
  write_config("{\"eos_token_id\":51}"); /* which begins the next text by itself */
  assert_ok(write_texts(COUNT, 2, 0, &w));
  size_t doubled = 0;
  for (size_t i = 0; i + 1 < w.tokens; i++) doubled += w.ids[i] == 51 && w.ids[i + 1] == 51 ? 1 : 0;
  assert_true(doubled < 5);
  aq_text_windows_reset(&w);
  language_write_tokenizer("null");
}

static void what_cannot_be_written_is_refused(void **state) {
  aq_text_windows w;
  (void)state;
  write_config("{\"bos_token_id\":53}");
  assert_int_equal(write_texts(COUNT, 1, 0, &w), AQ_ERR_FORMAT);
  assert_non_null(strstr(err.message, "begin with token 53, and it has 53"));
  aq_text_windows_reset(&w);
  write_config("{\"bos_token_id\":\"a\"}");
  assert_int_equal(write_texts(COUNT, 1, 0, &w), AQ_ERR_FORMAT);
  assert_non_null(strstr(err.message, "bos_token_id"));
  aq_text_windows_reset(&w);
  write_config("{}");
  assert_int_equal(write_texts(COUNT, 1, 40000, &w), AQ_ERR_MEMORY);
  assert_non_null(strstr(err.hint, "max_memory"));
  aq_text_windows_reset(&w);
}

static void writing_without_memory_leaks_nothing(void **state) {
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  bool written = false;
  (void)state;
  write_config("{}");
  open_model();
  aq_set_allocator(&faulty);
  for (long n = 1; !written && n < 100000; n += n < 200 ? 1 : 7) {
    aq_text_windows w;
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    const aq_status status = write_opened(3, 2, 0, &w);
    written = status == AQ_OK;
    if (!written) assert_int_equal(status, AQ_ERR_MEMORY);
    aq_text_windows_reset(&w);
    assert_int_equal(atomic_load(&alive), 0);
  }
  aq_set_allocator(NULL);
  assert_true(written);
  close_model();
}

static int set_up(void **state) {
  (void)state;
  language_make();
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  drop_folder(language_folder);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_same_texts_everywhere),
      cmocka_unit_test(texts_are_tokens_of_the_model_and_differ),
      cmocka_unit_test(tokens_are_drawn_from_the_predictions),
      cmocka_unit_test(texts_begin_as_those_of_the_model_do),
      cmocka_unit_test(an_end_is_followed_by_a_beginning),
      cmocka_unit_test(what_cannot_be_written_is_refused),
      cmocka_unit_test(writing_without_memory_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
