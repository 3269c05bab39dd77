/* coded_layer.c - values of a quantized layer, made tile by tile as they are asked for. Nothing is decoded ahead. */
#include "io/prequantized/coded_layer.h"

#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

enum {
  TILE = 16384,     /* values that are decoded at once */
  TILE_ROWS = 256,  /* of a layer that is stored by columns: so many are read of each */
  TILE_COLUMNS = 32 /* at least, of such a layer: words hold codes of as many columns */
};

typedef struct workspace {
  const aq_source *source;
  const aq_coded_layer *layer;
  bool wants_codes; /* as numbers, instead of values */
  aq_coded_room bytes, values, scales, zero_points, biases, groups;
} workspace;

typedef struct tile {
  uint64_t matrix;
  aq_coded_part part;
  aq_coded_part blocks; /* of the scales */
} tile;

aq_coded_layer aq_coded_layer_of(uint64_t rows, uint64_t columns) {
  const aq_coded_matrix none = {.tensor = AQ_NO_TENSOR};
  return (aq_coded_layer){.matrices = 1,
                          .rows = rows,
                          .columns = columns,
                          .codes = none,
                          .scales = none,
                          .zero_points = none,
                          .biases = none,
                          .row_block = 1,
                          .column_block = columns,
                          .groups = AQ_NO_TENSOR,
                          .factor = 1.0F,
                          .scale_factors = AQ_NO_TENSOR};
}

void aq_coded_layer_reset(aq_coded_layer *layer) {
  aq_free(layer->tables);
  layer->tables = NULL;
}

/* ---- groups of columns ---- */

static aq_status read_group_list(workspace *w, const tile *t, uint32_t *groups, aq_error *err) {
  const size_t n = t->part.columns;
  const uint64_t count = t->blocks.columns;
  AQ_TRY(aq_source_read_bytes(w->source, w->layer->groups, t->part.column * sizeof *groups, n * sizeof *groups, groups,
                              err));
  for (size_t i = 0; i < n; i++) {
    AQ_FAIL_IF(groups[i] >= count, AQ_ERR_FORMAT, "'%.200s' puts column %llu into group %d of %llu",
               w->source->names[w->layer->groups], (unsigned long long)(t->part.column + i), (int)(int32_t)groups[i],
               (unsigned long long)count);
  }
  return AQ_OK;
}

/* The block of each column of the tile, counted from the first one that is read. */
static aq_status find_groups(workspace *w, const tile *t, aq_error *err) {
  AQ_TRY(aq_coded_room_need(&w->groups, t->part.columns, sizeof(uint32_t), err));
  uint32_t *groups = w->groups.bytes;
  if (w->layer->groups != AQ_NO_TENSOR) return read_group_list(w, t, groups, err);
  const uint64_t block = w->layer->column_block;
  uint64_t left = block - t->part.column % block;
  uint32_t group = 0;
  for (size_t i = 0; i < t->part.columns; i++) {
    groups[i] = group;
    if (--left > 0) continue;
    group++;
    left = block;
  }
  return AQ_OK;
}

static void find_blocks(const aq_coded_layer *l, tile *t) {
  const aq_coded_part *p = &t->part;
  t->blocks.row = p->row / l->row_block;
  t->blocks.rows = (size_t)((p->row + p->rows - 1) / l->row_block - t->blocks.row + 1);
  t->blocks.column = l->groups != AQ_NO_TENSOR ? 0 : p->column / l->column_block;
  const uint64_t last =
      l->groups != AQ_NO_TENSOR ? l->scales.columns - 1 : (p->column + p->columns - 1) / l->column_block;
  t->blocks.columns = (size_t)(last - t->blocks.column + 1);
}

/* ---- scales and zero points ---- */

/* Numbers of the tile's blocks; NULL where the layer has none. */
static aq_status read_blocks(workspace *w, const aq_coded_matrix *m, const tile *t, aq_coded_room *room, float **out,
                             aq_error *err) {
  *out = NULL;
  if (m->tensor == AQ_NO_TENSOR) return AQ_OK;
  AQ_TRY(aq_coded_room_need(room, t->blocks.rows * t->blocks.columns, sizeof **out, err));
  *out = room->bytes;
  return aq_coded_matrix_read(w->source, m, t->matrix, &t->blocks, &w->bytes, *out, err);
}

