/* test_perplexity.c - windows of a text, and what a tiny decoder makes of them beside losses of whole windows. */
#include "calib/text_windows.h"
#include "language_model.h"
#include "model/run/decoder.h"
#include "report/report.h"

static const char text[] = "The quick brown fox jumps over the lazy dog and runs away from it";

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

static aq_text_list list_of(const char *const *texts, size_t count) {
  return (aq_text_list){.texts = texts, .count = count};
}

static aq_text_windows windows_of(const char *const *texts, size_t count, size_t length, size_t most) {
  aq_error err;
  aq_tokenizer *tokenizer;
  aq_text_windows w = {0};
  const aq_text_list list = list_of(texts, count);
  assert_ok(aq_tokenizer_open(language_folder, &tokenizer, &err));
  assert_ok(aq_text_windows_make(&(aq_running_text_origin){NULL, &list}, tokenizer, length, most, &w, &err));
  aq_tokenizer_close(tokenizer);
  return w;
}

static void windows_are_cut_from_the_beginning(void **state) {
  (void)state;
  const char *const texts[] = {text};
  aq_text_windows w = windows_of(texts, 1, 16, 0), first = windows_of(texts, 1, 16, 2);
  assert_int_equal(w.tokens, strlen(text));
  assert_int_equal(w.count, strlen(text) / 16);
  assert_int_equal(w.length, 16);
  for (size_t i = 0; i < w.count * 16; i++) assert_int_equal(w.ids[i], strchr(LETTERS, text[i]) - LETTERS);
  assert_int_equal(aq_text_windows_first_counted(&w), 8);
  assert_int_equal(aq_text_windows_counted(&w), 7);
  assert_int_equal(first.count, 2);
  assert_int_equal(strlen(w.hash), 32);
  assert_string_not_equal(w.hash, first.hash);
  aq_text_windows_reset(&first);
  aq_text_windows_reset(&w);
  w = windows_of(texts, 1, 500, 0); /* a short text is one window */
  assert_int_equal(w.count, 1);
  assert_int_equal(w.length, strlen(text));
  aq_text_windows_reset(&w);
}

static void every_window_begins_with_the_special_tokens(void **state) {
  (void)state;
  const char *const texts[] = {text};
  language_write_tokenizer(
      "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"Z\",\"type_id\":0}},"
      "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{\"Z\":{\"id\":"
      "\"Z\",\"ids\":[51],\"tokens\":[\"Z\"]}}}");
  aq_text_windows w = windows_of(texts, 1, 16, 0);
  assert_int_equal(w.count, strlen(text) / 15);
  for (size_t i = 0; i < w.count; i++) {
    assert_int_equal(w.ids[i * 16], 51);
    assert_int_equal(w.ids[i * 16 + 1], strchr(LETTERS, text[i * 15]) - LETTERS);
  }
  aq_text_windows_reset(&w);
}

static aq_perplexity_options options_on(const char *const *texts) {
  aq_perplexity_options o;
  aq_perplexity_options_init(&o);
  o.texts = list_of(texts, 1);
  o.context = 16;
  return o;
}

static void losses_are_those_of_whole_windows(void **state) {
  (void)state;
  aq_error err;
  const char *const texts[] = {text};
  aq_text_windows w = windows_of(texts, 1, 16, 0);
  aq_decoder *decoder = language_open();
  double sum = 0, losses[15];
  for (size_t i = 0; i < w.count; i++) {
    assert_ok(aq_decoder_losses(decoder, w.ids + i * 16, 16, losses, &err));
    for (size_t k = 8; k < 15; k++) sum += losses[k];
  }
  aq_decoder_close(decoder);
  aq_perplexity_options o = options_on(texts);
  aq_report *report;
  assert_ok(aq_perplexity(language_folder, &o, &report, &err));
  const json_t *p = aq_json_get(report->root, "perplexity");
  const double mean = sum / (double)(7 * w.count);
  assert_true(fabs(aq_json_get_real(p, "loss") - mean) < 1e-12 * mean); /* sums in two orders */
  assert_true(fabs(aq_json_get_real(p, "value") - exp(mean)) < 1e-11 * exp(mean));
  assert_null(aq_json_get(report->root, "divergence"));
  aq_report_free(report);
  aq_text_windows_reset(&w);
}

static void a_model_does_not_diverge_from_itself(void **state) {
  (void)state;
  aq_error err;
  const char *const texts[] = {text};
  aq_perplexity_options o = options_on(texts);
  aq_report *report;
  char *page = NULL;
  double value = 1;
  o.against = language_folder;
  assert_ok(aq_perplexity(language_folder, &o, &report, &err));
  assert_ok(aq_report_number(report, "divergence.max", &value, &err));
  assert_true(value >= 0 && value < 1e-14); /* rounding of a sum of DEC_WORDS terms */
  assert_ok(aq_report_number(report, "divergence.top_agreement", &value, &err));
  assert_true(value == 1);
  assert_ok(aq_report_render(report, AQ_REPORT_TEXT, &page, &err));
  assert_non_null(strstr(page, "KL divergence"));
  aq_free(page);
  aq_report_free(report);
}

static void what_cannot_be_measured_is_refused(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  const char *const texts[] = {text}, *const one[] = {"a"};
  aq_perplexity_options o = options_on(texts);
  o.texts_file = "both";
  assert_int_equal(aq_perplexity(language_folder, &o, &report, &err), AQ_ERR_ARGUMENT);
  o = options_on(texts);
  o.context = 7;
  assert_int_equal(aq_perplexity(language_folder, &o, &report, &err), AQ_ERR_ARGUMENT);
  o = options_on(one);
  assert_int_equal(aq_perplexity(language_folder, &o, &report, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "1 token"));
  o = options_on(texts);
  o.run.max_memory = 4096;
  assert_int_not_equal(aq_perplexity(language_folder, &o, &report, &err), AQ_OK);
  assert_null(report);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(windows_are_cut_from_the_beginning, set_up, tear_down),
      cmocka_unit_test_setup_teardown(every_window_begins_with_the_special_tokens, set_up, tear_down),
      cmocka_unit_test_setup_teardown(losses_are_those_of_whole_windows, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_model_does_not_diverge_from_itself, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_cannot_be_measured_is_refused, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
