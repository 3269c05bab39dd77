/* normalizer_bert.c - {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents":
 * null, "lowercase": true}. Accents go where capitals do, unless "strip_accents" has a word on it. */
#include "core/error.h"
#include "core/json_member.h"
#include "tokenizer/character_pass.h"
#include "tokenizer/normalizers.h"

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.clean_text", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.handle_chinese_chars", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.strip_accents", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.lowercase", AQ_KEY_HONOURED},
    {.key = NULL},
};

static aq_status configure_bert(const json_t *object, void **state, aq_error *err) {
  aq_character_pass pass = {.clean_text = false};
  AQ_TRY(aq_json_bool(object, "clean_text", true, &pass.clean_text, err));
  AQ_TRY(aq_json_bool(object, "handle_chinese_chars", true, &pass.space_chinese, err));
  AQ_TRY(aq_json_bool(object, "lowercase", true, &pass.lowercase, err));
  AQ_TRY(aq_json_bool(object, "strip_accents", pass.lowercase, &pass.strip_accents, err));
  return aq_character_pass_make(&pass, state, err);
}

const aq_normalizer_type aq_normalizer_bert = {.base = {"BertNormalizer", keys},
                                               .is_local = true,
                                               .configure = configure_bert,
                                               .apply = aq_character_pass_apply,
                                               .free_state = aq_character_pass_free};