/* Scales that are codes themselves; these are of a layer of one row. */
static aq_status decode_scales(workspace *w, const tile *t, float *scales, aq_error *err) {
  const aq_coded_layer *l = w->layer;
  if (l->scale_values == NULL) return AQ_OK;
  const uint64_t first = t->blocks.column / l->scale_block;
  const uint64_t last = (t->blocks.column + t->blocks.columns - 1) / l->scale_block;
  AQ_TRY(aq_coded_room_need(&w->bytes, (size_t)(last - first + 1), sizeof(float), err));
  float *factors = w->bytes.bytes;
  AQ_TRY(aq_source_read_f32(w->source, l->scale_factors, first, last - first + 1, factors, err));
  for (size_t i = 0; i < t->blocks.columns; i++) {
    const float product =
        l->scale_values[(uint8_t)scales[i]] * factors[(t->blocks.column + i) / l->scale_block - first];
    scales[i] = product + l->scale_shift;
  }
  return AQ_OK;
}

aq_status aq_coded_layer_shift_zero_points(const aq_source *source, const aq_coded_layer *l, float *zero_points,
                                           size_t count, aq_error *err) {
  for (size_t i = 0; i < count; i++) {
    zero_points[i] += l->zero_point_shift;
    if (l->zero_point_wrap > 0 && zero_points[i] >= l->zero_point_wrap) zero_points[i] = 0;
    if (!l->has_one_zero_point || !(zero_points[i] < l->zero_point || zero_points[i] > l->zero_point)) continue;
    const aq_status status = aq_fail(err, AQ_ERR_FORMAT,
                                     "has the zero point %d, and the configuration says that the "
                                     "codes are symmetric, which is a zero point of %d",
                                     (int)zero_points[i], (int)l->zero_point);
    (void)aq_error_hint(err, status,
                        "The configuration names another version of the format than the tensors are in "
                        "(checkpoint_format of GPTQ: gptq or gptq_v2)");
    return aq_error_in_tensor(err, status, source->names[l->zero_points.tensor]);
  }
  return AQ_OK;
}

/* ---- a tile ---- */

/* Which NaN a product gives depends on the processor. */
static float with_one_nan(float value) { return value != value ? aq_bits_f32(0x7fc00000u) : value; }

static void apply_row(const aq_coded_layer *l, const uint32_t *groups, const float *scales, const float *zero_points,
                      const float *biases, size_t n, float *values) {
  for (size_t i = 0; i < n; i++) {
    const uint32_t g = groups[i];
    float x = l->values != NULL ? l->values[(uint8_t)values[i]] : values[i];
    x -= zero_points != NULL ? zero_points[g] : l->zero_point;
    x = x * scales[g] * l->factor;
    values[i] = with_one_nan(biases != NULL ? x + biases[g] : x);
  }
}

static aq_status read_tile_codes(workspace *w, const tile *t, float **out, aq_error *err) {
  AQ_TRY(aq_coded_room_need(&w->values, t->part.rows * t->part.columns, sizeof(float), err));
  *out = w->values.bytes;
  return aq_coded_matrix_read(w->source, &w->layer->codes, t->matrix, &t->part, &w->bytes, *out, err);
}

static aq_status decode_tile(workspace *w, tile *t, float **out, aq_error *err) {
  const aq_coded_layer *l = w->layer;
  const size_t rows = t->part.rows, columns = t->part.columns;
  float *scales, *zero_points, *biases;
  if (w->wants_codes) return read_tile_codes(w, t, out, err);
  find_blocks(l, t);
  AQ_TRY(find_groups(w, t, err));
  AQ_TRY(read_blocks(w, &l->scales, t, &w->scales, &scales, err));
  AQ_TRY(decode_scales(w, t, scales, err));
  AQ_TRY(read_blocks(w, &l->zero_points, t, &w->zero_points, &zero_points, err));
  const size_t count = zero_points != NULL ? t->blocks.rows * t->blocks.columns : 0;
  AQ_TRY(aq_coded_layer_shift_zero_points(w->source, l, zero_points, count, err));
  AQ_TRY(read_blocks(w, &l->biases, t, &w->biases, &biases, err));
  AQ_TRY(read_tile_codes(w, t, out, err));
  for (size_t r = 0; r < rows; r++) {
    const size_t block = (size_t)((t->part.row + r) / l->row_block - t->blocks.row) * t->blocks.columns;
    apply_row(l, w->groups.bytes, scales + block, zero_points != NULL ? zero_points + block : NULL,
              biases != NULL ? biases + block : NULL, columns, *out + r * columns);
  }
  return AQ_OK;
}

/* ---- a range of bytes ---- */

