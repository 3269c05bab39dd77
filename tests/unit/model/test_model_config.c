/* test_model_config.c - configurations of encoders: what is read, and what hostile ones are told. */
#include <jansson.h>

#include "config_fixture.h"

static void parse_minilm_gives_all_numbers(void **state) {
  (void)state;
  aq_error err;
  aq_model_config c;
  const aq_config_texts t = texts_of(minilm, modules, mean);
  assert_ok(aq_model_config_parse(&t, &c, &err));
  assert_string_equal(c.arch->model_type, "bert");
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
  assert_int_equal(c.max_tokens, 512);
  assert_true(c.epsilon == 1e-12f);
  assert_true(c.pooling[0] == AQ_POOL_MEAN && c.normalize);
}

static void parse_without_modules_gives_mean_not_normalized(void **state) {
  (void)state;
  aq_error err;
  aq_model_config c;
  const aq_config_texts t = texts_of(minilm, NULL, NULL);
  assert_ok(aq_model_config_parse(&t, &c, &err));
  assert_true(c.pooling[0] == AQ_POOL_MEAN && !c.normalize);
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
    const aq_config_texts t = texts_of(cases[i].config, NULL, NULL);
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
      NULL, NULL);
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
    const aq_config_texts t = texts_of(text, NULL, NULL);
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
      unnormalized, "{\"pooling_mode\":\"cls\"}");
  assert_ok(aq_model_config_parse(&t, &c, &err));
  assert_int_equal(c.types, 0);
  assert_string_equal(c.activation->name, "relu");
  assert_true(c.pooling[0] == AQ_POOL_CLS && !c.normalize);
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
    const aq_config_texts t = texts_of(text, NULL, NULL);
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
    const aq_config_texts t = texts_of(text, NULL, NULL);
    assert_int_equal(aq_model_config_parse(&t, &c, &err), i == 0 ? AQ_ERR_UNSUPPORTED : AQ_ERR_FORMAT);
    (void)snprintf(wanted, sizeof wanted, "'%s' is missing", keys[i]);
    assert_memory_equal(err.message, wanted, strlen(wanted));
    free(text);
    json_decref(root);
  }
}

static void parse_wrong_json_is_refused(void **state) {
  (void)state;
  static const char *const wrong[] = {"", "{", "[]", "7", "{\"model_type\":\"bert\",\"model_type\":\"bert\"}", "\xff"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const aq_config_texts t = texts_of(wrong[i], NULL, NULL);
    aq_error err;
    aq_model_config c;
    assert_int_equal(aq_model_config_parse(&t, &c, &err), AQ_ERR_FORMAT);
    assert_string_equal(err.file, "config.json");
  }
}

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
    const aq_config_texts t = texts_of(wrong[i].config, NULL, NULL);
    expect(&t, AQ_ERR_FORMAT, "config.json", wrong[i].message);
  }
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
  };
  return cmocka_run_group_tests_name("model config", tests, NULL, NULL);
}
