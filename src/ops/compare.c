/* compare.c - how well the tensors of two sources agree.
 *
 * Tensors are paired by name. A tied tensor (an alias in both sources) is listed, but counted once: in distributions
 * and totals it would only repeat the tensor that holds the bytes. */
#include <math.h>
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "io/source.h"
#include "measure/metrics.h"
#include "ops/compare_outputs.h"
#include "ops/name_prefix.h"
#include "ops/operation.h"
#include "report/report.h"
#include "report/source_json.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "transform/same_bytes.h"

enum { WORST = 5, BATCH_BLOCKS = 256 };

typedef struct comparison {
  const aq_compare_options *options;
  aq_source *a, *b;
  json_t *root;
  aq_metric_pair *pairs;
  aq_metrics *metrics; /* of each pair */
  size_t count;
  size_t missing, extra, mismatched, differing; /* differing: in bytes of an opaque dtype */
  size_t opaque;                                /* pairs whose bytes were compared, and nothing else */
  const char *first_bad;                        /* name of the first tensor that has no partner */
  double mean;                                  /* what min_cosine is compared with */
} comparison;

/* ---- pairing ---- */

static aq_status note_mismatch(json_t *list, const aq_tensor_info *a, const aq_tensor_info *b, aq_error *err) {
  AQ_TRY(aq_report_append(list, json_object(), err));
  json_t *entry = json_array_get(list, json_array_size(list) - 1);
  AQ_TRY(aq_report_set(entry, "name", aq_json_string(a->name), err));
  AQ_TRY(aq_report_set(entry, "reference_shape", aq_shape_json(a), err));
  return aq_report_set(entry, "shape", aq_shape_json(b), err);
}

/* Values of an opaque dtype cannot be measured: such tensors are the same, byte for byte, or listed. */
static aq_status compare_opaque(comparison *c, size_t i, size_t j, json_t *list, aq_error *err) {
  const aq_tensor_info *a = &c->a->tensors[i], *b = &c->b->tensors[j];
  uint64_t differs = 0;
  c->opaque++;
  if (a->dtype == b->dtype && a->data_bytes == b->data_bytes) {
    AQ_TRY(aq_find_differing_byte(c->a, aq_owner_of(c->a->tensors, i), c->b, aq_owner_of(c->b->tensors, j),
                                  a->data_bytes, &differs, err));
    if (differs == UINT64_MAX) return AQ_OK;
  }
  c->differing++;
  if (c->first_bad == NULL) c->first_bad = a->name;
  return aq_report_append(list, aq_json_string(a->name), err);
}

static bool is_opaque(const aq_tensor_info *t) { return t->quant_type == AQ_KEPT && aq_dtype_is_opaque(t->dtype); }

/* Pairs what has the same name and shape; lists the rest. */
static aq_status pair_up(comparison *c, aq_error *err) {
  static const char *const lists[] = {"missing", "extra", "shape_mismatch", "bytes_differ"};
  json_t *made[AQ_COUNT_OF(lists)];
  for (size_t i = 0; i < AQ_COUNT_OF(lists); i++) {
    AQ_TRY(aq_report_set(c->root, lists[i], json_array(), err));
    made[i] = json_object_get(c->root, lists[i]);
  }
  for (size_t i = 0; i < c->a->tensor_count; i++) {
    const aq_tensor_info *t = &c->a->tensors[i];
    const int64_t j = aq_source_find(c->b, t->name);
    if (j >= 0 && aq_same_shape(t, &c->b->tensors[j])) {
      if (is_opaque(t) || is_opaque(&c->b->tensors[j])) {
        AQ_TRY(compare_opaque(c, i, (size_t)j, made[3], err));
        continue;
      }
      c->pairs[c->count++] = (aq_metric_pair){i, (size_t)j};
      continue;
    }
    if (c->first_bad == NULL) c->first_bad = t->name;
    if (j >= 0) {
      c->mismatched++;
      AQ_TRY(note_mismatch(made[2], t, &c->b->tensors[j], err));
    } else {
      c->missing++;
      AQ_TRY(aq_report_append(made[0], aq_json_string(t->name), err));
    }
  }
  for (size_t j = 0; j < c->b->tensor_count; j++) {
    const char *name = c->b->tensors[j].name;
    if (aq_source_find(c->a, name) >= 0) continue;
    if (c->first_bad == NULL) c->first_bad = name;
    c->extra++;
    AQ_TRY(aq_report_append(made[1], aq_json_string(name), err));
  }
  return AQ_OK;
}

