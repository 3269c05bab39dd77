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
};

#endif
