/* mlx.h - the tensors of a source as MLX stores affine codes, and what config.json says of them.
 * docs/formats/mlx.md defines both. */
#ifndef AQ_IO_MLX_MLX_H
#define AQ_IO_MLX_MLX_H

#include "core/buffer.h"
#include "io/packed/packed_scheme.h"

/* Whether a tensor is stored as codes: every quantized one but weights of modules behind the
 * model. */
bool aq_mlx_is_packed(const aq_source *base, size_t index);

/* Whether a tensor is an output layer that is the table of tokens again, which MLX computes from the table. */
bool aq_mlx_is_left_out(const aq_source *base, size_t index);

/* The scheme of a tensor with codes: groups of 128, 64 or 32, the largest that divides those of the source, and scales
 * of `dtype` (AQ_DTYPE_INVALID: FP32). AQ_ERR_UNSUPPORTED as aq_packed_scheme_find, and where no such group does. */
AQ_MUST_CHECK aq_status aq_mlx_scheme_find(const aq_source *base, size_t index, aq_dtype dtype, aq_packed_scheme *out,
                                           aq_error *err);

/* Appends config.json with the members quantization and quantization_config for the tensors of `base`. */
AQ_MUST_CHECK aq_status aq_mlx_configure(const aq_source *base, const char *config, size_t size, aq_buffer *out,
                                         aq_error *err);

#endif
