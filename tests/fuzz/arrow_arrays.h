/* arrow_arrays.h - rows of weight tables, and Arrow arrays of them, made after the bytes of an input. Buffers are long
 * enough for every offset and index that is written, and each is memory of its own. */
#ifndef AQ_TESTS_ARROW_ARRAYS_H
#define AQ_TESTS_ARROW_ARRAYS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrowquant.h"
#include "core/compiler.h"
#include "io/table/table_row.h"

enum { MOST_ROWS = 4, MOST_BLOCKS = 1024, CELL_BYTES = 160, MOST_ITEMS = 64 };

/* ---- the input ---- */

static struct { const uint8_t *at, *end; } input;

static uint8_t take_byte(void) { return input.at < input.end ? *input.at++ : 0; }
static uint32_t take_below(uint32_t n) { return n > 0 ? take_byte() % n : 0; }
static bool take_rarely(void) { return take_byte() >= 248; }

static void take_bytes(void *out, size_t size) {
  for (size_t i = 0; i < size; i++) ((uint8_t *)out)[i] = take_byte();
}

/* ---- memory ---- */

static struct {
  void *blocks[MOST_BLOCKS];
  size_t count;
} memory;

static void *make_block(size_t size) {
  if (memory.count == MOST_BLOCKS) abort();
  void *block = calloc(1, size); /* of no bytes: nothing of it may be read */
  if (block == NULL) abort();
  return memory.blocks[memory.count++] = block;
}

static void free_blocks(void) {
  for (size_t i = 0; i < memory.count; i++) free(memory.blocks[i]);
  memory.count = 0;
}

/* ---- rows ---- */

typedef struct cell {
  uint8_t bytes[CELL_BYTES];
  size_t size;
  int64_t number;
  bool null;
} cell;

static void set_text(cell *c, const char *text) {
  c->size = strlen(text);
  memcpy(c->bytes, text, c->size);
}

/* A kept or quantized tensor with at most 27 values; most cells fit each other. */
static void make_row(int version, cell *row) {
  static const char *const dtypes[] = {"torch.float32", "torch.int8", "torch.float16", "torch.float64"};
  static const char *const types[] = {"fp32", "int8", "int4", "int3", "int2"};
  static const uint32_t widths[] = {4, 1, 2, 8}, bits[] = {0, 8, 4, 3, 2};
  const uint32_t rank = take_below(4), dtype = take_below(4), type = version == 2 ? take_below(5) : 0;
  uint32_t count = 1, group = type > 0 ? take_below(3) * 8 : 0, first = 1;
  memset(row, 0, AQ_COLUMNS_V2 * sizeof *row);
  (void)snprintf((char *)row[AQ_COLUMN_NAME].bytes, CELL_BYTES, "tensor.with.a.long.name.%u", take_byte());
  row[AQ_COLUMN_NAME].size = strlen((char *)row[AQ_COLUMN_NAME].bytes) - take_below(2) * 22;
  row[AQ_COLUMN_SHAPE].size = rank;
  for (uint32_t i = 0; i < rank; i++) {
    const uint32_t n = row[AQ_COLUMN_SHAPE].bytes[i] = (uint8_t)take_below(4);
    count *= n;
    if (i == 0) first = n;
  }
  set_text(&row[AQ_COLUMN_DTYPE], dtypes[type > 0 ? 0 : dtype]);
  row[AQ_COLUMN_DATA].size = type > 0 ? (count * bits[type] + 7) / 8 : AQ_MIN(count * widths[dtype], CELL_BYTES);
  row[AQ_COLUMN_NUM_PARAMS].number = count;
  const uint32_t scales = type == 0 ? 0 : group > 0 ? (count + group - 1) / group : first;
  set_text(&row[AQ_COLUMN_QUANT_TYPE], types[type]);
  row[AQ_COLUMN_SCALES].size = row[AQ_COLUMN_ZERO_POINTS].size = scales * 4;
  row[AQ_COLUMN_QUANT_AXIS].number = type > 0 ? 0 : -1;
  row[AQ_COLUMN_GROUP_SIZE].number = group;
  if (take_byte() < 128) take_bytes(row[AQ_COLUMN_DATA].bytes, row[AQ_COLUMN_DATA].size);
}

