/* metrics.c - cosine, SNR, errors of two arrays, and of two tensors read block by block.
 *
 * The sums are taken in double by the diff_sums kernel. Squares of FP32 values lie between 2^-298 and 2^256, so that
 * neither a sum over 2^63 elements nor the product of two sums leaves the range of double. */
#include "measure/metrics.h"

#include <math.h>
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"

void aq_metrics_add(aq_metrics *m, const aq_diff_sums *sums, uint64_t count) {
  m->count += count;
  m->sum_aa += aq_lanes_total(sums->aa);
  m->sum_bb += aq_lanes_total(sums->bb);
  m->sum_ab += aq_lanes_total(sums->ab);
  m->sum_ee += aq_lanes_total(sums->ee);
  if (sums->max_abs_err > m->max_abs_error) m->max_abs_error = sums->max_abs_err;
}

void aq_metrics_merge(aq_metrics *into, const aq_metrics *from) {
  into->count += from->count;
  into->nonfinite += from->nonfinite;
  into->nonfinite_mismatch += from->nonfinite_mismatch;
  into->sum_aa += from->sum_aa;
  into->sum_bb += from->sum_bb;
  into->sum_ab += from->sum_ab;
  into->sum_ee += from->sum_ee;
  if (from->max_abs_error > into->max_abs_error) into->max_abs_error = from->max_abs_error;
}

/* Takes the pairs that cannot be summed out of a block by making them zero, and counts them. */
static void take_out_nonfinite(aq_metrics *m, float *a, float *b, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (isfinite(a[i]) && isfinite(b[i])) continue;
    const bool agree = (isnan(a[i]) && isnan(b[i])) || a[i] == b[i];
    m->nonfinite++;
    if (!agree) m->nonfinite_mismatch++;
    a[i] = b[i] = 0.0F;
  }
}

void aq_metrics_add_block(aq_metrics *m, float *a, float *b, size_t count) {
  const aq_kernels *k = aq_kernels_get();
  aq_diff_sums sums = {{0}, {0}, {0}, {0}, 0};
  k->diff_sums(a, b, count, &sums);
  if (!isfinite(aq_lanes_total(sums.aa)) || !isfinite(aq_lanes_total(sums.bb))) {
    take_out_nonfinite(m, a, b, count);
    memset(&sums, 0, sizeof sums);
    k->diff_sums(a, b, count, &sums);
  }
  aq_metrics_add(m, &sums, count);
}

/* Of nothing there is no figure. */
static void finish_without_values(aq_metrics *m) {
  m->cosine = m->snr_db = m->mse = m->rmse = m->norm_ratio = m->max_abs_error = NAN;
}

void aq_metrics_finish(aq_metrics *m) {
  if (m->count == m->nonfinite && m->nonfinite_mismatch == 0) {
    finish_without_values(m);
    return;
  }
  const uint64_t summed = m->count - m->nonfinite;
  /* sqrt of the product and not the product of the square roots: of equal arrays this is exactly 1. */
  const double norms = sqrt(m->sum_aa * m->sum_bb);
  if (norms > 0) {
    m->cosine = fmin(1.0, fmax(-1.0, m->sum_ab / norms));
  } else {
    m->cosine = m->sum_aa > 0 || m->sum_bb > 0 ? 0.0 : 1.0;
  }
  m->snr_db = m->sum_ee > 0 ? 10.0 * log10(m->sum_aa / m->sum_ee) : INFINITY;
  m->mse = summed > 0 ? m->sum_ee / (double)summed : 0.0;
  m->norm_ratio = m->sum_aa > 0 ? sqrt(m->sum_bb / m->sum_aa) : m->sum_bb > 0 ? INFINITY : 1.0;
  if (m->nonfinite_mismatch > 0) {
    m->cosine = 0.0;
    m->snr_db = -INFINITY;
    m->mse = m->max_abs_error = INFINITY;
  }
  m->rmse = sqrt(m->mse);
}

typedef struct metric_job {
  const aq_source *a, *b;
  const aq_metric_pair *pairs;
  uint64_t *first_block; /* count + 1: where the blocks of each pair begin */
  size_t count;
  float **scratch; /* a worker: 2 * AQ_METRIC_BLOCK, made when first needed */
  aq_metrics *blocks;
} metric_job;

