/* gguf_tokenizer_json.c - the parts that all kinds of tokenizers have. */
#include "io/gguf/gguf_tokenizer_json.h"

#include <stdio.h>

#include "core/compiler.h"
#include "core/error.h"

/* llama.cpp's numbers of token types. */
enum { TYPE_CONTROL = 3, TYPE_USER_DEFINED = 4 };

aq_status aq_gguf_json_text(aq_gguf_tokenizer *t, const char *text, aq_error *err) {
  return aq_gguf_json_append(&t->json, text, strlen(text), err);
}

aq_status aq_gguf_json_quoted(aq_gguf_tokenizer *t, const char *text, size_t size, aq_error *err) {
  return aq_gguf_json_string(&t->json, (const uint8_t *)text, size, err);
}

/* ---- ids ---- */

/* -1 without the key. */
aq_status aq_gguf_token_id(const aq_gguf_tokenizer *t, const char *key, int64_t *id, aq_error *err) {
  *id = -1;
  AQ_TRY(aq_gguf_field_count(t->fields, key, id, err));
  AQ_FAIL_IF(*id >= (int64_t)t->tokens.count, AQ_ERR_FORMAT, "metadata key '%s' is %lld, and there are %zu tokens", key,
             (long long)*id, t->tokens.count);
  return AQ_OK;
}

/* ---- the parts of a tokenizer.json ---- */

static aq_status append_added(aq_gguf_tokenizer *t, size_t id, bool is_special, bool is_first, aq_error *err) {
  char text[160];
  (void)snprintf(text, sizeof text,
                 "%s{\"id\":%zu,\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
                 "\"special\":%s,\"content\":",
                 is_first ? "" : ",", id, is_special ? "true" : "false");
  AQ_TRY(aq_gguf_json_text(t, text, err));
  AQ_TRY(aq_gguf_json_quoted(t, aq_gguf_token(t, id), strlen(aq_gguf_token(t, id)), err));
  return aq_gguf_json_text(t, "}", err);
}

static bool is_empty(const char *text) { return text[0] == '\0'; }

