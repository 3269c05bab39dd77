/* gguf_pre_tokenizers.c - the table of patterns.
 *
 * Which pattern a name has, whether merges are ignored, and whether bos stands before a text without a key, is as in
 * llama.cpp; where its pattern is an approximation (gpt-4o) or leaves a normalizer out (qwen2), as in the
 * tokenizer.json of the models. "default" is no name: a converter that did not know the model writes it, and llama.cpp
 * warns that the pattern is a guess. */
#include "io/gguf/gguf_pre_tokenizers.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"

#define BYTE_LEVEL(regex) \
  "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":" regex "}"
#define SEQUENCE(first, second) "{\"type\":\"Sequence\",\"pretokenizers\":[" first "," second "]}"
#define SPLIT(regex) \
  "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex "\"},\"behavior\":\"Isolated\",\"invert\":false}"
#define PATTERN(regex) SEQUENCE(SPLIT(regex), BYTE_LEVEL("false"))

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
/* The patterns of cl100k and its like, which differ in how many digits stand together. */
#define WORDS(digits) \
  CONTRACTIONS "|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|" digits "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|" SPACES
/* Those of o200k and its like: a capital begins a word. */
#define UPPER "[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LOWER "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define CASED_WORDS(contractions, digits)                                                                             \
  "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" UPPER "*" LOWER "+" contractions "|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" UPPER "+" LOWER \
  "*" contractions "|" digits "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|" SPACES

static const char none[] = "null", nfc[] = "{\"type\":\"NFC\"}";
static const char gpt2[] = BYTE_LEVEL("true");
static const char digits_gpt2[] = SEQUENCE("{\"type\":\"Digits\",\"individual_digits\":true}", BYTE_LEVEL("true"));
static const char one_digit[] = PATTERN(WORDS("\\\\p{N}"));
static const char three_digits[] = PATTERN(WORDS("\\\\p{N}{1,3}"));
static const char tekken[] = PATTERN(CASED_WORDS("", "\\\\p{N}"));
static const char o200k[] = PATTERN(CASED_WORDS(CONTRACTIONS "?", "\\\\p{N}{1,3}"));

static const struct {
  const char *name;
  aq_gguf_pre_tokenizer stages;
} table[] = {
    {"gpt-2", {none, gpt2, false, false}},
    {"phi-2", {none, gpt2, false, false}},
    {"olmo", {none, gpt2, false, false}},
    {"smollm", {none, digits_gpt2, false, false}},
    {"starcoder", {none, digits_gpt2, false, false}},
    {"refact", {none, digits_gpt2, false, false}},
    {"qwen2", {nfc, one_digit, false, false}},
    {"deepseek-r1-qwen", {nfc, one_digit, false, false}},
    {"llama3", {none, three_digits, true, true}},
    {"llama-v3", {none, three_digits, true, true}},
    {"llama-bpe", {none, three_digits, true, true}},
    {"smaug-bpe", {none, three_digits, false, false}},
    {"tekken", {none, tekken, true, true}},
    {"gpt-4o", {none, o200k, false, false}},
};

const aq_gguf_pre_tokenizer *aq_gguf_pre_tokenizer_find(const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(table); i++) {
    if (strcmp(table[i].name, name) == 0) return &table[i].stages;
  }
  return NULL;
}

const char *aq_gguf_pre_tokenizer_name(size_t i) { return i < AQ_COUNT_OF(table) ? table[i].name : NULL; }

const char *aq_gguf_pre_tokenizer_names(char *out, size_t room) {
  size_t used = 0;
  for (size_t i = 0; i < AQ_COUNT_OF(table) && used < room; i++) {
    const int more = snprintf(out + used, room - used, "%s%s", i > 0 ? ", " : "", table[i].name);
    used += (size_t)AQ_MAX(more, 0);
  }
  return out;
}
