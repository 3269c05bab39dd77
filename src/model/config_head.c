/* config_head.c - the head of an encoder as a list of modules, after Hugging Face transformers (configuration_utils.py,
 * *ForSequenceClassification) and sentence-transformers (cross_encoder/model.py). */
#include "model/config_head.h"

#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "model/arch/heads.h"
#include "model/config_dense.h"
#include "model/config_keys.h"
#include "model/config_notes.h"
#include "model/config_numbers.h"

/* ---- labels ---- */

aq_status aq_label_count_read(const json_t *root, uint32_t *out, aq_error *err) {
  const json_t *names = json_object_get(root, "id2label"), *count = json_object_get(root, "num_labels");
  const bool is_named = names != NULL && !json_is_null(names);
  AQ_FAIL_IF(is_named && !json_is_object(names), AQ_ERR_FORMAT, "'id2label' is no object");
  AQ_FAIL_IF(is_named && (json_object_size(names) == 0 || json_object_size(names) > AQ_LABELS_MAX), AQ_ERR_FORMAT,
             "'id2label' has %zu labels; 1 to %d are possible", json_object_size(names), AQ_LABELS_MAX);
  const uint32_t otherwise = is_named ? (uint32_t)json_object_size(names) : 2;
  AQ_FAIL_IF(count != NULL && json_is_null(count), AQ_ERR_FORMAT, "'num_labels' is null, not a number");
  AQ_TRY(aq_config_count_or(root, "num_labels", 1, AQ_LABELS_MAX, otherwise, out, err));
  AQ_FAIL_IF(is_named && *out != otherwise, AQ_ERR_UNSUPPORTED, "'num_labels' is %u, and 'id2label' has %u labels",
             *out, otherwise);
  return AQ_OK;
}

/* Scores do not depend on it, but transformers refuses one value for one label. */
static aq_status check_problem(const json_t *root, uint32_t labels, aq_error *err) {
  const char *type;
  AQ_TRY(aq_json_text(root, "problem_type", NULL, &type, err));
  AQ_FAIL_IF(labels == 1 && type != NULL && strcmp(type, "single_label_classification") == 0, AQ_ERR_UNSUPPORTED,
             "'problem_type' is '%s', which needs more labels than 1", type);
  return AQ_OK;
}

/* ---- layers ---- */

static aq_status read_pooling(const json_t *root, const aq_head *head, aq_model_config *out, aq_error *err) {
  const char *name = "cls";
  if (head->pooling_key != NULL) AQ_TRY(aq_json_text(root, head->pooling_key, "cls", &name, err));
  const bool is_mean = strcmp(name, "mean") == 0;
  AQ_FAIL_IF(!is_mean && strcmp(name, "cls") != 0, AQ_ERR_UNSUPPORTED,
             "'%s' is '%.40s'; what can be run is cls and mean", head->pooling_key, name);
  out->pooling[0] = is_mean ? AQ_POOL_MEAN : AQ_POOL_CLS;
  return AQ_OK;
}

static aq_status find_activation(const json_t *root, const aq_head *head, const aq_activation **out, aq_error *err) {
  const char *name = head->activation;
  if (name == NULL) AQ_TRY(aq_json_text(root, head->activation_key, "gelu", &name, err));
  *out = aq_activation_find(name);
  AQ_FAIL_IF(*out == NULL, AQ_ERR_UNSUPPORTED, "'%s' is '%.64s'; what can be run is %s",
             head->activation_key != NULL ? head->activation_key : "the activation of the head", name,
             aq_activation_names);
  return AQ_OK;
}

static aq_module_spec *add_layer(aq_model_config *out, aq_module_kind kind, const char *tensor, uint32_t outputs) {
  aq_module_spec *layer = &out->modules[out->module_count++];
  *layer = (aq_module_spec){.kind = kind,
                            .in = out->hidden,
                            .out = outputs,
                            .has_bias = true,
                            .epsilon = out->epsilon,
                            .tensor = tensor,
                            .prefix_kind = AQ_PREFIX_MODEL};
  return layer;
}

