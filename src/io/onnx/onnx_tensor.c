/* onnx_tensor.c - reading a TensorProto (onnx.proto, version 1.23).
 *
 * Its numbers are in raw_data, little-endian; or in a field of their kind, one by one (float_data, int32_data, ...); or
 * in another file. Numbers of fixed size lie there as in raw_data. Those of int32_data, int64_data and uint64_data are
 * varints, which cannot be read from the middle: they become bytes in memory, which is for small tensors. */
#include "io/onnx/onnx_tensor.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"
#include "io/onnx/onnx_fields.h"
#include "tensor/shape.h"

enum { EXTERNAL = 1 }; /* of DataLocation */

#define EXTERNAL_VALUE_MAX ((uint64_t)4096)

/* The data as the message has them, before type and shape are known. */
typedef struct raw_tensor {
  uint32_t field; /* that holds the data; 0: none */
  uint64_t begin, end;
  bool is_external;
  const char *location, *offset, *length; /* external; NULL: not given */
} raw_tensor;

/* ---- fields ---- */

static aq_status add_dim(aq_onnx_tensor *out, uint64_t size, aq_error *err) {
  AQ_FAIL_IF(out->rank == AQ_MAX_RANK, AQ_ERR_UNSUPPORTED, "has more than %d dimensions", AQ_MAX_RANK);
  AQ_FAIL_IF(size > INT64_MAX, AQ_ERR_FORMAT, "dimension %d is negative", (int)out->rank);
  out->shape[out->rank++] = (int64_t)size;
  return AQ_OK;
}

static aq_status read_dims(aq_onnx_reader *reader, const aq_wire_field *field, aq_onnx_tensor *out, aq_error *err) {
  if (field->type == AQ_WIRE_VARINT) return add_dim(out, field->value, err);
  AQ_TRY(aq_wire_expect(field, AQ_WIRE_BYTES, "dims", err));
  for (reader->wire.at = field->begin; reader->wire.at < field->end;) {
    uint64_t size;
    AQ_TRY(aq_wire_varint(&reader->wire, field->end, &size, err));
    AQ_TRY(add_dim(out, size, err));
  }
  return AQ_OK;
}

static aq_status read_external(aq_onnx_reader *reader, const aq_wire_field *entry, raw_tensor *raw, aq_error *err) {
  const char *key = "", *value = "";
  AQ_TRY(aq_wire_expect(entry, AQ_WIRE_BYTES, "external_data", err));
  for (uint64_t at = entry->begin; at < entry->end;) {
    aq_wire_field field;
    reader->wire.at = at;
    AQ_TRY(aq_wire_next(&reader->wire, entry->end, &field, err));
    at = field.end;
    if (field.number != ENTRY_KEY && field.number != ENTRY_VALUE) continue;
    AQ_TRY(aq_onnx_text(&reader->wire, &field, "a text of external_data", EXTERNAL_VALUE_MAX, reader->names,
                        field.number == ENTRY_KEY ? &key : &value, err));
  }
  if (strcmp(key, "location") == 0) raw->location = value;
  if (strcmp(key, "offset") == 0) raw->offset = value;
  if (strcmp(key, "length") == 0) raw->length = value;
  return AQ_OK;
}

static aq_status note_data(const aq_wire_field *field, raw_tensor *raw, aq_error *err) {
  if (raw->field != 0 || field->type != AQ_WIRE_BYTES) {
    const aq_status status = aq_fail(err, AQ_ERR_UNSUPPORTED, "its numbers are in several fields, not in one");
    return aq_error_hint(err, status, "Load the model and save it again with the onnx package");
  }
  raw->field = field->number;
  raw->begin = field->begin;
  raw->end = field->end;
  return AQ_OK;
}

