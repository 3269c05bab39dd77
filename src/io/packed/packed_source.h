/* packed_source.h - a source over another one for formats that store a quantized matrix NAME.weight as several tensors
 * in bytes of their own: names and shapes are the format's, bytes are made when they are read, and nothing is held in
 * memory. Every other tensor is passed on by name, values and kind. */
#ifndef AQ_IO_PACKED_PACKED_SOURCE_H
#define AQ_IO_PACKED_PACKED_SOURCE_H

#include "io/export_layout.h"
#include "io/packed/packed_scheme.h"

enum { AQ_PACKED_PIECES = 4 }; /* tensors that a matrix becomes, at most */

/* One of those tensors. */
typedef struct aq_packed_piece {
  const char *end; /* after NAME */
  aq_dtype dtype;
  uint64_t rows, columns; /* columns 0: a vector of `rows` */
} aq_packed_piece;

typedef struct aq_packed_format {
  const char *name;
  /* Whether a tensor is stored as codes. */
  bool (*is_packed)(const aq_source *base, size_t index);
  /* aq_stored_tensor's why_values and is_of_values of a tensor of the base. NULL: no plan is made for the format. */
  const char *(*why_values)(const aq_source *base, size_t index, bool *is_of_values);
  /* aq_stored_tensor's is_layer. NULL: none is. */
  bool (*is_layer)(const aq_source *base, size_t index);
  /* Whether a tensor is not stored at all. NULL: every one is. */
  bool (*is_left_out)(const aq_source *base, size_t index);
  /* The scheme of a tensor with codes; AQ_ERR_UNSUPPORTED names the tensor and what can be done. `dtype`: wanted for
   * values; AQ_DTYPE_INVALID: none. */
  aq_status (*find)(const aq_source *base, size_t index, aq_dtype dtype, aq_packed_scheme *out, aq_error *err);
  /* The tensors that it becomes, in the order of the file; returns how many. */
  size_t (*list)(const aq_packed_scheme *scheme, aq_packed_piece out[AQ_PACKED_PIECES]);
  /* Bytes [offset, offset + size) of tensor number `piece` of the list, whole elements of it. */
  aq_status (*read)(const aq_source *base, size_t index, const aq_packed_scheme *scheme, size_t piece, uint64_t offset,
                    size_t size, uint8_t *out, aq_error *err);
} aq_packed_format;

/* Tensors that another tool quantized are AQ_ERR_UNSUPPORTED: one config.json cannot say both. The source holds
 * `base`. */
AQ_MUST_CHECK aq_status aq_packed_open(const aq_packed_format *format, const aq_source *base, aq_dtype dtype,
                                       aq_source **out, aq_error *err);

/* The source that such a one is over, and the scheme of tensor `index` of it; NULL: it is not stored as codes. */
const aq_source *aq_packed_base(const aq_source *stored);
const aq_packed_scheme *aq_packed_scheme_of(const aq_source *stored, size_t index);

/* Has all tensors with codes be read as those that are not symmetric are when one is not, for formats that say it of
 * all at once: zero points of 0 are codes like others. */
void aq_packed_share_symmetry(aq_source *stored);

/* aq_export_layout.describe of such a source. */
aq_stored_tensor aq_packed_describe(const aq_source *stored, size_t index);

/* aq_export_layout.overhead of such a source, whose tensors stand in a file of safetensors. */
uint64_t aq_packed_overhead(const aq_source *stored);

#endif
