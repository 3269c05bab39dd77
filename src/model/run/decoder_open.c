/* decoder_open.c - a decoder from a source: configuration, weights, room for a text, threads. */
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "io/source.h"
#include "model/run/compute.h"
#include "model/run/decoder.h"

#define USUAL_CONTEXT 4096

static aq_status read_context(aq_decoder *d, uint32_t asked, aq_error *err) {
  const uint32_t positions = d->model.config.positions;
  if (asked > positions) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "a context of %u tokens was asked for; the model has positions for %u", asked,
                  positions);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Use `context` of at most %u", positions);
  }
  d->context = asked > 0 ? asked : AQ_MIN(positions, USUAL_CONTEXT);
  return AQ_OK;
}

static aq_status create_caches(aq_decoder *d, aq_error *err) {
  const uint32_t layers = d->model.config.layers;
  d->caches = aq_calloc(layers, sizeof *d->caches);
  if (d->caches == NULL) return aq_fail_memory(err, layers * sizeof *d->caches);
  for (uint32_t i = 0; i < layers; i++) {
    const aq_layer_spec *spec = &d->model.decoder.layers[i];
    AQ_TRY(aq_kv_cache_create(&d->caches[i], spec->kv_heads, spec->width, d->context, err));
  }
  return AQ_OK;
}

static aq_status note_rounded(aq_decoder *d, aq_error *err) {
  const aq_decoder_weights *w = &d->weights;
  if (w->rounded == 0) return AQ_OK;
  return aq_notes_add(
      &d->model.notes, err,
      "%zu of %zu matrices are not stored as codes with one scale for each row; their values were rounded "
      "to 8 bits",
      w->rounded, w->matrices);
}

static aq_status open_parts(aq_decoder *d, const aq_source *source, const aq_decoder_options *options, aq_error *err) {
  bool codes;
  AQ_TRY(aq_compute_read(options->compute, &codes, err));
  AQ_TRY(aq_model_open_decoder(source, options->folder, &d->model, err));
  AQ_TRY(read_context(d, options->context, err));
  AQ_TRY(aq_pool_create(options->threads, &d->pool, err));
  const uint32_t threads = aq_pool_threads(d->pool);
  d->scratch = aq_calloc(threads, sizeof *d->scratch);
  if (d->scratch == NULL) return aq_fail_memory(err, threads * sizeof *d->scratch);
  for (uint32_t i = 0; i < threads; i++) {
    AQ_TRY(aq_decoder_scratch_create(&d->scratch[i], &d->model, d->context, codes, err));
  }
  AQ_TRY(aq_decoder_space_create(&d->space, &d->model, err));
  AQ_TRY(create_caches(d, err));
  AQ_TRY(aq_decoder_weights_load(&d->model, codes, d->pool, &d->weights, err));
  return note_rounded(d, err);
}

aq_status aq_decoder_open_source(const aq_source *source, const aq_decoder_options *options, aq_decoder **out,
                                 aq_error *err) {
  aq_decoder_options own;
  *out = NULL;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  aq_decoder *d = aq_calloc(1, sizeof *d);
  if (d == NULL) return aq_fail_memory(err, sizeof *d);
  const aq_status status = open_parts(d, source, &own, err);
  if (status != AQ_OK) {
    if (source->path != NULL) (void)aq_error_in_file(err, status, source->path);
    aq_decoder_close(d);
    return status;
  }
  *out = d;
  return AQ_OK;
}

aq_status aq_decoder_open(const char *path, const aq_decoder_options *options, aq_decoder **out, aq_error *err) {
  aq_source *source = NULL;
  *out = NULL;
  AQ_TRY(aq_open_for_run(path, NULL, "hf", &source, err));
  const aq_status status = aq_decoder_open_source(source, options, out, err);
  aq_source_close(source);
  return status;
}

void aq_decoder_close(aq_decoder *decoder) {
  if (decoder == NULL) return;
  /* A call that a fork cut off may have left any of the memory half changed: the child keeps it. */
  if (atomic_load(&decoder->in_use)) return;
  for (uint32_t i = 0; decoder->scratch != NULL && i < aq_pool_threads(decoder->pool); i++) {
    aq_decoder_scratch_reset(&decoder->scratch[i]);
  }
  for (uint32_t i = 0; decoder->caches != NULL && i < decoder->model.config.layers; i++) {
    aq_kv_cache_reset(&decoder->caches[i]);
  }
  aq_free(decoder->scratch);
  aq_free(decoder->caches);
  aq_decoder_space_reset(&decoder->space);
  aq_pool_free(decoder->pool);
  aq_decoder_weights_reset(&decoder->weights);
  aq_model_reset(&decoder->model);
  aq_free(decoder);
}

uint32_t aq_decoder_vocabulary(const aq_decoder *decoder) { return decoder->model.config.vocabulary; }
uint32_t aq_decoder_layers(const aq_decoder *decoder) { return decoder->model.config.layers; }
uint32_t aq_decoder_context(const aq_decoder *decoder) { return (uint32_t)decoder->context; }
size_t aq_decoder_note_count(const aq_decoder *decoder) { return decoder->model.notes.count; }

const char *aq_decoder_note(const aq_decoder *decoder, size_t i) {
  return i < decoder->model.notes.count ? decoder->model.notes.items[i] : NULL;
}