static void damage_row(cell *row) {
  cell *c = &row[take_below(AQ_COLUMNS_V2)];
  c->null = take_below(2) == 0;
  c->size = take_below(40);
  take_bytes(c->bytes, c->size);
  take_bytes(&c->number, sizeof c->number);
}

/* ---- types ---- */

typedef struct column_type {
  const char *format, *inner; /* inner: of the values of a dictionary, or of the elements of a list */
  const char *shown;          /* the format in the schema: the above, or one that must be refused */
  bool dictionary;
} column_type;

static const char *const byte_formats[] = {"u", "z", "U", "Z", "vu", "vz"};
static const char *const number_formats[] = {"i", "l", "c", "C", "s", "S", "I", "L", "e", "f", "g", "d:38,0", "n"};
static const char *const list_formats[] = {"+l", "+L", "+vl", "+vL", "+w:0", "+w:1", "+w:2", "+w:3"};
static const char *const odd_formats[] = {
    "", "tsu:", "+s", "d:38,2", "d:38,0,256", "+w:", "+w:-1", "+w:99999999999", "b"};

enum { INDEX_FORMATS = 8, ELEMENT_FORMATS = AQ_COUNT_OF(number_formats) - 1 };

static column_type make_type(aq_column column) {
  column_type type = {.dictionary = take_below(4) == 0};
  switch (aq_column_type_of(column)) {
    case AQ_TYPE_STRING:
    case AQ_TYPE_BINARY:
      type.format = byte_formats[take_below(AQ_COUNT_OF(byte_formats))];
      break;
    case AQ_TYPE_INTEGER:
      type.format = number_formats[take_below(type.dictionary ? ELEMENT_FORMATS : AQ_COUNT_OF(number_formats))];
      break;
    case AQ_TYPE_LIST:
      type.dictionary = false;
      type.format = list_formats[take_below(AQ_COUNT_OF(list_formats))];
      type.inner = number_formats[take_below(ELEMENT_FORMATS)];
      break;
  }
  if (type.dictionary) {
    type.inner = type.format;
    type.format = number_formats[take_below(INDEX_FORMATS)];
  }
  type.shown = type.format;
  if (take_rarely()) type.shown = odd_formats[take_below(AQ_COUNT_OF(odd_formats))];
  return type;
}

/* ---- arrays ---- */

static size_t width_of(const char *format) {
  static const struct {
    char letter;
    uint8_t width;
  } widths[] = {{'c', 1}, {'C', 1}, {'s', 2}, {'S', 2}, {'i', 4}, {'I', 4},
                {'l', 8}, {'L', 8}, {'e', 2}, {'f', 4}, {'g', 8}, {'d', 16}};
  for (size_t i = 0; i < AQ_COUNT_OF(widths); i++) {
    if (format[0] == widths[i].letter) return widths[i].width;
  }
  return 0;
}

static void store_number(const char *format, uint8_t *at, int64_t value) {
  const int64_t wide[2] = {value, value < 0 ? -1 : 0};
  const float single = (float)value;
  const double real = (double)value;
  static const uint16_t halves[] = {0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600, 0x4700};
  const uint16_t half = value >= 0 && value < 8 ? halves[value] : (uint16_t)value;
  const void *from = format[0] == 'e'   ? (const void *)&half
                     : format[0] == 'f' ? (const void *)&single
                     : format[0] == 'g' ? (const void *)&real
                                        : (const void *)wide;
  memcpy(at, from, width_of(format));
}

