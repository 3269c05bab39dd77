/* test_score.c - a tiny encoder with a head: its scores are the head of the first token's hidden state, types of
 * tokens count, and what is refused. The agreement with sentence-transformers is in tests/reference/test_scores.py. */
#include "arrowquant_experimental.h"
#include "core/compiler.h"
#include "faulty_allocator.h"
#include "temp_folder.h"
#include "tiny_encoder.h"

#define LABELS 3

static tiny_encoder model;

static const char config_start[] =
    "{\"model_type\":\"bert\",\"hidden_size\":12,\"num_attention_heads\":3,\"num_hidden_layers\":2,"
    "\"intermediate_size\":37,\"vocab_size\":50,\"max_position_embeddings\":40,\"layer_norm_eps\":1e-12,";
static const char untyped[] =
    "{\"tokenizer_class\":\"BertTokenizer\",\"model_input_names\":[\"input_ids\",\"attention_mask\"]}";
static const char typed[] = "{\"tokenizer_class\":\"BertTokenizer\"}";

/* The weights and the files of a folder; `more`: members of config.json. */
static const char *make_model(const char *name, const char *more, const char *tokenizer, const char *without) {
  char text[1024], path[128];
  temp_mkdir(name);
  const char *folder = temp_path(name);
  (void)snprintf(text, sizeof text, "%s%s}", config_start, more);
  write_text(folder, "config.json", text);
  write_text(folder, "tokenizer_config.json", tokenizer);
  size_t size = (size_t)snprintf(text, sizeof text, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
  for (int i = 0; i < TINY_WORDS - 5; i++) {
    size += (size_t)snprintf(text + size, sizeof text - size, "%c%c\n", 'a' + i / 10, 'a' + i % 10);
  }
  write_text(folder, "vocab.txt", text);
  (void)snprintf(path, sizeof path, "%s/model.safetensors", name);
  tiny_write(&model, temp_path(path), without);
  return temp_path(name);
}

static int set_up(void **state) {
  tiny_make(&model, "bert.");
  tiny_add_pair(&model, "bert.", "pooler.dense", TINY_HIDDEN, TINY_HIDDEN);
  tiny_add_pair(&model, "", "classifier", LABELS, TINY_HIDDEN);
  return temp_setup(state);
}

static int tear_down(void **state) {
  tiny_free(&model);
  return temp_teardown(state);
}

#define THREE "\"type_vocab_size\":2,\"id2label\":{\"0\":\"no\",\"1\":\"yes\",\"2\":\"maybe\"}"
static const char *const pairs[] = {"aa ab", "ba bb bc", "ac", "ad"};

static void score_folder(const char *folder, bool raw, float out[2 * LABELS]) {
  aq_error err;
  aq_scorer *scorer = NULL;
  assert_ok(aq_scorer_open(folder, NULL, &scorer, &err));
  assert_ok(aq_scorer_score(scorer, pairs, NULL, 2, raw, out, &err));
  aq_scorer_close(scorer);
}

static double dot(const float *weights, const double *x) {
  double sum = 0;
  for (int i = 0; i < TINY_HIDDEN; i++) sum += (double)weights[i] * x[i];
  return sum;
}

/* The head of a hidden state, in double. */
static void apply_head(const float *hidden, double out[LABELS]) {
  const float *dense = tiny_find(&model, "pooler.dense", 0, ".weight"),
              *bias = tiny_find(&model, "pooler.dense", 0, ".bias");
  const float *last = tiny_find(&model, "classifier", 0, ".weight"),
              *shift = tiny_find(&model, "classifier", 0, ".bias");
  double x[TINY_HIDDEN], pooled[TINY_HIDDEN];
  for (int i = 0; i < TINY_HIDDEN; i++) x[i] = (double)hidden[i];
  for (int i = 0; i < TINY_HIDDEN; i++) pooled[i] = tanh(dot(dense + i * TINY_HIDDEN, x) + (double)bias[i]);
  for (int i = 0; i < LABELS; i++) out[i] = dot(last + i * TINY_HIDDEN, pooled) + (double)shift[i];
}

static void scores_are_the_head_of_the_first_token(void **state) {
  (void)state;
  aq_error err;
  const char *folder = make_model("plain", THREE, untyped, NULL);
  float got[2 * LABELS], hidden[2 * TINY_HIDDEN];
  score_folder(folder, false, got);
  temp_mkdir("plain/1_Pooling");
  write_text(folder, "modules.json",
             "[{\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\",\"name\":\"0\"},"
             "{\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\",\"name\":\"1\"}]");
  write_text(temp_path("plain/1_Pooling"), "config.json", "{\"pooling_mode_cls_token\":true}");
  aq_encoder *encoder = NULL;
  assert_ok(aq_encoder_open(folder, NULL, &encoder, &err));
  const int32_t ids[] = {2, 5, 6, 3, 15, 16, 17, 3, 2, 7, 3, 8, 3};
  const uint32_t lengths[] = {8, 5};
  assert_ok(aq_encoder_encode_ids(encoder, ids, lengths, 2, hidden, &err));
  aq_encoder_close(encoder);
  for (size_t p = 0; p < 2; p++) {
    double wanted[LABELS];
    apply_head(hidden + p * TINY_HIDDEN, wanted);
    for (size_t i = 0; i < LABELS; i++) assert_true(fabs((double)got[p * LABELS + i] - wanted[i]) < 1e-5);
  }
}

static void types_of_tokens_change_scores(void **state) {
  (void)state;
  float without[2 * LABELS], with[2 * LABELS];
  score_folder(make_model("zeros", THREE, untyped, NULL), true, without);
  score_folder(make_model("types", THREE, typed, NULL), true, with);
  for (size_t i = 0; i < 2 * LABELS; i++) assert_true(fabsf(without[i] - with[i]) > 1e-4f);
}

static void labels_and_activation_have_names(void **state) {
  (void)state;
  aq_error err;
  aq_scorer *scorer = NULL;
  aq_scorer_options o;
  aq_scorer_options_init(&o);
  o.max_tokens = 7;
  assert_ok(aq_scorer_open(make_model("names", THREE, typed, NULL), &o, &scorer, &err));
  assert_int_equal(aq_scorer_labels(scorer), LABELS);
  assert_int_equal(aq_scorer_max_tokens(scorer), 7);
  assert_string_equal(aq_scorer_label(scorer, 2), "maybe");
  assert_null(aq_scorer_label(scorer, LABELS));
  assert_string_equal(aq_scorer_activation(scorer), "identity");
  assert_int_equal(aq_scorer_note_count(scorer), 0);
  assert_null(aq_scorer_note(scorer, 0));
  aq_scorer_close(scorer);
  aq_scorer_close(NULL);
}

static void expect_refused(const char *folder, aq_status wanted, const char *says) {
  aq_error err;
  aq_scorer *scorer = NULL;
  float out[LABELS];
  aq_status status = aq_scorer_open(folder, NULL, &scorer, &err);
  if (status == AQ_OK) status = aq_scorer_score(scorer, pairs, NULL, 1, false, out, &err);
  aq_scorer_close(scorer);
  if (status != wanted || strstr(err.message, says) == NULL) fail_msg("%d: %s", (int)status, err.message);
}

static void models_without_a_head_of_this_shape_are_refused(void **state) {
  (void)state;
  expect_refused(make_model("none", THREE, typed, "classifier.weight"), AQ_ERR_NOT_FOUND,
                 "tensor 'classifier.weight' is missing");
  expect_refused(make_model("two", "\"type_vocab_size\":2", typed, NULL), AQ_ERR_FORMAT,
                 "its shape is [3, 12], but config.json asks for [2, 12]");
}

static void a_type_that_the_model_lacks_is_refused(void **state) {
  (void)state;
  tiny_tensor *types = NULL;
  for (size_t i = 0; i < model.count; i++) {
    if (strstr(model.tensors[i].name, "token_type") != NULL) types = &model.tensors[i];
  }
  assert_non_null(types);
  types->rows = 1;
  const char *folder = make_model("one", "\"type_vocab_size\":1,\"num_labels\":3", typed, NULL);
  types->rows = 2;
  expect_refused(folder, AQ_ERR_UNSUPPORTED,
                 "the tokenizer gives tokens the type 1; the model has 1 ('type_vocab_size')");
}

/* ---- the operation ---- */

static aq_status score_job(const char *folder, aq_report **report, aq_error *err) {
  static const char *const texts[] = {"aa ab", "", "ba bb bc"};
  aq_score_options o;
  aq_score_options_init(&o);
  o.run.threads = 1;
  o.query = "aa";
  o.texts.texts = texts;
  o.texts.count = AQ_COUNT_OF(texts);
  return aq_score(folder, &o, report, err);
}

static void the_operation_survives_every_fault(void **state) {
  (void)state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  const char *folder = make_model("faults", THREE, typed, NULL);
  aq_error err;
  aq_status status = AQ_ERR_MEMORY;
  for (long n = 1; status != AQ_OK; n++) {
    if (n > 20000) fail_msg("still failing after %ld allocations", n);
    aq_report *report = NULL;
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    status = score_job(folder, &report, &err);
    aq_report_free(report);
    aq_set_allocator(NULL);
    if (atomic_load(&alive) != 0) fail_msg("fault %ld: %ld blocks leaked", n, atomic_load(&alive));
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("fault %ld: %s", n, err.message);
  }
}

static void wrong_options_are_refused(void **state) {
  (void)state;
  aq_error err;
  aq_score_options o;
  static const char *const texts[] = {"a"};
  const char *folder = make_model("options", THREE, typed, NULL);
  aq_score_options_init(&o);
  assert_int_equal(aq_score(folder, &o, NULL, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "there is neither an `input` nor a text");
  o.texts.texts = texts;
  o.texts.count = 1;
  assert_int_equal(aq_score(folder, &o, NULL, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "texts were given, but no `query` beside them");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(scores_are_the_head_of_the_first_token),
      cmocka_unit_test(types_of_tokens_change_scores),
      cmocka_unit_test(labels_and_activation_have_names),
      cmocka_unit_test(models_without_a_head_of_this_shape_are_refused),
      cmocka_unit_test(a_type_that_the_model_lacks_is_refused),
      cmocka_unit_test(the_operation_survives_every_fault),
      cmocka_unit_test(wrong_options_are_refused),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
