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

const aq_arch *aq_arch_find(const char *model_type) {
  for (size_t i = 0; i < AQ_COUNT_OF(archs); i++) {
    if (strcmp(archs[i]->model_type, model_type) == 0) return archs[i];
  }
  return NULL;
}

bool aq_arch_has(const aq_arch *arch, aq_role role) {
  for (size_t i = 0; i < arch->weight_count; i++) {
    if (arch->weights[i].role == role) return true;
  }
  return false;
}

const char *aq_arch_names(char out[AQ_ARCH_NAMES_SIZE]) {
  size_t used = 0;
  for (size_t i = 0; i < AQ_COUNT_OF(archs) && used < AQ_ARCH_NAMES_SIZE; i++) {
    used += (size_t)snprintf(out + used, AQ_ARCH_NAMES_SIZE - used, "%s%s", i > 0 ? ", " : "", archs[i]->model_type);
  }
  return out;
}
