/* table_job_metadata.h - what a table says of itself in its footer: source, aliases, options, plan, the model's files.
 */
#ifndef AQ_TRANSFORM_TABLE_JOB_METADATA_H
#define AQ_TRANSFORM_TABLE_JOB_METADATA_H

#include "arrowquant.h"
#include "io/table/table_writer.h"
#include "transform/table_job.h"

AQ_MUST_CHECK aq_status aq_table_put_metadata(aq_table_writer *writer, const aq_table_job *job, aq_error *err);

/* Bytes that they will take in the footer, or a few more. */
AQ_MUST_CHECK aq_status aq_table_measure_metadata(const aq_table_job *job, uint64_t *bytes, aq_error *err);

#endif
