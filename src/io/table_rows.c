/* table_rows.c - the rows of a weight table, each checked by itself.
 *
 * Only the small columns are decoded; of the blobs the sizes alone are looked up, which page headers give. */
#include "io/table_rows.h"

#include <string.h>
#include <strings.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/utf8.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

/* A model has some tens of thousands of tensors. A few bytes of run lengths can claim rows without end. */
#define ROWS_MAX ((uint64_t)1 << 22)

/* The small columns of one row group. */
typedef struct group {
  aq_pq_reader *reader;
  const aq_table_columns *columns;
  size_t index;
  uint64_t row_count, first_row;
  char **names, **dtypes, **types;
  int64_t *num_params, *axes, *group_sizes;
  uint8_t *num_params_valid, *axes_valid, *group_sizes_valid;
  aq_pq_lists shapes;
  uint64_t shape_at; /* values of the lists that came before */
} group;

static void free_group(group *g) {
  aq_free(g->names);
  aq_free(g->dtypes);
  aq_free(g->types);
  aq_free(g->num_params);
  aq_free(g->axes);
  aq_free(g->group_sizes);
  aq_free(g->num_params_valid);
  aq_free(g->axes_valid);
  aq_free(g->group_sizes_valid);
  aq_pq_lists_reset(&g->shapes);
}

static aq_status read_group(group *g, aq_error *err) {
  aq_pq_reader *r = g->reader;
  const size_t *at = g->columns->at;
  AQ_TRY(aq_pq_read_strings(r, g->index, at[AQ_COLUMN_NAME], &g->names, err));
  AQ_TRY(aq_pq_read_strings(r, g->index, at[AQ_COLUMN_DTYPE], &g->dtypes, err));
  AQ_TRY(aq_pq_read_lists(r, g->index, at[AQ_COLUMN_SHAPE], &g->shapes, err));
  AQ_TRY(aq_pq_read_integers(r, g->index, at[AQ_COLUMN_NUM_PARAMS], &g->num_params, &g->num_params_valid, err));
  if (g->columns->version == 1) return AQ_OK;
  AQ_TRY(aq_pq_read_strings(r, g->index, at[AQ_COLUMN_QUANT_TYPE], &g->types, err));
  AQ_TRY(aq_pq_read_integers(r, g->index, at[AQ_COLUMN_QUANT_AXIS], &g->axes, &g->axes_valid, err));
  return aq_pq_read_integers(r, g->index, at[AQ_COLUMN_GROUP_SIZE], &g->group_sizes, &g->group_sizes_valid, err);
}

static aq_status parse_name(const group *g, size_t i, aq_table_row *row, aq_error *err) {
  AQ_FAIL_IF(g->names[i] == NULL, AQ_ERR_FORMAT, "layer_name is null");
  AQ_FAIL_IF(!aq_utf8_ok(g->names[i]), AQ_ERR_FORMAT, "layer_name is not UTF-8");
  row->name = aq_strdup(g->names[i]);
  if (row->name == NULL) return aq_fail_memory(err, strlen(g->names[i]));
  row->info.name = row->name;
  row->base_length = strlen(row->name);
  row->is_part = aq_part_name_parse(row->name, &row->base_length, &row->lo, &row->hi);
  return AQ_OK;
}

static aq_status parse_shape(group *g, size_t i, aq_table_row *row, aq_error *err) {
  aq_tensor_info *info = &row->info;
  const int32_t rank = g->shapes.lengths[i];
  const uint64_t at = g->shape_at;
  AQ_FAIL_IF(rank < 0, AQ_ERR_FORMAT, "shape is null");
  AQ_FAIL_IF(!aq_range_ok(at, (uint64_t)rank, g->shapes.value_count), AQ_ERR_CORRUPT, "the shape column is too short");
  g->shape_at += (uint64_t)rank;
  AQ_FAIL_IF(rank > AQ_MAX_RANK, AQ_ERR_UNSUPPORTED, "has %d dimensions; at most %d are supported", (int)rank,
             AQ_MAX_RANK);
  info->rank = rank;
  for (int32_t k = 0; k < rank; k++) info->shape[k] = g->shapes.values[at + (uint64_t)k];
  char text[128];
  AQ_FAIL_IF(!aq_shape_count_ok(info->shape, rank, &info->num_params), AQ_ERR_FORMAT, "shape %s is not one",
             aq_shape_text(info->shape, rank, text, sizeof text));
  AQ_FAIL_IF(g->num_params_valid[i] == 0, AQ_ERR_FORMAT, "num_params is null");
  AQ_FAIL_IF(g->num_params[i] < 0 || (uint64_t)g->num_params[i] != info->num_params, AQ_ERR_FORMAT,
             "num_params is %lld, shape %s has %llu elements", (long long)g->num_params[i],
             aq_shape_text(info->shape, rank, text, sizeof text), (unsigned long long)info->num_params);
  if (!row->is_part) return AQ_OK;
  AQ_FAIL_IF(rank == 0 || info->shape[0] != row->hi - row->lo, AQ_ERR_FORMAT,
             "the name says %lld slices along axis 0, the shape is %s", (long long)(row->hi - row->lo),
             aq_shape_text(info->shape, rank, text, sizeof text));
  return AQ_OK;
}

