/* sentence_config.c - the arguments of sentence-transformers' Transformer module.
 *
 * The limit of a text, in tokens: what "tokenizer_args" hand to the tokenizer goes first, then "max_seq_length", then
 * the tokenizer's own "model_max_length" (10^30 where it has none). The reference takes the positions of the model into
 * account in the last case only, and fails on a text that is longer than these; here they bound the limit always. */
#include "tokenizer/sentence_config.h"

#include <jansson.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "tokenizer/tokenizer_keys.h"

/* A limit as transformers has it: beyond this there is none. */
#define NO_LIMIT 1e20

static aq_status read_limit(const json_t *object, const char *key, bool *found, uint32_t *out, aq_error *err) {
  const json_t *value = json_object_get(object, key);
  if (value == NULL || json_is_null(value)) return AQ_OK;
  AQ_FAIL_IF(!json_is_number(value), AQ_ERR_FORMAT, "'%s' is not a number", key);
  const double limit = json_number_value(value);
  AQ_FAIL_IF(!(limit >= 1), AQ_ERR_FORMAT, "'%s' is %lld; texts of 1 token and more are possible", key,
             (long long)(limit > -1e9 ? limit : -1e9));
  const bool whole = limit >= (double)INT32_MAX || (double)(uint32_t)limit == limit;
  AQ_FAIL_IF(!whole, AQ_ERR_FORMAT, "'%s' is not a whole number", key);
  *found = true;
  *out = limit > NO_LIMIT ? 0 : limit >= (double)INT32_MAX ? (uint32_t)INT32_MAX : (uint32_t)limit;
  return AQ_OK;
}

/* Where a text is expected and one value of it can be run. */
static aq_status check_value(const json_t *object, const char *key, const char *only, aq_error *err) {
  const json_t *value = json_object_get(object, key);
  const char *text = json_string_value(value);
  if (value == NULL) return AQ_OK;
  AQ_FAIL_IF(text == NULL || strcmp(text, only) != 0, AQ_ERR_UNSUPPORTED, "'%s' is '%.80s'; what can be run is '%s'",
             key, text != NULL ? text : "no text", only);
  return AQ_OK;
}

/* What a model is loaded for, what it gives, and what of the output of transformers that is. */
static const struct task {
  const char *name, *output, *of_model;
} tasks[] = {{"feature-extraction", "token_embeddings", "last_hidden_state"},
             {"sequence-classification", "scores", "logits"}};

/* {"text": {"method": "forward", "method_output_name": "last_hidden_state"}} */
static aq_status check_modalities(const json_t *root, const char *output, aq_error *err) {
  static const char key[] = "modality_config";
  const json_t *modalities = json_object_get(root, key);
  if (modalities == NULL) return AQ_OK;
  const json_t *text = json_object_get(modalities, "text");
  AQ_FAIL_IF(!json_is_object(text) || json_object_size(modalities) != 1, AQ_ERR_UNSUPPORTED,
             "'%s' has something else than 'text', which alone can be run", key);
  const char *method = json_string_value(json_object_get(text, "method"));
  const json_t *named = json_object_get(text, "method_output_name");
  if (json_array_size(named) == 1) named = json_array_get(named, 0);
  const char *name = json_string_value(named);
  AQ_FAIL_IF(method == NULL || strcmp(method, "forward") != 0, AQ_ERR_UNSUPPORTED,
             "'%s': 'method' is '%.80s'; what can be run is 'forward'", key, method != NULL ? method : "no text");
  AQ_FAIL_IF(name == NULL || strcmp(name, output) != 0, AQ_ERR_UNSUPPORTED,
             "'%s': 'method_output_name' is '%.80s'; what can be run is '%s'", key, name != NULL ? name : "no text",
             output);
  return AQ_OK;
}

/* What is handed to the tokenizer: the limit, and what changes nothing. */
static aq_status read_tokenizer_args(const json_t *root, const char *key, bool *found, uint32_t *limit, aq_error *err) {
  json_t *args = json_object_get(root, key), *value;
  const char *name;
  AQ_FAIL_IF(args != NULL && !json_is_object(args), AQ_ERR_FORMAT, "'%s' is not an object", key);
  json_object_foreach(args, name, value) {
    const bool known = strcmp(name, "model_max_length") == 0 || strcmp(name, "use_fast") == 0;
    AQ_FAIL_IF(!known && strcmp(name, "trust_remote_code") != 0, AQ_ERR_UNSUPPORTED,
               "'%s' has '%.80s', which cannot be handed to the tokenizer", key, name);
    AQ_FAIL_IF(json_is_null(value), AQ_ERR_FORMAT, "'%s': '%.80s' is null", key, name);
  }
  return read_limit(args, "model_max_length", found, limit, err);
}

static aq_status parse_sentence(const json_t *root, aq_sentence_config *out, bool *found, aq_error *err) {
  AQ_TRY(aq_tokenizer_keys_check(AQ_TOKENIZER_KEYS_SENTENCE, root, err));
  const char *named = json_string_value(json_object_get(root, "transformer_task"));
  out->is_read = true;
  out->has_scores = named != NULL && strcmp(named, tasks[1].name) == 0;
  const struct task *task = &tasks[out->has_scores ? 1 : 0];
  AQ_TRY(check_value(root, "transformer_task", task->name, err));
  AQ_TRY(check_value(root, "module_output_name", task->output, err));
  AQ_TRY(check_modalities(root, task->of_model, err));
  AQ_TRY(aq_json_bool(root, "do_lower_case", false, &out->lowercase, err));
  AQ_TRY(read_tokenizer_args(root, "tokenizer_args", found, &out->max_tokens, err));
  if (!*found) AQ_TRY(read_tokenizer_args(root, "processor_kwargs", found, &out->max_tokens, err));
  return *found ? AQ_OK : read_limit(root, "max_seq_length", found, &out->max_tokens, err);
}

