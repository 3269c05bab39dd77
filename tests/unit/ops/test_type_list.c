/* test_type_list.c - lists of types as callers write them. */
#include "check.h"
#include "ops/type_list.h"

static aq_error err;

static void types_come_in_the_order_of_the_text(void **state) {
  (void)state;
  aq_type_list list;
  assert_ok(aq_type_list_parse("int2, int8 ,  int3,int4", "measured", &list, &err));
  static const aq_quant_type expected[] = {AQ_INT2, AQ_INT8, AQ_INT3, AQ_INT4};
  assert_int_equal(list.count, AQ_TYPE_LIST_MAX);
  for (size_t i = 0; i < list.count; i++) assert_int_equal(list.types[i], expected[i]);
  assert_ok(aq_type_list_parse("int4", "measured", &list, &err));
  assert_int_equal(list.count, 1);
  assert_int_equal(list.types[0], AQ_INT4);
}

static void what_is_no_type_is_refused_by_name(void **state) {
  (void)state;
  static const struct {
    const char *text, *says;
  } cases[] = {
      {"", "type ''"},
      {"int8,", "type ''"},
      {",int8", "type ''"},
      {"int8,,int4", "type ''"},
      {"int8;int4", "type 'int8;int4'"},
      {"int 8", "type 'int 8'"},
      {"fp16", "type 'fp16'"},
      {"kept", "type 'kept'"},
      {"int5,int8", "type 'int5'"},
      {"int8,int4444444444444444444", "type 'int4444444444444444444'"},
      {"\tint8", "type '\tint8'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_type_list list;
    assert_int_equal(aq_type_list_parse(cases[i].text, "measured", &list, &err), AQ_ERR_ARGUMENT);
    if (strstr(err.message, cases[i].says) == NULL) fail_msg("'%s': %s", cases[i].text, err.message);
    assert_non_null(strstr(err.message, "cannot be measured"));
    assert_non_null(strstr(err.message, "int8, int4, int3, int2"));
  }
}

static void long_names_are_cut_in_the_message(void **state) {
  (void)state;
  char text[400];
  aq_type_list list;
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  assert_int_equal(aq_type_list_parse(text, "measured", &list, &err), AQ_ERR_ARGUMENT);
  assert_in_range(strlen(err.message), 64, 200);
}

static void types_named_twice_are_refused(void **state) {
  (void)state;
  aq_type_list list;
  assert_int_equal(aq_type_list_parse("int8,int4, int8", "measured", &list, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "'int8' is named twice"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(types_come_in_the_order_of_the_text),
      cmocka_unit_test(what_is_no_type_is_refused_by_name),
      cmocka_unit_test(long_names_are_cut_in_the_message),
      cmocka_unit_test(types_named_twice_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
