/* round_trip.c - one tensor quantized and dequantized again in memory.
 *
 * It is a row of a table whose data is streamed: the scales are found block by block, then codes are made and turned
 * back chunk by chunk, so that what is held besides the values is small. */
#include "transform/round_trip.h"

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "transform/row_job.h"

/* Elements that are decoded at a time; codes of so many begin and end at a byte. */
#define CHUNK AQ_BLOCK_PARAMS

typedef struct worker_space {
  aq_scratch scratch;
  uint8_t *packed; /* codes of a chunk */
} worker_space;

struct aq_round_trip {
  aq_pool *pool;
  worker_space *spaces; /* one a worker */
  aq_row_job job;
  uint64_t *bad; /* of each block */
  float *values;
};

void aq_round_trip_free(aq_round_trip *trip) {
  if (trip == NULL) return;
  for (uint32_t i = 0; trip->spaces != NULL && i < aq_pool_threads(trip->pool); i++) {
    aq_scratch_reset(&trip->spaces[i].scratch);
    aq_free(trip->spaces[i].packed);
  }
  aq_free(trip->spaces);
  aq_free(trip);
}

static aq_status make_spaces(aq_round_trip *trip, aq_error *err) {
  const uint32_t threads = aq_pool_threads(trip->pool);
  trip->spaces = aq_calloc(threads, sizeof *trip->spaces);
  if (trip->spaces == NULL) return aq_fail_memory(err, threads * sizeof *trip->spaces);
  for (uint32_t i = 0; i < threads; i++) {
    worker_space *s = &trip->spaces[i];
    AQ_TRY(aq_scratch_allocate(&s->scratch, err));
    s->packed = aq_malloc((size_t)CHUNK);
    if (s->packed == NULL) return aq_fail_memory(err, (size_t)CHUNK);
  }
  return AQ_OK;
}

aq_status aq_round_trip_create(aq_pool *pool, aq_round_trip **out, aq_error *err) {
  *out = NULL;
  aq_round_trip *trip = aq_calloc(1, sizeof *trip);
  if (trip == NULL) return aq_fail_memory(err, sizeof *trip);
  trip->pool = pool;
  const aq_status status = make_spaces(trip, err);
  if (status != AQ_OK) {
    aq_round_trip_free(trip);
    return status;
  }
  *out = trip;
  return AQ_OK;
}

static aq_status find_scales(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  aq_round_trip *trip = ctx;
  trip->bad[item] = UINT64_MAX;
  return aq_row_job_block(&trip->job, item, &trip->spaces[worker].scratch, &trip->bad[item], err);
}

static aq_status decode_chunk(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_round_trip *trip = ctx;
  const aq_row_job *job = &trip->job;
  const worker_space *space = &trip->spaces[worker];
  aq_scratch scratch = space->scratch;
  const aq_quant_type type = job->entry->scheme.type;
  const uint32_t bits = aq_quant_type_bits(type);
  const uint64_t first = item * CHUNK, n = AQ_MIN(CHUNK, job->count - first), span = first / job->span_length;
  AQ_TRY(aq_row_job_fill(job, first * bits / 8, (size_t)aq_div_up(n * bits, 8), space->packed, &scratch, err));
  aq_decode(type, space->packed, (size_t)n, job->span_length, first % job->span_length,
            job->scales.data + span * sizeof(float), job->zero_points.data + span * sizeof(float), scratch.codes,
            trip->values + first);
  return AQ_OK;
}

static aq_status run_job(aq_round_trip *trip, aq_error *err) {
  aq_row_job *job = &trip->job;
  AQ_TRY(aq_row_job_allocate(job, err));
  trip->bad = job->block_count <= SIZE_MAX ? aq_calloc((size_t)job->block_count, sizeof *trip->bad) : NULL;
  if (trip->bad == NULL) return aq_fail_memory(err, (size_t)job->block_count * sizeof *trip->bad);
  AQ_TRY(aq_pool_run(trip->pool, job->block_count, find_scales, trip, err));
  for (uint64_t i = 0; i < job->block_count; i++) job->bad_index = AQ_MIN(job->bad_index, trip->bad[i]);
  if (job->bad_index != UINT64_MAX) return aq_row_job_fail_bad(job, err);
  return aq_pool_run(trip->pool, aq_div_up(job->count, CHUNK), decode_chunk, trip, err);
}

aq_status aq_round_trip_run(aq_round_trip *trip, const aq_source *source, size_t tensor, const aq_plan_entry *entry,
                            float *values, uint64_t *stored_bytes, aq_error *err) {
  AQ_TRY(aq_row_job_init(&trip->job, source, tensor, entry, -1, -1, 0, err));
  trip->values = values;
  trip->bad = NULL;
  const aq_status status = run_job(trip, err);
  *stored_bytes = trip->job.data_bytes + 2 * sizeof(float) * trip->job.scale_count;
  aq_free(trip->bad);
  aq_row_job_reset(&trip->job);
  return status;
}
