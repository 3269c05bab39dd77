/* gguf_export_tokenizer.c - a tokenizer.json put into the keys of llama.cpp: byte-level BPE whose pattern has a name
 * there, SentencePiece BPE, and WordPiece. Every other one is refused: ids that are wrong in silence would be worse. */
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/gguf/gguf_export_tokens.h"
#include "io/gguf/gguf_pre_tokenizers.h"
#include "io/model_files.h"

aq_status aq_gguf_export_refuse_tokens(const char *what, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "llama.cpp has nothing like %s", what);
  return aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Use llama.cpp's own conversion of the model's folder");
}

/* ---- tokens by their ids ---- */

static aq_status put_token(aq_gguf_token_job *j, const char *text, const json_t *id, uint8_t type, aq_error *err) {
  const int64_t n = json_integer_value(id);
  AQ_FAIL_IF(text == NULL || !json_is_integer(id) || n < 0 || (uint64_t)n >= j->count, AQ_ERR_FORMAT,
             "the id of token '%.60s' is none below 'vocab_size' (%zu) of config.json", text != NULL ? text : "",
             j->count);
  AQ_FAIL_IF(j->tokens[n] != NULL && strcmp(j->tokens[n], text) != 0, AQ_ERR_FORMAT, "two tokens have the id %lld",
             (long long)n);
  j->tokens[n] = text;
  j->types[n] = type;
  return AQ_OK;
}

static aq_status collect_tokens(aq_gguf_token_job *j, aq_error *err) {
  const char *text;
  json_t *id;
  json_object_foreach(json_object_get(j->model, "vocab"), text, id) {
    AQ_TRY(put_token(j, text, id, AQ_GGUF_TOKEN_NORMAL, err));
  }
  const json_t *added = json_object_get(j->file, "added_tokens");
  for (size_t i = 0; i < json_array_size(added); i++) {
    const json_t *token = json_array_get(added, i);
    id = json_object_get(token, "id");
    const bool is_special = json_is_true(json_object_get(token, "special"));
    if (j->kind->has_fallback && json_integer_value(id) >= (json_int_t)j->count) { /* as llama.cpp's conversion does */
      j->made->tokens_left_out++;
      continue;
    }
    AQ_TRY(put_token(j, json_string_value(json_object_get(token, "content")), id,
                     is_special ? AQ_GGUF_TOKEN_CONTROL : AQ_GGUF_TOKEN_USER, err));
  }
  return AQ_OK;
}

static aq_status append_token(const aq_gguf_token_job *j, size_t i, json_t *texts, json_t *types, aq_error *err) {
  char *text = j->tokens[i] != NULL ? j->kind->make_text(j, i) : aq_format("[PAD%zu]", i);
  const bool done =
      text != NULL && json_array_append_new(texts, json_string(text)) == 0 &&
      json_array_append_new(types, json_integer(j->tokens[i] != NULL ? j->types[i] : AQ_GGUF_TOKEN_UNUSED)) == 0;
  aq_free(text);
  return done ? AQ_OK : aq_fail_memory(err, 64);
}

static aq_status set_tokens(const aq_gguf_token_job *j, aq_error *err) {
  json_t *texts = json_array(), *types = json_array();
  aq_status status = texts != NULL && types != NULL ? AQ_OK : aq_fail_memory(err, 64);
  for (size_t i = 0; i < j->count && status == AQ_OK; i++) status = append_token(j, i, texts, types, err);
  if (status == AQ_OK)
    status = aq_gguf_export_set_array(j->made, "tokenizer.ggml.tokens", "string", json_incref(texts), err);
  if (status == AQ_OK)
    status = aq_gguf_export_set_array(j->made, "tokenizer.ggml.token_type", "int32", json_incref(types), err);
  json_decref(texts);
  json_decref(types);
  return status;
}

/* ---- special tokens ---- */

