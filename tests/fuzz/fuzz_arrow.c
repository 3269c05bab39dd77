/* fuzz_arrow.c - Arrow record batches that are made after the bytes of an input. The interface does not say how long
 * buffers are, so they are long enough here, and each is memory of its own, past which nothing may be read; what stands
 * in them, the types of the columns, nulls, offsets and the structure follow the input. Opening must end in an error
 * that has words, or in tensors that can all be read and that a stream made of them gives again. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrowquant.h"
#include "core/compiler.h"
#include "io/table/table_row.h"
#include "tensor/dtype.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_ROWS = 4, MOST_BATCHES = 3, MOST_BLOCKS = 1024, CELL_BYTES = 160, MOST_ITEMS = 64 };

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

/* The sizes of cells as lists of numbers: their first bytes. */
static void make_lists(struct ArrowArray *array, const column_type *type, const cell *cells, size_t count,
                       size_t lead) {
  const bool views = type->format[1] == 'v', fixed = type->format[1] == 'w';
  const size_t width = strchr(type->format, 'L') != NULL ? 8 : 4, each = fixed ? (size_t)(type->format[3] - '0') : 0;
  static cell items[MOST_ITEMS];
  int64_t offsets[2 * MOST_ROWS + 8] = {0}, sizes[2 * MOST_ROWS + 8] = {0};
  size_t used = fixed ? lead * each : 0;
  memset(items, 0, sizeof items);
  for (size_t i = 0; i < count; i++) {
    const size_t n = fixed ? each : AQ_MIN(cells[i].size, (size_t)8);
    offsets[lead + i] = (int64_t)used;
    sizes[lead + i] = (int64_t)n;
    for (size_t k = 0; k < n; k++) items[used++].number = cells[i].bytes[k];
    offsets[lead + i + 1] = (int64_t)used;
  }
  if (take_rarely()) items[take_below(MOST_ITEMS)].null = true;
  begin_array(array, cells, count, lead, fixed ? 1 : views ? 3 : 2);
  array->n_children = 1;
  array->children = make_block(sizeof *array->children);
  array->children[0] = make_block(sizeof **array->children);
  make_values(array->children[0], type->inner, items, AQ_MIN(used + 1, (size_t)MOST_ITEMS), take_below(2));
  if (take_rarely()) take_bytes(&offsets[take_below((uint32_t)(lead + count))], 4); /* lists check their ends */
  if (!fixed) array->buffers[1] = make_block(width * (lead + count + 1));
  if (!fixed) fill_offsets((uint8_t *)(uintptr_t)array->buffers[1], width, offsets, lead + count + 1);
  if (take_rarely()) take_bytes(&sizes[take_below((uint32_t)(lead + count))], 8);
  if (views) array->buffers[2] = make_block(width * (lead + count));
  if (views) fill_offsets((uint8_t *)(uintptr_t)array->buffers[2], width, sizes, lead + count);
  if (array->children[0]->offset == 0 && array->children[0]->length > (int64_t)used) {
    array->children[0]->offset = array->children[0]->length - (int64_t)used - 1;
    array->children[0]->length = (int64_t)used + 1;
  }
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

/* ---- the stream ---- */

static struct {
  int version, columns, batches, given;
  bool fails;
  column_type types[AQ_COLUMNS_V2];
} made;

/* What a consumer can see and must refuse. */
static void damage_batch(struct ArrowArray *batch) {
  struct ArrowArray *array = batch->children[take_below((uint32_t)made.columns)];
  switch (take_below(16)) {
    case 0:
      batch->n_children = take_below(12);
      break;
    case 1:
      batch->children[take_below((uint32_t)made.columns)] = NULL;
      break;
    case 2:
      array->n_buffers = take_below(6) - 1;
      break;
    case 3:
      array->buffers = NULL;
      break;
    case 4:
      array->null_count = (int64_t)take_below(12) - 3;
      break;
    case 5:
      array->length = (int64_t)take_below((uint32_t)array->length + 2) - 1;
      break;
    case 6:
      array->offset = take_below(2) == 0 ? -1 : INT64_MAX - take_below(2);
      break;
    case 7:
      array->dictionary = NULL;
      break;
    case 8:
      array->children = NULL;
      break;
    case 9:
      array->n_children = take_below(3);
      break;
    case 10:
      batch->length = take_below(2) == 0 ? -1 : INT64_MAX;
      break;
    case 11:
      batch->offset = take_below(2) == 0 ? -1 : INT64_MAX;
      break;
    case 12:
      batch->n_buffers = take_below(3);
      break;
    case 13:
      batch->children = NULL;
      break;
    case 14:
      batch->null_count = -1;
      break;
    default:
      if (array->n_buffers > 0) array->buffers[take_below((uint32_t)array->n_buffers)] = NULL;
  }
}

static void release_batch(struct ArrowArray *batch) { batch->release = NULL; }
static void release_schema(struct ArrowSchema *schema) { schema->release = NULL; }
static void release_stream(struct ArrowArrayStream *stream) { stream->release = NULL; }

static int get_batch(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  (void)stream;
  static cell rows[MOST_ROWS][AQ_COLUMNS_V2], cells[MOST_ROWS];
  *out = (struct ArrowArray){0};
  if (made.given++ >= made.batches) return 0;
  if (made.fails) return EIO;
  const size_t count = take_below(MOST_ROWS + 1), skipped = take_below(2);
  for (size_t i = 0; i < count; i++) make_row(made.version, rows[i]);
  for (size_t i = 0; i < count; i++) {
    if (take_rarely()) damage_row(rows[i]);
  }
  *out = (struct ArrowArray){.length = (int64_t)count, .offset = (int64_t)skipped, .n_buffers = 1};
  out->n_children = made.columns;
  out->buffers = make_block(sizeof *out->buffers);
  out->children = make_block((size_t)made.columns * sizeof *out->children);
  for (int column = 0; column < made.columns; column++) {
    struct ArrowArray *array = out->children[column] = make_block(sizeof *array);
    const size_t own = take_below(3);
    for (size_t i = 0; i < count; i++) cells[i] = rows[i][column];
    make_column(array, &made.types[column], cells, count, own + skipped);
    array->offset = (int64_t)own;
    array->length -= array->offset;
  }
  if (take_rarely()) damage_batch(out);
  out->release = release_batch;
  return 0;
}

/* Up to two pairs, as the C data interface has them. */
static char *make_metadata(void) {
  const int32_t count = (int32_t)take_below(3);
  uint8_t *out = make_block(4 + 4 * (4 + CELL_BYTES)), *at = out;
  memcpy(at, &count, 4);
  at += 4;
  for (int32_t i = 0; i < 2 * count; i++) {
    const int32_t size = (int32_t)take_below(24);
    memcpy(at, &size, 4);
    take_bytes(at + 4, (size_t)size);
    at += 4 + size;
  }
  return (char *)out;
}

static struct ArrowSchema *make_field(const char *format, const char *name) {
  struct ArrowSchema *field = make_block(sizeof *field);
  field->format = format;
  field->name = name;
  return field;
}

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  (void)stream;
  *out = (struct ArrowSchema){.format = take_rarely() ? "i" : "+s", .name = "", .n_children = made.columns};
  out->children = make_block((size_t)made.columns * sizeof *out->children);
  out->metadata = take_below(2) == 0 ? NULL : make_metadata();
  for (int i = 0; i < made.columns; i++) {
    const column_type *type = &made.types[i];
    struct ArrowSchema *field = make_field(type->shown, take_rarely() ? NULL : aq_column_name((aq_column)i));
    if (type->dictionary) field->dictionary = make_field(type->inner, "");
    if (!type->dictionary && type->inner != NULL) {
      field->n_children = 1;
      field->children = make_block(sizeof *field->children);
      field->children[0] = make_field(type->inner, "item");
    }
    out->children[i] = field;
  }
  if (take_rarely()) out->children[take_below((uint32_t)made.columns)] = NULL;
  out->release = release_schema;
  return 0;
}

