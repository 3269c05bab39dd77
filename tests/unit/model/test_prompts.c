/* test_prompts.c - the words that a model wants before a text: which are chosen, and files that are wrong. */
#include "model/prompts.h"

#include "check.h"
#include "temp_folder.h"

static const char file_name[] = "config_sentence_transformers.json";

static aq_status read_text(const char *text, aq_prompts *out, aq_error *err) {
  (void)temp_write(file_name, text, strlen(text));
  return aq_prompts_read(NULL, temp_folder, out, err);
}

static const char *find(const aq_prompts *prompts, const char *name) {
  aq_error err;
  const char *words = NULL;
  assert_ok(aq_prompts_find(prompts, name, &words, &err));
  return words;
}

static void find_takes_the_name_or_else_the_default(void **state) {
  (void)state;
  aq_error err;
  aq_prompts p;
  assert_ok(
      read_text("{\"__version__\":{\"n\":100000000000000000000},\"default_prompt_name\":\"q\","
                "\"prompts\":{\"q\":\"query: \",\"d\":\"\",\"n\":null}}",
                &p, &err));
  assert_string_equal(find(&p, NULL), "query: ");
  assert_string_equal(find(&p, "q"), "query: ");
  assert_string_equal(find(&p, "d"), "");
  assert_string_equal(find(&p, "n"), "");
  const char *words;
  assert_int_equal(aq_prompts_find(&p, "Q", &words, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "the model has no prompt named 'Q'; it has q, d, n");
  aq_prompts_reset(&p);
}

static void find_without_prompts_has_nothing(void **state) {
  (void)state;
  static const char *const texts[] = {NULL, "{}", "{\"prompts\":null,\"default_prompt_name\":null}",
                                      "{\"prompts\":{},\"default_prompt_name\":\"query\"}"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    aq_error err;
    aq_prompts p;
    const char *words;
    if (texts[i] == NULL) {
      assert_ok(aq_prompts_read(NULL, temp_folder, &p, &err)); /* no file */
    } else {
      assert_ok(read_text(texts[i], &p, &err));
    }
    assert_string_equal(find(&p, NULL), "");
    assert_int_equal(aq_prompts_find(&p, "q", &words, &err), AQ_ERR_ARGUMENT);
    assert_string_equal(err.message, "the model has no prompt named 'q'; it has none");
    aq_prompts_reset(&p);
  }
}

static void find_default_that_is_no_prompt_is_refused(void **state) {
  (void)state;
  aq_error err;
  aq_prompts p;
  const char *words;
  assert_ok(read_text("{\"prompts\":{\"d\":\"passage: \"},\"default_prompt_name\":\"q\"}", &p, &err));
  assert_int_equal(aq_prompts_find(&p, NULL, &words, &err), AQ_ERR_FORMAT);
  assert_non_null(strstr(err.message, "'default_prompt_name' is 'q'"));
  assert_string_equal(find(&p, "d"), "passage: "); /* it is not needed then */
  aq_prompts_reset(&p);
}

static void find_unknown_among_many_keeps_its_message_short(void **state) {
  (void)state;
  char text[4000] = "{\"prompts\":{\"0\":\"\"";
  for (int i = 1; i < 60; i++) {
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), ",\"a rather long name %d\":\"\"", i);
  }
  (void)strcat(text, "}}");
  aq_error err;
  aq_prompts p;
  const char *words;
  assert_ok(read_text(text, &p, &err));
  assert_int_equal(aq_prompts_find(&p, "q", &words, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "it has 0, a rather long name 1, "));
  assert_true(strlen(err.message) < 260);
  aq_prompts_reset(&p);
}

static void read_wrong_file_is_refused_and_named(void **state) {
  (void)state;
  static const char *const texts[] = {
      "", "[]", "{\"prompts\":[]}", "{\"prompts\":\"x\"}", "{\"prompts\":{\"q\":7}}", "{\"default_prompt_name\":1}"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    aq_error err;
    aq_prompts p;
    assert_int_equal(read_text(texts[i], &p, &err), AQ_ERR_FORMAT);
    assert_string_equal(err.file, file_name);
    assert_null(p.root);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(find_takes_the_name_or_else_the_default, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(find_without_prompts_has_nothing, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(find_default_that_is_no_prompt_is_refused, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(find_unknown_among_many_keeps_its_message_short, temp_setup, temp_teardown),
      cmocka_unit_test_setup_teardown(read_wrong_file_is_refused_and_named, temp_setup, temp_teardown),
  };
  return cmocka_run_group_tests_name("prompts", tests, NULL, NULL);
}