/* A token of tokenizer_config.json: a text, or an object with it. -1: there is none. */
static int64_t find_token(const aq_gguf_token_job *j, const char *key) {
  const json_t *value = json_object_get(j->settings, key);
  const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
  for (size_t i = 0; text != NULL && i < j->count; i++) {
    if (j->tokens[i] != NULL && strcmp(j->tokens[i], text) == 0) return (int64_t)i;
  }
  return -1;
}

static int64_t find_id(const aq_gguf_token_job *j, const char *token, const char *config) {
  const int64_t found = find_token(j, token);
  const json_t *id = json_object_get(j->made->config, config);
  if (json_is_array(id)) id = json_array_get(id, 0);
  if (found >= 0 || !json_is_integer(id)) return found;
  const int64_t n = json_integer_value(id);
  return n >= 0 && (uint64_t)n < j->count ? n : -1;
}

static aq_status set_ids(const aq_gguf_token_job *j, aq_error *err) {
  static const struct {
    const char *token, *config, *key;
    bool words;
  } ids[] = {{"bos_token", "bos_token_id", "bos_token_id", false},
             {"eos_token", "eos_token_id", "eos_token_id", false},
             {"cls_token", "cls_token_id", "bos_token_id", true},
             {"sep_token", "sep_token_id", "eos_token_id", true},
             {"cls_token", "cls_token_id", "cls_token_id", true},
             {"sep_token", "sep_token_id", "seperator_token_id", true}, /* spelled so in the format */
             {"mask_token", "mask_token_id", "mask_token_id", true},
             {"unk_token", "unk_token_id", "unknown_token_id", true},
             {"unk_token", "unk_token_id", "unknown_token_id", false},
             {"pad_token", "pad_token_id", "padding_token_id", true},
             {"pad_token", "pad_token_id", "padding_token_id", false}};
  for (size_t i = 0; i < AQ_COUNT_OF(ids); i++) {
    char key[64];
    const int64_t id = find_id(j, ids[i].token, ids[i].config);
    if (ids[i].words != j->kind->is_of_encoder || id < 0) continue;
    (void)snprintf(key, sizeof key, "tokenizer.ggml.%s", ids[i].key);
    AQ_TRY(aq_gguf_export_set(j->made, key, "uint32", json_integer((json_int_t)id), err));
  }
  return AQ_OK;
}

/* ---- byte-level BPE ---- */

/* A copy without members that do not change how a text is cut. */
static json_t *strip_offsets(const json_t *stage) {
  json_t *copy = json_deep_copy(stage);
  json_t *list = json_object_get(copy, "pretokenizers"), *inner;
  size_t i;
  (void)json_object_del(copy, "trim_offsets");
  json_array_foreach(list, i, inner)(void) json_object_del(inner, "trim_offsets");
  return copy;
}

bool aq_gguf_export_has_stage(const json_t *stage, const char *text) {
  if (stage == NULL) return strcmp(text, "null") == 0;
  json_t *known = json_loads(text, JSON_DECODE_ANY, NULL);
  json_t *a = strip_offsets(stage), *b = known != NULL ? strip_offsets(known) : NULL;
  const bool same = a != NULL && b != NULL && json_equal(a, b);
  json_decref(a);
  json_decref(b);
  json_decref(known);
  return same;
}

static aq_status find_pattern(const aq_gguf_token_job *j, const char **out, aq_error *err) {
  const json_t *stage = json_object_get(j->file, "pre_tokenizer");
  const bool ignores_merges = json_is_true(json_object_get(j->model, "ignore_merges"));
  const char *normalizer = json_string_value(json_object_get(json_object_get(j->file, "normalizer"), "type"));
  if (normalizer != NULL && strcmp(normalizer, "NFC") != 0)
    return aq_gguf_export_refuse_tokens("the normalizer of tokenizer.json", err);
  const char *name;
  for (size_t i = 0; (name = aq_gguf_pre_tokenizer_name(i)) != NULL; i++) {
    const aq_gguf_pre_tokenizer *known = aq_gguf_pre_tokenizer_find(name);
    if (known->ignores_merges != ignores_merges || !aq_gguf_export_has_stage(stage, known->pre_tokenizer)) continue;
    *out = name;
    return AQ_OK;
  }
  return aq_gguf_export_refuse_tokens("the pre-tokenizer of tokenizer.json", err);
}

