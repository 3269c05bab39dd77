/* test_gguf_model.c - GGUF files as models of Hugging Face: order of rows read from anywhere, and files that are made
 * when memory runs out. Names, configurations and tokenizers of all architectures are in
 * tests/interop/test_gguf_models.py. */
#include "check.h"
#include "faulty_allocator.h"
#include "gguf_writer.h"
#include "temp_folder.h"

#include "io/gguf/gguf_merges.h"
#include "io/gguf/gguf_names.h"
#include "io/gguf/gguf_pre_tokenizers.h"
#include "io/source.h"

enum { TOKENS = 6, HIDDEN = 8 };

static int teardown(void **state) {
  aq_buffer_reset(&file);
  return temp_teardown(state);
}

static void put_array(const char *key, uint32_t of, uint64_t count) {
  put_key(key, ARRAY);
  put_u32(of);
  put_u64(count);
}

static void put_number(const char *key, uint32_t value) {
  put_key(key, UINT32);
  put_u32(value);
}

static void put_real(const char *key, float value) {
  put_key(key, FLOAT32);
  put_bytes(&value, sizeof value);
}

static void put_types(void) {
  put_array("tokenizer.ggml.token_type", INT32, TOKENS);
  for (uint32_t i = 0; i < TOKENS; i++) put_u32(i == 0 ? 3 : i == 1 ? 4 : 1);
}

/* Six keys: byte-level, or pieces with scores. */
static void put_tokenizer(bool byte_level) {
  static const char *const bytes[TOKENS] = {"<e>", "<u>", "a", "b", "ab", "c"};
  static const char *const pieces[TOKENS] = {"<e>", "<u>", "  ", "a", "aa", "\xE2\x96\x81"};
  put_text("tokenizer.ggml.model", byte_level ? "gpt2" : "llama");
  put_text("tokenizer.ggml.pre", "gpt-2");
  put_array("tokenizer.ggml.tokens", STRING, TOKENS);
  for (int i = 0; i < TOKENS; i++) put_string(byte_level ? bytes[i] : pieces[i]);
  put_types();
  put_number("tokenizer.ggml.bos_token_id", 0);
  if (byte_level) {
    put_array("tokenizer.ggml.merges", STRING, 1);
    put_string("a b");
  } else {
    put_array("tokenizer.ggml.scores", FLOAT32, TOKENS);
    for (int i = 0; i < TOKENS; i++) put_u32(0);
  }
}

static void put_sizes(const char *arch) {
  static const struct {
    const char *end;
    uint32_t value;
  } sizes[] = {{"context_length", 16},         {"embedding_length", HIDDEN}, {"block_count", 1},
               {"feed_forward_length", 4},     {"attention.head_count", 2},  {"attention.head_count_kv", 1},
               {"attention.sliding_window", 4}};
  char key[96];
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    if (i == 6 && strcmp(arch, "gemma3") != 0) continue;
    (void)snprintf(key, sizeof key, "%s.%s", arch, sizes[i].end);
    put_number(key, sizes[i].value);
  }
  (void)snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", arch);
  put_real(key, 1e-5F);
}

/* Tables of tokens, a matrix of queries in blocks, and gains. */
static const char *write_model(const char *arch, bool byte_level) {
  const bool is_gemma = strcmp(arch, "gemma3") == 0;
  begin_file(3, 3, 1 + 6 + 7 + (is_gemma ? 1 : 0));
  put_text("general.architecture", arch);
  put_sizes(arch);
  put_tokenizer(byte_level);
  put_tensor("token_embd.weight", TOKENS, HIDDEN, F32, 0);
  put_tensor("blk.0.attn_q.weight", HIDDEN, 32, Q4_0, 192);
  put_tensor("output_norm.weight", HIDDEN, 0, F32, 352);
  align_file(32);
  put_noise(352);
  for (int i = 0; i < HIDDEN; i++) {
    const float gain = (float)i + 0.25F;
    put_bytes(&gain, sizeof gain);
  }
  return write_file("m.gguf");
}

static aq_status open_as(const char *path, const char *names, aq_source **source) {
  aq_source_options options;
  aq_source_options_init(&options);
  options.names = names;
  return aq_source_open(path, &options, source, &err);
}

static void read_tensor(const char *path, const char *names, const char *name, float *out, uint64_t count) {
  aq_source *s = NULL;
  assert_ok(open_as(path, names, &s));
  const int64_t i = aq_source_find(s, name);
  assert_true(i >= 0);
  assert_ok(aq_source_read_f32(s, (size_t)i, 0, count, out, &err));
  aq_source_close(s);
}

/* Two heads of four rows: rows 0 and 2 of a head stand side by side in the file, then 1 and 3. */
static void rows_of_heads_are_put_in_order(void **state) {
  (void)state;
  static const size_t in_file[HIDDEN] = {0, 2, 1, 3, 4, 6, 5, 7};
  const char *path = write_model("llama", true);
  float plain[HIDDEN * 32], ordered[HIDDEN * 32];
  read_tensor(path, "file", "blk.0.attn_q.weight", plain, HIDDEN * 32);
  read_tensor(path, "hf", "model.layers.0.self_attn.q_proj.weight", ordered, HIDDEN * 32);
  for (size_t row = 0; row < HIDDEN; row++) {
    assert_memory_equal(ordered + row * 32, plain + in_file[row] * 32, 32 * sizeof *plain);
  }
  (void)write_model("qwen3", true);
  read_tensor(path, "hf", "model.layers.0.self_attn.q_proj.weight", ordered, HIDDEN * 32);
  assert_memory_equal(ordered, plain, sizeof plain);
}

