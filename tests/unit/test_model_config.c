/* test_model_config.c - configurations of encoders: what is read, and what hostile ones are told. */
#include <jansson.h>

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

static aq_config_texts texts_of(const char *config, const char *module_list, const char *pooling,
                                const char *sentence) {
  aq_config_texts t = {0};
  t.config = (char *)config;
  t.config_size = strlen(config);
  t.modules = (char *)module_list;
  t.modules_size = module_list != NULL ? strlen(module_list) : 0;
  t.module[1] = (char *)pooling;
  t.module_size[1] = pooling != NULL ? strlen(pooling) : 0;
  t.sentence = (char *)sentence;
  t.sentence_size = sentence != NULL ? strlen(sentence) : 0;
  return t;
}

static void parse_minilm_gives_all_numbers(void **state) {
  (void)state;
  aq_error err;
  aq_model_config c;
  const aq_config_texts t = texts_of(minilm, modules, mean, "{\"max_seq_length\":256}");
  assert_ok(aq_model_config_parse(&t, &c, &err));
  assert_string_equal(c.architecture->model_type, "bert");
  assert_string_equal(c.activation->name, "gelu");
  assert_int_equal(c.hidden, 384);
  assert_int_equal(c.heads, 12);
  assert_int_equal(c.layers, 6);
  assert_int_equal(c.inner, 1536);
  assert_int_equal(c.vocabulary, 30522);
  assert_int_equal(c.positions, 512);
  assert_int_equal(c.types, 2);
  assert_int_equal(c.first_position, 0);
  assert_int_equal(c.position_limit, 512);
  assert_int_equal(c.max_tokens, 256);
  assert_true(c.epsilon == 1e-12f);
  assert_true(c.pooling == AQ_POOL_MEAN && c.normalize);
}

static void parse_without_modules_gives_mean_not_normalized(void **state) {
  (void)state;
  aq_error err;
  aq_model_config c;
  const aq_config_texts t = texts_of(minilm, NULL, NULL, NULL);
  assert_ok(aq_model_config_parse(&t, &c, &err));
  assert_true(c.pooling == AQ_POOL_MEAN && !c.normalize);
  assert_int_equal(c.max_tokens, 512);
}

