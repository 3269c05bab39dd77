/* tokenizer_vocab.c - a tokenizer of a vocab.txt and a tokenizer_config.json: BERT's, with the options of the
 * configuration. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "model/json_member.h"
#include "model/tokenizer.h"

/* Classes whose vocab.txt is BERT's, and the special tokens of the class. Others have a vocab.txt and mean something
 * else by it (a Japanese BERT asks a morphological analyser first). */
static const struct tokenizer_class {
  const char *name;
  const char *cls, *sep, *pad, *mask;
  bool mask_lstrip;
} classes[] = {
    {"BertTokenizer", "[CLS]", "[SEP]", "[PAD]", "[MASK]", false}, /* when no class is named, too */
    {"DistilBertTokenizer", "[CLS]", "[SEP]", "[PAD]", "[MASK]", false},
    {"ElectraTokenizer", "[CLS]", "[SEP]", "[PAD]", "[MASK]", false},
    {"MobileBertTokenizer", "[CLS]", "[SEP]", "[PAD]", "[MASK]", false},
    {"MPNetTokenizer", "<s>", "</s>", "<pad>", "<mask>", true},
};

/* "BertTokenizerFast" is another implementation of the same. */
static bool is_class(const char *name, const char *class) {
  const size_t length = strlen(class);
  return strncmp(name, class, length) == 0 && (name[length] == '\0' || strcmp(name + length, "Fast") == 0);
}

static aq_status find_class(const json_t *config, const struct tokenizer_class **class, aq_error *err) {
  const char *name;
  AQ_TRY(aq_json_text(config, "tokenizer_class", classes[0].name, &name, err));
  for (size_t i = 0; i < AQ_COUNT_OF(classes); i++) {
    if (!is_class(name, classes[i].name)) continue;
    *class = &classes[i];
    return AQ_OK;
  }
  const aq_status status = aq_fail(err, AQ_ERR_UNSUPPORTED, "the tokenizer's class is '%.80s'", name);
  return aq_error_hint(err, status, "A tokenizer.json may say all that is needed");
}

/* A special token may be given as a text or as an object of an added token. */
static aq_status special_text(const json_t *config, const char *key, const char *otherwise, const char **text,
                              aq_error *err) {
  const json_t *value = json_object_get(config, key);
  return json_is_object(value) ? aq_json_text(value, "content", otherwise, text, err)
                               : aq_json_text(config, key, otherwise, text, err);
}

/* The id of a special token that must be there. */
static aq_status special_id(const aq_tokenizer *t, const json_t *config, const char *key, const char *otherwise,
                            int32_t *id, aq_error *err) {
  const char *text;
  AQ_TRY(special_text(config, key, otherwise, &text, err));
  *id = aq_vocab_find(&t->pieces.vocab, text, strlen(text));
  AQ_FAIL_IF(*id < 0, AQ_ERR_FORMAT, "the vocabulary does not hold the %s '%.60s'", key, text);
  return AQ_OK;
}

/* A special token in the text counts, unless the list of added tokens has spoken of it. */
static aq_status add_special(aq_tokenizer *t, const json_t *config, const char *key, const char *otherwise, bool lstrip,
                             aq_error *err) {
  const json_t *value = json_object_get(config, key);
  const char *text;
  AQ_TRY(special_text(config, key, otherwise, &text, err));
  const int32_t id = aq_vocab_find(&t->pieces.vocab, text, strlen(text));
  if (id < 0) return AQ_OK;
  if (json_is_object(value)) return aq_json_added_token(t, value, NULL, false, err);
  const aq_added_token token = {.id = id, .lstrip = lstrip};
  return aq_tokenizer_add_token(t, text, strlen(text), &token, false, err);
}

/* {"added_tokens_decoder": {"103": {"content": "[MASK]", ...}}} */
static aq_status read_listed(aq_tokenizer *t, const json_t *config, aq_error *err) {
  json_t *listed = json_object_get(config, "added_tokens_decoder"), *value;
  const char *number;
  json_object_foreach(listed, number, value) {
    int64_t id = 0;
    const size_t digits = strspn(number, "0123456789");
    AQ_FAIL_IF(digits == 0 || digits > 9 || number[digits] != '\0', AQ_ERR_FORMAT,
               "added_tokens_decoder has '%.20s' in the place of an id", number);
    for (size_t i = 0; i < digits; i++) id = id * 10 + (number[i] - '0');
    json_t *number_value = json_integer(id);
    if (number_value == NULL) return aq_fail(err, AQ_ERR_MEMORY, "out of memory");
    const aq_status status = aq_json_added_token(t, value, number_value, true, err);
    json_decref(number_value);
    if (status != AQ_OK) return status;
  }
  return AQ_OK;
}

static aq_status read_options(aq_normalizer *steps, const json_t *config, aq_error *err) {
  AQ_TRY(aq_json_bool(config, "do_lower_case", true, &steps->lowercase, err));
  AQ_TRY(aq_json_bool(config, "tokenize_chinese_chars", true, &steps->space_chinese, err));
  AQ_TRY(aq_json_bool(config, "strip_accents", steps->lowercase, &steps->strip_accents, err));
  steps->clean_text = true;
  aq_normalizer_prepare(steps);
  return AQ_OK;
}

aq_status aq_tokenizer_read_config(aq_tokenizer *tokenizer, const json_t *config, aq_error *err) {
  aq_tokenizer *t = tokenizer;
  const struct tokenizer_class *class = NULL;
  const char *side;
  AQ_TRY(find_class(config, &class, err));
  AQ_TRY(read_options(&t->normalizer, config, err));
  AQ_TRY(aq_wordpiece_set_prefix(&t->pieces, "##", 2, err));
  t->pieces.max_word = 100;
  AQ_TRY(special_id(t, config, "unk_token", "[UNK]", &t->pieces.unknown, err));
  AQ_TRY(special_id(t, config, "cls_token", class->cls, &t->frame.before[0], err));
  AQ_TRY(special_id(t, config, "sep_token", class->sep, &t->frame.after[0], err));
  t->frame.before_count = t->frame.after_count = 1;
  AQ_TRY(aq_json_text(config, "truncation_side", "right", &side, err));
  t->keeps_end = strcmp(side, "left") == 0;
  AQ_TRY(read_listed(t, config, err));
  AQ_TRY(add_special(t, config, "unk_token", "[UNK]", false, err));
  AQ_TRY(add_special(t, config, "sep_token", class->sep, false, err));
  AQ_TRY(add_special(t, config, "pad_token", class->pad, false, err));
  AQ_TRY(add_special(t, config, "cls_token", class->cls, false, err));
  return add_special(t, config, "mask_token", class->mask, class->mask_lstrip, err);
}

aq_status aq_tokenizer_adjust(aq_tokenizer *tokenizer, const json_t *config, aq_error *err) {
  aq_normalizer *steps = &tokenizer->normalizer;
  AQ_TRY(aq_json_bool(config, "do_lower_case", steps->lowercase, &steps->lowercase, err));
  AQ_TRY(aq_json_bool(config, "tokenize_chinese_chars", steps->space_chinese, &steps->space_chinese, err));
  /* null here means "as the lower case" and not "as before". */
  if (json_object_get(config, "strip_accents") != NULL) {
    AQ_TRY(aq_json_bool(config, "strip_accents", steps->lowercase, &steps->strip_accents, err));
  }
  aq_normalizer_prepare(steps);
  return AQ_OK;
}
