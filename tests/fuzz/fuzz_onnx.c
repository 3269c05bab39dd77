/* fuzz_onnx.c - any bytes as an ONNX model: opening must end in an error or in tensors whose bytes can all be read. */
#include "fuzz_input.h"

#include <string.h>

#include "arrowquant.h"
#include "io/source.h"
#include "kept_codes.h"
#include "tensor/dtype.h"

#define VALUES 600

/* The end of the tensor alone has the values that it has in the whole. */
static void compare_end(const aq_source *source, size_t index, const aq_tensor *tensor) {
  float values[VALUES];
  aq_error err;
  const aq_tensor_info *info = aq_source_tensor(source, index);
  const uint64_t count = info->num_params < VALUES ? info->num_params : VALUES;
  if (aq_dtype_is_opaque(info->dtype)) return; /* its bytes alone are read */
  if (aq_source_read_f32(source, index, info->num_params - count, count, values, &err) != AQ_OK) abort();
  if (info->dtype != AQ_F32 || count == 0) return;
  const size_t size = (size_t)count * sizeof *values;
  if (memcmp(values, (const uint8_t *)tensor->data + tensor->data_bytes - size, size) != 0) abort();
}

static void read_all(const aq_source *source) {
  aq_error err;
  for (size_t i = 0; i < aq_source_tensor_count(source); i++) {
    const aq_tensor_info *info = aq_source_tensor(source, i);
    aq_tensor tensor;
    if (aq_source_load(source, i, &tensor, &err) != AQ_OK) abort();
    if (tensor.data_bytes != info->data_bytes) abort();
    compare_end(source, i, &tensor);
    aq_tensor_release(&tensor);
    if (info->stored_bytes > aq_source_file_bytes(source)) abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aq_source *source = NULL;
  aq_error err;
  if (size < 4 || data[0] != 0x08) return 0; /* ir_version comes first; other formats have targets of their own */
  const char *path = write_input(data, size);
  if (aq_source_open(path, NULL, &source, &err) != AQ_OK) {
    if (source != NULL || err.code == AQ_OK || err.message[0] == '\0') abort();
    return 0;
  }
  read_all(source);
  compare_kept_codes(source, path, NULL);
  aq_source_close(source);
  return 0;
}
