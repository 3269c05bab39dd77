/* arrow_fixture.h - a producer of one Arrow record batch, made by hand, that counts what is released.
 *
 * build() lays two rows out in one of the encodings that producers use; a test then damages what it likes before the
 * stream is opened. What the batch owns is freed when it is released, so that a late access is found. */
#ifndef AQ_TESTS_ARROW_FIXTURE_H
#define AQ_TESTS_ARROW_FIXTURE_H

#include <errno.h>

#include "check.h"
#include "io/table/table_row.h"

typedef enum encoding { OFFSETS_32, OFFSETS_64, VIEWS, DICTIONARIES, ENCODINGS } encoding;

enum { ROWS = 2, MAX_SHIFT = 3, EXTRA = 1 };

typedef struct cell {
  const void *bytes; /* NULL: null */
  size_t size;
} cell;

static const float w_values[6] = {1, 2, 3, -4, 5.5F, 6};
static const int8_t w_codes[6] = {1, 2, 3, -4, 5, 6};
static const float w_scales[2] = {0.5F, 2}, w_zeros[2] = {0, 1};
static const int64_t b_value = 77;

static struct {
  struct ArrowArrayStream stream;
  struct ArrowSchema schema, fields[AQ_COLUMNS_V2 + EXTRA], element, dictionaries[AQ_COLUMNS_V2];
  struct ArrowSchema *field_pointers[AQ_COLUMNS_V2 + EXTRA], *element_pointer;
  struct ArrowArray batch, arrays[AQ_COLUMNS_V2 + EXTRA], elements, dictionary_values[AQ_COLUMNS_V2];
  struct ArrowArray *array_pointers[AQ_COLUMNS_V2 + EXTRA], *element_array_pointer;
  const void *buffers[AQ_COLUMNS_V2 + EXTRA][4], *element_buffers[2], *dictionary_buffers[AQ_COLUMNS_V2][3];
  const void *batch_buffers[1];
  uint8_t *blocks[128];
  size_t block_count;
  int version, batches, given;
  int schema_error, next_error;
  const char *words;
  int schemas_released, batches_released, streams_released;
} fx;

static inline void *block(size_t size) {
  assert_true(fx.block_count < sizeof fx.blocks / sizeof fx.blocks[0]);
  uint8_t *p = calloc(1, size > 0 ? size : 1);
  assert_non_null(p);
  fx.blocks[fx.block_count++] = p;
  return p;
}

static inline void free_blocks(void) {
  for (size_t i = 0; i < fx.block_count; i++) free(fx.blocks[i]);
  fx.block_count = 0;
}

/* ---- columns ---- */

/* Cells as offsets and bytes: one null or junk cell for each of `shift` rows that are not part of the batch. */
static inline void lay_offsets(struct ArrowArray *array, const void **buffers, const cell *cells, int count, int shift,
                               bool wide) {
  uint8_t *valid = block(8), *offsets = block(8 * (size_t)(count + shift + 1)), *bytes = block(4096);
  size_t used = 0;
  for (int i = 0; i < count + shift; i++) {
    static const cell junk = {"junk", 4};
    const cell *c = i < shift ? &junk : &cells[i - shift];
    if (c->bytes != NULL) {
      memcpy(bytes + used, c->bytes, c->size);
      valid[i / 8] = (uint8_t)(valid[i / 8] | 1U << (i % 8));
      used += c->size;
    } else {
      array->null_count++;
    }
    const int64_t end = (int64_t)used;
    const int32_t narrow = (int32_t)used;
    if (wide) {
      memcpy(offsets + 8 * (size_t)(i + 1), &end, sizeof end);
    } else {
      memcpy(offsets + 4 * (size_t)(i + 1), &narrow, sizeof narrow);
    }
  }
  buffers[0] = array->null_count > 0 ? valid : NULL;
  buffers[1] = offsets;
  buffers[2] = bytes;
  array->n_buffers = 3;
}

static inline void lay_views(struct ArrowArray *array, const void **buffers, const cell *cells, int count, int shift) {
  uint8_t *views = block(16 * (size_t)(count + shift)), *bytes = block(4096);
  int64_t *sizes = block(sizeof *sizes);
  int32_t used = 0;
  for (int i = shift; i < count + shift; i++) {
    const cell *c = &cells[i - shift];
    uint8_t *view = views + 16 * (size_t)i;
    const int32_t size = (int32_t)c->size, number = 0;
    memcpy(view, &size, sizeof size);
    if (size <= 12) {
      if (size > 0) memcpy(view + 4, c->bytes, c->size);
      continue;
    }
    memcpy(view + 4, c->bytes, 4);
    memcpy(view + 8, &number, sizeof number);
    memcpy(view + 12, &used, sizeof used);
    memcpy(bytes + used, c->bytes, c->size);
    used += size;
  }
  *sizes = used;
  buffers[1] = views;
  buffers[2] = bytes;
  buffers[3] = sizes;
  array->n_buffers = 4;
}