/* What BertConfig, RobertaConfig and DistilBertConfig of transformers fill in. */
static void parse_lacking_optional_keys_takes_the_defaults_of_transformers(void **state) {
  (void)state;
  static const struct {
    const char *config;
    uint32_t types, first_position;
  } cases[] = {{"{\"model_type\":\"bert\",\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":2,"
                "\"intermediate_size\":128,\"vocab_size\":100,\"max_position_embeddings\":40}",
                2, 0},
               {"{\"model_type\":\"roberta\",\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":2,"
                "\"intermediate_size\":128,\"vocab_size\":100,\"max_position_embeddings\":42}",
                2, 2},
               {"{\"model_type\":\"mpnet\",\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":2,"
                "\"intermediate_size\":128,\"vocab_size\":100,\"max_position_embeddings\":42,\"pad_token_id\":7}",
                0, 2},
               {"{\"model_type\":\"distilbert\",\"dim\":64,\"n_heads\":4,\"n_layers\":2,\"hidden_dim\":128,"
                "\"vocab_size\":100,\"max_position_embeddings\":40}",
                0, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_error err;
    aq_model_config c;
    const aq_config_texts t = texts_of(cases[i].config, NULL, NULL, NULL);
    assert_ok(aq_model_config_parse(&t, &c, &err));
    assert_int_equal(c.types, cases[i].types);
    assert_int_equal(c.first_position, cases[i].first_position);
    assert_int_equal(c.max_tokens, 40);
    assert_true(c.epsilon == 1e-12f);
    assert_string_equal(c.activation->name, "gelu");
  }
}

static void parse_roberta_positions_begin_after_padding(void **state) {
  (void)state;
  aq_error err;
  aq_model_config c;
  const aq_config_texts t = texts_of(
      "{\"model_type\":\"roberta\",\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":1,"
      "\"intermediate_size\":128,\"vocab_size\":100,\"max_position_embeddings\":514,\"type_vocab_size\":1,"
      "\"layer_norm_eps\":1e-05,\"pad_token_id\":1}",
      NULL, NULL, "{\"max_seq_length\":900}");
  assert_ok(aq_model_config_parse(&t, &c, &err));
  assert_int_equal(c.first_position, 2);
  assert_int_equal(c.max_tokens, 512);
}

static void parse_mpnet_has_32_buckets_of_distances(void **state) {
  (void)state;
  static const char format[] =
      "{\"model_type\":\"mpnet\",\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":1,"
      "\"intermediate_size\":128,\"vocab_size\":100,\"max_position_embeddings\":42,"
      "\"relative_attention_num_buckets\":%s}";
  static const struct {
    const char *buckets;
    aq_status status;
  } cases[] = {{"32", AQ_OK}, {"null", AQ_OK}, {"64", AQ_ERR_UNSUPPORTED}, {"0", AQ_ERR_FORMAT}, {"-1", AQ_ERR_FORMAT}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_error err;
    aq_model_config c;
    char text[400];
    (void)snprintf(text, sizeof text, format, cases[i].buckets);
    const aq_config_texts t = texts_of(text, NULL, NULL, NULL);
    assert_int_equal(aq_model_config_parse(&t, &c, &err), cases[i].status);
    if (cases[i].status == AQ_OK) {
      assert_int_equal(c.relative_buckets, 32);
    } else {
      assert_non_null(strstr(err.message, "relative_attention_num_buckets"));
    }
  }
}

static void parse_distilbert_has_no_types(void **state) {
  (void)state;
  aq_error err;
  aq_model_config c;
  const aq_config_texts t = texts_of(
      "{\"model_type\":\"distilbert\",\"dim\":64,\"n_heads\":4,\"n_layers\":2,\"hidden_dim\":128,"
      "\"vocab_size\":100,\"max_position_embeddings\":32,\"activation\":\"relu\"}",
      unnormalized, "{\"pooling_mode\":\"cls\"}", NULL);
  assert_ok(aq_model_config_parse(&t, &c, &err));
  assert_int_equal(c.types, 0);
  assert_string_equal(c.activation->name, "relu");
  assert_true(c.pooling == AQ_POOL_CLS && !c.normalize);
}

/* One member of MiniLM's config replaced: key, its new value, the error and a part of its message. */
typedef struct change {
  const char *key, *value;
  aq_status status;
  const char *message;
} change;

static const change changes[] = {
    {"model_type", "\"deberta\"", AQ_ERR_UNSUPPORTED, "'deberta'; what can be run is bert, roberta"},
    {"model_type", "7", AQ_ERR_FORMAT, "'model_type' is not a text"},
    {"model_type", "null", AQ_ERR_FORMAT, "'model_type'"},
    {"hidden_size", "0", AQ_ERR_FORMAT, "'hidden_size' is 0"},
    {"hidden_size", "-384", AQ_ERR_FORMAT, "'hidden_size' is -384"},
    {"hidden_size", "384.0", AQ_ERR_FORMAT, "'hidden_size' is not an integer"},
    {"hidden_size", "9223372036854775807", AQ_ERR_FORMAT, "16384"},
    {"hidden_size", "385", AQ_ERR_FORMAT, "no multiple"},
    {"hidden_size", "\"384\"", AQ_ERR_FORMAT, "not an integer"},
    {"num_attention_heads", "0", AQ_ERR_FORMAT, "'num_attention_heads' is 0"},
    {"num_attention_heads", "1025", AQ_ERR_FORMAT, "1 to 1024"},
    {"num_hidden_layers", "4294967297", AQ_ERR_FORMAT, "1 to 1024"},
    {"intermediate_size", "65537", AQ_ERR_FORMAT, "1 to 65536"},
    {"vocab_size", "16777217", AQ_ERR_FORMAT, "'vocab_size'"},
    {"max_position_embeddings", "0", AQ_ERR_FORMAT, "'max_position_embeddings' is 0"},
    {"type_vocab_size", "0", AQ_ERR_FORMAT, "'type_vocab_size' is 0"},
    {"hidden_act", "\"geglu\"", AQ_ERR_UNSUPPORTED, "'geglu'; what can be run is gelu"},
    {"hidden_act", "[]", AQ_ERR_FORMAT, "'hidden_act' is not a text"},
    {"layer_norm_eps", "-1", AQ_ERR_FORMAT, "'layer_norm_eps' is -1"},
    {"layer_norm_eps", "\"x\"", AQ_ERR_FORMAT, "not a number"},
    {"pad_token_id", "-1", AQ_ERR_FORMAT, "'pad_token_id' is -1"},
    {"position_embedding_type", "\"relative_key\"", AQ_ERR_UNSUPPORTED, "'relative_key'"},
    {"is_decoder", "true", AQ_ERR_UNSUPPORTED, "'is_decoder' is true; what can be run is false"},
    {"is_decoder", "1", AQ_ERR_UNSUPPORTED, "'is_decoder' is 1"},
    {"add_cross_attention", "true", AQ_ERR_UNSUPPORTED, "'add_cross_attention' is true"},
    {"pruned_heads", "{\"0\":[1]}", AQ_ERR_UNSUPPORTED, "'pruned_heads' is an object"},
    {"quantization_config", "{\"bits\":4}", AQ_ERR_UNSUPPORTED, "'quantization_config' is an object"},
    {"auto_map", "{\"AutoModel\":\"modeling_x.XModel\"}", AQ_ERR_UNSUPPORTED, "'auto_map' is an object"},
    {"transformers_weights", "\"other.safetensors\"", AQ_ERR_UNSUPPORTED, "'other.safetensors'"},
};

static void parse_changed_config_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    json_t *root = json_loads(minilm, 0, NULL);
    json_object_set_new(root, changes[i].key, json_loads(changes[i].value, JSON_DECODE_ANY, NULL));
    char *text = json_dumps(root, 0);
    aq_error err;
    aq_model_config c;
    const aq_config_texts t = texts_of(text, NULL, NULL, NULL);
    const aq_status status = aq_model_config_parse(&t, &c, &err);
    if (status != changes[i].status || strstr(err.message, changes[i].message) == NULL) {
      fail_msg("%s = %s: status %d, %s", changes[i].key, changes[i].value, (int)status, err.message);
    }
    assert_string_equal(err.file, "config.json");
    free(text);
    json_decref(root);
  }
}

