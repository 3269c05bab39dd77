/* gguf_fields.c - values of the metadata by their keys. */
#include "io/gguf/gguf_fields.h"

#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"

static const aq_gguf_pair *find_pair(const aq_gguf_fields *fields, const char *key) {
  const int64_t i = aq_strmap_get(&fields->metadata->keys, key);
  return i >= 0 ? &fields->metadata->pairs[i] : NULL;
}

bool aq_gguf_field_is_there(const aq_gguf_fields *fields, const char *key) { return find_pair(fields, key) != NULL; }

static aq_status fail_type(const aq_gguf_pair *pair, const char *expected, aq_error *err) {
  return aq_fail(err, AQ_ERR_FORMAT, "metadata key '%.100s' is %s %.60s and must be %s", pair->key, pair->type,
                 pair->value != NULL ? pair->value : "", expected);
}

/* ---- scalars ---- */

aq_status aq_gguf_field_text(const aq_gguf_fields *fields, const char *key, const char **out, aq_error *err) {
  const aq_gguf_pair *pair = find_pair(fields, key);
  if (pair == NULL) return AQ_OK;
  if (strcmp(pair->type, "string") != 0 || pair->value == NULL) return fail_type(pair, "a text", err);
  *out = pair->value;
  return AQ_OK;
}

aq_status aq_gguf_field_bool(const aq_gguf_fields *fields, const char *key, bool *out, aq_error *err) {
  const aq_gguf_pair *pair = find_pair(fields, key);
  if (pair == NULL) return AQ_OK;
  if (strcmp(pair->type, "bool") != 0) return fail_type(pair, "a boolean", err);
  *out = strcmp(pair->value, "true") == 0;
  return AQ_OK;
}

/* The text of a number is JSON, but for those that are not finite. */
static bool parse_number(const aq_gguf_pair *pair, json_t **out) {
  const bool is_other = strcmp(pair->type, "string") == 0 || strcmp(pair->type, "bool") == 0;
  *out = is_other || pair->value == NULL ? NULL : json_loads(pair->value, JSON_DECODE_ANY, NULL);
  return *out != NULL && json_is_number(*out);
}

aq_status aq_gguf_field_count(const aq_gguf_fields *fields, const char *key, int64_t *out, aq_error *err) {
  const aq_gguf_pair *pair = find_pair(fields, key);
  json_t *number;
  if (pair == NULL) return AQ_OK;
  const bool is_number = parse_number(pair, &number);
  const json_int_t value = is_number && json_is_integer(number) ? json_integer_value(number) : -1;
  json_decref(number);
  if (value < 0 || value > INT32_MAX) return fail_type(pair, "a whole number from 0 to 2147483647", err);
  *out = value;
  return AQ_OK;
}

aq_status aq_gguf_field_real(const aq_gguf_fields *fields, const char *key, double *out, aq_error *err) {
  const aq_gguf_pair *pair = find_pair(fields, key);
  json_t *number;
  if (pair == NULL) return AQ_OK;
  const bool is_number = parse_number(pair, &number);
  const double value = is_number ? json_number_value(number) : 0;
  json_decref(number);
  if (!is_number || !isfinite(value)) return fail_type(pair, "a number", err);
  *out = value;
  return AQ_OK;
}

/* ---- arrays ---- */

void aq_gguf_strings_reset(aq_gguf_strings *strings) {
  aq_buffer_reset(&strings->text);
  aq_free(strings->at);
  *strings = (aq_gguf_strings){.at = NULL};
}

/* Numbers of types in files, as in gguf_value.c. */
enum { TYPE_U32 = 4, TYPE_I32 = 5, TYPE_F32 = 6, TYPE_STRING = 8, TYPE_ARRAY = 9 };

/* Goes to the first element of an array; *of is the type of its elements. The header was read before, so that its
 * counts are within the file. */
static aq_status open_array(const aq_gguf_fields *fields, const aq_gguf_pair *pair, aq_gguf_cursor *cursor,
                            uint32_t *of, uint64_t *count, aq_error *err) {
  uint32_t type;
  aq_gguf_cursor_init(cursor, fields->file, fields->file->size);
  cursor->at = pair->begin;
  AQ_TRY(aq_gguf_cursor_u32(cursor, &type, err));
  if (type != TYPE_ARRAY) return fail_type(pair, "an array", err);
  AQ_TRY(aq_gguf_cursor_u32(cursor, of, err));
  AQ_TRY(aq_gguf_cursor_u64(cursor, count, err));
  return aq_gguf_cursor_expect(cursor, *count, *of == TYPE_STRING ? 8 : 4, err);
}

