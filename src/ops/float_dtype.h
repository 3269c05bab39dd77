/* float_dtype.h - names of floating-point types, as options spell them. */
#ifndef AQ_OPS_FLOAT_DTYPE_H
#define AQ_OPS_FLOAT_DTYPE_H

#include "arrowquant.h"

/* "fp32", "fp16", "bf16" -> the type; NULL or the word `same` -> AQ_DTYPE_INVALID, "as it is". */
AQ_MUST_CHECK aq_status aq_float_dtype_parse(const char *text, const char *same, aq_dtype *out, aq_error *err);

#endif
