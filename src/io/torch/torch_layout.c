/* torch_layout.c - shapes and strides of a file, checked: element (i, j, ...) is number first + i * stride[0] +
 * j * stride[1] + ... of the storage. */
#include "io/torch/torch_layout.h"

#include "core/checked.h"
#include "core/error.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

static aq_status read_numbers(const aq_pickle_values *values, uint32_t id, const char *what, int64_t *out,
                              int32_t *count, aq_error *err) {
  const aq_pickle_value *tuple = aq_pickle_at(values, id);
  AQ_FAIL_IF(tuple->kind != AQ_PICKLE_TUPLE && tuple->kind != AQ_PICKLE_LIST, AQ_ERR_FORMAT,
             "the %s of a tensor is %s, and should be a tuple", what, aq_pickle_kind_name(tuple->kind));
  AQ_FAIL_IF(tuple->count > AQ_MAX_RANK, AQ_ERR_UNSUPPORTED, "a tensor has %u dimensions; at most %d are supported",
             tuple->count, AQ_MAX_RANK);
  for (uint32_t i = 0; i < tuple->count; i++) {
    const aq_pickle_value *number = aq_pickle_at(values, tuple->as.items[i]);
    AQ_FAIL_IF(number->kind != AQ_PICKLE_INT || number->as.number < 0, AQ_ERR_FORMAT,
               "the %s of a tensor holds what is no number from 0 up", what);
    out[i] = number->as.number;
  }
  *count = (int32_t)tuple->count;
  return AQ_OK;
}

/* Number of the last element; false when it cannot be counted. */
static bool last_element(const aq_torch_tensor *tensor, uint64_t first, uint64_t *out) {
  *out = first;
  for (int32_t i = 0; i < tensor->rank; i++) {
    uint64_t step;
    if (!aq_mul_ok((uint64_t)tensor->shape[i] - 1, tensor->stride[i], &step) || !aq_add_ok(*out, step, out))
      return false;
  }
  return true;
}

static aq_status check_extent(aq_torch_tensor *tensor, uint64_t storage_bytes, uint64_t first, aq_error *err) {
  const uint64_t size = aq_dtype_size(tensor->dtype);
  uint64_t last = 0, end = 0;
  char shape[128];
  if (tensor->num_params == 0) return AQ_OK;
  if (last_element(tensor, first, &last) && aq_add_ok(last, 1, &end) && aq_mul_ok(end, size, &end) &&
      end <= storage_bytes) {
    tensor->offset = first * size;
    return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_FORMAT, "a tensor of shape %s reaches past the end of its storage, which has %llu bytes",
                 aq_shape_text(tensor->shape, tensor->rank, shape, sizeof shape), (unsigned long long)storage_bytes);
}

aq_status aq_torch_layout_read(aq_torch_tensor *tensor, uint64_t storage_bytes, int64_t first,
                               const aq_pickle_values *values, uint32_t sizes, uint32_t strides, aq_error *err) {
  int64_t steps[AQ_MAX_RANK];
  int32_t step_count;
  AQ_TRY(read_numbers(values, sizes, "shape", tensor->shape, &tensor->rank, err));
  AQ_TRY(read_numbers(values, strides, "stride", steps, &step_count, err));
  AQ_FAIL_IF(step_count != tensor->rank, AQ_ERR_FORMAT, "a tensor has %d dimensions and %d strides", (int)tensor->rank,
             (int)step_count);
  AQ_FAIL_IF(first < 0, AQ_ERR_FORMAT, "a tensor begins at element %lld of its storage", (long long)first);
  AQ_FAIL_IF(!aq_shape_count_ok(tensor->shape, tensor->rank, &tensor->num_params) ||
                 !aq_dtype_bytes_ok(tensor->num_params, tensor->dtype, &tensor->bytes),
             AQ_ERR_FORMAT, "the shape of a tensor has more elements than can be counted");
  for (int32_t i = 0; i < tensor->rank; i++) tensor->stride[i] = tensor->shape[i] > 1 ? (uint64_t)steps[i] : 0;
  return check_extent(tensor, storage_bytes, (uint64_t)first, err);
}

bool aq_torch_is_contiguous(const aq_torch_tensor *tensor) {
  uint64_t expected = 1;
  if (tensor->num_params == 0) return true;
  for (int32_t i = tensor->rank; i > 0; i--) {
    const int64_t size = tensor->shape[i - 1];
    if (size > 1 && tensor->stride[i - 1] != expected) return false;
    expected *= (uint64_t)size;
  }
  return true;
}
