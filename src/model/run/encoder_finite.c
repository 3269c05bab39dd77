/* encoder_finite.c - looking for NaN and infinities, and for where they come from. */
#include "model/run/encoder_finite.h"

#include "core/compiler.h"
#include "core/error.h"
#include "io/source.h"
#include "quant/scheme.h"

#define CHUNK ((size_t)2048)

/* The first tensor that is not finite; the count of tensors when there is none, or it cannot be read. */
static size_t find_tensor(const aq_source *source) {
  float values[CHUNK];
  const size_t tensors = aq_source_tensor_count(source);
  for (size_t i = 0; i < tensors; i++) {
    const uint64_t count = aq_source_tensor(source, i)->num_params;
    for (uint64_t at = 0; at < count; at += CHUNK) {
      const size_t n = (size_t)AQ_MIN(count - at, CHUNK);
      if (aq_source_read_f32(source, i, at, n, values, NULL) != AQ_OK) break;
      if (aq_first_nonfinite(values, n) < n) return i;
    }
  }
  return tensors;
}

aq_status aq_encoder_check_finite(const aq_encoder *e, const float *embeddings, size_t texts, aq_error *err) {
  const size_t dimension = e->model.config.dimension, bad = aq_first_nonfinite(embeddings, texts * dimension);
  if (bad == texts * dimension) return AQ_OK;
  const size_t text = e->first_text + bad / dimension, tensor = find_tensor(e->model.source);
  const char *what = e->model.config.has_scores ? "score of pair" : "embedding of text";
  if (tensor < aq_source_tensor_count(e->model.source)) {
    (void)aq_fail(err, AQ_ERR_NONFINITE, "the %s %zu is not finite: this tensor holds NaN or infinities", what, text);
    (void)aq_error_in_tensor(err, AQ_ERR_NONFINITE, aq_source_tensor(e->model.source, tensor)->name);
  } else {
    (void)aq_fail(err, AQ_ERR_NONFINITE, "the %s %zu is not finite: sums in the model overflow FP32", what, text);
  }
  (void)aq_error_hint(err, AQ_ERR_NONFINITE, "Check the weights, or download them again");
  return aq_error_in_file(err, AQ_ERR_NONFINITE, e->model.source->path);
}
