/* token_specs.c - added and special tokens as the files of a tokenizer describe them. */
#include "tokenizer/token_specs.h"

#include <math.h>
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"

#define MOST_EXTRA_IDS 1000

void aq_token_specs_reset(aq_token_specs *specs) {
  aq_free(specs->items);
  *specs = (aq_token_specs){NULL, 0, 0};
}

aq_status aq_token_specs_push(aq_token_specs *specs, const aq_token_spec *spec, aq_error *err) {
  if (specs->count == specs->capacity) {
    const size_t capacity = AQ_MAX(specs->capacity * 2, (size_t)16);
    aq_token_spec *items = aq_realloc_array(specs->items, capacity, sizeof *items);
    if (items == NULL) return aq_fail_memory(err, capacity * sizeof *items);
    specs->items = items;
    specs->capacity = capacity;
  }
  specs->items[specs->count++] = *spec;
  return AQ_OK;
}

/* A member that is not one of a token's is an error to the reference as well. */
static aq_status check_members(const json_t *value, const char *key, aq_error *err) {
  static const char *const known[] = {"content",    "lstrip",  "rstrip", "single_word",
                                      "normalized", "special", "__type", "id"};
  const char *name;
  json_t *member;
  json_object_foreach((json_t *)(uintptr_t)value, name, member) {
    size_t i = 0;
    while (i < AQ_COUNT_OF(known) && strcmp(name, known[i]) != 0) i++;
    AQ_FAIL_IF(i == AQ_COUNT_OF(known), AQ_ERR_UNSUPPORTED, "a token of '%s' has a member '%.60s', which is not known",
               key, name);
  }
  return AQ_OK;
}

aq_status aq_token_spec_parse(const json_t *value, const char *key, aq_token_spec *out, aq_error *err) {
  *out = (aq_token_spec){.content = json_string_value(value), .special = true, .is_text = true, .id = -1};
  if (out->content != NULL) return AQ_OK;
  AQ_FAIL_IF(!json_is_object(value), AQ_ERR_FORMAT, "'%s' is not a text, and not an object of a token", key);
  out->is_text = false;
  AQ_TRY(check_members(value, key, err));
  AQ_TRY(aq_json_text(value, "content", NULL, &out->content, err));
  AQ_FAIL_IF(out->content == NULL, AQ_ERR_FORMAT, "a token of '%s' has no 'content'", key);
  AQ_TRY(aq_json_bool(value, "lstrip", false, &out->lstrip, err));
  AQ_TRY(aq_json_bool(value, "rstrip", false, &out->rstrip, err));
  AQ_TRY(aq_json_bool(value, "single_word", false, &out->single_word, err));
  AQ_TRY(aq_json_bool(value, "special", false, &out->special, err));
  const json_t *normalized = json_object_get(value, "normalized");
  out->implied = normalized == NULL || json_is_null(normalized);
  return aq_json_bool(value, "normalized", !out->special, &out->normalized, err);
}

aq_status aq_extra_ids_read(const json_t *config, int64_t *count, aq_error *err) {
  static const char key[] = "extra_ids";
  const json_t *number = json_object_get(config, key);
  *count = 100;
  AQ_FAIL_IF(number != NULL && !aq_whole_ok(json_is_number(number) ? json_number_value(number) : NAN, 31, count),
             AQ_ERR_FORMAT, "'%s' is not a whole number", key);
  AQ_FAIL_IF(*count < 0 || *count > MOST_EXTRA_IDS, AQ_ERR_UNSUPPORTED, "'%s' is %lld; 0 to %d are possible", key,
             (long long)*count, MOST_EXTRA_IDS);
  return AQ_OK;
}
