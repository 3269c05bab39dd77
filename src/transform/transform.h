/* transform.h - the tensors of a source into the rows of a sink, by a plan. Convert, quantize and export are three
 * plans for it. It knows no model and no search. */
#ifndef AQ_TRANSFORM_TRANSFORM_H
#define AQ_TRANSFORM_TRANSFORM_H

#include "arrowquant.h"
#include "io/sink.h"
#include "io/source.h"
#include "quant/plan.h"
#include "transform/row_batch.h"
#include "transform/transform_limits.h"

typedef struct aq_transform {
  const char *stage; /* of the progress: "convert", "quantize", "export" */
  const aq_source *source;
  const aq_plan *plan;       /* tied tensors are written by the one that they are tied to */
  const aq_encoded *encoded; /* one per tensor: those that are finished; NULL: none is */
  const aq_sink_type *sink;
  const char *output;
  const aq_table_options *table; /* how the output is written */
  int schema_version;            /* of a table */
  const aq_run_options *run;
  aq_status (*put_metadata)(void *ctx, aq_sink *sink, aq_error *err); /* NULL: there are none */
  void *metadata_ctx;
  aq_side_work side; /* beside the first rows; done before the metadata of a format that has them at its end */
} aq_transform;

/* Writes the output. A value that cannot be stored is AQ_ERR_NONFINITE, and nothing is left. file_bytes may be NULL. */
AQ_MUST_CHECK aq_status aq_transform_run(const aq_transform *transform, uint64_t *file_bytes, aq_error *err);

/* The rows alone, into a sink of the caller's: declares and adds them, with the metadata. Of the transform, sink,
 * output and table are not looked at; `batch` has the caller's workers and holds no rows before and after. */
AQ_MUST_CHECK aq_status aq_transform_write(const aq_transform *transform, const aq_transform_limits *limits,
                                           aq_row_batch *batch, aq_sink *sink, aq_error *err);

#endif
