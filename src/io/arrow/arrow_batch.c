/* arrow_batch.c - making a record batch, and letting go of it.
 *
 * The C data interface lets a consumer move children out of a batch and release them later than the batch, on any
 * thread. So everything that a batch owns is in one block, and each of its arrays has a share in it: the last one
 * that is released frees it. */
#include "io/arrow/arrow_batch.h"

#include <string.h>

#include "core/buffer.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/table/table_row.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

typedef struct column_memory {
  aq_buffer offsets; /* int32, one more than rows */
  aq_buffer bytes;   /* or the integers, or the elements of the lists */
  const void *view;  /* instead of bytes */
} column_memory;

typedef struct batch {
  atomic_int shares;       /* arrays that are not released */
  const aq_source *source; /* a hold */
  column_memory memory[AQ_COLUMNS_V2];
  struct ArrowArray columns[AQ_COLUMNS_V2], elements;
  struct ArrowArray *column_pointers[AQ_COLUMNS_V2], *element_pointer;
  const void *buffers[AQ_COLUMNS_V2][3], *element_buffers[2], *own_buffers[1];
} batch;

static size_t column_count(int version) { return version == 2 ? AQ_COLUMNS_V2 : AQ_COLUMNS_V1; }

/* ---- releasing ---- */

static void free_batch(batch *b) {
  for (size_t i = 0; i < AQ_COLUMNS_V2; i++) {
    aq_buffer_reset(&b->memory[i].offsets);
    aq_buffer_reset(&b->memory[i].bytes);
  }
  aq_source_drop(b->source);
  aq_free(b);
}

static void release_array(struct ArrowArray *array) {
  batch *b = array->private_data;
  for (int64_t i = 0; i < array->n_children; i++) {
    struct ArrowArray *child = array->children[i];
    if (child->release != NULL) child->release(child); /* NULL: moved elsewhere */
  }
  array->release = NULL;
  if (atomic_fetch_sub(&b->shares, 1) == 1) free_batch(b);
}

/* ---- cells ---- */

static aq_status end_cell(column_memory *m, aq_error *err) {
  const int32_t end = (int32_t)m->bytes.size;
  return aq_buffer_append(&m->offsets, &end, sizeof end, err);
}

static aq_status add_text(column_memory *m, const char *text, aq_error *err) {
  AQ_TRY(aq_buffer_append(&m->bytes, text, strlen(text), err));
  return end_cell(m, err);
}

static aq_status add_int32(column_memory *m, int32_t value, aq_error *err) {
  return aq_buffer_append(&m->bytes, &value, sizeof value, err);
}

static aq_status add_shape(column_memory *m, const aq_tensor_info *t, const aq_arrow_row *row, aq_error *err) {
  for (int32_t i = 0; i < t->rank; i++) {
    const bool cut = i == 0 && row->part_lo >= 0;
    AQ_TRY(add_int32(m, (int32_t)(cut ? row->part_hi - row->part_lo : t->shape[i]), err));
  }
  const int32_t end = (int32_t)(m->bytes.size / sizeof(int32_t));
  return aq_buffer_append(&m->offsets, &end, sizeof end, err);
}

static aq_status add_name(column_memory *m, const aq_tensor_info *t, const aq_arrow_row *row, aq_error *err) {
  if (row->part_lo < 0) return add_text(m, t->name, err);
  char *name = aq_part_name_make(t->name, row->part_lo, row->part_hi);
  if (name == NULL) return aq_fail_memory(err, strlen(t->name));
  const aq_status status = add_text(m, name, err);
  aq_free(name);
  return status;
}

static aq_status read_blob(const aq_source *source, const aq_arrow_row *row, aq_piece piece, uint64_t offset,
                           size_t size, void *out, aq_error *err) {
  if (row->segment->f16_bits) { /* stored narrower than its dtype says: widened, as the format wants it */
    const uint64_t first = row->segment->first_param * sizeof(float);
    return aq_source_read_bytes(source, row->tensor, first + offset, size, out, err);
  }
  return source->ops->read(source, row->segment, piece, offset, size, out, err);
}

/* A piece of a row as the next cell of a column; the only one when `alone`. */
static aq_status add_blob(const aq_source *source, const aq_arrow_row *row, aq_piece piece, bool alone,
                          column_memory *m, aq_error *err) {
  const uint64_t offset = piece == AQ_PIECE_DATA ? row->data_offset : 0;
  const size_t size = (size_t)(piece == AQ_PIECE_DATA ? row->data_bytes : row->scale_bytes);
  if (size == 0) return end_cell(m, err);
  const void *view = NULL;
  if (alone && !row->segment->f16_bits) AQ_TRY(source->ops->view(source, row->segment, piece, &view, err));
  if (view != NULL) {
    const int32_t end = (int32_t)size;
    m->view = (const uint8_t *)view + offset;
    return aq_buffer_append(&m->offsets, &end, sizeof end, err);
  }
  AQ_TRY(aq_buffer_reserve(&m->bytes, size, err));
  AQ_TRY(read_blob(source, row, piece, offset, size, m->bytes.data + m->bytes.size, err));
  m->bytes.size += size;
  return end_cell(m, err);
}

