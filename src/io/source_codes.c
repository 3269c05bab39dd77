/* source_codes.c - a source over one that decodes: codes are packed as they are asked for, some ten thousand at a time,
 * and nothing else is held.
 *
 * A tensor is first added as codes, then its values are read by the reader of tables and compared with those of the
 * format, bit for bit. Where one differs, the tensor becomes one of values again. */
#include "io/source_codes.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/code_check.h"
#include "io/source_over.h"
#include "quant/scheme.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

/* Codes that are packed at a time. */
#define CHUNK ((uint64_t)1 << 17)

typedef struct coded_source {
  aq_source *inner; /* owned */
} coded_source;

/* The mark of a segment: passed on, or codes of the inner source, whose type is in where[TYPE]. */
enum { INNER, CODES };
enum { TYPE = 3 };

static void close_coded(aq_source *source) {
  coded_source *c = source->impl;
  aq_source_close(c->inner);
  aq_free(c);
}

/* ---- reading ---- */

/* Bytes of packed codes. Eight codes take as many bytes as one has bits. */
static aq_status read_packed(const aq_source *inner, const aq_segment *own, aq_quant_type type, uint64_t offset,
                             size_t size, uint8_t *out, aq_error *err) {
  if (size == 0) return AQ_OK;
  const uint64_t bits = aq_quant_type_bits(type);
  const uint64_t room = AQ_MIN(CHUNK, (offset % bits + size + bits - 1) / bits * 8);
  int8_t *codes = aq_malloc(2 * (size_t)room);
  if (codes == NULL) return aq_fail_memory(err, 2 * (size_t)room);
  uint8_t *packed = (uint8_t *)codes + room;
  aq_status status = AQ_OK;
  while (size > 0 && status == AQ_OK) {
    const uint64_t first = offset / bits * 8;
    const size_t skip = (size_t)(offset % bits), n = (size_t)AQ_MIN(room, own->num_params - first);
    const size_t take = AQ_MIN(size, (size_t)aq_div_up(n * bits, 8) - skip);
    status = inner->ops->read_codes(inner, own, first, n, codes, err);
    if (status != AQ_OK) break;
    aq_pack_codes(type, codes, n, packed);
    memcpy(out, packed + skip, take);
    out += take;
    offset += take;
    size -= take;
  }
  aq_free(codes);
  return status;
}

/* Bytes of scales or zero points, which may begin and end anywhere in one. */
static aq_status read_numbers(const aq_source *inner, const aq_segment *own, aq_piece piece, uint64_t offset,
                              size_t size, uint8_t *out, aq_error *err) {
  float numbers[1024];
  while (size > 0) {
    const size_t skip = (size_t)(offset % sizeof *numbers), take = AQ_MIN(size, sizeof numbers - skip);
    const size_t n = (size_t)aq_div_up(skip + take, sizeof *numbers);
    const bool scales = piece == AQ_PIECE_SCALES;
    AQ_TRY(inner->ops->read_code_scales(inner, own, offset / sizeof *numbers, n, scales ? numbers : NULL,
                                        scales ? NULL : numbers, err));
    memcpy(out, (const uint8_t *)numbers + skip, take);
    out += take;
    offset += take;
    size -= take;
  }
  return AQ_OK;
}

static aq_status read_coded(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  const aq_source *inner = ((const coded_source *)source->impl)->inner;
  if (segment->where[AQ_OVER_MARK] == INNER) return aq_source_over_read(inner, segment, piece, offset, size, out, err);
  const aq_segment *own = &inner->segments[segment->where[AQ_OVER_SEGMENT]];
  if (piece != AQ_PIECE_DATA) return read_numbers(inner, own, piece, offset, size, out, err);
  return read_packed(inner, own, (aq_quant_type)segment->where[TYPE], offset, size, out, err);
}

static aq_status view_coded(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  *view = NULL;
  if (segment->where[AQ_OVER_MARK] != INNER) return AQ_OK;
  return aq_source_over_view(((const coded_source *)source->impl)->inner, segment, piece, view, err);
}

static bool is_decoded(const aq_source *source, size_t index) {
  const coded_source *c = source->impl;
  return source->segments[source->segment_first[index]].where[AQ_OVER_MARK] == INNER &&
         c->inner->ops->is_decoded(c->inner, index);
}

static const aq_source_ops coded_ops = {
    .close = close_coded, .read = read_coded, .view = view_coded, .is_decoded = is_decoded};

bool aq_source_is_decoded(const aq_source *source, size_t index) {
  const bool has_one = source->segment_first[index + 1] - source->segment_first[index] == 1;
  return has_one && source->ops->is_decoded != NULL && source->ops->is_decoded(source, index);
}

/* ---- a tensor as codes ---- */

