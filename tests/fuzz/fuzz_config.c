/* fuzz_config.c - any bytes as the configuration of an encoder, and config.json as that of a decoder. Texts are parted
 * by bytes of zero: config.json, modules.json, config_sentence_transformers.json, then a config.json for each module.
 * Parsing must end in an error that has words, or in numbers that are within bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"
#include "model/decoder_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next text, with a zero after its end; NULL when there is none. */
static char *next_text(const uint8_t **data, size_t *left, size_t *size) {
  if (*left == 0) return NULL;
  const uint8_t *end = memchr(*data, 0, *left);
  const size_t length = end != NULL ? (size_t)(end - *data) : *left, passed = end != NULL ? length + 1 : length;
  char *text = calloc(length + 1, 1);
  if (text == NULL) abort();
  memcpy(text, *data, length);
  *data += passed;
  *left -= passed;
  *size = length;
  return text;
}

static void check(const aq_model_config *c) {
  if (c->hidden == 0 || c->heads == 0 || c->hidden % c->heads != 0 || c->layers == 0 || c->inner == 0) abort();
  if (c->vocabulary == 0 || c->first_position >= c->positions) abort();
  if (c->max_tokens == 0 || c->max_tokens > c->position_limit) abort();
  if (c->position_limit > c->positions - c->first_position) abort();
  if (c->padding >= 0 && c->first_position == 0) abort(); /* its row is the one before */
  if (c->padding >= (int64_t)1 << 24 || !(c->epsilon >= 0 && c->epsilon <= 1) || c->activation == NULL) abort();
}

static void check_decoder(const aq_model_config *c, const aq_decoder_config *d) {
  if (c->hidden == 0 || c->layers == 0 || c->vocabulary == 0 || c->positions == 0) abort();
  if (!(c->epsilon >= 0 && c->epsilon <= 1)) abort();
  for (uint32_t i = 0; i < c->layers; i++) {
    const aq_layer_spec *l = &d->layers[i];
    if (l->kv_heads == 0 || l->heads % l->kv_heads != 0 || l->width == 0 || l->inner == 0) abort();
    if (l->window == 0 || l->activation == NULL || !(l->scale > 0)) abort();
    if (l->rope == AQ_NO_ROPE) continue;
    if (l->rope >= AQ_ROPES_MAX || d->ropes[l->rope].half == 0 || 2 * d->ropes[l->rope].half > l->width) abort();
  }
}

static void parse_decoder(const aq_config_texts *texts) {
  aq_model_config config;
  aq_decoder_config decoder;
  aq_notes notes = {.count = 0};
  aq_error err;
  memset(&err, 0, sizeof err);
  const aq_status status = aq_decoder_config_parse(texts->config, texts->config_size, &notes, &config, &decoder, &err);
  if (status == AQ_OK) check_decoder(&config, &decoder);
  if (status != AQ_OK && err.message[0] == '\0') abort();
  aq_decoder_config_reset(&decoder);
  aq_notes_reset(&notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aq_config_texts texts = {0};
  aq_notes notes = {.count = 0};
  aq_model_config config;
  aq_error err;
  size_t left = size;
  memset(&err, 0, sizeof err);
  texts.config = next_text(&data, &left, &texts.config_size);
  texts.modules = next_text(&data, &left, &texts.modules_size);
  texts.model = next_text(&data, &left, &texts.model_size);
  for (size_t i = 1; i < AQ_MODULES_MAX; i++) texts.module[i] = next_text(&data, &left, &texts.module_size[i]);
  texts.notes = &notes;
  if (texts.config != NULL) {
    const aq_status status = aq_model_config_parse(&texts, &config, &err);
    if (status == AQ_OK) check(&config);
    if (status != AQ_OK && err.message[0] == '\0') abort();
    parse_decoder(&texts);
  }
  aq_notes_reset(&notes);
  aq_config_texts_reset(&texts);
  return 0;
}
