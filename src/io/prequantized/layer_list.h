/* layer_list.h - the layers of a checkpoint that another tool quantized. */
#ifndef AQ_IO_PREQUANTIZED_LAYER_LIST_H
#define AQ_IO_PREQUANTIZED_LAYER_LIST_H

#include "io/prequantized/layer_scheme.h"

typedef struct aq_listed_layer {
  const aq_layer_scheme *scheme;
  aq_coded_layer layer;
  aq_tensor_info info; /* of the decoded tensor; its name is owned */
  char *name;
} aq_listed_layer;

/* Zero-initialise; aq_layer_list_reset frees. */
typedef struct aq_layer_list {
  aq_listed_layer *layers;
  size_t count, room;
  size_t *layer_of; /* one per tensor of the source: the layer whose codes it holds, or SIZE_MAX */
  bool *taken;      /* one per tensor: it belongs to a layer */
} aq_layer_list;

/* Finds the layers of a method (quant_method; "MLX") by the configuration. None: count is 0. AQ_ERR_UNSUPPORTED: the
 * scheme, or one of the layers, is not decoded. */
AQ_MUST_CHECK aq_status aq_layer_list_find(const aq_source *source, const char *method, const json_t *config,
                                           aq_layer_list *out, aq_error *err);
void aq_layer_list_reset(aq_layer_list *list);

#endif
