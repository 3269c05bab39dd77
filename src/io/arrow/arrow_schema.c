/* arrow_schema.c - making the schema of a weight table. As in arrow_batch.c, the parts share one block of memory. */
#include "io/arrow/arrow_schema.h"

#include <string.h>

#include "core/buffer.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/arrow/arrow_message.h"
#include "io/table/table_row.h"

typedef struct schema {
  atomic_int shares; /* nodes that are not released */
  aq_buffer metadata;
  struct ArrowSchema columns[AQ_COLUMNS_V2], element;
  struct ArrowSchema *column_pointers[AQ_COLUMNS_V2], *element_pointer;
} schema;

static void free_schema(schema *s) {
  aq_buffer_reset(&s->metadata);
  aq_free(s);
}

static void release_schema(struct ArrowSchema *node) {
  schema *s = node->private_data;
  for (int64_t i = 0; i < node->n_children; i++) {
    struct ArrowSchema *child = node->children[i];
    if (child->release != NULL) child->release(child); /* NULL: moved elsewhere */
  }
  node->release = NULL;
  if (atomic_fetch_sub(&s->shares, 1) == 1) free_schema(s);
}

/* ---- metadata ---- */

/* What the schema does not carry: aliases where they are rows of the stream, and the Arrow schema stored in a Parquet
 * file, which is that of the program that wrote it. */
static bool is_carried(const char *key, bool aliases) {
  return (aliases || strcmp(key, AQ_ALIASES_KEY) != 0) && strcmp(key, AQ_ARROW_SCHEMA_KEY) != 0;
}

static aq_status put_int32(aq_buffer *out, size_t value, aq_error *err) {
  AQ_FAIL_IF(value > INT32_MAX, AQ_ERR_UNSUPPORTED, "the metadata are too large for an Arrow schema");
  const int32_t number = (int32_t)value;
  return aq_buffer_append(out, &number, sizeof number, err);
}

static aq_status put_text(aq_buffer *out, const char *text, aq_error *err) {
  AQ_TRY(put_int32(out, strlen(text), err));
  return aq_buffer_append(out, text, strlen(text), err);
}

/* C data interface, "metadata": int32 count, then for each pair int32 and bytes of the key, of the value. */
static aq_status put_metadata(aq_buffer *out, const aq_source *source, bool aliases, aq_error *err) {
  size_t count = 0;
  for (size_t i = 0; i < source->metadata_count; i++) count += is_carried(source->metadata[2 * i], aliases) ? 1 : 0;
  if (count == 0) return AQ_OK;
  AQ_TRY(put_int32(out, count, err));
  for (size_t i = 0; i < source->metadata_count; i++) {
    if (!is_carried(source->metadata[2 * i], aliases)) continue;
    AQ_TRY(put_text(out, source->metadata[2 * i], err));
    AQ_TRY(put_text(out, source->metadata[2 * i + 1], err));
  }
  return AQ_OK;
}

/* ---- fields ---- */

static void finish_node(schema *s, struct ArrowSchema *node, const char *name, const char *format) {
  *node = (struct ArrowSchema){
      .format = format, .name = name, .flags = ARROW_FLAG_NULLABLE, .release = release_schema, .private_data = s};
  (void)atomic_fetch_add(&s->shares, 1);
}

static void finish_column(schema *s, aq_column column) {
  static const char *const formats[] = {
      [AQ_TYPE_STRING] = "u", [AQ_TYPE_BINARY] = "z", [AQ_TYPE_INTEGER] = "i", [AQ_TYPE_LIST] = "+l"};
  struct ArrowSchema *node = &s->columns[column];
  finish_node(s, node, aq_column_name(column),
              column == AQ_COLUMN_NUM_PARAMS ? "l" : formats[aq_column_type_of(column)]);
  s->column_pointers[column] = node;
  if (aq_column_type_of(column) != AQ_TYPE_LIST) return;
  finish_node(s, &s->element, "element", "i");
  s->element_pointer = &s->element;
  node->n_children = 1;
  node->children = &s->element_pointer;
}

aq_status aq_arrow_schema_make(const aq_source *source, int version, bool aliases, struct ArrowSchema *out,
                               aq_error *err) {
  schema *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  const aq_status status = put_metadata(&s->metadata, source, aliases, err);
  if (status != AQ_OK) {
    free_schema(s);
    return status;
  }
  const size_t columns = version == 2 ? AQ_COLUMNS_V2 : AQ_COLUMNS_V1;
  for (size_t i = 0; i < columns; i++) finish_column(s, (aq_column)i);
  finish_node(s, out, "", "+s");
  out->flags = 0;
  out->metadata = (const char *)s->metadata.data;
  out->n_children = (int64_t)columns;
  out->children = s->column_pointers;
  return AQ_OK;
}
