/* torch_content.c - what both forms of files share. */
#include "io/torch/torch_content.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"

void aq_torch_content_init(aq_torch_content *content, uint64_t max_memory) {
  *content = (aq_torch_content){0};
  content->values.limit = max_memory != 0 ? AQ_MIN(max_memory, AQ_PICKLE_MEMORY_MAX) : AQ_PICKLE_MEMORY_MAX;
}

void aq_torch_content_reset(aq_torch_content *content) {
  aq_torch_objects_reset(&content->objects);
  aq_pickle_values_reset(&content->values);
  *content = (aq_torch_content){0};
}

/* Keys are counted by torch.save, and were addresses; all are of letters and digits. */
aq_status aq_torch_check_key(const aq_torch_content *content, const aq_torch_storage *storage, aq_error *err) {
  const char *key = aq_pickle_text(&content->values, storage->key);
  const uint32_t length = aq_pickle_at(&content->values, storage->key)->count;
  for (uint32_t i = 0; i < length; i++) {
    const char c = key[i];
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
    AQ_FAIL_IF(!plain, AQ_ERR_FORMAT, "the key of a storage has character %u other than letters, digits, _ and -: %s",
               i + 1,
               c == '/'   ? "'/'"
               : c == '.' ? "'.'"
                          : "another");
  }
  AQ_FAIL_IF(length == 0 || length > 255, AQ_ERR_FORMAT, "the key of a storage has %u bytes", length);
  return AQ_OK;
}

aq_status aq_torch_check_bytes(const aq_torch_content *content, const aq_torch_storage *storage, uint64_t bytes,
                               aq_error *err) {
  AQ_FAIL_IF(
      bytes != storage->bytes, AQ_ERR_FORMAT, "storage '%.64s' has %llu bytes in the file and %llu in the pickle",
      aq_pickle_text(&content->values, storage->key), (unsigned long long)bytes, (unsigned long long)storage->bytes);
  return AQ_OK;
}