static void parse_lacking_a_number_names_it(void **state) {
  (void)state;
  static const char *const keys[] = {"model_type",        "hidden_size", "num_attention_heads",    "num_hidden_layers",
                                     "intermediate_size", "vocab_size",  "max_position_embeddings"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    json_t *root = json_loads(minilm, 0, NULL);
    json_object_del(root, keys[i]);
    char *text = json_dumps(root, 0), wanted[64];
    aq_error err;
    aq_model_config c;
    const aq_config_texts t = texts_of(text, NULL, NULL, NULL);
    assert_int_equal(aq_model_config_parse(&t, &c, &err), i == 0 ? AQ_ERR_UNSUPPORTED : AQ_ERR_FORMAT);
    (void)snprintf(wanted, sizeof wanted, "'%s' is missing", keys[i]);
    assert_memory_equal(err.message, wanted, strlen(wanted));
    free(text);
    json_decref(root);
  }
}

static void expect(const aq_config_texts *t, aq_status status, const char *file, const char *message) {
  aq_error err;
  aq_model_config c;
  const aq_status got = aq_model_config_parse(t, &c, &err);
  if (got != status || strstr(err.message, message) == NULL || strcmp(err.file, file) != 0) {
    fail_msg("status %d in %s: %s; expected %d in %s: %s", (int)got, err.file, err.message, (int)status, file, message);
  }
}

