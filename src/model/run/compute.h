/* compute.h - the option `compute` of what runs a model. */
#ifndef AQ_MODEL_RUN_COMPUTE_H
#define AQ_MODEL_RUN_COMPUTE_H

#include <stdbool.h>

#include "arrowquant.h"

/* NULL and "fp32": *codes is false; "int8": true. AQ_ERR_ARGUMENT for any other word. */
AQ_MUST_CHECK aq_status aq_compute_read(const char *compute, bool *codes, aq_error *err);

#endif
