/* row_job_maker.h - how the bytes of a row are made: a table line for each thing that may become of a tensor.
 *
 * This is the one place that knows where a block comes from: from values (which are the source's, or replace them:
 * row_values.c), from the codes of a finished tensor, or from what the source has as it is.
 */
#ifndef AQ_TRANSFORM_ROW_JOB_MAKER_H
#define AQ_TRANSFORM_ROW_JOB_MAKER_H

#include "transform/row_job.h"

typedef struct aq_row_maker {
  /* Elements [begin, end) of the row, a block, into the results. NULL: the data are all there is, as `fill` makes them.
   * `bad` as in aq_row_job_block. */
  aq_status (*block)(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint64_t *bad,
                     aq_error *err);
  /* The data of elements [begin, end) into out; the scales are known. NULL: the row is one block and never large. */
  aq_status (*fill)(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint8_t *out,
                    uint64_t *bad, aq_error *err);
} aq_row_maker;

extern const aq_row_maker aq_row_quantize; /* row_quantize.c: values to codes */
extern const aq_row_maker aq_row_pack;     /* row_pack.c: codes and scales of a finished tensor */
extern const aq_row_maker aq_row_convert;  /* row_convert.c: values to another type */
extern const aq_row_maker aq_row_keep;     /* row_convert.c: bytes of the source, or values in the tensor's own type */
extern const aq_row_maker aq_row_copy;     /* row_copy.c: codes and scales of the source */

/* Whether parts of so many slices along axis 0 of a quantized tensor, which is not empty, have whole bytes and scales
 * of their own. */
bool aq_row_copy_cuts_at(const aq_tensor_info *tensor, int64_t length);

static inline const aq_tensor_info *aq_row_tensor(const aq_row_job *job) { return &job->source->tensors[job->tensor]; }

/* Values of the whole tensor that take the place of the source's; NULL: there are none. */
static inline const float *aq_row_replaced_values(const aq_row_job *job) {
  return job->encoded != NULL ? job->encoded->values : NULL;
}

/* n values from element `index` of the tensor on. */
AQ_MUST_CHECK aq_status aq_row_values_read(const aq_row_job *job, uint64_t index, size_t n, float *out, aq_error *err);

/* An element as it is in the source, before it is an FP32 value. */
AQ_MUST_CHECK aq_status aq_row_original_read(const aq_row_job *job, uint64_t index, double *out, aq_error *err);

static inline void aq_row_note_bad(uint64_t *bad, uint64_t index) {
  if (index < *bad) *bad = index;
}

#endif
