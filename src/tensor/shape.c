/* shape.c - shapes, and the names of the parts of large tensors. */
#include "tensor/shape.h"

#include <stdio.h>
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"

bool aq_shape_count_ok(const int64_t *shape, int32_t rank, uint64_t *out) {
  uint64_t count = 1;
  bool empty = false;
  for (int32_t i = 0; i < rank; i++) {
    if (shape[i] < 0) return false;
    /* A zero hides the size of the other dimensions; they must still be sane. */
    if (shape[i] == 0) {
      empty = true;
    } else if (!aq_mul_ok(count, (uint64_t)shape[i], &count) || count > INT64_MAX) {
      return false;
    }
  }
  *out = empty ? 0 : count;
  return true;
}

bool aq_same_shape(const aq_tensor_info *a, const aq_tensor_info *b) {
  return a->rank == b->rank && memcmp(a->shape, b->shape, (size_t)a->rank * sizeof a->shape[0]) == 0;
}

const char *aq_shape_text(const int64_t *shape, int32_t rank, char *out, size_t size) {
  size_t used = (size_t)snprintf(out, size, "[");
  for (int32_t i = 0; i < rank && used < size; i++) {
    used += (size_t)snprintf(out + used, size - used, "%s%lld", i > 0 ? ", " : "", (long long)shape[i]);
  }
  if (used < size) (void)snprintf(out + used, size - used, "]");
  return out;
}

/* Decimal digits without sign, superfluous zeros or overflow. */
static const char *parse_index(const char *p, int64_t *out) {
  const char *begin = p;
  int64_t value = 0;
  for (; *p >= '0' && *p <= '9'; p++) {
    if (value > (INT64_MAX - 9) / 10) return NULL;
    value = value * 10 + (*p - '0');
  }
  if (p == begin || (*begin == '0' && p > begin + 1)) return NULL;
  *out = value;
  return p;
}

bool aq_part_name_parse(const char *name, size_t *base_length, int64_t *lo, int64_t *hi) {
  const char *bracket = strrchr(name, '[');
  if (bracket == NULL) return false;
  const char *p = parse_index(bracket + 1, lo);
  if (p == NULL || *p != ':') return false;
  p = parse_index(p + 1, hi);
  if (p == NULL || strcmp(p, "]") != 0 || *lo >= *hi) return false;
  *base_length = (size_t)(bracket - name);
  return true;
}

aq_status aq_part_name_refuse(const char *name, aq_error *err) {
  size_t base;
  int64_t lo, hi;
  if (!aq_part_name_parse(name, &base, &lo, &hi)) return AQ_OK;
  const aq_status status = aq_fail(err, AQ_ERR_UNSUPPORTED,
                                   "a name that ends with [%lld:%lld] means a part of a larger tensor in weight tables",
                                   (long long)lo, (long long)hi);
  return aq_error_hint(err, status, "Rename the tensor in the model");
}

char *aq_part_name_make(const char *name, int64_t lo, int64_t hi) {
  return aq_format("%s[%lld:%lld]", name, (long long)lo, (long long)hi);
}

uint64_t aq_scale_count(const int64_t *shape, int32_t rank, uint64_t num_params, int32_t quant_axis,
                        int32_t group_size) {
  if (num_params == 0) return 0;
  if (group_size > 0) return aq_div_up(num_params, (uint64_t)group_size);
  if (quant_axis < 0 || rank == 0) return 1;
  return (uint64_t)shape[0];
}
