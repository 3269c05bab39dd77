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
    const bool is_plain = archs[i]->when_key == NULL;
    if (is_plain && is_run_for(archs[i], output) && strcmp(archs[i]->model_type, model_type) == 0) return archs[i];
  }
  return NULL;
}

/* A family that has another key for the width is chosen only where the plain one's is missing: transformers reads no
 * other, whatever stands beside it. */
static bool is_chosen(const aq_arch *arch, const aq_arch *plain, const json_t *root) {
  const json_t *value = json_object_get(root, arch->when_key);
  if (strcmp(arch->hidden, plain->hidden) != 0 && json_object_get(root, plain->hidden) != NULL) return false;
  if (arch->when_text == NULL) return value != NULL && !json_is_null(value);
  return json_is_string(value) && strcmp(json_string_value(value), arch->when_text) == 0;
}

const aq_arch *aq_arch_choose(const aq_arch *arch, const json_t *root) {
  for (size_t i = 0; i < AQ_COUNT_OF(archs); i++) {
    const bool is_other = archs[i]->when_key != NULL && strcmp(archs[i]->model_type, arch->model_type) == 0;
    if (is_other && is_chosen(archs[i], arch, root)) return archs[i];
  }
  return arch;
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
    if (!is_run_for(archs[i], output) || archs[i]->when_key != NULL) continue;
    used += (size_t)snprintf(out + used, AQ_ARCH_NAMES_SIZE - used, "%s%s", used > 0 ? ", " : "", archs[i]->model_type);
  }
  return out;
}
