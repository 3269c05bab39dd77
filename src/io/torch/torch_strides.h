/* torch_strides.h - reading a range of a tensor whose elements do not lie in C order. */
#ifndef AQ_IO_TORCH_TORCH_STRIDES_H
#define AQ_IO_TORCH_TORCH_STRIDES_H

#include "arrowquant.h"
#include "core/file.h"

typedef struct aq_torch_strides {
  int32_t rank;
  uint32_t size;                /* bytes of an element, at most 8 */
  uint64_t shape[AQ_MAX_RANK];  /* no 0 */
  uint64_t stride[AQ_MAX_RANK]; /* in bytes */
} aq_torch_strides;

/* Bytes [offset, offset + size) of the tensor in C order, whose first element lies at `begin` of the file. The range
 * and all elements lie within tensor and file. At most 64 KiB of the file are held. */
AQ_MUST_CHECK aq_status aq_torch_read_strided(const aq_file *file, uint64_t begin, const aq_torch_strides *strides,
                                              uint64_t offset, size_t size, uint8_t *out, aq_error *err);

#endif
