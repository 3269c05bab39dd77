/* test_config_head.c - what configurations say about heads: labels, layers, activations, and what is refused. */
#include "model/config_head.h"

#include "config_fixture.h"

static aq_model_config parse_ok(const char *config, const char *list, const char *model) {
  aq_error err;
  aq_model_config c;
  aq_config_texts t = texts_of(config, list, NULL);
  t.model = (char *)model;
  t.model_size = model != NULL ? strlen(model) : 0;
  assert_ok(aq_score_config_parse(&t, &c, &err));
  return c;
}

static void expect_refusal(const char *config, const char *list, const char *model, const char *file,
                           const char *says) {
  aq_error err;
  aq_model_config c;
  aq_config_texts t = texts_of(config, list, NULL);
  t.model = (char *)model;
  t.model_size = model != NULL ? strlen(model) : 0;
  const aq_status status = aq_score_config_parse(&t, &c, &err);
  if (status == AQ_OK || strstr(err.message, says) == NULL || strcmp(err.file, file) != 0) {
    fail_msg("%s: status %d in %s: %s", config, (int)status, status != AQ_OK ? err.file : "",
             status != AQ_OK ? err.message : "");
  }
}

#define ONE "\"id2label\":{\"0\":\"a\"}"
#define TRANSFORMER \
  "{\"idx\":0,\"name\":\"0\",\"path\":\"\",\"type\":\"sentence_transformers.base.modules.transformer.Transformer\"}"
#define ALONE "[" TRANSFORMER "]"
#define SETTINGS(members) "{\"model_type\":\"CrossEncoder\"" members "}"

static const char *activation_of(const aq_model_config *c) {
  return c->score_activation != NULL ? c->score_activation->name : "identity";
}

static void the_head_is_a_list_of_modules(void **state) {
  (void)state;
  const aq_model_config c = parse_ok(WITH("\"num_labels\":3"), NULL, NULL);
  assert_true(c.has_scores && c.pooling_count == 1 && c.pooling[0] == AQ_POOL_CLS);
  assert_int_equal(c.module_count, 2);
  assert_int_equal(c.dimension, 3);
  assert_int_equal(c.width, 3);
  assert_string_equal(c.modules[0].tensor, "pooler.dense");
  assert_string_equal(c.modules[0].activation->name, "tanh");
  assert_int_equal(c.modules[0].prefix_kind, AQ_PREFIX_ENCODER);
  assert_true(c.modules[0].in == 64 && c.modules[0].out == 64 && c.modules[0].has_bias);
  assert_string_equal(c.modules[1].tensor, "classifier");
  assert_null(c.modules[1].activation);
  assert_int_equal(c.modules[1].prefix_kind, AQ_PREFIX_MODEL);
  assert_true(c.modules[1].in == 64 && c.modules[1].out == 3);
}

#define MODERN(members)                                                                                  \
  "{\"model_type\":\"modernbert\",\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":1," \
  "\"intermediate_size\":128,\"vocab_size\":100,\"max_position_embeddings\":40," members "}"
static void modernbert_has_keys_of_its_own(void **state) {
  (void)state;
  aq_model_config c = parse_ok(MODERN(ONE), NULL, NULL);
  assert_int_equal(c.module_count, 3);
  assert_int_equal(c.pooling[0], AQ_POOL_CLS);
  assert_false(c.modules[0].has_bias);
  assert_string_equal(c.modules[0].activation->name, "gelu");
  assert_int_equal(c.modules[1].kind, AQ_MODULE_LAYER_NORM);
  assert_true(c.modules[1].epsilon == 1e-5f && !c.modules[1].has_bias);
  c = parse_ok(MODERN(ONE ",\"classifier_pooling\":\"mean\",\"classifier_bias\":true,\"norm_bias\":true,"
                          "\"classifier_activation\":\"relu\""),
               NULL, NULL);
  assert_int_equal(c.pooling[0], AQ_POOL_MEAN);
  assert_string_equal(c.modules[0].activation->name, "relu");
  assert_true(c.modules[0].has_bias && c.modules[1].has_bias);
  expect_refusal(MODERN(ONE ",\"classifier_pooling\":\"max\""), NULL, NULL, "config.json",
                 "'classifier_pooling' is 'max'");
  expect_refusal(MODERN(ONE ",\"classifier_activation\":\"no\""), NULL, NULL, "config.json",
                 "'classifier_activation' is 'no'");
}

