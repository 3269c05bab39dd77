/* test_post_processors.c - the special tokens around a text, by the types of post-processors. */
#include "parse_json.h"
#include "tokenizer/post_processors.h"

static aq_status read_frame(const char *text, aq_token_frame *frame, aq_error *err) {
  json_t *object = parse_json(text);
  *frame = (aq_token_frame){.before_count = 0};
  const aq_status status = aq_post_processor_read(frame, object, err);
  json_decref(object);
  return status;
}

/* Ids with a '.' where the text is. */
static void expect_frame(const char *text, const char *wanted) {
  aq_error err;
  aq_token_frame frame;
  char told[256] = "";
  size_t size = 0;
  assert_ok(read_frame(text, &frame, &err));
  for (size_t i = 0; i < frame.before_count; i++) size += (size_t)sprintf(told + size, "%d ", (int)frame.before[i]);
  size += (size_t)sprintf(told + size, ".");
  for (size_t i = 0; i < frame.after_count; i++) size += (size_t)sprintf(told + size, " %d", (int)frame.after[i]);
  assert_string_equal(told, wanted);
}

#define TEXT "{'Sequence':{'id':'A','type_id':0}}"
#define SPECIAL(name) "{'SpecialToken':{'id':'" name "'}}"
#define TEMPLATE(single) \
  "{'type':'TemplateProcessing','single':[" single "],'special_tokens':{'x':{'ids':[7]},'y':{'ids':[8,9]},'z':7}}"

static void tokens_stand_where_the_object_has_them(void **state) {
  (void)state;
  expect_frame("null", ".");
  expect_frame("{'type':'BertProcessing','sep':['[SEP]',102],'cls':['[CLS]',101]}", "101 . 102");
  expect_frame("{'type':'RobertaProcessing','sep':['</s>',2],'cls':['<s>',0],'trim_offsets':true}", "0 . 2");
  expect_frame(TEMPLATE(TEXT), ".");
  expect_frame(TEMPLATE(SPECIAL("x") "," TEXT "," SPECIAL("y")), "7 . 8 9");
  expect_frame(TEMPLATE(SPECIAL("y") "," SPECIAL("x") "," TEXT), "8 9 7 .");
  expect_frame("{'type':'ByteLevel','trim_offsets':true}", ".");
  expect_frame("{'type':'Sequence','processors':[]}", ".");
  expect_frame("{'type':'Sequence','processors':[{'type':'ByteLevel'}," TEMPLATE(
                   SPECIAL("y") "," TEXT "," SPECIAL("x")) ",{'type':'BertProcessing','sep':['b',2],'cls':['a',1]}]}",
               "1 8 9 . 7 2"); /* the second around the first */
}

static void expect_refused(const char *text, aq_status wanted, const char *says) {
  aq_error err;
  aq_token_frame frame;
  const aq_status status = read_frame(text, &frame, &err);
  if (status != wanted || strstr(err.message, says) == NULL) fail_msg("%s: %s", text, err.message);
}

#define NINE SPECIAL("y") "," SPECIAL("y") "," SPECIAL("y") "," SPECIAL("y") "," SPECIAL("x") ","
static void what_is_wrong_is_refused(void **state) {
  (void)state;
  expect_refused("{'type':'Other'}", AQ_ERR_UNSUPPORTED,
                 "post-processor is 'Other'; supported: TemplateProcessing, BertProcessing, RobertaProcessing, "
                 "ByteLevel, Sequence");
  expect_refused("{'type':'Sequence'}", AQ_ERR_FORMAT, "no list 'processors'");
  expect_refused("{'type':'Sequence','processors':[{'type':'Sequence','processors':[]}]}", AQ_ERR_UNSUPPORTED,
                 "a Sequence in a Sequence");
  expect_refused("{'type':'BertProcessing','sep':['[SEP]',102]}", AQ_ERR_FORMAT, "without a proper id");
  expect_refused("{'type':'BertProcessing','sep':['[SEP]',16777216],'cls':['a',0]}", AQ_ERR_FORMAT, "proper id");
  expect_refused(TEMPLATE(TEXT "," TEXT), AQ_ERR_UNSUPPORTED, "something else");
  expect_refused(TEMPLATE("{'Sequence':{'id':'B'}}"), AQ_ERR_UNSUPPORTED, "something else");
  expect_refused(TEMPLATE("{'Sequence':{'id':'A','type_id':1}}"), AQ_ERR_UNSUPPORTED, "'type_id'");
  expect_refused(TEMPLATE(SPECIAL("x")), AQ_ERR_FORMAT, "no place for the text");
  expect_refused(TEMPLATE(SPECIAL("z") "," TEXT), AQ_ERR_FORMAT, "'z' without ids");
  expect_refused(TEMPLATE(NINE NINE TEXT), AQ_ERR_UNSUPPORTED, "more than 16 tokens");
}

/* ---- pairs ---- */

