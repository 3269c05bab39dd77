/* self_texts.c - texts that a language model writes: a step gives each of many texts its next token, so that the
 * weights are read once for all of them.
 *
 * Draws are as sensitive as any comparison: a logit that is rounded in another way gives another token now and then,
 * and another text from there on. Hence the exact kernels. */
#include "calib/self_texts.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "io/fingerprint.h"
#include "kernels/kernels.h"
#include "model/end_tokens.h"
#include "model/nn/exact_kernels.h"
#include "model/nn/panels.h"
#include "model/nn/token_draw.h"
#include "model/run/decoder.h"

#define CACHE_BYTES ((uint64_t)1 << 30)

typedef struct writing {
  const aq_model *model;
  const aq_self_texts *wanted;
  aq_progress *progress;
  aq_text_windows *out;
  aq_decoder *decoder;
  aq_kernels kernels;
  aq_token_ids prefix,
      begin;           /* what the tokenizer puts in front of a text; what a window begins with, if it is fixed */
  int32_t begin_token; /* memory of the latter, where the tokenizer has nothing */
  aq_end_tokens ends;
  size_t group;        /* texts that are written at once */
  aq_kv_cache *caches; /* group x layers */
  float *logits;       /* group x vocabulary */
  int32_t *ids;        /* group: the tokens of a step */
  size_t *forced;      /* group: tokens of `begin` that come before the next draw */
  size_t first, count; /* windows of `out` that are being written, and */
  size_t position;     /* of the tokens that come next */
} writing;

/* ---- beginnings ---- */

static aq_status check_begin(const writing *w, aq_error *err) {
  const uint32_t vocabulary = w->model->config.vocabulary;
  for (size_t i = 0; i < w->begin.count; i++) {
    AQ_FAIL_IF(w->begin.ids[i] < 0 || (uint32_t)w->begin.ids[i] >= vocabulary, AQ_ERR_FORMAT,
               "texts of the model begin with token %d, and it has %u", w->begin.ids[i], vocabulary);
  }
  AQ_FAIL_IF(w->begin.count + 2 > w->wanted->length, AQ_ERR_ARGUMENT,
             "%zu special tokens leave no room in windows of %zu", w->begin.count, w->wanted->length);
  return AQ_OK;
}

static aq_status find_begin(writing *w, aq_error *err) {
  aq_end_tokens begins;
  AQ_TRY(aq_text_prefix_find(w->model->tokenizer, &w->prefix, err));
  AQ_TRY(aq_end_tokens_read(w->model, NULL, &w->ends, err));
  AQ_TRY(aq_begin_tokens_read(w->model, &begins, err));
  w->begin = w->prefix;
  const aq_end_tokens *other = begins.count > 0 ? &begins : &w->ends;
  if (w->prefix.count == 0 && other->count > 0) {
    w->begin_token = other->ids[0];
    w->begin = (aq_token_ids){.ids = &w->begin_token, .count = 1};
  }
  return check_begin(w, err);
}

/* ---- room ---- */

static uint64_t count_weight_bytes(const aq_model *m) {
  uint64_t floats = m->decoder.tied ? (uint64_t)m->config.vocabulary * m->config.hidden : 0;
  for (uint32_t i = 0; i < m->weight_count; i++) floats += aq_weight_floats(&m->weights[i]);
  return floats * sizeof(float);
}

/* Of one text: keys, values and logits. */
static uint64_t count_text_bytes(const aq_model *m, size_t length) {
  uint64_t floats = m->config.vocabulary;
  for (uint32_t i = 0; i < m->config.layers; i++) {
    const aq_layer_spec *spec = &m->decoder.layers[i];
    floats += (uint64_t)aq_panel_rows(length) * spec->kv_heads * (spec->width + aq_panel_rows(spec->width));
  }
  return floats * sizeof(float);
}

/* Groups of about as many texts each, as large as the memory allows. */
static aq_status choose_group(writing *w, aq_error *err) {
  const uint64_t weights = count_weight_bytes(w->model), text = count_text_bytes(w->model, w->wanted->length);
  const uint64_t limit = w->wanted->max_memory;
  uint64_t room = AQ_MAX(CACHE_BYTES, text);
  if (limit > 0) room = AQ_MIN(room, limit > weights ? limit - weights : 0);
  if (room < text) {
    const uint64_t needed = weights + text;
    (void)aq_fail(err, AQ_ERR_MEMORY, "writing calibration texts takes %llu bytes of memory, and %llu are left for it",
                  (unsigned long long)needed, (unsigned long long)limit);
    return aq_error_hint(err, AQ_ERR_MEMORY, "Raise `max_memory` by %lluMiB or more",
                         (unsigned long long)((needed - limit) >> 20) + 1);
  }
  const size_t most = (size_t)AQ_MIN(room / text, (uint64_t)AQ_DECODER_ROWS);
  const size_t groups = (w->wanted->count + most - 1) / most;
  w->group = (w->wanted->count + groups - 1) / groups;
  return AQ_OK;
}

