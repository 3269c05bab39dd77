/* torch_names.h - the allow-list: all names of functions and types that a pickle may mention. None is ever called: a
 * row says what the value is that Python would get. */
#ifndef AQ_IO_TORCH_TORCH_NAMES_H
#define AQ_IO_TORCH_TORCH_NAMES_H

#include "arrowquant.h"

typedef enum aq_torch_role {
  AQ_TORCH_ORDERED_DICT,
  AQ_TORCH_SET,       /* set and frozenset, of a list */
  AQ_TORCH_VALUE,     /* bytes and the like, of texts and numbers */
  AQ_TORCH_SIZE,      /* torch.Size, of a tuple of ints */
  AQ_TORCH_DTYPE,     /* a value by itself */
  AQ_TORCH_STORAGE,   /* only in persistent ids */
  AQ_TORCH_CLASS,     /* torch.Tensor and Parameter, only as an argument */
  AQ_TORCH_REBUILD,   /* a tensor from (storage, offset, size, stride) */
  AQ_TORCH_REBUILD_2, /* and (requires_grad, backward_hooks[, metadata]) */
  AQ_TORCH_REBUILD_3, /* and (requires_grad, backward_hooks, dtype[, metadata]) */
  AQ_TORCH_PARAMETER, /* (tensor, requires_grad, backward_hooks[, state]) */
  AQ_TORCH_FROM_TYPE  /* (function, class, arguments, state) */
} aq_torch_role;

typedef struct aq_torch_name {
  const char *module, *name;
  aq_torch_role role;
  aq_dtype dtype;      /* of storages and dtypes */
  uint8_t least, most; /* arguments that it takes */
} aq_torch_name;

/* The row of a name; -1 when it is not allowed. */
int64_t aq_torch_name_find(const char *module, const char *name);
const aq_torch_name *aq_torch_name_at(int64_t row);

#endif