#define TWICE(name, type) "{'SpecialToken':{'id':'" name "','type_id':" type "}}"
#define HALF(name, type) "{'Sequence':{'id':'" name "','type_id':" type "}}"
#define PAIR(pair)                                                 \
  "{'type':'TemplateProcessing','single':[" TEXT "],'pair':[" pair \
  "],'special_tokens':{'x':{'ids':[7]},'y':{'ids':["               \
  "8,9]},'bad':{'ids':[-1]}}}"

/* "7:0 A:0 8:1": ids and texts with their types. */
static void expect_pair(const char *text, const char *wanted) {
  aq_error err;
  aq_token_frame frame;
  char told[256] = "";
  size_t size = 0;
  assert_ok(read_frame(text, &frame, &err));
  const aq_pair_frame *pair = &frame.pair;
  assert_null(pair->unsupported);
  for (size_t place = 0; place < AQ_PAIR_PLACES; place++) {
    for (size_t i = 0; i < pair->counts[place]; i++) {
      size += (size_t)sprintf(told + size, "%d:%d ", (int)pair->ids[place][i], (int)pair->types[place][i]);
    }
    if (place < 2) size += (size_t)sprintf(told + size, "%c:%d ", "AB"[place], (int)pair -> text_types[place]);
  }
  told[size - 1] = '\0';
  assert_string_equal(told, wanted);
}

static void pairs_have_tokens_and_types(void **state) {
  (void)state;
  expect_pair("{'type':'BertProcessing','sep':['[SEP]',102],'cls':['[CLS]',101]}", "101:0 A:0 102:0 B:1 102:1");
  expect_pair("{'type':'RobertaProcessing','sep':['</s>',2],'cls':['<s>',0]}", "0:0 A:0 2:0 2:0 B:0 2:0");
  expect_pair(PAIR(HALF("A", "0") "," HALF("B", "1")), "A:0 B:1");
  expect_pair(PAIR(TWICE("x", "3") "," HALF("A", "2") "," TWICE("y", "0") "," TWICE("x", "4") "," HALF(
                  "B", "1") "," TWICE("x", "1")),
              "7:3 A:2 8:0 9:0 7:4 B:1 7:1");
  expect_pair("{'type':'Sequence','processors':[{'type':'ByteLevel'}," PAIR(
                  HALF("A", "0") "," TWICE("x", "0") "," HALF("B", "0")) ",{'type':'ByteLevel'}]}",
              "A:0 7:0 B:0");
}

static void no_processor_sets_no_pair(void **state) {
  (void)state;
  static const char *const texts[] = {"null", "{'type':'ByteLevel'}",
                                      "{'type':'Sequence','processors':[{'type':'ByteLevel'}]}"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    aq_error err;
    aq_token_frame frame;
    assert_ok(read_frame(texts[i], &frame, &err));
    assert_true(!frame.pair.is_set && frame.pair.unsupported == NULL);
  }
}

/* The frame of one text is there even so. */
static void expect_no_pair(const char *text, const char *says) {
  aq_error err;
  aq_token_frame frame;
  assert_ok(read_frame(text, &frame, &err));
  if (frame.pair.unsupported == NULL || strstr(frame.pair.unsupported, says) == NULL) {
    fail_msg("%s: %s", text, frame.pair.unsupported != NULL ? frame.pair.unsupported : "a pair");
  }
}

#define FIVE TWICE("y", "0") "," TWICE("y", "0") "," TWICE("y", "0") "," TWICE("y", "0") "," TWICE("x", "0") ","
static void pairs_that_cannot_be_made_say_why(void **state) {
  (void)state;
  expect_no_pair(TEMPLATE(TEXT), "no 'pair'");
  expect_no_pair(PAIR(HALF("A", "0")), "no 'pair' of the text A and then the text B");
  expect_no_pair(PAIR(HALF("B", "0") "," HALF("A", "0")), "no 'pair'");
  expect_no_pair(PAIR(HALF("A", "0") "," HALF("B", "0") "," HALF("A", "0")), "no 'pair'");
  expect_no_pair(PAIR(HALF("A", "0") "," HALF("B", "-1")), "'type_id'");
  expect_no_pair(PAIR(HALF("A", "0") "," HALF("B", "1024")), "'type_id'");
  expect_no_pair(PAIR(HALF("A", "0") "," HALF("B", "0.5")), "'type_id'");
  expect_no_pair(PAIR(HALF("A", "0") "," TWICE("z", "0") "," HALF("B", "0")), "without ids");
  expect_no_pair(PAIR(HALF("A", "0") "," TWICE("bad", "0") "," HALF("B", "0")), "without a proper id");
  expect_no_pair(PAIR(FIVE FIVE HALF("A", "0") "," HALF("B", "0")), "more tokens");
  expect_no_pair(
      "{'type':'Sequence','processors':[{'type':'BertProcessing','sep':['b',2],'cls':['a',1]},{'type':'"
      "RobertaProcessing','sep':['b',2],'cls':['a',1]}]}",
      "several");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tokens_stand_where_the_object_has_them),
      cmocka_unit_test(what_is_wrong_is_refused),
      cmocka_unit_test(pairs_have_tokens_and_types),
      cmocka_unit_test(no_processor_sets_no_pair),
      cmocka_unit_test(pairs_that_cannot_be_made_say_why),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
