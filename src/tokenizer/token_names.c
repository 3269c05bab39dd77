/* token_names.c - the texts that added tokens become when ids are decoded. */
#include "tokenizer/token_names.h"

#include <stdlib.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

void aq_token_names_reset(aq_token_names *names) {
  aq_free(names->names);
  aq_buffer_reset(&names->text);
  *names = (aq_token_names){.names = NULL};
}

aq_status aq_token_names_add(aq_token_names *names, int32_t id, const void *text, size_t size, aq_error *err) {
  AQ_FAIL_IF(names->text.size > UINT32_MAX / 2 || size > UINT32_MAX / 4, AQ_ERR_UNSUPPORTED,
             "there are too many added tokens");
  if (names->count == names->capacity) {
    const size_t capacity = AQ_MAX(names->capacity * 2, (size_t)16);
    aq_token_name *bigger = aq_realloc_array(names->names, capacity, sizeof *bigger);
    if (bigger == NULL) return aq_fail_memory(err, capacity * sizeof *bigger);
    names->names = bigger;
    names->capacity = capacity;
  }
  names->names[names->count] = (aq_token_name){id, (uint32_t)names->text.size, (uint32_t)size};
  if (size > 0) AQ_TRY(aq_buffer_append(&names->text, text, size, err));
  names->count++;
  return AQ_OK;
}

static int compare_ids(const void *a, const void *b) {
  const int32_t x = ((const aq_token_name *)a)->id, y = ((const aq_token_name *)b)->id;
  return x < y ? -1 : x > y;
}

void aq_token_names_sort(aq_token_names *names) {
  if (names->count > 1) qsort(names->names, names->count, sizeof *names->names, compare_ids);
}

const char *aq_token_names_find(const aq_token_names *names, int32_t id, size_t *size) {
  size_t low = 0, high = names->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (names->names[middle].id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == names->count || names->names[low].id != id) return NULL;
  *size = names->names[low].size;
  return *size > 0 ? (const char *)names->text.data + names->names[low].offset : "";
}
