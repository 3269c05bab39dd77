/* encoder.c - texts into groups, groups onto threads.
 *
 * Texts are sorted by length and put one after another, without padding, into groups of bounded size. When there are
 * enough tokens, each thread runs a group by itself, from the words to the embeddings; when there are few, all threads
 * share the steps of one group, as reading the weights is then what takes the time. */
#include "model/run/encoder.h"

#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "model/run/encoder_finite.h"
#include "model/run/encoder_static.h"

/* Tokens of a group. Fewer read the weights too often, more leave nothing to share out at the end. */
#define GROUP_LEAST ((size_t)168)
#define GROUP_MOST ((size_t)1008)
#define GROUPS_A_THREAD 4
/* Up to this many tokens a thread, all share a group. */
#define TEAM_TOKENS ((size_t)64)

/* One text of a call. */
typedef struct text {
  const int32_t *ids, *types; /* types NULL: all are 0 */
  uint32_t length;
  size_t place; /* in the caller's order */
} text;

/* A call: its texts in the order in which they are run, and where each group begins. */
typedef struct batch {
  aq_encoder *encoder;
  text *texts;
  const int32_t **ids, **types; /* types NULL as above */
  uint32_t *lengths;
  float **out;
  size_t *group_first;                                /* group_count + 1 */
  size_t count, group_count, tokens, longest, widest; /* widest: tokens of the largest group */
  aq_team team;
} batch;

static int longer_first(const void *a, const void *b) {
  const text *const x = a, *const y = b;
  if (x->length != y->length) return x->length > y->length ? -1 : 1;
  return x->place < y->place ? -1 : x->place > y->place;
}

static void reset(batch *b) {
  aq_free(b->texts);
  aq_free((void *)b->ids);
  aq_free((void *)b->types);
  aq_free(b->lengths);
  aq_free((void *)b->out);
  aq_free(b->group_first);
}

static aq_status allocate(batch *b, bool has_types, aq_error *err) {
  b->texts = aq_calloc(b->count, sizeof *b->texts);
  b->ids = aq_calloc(b->count, sizeof *b->ids);
  b->types = has_types ? aq_calloc(b->count, sizeof *b->types) : NULL;
  b->lengths = aq_calloc(b->count, sizeof *b->lengths);
  b->out = aq_calloc(b->count, sizeof *b->out);
  b->group_first = aq_calloc(b->count + 1, sizeof *b->group_first);
  const bool whole = b->texts != NULL && b->ids != NULL && (b->types != NULL || !has_types) && b->lengths != NULL &&
                     b->out != NULL && b->group_first != NULL;
  return whole ? AQ_OK : aq_fail_memory(err, b->count * sizeof *b->texts);
}

static aq_status check_text(const aq_encoder *e, const int32_t *ids, uint32_t length, size_t place, aq_error *err) {
  AQ_FAIL_IF(length == 0, AQ_ERR_ARGUMENT, "text %zu has no tokens", place);
  AQ_FAIL_IF(length > e->model.config.max_tokens, AQ_ERR_ARGUMENT, "text %zu has %u tokens; at most %u are possible",
             place, length, e->model.config.max_tokens);
  for (uint32_t i = 0; i < length; i++) {
    AQ_FAIL_IF(ids[i] < 0 || (uint32_t)ids[i] >= e->model.config.vocabulary, AQ_ERR_ARGUMENT,
               "token %u of text %zu is %d; the model has %u words", i, place, ids[i], e->model.config.vocabulary);
  }
  return AQ_OK;
}

static aq_status check_types(const aq_encoder *e, const int32_t *types, uint32_t length, aq_error *err) {
  for (uint32_t i = 0; types != NULL && i < length; i++) {
    AQ_FAIL_IF(types[i] < 0 || (uint32_t)types[i] >= e->model.config.types, AQ_ERR_UNSUPPORTED,
               "the tokenizer gives tokens the type %d; the model has %u ('type_vocab_size')", types[i],
               e->model.config.types);
  }
  return AQ_OK;
}

