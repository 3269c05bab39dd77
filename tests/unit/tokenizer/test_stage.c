/* test_stage.c - types of a stage by their names, and keys of a type that are refused. */
#include "parse_json.h"
#include "tokenizer/stage.h"

static const aq_key keys[] = {{AQ_TOKENIZER_KEYS_JSON, "model.dropout", AQ_KEY_REFUSED},
                              {AQ_TOKENIZER_KEYS_JSON, "model.vocab", AQ_KEY_HONOURED},
                              {AQ_TOKENIZER_KEYS_JSON, "model.prefix", AQ_KEY_NO_EFFECT},
                              {.key = NULL}};
static const aq_stage_type one = {"One", keys}, two = {.name = "Two"};
static const aq_stage_type *const types[] = {&one, &two};
static const aq_stage stage = {"model", types, 2};

static void expect_type(const char *text, const aq_stage_type *wanted) {
  aq_error err;
  const aq_stage_type *found = NULL;
  json_t *object = parse_json(text);
  assert_ok(aq_stage_find(&stage, object, &found, &err));
  assert_ptr_equal(found, wanted);
  json_decref(object);
}

static void expect_refused(const char *text, const char *message) {
  aq_error err;
  const aq_stage_type *found = NULL;
  json_t *object = text != NULL ? parse_json(text) : NULL;
  assert_int_equal(aq_stage_find(&stage, object, &found, &err), AQ_ERR_UNSUPPORTED);
  assert_string_equal(err.message, message);
  json_decref(object);
}

static void types_are_found_by_their_whole_names(void **state) {
  (void)state;
  expect_type("{'type':'One'}", &one);
  expect_type("{'type':'Two','unknown':7}", &two);
  expect_refused("{'type':'one'}", "the tokenizer's model is 'one'; supported: One, Two");
  expect_refused("{'type':'Twofold'}", "the tokenizer's model is 'Twofold'; supported: One, Two");
  static const char none[] = "the tokenizer's model is none that says its type; supported: One, Two";
  expect_refused("{'type':7}", none);
  expect_refused("{}", none);
  expect_refused("[]", none);
  expect_refused("null", none);
  expect_refused(NULL, none);
}

static void keys_that_are_refused_have_a_path(void **state) {
  (void)state;
  expect_type("{'type':'One','dropout':null,'vocab':{'a':1},'prefix':'x'}", &one);
  expect_type("{'type':'Two','dropout':0.1}", &two); /* not one of its keys */
  expect_refused("{'type':'One','dropout':0.1}", "'model.dropout' is set, and what it asks for cannot be done");
}

static void names_that_have_no_room_are_left_out(void **state) {
  (void)state;
  char text[9];
  assert_string_equal(aq_stage_names(&stage, text, sizeof text), "One, Two");
  assert_int_equal(strlen(aq_stage_names(&stage, text, 6)), 5);
  assert_int_equal(strlen(aq_stage_names(&stage, text, 1)), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(types_are_found_by_their_whole_names),
      cmocka_unit_test(keys_that_are_refused_have_a_path),
      cmocka_unit_test(names_that_have_no_room_are_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
