/* tokenizer_json.c - what a tokenizer.json says. Its parts name their types; one that is not in the table of its stage
 * is an error with the name of it. Of padding and truncation only the direction matters, because the limit is the
 * model's. A decoder that is not in its table is an error only when ids are to become text. */
#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_keys.h"
#include "tokenizer/vocab_json.h"

/* Reads the vocabulary, and parses the text without it; NULL when something is wrong with either, or the vocabulary is
 * neither an object of tokens and ids nor a list of pieces and scores. */
static json_t *parse_quickly(aq_vocab *vocab, const char *text, size_t size) {
  json_t *root = NULL;
  aq_vocab_range range;
  aq_buffer rest = {NULL, 0, 0};
  if (!aq_vocab_read_json(vocab, text, size, &range)) return NULL;
  aq_status status = aq_buffer_append(&rest, text, range.start, NULL);
  if (status == AQ_OK) status = aq_buffer_append(&rest, text[range.start] == '[' ? "[]" : "{}", 2, NULL);
  if (status == AQ_OK) status = aq_buffer_append(&rest, text + range.end, size - range.end, NULL);
  if (status == AQ_OK) status = aq_json_parse_object((const char *)rest.data, rest.size, 0, &root, NULL);
  aq_buffer_reset(&rest);
  if (status != AQ_OK) aq_vocab_reset(vocab);
  return root;
}

aq_status aq_tokenizer_parse_json(aq_tokenizer *tokenizer, const aq_named_text *text, json_t **root, aq_error *err) {
  const char *version;
  *root = parse_quickly(&tokenizer->model.vocab, text->text, text->size);
  if (*root == NULL) AQ_TRY(aq_json_parse_object(text->text, text->size, 0, root, err));
  AQ_TRY(aq_tokenizer_keys_check(AQ_TOKENIZER_KEYS_JSON, *root, err));
  AQ_TRY(aq_json_text(*root, "version", "1.0", &version, err));
  AQ_FAIL_IF(strcmp(version, "1.0") != 0, AQ_ERR_UNSUPPORTED, "'version' is '%.40s'; supported: 1.0", version);
  return aq_token_model_read_vocab(&tokenizer->model, json_object_get(*root, "model"), err);
}

static aq_status read_own_stages(aq_tokenizer *t, const json_t *stages, aq_error *err) {
  const json_t *pre_tokenizer = json_object_get(stages, "pre_tokenizer");
  AQ_TRY(aq_normalizers_read(&t->normalizers, json_object_get(stages, "normalizer"), err));
  if (pre_tokenizer != NULL || t->pre_tokenizer.type == NULL) {
    AQ_TRY(aq_pre_tokenizer_read(&t->pre_tokenizer, pre_tokenizer, err));
  }
  return aq_decoders_read(&t->decoders, json_object_get(stages, "decoder"), err);
}

aq_status aq_tokenizer_read_stages(aq_tokenizer *tokenizer, const char *text, aq_error *err) {
  json_t *stages;
  AQ_TRY(aq_json_parse_object(text, strlen(text), 0, &stages, err));
  const aq_status status = read_own_stages(tokenizer, stages, err);
  json_decref(stages);
  return status;
}

aq_status aq_tokenizer_read_json(aq_tokenizer *tokenizer, const json_t *root, aq_error *err) {
  AQ_TRY(aq_token_model_read(&tokenizer->model, json_object_get(root, "model"), err));
  AQ_TRY(aq_normalizers_read(&tokenizer->normalizers, json_object_get(root, "normalizer"), err));
  AQ_TRY(aq_pre_tokenizer_read(&tokenizer->pre_tokenizer, json_object_get(root, "pre_tokenizer"), err));
  AQ_TRY(aq_post_processor_read(&tokenizer->frame, json_object_get(root, "post_processor"), err));
  return aq_decoders_read(&tokenizer->decoders, json_object_get(root, "decoder"), err);
}
