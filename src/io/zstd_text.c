/* zstd_text.c - compressing a text into a metadata value and back.
 *
 * The texts are a model's large files, nearly always a tokenizer.json. A binary tree of 2^20 entries is where more time
 * buys little: SmolLM2's tokenizer.json (3,522,871 bytes) becomes 568,437 bytes in .2 s; level 9 makes 607,392 of it in
 * .05 s, level 17 makes 517,965 in .8 s and level 19 makes 514,088 in 1.3 s. The parameters are given one by one, as a
 * level means other ones for a text of another size.
 *
 * Only parameters of libzstd's stable interface are used. */
#include "io/zstd_text.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "core/base64.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/memory.h"

#define MAGIC 0xFD2FB528U               /* of a frame; skippable frames have others */
#define HEADER_MAX ((size_t)18)         /* bytes of a frame's header at most */
#define CONTEXT_BYTES ((size_t)8 << 20) /* what libzstd takes about, for messages */

static const struct {
  ZSTD_cParameter parameter;
  int value;
} settings[] = {{ZSTD_c_compressionLevel, 16}, {ZSTD_c_strategy, ZSTD_btlazy2}, {ZSTD_c_windowLog, 22},
                {ZSTD_c_hashLog, 17},          {ZSTD_c_chainLog, 20},           {ZSTD_c_searchLog, 5},
                {ZSTD_c_minMatch, 5},          {ZSTD_c_contentSizeFlag, 1},     {ZSTD_c_checksumFlag, 1}};

/* ---- making ---- */

static aq_status compress(const char *text, size_t size, uint8_t *frame, size_t room, size_t *written, aq_error *err) {
  ZSTD_CCtx *context = ZSTD_createCCtx();
  if (context == NULL) return aq_fail_memory(err, CONTEXT_BYTES);
  size_t code = 0;
  for (size_t i = 0; i < AQ_COUNT_OF(settings) && !ZSTD_isError(code); i++) {
    code = ZSTD_CCtx_setParameter(context, settings[i].parameter, settings[i].value);
  }
  if (!ZSTD_isError(code)) code = ZSTD_compress2(context, frame, room, text, size);
  (void)ZSTD_freeCCtx(context);
  if (ZSTD_isError(code) && ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation) {
    return aq_fail_memory(err, CONTEXT_BYTES);
  }
  AQ_FAIL_IF(ZSTD_isError(code), AQ_ERR_INTERNAL, "zstd cannot compress a text of %zu bytes: %s", size,
             ZSTD_getErrorName(code));
  *written = code;
  return AQ_OK;
}

aq_status aq_zstd_text_make(const char *text, size_t size, char **value, aq_error *err) {
  const size_t room = ZSTD_compressBound(size);
  size_t written = 0;
  *value = NULL;
  uint8_t *frame = aq_malloc(room);
  if (frame == NULL) return aq_fail_memory(err, room);
  aq_status status = compress(text, size, frame, room, &written, err);
  if (status == AQ_OK) {
    *value = aq_malloc(aq_base64_length(written) + 1);
    if (*value == NULL) status = aq_fail_memory(err, aq_base64_length(written));
  }
  if (*value != NULL) aq_base64_encode(frame, written, *value);
  aq_free(frame);
  return status;
}

/* ---- reading ---- */

/* The content size of a frame whose header it is; false when it has none, or is no frame. */
static bool content_size(const uint8_t *frame, size_t size, uint64_t *out) {
  if (size < sizeof(uint32_t) || aq_load_u32(frame) != MAGIC) return false;
  const unsigned long long found = ZSTD_getFrameContentSize(frame, size);
  *out = found;
  return found != ZSTD_CONTENTSIZE_UNKNOWN && found != ZSTD_CONTENTSIZE_ERROR;
}

bool aq_zstd_text_size(const char *value, uint64_t *size) {
  uint8_t header[HEADER_MAX];
  size_t have;
  const size_t length = strnlen(value, HEADER_MAX / 3 * 4);
  return aq_base64_decode(value, length, header, &have) && content_size(header, have, size);
}

static aq_status decompress(const uint8_t *frame, size_t size, char *text, size_t expected, aq_error *err) {
  const size_t code = ZSTD_decompress(text, expected, frame, size);
  if (ZSTD_isError(code) && ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation) {
    return aq_fail_memory(err, CONTEXT_BYTES);
  }
  AQ_FAIL_IF(ZSTD_isError(code), AQ_ERR_CORRUPT, "its zstd frame is damaged: %s", ZSTD_getErrorName(code));
  AQ_FAIL_IF(code != expected, AQ_ERR_CORRUPT, "its zstd frame holds %zu bytes and promises %zu", code, expected);
  text[expected] = '\0';
  return AQ_OK;
}

static aq_status read_frame(const uint8_t *frame, size_t size, size_t max, char **text, size_t *text_size,
                            aq_error *err) {
  uint64_t expected;
  AQ_FAIL_IF(!content_size(frame, size, &expected), AQ_ERR_CORRUPT,
             "it does not begin as a zstd frame that says its content size");
  AQ_FAIL_IF(expected > max, AQ_ERR_UNSUPPORTED, "it holds a text of %llu bytes, and at most %zu are read",
             (unsigned long long)expected, max);
  const size_t end = ZSTD_findFrameCompressedSize(frame, size);
  AQ_FAIL_IF(ZSTD_isError(end), AQ_ERR_CORRUPT, "its zstd frame is cut short or damaged");
  AQ_FAIL_IF(end != size, AQ_ERR_CORRUPT, "%zu bytes follow its zstd frame", size - end);
  char *made = aq_malloc((size_t)expected + 1);
  if (made == NULL) return aq_fail_memory(err, (size_t)expected);
  const aq_status status = decompress(frame, size, made, (size_t)expected, err);
  if (status != AQ_OK) {
    aq_free(made);
    return status;
  }
  *text = made;
  *text_size = (size_t)expected;
  return AQ_OK;
}

aq_status aq_zstd_text_read(const char *value, size_t max, char **text, size_t *size, aq_error *err) {
  const size_t length = strlen(value);
  size_t frame_size;
  *text = NULL;
  *size = 0;
  uint8_t *frame = aq_malloc(aq_base64_room(length));
  if (frame == NULL) return aq_fail_memory(err, aq_base64_room(length));
  aq_status status =
      aq_base64_decode(value, length, frame, &frame_size) ? AQ_OK : aq_fail(err, AQ_ERR_CORRUPT, "it is not base64");
  if (status == AQ_OK) status = read_frame(frame, frame_size, max, text, size, err);
  aq_free(frame);
  return status;
}
