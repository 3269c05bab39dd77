/* scorer.h - a scorer as the library holds it: an encoder that ends in a head. */
#ifndef AQ_MODEL_RUN_SCORER_H
#define AQ_MODEL_RUN_SCORER_H

#include "arrowquant_experimental.h"
#include "model/run/encoder.h"

struct aq_scorer {
  aq_encoder *encoder; /* its first_text is the number of the first pair of a call, in messages */
  char **labels;       /* their names */
};

#endif
