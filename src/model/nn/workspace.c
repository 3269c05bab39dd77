/* workspace.c - memory for running a group of texts. Sizes are products of a few numbers that config.h bounds. */
#include "model/nn/workspace.h"

#include "core/error.h"
#include "core/memory.h"
#include "model/nn/disentangled.h"
#include "model/nn/embedding_modules.h"
#include "model/nn/panels.h"

void aq_thread_space_reset(aq_thread_space *space) {
  aq_free(space->keys);
  aq_free(space->values);
  aq_free(space->scores);
  aq_free(space->products);
  aq_coded_rows_reset(&space->coded);
  aq_free(space->row);
  aq_free(space->row_codes);
  aq_free(space->pooled);
  *space = (aq_thread_space){0};
}

void aq_group_space_reset(aq_group_space *space) {
  aq_free(space->hidden);
  aq_free(space->qkv);
  aq_free(space->context);
  aq_free(space->block[0]);
  aq_free(space->block[1]);
  aq_free(space->angles);
  *space = (aq_group_space){0};
}

static float *floats(size_t rows, size_t columns) { return aq_realloc_array(NULL, rows * columns, sizeof(float)); }

aq_status aq_thread_space_need(aq_thread_space *space, const aq_model_config *config, size_t longest, bool codes,
                               aq_error *err) {
  if (longest <= space->longest) return AQ_OK;
  aq_thread_space_reset(space);
  const size_t head = config->attention / config->heads;
  const size_t widest = AQ_MAX(AQ_MAX(config->hidden, config->attention), config->inner);
  space->keys = floats(aq_panel_rows(longest), head);
  space->values = floats(aq_panel_rows(head), longest);
  space->scores = floats(AQ_QUERY_ROWS, longest);
  const bool has_distances = config->distances.rows > 0;
  if (has_distances) space->products = floats(AQ_DISTANCE_BLOCK, config->distances.rows);
  space->row = floats(2, config->embedding);
  space->row_codes = aq_malloc(config->embedding);
  if (aq_embedding_has_modules(config)) space->pooled = floats(2, aq_embedding_widest(config));
  const bool whole = space->keys != NULL && space->values != NULL && space->scores != NULL && space->row != NULL &&
                     (space->products != NULL || !has_distances) && space->row_codes != NULL &&
                     (space->pooled != NULL || !aq_embedding_has_modules(config));
  aq_status status = whole ? AQ_OK : aq_fail_memory(err, longest * head * sizeof(float));
  if (status == AQ_OK && codes) status = aq_coded_rows_create(&space->coded, AQ_BLOCK_ROWS, widest, false, err);
  if (status != AQ_OK) {
    aq_thread_space_reset(space);
    return status;
  }
  space->longest = longest;
  return AQ_OK;
}

aq_status aq_group_space_need(aq_group_space *space, const aq_model_config *config, size_t tokens, aq_error *err) {
  if (tokens <= space->tokens) return AQ_OK;
  aq_group_space_reset(space);
  const size_t hidden = config->hidden, values = config->attention;
  space->hidden = floats(tokens, hidden);
  space->qkv = floats(tokens, AQ_MAX(3 * values, (size_t)config->embedding));
  space->context = floats(tokens, values);
  const size_t inner = (size_t)config->inner * (config->gated ? 2 : 1);
  for (size_t i = 0; i < 2; i++) space->block[i] = floats(AQ_BLOCK_ROWS, AQ_MAX(hidden, inner));
  const bool rotary = config->theta[0] > 0;
  if (rotary) space->angles = floats(2 * tokens, values / config->heads);
  if (space->hidden == NULL || space->qkv == NULL || space->context == NULL || space->block[0] == NULL ||
      space->block[1] == NULL || (rotary && space->angles == NULL)) {
    aq_group_space_reset(space);
    return aq_fail_memory(err, tokens * (hidden + 4 * values) * sizeof(float));
  }
  space->tokens = tokens;
  return AQ_OK;
}
