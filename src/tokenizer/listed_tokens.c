/* listed_tokens.c - the tokens that the files of a tokenizer list with their ids. */
#include "tokenizer/listed_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/json_member.h"

/* Tokens of a list that is searched for every one of another. */
#define LIST_MAX 20000

static aq_status push_token(aq_token_specs *listed, const json_t *value, const char *key, int64_t id, aq_error *err) {
  aq_token_spec spec;
  AQ_FAIL_IF(!json_is_object(value), AQ_ERR_FORMAT, "a token of '%s' is not an object", key);
  AQ_TRY(aq_token_spec_parse(value, key, &spec, err));
  AQ_FAIL_IF(id < 0 || id >= AQ_VOCAB_MAX_ID, AQ_ERR_FORMAT, "the added token '%.60s' of '%s' has no proper id",
             spec.content, key);
  spec.id = id;
  return aq_token_specs_push(listed, &spec, err);
}

/* {"added_tokens_decoder": {"103": {"content": "[MASK]", ...}}} */
static aq_status read_decoder(aq_token_specs *listed, json_t *decoder, aq_error *err) {
  static const char key[] = "added_tokens_decoder";
  const char *number;
  json_t *value;
  AQ_FAIL_IF(!json_is_object(decoder), AQ_ERR_FORMAT, "'%s' is not an object", key);
  json_object_foreach(decoder, number, value) {
    int64_t id = 0;
    const size_t digits = strspn(number, "0123456789");
    const bool padded = digits > 1 && number[0] == '0';
    AQ_FAIL_IF(digits == 0 || digits > 9 || padded || number[digits] != '\0', AQ_ERR_FORMAT,
               "'%s' has '%.20s' in the place of an id", key, number);
    for (size_t i = 0; i < digits; i++) id = id * 10 + (number[i] - '0');
    AQ_TRY(push_token(listed, value, key, id, err));
  }
  return AQ_OK;
}

static int64_t id_of(const json_t *value) { return json_is_integer(value) ? json_integer_value(value) : -1; }

/* {"added_tokens": [{"id": 103, "content": "[MASK]", ...}]} */
aq_status aq_listed_tokens_read_json(aq_token_specs *listed, const json_t *root, aq_error *err) {
  const json_t *tokens = json_object_get(root, "added_tokens");
  size_t i;
  json_t *value;
  AQ_FAIL_IF(tokens != NULL && !json_is_null(tokens) && !json_is_array(tokens), AQ_ERR_FORMAT,
             "'added_tokens' is not an array");
  json_array_foreach(tokens, i, value) {
    AQ_TRY(push_token(listed, value, "added_tokens", id_of(json_object_get(value, "id")), err));
  }
  return AQ_OK;
}

/* The text of a token, unless it is one with flags that tokenizer_config.json itself has: those are no texts yet when
 * added_tokens.json is read. */
static const char *early_text(const json_t *token) {
  if (!json_is_object(token)) return json_string_value(token);
  return json_object_get(token, "__type") == NULL ? json_string_value(json_object_get(token, "content")) : NULL;
}

/* True when the configuration names the text as a special token. */
static bool is_named(const json_t *config, const char *content) {
  const json_t *extra = json_object_get(config, "extra_special_tokens");
  for (size_t i = 0; i < AQ_NAMED_TOKENS; i++) {
    const char *text = early_text(json_object_get(config, aq_named_token_keys[i]));
    if (text != NULL && strcmp(text, content) == 0) return true;
  }
  for (size_t i = 0; i < json_array_size(extra); i++) {
    const char *text = early_text(json_array_get(extra, i));
    if (text != NULL && strcmp(text, content) == 0) return true;
  }
  return false;
}

/* added_tokens.json: {"[MASK]": 103}. Of two with one id that of the tokenizer.json counts, which is in the list. */
static aq_status read_encoder(aq_token_specs *listed, const aq_tokenizer_roots *roots, aq_error *err) {
  static const char file[] = "added_tokens.json";
  const size_t known = listed->count;
  const char *content;
  json_t *value;
  json_object_foreach(roots->added, content, value) {
    const int64_t id = id_of(value);
    aq_token_spec spec = {.content = content, .special = is_named(roots->config, content), .id = id};
    size_t same = 0;
    spec.normalized = !spec.special;
    AQ_FAIL_IF(id < 0 || id >= AQ_VOCAB_MAX_ID, AQ_ERR_FORMAT, "the token '%.60s' of %s has no proper id", content,
               file);
    AQ_FAIL_IF(listed->count > LIST_MAX, AQ_ERR_UNSUPPORTED, "%s has too many tokens", file);
    while (same < known && listed->items[same].id != id) same++;
    if (same == known) AQ_TRY(aq_token_specs_push(listed, &spec, err));
  }
  return AQ_OK;
}

static int compare_ids(const void *a, const void *b) {
  const int64_t x = ((const aq_token_spec *)a)->id, y = ((const aq_token_spec *)b)->id;
  return x < y ? -1 : x > y;
}

static aq_status sort_tokens(aq_token_specs *listed, aq_error *err) {
  if (listed->count > 1) qsort(listed->items, listed->count, sizeof *listed->items, compare_ids);
  for (size_t i = 1; i < listed->count; i++) {
    AQ_FAIL_IF(listed->items[i].id == listed->items[i - 1].id, AQ_ERR_FORMAT,
               "two added tokens have the id %lld; one is '%.60s'", (long long)listed->items[i].id,
               listed->items[i].content);
  }
  return AQ_OK;
}

aq_status aq_listed_tokens_read(aq_token_specs *listed, const aq_tokenizer_roots *roots, aq_error *err) {
  json_t *decoder = json_object_get(roots->config, "added_tokens_decoder");
  if (decoder != NULL) {
    AQ_TRY(read_decoder(listed, decoder, err));
  } else {
    AQ_TRY(aq_listed_tokens_read_json(listed, roots->json, err));
    AQ_TRY(read_encoder(listed, roots, err));
  }
  return sort_tokens(listed, err);
}
