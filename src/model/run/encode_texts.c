/* encode_texts.c - texts to vectors: tokens first, then the encoder, a bounded number of texts at a time. And the words
 * that go before a text. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/run/encoder.h"
#include "tokenizer/tokenizer.h"

/* Texts that are held as tokens at a time. */
#define CHUNK_TEXTS ((size_t)1024)

/* Tokens of all texts, one after another. */
static aq_status tokenize(const aq_encoder *e, const char *const *texts, const size_t *lengths, size_t count,
                          aq_token_ids *ids, uint32_t *token_counts, aq_error *err) {
  for (size_t i = 0; i < count; i++) {
    const size_t before = ids->count, length = lengths != NULL ? lengths[i] : strlen(texts[i]);
    AQ_TRY(e->model.config.arch->is_static
               ? aq_static_tokens_of_text(&e->model, texts[i], length, ids, err)
               : aq_tokenizer_encode(e->model.tokenizer, texts[i], length, e->model.config.max_tokens, true, ids, err));
    token_counts[i] = (uint32_t)(ids->count - before);
  }
  return AQ_OK;
}

static aq_status encode_chunks(aq_encoder *encoder, const char *const *texts, const size_t *lengths, size_t count,
                               float *out, aq_error *err) {
  AQ_TRY(aq_model_need_tokenizer(&encoder->model, err));
  const size_t room = AQ_MIN(count, CHUNK_TEXTS);
  uint32_t *token_counts = aq_calloc(room, sizeof *token_counts);
  if (token_counts == NULL) return aq_fail_memory(err, room * sizeof *token_counts);
  aq_token_ids ids = {0};
  aq_status status = AQ_OK;
  const size_t first = encoder->first_text;
  for (size_t at = 0; at < count && status == AQ_OK; at += CHUNK_TEXTS) {
    encoder->first_text = first + at;
    const size_t n = AQ_MIN(count - at, CHUNK_TEXTS);
    ids.count = 0;
    status = tokenize(encoder, texts + at, lengths != NULL ? lengths + at : NULL, n, &ids, token_counts, err);
    if (status != AQ_OK) break;
    status =
        aq_encoder_run_tokens(encoder, ids.ids, NULL, token_counts, n, out + at * encoder->model.config.dimension, err);
  }
  encoder->first_text = first;
  aq_free(ids.ids);
  aq_free(token_counts);
  return status;
}

aq_status aq_encoder_encode_texts(aq_encoder *encoder, const char *const *texts, const size_t *lengths, size_t count,
                                  float *out, aq_error *err) {
  AQ_TRY(aq_encoder_enter(encoder, err));
  const aq_status status = encode_chunks(encoder, texts, lengths, count, out, err);
  aq_encoder_leave(encoder);
  return status;
}

aq_status aq_encoder_prompt(aq_encoder *encoder, const char *name, const char *prompt, const char **out,
                            aq_error *err) {
  aq_error_clear(err);
  *out = prompt;
  if (prompt == NULL) {
    const bool unread = encoder->model.config.has_modules && !encoder->prompts_read;
    if (unread) AQ_TRY(aq_prompts_read(encoder->model.source, encoder->model.folder, &encoder->prompts, err));
    encoder->prompts_read = true;
    AQ_TRY(aq_prompts_find(&encoder->prompts, name, out, err));
  }
  AQ_FAIL_IF((*out)[0] != '\0' && encoder->model.config.skips_prompt, AQ_ERR_UNSUPPORTED,
             "the model's pooling leaves the prompt out ('include_prompt' is false), which cannot be run");
  return AQ_OK;
}
