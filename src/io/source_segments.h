/* source_segments.h - arithmetic on the segments of a tensor. */
#ifndef AQ_IO_SOURCE_SEGMENTS_H
#define AQ_IO_SOURCE_SEGMENTS_H

#include "io/source.h"

/* Elements of a quantized segment that share a scale; the segment is not empty. */
static inline uint64_t aq_segment_span(const aq_tensor_info *info, const aq_segment *segment) {
  if (info->group_size > 0) return (uint64_t)info->group_size;
  if (info->quant_axis < 0 || info->rank == 0) return segment->num_params;
  return info->num_params / (uint64_t)info->shape[0];
}

/* The same of a whole quantized tensor, which is not empty. */
static inline uint64_t aq_tensor_span(const aq_tensor_info *info) {
  if (info->group_size > 0) return (uint64_t)info->group_size;
  if (info->quant_axis < 0 || info->rank == 0) return info->num_params;
  return info->num_params / (uint64_t)info->shape[0];
}

/* Bytes that a segment contributes to the data of its tensor: what it stores, but for FP16 that stands for FP32. */
static inline uint64_t aq_segment_bytes(const aq_segment *segment) {
  return segment->f16_bits ? segment->num_params * sizeof(float) : segment->data_bytes;
}

/* True when the data of the segments one after another is the data of the tensor: no code straddles two of them. */
static inline bool aq_segments_join_bytes(const aq_source *source, size_t index) {
  const uint64_t bits = aq_quant_type_bits(source->tensors[index].quant_type);
  for (size_t i = source->segment_first[index]; i + 1 < source->segment_first[index + 1]; i++) {
    if (source->segments[i].num_params % 8 * bits % 8 != 0) return false;
  }
  return true;
}

/* True when their scales one after another are the scales of the tensor as well: no span straddles two of them. */
static inline bool aq_segments_join_scales(const aq_source *source, size_t index) {
  const aq_tensor_info *info = &source->tensors[index];
  const size_t first = source->segment_first[index], end = source->segment_first[index + 1];
  if (info->quant_type == AQ_KEPT || end - first <= 1) return true;
  if (info->group_size == 0) return info->quant_axis == 0;
  for (size_t i = first; i + 1 < end; i++) {
    if (source->segments[i].num_params % (uint64_t)info->group_size != 0) return false;
  }
  return true;
}

#endif
