/* gguf_tokenizer.c - what the metadata say about the tokenizer, as the files of transformers' general class.
 *
 * The tokenizer.json is written as a text, because a tree of it takes many times its bytes. */
#include "io/gguf/gguf_tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/gguf/gguf_tokenizer_json.h"

/* ---- tokenizer_config.json ---- */

static const struct {
  const char *name, *key;
} named_tokens[] = {
    {"bos_token", "tokenizer.ggml.bos_token_id"},       {"eos_token", "tokenizer.ggml.eos_token_id"},
    {"unk_token", "tokenizer.ggml.unknown_token_id"},   {"pad_token", "tokenizer.ggml.padding_token_id"},
    {"sep_token", "tokenizer.ggml.seperator_token_id"}, {"cls_token", "tokenizer.ggml.cls_token_id"},
    {"mask_token", "tokenizer.ggml.mask_token_id"}};

static aq_status set_config(const aq_gguf_tokenizer *t, json_t *root, aq_error *err) {
  const bool is_bert = t->arch->is_encoder;
  const char *class = is_bert ? "BertTokenizer" : "PreTrainedTokenizerFast", *template = NULL;
  int failed = json_object_set_new(root, "tokenizer_class", json_string(class));
  for (size_t i = 0; i < AQ_COUNT_OF(named_tokens); i++) {
    int64_t id;
    AQ_TRY(aq_gguf_token_id(t, named_tokens[i].key, &id, err));
    if (id >= 0) failed |= json_object_set_new(root, named_tokens[i].name, json_string(aq_gguf_token(t, (size_t)id)));
    if (id < 0 && !is_bert && i < 4) failed |= json_object_set_new(root, named_tokens[i].name, json_null());
  }
  if (is_bert) failed |= json_object_set_new(root, "do_lower_case", json_true());
  AQ_TRY(aq_gguf_field_text(t->fields, "tokenizer.chat_template", &template, err));
  if (template != NULL && !is_bert) failed |= json_object_set_new(root, "chat_template", json_string(template));
  return failed == 0 ? AQ_OK : aq_fail_memory(err, sizeof root);
}

static aq_status put_config(const aq_gguf_tokenizer *t, aq_gguf_put_fn put, void *ctx, aq_error *err) {
  json_t *root = json_object();
  aq_status status = root != NULL ? set_config(t, root, err) : aq_fail_memory(err, sizeof root);
  char *text = status == AQ_OK ? json_dumps(root, JSON_INDENT(2)) : NULL;
  if (status == AQ_OK) {
    status = text != NULL ? put(ctx, "tokenizer_config.json", text, err) : aq_fail_memory(err, sizeof root);
  }
  free(text); /* jansson's own memory */
  json_decref(root);
  return status;
}

/* ---- all ---- */

static const struct {
  const char *name;
  bool is_encoder;
  aq_status (*write)(aq_gguf_tokenizer *t, aq_error *err);
} kinds[] = {{"gpt2", false, aq_gguf_write_byte_level},
             {"llama", false, aq_gguf_write_pieces},
             {"bert", true, aq_gguf_write_word_pieces}};

static aq_status write_json(aq_gguf_tokenizer *t, aq_error *err) {
  const char *name = NULL;
  AQ_TRY(aq_gguf_field_text(t->fields, "tokenizer.ggml.model", &name, err));
  AQ_FAIL_IF(name == NULL, AQ_ERR_FORMAT, "metadata key 'tokenizer.ggml.model' is missing");
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    if (strcmp(kinds[i].name, name) != 0 || kinds[i].is_encoder != t->arch->is_encoder) continue;
    AQ_TRY(kinds[i].write(t, err));
    AQ_FAIL_IF(t->json.is_full, AQ_ERR_UNSUPPORTED, "its tokenizer.json would have more than %zu MiB",
               AQ_GGUF_JSON_MAX >> 20);
    return AQ_OK;
  }
  return aq_fail(
      err, AQ_ERR_UNSUPPORTED,
      "metadata key 'tokenizer.ggml.model' is '%.60s', which is not read for a '%s' model; known are gpt2 and "
      "llama, and bert for an encoder",
      name, t->arch->name);
}

/* A vocabulary has each text once: ids of a text would be ambiguous. */
static aq_status check_tokens(const aq_gguf_strings *tokens, aq_error *err) {
  aq_strmap ids = {0};
  aq_status status = AQ_OK;
  for (size_t i = 0; i < tokens->count && status == AQ_OK; i++) {
    const char *text = aq_gguf_string(tokens, i);
    int64_t existing = -1;
    status = aq_strmap_add(&ids, text, (int64_t)i, &existing, err);
    if (status == AQ_OK && existing >= 0) {
      status = aq_fail(err, AQ_ERR_FORMAT, "metadata key 'tokenizer.ggml.tokens': tokens %lld and %zu are both '%.60s'",
                       (long long)existing, i, text);
    }
  }
  aq_strmap_reset(&ids);
  return status;
}

static aq_status read_arrays(aq_gguf_tokenizer *t, const aq_gguf_tensors *tensors, aq_error *err) {
  AQ_TRY(aq_gguf_field_strings(t->fields, "tokenizer.ggml.tokens", &t->tokens, err));
  AQ_FAIL_IF(t->tokens.count == 0, AQ_ERR_FORMAT, "metadata key 'tokenizer.ggml.tokens' is missing");
  AQ_FAIL_IF((uint64_t)tensors->vocabulary != t->tokens.count, AQ_ERR_FORMAT,
             "metadata key 'tokenizer.ggml.tokens' has %zu tokens, and token_embd.weight %lld rows", t->tokens.count,
             (long long)tensors->vocabulary);
  AQ_TRY(check_tokens(&t->tokens, err));
  AQ_TRY(aq_gguf_field_ints(t->fields, "tokenizer.ggml.token_type", t->tokens.count, &t->types, err));
  AQ_TRY(aq_gguf_field_floats(t->fields, "tokenizer.ggml.scores", t->tokens.count, &t->scores, err));
  return aq_gguf_field_strings(t->fields, "tokenizer.ggml.merges", &t->merges, err);
}

static aq_status put_json(aq_gguf_tokenizer *t, aq_gguf_put_fn put, void *ctx, aq_error *err) {
  AQ_TRY(write_json(t, err));
  AQ_TRY(put_config(t, put, ctx, err));
  char *text = aq_buffer_take_string(&t->json.text);
  if (text == NULL) return aq_fail_memory(err, t->json.text.size);
  const aq_status status = put(ctx, "tokenizer.json", text, err);
  aq_free(text);
  return status;
}

aq_status aq_gguf_tokenizer_make(const aq_gguf_fields *fields, const aq_gguf_arch *arch, const aq_gguf_tensors *tensors,
                                 aq_gguf_put_fn put, void *ctx, aq_error *err) {
  aq_gguf_tokenizer t = {.fields = fields, .arch = arch};
  aq_status status = read_arrays(&t, tensors, err);
  if (status == AQ_OK) status = put_json(&t, put, ctx, err);
  aq_gguf_strings_reset(&t.tokens);
  aq_gguf_strings_reset(&t.merges);
  aq_free(t.types);
  aq_free(t.scores);
  aq_buffer_reset(&t.json.text);
  return status;
}
