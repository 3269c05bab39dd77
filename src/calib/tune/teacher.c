/* teacher.c - running the original, or remembering what it said.
 *
 * Hidden states are kept as bf16: their rounding, a relative squared error of 1e-6, is far below the errors of
 * quantization that they are compared with. */
#include "calib/tune/teacher.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"

aq_hint_layers aq_hint_layers_of(uint32_t layers) {
  aq_hint_layers hints = {.count = AQ_MIN((size_t)layers, (size_t)AQ_MAX_HINT_LAYERS)};
  for (size_t i = 0; i < hints.count; i++) hints.at[i] = layers * (i + 1) / hints.count;
  return hints;
}

aq_status aq_teacher_init(aq_teacher *teacher, const aq_params *params, const aq_text_batches *batches,
                          const aq_hint_layers *hints, size_t memory, aq_error *err) {
  const size_t hidden = params->model->config.hidden;
  *teacher = (aq_teacher){.params = params, .batches = batches, .hints = *hints, .memory = memory};
  teacher->kept = aq_calloc(batches->count, sizeof *teacher->kept);
  teacher->embeddings = aq_calloc(batches->most_texts * hidden, sizeof(float));
  teacher->hidden = aq_calloc(hints->count * batches->most_tokens * hidden, sizeof(float));
  if (teacher->kept != NULL && teacher->embeddings != NULL && teacher->hidden != NULL) return AQ_OK;
  aq_teacher_reset(teacher);
  return aq_fail_memory(err, batches->most_tokens * hidden * sizeof(float));
}

void aq_teacher_reset(aq_teacher *teacher) {
  for (size_t i = 0; teacher->kept != NULL && i < teacher->batches->count; i++) {
    aq_free(teacher->kept[i].embeddings);
    aq_free(teacher->kept[i].hidden);
  }
  aq_free(teacher->kept);
  aq_free(teacher->embeddings);
  aq_free(teacher->hidden);
  *teacher = (aq_teacher){0};
}

aq_status aq_batch_begin(const aq_text_batches *batches, size_t batch, const aq_params *params, aq_tape *tape,
                         aq_pool *pool, aq_error *err) {
  const size_t first = batches->first[batch];
  return aq_tape_begin(tape, params, batches->ids + first, batches->lengths + first, batches->first[batch + 1] - first,
                       pool, err);
}

static size_t tokens_of(const aq_text_batches *b, size_t batch) {
  size_t tokens = 0;
  for (size_t i = b->first[batch]; i < b->first[batch + 1]; i++) tokens += b->lengths[i];
  return tokens;
}

/* Keeps the target at hand if there is memory for it. */
static aq_status keep(aq_teacher *t, size_t batch, size_t embeddings, size_t hidden, aq_error *err) {
  const size_t bytes = embeddings * sizeof(float) + hidden * sizeof(uint16_t);
  if (bytes > t->memory) return AQ_OK;
  aq_kept_target *kept = &t->kept[batch];
  kept->hidden = aq_calloc(hidden, sizeof *kept->hidden);
  if (kept->hidden == NULL) return aq_fail_memory(err, bytes);
  kept->embeddings = aq_calloc(embeddings, sizeof *kept->embeddings);
  if (kept->embeddings == NULL) return aq_fail_memory(err, bytes);
  t->memory -= bytes;
  memcpy(kept->embeddings, t->embeddings, embeddings * sizeof(float));
  aq_kernels_get()->f32_to_bf16(t->hidden, hidden, kept->hidden);
  return AQ_OK;
}

static aq_status compute(aq_teacher *t, size_t batch, aq_tape *tape, aq_pool *pool, aq_error *err) {
  AQ_TRY(aq_batch_begin(t->batches, batch, t->params, tape, pool, err));
  AQ_TRY(aq_tape_forward(tape, t->params, err));
  const size_t width = t->params->model->config.hidden, state = tape->tokens * width;
  memcpy(t->embeddings, tape->embeddings, tape->texts * width * sizeof(float));
  for (size_t i = 0; i < t->hints.count; i++) {
    memcpy(t->hidden + i * state, tape->hidden[t->hints.at[i]], state * sizeof(float));
  }
  return keep(t, batch, tape->texts * width, t->hints.count * state, err);
}

aq_status aq_teacher_run(aq_teacher *teacher, size_t batch, aq_tape *tape, aq_pool *pool, aq_target *target,
                         aq_error *err) {
  const aq_kept_target *kept = &teacher->kept[batch];
  const size_t state = tokens_of(teacher->batches, batch) * teacher->params->model->config.hidden;
  if (kept->embeddings != NULL) {
    aq_kernels_get()->bf16_to_f32(kept->hidden, teacher->hints.count * state, teacher->hidden);
    *target = (aq_target){.embeddings = kept->embeddings};
  } else {
    AQ_TRY(compute(teacher, batch, tape, pool, err));
    *target = (aq_target){.embeddings = teacher->embeddings};
  }
  for (size_t i = 0; i < teacher->hints.count; i++) target->hidden[i] = teacher->hidden + i * state;
  return AQ_OK;
}
