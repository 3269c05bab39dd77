/* thrift_read.c - reading the Thrift compact protocol.
 *
 * Specification: "Thrift Compact protocol encoding" (thrift/doc/specs/thrift-compact-protocol.md). What matters here:
 *
 *   field header   dddd tttt            d: id minus the previous id, t: type; d = 0: the id follows as a zigzag varint
 *   bool field     the value is the type: 1 true, 2 false
 *   i16, i32, i64  zigzag varint
 *   binary         varint length, bytes
 *   list, set      ssss tttt            s: count; s = 15: the count follows as a varint
 *   map            varint count; if not 0: kkkk vvvv, then pairs
 *   struct         fields, then a zero byte */
#include "parquet/read/thrift_read.h"

#include "parquet/format.h"

void aq_thrift_init(aq_thrift *t, const void *bytes, size_t size) {
  t->start = t->at = bytes;
  t->end = t->start + size;
  t->problem = NULL;
  t->depth = 0;
}

size_t aq_thrift_used(const aq_thrift *t) { return (size_t)(t->at - t->start); }

static void fail(aq_thrift *t, const char *problem) {
  if (t->problem == NULL) t->problem = problem;
}

static size_t left(const aq_thrift *t) { return (size_t)(t->end - t->at); }

static uint8_t read_byte(aq_thrift *t) {
  if (t->problem == NULL && t->at == t->end) fail(t, "ends in the middle of a value");
  return t->problem == NULL ? *t->at++ : 0;
}

static uint64_t read_varint(aq_thrift *t) {
  uint64_t value = 0;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    const uint8_t byte = read_byte(t);
    value |= (uint64_t)(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return t->problem == NULL ? value : 0;
  }
  fail(t, "has a number of more than 10 bytes");
  return 0;
}

static int64_t read_zigzag(aq_thrift *t) {
  const uint64_t raw = read_varint(t);
  return (int64_t)((raw >> 1) ^ (0 - (raw & 1)));
}

bool aq_thrift_next(aq_thrift *t, aq_thrift_field *field) {
  const uint8_t head = read_byte(t);
  if (t->problem != NULL || head == AQ_TH_STOP) return false;
  field->type = head & 0x0f;
  const int64_t id = (head >> 4) != 0 ? (int64_t)field->id + (head >> 4) : read_zigzag(t);
  if (id < INT16_MIN || id > INT16_MAX) fail(t, "has a field number out of range");
  if (field->type < AQ_TH_TRUE || field->type > AQ_TH_STRUCT) fail(t, "has a field of an unknown type");
  if (t->problem != NULL) return false;
  field->id = (int16_t)id;
  return true;
}

static bool expect(aq_thrift *t, const aq_thrift_field *field, uint8_t type) {
  if (field->type != type) fail(t, "has a field of the wrong type");
  return t->problem == NULL;
}

int64_t aq_thrift_i64(aq_thrift *t, const aq_thrift_field *field) {
  if (field->type == AQ_TH_BYTE) return (int8_t)read_byte(t);
  if (field->type != AQ_TH_I16 && field->type != AQ_TH_I32) expect(t, field, AQ_TH_I64);
  return t->problem == NULL ? read_zigzag(t) : 0;
}

int32_t aq_thrift_i32(aq_thrift *t, const aq_thrift_field *field) {
  const int64_t value = aq_thrift_i64(t, field);
  if (value < INT32_MIN || value > INT32_MAX) fail(t, "has a 32-bit number out of range");
  return t->problem == NULL ? (int32_t)value : 0;
}

bool aq_thrift_bool(aq_thrift *t, const aq_thrift_field *field) {
  if (field->type == AQ_TH_FALSE) return false;
  return expect(t, field, AQ_TH_TRUE);
}

static aq_thrift_text read_text(aq_thrift *t) {
  const uint64_t size = read_varint(t);
  if (size > left(t)) fail(t, "has a text that is longer than what is left");
  if (t->problem != NULL) return (aq_thrift_text){"", 0};
  const aq_thrift_text text = {(const char *)t->at, (size_t)size};
  t->at += size;
  return text;
}

