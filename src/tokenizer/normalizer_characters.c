/* normalizer_characters.c - normalizers that are one step of a pass over the characters: {"type": "Lowercase"}, NFD and
 * StripAccents, which drops all marks and decomposes nothing. */
#include "tokenizer/character_pass.h"
#include "tokenizer/normalizers.h"

static aq_status configure_lowercase(const json_t *object, void **state, aq_error *err) {
  (void)object;
  return aq_character_pass_make(&(aq_character_pass){.lowercase = true}, state, err);
}

static aq_status configure_nfd(const json_t *object, void **state, aq_error *err) {
  (void)object;
  return aq_character_pass_make(&(aq_character_pass){.decompose = true}, state, err);
}

static aq_status configure_strip_accents(const json_t *object, void **state, aq_error *err) {
  (void)object;
  return aq_character_pass_make(&(aq_character_pass){.strip_marks = true}, state, err);
}

#define PASS(type, word, configures)                                 \
  const aq_normalizer_type type = {.base = {.name = word},           \
                                   .is_local = true,                 \
                                   .configure = configures,          \
                                   .apply = aq_character_pass_apply, \
                                   .free_state = aq_character_pass_free}

PASS(aq_normalizer_lowercase, "Lowercase", configure_lowercase);
PASS(aq_normalizer_nfd, "NFD", configure_nfd);
PASS(aq_normalizer_strip_accents, "StripAccents", configure_strip_accents);
