/* normalizer_nmt.c - {"type": "Nmt"}: control characters go, and other characters that count as white space become
 * spaces. */
#include "core/compiler.h"
#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/normalizers.h"

/* In order. */
static const struct {
  uint32_t first, last;
  bool goes; /* else it becomes a space */
} ranges[] = {{0x01, 0x08, true},      {0x09, 0x0A, false},     {0x0B, 0x0B, true},      {0x0C, 0x0D, false},
              {0x0E, 0x1F, true},      {0x7F, 0x7F, true},      {0x8F, 0x8F, true},      {0x9F, 0x9F, true},
              {0x1680, 0x1680, false}, {0x200B, 0x200F, false}, {0x2028, 0x2029, false}, {0x2581, 0x2581, false},
              {0xFEFF, 0xFEFF, false}, {0xFFFD, 0xFFFD, false}};

/* The character that one becomes; 0x110000: none. */
static uint32_t becomes(uint32_t c) {
  for (size_t i = 0; i < AQ_COUNT_OF(ranges) && c >= ranges[i].first; i++) {
    if (c <= ranges[i].last) return ranges[i].goes ? 0x110000 : ' ';
  }
  return c;
}

static aq_status apply_nmt(const void *state, const uint8_t *text, size_t size, aq_buffer *out, aq_buffer *scratch,
                           aq_error *err) {
  (void)state;
  (void)scratch;
  AQ_TRY(aq_buffer_reserve(out, size, err));
  for (size_t at = 0, width; at < size; at += width) {
    const uint32_t c = becomes(aq_utf8_get(text + at, &width));
    if (c < 0x110000) out->size += aq_utf8_put(c, out->data + out->size);
  }
  return AQ_OK;
}

const aq_normalizer_type aq_normalizer_nmt = {.base = {.name = "Nmt"}, .is_local = true, .apply = apply_nmt};
