/* coded_layer.h - a layer that another tool quantized, and its values:
 *
 *     value = ((v(code) - zero point) * scale) * factor + bias
 *
 * in FP32, each operation rounded on its own, with what a scheme does not have left out. v(code) is the code as a
 * number, or a value of a table. Rows and columns of the layer share scale, zero point and bias by blocks; columns can
 * be given their group by a list. NaN is the one NaN 0x7fc00000. */
#ifndef AQ_IO_PREQUANTIZED_CODED_LAYER_H
#define AQ_IO_PREQUANTIZED_CODED_LAYER_H

#include "io/prequantized/coded_matrix.h"

/* Groups that a layer with a list of them may have: those of a row are in memory at once. */
#define AQ_CODED_GROUPS_MAX ((uint64_t)1 << 18)

typedef struct aq_coded_layer {
  uint64_t matrices, rows, columns; /* as it is decoded; its shape as a tensor may be another */
  aq_coded_matrix codes, scales, zero_points, biases;
  uint64_t row_block, column_block; /* rows and columns that share a scale */
  size_t groups;                    /* tensor of int32: the group of each column; or AQ_NO_TENSOR */
  const float *values;              /* v(code); NULL: the code as a number */
  float zero_point;                 /* where none are stored, or what they all have to be */
  bool has_one_zero_point;          /* any other that is stored is an error */
  float zero_point_shift;           /* added to those that are stored */
  float zero_point_wrap;            /* what is 0 after that; 0: nothing */
  float factor;                     /* 1: none */
  const float *scale_values;        /* 256; scale = scale_values[code] * scale_factors[block] + scale_shift, or NULL */
  size_t scale_factors;             /* tensor of floats */
  uint64_t scale_block;             /* scales that share a factor */
  float scale_shift;
  float *tables; /* owned: values and scale_values that are not constant */
} aq_coded_layer;

/* One matrix of that size without any part: everything else is 0, 1 or AQ_NO_TENSOR. */
aq_coded_layer aq_coded_layer_of(uint64_t rows, uint64_t columns);
void aq_coded_layer_reset(aq_coded_layer *layer);

/* Bytes [offset, offset + size) of its values, matrix by matrix and row by row. Any thread. Memory for some ten
 * thousand values is taken. */
AQ_MUST_CHECK aq_status aq_coded_layer_read(const aq_source *source, const aq_coded_layer *layer, uint64_t offset,
                                            size_t size, uint8_t *out, aq_error *err);

/* The codes of values [first, first + count) as numbers, before any table, in the same order. Any thread. */
AQ_MUST_CHECK aq_status aq_coded_layer_read_codes(const aq_source *source, const aq_coded_layer *layer, uint64_t first,
                                                  size_t count, float *out, aq_error *err);

/* Zero points as they are stored become those of the formula. AQ_ERR_FORMAT: one that the configuration excludes. */
AQ_MUST_CHECK aq_status aq_coded_layer_shift_zero_points(const aq_source *source, const aq_coded_layer *layer,
                                                         float *zero_points, size_t count, aq_error *err);

#endif
