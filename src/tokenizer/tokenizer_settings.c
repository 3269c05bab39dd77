/* tokenizer_settings.c - tokenizer_config.json with the older files that join it, as transformers joins them. */
#include "tokenizer/tokenizer_settings.h"

#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "tokenizer/tokenizer_keys.h"

#define LIST_MAX 1000 /* tokens of a list that is joined with another */

static aq_status parse_text(const aq_named_text *text, bool reals, json_t **root, aq_error *err) {
  if (text->text == NULL) return AQ_OK;
  const aq_status status = reals ? aq_json_parse_reals(text->text, text->size, root, err)
                                 : aq_json_parse_object(text->text, text->size, 0, root, err);
  return status == AQ_OK || text->path == NULL ? status : aq_error_in_file(err, status, text->path);
}

/* A token of special_tokens_map.json is a special one, however the file describes it. */
static aq_status mark_special(json_t *value, aq_error *err) {
  if (!json_is_object(value)) return AQ_OK;
  return json_object_set_new(value, "special", json_true()) == 0 ? AQ_OK : aq_fail(err, AQ_ERR_MEMORY, "out of memory");
}

/* The list of both files, one after the other; a token that is there is not put there again. */
static aq_status join_lists(json_t *list, const json_t *more, aq_error *err) {
  AQ_FAIL_IF(json_array_size(list) > LIST_MAX || json_array_size(more) > LIST_MAX, AQ_ERR_UNSUPPORTED,
             "'extra_special_tokens' has more than %d tokens", LIST_MAX);
  for (size_t i = 0; i < json_array_size(more); i++) {
    json_t *token = json_array_get(more, i);
    bool there = false;
    for (size_t k = 0; k < json_array_size(list) && !there; k++)
      there = json_equal(json_array_get(list, k), token) == 1;
    if (!there && json_array_append(list, token) != 0) return aq_fail(err, AQ_ERR_MEMORY, "out of memory");
  }
  return AQ_OK;
}

static aq_status join_member(json_t *config, const char *key, json_t *value, aq_error *err) {
  json_t *own = json_object_get(config, key);
  if (strcmp(key, "extra_special_tokens") == 0 && json_is_array(value)) {
    for (size_t i = 0; i < json_array_size(value); i++) AQ_TRY(mark_special(json_array_get(value, i), err));
    if (json_is_array(own)) return join_lists(own, value, err);
  } else if (strcmp(key, "extra_special_tokens") != 0) {
    AQ_TRY(mark_special(value, err));
  }
  return json_object_set(config, key, value) == 0 ? AQ_OK : aq_fail(err, AQ_ERR_MEMORY, "out of memory");
}

static aq_status join_special(json_t *config, json_t *special, aq_error *err) {
  const char *key;
  json_t *value;
  AQ_TRY(aq_tokenizer_keys_check(AQ_TOKENIZER_KEYS_CONFIG, special, err));
  json_object_foreach(special, key, value) { AQ_TRY(join_member(config, key, value, err)); }
  return AQ_OK;
}

static aq_status join_older(const aq_tokenizer_files *files, aq_tokenizer_roots *roots, aq_error *err) {
  const aq_named_text *special = &files->texts[AQ_TEXT_SPECIAL];
  json_t *map = NULL;
  AQ_TRY(parse_text(&files->texts[AQ_TEXT_ADDED], false, &roots->added, err));
  AQ_TRY(parse_text(special, true, &map, err));
  if (map == NULL) return AQ_OK;
  if (roots->config == NULL) roots->config = json_object();
  aq_status status = roots->config != NULL ? AQ_OK : aq_fail(err, AQ_ERR_MEMORY, "out of memory");
  if (status == AQ_OK) status = join_special(roots->config, map, err);
  json_decref(map);
  return status == AQ_OK || special->path == NULL ? status : aq_error_in_file(err, status, special->path);
}

/* The older name of a key. */
static aq_status rename_extra(json_t *config, aq_error *err) {
  json_t *older = json_object_get(config, "additional_special_tokens");
  if (older == NULL || aq_json_is_set(json_object_get(config, "extra_special_tokens"))) return AQ_OK;
  if (json_object_set(config, "extra_special_tokens", older) != 0) return aq_fail(err, AQ_ERR_MEMORY, "out of memory");
  (void)json_object_del(config, "additional_special_tokens");
  return AQ_OK;
}

aq_status aq_tokenizer_settings_parse(const aq_tokenizer_files *files, aq_tokenizer_roots *roots, aq_error *err) {
  const aq_named_text *config = &files->texts[AQ_TEXT_CONFIG];
  AQ_TRY(parse_text(&files->texts[AQ_TEXT_MODEL], true, &roots->model, err));
  AQ_TRY(parse_text(config, true, &roots->config, err)); /* model_max_length is often 10^30, for none */
  const aq_status status = aq_tokenizer_keys_check(AQ_TOKENIZER_KEYS_CONFIG, roots->config, err);
  if (status != AQ_OK) return config->path == NULL ? status : aq_error_in_file(err, status, config->path);
  AQ_TRY(rename_extra(roots->config, err));
  return json_object_get(roots->config, "added_tokens_decoder") != NULL ? AQ_OK : join_older(files, roots, err);
}