/* ---- measuring ---- */

static const aq_tensor_info *reference_of(const comparison *c, size_t pair) {
  return &c->a->tensors[c->pairs[pair].ia];
}
static const aq_tensor_info *other_of(const comparison *c, size_t pair) { return &c->b->tensors[c->pairs[pair].ib]; }

static bool is_tied(const comparison *c, size_t pair) {
  return reference_of(c, pair)->alias_of >= 0 && other_of(c, pair)->alias_of >= 0;
}

static bool is_quantized(const comparison *c, size_t pair) {
  return reference_of(c, pair)->quant_type != AQ_KEPT || other_of(c, pair)->quant_type != AQ_KEPT;
}

/* Batches of pairs, so that small tensors run side by side and progress is reported at intervals. */
static aq_status measure_pairs(comparison *c, aq_pool *pool, aq_error *err) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < c->count; i++) bytes += reference_of(c, i)->data_bytes;
  aq_progress progress;
  aq_progress_begin(&progress, &c->options->run, "compare", c->count, bytes);
  for (size_t first = 0; first < c->count;) {
    size_t next = first;
    for (uint64_t blocks = 0; next < c->count && blocks < BATCH_BLOCKS; next++) {
      blocks += aq_div_up(reference_of(c, next)->num_params, AQ_METRIC_BLOCK);
    }
    AQ_TRY(aq_metrics_pairs(c->a, c->b, c->pairs + first, next - first, pool, c->metrics + first, err));
    for (; first < next; first++) {
      const aq_tensor_info *t = reference_of(c, first);
      AQ_TRY(aq_progress_add(&progress, t->name, 1, t->data_bytes, err));
    }
  }
  return AQ_OK;
}

/* ---- reporting ---- */

static aq_status set_figures(json_t *object, const aq_metrics *m, aq_error *err) {
  AQ_TRY(aq_report_set(object, "cosine", aq_json_real(m->cosine), err));
  AQ_TRY(aq_report_set(object, "snr_db", aq_json_real(m->snr_db), err));
  AQ_TRY(aq_report_set(object, "rmse", aq_json_real(m->rmse), err));
  AQ_TRY(aq_report_set(object, "max_abs_error", aq_json_real(m->max_abs_error), err));
  AQ_TRY(aq_report_set(object, "norm_ratio", aq_json_real(m->norm_ratio), err));
  const bool is_equal = m->sum_ee <= 0 && m->nonfinite_mismatch == 0;
  AQ_TRY(aq_report_set(object, "equal", m->count > 0 ? json_boolean(is_equal) : json_null(), err));
  AQ_TRY(aq_report_set(object, "nonfinite", aq_json_count(m->nonfinite), err));
  return aq_report_set(object, "nonfinite_mismatch", aq_json_count(m->nonfinite_mismatch), err);
}

static aq_status add_tensor(const comparison *c, json_t *tensors, size_t pair, aq_error *err) {
  const aq_tensor_info *a = reference_of(c, pair), *b = other_of(c, pair);
  char stored[AQ_STORED_AS_SIZE];
  AQ_TRY(aq_report_append(tensors, aq_tensor_json(b), err));
  json_t *object = json_array_get(tensors, pair);
  AQ_TRY(aq_report_set(object, "reference_stored_as", json_string(aq_stored_as(a, stored, sizeof stored)), err));
  AQ_TRY(aq_report_set(object, "quantized", json_boolean(is_quantized(c, pair)), err));
  AQ_TRY(aq_report_set(object, "tied", json_boolean(is_tied(c, pair)), err));
  return set_figures(object, &c->metrics[pair], err);
}

