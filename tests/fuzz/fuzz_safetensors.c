/* fuzz_safetensors.c - any bytes as a safetensors file or index: opening must end in an error or in tensors whose bytes
 * can all be read. */
#include "fuzz_input.h"

#include "arrowquant.h"
#include "io/source.h"
#include "tensor/dtype.h"

#define VALUES 512

static void read_all(const aq_source *source) {
  float values[VALUES];
  aq_error err;
  uint64_t bytes = 0;
  for (size_t i = 0; i < aq_source_tensor_count(source); i++) {
    const aq_tensor_info *info = aq_source_tensor(source, i);
    const uint64_t count = info->num_params < VALUES ? info->num_params : VALUES;
    aq_tensor tensor;
    const aq_status wanted = aq_dtype_is_opaque(info->dtype) ? AQ_ERR_UNSUPPORTED : AQ_OK;
    if (aq_source_read_f32(source, i, info->num_params - count, count, values, &err) != wanted) abort();
    if (aq_source_load(source, i, &tensor, &err) != AQ_OK) abort();
    if (tensor.data_bytes != info->data_bytes) abort();
    aq_tensor_release(&tensor);
    bytes += info->data_bytes;
  }
  if (bytes > aq_source_file_bytes(source)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aq_source *source = NULL;
  aq_error err;
  if (aq_source_open(write_input(data, size), NULL, &source, &err) != AQ_OK) {
    if (source != NULL || err.code == AQ_OK || err.message[0] == '\0') abort();
    return 0;
  }
  /* Tables have a target of their own; their damage may show only in reading. */
  if (aq_source_schema_version(source) == 0) {
    read_all(source);
    aq_tensor_info *tied;
    if (aq_source_find_ties(source, &tied, &err) != AQ_OK) abort();
    aq_free(tied);
  }
  aq_source_close(source);
  return 0;
}
