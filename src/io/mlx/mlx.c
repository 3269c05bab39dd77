/* mlx.c - a matrix NAME.weight with codes becomes NAME.weight (uint32), NAME.scales and NAME.biases: a value is
 * scale * u + bias, where bias = -(zero_point + 2^(bits - 1)) * scale. */
#include "io/mlx/mlx.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/formats.h"
#include "io/packed/packed_codes.h"
#include "io/packed/packed_source.h"
#include "io/safetensors/safetensors_sink.h"
#include "kernels/kernels.h"
#include "tensor/dtype.h"

#define BLOCK ((size_t)1 << 14) /* scales that are made at a time */

enum { LARGEST = 128, SMALLEST = 32 }; /* groups, and the power of two between them */

/* ---- which, and how ---- */

static bool is_packed(const aq_source *base, size_t index) {
  return base->tensors[index].quant_type != AQ_KEPT && !aq_packed_is_of_module(&base->tensors[index]);
}

/* An output layer that is the table of tokens again: MLX computes it from the table. */
static bool is_left_out(const aq_source *base, size_t index) {
  const aq_tensor_info *t = &base->tensors[index];
  return t->alias_of >= 0 && strcmp(t->name, "lm_head.weight") == 0 &&
         aq_packed_is_embedding(&base->tensors[t->alias_of]);
}

static const char *why_values(const aq_source *base, size_t index, bool *is_of_values) {
  const aq_tensor_info *t = &base->tensors[index];
  *is_of_values = aq_packed_is_of_module(t);
  if (*is_of_values) return aq_packed_module_words;
  const char *why = aq_packed_why_no_matrix(t);
  if (why != NULL) return why;
  return t->shape[1] % SMALLEST == 0 ? NULL : "its rows are no multiples of 32";
}

/* The largest group of MLX that divides one of the source; 0: there is none. */
static uint64_t find_group(uint64_t of_source) {
  for (uint64_t group = LARGEST; group >= SMALLEST; group /= 2) {
    if (of_source % group == 0) return group;
  }
  return 0;
}

static aq_status find_scheme(const aq_source *base, size_t index, aq_dtype dtype, aq_packed_scheme *out,
                             aq_error *err) {
  AQ_TRY(aq_packed_scheme_find(base, index, "MLX", out, err));
  if (dtype != AQ_DTYPE_INVALID) out->scale_dtype = dtype;
  const uint64_t group = find_group(out->group);
  if (group > 0) {
    out->group = group;
    out->groups = out->columns / group;
    return AQ_OK;
  }
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED,
                "MLX has groups of 32, 64 or 128 values, and none of them divides its %s of %llu",
                out->group == out->columns ? "rows" : "groups", (unsigned long long)out->group);
  return aq_packed_fail(&base->tensors[index],
                        out->group == out->columns
                            ? "Keep it when quantizing, or export to safetensors, which holds values"
                            : "Quantize it with a group size of 32, 64 or 128, or per channel",
                        err);
}

/* ---- bytes ---- */

/* n values in the dtype of the scales. */
static aq_status store_scales(const float *values, size_t n, aq_dtype dtype, uint8_t *out, aq_error *err) {
  const aq_kernels *kernels = aq_kernels_get();
  if (dtype == AQ_F32) {
    memcpy(out, values, n * sizeof *values);
    return AQ_OK;
  }
  (dtype == AQ_F16 ? kernels->f32_to_f16 : kernels->f32_to_bf16)(values, n, out);
  for (size_t i = 0; dtype == AQ_F16 && i < n; i++) {
    if (fabsf(values[i]) < 65520.0F) continue;
    (void)aq_fail(err, AQ_ERR_NONFINITE, "the scale or bias %g is too large for %s", (double)values[i],
                  aq_dtype_name(dtype));
    return aq_error_hint(err, AQ_ERR_NONFINITE, "Use `dtype=bf16` or `dtype=fp32`");
  }
  return AQ_OK;
}

/* n scales from number `first` on, or with is_bias the biases; z: room for the zero points. */
static aq_status make_scales(const aq_source *base, size_t index, const aq_packed_scheme *s, bool is_bias,
                             uint64_t first, size_t n, float *scales, float *z, aq_error *err) {
  AQ_TRY(aq_packed_read_scales(base, index, s, AQ_PIECE_SCALES, first, n, scales, err));
  if (!is_bias) return AQ_OK;
  AQ_TRY(aq_packed_read_scales(base, index, s, AQ_PIECE_ZERO_POINTS, first, n, z, err));
  const float half = (float)(1U << (s->bits - 1));
  for (size_t i = 0; i < n; i++) scales[i] = -(z[i] + half) * scales[i];
  return AQ_OK;
}

