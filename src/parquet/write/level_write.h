/* level_write.h - small numbers in Parquet's run-length / bit-packed hybrid: the levels of a page. */
#ifndef AQ_PARQUET_WRITE_LEVEL_WRITE_H
#define AQ_PARQUET_WRITE_LEVEL_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

/* Appends levels (each below 2^bit_width; bit_width 1..8) as V1 data pages have them: the length in four bytes, then
 * the hybrid. */
AQ_MUST_CHECK aq_status aq_levels_append(const uint8_t *levels, size_t count, unsigned bit_width, aq_buffer *out,
                                         aq_error *err);

#endif
