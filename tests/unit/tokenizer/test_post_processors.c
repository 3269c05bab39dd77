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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tokens_stand_where_the_object_has_them),
      cmocka_unit_test(what_is_wrong_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