static aq_status read_scales(const aq_source *base, size_t index, const aq_packed_scheme *s, bool is_bias,
                             uint64_t offset, size_t size, uint8_t *out, aq_error *err) {
  const size_t width = aq_dtype_size(s->scale_dtype);
  float *scales = aq_realloc_array(NULL, 2 * BLOCK, sizeof *scales);
  if (scales == NULL) return aq_fail_memory(err, 2 * BLOCK * sizeof *scales);
  aq_status status = AQ_OK;
  for (size_t done = 0; status == AQ_OK && done < size / width;) {
    const size_t n = AQ_MIN(size / width - done, BLOCK);
    status = make_scales(base, index, s, is_bias, offset / width + done, n, scales, scales + BLOCK, err);
    if (status == AQ_OK) status = store_scales(scales, n, s->scale_dtype, out + done * width, err);
    done += n;
  }
  aq_free(scales);
  return status == AQ_ERR_NONFINITE ? aq_error_in_tensor(err, status, base->tensors[index].name) : status;
}

/* ---- the format ---- */

enum { CODES, SCALES, BIASES };

static size_t list_pieces(const aq_packed_scheme *s, aq_packed_piece out[AQ_PACKED_PIECES]) {
  out[CODES] = (aq_packed_piece){".weight", AQ_U32, s->rows, aq_packed_words(s->columns, s->bits)};
  out[SCALES] = (aq_packed_piece){".scales", s->scale_dtype, s->rows, s->groups};
  out[BIASES] = (aq_packed_piece){".biases", s->scale_dtype, s->rows, s->groups};
  return BIASES + 1;
}

static aq_status read_packed(const aq_source *base, size_t index, const aq_packed_scheme *s, size_t piece,
                             uint64_t offset, size_t size, uint8_t *out, aq_error *err) {
  if (piece == CODES) return aq_packed_read_codes(base, index, s, offset, size, out, err);
  return read_scales(base, index, s, piece == BIASES, offset, size, out, err);
}

static const aq_packed_format mlx_packed = {.name = "MLX",
                                            .is_packed = is_packed,
                                            .is_left_out = is_left_out,
                                            .why_values = why_values,
                                            .find = find_scheme,
                                            .list = list_pieces,
                                            .read = read_packed};

static aq_status open_layout(const aq_source *base, aq_dtype dtype, aq_source **out, aq_error *err) {
  return aq_packed_open(&mlx_packed, base, dtype, out, err);
}

/* ---- for plans and searches ---- */

/* With scales of FP16 the bias and the product of the formula are exact in FP32. */
static const aq_code_choice mlx_choices[] = {{AQ_INT2, 128}, {AQ_INT2, 64},  {AQ_INT2, 32},  {AQ_INT3, 128},
                                             {AQ_INT3, 64},  {AQ_INT3, 32},  {AQ_INT4, 128}, {AQ_INT4, 64},
                                             {AQ_INT4, 32},  {AQ_INT8, 128}, {AQ_INT8, 64},  {AQ_INT8, 32}};

static const char *refuse_span(const aq_tensor_info *t, uint64_t span) {
  const char *why = aq_packed_refuse_span(t, span);
  if (why != NULL) return why;
  return find_group(AQ_MIN(span, (uint64_t)t->shape[1])) > 0 ? NULL : "MLX has groups of 32, 64 or 128 values";
}

static uint64_t count_code_bytes(const aq_tensor_info *t, aq_quant_type type, uint64_t span, bool symmetric) {
  (void)symmetric; /* all have biases */
  const uint64_t rows = (uint64_t)t->shape[0], columns = (uint64_t)t->shape[1];
  const uint64_t groups = columns / find_group(AQ_MIN(span, columns));
  return rows * (4 * aq_packed_words(columns, aq_quant_type_bits(type)) + 2 * sizeof(float) * groups);
}

static const aq_export_layout mlx_layout = {.open = open_layout,
                                            .describe = aq_packed_describe,
                                            .configure = aq_mlx_configure,
                                            .grids = aq_packed_f16_grids,
                                            .grid_count = AQ_PACKED_F16_GRIDS,
                                            .refuse_span = refuse_span,
                                            .choices = mlx_choices,
                                            .choice_count = AQ_COUNT_OF(mlx_choices),
                                            .code_bytes = count_code_bytes,
                                            .overhead = aq_packed_overhead};
const aq_file_format aq_mlx_format = {.name = "mlx", .write = &aq_safetensors_sink, .layout = &mlx_layout};
