/* decoder.h - a decoder as the library holds it. */
#ifndef AQ_MODEL_RUN_DECODER_H
#define AQ_MODEL_RUN_DECODER_H

#include <stdatomic.h>

#include "arrowquant_experimental.h"
#include "core/pool.h"
#include "model/run/decoder_forward.h"

struct aq_decoder {
  aq_model model;
  aq_decoder_weights weights;
  aq_kv_cache *caches; /* one a layer */
  aq_pool *pool;
  aq_decoder_space space;
  aq_decoder_scratch *scratch; /* one a thread */
  size_t context;
  size_t held;                      /* tokens whose keys and values the caches have */
  uint32_t rope_sets[AQ_ROPES_MAX]; /* by which those were placed */
  atomic_bool in_use;               /* by a call that computes */
  aq_progress *progress; /* borrowed from who calls; asked during a call whether to stop; NULL: nobody is asked */
  aq_stop stop;          /* of a call */
};

/* As aq_decoder_logits, but what the head would make the logits of: wanted x hidden numbers, for aq_decoder_head. A
 * reference that is compared with several models is run once that way, and only its head again. */
AQ_MUST_CHECK aq_status aq_decoder_states(aq_decoder *decoder, size_t past, const int32_t *ids, size_t count,
                                          size_t wanted, float *states, aq_error *err);

/* The logits that belong to such rows, bit for bit: count x vocabulary numbers. What the decoder holds of a text stays.
 * AQ_ERR_NONFINITE as for aq_decoder_logits. */
AQ_MUST_CHECK aq_status aq_decoder_head(aq_decoder *decoder, const float *states, size_t count, float *logits,
                                        aq_error *err);

/* Several texts, a token more of each: token i of ids is at position `past` of text i, whose keys and values of all
 * positions before are in caches[i * layers ...], one a layer, and get the token's. logits: texts x vocabulary, bit for
 * bit those that aq_decoder_logits has with these kernels (NULL: those in use), whichever texts come together; NULL:
 * they are not wanted. The decoder holds no text of its own afterwards. AQ_ERR_NONFINITE as for aq_decoder_logits. */
AQ_MUST_CHECK aq_status aq_decoder_step(aq_decoder *decoder, const aq_kernels *kernels, aq_kv_cache *caches,
                                        size_t past, const int32_t *ids, size_t texts, float *logits, aq_error *err);

#endif
