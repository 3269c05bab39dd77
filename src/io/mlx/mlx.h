/* mlx.h - the tensors of a source as MLX stores affine codes, and what config.json says of them.
 * docs/formats/mlx.md defines both. */
#ifndef AQ_IO_MLX_MLX_H
#define AQ_IO_MLX_MLX_H

#include "core/buffer.h"
#include "io/source.h"

/* Appends config.json with the members quantization and quantization_config for the tensors of such a source. */
AQ_MUST_CHECK aq_status aq_mlx_configure(const aq_source *stored, const char *config, size_t size, aq_buffer *out,
                                         aq_error *err);

#endif
