/* test_encoder_static.c - static embeddings: vectors by hand, of model2vec's files and of sentence-transformers'. */
#include <math.h>

#include "check.h"
#include "core/memory.h"
#include "model/run/encoder.h"
#include "temp_folder.h"

/* [UNK] 0, a 1, b 2, c 3, and an added token <x> 4; BERT's frame, which is not to be put around a text. */
#define TOKENIZER(truncation)                                                             \
  "{\"version\":\"1.0\",\"truncation\":" truncation                                       \
  ",\"added_tokens\":[{\"id\":4,\"content\":\"<x>\"}],"                                   \
  "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"                                     \
  "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"b\",2],\"cls\":[\"c\",3]}," \
  "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"[UNK]\",\"vocab\":{\"[UNK]\":0,\"a\":1,\"b\":2,\"c\":3}}}"
#define TENSOR(name, dtype, shape, begin, end) \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"
#define STATIC "{\"type\":\"sentence_transformers.models.StaticEmbedding\",\"path\":\"\",\"name\":\"0\"}"
#define NORMALIZE "{\"type\":\"sentence_transformers.models.Normalize\",\"path\":\"1_Normalize\",\"name\":\"1\"}"

static const float rows[5][2] = {{8, 8}, {1, 2}, {3, -2}, {0, 4}, {-1, 1}};

static void put_model(const char *config, const char *modules, const char *name) {
  char header[300];
  (void)snprintf(header, sizeof header, "{" TENSOR("%s", "F32", "[5,2]", 0, 40) "}", name);
  (void)temp_write_safetensors("model.safetensors", header, rows, sizeof rows);
  (void)temp_write_text("tokenizer.json", TOKENIZER("null"));
  if (config != NULL) (void)temp_write_text("config.json", config);
  if (modules != NULL) (void)temp_write_text("modules.json", modules);
}

static void embed(const char *text, float *out) {
  aq_error err;
  aq_encoder *e = NULL;
  assert_ok(aq_encoder_open(temp_folder, NULL, &e, &err));
  assert_int_equal(aq_encoder_dimension(e), 2);
  assert_ok(aq_encoder_encode_texts(e, &text, NULL, 1, out, &err));
  aq_encoder_close(e);
}

static void expect_vector(const char *text, double x, double y) {
  float out[2];
  embed(text, out);
  if (fabs((double)out[0] - x) > 1e-6 || fabs((double)out[1] - y) > 1e-6) {
    fail_msg("'%s' is %g, %g", text, (double)out[0], (double)out[1]);
  }
}

static void model2vec_drops_unknown_tokens(void **state) {
  (void)state;
  put_model("{\"model_type\":\"model2vec\"}", NULL, "embeddings");
  expect_vector("a b", 2, 0);
  expect_vector("a zzz b", 2, 0);
  expect_vector("a [UNK] c <x>", 0, 7.0 / 3);
  expect_vector("zzz", 0, 0);
  expect_vector("", 0, 0);
}

static void model2vec_normalizes_where_it_says_so(void **state) {
  (void)state;
  put_model("{\"model_type\":\"model2vec\",\"normalize\":true}", "[" STATIC "," NORMALIZE "]", "embeddings");
  expect_vector("a a", 1 / sqrt(5), 2 / sqrt(5));
  expect_vector("", 0, 0);
}

/* The median of the lengths 1, 1, 1, 3 and 5 is 1: a limit of two tokens cuts texts behind the second character. */
static void model2vec_cuts_texts(void **state) {
  (void)state;
  put_model("{\"model_type\":\"model2vec\",\"max_length\":2}", NULL, "embeddings");
  expect_vector("a b c", 1, 2);
  put_model("{\"model_type\":\"model2vec\",\"max_length\":4}", NULL, "embeddings");
  expect_vector("a b c", 2, 0);
  put_model("{\"model_type\":\"model2vec\",\"max_length\":null}", NULL, "embeddings");
  expect_vector("a b c", 4.0 / 3, 4.0 / 3);
}

static void static_embedding_counts_all_tokens(void **state) {
  (void)state;
  put_model(NULL, "[" STATIC "]", "embedding.weight");
  expect_vector("a b", 2, 0);
  expect_vector("a zzz", 4.5, 5);
  (void)temp_write_text("tokenizer.json", TOKENIZER("{\"direction\":\"Left\",\"max_length\":1,\"strategy\":"
                                                    "\"LongestFirst\",\"stride\":0}"));
  expect_vector("a b c", 0, 4);
  put_model(NULL, "[" STATIC "," NORMALIZE "]", "embeddings"); /* of model2vec, without its config.json */
  expect_vector("c", 0, 1);
}

