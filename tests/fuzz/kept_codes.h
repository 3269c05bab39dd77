/* kept_codes.h - a source opened once more with its codes: those that are kept stand for the same values, bit for bit.
 */
#ifndef AQ_FUZZ_KEPT_CODES_H
#define AQ_FUZZ_KEPT_CODES_H

#include <string.h>

#include "arrowquant.h"

#define KEPT_VALUES_MAX ((uint64_t)1 << 16)

/* Codes and scales can be had whole, and the first values are those of the plain source. */
static inline void compare_kept_tensor(const aq_source *plain, const aq_source *kept, size_t i) {
  static float a[KEPT_VALUES_MAX], b[KEPT_VALUES_MAX];
  aq_error err;
  aq_tensor tensor;
  const aq_tensor_info *info = aq_source_tensor(kept, i);
  const uint64_t n = info->num_params < KEPT_VALUES_MAX ? info->num_params : KEPT_VALUES_MAX;
  if (info->num_params != aq_source_tensor(plain, i)->num_params) abort();
  if (info->quant_type == AQ_KEPT) return;
  if (aq_source_load(kept, i, &tensor, &err) != AQ_OK) abort();
  if (tensor.data_bytes != info->data_bytes || tensor.num_scales != info->num_scales) abort();
  aq_tensor_release(&tensor);
  if (aq_source_read_f32(plain, i, 0, n, a, &err) != AQ_OK || aq_source_read_f32(kept, i, 0, n, b, &err) != AQ_OK)
    abort();
  if (memcmp(a, b, (size_t)n * sizeof *a) != 0) abort();
}

/* Opening may fail where reading the plain source would: codes are read then. */
static inline void compare_kept_codes(const aq_source *plain, const char *path, const char *names) {
  aq_source *kept = NULL;
  aq_source_options options;
  aq_error err;
  aq_source_options_init(&options);
  options.names = names;
  options.keep_codes = true;
  if (aq_source_open(path, &options, &kept, &err) != AQ_OK) {
    if (kept != NULL || err.code != AQ_ERR_FORMAT || err.message[0] == '\0') abort();
    return;
  }
  if (aq_source_tensor_count(kept) != aq_source_tensor_count(plain)) abort();
  for (size_t i = 0; i < aq_source_tensor_count(kept); i++) compare_kept_tensor(plain, kept, i);
  aq_source_close(kept);
}

#endif
