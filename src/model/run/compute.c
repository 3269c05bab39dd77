/* compute.c - the option `compute` of what runs a model. */
#include "model/run/compute.h"

#include <string.h>

#include "core/error.h"

aq_status aq_compute_read(const char *compute, bool *codes, aq_error *err) {
  *codes = compute != NULL && strcmp(compute, "int8") == 0;
  AQ_FAIL_IF(compute != NULL && !*codes && strcmp(compute, "fp32") != 0, AQ_ERR_ARGUMENT,
             "'%.64s' is no way to compute; fp32 and int8 are", compute);
  return AQ_OK;
}
