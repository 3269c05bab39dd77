/* onnx_array.c - numbers of a tensor by their index. */
#include "io/onnx/onnx_array.h"

#include "core/checked.h"
#include "core/error.h"
#include "io/to_f32.h"

aq_onnx_array aq_onnx_array_of(const aq_onnx_tensor *tensor) {
  return (aq_onnx_array){tensor->place, tensor->type, AQ_MAX(tensor->count, 1), AQ_MAX(tensor->count, 1)};
}

/* Numbers of 2 or 4 bits, the first one in the lowest bits; `skip` of them come before the first one wanted. */
static void unpack_bits(const uint8_t *in, uint64_t skip, size_t count, const aq_onnx_type *type, uint8_t *out) {
  const uint32_t bits = type->bits, mask = (1u << bits) - 1, sign = 1u << (bits - 1);
  for (size_t i = 0; i < count; i++) {
    const uint64_t at = (skip + i) * bits;
    const uint32_t code = (uint32_t)in[at / 8] >> at % 8 & mask;
    out[i] = (uint8_t)(type->is_signed && (code & sign) != 0 ? code | ~mask : code);
  }
}

/* Elements of one row, by the index with padding. */
static aq_status read_row(const aq_onnx_files *files, const aq_onnx_array *array, uint64_t at, size_t count,
                          uint8_t *out, aq_error *err) {
  const aq_onnx_type *type = array->type;
  if (type->bits >= 8)
    return aq_onnx_place_read(files, &array->place, at * (type->bits / 8), count * (type->bits / 8), out, err);
  uint8_t packed[AQ_ONNX_CHUNK / 2 + 1];
  const uint64_t per_byte = 8 / type->bits, begin = at / per_byte;
  const size_t size = (size_t)(aq_div_up(at + count, per_byte) - begin);
  AQ_TRY(aq_onnx_place_read(files, &array->place, begin, size, packed, err));
  unpack_bits(packed, at % per_byte, count, type, out);
  return AQ_OK;
}

aq_status aq_onnx_array_read_raw(const aq_onnx_files *files, const aq_onnx_array *array, uint64_t first, size_t count,
                                 uint8_t *out, aq_error *err) {
  const size_t size = aq_dtype_size(array->type->dtype);
  while (count > 0) {
    const uint64_t row = first / array->row, column = first % array->row;
    const size_t n = (size_t)AQ_MIN(AQ_MIN((uint64_t)count, array->row - column), (uint64_t)AQ_ONNX_CHUNK);
    AQ_TRY(read_row(files, array, row * array->stride + column, n, out, err));
    out += n * size;
    first += n;
    count -= n;
  }
  return AQ_OK;
}

aq_status aq_onnx_array_read(const aq_onnx_files *files, const aq_onnx_array *array, uint64_t first, size_t count,
                             float *out, aq_error *err) {
  uint8_t bytes[AQ_ONNX_CHUNK * sizeof(double)];
  AQ_TRY(aq_onnx_array_read_raw(files, array, first, count, bytes, err));
  aq_values_to_f32(array->type->dtype, bytes, count, out);
  return AQ_OK;
}
