/* encoder_open.c - an encoder from a source: configuration, weights, threads. */
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "io/source.h"
#include "model/distance_weights.h"
#include "model/nn/embedding_modules.h"
#include "model/run/compute.h"
#include "model/run/encoder.h"

static aq_status apply_options(aq_encoder *e, const aq_encoder_options *options, aq_error *err) {
  aq_model_config *c = &e->model.config;
  AQ_FAIL_IF(options->max_tokens > c->position_limit, AQ_ERR_ARGUMENT,
             "texts of %u tokens were asked for; the model has positions for %u", options->max_tokens,
             c->position_limit);
  if (options->max_tokens > 0) c->max_tokens = options->max_tokens;
  if (options->truncate_dim > 0) c->dimension = AQ_MIN(options->truncate_dim, c->width);
  if (aq_embedding_has_modules(c)) {
    c->normalize_output = options->normalize;
  } else {
    c->normalize = c->normalize || options->normalize;
  }
  return AQ_OK;
}

static aq_status open_parts(aq_encoder *e, const aq_source *source, const aq_encoder_options *options, bool for_scores,
                            aq_error *err) {
  AQ_TRY(aq_compute_read(options->compute, &e->codes, err));
  AQ_TRY(for_scores ? aq_model_open_scorer(source, options->folder, &e->model, err)
                    : aq_model_open(source, options->folder, &e->model, err));
  AQ_TRY(apply_options(e, options, err));
  AQ_TRY(aq_pool_create(options->threads, &e->pool, err));
  const uint32_t threads = aq_pool_threads(e->pool);
  e->threads = aq_calloc(threads, sizeof *e->threads);
  e->groups = aq_calloc(threads, sizeof *e->groups);
  if (e->threads == NULL || e->groups == NULL) return aq_fail_memory(err, threads * sizeof *e->groups);
  if (e->model.config.arch->is_static) AQ_TRY(aq_static_tokens_load(&e->model, &e->tokens, err));
  AQ_TRY(aq_weights_load(&e->model, e->codes, e->pool, &e->weights, err));
  return aq_distance_weights_make(&e->model, &e->weights, NULL, e->pool, err);
}

aq_status aq_encoder_open_source(const aq_source *source, const aq_encoder_options *options, aq_encoder **out,
                                 aq_error *err) {
  return aq_encoder_open_kind(source, options, false, out, err);
}

aq_status aq_encoder_open_kind(const aq_source *source, const aq_encoder_options *options, bool for_scores,
                               aq_encoder **out, aq_error *err) {
  aq_encoder_options own;
  *out = NULL;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  aq_encoder *e = aq_calloc(1, sizeof *e);
  if (e == NULL) return aq_fail_memory(err, sizeof *e);
  const aq_status status = open_parts(e, source, &own, for_scores, err);
  if (status != AQ_OK) {
    if (source->path != NULL) (void)aq_error_in_file(err, status, source->path);
    aq_encoder_close(e);
    return status;
  }
  *out = e;
  return AQ_OK;
}

aq_status aq_encoder_open(const char *path, const aq_encoder_options *options, aq_encoder **out, aq_error *err) {
  aq_source *source = NULL;
  *out = NULL;
  AQ_TRY(aq_open_for_run(path, NULL, "hf", &source, err));
  const aq_status status = aq_encoder_open_source(source, options, out, err);
  aq_source_close(source);
  return status;
}

void aq_encoder_close(aq_encoder *encoder) {
  if (encoder == NULL) return;
  /* A call that a fork cut off may have left any of the memory half changed: the child keeps it. */
  if (atomic_load(&encoder->in_use)) return;
  for (uint32_t i = 0; encoder->pool != NULL && i < aq_pool_threads(encoder->pool); i++) {
    if (encoder->threads != NULL) aq_thread_space_reset(&encoder->threads[i]);
    if (encoder->groups != NULL) aq_group_space_reset(&encoder->groups[i]);
  }
  aq_free(encoder->threads);
  aq_free(encoder->groups);
  aq_pool_free(encoder->pool);
  aq_weights_reset(&encoder->weights);
  aq_static_tokens_reset(&encoder->tokens);
  aq_prompts_reset(&encoder->prompts);
  aq_model_reset(&encoder->model);
  aq_free(encoder);
}

uint32_t aq_encoder_dimension(const aq_encoder *encoder) { return encoder->model.config.dimension; }
uint32_t aq_encoder_width(const aq_encoder *encoder) { return encoder->model.config.width; }
uint32_t aq_encoder_max_tokens(const aq_encoder *encoder) { return encoder->model.config.max_tokens; }
size_t aq_encoder_note_count(const aq_encoder *encoder) { return encoder->model.notes.count; }

const char *aq_encoder_note(const aq_encoder *encoder, size_t i) {
  return i < encoder->model.notes.count ? encoder->model.notes.items[i] : NULL;
}
