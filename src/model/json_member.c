/* json_member.c - members of the JSON objects that describe a tokenizer. */
#include "model/json_member.h"

#include <string.h>

#include "core/error.h"

static const json_t *member(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_null(value) ? NULL : value;
}

aq_status aq_json_bool(const json_t *object, const char *key, bool otherwise, bool *out, aq_error *err) {
  const json_t *value = member(object, key);
  AQ_FAIL_IF(value != NULL && !json_is_boolean(value), AQ_ERR_FORMAT, "'%s' is neither true nor false", key);
  *out = value != NULL ? json_is_true(value) : otherwise;
  return AQ_OK;
}

aq_status aq_json_text(const json_t *object, const char *key, const char *otherwise, const char **out, aq_error *err) {
  const json_t *value = member(object, key);
  AQ_FAIL_IF(value != NULL && !json_is_string(value), AQ_ERR_FORMAT, "'%s' is not a text", key);
  *out = value != NULL ? json_string_value(value) : otherwise;
  return AQ_OK;
}

aq_status aq_json_integer(const json_t *object, const char *key, int64_t otherwise, int64_t *out, aq_error *err) {
  const json_t *value = member(object, key);
  AQ_FAIL_IF(value != NULL && !json_is_integer(value), AQ_ERR_FORMAT, "'%s' is not a whole number", key);
  *out = value != NULL ? json_integer_value(value) : otherwise;
  return AQ_OK;
}

/* The vocabulary's id, or the one given. */
static aq_status choose_id(aq_tokenizer *t, const char *content, const json_t *given, int32_t *id, aq_error *err) {
  const int32_t known = aq_vocab_find(&t->pieces.vocab, content, strlen(content));
  const json_int_t value = given != NULL ? json_integer_value(given) : known;
  AQ_FAIL_IF((given != NULL && !json_is_integer(given)) || value < 0 || value >= AQ_VOCAB_MAX_ID, AQ_ERR_FORMAT,
             "the added token '%.60s' has no proper id", content);
  AQ_FAIL_IF(known >= 0 && known != value, AQ_ERR_FORMAT,
             "the added token '%.60s' has the id %lld, but %d in the vocabulary", content, (long long)value,
             (int)known);
  *id = (int32_t)value;
  return AQ_OK;
}

aq_status aq_json_added_token(aq_tokenizer *tokenizer, const json_t *value, const json_t *id, bool normalized,
                              aq_error *err) {
  aq_added_token token = {.id = 0};
  const char *content = NULL;
  AQ_FAIL_IF(!json_is_object(value), AQ_ERR_FORMAT, "an added token is not an object");
  AQ_TRY(aq_json_text(value, "content", NULL, &content, err));
  AQ_FAIL_IF(content == NULL, AQ_ERR_FORMAT, "an added token has no 'content'");
  if (content[0] == '\0') return AQ_OK;
  AQ_TRY(aq_json_bool(value, "lstrip", false, &token.lstrip, err));
  AQ_TRY(aq_json_bool(value, "rstrip", false, &token.rstrip, err));
  AQ_TRY(aq_json_bool(value, "single_word", false, &token.single_word, err));
  AQ_TRY(aq_json_bool(value, "normalized", normalized, &normalized, err));
  AQ_TRY(choose_id(tokenizer, content, id, &token.id, err));
  return aq_tokenizer_add_token(tokenizer, content, strlen(content), &token, normalized, err);
}
