/* table_sink.c - rows of weights into Parquet tables V1 and V2, checked against docs/FORMAT.md on the way: what this
 * file lets through, every reader of the format must be able to decode. */
#include "io/table/table_sink.h"

#include <assert.h>
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "parquet/parquet.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

static const aq_pq_column_def table_columns[] = {
    {"layer_name", AQ_PQ_STRING, false}, {"shape", AQ_PQ_LIST_INT32, false},  {"dtype", AQ_PQ_STRING, false},
    {"data", AQ_PQ_BINARY, true},        {"num_params", AQ_PQ_INT64, false},  {"quant_type", AQ_PQ_STRING, false},
    {"scales", AQ_PQ_BINARY, true},      {"zero_points", AQ_PQ_BINARY, true}, {"quant_axis", AQ_PQ_INT32, false},
    {"group_size", AQ_PQ_INT32, false},
};
enum { V1_COLUMNS = 5, V2_COLUMNS = AQ_COUNT_OF(table_columns) };
static_assert(AQ_PQ_BLOCK % AQ_FILL_BLOCK == 0, "rows are filled by blocks of theirs");

typedef struct table_sink {
  aq_sink base;
  aq_pq_writer *file;
  int schema_version;
} table_sink;

static table_sink *as_table(aq_sink *sink) { return (table_sink *)(void *)sink; }

/* ---- beginning and end ---- */

static aq_status add_own_metadata(table_sink *table, aq_error *err) {
  AQ_TRY(aq_pq_writer_metadata(table->file, "arrowquant.format_version", "1", err));
  return aq_pq_writer_metadata(table->file, "arrowquant.version", AQ_VERSION_STRING, err);
}

static void abort_table(aq_sink *sink) {
  aq_pq_writer_abort(as_table(sink)->file);
  aq_free(sink);
}

static aq_status create_table(const char *path, const aq_sink_options *options, aq_sink **out, aq_error *err) {
  const int version = options->schema_version;
  AQ_FAIL_IF(version != 1 && version != 2, AQ_ERR_ARGUMENT, "schema version %d is neither 1 nor 2", version);
  const aq_table_options *o = options->table;
  aq_pq_writer_options file_options = {.row_group_bytes = o->row_group_bytes,
                                       .force = o->force,
                                       .created_by = "arrowquant version " AQ_VERSION_STRING,
                                       .pool = options->pool};
  AQ_TRY(aq_pq_codec_parse(o->codec != NULL ? o->codec : "auto", &file_options.codec, &file_options.codec_level, err));
  table_sink *table = aq_calloc(1, sizeof *table);
  if (table == NULL) return aq_fail_memory(err, sizeof *table);
  table->base.type = &aq_table_sink;
  table->schema_version = version;
  aq_status status = aq_pq_writer_create(path, table_columns, version == 1 ? V1_COLUMNS : V2_COLUMNS, &file_options,
                                         &table->file, err);
  if (status == AQ_OK) status = add_own_metadata(table, err);
  if (status != AQ_OK) {
    abort_table(&table->base);
    return status;
  }
  *out = &table->base;
  return AQ_OK;
}

static aq_status put_metadata(aq_sink *sink, const char *key, const char *value, aq_error *err) {
  return aq_pq_writer_metadata(as_table(sink)->file, key, value, err);
}

static aq_status commit_table(aq_sink *sink, uint64_t *file_bytes, aq_error *err) {
  const aq_status status = aq_pq_writer_commit(as_table(sink)->file, file_bytes, err);
  aq_free(sink);
  return status;
}

/* ---- checking a row ---- */

static aq_status check_name(const char *name, aq_error *err) {
  AQ_FAIL_IF(name == NULL || name[0] == '\0', AQ_ERR_FORMAT, "a tensor without a name cannot be stored");
  AQ_FAIL_IF(!aq_utf8_ok(name), AQ_ERR_FORMAT, "the name is not UTF-8");
  return AQ_OK;
}

static aq_status check_shape(const aq_row *row, aq_error *err) {
  AQ_FAIL_IF(row->rank < 0 || row->rank > AQ_MAX_RANK, AQ_ERR_FORMAT, "%d dimensions; 0 to %d can be stored", row->rank,
             AQ_MAX_RANK);
  char text[128];
  for (int32_t i = 0; i < row->rank; i++) {
    AQ_FAIL_IF(row->shape[i] < 0 || row->shape[i] > INT32_MAX, AQ_ERR_FORMAT,
               "shape %s: a dimension must be 0 to 2147483647",
               aq_shape_text(row->shape, row->rank, text, sizeof text));
  }
  uint64_t count;
  AQ_FAIL_IF(!aq_shape_count_ok(row->shape, row->rank, &count) || count != row->num_params, AQ_ERR_FORMAT,
             "shape %s does not hold %llu values", aq_shape_text(row->shape, row->rank, text, sizeof text),
             (unsigned long long)row->num_params);
  return AQ_OK;
}

static aq_status check_length(const char *column, uint64_t is, uint64_t must_be, aq_error *err) {
  AQ_FAIL_IF(is != must_be, AQ_ERR_FORMAT, "%s has %llu bytes, must have %llu", column, (unsigned long long)is,
             (unsigned long long)must_be);
  return AQ_OK;
}

static aq_status check_granularity(const aq_row *row, bool quantized, aq_error *err) {
  const bool valid =
      quantized ? (row->quant_axis == -1 && row->group_size == 0) || (row->quant_axis == 0 && row->group_size >= 0)
                : row->quant_axis == -1 && row->group_size == 0;
  AQ_FAIL_IF(!valid, AQ_ERR_FORMAT, "quant_axis %d with group_size %d has no meaning for %s row", row->quant_axis,
             row->group_size, quantized ? "a quantized" : "a kept");
  return AQ_OK;
}

