/* float_dtype.c - names of floating-point types. */
#include "ops/float_dtype.h"

#include <strings.h>

#include "core/compiler.h"
#include "core/error.h"

aq_status aq_float_dtype_parse(const char *text, const char *same, aq_dtype *out, aq_error *err) {
  static const struct {
    const char *name;
    aq_dtype dtype;
  } names[] = {{"fp32", AQ_F32}, {"fp16", AQ_F16}, {"bf16", AQ_BF16}};
  *out = AQ_DTYPE_INVALID;
  if (text == NULL || strcasecmp(text, same) == 0) return AQ_OK;
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) {
    if (strcasecmp(text, names[i].name) == 0) *out = names[i].dtype;
  }
  AQ_FAIL_IF(*out == AQ_DTYPE_INVALID, AQ_ERR_ARGUMENT, "dtype '%s' is not known; expected %s, fp32, fp16 or bf16",
             text, same);
  return AQ_OK;
}
