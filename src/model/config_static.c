/* config_static.c - how static embeddings are run. The sizes are those of the table: no file is sure to say them.
 *
 * model2vec 0.10 drops unknown tokens, takes the first 512 tokens of a text (max_length) and normalizes where the
 * configuration says so. StaticEmbedding does none of it, and goes by the truncation of the tokenizer.json. */
#include "model/config_static.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "io/module_list.h"
#include "io/source.h"
#include "model/config_keys.h"
#include "model/config_numbers.h"
#include "model/tensor_find.h"

#define WIDEST 16384
#define MOST_ROWS (UINT32_C(1) << 24)
#define USUAL_TOKENS 512 /* of model2vec */

static const char config_json[] = "config.json";

/* NULL when the text is missing or wrong: who parses it for its own sake says what is wrong. */
static json_t *parse_quietly(const char *text, size_t size) {
  json_t *root = NULL;
  return text != NULL && aq_json_parse_python(text, size, &root, NULL) == AQ_OK ? root : NULL;
}

static bool is_model2vec(const aq_config_texts *texts) {
  json_t *root = parse_quietly(texts->config, texts->config_size);
  const char *type = json_string_value(json_object_get(root, "model_type"));
  const bool is = type != NULL && strcmp(type, aq_arch_model2vec.model_type) == 0;
  json_decref(root);
  return is;
}

static bool is_module(const aq_module *module, const char *name) {
  return strncmp(module->type, AQ_MODULE_PACKAGE, strlen(AQ_MODULE_PACKAGE)) == 0 &&
         strcmp(aq_module_class(module), name) == 0;
}

static bool begins_static(const aq_config_texts *texts) {
  aq_module_list list;
  if (texts->modules == NULL || aq_module_list_parse(texts->modules, texts->modules_size, &list, NULL) != AQ_OK) {
    return false;
  }
  const bool is = is_module(&list.modules[0], aq_arch_static_embedding.model_type);
  aq_module_list_reset(&list);
  return is;
}

bool aq_config_is_static(const aq_config_texts *texts) { return is_model2vec(texts) || begins_static(texts); }

/* ---- the table ---- */

aq_status aq_static_table_find(const aq_source *source, aq_config_texts *texts, aq_error *err) {
  static const struct {
    const aq_arch *arch;
    const char *name;
  } tables[] = {{&aq_arch_static_embedding, "embedding.weight"}, {&aq_arch_model2vec, "embeddings"}};
  aq_tensor_finder finder;
  size_t i = 0;
  aq_status status = aq_tensor_finder_init(&finder, source, tables[i].name, err);
  if (status == AQ_ERR_NOT_FOUND) status = aq_tensor_finder_init(&finder, source, tables[++i].name, err);
  AQ_TRY(status);
  char full[sizeof finder.prefix + 32];
  (void)snprintf(full, sizeof full, "%s%s", finder.prefix, tables[i].name);
  const aq_tensor_info *info = aq_source_tensor(source, (size_t)aq_source_find(source, full));
  const bool is_table = info->rank == 2 && info->shape[0] >= 1 && info->shape[1] >= 1;
  const bool fits = is_table && info->shape[0] <= MOST_ROWS && info->shape[1] <= WIDEST;
  if (!fits) {
    status = aq_fail(err, is_table ? AQ_ERR_UNSUPPORTED : AQ_ERR_FORMAT,
                     "is no table of 1 to %u rows of 1 to %d values, as static embeddings are", MOST_ROWS, WIDEST);
    return aq_error_in_tensor(err, status, full);
  }
  texts->table = tables[i].arch;
  texts->table_rows = (uint32_t)info->shape[0];
  texts->table_width = (uint32_t)info->shape[1];
  return AQ_OK;
}

/* ---- config.json of model2vec ---- */

/* What sentence-transformers would run; model2vec itself writes a Normalize there, or nothing. */
static aq_status check_modules(const aq_config_texts *texts, bool normalizes, aq_error *err) {
  aq_module_list list;
  if (texts->modules == NULL) return AQ_OK;
  AQ_TRY(aq_module_list_parse(texts->modules, texts->modules_size, &list, err));
  bool agrees = (list.count > 1) == normalizes;
  for (size_t i = 1; i < list.count; i++) agrees = agrees && is_module(&list.modules[i], "Normalize");
  aq_module_list_reset(&list);
  if (agrees) return AQ_OK;
  const aq_status status = aq_fail(err, AQ_ERR_UNSUPPORTED,
                                   "its modules are not what config.json says ('normalize' is %s), so that model2vec "
                                   "and sentence-transformers make different vectors",
                                   normalizes ? "true" : "false");
  return aq_error_in_file(err, status, AQ_MODULE_LIST_NAME);
}

/* A limit of null is none. */
static aq_status read_limit(const json_t *root, aq_model_config *out, aq_error *err) {
  static const char key[] = "max_length";
  const json_t *value = json_object_get(root, key);
  out->position_limit = out->max_tokens = AQ_STATIC_UNLIMITED;
  if (json_is_null(value)) return AQ_OK;
  return aq_config_count_or(root, key, 1, AQ_STATIC_UNLIMITED - 1, USUAL_TOKENS, &out->max_tokens, err);
}

static aq_status parse_model2vec(const json_t *root, const aq_config_texts *texts, aq_model_config *out,
                                 aq_error *err) {
  AQ_TRY(aq_config_keys_check(root, AQ_KEYS_MODEL2VEC, config_json, AQ_UNKNOWN_NOTED, texts->notes, err));
  AQ_TRY(aq_json_bool(root, "normalize", false, &out->normalize, err));
  out->drops_unknown = true;
  return read_limit(root, out, err);
}

aq_status aq_static_config_parse(const aq_config_texts *texts, aq_model_config *out, bool *is_whole, aq_error *err) {
  json_t *root = NULL;
  *is_whole = is_model2vec(texts);
  *out = (aq_model_config){.arch = texts->table, .pooling_count = 1, .passes = 1, .padding = -1};
  out->vocabulary = texts->table_rows;
  out->hidden = out->embedding = out->width = out->dimension = texts->table_width;
  out->position_limit = out->max_tokens = AQ_STATIC_UNLIMITED;
  out->has_modules = !*is_whole;
  if (!*is_whole) return AQ_OK;
  aq_status status = aq_json_parse_python(texts->config, texts->config_size, &root, err);
  if (status == AQ_OK) status = parse_model2vec(root, texts, out, err);
  json_decref(root);
  if (status != AQ_OK) return aq_error_in_file(err, status, config_json);
  return check_modules(texts, out->normalize, err);
}
