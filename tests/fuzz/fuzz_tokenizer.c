/* fuzz_tokenizer.c - any bytes as a tokenizer's files and as a text. The first line is the text, the rest the files,
 * with U+001E between them: a tokenizer.json or a vocab.txt, then tokenizer_config.json, special_tokens_map.json,
 * added_tokens.json, config.json, the sentence config, and where the first one is empty vocab.json and merges.txt.
 * Making a tokenizer must end in an error or in one that encodes every text (but a BPE without the token for what is
 * unknown), and makes a text of the ids. A tokenizer of a fixed vocabulary encodes the text, too: as a whole, truncated
 * (the same ids, fewer), and repaired (the same). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrowquant.h"
#include "arrowquant_experimental.h"
#include "core/buffer.h"
#include "core/utf8.h"
#include "tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_END '\x1E'

/* The text, which may be cut up, as the files of a tokenizer. */
static aq_tokenizer_files split(char *text, size_t size) {
  aq_tokenizer_files files = {.texts = {{0}}};
  char *at = text, *const end = text + size;
  for (size_t i = text[strspn(text, " \t\r\n")] == '{' ? AQ_TEXT_JSON : AQ_TEXT_VOCAB; i < AQ_TEXT_COUNT; i++) {
    char *stop = memchr(at, FILE_END, (size_t)(end - at));
    if (stop == NULL) stop = end;
    if (stop > at) files.texts[i] = (aq_named_text){at, (size_t)(stop - at), NULL};
    if (i == AQ_TEXT_JSON) i = AQ_TEXT_VOCAB;
    if (stop == end) break;
    *stop = '\0';
    at = stop + 1;
  }
  return files;
}

static aq_tokenizer *make(char *text, size_t size) {
  const aq_tokenizer_files files = split(text, size);
  aq_tokenizer *t = NULL;
  aq_error err;
  const bool is_pair = files.texts[AQ_TEXT_VOCAB_JSON].text != NULL && files.texts[AQ_TEXT_MERGES].text != NULL;
  if (files.texts[AQ_TEXT_JSON].text == NULL && files.texts[AQ_TEXT_VOCAB].text == NULL && !is_pair) return NULL;
  const aq_status status = aq_tokenizer_make(&files, &t, &err);
  if ((status == AQ_OK) != (t != NULL) || (status != AQ_OK && err.message[0] == '\0')) abort();
  return t;
}

static aq_token_ids encode(const aq_tokenizer *t, const void *text, size_t size, uint32_t most) {
  aq_token_ids ids = {0};
  aq_error err;
  const aq_status status = aq_tokenizer_encode(t, text, size, most, false, &ids, &err);
  if (status == AQ_ERR_FORMAT && t->model.type == &aq_token_model_bpe && ids.count == 0) return ids;
  if (status != AQ_OK) abort();
  for (size_t i = 0; i < ids.count; i++) {
    if (ids.ids[i] < 0 || ids.ids[i] >= aq_tokenizer_id_end(t)) abort();
  }
  return ids;
}

/* The text of ids, or words about why there is none. */
static void decode(const aq_tokenizer *t, const aq_token_ids *ids) {
  char *text = NULL;
  size_t size = 0;
  aq_error err;
  const aq_status status = aq_tokenizer_decode(t, ids->ids, ids->count, false, &text, &size, &err);
  if (status != AQ_OK && (status != AQ_ERR_UNSUPPORTED || err.message[0] == '\0')) abort();
  if (status == AQ_OK && aq_utf8_valid((const uint8_t *)text, size) != size) abort();
  aq_free(text);
}

static void check(const aq_tokenizer *t, const uint8_t *text, size_t size) {
  aq_error err;
  aq_buffer repaired = {NULL, 0, 0};
  if (aq_utf8_repair(text, size, &repaired, &err) != AQ_OK) abort();
  if (aq_utf8_valid(repaired.data, repaired.size) != repaired.size) abort();
  aq_token_ids whole = encode(t, text, size, 0), other = encode(t, repaired.data, repaired.size, 0);
  if (whole.count != other.count) abort();
  if (whole.count > 0 && memcmp(whole.ids, other.ids, whole.count * sizeof *whole.ids) != 0) abort();
  aq_free(other.ids);
  if (whole.count > 0) decode(t, &whole);
  if (whole.count > 1) {
    const size_t most = whole.count / 2;
    other = encode(t, text, size, (uint32_t)most);
    const int32_t *kept = t->keeps_end ? whole.ids + whole.count - most : whole.ids;
    if (other.count != most || memcmp(kept, other.ids, most * sizeof *kept) != 0) abort();
    aq_free(other.ids);
  }
  aq_free(whole.ids);
  aq_buffer_reset(&repaired);
}

static const aq_tokenizer *fixed(void) {
  static aq_tokenizer *t;
  static char json[] =
      "{\"added_tokens\":[{\"id\":0,\"content\":\"[MASK]\",\"normalized\":false,\"lstrip\":true},"
      "{\"id\":9,\"content\":\"ab\",\"normalized\":true,\"single_word\":true,\"rstrip\":true}],"
      "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"},{\"type\":\"BertNormalizer\"}]},"
      "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
      "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[MASK]\":0,\"[UNK]\":1,\"a\":2,\"##a\":3,\"b\":4,\"##ba\":5,"
      "\"!\":6,\"##\\u1100\":7,\"\\u4e2d\":8}}}";
  if (t == NULL) t = make(json, sizeof json - 1);
  if (t == NULL) abort();
  return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *line_end = size > 0 ? memchr(data, '\n', size) : NULL;
  const size_t line = line_end != NULL ? (size_t)(line_end - data) : size;
  if (size > 0) check(fixed(), data, line);
  if (line_end == NULL) return 0;
  const size_t rest = size - line - 1;
  char *text = calloc(rest + 1, 1);
  if (text == NULL) return 0;
  memcpy(text, line_end + 1, rest);
  aq_tokenizer *t = make(text, rest);
  if (t != NULL) check(t, data, line);
  aq_tokenizer_close(t);
  free(text);
  return 0;
}
