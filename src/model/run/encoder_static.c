/* encoder_static.c - rows are added in FP32 in the order of the tokens, whoever adds them, and the sum is divided once.
 */
#include "model/run/encoder_static.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/nn/embedding_modules.h"
#include "model/nn/pooling.h"
#include "model/run/encoder_finite.h"

/* Texts that a thread takes at a time. */
#define SHARE ((size_t)64)

typedef struct batch {
  const aq_encoder *encoder;
  const int32_t *ids;
  const uint32_t *lengths;
  size_t *starts; /* in `ids`, of each text */
  size_t texts;
  float *memory; /* of all threads */
  size_t floats; /* of one: a row, what is pooled, and room for the modules */
  int8_t *codes; /* of all threads, a row each */
  float *out;
} batch;

static aq_status check_ids(const batch *b, aq_error *err) {
  const aq_encoder *e = b->encoder;
  const uint32_t count = e->tokens.count;
  for (size_t text = 0; text < b->texts; text++) {
    const int32_t *ids = b->ids + b->starts[text];
    for (uint32_t i = 0; i < b->lengths[text]; i++) {
      AQ_FAIL_IF(ids[i] < 0 || (uint32_t)ids[i] >= count, AQ_ERR_ARGUMENT,
                 "token %u of text %zu is %d; the model has %u words", i, e->first_text + text, ids[i], count);
    }
  }
  return AQ_OK;
}

/* The mean of the rows; zeros without any. */
static void pool_rows(const batch *b, const int32_t *ids, uint32_t length, float *row, int8_t *codes, float *sum) {
  const aq_static_tokens *t = &b->encoder->tokens;
  const size_t n = b->encoder->model.config.hidden;
  memset(sum, 0, n * sizeof *sum);
  for (uint32_t k = 0; k < length; k++) {
    const size_t id = (size_t)ids[k];
    const float *x = aq_embedding_table_row(&b->encoder->weights.words, t->rows != NULL ? t->rows[id] : id, codes, row);
    const float factor = t->factors != NULL ? t->factors[id] : 1;
    for (size_t i = 0; i < n; i++) sum[i] += x[i] * factor;
  }
  for (size_t i = 0; i < n && length > 0; i++) sum[i] /= (float)length;
}

static aq_status run_share(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const batch *b = ctx;
  const aq_model_config *c = &b->encoder->model.config;
  float *row = b->memory + worker * b->floats, *pooled = row + c->hidden, *spare = pooled + aq_embedding_widest(c);
  const size_t first = (size_t)item * SHARE, end = AQ_MIN(first + SHARE, b->texts);
  (void)err;
  for (size_t text = first; text < end; text++) {
    float *out = b->out + text * c->dimension;
    pool_rows(b, b->ids + b->starts[text], b->lengths[text], row, b->codes + worker * c->hidden, pooled);
    if (c->normalize) (void)aq_embedding_normalize(pooled, c->hidden);
    aq_embedding_finish(c, &b->encoder->weights, aq_kernels_get(), pooled, spare, out);
  }
  return AQ_OK;
}

static aq_status allocate_batch(batch *b, aq_error *err) {
  const aq_model_config *c = &b->encoder->model.config;
  const size_t threads = aq_pool_threads(b->encoder->pool);
  b->floats = c->hidden + 2 * aq_embedding_widest(c);
  b->starts = aq_calloc(b->texts, sizeof *b->starts);
  b->memory = aq_calloc(threads, b->floats * sizeof *b->memory);
  b->codes = aq_calloc(threads, c->hidden);
  if (b->starts == NULL || b->memory == NULL || b->codes == NULL) return aq_fail_memory(err, threads * b->floats);
  for (size_t i = 1; i < b->texts; i++) b->starts[i] = b->starts[i - 1] + b->lengths[i - 1];
  return AQ_OK;
}

aq_status aq_encoder_run_static(aq_encoder *encoder, const int32_t *ids, const uint32_t *lengths, size_t texts,
                                float *out, aq_error *err) {
  batch b = {.encoder = encoder, .ids = ids, .lengths = lengths, .texts = texts, .out = out};
  aq_status status = allocate_batch(&b, err);
  if (status == AQ_OK) status = check_ids(&b, err);
  if (status == AQ_OK) status = aq_pool_run(encoder->pool, (texts + SHARE - 1) / SHARE, run_share, &b, err);
  if (status == AQ_OK) status = aq_encoder_check_finite(encoder, out, texts, err);
  aq_free(b.starts);
  aq_free(b.memory);
  aq_free(b.codes);
  return status;
}
