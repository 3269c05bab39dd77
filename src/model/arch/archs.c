/* archs.c - the table of families. */
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "model/arch/arch.h"

static const aq_arch *const archs[] = {
#define ARCH(name) &aq_arch_##name,
#include "model/arch/arch_list.inc"
#undef ARCH
};

static bool is_run_for(const aq_arch *arch, aq_model_output output) {
  return (arch->decoder != NULL) == (output == AQ_OUTPUT_LOGITS);
}

const aq_arch *aq_arch_find(aq_model_output output, const char *model_type) {
  for (size_t i = 0; i < AQ_COUNT_OF(archs); i++) {
    if (is_run_for(archs[i], output) && strcmp(archs[i]->model_type, model_type) == 0) return archs[i];
  }
  return NULL;
}

bool aq_arch_has(const aq_arch *arch, aq_role role) {
  for (size_t i = 0; i < arch->weight_count; i++) {
    if (arch->weights[i].role == role) return true;
  }
  return false;
}

const char *aq_arch_names(aq_model_output output, char out[AQ_ARCH_NAMES_SIZE]) {
  size_t used = 0;
  for (size_t i = 0; i < AQ_COUNT_OF(archs) && used < AQ_ARCH_NAMES_SIZE; i++) {
    if (!is_run_for(archs[i], output)) continue;
    used += (size_t)snprintf(out + used, AQ_ARCH_NAMES_SIZE - used, "%s%s", used > 0 ? ", " : "", archs[i]->model_type);
  }
  return out;
}
