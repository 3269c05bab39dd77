/* scan.c - the passes over the tensors of a model that is not run: a tensor each for the threads, in pieces of whole
 * rows. */
#include "search/scan.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

#define PIECE_BYTES ((uint64_t)4 << 20) /* of rows that are read at a time */

typedef struct scan_job {
  const aq_source *source;
  const aq_plan *plan;
  aq_tensor_scan *scans;
} scan_job;

/* What is done with the rows of a tensor, from `first` on. */
typedef void (*add_rows_fn)(aq_tensor_scan *scan, uint64_t first, const float *values, uint64_t rows);

static void add_moments(aq_tensor_scan *scan, uint64_t first, const float *values, uint64_t rows) {
  (void)first;
  aq_tensor_scan_add_rows(scan, values, rows);
}

static aq_status read_rows(const aq_source *source, size_t tensor, aq_tensor_scan *scan, add_rows_fn add,
                           aq_error *err) {
  const uint64_t piece = AQ_MAX(PIECE_BYTES / sizeof(float) / scan->cols, 1);
  float *values = aq_realloc_array(NULL, (size_t)(piece * scan->cols), sizeof *values);
  if (values == NULL) return aq_fail_memory(err, (size_t)(piece * scan->cols) * sizeof *values);
  aq_status status = AQ_OK;
  for (uint64_t row = 0; status == AQ_OK && row < scan->rows; row += piece) {
    const uint64_t n = AQ_MIN(piece, scan->rows - row);
    status = aq_source_read_f32(source, tensor, row * scan->cols, n * scan->cols, values, err);
    if (status == AQ_OK) add(scan, row, values, n);
  }
  aq_free(values);
  return status;
}

/* A bias has the name of its weights but for the end. *found is -1 where there is none. */
static aq_status find_bias(const aq_source *source, const char *name, int64_t *found, aq_error *err) {
  static const char weight[] = "weight", bias[] = "bias";
  const size_t length = strlen(name);
  *found = -1;
  if (length < sizeof weight || strcmp(name + length - (sizeof weight - 1), weight) != 0) return AQ_OK;
  char *other = aq_format("%.*s%s", (int)(length - (sizeof weight - 1)), name, bias);
  if (other == NULL) return aq_fail_memory(err, length);
  *found = aq_source_find(source, other);
  aq_free(other);
  return AQ_OK;
}

static aq_status read_bias(const aq_source *source, aq_tensor_scan *scan, aq_error *err) {
  int64_t tensor;
  AQ_TRY(find_bias(source, scan->name, &tensor, err));
  if (tensor < 0 || source->tensors[tensor].num_params != scan->rows) return AQ_OK;
  float *bias = aq_realloc_array(NULL, (size_t)scan->rows, sizeof *bias);
  if (bias == NULL) return aq_fail_memory(err, (size_t)scan->rows * sizeof *bias);
  const aq_status status = aq_source_read_f32(source, (size_t)tensor, 0, scan->rows, bias, err);
  if (status == AQ_OK) aq_tensor_scan_add_bias(scan, bias);
  aq_free(bias);
  return status;
}

static aq_status scan_tensor(void *ctx, uint64_t i, uint32_t worker, aq_error *err) {
  const scan_job *job = ctx;
  const aq_tensor_info *t = &job->source->tensors[i];
  aq_tensor_scan *scan = &job->scans[i];
  (void)worker;
  AQ_TRY(aq_tensor_scan_begin(scan, t, err));
  if (t->alias_of >= 0 || !aq_plan_entry_is_open(&job->plan->entries[i], AQ_RD)) return AQ_OK;
  aq_status status = read_rows(job->source, (size_t)i, scan, add_moments, err);
  if (status == AQ_OK && aq_tensor_scan_wants_shares(scan))
    status = read_rows(job->source, (size_t)i, scan, aq_tensor_scan_add_shares, err);
  if (status == AQ_OK && (scan->role == AQ_ROLE_QUERY || scan->role == AQ_ROLE_KEY)) {
    status = read_bias(job->source, scan, err);
  }
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, t->name);
}

aq_status aq_scan_open_tensors(const aq_source *source, const aq_plan *plan, aq_pool *pool, aq_tensor_scan *scans,
                               aq_error *err) {
  scan_job job = {source, plan, scans};
  return aq_pool_run(pool, plan->count, scan_tensor, &job, err);
}
