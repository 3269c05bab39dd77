/* gguf_value.c - the types of metadata as a table, and what JSON each becomes.
 *
 * The text is written straight into a buffer and not made as a tree, which would take thirty times the bytes that an
 * array of small numbers has in the file. */
#include "io/gguf/gguf_value.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"

typedef enum value_kind { KIND_UNSIGNED, KIND_SIGNED, KIND_REAL, KIND_BOOL, KIND_STRING, KIND_ARRAY } value_kind;

typedef struct value_type {
  const char *name;
  value_kind kind;
  uint8_t size; /* of a number; of others the bytes that the shortest has */
} value_type;

/* By their numbers in files. */
static const value_type types[] = {
    {"uint8", KIND_UNSIGNED, 1},  {"int8", KIND_SIGNED, 1},  {"uint16", KIND_UNSIGNED, 2}, {"int16", KIND_SIGNED, 2},
    {"uint32", KIND_UNSIGNED, 4}, {"int32", KIND_SIGNED, 4}, {"float32", KIND_REAL, 4},    {"bool", KIND_BOOL, 1},
    {"string", KIND_STRING, 8},   {"array", KIND_ARRAY, 12}, {"uint64", KIND_UNSIGNED, 8}, {"int64", KIND_SIGNED, 8},
    {"float64", KIND_REAL, 8},
};

void aq_gguf_value_reset(aq_gguf_value *value) {
  aq_free(value->scalar);
  *value = (aq_gguf_value){0};
}

/* ---- JSON ---- */

aq_status aq_gguf_json_append(aq_gguf_json *json, const char *text, size_t size, aq_error *err) {
  if (json->is_full || size > AQ_GGUF_JSON_MAX - json->text.size) {
    json->is_full = true;
    return AQ_OK;
  }
  return aq_buffer_append(&json->text, text, size, err);
}

static aq_status append_text(aq_gguf_json *json, const char *text, aq_error *err) {
  return aq_gguf_json_append(json, text, strlen(text), err);
}

static bool needs_escape(uint8_t c) { return c < 0x20 || c == '"' || c == '\\' || c == 0x7f; }

/* A string of UTF-8. */
static aq_status append_quoted(aq_gguf_json *json, const uint8_t *text, size_t size, aq_error *err) {
  AQ_TRY(append_text(json, "\"", err));
  for (size_t i = 0; i < size;) {
    size_t plain = i;
    while (plain < size && !needs_escape(text[plain])) plain++;
    AQ_TRY(aq_gguf_json_append(json, (const char *)text + i, plain - i, err));
    i = plain;
    if (i == size) break;
    char escape[8];
    (void)snprintf(escape, sizeof escape, text[i] == '"' || text[i] == '\\' ? "\\%c" : "\\u%04x", (unsigned)text[i]);
    AQ_TRY(append_text(json, escape, err));
    i++;
  }
  return append_text(json, "\"", err);
}

aq_status aq_gguf_json_string(aq_gguf_json *json, const uint8_t *text, size_t size, aq_error *err) {
  if (size == 0 || aq_utf8_valid(text, size) == size) return append_quoted(json, text, size, err);
  aq_buffer repaired = {0};
  aq_status status = aq_utf8_repair(text, size, &repaired, err);
  if (status == AQ_OK) status = append_quoted(json, repaired.data, repaired.size, err);
  aq_buffer_reset(&repaired);
  json->repaired++;
  return status;
}

/* ---- numbers, as text ---- */

static uint64_t load_unsigned(const uint8_t *bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i > 0; i--) value = value << 8 | bytes[i - 1];
  return value;
}

static int64_t load_signed(const uint8_t *bytes, size_t size) {
  const uint64_t value = load_unsigned(bytes, size), sign = (uint64_t)1 << (8 * size - 1);
  int64_t out;
  const uint64_t extended = (value ^ sign) - sign;
  memcpy(&out, &extended, sizeof out);
  return out;
}