static void parse_wrong_json_is_refused(void **state) {
  (void)state;
  static const char *const wrong[] = {"", "{", "[]", "7", "{\"model_type\":\"bert\",\"model_type\":\"bert\"}", "\xff"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const aq_config_texts t = texts_of(wrong[i], NULL, NULL, NULL);
    aq_error err;
    aq_model_config c;
    assert_int_equal(aq_model_config_parse(&t, &c, &err), AQ_ERR_FORMAT);
    assert_string_equal(err.file, "config.json");
  }
}

/* ---- notes ---- */

static void expect_note(const char *config, bool sentence_model, const char *wanted) {
  aq_error err;
  aq_model_config c;
  aq_notes notes = {.count = 0};
  aq_config_texts t = texts_of(config, sentence_model ? modules : NULL, mean, NULL);
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

/* What Python's json writes and reads, and JSON has not: an error only where the number is wanted. */
static void parse_numbers_of_python(void **state) {
  (void)state;
  expect_note(WITH("\"layer_norm_eps\":1e-5,\"max_length\":1000000000000000019884624838656,\"min_length\":-Infinity"),
              true, NULL);
  expect_note(WITH("\"top_p\":[NaN,Infinity],\"prefix\":\"a \\\"NaN, \\\\\""), true, NULL);
  static const struct {
    const char *config, *message;
  } wrong[] = {{WITH("\"layer_norm_eps\":NaN"), "'layer_norm_eps' is not a number"},
               {WITH("\"pad_token_id\":12345678901234567890"), "'pad_token_id' is not an integer"},
               {WITH("\"x\":-NaN"), "the JSON text is wrong"},
               {WITH("\"x\":\"NaN"), "the JSON text is wrong"},
               {WITH("\"x\":\"\\"), "the JSON text is wrong"},
               {WITH("\"x\":Infinity5"), "the JSON text is wrong"}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const aq_config_texts t = texts_of(wrong[i].config, NULL, NULL, NULL);
    expect(&t, AQ_ERR_FORMAT, "config.json", wrong[i].message);
  }
}

static void parse_wrong_modules_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *modules;
    aq_status status;
    const char *message;
  } wrong[] = {
      {"[" MODULE("0", "", "Transformer") "," MODULE("1", "1_Pooling", "Pooling") "," MODULE("2", "2_Dense",
                                                                                             "Dense") "]",
       AQ_ERR_UNSUPPORTED, "module 2 is 'Dense'"},
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
    const aq_config_texts t = texts_of(minilm, wrong[i].modules, mean, NULL);
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
  const aq_config_texts t = texts_of(minilm, text, mean, NULL);
  expect(&t, AQ_ERR_UNSUPPORTED, "modules.json", "33 modules; at most 32");
}