/* The values in reverse order, and indices to them. */
static inline void lay_dictionary(int column, const cell *cells, int shift) {
  struct ArrowArray *array = &fx.arrays[column], *values = &fx.dictionary_values[column];
  cell turned[ROWS];
  int16_t *indices = block(sizeof *indices * (size_t)(ROWS + shift));
  for (int i = 0; i < ROWS; i++) {
    turned[ROWS - 1 - i] = cells[i];
    indices[shift + i] = (int16_t)(ROWS - 1 - i);
  }
  fx.fields[column].format = "s";
  fx.fields[column].dictionary = &fx.dictionaries[column];
  fx.dictionaries[column] = (struct ArrowSchema){.format = "U", .name = ""};
  lay_offsets(values, fx.dictionary_buffers[column], turned, ROWS, 1, true);
  values->buffers = fx.dictionary_buffers[column];
  values->length = ROWS;
  values->offset = 1;
  array->dictionary = values;
  fx.buffers[column][1] = indices;
  array->n_buffers = 2;
}

static inline void lay_bytes(int column, encoding how, const cell *cells, int shift) {
  static const char *const formats[2][ENCODINGS] = {{"u", "U", "vu", ""}, {"z", "Z", "vz", "z"}};
  const int binary = aq_column_type_of((aq_column)column) == AQ_TYPE_BINARY;
  fx.fields[column].format = formats[binary][how];
  if (how == DICTIONARIES && !binary) {
    lay_dictionary(column, cells, shift);
  } else if (how == VIEWS) {
    lay_views(&fx.arrays[column], fx.buffers[column], cells, ROWS, shift);
  } else {
    lay_offsets(&fx.arrays[column], fx.buffers[column], cells, ROWS, shift, how == OFFSETS_64);
  }
}

static inline void lay_integers(int column, bool wide, const int64_t values[ROWS], int shift) {
  uint8_t *out = block(8 * (size_t)(ROWS + shift));
  for (int i = 0; i < ROWS; i++) {
    const int32_t narrow = (int32_t)values[i];
    if (wide) {
      memcpy(out + 8 * (shift + i), &values[i], 8);
    } else {
      memcpy(out + 4 * (shift + i), &narrow, 4);
    }
  }
  fx.fields[column].format = wide ? "l" : "i";
  fx.buffers[column][1] = out;
  fx.arrays[column].n_buffers = 2;
}

/* Shapes [2, 3] and []; the elements begin at an offset of their own. */
static inline void lay_shapes(encoding how, int shift) {
  int32_t *items = block(4 * sizeof *items);
  uint8_t *offsets = block(8 * (size_t)(ROWS + shift + 1));
  items[2] = 2;
  items[3] = 3;
  for (int i = 0; i <= ROWS + shift; i++) {
    const int64_t end = i > shift ? 2 : 0;
    const int32_t narrow = (int32_t)end;
    if (how == OFFSETS_64) {
      memcpy(offsets + 8 * i, &end, 8);
    } else {
      memcpy(offsets + 4 * i, &narrow, 4);
    }
  }
  fx.fields[AQ_COLUMN_SHAPE].format = how == OFFSETS_64 ? "+L" : "+l";
  fx.element = (struct ArrowSchema){.format = "i", .name = "item"};
  fx.element_pointer = &fx.element;
  fx.fields[AQ_COLUMN_SHAPE].n_children = 1;
  fx.fields[AQ_COLUMN_SHAPE].children = &fx.element_pointer;
  fx.element_buffers[1] = items;
  fx.elements = (struct ArrowArray){.length = 2, .offset = 2, .n_buffers = 2, .buffers = fx.element_buffers};
  fx.element_array_pointer = &fx.elements;
  fx.buffers[AQ_COLUMN_SHAPE][1] = offsets;
  fx.arrays[AQ_COLUMN_SHAPE].n_buffers = 2;
  fx.arrays[AQ_COLUMN_SHAPE].n_children = 1;
  fx.arrays[AQ_COLUMN_SHAPE].children = &fx.element_array_pointer;
}

/* ---- the stream ---- */

static inline void release_schema(struct ArrowSchema *self) {
  self->release = NULL;
  fx.schemas_released++;
}

static inline void release_batch(struct ArrowArray *self) {
  self->release = NULL;
  fx.batches_released++;
  free_blocks();
}

static inline int give_schema(struct ArrowArrayStream *self, struct ArrowSchema *out) {
  (void)self;
  if (fx.schema_error != 0) return fx.schema_error;
  *out = fx.schema;
  return 0;
}

static inline int give_next(struct ArrowArrayStream *self, struct ArrowArray *out) {
  (void)self;
  if (fx.next_error != 0) return fx.next_error;
  *out = (struct ArrowArray){0};
  if (fx.given == fx.batches) return 0;
  fx.given++;
  *out = fx.batch;
  return 0;
}

static inline const char *give_error(struct ArrowArrayStream *self) {
  (void)self;
  return fx.words;
}

static inline void release_stream(struct ArrowArrayStream *self) {
  self->release = NULL;
  fx.streams_released++;
}

