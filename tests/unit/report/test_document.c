/* test_document.c - templates and blocks, and what the two writers make of them. */
#include <math.h>

#include "check.h"
#include "faulty_allocator.h"
#include "report/document.h"
#include "report/report.h"
#include "report/writers.h"

static json_t *parse_object(const char *text) {
  json_t *object = json_loads(text, JSON_DECODE_ANY, NULL);
  assert_non_null(object);
  return object;
}

static char *write_document(const aq_document *document, aq_report_form form) {
  aq_error err;
  aq_buffer out = {0};
  assert_int_equal(document->status, AQ_OK);
  assert_ok(form == AQ_REPORT_TEXT ? aq_write_text(document, &out, &err) : aq_write_markdown(document, &out, &err));
  return aq_buffer_take_string(&out);
}

/* Both forms of a document, which is freed. */
static void assert_written(aq_document *document, const char *text, const char *page) {
  char *written = write_document(document, AQ_REPORT_TEXT);
  assert_string_equal(written, text);
  aq_free(written);
  written = write_document(document, AQ_REPORT_MARKDOWN);
  assert_string_equal(written, page);
  aq_free(written);
  aq_document_reset(document);
}

/* ---- templates ---- */

static void template_takes_members_in_their_formats(void **state) {
  (void)state;
  json_t *object = parse_object(
      "{\"name\":\"a.b\",\"n\":1234567,\"one\":1,\"ratio\":3.14159,\"bytes\":90868376,\"cosine\":0.99999999,"
      "\"seconds\":0.25,\"error\":0.000123,\"list\":[1,2,3],\"shape\":[30522,384],\"dtype\":\"torch.float32\","
      "\"type\":\"int8\",\"snr_db\":12.345,\"deep\":{\"er\":{\"x\":7}},\"same\":{\"equal\":true,\"snr_db\":null},"
      "\"limit\":0.85,\"unit\":\"\",\"time\":{\"limit\":60,\"measured\":0.25,\"unit\":\"s\"},"
      "\"size\":{\"limit\":2,\"measured\":3.966,\"unit\":\"x\"},\"loss\":{\"limit\":15,\"measured\":0.0051,"
      "\"unit\":\"%\"},\"lost\":{\"measured\":3,\"unit\":\"tensors\"}}");
  static const char *const cases[][2] = {
      {"{name}", "a.b"},
      {"{absent}", ""},
      {"{n:count} thing{n:s}, {one:count} thing{one:s}", "1,234,567 things, 1 thing"},
      {"{ratio:.2} {ratio:.0} {absent:.2}", "3.14 3 -"},
      {"{bytes:bytes}", "90.9 MB"},
      {"{cosine:cosine} {absent:cosine}", "0.999999 -"},
      {"{seconds:seconds}", "250 ms"},
      {"{error:error}", "1.23e-04"},
      {"{list:count} item{list:s}", "3 items"},
      {"{shape:shape} {absent:shape}", "[30522, 384] []"},
      {"{dtype:dtype}", "float32"},
      {"{type:upper}", "INT8"},
      {"{snr_db:snr} {snr_db:decibels}", "12.35 12.35 dB"},
      {"{same.snr_db:snr} {same.snr_db:decibels}", "equal equal"},
      {"{deep.er.x:count}", "7"},
      {"{deep.no.x:count}", "0"},
      {"{cosine:band} {absent:band} {ratio:loss band} {n:loss band}", "excellent - excellent poor"},
      {"{limit:limit} {time.limit:limit} {size.limit:limit} {loss.limit:limit}", "0.85 60 s 2x 15 %"},
      {"{time.measured:measured} {size.measured:measured} {loss.measured:measured} {lost.measured:measured}",
       "250 ms 3.97x 0.005 % 3"},
      {"{cosine:measured} {absent:measured}", "0.999999 -"},
      {"5 * 3 is **{name}**, and `{name}` too", "5 * 3 is a.b, and a.b too"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_document document = {0};
    aq_document_add(&document, AQ_PARAGRAPH, object, cases[i][0]);
    char *text = write_document(&document, AQ_REPORT_TEXT);
    assert_int_equal(text[strlen(text) - 1], '\n');
    text[strlen(text) - 1] = '\0';
    assert_string_equal(text, cases[i][1]);
    aq_free(text);
    aq_document_reset(&document);
  }
  json_decref(object);
}

static void template_that_is_wrong_is_an_error(void **state) {
  (void)state;
  static const char *const wrong[] = {"{name", "{name:poem}", "{name:}", "{name:.x}", "{name:.22}"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    aq_error err;
    aq_document document = {.err = &err};
    aq_document_add(&document, AQ_PARAGRAPH, NULL, wrong[i]);
    aq_document_add(&document, AQ_PARAGRAPH, NULL, "more");
    assert_int_equal(document.status, AQ_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "template"));
    aq_document_reset(&document);
  }
}

