/* codec_parse.c - the codec option's text: "auto", "none", "zstd", "zstd:LEVEL", "lz4", "snappy", "brotli". */
#include <zstd.h>

#include "core/compiler.h"
#include "core/error.h"
#include "parquet/codec/compress.h"
#include "parquet/parquet.h"

static char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* True when text begins with the (lower-case) name, in any case; *rest is what follows. */
static bool starts_with(const char *text, const char *name, const char **rest) {
  for (; *name != '\0'; name++, text++) {
    if (ascii_lower(*text) != *name) return false;
  }
  *rest = text;
  return true;
}

static bool parse_level(const char *digits, int *level) {
  int value = 0;
  if (*digits == '\0') return false;
  for (; *digits != '\0'; digits++) {
    if (*digits < '0' || *digits > '9' || value > 99) return false;
    value = value * 10 + (*digits - '0');
  }
  *level = value;
  return value >= 1 && value <= ZSTD_maxCLevel();
}

aq_status aq_pq_codec_parse(const char *text, aq_pq_codec_choice *codec, int *level, aq_error *err) {
  static const struct {
    const char *name;
    aq_pq_codec_choice codec;
  } names[] = {{"auto", AQ_PQ_CODEC_AUTO},   {"none", AQ_PQ_CODEC_NONE},     {"zstd", AQ_PQ_CODEC_ZSTD},
               {"lz4", AQ_PQ_CODEC_LZ4_RAW}, {"snappy", AQ_PQ_CODEC_SNAPPY}, {"brotli", AQ_PQ_CODEC_BROTLI}};
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) {
    const char *rest;
    if (!starts_with(text, names[i].name, &rest)) continue;
    *codec = names[i].codec;
    *level = AQ_ZSTD_OWN_SETTINGS;
    if (*rest == '\0') return AQ_OK;
    if (*rest == ':' && names[i].codec == AQ_PQ_CODEC_ZSTD && parse_level(rest + 1, level)) return AQ_OK;
  }
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "codec '%s' is not known", text);
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Use auto, none, zstd, zstd:1 .. zstd:%d, brotli, lz4 or snappy",
                       ZSTD_maxCLevel());
}
