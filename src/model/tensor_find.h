/* tensor_find.h - the tensors of a model in a source, whatever stands before their names. */
#ifndef AQ_MODEL_TENSOR_FIND_H
#define AQ_MODEL_TENSOR_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

typedef struct aq_tensor_finder {
  const aq_source *source;
  char prefix[256]; /* "", "bert.", "0.auto_model." */
} aq_tensor_finder;

/* Finds the prefix from the one tensor whose name is `name` or ends with ".name". */
AQ_MUST_CHECK aq_status aq_tensor_finder_init(aq_tensor_finder *finder, const aq_source *source, const char *name,
                                              aq_error *err);

/* Whether there is a tensor PREFIX + name + ending. */
bool aq_tensor_exists(const aq_tensor_finder *finder, const char *name, const char *ending);

/* Index of the tensor PREFIX + name + ending, where name may have a %u for the number of a layer. It must have the
 * shape rows x columns; columns 0: it must have one dimension. */
AQ_MUST_CHECK aq_status aq_tensor_find(const aq_tensor_finder *finder, const char *name, uint32_t layer,
                                       const char *ending, uint64_t rows, uint64_t columns, size_t *index,
                                       aq_error *err);

#endif
