/* config_keys.c - looking a file's keys up in the table.
 *
 * The rule for keys that the table does not have is the reference's: transformers keeps them in the configuration and
 * nothing reads them, sentence-transformers passes those of a module to its constructor, which fails. What is passed
 * over is said, so that a key that a later version reads does not go by unseen. */
#include "model/config_keys.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"

typedef enum treatment { HONOURED, REFUSED, NO_EFFECT } treatment;

static const struct row {
  aq_key_file file;
  const char *key;
  treatment treatment;
  const char *neutral; /* JSON, or NULL */
} rows[] = {
#define KEY(file, key, treatment, neutral, why) {AQ_KEYS_##file, key, treatment, neutral},
#include "model/config_keys.inc"
#include "model/decoder_keys.inc"
#undef KEY
};

static const struct row *find_row(aq_key_file file, const char *key) {
  for (size_t i = 0; i < AQ_COUNT_OF(rows); i++) {
    if (rows[i].file == file && strcmp(rows[i].key, key) == 0) return &rows[i];
  }
  return NULL;
}

static bool is_neutral(const json_t *value, const char *neutral) {
  if (json_is_null(value)) return true;
  if (neutral == NULL) return false;
  if (strcmp(neutral, "false") == 0) return json_is_false(value);
  if (strcmp(neutral, "true") == 0) return json_is_true(value);
  if (strcmp(neutral, "{}") == 0) {
    return (json_is_object(value) || json_is_array(value)) && json_object_size(value) + json_array_size(value) == 0;
  }
  const char *text = json_string_value(value);
  const size_t length = strlen(neutral) - 2; /* without the quotes */
  return text != NULL && strlen(text) == length && strncmp(text, neutral + 1, length) == 0;
}

/* The value in words short enough for a message. */
static const char *value_words(const json_t *value, char *out, size_t size) {
  static const char *const kinds[] = {"an object", "a list", "a text", "a number", "a number", "true", "false", "null"};
  if (json_is_string(value)) {
    (void)snprintf(out, size, "'%.64s'", json_string_value(value));
  } else if (json_is_integer(value)) {
    (void)snprintf(out, size, "%lld", (long long)json_integer_value(value));
  } else {
    (void)snprintf(out, size, "%s", kinds[json_typeof(value)]);
  }
  return out;
}

static aq_status fail_refused(const struct row *row, const json_t *value, aq_error *err) {
  char words[80];
  (void)value_words(value, words, sizeof words);
  const bool absent = row->neutral == NULL || strcmp(row->neutral, "{}") == 0;
  return aq_fail(err, AQ_ERR_UNSUPPORTED, "'%s' is %s; what can be run is %s", row->key, words,
                 absent ? "a model without it" : row->neutral);
}

/* "'a', 'b'", as far as there is room. */
static void append_name(char *list, size_t size, const char *key) {
  const size_t used = strlen(list);
  if (used < size) (void)snprintf(list + used, size - used, "%s'%.60s'", used > 0 ? ", " : "", key);
}

aq_status aq_config_keys_check(const json_t *object, aq_key_file keys, const char *file, aq_unknown_keys unknown,
                               aq_notes *notes, aq_error *err) {
  char passed[300] = "";
  size_t count = 0;
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    const struct row *row = find_row(keys, key);
    AQ_FAIL_IF(row == NULL && unknown == AQ_UNKNOWN_REFUSED, AQ_ERR_UNSUPPORTED,
               "'%.60s' is no key that sentence-transformers knows there", key);
    if (row == NULL) append_name(passed, sizeof passed, key);
    count += row == NULL ? 1 : 0;
    if (row != NULL && row->treatment == REFUSED && !is_neutral(value, row->neutral)) {
      return fail_refused(row, value, err);
    }
  }
  if (count == 0) return AQ_OK;
  return aq_notes_add(notes, err, "%s: not known, and passed over: %s", file, passed);
}
