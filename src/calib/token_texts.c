/* token_texts.c - texts as token ids. */
#include "calib/token_texts.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

static aq_status tokenize(const aq_tokenizer *tokenizer, const aq_corpus *corpus, size_t first, size_t count,
                          uint32_t max_tokens, aq_token_ids *ids, aq_token_texts *out, aq_error *err) {
  for (size_t i = first; i < first + count; i++) {
    const size_t before = ids->count;
    AQ_TRY(aq_tokenizer_encode(tokenizer, corpus->texts[i], corpus->lengths[i], max_tokens, true, ids, err));
    if (ids->count > before) out->lengths[out->count++] = (uint32_t)(ids->count - before);
  }
  return AQ_OK;
}

aq_status aq_token_texts_make(aq_model *model, const aq_corpus *corpus, size_t first, size_t count, uint32_t max_tokens,
                              aq_token_texts *out, aq_error *err) {
  *out = (aq_token_texts){0};
  AQ_TRY(aq_model_need_tokenizer(model, err));
  const uint32_t most = max_tokens == 0 ? model->config.max_tokens : AQ_MIN(max_tokens, model->config.max_tokens);
  out->ids = aq_calloc(AQ_MAX(count, 1), sizeof *out->ids);
  out->lengths = aq_calloc(AQ_MAX(count, 1), sizeof *out->lengths);
  aq_token_ids ids = {0};
  aq_status status = out->ids != NULL && out->lengths != NULL
                         ? tokenize(model->tokenizer, corpus, first, count, most, &ids, out, err)
                         : aq_fail_memory(err, count * sizeof *out->ids);
  out->memory = ids.ids;
  if (status == AQ_OK) {
    const int32_t *at = ids.ids;
    for (size_t i = 0; i < out->count; i++) {
      out->ids[i] = at;
      at += out->lengths[i];
    }
    return AQ_OK;
  }
  aq_token_texts_reset(out);
  return status;
}

void aq_token_texts_reset(aq_token_texts *texts) {
  aq_free(texts->ids);
  aq_free(texts->lengths);
  aq_free(texts->memory);
  *texts = (aq_token_texts){0};
}
