/* test_modules.c - what sentence-transformers makes of an encoder: modules, their configurations, notes. */
#include "config_fixture.h"

static void parse_wrong_modules_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *modules;
    aq_status status;
    const char *message;
  } wrong[] = {
      {"[" MODULE("0", "", "Transformer") "," MODULE("1", "1_Pooling", "Pooling") "," MODULE("2", "2_Dense",
                                                                                             "Dense") "]",
       AQ_ERR_NOT_FOUND, "module 2 is Dense, but '2_Dense' has no config.json"},
      {"[" MODULE("0", "", "Transformer") "," MODULE("1", "1_Pooling", "Pooling") "," MODULE("2", "2_CNN", "CNN") "]",
       AQ_ERR_UNSUPPORTED, "module 2 is 'CNN'"},
      {"[" MODULE("0", "", "CLIPModel") "]", AQ_ERR_UNSUPPORTED, "module 0 is 'CLIPModel'"},
      {"[" MODULE("0", "", "Transformer") "]", AQ_ERR_UNSUPPORTED, "no module after the first"},
      {"[" MODULE("0", "", "Transformer") "," MODULE("1", "1_Normalize", "Normalize") "]", AQ_ERR_UNSUPPORTED,
       "module 1 is 'Normalize'"},
      {"[" MODULE("0", "", "Transformer") "," MODULE("1", "1_Pooling", "Pooling") "," MODULE("1", "2", "Dropout") "]",
       AQ_ERR_UNSUPPORTED, "modules 1 and 2 have the same 'name', '1'"},
      {"[{\"name\":\"0\",\"path\":\"\",\"type\":\"modeling_own.Transformer\"}]", AQ_ERR_UNSUPPORTED,
       "'modeling_own.Transformer'"},
      {"[{\"name\":\"0\",\"type\":\"sentence_transformers.models.Transformer\"}]", AQ_ERR_FORMAT,
       "'path' of module 0 is missing"},
      {"[{\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"}]", AQ_ERR_FORMAT,
       "'name' of module 0 is missing"},
      {"[" MODULE("0", "../other", "Transformer") "]", AQ_ERR_FORMAT, "'path' of module 0 is '../other'"},
      {"[" MODULE("0", "/etc", "Transformer") "]", AQ_ERR_FORMAT, "'path' of module 0 is '/etc'"},
      {"{}", AQ_ERR_FORMAT, "not an array"},
      {"[]", AQ_ERR_FORMAT, "no module"},
      {"[1]", AQ_ERR_FORMAT, "not an object"},
      {"[", AQ_ERR_FORMAT, "JSON"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const aq_config_texts t = texts_of(minilm, wrong[i].modules, mean);
    expect(&t, wrong[i].status, "modules.json", wrong[i].message);
  }
}

static void parse_too_many_modules_is_refused(void **state) {
  (void)state;
  char text[8192] = "[";
  for (int i = 0; i < 33; i++) {
    (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                   "%s{\"name\":\"%d\",\"path\":\"\",\"type\":\"sentence_transformers.models.Dropout\"}",
                   i > 0 ? "," : "", i);
  }
  (void)strcat(text, "]");
  const aq_config_texts t = texts_of(minilm, text, mean);
  expect(&t, AQ_ERR_UNSUPPORTED, "modules.json", "33 modules; at most 32");
}

static void parse_dropout_and_two_normalizes_are_run(void **state) {
  (void)state;
  aq_error err;
  aq_model_config c;
  const char list[] = "[" MODULE("0", "", "Transformer") "," MODULE("1", "p", "Pooling") "," MODULE(
      "2", "d", "Dropout") "," MODULE("3", "n", "Normalize") "," MODULE("4", "m", "Normalize") "]";
  aq_config_texts t = texts_of(minilm, list, "{\"pooling_mode_cls_token\":true}");
  assert_ok(aq_model_config_parse(&t, &c, &err));
  assert_true(c.pooling[0] == AQ_POOL_CLS && c.normalize);
  t.module[3] = (char *)"{\"module_input_name\":\"token_embeddings\"}";
  t.module_size[3] = strlen(t.module[3]);
  expect(&t, AQ_ERR_UNSUPPORTED, "n/config.json", "'module_input_name' is 'token_embeddings'");
}

