/* onnx_text.c - texts of an ONNX file, which go to an arena. */
#include "io/onnx/onnx_text.h"

#include <string.h>

#include "core/error.h"
#include "core/utf8.h"

aq_status aq_onnx_text(aq_wire *wire, const aq_wire_field *field, const char *what, uint64_t limit,
                       aq_onnx_arena *arena, const char **out, aq_error *err) {
  AQ_TRY(aq_wire_expect(field, AQ_WIRE_BYTES, what, err));
  const uint64_t size = field->end - field->begin;
  AQ_FAIL_IF(size > limit, AQ_ERR_FORMAT, "%s has %llu bytes; at most %llu are allowed", what, (unsigned long long)size,
             (unsigned long long)limit);
  void *room = NULL;
  AQ_TRY(aq_onnx_arena_take(arena, (size_t)size + 1, &room, err));
  uint8_t *text = room;
  AQ_TRY(aq_wire_bytes(wire, field, text, err));
  AQ_FAIL_IF(aq_utf8_valid(text, (size_t)size) != size || memchr(text, 0, (size_t)size) != NULL, AQ_ERR_FORMAT,
             "%s is not UTF-8 without zeros, at byte %llu", what, (unsigned long long)field->begin);
  *out = (const char *)text;
  return AQ_OK;
}
