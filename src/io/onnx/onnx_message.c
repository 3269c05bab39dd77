/* onnx_message.c - writing the wire format of protocol buffers. */
#include "io/onnx/onnx_message.h"

#include <string.h>

#include "core/bytes.h"
#include "core/error.h"
#include "io/wire.h"

static aq_status append_varint(aq_buffer *message, uint64_t value, aq_error *err) {
  while (value >= 0x80) {
    AQ_TRY(aq_buffer_append_byte(message, (uint8_t)(value | 0x80), err));
    value >>= 7;
  }
  return aq_buffer_append_byte(message, (uint8_t)value, err);
}

static aq_status append_tag(aq_buffer *message, uint32_t field, aq_wire_type type, aq_error *err) {
  return append_varint(message, (uint64_t)field << 3 | (uint64_t)type, err);
}

aq_status aq_onnx_put_number(aq_buffer *message, uint32_t field, int64_t value, aq_error *err) {
  AQ_TRY(append_tag(message, field, AQ_WIRE_VARINT, err));
  return append_varint(message, (uint64_t)value, err);
}

aq_status aq_onnx_put_float(aq_buffer *message, uint32_t field, float value, aq_error *err) {
  uint8_t bytes[4];
  aq_store_u32(bytes, aq_f32_bits(value));
  AQ_TRY(append_tag(message, field, AQ_WIRE_32, err));
  return aq_buffer_append(message, bytes, sizeof bytes, err);
}

aq_status aq_onnx_put_head(aq_buffer *message, uint32_t field, uint64_t size, aq_error *err) {
  AQ_TRY(append_tag(message, field, AQ_WIRE_BYTES, err));
  return append_varint(message, size, err);
}

aq_status aq_onnx_put_bytes(aq_buffer *message, uint32_t field, const void *bytes, size_t size, aq_error *err) {
  AQ_TRY(aq_onnx_put_head(message, field, size, err));
  return aq_buffer_append(message, bytes, size, err);
}

aq_status aq_onnx_put_text(aq_buffer *message, uint32_t field, const char *text, aq_error *err) {
  return aq_onnx_put_bytes(message, field, text, strlen(text), err);
}

aq_status aq_onnx_put_message(aq_buffer *message, uint32_t field, aq_buffer *inside, aq_error *err) {
  const aq_status status = aq_onnx_put_bytes(message, field, inside->data, inside->size, err);
  aq_buffer_reset(inside);
  return status;
}
