/* compress.c - codecs of Parquet pages, and the zstd settings for weights.
 *
 * Weights and their codes are close to random: what can be saved is in the distribution of single bytes, not in
 * repeats. Looking for repeats costs most of zstd's time and gains nothing there, so the "literals" setting is Huffman
 * coding with next to no search (strategy fast, a table of 64 entries, matches of at least 7): as small as level 19 on
 * int8, int4, int3 and int2 codes and on FP32 and FP16 weights, at four to nine times the speed of level 6. Scales with
 * few mantissa bits, zero points, integers and masks do repeat: there "search" (greedy, matches of 6) is as small as
 * level 9 at two to three times its speed; level 19 would take 4 % off them at a twentieth of the speed. Codes of few
 * bits are an exception to the first rule: at 1.2 bits per weight most bytes are zeros, and runs of them are matches.
 * There "parse" (the optimal parser, which takes a match only where it pays, with matches of 7 and a table of 64
 * entries) saves 7 %, at a thirtieth of the speed. A block tries literals and search on its first 16 KiB, a short block
 * on all of it, and parse where literals save more than half; what is slower must win by 1/64.
 *
 * Only parameters of libzstd's stable interface are used. */
#include "parquet/codec/compress.h"

#include <lz4.h>
#include <snappy-c.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/codec/brotli/brotli_block.h"
#include "parquet/format.h"

#define TRIAL_BYTES ((size_t)16 << 10)
#define SHORT_BLOCK ((size_t)64 << 10)

struct setting {
  ZSTD_cParameter parameter;
  int value;
};

static const struct setting literals_settings[] = {
    {ZSTD_c_compressionLevel, 1}, {ZSTD_c_strategy, ZSTD_fast}, {ZSTD_c_hashLog, 6}, {ZSTD_c_minMatch, 7}};

static const struct setting search_settings[] = {
    {ZSTD_c_compressionLevel, 5}, {ZSTD_c_strategy, ZSTD_greedy}, {ZSTD_c_windowLog, 20}, {ZSTD_c_hashLog, 17},
    {ZSTD_c_chainLog, 17},        {ZSTD_c_searchLog, 6},          {ZSTD_c_minMatch, 6}};

static const struct setting parse_settings[] = {{ZSTD_c_compressionLevel, 19}, {ZSTD_c_strategy, ZSTD_btultra2},
                                                {ZSTD_c_hashLog, 6},           {ZSTD_c_chainLog, 6},
                                                {ZSTD_c_searchLog, 1},         {ZSTD_c_minMatch, 7}};

void aq_compressor_reset(aq_compressor *compressor) {
  void *const contexts[] = {compressor->zstd_literals, compressor->zstd_search, compressor->zstd_parse,
                            compressor->zstd_level};
  for (size_t i = 0; i < AQ_COUNT_OF(contexts); i++) (void)ZSTD_freeCCtx(contexts[i]);
  *compressor = (aq_compressor){0};
}

static aq_status zstd_context(void **context, const struct setting *settings, size_t count, aq_error *err) {
  if (*context != NULL) return AQ_OK;
  ZSTD_CCtx *made = ZSTD_createCCtx();
  if (made == NULL) return aq_fail_memory(err, (size_t)1 << 20);
  for (size_t i = 0; i < count; i++) {
    const size_t code = ZSTD_CCtx_setParameter(made, settings[i].parameter, settings[i].value);
    if (ZSTD_isError(code)) {
      (void)ZSTD_freeCCtx(made);
      return aq_fail(err, AQ_ERR_INTERNAL, "zstd refuses a parameter: %s", ZSTD_getErrorName(code));
    }
  }
  *context = made;
  return AQ_OK;
}

