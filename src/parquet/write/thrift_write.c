/* thrift_write.c - the writing half of the Thrift compact protocol.
 *
 * A field is one byte, (id - previous id) << 4 | type, or the type alone and the id as a zigzag number when the
 * difference does not fit 1..15. Numbers are zigzag varints, binaries a varint length and the bytes, a list
 * count << 4 | element type (0xF0 | type and a varint from 15 elements on), a struct ends with a zero byte.
 * Specification: Apache Thrift, doc/specs/thrift-compact-protocol.md. */
#include "parquet/write/thrift_write.h"

#include <string.h>

#include "core/error.h"
#include "parquet/format.h"

static void put(aq_thrift_out *out, const void *bytes, size_t size) {
  if (out->status == AQ_OK) out->status = aq_buffer_append(&out->bytes, bytes, size, out->err);
}

static void put_byte(aq_thrift_out *out, uint8_t byte) { put(out, &byte, 1); }

static void put_varint(aq_thrift_out *out, uint64_t value) {
  uint8_t bytes[10];
  size_t n = 0;
  for (; value >= 0x80; value >>= 7) bytes[n++] = (uint8_t)(value | 0x80);
  bytes[n++] = (uint8_t)value;
  put(out, bytes, n);
}

static void put_zigzag(aq_thrift_out *out, int64_t value) {
  put_varint(out, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

static void put_field(aq_thrift_out *out, int16_t id, int type) {
  const int delta = id - out->last_id[out->depth];
  if (delta >= 1 && delta <= 15) {
    put_byte(out, (uint8_t)(delta << 4 | type));
  } else {
    put_byte(out, (uint8_t)type);
    put_zigzag(out, id);
  }
  out->last_id[out->depth] = id;
}

static void push(aq_thrift_out *out) {
  if (out->depth + 1 >= AQ_THRIFT_OUT_DEPTH) {
    if (out->status == AQ_OK) out->status = aq_fail(out->err, AQ_ERR_INTERNAL, "Thrift structs are nested too deep");
    return;
  }
  out->last_id[++out->depth] = 0;
}

void aq_thrift_out_begin(aq_thrift_out *out, aq_error *err) { *out = (aq_thrift_out){.err = err}; }

aq_status aq_thrift_out_end(aq_thrift_out *out) {
  put_byte(out, AQ_TH_STOP);
  if (out->status != AQ_OK) aq_buffer_reset(&out->bytes);
  return out->status;
}

void aq_thrift_put_i16(aq_thrift_out *out, int16_t id, int16_t value) {
  put_field(out, id, AQ_TH_I16);
  put_zigzag(out, value);
}

void aq_thrift_put_i32(aq_thrift_out *out, int16_t id, int32_t value) {
  put_field(out, id, AQ_TH_I32);
  put_zigzag(out, value);
}

void aq_thrift_put_i64(aq_thrift_out *out, int16_t id, int64_t value) {
  put_field(out, id, AQ_TH_I64);
  put_zigzag(out, value);
}

void aq_thrift_put_binary(aq_thrift_out *out, int16_t id, const void *bytes, size_t size) {
  put_field(out, id, AQ_TH_BINARY);
  put_varint(out, size);
  put(out, bytes, size);
}

void aq_thrift_put_string(aq_thrift_out *out, int16_t id, const char *text) {
  aq_thrift_put_binary(out, id, text, strlen(text));
}

void aq_thrift_put_struct_begin(aq_thrift_out *out, int16_t id) {
  put_field(out, id, AQ_TH_STRUCT);
  push(out);
}

void aq_thrift_put_struct_end(aq_thrift_out *out) {
  put_byte(out, AQ_TH_STOP);
  if (out->depth > 0) out->depth--;
}

void aq_thrift_put_list(aq_thrift_out *out, int16_t id, int element_type, size_t count) {
  put_field(out, id, AQ_TH_LIST);
  if (count < 15) {
    put_byte(out, (uint8_t)(count << 4 | (size_t)element_type));
  } else {
    put_byte(out, (uint8_t)(0xF0 | element_type));
    put_varint(out, count);
  }
}

void aq_thrift_put_element_i32(aq_thrift_out *out, int32_t value) { put_zigzag(out, value); }

void aq_thrift_put_element_string(aq_thrift_out *out, const char *text) {
  const size_t size = strlen(text);
  put_varint(out, size);
  put(out, text, size);
}

void aq_thrift_put_element_begin(aq_thrift_out *out) { push(out); }
