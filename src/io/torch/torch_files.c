/* torch_files.c - names of weights, and of what lies beside them. */
#include "io/torch/torch_files.h"

#include <stddef.h>
#include <string.h>

#include "core/compiler.h"
#include "io/formats.h"

static const char *const training[] = {"training_args.", "optimizer.", "scheduler.",
                                       "scaler.",        "rng_state",  "random_states"};

bool aq_torch_is_name(const char *name) { return aq_format_has_suffix(&aq_torch_format, name); }

bool aq_torch_is_training_state(const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(training) && aq_torch_is_name(name); i++) {
    if (strncmp(name, training[i], strlen(training[i])) == 0) return true;
  }
  return false;
}