static aq_status set_distribution(json_t *object, const char *key, const aq_distribution *d, aq_error *err) {
  AQ_TRY(aq_report_set(object, key, json_object(), err));
  json_t *out = json_object_get(object, key);
  AQ_TRY(aq_report_set(out, "tensors", aq_json_count(d->count), err));
  AQ_TRY(aq_report_set(out, "mean", aq_json_real(d->mean), err));
  AQ_TRY(aq_report_set(out, "min", aq_json_real(d->min), err));
  AQ_TRY(aq_report_set(out, "p1", aq_json_real(d->p1), err));
  AQ_TRY(aq_report_set(out, "p5", aq_json_real(d->p5), err));
  AQ_TRY(aq_report_set(out, "p50", aq_json_real(d->p50), err));
  AQ_TRY(aq_report_set(out, "p95", aq_json_real(d->p95), err));
  AQ_TRY(aq_report_set(out, "max", aq_json_real(d->max), err));
  return aq_report_set(out, "stddev", aq_json_real(d->stddev), err);
}

/* Cosines of the tensors that have one: an empty tensor has none. */
static size_t collect_cosines(const comparison *c, bool quantized_only, double *out) {
  size_t n = 0;
  for (size_t i = 0; i < c->count; i++) {
    if (is_tied(c, i) || isnan(c->metrics[i].cosine) || (quantized_only && !is_quantized(c, i))) continue;
    out[n++] = c->metrics[i].cosine;
  }
  return n;
}

/* Cosines over all tensors, and over those that are quantized in either source. */
static aq_status add_distributions(comparison *c, aq_error *err) {
  double *cosines = aq_calloc(c->count > 0 ? c->count : 1, sizeof *cosines);
  if (cosines == NULL) return aq_fail_memory(err, c->count * sizeof *cosines);
  aq_distribution all, quantized;
  aq_distribution_of(cosines, collect_cosines(c, false, cosines), &all);
  aq_distribution_of(cosines, collect_cosines(c, true, cosines), &quantized);
  aq_free(cosines);
  c->mean = quantized.count > 0 ? quantized.mean : all.mean;
  AQ_TRY(aq_report_set(c->root, "cosine", json_object(), err));
  json_t *object = json_object_get(c->root, "cosine");
  AQ_TRY(set_distribution(object, "all", &all, err));
  return set_distribution(object, "quantized", &quantized, err);
}

/* Figures over the floating-point tensors: the squares of a few large integers (position ids) would drown the weights.
 */
static aq_status set_totals(const comparison *c, const char *key, bool quantized_only, aq_error *err) {
  aq_metrics totals = {0};
  uint64_t tensors = 0, params = 0, equal = 0;
  for (size_t i = 0; i < c->count; i++) {
    if (is_tied(c, i) || (quantized_only && !is_quantized(c, i))) continue;
    if (aq_dtype_is_float(reference_of(c, i)->dtype)) aq_metrics_merge(&totals, &c->metrics[i]);
    params += c->metrics[i].count;
    tensors++;
    if (c->metrics[i].sum_ee <= 0 && c->metrics[i].nonfinite_mismatch == 0) equal++;
  }
  aq_metrics_finish(&totals);
  AQ_TRY(aq_report_set(c->root, key, json_object(), err));
  json_t *object = json_object_get(c->root, key);
  AQ_TRY(aq_report_set(object, "tensors", aq_json_count(tensors), err));
  AQ_TRY(aq_report_set(object, "equal_tensors", aq_json_count(equal), err));
  AQ_TRY(aq_report_set(object, "params", aq_json_count(params), err));
  return set_figures(object, &totals, err);
}

/* Of the pairs that are not in `taken`, the one with the smallest cosine (the first of equals); count when none. */
static size_t worst_pair(const comparison *c, const size_t *taken, size_t taken_count) {
  size_t worst = c->count;
  for (size_t i = 0; i < c->count; i++) {
    bool skip = is_tied(c, i) || isnan(c->metrics[i].cosine);
    for (size_t t = 0; t < taken_count; t++) skip = skip || taken[t] == i;
    if (!skip && (worst == c->count || c->metrics[i].cosine < c->metrics[worst].cosine)) worst = i;
  }
  return worst;
}

