/* test_encoder_graph.c - the graph of an encoder: which weights it reads and how, every activation, failures. What it
 * computes is compared with embeddings by tests/interop/test_onnx_export.py, for every family. */
#include "check.h"
#include "faulty_allocator.h"
#include "temp_folder.h"
#include "tiny_encoder.h"

#include "core/memory.h"
#include "io/onnx/onnx_build.h"
#include "io/source.h"
#include "model/graph/activation_graph.h"
#include "model/graph/encoder_graph.h"

static aq_error err;

/* The tiny encoder without a tensor (NULL: with all), and with a head that no embedding depends on. */
static aq_source *open_encoder(const char *config, const char *without) {
  tiny_encoder t;
  aq_source *source;
  tiny_make(&t, "bert.");
  tiny_add(&t, "bert.pooler.dense.weight", TINY_HIDDEN, TINY_HIDDEN);
  tiny_add(&t, "bert.pooler.dense.bias", TINY_HIDDEN, 0);
  tiny_add(&t, "classifier.weight", 2, TINY_HIDDEN);
  tiny_add(&t, "classifier.bias", 2, 0);
  write_text(temp_folder, "config.json", config);
  tiny_write(&t, temp_path("model.safetensors"), without);
  tiny_free(&t);
  assert_ok(aq_source_open(temp_path("model.safetensors"), NULL, &source, &err));
  return source;
}

static size_t count_uses(const aq_onnx_build *b, aq_onnx_use use) {
  size_t count = 0;
  for (size_t i = 0; i < b->base->tensor_count; i++) count += b->weights[i].store.use == use;
  return count;
}

/* Bytes of a text in those of a buffer. */
static size_t count_text(const aq_buffer *buffer, const char *text) {
  const size_t length = strlen(text);
  size_t count = 0;
  for (size_t i = 0; i + length <= buffer->size; i++) count += memcmp(buffer->data + i, text, length) == 0;
  return count;
}

static void weights_are_read_as_what_they_are(void **state) {
  aq_source *source = open_encoder(tiny_config, NULL);
  aq_onnx_build b;
  (void)state;
  assert_ok(aq_onnx_build_init(&b, source, AQ_DTYPE_INVALID, &err));
  assert_ok(aq_encoder_graph_make(source, &b, &err));
  assert_ok(aq_onnx_build_end(&b));
  assert_int_equal(count_uses(&b, AQ_ONNX_AS_TABLE), 3);
  assert_int_equal(count_uses(&b, AQ_ONNX_AS_MATRIX), 6 * TINY_LAYERS);
  assert_int_equal(count_uses(&b, AQ_ONNX_AS_VECTOR), 2 + 10 * TINY_LAYERS);
  assert_int_equal(count_uses(&b, AQ_ONNX_NO_USE), 4); /* the head */
  assert_int_equal(count_text(&b.inputs, "token_type_ids"), 1);
  assert_int_equal(count_text(&b.outputs, "last_hidden_state"), 1);
  assert_int_equal(count_text(&b.nodes, "Softmax"), TINY_LAYERS);
  assert_false(b.has_blocks);
  aq_onnx_build_reset(&b);
  aq_source_close(source);
}

static void expect_failure(const char *config, const char *without, aq_status status, const char *why) {
  aq_source *source = open_encoder(config, without);
  aq_onnx_build b;
  assert_ok(aq_onnx_build_init(&b, source, AQ_DTYPE_INVALID, &err));
  assert_int_equal(aq_encoder_graph_make(source, &b, &err), status);
  if (strstr(err.message, why) == NULL && strstr(err.tensor, why) == NULL) fail_msg("%s", err.message);
  aq_onnx_build_reset(&b);
  aq_source_close(source);
}

