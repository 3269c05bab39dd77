/* fuzz_zstd_text.c - any bytes as a compressed file in a table's metadata: as the value, and, since few bytes are
 * base64, as the frame that the value holds. Whatever they are, there is a text of the promised size or an error with
 * words. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/memory.h"
#include "io/zstd_text.h"

#define MAX_TEXT ((size_t)1 << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_value(const char *value) {
  char *text;
  size_t size;
  uint64_t told = 0;
  aq_error err;
  memset(&err, 0, sizeof err);
  const aq_status status = aq_zstd_text_read(value, MAX_TEXT, &text, &size, &err);
  if (status != AQ_OK) {
    if (err.message[0] == '\0' || text != NULL) abort();
    return;
  }
  if (size > MAX_TEXT || text[size] != '\0' || !aq_zstd_text_size(value, &told) || told != size) abort();
  aq_free(text);
}

/* What is decoded is written the same way again: a value has one form. */
static void read_base64(const char *text) {
  const size_t length = strlen(text);
  uint8_t *bytes = malloc(aq_base64_room(length) + 1);
  char *again = malloc(length + 1);
  size_t size;
  if (bytes == NULL || again == NULL) abort();
  if (aq_base64_decode(text, length, bytes, &size)) {
    if (aq_base64_length(size) != length) abort();
    aq_base64_encode(bytes, size, again);
    if (strcmp(again, text) != 0) abort();
  }
  free(again);
  free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *value = malloc(size + 1), *frame = malloc(aq_base64_length(size) + 1);
  if (value == NULL || frame == NULL) abort();
  memcpy(value, data, size);
  value[size] = '\0';
  aq_base64_encode(data, size, frame);
  read_base64(value);
  read_value(value);
  read_value(frame);
  free(frame);
  free(value);
  return 0;
}
