/* config_fixture.h - configurations as texts, and what is expected of them. */
#ifndef AQ_TESTS_CONFIG_FIXTURE_H
#define AQ_TESTS_CONFIG_FIXTURE_H

#include "check.h"
#include "model/config.h"

static const char minilm[] =
    "{\"model_type\":\"bert\",\"hidden_size\":384,\"num_attention_heads\":12,\"num_hidden_layers\":6,"
    "\"intermediate_size\":1536,\"vocab_size\":30522,\"max_position_embeddings\":512,\"type_vocab_size\":2,"
    "\"hidden_act\":\"gelu\",\"layer_norm_eps\":1e-12,\"pad_token_id\":0}";
#define MODULE(number, path, type)                                                                                  \
  "{\"idx\":" number ",\"name\":\"" number "\",\"path\":\"" path "\",\"type\":\"sentence_transformers.models." type \
  "\"}"
static const char modules[] = "[" MODULE("0", "", "Transformer") "," MODULE("1", "1_Pooling", "Pooling") "," MODULE(
    "2", "2_Normalize", "Normalize") "]";
static const char unnormalized[] = "[" MODULE("0", "", "Transformer") "," MODULE("1", "1_Pooling", "Pooling") "]";
static const char mean[] = "{\"pooling_mode_cls_token\":false,\"pooling_mode_mean_tokens\":true}";

static inline aq_config_texts texts_of(const char *config, const char *module_list, const char *pooling) {
  aq_config_texts t = {0};
  t.config = (char *)config;
  t.config_size = strlen(config);
  t.modules = (char *)module_list;
  t.modules_size = module_list != NULL ? strlen(module_list) : 0;
  t.module[1] = (char *)pooling;
  t.module_size[1] = pooling != NULL ? strlen(pooling) : 0;
  return t;
}

static inline void expect(const aq_config_texts *t, aq_status status, const char *file, const char *message) {
  aq_error err;
  aq_model_config c;
  const aq_status got = aq_model_config_parse(t, &c, &err);
  if (got != status || strstr(err.message, message) == NULL || strcmp(err.file, file) != 0) {
    fail_msg("status %d in %s: %s; expected %d in %s: %s", (int)got, err.file, err.message, (int)status, file, message);
  }
}

static inline void expect_note(const char *config, bool sentence_model, const char *wanted) {
  aq_error err;
  aq_model_config c;
  aq_notes notes = {.count = 0};
  aq_config_texts t = texts_of(config, sentence_model ? modules : NULL, mean);
  t.notes = &notes;
  assert_ok(aq_model_config_parse(&t, &c, &err));
  if (wanted == NULL) {
    assert_int_equal(notes.count, 0);
  } else {
    assert_int_equal(notes.count, 1);
    if (strstr(notes.items[0], wanted) == NULL) fail_msg("'%s' is not in '%s'", wanted, notes.items[0]);
  }
  aq_notes_reset(&notes);
}

#define WITH(members)                                                                              \
  "{\"model_type\":\"bert\",\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":1," \
  "\"intermediate_size\":128,\"vocab_size\":100,\"max_position_embeddings\":40," members "}"

#endif