static json_t *merge_text(const json_t *merge) {
  const char *first = json_string_value(json_array_get(merge, 0)),
             *second = json_string_value(json_array_get(merge, 1));
  if (json_is_string(merge)) return json_copy((json_t *)merge);
  if (first == NULL || second == NULL) return NULL;
  char *text = aq_format("%s %s", first, second);
  json_t *made = text != NULL ? json_string(text) : NULL;
  aq_free(text);
  return made;
}

static aq_status set_merges(const aq_gguf_token_job *j, aq_error *err) {
  const json_t *merges = json_object_get(j->model, "merges");
  json_t *texts = json_array();
  AQ_FAIL_IF(texts == NULL, AQ_ERR_MEMORY, "out of memory");
  for (size_t i = 0; i < json_array_size(merges); i++) {
    if (json_array_append_new(texts, merge_text(json_array_get(merges, i))) == 0) continue;
    json_decref(texts);
    return aq_fail(err, AQ_ERR_FORMAT, "merge %zu is no pair of texts", i);
  }
  return aq_gguf_export_set_array(j->made, "tokenizer.ggml.merges", "string", texts, err);
}

/* Whether a special token stands before (or after) a text: the first or last piece of the template. */
static bool frames_with(const json_t *post, bool at_end) {
  const json_t *inner = json_object_get(post, "processors");
  for (size_t i = 0; i < json_array_size(inner); i++) {
    if (frames_with(json_array_get(inner, i), at_end)) return true;
  }
  const json_t *single = json_object_get(post, "single");
  const size_t count = json_array_size(single);
  return count > 0 && json_object_get(json_array_get(single, at_end ? count - 1 : 0), "SpecialToken") != NULL;
}

aq_status aq_gguf_export_frame(aq_gguf_token_job *j, aq_error *err) {
  const json_t *post = json_object_get(j->file, "post_processor");
  AQ_TRY(
      aq_gguf_export_set(j->made, "tokenizer.ggml.add_bos_token", "bool", json_boolean(frames_with(post, false)), err));
  return aq_gguf_export_set(j->made, "tokenizer.ggml.add_eos_token", "bool", json_boolean(frames_with(post, true)),
                            err);
}

static aq_status set_bytes(aq_gguf_token_job *j, aq_error *err) {
  const char *pattern = NULL;
  AQ_TRY(find_pattern(j, &pattern, err));
  AQ_TRY(aq_gguf_export_set(j->made, "tokenizer.ggml.model", "string", json_string("gpt2"), err));
  AQ_TRY(aq_gguf_export_set(j->made, "tokenizer.ggml.pre", "string", json_string(pattern), err));
  AQ_TRY(set_merges(j, err));
  return aq_gguf_export_frame(j, err);
}

static char *byte_level_text(const aq_gguf_token_job *j, size_t i) { return aq_strdup(j->tokens[i]); }

/* ---- WordPiece ---- */

static aq_status set_words(aq_gguf_token_job *j, aq_error *err) {
  const json_t *normalizer = json_object_get(j->file, "normalizer");
  const bool is_lower = json_is_true(json_object_get(normalizer, "lowercase"));
  const char *type = json_string_value(json_object_get(normalizer, "type"));
  if (type == NULL || strcmp(type, "BertNormalizer") != 0 || !is_lower)
    return aq_gguf_export_refuse_tokens("a WordPiece tokenizer that keeps capitals", err);
  AQ_TRY(aq_gguf_export_set(j->made, "tokenizer.ggml.model", "string", json_string("bert"), err));
  return aq_gguf_export_set(j->made, "tokenizer.ggml.pre", "string", json_string("default"), err);
}

