/* prompts.c - {"prompts": {"query": "query: ", ...}, "default_prompt_name": "query"}; both may be missing or null. */
#include "model/prompts.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/model_files.h"

static const char file_name[] = "config_sentence_transformers.json";

void aq_prompts_reset(aq_prompts *prompts) {
  json_decref(prompts->root);
  prompts->root = NULL;
}

static aq_status check(json_t *root, aq_error *err) {
  json_t *all = json_object_get(root, "prompts"), *words;
  const json_t *usual = json_object_get(root, "default_prompt_name");
  const char *name;
  AQ_FAIL_IF(all != NULL && !json_is_null(all) && !json_is_object(all), AQ_ERR_FORMAT, "'prompts' is not an object");
  AQ_FAIL_IF(usual != NULL && !json_is_null(usual) && !json_is_string(usual), AQ_ERR_FORMAT,
             "'default_prompt_name' is not a text");
  json_object_foreach(all, name, words) {
    AQ_FAIL_IF(!json_is_string(words) && !json_is_null(words), AQ_ERR_FORMAT, "the prompt '%.60s' is not a text", name);
  }
  return AQ_OK;
}

aq_status aq_prompts_read(const aq_source *source, const char *folder, aq_prompts *out, aq_error *err) {
  char *text;
  size_t size;
  *out = (aq_prompts){.root = NULL};
  AQ_TRY(aq_model_file_read(source, folder, file_name, &text, &size, err));
  if (text == NULL) return AQ_OK;
  aq_status status = aq_json_parse_reals(text, size, &out->root, err);
  aq_free(text);
  if (status == AQ_OK) status = check(out->root, err);
  if (status == AQ_OK) return AQ_OK;
  aq_prompts_reset(out);
  return aq_error_in_file(err, status, file_name);
}

static aq_status fail_unknown(json_t *all, const char *wanted, aq_error *err) {
  char known[200] = "none";
  size_t used = 0;
  json_t *words;
  const char *name;
  json_object_foreach(all, name, words) {
    if (used < sizeof known) {
      used += (size_t)snprintf(known + used, sizeof known - used, "%s%.60s", used > 0 ? ", " : "", name);
    }
  }
  return aq_fail(err, AQ_ERR_ARGUMENT, "the model has no prompt named '%.60s'; it has %s", wanted, known);
}

aq_status aq_prompts_find(const aq_prompts *prompts, const char *name, const char **out, aq_error *err) {
  json_t *all = json_object_get(prompts->root, "prompts");
  const char *key = name != NULL ? name : json_string_value(json_object_get(prompts->root, "default_prompt_name"));
  json_t *words = key != NULL ? json_object_get(all, key) : NULL;
  *out = json_is_string(words) ? json_string_value(words) : "";
  if (key == NULL || words != NULL) return AQ_OK;
  if (name != NULL) return fail_unknown(all, name, err);
  if (strcmp(key, "query") == 0 || strcmp(key, "document") == 0) return AQ_OK; /* every model has these, empty */
  (void)aq_fail(err, AQ_ERR_FORMAT, "'default_prompt_name' is '%.60s', which is none of the 'prompts'", key);
  return aq_error_in_file(err, AQ_ERR_FORMAT, file_name);
}
