/* row_convert.c - rows of plain values: converted to a type, or kept. */
#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/error.h"
#include "kernels/kernels.h"
#include "tensor/dtype.h"
#include "transform/row_job_maker.h"

/* n FP32 values as a type of the four that values are written in. */
static void write_values(aq_dtype dtype, const float *x, size_t n, uint8_t *out) {
  const aq_kernels *kernels = aq_kernels_get();
  if (dtype == AQ_F32) {
    memcpy(out, x, n * sizeof *x);
  } else if (dtype == AQ_F64) {
    for (size_t i = 0; i < n; i++) {
      const double wide = (double)x[i];
      memcpy(out + i * sizeof wide, &wide, sizeof wide);
    }
  } else {
    (dtype == AQ_F16 ? kernels->f32_to_f16 : kernels->f32_to_bf16)(x, n, out);
  }
}

/* ---- converting ---- */

/* Whether value i became infinite on the way to `out`, or was so before. */
static bool is_infinite(aq_dtype dtype, const float *x, size_t i, const uint8_t *out) {
  if (dtype == AQ_F32) return isinf(x[i]);
  return (aq_load_u16(out + 2 * i) & 0x7fff) == (dtype == AQ_F16 ? 0x7c00 : 0x7f80);
}

/* Notes the first value, of elements from `index` on, that became infinite on the way to out and is not in the source.
 */
static aq_status note_overflow(const aq_row_job *job, uint64_t index, const float *x, size_t n, const uint8_t *out,
                               uint64_t *bad, aq_error *err) {
  const aq_dtype dtype = job->entry->dtype;
  for (size_t i = 0; i < n && dtype != AQ_F64; i++) { /* which holds every FP32 value */
    if (!is_infinite(dtype, x, i, out)) continue;
    double original;
    AQ_TRY(aq_row_original_read(job, index + i, &original, err));
    if (isinf(original)) continue;
    aq_row_note_bad(bad, index + i);
    return AQ_OK;
  }
  return AQ_OK;
}

static aq_status convert_range(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint8_t *out,
                               uint64_t *bad, aq_error *err) {
  const aq_dtype dtype = job->entry->dtype;
  for (uint64_t at = begin; at < end;) {
    const size_t n = (size_t)AQ_MIN(end - at, AQ_BLOCK_PARAMS);
    AQ_TRY(aq_row_values_read(job, job->first + at, n, scratch->values, err));
    write_values(dtype, scratch->values, n, out);
    AQ_TRY(note_overflow(job, job->first + at, scratch->values, n, out, bad, err));
    out += n * aq_dtype_size(dtype);
    at += n;
  }
  return AQ_OK;
}

const aq_row_maker aq_row_convert = {.fill = convert_range};

/* ---- keeping ---- */

static aq_status keep_range(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint8_t *out,
                            uint64_t *bad, aq_error *err) {
  (void)scratch, (void)bad;
  const float *replaced = aq_row_replaced_values(job);
  if (replaced != NULL) {
    write_values(aq_row_tensor(job)->dtype, replaced + job->first + begin, (size_t)(end - begin), out);
    return AQ_OK;
  }
  return aq_source_read_bytes(job->source, job->tensor, (job->first + begin) * job->bits / 8,
                              (size_t)((end - begin) * job->bits / 8), out, err);
}

const aq_row_maker aq_row_keep = {.fill = keep_range};
