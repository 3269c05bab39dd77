/* tune.c - the descent: batches, schedule, and which state is kept.
 *
 * Rates rise over WARM_UP steps and fall with a cosine to 0 at the end, which is a number of steps or a time. The state
 * that is run is always the one that would be stored, codes and rounded steps; so measuring it on the held-out texts
 * costs a forward pass and nothing else. That is done at the end and every CHECK_STEPS, with a time limit only as long
 * as it takes less than CHECK_SHARE of it. (docs/CALIBRATION.md) */
#include "calib/tune/tune.h"

#include <math.h>

#include "calib/token_check.h"
#include "calib/tune/student.h"
#include "calib/tune/tune_kind.h"
#include "core/compiler.h"
#include "core/error.h"

#define WARM_UP 10
#define CHECK_STEPS 50
#define CHECK_SHARE 0.1
/* What is left for the last measurement, in times of what the one before took. */
#define RESERVE 1.2
static const double pi = 3.14159265358979323846;

void aq_tune_options_init(aq_tune_options *options) {
  *options = (aq_tune_options){.seconds = 120,
                               .batch_tokens = 500,
                               .code_rate = 0.005,
                               .step_rate = 1e-3,
                               .vector_rate = 3e-4,
                               .hidden_weight = 0.2,
                               .latent_slack = 0.3,
                               .step_mantissa = 5,
                               .memory = (size_t)256 << 20};
}

typedef struct descent {
  const aq_tune_options *options;
  const aq_tune_kind *kind;
  void *state; /* the kind's */
  aq_progress *progress;
  double started, begun; /* the call, the descent itself */
  double step_seconds;   /* of the last step */
  double held_seconds;   /* of the last measurement */
  double check_seconds;  /* of all measurements on the way */
  uint64_t round, ticks;
  size_t next; /* batch of this round */
  aq_text_batches batches;
  aq_student student;
  uint32_t checked; /* step at which the student was measured last */
  bool lost;        /* the loss is no number any more */
  aq_tune_result result;
} descent;

/* ---- schedule ---- */

/* 0 at the beginning, 1 or more when it is over. */
static double share_done(const descent *d) {
  if (d->options->steps > 0) return (double)d->student.step / d->options->steps;
  const double end = d->started + d->options->seconds - RESERVE * d->held_seconds - d->step_seconds;
  return end > d->begun ? (aq_clock() - d->begun) / (end - d->begun) : 1;
}

/* Noise of the gradients moves a parameter by the root of the sum of squares of its steps: rates that suit full_steps
 * of them do harm in many more. With a time limit the number is what it has been so far suggests. */
static double length_factor(const descent *d, double done) {
  const aq_tune_options *o = d->options;
  const double steps = o->steps > 0 ? o->steps : done > 0 ? (double)d->student.step / done : 0;
  return o->full_steps > 0 && steps > o->full_steps ? sqrt(o->full_steps / steps) : 1;
}

static double rate_factor(const descent *d, double done) {
  const double warm = ((double)d->student.step + 1) / WARM_UP;
  return (warm < 1 ? warm : 1) * (0.5 + 0.5 * cos(pi * done)) * length_factor(d, done);
}

static bool check_is_due(const descent *d) {
  if (d->student.step % CHECK_STEPS != 0) return false;
  if (d->options->steps > 0) return true;
  return d->check_seconds + d->held_seconds < CHECK_SHARE * (aq_clock() - d->begun);
}

static aq_status tell(descent *d, double done, aq_error *err) {
  const uint64_t ticks = (uint64_t)((done < 1 ? done : 1) * AQ_TUNE_TICKS);
  const uint64_t more = ticks > d->ticks ? ticks - d->ticks : 0;
  d->ticks += more;
  return d->progress != NULL ? aq_progress_add(d->progress, NULL, more, 0, err) : AQ_OK;
}

/* ---- one step ---- */

static size_t next_batch(descent *d) {
  if (d->next == d->batches.count) {
    d->next = 0;
    d->round++;
  }
  if (d->next == 0) aq_text_batches_shuffle(&d->batches, d->round);
  return d->batches.order[d->next++];
}

static aq_status make_step(descent *d, double done, aq_error *err) {
  const double started = aq_clock();
  AQ_TRY(d->kind->descend(d->state, next_batch(d), &d->student, rate_factor(d, done), &d->lost, err));
  d->step_seconds = aq_clock() - started;
  return AQ_OK;
}

static aq_status measure_loss(descent *d, const aq_params *params, double *loss, aq_error *err) {
  const double started = aq_clock();
  AQ_TRY(d->kind->measure(d->state, params, loss, err));
  d->held_seconds = aq_clock() - started;
  return AQ_OK;
}