/* Any range of bytes is that of the whole. */
static void ranges_are_those_of_the_whole(void **state) {
  (void)state;
  static const char *const names[] = {"model.layers.0.self_attn.q_proj.weight", "model.norm.weight"};
  const char *path = write_model("llama", true);
  for (int gemma = 0; gemma < 2; gemma++) {
    if (gemma == 1) path = write_model("gemma3", false);
    aq_source *s = NULL;
    assert_ok(open_as(path, "hf", &s));
    const size_t index = (size_t)aq_source_find(s, names[gemma]);
    uint8_t whole[HIDDEN * 32 * 4], part[sizeof whole + 1];
    const size_t size = gemma == 1 ? HIDDEN * 4 : sizeof whole;
    assert_ok(aq_source_read_bytes(s, index, 0, size, whole, &err));
    for (size_t begin = 0; begin < size; begin += gemma == 1 ? 1 : 37) {
      for (size_t count = 1; begin + count <= size; count += gemma == 1 ? 1 : 41) {
        assert_ok(aq_source_read_bytes(s, index, begin, count, part + 1, &err));
        assert_memory_equal(part + 1, whole + begin, count);
      }
    }
    aq_source_close(s);
  }
}

static void gains_of_gemma_are_less_one(void **state) {
  (void)state;
  const char *path = write_model("gemma3", false);
  float stored[HIDDEN], gains[HIDDEN];
  read_tensor(path, "file", "output_norm.weight", stored, HIDDEN);
  read_tensor(path, "hf", "model.norm.weight", gains, HIDDEN);
  for (int i = 0; i < HIDDEN; i++) assert_memory_equal(&gains[i], &(float){stored[i] - 1}, sizeof *gains);
  aq_source *s = NULL;
  aq_tensor tensor;
  assert_ok(open_as(path, "hf", &s));
  assert_ok(aq_source_load(s, (size_t)aq_source_find(s, "model.norm.weight"), &tensor, &err));
  assert_false(tensor.is_view);
  assert_memory_equal(tensor.data, gains, sizeof gains);
  aq_tensor_release(&tensor);
  aq_source_close(s);
}

static void names_are_whole_words(void **state) {
  (void)state;
  static const char *const unknown[] = {
      "blk.00.attn_q.weight", "blk..attn_q.weight", "blk.0.attn_q",   "blk.1234567.attn_q.weight",
      "blk.0.attn_q.scale",   "output.weight.x",    "outputs.weight", "blk.0.attn_qq.weight"};
  const aq_gguf_arch *llama = aq_gguf_arch_find("llama");
  aq_gguf_change change;
  bool is_known;
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
    assert_null(aq_gguf_name_to_hf(llama, unknown[i], 0, &change, &is_known));
    assert_false(is_known);
  }
  char *name = aq_gguf_name_to_hf(llama, "blk.120.attn_k.bias", 0, &change, &is_known);
  assert_string_equal(name, "model.layers.120.self_attn.k_proj.bias");
  assert_int_equal(change, AQ_GGUF_KEY_ROWS);
  aq_free(name);
  assert_null(aq_gguf_arch_find("lama"));
  assert_null(aq_gguf_pre_tokenizer_find("default"));
}

/* With every allocation that fails, for each kind of tokenizer: the status says so, and nothing stays behind. */
static void open_with_faults(const char *path) {
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_status status = AQ_ERR_MEMORY;
  long n = 1;
  for (; status != AQ_OK; n++) {
    aq_source *source = NULL;
    assert_true(n < 2000);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    aq_set_allocator(&faulty);
    status = open_as(path, "hf", &source);
    aq_source_close(source);
    aq_set_allocator(NULL);
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("at %ld: %s: %s", n, aq_status_name(status), err.message);
    assert_int_equal(atomic_load(&alive), 0);
  }
  assert_true(n > 60);
}

static void memory_that_runs_out_is_told_and_nothing_leaks(void **state) {
  (void)state;
  open_with_faults(write_model("llama", true));
  open_with_faults(write_model("llama", false));
  open_with_faults(write_model("gemma3", false));
}

static void other_names_are_refused(void **state) {
  (void)state;
  aq_source *source = NULL;
  assert_int_equal(open_as(write_model("llama", true), "HF", &source), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "there are file, hf and auto"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_of_heads_are_put_in_order),
      cmocka_unit_test(ranges_are_those_of_the_whole),
      cmocka_unit_test(gains_of_gemma_are_less_one),
      cmocka_unit_test(names_are_whole_words),
      cmocka_unit_test(other_names_are_refused),
      cmocka_unit_test(memory_that_runs_out_is_told_and_nothing_leaks),
  };
  return cmocka_run_group_tests(tests, temp_setup, teardown);
}
