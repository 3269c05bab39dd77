/* gptq_layout.h - the tensors of a source as GPTQ stores them, and what config.json says of them. docs/formats/gptq.md
 * defines both. */
#ifndef AQ_IO_GPTQ_GPTQ_LAYOUT_H
#define AQ_IO_GPTQ_GPTQ_LAYOUT_H

#include "core/buffer.h"
#include "io/source.h"

/* Whether a tensor, by its name, is in one of the repeated blocks ("layers.0."), whose linear layers have codes. */
bool aq_gptq_is_in_block(const char *name);

/* Appends config.json with the member quantization_config for the tensors of such a source. AQ_ERR_UNSUPPORTED where
 * linear layers differ in bits or groups, or some stay values: the format has one setting for all. */
AQ_MUST_CHECK aq_status aq_gptq_configure(const aq_source *stored, const char *config, size_t size, aq_buffer *out,
                                          aq_error *err);

/* Whether a tensor is a linear layer of a block, all of which have codes, or none. */
bool aq_gptq_is_layer(const aq_source *base, size_t index);

#endif