/* jansson writes a number the same in every locale; 9 and 17 digits give FP32 and FP64 back. */
static aq_status write_real(double value, size_t digits, char *out, size_t room, aq_error *err) {
  if (isnan(value) || isinf(value)) {
    (void)snprintf(out, room, "%s", isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    return AQ_OK;
  }
  json_t *number = json_real(value);
  if (number == NULL) return aq_fail_memory(err, sizeof value);
  const size_t size = json_dumpb(number, out, room - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
  json_decref(number);
  out[AQ_MIN(size, room - 1)] = '\0';
  return AQ_OK;
}

static aq_status write_number(const value_type *type, const uint8_t *bytes, char *out, size_t room, aq_error *err) {
  switch (type->kind) {
    case KIND_UNSIGNED:
      (void)snprintf(out, room, "%" PRIu64, load_unsigned(bytes, type->size));
      return AQ_OK;
    case KIND_SIGNED:
      (void)snprintf(out, room, "%" PRId64, load_signed(bytes, type->size));
      return AQ_OK;
    case KIND_BOOL:
      AQ_FAIL_IF(bytes[0] > 1, AQ_ERR_FORMAT, "a boolean is %u, neither 0 nor 1", (unsigned)bytes[0]);
      (void)snprintf(out, room, "%s", bytes[0] != 0 ? "true" : "false");
      return AQ_OK;
    default:
      return type->size == 4 ? write_real((double)aq_load_f32(bytes), 9, out, room, err)
                             : write_real(aq_load_f64(bytes), 17, out, room, err);
  }
}

static bool is_word(const value_type *type, const char *text) {
  return type->kind == KIND_REAL && (text[0] == 'N' || text[0] == 'I' || text[1] == 'I');
}

/* A number as it is in the file, and its text. */
typedef struct value_number {
  uint8_t bytes[8];
  char text[40];
} value_number;

static aq_status read_number(aq_gguf_cursor *cursor, const value_type *type, aq_gguf_json *json, value_number *out,
                             aq_error *err) {
  AQ_TRY(aq_gguf_cursor_read(cursor, out->bytes, type->size, err));
  AQ_TRY(write_number(type, out->bytes, out->text, sizeof out->text, err));
  if (is_word(type, out->text)) return append_quoted(json, (const uint8_t *)out->text, strlen(out->text), err);
  return append_text(json, out->text, err);
}

static int64_t integer_of(const value_type *type, const uint8_t *bytes) {
  if (type->kind == KIND_SIGNED) return AQ_MAX(load_signed(bytes, type->size), -1);
  const uint64_t value = load_unsigned(bytes, type->size);
  return value <= INT64_MAX ? (int64_t)value : -1;
}

/* ---- values ---- */

static aq_status read_type(aq_gguf_cursor *cursor, const value_type **out, aq_error *err) {
  uint32_t number;
  AQ_TRY(aq_gguf_cursor_u32(cursor, &number, err));
  AQ_FAIL_IF(number >= AQ_COUNT_OF(types), AQ_ERR_FORMAT, "type %u is none that GGUF has", (unsigned)number);
  *out = &types[number];
  return AQ_OK;
}

static aq_status read_elements(aq_gguf_cursor *cursor, const value_type *of, uint64_t count, aq_gguf_json *json,
                               aq_buffer *scratch, aq_error *err) {
  value_number element;
  for (uint64_t i = 0; i < count; i++) {
    if (i > 0) AQ_TRY(append_text(json, ",", err));
    if (of->kind == KIND_STRING) {
      AQ_TRY(aq_gguf_cursor_string(cursor, scratch, err));
      AQ_TRY(aq_gguf_json_string(json, scratch->data, scratch->size, err));
    } else {
      AQ_TRY(read_number(cursor, of, json, &element, err));
    }
  }
  return AQ_OK;
}

static aq_status read_array(aq_gguf_cursor *cursor, aq_gguf_json *json, aq_error *err) {
  const value_type *of = NULL;
  uint64_t count;
  aq_buffer scratch = {0};
  AQ_TRY(read_type(cursor, &of, err));
  AQ_FAIL_IF(of->kind == KIND_ARRAY, AQ_ERR_UNSUPPORTED, "it is an array of arrays");
  AQ_TRY(aq_gguf_cursor_u64(cursor, &count, err));
  AQ_TRY(aq_gguf_cursor_expect(cursor, count, of->size, err));
  AQ_TRY(append_text(json, ",\"of\":\"", err));
  AQ_TRY(append_text(json, of->name, err));
  AQ_TRY(append_text(json, "\",\"value\":[", err));
  const aq_status status = read_elements(cursor, of, count, json, &scratch, err);
  aq_buffer_reset(&scratch);
  AQ_TRY(status);
  return append_text(json, "]}", err);
}

static aq_status read_string(aq_gguf_cursor *cursor, aq_gguf_json *json, aq_gguf_value *out, aq_error *err) {
  aq_buffer text = {0};
  aq_status status = aq_gguf_cursor_string(cursor, &text, err);
  if (status == AQ_OK) status = aq_gguf_json_string(json, text.data, text.size, err);
  const bool is_plain =
      text.size == 0 || (aq_utf8_valid(text.data, text.size) == text.size && memchr(text.data, 0, text.size) == NULL);
  if (status == AQ_OK && is_plain) {
    out->scalar = text.size > 0 ? aq_strndup((const char *)text.data, text.size) : aq_strdup("");
    if (out->scalar == NULL) status = aq_fail_memory(err, text.size);
  }
  aq_buffer_reset(&text);
  return status;
}

static aq_status read_scalar(aq_gguf_cursor *cursor, const value_type *type, aq_gguf_json *json, aq_gguf_value *out,
                             aq_error *err) {
  value_number value;
  if (type->kind == KIND_STRING) return read_string(cursor, json, out, err);
  AQ_TRY(read_number(cursor, type, json, &value, err));
  out->is_integer = type->kind == KIND_UNSIGNED || type->kind == KIND_SIGNED;
  if (out->is_integer) out->integer = integer_of(type, value.bytes);
  out->scalar = aq_strdup(value.text);
  return out->scalar != NULL ? AQ_OK : aq_fail_memory(err, sizeof value.text);
}

aq_status aq_gguf_value_read(aq_gguf_cursor *cursor, aq_gguf_json *json, aq_gguf_value *out, aq_error *err) {
  const value_type *type = NULL;
  *out = (aq_gguf_value){0};
  AQ_TRY(read_type(cursor, &type, err));
  out->type = type->name;
  AQ_TRY(append_text(json, "{\"type\":\"", err));
  AQ_TRY(append_text(json, type->name, err));
  AQ_TRY(append_text(json, "\"", err));
  if (type->kind == KIND_ARRAY) return read_array(cursor, json, err);
  AQ_TRY(append_text(json, ",\"value\":", err));
  AQ_TRY(read_scalar(cursor, type, json, out, err));
  return append_text(json, "}", err);
}