/* With what begins a word in front, unless it goes on with one. */
static char *word_text(const aq_gguf_token_job *j, size_t i) {
  const char *text = j->tokens[i];
  const size_t size = strlen(text);
  const bool is_name = size > 1 && text[0] == '[' && text[size - 1] == ']';
  if (is_name || j->types[i] == AQ_GGUF_TOKEN_CONTROL) return aq_strdup(text);
  return strncmp(text, "##", 2) == 0 ? aq_strdup(text + 2) : aq_format(AQ_GGUF_MARK "%s", text);
}

/* ---- all of them ---- */

static const aq_gguf_token_kind kinds[] = {{"BPE", false, false, set_bytes, byte_level_text},
                                           {"BPE", true, false, aq_gguf_export_pieces, aq_gguf_export_piece_text},
                                           {"WordPiece", false, true, set_words, word_text}};

static const aq_gguf_token_kind *find_kind(const json_t *model) {
  const char *type = json_string_value(json_object_get(model, "type"));
  const bool has_fallback = json_is_true(json_object_get(model, "byte_fallback"));
  for (size_t i = 0; type != NULL && i < AQ_COUNT_OF(kinds); i++) {
    if (strcmp(kinds[i].type, type) == 0 && kinds[i].has_fallback == has_fallback) return &kinds[i];
  }
  return NULL;
}

/* In the settings, or in a file of its own. */
static aq_status set_template(const aq_gguf_token_job *j, aq_error *err) {
  const char *text = json_string_value(json_object_get(j->settings, "chat_template"));
  char *own = NULL;
  size_t size;
  if (text == NULL) AQ_TRY(aq_model_file_read(j->made->source, NULL, "chat_template.jinja", &own, &size, err));
  if (text == NULL && own == NULL) return AQ_OK;
  json_t *value = json_string(text != NULL ? text : own);
  aq_free(own);
  return aq_gguf_export_set(j->made, "tokenizer.chat_template", "string", value, err);
}

static aq_status set_pairs(aq_gguf_token_job *j, aq_error *err) {
  j->kind = find_kind(j->model);
  if (j->kind == NULL) return aq_gguf_export_refuse_tokens("the model of tokenizer.json", err);
  if (j->kind->is_of_encoder != j->made->arch->is_encoder)
    return aq_gguf_export_refuse_tokens("such a tokenizer of such a model", err);
  j->tokens = aq_calloc(j->count + 1, sizeof *j->tokens);
  j->types = aq_calloc(j->count + 1, sizeof *j->types);
  if (j->tokens == NULL || j->types == NULL) return aq_fail_memory(err, j->count * sizeof *j->tokens);
  AQ_TRY(collect_tokens(j, err));
  AQ_TRY(j->kind->set_pairs(j, err));
  AQ_TRY(set_tokens(j, err));
  AQ_TRY(set_ids(j, err));
  return set_template(j, err);
}

aq_status aq_gguf_export_tokenizer(aq_gguf_export *made, aq_error *err) {
  aq_gguf_token_job j = {.made = made, .count = (size_t)made->vocabulary};
  aq_status status = aq_gguf_export_read(made->source, "tokenizer.json", &j.file, err);
  if (status == AQ_OK) status = aq_gguf_export_read(made->source, "tokenizer_config.json", &j.settings, err);
  if (status == AQ_OK && j.file == NULL) {
    status = aq_fail(err, AQ_ERR_NOT_FOUND, "there is no tokenizer.json, which a GGUF file holds");
  }
  j.model = json_object_get(j.file, "model");
  if (status == AQ_OK) status = set_pairs(&j, err);
  if (status != AQ_OK) (void)aq_error_in_file(err, status, "tokenizer.json");
  aq_free(j.tokens);
  aq_free(j.types);
  json_decref(j.file);
  json_decref(j.settings);
  return status;
}
