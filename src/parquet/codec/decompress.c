/* decompress.c - the codecs of Parquet pages, reading side.
 *
 * Specification: "Compression.md" of the Parquet format. Where writers differ:
 *   gzip   RFC 1952 by the letter, zlib (RFC 1950) in the wild, and several members one after another
 *   zstd   several frames one after another, and skippable ones
 *   lz4    the deprecated number 5 is Hadoop's framing (big-endian sizes around raw blocks) from some writers and one
 *          raw block from others; which one is only known by trying */
#include "parquet/codec/decompress.h"

#define ZLIB_CONST
#include <brotli/decode.h>
#include <limits.h>
#include <lz4.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "parquet/format.h"

typedef bool (*decompress_fn)(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out,
                              size_t out_size);

/* ---- zstd ---- */

static bool whole_zstd(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  ZSTD_DCtx *context = aq_pq_context_take(contexts);
  const bool filled = context != NULL && ZSTD_decompressDCtx(context, out, out_size, input, size) == out_size;
  aq_pq_context_give(contexts, context);
  return filled;
}

static bool head_zstd(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  ZSTD_DCtx *stream = aq_pq_context_take(contexts);
  if (stream == NULL) return false;
  ZSTD_inBuffer from = {input, size, 0};
  ZSTD_outBuffer to = {out, out_size, 0};
  bool moving = true;
  while (moving && to.pos < to.size) {
    const size_t in_before = from.pos, out_before = to.pos;
    moving = !ZSTD_isError(ZSTD_decompressStream(stream, &to, &from)) && (from.pos > in_before || to.pos > out_before);
  }
  aq_pq_context_give(contexts, stream);
  return to.pos == to.size;
}

/* Frames mostly state their size. One that does not makes the sum unknown. */
static bool claim_zstd(const uint8_t *input, size_t size, uint64_t claimed) {
  uint64_t total = 0;
  while (size > 0) {
    const unsigned long long content = ZSTD_getFrameContentSize(input, size);
    const size_t frame = ZSTD_findFrameCompressedSize(input, size);
    if (content == ZSTD_CONTENTSIZE_ERROR || ZSTD_isError(frame) || frame == 0) return false;
    if (content == ZSTD_CONTENTSIZE_UNKNOWN) return total <= claimed;
    if (content > claimed - total) return false;
    total += content;
    input += frame;
    size -= frame;
  }
  return total == claimed;
}

/* ---- gzip and zlib ---- */

/* Fills out: to_end asks that the input ends there too, else its rest is not looked at. */
static bool inflate_into(const uint8_t *input, size_t size, uint8_t *out, size_t out_size, bool to_end) {
  z_stream z = {0};
  if (size > UINT_MAX || out_size > UINT_MAX || inflateInit2(&z, 15 + 32) != Z_OK) return false;
  z.next_in = input;
  z.avail_in = (uInt)size;
  z.next_out = out;
  z.avail_out = (uInt)out_size;
  int state = Z_OK;
  while (state == Z_OK) {
    state = inflate(&z, Z_NO_FLUSH);
    if (!to_end && z.avail_out == 0) break;
    if (state == Z_STREAM_END && z.avail_in > 0) state = inflateReset2(&z, 15 + 32); /* another member */
  }
  const bool filled = z.avail_out == 0 && (!to_end || state == Z_STREAM_END);
  (void)inflateEnd(&z);
  return filled;
}

static bool whole_gzip(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  (void)contexts;
  return inflate_into(input, size, out, out_size, true);
}

static bool head_gzip(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  (void)contexts;
  return inflate_into(input, size, out, out_size, false);
}

/* Deflate gives at most 258 bytes for 2 bits. */
static bool claim_gzip(const uint8_t *input, size_t size, uint64_t claimed) {
  (void)input;
  return claimed <= (uint64_t)size * 1032;
}

/* ---- snappy ---- */

static bool whole_snappy(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  (void)contexts;
  size_t produced = out_size;
  return snappy_uncompress((const char *)input, size, (char *)out, &produced) == SNAPPY_OK && produced == out_size;
}

