/* scheme_mxfp4.c - MXFP4 as in gpt-oss (OCP Microscaling Formats v1.0):
 *
 *   NAME_blocks  uint8 [experts, out, in / 32, 16]   codes of E2M1, the first of a byte in the lower half
 *   NAME_scales  uint8 [experts, out, in / 32]       E8M0: 2^(s - 127), and NaN for 255
 *
 * value = e2m1(code) * 2^(s - 127), exactly. The tensor NAME is [experts, in, out], as the model that is not quantized
 * has it: each matrix is turned. */
#include "core/checked.h"
#include "core/error.h"
#include "io/prequantized/layer_scheme.h"

enum { BLOCK = 32, BLOCK_BYTES = 16 };

static const float e2m1[16] = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                               -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};

static const char *const keys[] = {"modules_to_not_convert", "dequantize", NULL};

static aq_status read_layer(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info,
                            aq_error *err) {
  static const aq_dtype bytes[] = {AQ_U8, AQ_DTYPE_INVALID};
  const aq_tensor_info *stored = aq_layer_part_info(parts, codes);
  uint64_t inputs = 0, dims[2];
  size_t scales;
  if (stored->rank != 4 || stored->shape[3] != BLOCK_BYTES || !aq_mul_ok((uint64_t)stored->shape[2], BLOCK, &inputs)) {
    return aq_error_in_tensor(err, aq_fail(err, AQ_ERR_FORMAT, "has no shape [experts, out, in / 32, 16]"),
                              stored->name);
  }
  AQ_TRY(aq_layer_part_check_dtype(parts, codes, bytes, err));
  AQ_TRY(aq_layer_part_need(parts, "_scales", &scales, err));
  *out = aq_coded_layer_of(inputs, (uint64_t)stored->shape[1]);
  out->matrices = (uint64_t)stored->shape[0];
  out->row_block = BLOCK;
  out->column_block = 1;
  out->values = e2m1;
  out->codes = (aq_coded_matrix){.tensor = codes,
                                 .packing = AQ_PACKED_STREAM,
                                 .bits = 4,
                                 .is_transposed = true,
                                 .rows = out->rows,
                                 .columns = out->columns};
  AQ_FAIL_IF(!aq_coded_matrix_lines(&out->codes, dims), AQ_ERR_FORMAT, "a layer has more codes than can be counted");
  out->scales = (aq_coded_matrix){.tensor = scales,
                                  .packing = AQ_PACKED_EXPONENTS,
                                  .is_transposed = true,
                                  .rows = (uint64_t)stored->shape[2],
                                  .columns = out->columns};
  info->rank = 3;
  info->shape[0] = stored->shape[0];
  info->shape[1] = (int64_t)out->rows;
  info->shape[2] = (int64_t)out->columns;
  return aq_layer_part_fit(parts, &out->scales, out->matrices, err);
}

static const char *const part_names[] = {"_scales", NULL};

const aq_layer_scheme aq_scheme_mxfp4 = {.name = "MXFP4",
                                         .method = "mxfp4",
                                         .codes = "_blocks",
                                         .parts = part_names,
                                         .result = "",
                                         .keys = keys,
                                         .read = read_layer};
