/* arrow_export.c - a source as a stream of record batches. Nothing is read before a batch is asked for. */
#include "io/arrow/arrow_export.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/arrow/arrow_batch.h"
#include "io/arrow/arrow_schema.h"
#include "parquet/parquet.h"

enum { BATCH_ROWS = 1024 };

typedef struct stream {
  const aq_source *source; /* a hold */
  int version;
  aq_arrow_limits limits;
  aq_arrow_cursor cursor;
  char message[2048]; /* of the last failure */
} stream;

/* ---- the functions of the stream ---- */

/* Remembers the words, and gives the errno that says it best. */
static int failure(stream *s, const aq_error *err) {
  (void)aq_error_format(err, s->message, sizeof s->message);
  return err->code == AQ_ERR_MEMORY ? ENOMEM : err->code == AQ_ERR_UNSUPPORTED ? ENOTSUP : EIO;
}

static int get_schema(struct ArrowArrayStream *self, struct ArrowSchema *out) {
  stream *s = self->private_data;
  aq_error err;
  aq_error_clear(&err);
  *out = (struct ArrowSchema){0};
  return aq_arrow_schema_make(s->source, s->version, false, out, &err) == AQ_OK ? 0 : failure(s, &err);
}

static uint64_t row_bytes(const stream *s, const aq_arrow_row *row) {
  return row->data_bytes + 2 * row->scale_bytes + strlen(s->source->names[row->tensor]);
}

/* The rows of the next batch; the cursor moves past them. */
static size_t take_rows(stream *s, aq_arrow_row rows[BATCH_ROWS]) {
  size_t count = 0;
  uint64_t total = 0;
  while (count < BATCH_ROWS) {
    aq_arrow_cursor next = s->cursor;
    if (!aq_arrow_next_row(s->source, &next, s->limits.value_bytes, &rows[count])) break;
    const uint64_t bytes = row_bytes(s, &rows[count]);
    const bool alone = bytes >= s->limits.alone_bytes;
    if (count > 0 && (alone || total + bytes > s->limits.batch_bytes)) break;
    s->cursor = next;
    count++;
    total += bytes;
    if (alone) break;
  }
  return count;
}

static int get_next(struct ArrowArrayStream *self, struct ArrowArray *out) {
  stream *s = self->private_data;
  aq_error err;
  aq_error_clear(&err);
  *out = (struct ArrowArray){0}; /* without a release: the end of the stream */
  aq_arrow_row *rows = aq_calloc(BATCH_ROWS, sizeof *rows);
  if (rows == NULL) {
    (void)aq_fail_memory(&err, BATCH_ROWS * sizeof *rows);
    return failure(s, &err);
  }
  const aq_arrow_cursor before = s->cursor;
  const size_t count = take_rows(s, rows);
  const aq_status status = count > 0 ? aq_arrow_batch_make(s->source, s->version, rows, count, out, &err) : AQ_OK;
  aq_free(rows);
  if (status == AQ_OK) return 0;
  s->cursor = before; /* asked again, nothing is left out */
  return failure(s, &err);
}

static const char *get_last_error(struct ArrowArrayStream *self) {
  const stream *s = self->private_data;
  return s->message[0] != '\0' ? s->message : NULL;
}

static void release_stream(struct ArrowArrayStream *self) {
  stream *s = self->private_data;
  self->release = NULL;
  aq_source_drop(s->source);
  aq_free(s);
}

/* ---- handing it out ---- */

static int schema_version(const aq_source *source) {
  bool quantized = source->schema_version == 2;
  for (size_t i = 0; i < source->tensor_count && !quantized; i++) quantized = source->tensors[i].quant_type != AQ_KEPT;
  return quantized ? 2 : 1;
}

aq_status aq_arrow_export(const aq_source *source, const aq_arrow_limits *limits, struct ArrowArrayStream *out,
                          aq_error *err) {
  out->release = NULL;
  AQ_TRY(aq_arrow_rows_check(source, limits->value_bytes, err));
  stream *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  aq_source_hold(source);
  s->source = source;
  s->version = schema_version(source);
  s->limits = *limits;
  *out = (struct ArrowArrayStream){.get_schema = get_schema,
                                   .get_next = get_next,
                                   .get_last_error = get_last_error,
                                   .release = release_stream,
                                   .private_data = s};
  return AQ_OK;
}

aq_status aq_source_export_arrow(const aq_source *source, struct ArrowArrayStream *out, aq_error *err) {
  static const aq_arrow_limits limits = {
      .value_bytes = AQ_PQ_MAX_VALUE, .alone_bytes = (uint64_t)1 << 20, .batch_bytes = (uint64_t)16 << 20};
  aq_error_clear(err);
  AQ_FAIL_IF(out == NULL, AQ_ERR_ARGUMENT, "a stream to fill is needed");
  out->release = NULL;
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  return aq_arrow_export(source, &limits, out, err);
}
