/* fuzz_stats.c - any bytes as a file of statistics of a tiny encoder. An input is either a whole file, or, when it
 * begins with '!', changes to a valid one: two bytes of position and a byte that is added there, each. Loading must end
 * in an error that has words, or in the very statistics that were saved: a checksum stands for the values. */
#include "fuzz_input.h"

#include <string.h>

#include "calib/fisher/stats.h"
#include "calib/fisher/stats_arrays.h"
#include "model/description.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
enum { HIDDEN = 4, INNER = 8, WORDS = 6, POSITIONS = 5, MOST_TENSORS = 32, MOST_BYTES = 1 << 14 };

static char config_text[] =
    "{\"model_type\":\"bert\",\"hidden_size\":4,\"num_attention_heads\":2,\"num_hidden_layers\":1,"
    "\"intermediate_size\":8,\"vocab_size\":6,\"max_position_embeddings\":5,\"type_vocab_size\":2}";

static struct {
  float values[MOST_TENSORS][INNER * INNER];
  size_t tensors;
  aq_source *source;
  aq_model model;
  aq_stats saved;
  uint8_t file[MOST_BYTES]; /* of them */
  size_t file_size;
} fixed;

static void must(aq_status status) {
  if (status != AQ_OK) abort();
}

static void add_tensor(const char *name, int64_t rows, int64_t columns) {
  aq_error err;
  aq_tensor_info info = {.name = name, .dtype = AQ_F32, .rank = columns > 0 ? 2 : 1, .shape = {rows, columns}};
  float *values = fixed.values[fixed.tensors];
  for (size_t i = 0; i < INNER * INNER; i++) values[i] = (float)((i * 37 + fixed.tensors * 11) % 64) * 0x1p-6F;
  fixed.tensors++;
  must(aq_source_add(fixed.source, &info, values, &err));
}

static void add_pair(const char *name, int64_t rows, int64_t columns) {
  char full[128];
  (void)snprintf(full, sizeof full, "%s.weight", name);
  add_tensor(full, rows, columns);
  (void)snprintf(full, sizeof full, "%s.bias", name);
  add_tensor(full, rows, 0);
}

static void make_model(void) {
  aq_error err;
  must(aq_source_create(&fixed.source, &err));
  add_tensor("embeddings.word_embeddings.weight", WORDS, HIDDEN);
  add_tensor("embeddings.position_embeddings.weight", POSITIONS, HIDDEN);
  add_tensor("embeddings.token_type_embeddings.weight", 2, HIDDEN);
  add_pair("embeddings.LayerNorm", HIDDEN, 0);
  add_pair("encoder.layer.0.attention.self.query", HIDDEN, HIDDEN);
  add_pair("encoder.layer.0.attention.self.key", HIDDEN, HIDDEN);
  add_pair("encoder.layer.0.attention.self.value", HIDDEN, HIDDEN);
  add_pair("encoder.layer.0.attention.output.dense", HIDDEN, HIDDEN);
  add_pair("encoder.layer.0.attention.output.LayerNorm", HIDDEN, 0);
  add_pair("encoder.layer.0.intermediate.dense", INNER, HIDDEN);
  add_pair("encoder.layer.0.output.dense", HIDDEN, INNER);
  add_pair("encoder.layer.0.output.LayerNorm", HIDDEN, 0);
  must(aq_source_set_metadata(fixed.source, "arrowquant.file.config.json", config_text, &err));
  must(aq_model_open(fixed.source, NULL, &fixed.model, &err));
}

/* Any numbers will do: what they mean is not looked at. */
static void make_statistics(void) {
  aq_error err;
  must(aq_stats_create(&fixed.saved, &fixed.model, 0, 1, NULL, &err));
  fixed.saved.texts = 3;
  fixed.saved.tokens = 12;
  fixed.saved.longest = POSITIONS;
  for (size_t i = 0; i < aq_stats_array_count(&fixed.saved); i++) {
    const aq_stats_array array = aq_stats_array_at(&fixed.saved, i);
    for (size_t k = 0; k < aq_stats_array_floats(&array); k++) (*array.values)[k] = (float)(i + k % 7);
  }
}

/* Saved under a name of its own, and read back. */
static void make_file(void) {
  char folder[] = "/tmp/fuzz-stats-XXXXXX", path[64];
  aq_error err;
  if (mkdtemp(folder) == NULL) abort();
  (void)snprintf(path, sizeof path, "%s/s", folder);
  must(aq_stats_save(&fixed.saved, path, false, &err));
  FILE *f = fopen(path, "rb");
  if (f == NULL) abort();
  fixed.file_size = fread(fixed.file, 1, sizeof fixed.file, f);
  if (fixed.file_size == sizeof fixed.file || fclose(f) != 0 || unlink(path) != 0 || rmdir(folder) != 0) abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  make_model();
  make_statistics();
  make_file();
  return 0;
}

static const char *write_changed(const uint8_t *data, size_t size) {
  static uint8_t bytes[MOST_BYTES];
  memcpy(bytes, fixed.file, fixed.file_size);
  for (size_t i = 0; i + 3 <= size; i += 3) {
    uint8_t *byte = &bytes[((size_t)data[i] << 8 | data[i + 1]) % fixed.file_size];
    *byte = (uint8_t)(*byte + data[i + 2]);
  }
  return write_input(bytes, fixed.file_size);
}

static void check_statistics(aq_stats *found) {
  if (found->longest == 0 || found->longest > POSITIONS || found->texts == 0 || found->tokens == 0) abort();
  for (size_t i = 0; i < aq_stats_array_count(found); i++) {
    const aq_stats_array a = aq_stats_array_at(found, i);
    const aq_stats_array b = aq_stats_array_at(&fixed.saved, i);
    if (memcmp(*a.values, *b.values, aq_stats_array_floats(&a) * sizeof(float)) != 0) abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *path = size > 0 && data[0] == '!' ? write_changed(data + 1, size - 1) : write_input(data, size);
  aq_stats found;
  aq_error err;
  if (aq_stats_load(path, &fixed.model, NULL, &found, &err) != AQ_OK) {
    if (found.linear != NULL || err.code == AQ_OK || err.message[0] == '\0') abort();
    return 0;
  }
  check_statistics(&found);
  aq_stats_reset(&found);
  return 0;
}