static void parse_pooling_follows_the_reference(void **state) {
  (void)state;
  static const struct {
    const char *pooling;
    aq_pooling mode;
    bool skips;
  } cases[] = {{"{}", AQ_POOL_MEAN, false},
               {"{\"pooling_mode_mean_tokens\":false,\"pooling_mode_cls_token\":false}", AQ_POOL_MEAN, false},
               {"{\"pooling_mode\":\"cls\",\"pooling_mode_max_tokens\":true}", AQ_POOL_CLS, false},
               {"{\"pooling_mode\":[\"cls\"]}", AQ_POOL_CLS, false},
               {"{\"pooling_mode\":\"mean\",\"include_prompt\":false}", AQ_POOL_MEAN, true},
               {"{\"include_prompt\":null}", AQ_POOL_MEAN, true},
               {"{\"pooling_mode_max_tokens\":true,\"pooling_mode_mean_tokens\":true}", AQ_POOL_MAX, false},
               {"{\"pooling_mode\":[\"lasttoken\",\"cls\"]}", AQ_POOL_LAST, false},
               {"{\"embedding_dimension\":384,\"include_prompt\":true}", AQ_POOL_MEAN, false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_error err;
    aq_model_config c;
    const aq_config_texts t = texts_of(minilm, modules, cases[i].pooling);
    assert_ok(aq_model_config_parse(&t, &c, &err));
    assert_int_equal(c.pooling[0], cases[i].mode);
    assert_int_equal(c.skips_prompt, cases[i].skips);
  }
}

static void parse_wrong_pooling_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *pooling;
    aq_status status;
    const char *message;
  } wrong[] = {
      {"{\"pooling_mode\":\"median\"}", AQ_ERR_UNSUPPORTED, "'pooling_mode' is 'median'"},
      {"{\"pooling_mode\":[\"mean\",1]}", AQ_ERR_FORMAT, "'pooling_mode' is not a text"},
      {"{\"pooling_mode\":[]}", AQ_ERR_FORMAT, "'pooling_mode' is an empty list"},
      {"{\"pooling_mode\":[\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\"]}",
       AQ_ERR_UNSUPPORTED, "'pooling_mode' is a list of more than 8"},
      {"{\"pooling_mode\":null}", AQ_ERR_FORMAT, "'pooling_mode' is not a text"},
      {"{\"pooling_mode_mean_tokens\":\"yes\"}", AQ_ERR_FORMAT, "neither true nor false"},
      {"{\"include_prompt\":1}", AQ_ERR_FORMAT, "'include_prompt'"},
      {"{\"layer_weights\":[1]}", AQ_ERR_UNSUPPORTED, "'layer_weights' is no key"},
      {"[]", AQ_ERR_FORMAT, "not an object"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const aq_config_texts t = texts_of(minilm, modules, wrong[i].pooling);
    expect(&t, wrong[i].status, "1_Pooling/config.json", wrong[i].message);
  }
  aq_config_texts t = texts_of(minilm, modules, NULL);
  expect(&t, AQ_ERR_NOT_FOUND, "modules.json", "module 1 is Pooling, but '1_Pooling' has no config.json");
}

/* A list of modules behind the pooling, with the configuration of the third. */
static aq_config_texts texts_with(const char *list, const char *config) {
  aq_config_texts t = texts_of(minilm, list, mean);
  t.module[2] = (char *)config;
  t.module_size[2] = strlen(config);
  return t;
}

static const char with_dense[] = "[" MODULE("0", "", "Transformer") "," MODULE("1", "p", "Pooling") "," MODULE(
    "2", "2_Dense", "Dense") "," MODULE("3", "n", "Normalize") "]";

static void parse_dense_makes_a_module(void **state) {
  (void)state;
  aq_error err;
  aq_model_config c;
  aq_config_texts t = texts_with(with_dense, "{\"in_features\":384,\"out_features\":96,\"bias\":false}");
  t.model = (char *)"{\"truncate_dim\":64}";
  t.model_size = strlen(t.model);
  assert_ok(aq_model_config_parse(&t, &c, &err));
  assert_int_equal(c.module_count, 2);
  assert_true(c.modules[0].kind == AQ_MODULE_DENSE && c.modules[1].kind == AQ_MODULE_NORMALIZE && !c.normalize);
  assert_true(c.modules[0].in == 384 && c.modules[0].out == 96 && !c.modules[0].has_bias);
  assert_string_equal(c.modules[0].prefix, "2_Dense/");
  assert_string_equal(c.modules[0].activation->name, "tanh");
  assert_true(c.width == 96 && c.dimension == 64);
}

static void parse_wrong_dense_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *dense;
    aq_status status;
    const char *message;
  } wrong[] = {
      {"{\"in_features\":383,\"out_features\":8}", AQ_ERR_FORMAT,
       "'in_features' is 383, but the module before gives 384"},
      {"{\"in_features\":384}", AQ_ERR_FORMAT, "'out_features'"},
      {"{\"in_features\":384,\"out_features\":131073}", AQ_ERR_FORMAT, "'out_features' is 131073"},
      {"{\"in_features\":384,\"out_features\":8,\"use_residual\":true}", AQ_ERR_UNSUPPORTED, "'use_residual' is true"},
      {"{\"in_features\":384,\"out_features\":8,\"activation_function\":\"torch.nn.Softmax\"}", AQ_ERR_UNSUPPORTED,
       "'activation_function' is 'torch.nn.Softmax'"},
      {"{\"in_features\":384,\"out_features\":8,\"activation_function\":\"torch.nn\"}", AQ_ERR_UNSUPPORTED,
       "'activation_function' is 'torch.nn'"},
      {"{\"in_features\":384,\"out_features\":8,\"activation_function\":\"Tanh\"}", AQ_ERR_UNSUPPORTED,
       "'activation_function' is 'Tanh'"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(wrong); i++) {
    const aq_config_texts t = texts_with(with_dense, wrong[i].dense);
    expect(&t, wrong[i].status, "2_Dense/config.json", wrong[i].message);
  }
  static const char norm[] =
      "[" MODULE("0", "", "Transformer") "," MODULE("1", "p", "Pooling") "," MODULE("2", "m", "LayerNorm") "]";
  const aq_config_texts t = texts_with(norm, "{\"dimension\":96}");
  expect(&t, AQ_ERR_FORMAT, "m/config.json", "'dimension' is 96, but the module before gives 384");
}