/* ---- blocks ---- */

static void blocks_have_their_layout(void **state) {
  (void)state;
  aq_document document = {0};
  json_t *notes = parse_object("[\"one\",\"two\"]");
  aq_document_add(&document, AQ_TITLE, NULL, "A title");
  aq_document_pair(&document, "to", NULL, "there");
  aq_document_add(&document, AQ_ITEM, NULL, "between");
  aq_document_pair(&document, "through", NULL, "it");
  aq_document_gap(&document);
  aq_document_pair(&document, "on", NULL, "its own");
  document.page_only = true;
  aq_document_pair(&document, "a very long name", NULL, "of a detail");
  document.page_only = false;
  aq_document_add(&document, AQ_HEADING, NULL, "part");
  document.page_only = true;
  aq_document_add(&document, AQ_PARAGRAPH, NULL, "a detail");
  document.page_only = false;
  aq_document_list(&document, AQ_REMARK, "note: ", notes);
  aq_document_add(&document, AQ_VERDICT, NULL, "**OK**, then");
  aq_document_add_rest(&document, 12, 10, " more");
  aq_document_add_rest(&document, 10, 10, " more");
  json_decref(notes);
  assert_written(&document,
                 "A title\n"
                 "to       there\n"
                 "  between\n"
                 "through  it\n"
                 "\n"
                 "on  its own\n"
                 "part\n"
                 "note: one\n"
                 "note: two\n"
                 "OK, then\n"
                 "  and 2 more\n",
                 "# A title\n\n"
                 "**OK**, then\n\n"
                 "- **to**: there\n"
                 "- between\n"
                 "- **through**: it\n"
                 "- **on**: its own\n"
                 "- **a very long name**: of a detail\n\n"
                 "## Part\n\n"
                 "A detail\n\n"
                 "> note: one\n\n"
                 "> note: two\n\n"
                 "- and 2 more\n");
}

/* The pairs on either side of what the terminal does not show are aligned each for themselves. */
static void details_part_the_pairs_around_them(void **state) {
  (void)state;
  aq_document document = {0};
  aq_document_pair(&document, "to", NULL, "there");
  document.page_only = true;
  aq_document_add(&document, AQ_HEADING, NULL, "details");
  document.page_only = false;
  aq_document_pair(&document, "a longer name", NULL, "of it");
  assert_written(&document,
                 "to  there\n"
                 "a longer name  of it\n",
                 "- **to**: there\n\n"
                 "## Details\n\n"
                 "- **a longer name**: of it\n");
}

static void tables_are_aligned_and_details_are_columns_of_a_page(void **state) {
  (void)state;
  static const aq_column columns[] = {{"hidden", 'l', "{n:.1}", true},
                                      {"name", 'l', "`{name}`", false},
                                      {"n", 'r', "{n:count}", false},
                                      {"more", 'l', "x", true},
                                      {"end", 'l', "{end}", false}};
  aq_document document = {0};
  json_t *rows = parse_object(
      "[{\"name\":\"\\u00e9t\\u00e9\",\"n\":1000,\"end\":\"\"},{\"name\":\"longer\",\"n\":7,\"end\":\"z\"}]");
  aq_document_table(&document, 1, columns, 5);
  aq_document_rows(&document, columns, 5, rows);
  json_decref(rows);
  assert_written(&document,
                 " name        n  end\n"
                 " \xC3\xA9t\xC3\xA9     1,000  \n"
                 " longer      7  z\n",
                 "| hidden | name | n | more | end |\n"
                 "|---|---|---:|---|---|\n"
                 "| 1000.0 | `\xC3\xA9t\xC3\xA9` | 1,000 | x |  |\n"
                 "| 7.0 | `longer` | 7 | x | z |\n");
}

static void table_without_rows_is_its_heading(void **state) {
  (void)state;
  aq_document document = {0};
  static const aq_column columns[] = {{"name", 'l', "{}", false}};
  aq_document_table(&document, 0, columns, 1);
  aq_document_rows(&document, columns, 1, NULL);
  assert_written(&document, "name\n", "| name |\n|---|\n");
}

/* ---- names from files that want to be more than names ---- */