static void labels_are_counted_and_compared(void **state) {
  (void)state;
  assert_int_equal(parse_ok(WITH("\"pad_token_id\":0"), NULL, NULL).dimension, 2);
  assert_int_equal(parse_ok(WITH(ONE), NULL, NULL).dimension, 1);
  assert_int_equal(parse_ok(WITH(ONE ",\"num_labels\":1"), NULL, NULL).dimension, 1);
  expect_refusal(WITH(ONE ",\"num_labels\":2"), NULL, NULL, "config.json",
                 "'num_labels' is 2, and 'id2label' has 1 labels");
  expect_refusal(WITH("\"num_labels\":0"), NULL, NULL, "config.json", "'num_labels'");
  expect_refusal(WITH("\"num_labels\":65537"), NULL, NULL, "config.json", "'num_labels'");
  expect_refusal(WITH("\"num_labels\":null"), NULL, NULL, "config.json", "'num_labels' is null");
  expect_refusal(WITH("\"id2label\":{}"), NULL, NULL, "config.json", "'id2label' has 0 labels");
  expect_refusal(WITH("\"id2label\":[1]"), NULL, NULL, "config.json", "'id2label' is no object");
  expect_refusal(WITH(ONE ",\"problem_type\":\"single_label_classification\""), NULL, NULL, "config.json",
                 "'problem_type'");
}

#define TANH "\"torch.nn.modules.activation.Tanh\""
static void activations_have_an_order(void **state) {
  (void)state;
  aq_model_config c = parse_ok(WITH(ONE), NULL, NULL);
  assert_string_equal(activation_of(&c), "sigmoid");
  c = parse_ok(WITH("\"num_labels\":2"), NULL, NULL);
  assert_string_equal(activation_of(&c), "identity");
  c = parse_ok(WITH(ONE ",\"sbert_ce_default_activation_function\":" TANH), NULL, NULL);
  assert_string_equal(activation_of(&c), "tanh");
  c = parse_ok(WITH(ONE ",\"sbert_ce_default_activation_function\":" TANH
                        ",\"sentence_transformers\":{\"activation_fn\":\"torch.nn.modules.linear.Identity\"}"),
               NULL, NULL);
  assert_string_equal(activation_of(&c), "identity");
  c = parse_ok(WITH(ONE), ALONE, SETTINGS(",\"activation_fn\":" TANH));
  assert_string_equal(activation_of(&c), "tanh");
  c = parse_ok(WITH(ONE), NULL, SETTINGS(",\"activation_fn\":" TANH)); /* without a modules.json it is not read */
  assert_string_equal(activation_of(&c), "sigmoid");
  expect_refusal(WITH(ONE ",\"sentence_transformers\":{\"activation_fn\":\"mine.Tanh\"}"), NULL, NULL, "config.json",
                 "'activation_fn' is 'mine.Tanh'");
  expect_refusal(WITH(ONE ",\"sentence_transformers\":3"), NULL, NULL, "config.json",
                 "'sentence_transformers' is no object");
}

static void other_models_are_refused(void **state) {
  (void)state;
  static const char settings[] = "config_sentence_transformers.json";
  expect_refusal(WITH(ONE), ALONE, "{}", settings,
                 "'model_type' is 'SentenceTransformer'; what can be run is 'CrossEncoder'");
  expect_refusal(WITH(ONE), ALONE, SETTINGS(",\"default_prompt_name\":\"q\""), settings,
                 "'default_prompt_name' is 'q'");
  expect_refusal(WITH(ONE), modules, SETTINGS(""), "modules.json",
                 "module 1 is 'sentence_transformers.models.Pooling'");
  expect_refusal(WITH(ONE), "[" MODULE("0", "", "Pooling") "]", SETTINGS(""), "modules.json", "module 0 is");
  expect_refusal(WITH(ONE), "[{\"path\":\"\",\"name\":\"0\",\"type\":\"mine.Transformer\"}]", SETTINGS(""),
                 "modules.json", "module 0 is 'mine.Transformer'");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_head_is_a_list_of_modules),   cmocka_unit_test(modernbert_has_keys_of_its_own),
      cmocka_unit_test(labels_are_counted_and_compared), cmocka_unit_test(activations_have_an_order),
      cmocka_unit_test(other_models_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
