/* delta.h - the DELTA_BINARY_PACKED encoding. */
#ifndef AQ_PARQUET_READ_DELTA_H
#define AQ_PARQUET_READ_DELTA_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

/* Decodes exactly `count` integers of `bits` (32 or 64) bits, which must be what the header says; *used receives the
 * bytes that they took. */
AQ_MUST_CHECK aq_status aq_delta_decode(const uint8_t *bytes, size_t size, uint32_t bits, uint64_t count, int64_t *out,
                                        size_t *used, aq_error *err);

#endif
