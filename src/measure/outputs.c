/* outputs.c - agreement of embeddings: text by text, in their neighbours, in the order of all similarities.
 *
 * The similarities of n texts are kept as a triangle, row i holding those of i with i+1 ... n-1: n (n-1) / 2 numbers,
 * 16 MB for the 2000 texts that are looked at at most. */
#include "measure/outputs.h"

#include <math.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "measure/metrics.h"
#include "measure/rank.h"

static double cosine_of(const float *a, const float *b, size_t dimension) {
  aq_diff_sums sums = {{0}, {0}, {0}, {0}, 0};
  aq_metrics m = {0};
  aq_kernels_get()->diff_sums(a, b, dimension, &sums);
  aq_metrics_add(&m, &sums, dimension);
  if (!isfinite(m.sum_aa) || !isfinite(m.sum_bb)) return 0.0;
  aq_metrics_finish(&m);
  return m.cosine;
}

void aq_output_pairs(const float *vectors, size_t pairs, size_t dimension, double *cosines) {
  for (size_t i = 0; i < pairs; i++) {
    const float *first = vectors + 2 * i * dimension;
    cosines[i] = cosine_of(first, first + dimension, dimension);
  }
}

/* ---- text by text ---- */

static aq_status compare_texts(const float *a, const float *b, size_t texts, size_t dimension, double *cosines,
                               aq_output_figures *out, aq_error *err) {
  double *sorted = aq_calloc(texts, sizeof *sorted);
  if (sorted == NULL) return aq_fail_memory(err, texts * sizeof *sorted);
  for (size_t i = 0; i < texts; i++) {
    sorted[i] = cosines[i] = cosine_of(a + i * dimension, b + i * dimension, dimension);
    if (cosines[i] < cosines[out->worst]) out->worst = i;
  }
  aq_distribution d;
  aq_distribution_of(sorted, texts, &d);
  aq_free(sorted);
  out->mean = d.mean;
  out->p1 = d.p1;
  out->min = d.min;
  return AQ_OK;
}

/* ---- pairs of texts ---- */

/* The sampled texts of both sets. */
typedef struct pair_job {
  const float *vectors[2];
  size_t dimension, texts, count, neighbours; /* count: of the texts, evenly spaced */
  double *triangles[2];
  uint32_t *kept; /* of each text: neighbours that are so in both */
} pair_job;

static size_t text_at(const pair_job *job, size_t i) { return i * job->texts / job->count; }

static size_t row_first(const pair_job *job, size_t i) { return i * (2 * job->count - i - 1) / 2; }

static double similarity(const pair_job *job, int set, size_t i, size_t j) {
  return job->triangles[set][row_first(job, AQ_MIN(i, j)) + AQ_MAX(i, j) - AQ_MIN(i, j) - 1];
}

static aq_status fill_row(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const pair_job *job = ctx;
  (void)worker;
  (void)err;
  for (int set = 0; set < 2; set++) {
    const float *v = job->vectors[set], *mine = v + text_at(job, item) * job->dimension;
    double *row = job->triangles[set] + row_first(job, item);
    for (size_t j = item + 1; j < job->count; j++) {
      *row++ = cosine_of(mine, v + text_at(job, j) * job->dimension, job->dimension);
    }
  }
  return AQ_OK;
}

/* The nearest texts of text i, nearest first. */
static void find_nearest(const pair_job *job, int set, size_t i, size_t *nearest) {
  double values[AQ_OUTPUT_NEIGHBOURS];
  size_t found = 0;
  for (size_t j = 0; j < job->count; j++) {
    if (j == i) continue;
    const double s = similarity(job, set, i, j);
    if (found == job->neighbours && !(s > values[found - 1])) continue;
    size_t place = found < job->neighbours ? found++ : found - 1;
    for (; place > 0 && s > values[place - 1]; place--) {
      values[place] = values[place - 1];
      nearest[place] = nearest[place - 1];
    }
    values[place] = s;
    nearest[place] = j;
  }
}

static aq_status count_kept(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const pair_job *job = ctx;
  (void)worker;
  (void)err;
  size_t before[AQ_OUTPUT_NEIGHBOURS], after[AQ_OUTPUT_NEIGHBOURS];
  find_nearest(job, 0, item, before);
  find_nearest(job, 1, item, after);
  for (size_t i = 0; i < job->neighbours; i++) {
    for (size_t j = 0; j < job->neighbours; j++) job->kept[item] += before[i] == after[j] ? 1 : 0;
  }
  return AQ_OK;
}

static aq_status run_pairs(pair_job *job, aq_pool *pool, aq_output_figures *out, aq_error *err) {
  const size_t pairs = job->count * (job->count - 1) / 2;
  job->triangles[0] = aq_calloc(pairs, sizeof *job->triangles[0]);
  job->triangles[1] = aq_calloc(pairs, sizeof *job->triangles[1]);
  job->kept = aq_calloc(job->count, sizeof *job->kept);
  if (job->triangles[0] == NULL || job->triangles[1] == NULL || job->kept == NULL) {
    return aq_fail_memory(err, pairs * sizeof *job->triangles[0]);
  }
  AQ_TRY(aq_pool_run(pool, job->count, fill_row, job, err));
  AQ_TRY(aq_pool_run(pool, job->count, count_kept, job, err));
  uint64_t kept = 0;
  for (size_t i = 0; i < job->count; i++) kept += job->kept[i];
  out->overlap = (double)kept / (double)(job->count * job->neighbours);
  return aq_spearman(job->triangles[0], job->triangles[1], pairs, &out->spearman, err);
}

aq_status aq_output_compare(const float *reference, const float *other, size_t texts, size_t dimension, aq_pool *pool,
                            double *cosines, aq_output_figures *out, aq_error *err) {
  *out = (aq_output_figures){.texts = texts, .mean = NAN, .p1 = NAN, .min = NAN, .overlap = NAN, .spearman = NAN};
  out->sampled = AQ_MIN(texts, AQ_OUTPUT_SAMPLE);
  out->neighbours = texts > 0 ? AQ_MIN(out->sampled - 1, AQ_OUTPUT_NEIGHBOURS) : 0;
  if (texts > 0) AQ_TRY(compare_texts(reference, other, texts, dimension, cosines, out, err));
  if (out->neighbours == 0) return AQ_OK;
  pair_job job = {.vectors = {reference, other},
                  .dimension = dimension,
                  .texts = texts,
                  .count = out->sampled,
                  .neighbours = out->neighbours};
  const aq_status status = run_pairs(&job, pool, out, err);
  aq_free(job.triangles[0]);
  aq_free(job.triangles[1]);
  aq_free(job.kept);
  return status;
}