static aq_status add_layers(const json_t *root, const aq_head *head, aq_model_config *out, aq_error *err) {
  aq_module_spec *dense = add_layer(out, AQ_MODULE_DENSE, head->dense, out->hidden);
  if (head->of_encoder) dense->prefix_kind = AQ_PREFIX_ENCODER;
  if (head->bias_key != NULL) AQ_TRY(aq_json_bool(root, head->bias_key, false, &dense->has_bias, err));
  AQ_TRY(find_activation(root, head, &dense->activation, err));
  if (head->norm != NULL) {
    aq_module_spec *norm = add_layer(out, AQ_MODULE_LAYER_NORM, head->norm, out->hidden);
    norm->has_bias = (out->unbiased >> AQ_ROLE_FINAL_NORM & 1) == 0; /* "norm_bias" */
  }
  (void)add_layer(out, AQ_MODULE_DENSE, head->classifier, out->dimension);
  return AQ_OK;
}

/* ---- the activation of scores ---- */

static aq_status read_activation(const json_t *object, const char *key, bool *found, aq_model_config *out,
                                 aq_error *err) {
  const char *name;
  AQ_TRY(aq_json_text(object, key, NULL, &name, err));
  *found = name != NULL;
  return name != NULL ? aq_torch_activation_find(key, name, &out->score_activation, err) : AQ_OK;
}

static aq_status read_score_activation(const json_t *root, aq_model_config *out, aq_error *err) {
  static const char group[] = "sentence_transformers";
  const json_t *settings = json_object_get(root, group);
  bool found = false;
  out->score_activation = out->dimension == 1 ? aq_activation_find("sigmoid") : NULL;
  AQ_FAIL_IF(settings != NULL && !json_is_object(settings), AQ_ERR_FORMAT, "'%s' is no object", group);
  AQ_TRY(read_activation(settings, "activation_fn", &found, out, err));
  if (found || json_object_get(settings, "activation_fn") != NULL) return AQ_OK;
  return read_activation(root, "sbert_ce_default_activation_function", &found, out, err);
}

/* ---- files ---- */

aq_status aq_head_parse(const json_t *root, aq_notes *notes, aq_model_config *out, aq_error *err) {
  const aq_head *head = out->arch->head;
  AQ_FAIL_IF(head == NULL, AQ_ERR_UNSUPPORTED, "'model_type' is '%s', whose head cannot be run", out->arch->model_type);
  AQ_TRY(aq_label_count_read(root, &out->dimension, err));
  AQ_TRY(check_problem(root, out->dimension, err));
  AQ_TRY(read_pooling(root, head, out, err));
  AQ_TRY(add_layers(root, head, out, err));
  out->width = out->dimension;
  AQ_TRY(read_score_activation(root, out, err));
  return aq_config_note(root, true, notes, err);
}

aq_status aq_score_settings_parse(const json_t *root, aq_model_config *out, aq_error *err) {
  static const char expected[] = "CrossEncoder";
  const char *type;
  bool found;
  AQ_TRY(aq_json_text(root, "model_type", "SentenceTransformer", &type, err));
  AQ_FAIL_IF(strcmp(type, expected) != 0, AQ_ERR_UNSUPPORTED, "'model_type' is '%.64s'; what can be run is '%s'", type,
             expected);
  return read_activation(root, "activation_fn", &found, out, err);
}

aq_status aq_score_modules_check(const aq_config_texts *texts, aq_error *err) {
  static const char package[] = "sentence_transformers.", kind[] = ".Transformer";
  aq_module_list list;
  AQ_TRY(aq_module_list_parse(texts->modules, texts->modules_size, &list, err));
  aq_status status = AQ_OK;
  for (size_t i = 0; i < list.count && status == AQ_OK; i++) {
    const char *type = list.modules[i].type, *end = strrchr(type, '.');
    const bool fits = i == 0 && strncmp(type, package, sizeof package - 1) == 0 && strcmp(end, kind) == 0;
    if (!fits) {
      status = aq_fail(err, AQ_ERR_UNSUPPORTED,
                       "module %zu is '%.100s'; what can be run of a cross-encoder is a Transformer of "
                       "sentence_transformers, alone",
                       i, type);
    }
  }
  if (status == AQ_OK && list.count == 0) status = aq_fail(err, AQ_ERR_FORMAT, "there is no module");
  aq_module_list_reset(&list);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, AQ_MODULE_LIST_NAME);
}
