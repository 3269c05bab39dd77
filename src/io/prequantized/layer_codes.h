/* layer_codes.h - a layer that another tool quantized as codes, scales and zero points of FORMAT.md. */
#ifndef AQ_IO_PREQUANTIZED_LAYER_CODES_H
#define AQ_IO_PREQUANTIZED_LAYER_CODES_H

#include "io/prequantized/coded_layer.h"

/* How its codes would lie in a row: AQ_KEPT where values are of a table or have a factor, where blocks of scales reach
 * over several rows, or where columns are in another order than their groups. Reads the list of groups. */
AQ_MUST_CHECK aq_status aq_layer_code_layout(const aq_source *source, const aq_coded_layer *layer, aq_code_layout *out,
                                             aq_error *err);

/* Of a layer with such a layout: as aq_source_ops has them. A bias b of a scale s is the zero point -b / s, rounded
 * once to FP32, in the codes of FORMAT.md; 0 for a scale of 0. */
AQ_MUST_CHECK aq_status aq_layer_codes_read(const aq_source *source, const aq_coded_layer *layer, uint64_t first,
                                            size_t count, int8_t *out, aq_error *err);
AQ_MUST_CHECK aq_status aq_layer_code_scales_read(const aq_source *source, const aq_coded_layer *layer, uint64_t first,
                                                  size_t count, float *scales, float *zero_points, aq_error *err);

#endif
