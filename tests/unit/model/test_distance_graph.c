/* test_distance_graph.c - the graph of disentangled attention: which weights it reads and how often, failures. What it
 * computes is compared with embeddings by tests/interop/test_onnx_export.py. */
#include "check.h"
#include "faulty_allocator.h"
#include "temp_folder.h"
#include "tiny_encoder.h"

#include "core/memory.h"
#include "io/onnx/onnx_build.h"
#include "io/source.h"
#include "model/graph/encoder_graph.h"
#include "model/graph/norm_graph.h"

#define DEBERTA(members)                                                                                               \
  "{\"model_type\":\"deberta-v2\",\"hidden_size\":12,\"num_attention_heads\":3,\"num_hidden_layers\":2,"               \
  "\"intermediate_size\":37,\"vocab_size\":50,\"max_position_embeddings\":40,\"type_vocab_size\":2,"                   \
  "\"relative_attention\":true,\"position_buckets\":4,\"share_att_key\":true,\"norm_rel_ebd\":\"layer_norm\"," members \
  "}"

static aq_error err;

/* The tiny encoder with DeBERTa's names, a table of distances and its norm. */
static aq_source *open_encoder(const char *config) {
  tiny_encoder t;
  aq_source *source;
  tiny_make(&t, "deberta.");
  for (size_t i = 0; i < t.count; i++) {
    char *self = strstr(t.tensors[i].name, ".self."), rest[64];
    char *end = self != NULL ? strchr(self + 6, '.') : NULL;
    if (end == NULL) continue;
    (void)snprintf(rest, sizeof rest, "%s", end);
    (void)snprintf(end, sizeof rest + 8, "_proj%s", rest);
  }
  tiny_add(&t, "deberta.encoder.rel_embeddings.weight", 8, TINY_HIDDEN);
  tiny_add_pair(&t, "deberta.", "encoder.LayerNorm", TINY_HIDDEN, 0);
  write_text(temp_folder, "config.json", config);
  tiny_write(&t, temp_path("model.safetensors"), NULL);
  tiny_free(&t);
  assert_ok(aq_source_open(temp_path("model.safetensors"), NULL, &source, &err));
  return source;
}

static size_t count_text(const aq_buffer *buffer, const char *text) {
  const size_t length = strlen(text);
  size_t count = 0;
  for (size_t i = 0; i + length <= buffer->size; i++) count += memcmp(buffer->data + i, text, length) == 0;
  return count;
}

/* Products with keys and queries of distances in each layer, from the linears of tokens; two lists of rows. */
static void check_graph(const char *config, size_t keys, size_t queries) {
  aq_source *source = open_encoder(config);
  aq_onnx_build b;
  assert_ok(aq_onnx_build_init(&b, source, AQ_DTYPE_INVALID, &err));
  assert_ok(aq_encoder_graph_make(source, &b, &err));
  assert_ok(aq_onnx_build_end(&b));
  const int64_t table = aq_source_find(source, "deberta.encoder.rel_embeddings.weight");
  assert_true(table >= 0);
  assert_int_equal(b.weights[table].store.use, AQ_ONNX_AS_TABLE);
  for (size_t i = 0; i < source->tensor_count; i++) assert_int_not_equal(b.weights[i].store.use, AQ_ONNX_NO_USE);
  assert_int_equal(count_text(&b.nodes, "Clip"), (keys > 0) + (queries > 0));
  assert_int_equal(count_text(&b.nodes, "Softmax"), TINY_LAYERS);
  /* Each name stands at the node, at its output, and where it is read. */
  assert_int_equal(count_text(&b.nodes, "/distance_keys"), 3 * TINY_LAYERS * keys);
  assert_int_equal(count_text(&b.nodes, "/distance_queries"), 3 * TINY_LAYERS * queries);
  aq_onnx_build_reset(&b);
  aq_source_close(source);
}

static void products_are_those_that_the_model_has(void **state) {
  (void)state;
  check_graph(DEBERTA("\"pos_att_type\":\"c2p|p2c\""), 1, 1);
  check_graph(DEBERTA("\"pos_att_type\":\"c2p\""), 1, 0);
  check_graph(DEBERTA("\"pos_att_type\":\"p2c\""), 0, 1);
}

static void norm_by_the_root_mean_square_has_no_shift(void **state) {
  aq_source *source = open_encoder(DEBERTA("\"pos_att_type\":\"c2p\""));
  const int64_t gain = aq_source_find(source, "deberta.encoder.LayerNorm.weight");
  const aq_weight weight = {.tensor = (size_t)gain, .bias = AQ_NO_WEIGHT};
  aq_onnx_build b;
  (void)state;
  assert_ok(aq_onnx_build_init(&b, source, AQ_DTYPE_INVALID, &err));
  aq_onnx_build_scope(&b, "/x");
  assert_string_equal(aq_rms_norm_graph(&b, &weight, "norm", 1e-6F, "x"), "/x/norm");
  assert_ok(aq_onnx_build_end(&b));
  assert_int_equal(count_text(&b.nodes, "ReduceMean"), 1);
  assert_int_equal(count_text(&b.nodes, "Sub"), 0);
  aq_onnx_build_reset(&b);
  aq_source_close(source);
}

/* Every allocation fails once. */
static void faults_leave_nothing(void **state) {
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_source *source = open_encoder(DEBERTA("\"pos_att_type\":\"c2p|p2c\""));
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
      cmocka_unit_test(products_are_those_that_the_model_has),
      cmocka_unit_test(norm_by_the_root_mean_square_has_no_shift),
      cmocka_unit_test(faults_leave_nothing),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
