/* parse_json.h - a JSON value from a text of a test, with ' for ". */
#ifndef AQ_TESTS_PARSE_JSON_H
#define AQ_TESTS_PARSE_JSON_H

#include <jansson.h>

#include "check.h"

static inline json_t *parse_json(const char *text) {
  char plain[1024];
  size_t size = strlen(text);
  assert_true(size < sizeof plain);
  for (size_t i = 0; i < size; i++) plain[i] = text[i] == '\'' ? '"' : text[i];
  json_t *value = json_loadb(plain, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  if (value == NULL) fail_msg("no JSON: %s", text);
  return value;
}

#endif
