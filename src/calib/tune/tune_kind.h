/* tune_kind.h - what tuning is for one kind of model: how far its outputs are from the original's, and which way that
 * changes with its parameters. The descent itself (tune.c) is the same for all. */
#ifndef AQ_CALIB_TUNE_TUNE_KIND_H
#define AQ_CALIB_TUNE_TUNE_KIND_H

#include "calib/text_batches.h"
#include "calib/tune/student.h"
#include "calib/tune/tune_options.h"
#include "core/pool.h"
#include "core/progress.h"

/* All of it outlives what is created from it. */
typedef struct aq_tune_setup {
  const aq_params *original;
  const aq_text_batches *batches; /* to descend on */
  const int32_t *const *held_ids;
  const uint32_t *held_lengths;
  size_t held_texts;
  const aq_tune_options *options;
  aq_pool *pool;
  aq_progress *progress; /* may be NULL */
} aq_tune_setup;

typedef struct aq_tune_kind {
  bool cuts_texts; /* those that are longer than a batch are cut: a part of one says as much as a whole one */
  aq_status (*create)(const aq_tune_setup *setup, void **state, aq_error *err);
  void (*free)(void *state); /* accepts NULL */
  /* The gradient of the loss on a batch, and the student's step down; *lost: the loss is no number any more. */
  aq_status (*descend)(void *state, size_t batch, aq_student *student, double factor, bool *lost, aq_error *err);
  /* The loss on the held-out texts, which may be infinite or no number. */
  aq_status (*measure)(void *state, const aq_params *params, double *loss, aq_error *err);
} aq_tune_kind;

/* Encoders: the distance of embeddings and hidden states. Decoders: the divergence of next-token predictions. */
extern const aq_tune_kind aq_encoder_tuning, aq_decoder_tuning;

#endif