static void hostile_names_stay_names(void **state) {
  (void)state;
  static const struct {
    const char *name, *text, *as_code, *as_words, *in_table;
  } cases[] = {
      {"a\x1B[31mred\x7F", "a?[31mred?", "`a?[31mred?`", "a?\\[31mred?", "`a?[31mred?`"},
      {"c1\xC2\x9B\xC2\xA0", "c1?\xC2\xA0", "`c1?\xC2\xA0`", "c1?\xC2\xA0", "`c1?\xC2\xA0`"},
      {"two\nlines\r", "two?lines?", "`two?lines?`", "two?lines?", "`two?lines?`"},
      {"a`b", "a`b", "``a`b``", "a\\`b", "``a`b``"},
      {"``", "``", "``` `` ```", "\\`\\`", "``` `` ```"},
      {" x ", " x ", "`  x  `", "x ", "`  x  `"},
      {"a|b", "a|b", "`a|b`", "a\\|b", "a\\|b"},
      {"a\\|b", "a\\|b", "`a\\|b`", "a\\\\\\|b", "a\\\\\\|b"},
      {"**b** _i_ ~s~", "**b** _i_ ~s~", "`**b** _i_ ~s~`", "\\*\\*b\\*\\* \\_i\\_ \\~s\\~", "`**b** _i_ ~s~`"},
      {"snake_case_name", "snake_case_name", "`snake_case_name`", "snake_case_name", "`snake_case_name`"},
      {"<script>&lt; 1 < 2", "<script>&lt; 1 < 2", "`<script>&lt; 1 < 2`", "\\<script>\\&lt; 1 < 2",
       "`<script>&lt; 1 < 2`"},
      {"[x](http://y)", "[x](http://y)", "`[x](http://y)`", "\\[x\\](http://y)", "`[x](http://y)`"},
      {"# head", "# head", "`# head`", "\\# head", "`# head`"},
      {"12. item", "12. item", "`12. item`", "12\\. item", "`12. item`"},
      {"1.5 x", "1.5 x", "`1.5 x`", "1.5 x", "`1.5 x`"},
      {"> quote", "> quote", "`> quote`", "\\> quote", "`> quote`"},
      {"--- rule", "--- rule", "`--- rule`", "\\--- rule", "`--- rule`"},
      {"    code", "    code", "`    code`", "code", "`    code`"},
      {"{n:count}", "{n:count}", "`{n:count}`", "{n:count}", "`{n:count}`"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    json_t *name = json_string(cases[i].name);
    char text[200], page[400];
    aq_document document = {0};
    aq_document_add(&document, AQ_PARAGRAPH, name, "`{}`");
    aq_document_add(&document, AQ_ITEM, name, "{}");
    aq_document_open_table(&document, 0, 1);
    aq_document_column(&document, 'r', name, "`{}`");
    (void)snprintf(text, sizeof text, "%s\n  %s\n%s\n", cases[i].text, cases[i].text, cases[i].text);
    (void)snprintf(page, sizeof page, "%s\n\n- %s\n\n| %s |\n|---:|\n", cases[i].as_code, cases[i].as_words,
                   cases[i].in_table);
    assert_written(&document, text, page);
    json_decref(name);
  }
}

/* ---- memory ---- */

static aq_status render_with_faults(const aq_report *report, aq_report_form form, long refuse_at) {
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_error err;
  char *text = NULL;
  atomic_store(&alive, 0);
  atomic_store(&countdown, refuse_at);
  aq_set_allocator(&faulty);
  const aq_status status = aq_report_render(report, form, &text, &err);
  assert_true((status == AQ_OK) == (text != NULL));
  aq_free(text);
  aq_set_allocator(NULL);
  assert_int_equal(atomic_load(&alive), 0);
  return status;
}

static void memory_that_is_refused_is_an_error_and_no_leak(void **state) {
  (void)state;
  static const char *const kinds[] = {"verify", "quantize", "sensitivity", "validate"};
  json_t *fields = parse_object(
      "{\"tensors\":[{\"name\":\"w\",\"action\":\"kept\",\"rule\":\"small\",\"type\":\"kept\",\"used\":true},"
      "{\"name\":\"v\",\"action\":\"quantized\",\"type\":\"int8\"}],\"types\":[\"int8\"],\"notes\":[\"look\"]}");
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
    aq_error err;
    aq_report *report;
    assert_ok(aq_report_create(kinds[k], &report, &err));
    assert_int_equal(json_object_update(report->root, fields), 0);
    for (int form = AQ_REPORT_TEXT; form <= AQ_REPORT_MARKDOWN; form++) {
      long refused = 1;
      while (render_with_faults(report, (aq_report_form)form, refused) != AQ_OK) refused++;
      assert_true(refused > 5 && refused < 500);
    }
    aq_report_free(report);
  }
  json_decref(fields);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(template_takes_members_in_their_formats),
      cmocka_unit_test(template_that_is_wrong_is_an_error),
      cmocka_unit_test(blocks_have_their_layout),
      cmocka_unit_test(details_part_the_pairs_around_them),
      cmocka_unit_test(tables_are_aligned_and_details_are_columns_of_a_page),
      cmocka_unit_test(table_without_rows_is_its_heading),
      cmocka_unit_test(hostile_names_stay_names),
      cmocka_unit_test(memory_that_is_refused_is_an_error_and_no_leak),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
