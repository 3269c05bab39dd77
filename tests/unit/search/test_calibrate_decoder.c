/* test_calibrate_decoder.c - calibration of a language model: its texts, and the divergence that it measures. */
#include "core/compiler.h"
#include "io/source.h"
#include "language_model.h"
#include "plan_fixture.h"
#include "search/calibration.h"
#include "search/candidate.h"
#include "search/cost.h"
#include "search/exclude.h"
#include "search/fisher_sensitivity.h"

static aq_error err;

/* A text of so many letters, most of them few. */
static void write_letters(size_t count) {
  char *text = malloc(count + 1);
  for (size_t i = 0; i < count; i++) text[i] = LETTERS[(i * i / 7 + i) % (i % 3 == 0 ? 50 : 9)];
  text[count] = '\0';
  write_text(language_folder, "texts", text);
  free(text);
}

static aq_status open_calibration(aq_quantize_options *o, aq_source **source, aq_calibration **out, char **why_not) {
  static char texts[600];
  (void)snprintf(texts, sizeof texts, "%s/texts", language_folder);
  aq_quantize_options_init(o);
  o->search = &no_search_options;
  o->target_bpw = 4;
  o->calib = texts;
  assert_ok(aq_source_open(language_folder, NULL, source, &err));
  return aq_calibration_open(*source, o, NULL, out, why_not, &err);
}

static void windows_are_divided_and_measured(void **state) {
  (void)state;
  aq_quantize_options o;
  aq_source *source;
  aq_calibration *c;
  char *why_not;
  write_letters(200 * 80 + 7);
  assert_ok(open_calibration(&o, &source, &c, &why_not));
  assert_ptr_equal(c->kind, &aq_decoder_calibration);
  assert_int_equal(c->fit.count + c->held.texts.count, 80);
  assert_int_equal(c->held.texts.count, 8);
  for (size_t i = 0; i < c->fit.count; i++) {
    for (size_t k = 0; k < c->held.texts.count; k++) assert_ptr_not_equal(c->fit.ids[i], c->held.texts.ids[k]);
  }
  assert_int_equal(c->stats.tokens, 64 * 200);
  double same, changed;
  assert_ok(aq_calibration_similarity(c, &c->original, &c->held, &same, &err));
  assert_true(fabs(same - 1) < 1e-12);
  aq_params other, whole;
  assert_ok(aq_params_load(&c->model, c->pool, &whole, &err));
  assert_ok(aq_params_copy(&whole, &other, &err));
  for (size_t i = 0; i < other.count; i++) other.memory[i] *= 1 + (i % 2 == 0 ? 0.05F : -0.05F);
  assert_ok(aq_calibration_similarity(c, &other, &c->choose, &changed, &err));
  assert_true(changed < 1 - 1e-5 && changed > -1);
  aq_params_reset(&other);
  aq_params_reset(&whole);
  aq_calibration_free(c);
  aq_source_close(source);
}

/* ---- a part of the model at a time ---- */

/* A calibration, and a candidate of it. */
typedef struct searched {
  aq_source *source;
  aq_calibration *calibration;
  aq_plan plan;
  aq_search_problem problem;
  aq_candidate candidate;
  aq_encoded encoded[64];
  aq_quantize_options options;
  double held, others;
} searched;

/* rule: of one matrix, which is no item then. */
static void make_candidate(searched *s, const char *const *rule) {
  char *why_not;
  write_letters(200 * 20);
  *s = (searched){0};
  assert_ok(open_calibration(&s->options, &s->source, &s->calibration, &why_not));
  aq_calibration_free(s->calibration);
  s->options.search = &no_search_options;
  s->options.type = "auto";
  s->options.tensor_rules = rule;
  s->options.tensor_rule_count = rule != NULL ? 1 : 0;
  tie_source(s->source);
  aq_calibration *c;
  assert_ok(aq_calibration_open(s->source, &s->options, NULL, &c, &why_not, &err));
  s->calibration = c;
  s->plan = make_plan(s->source, &s->options);
  assert_ok(aq_calibration_make_factors(c, &err));
  assert_ok(aq_exclude_vectors(s->source, &c->model, &s->plan, &err));
  assert_ok(aq_search_problem_create(s->source, &s->plan, &s->options, c->pool, &s->problem, &err));
  assert_ok(aq_fisher_sensitivity_set(c, &s->problem, &err));
  assert_ok(aq_candidate_create(c, &s->plan, s->encoded, &s->problem, &s->candidate, &err));
  assert_ok(aq_search_problem_estimate(&s->problem, 1e-6, &err));
  assert_ok(aq_candidate_round(&s->candidate, &err));
  assert_ok(aq_candidate_adjust(&s->candidate, &err));
  s->held = s->candidate.similarity;
  assert_ok(aq_calibration_similarity(c, &s->candidate.quantized, &c->choose, &s->others, &err));
}

static void end_candidate(searched *s) {
  aq_candidate_reset(&s->candidate);
  aq_search_problem_reset(&s->problem);
  aq_calibration_free(s->calibration);
  aq_plan_reset(&s->plan);
  aq_source_close(s->source);
}

