/* quantized_layer.h - layers that another tool quantized: which tensors are their codes and scales. */
#ifndef AQ_QUANT_QUANTIZED_LAYER_H
#define AQ_QUANT_QUANTIZED_LAYER_H

#include <stdbool.h>

#include "arrowquant.h"

typedef struct aq_quantized_layers {
  bool *members;      /* one per tensor: it belongs to such a layer; owned; NULL when there is no such layer */
  size_t count;       /* of layers */
  size_t first;       /* index of a tensor that holds codes, when there is one */
  const char *scheme; /* in words, by the names of the tensors: "GPTQ or AWQ"; NULL when the names do not say */
} aq_quantized_layers;

/* Finds them by names and dtypes: codes are integers, 8-bit floats or an opaque dtype under the name of a weight, or
 * beside a tensor that is named as scales are. All other tensors of the same module belong to the layer, so that
 * scales, zero points, permutations and biases are members under any name. */
AQ_MUST_CHECK aq_status aq_quantized_layers_find(const aq_tensor_info *tensors, size_t count, aq_quantized_layers *out,
                                                 aq_error *err);
void aq_quantized_layers_reset(aq_quantized_layers *layers);

#endif