/* The beginning of an array: `lead` rows that are not part of the batch, then the cells. */
static void begin_array(struct ArrowArray *array, const cell *cells, size_t count, size_t lead, size_t buffers) {
  const size_t rows = lead + count;
  uint8_t *valid = make_block((rows + 7) / 8);
  int64_t nulls = 0;
  for (size_t i = 0; i < rows; i++) {
    const bool null = i >= lead && cells[i - lead].null;
    if (null) nulls++;
    if (!null) valid[i / 8] = (uint8_t)(valid[i / 8] | 1U << (i % 8));
  }
  const bool marked = nulls > 0 || take_below(2) == 0;
  *array = (struct ArrowArray){.length = (int64_t)rows, .n_buffers = (int64_t)buffers};
  array->buffers = make_block((buffers + 1) * sizeof(void *));
  array->null_count = !marked ? 0 : take_below(2) == 0 ? -1 : nulls;
  if (buffers > 0) array->buffers[0] = marked ? valid : NULL;
}

static void fill_offsets(uint8_t *out, size_t width, const int64_t *offsets, size_t count) {
  for (size_t i = 0; i < count; i++) memcpy(out + i * width, &offsets[i], width);
}

/* An offset of another place now and then, but none past the end. */
static void damage_offsets(int64_t *offsets, size_t count) {
  if (take_rarely()) offsets[take_below((uint32_t)count)] = take_below((uint32_t)offsets[count - 1] + 1);
}

static void make_offset_bytes(struct ArrowArray *array, const char *format, const cell *cells, size_t count,
                              size_t lead) {
  const size_t width = format[0] == 'U' || format[0] == 'Z' ? 8 : 4;
  int64_t offsets[2 * MOST_ROWS + 8] = {0};
  for (size_t i = 0; i < count; i++) offsets[lead + i + 1] = offsets[lead + i] + (int64_t)cells[i].size;
  uint8_t *bytes = make_block((size_t)offsets[lead + count]);
  for (size_t i = 0; i < count; i++) memcpy(bytes + offsets[lead + i], cells[i].bytes, cells[i].size);
  damage_offsets(offsets, lead + count + 1);
  array->buffers[1] = make_block(width * (lead + count + 1));
  fill_offsets((uint8_t *)(uintptr_t)array->buffers[1], width, offsets, lead + count + 1);
  array->buffers[2] = bytes;
}

static void make_views(struct ArrowArray *array, const cell *cells, size_t count, size_t lead) {
  uint8_t *views = make_block(16 * (lead + count)), *bytes = make_block(count * CELL_BYTES);
  int64_t *sizes = make_block(sizeof *sizes);
  *sizes = (int64_t)(count * CELL_BYTES);
  for (size_t i = 0; i < count; i++) {
    uint8_t *view = views + 16 * (lead + i);
    const int32_t size = (int32_t)cells[i].size, number = 0, offset = (int32_t)(i * CELL_BYTES);
    memcpy(view, &size, sizeof size);
    memcpy(view + 4, cells[i].bytes, size <= 12 ? cells[i].size : 4);
    memcpy(bytes + offset, cells[i].bytes, cells[i].size);
    if (size > 12) memcpy(view + 8, &number, sizeof number);
    if (size > 12) memcpy(view + 12, &offset, sizeof offset);
    if (take_rarely()) take_bytes(view, 16);
  }
  array->buffers[1] = views;
  array->buffers[2] = bytes;
  array->buffers[3] = sizes;
}

static void make_values(struct ArrowArray *array, const char *format, const cell *cells, size_t count, size_t lead) {
  const bool views = format[0] == 'v', offsets = strchr("uzUZ", format[0]) != NULL && format[0] != '\0';
  begin_array(array, cells, count, lead, views ? 4 : offsets ? 3 : format[0] == 'n' ? 0 : 2);
  if (views) {
    make_views(array, cells, count, lead);
  } else if (offsets) {
    make_offset_bytes(array, format, cells, count, lead);
  } else if (format[0] != 'n') {
    const size_t width = width_of(format);
    uint8_t *values = make_block(width * (lead + count));
    for (size_t i = 0; i < count; i++) store_number(format, values + width * (lead + i), cells[i].number);
    array->buffers[1] = values;
  }
}

