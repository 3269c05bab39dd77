/* tokenizer_unigram.c - the stages that XLMRobertaTokenizer, CamembertTokenizer, AlbertTokenizer, DebertaV2Tokenizer
 * and T5Tokenizer of transformers make by themselves: of a tokenizer.json or a model of SentencePiece they take the
 * pieces and scores, and all but DeBERTa the charsmap. Scores are read by Python there, which rounds correctly. */
#include <math.h>
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "tokenizer/spm_model.h"
#include "tokenizer/token_specs.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_spm.h"
#include "tokenizer/unigram.h"

#define WORD_MARK "\xE2\x96\x81" /* U+2581, which stands for a space in pieces */
#define METASPACE(scheme) \
  "{\"type\":\"Metaspace\",\"replacement\":\"" WORD_MARK "\",\"prepend_scheme\":\"" scheme "\",\"split\":true}"
#define STEPS(first, scheme)                                                                                           \
  "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" first METASPACE(scheme) "]},\"decoder\":" METASPACE( \
      scheme) "}"
#define WORDS(scheme) STEPS("{\"type\":\"WhitespaceSplit\"},", scheme)
#define PUNCTUATION(scheme) STEPS("{\"type\":\"Punctuation\",\"behavior\":\"Isolated\"},", scheme)
#define NORMALIZER(types) "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[" types "]}}"
#define REPLACE(kind, from, to) "{\"type\":\"Replace\",\"pattern\":{\"" kind "\":\"" from "\"},\"content\":\"" to "\"}"

/* A member of tokenizer_config.json that Python asks for its truth: null is false. */
static aq_status read_flag(const json_t *config, const char *key, bool otherwise, bool *out, aq_error *err) {
  AQ_TRY(aq_json_bool(config, key, otherwise, out, err));
  *out = *out && !json_is_null(json_object_get(config, key));
  return AQ_OK;
}

static aq_status read_unknown(const json_t *config, const char *otherwise, const char **out, aq_error *err) {
  static const char key[] = "unk_token";
  const json_t *value = json_object_get(config, key);
  aq_token_spec unknown = {.content = otherwise};
  AQ_FAIL_IF(json_is_null(value), AQ_ERR_UNSUPPORTED, "'%s' is null", key);
  if (value != NULL) AQ_TRY(aq_token_spec_parse(value, key, &unknown, err));
  *out = unknown.content;
  return AQ_OK;
}

static aq_status check_model(const aq_tokenizer *t, const aq_tokenizer_roots *roots, aq_error *err) {
  const aq_token_model_type *type = &aq_token_model_unigram;
  AQ_FAIL_IF(roots->json == NULL && roots->spm == NULL, AQ_ERR_UNSUPPORTED,
             "the tokenizer's class needs a tokenizer.json, or a model of SentencePiece");
  AQ_FAIL_IF(t->model.type != type, AQ_ERR_UNSUPPORTED, "the tokenizer's model is '%s', and its class is one of '%s'",
             t->model.type->base.name, type->base.name);
  return AQ_OK;
}

static aq_status set_model(aq_tokenizer *t, int64_t unknown, aq_error *err) {
  const aq_unigram_options options = {.unknown = unknown, .scores_nearest = true};
  return aq_unigram_make(&options, &t->model.vocab, &t->model.state, err);
}

/* The charsmap of a model of SentencePiece, or the first one of the normalizer of a tokenizer.json, which may be one of
 * a Sequence. */
static aq_status add_charsmap(aq_tokenizer *t, const aq_tokenizer_roots *roots, aq_error *err) {
  if (roots->spm != NULL) return aq_tokenizer_spm_add_charsmap(t, roots, err);
  const json_t *root = roots->json, *normalizer = json_object_get(root, "normalizer"),
               *listed = json_object_get(normalizer, "normalizers");
  const char *type = json_string_value(json_object_get(normalizer, "type"));
  const bool is_sequence = type != NULL && strcmp(type, "Sequence") == 0;
  const size_t count = is_sequence ? json_array_size(listed) : 1;
  for (size_t i = 0; i < count; i++) {
    const json_t *one = is_sequence ? json_array_get(listed, i) : normalizer;
    type = json_string_value(json_object_get(one, "type"));
    if (type == NULL || strcmp(type, aq_normalizer_precompiled.base.name) != 0) continue;
    return aq_normalizers_read(&t->normalizers, one, err);
  }
  return AQ_OK;
}

/* The stages of XLMRobertaTokenizer behind the normalizer; AlbertTokenizer has the same. */
static aq_status set_words(aq_tokenizer *t, const json_t *config, aq_error *err) {
  bool prepends;
  AQ_TRY(read_flag(config, "add_prefix_space", true, &prepends, err));
  return aq_tokenizer_read_stages(t, prepends ? WORDS("always") : WORDS("never"), err);
}

