/* table_row.c - the checks that every row of a weight table goes through, and the error that says which row it was. */
#include "io/table/table_row.h"

#include <string.h>
#include <strings.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

static aq_status parse_name(const aq_table_cells *c, aq_table_row *row, aq_error *err) {
  AQ_FAIL_IF(c->name == NULL, AQ_ERR_FORMAT, "layer_name is null");
  AQ_FAIL_IF(!aq_utf8_ok(c->name), AQ_ERR_FORMAT, "layer_name is not UTF-8");
  row->name = aq_strdup(c->name);
  if (row->name == NULL) return aq_fail_memory(err, strlen(c->name));
  row->info.name = row->name;
  row->base_length = strlen(row->name);
  row->is_part = aq_part_name_parse(row->name, &row->base_length, &row->lo, &row->hi);
  return AQ_OK;
}

static aq_status parse_shape(const aq_table_cells *c, aq_table_row *row, aq_error *err) {
  aq_tensor_info *info = &row->info;
  AQ_FAIL_IF(c->rank < 0, AQ_ERR_FORMAT, "shape is null");
  AQ_FAIL_IF(c->rank > AQ_MAX_RANK, AQ_ERR_UNSUPPORTED, "has %d dimensions; at most %d are supported", (int)c->rank,
             AQ_MAX_RANK);
  info->rank = c->rank;
  for (int32_t k = 0; k < c->rank; k++) info->shape[k] = c->shape[k];
  char text[128];
  AQ_FAIL_IF(!aq_shape_count_ok(info->shape, info->rank, &info->num_params), AQ_ERR_FORMAT, "shape %s is not one",
             aq_shape_text(info->shape, info->rank, text, sizeof text));
  AQ_FAIL_IF(!c->has_num_params, AQ_ERR_FORMAT, "num_params is null");
  AQ_FAIL_IF(c->num_params < 0 || (uint64_t)c->num_params != info->num_params, AQ_ERR_FORMAT,
             "num_params is %lld, shape %s has %llu elements", (long long)c->num_params,
             aq_shape_text(info->shape, info->rank, text, sizeof text), (unsigned long long)info->num_params);
  if (!row->is_part) return AQ_OK;
  AQ_FAIL_IF(info->rank == 0 || info->shape[0] != row->hi - row->lo, AQ_ERR_FORMAT,
             "the name says %lld slices along axis 0, the shape is %s", (long long)(row->hi - row->lo),
             aq_shape_text(info->shape, info->rank, text, sizeof text));
  return AQ_OK;
}

static aq_status parse_types(int version, const aq_table_cells *c, aq_tensor_info *info, aq_error *err) {
  AQ_FAIL_IF(c->dtype == NULL, AQ_ERR_FORMAT, "dtype is null");
  info->dtype = aq_dtype_from_name(c->dtype);
  AQ_FAIL_IF(info->dtype == AQ_DTYPE_INVALID, AQ_ERR_UNSUPPORTED, "dtype '%.64s' is not supported", c->dtype);
  info->quant_axis = -1;
  info->alias_of = -1;
  if (version == 1) return AQ_OK;
  AQ_FAIL_IF(c->quant_type == NULL, AQ_ERR_FORMAT, "quant_type is null");
  AQ_FAIL_IF(!aq_quant_type_from_name(c->quant_type, &info->quant_type), AQ_ERR_UNSUPPORTED,
             "quant_type '%.64s' is not supported", c->quant_type);
  AQ_FAIL_IF(info->quant_type != AQ_KEPT && aq_dtype_is_opaque(info->dtype), AQ_ERR_FORMAT,
             "dtype '%.64s' cannot be that of quantized values", c->dtype);
  const int64_t axis = c->has_quant_axis ? c->quant_axis : -1;
  const int64_t size = c->has_group_size ? c->group_size : 0;
  AQ_FAIL_IF(axis < -1 || axis > 0, AQ_ERR_FORMAT, "quant_axis is %lld; it must be -1 or 0", (long long)axis);
  AQ_FAIL_IF(size < 0 || size > INT32_MAX, AQ_ERR_FORMAT, "group_size is %lld", (long long)size);
  if (info->quant_type == AQ_KEPT) return AQ_OK; /* both mean nothing there */
  AQ_FAIL_IF(size > 0 && axis != 0, AQ_ERR_FORMAT, "group_size is %lld, but quant_axis is -1", (long long)size);
  info->quant_axis = (int32_t)axis;
  info->group_size = (int32_t)size;
  return AQ_OK;
}

