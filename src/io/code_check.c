/* code_check.c - chunks of a tensor are compared side by side. A thread ends at its first chunk that differs or cannot
 * be read; the lowest of these chunks is the result, and no chunk below it was left out. */
#include "io/code_check.h"

#include <stdatomic.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/pool.h"
#include "quant/scheme.h"

/* Codes of a layer that is stored by columns are read quickly only many rows at a time. */
#define CHUNK ((uint64_t)1 << 17)

typedef struct check_worker {
  float *values; /* of both sources, a chunk each; made when first needed */
  uint64_t end;  /* the chunk at which it ended; UINT64_MAX: it did not */
  aq_status status;
  aq_error err;
} check_worker;

struct aq_code_check {
  aq_pool *pool;
  check_worker *workers;
  atomic_uint_fast64_t end; /* the lowest so far */
  /* What is compared. */
  const aq_source *decoded, *coded;
  size_t index;
};

aq_status aq_code_check_create(uint32_t threads, aq_code_check **out, aq_error *err) {
  *out = NULL;
  aq_code_check *check = aq_calloc(1, sizeof *check);
  if (check == NULL) return aq_fail_memory(err, sizeof *check);
  aq_status status = aq_pool_create(threads, &check->pool, err);
  if (status == AQ_OK) {
    check->workers = aq_calloc(aq_pool_threads(check->pool), sizeof *check->workers);
    if (check->workers == NULL) status = aq_fail_memory(err, sizeof *check->workers);
  }
  if (status == AQ_OK) {
    *out = check;
  } else {
    aq_code_check_free(check);
  }
  return status;
}

void aq_code_check_free(aq_code_check *check) {
  if (check == NULL) return;
  for (uint32_t i = 0; check->workers != NULL && i < aq_pool_threads(check->pool); i++) {
    aq_free(check->workers[i].values);
  }
  aq_free(check->workers);
  aq_pool_free(check->pool);
  aq_free(check);
}

static aq_status compare_chunk(const aq_code_check *check, check_worker *w, uint64_t chunk, bool *same) {
  const uint64_t count = check->coded->tensors[check->index].num_params, at = chunk * CHUNK;
  const size_t n = (size_t)AQ_MIN(CHUNK, count - at);
  if (w->values == NULL) w->values = aq_realloc_array(NULL, 2 * (size_t)CHUNK, sizeof *w->values);
  if (w->values == NULL) return aq_fail_memory(&w->err, 2 * (size_t)CHUNK * sizeof *w->values);
  float *values = w->values, *others = values + CHUNK;
  AQ_TRY(aq_source_read_f32(check->decoded, check->index, at, n, values, &w->err));
  AQ_TRY(aq_source_read_f32(check->coded, check->index, at, n, others, &w->err));
  *same = memcmp(values, others, n * sizeof *values) == 0 && aq_first_nonfinite(values, n) == n;
  return AQ_OK;
}

static aq_status try_chunk(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  aq_code_check *check = ctx;
  check_worker *w = &check->workers[worker];
  bool same = false;
  (void)err; /* the worker's own: a chunk that differs may be found below */
  if (item >= atomic_load(&check->end)) return AQ_OK;
  const aq_status status = compare_chunk(check, w, item, &same);
  if (status == AQ_OK && same) return AQ_OK;
  w->status = status;
  w->end = item;
  uint_fast64_t end = atomic_load(&check->end);
  while (item < end && !atomic_compare_exchange_weak(&check->end, &end, item)) {
  }
  return AQ_OK;
}

static const check_worker *find_lowest(const aq_code_check *check) {
  const check_worker *lowest = &check->workers[0];
  for (uint32_t i = 1; i < aq_pool_threads(check->pool); i++) {
    if (check->workers[i].end < lowest->end) lowest = &check->workers[i];
  }
  return lowest;
}

aq_status aq_code_check_run(aq_code_check *check, const aq_source *decoded, const aq_source *coded, size_t index,
                            bool *same, aq_error *err) {
  check->decoded = decoded;
  check->coded = coded;
  check->index = index;
  atomic_store(&check->end, UINT64_MAX);
  for (uint32_t i = 0; i < aq_pool_threads(check->pool); i++) check->workers[i].end = UINT64_MAX;
  *same = false;
  const uint64_t count = coded->tensors[index].num_params;
  AQ_TRY(aq_pool_run(check->pool, count / CHUNK + (count % CHUNK > 0), try_chunk, check, err));
  const check_worker *lowest = find_lowest(check);
  *same = lowest->end == UINT64_MAX;
  if (*same || lowest->status == AQ_OK) return AQ_OK;
  if (err != NULL) *err = lowest->err;
  return lowest->status;
}
