/* fuzz_spm.c - any bytes as a model of SentencePiece. The first byte says the class that makes a tokenizer of it, the
 * rest of the first line is a text, and what follows is the file. Making it must end in an error with words, or in a
 * tokenizer that encodes the text (but a BPE without the token for what is unknown, and a charsmap that points outside
 * itself) and makes a text of the ids. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrowquant.h"
#include "arrowquant_experimental.h"
#include "core/utf8.h"
#include "tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLASS(name, more) "{\"tokenizer_class\":\"" name "\",\"extra_ids\":2" more "}"
#define NAMES ",\"cls_token\":\"<s>\",\"sep_token\":\"</s>\""

static aq_tokenizer *make(uint8_t choice, const char *model, size_t size) {
  static char classes[][120] = {
      CLASS("XLMRobertaTokenizer", ""),   CLASS("CamembertTokenizer", ""),
      CLASS("AlbertTokenizer", NAMES),    CLASS("T5Tokenizer", ""),
      CLASS("DebertaV2Tokenizer", NAMES), CLASS("LlamaTokenizer", ",\"add_bos_token\":true"),
      CLASS("GemmaTokenizer", ""),        CLASS("PreTrainedTokenizerFast", ",\"add_eos_token\":true")};
  char *config = classes[choice % (sizeof classes / sizeof classes[0])];
  aq_tokenizer_files files = {.texts = {{0}}};
  aq_tokenizer *t = NULL;
  aq_error err;
  char *copy = malloc(size + 1); /* so that a byte too many is seen */
  if (copy == NULL) abort();
  memcpy(copy, model, size);
  copy[size] = '\0';
  files.texts[AQ_TEXT_CONFIG] = (aq_named_text){config, strlen(config), NULL};
  files.texts[AQ_TEXT_SPM] = (aq_named_text){copy, size, NULL};
  const aq_status status = aq_tokenizer_make(&files, &t, &err);
  if ((status == AQ_OK) != (t != NULL) || (status != AQ_OK && err.message[0] == '\0')) abort();
  free(copy);
  return t;
}

static void check(const aq_tokenizer *t, const uint8_t *text, size_t size) {
  aq_token_ids ids = {0};
  aq_error err;
  char *back = NULL;
  size_t length = 0;
  const aq_status status = aq_tokenizer_encode(t, (const char *)text, size, 0, true, &ids, &err);
  if (status != AQ_OK && (status != AQ_ERR_FORMAT || err.message[0] == '\0')) abort();
  for (size_t i = 0; i < ids.count; i++) {
    if (ids.ids[i] < 0 || ids.ids[i] >= aq_tokenizer_id_end(t)) abort();
  }
  if (status == AQ_OK && aq_tokenizer_decode(t, ids.ids, ids.count, false, &back, &length, &err) != AQ_OK) abort();
  if (back != NULL && aq_utf8_valid((const uint8_t *)back, length) != length) abort();
  aq_free(back);
  aq_free(ids.ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *line_end = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
  if (line_end == NULL) return 0;
  const size_t line = (size_t)(line_end - data) - 1;
  aq_tokenizer *t = make(data[0], (const char *)line_end + 1, size - line - 2);
  if (t != NULL) check(t, data + 1, line);
  aq_tokenizer_close(t);
  return 0;
}
