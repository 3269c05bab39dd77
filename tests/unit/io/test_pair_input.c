/* test_pair_input.c - pairs of texts, a line each: fields, objects and lists, and lines that are none of these. */
#include "io/pair_input.h"

#include "temp_folder.h"

/* The pairs as "first|second" with ';' behind each; a failure as its message. */
static void read_all(const char *name, const char *text, bool is_json, char *told, size_t room) {
  aq_error err;
  aq_pair_input input;
  aq_buffer texts = {NULL, 0, 0};
  size_t lengths[2], size = 0;
  bool more = true;
  assert_ok(aq_pair_input_open(&input, temp_write_text(name, text), is_json, &err));
  told[0] = '\0';
  for (;;) {
    texts.size = 0;
    if (aq_pair_input_next(&input, &texts, lengths, &more, &err) != AQ_OK) {
      (void)snprintf(told, room, "%s", err.message);
      break;
    }
    if (!more) break;
    const char *first = (const char *)texts.data, *second = first + lengths[0] + 1;
    assert_int_equal(texts.size, lengths[0] + lengths[1] + 2);
    assert_true(first[lengths[0]] == '\0' && second[lengths[1]] == '\0');
    size += (size_t)snprintf(told + size, room - size, "%s|%s;", first, second);
  }
  aq_buffer_reset(&texts);
  aq_pair_input_close(&input);
}

static const struct {
  const char *name, *text;
  bool is_json;
  const char *told; /* where the message is longer, its beginning */
} cases[] = {
    {"a.tsv", "a b\tc d\r\n\te\nf\t\n", false, "a b|c d;|e;f|;"},
    {"b.tsv", "a\tb\nno tab\n", false, "line 2: it has no tab; a pair is a query, a tab and a text"},
    {"c.tsv", "a\tb\tc\n", false, "line 1: it has more than one tab"},
    {"d.tsv", "a\tb\n\nc\td\n", false, "line 2: it has no tab"},
    {"e.txt", "{\"query\": \"a\\tb\", \"text\": \"c\"}\n \n[\"d\", \"\"]\n  [\"e\",\"f\"]\n", true, "a\tb|c;d|;e|f;"},
    {"f.jsonl", "[\"a\", \"b\"]\n", false, "a|b;"},
    {"g.jsonl", "{\"query\": \"a\"}\n", false, "line 1: the object has no member 'text'"},
    {"h.jsonl", "[\"a\"]\n", false, "line 1: it is a list of 1; a pair is a list of two texts"},
    {"i.jsonl", "[\"a\", 2]\n", false, "line 1: item 2 of the list is no text"},
    {"j.jsonl", "[\"a\", \"b\"\n", false, "line 1: it is no JSON"},
    {"k.jsonl", "[\"a\", \"b\"] x\n", false, "line 1: it is no JSON"},
    {"l.jsonl", "\"a\"\n", false, "line 1: "},
    {"m.tsv", "a\t\xff\n", false, "line 1: it is not UTF-8"},
};

static void lines_are_pairs_or_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char told[512];
    read_all(cases[i].name, cases[i].text, cases[i].is_json, told, sizeof told);
    if (strncmp(told, cases[i].told, strlen(cases[i].told)) != 0) fail_msg("%s: %s", cases[i].name, told);
  }
}

static void a_file_that_is_not_there_is_named(void **state) {
  (void)state;
  aq_error err;
  aq_pair_input input;
  assert_int_equal(aq_pair_input_open(&input, temp_path("none.tsv"), false, &err), AQ_ERR_NOT_FOUND);
  aq_pair_input_close(&input);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(lines_are_pairs_or_refused),
                                     cmocka_unit_test(a_file_that_is_not_there_is_named)};
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
