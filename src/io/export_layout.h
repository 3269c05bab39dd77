/* export_layout.h - how a format for other programs stores quantized tensors in its own way: what a format with codes
 * implements, besides its sink. One that holds values only has none. */
#ifndef AQ_IO_EXPORT_LAYOUT_H
#define AQ_IO_EXPORT_LAYOUT_H

#include "core/buffer.h"
#include "io/source.h"

typedef enum aq_stored_kind {
  AQ_STORED_PASSED, /* a tensor of the base by name, values and kind, which the exporter converts and dequantizes */
  AQ_STORED_CODES,  /* codes of the base, or their scales, in bytes of the format */
  AQ_STORED_VALUES  /* values of the base, in bytes of the format */
} aq_stored_kind;

typedef struct aq_stored_tensor {
  size_t origin; /* the tensor of the base that it is made of */
  aq_stored_kind kind;
  aq_dtype dtype; /* AQ_STORED_VALUES: of the values */
} aq_stored_tensor;

/* Builds the graph of the model that a source holds, in which the room model knows more than formats do. */
struct aq_onnx_build;
typedef aq_status (*aq_graph_maker)(const aq_source *base, struct aq_onnx_build *graph, aq_error *err);

typedef struct aq_export_layout {
  /* A source of the tensors as the format stores them, in the order of those of `base`, which it holds. dtype: wanted
   * for values, AQ_DTYPE_INVALID: their own. What the format cannot store is AQ_ERR_UNSUPPORTED with the tensor's name.
   */
  aq_status (*open)(const aq_source *base, aq_dtype dtype, aq_source **out, aq_error *err);
  /* The same of a format whose files hold what is computed, too; in place of open. */
  aq_status (*open_graph)(const aq_source *base, aq_dtype dtype, aq_graph_maker make_graph, aq_source **out,
                          aq_error *err);
  aq_stored_tensor (*describe)(const aq_source *stored, size_t index);
  /* config.json of a model, in which the member for quantized weights is set; appended to `out`. NULL: the format has
   * no such file. */
  aq_status (*configure)(const aq_source *base, const char *config, size_t size, aq_buffer *out, aq_error *err);
  const char *weights_place; /* of the file in a model's folder; NULL: model.safetensors */
  aq_dtype dtype;            /* of values when none is wanted; AQ_DTYPE_INVALID: their own */
} aq_export_layout;

#endif
