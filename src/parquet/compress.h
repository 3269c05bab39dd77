/* compress.h - codecs of Parquet pages: which, how, and whether it pays. */
#ifndef AQ_PARQUET_COMPRESS_H
#define AQ_PARQUET_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

/* Level that stands for the writer's own zstd settings, see compress.c. */
#define AQ_ZSTD_OWN_SETTINGS INT32_MIN

/* Contexts of one worker, made when first used. Zero-initialise. */
typedef struct aq_compressor {
  void *zstd_literals, *zstd_search, *zstd_level; /* ZSTD_CCtx */
} aq_compressor;

void aq_compressor_reset(aq_compressor *compressor);

/* Compresses bytes into `out`, which is replaced. codec: AQ_PQ_ZSTD, AQ_PQ_LZ4_RAW or AQ_PQ_SNAPPY; level: of zstd. A
 * zstd frame carries its content size. The result depends on the bytes, codec and level alone. */
AQ_MUST_CHECK aq_status aq_compress(aq_compressor *compressor, int codec, int level, const uint8_t *bytes, size_t size,
                                    aq_buffer *out, aq_error *err);

/* Largest input that one call takes: 2^31-1 but for lz4. */
uint64_t aq_compress_limit(int codec);

/* "zstd", "lz4", ... for messages. */
const char *aq_codec_label(int codec);

/* True when `packed` is at least percent % smaller than raw. */
bool aq_saves_percent(uint64_t raw, uint64_t packed, unsigned percent);

#endif