static aq_status read_field(aq_onnx_reader *reader, const aq_wire_field *field, aq_onnx_tensor *out, raw_tensor *raw,
                            aq_error *err) {
  switch (field->number) {
    case TENSOR_DIMS:
      return read_dims(reader, field, out, err);
    case TENSOR_DATA_TYPE:
      out->type_number = field->value;
      return aq_wire_expect(field, AQ_WIRE_VARINT, "data_type", err);
    case TENSOR_SEGMENT:
      return aq_fail(err, AQ_ERR_UNSUPPORTED, "is one segment of a tensor, which is not read");
    case TENSOR_NAME:
      return aq_onnx_text(&reader->wire, field, "the name of a tensor", AQ_ONNX_NAME_MAX, reader->names, &out->name,
                          err);
    case TENSOR_FLOAT_DATA:
    case TENSOR_INT32_DATA:
    case TENSOR_INT64_DATA:
    case TENSOR_RAW_DATA:
    case TENSOR_DOUBLE_DATA:
    case TENSOR_UINT64_DATA:
      return note_data(field, raw, err);
    case TENSOR_EXTERNAL_DATA:
      return read_external(reader, field, raw, err);
    case TENSOR_DATA_LOCATION:
      raw->is_external = field->value == EXTERNAL;
      return aq_wire_expect(field, AQ_WIRE_VARINT, "data_location", err);
    default:
      return AQ_OK;
  }
}

/* ---- data ---- */

static aq_status measure_data(aq_onnx_tensor *out, aq_error *err) {
  char room[32];
  uint64_t bits = 0, as_double;
  out->type = aq_onnx_type_find(out->type_number);
  AQ_FAIL_IF(!aq_shape_count_ok(out->shape, out->rank, &out->count), AQ_ERR_FORMAT,
             "the shape has more elements than can be counted");
  if (out->type == NULL && out->type_number == AQ_ONNX_STRING) return AQ_OK;
  if (out->type == NULL) {
    const aq_status status = aq_fail(err, AQ_ERR_UNSUPPORTED, "is of %s, which is not read",
                                     aq_onnx_type_name(out->type_number, room, sizeof room));
    return aq_error_hint(err, status, "Take the model with weights of another type");
  }
  AQ_FAIL_IF(!aq_mul_ok(out->count, out->type->bits, &bits) || !aq_mul_ok(out->count, sizeof(double), &as_double),
             AQ_ERR_FORMAT, "the shape has more bytes than can be counted");
  out->bytes = aq_div_up(bits, 8);
  return AQ_OK;
}

static aq_status fail_size(const aq_onnx_tensor *out, uint64_t size, aq_error *err) {
  char shape[128];
  const aq_status status = aq_fail(err, AQ_ERR_CORRUPT, "its data have %llu bytes; shape %s of %s needs %llu",
                                   (unsigned long long)size, aq_shape_text(out->shape, out->rank, shape, sizeof shape),
                                   out->type->name, (unsigned long long)out->bytes);
  return aq_error_hint(err, status, "The file is damaged: download or write it again");
}

/* True when a varint is a number of so many bits, signed or not; it is then its lowest ones. */
static bool fits_bits(uint64_t value, uint32_t bits) {
  if (bits == 64) return true;
  const int64_t v = (int64_t)value;
  return v >= -((int64_t)1 << (bits - 1)) && v < (int64_t)1 << bits;
}

/* Numbers of less than a byte are written as the bytes that they are packed into. */
static aq_status unpack_varints(aq_onnx_reader *reader, const raw_tensor *raw, aq_onnx_tensor *out, aq_error *err) {
  const uint32_t bits = AQ_MAX(out->type->bits, 8);
  const uint64_t words = out->bytes / (bits / 8);
  void *room = NULL;
  if (words > raw->end - raw->begin) return fail_size(out, raw->end - raw->begin, err);
  AQ_TRY(aq_onnx_arena_take(reader->values, (size_t)out->bytes + 1, &room, err));
  uint8_t *to = room;
  reader->wire.at = raw->begin;
  for (uint64_t i = 0; i < words; i++) {
    uint64_t value;
    uint8_t bytes[8];
    AQ_TRY(aq_wire_varint(&reader->wire, raw->end, &value, err));
    AQ_FAIL_IF(!fits_bits(value, bits), AQ_ERR_FORMAT, "number %llu does not fit %s", (unsigned long long)i,
               out->type->name);
    aq_store_u64(bytes, value);
    memcpy(to, bytes, bits / 8);
    to += bits / 8;
  }
  AQ_FAIL_IF(reader->wire.at != raw->end, AQ_ERR_CORRUPT, "it has more than the %llu numbers of its shape",
             (unsigned long long)words);
  out->place = (aq_onnx_place){.memory = room};
  return AQ_OK;
}