bool aq_table_data_bytes_ok(const aq_tensor_info *info, uint64_t *out) {
  return info->quant_type == AQ_KEPT ? aq_dtype_bytes_ok(info->num_params, info->dtype, out)
                                     : aq_packed_bytes_ok(info->num_params, info->quant_type, out);
}

static aq_status check_data(int version, const aq_table_cells *c, aq_table_row *row, aq_error *err) {
  aq_tensor_info *info = &row->info;
  const uint64_t size = c->data_size;
  uint64_t expected;
  AQ_FAIL_IF(size == AQ_CELL_NULL, AQ_ERR_FORMAT, "data is null");
  AQ_FAIL_IF(!aq_table_data_bytes_ok(info, &expected), AQ_ERR_FORMAT,
             "the shape has more elements than can be stored, or they do not fill whole bytes");
  /* FORMAT.md, tolerance: FP16 bits under the dtype of the original. */
  row->segment.f16_bits = info->quant_type == AQ_KEPT && version == 2 && info->dtype == AQ_F32 &&
                          strcasecmp(c->quant_type, "fp16") == 0 && size != expected && size == info->num_params * 2;
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

static aq_status check_scales(const aq_table_cells *c, aq_table_row *row, aq_error *err) {
  const struct {
    uint64_t size;
    const char *name;
  } blobs[] = {{c->scales_size, "scales"}, {c->zero_points_size, "zero_points"}};
  aq_tensor_info *info = &row->info;
  if (info->quant_type != AQ_KEPT)
    info->num_scales = aq_scale_count(info->shape, info->rank, info->num_params, info->quant_axis, info->group_size);
  row->segment.num_scales = info->num_scales;
  for (size_t k = 0; k < AQ_COUNT_OF(blobs); k++) {
    const uint64_t size = blobs[k].size;
    AQ_FAIL_IF(size == AQ_CELL_NULL, AQ_ERR_FORMAT, "%s is null", blobs[k].name);
    AQ_FAIL_IF(size % sizeof(float) != 0 || size / sizeof(float) != info->num_scales, AQ_ERR_CORRUPT,
               "%s has %llu bytes; %llu FP32 values are expected", blobs[k].name, (unsigned long long)size,
               (unsigned long long)info->num_scales);
  }
  return AQ_OK;
}

aq_status aq_table_row_check(int version, const aq_table_cells *cells, aq_table_row *row, aq_error *err) {
  row->next = row->last = SIZE_MAX;
  AQ_TRY(parse_name(cells, row, err));
  AQ_TRY(parse_shape(cells, row, err));
  AQ_TRY(parse_types(version, cells, &row->info, err));
  AQ_TRY(check_data(version, cells, row, err));
  return version == 2 ? check_scales(cells, row, err) : AQ_OK;
}

void aq_table_row_expect(int version, const aq_table_cells *cells, uint64_t *data, uint64_t *scales) {
  aq_tensor_info info = {.rank = cells->rank};
  *data = *scales = 0;
  if (cells->rank < 0 || cells->rank > AQ_MAX_RANK) return;
  for (int32_t k = 0; k < cells->rank; k++) info.shape[k] = cells->shape[k];
  if (!aq_shape_count_ok(info.shape, info.rank, &info.num_params)) return;
  if (parse_types(version, cells, &info, NULL) != AQ_OK || !aq_table_data_bytes_ok(&info, data)) return;
  if (info.quant_type == AQ_KEPT) return;
  const uint64_t count = aq_scale_count(info.shape, info.rank, info.num_params, info.quant_axis, info.group_size);
  if (!aq_mul_ok(count, sizeof(float), scales)) *scales = 0;
}

aq_status aq_table_row_place(aq_error *err, aq_status status, uint64_t row, const char *name) {
  if (err == NULL) return status;
  const aq_error where = *err;
  (void)aq_fail(err, status, "row %llu: %s", (unsigned long long)row, where.message);
  err->row_group = where.row_group;
  err->offset = where.offset;
  memcpy(err->hint, where.hint, sizeof err->hint);
  memcpy(err->file, where.file, sizeof err->file);
  return aq_error_in_tensor(err, status, name != NULL && aq_utf8_ok(name) ? name : NULL);
}

void aq_table_rows_reset(aq_table_rows *rows) {
  for (size_t i = 0; i < rows->count; i++) aq_free(rows->rows[i].name);
  aq_free(rows->rows);
  *rows = (aq_table_rows){NULL, 0};
}