/* The pair that a block belongs to: the last one whose first block is not behind it. */
static size_t pair_of_block(const metric_job *job, uint64_t block) {
  size_t low = 0, high = job->count;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (job->first_block[middle] <= block) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

static aq_status measure_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  metric_job *job = ctx;
  if (job->scratch[worker] == NULL) {
    job->scratch[worker] = aq_realloc_array(NULL, 2 * AQ_METRIC_BLOCK, sizeof(float));
    if (job->scratch[worker] == NULL) return aq_fail_memory(err, 2 * AQ_METRIC_BLOCK * sizeof(float));
  }
  const size_t p = pair_of_block(job, item);
  const aq_metric_pair pair = job->pairs[p];
  const uint64_t first = (item - job->first_block[p]) * AQ_METRIC_BLOCK;
  const uint64_t left = aq_source_tensor(job->a, pair.ia)->num_params - first;
  const size_t n = left < AQ_METRIC_BLOCK ? (size_t)left : AQ_METRIC_BLOCK;
  float *va = job->scratch[worker];
  float *vb = va + AQ_METRIC_BLOCK;
  AQ_TRY(aq_source_read_f32(job->a, pair.ia, first, n, va, err));
  AQ_TRY(aq_source_read_f32(job->b, pair.ib, first, n, vb, err));
  aq_metrics_add_block(&job->blocks[item], va, vb, n);
  return AQ_OK;
}

/* Counts the blocks of every pair; fails when a pair cannot be compared. */
static aq_status lay_out_blocks(metric_job *job, aq_error *err) {
  for (size_t i = 0; i < job->count; i++) {
    const aq_tensor_info *ta = aq_source_tensor(job->a, job->pairs[i].ia);
    const aq_tensor_info *tb = aq_source_tensor(job->b, job->pairs[i].ib);
    AQ_FAIL_IF(ta == NULL || tb == NULL, AQ_ERR_ARGUMENT, "tensor index out of range");
    if (ta->num_params != tb->num_params) {
      const aq_status st = aq_fail(err, AQ_ERR_FORMAT, "has %llu elements in one source and %llu in the other",
                                   (unsigned long long)ta->num_params, (unsigned long long)tb->num_params);
      return aq_error_in_tensor(err, st, ta->name);
    }
    const uint64_t blocks = aq_div_up(ta->num_params, AQ_METRIC_BLOCK);
    AQ_FAIL_IF(!aq_add_ok(job->first_block[i], blocks, &job->first_block[i + 1]), AQ_ERR_FORMAT, "too many elements");
  }
  return AQ_OK;
}

static aq_status run_job(metric_job *job, aq_pool *pool, aq_metrics *out, aq_error *err) {
  AQ_TRY(lay_out_blocks(job, err));
  const uint64_t blocks = job->first_block[job->count];
  size_t slots;
  AQ_FAIL_IF(!aq_to_size_ok(blocks, &slots), AQ_ERR_MEMORY, "too many elements");
  job->blocks = aq_calloc(slots, sizeof *job->blocks);
  if (job->blocks == NULL && slots > 0) return aq_fail_memory(err, sizeof *job->blocks);
  AQ_TRY(aq_pool_run(pool, blocks, measure_block, job, err));
  for (size_t i = 0; i < job->count; i++) {
    memset(&out[i], 0, sizeof out[i]);
    for (uint64_t b = job->first_block[i]; b < job->first_block[i + 1]; b++) aq_metrics_merge(&out[i], &job->blocks[b]);
    aq_metrics_finish(&out[i]);
  }
  return AQ_OK;
}

aq_status aq_metrics_pairs(const aq_source *a, const aq_source *b, const aq_metric_pair *pairs, size_t count,
                           aq_pool *pool, aq_metrics *out, aq_error *err) {
  if (count == 0) return AQ_OK;
  const uint32_t workers = aq_pool_threads(pool);
  metric_job job = {.a = a, .b = b, .pairs = pairs, .count = count};
  job.first_block = aq_calloc(count + 1, sizeof *job.first_block);
  job.scratch = aq_calloc(workers, sizeof *job.scratch);
  aq_status status = AQ_OK;
  if (job.first_block == NULL || job.scratch == NULL) {
    status = aq_fail_memory(err, count * sizeof *job.first_block);
  } else {
    status = run_job(&job, pool, out, err);
  }
  for (uint32_t w = 0; job.scratch != NULL && w < workers; w++) aq_free(job.scratch[w]);
  aq_free(job.scratch);
  aq_free(job.blocks);
  aq_free(job.first_block);
  return status;
}

aq_status aq_metrics_tensors(const aq_source *a, size_t ia, const aq_source *b, size_t ib, aq_pool *pool,
                             aq_metrics *out, aq_error *err) {
  const aq_metric_pair pair = {ia, ib};
  return aq_metrics_pairs(a, b, &pair, 1, pool, out, err);
}
