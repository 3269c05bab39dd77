/* test_text_input.c - the reader of texts: lines, JSON objects, and files that are no text. */
#include "io/text_input.h"

#include "core/json_line.h"
#include "core/utf8.h"
#include "io/text_kind.h"
#include "temp_folder.h"

/* ---- one member of an object ---- */

typedef struct object_case {
  const char *line;
  const char *text; /* NULL: refused, with `words` in the message */
  const char *words;
} object_case;

static const object_case objects[] = {
    {"{\"t\": \"cat\"}", "cat", NULL},
    {"  {\"t\":\"\"}  ", "", NULL},
    {"{\"a\": NaN, \"t\": \"cat\", \"b\": [Infinity, -Infinity]}", "cat", NULL},
    {"{\"id\": 123456789012345678901234567890, \"x\": -0.5e+400, \"t\": \"cat\"}", "cat", NULL},
    {"{\"x\": 1, \"x\": 2, \"t\": \"dog\", \"t\": \"cat\"}", "cat", NULL},
    {"{\"t\": null, \"t\": \"cat\"}", "cat", NULL},
    {"{\"x\": {\"t\": \"dog\", \"y\": [{}, [], [[true]]]}, \"t\": \"cat\"}", "cat", NULL},
    {"{\"x\": \"\\ud83d \\udfff\", \"\\ud83d\": 1, \"t\": \"cat\"}", "cat", NULL},
    {"{\"\\u0074\": \"c\\u0061t\"}", "cat", NULL},
    {"{\"t\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "\"\\/\b\f\n\r\t", NULL},
    {"{\"t\": \"\\u00e9\\u20AC\\uD83D\\uDE00\"}", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", NULL},
    {"{\"t\": \"\xc3\xa9\"}", "\xc3\xa9", NULL},
    {"{\"x\": \"\xff\", \"t\": \"cat\"}", "cat", NULL},
    {"{\"t\": \"cat \\ud83d\"}", NULL, "surrogate"},
    {"{\"t\": \"\\ude00 cat\"}", NULL, "surrogate"},
    {"{\"t\": \"\\ud83d\\u0041\"}", NULL, "surrogate"},
    {"{\"t\": \"\xff\"}", NULL, "not UTF-8"},
    {"{\"t\": \"cat\", \"t\": 5}", NULL, "no string"},
    {"{\"t\": null}", NULL, "no string"},
    {"{\"t\": [\"cat\"]}", NULL, "no string"},
    {"{}", NULL, "no member 't'"},
    {"{\"T\": \"cat\"}", NULL, "no member 't'"},
    {"{\"x\": {\"t\": \"cat\"}}", NULL, "no member 't'"},
    {"[{\"t\": \"cat\"}]", NULL, "'{'"},
    {"\"cat\"", NULL, "'{'"},
    {"cat", NULL, "'{'"},
    {"{\"t\": \"cat\"} {}", NULL, "end of the line"},
    {"{\"t\": \"cat\",}", NULL, "name of a member"},
    {"{\"t\" \"cat\"}", NULL, "colon"},
    {"{\"t\": \"cat\" \"x\": 1}", NULL, "comma"},
    {"{\"t\": \"cat\"", NULL, "ends"},
    {"{\"t\": \"cat", NULL, "ends"},
    {"{\"t\": \"c\tt\"}", NULL, "end of a string"},
    {"{\"t\": \"\\x\"}", NULL, "escape"},
    {"{\"t\": \"\\u12g4\"}", NULL, "hexadecimal"},
    {"{\"x\": 1., \"t\": \"cat\"}", NULL, "digit"},
    {"{\"x\": , \"t\": \"cat\"}", NULL, "value"},
    {"{\"x\": nul, \"t\": \"cat\"}", NULL, "value"},
    {"{\"x\": [1, 2}, \"t\": \"cat\"}", NULL, "bracket"},
};

/* Lines are read from memory of their own size, so that a sanitizer sees a step beyond the end. */
static aq_status read_object(const char *line, size_t size, aq_buffer *out, aq_error *err) {
  uint8_t *copy = malloc(size > 0 ? size : 1);
  memcpy(copy, line, size);
  const aq_status status = aq_json_line_text(copy, size, "t", out, err);
  free(copy);
  return status;
}

static void object_text_is_read_or_refused_in_words(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
    const object_case *c = &objects[i];
    aq_buffer out = {0};
    aq_error err;
    assert_ok(aq_buffer_append(&out, "before", 6, &err));
    const aq_status status = read_object(c->line, strlen(c->line), &out, &err);
    if (c->text != NULL) {
      if (status != AQ_OK) fail_msg("%s: %s", c->line, err.message);
      assert_int_equal(out.size, 6 + strlen(c->text));
      assert_memory_equal(out.data + 6, c->text, strlen(c->text));
    } else {
      if (status != AQ_ERR_FORMAT || strstr(err.message, c->words) == NULL) fail_msg("%s: %s", c->line, err.message);
      assert_int_equal(out.size, 6);
    }
    aq_buffer_reset(&out);
  }
}