/* ---- what comes of it ---- */

static void compare_tensors(const aq_source *a, const aq_source *b, size_t i) {
  const aq_tensor_info *one = aq_source_tensor(a, i), *other = aq_source_tensor(b, i);
  aq_tensor x, y;
  aq_error err;
  if (strcmp(one->name, other->name) != 0 || one->dtype != other->dtype || one->rank != other->rank) abort();
  if (memcmp(one->shape, other->shape, sizeof one->shape) != 0 || one->quant_type != other->quant_type) abort();
  if (aq_source_load(a, i, &x, &err) != AQ_OK || aq_source_load(b, i, &y, &err) != AQ_OK) abort();
  if (x.data_bytes != y.data_bytes || x.num_scales != y.num_scales) abort();
  if (x.data_bytes > 0 && memcmp(x.data, y.data, x.data_bytes) != 0) abort();
  if (x.num_scales > 0 && memcmp(x.scales, y.scales, x.num_scales * sizeof(float)) != 0) abort();
  if (x.num_scales > 0 && memcmp(x.zero_points, y.zero_points, x.num_scales * sizeof(float)) != 0) abort();
  aq_tensor_release(&x);
  aq_tensor_release(&y);
}

static void check_source(aq_source *source) {
  struct ArrowArrayStream stream;
  aq_source *again;
  aq_error err;
  for (size_t i = 0; i < aq_source_tensor_count(source); i++) {
    const aq_tensor_info *t = aq_source_tensor(source, i);
    float value;
    if (t->name[0] == '\0') return; /* cannot be exported */
    const aq_status wanted = aq_dtype_is_opaque(t->dtype) ? AQ_ERR_UNSUPPORTED : AQ_OK;
    if (t->num_params > 0 && aq_source_read_f32(source, i, t->num_params - 1, 1, &value, &err) != wanted) abort();
  }
  if (aq_source_export_arrow(source, &stream, &err) != AQ_OK) abort();
  if (aq_source_open_arrow(&stream, &again, &err) != AQ_OK) abort();
  if (aq_source_tensor_count(again) != aq_source_tensor_count(source)) abort();
  for (size_t i = 0; i < aq_source_tensor_count(source); i++) compare_tensors(source, again, i);
  aq_source_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ArrowArrayStream stream = {.get_schema = get_schema, .get_next = get_batch, .release = release_stream};
  aq_source *source;
  aq_error err;
  input.at = data;
  input.end = data + size;
  made.version = 1 + (int)take_below(2);
  made.columns = made.version == 2 ? AQ_COLUMNS_V2 : AQ_COLUMNS_V1;
  made.batches = 1 + (int)take_below(MOST_BATCHES);
  made.fails = take_rarely();
  made.given = 0;
  for (int i = 0; i < made.columns; i++) made.types[i] = make_type((aq_column)i);
  if (aq_source_open_arrow(&stream, &source, &err) == AQ_OK) {
    check_source(source);
    aq_source_close(source);
  } else if (source != NULL || err.message[0] == '\0') {
    abort();
  }
  if (stream.release != NULL) abort();
  free_blocks();
  return 0;
}