static void tokens_share_rows_and_have_factors(void **state) {
  (void)state;
  static const struct {
    float rows[2][2], factors[5];
    int32_t mapping[5];
  } data = {{{1, 2}, {10, 20}}, {1, 2, 3, 0, 1}, {0, 1, 0, 1, 1}};
  put_model("{\"model_type\":\"model2vec\"}", NULL, "embeddings");
  (void)temp_write_safetensors("model.safetensors",
                               "{" TENSOR("embeddings", "F32", "[2,2]", 0, 16) "," TENSOR(
                                   "weights", "F32", "[5]", 16, 36) "," TENSOR("mapping", "I32", "[5]", 36, 56) "}",
                               &data, sizeof data);
  expect_vector("a b c", (20 + 3) / 3.0, (40 + 6) / 3.0);
}

static void ids_are_checked(void **state) {
  (void)state;
  aq_error err;
  aq_encoder *e = NULL;
  const int32_t good[] = {4, 1}, bad[] = {1, 5};
  const uint32_t lengths[] = {0, 2};
  float out[4];
  put_model("{\"model_type\":\"model2vec\"}", NULL, "embeddings");
  assert_ok(aq_encoder_open(temp_folder, NULL, &e, &err));
  assert_ok(aq_encoder_encode_ids(e, good, lengths, 2, out, &err));
  assert_true(fabsf(out[0]) < 1e-6F && fabsf(out[3] - 1.5F) < 1e-6F);
  assert_int_equal(aq_encoder_encode_ids(e, bad, lengths, 2, out, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "token 1 of text 1 is 5; the model has 5 words"));
  aq_encoder_close(e);
}

static void refuse(aq_status status, const char *says) {
  aq_error err;
  aq_encoder *e = NULL;
  const char *text = "a";
  float out[2];
  aq_status found = aq_encoder_open(temp_folder, NULL, &e, &err);
  if (found == AQ_OK) found = aq_encoder_encode_texts(e, &text, NULL, 1, out, &err);
  aq_encoder_close(e);
  if (strstr(err.message, says) == NULL) fail_msg("for %s: %s", says, err.message);
  assert_int_equal(found, status);
}

static void what_cannot_be_followed_is_refused(void **state) {
  (void)state;
  put_model("{\"model_type\":\"model2vec\"}", "[" STATIC "," NORMALIZE "]", "embeddings");
  refuse(AQ_ERR_UNSUPPORTED, "its modules are not what config.json says ('normalize' is false)");
  put_model("{\"model_type\":\"model2vec\",\"normalize\":1}", NULL, "embeddings");
  refuse(AQ_ERR_FORMAT, "normalize");
  put_model("{\"model_type\":\"model2vec\",\"max_length\":0}", NULL, "embeddings");
  refuse(AQ_ERR_FORMAT, "'max_length'");
  put_model("{\"model_type\":\"model2vec\"}", "[" STATIC "]", "other");
  refuse(AQ_ERR_NOT_FOUND, "no tensor is named 'embeddings'");
  (void)temp_write_safetensors("model.safetensors", "{" TENSOR("embeddings", "F32", "[10]", 0, 40) "}", rows, 40);
  refuse(AQ_ERR_FORMAT, "is no table of 1 to");
  (void)temp_write_safetensors(
      "model.safetensors",
      "{" TENSOR("embeddings", "F32", "[4,2]", 0, 32) "," TENSOR("mapping", "F32", "[2]", 32, 40) "}", rows, 40);
  refuse(AQ_ERR_FORMAT, "'mapping' gives token 0 the row -1");
  (void)temp_write_safetensors(
      "model.safetensors",
      "{" TENSOR("embeddings", "F32", "[4,2]", 0, 32) "," TENSOR("weights", "F32", "[2]", 32, 40) "}", rows, 40);
  refuse(AQ_ERR_FORMAT, "'weights' has 2 numbers for 4 tokens");
  assert_int_equal(remove(temp_path("config.json")), 0);
  put_model(NULL, "[" STATIC ",{\"type\":\"sentence_transformers.models.Pooling\",\"path\":\"\",\"name\":\"1\"}]",
            "embedding.weight");
  refuse(AQ_ERR_UNSUPPORTED, "module 1 is 'Pooling'");
  put_model(NULL, "[" STATIC "]", "embedding.weight");
  assert_int_equal(remove(temp_path("tokenizer.json")), 0);
  (void)temp_write_text("vocab.txt", "a\n");
  refuse(AQ_ERR_NOT_FOUND, "the model has no tokenizer.json");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, temp_setup, temp_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(model2vec_drops_unknown_tokens),     CASE(model2vec_normalizes_where_it_says_so), CASE(model2vec_cuts_texts),
      CASE(static_embedding_counts_all_tokens), CASE(tokens_share_rows_and_have_factors),    CASE(ids_are_checked),
      CASE(what_cannot_be_followed_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
