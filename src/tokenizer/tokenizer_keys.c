/* tokenizer_keys.c - the keys of a tokenizer's files.
 *
 * A tokenizer_config.json holds whatever was ever handed to a tokenizer's constructor; what is not in the table is
 * stored by transformers and read by nobody. The other files have a fixed set of keys, and the reference fails on any
 * other. The parts of a tokenizer.json pass over keys that they do not know; the file of each type has its keys. */
#include "tokenizer/tokenizer_keys.h"

#include <stdbool.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "version", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "truncation", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "truncation.direction", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "truncation.max_length", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "truncation.strategy", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "truncation.stride", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "padding", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "padding.direction", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "padding.pad_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "padding.strategy", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "padding.pad_to_multiple_of", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "padding.pad_id", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "padding.pad_type_id", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "added_tokens", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "added_tokens.id", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "added_tokens.content", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "added_tokens.single_word", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "added_tokens.lstrip", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "added_tokens.rstrip", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "added_tokens.normalized", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "added_tokens.special", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "normalizer", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.type", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.type", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "post_processor", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.type", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "decoder", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "decoder.type", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.type", AQ_KEY_HONOURED},

    {AQ_TOKENIZER_KEYS_CONFIG, "tokenizer_class", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "do_lower_case", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "strip_accents", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "tokenize_chinese_chars", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "bos_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "eos_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "unk_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "sep_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "pad_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "cls_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "mask_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "*_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "additional_special_tokens", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "extra_special_tokens", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "added_tokens_decoder", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "split_special_tokens", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "model_max_length", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "max_len", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "truncation_side", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "padding_side", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "model_input_names", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "chat_template", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "auto_map", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "trust_remote_code", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "processor_class", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "fast_tokenizer_files", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "init_inputs", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "vocab", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "merges", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "gguf_file", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "post_processor", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "tokenizer_object", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "tokenizer_padding", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "tokenizer_truncation", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "_json_padding", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "_json_truncation", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "model_specific_special_tokens", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "do_basic_tokenize", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "never_split", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "clean_text", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "wordpieces_prefix", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "max_length", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "stride", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "truncation_strategy", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "pad_to_multiple_of", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "pad_token_type_id", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "add_bos_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "add_eos_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "add_prefix_space", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "legacy", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "extra_ids", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "keep_accents", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "split_by_punct", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "unk_id", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "clean_up_tokenization_spaces", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_CONFIG, "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
     AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_CONFIG, "name_or_path", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "tokenizer_file", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "vocab_file", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "special_tokens_map_file", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "backend", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "is_local", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "local_files_only", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_CONFIG, "use_fast", AQ_KEY_NO_EFFECT},

    {AQ_TOKENIZER_KEYS_SENTENCE, "max_seq_length", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "do_lower_case", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "tokenizer_args", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "processor_kwargs", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "transformer_task", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "modality_config", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "module_output_name", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "processing_kwargs", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "model_args", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "model_kwargs", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "config_args", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "config_kwargs", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "query_length", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "document_length", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "query_expansion", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "tokenizer_name_or_path", AQ_KEY_REFUSED},
    {AQ_TOKENIZER_KEYS_SENTENCE, "unpad_inputs", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_SENTENCE, "backend", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_SENTENCE, "cache_dir", AQ_KEY_NO_EFFECT},
};

static const aq_key *find_key(aq_tokenizer_key_file file, const char *key) {
  for (size_t i = 0; i < AQ_COUNT_OF(keys); i++) {
    if (keys[i].file == file && strcmp(keys[i].key, key) == 0) return &keys[i];
  }
  return NULL;
}

aq_status aq_tokenizer_keys_check(aq_tokenizer_key_file file, const json_t *object, aq_error *err) {
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)object, name, value) {
    const aq_key *key = find_key(file, name);
    AQ_FAIL_IF(key == NULL && file != AQ_TOKENIZER_KEYS_CONFIG, AQ_ERR_UNSUPPORTED, "the key '%.80s' is not known",
               name);
    AQ_FAIL_IF(key != NULL && key->effect == AQ_KEY_REFUSED && aq_json_is_set(value), AQ_ERR_UNSUPPORTED,
               "'%s' is set, and what it asks for cannot be done", key->key);
  }
  return AQ_OK;
}

aq_status aq_tokenizer_keys_check_part(const aq_key *part, const json_t *object, aq_error *err) {
  for (; part != NULL && part->key != NULL; part++) {
    const char *dot = strrchr(part->key, '.'), *name = dot != NULL ? dot + 1 : part->key;
    AQ_FAIL_IF(part->effect == AQ_KEY_REFUSED && aq_json_is_set(json_object_get(object, name)), AQ_ERR_UNSUPPORTED,
               "'%s' is set, and what it asks for cannot be done", part->key);
  }
  return AQ_OK;
}