/* Compresses into out, which is given room for the worst case and keeps it. */
static aq_status zstd_frame(void *context, const uint8_t *bytes, size_t size, aq_buffer *out, aq_error *err) {
  out->size = 0;
  AQ_TRY(aq_buffer_reserve(out, ZSTD_compressBound(size), err));
  const size_t packed = ZSTD_compress2(context, out->data, out->capacity, bytes, size);
  if (ZSTD_isError(packed) && ZSTD_getErrorCode(packed) == ZSTD_error_memory_allocation) {
    return aq_fail_memory(err, (size_t)1 << 20);
  }
  AQ_FAIL_IF(ZSTD_isError(packed), AQ_ERR_INTERNAL, "zstd cannot compress a block of %zu bytes: %s", size,
             ZSTD_getErrorName(packed));
  out->size = packed;
  return AQ_OK;
}

/* Takes the slower setting for the best when that is worth its time on these bytes. */
static aq_status try_setting(void *slower, const uint8_t *bytes, size_t size, void **best, size_t *least,
                             aq_error *err) {
  aq_buffer trial = {NULL, 0, 0};
  const aq_status status = zstd_frame(slower, bytes, size, &trial, err);
  if (status == AQ_OK && trial.size < *least - *least / 64) {
    *best = slower;
    *least = trial.size;
  }
  aq_buffer_reset(&trial);
  return status;
}

static aq_status zstd_own(aq_compressor *c, bool quick, const uint8_t *bytes, size_t size, aq_buffer *out,
                          aq_error *err) {
  const size_t trial = size <= SHORT_BLOCK ? size : TRIAL_BYTES;
  size_t least = SIZE_MAX;
  void *best = NULL;
  AQ_TRY(zstd_context(&c->zstd_literals, literals_settings, AQ_COUNT_OF(literals_settings), err));
  AQ_TRY(zstd_context(&c->zstd_search, search_settings, AQ_COUNT_OF(search_settings), err));
  AQ_TRY(try_setting(c->zstd_literals, bytes, trial, &best, &least, err));
  const bool halved = least < trial / 2;
  AQ_TRY(try_setting(c->zstd_search, bytes, trial, &best, &least, err));
  if (halved && !quick) {
    AQ_TRY(zstd_context(&c->zstd_parse, parse_settings, AQ_COUNT_OF(parse_settings), err));
    AQ_TRY(try_setting(c->zstd_parse, bytes, trial, &best, &least, err));
  }
  return zstd_frame(best, bytes, size, out, err);
}

static aq_status zstd_block(aq_compressor *c, int level, const uint8_t *bytes, size_t size, aq_buffer *out,
                            aq_error *err) {
  const bool quick = level == AQ_ZSTD_QUICK_SETTINGS;
  if (quick || level == AQ_ZSTD_OWN_SETTINGS) return zstd_own(c, quick, bytes, size, out, err);
  const struct setting settings[] = {{ZSTD_c_compressionLevel, level}};
  AQ_TRY(zstd_context(&c->zstd_level, settings, 1, err));
  return zstd_frame(c->zstd_level, bytes, size, out, err);
}

static aq_status lz4_block(const uint8_t *bytes, size_t size, aq_buffer *out, aq_error *err) {
  const int bound = LZ4_compressBound((int)size);
  AQ_TRY(aq_buffer_reserve(out, (size_t)bound, err));
  const int packed = LZ4_compress_default((const char *)bytes, (char *)out->data, (int)size, bound);
  AQ_FAIL_IF(packed <= 0, AQ_ERR_INTERNAL, "lz4 cannot compress a page of %zu bytes", size);
  out->size = (size_t)packed;
  return AQ_OK;
}

static aq_status snappy_block(const uint8_t *bytes, size_t size, aq_buffer *out, aq_error *err) {
  size_t packed = snappy_max_compressed_length(size);
  AQ_TRY(aq_buffer_reserve(out, packed, err));
  AQ_FAIL_IF(snappy_compress((const char *)bytes, size, (char *)out->data, &packed) != SNAPPY_OK, AQ_ERR_INTERNAL,
             "snappy cannot compress a page of %zu bytes", size);
  out->size = packed;
  return AQ_OK;
}