/* One element of a snappy stream, by its tag's two low bits: a literal of `length` bytes that follow (offset 0), or a
 * copy of what was made `offset` bytes ago. Returns the size of the tag; 4 bytes after it can be read. */
static size_t snappy_element(const uint8_t *p, size_t *length, size_t *offset) {
  const size_t high = p[0] >> 2;
  const size_t extra = high >= 60 ? high - 59 : 0; /* bytes that a literal's length takes beside the tag */
  *length = high + 1;
  switch (p[0] & 3) {
    case 1:
      *length = (high & 7) + 4;
      *offset = (size_t)(p[0] >> 5) << 8 | p[1];
      return 2;
    case 2:
      *offset = p[1] | (size_t)p[2] << 8;
      return 3;
    case 3:
      *offset = aq_load_u32(p + 1);
      return 5;
    default:
      break;
  }
  *offset = 0;
  if (extra > 0) *length = (size_t)(aq_load_u32(p + 1) & UINT32_MAX >> (32 - 8 * extra)) + 1;
  return 1 + extra;
}

/* The library cannot stop early; a head is a few elements. */
static bool head_snappy(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  (void)contexts;
  size_t at = 0, made = 0;
  while (at < size && (input[at] & 0x80) != 0) at++; /* the length of the whole, a varint */
  for (at++; made < out_size;) {
    size_t length = 0, offset = 0;
    if (size < 5 || at > size - 5) return false;
    at += snappy_element(input + at, &length, &offset);
    const bool is_copy = offset != 0;
    length = AQ_MIN(length, out_size - made);
    if (is_copy ? offset > made : length > size - at) return false;
    for (size_t i = 0; i < length; i++, made++) out[made] = is_copy ? out[made - offset] : input[at + i];
    if (!is_copy) at += length;
  }
  return true;
}

/* The best that snappy can do is a copy of 64 bytes in 3. */
static bool claim_snappy(const uint8_t *input, size_t size, uint64_t claimed) {
  size_t stated = 0;
  return snappy_uncompressed_length((const char *)input, size, &stated) == SNAPPY_OK && stated == claimed &&
         claimed <= (uint64_t)size * 22;
}

/* ---- lz4 ---- */

static bool whole_lz4_raw(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  (void)contexts;
  if (size > INT_MAX || out_size > INT_MAX) return false;
  return LZ4_decompress_safe((const char *)input, (char *)out, (int)size, (int)out_size) == (int)out_size;
}

static bool head_lz4_raw(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  (void)contexts;
  if (size > INT_MAX || out_size > INT_MAX) return false;
  return LZ4_decompress_safe_partial((const char *)input, (char *)out, (int)size, (int)out_size, (int)out_size) ==
         (int)out_size;
}

