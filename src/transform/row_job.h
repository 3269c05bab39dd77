/* row_job.h - one row of the output in the making: which elements of which tensor, and what becomes of them. The work
 * is cut into blocks of whole spans, so that any worker can do any block; the bytes depend on the block alone. */
#ifndef AQ_TRANSFORM_ROW_JOB_H
#define AQ_TRANSFORM_ROW_JOB_H

#include "arrowquant.h"
#include "core/buffer.h"
#include "io/source.h"
#include "quant/encoded.h"
#include "quant/plan.h"

/* FP32 bytes of a tensor from which on it is written in parts. */
#define AQ_DEFAULT_PART_BYTES ((uint64_t)1 << 30)

/* Elements that a worker reads at a time: 1 MiB as FP32, so that they stay in its cache. */
#define AQ_BLOCK_PARAMS ((uint64_t)1 << 18)
/* A block holds whole spans; a longer span is fitted by one worker, chunk by chunk. */
#define AQ_BLOCK_PARAMS_MAX ((uint64_t)1 << 20)

typedef struct aq_scratch { /* a worker's own */
  float *values;            /* AQ_BLOCK_PARAMS_MAX */
  int8_t *codes;            /* AQ_BLOCK_PARAMS_MAX */
} aq_scratch;

/* Memory for one worker's scratch; what there is after a failure is freed by the reset, which accepts zeroes. */
AQ_MUST_CHECK aq_status aq_scratch_allocate(aq_scratch *scratch, aq_error *err);
void aq_scratch_reset(aq_scratch *scratch);

struct aq_row_maker; /* row_job_maker.h: how its bytes are made */

typedef struct aq_row_job {
  const aq_source *source;
  const aq_plan_entry *entry;
  const struct aq_row_maker *maker;
  size_t tensor;             /* index in the source */
  const aq_encoded *encoded; /* the finished tensor; NULL or empty: it is made of the source's values */
  uint64_t first, count;     /* its elements: all, or a part */
  int64_t part_lo, part_hi;  /* along axis 0; lo < 0: not a part */
  uint32_t bits;             /* that an element takes in data */
  uint64_t span_length;      /* elements that share a scale, within this row */
  uint64_t block;            /* elements of a block; one span when spans are long */
  uint64_t block_count;
  uint64_t data_bytes, scale_count;
  bool large; /* its data is streamed: too big to be held */
  /* results */
  aq_buffer data, scales, zero_points;
  uint64_t bad_index; /* smallest element (of the tensor) that cannot be stored, UINT64_MAX: none */
} aq_row_job;

/* Finds sizes; data_bytes above large_limit make it large. */
AQ_MUST_CHECK aq_status aq_row_job_init(aq_row_job *job, const aq_source *source, size_t tensor,
                                        const aq_plan_entry *entry, int64_t part_lo, int64_t part_hi,
                                        uint64_t large_limit, aq_error *err);
/* From here on the row is made of a finished tensor, of the entry's type, axis and groups, where there is one. It
 * outlives the job. */
void aq_row_job_set_encoded(aq_row_job *job, const aq_encoded *encoded);
void aq_row_job_reset(aq_row_job *job);

/* Memory for the results. */
AQ_MUST_CHECK aq_status aq_row_job_allocate(aq_row_job *job, aq_error *err);

/* One block: scales and codes (or converted, or kept bytes) into the results; of a large job, the scales alone. A value
 * that cannot be stored sets *bad (of the tensor) and is no error. */
AQ_MUST_CHECK aq_status aq_row_job_block(const aq_row_job *job, uint64_t block, aq_scratch *scratch, uint64_t *bad,
                                         aq_error *err);

/* Bytes [offset, offset+size) of a large job's data; offset as aq_fill_fn has it. */
AQ_MUST_CHECK aq_status aq_row_job_fill(const aq_row_job *job, uint64_t offset, size_t size, uint8_t *out,
                                        aq_scratch *scratch, aq_error *err);

/* Looks at elements [begin, end) of a row that is quantized or converted, at most AQ_BLOCK_PARAMS, for a value that
 * cannot be stored. */
AQ_MUST_CHECK aq_status aq_row_job_scan(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch,
                                        uint64_t *bad, aq_error *err);

/* The error for job->bad_index. */
aq_status aq_row_job_fail_bad(const aq_row_job *job, aq_error *err);

/* Elements along axis 0 in a part of at most part_bytes FP32 bytes, such that parts end on whole bytes and groups where
 * that is possible; shape[0] (or 1 for a scalar) when one row is enough. 0 when not even one slice fits a row. */
int64_t aq_part_length(const aq_tensor_info *tensor, const aq_plan_entry *entry, uint64_t part_bytes);

#endif
