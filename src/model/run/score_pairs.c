/* score_pairs.c - pairs of texts to scores: tokens first, then the encoder with its head, a bounded number of pairs at
 * a time. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/run/scorer.h"
#include "tokenizer/tokenizer.h"

/* Pairs that are held as tokens at a time. */
#define CHUNK_PAIRS ((size_t)1024)

/* The tokens of a chunk, one pair after another. */
typedef struct chunk {
  aq_token_ids ids, types;
  uint32_t *counts; /* of each pair */
} chunk;

static aq_status tokenize_pairs(const aq_encoder *e, const char *const *texts, const size_t *lengths, size_t pairs,
                                chunk *c, aq_error *err) {
  c->ids.count = c->types.count = 0;
  for (size_t i = 0; i < pairs; i++) {
    const char *const *pair = texts + 2 * i;
    const size_t before = c->ids.count;
    const size_t sizes[2] = {lengths != NULL ? lengths[2 * i] : strlen(pair[0]),
                             lengths != NULL ? lengths[2 * i + 1] : strlen(pair[1])};
    AQ_TRY(
        aq_tokenizer_encode_pair(e->model.tokenizer, pair, sizes, e->model.config.max_tokens, &c->ids, &c->types, err));
    c->counts[i] = (uint32_t)(c->ids.count - before);
  }
  return AQ_OK;
}

static aq_status score_chunk(const aq_scorer *s, const char *const *texts, const size_t *lengths, size_t pairs,
                             bool raw, chunk *c, float *out, aq_error *err) {
  aq_encoder *e = s->encoder;
  const aq_model_config *config = &e->model.config;
  AQ_TRY(tokenize_pairs(e, texts, lengths, pairs, c, err));
  const int32_t *types = config->types > 0 ? c->types.ids : NULL; /* without a table of types nothing reads them */
  AQ_TRY(aq_encoder_run_tokens(e, c->ids.ids, types, c->counts, pairs, out, err));
  if (!raw && config->score_activation != NULL) {
    config->score_activation->apply(aq_kernels_get(), out, pairs * config->dimension);
  }
  return AQ_OK;
}

static aq_status score_chunks(const aq_scorer *s, const char *const *texts, const size_t *lengths, size_t pairs,
                              bool raw, float *out, aq_error *err) {
  aq_encoder *e = s->encoder;
  chunk c = {.counts = NULL};
  AQ_TRY(aq_model_need_tokenizer(&e->model, err));
  const size_t room = AQ_MIN(pairs, CHUNK_PAIRS), first = e->first_text;
  c.counts = aq_calloc(AQ_MAX(room, (size_t)1), sizeof *c.counts);
  if (c.counts == NULL) return aq_fail_memory(err, room * sizeof *c.counts);
  aq_status status = AQ_OK;
  for (size_t at = 0; at < pairs && status == AQ_OK; at += CHUNK_PAIRS) {
    const size_t n = AQ_MIN(pairs - at, CHUNK_PAIRS);
    e->first_text = first + at;
    status = score_chunk(s, texts + 2 * at, lengths != NULL ? lengths + 2 * at : NULL, n, raw, &c,
                         out + at * e->model.config.dimension, err);
  }
  e->first_text = first;
  aq_free(c.ids.ids);
  aq_free(c.types.ids);
  aq_free(c.counts);
  return status;
}

aq_status aq_scorer_score(aq_scorer *scorer, const char *const *texts, const size_t *lengths, size_t pairs, bool raw,
                          float *out, aq_error *err) {
  AQ_TRY(aq_encoder_enter(scorer->encoder, err));
  const aq_status status = score_chunks(scorer, texts, lengths, pairs, raw, out, err);
  aq_encoder_leave(scorer->encoder);
  return status;
}
