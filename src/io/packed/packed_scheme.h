/* packed_scheme.h - how a quantized matrix of a source lies in a format that packs the codes of its rows into words. */
#ifndef AQ_IO_PACKED_PACKED_SCHEME_H
#define AQ_IO_PACKED_PACKED_SCHEME_H

#include <stdbool.h>

#include "io/export_layout.h"
#include "io/source.h"

typedef struct aq_packed_scheme {
  uint32_t bits;
  bool symmetric;         /* all zero points are 0, and are not stored */
  uint64_t rows, columns; /* of the matrix */
  uint64_t group;         /* values of a row that share a scale in the format: a divisor of columns */
  uint64_t groups;        /* of a row: columns / group; 1: a scale for each row */
  uint64_t span;          /* values of the flattened matrix that share one in the source: a multiple of `group` */
  aq_dtype scale_dtype;   /* of the scales in the format */
} aq_packed_scheme;

/* The scheme with groups as large as rows and the source's scales allow, and FP32 scales; `symmetric` is for the format
 * to find. AQ_ERR_UNSUPPORTED, naming the tensor, the format and what can be done: it is no matrix NAME.weight, or its
 * groups cross rows. */
AQ_MUST_CHECK aq_status aq_packed_scheme_find(const aq_source *source, size_t index, const char *format,
                                              aq_packed_scheme *out, aq_error *err);

/* For formats whose zero points are codes: AQ_ERR_UNSUPPORTED, with the tensor and the format, where one is no whole
 * number in the range of the codes. Sets scheme->symmetric. Reads all zero points. */
AQ_MUST_CHECK aq_status aq_packed_zero_points_check(const aq_source *source, size_t index, const char *format,
                                                    aq_packed_scheme *scheme, aq_error *err);

/* For formats that have codes of linear layers only: whether a tensor is stored as codes, the quantized ones but for
 * tables of embeddings and what is tied to one, and weights of modules behind the model, all of which peers read as
 * values only. The tensors are as the table has them, with its aliases. */
bool aq_packed_is_linear(const aq_source *source, size_t index);

/* Of the same formats: aq_stored_tensor's why_values and is_of_values of a tensor of a source, whatever type it has. */
const char *aq_packed_why_values(const aq_source *source, size_t index, bool *is_of_values);

/* In words, why a tensor is no matrix NAME.weight; NULL: it is one. */
const char *aq_packed_why_no_matrix(const aq_tensor_info *t);

/* Whether a tensor is one of a module behind the model: "2_Dense/linear.weight"; and why it has values then. */
bool aq_packed_is_of_module(const aq_tensor_info *t);
extern const char aq_packed_module_words[];

/* Of formats with FP16 scales and zero points that are codes, or none: all types. */
#define AQ_PACKED_F16_GRIDS 8
extern const aq_code_grid aq_packed_f16_grids[AQ_PACKED_F16_GRIDS];

/* aq_export_layout's refuse_span, of a matrix. */
const char *aq_packed_refuse_span(const aq_tensor_info *tensor, uint64_t span);

/* The error with a hint and the name of the tensor. */
aq_status aq_packed_fail(const aq_tensor_info *t, const char *hint, aq_error *err);

/* Whether a tensor is a table of embeddings, by its name. */
bool aq_packed_is_embedding(const aq_tensor_info *t);

/* Words of 32 bits that a row of codes takes, or a column of zero points. */
static inline uint64_t aq_packed_words(uint64_t count, uint32_t bits) { return (count * bits + 31) / 32; }

#endif
