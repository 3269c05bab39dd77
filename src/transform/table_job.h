/* table_job.h - a whole source into a weight table, by a plan: what convert and quantize share. */
#ifndef AQ_TRANSFORM_TABLE_JOB_H
#define AQ_TRANSFORM_TABLE_JOB_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "io/source.h"
#include "quant/encoded.h"
#include "quant/plan.h"

/* FP32 bytes of a tensor from which on it is written in parts. */
#define AQ_DEFAULT_PART_BYTES ((uint64_t)1 << 30)

typedef struct aq_table_job {
  const char *stage; /* "convert", "quantize" */
  aq_source *source;
  aq_plan *plan; /* entries of tensors kept for a value that is not finite are changed */
  int schema_version;
  const char *output;
  const aq_table_options *table;
  const aq_run_options *run;
  aq_nonfinite nonfinite;
  const aq_encoded *encoded; /* one a tensor: those that are finished; NULL: none is */
  json_t *config;            /* goes into the metadata as arrowquant.config; borrowed, may be NULL */
} aq_table_job;

/* Writes the table. */
AQ_MUST_CHECK aq_status aq_table_job_run(const aq_table_job *job, aq_error *err);

/* Bytes of data, scales and zero points before compression, of everything else in the file (headers, gaps, footer,
 * metadata), and of working memory, that the job would take at most. */
typedef struct aq_table_estimate {
  uint64_t file_bytes, overhead_bytes, memory_bytes;
} aq_table_estimate;
AQ_MUST_CHECK aq_status aq_table_job_estimate(const aq_table_job *job, aq_table_estimate *out, aq_error *err);

/* The same for one tensor. */
uint64_t aq_plan_entry_bytes(const aq_tensor_info *tensor, const aq_plan_entry *entry);

#endif
