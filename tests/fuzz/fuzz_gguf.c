/* fuzz_gguf.c - any bytes as a GGUF file, with its names and as a model of Hugging Face: opening must end in an error
 * or in tensors whose bytes can all be read, as values and as codes. */
#include "fuzz_input.h"

#include <string.h>

#include "arrowquant.h"
#include "io/source.h"
#include "kept_codes.h"

#define VALUES 600

/* The end of the tensor alone has the values that it has in the whole. */
static void compare_end(const aq_source *source, size_t index, const aq_tensor *tensor) {
  float values[VALUES];
  aq_error err;
  const aq_tensor_info *info = aq_source_tensor(source, index);
  const uint64_t count = info->num_params < VALUES ? info->num_params : VALUES;
  if (aq_source_read_f32(source, index, info->num_params - count, count, values, &err) != AQ_OK) abort();
  if (info->dtype != AQ_F32 || count == 0) return;
  const size_t size = (size_t)count * sizeof *values;
  if (memcmp(values, (const uint8_t *)tensor->data + tensor->data_bytes - size, size) != 0) abort();
}

static void read_all(const aq_source *source) {
  aq_error err;
  uint64_t bytes = 0;
  for (size_t i = 0; i < aq_source_tensor_count(source); i++) {
    const aq_tensor_info *info = aq_source_tensor(source, i);
    aq_tensor tensor;
    if (aq_source_load(source, i, &tensor, &err) != AQ_OK) abort();
    if (tensor.data_bytes != info->data_bytes) abort();
    compare_end(source, i, &tensor);
    aq_tensor_release(&tensor);
    bytes += info->stored_bytes;
  }
  if (bytes > aq_source_file_bytes(source)) abort();
}

static void open_with(const char *names, const char *path) {
  aq_source *source = NULL;
  aq_source_options options;
  aq_error err;
  aq_source_options_init(&options);
  options.names = names;
  if (aq_source_open(path, &options, &source, &err) != AQ_OK) {
    if (source != NULL || err.code == AQ_OK || err.message[0] == '\0') abort();
    return;
  }
  read_all(source);
  compare_kept_codes(source, path, names);
  aq_source_close(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 4 || memcmp(data, "GGUF", 4) != 0) return 0; /* other formats have targets of their own */
  const char *path = write_input(data, size);
  open_with("file", path);
  open_with("hf", path);
  return 0;
}
