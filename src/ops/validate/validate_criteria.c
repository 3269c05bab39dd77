/* validate_criteria.c - the acceptance criteria, as one table.
 *
 * A criterion reads one measured number from the report and holds it against a limit. Those of origin "guide" are the
 * limits that a quantization has to keep to be acceptable at all; those of origin "arrowquant" are what this library
 * promises of its defaults, and fail when it got worse; those of origin "option" have the limits of the caller, for
 * every type. Criteria of types that were not asked for are left out, and so are those of outputs that were not
 * measured, or are of another kind of model. int2 has none of its own for outputs: nothing is promised of them. */
#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "ops/validate/validate.h"
#include "report/outputs_words.h"
#include "report/report.h"

static const json_t *type_entry(const json_t *root, const char *type) {
  size_t i;
  json_t *entry;
  json_array_foreach(aq_json_get(root, "types"), i, entry) {
    if (strcmp(aq_json_get_string(entry, "type"), type) == 0) return entry;
  }
  return NULL;
}

/* ---- getters: NaN when there is no such number, and no comparison holds for NaN ---- */

typedef double (*criterion_getter)(const json_t *root, const json_t *entry);

static double compression_ratio(const json_t *root, const json_t *entry) {
  (void)root;
  return aq_json_get_real(entry, "compression_ratio");
}

static double mean_cosine(const json_t *root, const json_t *entry) {
  (void)root;
  return aq_json_get_real(entry, "mean_cosine");
}

static double mean_output_cosine(const json_t *root, const json_t *entry) {
  (void)root;
  return aq_json_get_real(aq_json_get(entry, "outputs"), "mean_cosine");
}

static double mean_divergence(const json_t *root, const json_t *entry) {
  (void)root;
  return aq_json_get_real(aq_json_get(aq_json_get(entry, "outputs"), "divergence"), "mean");
}

static double perplexity_increase(const json_t *root, const json_t *entry) {
  (void)root;
  return aq_json_get_real(aq_json_get(entry, "outputs"), "perplexity_increase_percent");
}

static double loss_percent(const json_t *root, const json_t *entry) {
  (void)root;
  return aq_json_get_real(entry, "loss_percent");
}

static double quantize_seconds(const json_t *root, const json_t *entry) {
  (void)root;
  return aq_json_get_real(entry, "quantize_seconds");
}

static double load_seconds(const json_t *root, const json_t *entry) {
  (void)root;
  return aq_json_get_real(entry, "load_seconds");
}

static double ratio_over_int8(const json_t *root, const json_t *entry) {
  return compression_ratio(root, entry) / compression_ratio(root, type_entry(root, "int8"));
}

static double checks_failed(const json_t *root, const json_t *entry) {
  (void)root;
  const json_t *checks = aq_json_get(entry, "checks");
  size_t failed = 0;
  for (size_t i = 0; i < json_array_size(checks); i++) {
    if (!aq_json_get_flag(json_array_get(checks, i), "passed")) failed++;
  }
  return json_array_size(checks) > 0 ? (double)failed : NAN;
}

/* Tensors of the model that the comparison did not find in the table, as values or as bytes. */
static double tensors_lost(const json_t *root, const json_t *entry) {
  const double expected = aq_json_get_real(aq_json_get(root, "model"), "tensors");
  const json_t *weights = aq_json_get(entry, "weights");
  const size_t as_bytes = (size_t)aq_json_get_count(weights, "compared_as_bytes");
  return expected - (double)(json_array_size(aq_json_get(weights, "tensors")) + as_bytes -
                             json_array_size(aq_json_get(weights, "bytes_differ")));
}

/* ---- the table ---- */

enum comparison { MORE_THAN, AT_LEAST, LESS_THAN, AT_MOST };
static const char *const signs[] = {[MORE_THAN] = ">", [AT_LEAST] = ">=", [LESS_THAN] = "<", [AT_MOST] = "<="};

static const char each[] = "each"; /* of the types asked for */
static const char v1[] = "v1";     /* of the V1 table */
static const char option[] = "option";

