/* backend_data_free.c - a search that goes by the tensors alone: sensitivities guessed from their moments
 * (search/data_free.h), and rounding to nearest. Nothing is left for the writer but scales. */
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/facts.h"
#include "report/report.h"
#include "search/backend.h"
#include "search/cost.h"
#include "search/data_free.h"
#include "search/scan.h"

/* Tensors of fewer values are counted side by side, one a thread; of the others one is held at a time. */
#define SIDE_BY_SIDE_PARAMS ((size_t)16 << 20)

typedef struct data_free_backend {
  aq_search_backend base; /* first */
  aq_search_problem *problem;
  aq_plan *plan;
  aq_encoded *found; /* one an item, without codes */
} data_free_backend;

static data_free_backend *state_of(aq_search_backend *backend) { return (data_free_backend *)(void *)backend; }

/* ---- sensitivities ---- */

static aq_status set_sensitivities(const aq_search_problem *problem, const aq_tensor_scan *scans,
                                   const aq_model_facts *facts, aq_error *err) {
  for (size_t i = 0; i < problem->count; i++) {
    aq_search_item *item = &problem->items[i];
    const aq_tensor_scan *scan = &scans[item->tensor];
    aq_status status = aq_search_item_allocate_sensitivity(item, aq_data_free_reason(scan), err);
    if (status == AQ_OK) {
      aq_data_free_sensitivity(scan, facts, item->own_sensitivity);
      status = aq_search_item_read_sample(problem->source, item, err);
    }
    if (status != AQ_OK) return aq_error_in_tensor(err, status, problem->source->tensors[item->tensor].name);
  }
  return AQ_OK;
}

static aq_status scan_model(const data_free_backend *b, aq_tensor_scan *scans, aq_error *err) {
  const aq_search_problem *problem = b->problem;
  aq_model_facts facts;
  AQ_TRY(aq_model_facts_read(problem->source, &facts, err));
  AQ_TRY(aq_scan_open_tensors(problem->source, b->plan, problem->pool, scans, err));
  aq_data_free_classify(scans, b->plan->count, &facts);
  return set_sensitivities(problem, scans, &facts, err);
}

static aq_status begin_data_free(aq_search_backend *backend, const aq_search_setup *setup, aq_search_problem *problem,
                                 aq_error *err) {
  data_free_backend *b = state_of(backend);
  b->problem = problem;
  b->plan = setup->plan;
  AQ_TRY(aq_search_problem_create(setup->source, setup->plan, setup->options, backend->pool, problem, err));
  const size_t tensors = AQ_MAX(b->plan->count, 1);
  b->found = aq_calloc(tensors, sizeof *b->found);
  aq_tensor_scan *scans = aq_calloc(tensors, sizeof *scans);
  aq_status status = b->found != NULL && scans != NULL ? AQ_OK : aq_fail_memory(err, tensors * sizeof *scans);
  if (status == AQ_OK) status = scan_model(b, scans, err);
  for (size_t i = 0; scans != NULL && i < b->plan->count; i++) aq_tensor_scan_reset(&scans[i]);
  aq_free(scans);
  return status;
}

/* ---- candidates ---- */

static bool is_large(const aq_search_item *item) { return item->rows * item->cols > SIDE_BY_SIDE_PARAMS; }

static aq_status round_item(const data_free_backend *b, size_t i, uint32_t worker, aq_error *err) {
  aq_encoded_reset(&b->found[i]);
  return aq_search_item_round_to_nearest(b->problem, &b->problem->items[i], worker, &b->found[i], err);
}

static aq_status round_small_item(void *ctx, uint64_t i, uint32_t worker, aq_error *err) {
  const data_free_backend *b = ctx;
  return is_large(&b->problem->items[i]) ? AQ_OK : round_item(b, (size_t)i, worker, err);
}

/* From all values. A sample says too much of tables: neighbouring rows are alike, and so are their steps, and
 * compression makes use of it. */
static aq_status make_data_free(aq_search_backend *backend, aq_error *err) {
  data_free_backend *b = state_of(backend);
  AQ_TRY(aq_pool_run(b->problem->pool, b->problem->count, round_small_item, b, err));
  for (size_t i = 0; i < b->problem->count; i++) {
    if (is_large(&b->problem->items[i])) AQ_TRY(round_item(b, i, 0, err));
  }
  return AQ_OK;
}

/* The writer rounds to nearest with the plan's scales: it needs nothing beside them. */
static aq_status finish_data_free(aq_search_backend *backend, const char *target, aq_encoded *encoded, aq_error *err) {
  data_free_backend *b = state_of(backend);
  (void)encoded;
  for (size_t i = 0; i < b->problem->count; i++) {
    const aq_search_item *item = &b->problem->items[i];
    aq_plan_entry *entry = &b->plan->entries[item->tensor];
    AQ_TRY(aq_search_item_fix_entry(b->problem, item, &b->found[i], target, entry, err));
    aq_encoded_reset(&b->found[i]);
  }
  return AQ_OK;
}

static aq_status report_data_free(aq_search_backend *backend, json_t *report, aq_error *err) {
  AQ_TRY(aq_report_set(report, "model_was_run", json_false(), err));
  return aq_report_set(report, "reason", aq_json_string(backend->why_not_run), err);
}

static void free_data_free(aq_search_backend *backend) {
  data_free_backend *b = state_of(backend);
  for (size_t i = 0; b->found != NULL && i < b->problem->count; i++) aq_encoded_reset(&b->found[i]);
  aq_free(b->found);
  aq_pool_free(backend->pool);
  aq_free(backend->why_not_run);
  aq_free(b);
}

static const aq_search_backend_ops data_free_ops = {
    .slack = 0.004,
    .rounds = 8,
    .begin = begin_data_free,
    .make_candidate = make_data_free,
    .finish = finish_data_free,
    .report = report_data_free,
    .free = free_data_free,
};

aq_status aq_data_free_backend_open(const aq_source *source, const aq_quantize_options *options, bool texts,
                                    const char *output, aq_search_backend **out, char **why_not, aq_error *err) {
  (void)source;
  (void)texts;
  (void)output;
  data_free_backend *b = aq_calloc(1, sizeof *b);
  if (b == NULL) return aq_fail_memory(err, sizeof *b);
  b->base = (aq_search_backend){.ops = &data_free_ops, .why_not_run = *why_not};
  *why_not = NULL;
  const aq_status status = aq_pool_create(options->run.threads, &b->base.pool, err);
  if (status != AQ_OK) {
    free_data_free(&b->base);
    return status;
  }
  *out = &b->base;
  return AQ_OK;
}
