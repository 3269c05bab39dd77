/* test_deberta_v2.c - configurations of DeBERTa: what is read, and what is refused. */
#include "config_fixture.h"
#include "core/compiler.h"

#define DEBERTA(members)                                                                                 \
  "{\"model_type\":\"deberta-v2\",\"hidden_size\":12,\"num_attention_heads\":3,\"num_hidden_layers\":2," \
  "\"intermediate_size\":37,\"vocab_size\":50,\"max_position_embeddings\":40" members "}"
#define RELATIVE(members) DEBERTA(",\"relative_attention\":true,\"pos_att_type\":\"c2p|p2c\"" members)

static aq_model_config parse(const char *text) {
  aq_error err;
  aq_model_config c;
  const aq_config_texts t = texts_of(text, NULL, NULL);
  assert_ok(aq_model_config_parse(&t, &c, &err));
  return c;
}

static void configuration_has_the_defaults_of_transformers(void **state) {
  (void)state;
  aq_model_config c = parse(DEBERTA(""));
  assert_true(c.distances.rows == 0 && c.types == 0 && !c.lacks_positions && c.score_divisor == 4);
  assert_true(c.epsilon == 1e-7f);
  c = parse(RELATIVE(""));
  assert_true(c.distances.rows == 80 && c.distances.buckets == 0 && c.score_divisor == 12);
  assert_true(!c.distances.shares_linears && !c.distances.has_norm);
  c = parse(RELATIVE(",\"position_buckets\":-1,\"max_relative_positions\":-1"));
  assert_int_equal(c.distances.rows, 80);
  c = parse(RELATIVE(",\"position_buckets\":10,\"max_relative_positions\":30"));
  assert_true(c.distances.rows == 20 && c.distances.longest == 30);
  c = parse(DEBERTA(",\"pos_att_type\":[\"c2p\"]")); /* scores are divided, without distances */
  assert_true(c.distances.rows == 0 && c.score_divisor == 8);
  c = parse(DEBERTA(",\"relative_attention\":true")); /* a table that nothing reads */
  assert_true(c.distances.rows == 0 && c.score_divisor == 4);
}

static void what_cannot_be_run_is_refused_by_its_key(void **state) {
  (void)state;
  static const struct {
    const char *config, *key;
    aq_status status;
  } cases[] = {{DEBERTA(",\"conv_kernel_size\":3"), "'conv_kernel_size'", AQ_ERR_UNSUPPORTED},
               {DEBERTA(",\"embedding_size\":16"), "'embedding_size'", AQ_ERR_UNSUPPORTED},
               {DEBERTA(",\"attention_head_size\":8"), "'attention_head_size'", AQ_ERR_UNSUPPORTED},
               {DEBERTA(",\"pos_att_type\":\"p2p\""), "'pos_att_type'", AQ_ERR_UNSUPPORTED},
               {DEBERTA(",\"pos_att_type\":[\"c2p\",3]"), "'pos_att_type'", AQ_ERR_UNSUPPORTED},
               {DEBERTA(",\"norm_rel_ebd\":\"batch_norm\""), "'norm_rel_ebd'", AQ_ERR_UNSUPPORTED},
               {RELATIVE(",\"position_buckets\":1"), "'position_buckets'", AQ_ERR_UNSUPPORTED},
               {RELATIVE(",\"position_buckets\":100"), "'max_relative_positions'", AQ_ERR_UNSUPPORTED},
               {RELATIVE(",\"max_relative_positions\":4097"), "'max_relative_positions'", AQ_ERR_UNSUPPORTED},
               {RELATIVE(",\"position_buckets\":99999"), "'position_buckets'", AQ_ERR_FORMAT},
               {RELATIVE(",\"max_relative_positions\":99999999"), "'max_relative_positions'", AQ_ERR_FORMAT},
               {RELATIVE(",\"position_buckets\":2.5"), "'position_buckets'", AQ_ERR_FORMAT},
               {DEBERTA(",\"type_vocab_size\":-1"), "'type_vocab_size'", AQ_ERR_FORMAT}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    const aq_config_texts t = texts_of(cases[i].config, NULL, NULL);
    expect(&t, cases[i].status, "config.json", cases[i].key);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(configuration_has_the_defaults_of_transformers),
      cmocka_unit_test(what_cannot_be_run_is_refused_by_its_key),
  };
  return cmocka_run_group_tests_name("DeBERTa", tests, NULL, NULL);
}
