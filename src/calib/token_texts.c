/* token_texts.c - texts as token ids, and the embeddings that an encoder's parameters give them. */
#include "calib/token_texts.h"

#include <stdlib.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/run/tape.h"

/* Tokens of texts that go through together. */
#define GROUP_TOKENS ((size_t)1000)

/* ---- texts to ids ---- */

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

/* ---- ids to embeddings ---- */

typedef struct by_length {
  uint32_t length;
  size_t index;
} by_length;

static int longest_first(const void *a, const void *b) {
  const by_length *x = a, *y = b;
  if (x->length != y->length) return x->length < y->length ? 1 : -1;
  return x->index < y->index ? -1 : x->index > y->index;
}

typedef struct embedding_run {
  const aq_params *params;
  const aq_token_texts *texts;
  by_length *order;
  const int32_t **ids; /* of a group */
  uint32_t *lengths;
  float *out;
} embedding_run;

static aq_status embed_group(const embedding_run *r, size_t first, size_t count, aq_tape *tape, aq_pool *pool,
                             aq_error *err) {
  const size_t hidden = r->params->model->config.hidden;
  for (size_t i = 0; i < count; i++) {
    r->ids[i] = r->texts->ids[r->order[first + i].index];
    r->lengths[i] = r->order[first + i].length;
  }
  AQ_TRY(aq_tape_begin_forward(tape, r->params, r->ids, r->lengths, count, pool, err));
  AQ_TRY(aq_tape_forward(tape, r->params, err));
  for (size_t i = 0; i < count; i++) {
    memcpy(r->out + r->order[first + i].index * hidden, tape->embeddings + i * hidden, hidden * sizeof(float));
  }
  return AQ_OK;
}

static aq_status embed_all(const embedding_run *r, aq_pool *pool, aq_error *err) {
  aq_tape tape = {0};
  aq_status status = AQ_OK;
  for (size_t first = 0; status == AQ_OK && first < r->texts->count;) {
    size_t count = 0, tokens = 0;
    do {
      tokens += r->order[first + count++].length;
    } while (first + count < r->texts->count && tokens + r->order[first + count].length <= GROUP_TOKENS);
    status = embed_group(r, first, count, &tape, pool, err);
    first += count;
  }
  aq_tape_reset(&tape);
  return status;
}

aq_status aq_params_embed(const aq_params *params, const aq_token_texts *texts, aq_pool *pool, float *out,
                          aq_error *err) {
  const size_t n = AQ_MAX(texts->count, 1);
  embedding_run r = {.params = params,
                     .texts = texts,
                     .order = aq_calloc(n, sizeof *r.order),
                     .ids = aq_calloc(n, sizeof *r.ids),
                     .lengths = aq_calloc(n, sizeof *r.lengths),
                     .out = out};
  aq_status status = AQ_OK;
  if (r.order == NULL || r.ids == NULL || r.lengths == NULL) status = aq_fail_memory(err, n * sizeof *r.order);
  if (status == AQ_OK) {
    for (size_t i = 0; i < texts->count; i++) r.order[i] = (by_length){texts->lengths[i], i};
    qsort(r.order, texts->count, sizeof *r.order, longest_first);
    status = embed_all(&r, pool, err);
  }
  aq_free(r.order);
  aq_free(r.ids);
  aq_free(r.lengths);
  return status;
}
