/* search_fixture.h - a BERT of one layer in a folder, texts, and what a search for types and scales works on. */
#ifndef AQ_TESTS_SEARCH_FIXTURE_H
#define AQ_TESTS_SEARCH_FIXTURE_H

#include "core/compiler.h"
#include "one_layer_encoder.h"
#include "plan_fixture.h"
#include "search/calibration.h"
#include "search/candidate.h"
#include "search/cost.h"
#include "search/exclude.h"
#include "search/fisher_sensitivity.h"
#include "table_fixture.h"

#define SEARCH_TEXTS 80
#define SEARCH_POSITIONS 64

static const char search_pooler[] = "pooler.dense.weight"; /* which makes no embedding */

static struct {
  char folder[512], model[600], texts[600], table[600];
  aq_quantize_options options;
} sf;

/* Group setup: the files. */
static inline int search_set_up(void **state) {
  (void)state;
  (void)snprintf(sf.folder, sizeof sf.folder, "%s", make_folder());
  (void)snprintf(sf.model, sizeof sf.model, "%s/model.safetensors", sf.folder);
  (void)snprintf(sf.texts, sizeof sf.texts, "%s/texts", sf.folder);
  (void)snprintf(sf.table, sizeof sf.table, "%s/t.parquet", sf.folder);
  one_layer_write(sf.folder, sf.model, SEARCH_POSITIONS);
  char text[SEARCH_TEXTS * 24] = "";
  for (size_t i = 0; i < SEARCH_TEXTS; i++) { /* of one to nine tokens */
    char line[24];
    size_t length = 0;
    for (size_t k = 0; k < 1 + i % 9; k++) line[length++] = (char)('a' + (i * 7 + k * (i + 3)) % 13);
    (void)snprintf(line + length, sizeof line - length, " %c\n", (char)('a' + i % 13));
    (void)strncat(text, line, sizeof text - strlen(text) - 1);
  }
  write_text(sf.folder, "texts", text);
  return 0;
}

static inline int search_tear_down(void **state) {
  (void)state;
  drop_folder(sf.folder);
  return 0;
}

static inline aq_source *search_source(void) {
  aq_error err;
  aq_source *source;
  assert_ok(aq_source_open(sf.model, NULL, &source, &err));
  tie_source(source);
  return source;
}

/* For all matrices, at so many bits a weight, with the texts of the folder. */
static inline aq_quantize_options *search_options(double bits) {
  aq_quantize_options_init(&sf.options);
  sf.options.search = &no_search_options;
  sf.options.type = "auto";
  sf.options.target_bpw = bits;
  sf.options.calib = sf.texts;
  sf.options.run.threads = 2;
  return &sf.options;
}

/* ---- a set that is rounded ---- */

typedef struct search_state {
  aq_source *source;
  aq_calibration *calibration;
  aq_plan plan;
  aq_search_problem problem;
  aq_candidate candidate;
  aq_encoded encoded[64];
} search_state;

static inline search_state search_begin(const aq_quantize_options *o) {
  aq_error err;
  search_state s = {.source = search_source()};
  char *why_not = NULL;
  assert_ok(aq_calibration_open(s.source, o, NULL, &s.calibration, &why_not, &err));
  assert_non_null(s.calibration);
  s.plan = make_plan(s.source, o);
  return s;
}

/* Everything before the first lambda. In its place: the state is pointed into. */
static inline void search_prepare(search_state *s, const aq_quantize_options *o) {
  aq_error err;
  *s = search_begin(o);
  assert_true(s->source->tensor_count <= AQ_COUNT_OF(s->encoded));
  assert_ok(aq_calibration_make_factors(s->calibration, &err));
  assert_ok(aq_exclude_vectors(s->source, &s->calibration->model, &s->plan, &err));
  assert_ok(aq_search_problem_create(s->source, &s->plan, o, s->calibration->pool, &s->problem, &err));
  assert_ok(aq_fisher_sensitivity_set(s->calibration, &s->problem, &err));
  assert_ok(aq_candidate_create(s->calibration, &s->plan, s->encoded, &s->problem, &s->candidate, &err));
}

static inline aq_status search_round(search_state *s, double lambda, aq_error *err) {
  s->problem.lambda = lambda;
  return aq_candidate_round(&s->candidate, err);
}

static inline void search_end(search_state *s) {
  for (size_t i = 0; i < AQ_COUNT_OF(s->encoded); i++) aq_encoded_reset(&s->encoded[i]);
  aq_candidate_reset(&s->candidate);
  aq_search_problem_reset(&s->problem);
  aq_plan_reset(&s->plan);
  aq_calibration_free(s->calibration);
  aq_source_close(s->source);
}

/* All values of a tensor of the model, wherever they are; to be freed. */
static inline float *search_values(const aq_params *p, size_t tensor) {
  aq_error err;
  size_t count;
  const aq_weight *w = aq_model_find_tensor(p->model, tensor);
  float *values = calloc(aq_weight_floats(w), sizeof *values);
  const float *at_hand = aq_params_find(p, tensor, &count);
  if (at_hand != NULL) {
    memcpy(values, at_hand, count * sizeof *values);
  } else {
    assert_ok(aq_params_read(p, (uint32_t)(w - p->model->weights), values, &err));
  }
  return values;
}

/* What an item is quantized from; to be freed. */
static inline float *search_weights(const search_state *s, const aq_candidate_item *item) {
  return search_values(&s->calibration->original, item->factors->tensor);
}

static inline size_t search_find(const aq_source *source, const char *name) {
  const int64_t i = aq_source_find(source, name);
  if (i < 0) fail_msg("there is no %s", name);
  return (size_t)i;
}

#endif
