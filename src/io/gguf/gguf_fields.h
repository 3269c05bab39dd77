/* gguf_fields.h - values of the metadata by their keys, with their types checked.
 *
 * Arrays are not kept when a header is read; they are read again from the file, when they are asked for. */
#ifndef AQ_IO_GGUF_GGUF_FIELDS_H
#define AQ_IO_GGUF_GGUF_FIELDS_H

#include <jansson.h>
#include <stdbool.h>

#include "core/file.h"
#include "io/gguf/gguf_metadata.h"

enum { AQ_GGUF_KEY_SIZE = 192 };

typedef struct aq_gguf_fields {
  const aq_file *file;
  const aq_gguf_metadata *metadata;
} aq_gguf_fields;

/* A key that is missing leaves *out as it is and is AQ_OK; one of another type is AQ_ERR_FORMAT and named. Texts are
 * the metadata's. */
bool aq_gguf_field_is_there(const aq_gguf_fields *fields, const char *key);
AQ_MUST_CHECK aq_status aq_gguf_field_text(const aq_gguf_fields *fields, const char *key, const char **out,
                                           aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_field_bool(const aq_gguf_fields *fields, const char *key, bool *out, aq_error *err);
/* An integer of 0 to 2^31 - 1. */
AQ_MUST_CHECK aq_status aq_gguf_field_count(const aq_gguf_fields *fields, const char *key, int64_t *out, aq_error *err);
/* A finite number. */
AQ_MUST_CHECK aq_status aq_gguf_field_real(const aq_gguf_fields *fields, const char *key, double *out, aq_error *err);

/* Texts one behind another, each with a zero after its end. aq_gguf_strings_reset frees. */
typedef struct aq_gguf_strings {
  aq_buffer text;
  size_t *at; /* where each begins */
  size_t count;
} aq_gguf_strings;

void aq_gguf_strings_reset(aq_gguf_strings *strings);
static inline const char *aq_gguf_string(const aq_gguf_strings *strings, size_t i) {
  return (const char *)strings->text.data + strings->at[i];
}

/* Texts are UTF-8 without zeros, else AQ_ERR_FORMAT. The caller resets *out, after a failure too. */
AQ_MUST_CHECK aq_status aq_gguf_field_strings(const aq_gguf_fields *fields, const char *key, aq_gguf_strings *out,
                                              aq_error *err);
/* An array of int32 or uint32, or of float32, of `count` values, as new memory; AQ_ERR_FORMAT when it has more or
 * fewer.
 */
AQ_MUST_CHECK aq_status aq_gguf_field_ints(const aq_gguf_fields *fields, const char *key, size_t count, int32_t **out,
                                           aq_error *err);
AQ_MUST_CHECK aq_status aq_gguf_field_floats(const aq_gguf_fields *fields, const char *key, size_t count, float **out,
                                             aq_error *err);

#endif
