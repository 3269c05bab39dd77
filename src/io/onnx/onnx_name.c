/* onnx_name.c - what a name tells of who made it. */
#include "io/onnx/onnx_name.h"

#include <ctype.h>
#include <string.h>

#include "core/compiler.h"
#include "io/listing.h"

static bool begins_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

bool aq_onnx_name_is_generated(const char *name) {
  static const char *const begins[] = {"/", "Constant", "ortshared_", "val_", "_val_", "onnx_"};
  for (size_t i = 0; i < AQ_COUNT_OF(begins); i++) {
    if (begins_with(name, begins[i])) return true;
  }
  return strstr(name, "::") != NULL || strstr(name, ".MatMul.") != NULL || strspn(name, "0123456789") == strlen(name);
}

size_t aq_onnx_name_base(const char *name) {
  const char *end = name + strlen(name), *p = end;
  if (aq_ends_with(name, "_quantized")) return (size_t)(end - name) - strlen("_quantized");
  while (p > name && isdigit((unsigned char)p[-1])) p--;
  if (p < end && p > name && p[-1] == 'G') {
    for (p--; p > name && isdigit((unsigned char)p[-1]);) p--;
  }
  if (p < end && p - name > 2 && p[-1] == 'Q' && p[-2] == '_' && isdigit((unsigned char)p[0]))
    return (size_t)(p - 2 - name);
  return (size_t)(end - name);
}