static aq_status parse_types(const group *g, size_t i, aq_tensor_info *info, aq_error *err) {
  AQ_FAIL_IF(g->dtypes[i] == NULL, AQ_ERR_FORMAT, "dtype is null");
  info->dtype = aq_dtype_from_name(g->dtypes[i]);
  AQ_FAIL_IF(info->dtype == AQ_DTYPE_INVALID, AQ_ERR_UNSUPPORTED, "dtype '%.64s' is not supported", g->dtypes[i]);
  info->quant_axis = -1;
  info->alias_of = -1;
  if (g->columns->version == 1) return AQ_OK;
  AQ_FAIL_IF(g->types[i] == NULL, AQ_ERR_FORMAT, "quant_type is null");
  AQ_FAIL_IF(!aq_quant_type_from_name(g->types[i], &info->quant_type), AQ_ERR_UNSUPPORTED,
             "quant_type '%.64s' is not supported", g->types[i]);
  const int64_t axis = g->axes_valid[i] != 0 ? g->axes[i] : -1;
  const int64_t size = g->group_sizes_valid[i] != 0 ? g->group_sizes[i] : 0;
  AQ_FAIL_IF(axis < -1 || axis > 0, AQ_ERR_FORMAT, "quant_axis is %lld; it must be -1 or 0", (long long)axis);
  AQ_FAIL_IF(size < 0 || size > INT32_MAX, AQ_ERR_FORMAT, "group_size is %lld", (long long)size);
  if (info->quant_type == AQ_KEPT) return AQ_OK; /* both mean nothing there */
  AQ_FAIL_IF(size > 0 && axis != 0, AQ_ERR_FORMAT, "group_size is %lld, but quant_axis is -1", (long long)size);
  info->quant_axis = (int32_t)axis;
  info->group_size = (int32_t)size;
  return AQ_OK;
}

/* Size of a blob; adds what it takes in the file to stored_bytes. */
static aq_status blob_size(const group *g, size_t i, aq_column column, const char *name, aq_tensor_info *info,
                           uint64_t *size, aq_error *err) {
  uint64_t stored = 0;
  AQ_TRY(aq_pq_value_size(g->reader, g->index, g->columns->at[column], i, size, &stored, err));
  AQ_FAIL_IF(*size == AQ_PQ_NULL_SIZE, AQ_ERR_FORMAT, "%s is null", name);
  info->stored_bytes += stored;
  return AQ_OK;
}

bool aq_table_data_bytes_ok(const aq_tensor_info *info, uint64_t *out) {
  return info->quant_type == AQ_KEPT ? aq_mul_ok(info->num_params, aq_dtype_size(info->dtype), out)
                                     : aq_packed_bytes_ok(info->num_params, info->quant_type, out);
}

static aq_status check_data(const group *g, size_t i, aq_table_row *row, aq_error *err) {
  aq_tensor_info *info = &row->info;
  uint64_t size, expected;
  AQ_TRY(blob_size(g, i, AQ_COLUMN_DATA, "data", info, &size, err));
  AQ_FAIL_IF(!aq_table_data_bytes_ok(info, &expected), AQ_ERR_FORMAT, "the shape has more elements than can be stored");
  /* FORMAT.md, tolerance: FP16 bits under the dtype of the original. */
  row->segment.f16_bits = info->quant_type == AQ_KEPT && g->columns->version == 2 && info->dtype == AQ_F32 &&
                          strcasecmp(g->types[i], "fp16") == 0 && size != expected && size == info->num_params * 2;
  if (!row->segment.f16_bits && size != expected) {
    return aq_fail(err, AQ_ERR_CORRUPT, "data has %llu bytes; %llu elements of %s take %llu", (unsigned long long)size,
                   (unsigned long long)info->num_params,
                   info->quant_type == AQ_KEPT ? aq_dtype_name(info->dtype) : aq_quant_type_name(info->quant_type),
                   (unsigned long long)expected);
  }
  info->data_bytes = expected;
  row->segment.data_bytes = size;
  row->segment.num_params = info->num_params;
  return AQ_OK;
}