static void object_cut_short_is_refused_everywhere(void **state) {
  (void)state;
  const char line[] = "{\"x\": [1.5e3, {\"y\": null}], \"t\": \"c\\u0061\\ud83d\\ude00\\\"\"}";
  for (size_t size = 0; size < strlen(line); size++) {
    aq_buffer out = {0};
    aq_error err;
    assert_int_equal(read_object(line, size, &out, &err), AQ_ERR_FORMAT);
    aq_buffer_reset(&out);
  }
}

static void object_with_a_zero_in_the_text_has_it(void **state) {
  (void)state;
  aq_buffer out = {0};
  aq_error err;
  assert_ok(read_object("{\"t\": \"a\\u0000b\"}", 17, &out, &err));
  assert_int_equal(out.size, 3);
  assert_memory_equal(out.data, "a\0b", 3);
  aq_buffer_reset(&out);
}

static void object_nested_without_end_is_refused(void **state) {
  (void)state;
  enum { LEVELS = 100000 };
  char *line = malloc(LEVELS + 6);
  memcpy(line, "{\"x\":", 5);
  memset(line + 5, '[', LEVELS);
  aq_buffer out = {0};
  aq_error err;
  assert_int_equal(read_object(line, LEVELS + 5, &out, &err), AQ_ERR_UNSUPPORTED);
  aq_buffer_reset(&out);
  free(line);
}

static void utf8_valid_counts_well_formed_bytes(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size, good;
  } cases[] = {{"", 0, 0},
               {"abc", 3, 3},
               {"a\0b", 3, 3},
               {"\xc3\xa9", 2, 2},
               {"\xc3", 1, 0},
               {"ab\xf0\x9f\x98\x80", 6, 6},
               {"ab\xf0\x9f\x98", 5, 2},
               {"abcdef\xe2\x82", 8, 6},
               {"\xed\xa0\x80", 3, 0},
               {"aaaa\xff"
                "aaaa",
                9, 4},
               {"\xc0\x80xx", 4, 0},
               {"\xf4\x90\x80\x80", 4, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint8_t *copy = malloc(cases[i].size + 1);
    memcpy(copy, cases[i].bytes, cases[i].size);
    assert_int_equal(aq_utf8_valid(copy, cases[i].size), cases[i].good);
    free(copy);
  }
}

/* ---- files ---- */

/* What a file gives: its texts with '|' after each, or the message of the failure. */
static const char *read_file(const char *name, const void *bytes, size_t size, const char *field) {
  static char told[1024];
  aq_text_input input;
  aq_buffer texts = {0};
  aq_error err;
  size_t at = 0;
  aq_status status = aq_text_input_open(&input, temp_write(name, bytes, size), field, &err);
  for (bool more = true; status == AQ_OK && more;) {
    size_t length;
    texts.size = 0;
    status = aq_text_input_next(&input, &texts, &length, &more, &err);
    if (status != AQ_OK || !more) break;
    assert_int_equal(texts.data[length], 0);
    memcpy(told + at, texts.data, length);
    told[at + length] = '|';
    at += length + 1;
  }
  told[at] = '\0';
  if (status != AQ_OK) (void)snprintf(told, sizeof told, "%s %s", err.message, err.hint);
  aq_text_input_close(&input);
  aq_buffer_reset(&texts);
  return told;
}