/* Control tokens are special; tokens of the user are found in texts as well, and are not. */
aq_status aq_gguf_append_added_tokens(aq_gguf_tokenizer *t, bool marks_spaces, aq_error *err) {
  bool is_first = true;
  AQ_TRY(aq_gguf_json_text(t, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[", err));
  for (size_t i = 0; t->types != NULL && i < t->tokens.count; i++) {
    const bool is_special = t->types[i] == TYPE_CONTROL;
    if ((!is_special && t->types[i] != TYPE_USER_DEFINED) || is_empty(aq_gguf_token(t, i))) continue;
    if (marks_spaces && aq_gguf_is_spaces(aq_gguf_token(t, i))) continue;
    AQ_TRY(append_added(t, i, is_special, is_first, err));
    is_first = false;
  }
  return aq_gguf_json_text(t, "]", err);
}

static aq_status append_special(aq_gguf_tokenizer *t, const char *text, bool *is_first, aq_error *err) {
  AQ_TRY(aq_gguf_json_text(
      t, *is_first ? "{\"SpecialToken\":{\"type_id\":0,\"id\":" : ",{\"SpecialToken\":{\"type_id\":0,\"id\":", err));
  *is_first = false;
  AQ_TRY(aq_gguf_json_quoted(t, text, strlen(text), err));
  return aq_gguf_json_text(t, "}}", err);
}

static aq_status append_special_id(aq_gguf_tokenizer *t, int64_t id, bool *is_first, aq_error *err) {
  const char *text = aq_gguf_token(t, (size_t)id);
  char number[32];
  if (!*is_first) AQ_TRY(aq_gguf_json_text(t, ",", err));
  *is_first = false;
  AQ_TRY(aq_gguf_json_quoted(t, text, strlen(text), err));
  AQ_TRY(aq_gguf_json_text(t, ":{\"id\":", err));
  AQ_TRY(aq_gguf_json_quoted(t, text, strlen(text), err));
  (void)snprintf(number, sizeof number, ",\"ids\":[%lld],", (long long)id);
  AQ_TRY(aq_gguf_json_text(t, number, err));
  AQ_TRY(aq_gguf_json_text(t, "\"tokens\":[", err));
  AQ_TRY(aq_gguf_json_quoted(t, text, strlen(text), err));
  return aq_gguf_json_text(t, "]}", err);
}

/* The special tokens before and after a text; -1: none. */
aq_status aq_gguf_append_frame(aq_gguf_tokenizer *t, int64_t before, int64_t after, aq_error *err) {
  bool is_first = true;
  AQ_TRY(aq_gguf_json_text(t,
                           ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"pair\":[{\"Sequence\":{\"id\":\"A\","
                           "\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],\"single\":[",
                           err));
  if (before >= 0) AQ_TRY(append_special(t, aq_gguf_token(t, (size_t)before), &is_first, err));
  AQ_TRY(aq_gguf_json_text(t, is_first ? "" : ",", err));
  AQ_TRY(aq_gguf_json_text(t, "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}", err));
  is_first = false;
  if (after >= 0) AQ_TRY(append_special(t, aq_gguf_token(t, (size_t)after), &is_first, err));
  AQ_TRY(aq_gguf_json_text(t, "],\"special_tokens\":{", err));
  is_first = true;
  if (before >= 0) AQ_TRY(append_special_id(t, before, &is_first, err));
  if (after >= 0 && after != before) AQ_TRY(append_special_id(t, after, &is_first, err));
  return aq_gguf_json_text(t, "}}", err);
}

aq_status aq_gguf_append_stage(aq_gguf_tokenizer *t, const char *name, const char *stage, aq_error *err) {
  AQ_TRY(aq_gguf_json_text(t, ",\"", err));
  AQ_TRY(aq_gguf_json_text(t, name, err));
  AQ_TRY(aq_gguf_json_text(t, "\":", err));
  return aq_gguf_json_text(t, stage, err);
}

aq_status aq_gguf_append_token(aq_gguf_tokenizer *t, size_t i, aq_error *err) {
  return aq_gguf_json_quoted(t, aq_gguf_token(t, i), strlen(aq_gguf_token(t, i)), err);
}

aq_status aq_gguf_append_vocabulary(aq_gguf_tokenizer *t, aq_gguf_token_fn append_token, aq_error *err) {
  AQ_TRY(aq_gguf_json_text(t, ",\"vocab\":{", err));
  for (size_t i = 0; i < t->tokens.count; i++) {
    char number[32];
    if (i > 0) AQ_TRY(aq_gguf_json_text(t, ",", err));
    AQ_TRY(append_token(t, i, err));
    (void)snprintf(number, sizeof number, ":%zu", i);
    AQ_TRY(aq_gguf_json_text(t, number, err));
  }
  return aq_gguf_json_text(t, "}", err);
}

/* bos and eos around a text, as far as the file adds them. */
aq_status aq_gguf_append_bos_eos(aq_gguf_tokenizer *t, bool adds_bos, aq_error *err) {
  bool adds_eos = false;
  int64_t bos, eos;
  AQ_TRY(aq_gguf_field_bool(t->fields, "tokenizer.ggml.add_bos_token", &adds_bos, err));
  AQ_TRY(aq_gguf_field_bool(t->fields, "tokenizer.ggml.add_eos_token", &adds_eos, err));
  AQ_TRY(aq_gguf_token_id(t, "tokenizer.ggml.bos_token_id", &bos, err));
  AQ_TRY(aq_gguf_token_id(t, "tokenizer.ggml.eos_token_id", &eos, err));
  AQ_FAIL_IF((adds_bos && bos < 0) || (adds_eos && eos < 0), AQ_ERR_FORMAT,
             "a text begins or ends with a special token whose id, tokenizer.ggml.%s_token_id, is missing",
             adds_bos && bos < 0 ? "bos" : "eos");
  return aq_gguf_append_frame(t, adds_bos ? bos : -1, adds_eos ? eos : -1, err);
}
