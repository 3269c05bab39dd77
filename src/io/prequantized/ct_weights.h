/* ct_weights.h - what quantization_config of compressed-tensors says of the weights: a scheme for each of its
 * config_groups. Which layer belongs to which group is not read: its tensors have to fit one of them alone. */
#ifndef AQ_IO_PREQUANTIZED_CT_WEIGHTS_H
#define AQ_IO_PREQUANTIZED_CT_WEIGHTS_H

#include "io/prequantized/layer_parts.h"

typedef struct aq_ct_weights {
  bool is_float; /* type */
  bool is_symmetric;
  int64_t bits;
  int64_t group_size; /* of the strategy "group"; else -1 */
  int64_t block[2];   /* rows and columns of the strategy "block"; else 0 */
} aq_ct_weights;

/* Members of the configuration that are known. */
extern const char *const aq_ct_keys[];

/* AQ_ERR_UNSUPPORTED for what no group may have. */
AQ_MUST_CHECK aq_status aq_ct_weights_check(const json_t *config, aq_error *err);

/* Reads the group behind `iterator` (NULL: the first one) that has weights; *iterator is NULL when there is none. */
AQ_MUST_CHECK aq_status aq_ct_weights_next(const json_t *config, void **iterator, aq_ct_weights *out, aq_error *err);

/* True for a file of the package's version 0.18 and later, by which codes of 3, 5, 6 and 7 bits are packed as a stream.
 */
bool aq_ct_packs_streams(const json_t *config, bool *is_known);

/* Scales of a layer of the type by those groups that have codes of `bits`: one for all, for each row, for groups of
 * columns or for blocks. Sets the layer's scales and blocks. AQ_ERR_UNSUPPORTED when two groups would have them
 * otherwise, and when the scales have a scale themselves. */
AQ_MUST_CHECK aq_status aq_ct_fit_scales(aq_layer_parts *parts, bool is_float, int64_t bits, aq_coded_layer *layer,
                                         aq_error *err);

/* True when a group of the type has asymmetric codes, and none symmetric ones. */
AQ_MUST_CHECK aq_status aq_ct_is_asymmetric(const json_t *config, bool is_float, int64_t bits, bool *out,
                                            aq_error *err);

#endif
