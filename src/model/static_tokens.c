/* static_tokens.c - from a text to the tokens of a static embedding, and what each of them has of its own. */
#include "model/static_tokens.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "model/tensor_find.h"
#include "tokenizer/tokenizer.h"

void aq_static_tokens_reset(aq_static_tokens *tokens) {
  aq_free(tokens->rows);
  aq_free(tokens->factors);
  *tokens = (aq_static_tokens){.rows = NULL};
}

/* ---- rows and factors ---- */

/* A vector of one value a token, *values NULL when there is no tensor of the name. */
static aq_status read_vector(const aq_model *model, const char *name, float **values, uint32_t *count, aq_error *err) {
  aq_tensor_finder finder;
  *values = NULL;
  const aq_status status = aq_tensor_finder_init(&finder, model->source, name, err);
  if (status == AQ_ERR_NOT_FOUND) {
    aq_error_clear(err);
    return AQ_OK;
  }
  AQ_TRY(status);
  char full[sizeof finder.prefix + 32];
  (void)snprintf(full, sizeof full, "%s%s", finder.prefix, name);
  const size_t tensor = (size_t)aq_source_find(model->source, full);
  const aq_tensor_info *info = aq_source_tensor(model->source, tensor);
  if (info->rank != 1 || info->shape[0] < 1 || info->shape[0] > INT32_MAX) {
    return aq_error_in_tensor(err, aq_fail(err, AQ_ERR_FORMAT, "is no vector of a number for each token"), full);
  }
  *count = (uint32_t)info->shape[0];
  *values = aq_realloc_array(NULL, *count, sizeof **values);
  if (*values == NULL) return aq_fail_memory(err, *count * sizeof **values);
  return aq_source_read_f32(model->source, tensor, 0, *count, *values, err);
}

static aq_status set_rows(const aq_model *model, const float *values, aq_static_tokens *out, aq_error *err) {
  out->rows = aq_realloc_array(NULL, out->count, sizeof *out->rows);
  if (out->rows == NULL) return aq_fail_memory(err, out->count * sizeof *out->rows);
  for (uint32_t i = 0; i < out->count; i++) {
    const bool is_row = values[i] >= 0 && values[i] < (float)model->config.vocabulary;
    AQ_FAIL_IF(!is_row, AQ_ERR_FORMAT, "'mapping' gives token %u the row %g; the table has %u", i, (double)values[i],
               model->config.vocabulary);
    out->rows[i] = (uint32_t)values[i];
  }
  return AQ_OK;
}

static aq_status check_factors(const aq_static_tokens *tokens, uint32_t count, aq_error *err) {
  AQ_FAIL_IF(count != tokens->count, AQ_ERR_FORMAT, "'weights' has %u numbers for %u tokens", count, tokens->count);
  for (uint32_t i = 0; i < count; i++) {
    AQ_FAIL_IF(!isfinite(tokens->factors[i]), AQ_ERR_NONFINITE, "'weights' of token %u is not finite", i);
  }
  return AQ_OK;
}

static aq_status load_tokens(const aq_model *model, aq_static_tokens *out, aq_error *err) {
  float *rows;
  uint32_t count = 0;
  out->count = model->config.vocabulary;
  aq_status status = read_vector(model, "mapping", &rows, &count, err);
  if (status == AQ_OK && rows != NULL) {
    out->count = count;
    status = set_rows(model, rows, out, err);
  }
  aq_free(rows);
  AQ_TRY(status);
  AQ_TRY(read_vector(model, "weights", &out->factors, &count, err));
  return out->factors != NULL ? check_factors(out, count, err) : AQ_OK;
}

aq_status aq_static_tokens_load(const aq_model *model, aq_static_tokens *out, aq_error *err) {
  *out = (aq_static_tokens){.rows = NULL};
  const aq_status status = load_tokens(model, out, err);
  if (status != AQ_OK) aq_static_tokens_reset(out);
  return status;
}

/* ---- tokens of a text ---- */

/* Bytes of the first `most` characters. What is not UTF-8 counts by its bytes that could begin a character. */
static size_t bytes_of_characters(const char *text, size_t length, uint64_t most) {
  size_t at = 0;
  for (uint64_t count = 0; at < length; at++) {
    const bool begins = ((uint8_t)text[at] & 0xC0) != 0x80;
    if (begins && count++ == most) break;
  }
  return at;
}

static void drop_unknown(aq_token_ids *ids, size_t first, int32_t unknown) {
  size_t kept = first;
  for (size_t i = first; i < ids->count; i++) {
    if (ids->ids[i] != unknown) ids->ids[kept++] = ids->ids[i];
  }
  ids->count = kept;
}

/* model2vec cuts a long text before it is tokenized, at so many times the median of the lengths of all tokens. */
aq_status aq_static_tokens_of_text(const aq_model *model, const char *text, size_t length, aq_token_ids *ids,
                                   aq_error *err) {
  const aq_tokenizer *t = model->tokenizer;
  const aq_model_config *c = &model->config;
  const size_t first = ids->count;
  const uint64_t limit = c->max_tokens == AQ_STATIC_UNLIMITED ? AQ_TOKENS_UNLIMITED : c->max_tokens;
  size_t room = (size_t)limit;
  if (c->drops_unknown) {
    if (c->max_tokens != AQ_STATIC_UNLIMITED) length = bytes_of_characters(text, length, limit * t->median_length);
  } else {
    room = AQ_MIN(room, t->most_tokens);
  }
  AQ_TRY(aq_tokenizer_encode_body(t, text, length, room, ids, err));
  if (c->drops_unknown && t->unknown >= 0) drop_unknown(ids, first, t->unknown);
  return AQ_OK;
}