static aq_status make_room(writing *w, aq_error *err) {
  const aq_model *m = w->model;
  const size_t layers = m->config.layers;
  AQ_TRY(choose_group(w, err));
  w->logits = aq_realloc_array(NULL, w->group * m->config.vocabulary, sizeof *w->logits);
  w->ids = aq_calloc(w->group, sizeof *w->ids);
  w->forced = aq_calloc(w->group, sizeof *w->forced);
  w->caches = aq_calloc(w->group * layers, sizeof *w->caches);
  if (w->logits == NULL || w->ids == NULL || w->forced == NULL || w->caches == NULL) {
    return aq_fail_memory(err, w->group * m->config.vocabulary * sizeof *w->logits);
  }
  for (size_t i = 0; i < w->group * layers; i++) {
    const aq_layer_spec *spec = &m->decoder.layers[i % layers];
    AQ_TRY(aq_kv_cache_create(&w->caches[i], spec->kv_heads, spec->width, w->wanted->length, err));
  }
  return AQ_OK;
}

static aq_status open_decoder(writing *w, aq_error *err) {
  aq_decoder_options o;
  aq_decoder_options_init(&o);
  o.threads = w->wanted->threads;
  o.context = (uint32_t)w->wanted->length;
  o.folder = w->model->folder;
  return aq_decoder_open_source(w->model->source, &o, &w->decoder, err);
}

/* ---- tokens ---- */

/* A number in [0, 1) that depends on the window and the position alone. */
static double uniform_of(const writing *w, size_t text) {
  const uint64_t window = w->first + text;
  const uint64_t stream = aq_splitmix_mix(AQ_SELF_TEXTS_SEED + (window + 1) * AQ_SPLITMIX_GAMMA);
  return (double)(aq_splitmix_mix(stream + (w->position + 1) * AQ_SPLITMIX_GAMMA) >> 11) * 0x1p-53;
}

/* The token of a text at this position. */
static int32_t choose_token(const writing *w, size_t text) {
  const size_t vocabulary = w->model->config.vocabulary;
  const double u = uniform_of(w, text);
  if (w->forced[text] > 0) return w->begin.ids[w->begin.count - w->forced[text]];
  if (w->position == 0) return (int32_t)(u * (double)vocabulary);
  float *p = w->logits + text * vocabulary;
  w->kernels.softmax_f32(p, vocabulary, 1);
  return (int32_t)aq_token_draw(p, vocabulary, u);
}

static aq_status add_token(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const writing *w = ctx;
  const size_t text = (size_t)item;
  const int32_t token = choose_token(w, text);
  size_t *forced = &w->forced[text];
  (void)worker;
  (void)err;
  if (*forced > 0) {
    (*forced)--;
  } else if (w->prefix.count > 0 && aq_end_tokens_have(&w->ends, token)) {
    *forced = w->prefix.count - (token == w->prefix.ids[0] ? 1 : 0); /* one token may end a text and begin the next */
  }
  w->ids[text] = token;
  w->out->ids[(w->first + text) * w->out->length + w->position] = token;
  return AQ_OK;
}

static aq_status write_group(writing *w, aq_error *err) {
  const size_t length = w->out->length;
  for (size_t i = 0; i < w->count; i++) w->forced[i] = w->begin.count;
  for (w->position = 0;; w->position++) {
    AQ_TRY(aq_pool_run(w->decoder->pool, w->count, add_token, w, err));
    AQ_TRY(aq_progress_add(w->progress, NULL, w->position + 1 == length ? w->count : 0, w->count, err));
    if (w->position + 1 == length) return AQ_OK;
    AQ_TRY(aq_decoder_step(w->decoder, &w->kernels, w->caches, w->position, w->ids, w->count, w->logits, err));
  }
}

static aq_status write_windows(writing *w, aq_error *err) {
  aq_text_windows *out = w->out;
  out->length = w->wanted->length;
  out->count = w->wanted->count;
  out->tokens = out->count * out->length;
  out->ids = aq_calloc(out->tokens, sizeof *out->ids);
  if (out->ids == NULL) return aq_fail_memory(err, out->tokens * sizeof *out->ids);
  for (w->first = 0; w->first < out->count; w->first += w->count) {
    w->count = AQ_MIN(w->group, out->count - w->first);
    AQ_TRY(write_group(w, err));
  }
  aq_digest_of(out->ids, out->tokens * sizeof *out->ids, out->hash);
  return AQ_OK;
}

static void reset_writing(writing *w) {
  const size_t caches = w->caches != NULL ? w->group * w->model->config.layers : 0;
  for (size_t i = 0; i < caches; i++) aq_kv_cache_reset(&w->caches[i]);
  aq_free(w->caches);
  aq_free(w->logits);
  aq_free(w->ids);
  aq_free(w->forced);
  aq_free(w->prefix.ids);
  aq_decoder_close(w->decoder);
}

aq_status aq_self_texts_write(const aq_model *model, const aq_self_texts *wanted, aq_progress *progress,
                              aq_text_windows *out, aq_error *err) {
  writing w = {.model = model, .wanted = wanted, .progress = progress, .out = out};
  aq_exact_kernels_init(aq_kernels_get(), &w.kernels);
  aq_status status = find_begin(&w, err);
  if (status == AQ_OK) status = make_room(&w, err);
  if (status == AQ_OK) status = open_decoder(&w, err);
  if (status == AQ_OK) status = write_windows(&w, err);
  reset_writing(&w);
  return status;
}
