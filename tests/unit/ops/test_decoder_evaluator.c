/* test_decoder_evaluator.c - compare and validate on a tiny language model: the figures are those of the operation
 * perplexity, and limits are kept. */
#include <sys/stat.h>

#include "faulty_allocator.h"
#include "language_model.h"
#include "report/report.h"

static const char text[] =
    "The quick brown fox jumps over the lazy dog and runs away from it before anyone else has seen where the dog went";
static const char *const texts[] = {text};
static char changed[640], table[640], results[640];

/* The tiny model again, with each tensor but the norms changed a little. */
static void write_changed(float change, const char *path) {
  tiny_encoder tiny;
  dec_make(&tiny, &tiny_llama);
  for (size_t i = 0; i < tiny.count; i++) {
    if (strstr(tiny.tensors[i].name, "norm") == NULL) tiny.tensors[i].values[0] += change;
  }
  tiny_write(&tiny, path, NULL);
  tiny_free(&tiny);
}

static int set_up(void **state) {
  (void)state;
  language_make();
  (void)snprintf(changed, sizeof changed, "%s/changed.safetensors", language_folder);
  (void)snprintf(table, sizeof table, "%s/table.parquet", language_folder);
  (void)snprintf(results, sizeof results, "%s/results", language_folder);
  write_changed(0.5F, changed);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  drop_folder(language_folder);
  return 0;
}

static aq_compare_options compare_options(void) {
  aq_compare_options o;
  aq_compare_options_init(&o);
  o.texts = (aq_text_list){.texts = texts, .count = 1};
  o.context = 16;
  return o;
}

static double number(const aq_report *report, const char *path) {
  aq_error err;
  double value = NAN;
  if (aq_report_number(report, path, &value, &err) != AQ_OK) fail_msg("%s: %s", path, err.message);
  return value;
}

static void assert_renders(const aq_report *report, aq_report_form form, const char *words) {
  aq_error err;
  char *page;
  assert_ok(aq_report_render(report, form, &page, &err));
  if (strstr(page, words) == NULL) fail_msg("'%s' is not in: %s", words, page);
  aq_free(page);
}

/* `paths[i][0]` of perplexity is `paths[i][1]` of compare. */
static void assert_same_figures(const aq_report *perplexity, const aq_report *compared) {
  static const char *const paths[][2] = {
      {"perplexity.value", "outputs.perplexity.value"},
      {"perplexity.error", "outputs.perplexity.error"},
      {"reference_perplexity.value", "outputs.reference_perplexity.value"},
      {"reference_perplexity.loss_error", "outputs.reference_perplexity.loss_error"},
      {"divergence.mean", "outputs.divergence.mean"},
      {"divergence.median", "outputs.divergence.median"},
      {"divergence.p99_9", "outputs.divergence.p99_9"},
      {"divergence.max", "outputs.divergence.max"},
      {"divergence.top_agreement", "outputs.divergence.top_agreement"},
      {"divergence.flips", "outputs.divergence.flips"},
      {"divergence.by_confidence[0].positions", "outputs.divergence.by_confidence[0].positions"},
      {"texts.tokens", "outputs.text.tokens"},
      {"texts.positions", "outputs.text.positions"}};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    const double expected = number(perplexity, paths[i][0]), found = number(compared, paths[i][1]);
    if (!(fabs(found - expected) <= 1e-12 * fabs(expected))) {
      fail_msg("%s: %.17g, expected %.17g", paths[i][1], found, expected);
    }
  }
  assert_string_equal(aq_json_get_string(aq_json_get(perplexity->root, "texts"), "hash"),
                      aq_json_get_string(aq_json_get(aq_json_get(compared->root, "outputs"), "text"), "hash"));
}

static void figures_are_those_of_perplexity(void **state) {
  (void)state;
  aq_error err;
  aq_report *compared, *perplexity;
  const aq_compare_options o = compare_options();
  aq_perplexity_options p;
  aq_perplexity_options_init(&p);
  p.texts = o.texts;
  p.context = o.context;
  p.against = language_folder;
  assert_ok(aq_perplexity(changed, &p, &perplexity, &err));
  assert_ok(aq_compare(language_folder, changed, &o, &compared, &err));
  assert_same_figures(perplexity, compared);
  assert_true(number(compared, "outputs.divergence.mean") > 1e-3);
  const double increase =
      100 * (number(perplexity, "perplexity.value") / number(perplexity, "reference_perplexity.value") - 1);
  assert_true(fabs(number(compared, "outputs.perplexity_increase_percent") - increase) < 1e-9);
  assert_string_equal(aq_json_get_string(aq_json_get(compared->root, "outputs"), "model_kind"), "decoder");
  assert_string_equal(aq_json_get_string(aq_json_get(compared->root, "outputs"), "texts_from"), "list");
  aq_report_free(perplexity);
  aq_report_free(compared);
}

/* The noise floor is the divergence of a table of the model in BF16. */
static void noise_floor_is_that_of_bf16_weights(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  aq_convert_options convert;
  aq_convert_options_init(&convert);
  convert.dtype = "bf16";
  assert_ok(aq_convert(language_folder, table, &convert, NULL, &err));
  const aq_compare_options o = compare_options();
  assert_ok(aq_compare(language_folder, table, &o, &report, &err));
  assert_true(number(report, "outputs.noise_floor.mean") > 1e-9);
  assert_true(number(report, "outputs.noise_floor.mean") == number(report, "outputs.divergence.mean"));
  assert_true(number(report, "outputs.noise_floor.max") == number(report, "outputs.divergence.max"));
  assert_renders(report, AQ_REPORT_TEXT, "noise floor (its weights rounded to BF16): mean KL divergence 0.00");
  aq_report_free(report);
  assert_ok(aq_compare(table, table, &o, &report, &err)); /* nothing to round */
  assert_true(json_is_null(aq_json_get(aq_json_get(report->root, "outputs"), "noise_floor")));
  assert_true(number(report, "outputs.divergence.max") < 1e-14);
  assert_renders(report, AQ_REPORT_TEXT, "no noise floor");
  assert_renders(report, AQ_REPORT_TEXT, "): outputs agree\n");
  aq_report_free(report);
}