static inline void assemble(int columns, int shift) {
  for (int i = 0; i < columns; i++) {
    fx.field_pointers[i] = &fx.fields[i];
    fx.array_pointers[i] = &fx.arrays[i];
    fx.arrays[i].length = ROWS + (shift > 0 ? 1 : 0);
    fx.arrays[i].offset = shift > 0 ? shift - 1 : 0; /* one of the rows in front is the offset of the batch */
    fx.arrays[i].buffers = fx.buffers[i];
  }
  fx.schema = (struct ArrowSchema){
      .format = "+s", .name = "", .n_children = columns, .children = fx.field_pointers, .release = release_schema};
  fx.batch = (struct ArrowArray){.length = ROWS,
                                 .offset = shift > 0 ? 1 : 0,
                                 .n_buffers = 1,
                                 .buffers = fx.batch_buffers,
                                 .n_children = columns,
                                 .children = fx.array_pointers,
                                 .release = release_batch};
  fx.stream = (struct ArrowArrayStream){give_schema, give_next, give_error, release_stream, NULL};
}

static inline void build(int version, encoding how, int shift) {
  free_blocks();
  memset(&fx, 0, sizeof fx);
  fx.version = version;
  fx.batches = 1;
  const cell names[] = {{"encoder.weight", 14}, {"b", 1}}, dtypes[] = {{"torch.float32", 13}, {"torch.int64", 11}};
  const cell values[] = {{w_values, sizeof w_values}, {&b_value, 8}}, codes[] = {{w_codes, 6}, {&b_value, 8}};
  const cell types[] = {{"int8", 4}, {"fp32", 4}}, scales[] = {{w_scales, 8}, {"", 0}},
             zeros[] = {{w_zeros, 8}, {"", 0}};
  lay_bytes(AQ_COLUMN_NAME, how, names, shift);
  lay_shapes(how, shift);
  lay_bytes(AQ_COLUMN_DTYPE, how, dtypes, shift);
  lay_bytes(AQ_COLUMN_DATA, how, version == 1 ? values : codes, shift);
  lay_integers(AQ_COLUMN_NUM_PARAMS, true, (const int64_t[]){6, 1}, shift);
  if (version == 2) {
    lay_bytes(AQ_COLUMN_QUANT_TYPE, how, types, shift);
    lay_bytes(AQ_COLUMN_SCALES, how, scales, shift);
    lay_bytes(AQ_COLUMN_ZERO_POINTS, how, zeros, shift);
    lay_integers(AQ_COLUMN_QUANT_AXIS, how == OFFSETS_64, (const int64_t[]){0, -1}, shift);
    lay_integers(AQ_COLUMN_GROUP_SIZE, false, (const int64_t[]){0, 0}, shift);
  }
  const int columns = version == 2 ? AQ_COLUMNS_V2 : AQ_COLUMNS_V1;
  for (int i = 0; i < columns; i++) fx.fields[i].name = aq_column_name((aq_column)i);
  assemble(columns, shift);
}

/* ---- opening ---- */

static aq_error err;

static inline int drop(void **state) {
  (void)state;
  free_blocks();
  return 0;
}

/* The two tensors that build() lays out. */
static inline void expect_model(const aq_source *s, int version) {
  assert_string_equal(aq_source_format(s), version == 2 ? "Arrow V2" : "Arrow V1");
  assert_int_equal(aq_source_schema_version(s), version);
  assert_int_equal(aq_source_tensor_count(s), 2);
  const aq_tensor_info *w = aq_source_tensor(s, 0), *b = aq_source_tensor(s, 1);
  assert_string_equal(w->name, "encoder.weight");
  assert_int_equal(w->dtype, AQ_F32);
  assert_int_equal(w->rank, 2);
  assert_int_equal(w->shape[0], 2);
  assert_int_equal(w->shape[1], 3);
  assert_int_equal(w->quant_type, version == 2 ? AQ_INT8 : AQ_KEPT);
  assert_int_equal(w->num_scales, version == 2 ? 2 : 0);
  assert_string_equal(b->name, "b");
  assert_int_equal(b->dtype, AQ_I64);
  assert_int_equal(b->rank, 0);
  float out[6], one;
  assert_ok(aq_source_read_f32(s, 0, 0, 6, out, &err));
  for (int i = 0; i < 6; i++) {
    const float scale = w_scales[i / 3], zero = w_zeros[i / 3];
    assert_true(out[i] == (version == 2 ? ((float)w_codes[i] - zero) * scale : w_values[i]));
  }
  assert_ok(aq_source_read_f32(s, 1, 0, 1, &one, &err));
  assert_true(one == 77.0F);
  assert_int_equal(aq_source_file_bytes(s), version == 2 ? 6 + 8 + 16 : 24 + 8);
}

static inline void open_and_expect(int version) {
  aq_source *s;
  assert_ok(aq_source_open_arrow(&fx.stream, &s, &err));
  assert_null(fx.stream.release);
  assert_int_equal(fx.schemas_released, 1);
  assert_int_equal(fx.streams_released, 1);
  assert_int_equal(fx.batches_released, 0);
  expect_model(s, version);
  aq_source_close(s);
  assert_int_equal(fx.batches_released, 1);
  assert_int_equal(fx.schemas_released + fx.streams_released, 2);
}

#endif