static aq_status add_row(batch *b, int version, const aq_arrow_row *row, bool alone, aq_error *err) {
  const aq_tensor_info *t = &b->source->tensors[row->tensor];
  column_memory *m = b->memory;
  const int64_t params = (int64_t)row->num_params;
  AQ_TRY(add_name(&m[AQ_COLUMN_NAME], t, row, err));
  AQ_TRY(add_shape(&m[AQ_COLUMN_SHAPE], t, row, err));
  AQ_TRY(add_text(&m[AQ_COLUMN_DTYPE], aq_dtype_name(t->dtype), err));
  AQ_TRY(add_blob(b->source, row, AQ_PIECE_DATA, alone, &m[AQ_COLUMN_DATA], err));
  AQ_TRY(aq_buffer_append(&m[AQ_COLUMN_NUM_PARAMS].bytes, &params, sizeof params, err));
  if (version == 1) return AQ_OK;
  const bool kept = t->quant_type == AQ_KEPT;
  AQ_TRY(
      add_text(&m[AQ_COLUMN_QUANT_TYPE], kept ? aq_kept_type_name(t->dtype) : aq_quant_type_name(t->quant_type), err));
  AQ_TRY(add_blob(b->source, row, AQ_PIECE_SCALES, alone, &m[AQ_COLUMN_SCALES], err));
  AQ_TRY(add_blob(b->source, row, AQ_PIECE_ZERO_POINTS, alone, &m[AQ_COLUMN_ZERO_POINTS], err));
  AQ_TRY(add_int32(&m[AQ_COLUMN_QUANT_AXIS], t->quant_axis, err));
  return add_int32(&m[AQ_COLUMN_GROUP_SIZE], t->group_size, err);
}

/* ---- arrays ---- */

/* Importers of older Arrow versions want an address for an empty buffer too. */
static const void *address_of(const column_memory *m) {
  static const uint64_t nothing[1];
  if (m->view != NULL) return m->view;
  return m->bytes.data != NULL ? (const void *)m->bytes.data : nothing;
}

static void finish_array(batch *b, struct ArrowArray *array, int64_t length, const void **buffers, int64_t count) {
  *array = (struct ArrowArray){
      .length = length, .n_buffers = count, .buffers = buffers, .release = release_array, .private_data = b};
  (void)atomic_fetch_add(&b->shares, 1);
}

static void finish_column(batch *b, aq_column column, int64_t rows) {
  column_memory *m = &b->memory[column];
  const void **buffers = b->buffers[column];
  struct ArrowArray *array = &b->columns[column];
  switch (aq_column_type_of(column)) {
    case AQ_TYPE_STRING:
    case AQ_TYPE_BINARY:
      buffers[1] = m->offsets.data;
      buffers[2] = address_of(m);
      finish_array(b, array, rows, buffers, 3);
      break;
    case AQ_TYPE_INTEGER:
      buffers[1] = address_of(m);
      finish_array(b, array, rows, buffers, 2);
      break;
    case AQ_TYPE_LIST:
      buffers[1] = m->offsets.data;
      finish_array(b, array, rows, buffers, 2);
      b->element_buffers[1] = address_of(m);
      finish_array(b, &b->elements, (int64_t)(m->bytes.size / sizeof(int32_t)), b->element_buffers, 2);
      b->element_pointer = &b->elements;
      array->n_children = 1;
      array->children = &b->element_pointer;
      break;
  }
  b->column_pointers[column] = array;
}

static aq_status fill(batch *b, int version, const aq_arrow_row *rows, size_t count, aq_error *err) {
  const int32_t zero = 0;
  for (size_t i = 0; i < column_count(version); i++) {
    if (aq_column_type_of((aq_column)i) != AQ_TYPE_INTEGER)
      AQ_TRY(aq_buffer_append(&b->memory[i].offsets, &zero, sizeof zero, err));
  }
  for (size_t i = 0; i < count; i++) {
    const aq_status status = add_row(b, version, &rows[i], count == 1, err);
    if (status == AQ_OK) continue;
    (void)aq_error_in_tensor(err, status, b->source->names[rows[i].tensor]);
    return aq_error_in_file(err, status, b->source->path);
  }
  return AQ_OK;
}

aq_status aq_arrow_batch_make(const aq_source *source, int version, const aq_arrow_row *rows, size_t count,
                              struct ArrowArray *out, aq_error *err) {
  batch *b = aq_calloc(1, sizeof *b);
  if (b == NULL) return aq_fail_memory(err, sizeof *b);
  aq_source_hold(source);
  b->source = source;
  const aq_status status = fill(b, version, rows, count, err);
  if (status != AQ_OK) {
    free_batch(b);
    return status;
  }
  for (size_t i = 0; i < column_count(version); i++) finish_column(b, (aq_column)i, (int64_t)count);
  finish_array(b, out, (int64_t)count, b->own_buffers, 1);
  out->n_children = (int64_t)column_count(version);
  out->children = b->column_pointers;
  return AQ_OK;
}