static aq_status check_scales(const group *g, size_t i, aq_table_row *row, aq_error *err) {
  static const struct {
    aq_column column;
    const char *name;
  } blobs[] = {{AQ_COLUMN_SCALES, "scales"}, {AQ_COLUMN_ZERO_POINTS, "zero_points"}};
  aq_tensor_info *info = &row->info;
  if (info->quant_type != AQ_KEPT)
    info->num_scales = aq_scale_count(info->shape, info->rank, info->num_params, info->quant_axis, info->group_size);
  row->segment.num_scales = info->num_scales;
  for (size_t k = 0; k < AQ_COUNT_OF(blobs); k++) {
    uint64_t size;
    AQ_TRY(blob_size(g, i, blobs[k].column, blobs[k].name, info, &size, err));
    AQ_FAIL_IF(size % sizeof(float) != 0 || size / sizeof(float) != info->num_scales, AQ_ERR_CORRUPT,
               "%s has %llu bytes; %llu FP32 values are expected", blobs[k].name, (unsigned long long)size,
               (unsigned long long)info->num_scales);
  }
  return AQ_OK;
}

static aq_status read_row(group *g, size_t i, aq_table_row *row, aq_error *err) {
  row->next = row->last = SIZE_MAX;
  row->segment.where[0] = g->index;
  row->segment.where[1] = i;
  AQ_TRY(parse_name(g, i, row, err));
  AQ_TRY(parse_shape(g, i, row, err));
  AQ_TRY(parse_types(g, i, &row->info, err));
  AQ_TRY(check_data(g, i, row, err));
  return g->columns->version == 2 ? check_scales(g, i, row, err) : AQ_OK;
}

/* Says in which row it happened. */
static aq_status place(const group *g, size_t i, const aq_table_row *row, aq_status status, aq_error *err) {
  if (status == AQ_OK || err == NULL) return status;
  err->row_group = (int32_t)AQ_MIN(g->index, (size_t)INT32_MAX);
  char text[sizeof err->message];
  memcpy(text, err->message, sizeof text);
  const aq_error where = *err;
  (void)aq_fail(err, status, "row %llu: %s", (unsigned long long)(g->first_row + i), text);
  err->row_group = where.row_group;
  err->offset = where.offset;
  memcpy(err->hint, where.hint, sizeof err->hint);
  memcpy(err->file, where.file, sizeof err->file);
  return aq_error_in_tensor(err, status, row->name);
}

static aq_status read_rows_of(group *g, aq_table_rows *out, aq_error *err) {
  AQ_TRY(read_group(g, err));
  for (size_t i = 0; i < g->row_count; i++) {
    aq_table_row *row = &out->rows[out->count++];
    const aq_status status = read_row(g, i, row, err);
    if (status != AQ_OK) return place(g, i, row, status, err);
  }
  return AQ_OK;
}

aq_status aq_table_rows_read(aq_pq_reader *reader, const aq_table_columns *columns, aq_table_rows *out, aq_error *err) {
  *out = (aq_table_rows){NULL, 0};
  const uint64_t count = aq_pq_row_count(reader);
  AQ_FAIL_IF(count > ROWS_MAX, AQ_ERR_UNSUPPORTED, "has %llu rows; at most %llu are supported",
             (unsigned long long)count, (unsigned long long)ROWS_MAX);
  out->rows = aq_calloc((size_t)count, sizeof *out->rows);
  if (out->rows == NULL) return aq_fail_memory(err, (size_t)count * sizeof *out->rows);
  aq_status status = AQ_OK;
  for (size_t i = 0; status == AQ_OK && i < aq_pq_row_group_count(reader); i++) {
    group g = {.reader = reader, .columns = columns, .index = i, .first_row = out->count};
    g.row_count = aq_pq_row_group_rows(reader, i);
    status = g.row_count <= count - out->count
                 ? read_rows_of(&g, out, err)
                 : aq_fail(err, AQ_ERR_FORMAT, "the row groups have more rows than the file says");
    free_group(&g);
  }
  if (status != AQ_OK) aq_table_rows_reset(out);
  return status;
}

void aq_table_rows_reset(aq_table_rows *rows) {
  for (size_t i = 0; i < rows->count; i++) aq_free(rows->rows[i].name);
  aq_free(rows->rows);
  *rows = (aq_table_rows){NULL, 0};
}
