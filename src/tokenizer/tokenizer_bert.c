/* tokenizer_bert.c - the stages that BertTokenizer and MPNetTokenizer of transformers make by themselves: BERT's, as
 * tokenizer_config.json has them. */
#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "tokenizer/character_pass.h"
#include "tokenizer/decoder_words.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/wordpiece.h"

static aq_status add_normalizer(aq_tokenizer *t, const json_t *config, aq_error *err) {
  aq_character_pass pass = {.clean_text = true};
  void *state;
  AQ_TRY(aq_json_bool(config, "do_lower_case", true, &pass.lowercase, err));
  AQ_TRY(aq_json_bool(config, "tokenize_chinese_chars", true, &pass.space_chinese, err));
  AQ_TRY(aq_json_bool(config, "strip_accents", pass.lowercase, &pass.strip_accents, err));
  AQ_TRY(aq_character_pass_make(&pass, &state, err));
  return aq_normalizers_add(&t->normalizers, &aq_normalizer_bert, state, err);
}

/* A special token may be given as a text or as an object of an added token. */
static aq_status read_special_text(const json_t *config, const char *key, const char *otherwise, const char **text,
                                   aq_error *err) {
  const json_t *value = json_object_get(config, key);
  return json_is_object(value) ? aq_json_text(value, "content", otherwise, text, err)
                               : aq_json_text(config, key, otherwise, text, err);
}

static aq_status set_wordpiece(aq_tokenizer *t, const json_t *config, aq_error *err) {
  static const char key[] = "unk_token";
  const aq_token_model_type *type = &aq_token_model_wordpiece;
  aq_wordpiece_options options = {.max_word = 100, .prefix = "##"};
  const char *unknown;
  AQ_FAIL_IF(t->model.type != NULL && t->model.type != type, AQ_ERR_UNSUPPORTED,
             "the tokenizer's model is '%s', and its class is one of '%s'", t->model.type->base.name, type->base.name);
  AQ_TRY(read_special_text(config, key, "[UNK]", &unknown, err));
  AQ_FAIL_IF(json_is_null(json_object_get(config, key)), AQ_ERR_UNSUPPORTED, "'%s' is null", key);
  options.unknown = aq_token_model_id_of(&t->model, unknown, strlen(unknown));
  AQ_FAIL_IF(options.unknown < 0, AQ_ERR_FORMAT, "the vocabulary does not hold the %s '%.60s'", key, unknown);
  AQ_TRY(aq_wordpiece_make(&options, &t->model.vocab, &t->model.state, err));
  t->model.type = type;
  return AQ_OK;
}

aq_status aq_tokenizer_read_bert(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  const json_t *config = roots->config;
  AQ_FAIL_IF(roots->merges != NULL, AQ_ERR_UNSUPPORTED,
             "the tokenizer's class needs a tokenizer.json or a vocab.txt, and there is a vocab.json");
  AQ_TRY(add_normalizer(tokenizer, config, err));
  void *decoder;
  tokenizer->pre_tokenizer.type = &aq_pre_tokenizer_bert;
  AQ_TRY(aq_decoder_wordpiece_make("##", true, &decoder, err));
  AQ_TRY(aq_decoders_add(&tokenizer->decoders, &aq_decoder_wordpiece, decoder, err));
  return set_wordpiece(tokenizer, config, err);
}
