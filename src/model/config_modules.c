/* config_modules.c - modules that can be run: Transformer and Pooling, or StaticEmbedding, then any number of Dense,
 * LayerNorm, Normalize and Dropout.
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
#include "model/config_dense.h"
#include "model/config_keys.h"
#include "model/config_pooling.h"

/* ---- configurations ---- */

/* Right behind the pooling it is part of that. */
static aq_status parse_normalize(const json_t *root, const aq_module *module, aq_model_config *out, aq_error *err) {
  (void)root;
  (void)module;
  (void)err;
  if (out->module_count == 0) {
    out->normalize = true;
  } else {
    out->modules[out->module_count++] =
        (aq_module_spec){.kind = AQ_MODULE_NORMALIZE, .in = out->width, .out = out->width};
  }
  return AQ_OK;
}

static aq_status parse_dropout(const json_t *root, const aq_module *module, aq_model_config *out, aq_error *err) {
  (void)root;
  (void)module;
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
  /* NULL: the encoder */
  aq_status (*parse)(const json_t *root, const aq_module *module, aq_model_config *out, aq_error *err);
} kinds[] = {{"Transformer", AQ_KEYS_MODULES, AQ_UNKNOWN_NOTED, false, NULL},
             {"Pooling", AQ_KEYS_POOLING, AQ_UNKNOWN_REFUSED, true, aq_pooling_parse},
             {"Dense", AQ_KEYS_DENSE, AQ_UNKNOWN_NOTED, true, aq_dense_parse},
             {"LayerNorm", AQ_KEYS_LAYER_NORM, AQ_UNKNOWN_REFUSED, true, aq_layer_norm_parse},
             {"Normalize", AQ_KEYS_NORMALIZE, AQ_UNKNOWN_NOTED, false, parse_normalize},
             {"Dropout", AQ_KEYS_DROPOUT, AQ_UNKNOWN_REFUSED, false, parse_dropout},
             {"StaticEmbedding", AQ_KEYS_MODULES, AQ_UNKNOWN_NOTED, false, NULL}};
enum { TRANSFORMER = 0, POOLING = 1, STATIC = 6 }; /* in `kinds` */

/* What may stand at a place: the encoder and its pooling, or static embeddings, which are pooled, then the rest. */
static bool fits_place(size_t kind, size_t at, bool is_static) {
  if (at == 0) return kind == (is_static ? STATIC : TRANSFORMER);
  if (at == 1 && !is_static) return kind == POOLING;
  return kind > POOLING && kind < STATIC;
}

static aq_status find_kind(const aq_module *module, size_t at, bool is_static, size_t *out, aq_error *err) {
  const char *name = aq_module_class(module);
  size_t i = 0;
  AQ_FAIL_IF(strncmp(module->type, AQ_MODULE_PACKAGE, strlen(AQ_MODULE_PACKAGE)) != 0, AQ_ERR_UNSUPPORTED,
             "module %zu is '%.100s', which is code of the model's own; what can be run are modules of "
             "sentence_transformers",
             at, module->type);
  while (i < AQ_COUNT_OF(kinds) && strcmp(kinds[i].name, name) != 0) i++;
  AQ_FAIL_IF(
      !fits_place(i, at, is_static), AQ_ERR_UNSUPPORTED,
      "module %zu is '%.64s'; what can be run is Transformer, Pooling and, if need be, Dense, LayerNorm, Normalize "
      "and Dropout%s",
      at, name, is_static ? ", or StaticEmbedding without a Pooling" : "");
  *out = i;
  return AQ_OK;
}

static aq_status parse_module_config(const aq_config_texts *texts, const aq_module *module, size_t at,
                                     const struct kind *kind, const char *file, aq_model_config *out, aq_error *err) {
  json_t *root;
  aq_status status = aq_json_parse_object(texts->module[at], texts->module_size[at], 0, &root, err);
  if (status == AQ_OK) status = aq_config_keys_check(root, kind->keys, file, kind->unknown, texts->notes, err);
  if (status == AQ_OK) status = kind->parse(root, module, out, err);
  json_decref(root);
  return status;
}

static aq_status parse_module(const aq_config_texts *texts, const aq_module *module, size_t at, aq_model_config *out,
                              aq_error *err) {
  size_t k = 0;
  AQ_TRY(aq_config_keys_check(module->json, AQ_KEYS_MODULES, AQ_MODULE_LIST_NAME, AQ_UNKNOWN_NOTED, texts->notes, err));
  AQ_TRY(find_kind(module, at, out->arch->is_static, &k, err));
  const struct kind *kind = &kinds[k];
  if (kind->parse == NULL) return AQ_OK;
  if (texts->module[at] == NULL) {
    AQ_FAIL_IF(kind->needs_config, AQ_ERR_NOT_FOUND, "module %zu is %s, but '%.100s' has no config.json", at,
               kind->name, module->path);
    return kind->parse(NULL, module, out, err);
  }
  char file[200];
  (void)snprintf(file, sizeof file, "%.180s/config.json", module->path);
  const aq_status status = parse_module_config(texts, module, at, kind, file, out, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, file);
}

static aq_status check_names(const aq_module_list *list, bool is_static, aq_error *err) {
  for (size_t i = 1; i < list->count; i++) {
    for (size_t k = 0; k < i; k++) {
      AQ_FAIL_IF(strcmp(list->modules[i].name, list->modules[k].name) == 0, AQ_ERR_UNSUPPORTED,
                 "modules %zu and %zu have the same 'name', '%.64s': the second would take the place of the first", k,
                 i, list->modules[i].name);
    }
  }
  AQ_FAIL_IF(list->count < 2 && !is_static, AQ_ERR_UNSUPPORTED,
             "there is no module after the first; a Pooling makes the embedding");
  return AQ_OK;
}

aq_status aq_modules_parse(const aq_config_texts *texts, aq_model_config *out, aq_error *err) {
  aq_module_list list;
  AQ_TRY(aq_module_list_parse(texts->modules, texts->modules_size, &list, err));
  aq_status status = AQ_OK;
  for (size_t i = 0; i < list.count && status == AQ_OK; i++) {
    status = parse_module(texts, &list.modules[i], i, out, err);
  }
  if (status == AQ_OK) status = check_names(&list, out->arch->is_static, err);
  aq_module_list_reset(&list);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, AQ_MODULE_LIST_NAME);
}
