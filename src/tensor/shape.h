/* shape.h - shapes, and the names of the parts of large tensors. */
#ifndef AQ_TENSOR_SHAPE_H
#define AQ_TENSOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

/* Product of the dimensions (1 for rank 0); false when negative or past 2^63-1. */
bool aq_shape_count_ok(const int64_t *shape, int32_t rank, uint64_t *out);

/* "[30522, 384]" into out; returns out. */
const char *aq_shape_text(const int64_t *shape, int32_t rank, char *out, size_t size);

bool aq_same_shape(const aq_tensor_info *a, const aq_tensor_info *b);

/* The tensor that holds the bytes of tensor i, which is i where it is no alias. */
static inline size_t aq_owner_of(const aq_tensor_info *tensors, size_t i) {
  return tensors[i].alias_of >= 0 ? (size_t)tensors[i].alias_of : i;
}

/* A part is named NAME[lo:hi] (FORMAT.md, large tensors). True when the name ends like that with lo < hi; *base_length
 * is the length of NAME. */
bool aq_part_name_parse(const char *name, size_t *base_length, int64_t *lo, int64_t *hi);

/* AQ_ERR_UNSUPPORTED for a tensor of a model that is named like a part: in a table it would be taken for one. */
AQ_MUST_CHECK aq_status aq_part_name_refuse(const char *name, aq_error *err);

/* New string "NAME[lo:hi]"; NULL when out of memory. */
char *aq_part_name_make(const char *name, int64_t lo, int64_t hi);

/* Number of scales that a tensor of this shape has at a granularity; see aq_tensor_info. group_size 0 and axis -1: 1
 * (0 for an empty tensor); group_size 0 and axis 0: shape[0] (1 for a scalar, 0 for an empty tensor); else
 * ceil(num_params / group_size). */
uint64_t aq_scale_count(const int64_t *shape, int32_t rank, uint64_t num_params, int32_t quant_axis,
                        int32_t group_size);

#endif