aq_status aq_tokenizer_read_xlm_roberta(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  AQ_TRY(check_model(tokenizer, roots, err));
  AQ_TRY(set_model(tokenizer, 3, err));
  AQ_TRY(add_charsmap(tokenizer, roots, err));
  return set_words(tokenizer, roots->config, err);
}

/* U+2581 is always before the words of T5, whatever the configuration says. */
aq_status aq_tokenizer_read_t5(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  AQ_TRY(check_model(tokenizer, roots, err));
  AQ_TRY(set_model(tokenizer, 2, err));
  AQ_TRY(add_charsmap(tokenizer, roots, err));
  return aq_tokenizer_read_stages(tokenizer, WORDS("always"), err);
}

aq_status aq_tokenizer_read_camembert(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  const char *unknown = NULL;
  AQ_TRY(check_model(tokenizer, roots, err));
  AQ_TRY(read_unknown(roots->config, "<unk>", &unknown, err));
  const int32_t id = aq_token_model_id_of(&tokenizer->model, unknown, strlen(unknown));
  AQ_TRY(set_model(tokenizer, id >= 0 ? id : 0, err));
  AQ_TRY(add_charsmap(tokenizer, roots, err));
  return set_words(tokenizer, roots->config, err);
}

aq_status aq_tokenizer_read_albert(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  bool lowers, keeps_accents;
  AQ_TRY(check_model(tokenizer, roots, err));
  AQ_TRY(set_model(tokenizer, 1, err));
  AQ_TRY(read_flag(roots->config, "do_lower_case", true, &lowers, err));
  AQ_TRY(read_flag(roots->config, "keep_accents", false, &keeps_accents, err));
  AQ_TRY(aq_tokenizer_read_stages(
      tokenizer, NORMALIZER(REPLACE("String", "``", "\\\"") "," REPLACE("String", "''", "\\\"")), err));
  if (!keeps_accents) {
    AQ_TRY(aq_tokenizer_read_stages(tokenizer, NORMALIZER("{\"type\":\"NFKD\"},{\"type\":\"StripAccents\"}"), err));
  }
  if (lowers) AQ_TRY(aq_tokenizer_read_stages(tokenizer, NORMALIZER("{\"type\":\"Lowercase\"}"), err));
  AQ_TRY(add_charsmap(tokenizer, roots, err));
  AQ_TRY(set_words(tokenizer, roots->config, err));
  return aq_post_processor_read(&tokenizer->frame, json_object_get(roots->json, "post_processor"), err);
}

/* The id of the piece with the text of the unknown token and the score 0, else that of a model of SentencePiece, else
 * "unk_id" of the configuration. */
static aq_status find_deberta_unknown(const aq_tokenizer *t, const aq_tokenizer_roots *roots, int64_t *out,
                                      aq_error *err) {
  const json_t *config = roots->config;
  const char *unknown = NULL;
  AQ_TRY(read_unknown(config, "[UNK]", &unknown, err));
  const int32_t id = aq_token_model_id_of(&t->model, unknown, strlen(unknown));
  const aq_piece_score *scores = (const void *)t->model.vocab.scores.data;
  const json_t *number = json_object_get(config, "unk_id");
  *out = 1;
  AQ_FAIL_IF(number != NULL && !aq_whole_ok(json_is_number(number) ? json_number_value(number) : NAN, 31, out),
             AQ_ERR_FORMAT, "'unk_id' is not a whole number");
  if (roots->spm != NULL) *out = roots->spm->unknown;
  if (id >= 0 && !(scores[id].nearest < 0) && !(scores[id].nearest > 0)) *out = id;
  return AQ_OK;
}

aq_status aq_tokenizer_read_deberta(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  bool lowers, splits, prepends;
  int64_t unknown;
  AQ_TRY(check_model(tokenizer, roots, err));
  AQ_TRY(find_deberta_unknown(tokenizer, roots, &unknown, err));
  AQ_TRY(set_model(tokenizer, unknown, err));
  AQ_TRY(read_flag(roots->config, "do_lower_case", false, &lowers, err));
  AQ_TRY(read_flag(roots->config, "split_by_punct", false, &splits, err));
  AQ_TRY(read_flag(roots->config, "add_prefix_space", true, &prepends, err));
  if (lowers) AQ_TRY(aq_tokenizer_read_stages(tokenizer, NORMALIZER("{\"type\":\"Lowercase\"}"), err));
  AQ_TRY(aq_tokenizer_read_stages(
      tokenizer,
      NORMALIZER(REPLACE("Regex", "\\\\s{2,}|[\\\\n\\\\r\\\\t]",
                         " ") ",{\"type\":\"NFC\"},"
                              "{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true}"),
      err));
  if (splits) return aq_tokenizer_read_stages(tokenizer, prepends ? PUNCTUATION("always") : PUNCTUATION("first"), err);
  return aq_tokenizer_read_stages(tokenizer, prepends ? STEPS("", "always") : STEPS("", "first"), err);
}