static void limits_are_kept(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  aq_compare_options o = compare_options();
  assert_ok(aq_compare(language_folder, changed, &o, &report, &err));
  const double kl = number(report, "outputs.divergence.mean");
  const double increase = number(report, "outputs.perplexity_increase_percent");
  assert_true(aq_json_get_flag(report->root, "passed"));
  aq_report_free(report);
  for (int above = 0; above < 2; above++) {
    const double factor = above == 1 ? 0.999 : 1.001;
    o.max_kl = kl * factor;
    assert_int_equal(aq_compare(language_folder, changed, &o, &report, &err), above ? AQ_ERR_THRESHOLD : AQ_OK);
    if (above) assert_non_null(strstr(err.message, "mean KL divergence"));
    assert_int_equal(aq_json_get_flag(report->root, "passed"), !above);
    assert_true(number(report, "outputs.max_kl") == o.max_kl);
    aq_report_free(report);
    o.max_kl = 0;
    if (!(increase > 0)) continue;
    o.max_ppl_increase = increase * factor;
    assert_int_equal(aq_compare(language_folder, changed, &o, &report, &err), above ? AQ_ERR_THRESHOLD : AQ_OK);
    if (above) assert_non_null(strstr(err.message, "increase of the perplexity"));
    aq_report_free(report);
    o.max_ppl_increase = 0;
  }
}

static void logits_that_are_not_finite_are_an_error(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  char path[640];
  (void)snprintf(path, sizeof path, "%s/ruined.safetensors", language_folder);
  write_changed(1e38F, path);
  const aq_compare_options o = compare_options();
  assert_int_equal(aq_compare(language_folder, path, &o, &report, &err), AQ_ERR_NONFINITE);
  assert_non_null(strstr(err.message, "not all finite"));
  assert_non_null(strstr(err.file, "ruined"));
  assert_null(report);
}

static void what_cannot_be_judged_is_refused(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  aq_compare_options o = compare_options();
  o.labels_file = "labels";
  assert_int_equal(aq_compare(language_folder, changed, &o, &report, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "labelled pairs are for sentence encoders"));
  o = compare_options();
  o.max_kl = -1;
  assert_int_equal(aq_compare(language_folder, changed, &o, &report, &err), AQ_ERR_ARGUMENT);
  o = compare_options();
  o.max_ppl_increase = (double)NAN;
  assert_int_equal(aq_compare(language_folder, changed, &o, &report, &err), AQ_ERR_ARGUMENT);
  o = compare_options();
  o.run.max_memory = 1000;
  assert_int_equal(aq_compare(language_folder, changed, &o, &report, &err), AQ_ERR_MEMORY);
}

static void validate_measures_predictions(void **state) {
  (void)state;
  aq_error err;
  aq_report *report = NULL;
  aq_validate_options o;
  aq_validate_options_init(&o);
  o.types = "int8,int2";
  o.output_dir = results;
  o.texts = (aq_text_list){.texts = texts, .count = 1};
  o.context = 16;
  o.max_kl = 1e-6;
  assert_int_equal(aq_validate(language_folder, &o, &report, &err), AQ_ERR_THRESHOLD);
  assert_non_null(strstr(err.message, "int8_max_kl, int2_max_kl"));
  assert_true(number(report, "types[1].outputs.divergence.mean") > number(report, "types[0].outputs.divergence.mean"));
  assert_true(number(report, "types[0].outputs.divergence.mean") > 0);
  assert_renders(report, AQ_REPORT_TEXT, "and predictions on the list of texts (7 windows of 16 tokens");
  assert_renders(report, AQ_REPORT_MARKDOWN, "Mean KL divergence by the probability");
  assert_renders(report, AQ_REPORT_MARKDOWN, "outputs agree up to a mean KL divergence of 0.01 nats per token");
  assert_renders(report, AQ_REPORT_MARKDOWN, "int8_outputs_promised");
  assert_renders(report, AQ_REPORT_MARKDOWN, "set by \"option\"");
  aq_report_free(report);
}

/* Every allocation fails once: the status says so, and nothing leaks. */
static void comparing_survives_every_fault(void **state) {
  (void)state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_compare_options o = compare_options();
  o.run.threads = 2;
  o.windows = 1;
  aq_status status = AQ_ERR_MEMORY;
  for (long n = 1; status != AQ_OK; n++) {
    aq_error err;
    aq_report *report;
    if (n > 20000) fail_msg("still failing after %ld allocations", n);
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    status = aq_compare(language_folder, changed, &o, &report, &err);
    aq_report_free(report);
    aq_set_allocator(NULL);
    if (atomic_load(&alive) != 0) fail_msg("fault %ld: %ld blocks leaked", n, atomic_load(&alive));
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("fault %ld: %s", n, err.message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(figures_are_those_of_perplexity),
      cmocka_unit_test(noise_floor_is_that_of_bf16_weights),
      cmocka_unit_test(limits_are_kept),
      cmocka_unit_test(logits_that_are_not_finite_are_an_error),
      cmocka_unit_test(what_cannot_be_judged_is_refused),
      cmocka_unit_test(validate_measures_predictions),
      cmocka_unit_test(comparing_survives_every_fault),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
