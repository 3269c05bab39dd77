/* test_evaluator.c - texts and labels from files, and judging a tiny encoder by its outputs in compare and validate. */
#include <jansson.h>
#include <sys/stat.h>

#include "faulty_allocator.h"
#include "measure/builtin_texts.h"
#include "ops/evaluate/evaluation_texts.h"
#include "report/outputs_words.h"
#include "report/report.h"
#include "tiny_encoder.h"

/* 50 words, as tiny_config says. */
static const char vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\nn\no\np\nq\nr\ns\nt\nu\nv\nw\nx\ny\nz\n"
    "##a\n##b\n##c\n##d\n##e\n##f\n##g\n##h\n##i\n##j\n##k\n##l\n##m\n##n\n##o\n##p\n##q\n##r\n##s\n";

/* A model, the same with other numbers, and the same by itself without its files. */
static char folder[512], model[600], changed[600], alone[640];

static const char *in_folder(const char *name) {
  static char paths[8][700];
  static int next;
  char *path = paths[next++ % 8];
  (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static int set_up(void **state) {
  (void)state;
  tiny_encoder tiny;
  (void)snprintf(folder, sizeof folder, "%s", make_folder());
  (void)snprintf(model, sizeof model, "%s/model.safetensors", folder);
  (void)snprintf(changed, sizeof changed, "%s/changed.safetensors", folder);
  (void)snprintf(alone, sizeof alone, "%s/alone/model.safetensors", folder);
  write_text(folder, "config.json", tiny_config);
  write_text(folder, "vocab.txt", vocabulary);
  assert_int_equal(mkdir(in_folder("alone"), 0700), 0);
  tiny_make(&tiny, "");
  tiny_write(&tiny, model, NULL);
  tiny_write(&tiny, alone, NULL);
  for (size_t i = 0; i < tiny.count; i++) tiny.tensors[i].values[0] += 1.0F;
  tiny_write(&tiny, changed, NULL);
  tiny_free(&tiny);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  drop_folder(folder);
  return 0;
}

/* ---- texts ---- */

static bool note_bytes(void *ctx, const aq_progress_event *event) {
  *(uint64_t *)ctx = event->bytes_done;
  return true;
}

/* More texts than are encoded at a time: the embeddings of a call for all of them. */
static void pieces_of_texts_give_what_all_of_them_give(void **state) {
  (void)state;
  enum { COUNT = 1100, LONGEST = 13 };
  static char letters[COUNT][2 * LONGEST];
  static const char *texts[COUNT];
  static size_t lengths[COUNT];
  aq_error err;
  aq_encoder *encoder;
  uint64_t told = 0, bytes = 0;
  assert_ok(aq_encoder_open(model, NULL, &encoder, &err));
  for (size_t i = 0; i < COUNT; i++) {
    lengths[i] = 1 + i % LONGEST * 2;
    for (size_t k = 0; k < lengths[i]; k++) letters[i][k] = k % 2 == 0 ? (char)('a' + (i + k) % 26) : ' ';
    texts[i] = letters[i];
    bytes += lengths[i];
  }
  const size_t dimension = aq_encoder_dimension(encoder), size = COUNT * dimension * sizeof(float);
  float *whole = malloc(size), *pieces = malloc(size);
  assert_ok(aq_encoder_encode_texts(encoder, texts, lengths, COUNT, whole, &err));
  for (int counts = 0; counts < 2; counts++) {
    const aq_run_options run = {.progress = note_bytes, .progress_ctx = &told};
    aq_progress progress;
    aq_progress_begin(&progress, &run, "a test", 0, 0);
    memset(pieces, 0, size);
    told = 0;
    assert_ok(aq_evaluation_texts_encode(encoder, texts, lengths, COUNT, &progress, counts == 1, pieces, &err));
    assert_memory_equal(pieces, whole, size);
    progress.last = 0; /* long ago: the caller is told at once */
    assert_ok(aq_progress_add(&progress, NULL, 0, 0, &err));
    assert_int_equal(told, counts == 1 ? bytes : 0);
  }
  free(whole);
  free(pieces);
  aq_encoder_close(encoder);
}

static void texts_without_a_file_are_the_builtin_ones(void **state) {
  (void)state;
  aq_error err;
  aq_evaluation_texts t;
  assert_ok(aq_evaluation_texts_load(&(aq_judge_origin){0}, &t, &err));
  assert_true(t.builtin && t.plain == aq_builtin_text_count && t.pairs == 0);
  for (size_t i = 0; i < t.plain; i++) {
    assert_string_equal(t.texts[i], aq_builtin_texts[i].text);
    assert_int_equal(t.lengths[i], strlen(t.texts[i]));
  }
  aq_evaluation_texts_reset(&t);
}

static void texts_of_a_file_are_its_lines(void **state) {
  (void)state;
  aq_error err;
  aq_evaluation_texts t;
  write_text(folder, "texts", "first\n\nsecond one\r\n\r\n# third");
  write_text(folder, "labels", "# a comment\na b\tc\t0.5\n\nd\te f\t-12e1\r\n");
  assert_ok(aq_evaluation_texts_load(&(aq_judge_origin){in_folder("texts"), NULL, in_folder("labels")}, &t, &err));
  static const char *const expected[] = {"first", "second one", "# third", "a b", "c", "d", "e f"};
  assert_true(!t.builtin && t.plain == 3 && t.pairs == 2);
  for (size_t i = 0; i < 7; i++) {
    assert_int_equal(t.lengths[i], strlen(expected[i]));
    assert_memory_equal(t.texts[i], expected[i], t.lengths[i]);
  }
  assert_true(t.labels[0] == 0.5 && t.labels[1] == -120.0);
  aq_evaluation_texts_reset(&t);
}

static void texts_of_a_list_are_taken_as_they_are(void **state) {
  (void)state;
  aq_error err;
  aq_evaluation_texts t;
  static const char *const texts[] = {"first", "", "second\none", "third, cut"};
  static const size_t lengths[] = {5, 0, 10, 5};
  const aq_text_list list = {.texts = texts, .lengths = lengths, .count = 4};
  assert_ok(aq_evaluation_texts_load(&(aq_judge_origin){.texts = &list}, &t, &err));
  static const char *const expected[] = {"first", "second\none", "third"};
  assert_true(!t.builtin && t.plain == 3 && t.pairs == 0);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(t.lengths[i], strlen(expected[i]));
    assert_memory_equal(t.texts[i], expected[i], t.lengths[i]);
  }
  aq_evaluation_texts_reset(&t);
  write_text(folder, "texts", "first\n");
  assert_int_equal(aq_evaluation_texts_load(&(aq_judge_origin){in_folder("texts"), &list, NULL}, &t, &err),
                   AQ_ERR_ARGUMENT);
  const aq_text_list empty = {.texts = texts, .count = 0};
  assert_int_equal(aq_evaluation_texts_load(&(aq_judge_origin){.texts = &empty}, &t, &err), AQ_ERR_ARGUMENT);
}

static void labels_that_are_wrong_name_the_line(void **state) {
  (void)state;
  static const struct {
    const char *text, *says;
  } cases[] = {
      {"a\tb\t1\na\tb\n", "line 2: expected were TEXT, tab, TEXT, tab, number"},
      {"a b 1\n", "line 1: expected were"},
      {"a\tb\tmany\n", "line 1: 'many' is not a number"},
      {"a\tb\t0,5\n", "'0,5' is not a number"},
      {"\n\na\tb\tnan\n", "line 3: 'nan' is not a number"},
      {"a\tb\t1e999\n", "is not a number"},
      {"a\tb\t\n", "'' is not a number"},
      {"a\tb\t1\tc\n", "is not a number"},
      {"# nothing\n", "no text in it"},
      {"", "no text in it"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_error err;
    aq_evaluation_texts t;
    write_text(folder, "labels", cases[i].text);
    assert_int_equal(aq_evaluation_texts_load(&(aq_judge_origin){.labels_file = in_folder("labels")}, &t, &err),
                     AQ_ERR_FORMAT);
    if (strstr(err.message, cases[i].says) == NULL) fail_msg("case %zu: %s", i, err.message);
    assert_non_null(strstr(err.file, "labels"));
    assert_null(t.texts);
  }
  aq_error err;
  aq_evaluation_texts t;
  assert_int_equal(aq_evaluation_texts_load(&(aq_judge_origin){.texts_file = in_folder("absent")}, &t, &err),
                   AQ_ERR_NOT_FOUND);
}

/* ---- words ---- */

static void verdict_names_what_agrees(void **state) {
  (void)state;
  assert_string_equal(aq_outputs_verdict("encoder", 1, 0.99), "outputs agree");
  assert_string_equal(aq_outputs_verdict("encoder", 0.5, 0.9899), "outputs agree roughly");
  assert_string_equal(aq_outputs_verdict("encoder", 0.94, 0.9499), "weights agree, outputs do not");
  assert_string_equal(aq_outputs_verdict("encoder", 0.8499, 0.5), "neither weights nor outputs agree");
  assert_string_equal(aq_outputs_verdict("encoder", 1, NAN), "-");
  assert_string_equal(aq_outputs_verdict("decoder", 1, 0.01), "outputs agree");
  assert_string_equal(aq_outputs_verdict("decoder", 1, 0.0101), "outputs agree roughly");
  assert_string_equal(aq_outputs_verdict("decoder", 0.5, 0.1), "outputs agree roughly");
  assert_string_equal(aq_outputs_verdict("decoder", 0.94, 0.1001), "weights agree, outputs do not");
  assert_string_equal(aq_outputs_verdict("decoder", 0.8499, 3), "neither weights nor outputs agree");
  assert_string_equal(aq_outputs_verdict("decoder", 1, NAN), "-");
}

/* ---- compare ---- */

static aq_report *compare(const char *a, const char *b, const aq_compare_options *options) {
  aq_error err;
  aq_report *report;
  assert_ok(aq_compare(a, b, options, &report, &err));
  return report;
}

static aq_compare_options with_outputs(void) {
  aq_compare_options o;
  aq_compare_options_init(&o);
  o.outputs = true;
  return o;
}

static void compare_equal_models_have_equal_outputs(void **state) {
  (void)state;
  const aq_compare_options o = with_outputs();
  aq_report *report = compare(model, model, &o);
  const json_t *outputs = aq_json_get(report->root, "outputs");
  assert_true(aq_json_get_flag(outputs, "measured"));
  assert_int_equal(aq_json_get_count(outputs, "texts"), aq_builtin_text_count);
  assert_string_equal(aq_json_get_string(outputs, "texts_from"), "built-in");
  assert_true(aq_json_get_real(outputs, "min_cosine") == 1.0);
  assert_true(aq_json_get_real(outputs, "neighbour_overlap") == 1.0);
  assert_true(aq_json_get_real(outputs, "similarity_spearman") == 1.0);
  assert_int_equal(json_array_size(aq_json_get(outputs, "kinds")), 7);
  assert_true(json_is_null(aq_json_get(outputs, "labels")));
  assert_string_equal(aq_json_get_string(outputs, "verdict"), "outputs agree");
  aq_report_free(report);
}

static void compare_changed_model_has_other_outputs(void **state) {
  (void)state;
  aq_error err;
  write_text(folder, "texts", "abc\nhello there\nzz top\n");
  write_text(folder, "labels", "a\ta\t1\na\tz\t0.2\nabc\tabd\t0.9\n");
  aq_compare_options o;
  aq_compare_options_init(&o);
  o.texts_file = in_folder("texts"); /* means outputs too */
  o.labels_file = in_folder("labels");
  aq_report *report = compare(model, changed, &o);
  const json_t *outputs = aq_json_get(report->root, "outputs"), *labels = aq_json_get(outputs, "labels");
  assert_true(aq_json_get_real(outputs, "mean_cosine") < 0.999);
  assert_int_equal(aq_json_get_count(outputs, "texts"), 3);
  assert_int_equal(aq_json_get_count(outputs, "neighbours"), 2);
  assert_int_equal(aq_json_get_count(outputs, "label_pairs"), 3);
  assert_int_equal(json_array_size(aq_json_get(outputs, "kinds")), 0);
  assert_true(aq_json_get_real(labels, "reference_spearman") <= 1.0);
  assert_true(aq_json_get_real(labels, "spearman") <= 1.0);
  char *text;
  assert_ok(aq_report_render(report, AQ_REPORT_TEXT, &text, &err));
  assert_non_null(strstr(text, "outputs on 3 texts of "));
  assert_non_null(strstr(text, "3 labelled pairs of "));
  aq_free(text);
  aq_report_free(report);
}

static void compare_other_without_files_takes_those_of_the_reference(void **state) {
  (void)state;
  aq_error err;
  aq_compare_options o = with_outputs();
  aq_report *report = compare(model, alone, &o);
  assert_true(aq_json_get_real(aq_json_get(report->root, "outputs"), "min_cosine") == 1.0);
  aq_report_free(report);
  assert_int_equal(aq_compare(alone, model, &o, &report, &err), AQ_ERR_NOT_FOUND);
  assert_non_null(strstr(err.message, "config.json"));
  assert_null(report);
  o.folder = folder;
  aq_report_free(compare(alone, alone, &o));
}

static void compare_different_tensors_are_not_run(void **state) {
  (void)state;
  aq_error err;
  tiny_encoder tiny;
  tiny_make(&tiny, "");
  tiny_write(&tiny, in_folder("less.safetensors"), "embeddings.LayerNorm.bias");
  tiny_free(&tiny);
  const aq_compare_options o = with_outputs();
  aq_report *report;
  assert_int_equal(aq_compare(model, in_folder("less.safetensors"), &o, &report, &err), AQ_ERR_FORMAT);
  const json_t *outputs = aq_json_get(report->root, "outputs");
  assert_true(json_is_false(aq_json_get(outputs, "measured")));
  assert_non_null(strstr(aq_json_get_string(outputs, "reason"), "tensors"));
  aq_report_free(report);
}

static void options_of_language_models_are_refused(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  for (int i = 0; i < 3; i++) {
    aq_compare_options o = with_outputs();
    o.outputs = false; /* each of these asks for them too */
    if (i == 0) o.windows = 2;
    if (i == 1) o.max_kl = 0.5;
    if (i == 2) o.max_ppl_increase = 3;
    assert_int_equal(aq_compare(model, changed, &o, &report, &err), AQ_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "are for language models"));
  }
}

static void compare_without_outputs_says_null(void **state) {
  (void)state;
  aq_report *report = compare(model, changed, NULL);
  assert_true(json_is_null(aq_json_get(report->root, "outputs")));
  aq_report_free(report);
}

/* ---- validate ---- */

static aq_status validate(const char *path, aq_validate_options *o, aq_report **report, aq_error *err) {
  o->types = "int8,int2";
  o->output_dir = in_folder("results");
  return aq_validate(path, o, report, err);
}

static void assert_renders(const aq_report *report, aq_report_form form, const char *words) {
  aq_error err;
  char *text;
  assert_ok(aq_report_render(report, form, &text, &err));
  if (strstr(text, words) == NULL) fail_msg("'%s' is not in: %s", words, text);
  aq_free(text);
}

static void validate_runs_a_model_that_can_be_run(void **state) {
  (void)state;
  aq_error err;
  aq_report *report = NULL;
  aq_validate_options o;
  aq_validate_options_init(&o);
  const aq_status status = validate(model, &o, &report, &err);
  assert_true(status == AQ_OK || status == AQ_ERR_THRESHOLD); /* so small a model is all metadata */
  assert_true(aq_outputs_measured(report->root));
  const json_t *types = aq_json_get(report->root, "types");
  for (size_t i = 0; i < 2; i++) {
    const json_t *outputs = aq_json_get(json_array_get(types, i), "outputs");
    assert_true(aq_json_get_real(outputs, "mean_cosine") > 0.5);
    assert_true(aq_agreement(report->root, json_array_get(types, i)) == aq_json_get_real(outputs, "mean_cosine"));
  }
  assert_renders(report, AQ_REPORT_TEXT, "and of the outputs on 178 built-in texts");
  assert_renders(report, AQ_REPORT_MARKDOWN, "## Agreement of the outputs");
  assert_renders(report, AQ_REPORT_MARKDOWN, "| kind of text | texts | INT8 | INT2 |");
  assert_renders(report, AQ_REPORT_MARKDOWN, "int8_outputs_promised");
  assert_renders(report, AQ_REPORT_MARKDOWN, "Judge by the outputs above.");
  aq_report_free(report);
}

static void assert_not_measured(const char *path, bool turned_off, const char *reason) {
  aq_error err;
  aq_report *report = NULL;
  aq_validate_options o;
  aq_validate_options_init(&o);
  o.no_outputs = turned_off;
  const aq_status status = validate(path, &o, &report, &err);
  assert_true(status == AQ_OK || status == AQ_ERR_THRESHOLD);
  assert_false(aq_outputs_measured(report->root));
  assert_string_equal(aq_json_get_string(aq_json_get(report->root, "outputs"), "reason"), reason);
  const json_t *entry = json_array_get(aq_json_get(report->root, "types"), 0);
  assert_true(json_is_null(aq_json_get(entry, "outputs")));
  assert_true(aq_agreement(report->root, entry) == aq_json_get_real(entry, "mean_cosine") ||
              isnan(aq_json_get_real(entry, "mean_cosine")));
  assert_renders(report, AQ_REPORT_TEXT, reason);
  assert_renders(report, AQ_REPORT_MARKDOWN, "Outputs were not measured: ");
  assert_renders(report, AQ_REPORT_MARKDOWN, "Outputs were not measured here.");
  aq_report_free(report);
}

static void validate_says_why_outputs_were_not_measured(void **state) {
  (void)state;
  assert_not_measured(alone, false, "the model has no config.json, which says how it is run");
  assert_not_measured(model, true, "they were turned off");
}

static void validate_named_texts_must_be_used(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  aq_validate_options o;
  aq_validate_options_init(&o);
  write_text(folder, "texts", "abc\nhello there\n");
  o.texts_file = in_folder("texts");
  assert_int_equal(validate(alone, &o, &report, &err), AQ_ERR_NOT_FOUND);
  assert_null(report);
  o.no_outputs = true;
  assert_int_equal(validate(model, &o, &report, &err), AQ_ERR_ARGUMENT);
}

/* ---- faults ---- */

/* Every allocation fails once: the status says so, and nothing leaks. */
static void compare_outputs_survives_every_fault(void **state) {
  (void)state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_compare_options o;
  aq_compare_options_init(&o);
  write_text(folder, "texts", "abc\nhello there\nzz top\n");
  write_text(folder, "labels", "a\ta\t1\na\tz\t0.2\n");
  o.texts_file = in_folder("texts");
  o.labels_file = in_folder("labels");
  o.run.threads = 2;
  aq_status status = AQ_ERR_MEMORY;
  for (long n = 1; status != AQ_OK; n++) {
    aq_error err;
    aq_report *report;
    if (n > 20000) fail_msg("still failing after %ld allocations", n);
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    status = aq_compare(model, alone, &o, &report, &err);
    aq_report_free(report);
    aq_set_allocator(NULL);
    if (atomic_load(&alive) != 0) fail_msg("fault %ld: %ld blocks leaked", n, atomic_load(&alive));
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("fault %ld: %s", n, err.message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pieces_of_texts_give_what_all_of_them_give),
      cmocka_unit_test(texts_without_a_file_are_the_builtin_ones),
      cmocka_unit_test(texts_of_a_file_are_its_lines),
      cmocka_unit_test(texts_of_a_list_are_taken_as_they_are),
      cmocka_unit_test(labels_that_are_wrong_name_the_line),
      cmocka_unit_test(verdict_names_what_agrees),
      cmocka_unit_test(compare_equal_models_have_equal_outputs),
      cmocka_unit_test(compare_changed_model_has_other_outputs),
      cmocka_unit_test(compare_other_without_files_takes_those_of_the_reference),
      cmocka_unit_test(compare_different_tensors_are_not_run),
      cmocka_unit_test(options_of_language_models_are_refused),
      cmocka_unit_test(compare_without_outputs_says_null),
      cmocka_unit_test(validate_runs_a_model_that_can_be_run),
      cmocka_unit_test(validate_says_why_outputs_were_not_measured),
      cmocka_unit_test(validate_named_texts_must_be_used),
      cmocka_unit_test(compare_outputs_survives_every_fault),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
