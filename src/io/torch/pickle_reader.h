/* pickle_reader.h - the bytes of a pickle, read one after another from a range of a file.
 *
 * Nothing is believed: a read that would pass the end of the range is an error that names the byte. */
#ifndef AQ_IO_TORCH_PICKLE_READER_H
#define AQ_IO_TORCH_PICKLE_READER_H

#include "arrowquant.h"
#include "core/file.h"

/* Bytes that a pickle may have; what is longer is data, which belongs into storages. */
#define AQ_PICKLE_MAX ((uint64_t)100000000)

typedef struct aq_pickle_reader {
  const aq_file *file;
  uint64_t begin; /* of the pickle in the file; errors count from the file's beginning */
  uint64_t at;    /* of the next byte */
  uint64_t end;   /* what is read lies before it */
  uint64_t window_at;
  size_t window_size;
  uint8_t window[8192];
} aq_pickle_reader;

/* Reads bytes [begin, end) of the file, which has them. */
void aq_pickle_reader_init(aq_pickle_reader *reader, const aq_file *file, uint64_t begin, uint64_t end);

/* The next `size` bytes. AQ_ERR_CORRUPT past the end, AQ_ERR_UNSUPPORTED when the pickle is longer than AQ_PICKLE_MAX.
 */
AQ_MUST_CHECK aq_status aq_pickle_reader_read(aq_pickle_reader *reader, void *out, size_t size, aq_error *err);

/* Fails as a read of `size` bytes would: before memory for them is allocated. */
AQ_MUST_CHECK aq_status aq_pickle_reader_expect(const aq_pickle_reader *reader, uint64_t size, aq_error *err);

/* An unsigned little-endian number of `width` bytes, 1 to 8. */
AQ_MUST_CHECK aq_status aq_pickle_reader_number(aq_pickle_reader *reader, size_t width, uint64_t *out, aq_error *err);

#endif