/* The worst case was allocated; a row group holds many blocks, so give the rest back. */
static void shrink(aq_buffer *out) {
  uint8_t *less = aq_realloc_array(out->data, out->size, 1);
  if (less == NULL) return;
  out->data = less;
  out->capacity = out->size;
}

static aq_status brotli_part(aq_page_part part, const uint8_t *bytes, size_t size, aq_buffer *out, aq_error *err) {
  if ((part & AQ_PAGE_BEGIN) != 0) AQ_TRY(aq_buffer_append_byte(out, AQ_BROTLI_FIRST, err));
  AQ_TRY(aq_brotli_block(bytes, size, out, err));
  return (part & AQ_PAGE_END) != 0 ? aq_buffer_append_byte(out, AQ_BROTLI_LAST, err) : AQ_OK;
}

aq_status aq_compress(aq_compressor *compressor, int codec, int level, aq_page_part part, const uint8_t *bytes,
                      size_t size, aq_buffer *out, aq_error *err) {
  AQ_FAIL_IF(size > aq_compress_limit(codec), AQ_ERR_ARGUMENT,
             "%s cannot compress a page of %zu bytes; it takes at most %llu", aq_codec_label(codec), size,
             (unsigned long long)aq_compress_limit(codec));
  aq_buffer_reset(out);
  aq_status status;
  if (codec == AQ_PQ_ZSTD) {
    status = zstd_block(compressor, level, bytes, size, out, err);
  } else if (codec == AQ_PQ_BROTLI) {
    status = brotli_part(part, bytes, size, out, err);
  } else if (codec == AQ_PQ_LZ4_RAW) {
    status = lz4_block(bytes, size, out, err);
  } else if (codec == AQ_PQ_SNAPPY) {
    status = snappy_block(bytes, size, out, err);
  } else {
    status = aq_fail(err, AQ_ERR_INTERNAL, "codec %d cannot be written", codec);
  }
  if (status == AQ_OK) shrink(out);
  return status;
}

uint64_t aq_compress_limit(int codec) { return codec == AQ_PQ_LZ4_RAW ? LZ4_MAX_INPUT_SIZE : INT32_MAX; }

const char *aq_codec_label(int codec) {
  static const char *const labels[] = {
      [AQ_PQ_ZSTD] = "zstd", [AQ_PQ_BROTLI] = "brotli", [AQ_PQ_LZ4_RAW] = "lz4", [AQ_PQ_SNAPPY] = "snappy"};
  const bool known = codec >= 0 && (size_t)codec < AQ_COUNT_OF(labels) && labels[codec] != NULL;
  return known ? labels[codec] : "none";
}

aq_codec_setting aq_codec_setting_of(aq_pq_codec_choice choice, int level) {
  static const aq_codec_setting settings[] = {[AQ_PQ_CODEC_AUTO] = {AQ_PQ_ZSTD, AQ_ZSTD_OWN_SETTINGS, true},
                                              [AQ_PQ_CODEC_NONE] = {AQ_PQ_UNCOMPRESSED, 0, false},
                                              [AQ_PQ_CODEC_ZSTD] = {AQ_PQ_ZSTD, AQ_ZSTD_OWN_SETTINGS, false},
                                              [AQ_PQ_CODEC_LZ4_RAW] = {AQ_PQ_LZ4_RAW, 0, false},
                                              [AQ_PQ_CODEC_SNAPPY] = {AQ_PQ_SNAPPY, 0, false},
                                              [AQ_PQ_CODEC_BROTLI] = {AQ_PQ_BROTLI, AQ_ZSTD_OWN_SETTINGS, true}};
  aq_codec_setting setting = settings[choice];
  if (choice == AQ_PQ_CODEC_ZSTD) setting.level = level;
  return setting;
}

bool aq_codec_joins(int codec) { return codec == AQ_PQ_ZSTD || codec == AQ_PQ_BROTLI || codec == AQ_PQ_UNCOMPRESSED; }

bool aq_saves_percent(uint64_t raw, uint64_t packed, unsigned percent) {
  return packed < raw && (raw - packed) * 100 >= raw * percent;
}