static aq_status add_worst(const comparison *c, aq_error *err) {
  AQ_TRY(aq_report_set(c->root, "worst", json_array(), err));
  json_t *list = json_object_get(c->root, "worst"), *tensors = json_object_get(c->root, "tensors");
  size_t taken[WORST];
  for (size_t n = 0; n < WORST; n++) {
    taken[n] = worst_pair(c, taken, n);
    if (taken[n] == c->count) break;
    AQ_TRY(aq_report_append(list, json_deep_copy(json_array_get(tensors, taken[n])), err));
  }
  return AQ_OK;
}

static aq_status report_pairs(comparison *c, aq_error *err) {
  AQ_TRY(aq_report_set(c->root, "tensors", json_array(), err));
  json_t *tensors = json_object_get(c->root, "tensors");
  for (size_t i = 0; i < c->count; i++) AQ_TRY(add_tensor(c, tensors, i, err));
  AQ_TRY(add_distributions(c, err));
  AQ_TRY(set_totals(c, "totals", false, err));
  AQ_TRY(set_totals(c, "quantized_totals", true, err));
  return add_worst(c, err);
}

static aq_status compare_sources(comparison *c, aq_error *err) {
  const double started = aq_clock();
  AQ_TRY(aq_report_set(c->root, "reference", aq_source_json(c->a), err));
  AQ_TRY(aq_report_set(c->root, "other", aq_source_json(c->b), err));
  AQ_TRY(pair_up(c, err));
  aq_pool *pool;
  AQ_TRY(aq_pool_create(c->options->run.threads, &pool, err));
  aq_status status = measure_pairs(c, pool, err);
  aq_pool_free(pool);
  if (status == AQ_OK) status = report_pairs(c, err);
  AQ_TRY(status);
  AQ_TRY(aq_compare_outputs(c->options, c->a, c->b, c->mean, c->first_bad == NULL, c->root, err));
  const double limit = c->options->min_cosine;
  AQ_TRY(aq_report_set(c->root, "compared_as_bytes", aq_json_count(c->opaque), err));
  AQ_TRY(aq_report_set(c->root, "mean_cosine", aq_json_real(c->mean), err));
  AQ_TRY(aq_report_set(c->root, "min_cosine", limit > 0 ? json_real(limit) : json_null(), err));
  AQ_TRY(aq_report_set(c->root, "same_tensors", json_boolean(c->first_bad == NULL), err));
  const bool within = !(limit > 0 && !(c->mean >= limit)) && aq_outputs_over_limit(c->root) == NULL;
  AQ_TRY(aq_report_set(c->root, "passed", json_boolean(c->first_bad == NULL && within), err));
  return aq_report_set(c->root, "seconds", aq_json_real(aq_clock() - started), err);
}

/* A model that was saved with its head, and without. */
static void hint_at_prefix(const comparison *c, aq_error *err) {
  char prefix[100];
  bool is_other;
  if (err == NULL || c->count > 0 || c->mismatched > 0) return;
  if (!aq_name_prefix_find(c->a, c->b, prefix, sizeof prefix, &is_other)) return;
  (void)aq_error_hint(err, AQ_ERR_FORMAT, "The names are the same but for '%s' in front of all %s", prefix,
                      is_other ? "its" : "the reference's");
}