/* Bytes that data must have, which follow from the other columns. */
static aq_status check_size(const aq_row *row, bool quantized, uint64_t *data_bytes, aq_error *err) {
  const bool fits = quantized ? aq_packed_bytes_ok(row->num_params, row->quant_type, data_bytes)
                              : aq_dtype_bytes_ok(row->num_params, row->dtype, data_bytes);
  AQ_FAIL_IF(!fits, AQ_ERR_FORMAT, "%llu values are too many", (unsigned long long)row->num_params);
  if (*data_bytes > AQ_PQ_MAX_VALUE) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "data of %llu bytes does not fit one row; at most %llu",
                  (unsigned long long)*data_bytes, (unsigned long long)AQ_PQ_MAX_VALUE);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Set a smaller part size, so that the tensor becomes several rows");
  }
  return AQ_OK;
}

/* What can be said of a row without its bytes. */
static aq_status check_row(const aq_row *row, uint64_t *data_bytes, aq_error *err) {
  AQ_TRY(check_name(row->name, err));
  AQ_FAIL_IF(aq_dtype_bits(row->dtype) == 0, AQ_ERR_FORMAT, "dtype %d is not known", (int)row->dtype);
  AQ_TRY(check_shape(row, err));
  const bool quantized = row->quant_type != AQ_KEPT;
  AQ_FAIL_IF(quantized && aq_quant_type_bits(row->quant_type) == 0, AQ_ERR_FORMAT, "quantization type %d is not known",
             (int)row->quant_type);
  AQ_TRY(check_granularity(row, quantized, err));
  return check_size(row, quantized, data_bytes, err);
}

/* Lengths of data, scales and zero points. */
static aq_status check_lengths(const aq_row *row, uint64_t data_bytes, aq_error *err) {
  uint64_t scale_bytes = 0;
  if (row->quant_type != AQ_KEPT) {
    scale_bytes = aq_scale_count(row->shape, row->rank, row->num_params, row->quant_axis, row->group_size);
    AQ_FAIL_IF(!aq_mul_ok(scale_bytes, sizeof(float), &scale_bytes), AQ_ERR_FORMAT, "too many scales");
  }
  AQ_TRY(check_length("data", row->fill != NULL ? row->data_bytes : row->data.size, data_bytes, err));
  AQ_TRY(check_length("scales", row->scales.size, scale_bytes, err));
  return check_length("zero_points", row->zero_points.size, scale_bytes, err);
}

/* ---- adding a row ---- */

static aq_pq_cell text_cell(const char *text) { return (aq_pq_cell){.bytes = text, .size = strlen(text)}; }

static void fill_cells(aq_row *row, const int32_t *shape, aq_pq_cell *cells) {
  cells[0] = text_cell(row->name);
  cells[1] = (aq_pq_cell){.list = shape, .list_length = (size_t)row->rank};
  cells[2] = text_cell(aq_dtype_name(row->dtype));
  cells[3] = row->fill != NULL ? (aq_pq_cell){.fill = row->fill, .fill_ctx = row->fill_ctx, .size = row->data_bytes}
                               : (aq_pq_cell){.take = &row->data};
  cells[4] = (aq_pq_cell){.integer = (int64_t)row->num_params};
  const bool kept = row->quant_type == AQ_KEPT;
  cells[5] = text_cell(kept ? aq_kept_type_name(row->dtype) : aq_quant_type_name(row->quant_type));
  cells[6] = (aq_pq_cell){.take = &row->scales};
  cells[7] = (aq_pq_cell){.take = &row->zero_points};
  cells[3].budgeted = cells[6].budgeted = cells[7].budgeted = row->budgeted;
  cells[8] = (aq_pq_cell){.integer = row->quant_axis};
  cells[9] = (aq_pq_cell){.integer = row->group_size};
}

/* A V1 row is a kept row, whatever its fields for V2 say. */
static void drop_v2_fields(aq_row *row) {
  row->quant_type = AQ_KEPT;
  row->quant_axis = -1;
  row->group_size = 0;
  row->scales.size = row->zero_points.size = 0;
}

static aq_status declare_row(aq_sink *sink, const aq_row *row, aq_error *err) {
  uint64_t data_bytes;
  aq_row as_stored = *row;
  if (as_table(sink)->schema_version == 1) drop_v2_fields(&as_stored);
  return check_row(&as_stored, &data_bytes, err);
}

static aq_status add_row(aq_sink *sink, aq_row *row, aq_error *err) {
  uint64_t data_bytes;
  int32_t shape[AQ_MAX_RANK] = {0};
  aq_pq_cell cells[V2_COLUMNS];
  if (as_table(sink)->schema_version == 1) drop_v2_fields(row);
  AQ_TRY(check_row(row, &data_bytes, err));
  AQ_TRY(check_lengths(row, data_bytes, err));
  for (int32_t i = 0; i < row->rank; i++) shape[i] = (int32_t)row->shape[i];
  fill_cells(row, shape, cells);
  return aq_pq_writer_add(as_table(sink)->file, cells, err);
}

const aq_sink_type aq_table_sink = {.has_parts = true,
                                    .create = create_table,
                                    .declare = declare_row,
                                    .add = add_row,
                                    .metadata = put_metadata,
                                    .commit = commit_table,
                                    .abort = abort_table};
