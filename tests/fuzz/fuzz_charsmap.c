/* fuzz_charsmap.c - any charsmap on any text: the first two bytes are the length of the text, which follows, and the
 * rest is the map. What comes out is UTF-8; clusters end at characters, and those of a text are those of its parts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/grapheme.h"
#include "tokenizer/normalizers.h"
#include "tokenizer/precompiled.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clusters(const aq_buffer *text) {
  for (size_t at = 0; at < text->size;) {
    const size_t end = aq_grapheme_end(text->data, text->size, at);
    if (end <= at || end > text->size || aq_utf8_valid(text->data + at, end - at) != end - at) abort();
    if (aq_grapheme_end(text->data, end, at) != end) abort();
    at = end;
  }
}

static void apply_map(const uint8_t *bytes, size_t size, const aq_buffer *text) {
  aq_error err;
  aq_buffer out = {NULL, 0, 0}, scratch = {NULL, 0, 0};
  void *state;
  uint8_t *copy = aq_malloc(size + 1);
  if (copy == NULL) abort();
  if (size > 0) memcpy(copy, bytes, size);
  if (aq_precompiled_make(copy, size, &state, &err) != AQ_OK) return;
  const aq_status status = aq_normalizer_precompiled.apply(state, text->data, text->size, &out, &scratch, &err);
  if (status != AQ_OK && status != AQ_ERR_FORMAT) abort();
  if (status == AQ_OK && out.size > 0 && aq_utf8_valid(out.data, out.size) != out.size) abort();
  aq_normalizer_precompiled.free_state(state);
  aq_buffer_reset(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aq_error err;
  aq_buffer text = {NULL, 0, 0};
  const size_t length = size > 2 ? (size_t)data[0] + 256u * data[1] : 0;
  if (length == 0 || length > size - 2) return 0;
  if (aq_utf8_repair(data + 2, length, &text, &err) != AQ_OK) abort();
  check_clusters(&text);
  apply_map(data + 2 + length, size - 2 - length, &text);
  aq_buffer_reset(&text);
  return 0;
}