static aq_status take_texts(batch *b, const int32_t *ids, const int32_t *types, const uint32_t *lengths, float *out,
                            aq_error *err) {
  const size_t dimension = b->encoder->model.config.dimension;
  for (size_t i = 0; i < b->count; i++) {
    AQ_TRY(check_text(b->encoder, ids, lengths[i], b->encoder->first_text + i, err));
    AQ_TRY(check_types(b->encoder, types, lengths[i], err));
    b->texts[i] = (text){ids, types, lengths[i], i};
    ids += lengths[i];
    types = types != NULL ? types + lengths[i] : NULL;
    b->tokens += lengths[i];
  }
  qsort(b->texts, b->count, sizeof *b->texts, longer_first);
  b->longest = b->texts[0].length;
  for (size_t i = 0; i < b->count; i++) {
    b->ids[i] = b->texts[i].ids;
    if (b->types != NULL) b->types[i] = b->texts[i].types;
    b->lengths[i] = b->texts[i].length;
    b->out[i] = out + b->texts[i].place * dimension;
  }
  return AQ_OK;
}

static void make_groups(batch *b, size_t threads) {
  size_t limit = b->tokens / (threads * GROUPS_A_THREAD);
  limit = AQ_MAX(AQ_MIN(limit, GROUP_MOST), GROUP_LEAST);
  size_t tokens = 0;
  for (size_t i = 0; i < b->count; i++) {
    if (i == 0 || tokens + b->lengths[i] > limit) {
      b->group_first[b->group_count++] = i;
      tokens = 0;
    }
    tokens += b->lengths[i];
    b->widest = AQ_MAX(b->widest, tokens);
  }
  b->group_first[b->group_count] = b->count;
}

static aq_forward forward_of(const batch *b, const aq_group *group, aq_group_space *space, aq_team *team) {
  const aq_encoder *e = b->encoder;
  return (aq_forward){.model = &e->model,
                      .config = &e->model.config,
                      .weights = &e->weights,
                      .kernels = aq_kernels_get(),
                      .group = group,
                      .space = space,
                      .team = team};
}

static aq_group group_at(const batch *b, size_t g) {
  const size_t first = b->group_first[g];
  aq_group group = {.ids = b->ids + first,
                    .types = b->types != NULL ? b->types + first : NULL,
                    .lengths = b->lengths + first,
                    .out = b->out + first,
                    .texts = b->group_first[g + 1] - first};
  for (size_t i = 0; i < group.texts; i++) group.tokens += group.lengths[i];
  return group;
}

/* ---- each thread a group ---- */

static aq_status run_group(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const batch *b = ctx;
  aq_encoder *e = b->encoder;
  AQ_TRY(aq_thread_space_need(&e->threads[worker], &e->model.config, b->longest, e->codes, err));
  AQ_TRY(aq_group_space_need(&e->groups[worker], &e->model.config, b->widest, err));
  e->threads[worker].stop = &e->stop;
  const aq_group group = group_at(b, (size_t)item);
  aq_team alone;
  aq_team_init(&alone, 1);
  const aq_forward f = forward_of(b, &group, &e->groups[worker], &alone);
  aq_forward_run(&f, 0, &e->threads[worker]);
  aq_team_reset(&alone);
  return AQ_OK;
}

/* ---- all threads one group ---- */

typedef struct together {
  const aq_forward *forward;
  aq_encoder *encoder;
} together;

/* As many items as threads: whoever takes one stays in it until all are taken. */
static aq_status run_member(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const together *t = ctx;
  (void)worker;
  (void)err;
  aq_forward_run(t->forward, (uint32_t)item, &t->encoder->threads[item]);
  return AQ_OK;
}