static aq_status parse_named(const aq_named_text *text, json_t **root, aq_error *err) {
  *root = NULL;
  const aq_status status = text->text != NULL ? aq_json_parse_reals(text->text, text->size, root, err) : AQ_OK;
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, text->path);
}

aq_status aq_sentence_config_read(const aq_tokenizer_files *files, aq_sentence_config *out, aq_error *err) {
  const aq_named_text *sentence = &files->texts[AQ_TEXT_SENTENCE], *config = &files->texts[AQ_TEXT_CONFIG];
  json_t *root;
  bool found = false;
  *out = (aq_sentence_config){.lowercase = false};
  AQ_TRY(parse_named(sentence, &root, err));
  aq_status status = root != NULL ? parse_sentence(root, out, &found, err) : AQ_OK;
  json_decref(root);
  if (status != AQ_OK) return aq_error_in_file(err, status, sentence->path);
  if (found || config->text == NULL) return AQ_OK;
  AQ_TRY(parse_named(config, &root, err));
  const char *key = json_object_get(root, "model_max_length") != NULL ? "model_max_length" : "max_len";
  status = read_limit(root, key, &found, &out->max_tokens, err);
  json_decref(root);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, config->path);
}

/* ---- what an encoder asks ---- */

/* Padding at the left moves the positions of a text by those of its neighbours. */
static aq_status check_padding(const json_t *config, aq_error *err) {
  const char *side;
  AQ_TRY(aq_json_text(config, "padding_side", "right", &side, err));
  AQ_FAIL_IF(strcmp(side, "right") != 0, AQ_ERR_UNSUPPORTED,
             "'padding_side' is '%.20s', by which a vector depends on the texts beside it; what can be run is 'right'",
             side);
  return AQ_OK;
}

static aq_status check_inputs(const json_t *config, aq_error *err) {
  static const char *const needed[] = {"input_ids", "attention_mask"};
  const json_t *names = json_object_get(config, "model_input_names");
  if (names == NULL) return AQ_OK;
  for (size_t i = 0; i < AQ_COUNT_OF(needed); i++) {
    bool there = false;
    for (size_t k = 0; k < json_array_size(names); k++) {
      const char *name = json_string_value(json_array_get(names, k));
      there = there || (name != NULL && strcmp(name, needed[i]) == 0);
    }
    AQ_FAIL_IF(!there, AQ_ERR_UNSUPPORTED, "'model_input_names' lacks '%s', without which no text can be embedded",
               needed[i]);
  }
  return AQ_OK;
}

/* Without a modules.json sentence-transformers takes every text for a message, and puts it into the template. */
static aq_status check_template(const aq_tokenizer_files *files, const json_t *config, aq_error *err) {
  AQ_FAIL_IF(
      !files->has_modules && aq_json_is_set(json_object_get(config, "chat_template")), AQ_ERR_UNSUPPORTED,
      "'chat_template' is set, and without a modules.json every text would be put into it, which cannot be done");
  return AQ_OK;
}

static aq_status check_config(const aq_tokenizer_files *files, aq_error *err) {
  const aq_named_text *config = &files->texts[AQ_TEXT_CONFIG];
  json_t *root;
  AQ_TRY(parse_named(config, &root, err));
  aq_status status = check_padding(root, err);
  if (status == AQ_OK) status = check_inputs(root, err);
  if (status == AQ_OK) status = check_template(files, root, err);
  json_decref(root);
  return status == AQ_OK || config->path == NULL ? status : aq_error_in_file(err, status, config->path);
}

static aq_status check_task(const aq_tokenizer_files *files, const aq_sentence_config *config, bool for_scores,
                            aq_error *err) {
  if (!config->is_read || config->has_scores == for_scores) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "'transformer_task' is '%s'; what can be run is '%s'",
                tasks[config->has_scores ? 1 : 0].name, tasks[for_scores ? 1 : 0].name);
  return aq_error_in_file(err, AQ_ERR_UNSUPPORTED, files->texts[AQ_TEXT_SENTENCE].path);
}

aq_status aq_text_limit_read(const aq_source *source, const char *folder, bool for_scores, uint32_t *max_tokens,
                             aq_notes *notes, aq_error *err) {
  aq_tokenizer_files files;
  aq_sentence_config config;
  *max_tokens = 0;
  AQ_TRY(aq_tokenizer_settings_take(source, folder, &files, err));
  aq_status status = aq_sentence_config_read(&files, &config, err);
  if (status == AQ_OK) status = check_task(&files, &config, for_scores, err);
  if (status == AQ_OK) status = check_config(&files, err);
  if (status == AQ_OK && files.unread != NULL) status = aq_unread_note(files.unread, notes, err);
  if (status == AQ_OK) *max_tokens = config.max_tokens;
  aq_tokenizer_files_reset(&files);
  return status;
}

aq_status aq_unread_note(const char *file, aq_notes *notes, aq_error *err) {
  return aq_notes_add(notes, err, "%s is not read, as sentence-transformers does not without a modules.json", file);
}
