/* backends.c - which backend a search has: the first one of a list that can be had. */
#include "core/compiler.h"
#include "core/memory.h"
#include "search/backend.h"

/* The last one can always be had. */
static const aq_search_backend_opener openers[] = {aq_calibrated_backend_open, aq_data_free_backend_open};

aq_status aq_search_backend_open(const aq_source *source, const aq_quantize_options *options, bool texts,
                                 const char *output, aq_search_backend **out, aq_error *err) {
  char *why_not = NULL;
  aq_status status = AQ_OK;
  *out = NULL;
  for (size_t i = 0; status == AQ_OK && *out == NULL && i < AQ_COUNT_OF(openers); i++) {
    status = openers[i](source, options, texts, output, out, &why_not, err);
  }
  aq_free(why_not);
  return status;
}

void aq_search_backend_free(aq_search_backend *backend) {
  if (backend != NULL) backend->ops->free(backend);
}
