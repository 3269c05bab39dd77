/* language_model.h - a folder with a tiny decoder and a tokenizer whose tokens are the letters below. */
#ifndef AQ_TESTS_LANGUAGE_MODEL_H
#define AQ_TESTS_LANGUAGE_MODEL_H

#include "arrowquant_experimental.h"
#include "tiny_decoder.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ " /* DEC_WORDS of them */

static char language_folder[512];

/* post: the post-processor of the tokenizer, as JSON. */
static inline void language_write_tokenizer(const char *post) {
  char text[4096];
  size_t n = (size_t)snprintf(text, sizeof text,
                              "{\"added_tokens\":[],\"normalizer\":null,\"pre_tokenizer\":null,\"post_processor\":%s,"
                              "\"decoder\":{\"type\":\"Fuse\"},\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{",
                              post);
  for (int i = 0; i < DEC_WORDS; i++) {
    n += (size_t)snprintf(text + n, sizeof text - n, "%s\"%c\":%d", i > 0 ? "," : "", LETTERS[i], i);
  }
  (void)snprintf(text + n, sizeof text - n, "}}}");
  write_text(language_folder, "tokenizer.json", text);
}

static inline void language_make(void) {
  tiny_encoder model;
  char path[600];
  (void)snprintf(language_folder, sizeof language_folder, "%s", make_folder());
  (void)snprintf(path, sizeof path, "%s/model.safetensors", language_folder);
  dec_make(&model, &tiny_llama);
  tiny_write(&model, path, NULL);
  tiny_free(&model);
  write_text(language_folder, "config.json", tiny_llama.config);
  write_text(language_folder, "tokenizer_config.json", "{\"tokenizer_class\":\"PreTrainedTokenizerFast\"}");
  language_write_tokenizer("null");
}

static inline aq_decoder *language_open(void) {
  aq_error err;
  aq_decoder *decoder = NULL;
  assert_ok(aq_decoder_open(language_folder, NULL, &decoder, &err));
  return decoder;
}

#endif
