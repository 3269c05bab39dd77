/* compress.h - codecs of Parquet pages: which, how, and whether it pays. */
#ifndef AQ_PARQUET_CODEC_COMPRESS_H
#define AQ_PARQUET_CODEC_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "parquet/parquet.h"

/* Level that stands for the writer's own zstd settings, see compress.c. */
#define AQ_ZSTD_OWN_SETTINGS INT32_MIN
/* The same without the slowest of them: to compare sizes by. */
#define AQ_ZSTD_QUICK_SETTINGS (INT32_MIN + 1)

/* Contexts of one worker, made when first used. Zero-initialise. */
typedef struct aq_compressor {
  void *zstd_literals, *zstd_search, *zstd_parse, *zstd_level; /* ZSTD_CCtx */
} aq_compressor;

void aq_compressor_reset(aq_compressor *compressor);

/* What of its page a block is; what is both its beginning and its end is all of it. */
typedef enum aq_page_part { AQ_PAGE_INSIDE = 0, AQ_PAGE_BEGIN = 1, AQ_PAGE_END = 2, AQ_PAGE_WHOLE = 3 } aq_page_part;

/* Compresses bytes into `out`, which is replaced. codec: AQ_PQ_ZSTD, AQ_PQ_BROTLI, AQ_PQ_LZ4_RAW or AQ_PQ_SNAPPY;
 * level: of zstd; part: the blocks of a page are joined in their order. A zstd frame carries its content size. The
 * result depends on bytes, codec, level and part alone. */
AQ_MUST_CHECK aq_status aq_compress(aq_compressor *compressor, int codec, int level, aq_page_part part,
                                    const uint8_t *bytes, size_t size, aq_buffer *out, aq_error *err);

/* What a choice means for a column chunk. */
typedef struct aq_codec_setting {
  int codec; /* AQ_PQ_* */
  int level;
  bool decide; /* none where the codec saves less than AQ_WORTH_PERCENT */
} aq_codec_setting;

#define AQ_WORTH_PERCENT 3

aq_codec_setting aq_codec_setting_of(aq_pq_codec_choice choice, int level);

/* Whether a page of this codec may be made of several blocks. */
bool aq_codec_joins(int codec);

/* Largest input that one call takes: 2^31-1 but for lz4. */
uint64_t aq_compress_limit(int codec);

/* "zstd", "lz4", ... for messages. */
const char *aq_codec_label(int codec);

/* True when `packed` is at least percent % smaller than raw. */
bool aq_saves_percent(uint64_t raw, uint64_t packed, unsigned percent);

#endif
