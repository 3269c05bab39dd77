/* export_layout.h - how a format for other programs stores quantized tensors in its own way: what a format with codes
 * implements, besides its sink. One that holds values only has none. */
#ifndef AQ_IO_EXPORT_LAYOUT_H
#define AQ_IO_EXPORT_LAYOUT_H

#include "core/buffer.h"
#include "io/source.h"

typedef struct aq_export_layout {
  /* A source of the tensors as the format stores them, made of those of `base`, which it holds. What the format cannot
   * store is AQ_ERR_UNSUPPORTED with the tensor's name. */
  aq_status (*open)(const aq_source *base, aq_source **out, aq_error *err);
  /* The tensor of `base` that one of the source is made of, and whether it is stored for itself: codes, scales and what
   * else decodes them. Every other one is a tensor of `base` by name and kind. */
  size_t (*origin)(const aq_source *stored, size_t index, bool *is_own);
  /* config.json of a model, in which the member for quantized weights is set; appended to `out`. */
  aq_status (*configure)(const aq_source *base, const char *config, size_t size, aq_buffer *out, aq_error *err);
} aq_export_layout;

#endif
