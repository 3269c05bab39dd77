/* mlx_rope.h - the rotary settings of config.json as mlx-lm reads them. */
#ifndef AQ_IO_MLX_MLX_ROPE_H
#define AQ_IO_MLX_MLX_ROPE_H

#include "core/buffer.h"

/* Appends config.json with the members rope_theta, rope_local_base_freq and rope_scaling that stand in rope_parameters,
 * where transformers 5 writes them: mlx-lm's models (seen in version 0.32.2, Llama) read them at the first level only,
 * and take 10000 without a word where they are not there. Members that are there stay. */
AQ_MUST_CHECK aq_status aq_mlx_rope_configure(const char *config, size_t size, aq_buffer *out, aq_error *err);

#endif
