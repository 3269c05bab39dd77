/* onnx_wire.h - the wire format of protocol buffers (protobuf.dev/programming-guides/encoding), read by position.
 *
 * A message is fields one after another: a tag, which is a number and a type of the wire, and a value. What holds more
 * than a number (texts, bytes, messages inside) has its length in front, so that a reader enters it or passes it by.
 * Nothing is believed: a field that would pass the end of the message that holds it is an error that names the byte. */
#ifndef AQ_IO_ONNX_ONNX_WIRE_H
#define AQ_IO_ONNX_ONNX_WIRE_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/file.h"
#include "io/onnx/onnx_arena.h"

typedef struct aq_onnx_wire {
  const aq_file *file;
  uint64_t at; /* of the next byte */
  uint64_t window_at;
  size_t window_size;
  uint8_t window[8192];
} aq_onnx_wire;

typedef enum aq_onnx_wire_type {
  AQ_WIRE_VARINT = 0,
  AQ_WIRE_64 = 1,
  AQ_WIRE_BYTES = 2,
  AQ_WIRE_32 = 5
} aq_onnx_wire_type;

typedef struct aq_onnx_field {
  uint32_t number;
  aq_onnx_wire_type type;
  uint64_t value; /* of a number: the varint, or the bits of a fixed one */
  uint64_t begin; /* of AQ_WIRE_BYTES: where the content begins */
  uint64_t end;   /* of the whole field: where the next one begins */
} aq_onnx_field;

void aq_onnx_wire_init(aq_onnx_wire *wire, const aq_file *file);

/* The field at wire->at of a message that ends at `end`. Afterwards wire->at is anywhere: go on at field->end.
 * AQ_ERR_CORRUPT past the end of the file; AQ_ERR_FORMAT for what no writer makes: a field past the end of its message,
 * a number of more than 64 bits, a tag of no field, a group. */
AQ_MUST_CHECK aq_status aq_onnx_wire_next(aq_onnx_wire *wire, uint64_t end, aq_onnx_field *field, aq_error *err);

/* Fails when a field has another type than the format gives it. `what` is its name. */
AQ_MUST_CHECK aq_status aq_onnx_wire_expect(const aq_onnx_field *field, aq_onnx_wire_type type, const char *what,
                                            aq_error *err);

/* A number of the packed numbers in [wire->at, end). */
AQ_MUST_CHECK aq_status aq_onnx_wire_varint(aq_onnx_wire *wire, uint64_t end, uint64_t *out, aq_error *err);

/* The content of a field as text with a zero after its end: at most `limit` bytes of UTF-8 without zeros. */
AQ_MUST_CHECK aq_status aq_onnx_wire_text(aq_onnx_wire *wire, const aq_onnx_field *field, const char *what,
                                          uint64_t limit, aq_onnx_arena *arena, const char **out, aq_error *err);

/* Limit of a name, as the one of tensors in other formats. */
#define AQ_ONNX_NAME_MAX ((uint64_t)65535)

#endif