static void parse_settings_of_the_model_are_checked(void **state) {
  (void)state;
  static const struct {
    const char *settings;
    aq_status status;
    const char *message;
  } cases[] = {
      {"{\"truncate_dim\":null,\"similarity_fn_name\":\"dot\",\"model_type\":\"SentenceTransformer\"}", AQ_OK, ""},
      {"{\"truncate_dim\":384}", AQ_OK, ""},
      {"{\"truncate_dim\":383}", AQ_OK, ""},
      {"{\"truncate_dim\":7.5}", AQ_ERR_FORMAT, "'truncate_dim' is 7.5"},
      {"{\"truncate_dim\":0}", AQ_ERR_FORMAT, "'truncate_dim'"},
      {"{\"truncate_dim\":\"64\"}", AQ_ERR_FORMAT, "'truncate_dim'"},
      {"{\"model_type\":\"CrossEncoder\"}", AQ_ERR_UNSUPPORTED, "'model_type' is 'CrossEncoder'"},
      {"{\"truncate_dim\":1e999}", AQ_ERR_FORMAT, ""}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_config_texts t = texts_of(minilm, modules, mean);
    t.model = (char *)cases[i].settings;
    t.model_size = strlen(cases[i].settings);
    aq_error err;
    aq_model_config c;
    if (cases[i].status != AQ_OK) {
      expect(&t, cases[i].status, "config_sentence_transformers.json", cases[i].message);
    } else {
      assert_ok(aq_model_config_parse(&t, &c, &err));
    }
  }
}

static void parse_notes_what_should_be_known(void **state) {
  (void)state;
  expect_note(minilm, true, NULL);
  expect_note(WITH("\"future_switch\":1,\"x\":2"), true,
              "config.json: not known, and passed over: 'future_switch', 'x'");
  expect_note(WITH("\"dtype\":\"float16\""), true, "'dtype' is float16");
  expect_note(WITH("\"torch_dtype\":\"bfloat16\""), true, "'torch_dtype' is bfloat16");
  expect_note(WITH("\"torch_dtype\":\"float32\""), true, NULL);
  expect_note(WITH("\"architectures\":[\"BertForSequenceClassification\"]"), false, "classifier or cross-encoder");
  expect_note(WITH("\"architectures\":[\"BertForSequenceClassification\"]"), true, NULL);
  expect_note(WITH("\"architectures\":[\"HF_ColBERT\"]"), false, "the model is a HF_ColBERT, whose head is not run");
  expect_note(WITH("\"architectures\":[\"BertModel\"]"), false, NULL);
}

/* What the model hub is full of must not be said again with every embedding. */
static void parse_common_keys_without_effect_are_quiet(void **state) {
  (void)state;
  expect_note(WITH("\"_name_or_path\":\"x\",\"attention_probs_dropout_prob\":0.1,\"classifier_dropout\":null,"
                   "\"gradient_checkpointing\":false,\"hidden_dropout_prob\":0.1,\"initializer_range\":0.02,"
                   "\"pad_token_id\":0,\"transformers_version\":\"4.8.2\",\"type_vocab_size\":2,\"use_cache\":true,"
                   "\"id2label\":{\"0\":\"LABEL_0\"},\"position_embedding_type\":\"absolute\",\"is_decoder\":false"),
              true, NULL);
}

static void notes_are_bounded(void **state) {
  (void)state;
  aq_error err;
  aq_notes notes = {.count = 0};
  for (int i = 0; i < 100; i++) assert_ok(aq_notes_add(&notes, &err, "%d", i));
  assert_int_equal(notes.count, AQ_NOTES_MAX);
  aq_notes_reset(&notes);
  assert_ok(aq_notes_add(NULL, &err, "nobody"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parse_wrong_modules_is_refused),
      cmocka_unit_test(parse_too_many_modules_is_refused),
      cmocka_unit_test(parse_dropout_and_two_normalizes_are_run),
      cmocka_unit_test(parse_pooling_follows_the_reference),
      cmocka_unit_test(parse_wrong_pooling_is_refused),
      cmocka_unit_test(parse_dense_makes_a_module),
      cmocka_unit_test(parse_wrong_dense_is_refused),
      cmocka_unit_test(parse_settings_of_the_model_are_checked),
      cmocka_unit_test(parse_notes_what_should_be_known),
      cmocka_unit_test(parse_common_keys_without_effect_are_quiet),
      cmocka_unit_test(notes_are_bounded),
  };
  return cmocka_run_group_tests_name("modules", tests, NULL, NULL);
}
