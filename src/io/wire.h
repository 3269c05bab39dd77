/* wire.h - the wire format of protocol buffers (protobuf.dev/programming-guides/encoding), read by position from a file
 * or from memory.
 *
 * A message is fields one after another: a tag, which is a number and a type of the wire, and a value. What holds more
 * than a number (texts, bytes, messages inside) has its length in front, so that a reader enters it or passes it by.
 * Nothing is believed: a field that would pass the end of the message that holds it is an error that names the byte. */
#ifndef AQ_IO_WIRE_H
#define AQ_IO_WIRE_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/file.h"

typedef struct aq_wire {
  const aq_file *file;   /* NULL: the bytes are in memory, */
  const uint8_t *memory; /* at this place */
  uint64_t size;         /* of the file, or of the memory */
  uint64_t at;           /* of the next byte */
  uint64_t window_at;
  size_t window_size;
  uint8_t window[8192];
} aq_wire;

typedef enum aq_wire_type { AQ_WIRE_VARINT = 0, AQ_WIRE_64 = 1, AQ_WIRE_BYTES = 2, AQ_WIRE_32 = 5 } aq_wire_type;

typedef struct aq_wire_field {
  uint32_t number;
  aq_wire_type type;
  uint64_t value; /* of a number: the varint, or the bits of a fixed one */
  uint64_t begin; /* of AQ_WIRE_BYTES: where the content begins */
  uint64_t end;   /* of the whole field: where the next one begins */
} aq_wire_field;

/* The file or the memory stays where it is. */
void aq_wire_init_file(aq_wire *wire, const aq_file *file);
void aq_wire_init_memory(aq_wire *wire, const uint8_t *memory, size_t size);

/* The field at wire->at of a message that ends at `end`. Afterwards wire->at is anywhere: go on at field->end.
 * AQ_ERR_CORRUPT past the end of the file; AQ_ERR_FORMAT for what no writer makes: a field past the end of its message,
 * a number of more than 64 bits, a tag of no field, a group. */
AQ_MUST_CHECK aq_status aq_wire_next(aq_wire *wire, uint64_t end, aq_wire_field *field, aq_error *err);

/* Fails when a field has another type than the format gives it. `what` is its name. */
AQ_MUST_CHECK aq_status aq_wire_expect(const aq_wire_field *field, aq_wire_type type, const char *what, aq_error *err);

/* A number of the packed numbers in [wire->at, end). */
AQ_MUST_CHECK aq_status aq_wire_varint(aq_wire *wire, uint64_t end, uint64_t *out, aq_error *err);

/* Copies the content of a field of the type AQ_WIRE_BYTES, of which `out` has room for all. */
AQ_MUST_CHECK aq_status aq_wire_bytes(aq_wire *wire, const aq_wire_field *field, uint8_t *out, aq_error *err);

#endif
