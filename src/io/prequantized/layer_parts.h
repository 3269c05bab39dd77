/* layer_parts.h - the tensors of a layer that another tool quantized, found by the name of the layer and held to the
 * shapes that follow from each other. */
#ifndef AQ_IO_PREQUANTIZED_LAYER_PARTS_H
#define AQ_IO_PREQUANTIZED_LAYER_PARTS_H

#include <jansson.h>

#include "io/prequantized/coded_layer.h"

/* A checkpoint while its layers are looked for, and the layer in hand. Functions of schemes fail with
 * AQ_ERR_UNSUPPORTED for what is not decoded, and with AQ_ERR_FORMAT for tensors that contradict each other or the
 * configuration. */
typedef struct aq_layer_parts {
  const aq_source *source;
  const json_t *config; /* what config.json says of the quantization; or NULL */
  bool *taken;          /* one per tensor: it belongs to a layer that is decoded */
  char *room;           /* for names */
  size_t room_size;
  const char *layer; /* a name that begins with that of the layer */
  size_t layer_length;
  uint64_t stored_bytes; /* of the parts of the layer so far */
} aq_layer_parts;

/* The name of a part: that of the layer with the suffix behind it, whose dot is left out where the layer has no name.
 * Lives until the next call. */
const char *aq_layer_part_name(aq_layer_parts *parts, const char *suffix);

/* The tensor of that part, or AQ_NO_TENSOR. */
size_t aq_layer_part_find(aq_layer_parts *parts, const char *suffix);

/* The same, and it belongs to the layer from then on. */
size_t aq_layer_part_take(aq_layer_parts *parts, const char *suffix);
AQ_MUST_CHECK aq_status aq_layer_part_need(aq_layer_parts *parts, const char *suffix, size_t *tensor, aq_error *err);

/* Takes the scales and zero points of what goes into the layer, comes out of it, or is cached of it: they are no part
 * of its weight. */
void aq_layer_part_take_activations(aq_layer_parts *parts);

const aq_tensor_info *aq_layer_part_info(const aq_layer_parts *parts, size_t tensor);

/* Fails unless the tensor has one of the dtypes: a list that ends with AQ_DTYPE_INVALID. */
AQ_MUST_CHECK aq_status aq_layer_part_check_dtype(const aq_layer_parts *parts, size_t tensor, const aq_dtype *dtypes,
                                                  aq_error *err);
/* Fails unless the tensor has so many dimensions and those sizes. */
AQ_MUST_CHECK aq_status aq_layer_part_check_shape(const aq_layer_parts *parts, size_t tensor, const uint64_t *dims,
                                                  int32_t rank, aq_error *err);

/* Sizes the lines of a matrix, whose other members are set, and checks its tensor: words for packed codes, floats for
 * scales. `matrices` 0: the tensor has two dimensions; else three, of which that is the first. */
AQ_MUST_CHECK aq_status aq_layer_part_fit(const aq_layer_parts *parts, aq_coded_matrix *matrix, uint64_t matrices,
                                          aq_error *err);

/* The scales of a layer of one matrix that are one number for all, or one for
 * each row: sets scales and blocks of the layer. *fits is false, and nothing done, for other shapes. */
AQ_MUST_CHECK aq_status aq_layer_part_fit_rows(const aq_layer_parts *parts, size_t tensor, aq_coded_layer *layer,
                                               bool *fits, aq_error *err);

/* Scales for groups of columns: sets scales and blocks of the layer, whose scales say how they are stored. */
AQ_MUST_CHECK aq_status aq_layer_part_fit_groups(const aq_layer_parts *parts, uint64_t group, aq_coded_layer *layer,
                                                 aq_error *err);

/* Scales for blocks of blocks[0] rows and blocks[1] columns, floats or E8M0: the same. A layer of several matrices has
 * them for each. */
AQ_MUST_CHECK aq_status aq_layer_part_fit_blocks(const aq_layer_parts *parts, size_t tensor, const uint64_t blocks[2],
                                                 aq_coded_layer *layer, aq_error *err);

/* The list of the groups of columns, when the layer has one. */
AQ_MUST_CHECK aq_status aq_layer_part_fit_list(const aq_layer_parts *parts, size_t tensor, aq_coded_layer *layer,
                                               aq_error *err);

/* A whole number of the configuration; AQ_ERR_UNSUPPORTED when it is missing. */
AQ_MUST_CHECK aq_status aq_layer_config_number(const json_t *config, const char *key, int64_t *out, aq_error *err);

/* Columns that share a scale: group_size, or all for -1. AQ_ERR_UNSUPPORTED for other sizes under 1. */
AQ_MUST_CHECK aq_status aq_layer_group_size(int64_t group_size, uint64_t columns, uint64_t *out, aq_error *err);

/* Dtypes of scales, and of words of 32 bits. */
extern const aq_dtype aq_scale_dtypes[], aq_word_dtypes[];

#endif
