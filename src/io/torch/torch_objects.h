/* torch_objects.h - the storages and tensors that a pickle describes.
 *
 * A storage is an array of bytes with a key, which lies somewhere in the file; a tensor is a view of one, with an
 * offset and strides. Sizes are claims of the file: a tensor is checked against its storage as the pickle describes it,
 * and that against the bytes there are by the container (torch_zip.h, torch_legacy.h). */
#ifndef AQ_IO_TORCH_TORCH_OBJECTS_H
#define AQ_IO_TORCH_TORCH_OBJECTS_H

#include "io/torch/pickle_values.h"
#include "io/torch/torch_layout.h"
#include "io/torch/torch_names.h"

typedef struct aq_torch_storage {
  aq_dtype dtype;
  uint32_t key;   /* a text of the values */
  uint64_t count; /* elements */
  uint64_t bytes;
  uint64_t begin; /* in the file; set by the container */
} aq_torch_storage;

typedef struct aq_torch_objects {
  aq_torch_storage *storages;
  aq_torch_tensor *tensors;
  uint32_t storage_count, storage_room, tensor_count, tensor_room;
  uint32_t attribute_count; /* tensors with attributes of Python's, which are left out */
} aq_torch_objects;

void aq_torch_objects_reset(aq_torch_objects *objects);

/* The value that Python's call of an allowed name with these arguments (a tuple) would give. */
AQ_MUST_CHECK aq_status aq_torch_call(aq_torch_objects *objects, aq_pickle_values *values, uint32_t callee,
                                      uint32_t arguments, uint32_t *out, aq_error *err);

/* The storage of a persistent id: ("storage", type, key, location, count[, None]). */
AQ_MUST_CHECK aq_status aq_torch_add_storage(aq_torch_objects *objects, aq_pickle_values *values, uint32_t id,
                                             uint32_t *out, aq_error *err);

#endif
