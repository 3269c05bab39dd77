/* pre_tokenizer_split.c - pre-tokenizers that cut where a pattern matches: {"type": "Split", "pattern": {"Regex":
 * "\\s+"}, "behavior": "Isolated", "invert": false}, and those whose pattern is fixed. */
#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/pre_tokenizers.h"
#include "tokenizer/split_behavior.h"
#include "tokenizer/text_pattern.h"

typedef struct pattern_split {
  aq_split_behavior behavior;
  bool inverts;
  aq_regex *regex;
} pattern_split;

static void free_split(void *state) {
  pattern_split *p = state;
  if (p != NULL) aq_regex_free(p->regex);
  aq_free(p);
}

/* Takes the regex, also when it fails. */
static aq_status make_split(aq_split_behavior behavior, bool inverts, aq_regex *regex, void **state, aq_error *err) {
  pattern_split *p = aq_calloc(1, sizeof *p);
  if (p == NULL) {
    aq_regex_free(regex);
    return aq_fail_memory(err, sizeof *p);
  }
  *p = (pattern_split){behavior, inverts, regex};
  *state = p;
  return AQ_OK;
}

static aq_status split_text(const void *state, const aq_text_span *span, const aq_pretoken_sink *sink, aq_error *err) {
  const pattern_split *p = state;
  aq_splitter splitter = {p->behavior, p->inverts, span->text, sink, 0, 0, false};
  return aq_splitter_run(&splitter, p->regex, span->size, err);
}

static aq_status configure_split(const json_t *object, void **state, aq_error *err) {
  aq_split_behavior behavior;
  bool inverts;
  aq_regex *regex;
  AQ_TRY(aq_split_behavior_read(object, AQ_SPLIT_REMOVED, &behavior, err));
  AQ_TRY(aq_json_bool(object, "invert", false, &inverts, err));
  AQ_TRY(aq_text_pattern_read(object, &regex, err));
  return make_split(behavior, inverts, regex, state, err);
}

static aq_status make_fixed(const char *pattern, aq_split_behavior behavior, bool inverts, void **state,
                            aq_error *err) {
  aq_regex *regex;
  AQ_TRY(aq_regex_compile(pattern, strlen(pattern), &regex, err));
  return make_split(behavior, inverts, regex, state, err);
}

/* Numbers as of Unicode 17: with U+11DE0 to U+11DE9 and U+16FF4 to U+16FF6. */
static const char digits_pattern[] = "[\\p{N}\xF0\x91\xB7\xA0-\xF0\x91\xB7\xA9\xF0\x96\xBF\xB4-\xF0\x96\xBF\xB6]";

static aq_status configure_digits(const json_t *object, void **state, aq_error *err) {
  bool alone;
  AQ_TRY(aq_json_bool(object, "individual_digits", false, &alone, err));
  return make_fixed(digits_pattern, alone ? AQ_SPLIT_ISOLATED : AQ_SPLIT_CONTIGUOUS, false, state, err);
}

static aq_status configure_char_delimiter(const json_t *object, void **state, aq_error *err) {
  const char *delimiter;
  aq_regex *regex;
  AQ_TRY(aq_json_text(object, "delimiter", "", &delimiter, err));
  const size_t size = strlen(delimiter);
  AQ_FAIL_IF(size == 0 || aq_utf8_width((uint8_t)delimiter[0]) != size, AQ_ERR_FORMAT,
             "the pre-tokenizer's 'delimiter' is not one character");
  AQ_TRY(aq_regex_compile_literal(delimiter, size, &regex, err));
  return make_split(AQ_SPLIT_REMOVED, false, regex, state, err);
}

static aq_status configure_whitespace_split(const json_t *object, void **state, aq_error *err) {
  (void)object;
  return make_fixed("\\s", AQ_SPLIT_REMOVED, false, state, err);
}

static const aq_key split_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.pattern", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.behavior", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.invert", AQ_KEY_HONOURED},
    {.key = NULL},
};
static const aq_key char_delimiter_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.delimiter", AQ_KEY_HONOURED},
    {.key = NULL},
};
static const aq_key digits_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.individual_digits", AQ_KEY_HONOURED},
    {.key = NULL},
};

#define PATTERN(type, word, its_keys, configures) \
  const aq_pre_tokenizer_type type = {            \
      .base = {word, its_keys}, .configure = configures, .split = split_text, .free_state = free_split}

PATTERN(aq_pre_tokenizer_split, "Split", split_keys, configure_split);
PATTERN(aq_pre_tokenizer_char_delimiter, "CharDelimiterSplit", char_delimiter_keys, configure_char_delimiter);
PATTERN(aq_pre_tokenizer_digits, "Digits", digits_keys, configure_digits);
PATTERN(aq_pre_tokenizer_whitespace_split, "WhitespaceSplit", NULL, configure_whitespace_split);
