/* same_bytes.h - whether two tensors are the same, byte for byte. */
#ifndef AQ_TRANSFORM_SAME_BYTES_H
#define AQ_TRANSFORM_SAME_BYTES_H

#include "io/source.h"

/* *differs: the first of `size` bytes of tensor i of `a` that tensor j of `b` has not, or UINT64_MAX. An error names
 * file and tensor. */
AQ_MUST_CHECK aq_status aq_find_differing_byte(const aq_source *a, size_t i, const aq_source *b, size_t j,
                                               uint64_t size, uint64_t *differs, aq_error *err);

#endif
