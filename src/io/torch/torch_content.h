/* torch_content.h - what a file of torch.save holds, in either of its two forms. */
#ifndef AQ_IO_TORCH_TORCH_CONTENT_H
#define AQ_IO_TORCH_TORCH_CONTENT_H

#include "core/file.h"
#include "io/torch/pickle_values.h"
#include "io/torch/torch_objects.h"

typedef struct aq_torch_content {
  aq_pickle_values values;
  aq_torch_objects objects; /* storages have their place in the file */
  uint32_t root;            /* the value that was saved */
  size_t unused_storages;   /* of the file, to which no tensor refers */
} aq_torch_content;

void aq_torch_content_reset(aq_torch_content *content);

/* The form since PyTorch 1.6: a zip archive of a pickle, and the bytes of each storage as an entry. */
AQ_MUST_CHECK aq_status aq_torch_archive_read(const aq_file *file, uint64_t max_memory, aq_torch_content *out,
                                              aq_error *err);

/* The form before: five pickles, then for each storage the number of its elements and its bytes. */
AQ_MUST_CHECK aq_status aq_torch_legacy_read(const aq_file *file, uint64_t max_memory, aq_torch_content *out,
                                             aq_error *err);

/* True when a file that begins with these bytes (32, zeros where it is shorter) has that older form. */
bool aq_torch_legacy_plausible(const uint8_t *head);

/* For both: sets the limit of the values' memory. */
void aq_torch_content_init(aq_torch_content *content, uint64_t max_memory);

/* For both: fails when the key of a storage is no plain name, or the file has other than its bytes. */
AQ_MUST_CHECK aq_status aq_torch_check_key(const aq_torch_content *content, const aq_torch_storage *storage,
                                           aq_error *err);
AQ_MUST_CHECK aq_status aq_torch_check_bytes(const aq_torch_content *content, const aq_torch_storage *storage,
                                             uint64_t bytes, aq_error *err);

#endif