/* The result of the comparison as a status. */
static aq_status verdict(const comparison *c, aq_error *err) {
  const double limit = c->options->min_cosine;
  if (c->first_bad != NULL) {
    (void)aq_fail(err, AQ_ERR_FORMAT,
                  "the tensors are not those of the reference: %zu missing, %zu more, %zu of another shape%s; "
                  "the first is this one",
                  c->missing, c->extra, c->mismatched,
                  c->differing > 0 ? ", and bytes differ in one of a dtype that is kept as bytes" : "");
    (void)aq_error_in_tensor(err, AQ_ERR_FORMAT, c->first_bad);
    hint_at_prefix(c, err);
    return aq_error_in_file(err, AQ_ERR_FORMAT, c->b->path);
  }
  if (limit > 0 && isnan(c->mean)) {
    return aq_fail(err, AQ_ERR_THRESHOLD, "nothing was compared: there is no mean cosine to compare with %g", limit);
  }
  if (limit > 0 && !(c->mean >= limit)) {
    char mean[AQ_WORD_SIZE], wanted[AQ_WORD_SIZE];
    return aq_fail(err, AQ_ERR_THRESHOLD, "mean cosine %s is below %s", aq_text_cosine(c->mean, mean, sizeof mean),
                   aq_text_fixed(limit, 6, wanted, sizeof wanted));
  }
  return aq_compare_outputs_verdict(c->root, err);
}

static bool has_aliases(const aq_source *source) {
  for (size_t i = 0; i < source->tensor_count; i++) {
    if (source->tensors[i].alias_of >= 0) return true;
  }
  return false;
}

/* Tables list tied tensors; other formats have to be searched, which is done only when one side has tied tensors. */
static aq_status open_overlay(const aq_source *side, const aq_source *other, aq_source **out, aq_error *err) {
  const bool search = has_aliases(other) && !has_aliases(side);
  return search ? aq_source_overlay_tied(side, out, err) : aq_source_overlay(side, NULL, out, err);
}

static aq_status make_report(comparison *c, aq_error *err) {
  c->pairs = aq_calloc(c->a->tensor_count, sizeof *c->pairs);
  c->metrics = aq_calloc(c->a->tensor_count, sizeof *c->metrics);
  if (c->pairs == NULL || c->metrics == NULL) return aq_fail_memory(err, c->a->tensor_count * sizeof *c->metrics);
  return compare_sources(c, err);
}

static aq_status compare(aq_source *reference, aq_source *other, const aq_compare_options *o, aq_report **report,
                         aq_error *err) {
  aq_report *made;
  AQ_TRY(aq_report_create("compare", &made, err));
  comparison c = {.options = o, .a = reference, .b = other, .root = made->root};
  const aq_status done = make_report(&c, err);
  const aq_status status = done == AQ_OK ? verdict(&c, err) : done; /* reads the report */
  if (done == AQ_OK && report != NULL) {
    *report = made;
  } else {
    aq_report_free(made);
  }
  aq_free(c.pairs);
  aq_free(c.metrics);
  return status;
}

aq_status aq_compare_sources(const aq_source *reference, const aq_source *other, const aq_compare_options *options,
                             aq_report **report, aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_compare_options o;
  AQ_TRY(aq_options_read(&o, sizeof o, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&o.run, "run", err));
  AQ_FAIL_IF(!(o.min_cosine >= 0 && o.min_cosine <= 1), AQ_ERR_ARGUMENT, "min_cosine is a number from 0 to 1");
  AQ_TRY(aq_compare_outputs_check(&o, err));
  AQ_FAIL_IF(reference == NULL || other == NULL, AQ_ERR_ARGUMENT, "two sources are needed");
  aq_source *a = NULL, *b = NULL;
  aq_status status = open_overlay(reference, other, &a, err);
  if (status == AQ_OK) status = open_overlay(other, reference, &b, err);
  if (status == AQ_OK) status = compare(a, b, &o, report, err);
  aq_source_close(a);
  aq_source_close(b);
  return status;
}

aq_status aq_compare(const char *reference, const char *other, const aq_compare_options *options, aq_report **report,
                     aq_error *err) {
  aq_source *a = NULL, *b = NULL;
  aq_compare_options o;
  AQ_TRY(aq_options_read(&o, sizeof o, options, err));
  const char *names = o.names == NULL && aq_compare_outputs_wanted(&o) ? "auto" : o.names;
  aq_status status = aq_operation_open(reference, options, names, report, &a, err);
  if (status == AQ_OK) status = aq_operation_open(other, options, names, report, &b, err);
  if (status == AQ_OK) status = aq_compare_sources(a, b, options, report, err);
  aq_source_close(a);
  aq_source_close(b);
  return status;
}
