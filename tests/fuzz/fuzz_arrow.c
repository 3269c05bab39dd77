/* fuzz_arrow.c - Arrow record batches that are made after the bytes of an input. The interface does not say how long
 * buffers are, so they are long enough here, and each is memory of its own, past which nothing may be read; what stands
 * in them, the types of the columns, nulls, offsets and the structure follow the input. Opening must end in an error
 * that has words, or in tensors that can all be read and that a stream made of them gives again. */
#include <errno.h>

#include "arrow_arrays.h"
#include "tensor/dtype.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_BATCHES = 3 };

/* ---- the stream ---- */

static struct {
  int version, columns, batches, given;
  bool fails;
  column_type types[AQ_COLUMNS_V2];
} made;

/* Damage that a consumer can see and must refuse, of one column, */
static void damage_array(struct ArrowArray *array, uint32_t kind) {
  switch (kind) {
    case 0:
      array->n_buffers = take_below(6) - 1;
      break;
    case 1:
      array->buffers = NULL;
      break;
    case 2:
      array->null_count = (int64_t)take_below(12) - 3;
      break;
    case 3:
      array->length = (int64_t)take_below((uint32_t)array->length + 2) - 1;
      break;
    case 4:
      array->offset = take_below(2) == 0 ? -1 : INT64_MAX - take_below(2);
      break;
    case 5:
      array->dictionary = NULL;
      break;
    case 6:
      array->children = NULL;
      break;
    case 7:
      array->n_children = take_below(3);
      break;
    default:
      if (array->n_buffers > 0) array->buffers[take_below((uint32_t)array->n_buffers)] = NULL;
  }
}

/* or of the batch. */
static void damage_batch(struct ArrowArray *batch) {
  struct ArrowArray **column = &batch->children[take_below((uint32_t)made.columns)];
  switch (take_below(16)) {
    case 0:
      batch->n_children = take_below(12);
      break;
    case 1:
      *column = NULL;
      break;
    case 2:
      batch->length = take_below(2) == 0 ? -1 : INT64_MAX;
      break;
    case 3:
      batch->offset = take_below(2) == 0 ? -1 : INT64_MAX;
      break;
    case 4:
      batch->n_buffers = take_below(3);
      break;
    case 5:
      batch->children = NULL;
      break;
    case 6:
      batch->null_count = -1;
      break;
    default:
      damage_array(*column, take_below(9));
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
