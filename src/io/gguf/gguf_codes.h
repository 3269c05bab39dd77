/* gguf_codes.h - blocks of which a value is a code times a scale, or that plus a minimum, as codes, scales and zero
 * points of FORMAT.md. */
#ifndef AQ_IO_GGUF_GGUF_CODES_H
#define AQ_IO_GGUF_GGUF_CODES_H

#include "io/gguf/gguf_read.h"
#include "io/source.h"

/* The layout of a type's codes, by the number of the type; AQ_KEPT for plain numbers, and for blocks whose values are
 * no such products. */
aq_code_layout aq_gguf_code_layout(uint32_t number);

/* Codes of values [first, first + count) of a tensor in the order of the range, within it. Any thread. */
AQ_MUST_CHECK aq_status aq_gguf_read_codes(const aq_gguf_range *range, uint32_t number, uint64_t first, size_t count,
                                           int8_t *out, aq_error *err);

/* Its scales and zero points [first, first + count); either may be NULL. A minimum m of a scale d is the zero point
 * -m / d, rounded to FP32, of codes from 0 on; 0 for a scale of 0. */
AQ_MUST_CHECK aq_status aq_gguf_read_code_scales(const aq_gguf_range *range, uint32_t number, uint64_t first,
                                                 size_t count, float *scales, float *zero_points, aq_error *err);

#endif
