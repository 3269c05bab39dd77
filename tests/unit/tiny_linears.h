/* tiny_linears.h - the linears of a layer of the tiny encoder, by what they are for. */
#ifndef AQ_TESTS_TINY_LINEARS_H
#define AQ_TESTS_TINY_LINEARS_H

#include "model/description.h"

#define TINY_LINEARS 6
static const aq_role tiny_linears[TINY_LINEARS] = {AQ_ROLE_QUERY,         AQ_ROLE_KEY, AQ_ROLE_VALUE,
                                                   AQ_ROLE_ATTENTION_OUT, AQ_ROLE_UP,  AQ_ROLE_DOWN};

/* Index of one in the model's list of weights. */
static inline uint32_t layer_weight(const aq_model *model, size_t layer, size_t linear) {
  return aq_model_find(model, (uint32_t)layer, tiny_linears[linear]);
}

#endif