static aq_status read_string(aq_gguf_cursor *cursor, const char *key, size_t i, aq_buffer *scratch,
                             aq_gguf_strings *out, aq_error *err) {
  AQ_TRY(aq_gguf_cursor_string(cursor, scratch, err));
  const bool is_text = scratch->size == 0 || (aq_utf8_valid(scratch->data, scratch->size) == scratch->size &&
                                              memchr(scratch->data, 0, scratch->size) == NULL);
  AQ_FAIL_IF(!is_text, AQ_ERR_FORMAT, "metadata key '%.100s': text %zu is not UTF-8 without zeros", key, i);
  out->at[i] = out->text.size;
  if (scratch->size > 0) AQ_TRY(aq_buffer_append(&out->text, scratch->data, scratch->size, err));
  return aq_buffer_append_byte(&out->text, 0, err);
}

static aq_status read_strings(aq_gguf_cursor *cursor, const aq_gguf_fields *fields, const aq_gguf_pair *pair,
                              aq_gguf_strings *out, aq_error *err) {
  uint32_t of;
  uint64_t count;
  size_t n;
  aq_buffer scratch = {0};
  AQ_TRY(open_array(fields, pair, cursor, &of, &count, err));
  AQ_FAIL_IF(of != TYPE_STRING, AQ_ERR_FORMAT, "metadata key '%.100s' is no array of texts", pair->key);
  AQ_FAIL_IF(count == 0, AQ_ERR_FORMAT, "metadata key '%.100s' is an empty array", pair->key);
  out->at = aq_to_size_ok(count, &n) ? aq_realloc_array(NULL, n, sizeof *out->at) : NULL;
  if (out->at == NULL) return aq_fail_memory(err, (size_t)count);
  aq_status status = AQ_OK;
  for (size_t i = 0; i < n && status == AQ_OK; i++) {
    status = read_string(cursor, pair->key, i, &scratch, out, err);
    if (status == AQ_OK) out->count++;
  }
  aq_buffer_reset(&scratch);
  return status;
}

static aq_status read_numbers(aq_gguf_cursor *cursor, const aq_gguf_fields *fields, const aq_gguf_pair *pair,
                              bool is_real, size_t expected, uint32_t *out, aq_error *err) {
  uint32_t of;
  uint64_t count;
  AQ_TRY(open_array(fields, pair, cursor, &of, &count, err));
  const bool fits = is_real ? of == TYPE_F32 : of == TYPE_U32 || of == TYPE_I32;
  AQ_FAIL_IF(!fits, AQ_ERR_FORMAT, "metadata key '%.100s' is no array of %s", pair->key,
             is_real ? "float32" : "int32 or uint32");
  AQ_FAIL_IF(count != expected, AQ_ERR_FORMAT, "metadata key '%.100s' has %llu values for %zu tokens", pair->key,
             (unsigned long long)count, expected);
  for (size_t i = 0; i < expected; i++) AQ_TRY(aq_gguf_cursor_u32(cursor, &out[i], err));
  return AQ_OK;
}

aq_status aq_gguf_field_strings(const aq_gguf_fields *fields, const char *key, aq_gguf_strings *out, aq_error *err) {
  const aq_gguf_pair *pair = find_pair(fields, key);
  *out = (aq_gguf_strings){.at = NULL};
  if (pair == NULL) return AQ_OK;
  aq_gguf_cursor *cursor = aq_malloc(sizeof *cursor);
  if (cursor == NULL) return aq_fail_memory(err, sizeof *cursor);
  const aq_status status = read_strings(cursor, fields, pair, out, err);
  aq_free(cursor);
  return status;
}

static aq_status read_words(const aq_gguf_fields *fields, const char *key, bool is_real, size_t count, uint32_t **out,
                            aq_error *err) {
  const aq_gguf_pair *pair = find_pair(fields, key);
  *out = NULL;
  if (pair == NULL) return AQ_OK;
  aq_gguf_cursor *cursor = aq_malloc(sizeof *cursor);
  uint32_t *words = aq_realloc_array(NULL, count, sizeof *words);
  aq_status status = cursor != NULL && words != NULL ? AQ_OK : aq_fail_memory(err, count * sizeof *words);
  if (status == AQ_OK) status = read_numbers(cursor, fields, pair, is_real, count, words, err);
  aq_free(cursor);
  if (status == AQ_OK) {
    *out = words;
  } else {
    aq_free(words);
  }
  return status;
}

aq_status aq_gguf_field_ints(const aq_gguf_fields *fields, const char *key, size_t count, int32_t **out,
                             aq_error *err) {
  uint32_t *words;
  AQ_TRY(read_words(fields, key, false, count, &words, err));
  *out = (int32_t *)(void *)words;
  return AQ_OK;
}

aq_status aq_gguf_field_floats(const aq_gguf_fields *fields, const char *key, size_t count, float **out,
                               aq_error *err) {
  uint32_t *words;
  *out = NULL;
  AQ_TRY(read_words(fields, key, true, count, &words, err));
  if (words == NULL) return AQ_OK;
  float *values = aq_realloc_array(NULL, count, sizeof *values);
  for (size_t i = 0; values != NULL && i < count; i++) memcpy(&values[i], &words[i], sizeof *values);
  aq_free(words);
  *out = values;
  return values != NULL ? AQ_OK : aq_fail_memory(err, count * sizeof *values);
}
