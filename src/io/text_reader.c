/* text_reader.c - the reader of texts (text_input.h), for those who use the library. */
#include "core/error.h"
#include "core/memory.h"
#include "io/text_input.h"

struct aq_text_reader {
  aq_text_input input;
  char *path, *field; /* copies: the input borrows them */
  aq_buffer text;
};

static aq_status fill_reader(aq_text_reader *reader, const char *path, const char *field, aq_error *err) {
  reader->path = aq_strdup(path);
  reader->field = field != NULL ? aq_strdup(field) : NULL;
  if (reader->path == NULL || (field != NULL && reader->field == NULL)) return aq_fail_memory(err, 256);
  AQ_TRY(aq_text_input_open(&reader->input, reader->path, reader->field, err));
  reader->input.repairs = true;
  return AQ_OK;
}

aq_status aq_text_reader_open(const char *path, const char *field, aq_text_reader **out, aq_error *err) {
  aq_error_clear(err);
  *out = NULL;
  AQ_FAIL_IF(path == NULL, AQ_ERR_ARGUMENT, "a path is needed");
  aq_text_reader *reader = aq_calloc(1, sizeof *reader);
  if (reader == NULL) return aq_fail_memory(err, sizeof *reader);
  const aq_status status = fill_reader(reader, path, field, err);
  if (status != AQ_OK) {
    aq_text_reader_close(reader);
    return status;
  }
  *out = reader;
  return AQ_OK;
}

void aq_text_reader_close(aq_text_reader *reader) {
  if (reader == NULL) return;
  aq_text_input_close(&reader->input);
  aq_buffer_reset(&reader->text);
  aq_free(reader->field);
  aq_free(reader->path);
  aq_free(reader);
}

aq_status aq_text_reader_next(aq_text_reader *reader, const char **text, size_t *length, aq_error *err) {
  bool more = false;
  aq_error_clear(err);
  *text = NULL;
  *length = 0;
  reader->text.size = 0;
  AQ_TRY(aq_text_input_next(&reader->input, &reader->text, length, &more, err));
  if (more) *text = (const char *)reader->text.data;
  return AQ_OK;
}

uint64_t aq_text_reader_broken(const aq_text_reader *reader) { return reader->input.broken; }