static void parse_dropout_and_two_normalizes_are_run(void **state) {
  (void)state;
  aq_error err;
  aq_model_config c;
  const char list[] = "[" MODULE("0", "", "Transformer") "," MODULE("1", "p", "Pooling") "," MODULE(
      "2", "d", "Dropout") "," MODULE("3", "n", "Normalize") "," MODULE("4", "m", "Normalize") "]";
  aq_config_texts t = texts_of(minilm, list, "{\"pooling_mode_cls_token\":true}", NULL);
  assert_ok(aq_model_config_parse(&t, &c, &err));
  assert_true(c.pooling == AQ_POOL_CLS && c.normalize);
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
               {"{\"embedding_dimension\":384,\"include_prompt\":true}", AQ_POOL_MEAN, false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_error err;
    aq_model_config c;
    const aq_config_texts t = texts_of(minilm, modules, cases[i].pooling, NULL);
    assert_ok(aq_model_config_parse(&t, &c, &err));
    assert_int_equal(c.pooling, cases[i].mode);
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
      {"{\"pooling_mode_max_tokens\":true}", AQ_ERR_UNSUPPORTED, "'pooling_mode_max_tokens' is true"},
      {"{\"pooling_mode_max_tokens\":true,\"pooling_mode_mean_tokens\":true}", AQ_ERR_UNSUPPORTED,
       "'pooling_mode_mean_tokens' and 'pooling_mode_max_tokens'"},
      {"{\"pooling_mode\":\"lasttoken\"}", AQ_ERR_UNSUPPORTED, "'pooling_mode' is 'lasttoken'"},
      {"{\"pooling_mode\":[\"mean\",\"cls\"]}", AQ_ERR_UNSUPPORTED, "'pooling_mode' is a list of 2"},
      {"{\"pooling_mode\":null}", AQ_ERR_FORMAT, "'pooling_mode' is not a text"},
      {"{\"pooling_mode_mean_tokens\":\"yes\"}", AQ_ERR_FORMAT, "neither true nor false"},
      {"{\"include_prompt\":1}", AQ_ERR_FORMAT, "'include_prompt'"},
      {"{\"layer_weights\":[1]}", AQ_ERR_UNSUPPORTED, "'layer_weights' is no key"},
      {"[]", AQ_ERR_FORMAT, "not an object"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const aq_config_texts t = texts_of(minilm, modules, wrong[i].pooling, NULL);
    expect(&t, wrong[i].status, "1_Pooling/config.json", wrong[i].message);
  }
  aq_config_texts t = texts_of(minilm, modules, NULL, NULL);
  expect(&t, AQ_ERR_NOT_FOUND, "modules.json", "module 1 is Pooling, but '1_Pooling' has no config.json");
  t = texts_of(minilm, modules, mean, "{\"max_seq_length\":0}");
  expect(&t, AQ_ERR_FORMAT, "sentence_bert_config.json", "'max_seq_length' is 0");
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
      {"{\"truncate_dim\":383}", AQ_ERR_UNSUPPORTED, "'truncate_dim' is 383"},
      {"{\"truncate_dim\":0}", AQ_ERR_FORMAT, "'truncate_dim'"},
      {"{\"truncate_dim\":\"64\"}", AQ_ERR_FORMAT, "'truncate_dim'"},
      {"{\"model_type\":\"CrossEncoder\"}", AQ_ERR_UNSUPPORTED, "'model_type' is 'CrossEncoder'"},
      {"{\"truncate_dim\":1e999}", AQ_ERR_FORMAT, ""}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_config_texts t = texts_of(minilm, modules, mean, NULL);
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
      cmocka_unit_test(parse_minilm_gives_all_numbers),
      cmocka_unit_test(parse_without_modules_gives_mean_not_normalized),
      cmocka_unit_test(parse_lacking_optional_keys_takes_the_defaults_of_transformers),
      cmocka_unit_test(parse_roberta_positions_begin_after_padding),
      cmocka_unit_test(parse_mpnet_has_32_buckets_of_distances),
      cmocka_unit_test(parse_distilbert_has_no_types),
      cmocka_unit_test(parse_changed_config_is_refused),
      cmocka_unit_test(parse_lacking_a_number_names_it),
      cmocka_unit_test(parse_wrong_json_is_refused),
      cmocka_unit_test(parse_numbers_of_python),
      cmocka_unit_test(parse_wrong_modules_is_refused),
      cmocka_unit_test(parse_too_many_modules_is_refused),
      cmocka_unit_test(parse_dropout_and_two_normalizes_are_run),
      cmocka_unit_test(parse_pooling_follows_the_reference),
      cmocka_unit_test(parse_wrong_pooling_is_refused),
      cmocka_unit_test(parse_settings_of_the_model_are_checked),
      cmocka_unit_test(parse_notes_what_should_be_known),
      cmocka_unit_test(parse_common_keys_without_effect_are_quiet),
      cmocka_unit_test(notes_are_bounded),
  };
  return cmocka_run_group_tests_name("model config", tests, NULL, NULL);
}
