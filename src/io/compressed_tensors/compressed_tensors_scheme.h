/* compressed_tensors_scheme.h - how the format "pack-quantized" of compressed-tensors stores a quantized matrix of a
 * source, and which it cannot store. */
#ifndef AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_SCHEME_H
#define AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_SCHEME_H

#include <stdbool.h>

#include "io/export_layout.h"
#include "io/source.h"

typedef struct aq_ct_scheme {
  uint32_t bits;
  bool symmetric;         /* all zero points are 0, and are not stored */
  uint64_t rows, columns; /* of the matrix */
  uint64_t group;         /* values of a row that share a scale: a divisor of columns */
  uint64_t groups;        /* of a row: columns / group; 1: the strategy "channel" */
  uint64_t span;          /* values of the flattened matrix that share one in the source: a divisor or a multiple of
                             columns */
} aq_ct_scheme;

/* Whether a tensor is stored as codes: the quantized ones but for embedding tables and what is tied to one, and weights
 * of modules behind the model, all of which peers read as values only. The tensors are as the table has them, with its
 * aliases. */
bool aq_ct_is_packed(const aq_source *source, size_t index);

/* The codes that the format holds, which `stored` counts the bits of; aq_stored_tensor's why_values of a tensor of a
 * source, whatever type it has; aq_export_layout's refuse_span, of a matrix. */
enum { AQ_CT_GRIDS = 8, AQ_CT_CHOICES = 16 };
extern const aq_code_choice aq_ct_choices[AQ_CT_CHOICES];
extern const aq_code_grid aq_ct_grids[AQ_CT_GRIDS];
const char *aq_ct_why_values(const aq_source *source, size_t index);
const char *aq_ct_refuse_span(const aq_tensor_info *tensor, uint64_t span);

/* The scheme of a tensor that is stored as codes. AQ_ERR_UNSUPPORTED, naming the tensor and what can be done: it is no
 * weight of a linear layer (rank 2, NAME.weight), its groups cross rows, or a zero point is no code (the format has
 * whole ones, in the range of the codes). Reads the zero points. */
AQ_MUST_CHECK aq_status aq_ct_scheme_find(const aq_source *source, size_t index, aq_ct_scheme *out, aq_error *err);

/* Words of 32 bits that a row of codes takes, or a column of zero points. */
static inline uint64_t aq_ct_words(uint64_t count, uint32_t bits) { return (count * bits + 31) / 32; }

#endif
