/* decompress.h - the codecs of Parquet pages, reading side. */
#ifndef AQ_PARQUET_CODEC_DECOMPRESS_H
#define AQ_PARQUET_CODEC_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "parquet/codec/zstd_contexts.h"

/* "none", "snappy", ...; "unknown" for numbers that the specification does not have. Static storage. */
const char *aq_pq_codec_name(int32_t codec);

/* AQ_ERR_UNSUPPORTED, by name, for codecs that cannot be read. */
AQ_MUST_CHECK aq_status aq_pq_codec_check(int32_t codec, aq_error *err);

/* Whether `size` input bytes can become `claimed` bytes at all, from what the codec can do at best and from the sizes
 * that the input itself states: looked at before memory is taken. */
AQ_MUST_CHECK aq_status aq_pq_decompress_check(int32_t codec, const uint8_t *input, size_t size, uint64_t claimed,
                                               aq_error *err);

/* Decompresses to exactly out_size bytes; more or fewer are AQ_ERR_CORRUPT. `contexts` may be NULL. */
AQ_MUST_CHECK aq_status aq_pq_decompress(aq_pq_contexts *contexts, int32_t codec, const uint8_t *input, size_t size,
                                         uint8_t *out, size_t out_size, aq_error *err);

/* The first out_size bytes only. false when the codec cannot stop early, or for any failure: then the whole page tells
 * more. */
bool aq_pq_decompress_head(aq_pq_contexts *contexts, int32_t codec, const uint8_t *input, size_t size, uint8_t *out,
                           size_t out_size);

#endif
