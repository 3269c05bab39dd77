/* text_batches.c - cutting texts into batches, and shuffling these.
 *
 * Texts are not sorted by length: a pass has no padding that this would save, and a batch of words only is a worse
 * sample of the loss than a mixture. */
#include "calib/text_batches.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"

/* 0..n-1 in an order for each seed and round (Fisher and Yates). The remainder's bias is below n / 2^64. */
static void permute(size_t *order, size_t n, uint64_t seed, uint64_t round) {
  uint64_t state = round;
  state = seed ^ aq_splitmix_next(&state);
  for (size_t i = 0; i < n; i++) order[i] = i;
  for (size_t i = n; i > 1; i--) {
    const size_t j = (size_t)(aq_splitmix_next(&state) % i), kept = order[i - 1];
    order[i - 1] = order[j];
    order[j] = kept;
  }
}

static aq_status allocate(aq_text_batches *b, aq_error *err) {
  b->ids = aq_calloc(b->texts, sizeof *b->ids);
  b->lengths = aq_calloc(b->texts, sizeof *b->lengths);
  b->first = aq_calloc(b->texts + 1, sizeof *b->first);
  b->order = aq_calloc(b->texts, sizeof *b->order);
  const bool whole = b->ids != NULL && b->lengths != NULL && b->first != NULL && b->order != NULL;
  return whole ? AQ_OK : aq_fail_memory(err, b->texts * sizeof *b->ids);
}

static void cut(aq_text_batches *b, size_t limit) {
  size_t tokens = 0;
  for (size_t i = 0; i < b->texts; i++) {
    if (i == 0 || tokens + b->lengths[i] > limit) {
      b->first[b->count++] = i;
      tokens = 0;
    }
    tokens += b->lengths[i];
    b->most_tokens = AQ_MAX(b->most_tokens, tokens);
    b->most_texts = AQ_MAX(b->most_texts, i + 1 - b->first[b->count - 1]);
  }
  b->first[b->count] = b->texts;
}

aq_status aq_text_batches_make(const int32_t *const *ids, const uint32_t *lengths, size_t texts, size_t tokens,
                               uint64_t seed, aq_text_batches *out, aq_error *err) {
  *out = (aq_text_batches){.texts = texts, .seed = seed};
  const aq_status status = allocate(out, err);
  if (status != AQ_OK) {
    aq_text_batches_reset(out);
    return status;
  }
  permute(out->order, texts, seed, UINT64_MAX);
  for (size_t i = 0; i < texts; i++) {
    out->ids[i] = ids[out->order[i]];
    out->lengths[i] = lengths[out->order[i]];
  }
  cut(out, tokens);
  aq_text_batches_shuffle(out, 0);
  return AQ_OK;
}

void aq_text_batches_reset(aq_text_batches *batches) {
  aq_free((void *)batches->ids);
  aq_free(batches->lengths);
  aq_free(batches->first);
  aq_free(batches->order);
  *batches = (aq_text_batches){0};
}

void aq_text_batches_shuffle(aq_text_batches *batches, uint64_t round) {
  permute(batches->order, batches->count, batches->seed, round);
}

/* ---- pieces ---- */

aq_status aq_text_pieces_cut(const int32_t *const *ids, const uint32_t *lengths, size_t texts, uint32_t tokens,
                             aq_text_pieces *out, aq_error *err) {
  size_t count = 0;
  for (size_t i = 0; i < texts; i++) count += lengths[i] / tokens + (lengths[i] % tokens != 0);
  *out = (aq_text_pieces){.ids = aq_calloc(count, sizeof *out->ids), .lengths = aq_calloc(count, sizeof *out->lengths)};
  if (out->ids == NULL || out->lengths == NULL) {
    aq_text_pieces_reset(out);
    return aq_fail_memory(err, count * sizeof *out->ids);
  }
  for (size_t i = 0; i < texts; i++) {
    for (uint32_t at = 0; at < lengths[i]; at += AQ_MIN(tokens, lengths[i] - at)) {
      out->ids[out->count] = ids[i] + at;
      out->lengths[out->count++] = AQ_MIN(tokens, lengths[i] - at);
    }
  }
  return AQ_OK;
}

void aq_text_pieces_reset(aq_text_pieces *pieces) {
  aq_free((void *)pieces->ids);
  aq_free(pieces->lengths);
  *pieces = (aq_text_pieces){0};
}
