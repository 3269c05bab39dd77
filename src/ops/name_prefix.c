/* name_prefix.c - finds the prefix by which all names of two sources differ: that of the first name, tried on all. */
#include "ops/name_prefix.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"

/* Bytes in front of `shorter` in `longer`, which end with a dot; 0 when it is not so. */
static size_t prefix_length(const char *longer, const char *shorter) {
  const size_t a = strlen(longer), b = strlen(shorter);
  if (a < b + 2 || strcmp(longer + a - b, shorter) != 0 || longer[a - b - 1] != '.') return 0;
  return a - b;
}

/* Whether every tensor of `bare` is in `with` under its name with these `length` bytes of `longer` in front. */
static bool has_all(const aq_source *bare, const aq_source *with, const char *longer, size_t length) {
  for (size_t i = 0; i < bare->tensor_count; i++) {
    char *name = aq_format("%.*s%s", (int)length, longer, bare->tensors[i].name);
    const bool is_there = name != NULL && aq_source_find(with, name) >= 0;
    aq_free(name);
    if (!is_there) return false;
  }
  return true;
}

static bool find_one_way(const aq_source *bare, const aq_source *with, char *prefix, size_t size) {
  for (size_t j = 0; j < with->tensor_count; j++) {
    const char *longer = with->tensors[j].name;
    const size_t length = prefix_length(longer, bare->tensors[0].name);
    if (length == 0 || !has_all(bare, with, longer, length)) continue;
    (void)snprintf(prefix, size, "%.*s", (int)length, longer);
    return true;
  }
  return false;
}

bool aq_name_prefix_find(const aq_source *first, const aq_source *second, char *prefix, size_t size, bool *is_second) {
  if (first->tensor_count == 0 || first->tensor_count != second->tensor_count) return false;
  *is_second = find_one_way(first, second, prefix, size);
  return *is_second || find_one_way(second, first, prefix, size);
}