static aq_status place_own_data(aq_onnx_reader *reader, const raw_tensor *raw, aq_onnx_tensor *out, aq_error *err) {
  const uint64_t size = raw->end - raw->begin;
  const bool is_typed = raw->field != TENSOR_RAW_DATA && raw->field != 0;
  AQ_FAIL_IF(is_typed && raw->field != out->type->field, AQ_ERR_FORMAT, "field %u does not hold numbers of type %s",
             (unsigned)raw->field, out->type->name);
  out->stored_bytes = size;
  if (is_typed && raw->field != TENSOR_FLOAT_DATA && raw->field != TENSOR_DOUBLE_DATA)
    return unpack_varints(reader, raw, out, err);
  if (size != out->bytes) return fail_size(out, size, err);
  out->place = (aq_onnx_place){.begin = raw->begin};
  return AQ_OK;
}

/* A decimal number without a sign; false when it is none or does not fit. */
static bool parse_number(const char *text, uint64_t *out) {
  *out = 0;
  for (const char *p = text; *p != '\0'; p++) {
    if (*p < '0' || *p > '9') return false;
    if (!aq_mul_ok(*out, 10, out) || !aq_add_ok(*out, (uint64_t)(*p - '0'), out)) return false;
  }
  return text[0] != '\0';
}

static aq_status place_external_data(aq_onnx_reader *reader, const raw_tensor *raw, aq_onnx_tensor *out,
                                     aq_error *err) {
  uint64_t offset = 0, length = out->bytes;
  AQ_FAIL_IF(raw->location == NULL, AQ_ERR_FORMAT, "its data are in another file, which is not named");
  const bool are_numbers = (raw->offset == NULL || parse_number(raw->offset, &offset)) &&
                           (raw->length == NULL || parse_number(raw->length, &length));
  AQ_FAIL_IF(!are_numbers, AQ_ERR_FORMAT, "offset or length of its external data is no number of bytes");
  if (length != out->bytes) return fail_size(out, length, err);
  AQ_TRY(aq_onnx_files_open(reader->files, raw->location, &out->place.file, err));
  const uint64_t file_size = reader->files->files[out->place.file].size;
  out->place.begin = offset;
  out->stored_bytes = length;
  if (aq_range_ok(offset, length, file_size)) return AQ_OK;
  const aq_status status =
      aq_fail(err, AQ_ERR_CORRUPT, "its %llu bytes from %llu are past the end of '%.100s', %llu",
              (unsigned long long)length, (unsigned long long)offset, raw->location, (unsigned long long)file_size);
  return aq_error_hint(err, status, "That file is cut off: download or write it again");
}

static aq_status place_data(aq_onnx_reader *reader, const raw_tensor *raw, aq_onnx_tensor *out, aq_error *err) {
  AQ_TRY(measure_data(out, err));
  if (out->type == NULL) return AQ_OK;
  AQ_FAIL_IF(raw->is_external && raw->field != 0, AQ_ERR_FORMAT, "has data both here and in another file");
  if (raw->is_external) return place_external_data(reader, raw, out, err);
  return place_own_data(reader, raw, out, err);
}

aq_status aq_onnx_tensor_read(aq_onnx_reader *reader, uint64_t begin, uint64_t end, aq_onnx_tensor *out,
                              aq_error *err) {
  raw_tensor raw = {.field = 0};
  aq_status status = AQ_OK;
  *out = (aq_onnx_tensor){.name = "", .quantizer = -1, .weight = -1};
  for (uint64_t at = begin; at < end && status == AQ_OK;) {
    aq_wire_field field;
    reader->wire.at = at;
    status = aq_wire_next(&reader->wire, end, &field, err);
    if (status == AQ_OK) status = read_field(reader, &field, out, &raw, err);
    at = field.end;
  }
  if (status == AQ_OK) status = place_data(reader, &raw, out, err);
  return status == AQ_OK || out->name[0] == '\0' ? status : aq_error_in_tensor(err, status, out->name);
}
