/* torch_paths.h - the names of the tensors in a pickle: the keys on the way to each, joined with ".". */
#ifndef AQ_IO_TORCH_TORCH_PATHS_H
#define AQ_IO_TORCH_TORCH_PATHS_H

#include "io/torch/pickle_values.h"

typedef struct aq_torch_named {
  size_t name; /* where it begins in the names */
  uint32_t tensor;
} aq_torch_named;

typedef struct aq_torch_paths {
  aq_torch_named *entries; /* in the order of the pickle */
  size_t count, room;
  aq_buffer names;       /* each with a zero after its end */
  uint64_t other_count;  /* values that are neither tensors nor hold any */
  char first_other[128]; /* the path of the first, cut off where it is long */
  uint64_t visits;
} aq_torch_paths;

/* Finds all tensors below `root`. Keys are strings and integers, items of lists count from 0, a root that is a tensor
 * is named "tensor". Fails where a tensor has no name, or two values one. */
AQ_MUST_CHECK aq_status aq_torch_paths_find(const aq_pickle_values *values, uint32_t root, aq_torch_paths *out,
                                            aq_error *err);
void aq_torch_paths_reset(aq_torch_paths *paths);

static inline const char *aq_torch_path(const aq_torch_paths *paths, size_t i) {
  return (const char *)paths->names.data + paths->entries[i].name;
}

#endif
