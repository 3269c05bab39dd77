/* config_modules.c - modules that can be run: Transformer, Pooling, then any number of Normalize and Dropout, in this
 * order.
 *
 * sentence-transformers imports a module by its whole type, so one of another package is another class, whatever its
 * name ends with. */
#include "model/config_modules.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "io/module_list.h"
#include "model/config_keys.h"

static const char package[] = "sentence_transformers.";

/* ---- configurations ---- */

/* One flag a mode, or (since sentence-transformers 5.2) the mode by its name. */
static const struct mode {
  const char *flag, *name;
  int pooling; /* -1: cannot be run */
} modes[] = {{"pooling_mode_mean_tokens", "mean", AQ_POOL_MEAN},
             {"pooling_mode_cls_token", "cls", AQ_POOL_CLS},
             {"pooling_mode_max_tokens", "max", -1},
             {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", -1},
             {"pooling_mode_weightedmean_tokens", "weightedmean", -1},
             {"pooling_mode_lasttoken", "lasttoken", -1}};

/* The mode that is named: by itself, or in a list of one. */
static aq_status named_mode(const json_t *named, const struct mode **out, aq_error *err) {
  if (json_array_size(named) == 1) named = json_array_get(named, 0);
  AQ_FAIL_IF(json_is_array(named), AQ_ERR_UNSUPPORTED,
             "'pooling_mode' is a list of %zu; what can be run is mean or cls alone", json_array_size(named));
  const char *name = json_string_value(named);
  AQ_FAIL_IF(name == NULL, AQ_ERR_FORMAT, "'pooling_mode' is not a text");
  *out = NULL;
  for (size_t i = 0; i < AQ_COUNT_OF(modes); i++) {
    if (strcmp(modes[i].name, name) == 0) *out = &modes[i];
  }
  AQ_FAIL_IF(*out == NULL || (*out)->pooling < 0, AQ_ERR_UNSUPPORTED,
             "'pooling_mode' is '%.64s'; what can be run is mean or cls", name);
  return AQ_OK;
}

/* The one flag that is set; without any it is the mean. */
static aq_status flagged_mode(const json_t *root, const struct mode **out, aq_error *err) {
  *out = NULL;
  for (size_t i = 0; i < AQ_COUNT_OF(modes); i++) {
    bool on;
    AQ_TRY(aq_json_bool(root, modes[i].flag, false, &on, err));
    if (!on) continue;
    AQ_FAIL_IF(*out != NULL, AQ_ERR_UNSUPPORTED, "pooling joins '%s' and '%s'; what can be run is mean or cls alone",
               (*out)->flag, modes[i].flag);
    *out = &modes[i];
  }
  if (*out == NULL) *out = &modes[0];
  AQ_FAIL_IF((*out)->pooling < 0, AQ_ERR_UNSUPPORTED, "'%s' is true; what can be run is mean or cls", (*out)->flag);
  return AQ_OK;
}

static aq_status parse_pooling(const json_t *root, aq_model_config *out, aq_error *err) {
  const json_t *named = json_object_get(root, "pooling_mode");
  const struct mode *mode = &modes[0];
  const json_t *include = json_object_get(root, "include_prompt");
  AQ_TRY(named != NULL ? named_mode(named, &mode, err) : flagged_mode(root, &mode, err));
  AQ_FAIL_IF(include != NULL && !json_is_boolean(include) && !json_is_null(include), AQ_ERR_FORMAT,
             "'include_prompt' is neither true nor false");
  out->pooling = (aq_pooling)mode->pooling;
  out->skips_prompt = include != NULL && !json_is_true(include); /* null is as good as false to the reference */
  return AQ_OK;
}

static aq_status parse_normalize(const json_t *root, aq_model_config *out, aq_error *err) {
  (void)root;
  (void)err;
  out->normalize = true;
  return AQ_OK;
}

static aq_status parse_dropout(const json_t *root, aq_model_config *out, aq_error *err) {
  (void)root;
  (void)out;
  (void)err;
  return AQ_OK;
}

/* ---- modules ---- */

static const struct kind {
  const char *name;
  aq_key_file keys;
  aq_unknown_keys unknown;
  bool needs_config;
  aq_status (*parse)(const json_t *root, aq_model_config *out, aq_error *err); /* NULL: the encoder */
} kinds[] = {{"Transformer", AQ_KEYS_MODULES, AQ_UNKNOWN_NOTED, false, NULL},
             {"Pooling", AQ_KEYS_POOLING, AQ_UNKNOWN_REFUSED, true, parse_pooling},
             {"Normalize", AQ_KEYS_NORMALIZE, AQ_UNKNOWN_NOTED, false, parse_normalize},
             {"Dropout", AQ_KEYS_DROPOUT, AQ_UNKNOWN_REFUSED, false, parse_dropout}};

/* What may stand at a place: the encoder, the pooling, then the rest. */
static bool fits_place(size_t kind, size_t at) { return at < 2 ? kind == at : kind >= 2 && kind < AQ_COUNT_OF(kinds); }

static aq_status find_kind(const aq_module *module, size_t at, size_t *out, aq_error *err) {
  const char *dot = strrchr(module->type, '.'), *name = dot != NULL ? dot + 1 : module->type;
  size_t i = 0;
  AQ_FAIL_IF(strncmp(module->type, package, sizeof package - 1) != 0, AQ_ERR_UNSUPPORTED,
             "module %zu is '%.100s', which is code of the model's own; what can be run are modules of "
             "sentence_transformers",
             at, module->type);
  while (i < AQ_COUNT_OF(kinds) && strcmp(kinds[i].name, name) != 0) i++;
  AQ_FAIL_IF(!fits_place(i, at), AQ_ERR_UNSUPPORTED,
             "module %zu is '%.64s'; what can be run is Transformer, Pooling and, if need be, Normalize and Dropout",
             at, name);
  *out = i;
  return AQ_OK;
}

static aq_status parse_module_config(const aq_config_texts *texts, size_t at, const struct kind *kind, const char *file,
                                     aq_model_config *out, aq_error *err) {
  json_t *root;
  aq_status status = aq_json_parse_object(texts->module[at], texts->module_size[at], 0, &root, err);
  if (status == AQ_OK) status = aq_config_keys_check(root, kind->keys, file, kind->unknown, texts->notes, err);
  if (status == AQ_OK) status = kind->parse(root, out, err);
  json_decref(root);
  return status;
}

static aq_status parse_module(const aq_config_texts *texts, const aq_module *module, size_t at, aq_model_config *out,
                              aq_error *err) {
  size_t k = 0;
  AQ_TRY(aq_config_keys_check(module->json, AQ_KEYS_MODULES, AQ_MODULE_LIST_NAME, AQ_UNKNOWN_NOTED, texts->notes, err));
  AQ_TRY(find_kind(module, at, &k, err));
  const struct kind *kind = &kinds[k];
  if (kind->parse == NULL) return AQ_OK;
  if (texts->module[at] == NULL) {
    AQ_FAIL_IF(kind->needs_config, AQ_ERR_NOT_FOUND, "module %zu is %s, but '%.100s' has no config.json", at,
               kind->name, module->path);
    return kind->parse(NULL, out, err);
  }
  char file[200];
  (void)snprintf(file, sizeof file, "%.180s/config.json", module->path);
  const aq_status status = parse_module_config(texts, at, kind, file, out, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, file);
}

static aq_status check_names(const aq_module_list *list, aq_error *err) {
  for (size_t i = 1; i < list->count; i++) {
    for (size_t k = 0; k < i; k++) {
      AQ_FAIL_IF(strcmp(list->modules[i].name, list->modules[k].name) == 0, AQ_ERR_UNSUPPORTED,
                 "modules %zu and %zu have the same 'name', '%.64s': the second would take the place of the first", k,
                 i, list->modules[i].name);
    }
  }
  AQ_FAIL_IF(list->count < 2, AQ_ERR_UNSUPPORTED, "there is no module after the first; a Pooling makes the embedding");
  return AQ_OK;
}

aq_status aq_modules_parse(const aq_config_texts *texts, aq_model_config *out, aq_error *err) {
  aq_module_list list;
  AQ_TRY(aq_module_list_parse(texts->modules, texts->modules_size, &list, err));
  aq_status status = AQ_OK;
  for (size_t i = 0; i < list.count && status == AQ_OK; i++) {
    status = parse_module(texts, &list.modules[i], i, out, err);
  }
  if (status == AQ_OK) status = check_names(&list, err);
  aq_module_list_reset(&list);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, AQ_MODULE_LIST_NAME);
}