static const struct criterion {
  const char *id;
  const char *type;  /* a type, each, or v1 */
  const char *needs; /* another type that must have been asked for too, or NULL */
  const char *what;
  enum comparison comparison;
  double limit; /* with the origin `option`: that in root["outputs"], if there is one */
  const char *unit, *origin;
  criterion_getter get;
  const char *model_kind; /* of the outputs that it reads, or NULL */
} criteria[] = {
    {"compression", "int8", NULL, "compression", MORE_THAN, 2.0, "x", "guide", compression_ratio, NULL},
    {"compression", "int2", NULL, "compression", MORE_THAN, 4.0, "x", "guide", compression_ratio, NULL},
    {"smaller_than_int8", "int2", "int8", "compression over that of int8", MORE_THAN, 1.0, "x", "guide",
     ratio_over_int8, NULL},
    {"cosine", "int8", NULL, "mean cosine of the quantized tensors", MORE_THAN, 0.85, "", "guide", mean_cosine, NULL},
    {"cosine", "int2", NULL, "mean cosine of the quantized tensors", MORE_THAN, 0.70, "", "guide", mean_cosine, NULL},
    {"loss", "int8", NULL, "precision loss", LESS_THAN, 15.0, "%", "guide", loss_percent, NULL},
    {"schema", v1, NULL, "schema checks that fail", AT_MOST, 0, "checks", "guide", checks_failed, NULL},
    {"schema", each, NULL, "schema checks that fail", AT_MOST, 0, "checks", "guide", checks_failed, NULL},
    {"quantize_time", each, NULL, "time to quantize", LESS_THAN, 60.0, "s", "guide", quantize_seconds, NULL},
    {"load_time", each, NULL, "time to load", LESS_THAN, 5.0, "s", "guide", load_seconds, NULL},
    {"cosine_promised", "int8", NULL, "mean cosine of the quantized tensors", AT_LEAST, 0.9999, "", "arrowquant",
     mean_cosine, NULL},
    {"cosine_promised", "int4", NULL, "mean cosine of the quantized tensors", AT_LEAST, 0.995, "", "arrowquant",
     mean_cosine, NULL},
    {"cosine_promised", "int2", NULL, "mean cosine of the quantized tensors", AT_LEAST, 0.94, "", "arrowquant",
     mean_cosine, NULL},
    {"outputs_promised", "int8", NULL, "mean cosine of the outputs", AT_LEAST, 0.999, "", "arrowquant",
     mean_output_cosine, "encoder"},
    {"outputs_promised", "int4", NULL, "mean cosine of the outputs", AT_LEAST, 0.955, "", "arrowquant",
     mean_output_cosine, "encoder"},
    {"outputs_promised", "int8", NULL, "mean KL divergence of the outputs", AT_MOST, 0.02, "nats", "arrowquant",
     mean_divergence, "decoder"},
    {"outputs_promised", "int4", NULL, "mean KL divergence of the outputs", AT_MOST, 0.5, "nats", "arrowquant",
     mean_divergence, "decoder"},
    {"max_kl", each, NULL, "mean KL divergence of the outputs", AT_MOST, 0, "nats", option, mean_divergence, "decoder"},
    {"max_ppl_increase", each, NULL, "increase of the perplexity", AT_MOST, 0, "%", option, perplexity_increase,
     "decoder"},
    {"tensors_lost", each, NULL, "tensors of the model that are not in the table", AT_MOST, 0, "tensors", "arrowquant",
     tensors_lost, NULL},
};

static bool holds(enum comparison comparison, double value, double limit) {
  switch (comparison) {
    case MORE_THAN:
      return value > limit;
    case AT_LEAST:
      return value >= limit;
    case LESS_THAN:
      return value < limit;
    case AT_MOST:
      return value <= limit;
  }
  return false;
}

/* "int8_compression". */
static json_t *criterion_id(const char *type, const char *id) { return json_sprintf("%s_%s", type, id); }

/* NaN: no such limit was given. */
static double limit_of(const json_t *root, const struct criterion *c) {
  return c->origin == option ? aq_json_get_real(aq_json_get(root, "outputs"), c->id) : c->limit;
}

/* Whether the outputs that a criterion reads were measured, if it reads any. */
static bool has_outputs_for(const json_t *root, const struct criterion *c) {
  if (c->model_kind == NULL) return true;
  const char *kind = aq_json_get_string(aq_json_get(root, "outputs"), "model_kind");
  return aq_outputs_measured(root) && strcmp(kind, c->model_kind) == 0;
}

static aq_status apply(json_t *root, const struct criterion *c, const char *type, const json_t *entry, aq_error *err) {
  json_t *list = json_object_get(root, "criteria");
  const double value = c->get(root, entry), limit = limit_of(root, c);
  AQ_TRY(aq_report_append(list, json_object(), err));
  json_t *out = json_array_get(list, json_array_size(list) - 1);
  AQ_TRY(aq_report_set(out, "id", criterion_id(type, c->id), err));
  AQ_TRY(aq_report_set(out, "type", json_string(type), err));
  AQ_TRY(aq_report_set(out, "what", json_string(c->what), err));
  AQ_TRY(aq_report_set(out, "measured", aq_json_real(value), err));
  AQ_TRY(aq_report_set(out, "comparison", json_string(signs[c->comparison]), err));
  AQ_TRY(aq_report_set(out, "limit", aq_json_real(limit), err));
  AQ_TRY(aq_report_set(out, "unit", json_string(c->unit), err));
  AQ_TRY(aq_report_set(out, "origin", json_string(c->origin), err));
  return aq_report_set(out, "passed", json_boolean(holds(c->comparison, value, limit)), err);
}

static aq_status apply_to_all(json_t *root, const struct criterion *c, aq_error *err) {
  if (c->needs != NULL && type_entry(root, c->needs) == NULL) return AQ_OK;
  if (!has_outputs_for(root, c) || isnan(limit_of(root, c))) return AQ_OK;
  if (c->type == v1) return apply(root, c, v1, aq_json_get(root, "v1"), err);
  size_t i;
  json_t *entry;
  json_array_foreach(json_object_get(root, "types"), i, entry) {
    const char *type = aq_json_get_string(entry, "type");
    if (c->type == each || strcmp(c->type, type) == 0) AQ_TRY(apply(root, c, type, entry, err));
  }
  return AQ_OK;
}

aq_status aq_validate_criteria(json_t *root, aq_error *err) {
  AQ_TRY(aq_report_set(root, "criteria", json_array(), err));
  for (size_t i = 0; i < AQ_COUNT_OF(criteria); i++) AQ_TRY(apply_to_all(root, &criteria[i], err));
  AQ_TRY(aq_report_set(root, "verdict", json_object(), err));
  json_t *verdict = json_object_get(root, "verdict");
  AQ_TRY(aq_report_set(verdict, "failed", json_array(), err));
  json_t *failed = json_object_get(verdict, "failed");
  size_t i;
  json_t *c;
  json_array_foreach(json_object_get(root, "criteria"), i, c) {
    if (!aq_json_get_flag(c, "passed")) AQ_TRY(aq_report_append(failed, json_incref(json_object_get(c, "id")), err));
  }
  AQ_TRY(aq_report_set(verdict, "criteria", aq_json_count(json_array_size(json_object_get(root, "criteria"))), err));
  return aq_report_set(verdict, "passed", json_boolean(json_array_size(failed) == 0), err);
}