aq_thrift_text aq_thrift_binary(aq_thrift *t, const aq_thrift_field *field) {
  return expect(t, field, AQ_TH_BINARY) ? read_text(t) : (aq_thrift_text){"", 0};
}

bool aq_thrift_enter(aq_thrift *t, const aq_thrift_field *field) {
  if (field != NULL) expect(t, field, AQ_TH_STRUCT);
  if (t->depth >= AQ_THRIFT_MAX_DEPTH) fail(t, "nests too deep");
  if (t->problem != NULL) return false;
  t->depth++;
  return true;
}

void aq_thrift_leave(aq_thrift *t) { t->depth--; }

/* Every element takes at least one byte, so a count above the bytes left is a lie. */
static uint32_t read_list_head(aq_thrift *t, uint8_t *element_type) {
  const uint8_t head = read_byte(t);
  uint64_t count = head >> 4;
  if (count == 15) count = read_varint(t);
  if (count > left(t) || count > INT32_MAX) fail(t, "has a list that is longer than what is left");
  *element_type = head & 0x0f;
  return t->problem == NULL ? (uint32_t)count : 0;
}

uint32_t aq_thrift_list(aq_thrift *t, const aq_thrift_field *field, uint8_t element_type) {
  uint8_t type = 0;
  if (!expect(t, field, AQ_TH_LIST)) return 0;
  const uint32_t count = read_list_head(t, &type);
  if (count != 0 && type != element_type) fail(t, "has a list of the wrong type");
  return t->problem == NULL ? count : 0;
}

static void skip_value(aq_thrift *t, uint8_t type, bool in_list);

static void skip_struct(aq_thrift *t) {
  aq_thrift_field field = {0, 0};
  while (aq_thrift_next(t, &field)) skip_value(t, field.type, false);
}

static void skip_list(aq_thrift *t) {
  uint8_t type = 0;
  const uint32_t count = read_list_head(t, &type);
  for (uint32_t i = 0; i < count && t->problem == NULL; i++) skip_value(t, type, true);
}

static void skip_map(aq_thrift *t) {
  const uint64_t count = read_varint(t);
  if (count == 0) return;
  const uint8_t types = read_byte(t);
  if (count > left(t)) fail(t, "has a map that is longer than what is left");
  for (uint64_t i = 0; i < count && t->problem == NULL; i++) {
    skip_value(t, types >> 4, true);
    skip_value(t, types & 0x0f, true);
  }
}

static void skip_bytes(aq_thrift *t, size_t size) {
  if (t->problem == NULL && size > left(t)) fail(t, "ends in the middle of a value");
  if (t->problem == NULL) t->at += size;
}

/* A bool is a byte of its own in a list or map, and nothing at all in a struct. */
static void skip_value(aq_thrift *t, uint8_t type, bool in_list) {
  if (t->depth >= AQ_THRIFT_MAX_DEPTH) fail(t, "nests too deep");
  if (t->problem != NULL) return;
  t->depth++;
  switch (type) {
    case AQ_TH_TRUE:
    case AQ_TH_FALSE:
      skip_bytes(t, in_list ? 1 : 0);
      break;
    case AQ_TH_BYTE:
      skip_bytes(t, 1);
      break;
    case AQ_TH_I16:
    case AQ_TH_I32:
    case AQ_TH_I64:
      (void)read_varint(t);
      break;
    case AQ_TH_DOUBLE:
      skip_bytes(t, 8);
      break;
    case AQ_TH_BINARY:
      (void)read_text(t);
      break;
    case AQ_TH_LIST:
    case AQ_TH_SET:
      skip_list(t);
      break;
    case AQ_TH_MAP:
      skip_map(t);
      break;
    case AQ_TH_STRUCT:
      skip_struct(t);
      break;
    default:
      fail(t, "has a field of an unknown type");
      break;
  }
  t->depth--;
}

void aq_thrift_skip(aq_thrift *t, const aq_thrift_field *field) { skip_value(t, field->type, false); }