static void lines_are_texts_and_ends_of_lines_are_not(void **state) {
  (void)state;
  static const struct {
    const char *bytes, *texts, *field, *name;
  } cases[] = {{"a\nb", "a|b|", NULL, "x"},
               {"a\r\nb\r\n", "a|b|", NULL, "x"},
               {"a\n\n \nb\n", "a|| |b|", NULL, "x"},
               {"\xEF\xBB\xBF"
                "a\nb\n",
                "a|b|", NULL, "x"},
               {"a\rb\n", "a\rb|", NULL, "x"},
               {"{\"text\": \"a\"}\n", "{\"text\": \"a\"}|", NULL, "x"},
               {"{\"text\": \"a\"}\n", "a|", NULL, "x.jsonl"},
               {"{\"text\": \"a\"}\n", "a|", NULL, "x.ndjson"},
               {"{\"text\": \"a\"}\n", "a|", NULL, "x.json"},
               {"a\tb\t1\n", "a\tb\t1|", AQ_TEXT_LINES, "x.json"},
               {"{\"t\": \"a\"}\n", "a|", "t", "x"},
               {"\xEF\xBB\xBF{\"t\": \"a\"}\r\n\r\n \n\xEF\xBB\xBF{\"t\": \"\"}\n{\"t\": \"b\"}", "a||b|", "t", "x"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_string_equal(read_file(cases[i].name, cases[i].bytes, strlen(cases[i].bytes), cases[i].field),
                        cases[i].texts);
  }
}

static void files_without_a_text_are_refused(void **state) {
  (void)state;
  assert_non_null(strstr(read_file("x", "", 0, NULL), "it is empty"));
  assert_non_null(strstr(read_file("x", "\xEF\xBB\xBF", 3, NULL), "it is empty"));
  assert_non_null(strstr(read_file("x", "\n \n\t\r\n", 6, NULL), "from line 1 to line 3 all is blank"));
  assert_non_null(strstr(read_file("x", "\n\n", 2, "t"), "from line 1 to line 2 all is blank"));
  assert_string_equal(read_file("x", "{\"t\": \"\"}", 9, "t"), "|"); /* an empty text is one */
}

static void lines_that_are_no_utf8_are_refused_with_their_number(void **state) {
  (void)state;
  assert_non_null(strstr(read_file("x", "a\nb\xe9\n", 5, NULL), "line 2: it is not UTF-8: byte 2 is 0xe9"));
  assert_non_null(strstr(read_file("x", "a\nbc\0d\n", 7, NULL), "line 2: it is no text: byte 3 is zero"));
  assert_non_null(strstr(read_file("x", "{\"t\": \"a\"}\nno\n", 14, "t"), "line 2: no JSON object"));
}

static void files_that_are_no_text_are_refused_by_name(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
    const char *name;
  } cases[] = {{"\xff\xfet\0h\0", 6, "UTF-16"},
               {"\xfe\xff\0t\0h", 6, "UTF-16"},
               {"\xff\xfe\0\0t\0\0\0", 8, "UTF-32"},
               {"\0\0\xfe\xff\0\0\0t", 8, "UTF-32"},
               {"t\0h\0e\0 \0c\0a\0t\0\n\0", 16, "UTF-16, without"},
               {"\0t\0h\0e\0 \0c\0a\0t\0\n", 16, "UTF-16, without"},
               {"t\0\0\0h\0\0\0e\0\0\0\n\0\0\0", 16, "UTF-32, without"},
               {"\0\0\0t\0\0\0h\0\0\0e\0\0\0\n", 16, "UTF-32, without"},
               {"\x1f\x8b\x08\0\0\0\0\0", 8, "gzip"},
               {"PK\x03\x04\x14\0", 6, "ZIP"},
               {"\x28\xb5\x2f\xfd\x04", 5, "Zstandard"},
               {"BZh91AY&SY\x01\x02", 12, "bzip2"},
               {"\xfd\x37zXZ\0\0", 7, "xz"},
               {"PAR1\x15\x04", 6, "Parquet"},
               {"ARROW1\0\0\0", 9, "Arrow"},
               {"\x93NUMPY\x01\0", 8, "NumPy"},
               {"\x7f"
                "ELF\x02",
                5, "program"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int json = 0; json < 2; json++) {
      const char *told = read_file(json == 1 ? "x.jsonl" : "x", cases[i].bytes, cases[i].size, NULL);
      if (strstr(told, cases[i].name) == NULL || strstr(told, "texts are read as UTF-8") == NULL) {
        fail_msg("%s: %s", cases[i].name, told);
      }
    }
  }
  assert_string_equal(read_file("x", "BZh is short for\n", 17, NULL), "BZh is short for|");
  assert_string_equal(read_file("x", "PAR1 of the course\n", 19, NULL), "PAR1 of the course|");
  assert_string_equal(read_file("x", "Obj", 3, NULL), "Obj|");
}

static void long_inputs_pass_block_after_block(void **state) {
  (void)state;
  aq_text_reader *reader;
  aq_error err;
  enum { LINES = 30000 };
  char *bytes = malloc(LINES * 16);
  size_t size = 0;
  for (int i = 0; i < LINES; i++) size += (size_t)sprintf(bytes + size, "text %d\xff\n", i);
  assert_ok(aq_text_reader_open(temp_write("long", bytes, size), NULL, &reader, &err));
  for (int i = 0; i < LINES; i++) {
    char wanted[32];
    const char *text;
    size_t length;
    (void)snprintf(wanted, sizeof wanted, "text %d\xff", i);
    assert_ok(aq_text_reader_next(reader, &text, &length, &err));
    assert_string_equal(text, wanted);
    assert_int_equal(length, strlen(wanted));
    assert_int_equal(aq_text_reader_broken(reader), i + 1);
  }
  const char *text = "";
  size_t length;
  for (int i = 0; i < 2; i++) {
    assert_ok(aq_text_reader_next(reader, &text, &length, &err));
    assert_null(text);
  }
  aq_text_reader_close(reader);
  free(bytes);
  assert_int_equal(aq_text_reader_open(temp_path("absent"), NULL, &reader, &err), AQ_ERR_NOT_FOUND);
  assert_null(reader);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(object_text_is_read_or_refused_in_words),
      cmocka_unit_test(object_cut_short_is_refused_everywhere),
      cmocka_unit_test(object_with_a_zero_in_the_text_has_it),
      cmocka_unit_test(object_nested_without_end_is_refused),
      cmocka_unit_test(utf8_valid_counts_well_formed_bytes),
      cmocka_unit_test(lines_are_texts_and_ends_of_lines_are_not),
      cmocka_unit_test(files_without_a_text_are_refused),
      cmocka_unit_test(lines_that_are_no_utf8_are_refused_with_their_number),
      cmocka_unit_test(files_that_are_no_text_are_refused_by_name),
      cmocka_unit_test(long_inputs_pass_block_after_block),
  };
  return cmocka_run_group_tests_name("text_input", tests, temp_setup, temp_teardown);
}
