/* torch_layout.h - where in a storage the elements of a tensor lie. */
#ifndef AQ_IO_TORCH_TORCH_LAYOUT_H
#define AQ_IO_TORCH_TORCH_LAYOUT_H

#include "io/torch/pickle_values.h"

typedef struct aq_torch_tensor {
  uint32_t storage;
  aq_dtype dtype;
  int32_t rank;
  int64_t shape[AQ_MAX_RANK];
  uint64_t stride[AQ_MAX_RANK]; /* in elements; 0 where the shape has no more than 1 */
  uint64_t offset;              /* in bytes, of the first element in the storage */
  uint64_t num_params, bytes;   /* of all elements, each counted as often as the shape says */
} aq_torch_tensor;

/* Fills in the shape, strides and offset of a tensor whose dtype is set, from a tuple of sizes, one of strides, and the
 * number of its first element. Every element must lie within the `storage_bytes` of its storage. */
AQ_MUST_CHECK aq_status aq_torch_layout_read(aq_torch_tensor *tensor, uint64_t storage_bytes, int64_t first,
                                             const aq_pickle_values *values, uint32_t sizes, uint32_t strides,
                                             aq_error *err);

/* True when the elements lie in C order without gaps. */
bool aq_torch_is_contiguous(const aq_torch_tensor *tensor);

#endif