static aq_status run_together(batch *b, aq_error *err) {
  aq_encoder *e = b->encoder;
  const uint32_t threads = aq_pool_threads(e->pool);
  for (uint32_t i = 0; i < threads; i++) {
    AQ_TRY(aq_thread_space_need(&e->threads[i], &e->model.config, b->longest, e->codes, err));
    e->threads[i].stop = &e->stop;
  }
  AQ_TRY(aq_group_space_need(&e->groups[0], &e->model.config, b->widest, err));
  aq_team_init(&b->team, threads);
  aq_status status = AQ_OK;
  for (size_t g = 0; g < b->group_count && status == AQ_OK; g++) {
    const aq_group group = group_at(b, g);
    const aq_forward f = forward_of(b, &group, &e->groups[0], &b->team);
    together t = {&f, e};
    status = aq_pool_run(e->pool, threads, run_member, &t, err);
  }
  aq_team_reset(&b->team);
  return status;
}

aq_status aq_encoder_enter(aq_encoder *encoder, aq_error *err) {
  if (!atomic_exchange(&encoder->in_use, true)) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "the encoder is in use by another thread, or was when this process was forked");
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Open one for each thread, and after a fork one in the child process");
}

void aq_encoder_leave(aq_encoder *encoder) { atomic_store(&encoder->in_use, false); }

aq_status aq_encoder_encode_ids(aq_encoder *encoder, const int32_t *ids, const uint32_t *lengths, size_t texts,
                                float *out, aq_error *err) {
  AQ_TRY(aq_encoder_enter(encoder, err));
  const aq_status status = aq_encoder_run_ids(encoder, ids, NULL, lengths, texts, out, err);
  aq_encoder_leave(encoder);
  return status;
}

/* Ids are the tokenizer's here, and no argument of the caller. */
static aq_status fail_vocabulary(const aq_encoder *e, aq_error *err) {
  const char *path = e->model.source->path;
  if (err != NULL) err->code = AQ_ERR_FORMAT;
  (void)aq_error_hint(err, AQ_ERR_FORMAT, "The tokenizer and the weights are of different models");
  return path != NULL ? aq_error_in_file(err, AQ_ERR_FORMAT, path) : AQ_ERR_FORMAT;
}

aq_status aq_encoder_run_tokens(aq_encoder *encoder, const int32_t *ids, const int32_t *types, const uint32_t *lengths,
                                size_t texts, float *out, aq_error *err) {
  const aq_status status = aq_encoder_run_ids(encoder, ids, types, lengths, texts, out, err);
  return status == AQ_ERR_ARGUMENT ? fail_vocabulary(encoder, err) : status;
}

/* By the calling thread, when its texts are done and another's are not. */
static void ask_to_stop(void *stop) { (void)aq_stop_ask(stop); }

aq_status aq_encoder_run_ids(aq_encoder *encoder, const int32_t *ids, const int32_t *types, const uint32_t *lengths,
                             size_t texts, float *out, aq_error *err) {
  if (texts == 0) return AQ_OK;
  if (encoder->model.config.arch->is_static) return aq_encoder_run_static(encoder, ids, lengths, texts, out, err);
  const uint32_t threads = aq_pool_threads(encoder->pool);
  batch b = {.encoder = encoder, .count = texts};
  aq_status status = allocate(&b, types != NULL, err);
  if (status == AQ_OK) status = take_texts(&b, ids, types, lengths, out, err);
  if (status == AQ_OK) {
    make_groups(&b, threads);
    aq_stop_begin(&encoder->stop, encoder->progress);
    const bool few = b.tokens <= threads * TEAM_TOKENS || b.group_count < threads;
    aq_pool_while_waiting(encoder->pool, ask_to_stop, &encoder->stop);
    status = few ? run_together(&b, err) : aq_pool_run(encoder->pool, b.group_count, run_group, &b, err);
    aq_pool_while_waiting(encoder->pool, NULL, NULL);
  }
  if (status == AQ_OK) status = aq_stop_end(&encoder->stop, err);
  if (status == AQ_OK) status = aq_encoder_check_finite(encoder, out, texts, err);
  reset(&b);
  return status;
}