/* Has a tensor that is one of values say that it is one of codes. False: its row cannot say how they share scales. */
static bool describe_codes(aq_tensor_info *t, aq_segment *segment, const aq_code_layout *layout) {
  const uint64_t slice = t->rank > 0 && t->shape[0] > 0 ? t->num_params / (uint64_t)t->shape[0] : 0;
  uint64_t bytes;
  if (layout->type == AQ_KEPT || !aq_packed_bytes_ok(t->num_params, layout->type, &bytes)) return false;
  t->quant_axis = 0;
  t->group_size = 0;
  if (layout->span == t->num_params && slice != t->num_params) {
    t->quant_axis = -1;
  } else if (layout->span != slice) {
    if (layout->span > INT32_MAX) return false;
    t->group_size = (int32_t)layout->span;
  }
  t->quant_type = layout->type;
  t->num_scales = aq_scale_count(t->shape, t->rank, t->num_params, t->quant_axis, t->group_size);
  t->data_bytes = segment->data_bytes = bytes;
  segment->num_scales = t->num_scales;
  segment->where[AQ_OVER_MARK] = CODES;
  segment->where[TYPE] = (uint64_t)layout->type;
  return true;
}

typedef struct code_count {
  size_t kept, decoded;
  const char *first_decoded;
} code_count;

/* Tensor number `index` of both sources, of one segment. */
static aq_status try_codes(aq_source *source, size_t index, aq_code_check *check, code_count *count, aq_error *err) {
  const aq_source *inner = ((const coded_source *)source->impl)->inner;
  aq_tensor_info *t = &source->tensors[index];
  aq_segment *segment = &source->segments[source->segment_first[index]];
  const aq_tensor_info values = *t;
  const aq_segment value_segment = *segment;
  aq_code_layout layout = {AQ_KEPT, 0};
  bool same = false;
  AQ_TRY(inner->ops->find_codes(inner, index, &layout, err));
  if (t->num_params > 0 && describe_codes(t, segment, &layout)) {
    AQ_TRY(aq_code_check_run(check, inner, source, index, &same, err));
  }
  if (same) {
    count->kept += t->alias_of < 0;
    return AQ_OK;
  }
  *t = values;
  *segment = value_segment;
  if (t->alias_of < 0 && count->decoded++ == 0) count->first_decoded = t->name;
  return AQ_OK;
}

/* ---- the whole ---- */

static aq_status add_tensors(aq_source *source, const aq_source *inner, aq_error *err) {
  for (size_t i = 0; i < inner->tensor_count; i++) {
    AQ_TRY(aq_source_over_add(source, inner, i, NULL, INNER, err));
  }
  for (size_t i = 0; i < inner->tensor_count; i++) source->tensors[i].alias_of = inner->tensors[i].alias_of;
  return AQ_OK;
}

static aq_status add_notes(aq_source *source, const code_count *count, aq_error *err) {
  if (count->kept > 0) {
    AQ_TRY(aq_source_add_note(source, err, "the codes of %zu tensor%s are taken over as they are stored, without loss",
                              count->kept, count->kept == 1 ? "" : "s"));
  }
  if (count->decoded == 0) return AQ_OK;
  return aq_source_add_note(source, err,
                            "%zu tensor%s ('%.150s'%s) that %s codes in the source %s values: codes of a table would "
                            "not have exactly these values",
                            count->decoded, count->decoded == 1 ? "" : "s", count->first_decoded,
                            count->decoded == 1 ? "" : ", ...", count->decoded == 1 ? "is" : "are",
                            count->decoded == 1 ? "becomes" : "become");
}

static aq_status try_tensors(aq_source *source, const aq_source *inner, uint32_t threads, code_count *count,
                             aq_error *err) {
  aq_code_check *check;
  AQ_TRY(aq_code_check_create(threads, &check, err));
  aq_status status = AQ_OK;
  for (size_t i = 0; i < inner->tensor_count && status == AQ_OK; i++) {
    const size_t segments = inner->segment_first[i + 1] - inner->segment_first[i];
    if (segments == 1 && inner->ops->is_decoded(inner, i)) status = try_codes(source, i, check, count, err);
  }
  aq_code_check_free(check);
  return status;
}

aq_status aq_source_keep_codes(aq_source **source, uint32_t threads, aq_error *err) {
  aq_source *inner = *source;
  code_count count = {0, 0, NULL};
  if (inner->ops->find_codes == NULL) return AQ_OK;
  coded_source *c = aq_calloc(1, sizeof *c);
  if (c == NULL) return aq_fail_memory(err, sizeof *c);
  c->inner = inner;
  const aq_status status = aq_source_over_put(source, &coded_ops, c, err);
  if (status != AQ_OK) {
    aq_free(c);
    return status;
  }
  AQ_TRY(add_tensors(*source, inner, err));
  AQ_TRY(try_tensors(*source, inner, threads, &count, err));
  return add_notes(*source, &count, err);
}
