/* gguf_value.h - one value of the metadata of a GGUF file, as JSON. */
#ifndef AQ_IO_GGUF_GGUF_VALUE_H
#define AQ_IO_GGUF_GGUF_VALUE_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "io/gguf/gguf_cursor.h"

/* Bytes of JSON that are kept: what does not fit is read over. That of a carried file, model_files.h. */
#define AQ_GGUF_JSON_MAX ((size_t)64 << 20)

typedef struct aq_gguf_json {
  aq_buffer text;
  bool is_full;    /* text ended at the limit, and what was appended since is not there */
  size_t repaired; /* strings that are not UTF-8, in which U+FFFD stands for each wrong sequence */
} aq_gguf_json;

typedef struct aq_gguf_value {
  const char *type; /* of a scalar, string or array, as the specification names it */
  char *scalar;     /* of a number, a boolean, or a string of UTF-8 without zeros: its text; owned; else NULL */
  bool is_integer;  /* then it is `integer`, or `integer` is -1 where it is negative or has more than 63 bits */
  int64_t integer;
} aq_gguf_value;

void aq_gguf_value_reset(aq_gguf_value *value);

/* Bytes as JSON, at the end of its text. */
AQ_MUST_CHECK aq_status aq_gguf_json_append(aq_gguf_json *json, const char *text, size_t size, aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_json_string(aq_gguf_json *json, const uint8_t *text, size_t size, aq_error *err);

/* Reads a type (32 bits) and the value after it, and appends {"type":"uint32","value":7}; of an array
 * {"type":"array","of":"string","value":["a","b"]}. A number that JSON has no word for is "NaN", "Infinity" or
 * "-Infinity". AQ_ERR_FORMAT: no such type, or a boolean that is neither 0 nor 1; AQ_ERR_UNSUPPORTED: an array of
 * arrays. The caller resets *out, after a failure too. */
AQ_MUST_CHECK aq_status aq_gguf_value_read(aq_gguf_cursor *cursor, aq_gguf_json *json, aq_gguf_value *out,
                                           aq_error *err);

#endif
