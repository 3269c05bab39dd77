/* gptq.h - the tensors of a source as GPTQ stores them, and what config.json says of them. docs/formats/gptq.md defines
 * both. */
#ifndef AQ_IO_GPTQ_GPTQ_H
#define AQ_IO_GPTQ_GPTQ_H

#include "core/buffer.h"
#include "io/packed/packed_scheme.h"

/* Whether a tensor is stored as codes: quantized linear layers of the repeated blocks ("layers.0."), and the output
 * layer; loaders expect values of all others. */
bool aq_gptq_is_packed(const aq_source *base, size_t index);

/* Whether a tensor, by its name, is in a block. */
bool aq_gptq_is_in_block(const char *name);

/* The scheme of a tensor with codes, with FP16 scales. AQ_ERR_UNSUPPORTED as aq_packed_scheme_find and
 * aq_packed_zero_points_check, where rows or columns are no multiple of 32, and where a scale is no normal FP16. */
AQ_MUST_CHECK aq_status aq_gptq_scheme_find(const aq_source *base, size_t index, aq_packed_scheme *out, aq_error *err);

/* Appends config.json with the member quantization_config for the tensors of `base`. AQ_ERR_UNSUPPORTED where linear
 * layers differ in bits or groups, or some stay values: the format has one setting for all. */
AQ_MUST_CHECK aq_status aq_gptq_configure(const aq_source *base, const char *config, size_t size, aq_buffer *out,
                                          aq_error *err);

#endif
