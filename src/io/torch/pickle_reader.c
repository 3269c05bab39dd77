/* pickle_reader.c - a window over a file that moves forward only. */
#include "io/torch/pickle_reader.h"

#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"

void aq_pickle_reader_init(aq_pickle_reader *reader, const aq_file *file, uint64_t begin, uint64_t end) {
  reader->file = file;
  reader->begin = reader->at = begin;
  reader->end = end;
  reader->window_at = begin;
  reader->window_size = 0;
}

aq_status aq_pickle_reader_expect(const aq_pickle_reader *reader, uint64_t size, aq_error *err) {
  if (!aq_range_ok(reader->at, size, reader->end)) {
    const aq_status status = aq_fail(err, AQ_ERR_CORRUPT, "the pickle ends at byte %llu, in the middle of a value",
                                     (unsigned long long)reader->end);
    (void)aq_error_hint(err, status, "The file is cut off: download or write it again");
    return aq_error_at(err, status, (int64_t)reader->at);
  }
  const uint64_t done = reader->at - reader->begin;
  AQ_FAIL_IF(done + size > AQ_PICKLE_MAX, AQ_ERR_UNSUPPORTED,
             "the pickle has more than %llu bytes; the data of tensors lie outside of it",
             (unsigned long long)AQ_PICKLE_MAX);
  return AQ_OK;
}

static aq_status move_window(aq_pickle_reader *reader, aq_error *err) {
  const uint64_t left = reader->end - reader->at;
  const size_t size = (size_t)AQ_MIN(left, (uint64_t)sizeof reader->window);
  AQ_TRY(aq_file_read(reader->file, reader->at, size, reader->window, err));
  reader->window_at = reader->at;
  reader->window_size = size;
  return AQ_OK;
}

aq_status aq_pickle_reader_read(aq_pickle_reader *reader, void *out, size_t size, aq_error *err) {
  uint8_t *to = out;
  AQ_TRY(aq_pickle_reader_expect(reader, size, err));
  while (size > 0) {
    if (reader->at == reader->window_at + reader->window_size) AQ_TRY(move_window(reader, err));
    const size_t skip = (size_t)(reader->at - reader->window_at);
    const size_t n = AQ_MIN(size, reader->window_size - skip);
    memcpy(to, reader->window + skip, n);
    to += n;
    reader->at += n;
    size -= n;
  }
  return AQ_OK;
}

aq_status aq_pickle_reader_number(aq_pickle_reader *reader, size_t width, uint64_t *out, aq_error *err) {
  uint8_t bytes[8] = {0};
  AQ_TRY(aq_pickle_reader_read(reader, bytes, width, err));
  *out = 0;
  for (size_t i = width; i > 0; i--) *out = *out << 8 | bytes[i - 1];
  return AQ_OK;
}
