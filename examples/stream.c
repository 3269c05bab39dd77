/* stream.c - the rows of a table as an Arrow stream, without a copy: how an engine takes a model.
 *
 *   cc stream.c $(pkg-config --cflags --libs arrowquant) -o stream
 *   ./stream MODEL
 *
 * Any consumer of the Arrow C stream interface can take the place of the loop below. */
#include <arrowquant.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int fail(const aq_error *err) {
  char line[2048];
  (void)aq_error_format(err, line, sizeof line);
  fprintf(stderr, "%s\n", line);
  return 1;
}

/* Index of a column by name, -1 when there is none. */
static int64_t find_column(const struct ArrowSchema *schema, const char *name) {
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (strcmp(schema->children[i]->name, name) == 0) return i;
  }
  return -1;
}

/* Names are a column of strings: offsets in buffer 1, bytes in buffer 2. */
static void print_names(const struct ArrowArray *names) {
  const int32_t *offsets = names->buffers[1];
  const char *bytes = names->buffers[2];
  for (int64_t i = names->offset; i < names->offset + names->length; i++) {
    printf("%.*s\n", (int)(offsets[i + 1] - offsets[i]), bytes + offsets[i]);
  }
}

static int print_batches(struct ArrowArrayStream *stream, int64_t column) {
  struct ArrowArray batch;
  int64_t rows = 0, batches = 0;
  for (;;) {
    if (stream->get_next(stream, &batch) != 0) {
      fprintf(stderr, "%s\n", stream->get_last_error(stream));
      return 1;
    }
    if (batch.release == NULL) break; /* the end */
    print_names(batch.children[column]);
    rows += batch.length;
    batches++;
    batch.release(&batch);
  }
  printf("%" PRId64 " rows in %" PRId64 " batches\n", rows, batches);
  return 0;
}

static int print_stream(struct ArrowArrayStream *stream) {
  struct ArrowSchema schema;
  if (stream->get_schema(stream, &schema) != 0) {
    fprintf(stderr, "%s\n", stream->get_last_error(stream));
    return 1;
  }
  const int64_t column = find_column(&schema, "layer_name");
  schema.release(&schema);
  if (column < 0) {
    fprintf(stderr, "there is no column layer_name\n");
    return 1;
  }
  return print_batches(stream, column);
}

int main(int argc, char **argv) {
  aq_error err;
  aq_source *source;
  struct ArrowArrayStream stream;
  if (argc != 2) {
    fprintf(stderr, "usage: %s MODEL\n", argv[0]);
    return 2;
  }
  if (aq_source_open(argv[1], NULL, &source, &err) != AQ_OK) return fail(&err);
  const aq_status status = aq_source_export_arrow(source, &stream, &err);
  aq_source_close(source); /* the stream keeps what it needs */
  if (status != AQ_OK) return fail(&err);
  const int result = print_stream(&stream);
  stream.release(&stream);
  return result;
}
