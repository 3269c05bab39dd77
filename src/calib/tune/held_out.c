/* held_out.c - the mean cosine loss on held-out texts. */
#include "calib/tune/held_out.h"

#include "calib/tune/distill.h"
#include "core/error.h"

aq_status aq_held_out_init(aq_held_out *held, const aq_params *original, const int32_t *const *ids,
                           const uint32_t *lengths, size_t texts, size_t batch_tokens, aq_pool *pool,
                           aq_progress *progress, aq_error *err) {
  static const aq_hint_layers no_taps;
  *held = (aq_held_out){.pool = pool, .progress = progress};
  AQ_TRY(aq_text_batches_make(ids, lengths, texts, batch_tokens, 0, &held->batches, err));
  const aq_status status = aq_teacher_init(&held->teacher, original, &held->batches, &no_taps, SIZE_MAX, err);
  if (status != AQ_OK) aq_held_out_reset(held);
  return status;
}

void aq_held_out_reset(aq_held_out *held) {
  aq_teacher_reset(&held->teacher);
  aq_text_batches_reset(&held->batches);
  *held = (aq_held_out){0};
}

static aq_status measure_batch(aq_held_out *held, size_t batch, const aq_params *params, aq_tape *tape, double *sum,
                               aq_error *err) {
  aq_target target;
  const size_t n = params->model->config.hidden;
  AQ_TRY(aq_teacher_run(&held->teacher, batch, tape, held->pool, &target, err));
  AQ_TRY(aq_batch_begin(&held->batches, batch, params, tape, held->pool, err));
  AQ_TRY(aq_tape_forward(tape, params, err));
  for (size_t i = 0; i < tape->texts; i++) {
    *sum += aq_cosine_loss(tape->embeddings + i * n, target.embeddings + i * n, n, 0, NULL);
  }
  return held->progress != NULL ? aq_progress_add(held->progress, NULL, 0, 0, err) : AQ_OK;
}

aq_status aq_held_out_loss(aq_held_out *held, const aq_params *params, aq_tape *tape, double *loss, aq_error *err) {
  double sum = 0;
  for (size_t i = 0; i < held->batches.count; i++) AQ_TRY(measure_batch(held, i, params, tape, &sum, err));
  *loss = sum / (double)held->batches.texts;
  return AQ_OK;
}