static uint32_t big_endian(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A sequence of { u32 size of the content; then, until that is reached, { u32 size of the block; raw block } }. */
static bool whole_lz4_hadoop(const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  size_t at = 0, made = 0;
  while (at < size) {
    if (size - at < 8) return false;
    size_t content = big_endian(input + at);
    at += 4;
    if (content > out_size - made) return false;
    while (content > 0) {
      if (size - at < 4) return false;
      const size_t block = big_endian(input + at);
      at += 4;
      if (block > size - at || block > INT_MAX || content > INT_MAX) return false;
      const int got = LZ4_decompress_safe((const char *)input + at, (char *)out + made, (int)block, (int)content);
      if (got <= 0) return false;
      at += block;
      made += (size_t)got;
      content -= (size_t)got;
    }
  }
  return made == out_size;
}

static bool whole_lz4(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  return whole_lz4_hadoop(input, size, out, out_size) || whole_lz4_raw(contexts, input, size, out, out_size);
}

/* A length byte of 255 stands for 255 bytes. */
static bool claim_lz4(const uint8_t *input, size_t size, uint64_t claimed) {
  (void)input;
  return claimed <= (uint64_t)size * 255;
}

/* ---- brotli ---- */

static bool whole_brotli(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  (void)contexts;
  size_t produced = out_size;
  return BrotliDecoderDecompress(size, input, &produced, out) == BROTLI_DECODER_RESULT_SUCCESS && produced == out_size;
}

static bool head_brotli(aq_pq_contexts *contexts, const uint8_t *input, size_t size, uint8_t *out, size_t out_size) {
  (void)contexts;
  BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
  if (state == NULL) return false;
  size_t out_left = out_size;
  (void)BrotliDecoderDecompressStream(state, &size, &input, &out_left, &out, NULL);
  BrotliDecoderDestroyInstance(state);
  return out_left == 0;
}

/* No useful bound: a meta-block of 16 MiB takes a few bytes. */
static bool claim_any(const uint8_t *input, size_t size, uint64_t claimed) {
  (void)input;
  return size > 0 || claimed == 0;
}

/* ---- the table ---- */

typedef struct codec {
  const char *name;
  bool (*claim)(const uint8_t *input, size_t size, uint64_t claimed);
  decompress_fn whole, head; /* NULL: cannot */
} codec;

static const codec codecs[] = {
    [AQ_PQ_UNCOMPRESSED] = {"none", NULL, NULL, NULL},
    [AQ_PQ_SNAPPY] = {"snappy", claim_snappy, whole_snappy, head_snappy},
    [AQ_PQ_GZIP] = {"gzip", claim_gzip, whole_gzip, head_gzip},
    [AQ_PQ_LZO] = {"lzo", NULL, NULL, NULL},
    [AQ_PQ_BROTLI] = {"brotli", claim_any, whole_brotli, head_brotli},
    [AQ_PQ_LZ4] = {"lz4", claim_lz4, whole_lz4, NULL},
    [AQ_PQ_ZSTD] = {"zstd", claim_zstd, whole_zstd, head_zstd},
    [AQ_PQ_LZ4_RAW] = {"lz4_raw", claim_lz4, whole_lz4_raw, head_lz4_raw},
};

static bool is_known(int32_t number) { return number >= 0 && (size_t)number < AQ_COUNT_OF(codecs); }

const char *aq_pq_codec_name(int32_t number) { return is_known(number) ? codecs[number].name : "unknown"; }

aq_status aq_pq_codec_check(int32_t number, aq_error *err) {
  if (is_known(number) && (codecs[number].whole != NULL || number == AQ_PQ_UNCOMPRESSED)) return AQ_OK;
  aq_fail(err, AQ_ERR_UNSUPPORTED, "the codec %s (number %d) cannot be read", aq_pq_codec_name(number), (int)number);
  return aq_error_hint(err, AQ_ERR_UNSUPPORTED,
                       "Write the file again with zstd, snappy, gzip, lz4_raw, brotli or none");
}

aq_status aq_pq_decompress_check(int32_t number, const uint8_t *input, size_t size, uint64_t claimed, aq_error *err) {
  AQ_TRY(aq_pq_codec_check(number, err));
  const bool possible = number == AQ_PQ_UNCOMPRESSED ? claimed == size : codecs[number].claim(input, size, claimed);
  AQ_FAIL_IF(!possible, AQ_ERR_CORRUPT, "a page of %zu bytes (%s) cannot hold the %llu bytes that its header claims",
             size, codecs[number].name, (unsigned long long)claimed);
  return AQ_OK;
}

aq_status aq_pq_decompress(aq_pq_contexts *contexts, int32_t number, const uint8_t *input, size_t size, uint8_t *out,
                           size_t out_size, aq_error *err) {
  AQ_TRY(aq_pq_codec_check(number, err));
  AQ_FAIL_IF(codecs[number].whole == NULL || !codecs[number].whole(contexts, input, size, out, out_size),
             AQ_ERR_CORRUPT, "a page of %zu bytes (%s) does not decompress to the %zu bytes that its header claims",
             size, codecs[number].name, out_size);
  return AQ_OK;
}

bool aq_pq_decompress_head(aq_pq_contexts *contexts, int32_t number, const uint8_t *input, size_t size, uint8_t *out,
                           size_t out_size) {
  return is_known(number) && codecs[number].head != NULL && codecs[number].head(contexts, input, size, out, out_size);
}