/* Measures the student and remembers it when it is the best so far. */
static aq_status check(descent *d, aq_error *err) {
  double loss;
  AQ_TRY(measure_loss(d, &d->student.params, &loss, err));
  d->check_seconds += d->held_seconds;
  d->lost = !isfinite(loss);
  if (d->lost) return AQ_OK;
  const bool first = d->checked == 0, best = loss < d->result.before && (first || loss < d->result.after);
  d->checked = d->student.step;
  if (first || loss < d->result.after) d->result.after = loss;
  if (!best) return AQ_OK;
  d->result.accepted = true;
  aq_student_keep_best(&d->student);
  return AQ_OK;
}

static aq_status descend(descent *d, aq_error *err) {
  d->begun = aq_clock();
  for (double done = share_done(d); done < 1 && !d->lost; done = share_done(d)) {
    AQ_TRY(tell(d, done, err));
    AQ_TRY(make_step(d, done, err));
    if (check_is_due(d)) AQ_TRY(check(d, err));
  }
  if (d->student.step > d->checked && !d->lost) AQ_TRY(check(d, err));
  d->result.steps = d->student.step;
  return tell(d, 1, err);
}

/* ---- the call ---- */

static aq_status check_options(const aq_tune_options *o, aq_error *err) {
  AQ_FAIL_IF(o->steps == 0 && !(o->seconds > 0), AQ_ERR_ARGUMENT, "tuning needs a number of steps or a time");
  AQ_FAIL_IF(o->batch_tokens == 0, AQ_ERR_ARGUMENT, "batches of 0 tokens");
  const double rates[] = {o->code_rate, o->step_rate, o->vector_rate, o->hidden_weight};
  for (size_t i = 0; i < AQ_COUNT_OF(rates); i++) {
    AQ_FAIL_IF(!(rates[i] >= 0 && isfinite(rates[i])), AQ_ERR_ARGUMENT, "%g is no rate or weight of tuning", rates[i]);
  }
  return AQ_OK;
}

static aq_status measure_before(descent *d, const aq_params *quantized, aq_error *err) {
  AQ_TRY(measure_loss(d, quantized, &d->result.before, err));
  d->result.after = d->result.before;
  return AQ_OK;
}

static aq_status make_batches(descent *d, const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                              aq_error *err) {
  const aq_tune_options *o = d->options;
  if (!d->kind->cuts_texts)
    return aq_text_batches_make(ids, lengths, texts, o->batch_tokens, o->seed, &d->batches, err);
  aq_text_pieces pieces;
  AQ_TRY(aq_text_pieces_cut(ids, lengths, texts, o->batch_tokens, &pieces, err));
  const aq_status status =
      aq_text_batches_make(pieces.ids, pieces.lengths, pieces.count, o->batch_tokens, o->seed, &d->batches, err);
  aq_text_pieces_reset(&pieces);
  return status;
}

/* setup: all but the batches, which are the descent's. */
static aq_status run_descent(descent *d, aq_tune_setup *setup, aq_params *quantized, aq_tune_matrix *matrices,
                             size_t count, aq_error *err) {
  setup->batches = &d->batches;
  AQ_TRY(d->kind->create(setup, &d->state, err));
  AQ_TRY(aq_student_init(&d->student, quantized, matrices, count, d->options, err));
  AQ_TRY(measure_before(d, quantized, err));
  AQ_TRY(descend(d, err));
  if (d->result.accepted) aq_student_take_best(&d->student, quantized);
  return AQ_OK;
}

aq_status aq_tune(const aq_params *original, aq_params *quantized, aq_tune_matrix *matrices, size_t count,
                  const int32_t *const *ids, const uint32_t *lengths, size_t texts, const int32_t *const *held_ids,
                  const uint32_t *held_lengths, size_t held_texts, const aq_tune_options *options, aq_pool *pool,
                  aq_progress *progress, aq_tune_result *result, aq_error *err) {
  const aq_model_config *c = &original->model->config;
  descent d = {.options = options,
               .kind = c->arch->decoder != NULL ? &aq_decoder_tuning : &aq_encoder_tuning,
               .progress = progress,
               .started = aq_clock()};
  aq_tune_setup setup = {.original = original,
                         .held_ids = held_ids,
                         .held_lengths = held_lengths,
                         .held_texts = held_texts,
                         .options = options,
                         .pool = pool,
                         .progress = progress};
  *result = (aq_tune_result){0};
  AQ_TRY(check_options(options, err));
  AQ_TRY(aq_token_check(c, ids, lengths, texts, "tuning", err));
  AQ_TRY(aq_token_check(c, held_ids, held_lengths, held_texts, "held-out", err));
  AQ_TRY(make_batches(&d, ids, lengths, texts, err));
  const aq_status status = run_descent(&d, &setup, quantized, matrices, count, err);
  if (status == AQ_OK) *result = d.result;
  aq_student_reset(&d.student);
  d.kind->free(d.state);
  aq_text_batches_reset(&d.batches);
  return status;
}