/* With parameters of one part in memory everything is measured as with all of them there. */
static void parts_in_memory_are_measured_as_the_whole(void **state) {
  (void)state;
  static const char *const rules[] = {"*layers.1.self_attn.k_proj.weight=int4"};
  for (int ruled = 0; ruled < 2; ruled++) {
    searched s;
    aq_params whole;
    double held, others;
    make_candidate(&s, ruled ? rules : NULL);
    const aq_calibration *c = s.calibration;
    assert_non_null(c->original.held);
    assert_null(c->original.held->memory); /* nothing stays */
    assert_ok(aq_params_copy_whole(&s.candidate.quantized, c->pool, &whole, &err));
    assert_null(whole.held);
    assert_ok(aq_calibration_similarity(c, &whole, &c->held, &held, &err));
    assert_ok(aq_calibration_similarity(c, &whole, &c->choose, &others, &err));
    assert_true(s.held == held && held < 1);
    assert_true(s.others == others && others < 1);
    aq_params_reset(&whole);
    end_candidate(&s);
  }
}

/* The limit is what is named, and a byte less is refused before anything is computed. */
static void memory_is_checked_before_work(void **state) {
  (void)state;
  aq_quantize_options o;
  aq_source *source;
  aq_calibration *c;
  char *why_not;
  unsigned long long needed = 0;
  write_letters(200 * 20);
  assert_ok(open_calibration(&o, &source, &c, &why_not));
  aq_calibration_free(c);
  o.run.max_memory = 1;
  assert_int_equal(aq_calibration_open(source, &o, NULL, &c, &why_not, &err), AQ_ERR_MEMORY);
  assert_int_equal(sscanf(err.message, "planning with calibration takes %llu bytes of memory", &needed), 1);
  aq_search_options tuned = no_search_options;
  unsigned long long whole = 0;
  tuned.tune_seconds = 1;
  o.search = &tuned;
  assert_int_equal(aq_calibration_open(source, &o, NULL, &c, &why_not, &err), AQ_ERR_MEMORY);
  assert_int_equal(sscanf(err.message, "planning with calibration takes %llu bytes of memory", &whole), 1);
  assert_true(needed < whole);
  aq_source_close(source);
}

static void few_windows_are_refused(void **state) {
  (void)state;
  aq_quantize_options o;
  aq_source *source;
  aq_calibration *c;
  char *why_not;
  write_letters(200 * 7 + 199);
  assert_int_equal(open_calibration(&o, &source, &c, &why_not), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "7 windows"));
  aq_source_close(source);
}

/* The first windows are held out, which are all that statistics of before leave to be written. */
static void the_model_writes_its_texts(void **state) {
  (void)state;
  char path[600];
  aq_calibration *c;
  aq_source *source;
  char *why_not;
  (void)snprintf(path, sizeof path, "%s/stats", language_folder);
  for (int read = 0; read < 2; read++) {
    const aq_search_options search = {.sizeof_options = sizeof search,
                                      .save_stats_path = read == 0 ? path : NULL,
                                      .stats_path = read == 0 ? NULL : path};
    aq_quantize_options o;
    aq_quantize_options_init(&o);
    o.search = &search;
    o.calib = "self";
    o.target_bpw = 4;
    assert_ok(aq_source_open(language_folder, NULL, &source, &err));
    assert_ok(aq_calibration_open(source, &o, NULL, &c, &why_not, &err));
    assert_string_equal(c->texts_from, "self");
    assert_string_equal(c->stats.texts_from, "self");
    assert_int_equal(c->fit.count, read == 0 ? 64 : 0);
    assert_int_equal(c->held.texts.count, 8);
    assert_int_equal(c->written.windows, read == 0 ? 72 : 8);
    assert_int_equal(c->stats.tokens, 64 * 200);
    assert_int_equal(strlen(c->written.beginning), 24);
    for (size_t i = 0; i < c->fit.count; i++) {
      for (size_t k = 0; k < 8; k++)
        assert_memory_not_equal(c->fit.ids[i], c->held.texts.ids[k], 200 * sizeof(int32_t));
    }
    static int32_t held[8 * 200];
    for (size_t k = 0; k < 8; k++) {
      if (read == 0) memcpy(held + k * 200, c->held.texts.ids[k], 200 * sizeof *held);
      assert_memory_equal(held + k * 200, c->held.texts.ids[k], 200 * sizeof *held);
    }
    aq_calibration_free(c);
    aq_source_close(source);
  }
}

static void what_is_for_embeddings_is_refused(void **state) {
  (void)state;
  aq_source *source;
  aq_calibration *c;
  char *why_not;
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  o.search = &no_search_options;
  o.min_similarity = 0.9;
  assert_ok(aq_source_open(language_folder, NULL, &source, &err));
  assert_int_equal(aq_calibration_open(source, &o, NULL, &c, &why_not, &err), AQ_ERR_UNSUPPORTED);
  assert_non_null(strstr(err.message, "min_similarity"));
  aq_source_close(source);
}

static int set_up(void **state) {
  (void)state;
  language_make();
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  drop_folder(language_folder);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(windows_are_divided_and_measured), cmocka_unit_test(parts_in_memory_are_measured_as_the_whole),
      cmocka_unit_test(memory_is_checked_before_work),    cmocka_unit_test(few_windows_are_refused),
      cmocka_unit_test(the_model_writes_its_texts),       cmocka_unit_test(what_is_for_embeddings_is_refused),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
