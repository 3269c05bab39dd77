/* wire.c - the wire format of protocol buffers, through a small window into a file, or in memory. */
#include "io/wire.h"

#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"

enum { VARINT_BYTES = 10 };

void aq_wire_init_file(aq_wire *wire, const aq_file *file) {
  wire->file = file;
  wire->memory = NULL;
  wire->size = file->size;
  wire->at = wire->window_at = 0;
  wire->window_size = 0;
}

void aq_wire_init_memory(aq_wire *wire, const uint8_t *memory, size_t size) {
  wire->file = NULL;
  wire->memory = memory;
  wire->size = size;
  wire->at = wire->window_at = 0;
  wire->window_size = 0;
}

static aq_status fail_format(const aq_wire *wire, const char *what, aq_error *err) {
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "%s, at byte %llu", what, (unsigned long long)wire->at);
  (void)aq_error_hint(err, status, "The file is damaged: download or write it again");
  return aq_error_at(err, status, (int64_t)wire->at);
}

static aq_status fail_end(const aq_wire *wire, uint64_t end, aq_error *err) {
  if (end < wire->size) return fail_format(wire, "a field is longer than the message that holds it", err);
  const aq_status status =
      aq_fail(err, AQ_ERR_CORRUPT, "the file ends inside a field, at byte %llu", (unsigned long long)wire->size);
  (void)aq_error_hint(err, status, "The file is cut off: download or write it again");
  return aq_error_at(err, status, (int64_t)wire->at);
}

/* `end` is never past the end of the bytes. */
static aq_status read_bytes(aq_wire *wire, uint64_t end, uint8_t *out, size_t size, aq_error *err) {
  if (!aq_range_ok(wire->at, size, end)) return fail_end(wire, end, err);
  if (wire->file == NULL) {
    if (size > 0) memcpy(out, wire->memory + wire->at, size);
    wire->at += size;
    return AQ_OK;
  }
  while (size > 0) {
    const bool in_window = wire->at >= wire->window_at && wire->at - wire->window_at < wire->window_size;
    if (!in_window) {
      wire->window_size = (size_t)AQ_MIN(wire->size - wire->at, (uint64_t)sizeof wire->window);
      wire->window_at = wire->at;
      AQ_TRY(aq_file_read(wire->file, wire->at, wire->window_size, wire->window, err));
    }
    const size_t skip = (size_t)(wire->at - wire->window_at), n = AQ_MIN(size, wire->window_size - skip);
    memcpy(out, wire->window + skip, n);
    out += n;
    size -= n;
    wire->at += n;
  }
  return AQ_OK;
}

aq_status aq_wire_varint(aq_wire *wire, uint64_t end, uint64_t *out, aq_error *err) {
  uint64_t value = 0;
  for (unsigned i = 0; i < VARINT_BYTES; i++) {
    uint8_t byte = 0;
    AQ_TRY(read_bytes(wire, end, &byte, 1, err));
    if (i == VARINT_BYTES - 1 && byte > 1) break;
    value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      *out = value;
      return AQ_OK;
    }
  }
  return fail_format(wire, "a number has more than 64 bits", err);
}

static aq_status read_fixed(aq_wire *wire, uint64_t end, size_t size, uint64_t *out, aq_error *err) {
  uint8_t bytes[8] = {0};
  AQ_TRY(read_bytes(wire, end, bytes, size, err));
  *out = aq_load_u64(bytes);
  return AQ_OK;
}

aq_status aq_wire_next(aq_wire *wire, uint64_t end, aq_wire_field *field, aq_error *err) {
  uint64_t tag, length;
  *field = (aq_wire_field){.number = 0};
  AQ_TRY(aq_wire_varint(wire, end, &tag, err));
  if (tag >> 3 == 0 || tag > UINT32_MAX) return fail_format(wire, "a tag is that of no field", err);
  field->number = (uint32_t)(tag >> 3);
  field->type = (aq_wire_type)(tag & 7);
  switch (field->type) {
    case AQ_WIRE_VARINT:
      AQ_TRY(aq_wire_varint(wire, end, &field->value, err));
      break;
    case AQ_WIRE_64:
      AQ_TRY(read_fixed(wire, end, 8, &field->value, err));
      break;
    case AQ_WIRE_32:
      AQ_TRY(read_fixed(wire, end, 4, &field->value, err));
      break;
    case AQ_WIRE_BYTES:
      AQ_TRY(aq_wire_varint(wire, end, &length, err));
      if (!aq_range_ok(wire->at, length, end)) return fail_end(wire, end, err);
      field->begin = wire->at;
      field->end = wire->at + length;
      return AQ_OK;
    default:
      return fail_format(wire, "a field has a type of the wire that no writer uses any more", err);
  }
  field->end = wire->at;
  return AQ_OK;
}

aq_status aq_wire_expect(const aq_wire_field *field, aq_wire_type type, const char *what, aq_error *err) {
  if (field->type == type) return AQ_OK;
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "%s has type %d of the wire, and not %d, before byte %llu", what,
                                   (int)field->type, (int)type, (unsigned long long)field->end);
  return aq_error_hint(err, status, "The file is damaged: download or write it again");
}

aq_status aq_wire_bytes(aq_wire *wire, const aq_wire_field *field, uint8_t *out, aq_error *err) {
  wire->at = field->begin;
  return read_bytes(wire, field->end, out, (size_t)(field->end - field->begin), err);
}
