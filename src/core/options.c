/* options.c - options structs of callers. */
#include "core/options.h"

#include <string.h>

#include "core/error.h"

aq_status aq_options_read(void *into, size_t size, const void *options, aq_error *err) {
  if (options == NULL) return AQ_OK;
  size_t given;
  memcpy(&given, options, sizeof given); /* sizeof_options is the first field of every options struct */
  AQ_FAIL_IF(given < sizeof given || given > size, AQ_ERR_ARGUMENT,
             "options of %zu bytes are not of this version (%zu bytes); call the init function first", given, size);
  memcpy(into, options, given);
  return AQ_OK;
}