typedef struct wanted_bytes {
  uint64_t offset, end; /* bytes of the layer's values */
  uint8_t *out;         /* of the first one */
} wanted_bytes;

/* The part of the values [first, first + n) that is wanted. */
static void copy_values(const wanted_bytes *wanted, uint64_t first, size_t n, const float *values) {
  const uint64_t begin = AQ_MAX(first * sizeof *values, wanted->offset);
  const uint64_t end = AQ_MIN((first + n) * sizeof *values, wanted->end);
  if (begin >= end) return;
  memcpy(wanted->out + (begin - wanted->offset), (const uint8_t *)values + (begin - first * sizeof *values),
         (size_t)(end - begin));
}

static void size_tile(const aq_coded_layer *l, const aq_coded_part *part, size_t *rows, size_t *columns) {
  if (l->codes.is_transposed) {
    *rows = AQ_MIN(part->rows, (size_t)TILE_ROWS);
    *columns = AQ_MIN(part->columns, AQ_MAX(TILE / *rows, (size_t)TILE_COLUMNS));
  } else {
    *columns = AQ_MIN(part->columns, (size_t)TILE);
    *rows = AQ_MIN(part->rows, TILE / *columns);
  }
  if (l->groups == AQ_NO_TENSOR) return;
  *rows = (size_t)AQ_MAX(AQ_MIN(*rows, AQ_CODED_GROUPS_MAX / l->scales.columns), (uint64_t)1);
}

static aq_status decode_part(workspace *w, uint64_t matrix, const aq_coded_part *part, const wanted_bytes *wanted,
                             aq_error *err) {
  const aq_coded_layer *l = w->layer;
  size_t rows, columns;
  size_tile(l, part, &rows, &columns);
  for (size_t r = 0; r < part->rows; r += rows) {
    for (size_t c = 0; c < part->columns; c += columns) {
      tile t = {
          .matrix = matrix,
          .part = {part->row + r, part->column + c, AQ_MIN(rows, part->rows - r), AQ_MIN(columns, part->columns - c)}};
      float *values;
      AQ_TRY(decode_tile(w, &t, &values, err));
      for (size_t i = 0; i < t.part.rows; i++) {
        const uint64_t first = (matrix * l->rows + t.part.row + i) * l->columns + t.part.column;
        copy_values(wanted, first, t.part.columns, values + i * t.part.columns);
      }
    }
  }
  return AQ_OK;
}

/* Whole rows at once, as many as there are in the matrix; else what is wanted of one row. */
static aq_status decode_range(workspace *w, uint64_t first, uint64_t end, const wanted_bytes *wanted, aq_error *err) {
  const aq_coded_layer *l = w->layer;
  while (first < end) {
    const uint64_t row = first / l->columns, column = first % l->columns;
    aq_coded_part part = {.row = row % l->rows, .column = column, .rows = 1};
    part.columns = (size_t)AQ_MIN(l->columns - column, end - first);
    if (part.columns == l->columns) part.rows = (size_t)AQ_MIN((end - first) / l->columns, l->rows - part.row);
    AQ_TRY(decode_part(w, row / l->rows, &part, wanted, err));
    first += (uint64_t)part.rows * part.columns;
  }
  return AQ_OK;
}

static aq_status read_layer(workspace *w, uint64_t offset, size_t size, uint8_t *out, aq_error *err) {
  if (size == 0) return AQ_OK;
  const wanted_bytes wanted = {offset, offset + size, out};
  const aq_status status =
      decode_range(w, offset / sizeof(float), aq_div_up(offset + size, sizeof(float)), &wanted, err);
  aq_coded_room *rooms[] = {&w->bytes, &w->values, &w->scales, &w->zero_points, &w->biases, &w->groups};
  for (size_t i = 0; i < AQ_COUNT_OF(rooms); i++) aq_free(rooms[i]->bytes);
  return status;
}

aq_status aq_coded_layer_read(const aq_source *source, const aq_coded_layer *layer, uint64_t offset, size_t size,
                              uint8_t *out, aq_error *err) {
  workspace w = {.source = source, .layer = layer};
  return read_layer(&w, offset, size, out, err);
}

aq_status aq_coded_layer_read_codes(const aq_source *source, const aq_coded_layer *layer, uint64_t first, size_t count,
                                    float *out, aq_error *err) {
  workspace w = {.source = source, .layer = layer, .wants_codes = true};
  return read_layer(&w, first * sizeof *out, count * sizeof *out, (uint8_t *)out, err);
}
