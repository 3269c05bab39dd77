/* brotli_block.h - Brotli streams (RFC 7932) of literals alone, block by block. */
#ifndef AQ_PARQUET_CODEC_BROTLI_BROTLI_BLOCK_H
#define AQ_PARQUET_CODEC_BROTLI_BROTLI_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

/* Appends the bytes as meta-blocks that end with a whole byte. What was made of consecutive blocks is a stream when it
 * is joined, between AQ_BROTLI_FIRST and AQ_BROTLI_LAST. The result depends on the bytes alone. */
AQ_MUST_CHECK aq_status aq_brotli_block(const uint8_t *bytes, size_t size, aq_buffer *out, aq_error *err);

/* A window of 2^16 bytes, as nothing looks back, and an empty meta-block up to the end of the byte. */
#define AQ_BROTLI_FIRST 0x0c
/* The empty last meta-block. */
#define AQ_BROTLI_LAST 0x03

#endif
