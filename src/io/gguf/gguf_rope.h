/* gguf_rope.h - the scaled positions of Llama 3.1 and later, of which a GGUF file holds the factors and not what they
 * were computed from. */
#ifndef AQ_IO_GGUF_GGUF_ROPE_H
#define AQ_IO_GGUF_GGUF_ROPE_H

#include "core/file.h"
#include "io/gguf/gguf_header.h"

#define AQ_GGUF_ROPE_TENSOR "rope_freqs.weight"

/* rope_scaling of type llama3 in a config.json. All published models have these, and a factor of their own. */
#define AQ_GGUF_ROPE_LOW 1.0
#define AQ_GGUF_ROPE_HIGH 4.0
#define AQ_GGUF_ROPE_ORIGINAL 8192

/* The factor whose divisors the tensor holds, one for each frequency of a head of `width` values with base `theta`:
 * 1 for wavelengths below original / high, `factor` above original / low, and between them the inverse of what lies
 * between 1 and 1 / factor (transformers, modeling_rope_utils.py). AQ_ERR_UNSUPPORTED when it holds others. */
AQ_MUST_CHECK aq_status aq_gguf_rope_factor(const aq_file *file, const aq_gguf_entry *entry, double theta,
                                            int64_t width, double *factor, aq_error *err);

#endif
