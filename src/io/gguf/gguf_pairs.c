/* gguf_pairs.c - typed values of JSON to bytes. The JSON may come from a table that was changed by hand. */
#include "io/gguf/gguf_pairs.h"

#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"

typedef enum value_kind { KIND_NUMBER, KIND_REAL, KIND_BOOL, KIND_STRING } value_kind;

typedef struct value_type {
  const char *name; /* NULL: arrays, which are no elements */
  value_kind kind;
  uint8_t size; /* of a number */
  int64_t least, most;
} value_type;

/* By their numbers in files. A uint64 beyond int64 is not in JSON as an integer. */
static const value_type types[] = {
    {"uint8", KIND_NUMBER, 1, 0, UINT8_MAX},           {"int8", KIND_NUMBER, 1, INT8_MIN, INT8_MAX},
    {"uint16", KIND_NUMBER, 2, 0, UINT16_MAX},         {"int16", KIND_NUMBER, 2, INT16_MIN, INT16_MAX},
    {"uint32", KIND_NUMBER, 4, 0, UINT32_MAX},         {"int32", KIND_NUMBER, 4, INT32_MIN, INT32_MAX},
    {.name = "float32", .kind = KIND_REAL, .size = 4}, {.name = "bool", .kind = KIND_BOOL, .size = 1},
    {.name = "string", .kind = KIND_STRING},           {.name = NULL},
    {"uint64", KIND_NUMBER, 8, 0, INT64_MAX},          {"int64", KIND_NUMBER, 8, INT64_MIN, INT64_MAX},
    {.name = "float64", .kind = KIND_REAL, .size = 8},
};
enum { ARRAY = 9 };

static aq_status append_number(uint64_t value, size_t size, aq_buffer *out, aq_error *err) {
  uint8_t bytes[8];
  aq_store_u64(bytes, value);
  return aq_buffer_append(out, bytes, size, err);
}

aq_status aq_gguf_string_write(const char *text, size_t size, aq_buffer *out, aq_error *err) {
  AQ_TRY(append_number(size, 8, out, err));
  return aq_buffer_append(out, text, size, err);
}

/* ---- values ---- */

static aq_status write_integer(const json_t *value, const value_type *type, aq_buffer *out, aq_error *err) {
  const int64_t n = json_integer_value(value);
  AQ_FAIL_IF(!json_is_integer(value) || n < type->least || n > type->most, AQ_ERR_FORMAT, "a value is no %s",
             type->name);
  return append_number((uint64_t)n, type->size, out, err);
}

static bool read_real(const json_t *value, double *out) {
  static const struct {
    const char *word;
    double value;
  } words[] = {{"NaN", (double)NAN}, {"Infinity", (double)INFINITY}, {"-Infinity", (double)-INFINITY}};
  const char *text = json_string_value(value);
  for (size_t i = 0; text != NULL && i < AQ_COUNT_OF(words); i++) {
    if (strcmp(text, words[i].word) != 0) continue;
    *out = words[i].value;
    return true;
  }
  *out = json_number_value(value);
  return json_is_number(value);
}

static aq_status write_real(const json_t *value, const value_type *type, aq_buffer *out, aq_error *err) {
  double x;
  AQ_FAIL_IF(!read_real(value, &x), AQ_ERR_FORMAT, "a value is no %s", type->name);
  if (type->size == 4) return append_number(aq_f32_bits((float)x), 4, out, err);
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return append_number(bits, 8, out, err);
}

static aq_status write_value(const json_t *value, const value_type *type, aq_buffer *out, aq_error *err) {
  switch (type->kind) {
    case KIND_NUMBER:
      return write_integer(value, type, out, err);
    case KIND_REAL:
      return write_real(value, type, out, err);
    case KIND_BOOL:
      AQ_FAIL_IF(!json_is_boolean(value), AQ_ERR_FORMAT, "a value is no bool");
      return append_number(json_is_true(value), 1, out, err);
    case KIND_STRING:
      AQ_FAIL_IF(!json_is_string(value), AQ_ERR_FORMAT, "a value is no string");
      return aq_gguf_string_write(json_string_value(value), json_string_length(value), out, err);
  }
  return AQ_OK;
}

/* ---- pairs ---- */

static aq_status find_type(const json_t *name, uint32_t *out, aq_error *err) {
  const char *text = json_string_value(name);
  for (uint32_t i = 0; text != NULL && i < AQ_COUNT_OF(types); i++) {
    if (types[i].name == NULL || strcmp(text, types[i].name) != 0) continue;
    *out = i;
    return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_FORMAT, "its type is '%.40s', which GGUF has not", text != NULL ? text : "");
}

static aq_status write_array(const json_t *pair, aq_buffer *out, aq_error *err) {
  const json_t *values = json_object_get(pair, "value");
  uint32_t of = 0;
  AQ_FAIL_IF(!json_is_array(values), AQ_ERR_FORMAT, "its value is no array");
  AQ_TRY(find_type(json_object_get(pair, "of"), &of, err));
  AQ_TRY(append_number(ARRAY, 4, out, err));
  AQ_TRY(append_number(of, 4, out, err));
  AQ_TRY(append_number(json_array_size(values), 8, out, err));
  for (size_t i = 0; i < json_array_size(values); i++) {
    AQ_TRY(write_value(json_array_get(values, i), &types[of], out, err));
  }
  return AQ_OK;
}

static aq_status write_pair(const char *key, const json_t *pair, aq_buffer *out, aq_error *err) {
  const json_t *name = json_object_get(pair, "type");
  const char *text = json_string_value(name);
  uint32_t type = 0;
  AQ_TRY(aq_gguf_string_write(key, strlen(key), out, err));
  if (text != NULL && strcmp(text, "array") == 0) return write_array(pair, out, err);
  AQ_TRY(find_type(name, &type, err));
  AQ_TRY(append_number(type, 4, out, err));
  return write_value(json_object_get(pair, "value"), &types[type], out, err);
}

aq_status aq_gguf_pairs_write(const json_t *pairs, aq_buffer *out, uint64_t *count, aq_error *err) {
  const char *key;
  json_t *pair;
  json_object_foreach((json_t *)pairs, key, pair) {
    aq_error found;
    const aq_status status = write_pair(key, pair, out, &found);
    if (status == AQ_ERR_FORMAT) return aq_fail(err, status, "metadata key '%.100s': %.300s", key, found.message);
    if (status != AQ_OK) return aq_fail_memory(err, out->size);
    ++*count;
  }
  return AQ_OK;
}
