/* dispatch.h - the functions behind the kernel tables, and the choice among them. Only kernels and their tests include
 * this; everybody else takes aq_kernels_get(). */
#ifndef AQ_KERNELS_DISPATCH_H
#define AQ_KERNELS_DISPATCH_H

#include <stdbool.h>

#include "kernels/kernels.h"

/* Signatures, by the family that kernels.inc names; kernels.h says what they mean. */
#define AQ_PARAMS_RANGE (const float *x, size_t n, aq_range *range)
#define AQ_PARAMS_QUANTIZE \
  (const float *x, size_t n, float scale, float zero_point, int32_t qmin, int32_t qmax, int8_t *q)
#define AQ_PARAMS_DEQUANTIZE (const int8_t *q, size_t n, float scale, float zero_point, float *x)
#define AQ_PARAMS_PACK (const int8_t *q, size_t n, uint8_t *out)
#define AQ_PARAMS_UNPACK (const uint8_t *in, size_t n, int8_t *q)
#define AQ_PARAMS_TO_F32 (const void *in, size_t n, float *out)
#define AQ_PARAMS_FROM_F32 (const float *in, size_t n, void *out)
#define AQ_PARAMS_FIT \
  (const float *x, size_t n, float scale, float zero_point, int32_t qmin, int32_t qmax, aq_fit_sums *sums)
#define AQ_PARAMS_DIFF (const float *a, const float *b, size_t n, aq_diff_sums *sums)
#define AQ_PARAMS_RANK_UPDATE (const aq_rank_update *u)
#define AQ_PARAMS_DENSE_F32 (const aq_dense_f32 *d)
#define AQ_PARAMS_DENSE_S8 (const aq_dense_s8 *d)
#define AQ_PARAMS_GELU (float *x, size_t n)
#define AQ_PARAMS_SOFTMAX (float *x, size_t n, float scale)
#define AQ_PARAMS_NORM \
  (const float *x, const float *more, size_t n, const float *gain, const float *shift, float epsilon, float *out)
#define AQ_PARAMS_QUANTIZE_U8 (const float *x, size_t n, uint8_t *out, float *scale, int32_t *zero)

/* aq_KERNEL_ref for every kernel, aq_KERNEL_SET for every kernel that a set has. */
#define AQ_KERNEL(kernel, family, in_bits, out_bits) \
  typedef void aq_##kernel##_fn AQ_PARAMS_##family;  \
  aq_##kernel##_fn aq_##kernel##_ref;
#define AQ_MODEL_KERNEL(kernel, family, bound)      \
  typedef void aq_##kernel##_fn AQ_PARAMS_##family; \
  aq_##kernel##_fn aq_##kernel##_ref;
#define AQ_KERNEL_IN(set, kernel) aq_##kernel##_fn aq_##kernel##_##set;
#include "kernels/kernels.inc"

enum {
  AQ_SET_ref,
#define AQ_SET(set) AQ_SET_##set,
#include "kernels/kernels.inc"
  AQ_SET_COUNT
};

/* at[s]: what a machine uses when s is the highest set allowed, tables[s] where it can run s, else at[s - 1]. */
typedef struct aq_kernel_sets {
  aq_kernels tables[AQ_SET_COUNT];
  const aq_kernels *at[AQ_SET_COUNT];
} aq_kernel_sets;

/* The tables of a machine that can run the sets with runs[s], and ref. A set may be missing between two others: CPUs
 * have AVX-512 with and without AVX-VNNI. */
void aq_kernel_sets_fill(aq_kernel_sets *sets, const bool runs[AQ_SET_COUNT]);

/* The highest set that this machine can run and that AQ_CPU=limit allows. NULL or "": no limit. A name that this
 * architecture does not have, a misspelt one too, means "ref": somebody who limits the choice suspects the fast code,
 * and aq_cpu_in_use() tells what he got. */
const aq_kernels *aq_kernels_limited(const char *limit);

#endif
