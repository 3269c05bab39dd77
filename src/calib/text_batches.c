/* text_batches.c - cutting texts into batches, and shuffling these. */
#include "calib/text_batches.h"

#include <stdlib.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

typedef struct text {
  const int32_t *ids;
  uint32_t length;
  size_t place;
} text;

static int shorter_first(const void *a, const void *b) {
  const text *const x = a, *const y = b;
  if (x->length != y->length) return x->length < y->length ? -1 : 1;
  return x->place < y->place ? -1 : x->place > y->place;
}

static aq_status allocate(aq_text_batches *b, aq_error *err) {
  b->ids = aq_calloc(b->texts, sizeof *b->ids);
  b->lengths = aq_calloc(b->texts, sizeof *b->lengths);
  b->first = aq_calloc(b->texts + 1, sizeof *b->first);
  b->order = aq_calloc(b->texts, sizeof *b->order);
  const bool whole = b->ids != NULL && b->lengths != NULL && b->first != NULL && b->order != NULL;
  return whole ? AQ_OK : aq_fail_memory(err, b->texts * sizeof *b->ids);
}

static void cut(aq_text_batches *b, const text *texts, size_t limit) {
  size_t tokens = 0;
  for (size_t i = 0; i < b->texts; i++) {
    b->ids[i] = texts[i].ids;
    b->lengths[i] = texts[i].length;
    if (i == 0 || tokens + texts[i].length > limit) {
      b->order[b->count] = b->count;
      b->first[b->count++] = i;
      tokens = 0;
    }
    tokens += texts[i].length;
    b->most_tokens = AQ_MAX(b->most_tokens, tokens);
    b->most_texts = AQ_MAX(b->most_texts, i + 1 - b->first[b->count - 1]);
  }
  b->first[b->count] = b->texts;
}

aq_status aq_text_batches_make(const int32_t *const *ids, const uint32_t *lengths, size_t texts, size_t tokens,
                               aq_text_batches *out, aq_error *err) {
  *out = (aq_text_batches){.texts = texts};
  text *sorted = aq_calloc(texts, sizeof *sorted);
  if (sorted == NULL) return aq_fail_memory(err, texts * sizeof *sorted);
  for (size_t i = 0; i < texts; i++) sorted[i] = (text){ids[i], lengths[i], i};
  qsort(sorted, texts, sizeof *sorted, shorter_first);
  const aq_status status = allocate(out, err);
  if (status == AQ_OK) cut(out, sorted, tokens);
  aq_free(sorted);
  if (status != AQ_OK) aq_text_batches_reset(out);
  return status;
}

void aq_text_batches_reset(aq_text_batches *batches) {
  aq_free((void *)batches->ids);
  aq_free(batches->lengths);
  aq_free(batches->first);
  aq_free(batches->order);
  *batches = (aq_text_batches){0};
}

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

/* Fisher and Yates. The remainder's bias is below count / 2^64. */
void aq_text_batches_shuffle(aq_text_batches *batches, uint64_t seed, uint64_t round) {
  uint64_t state = round;
  state = seed ^ next_random(&state);
  for (size_t i = 0; i < batches->count; i++) batches->order[i] = i;
  for (size_t i = batches->count; i > 1; i--) {
    const size_t j = (size_t)(next_random(&state) % i), kept = batches->order[i - 1];
    batches->order[i - 1] = batches->order[j];
    batches->order[j] = kept;
  }
}
