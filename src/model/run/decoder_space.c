/* decoder_space.c - memory for running a decoder. Sizes are products of a few numbers that decoder_config.h bounds. */
#include "core/error.h"
#include "core/memory.h"
#include "model/nn/causal_attention.h"
#include "model/run/decoder_forward.h"

/* The widest rows of any layer. */
typedef struct row_widths {
  size_t qkv, context, inner, head;
} row_widths;

static row_widths widest_rows(const aq_model *m) {
  row_widths w = {0, 0, 0, 0};
  for (uint32_t i = 0; i < m->config.layers; i++) {
    const aq_layer_spec *l = &m->decoder.layers[i];
    const size_t queries = (size_t)l->heads * l->width, keys = (size_t)l->kv_heads * l->width;
    w.qkv = AQ_MAX(w.qkv, queries + 2 * keys);
    w.context = AQ_MAX(w.context, queries);
    w.inner = AQ_MAX(w.inner, (size_t)l->inner);
    w.head = AQ_MAX(w.head, (size_t)l->width);
  }
  return w;
}

aq_status aq_decoder_space_create(aq_decoder_space *space, const aq_model *m, aq_error *err) {
  const row_widths w = widest_rows(m);
  const size_t hidden = m->config.hidden;
  const struct {
    float **to;
    size_t width;
  } parts[] = {{&space->hidden, hidden},
               {&space->normed, hidden},
               {&space->qkv, w.qkv},
               {&space->context, w.context},
               {&space->gate_up, 2 * w.inner},
               {&space->wide, w.inner},
               {&space->narrow, hidden},
               {&space->angles[0], (size_t)2 * m->decoder.ropes[0].half},
               {&space->angles[1], (size_t)2 * m->decoder.ropes[1].half}};
  *space = (aq_decoder_space){.hidden = NULL};
  for (size_t i = 0; i < AQ_COUNT_OF(parts); i++) {
    *parts[i].to = aq_calloc(AQ_DECODER_ROWS * parts[i].width + 1, sizeof(float));
    if (*parts[i].to == NULL) return aq_fail_memory(err, AQ_DECODER_ROWS * parts[i].width * sizeof(float));
  }
  return AQ_OK;
}

void aq_decoder_space_reset(aq_decoder_space *space) {
  aq_free(space->hidden);
  aq_free(space->normed);
  aq_free(space->qkv);
  aq_free(space->context);
  aq_free(space->gate_up);
  aq_free(space->wide);
  aq_free(space->narrow);
  for (size_t i = 0; i < AQ_ROPES_MAX; i++) aq_free(space->angles[i]);
  *space = (aq_decoder_space){.hidden = NULL};
}

aq_status aq_decoder_scratch_create(aq_decoder_scratch *scratch, const aq_model *m, size_t context, bool codes,
                                    aq_error *err) {
  const row_widths w = widest_rows(m);
  const size_t floats = aq_causal_attention_floats(w.head, context);
  scratch->attention = aq_realloc_array(NULL, floats, sizeof *scratch->attention);
  scratch->codes = aq_malloc(m->config.hidden);
  if (scratch->attention == NULL || scratch->codes == NULL) {
    return aq_fail_memory(err, floats * sizeof *scratch->attention);
  }
  if (!codes) return AQ_OK;
  const size_t widest = AQ_MAX(AQ_MAX(w.context, w.inner), (size_t)m->config.hidden);
  return aq_coded_rows_create(&scratch->coded, AQ_DECODER_ROWS, widest, true, err);
}

void aq_decoder_scratch_reset(aq_decoder_scratch *scratch) {
  aq_free(scratch->attention);
  aq_free(scratch->codes);
  aq_coded_rows_reset(&scratch->coded);
  *scratch = (aq_decoder_scratch){.attention = NULL};
}