static void scores_are_made_by_the_head(void **state) {
  char config[512];
  (void)snprintf(config, sizeof config, "{\"architectures\":[\"BertForSequenceClassification\"],%s", tiny_config + 1);
  aq_source *source = open_encoder(config, NULL);
  aq_onnx_build b;
  (void)state;
  assert_ok(aq_onnx_build_init(&b, source, AQ_DTYPE_INVALID, &err));
  assert_ok(aq_encoder_graph_make(source, &b, &err));
  assert_ok(aq_onnx_build_end(&b));
  assert_int_equal(count_uses(&b, AQ_ONNX_NO_USE), 0);
  assert_int_equal(count_text(&b.outputs, "logits"), 1);
  assert_int_equal(count_text(&b.outputs, "sequence"), 0);
  assert_int_equal(count_text(&b.outputs, "last_hidden_state"), 0);
  aq_onnx_build_reset(&b);
  aq_source_close(source);
  expect_failure(config, "classifier.bias", AQ_ERR_NOT_FOUND, "classifier.bias");
}

static void what_cannot_be_run_is_refused(void **state) {
  static const char weight[] = "encoder.layer.1.output.dense.weight";
  (void)state;
  expect_failure(tiny_config, "bert.encoder.layer.1.output.dense.weight", AQ_ERR_NOT_FOUND, weight);
  expect_failure("{\"model_type\":\"llama\"}", NULL, AQ_ERR_UNSUPPORTED, "llama");
  expect_failure(
      "{\"model_type\":\"bert\",\"hidden_size\":16,\"num_attention_heads\":4,\"num_hidden_layers\":2,"
      "\"intermediate_size\":37,\"vocab_size\":50,\"max_position_embeddings\":40}",
      NULL, AQ_ERR_FORMAT, "word_embeddings");
}

static void every_activation_has_operators(void **state) {
  aq_source *source = open_encoder(tiny_config, NULL);
  char names[512];
  size_t count = 0;
  (void)state;
  (void)snprintf(names, sizeof names, "%s", aq_activation_names);
  for (char *name = strtok(names, ", "); name != NULL; name = strtok(NULL, ", "), count++) {
    aq_onnx_build b;
    assert_ok(aq_onnx_build_init(&b, source, AQ_DTYPE_INVALID, &err));
    const char *y = aq_activation_graph(&b, aq_activation_find(name), "x");
    assert_ok(aq_onnx_build_end(&b));
    if (y[0] == '\0' || strcmp(y, "x") == 0) fail_msg("%s", name);
    aq_onnx_build_reset(&b);
  }
  assert_true(count > 10);
  aq_onnx_build b;
  assert_ok(aq_onnx_build_init(&b, source, AQ_DTYPE_INVALID, &err));
  (void)aq_activation_graph(&b, &(aq_activation){.name = "none"}, "x");
  assert_int_equal(aq_onnx_build_end(&b), AQ_ERR_UNSUPPORTED);
  aq_onnx_build_reset(&b);
  aq_source_close(source);
}

/* Every allocation fails once. */
static void faults_leave_nothing(void **state) {
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_source *source = open_encoder(tiny_config, NULL);
  aq_status status = AQ_ERR_MEMORY;
  long n = 0;
  (void)state;
  while (status != AQ_OK) {
    aq_onnx_build b;
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, ++n);
    status = aq_onnx_build_init(&b, source, AQ_DTYPE_INVALID, &err);
    if (status == AQ_OK) status = aq_encoder_graph_make(source, &b, &err);
    aq_onnx_build_reset(&b);
    aq_set_allocator(NULL);
    if (atomic_load(&alive) != 0) fail_msg("fault %ld: %ld blocks leaked", n, atomic_load(&alive));
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("fault %ld: %s", n, err.message);
  }
  assert_true(n > 100);
  aq_source_close(source);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(weights_are_read_as_what_they_are),
      cmocka_unit_test(scores_are_made_by_the_head),
      cmocka_unit_test(what_cannot_be_run_is_refused),
      cmocka_unit_test(every_activation_has_operators),
      cmocka_unit_test(faults_leave_nothing),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
