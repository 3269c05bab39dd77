/* fuzz_texts.c - any bytes as a line of JSON whose text is asked for: an error with words, or a text in UTF-8; and as
 * the first bytes of a file of texts, and as UTF-8. */
#include <stdint.h>
#include <stdlib.h>

#include "core/json_line.h"
#include "core/utf8.h"
#include "io/text_kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aq_buffer text = {0};
  aq_error err;
  const aq_status status = aq_json_line_text(data, size, "t", &text, &err);
  if (status != AQ_OK && (text.size != 0 || err.message[0] == '\0')) abort();
  if (status == AQ_OK && text.size > 0 && aq_utf8_valid(text.data, text.size) != text.size) abort();
  aq_buffer_reset(&text);
  const aq_text_kind *kind = aq_text_kind_find(data, size);
  if (kind != NULL && (kind->name == NULL || kind->hint == NULL)) abort();
  if (aq_utf8_valid(data, size) > size) abort();
  return 0;
}