/* Where lists begin and how long they are; the numbers are the first bytes of cells. */
typedef struct list_places {
  int64_t offsets[2 * MOST_ROWS + 8], sizes[2 * MOST_ROWS + 8];
  cell items[MOST_ITEMS];
  size_t used; /* items */
} list_places;

/* each: elements of a list of a fixed length; 0: the cells say. */
static void place_lists(list_places *p, const cell *cells, size_t count, size_t lead, bool fixed, size_t each) {
  memset(p, 0, sizeof *p);
  p->used = fixed ? lead * each : 0;
  for (size_t i = 0; i < count; i++) {
    const size_t n = fixed ? each : AQ_MIN(cells[i].size, (size_t)8);
    p->offsets[lead + i] = (int64_t)p->used;
    p->sizes[lead + i] = (int64_t)n;
    for (size_t k = 0; k < n; k++) p->items[p->used++].number = cells[i].bytes[k];
    p->offsets[lead + i + 1] = (int64_t)p->used;
  }
  if (take_rarely()) p->items[take_below(MOST_ITEMS)].null = true;
}

/* The items of all lists and one more; the array may begin behind its first one. */
static void make_items(struct ArrowArray *items, const column_type *type, const list_places *p) {
  const size_t lead = take_below(2);
  make_values(items, type->inner, p->items, AQ_MIN(p->used + 1, (size_t)MOST_ITEMS), lead);
  items->offset = (int64_t)lead;
  items->length -= items->offset;
}

static void make_lists(struct ArrowArray *array, const column_type *type, const cell *cells, size_t count,
                       size_t lead) {
  const bool views = type->format[1] == 'v', fixed = type->format[1] == 'w';
  const size_t width = strchr(type->format, 'L') != NULL ? 8 : 4, rows = lead + count;
  static list_places p;
  place_lists(&p, cells, count, lead, fixed, fixed ? (size_t)(type->format[3] - '0') : 0);
  begin_array(array, cells, count, lead, fixed ? 1 : views ? 3 : 2);
  array->n_children = 1;
  array->children = make_block(sizeof *array->children);
  array->children[0] = make_block(sizeof **array->children);
  make_items(array->children[0], type, &p);
  /* Anything may stand for places and sizes: ends are held against the items. */
  if (take_rarely()) take_bytes(&p.offsets[take_below((uint32_t)rows)], 4);
  if (take_rarely()) take_bytes(&p.sizes[take_below((uint32_t)rows)], 8);
  if (fixed) return;
  array->buffers[1] = make_block(width * (rows + 1));
  fill_offsets((uint8_t *)(uintptr_t)array->buffers[1], width, p.offsets, rows + 1);
  if (!views) return;
  array->buffers[2] = make_block(width * rows);
  fill_offsets((uint8_t *)(uintptr_t)array->buffers[2], width, p.sizes, rows);
}

static void make_column(struct ArrowArray *array, const column_type *type, const cell *cells, size_t count,
                        size_t lead) {
  if (type->format[0] == '+') {
    make_lists(array, type, cells, count, lead);
  } else if (!type->dictionary) {
    make_values(array, type->format, cells, count, lead);
  } else {
    cell indices[MOST_ROWS];
    memcpy(indices, cells, count * sizeof *cells);
    for (size_t i = 0; i < count; i++) indices[i].number = take_rarely() ? take_byte() : (int64_t)i;
    make_values(array, type->format, indices, count, lead);
    array->dictionary = make_block(sizeof *array->dictionary);
    make_values(array->dictionary, type->inner, cells, count, 0);
  }
}

#endif
