/* wrapper_name.c - the model inside of sentence-transformers' first module. */
#include "io/wrapper_name.h"

#include <string.h>

#include "core/compiler.h"

/* As versions before 5.4 and from then on name it. */
static const char *const wrapped[] = {"auto_model.", "0.model."};

/* A part of a name begins after a dot. */
size_t aq_wrapper_name_length(const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(wrapped); i++) {
    const char *at = strstr(name, wrapped[i]);
    if (at == NULL || (at != name && (at[-1] != '.' || i > 0))) continue;
    return (size_t)(at - name) + strlen(wrapped[i]);
  }
  return 0;
}
