/* table_rows.c - the rows of a weight table in Parquet.
 *
 * Only the small columns are decoded; of the blobs the sizes alone are looked up, which page headers give. */
#include "io/table/table_rows.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"

/* More rows than this need a byte of the file each. */
#define ROWS_WITHOUT_BYTES ((uint64_t)1 << 16)

/* The small columns of one row group. */
typedef struct group {
  aq_pq_reader *reader;
  const aq_table_columns *columns;
  size_t index, part;
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

/* The small cells of row i. Takes the values of its shape. */
static aq_status take_cells(group *g, size_t i, aq_table_cells *c, aq_error *err) {
  const int32_t rank = g->shapes.lengths[i];
  *c = (aq_table_cells){.name = g->names[i], .dtype = g->dtypes[i], .rank = rank};
  const uint64_t taken = rank > 0 ? (uint64_t)rank : 0;
  AQ_FAIL_IF(!aq_range_ok(g->shape_at, taken, g->shapes.value_count), AQ_ERR_CORRUPT, "the shape column is too short");
  c->shape = g->shapes.values + g->shape_at;
  g->shape_at += taken;
  c->has_num_params = g->num_params_valid[i] != 0;
  c->num_params = g->num_params[i];
  if (g->columns->version == 1) return AQ_OK;
  c->quant_type = g->types[i];
  c->has_quant_axis = g->axes_valid[i] != 0;
  c->quant_axis = g->axes[i];
  c->has_group_size = g->group_sizes_valid[i] != 0;
  c->group_size = g->group_sizes[i];
  return AQ_OK;
}

/* Sizes of the blobs, and in *stored what they take in the file. */
static aq_status take_sizes(const group *g, size_t i, aq_table_cells *c, uint64_t *stored, aq_error *err) {
  const struct {
    aq_column column;
    uint64_t *size;
  } blobs[] = {{AQ_COLUMN_DATA, &c->data_size},
               {AQ_COLUMN_SCALES, &c->scales_size},
               {AQ_COLUMN_ZERO_POINTS, &c->zero_points_size}};
  for (size_t k = 0; k < (g->columns->version == 1 ? 1 : AQ_COUNT_OF(blobs)); k++) {
    uint64_t size = 0, in_file = 0;
    AQ_TRY(aq_pq_value_size(g->reader, g->index, g->columns->at[blobs[k].column], i, &size, &in_file, err));
    *blobs[k].size = size == AQ_PQ_NULL_SIZE ? AQ_CELL_NULL : size;
    *stored += in_file;
  }
  return AQ_OK;
}

static aq_status read_row(group *g, size_t i, aq_table_row *row, aq_error *err) {
  aq_table_cells cells;
  row->segment.where[0] = g->index;
  row->segment.where[1] = i;
  row->segment.where[2] = g->part;
  AQ_TRY(take_cells(g, i, &cells, err));
  AQ_TRY(take_sizes(g, i, &cells, &row->info.stored_bytes, err));
  return aq_table_row_check(g->columns->version, &cells, row, err);
}

/* The pages of the blobs, compared with the small columns: before one is unpacked, and be it only to
 * find where its values are. */
static aq_status check_blobs(group *g, uint64_t *data, uint64_t *scales, aq_error *err) {
  for (size_t i = 0; i < g->row_count; i++) {
    aq_table_cells cells;
    AQ_TRY(take_cells(g, i, &cells, err));
    aq_table_row_expect(g->columns->version, &cells, &data[i], &scales[i]);
  }
  g->shape_at = 0;
  AQ_TRY(aq_pq_check_sizes(g->reader, g->index, g->columns->at[AQ_COLUMN_DATA], data, err));
  if (g->columns->version == 1) return AQ_OK;
  AQ_TRY(aq_pq_check_sizes(g->reader, g->index, g->columns->at[AQ_COLUMN_SCALES], scales, err));
  return aq_pq_check_sizes(g->reader, g->index, g->columns->at[AQ_COLUMN_ZERO_POINTS], scales, err);
}

static aq_status check_group(group *g, aq_error *err) {
  uint64_t *sizes = aq_realloc_array(NULL, 2 * (size_t)g->row_count, sizeof *sizes);
  if (sizes == NULL) return aq_fail_memory(err, 2 * (size_t)g->row_count * sizeof *sizes);
  const aq_status status = check_blobs(g, sizes, sizes + g->row_count, err);
  aq_free(sizes);
  return status;
}

static aq_status read_rows_of(group *g, aq_table_rows *out, aq_error *err) {
  AQ_TRY(read_group(g, err));
  AQ_TRY(check_group(g, err));
  for (size_t i = 0; i < g->row_count; i++) {
    aq_table_row *row = &out->rows[out->count++];
    const aq_status status = read_row(g, i, row, err);
    if (status == AQ_OK) continue;
    if (err != NULL) err->row_group = (int32_t)AQ_MIN(g->index, (size_t)INT32_MAX);
    return aq_table_row_place(err, status, g->first_row + i, g->names[i]);
  }
  return AQ_OK;
}

static aq_status add_rows(aq_pq_reader *reader, const aq_table_columns *columns, size_t part, aq_table_rows *out,
                          uint64_t first, uint64_t end, aq_error *err) {
  aq_status status = AQ_OK;
  for (size_t i = 0; status == AQ_OK && i < aq_pq_row_group_count(reader); i++) {
    group g = {.reader = reader, .columns = columns, .index = i, .part = part, .first_row = out->count - first};
    g.row_count = aq_pq_row_group_rows(reader, i);
    status = g.row_count <= end - out->count
                 ? read_rows_of(&g, out, err)
                 : aq_fail(err, AQ_ERR_FORMAT, "the row groups have more rows than the file says");
    free_group(&g);
  }
  return status;
}

aq_status aq_table_rows_read(aq_pq_reader *reader, const aq_table_columns *columns, size_t part, aq_table_rows *out,
                             aq_error *err) {
  const uint64_t first = out->count, count = aq_pq_row_count(reader);
  AQ_FAIL_IF(count > AQ_TABLE_ROWS_MAX - first, AQ_ERR_UNSUPPORTED, "has %llu rows; at most %llu are supported",
             (unsigned long long)(first + count), (unsigned long long)AQ_TABLE_ROWS_MAX);
  /* Every row has a name of its own, which takes some bytes. */
  AQ_FAIL_IF(count > ROWS_WITHOUT_BYTES && count > aq_pq_file_bytes(reader), AQ_ERR_CORRUPT,
             "says that it has %llu rows, but has %llu bytes only", (unsigned long long)count,
             (unsigned long long)aq_pq_file_bytes(reader));
  aq_table_row *rows = aq_realloc_array(out->rows, (size_t)(first + count), sizeof *rows);
  if (rows == NULL) return aq_fail_memory(err, (size_t)(first + count) * sizeof *rows);
  memset(rows + first, 0, (size_t)count * sizeof *rows);
  out->rows = rows;
  return add_rows(reader, columns, part, out, first, first + count, err);
}
