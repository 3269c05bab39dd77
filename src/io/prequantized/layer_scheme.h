/* layer_scheme.h - the schemes of other tools whose layers are decoded. A new one is a file with an aq_layer_scheme and
 * a line in layer_schemes.inc; docs/formats/quantized-checkpoints.md defines each. */
#ifndef AQ_IO_PREQUANTIZED_LAYER_SCHEME_H
#define AQ_IO_PREQUANTIZED_LAYER_SCHEME_H

#include "io/prequantized/layer_parts.h"

typedef struct aq_layer_scheme {
  const char *name;         /* in notes */
  const char *method;       /* quant_method of config.json; "MLX" where that is the member quantization */
  const char *codes;        /* end of the name of a tensor of codes: what stands before it names the layer */
  aq_dtype codes_dtype;     /* what they have to be, or AQ_DTYPE_INVALID: anything */
  const char *const *parts; /* ends of the names of its other tensors, NULL at the end: the first one lies beside the
                               codes of every layer, and any of them without codes is an error */
  const char *result;       /* end of the name of the tensor that they become */
  const char *const *keys;  /* all members of the configuration that may be there, NULL at the end; NULL: check_config
                               knows them */
  /* Decides from the configuration alone. NULL: nothing is to be decided. */
  aq_status (*check_config)(const json_t *config, aq_error *err);
  /* The layer in hand, and the shape of its tensor: `out` is initialised by this call. Parts are taken. */
  aq_status (*read)(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info, aq_error *err);
} aq_layer_scheme;

#define SCHEME(scheme) extern const aq_layer_scheme scheme;
#include "io/prequantized/layer_schemes.inc"
#undef SCHEME

/* Scheme number i; NULL past the last. */
const aq_layer_scheme *aq_layer_scheme_at(size_t i);

/* AQ_ERR_UNSUPPORTED for a member of the configuration that the scheme does not know, unless it says nothing (null,
 * false, ...), and for one that it does not decode. */
AQ_MUST_CHECK aq_status aq_layer_scheme_check_config(const aq_layer_scheme *scheme, const json_t *config,
                                                     aq_error *err);

/* The shape [rows, columns] for a layer of one matrix. */
void aq_layer_shape(const aq_coded_layer *layer, aq_tensor_info *info);

#endif
