/* test_generate.c - texts of a tiny decoder, beside tokens chosen here from its logits. */
#include "language_model.h"
#include "model/end_tokens.h"
#include "model/run/decoder.h"
#include "report/report.h"

static const char prompt[] = "The prompt";
enum { MOST = 40 };

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

/* The likeliest token each time. */
static void write_greedy(char *out, size_t count) {
  aq_error err;
  aq_decoder *decoder = language_open();
  int32_t ids[sizeof prompt + MOST];
  float logits[DEC_WORDS];
  size_t n = 0;
  for (; prompt[n] != '\0'; n++) ids[n] = (int32_t)(strchr(LETTERS, prompt[n]) - LETTERS);
  for (size_t i = 0; i < count; i++, n++) {
    size_t best = 0;
    assert_ok(aq_decoder_logits(decoder, 0, ids, n, 1, logits, &err));
    for (size_t k = 1; k < DEC_WORDS; k++) best = logits[k] > logits[best] ? k : best;
    ids[n] = (int32_t)best;
    out[i] = LETTERS[best];
  }
  out[count] = '\0';
  aq_decoder_close(decoder);
}

static aq_generate_options options_of(uint32_t most) {
  aq_generate_options o;
  aq_generate_options_init(&o);
  o.prompt = prompt;
  o.max_tokens = most;
  return o;
}

static aq_report *generate(const aq_generate_options *o) {
  aq_error err;
  aq_report *report;
  assert_ok(aq_generate(language_folder, o, &report, &err));
  return report;
}

static void assert_report(const aq_generate_options *o, const char *text, const char *stopped_by) {
  aq_report *report = generate(o);
  assert_string_equal(aq_json_get_string(report->root, "text"), text);
  assert_string_equal(aq_json_get_string(report->root, "stopped_by"), stopped_by);
  assert_int_equal(aq_json_get_count(report->root, "prompt_tokens"), strlen(prompt));
  aq_report_free(report);
}

typedef struct shown {
  char text[MOST + 1];
  size_t size, calls;
} shown;

static aq_status show(void *ctx, const void *bytes, size_t size, aq_error *err) {
  shown *s = ctx;
  (void)err;
  assert_true(s->size + size <= MOST);
  memcpy(s->text + s->size, bytes, size);
  s->size += size;
  s->calls++;
  return AQ_OK;
}

static void greedy_text_follows_the_logits(void **state) {
  (void)state;
  char expected[MOST + 1];
  shown s = {.size = 0};
  aq_generate_options o = options_of(MOST);
  write_greedy(expected, MOST);
  assert_report(&o, expected, "max_tokens");
  o.write = show;
  o.write_ctx = &s;
  aq_report_free(generate(&o));
  assert_string_equal(s.text, expected);
  assert_int_equal(s.calls, MOST);
  o.write = NULL;
  aq_report *report = generate(&o);
  char *text = NULL;
  aq_error err;
  assert_ok(aq_report_render(report, AQ_REPORT_TEXT, &text, &err));
  assert_non_null(strstr(text, "ended by max_tokens"));
  aq_free(text);
  aq_report_free(report);
}

static void a_text_ends_at_the_end_token_a_stop_or_the_context(void **state) {
  (void)state;
  char expected[MOST + 1], config[256], stop[3] = "";
  write_greedy(expected, MOST);
  aq_generate_options o = options_of(MOST);
  memcpy(stop, expected + 4, 2);
  const char *const stops[] = {"##", stop};
  o.stops = (aq_text_list){.texts = stops, .count = 2};
  char before[MOST + 1];
  (void)snprintf(before, sizeof before, "%.*s", (int)(strstr(expected, stop) - expected), expected);
  assert_report(&o, before, "stop");
  o = options_of(MOST);
  o.context = (uint32_t)strlen(prompt) + 3;
  (void)snprintf(before, sizeof before, "%.3s", expected);
  assert_report(&o, before, "context");
  o = options_of(MOST);
  const char *end = strchr(expected, expected[6]);
  (void)snprintf(config, sizeof config, "{\"eos_token_id\":[99,%d],\"repetition_penalty\":1.1,\"do_sample\":false}",
                 (int)(strchr(LETTERS, *end) - LETTERS));
  write_text(language_folder, "generation_config.json", config);
  (void)snprintf(before, sizeof before, "%.*s", (int)(end - expected), expected);
  assert_report(&o, before, "end of text");
  aq_report *report = generate(&o);
  const char *note = json_string_value(json_array_get(json_object_get(report->root, "notes"), 0));
  assert_non_null(note);
  assert_non_null(strstr(note, "repetition_penalty"));
  assert_int_equal(json_array_size(json_object_get(report->root, "notes")), 1);
  aq_report_free(report);
}

static void end_tokens_that_are_none_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"{\"eos_token_id\":\"x\"}", "{\"eos_token_id\":[1,-2]}", "{\"eos_token_id\":1.5}"};
  for (size_t i = 0; i < 3; i++) {
    aq_error err;
    aq_report *report;
    const aq_generate_options o = options_of(2);
    write_text(language_folder, "generation_config.json", bad[i]);
    assert_int_equal(aq_generate(language_folder, &o, &report, &err), AQ_ERR_FORMAT);
    assert_non_null(strstr(err.message, "eos_token_id"));
    assert_non_null(strstr(err.file, "generation_config.json"));
  }
}

static void what_cannot_be_done_is_refused(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  const char *const empty[] = {""};
  aq_generate_options o = options_of(2);
  o.prompt = NULL;
  assert_int_equal(aq_generate(language_folder, &o, &report, &err), AQ_ERR_ARGUMENT);
  o = options_of(2);
  o.stops = (aq_text_list){.texts = empty, .count = 1};
  assert_int_equal(aq_generate(language_folder, &o, &report, &err), AQ_ERR_ARGUMENT);
  o = options_of(2);
  o.context = 5;
  assert_int_equal(aq_generate(language_folder, &o, &report, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "10 tokens"));
  o = options_of(2);
  o.temperature = -1;
  assert_int_equal(aq_generate(language_folder, &o, &report, &err), AQ_ERR_ARGUMENT);
  assert_null(report);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(greedy_text_follows_the_logits, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_text_ends_at_the_end_token_a_stop_or_the_context, set_up, tear_down),
      cmocka_unit_test_setup_teardown(end_tokens_that_are_none_are_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_cannot_be_done_is_refused, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
