/* tiny_encoder.h - a BERT small enough to be computed again in plain C: weights from a seed in a source in memory, a
 * folder with its configuration, and its embeddings in double by the definition. */
#ifndef AQ_TESTS_TINY_ENCODER_H
#define AQ_TESTS_TINY_ENCODER_H

#include <math.h>

#include "check.h"
#include "io/safetensors/safetensors_writer.h"

/* Nothing here is a multiple of what kernels work in. */
#define TINY_HIDDEN 12
#define TINY_HEADS 3
#define TINY_INNER 37
#define TINY_LAYERS 2
#define TINY_WORDS 50
#define TINY_POSITIONS 40
#define TINY_MAX_TENSORS 64

static const char tiny_config[] =
    "{\"model_type\":\"bert\",\"hidden_size\":12,\"num_attention_heads\":3,\"num_hidden_layers\":2,"
    "\"intermediate_size\":37,\"vocab_size\":50,\"max_position_embeddings\":40,\"type_vocab_size\":2,"
    "\"layer_norm_eps\":1e-12}";

typedef struct tiny_tensor {
  char name[256];
  int64_t rows, columns; /* columns 0: a vector */
  float *values;
} tiny_tensor;

typedef struct tiny_encoder {
  tiny_tensor tensors[TINY_MAX_TENSORS];
  size_t count;
  uint32_t seed;
} tiny_encoder;

static inline float tiny_random(tiny_encoder *t) {
  t->seed = t->seed * 1664525u + 1013904223u;
  return (float)(t->seed >> 8) * 0x1p-23f - 1;
}

static inline void tiny_add(tiny_encoder *t, const char *name, int64_t rows, int64_t columns) {
  tiny_tensor *tensor = &t->tensors[t->count++];
  const size_t n = (size_t)(rows * (columns > 0 ? columns : 1));
  (void)snprintf(tensor->name, sizeof tensor->name, "%s", name);
  tensor->rows = rows;
  tensor->columns = columns;
  tensor->values = malloc(n * sizeof(float));
  for (size_t i = 0; i < n; i++) tensor->values[i] = tiny_random(t) * 0.5f;
  const bool gain = strstr(name, "LayerNorm.weight") != NULL;
  for (size_t i = 0; gain && i < n; i++) tensor->values[i] += 1;
}

static inline void tiny_add_pair(tiny_encoder *t, const char *prefix, const char *name, int64_t rows, int64_t columns) {
  char full[256];
  (void)snprintf(full, sizeof full, "%s%s.weight", prefix, name);
  tiny_add(t, full, rows, columns);
  (void)snprintf(full, sizeof full, "%s%s.bias", prefix, name);
  tiny_add(t, full, rows, 0);
}

static inline void tiny_make(tiny_encoder *t, const char *prefix) {
  char name[96];
  *t = (tiny_encoder){.seed = 7};
  static const struct {
    const char *name;
    int64_t rows;
  } tables[] = {{"word", TINY_WORDS}, {"position", TINY_POSITIONS}, {"token_type", 2}};
  for (size_t i = 0; i < 3; i++) {
    (void)snprintf(name, sizeof name, "%sembeddings.%s_embeddings.weight", prefix, tables[i].name);
    tiny_add(t, name, tables[i].rows, TINY_HIDDEN);
  }
  tiny_add_pair(t, prefix, "embeddings.LayerNorm", TINY_HIDDEN, 0);
  static const struct {
    const char *name;
    int64_t rows, columns;
  } parts[] = {{"attention.self.query", TINY_HIDDEN, TINY_HIDDEN}, {"attention.self.key", TINY_HIDDEN, TINY_HIDDEN},
               {"attention.self.value", TINY_HIDDEN, TINY_HIDDEN}, {"attention.output.dense", TINY_HIDDEN, TINY_HIDDEN},
               {"attention.output.LayerNorm", TINY_HIDDEN, 0},     {"intermediate.dense", TINY_INNER, TINY_HIDDEN},
               {"output.dense", TINY_HIDDEN, TINY_INNER},          {"output.LayerNorm", TINY_HIDDEN, 0}};
  for (int layer = 0; layer < TINY_LAYERS; layer++) {
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
      (void)snprintf(name, sizeof name, "encoder.layer.%d.%s", layer, parts[i].name);
      tiny_add_pair(t, prefix, name, parts[i].rows, parts[i].columns);
    }
  }
}

static inline void tiny_free(tiny_encoder *t) {
  for (size_t i = 0; i < t->count; i++) free(t->tensors[i].values);
}

/* All tensors but one (NULL: all) as a safetensors file. */
static inline void tiny_write(const tiny_encoder *t, const char *path, const char *without) {
  aq_error err;
  aq_tensor_info infos[TINY_MAX_TENSORS] = {{.name = NULL}};
  const float *values[TINY_MAX_TENSORS];
  size_t count = 0;
  for (size_t i = 0; i < t->count; i++) {
    const tiny_tensor *tensor = &t->tensors[i];
    if (without != NULL && strcmp(tensor->name, without) == 0) continue;
    infos[count] = (aq_tensor_info){.name = tensor->name, .dtype = AQ_F32, .rank = tensor->columns > 0 ? 2 : 1};
    infos[count].shape[0] = tensor->rows;
    infos[count].shape[1] = tensor->columns;
    infos[count].num_params = (uint64_t)(tensor->rows * (tensor->columns > 0 ? tensor->columns : 1));
    values[count++] = tensor->values;
  }
  aq_safetensors_writer *writer;
  uint64_t bytes;
  assert_ok(aq_safetensors_writer_create(path, true, infos, count, NULL, 0, &writer, &err));
  for (size_t i = 0; i < count; i++) {
    assert_ok(aq_safetensors_writer_write(writer, values[i], infos[i].num_params * sizeof(float), &err));
  }
  assert_ok(aq_safetensors_writer_commit(writer, &bytes, &err));
}

static inline void write_text(const char *folder, const char *name, const char *text) {
  char path[600];
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
  assert_int_equal(fclose(f), 0);
}

/* ---- the definition, in double ---- */

static inline const float *tiny_look(const tiny_encoder *t, const char *format, int layer, const char *end) {
  char name[96], full[128];
  (void)snprintf(name, sizeof name, format, layer);
  (void)snprintf(full, sizeof full, "%s%s", name, end);
  for (size_t i = 0; i < t->count; i++) {
    const size_t a = strlen(t->tensors[i].name), b = strlen(full);
    if (a >= b && strcmp(t->tensors[i].name + a - b, full) == 0) return t->tensors[i].values;
  }
  return NULL;
}

static inline const float *tiny_find(const tiny_encoder *t, const char *format, int layer, const char *end) {
  const float *values = tiny_look(t, format, layer, end);
  if (values == NULL) fail_msg("no %s%s", format, end);
  return values;
}

static inline void tiny_norm(const tiny_encoder *t, const char *format, int layer, double *x) {
  const float *gain = tiny_find(t, format, layer, ".weight"), *shift = tiny_find(t, format, layer, ".bias");
  double mean = 0, variance = 0;
  for (int i = 0; i < TINY_HIDDEN; i++) mean += x[i] / TINY_HIDDEN;
  for (int i = 0; i < TINY_HIDDEN; i++) variance += (x[i] - mean) * (x[i] - mean) / TINY_HIDDEN;
  for (int i = 0; i < TINY_HIDDEN; i++) {
    x[i] = (x[i] - mean) / sqrt(variance + 1e-12) * (double)gain[i] + (double)shift[i];
  }
}

static inline void tiny_linear(const tiny_encoder *t, const char *format, int layer, const double *x, int in, int out,
                               double *y) {
  const float *w = tiny_find(t, format, layer, ".weight"), *bias = tiny_find(t, format, layer, ".bias");
  for (int j = 0; j < out; j++) {
    y[j] = (double)bias[j];
    for (int i = 0; i < in; i++) y[j] += x[i] * (double)w[j * in + i];
  }
}

/* The bias by distance, for encoders that have it. */
static inline double tiny_bias(const tiny_encoder *t, int head, int offset) {
  const float *biases = tiny_look(t, "relative_attention_bias", 0, ".weight");
  if (biases == NULL) return 0;
  const int n = abs(offset);
  const int bucket = n < 8 ? n : 8 + (int)fmin(floor(8 * log(n / 8.0) / log(16) + 1e-9), 7);
  return (double)biases[((offset > 0 ? 16 : 0) + bucket) * TINY_HEADS + head];
}

static inline void tiny_attend(const tiny_encoder *t, double (*q)[TINY_HIDDEN], double (*k)[TINY_HIDDEN],
                               double (*v)[TINY_HIDDEN], int n, int token, double *out) {
  const int width = TINY_HIDDEN / TINY_HEADS;
  for (int h = 0; h < TINY_HEADS; h++) {
    double weight[TINY_POSITIONS], sum = 0;
    for (int s = 0; s < n; s++) {
      double score = 0;
      for (int i = h * width; i < (h + 1) * width; i++) score += q[token][i] * k[s][i];
      sum += weight[s] = exp(score / sqrt(width) + tiny_bias(t, h, s - token));
    }
    for (int i = h * width; i < (h + 1) * width; i++) {
      out[i] = 0;
      for (int s = 0; s < n; s++) out[i] += weight[s] / sum * v[s][i];
    }
  }
}

static inline void tiny_layer(const tiny_encoder *t, int layer, double (*x)[TINY_HIDDEN], int n) {
  double q[TINY_POSITIONS][TINY_HIDDEN], k[TINY_POSITIONS][TINY_HIDDEN], v[TINY_POSITIONS][TINY_HIDDEN];
  for (int s = 0; s < n; s++) {
    tiny_linear(t, "encoder.layer.%d.attention.self.query", layer, x[s], TINY_HIDDEN, TINY_HIDDEN, q[s]);
    tiny_linear(t, "encoder.layer.%d.attention.self.key", layer, x[s], TINY_HIDDEN, TINY_HIDDEN, k[s]);
    tiny_linear(t, "encoder.layer.%d.attention.self.value", layer, x[s], TINY_HIDDEN, TINY_HIDDEN, v[s]);
  }
  for (int s = 0; s < n; s++) {
    double context[TINY_HIDDEN], y[TINY_HIDDEN], wide[TINY_INNER];
    tiny_attend(t, q, k, v, n, s, context);
    tiny_linear(t, "encoder.layer.%d.attention.output.dense", layer, context, TINY_HIDDEN, TINY_HIDDEN, y);
    for (int i = 0; i < TINY_HIDDEN; i++) x[s][i] += y[i];
    tiny_norm(t, "encoder.layer.%d.attention.output.LayerNorm", layer, x[s]);
    tiny_linear(t, "encoder.layer.%d.intermediate.dense", layer, x[s], TINY_HIDDEN, TINY_INNER, wide);
    for (int i = 0; i < TINY_INNER; i++) wide[i] *= 0.5 * erfc(-wide[i] / sqrt(2));
    tiny_linear(t, "encoder.layer.%d.output.dense", layer, wide, TINY_INNER, TINY_HIDDEN, y);
    for (int i = 0; i < TINY_HIDDEN; i++) x[s][i] += y[i];
    tiny_norm(t, "encoder.layer.%d.output.LayerNorm", layer, x[s]);
  }
}

/* The mean of the last layer, not normalized. */
static inline void tiny_embed(const tiny_encoder *t, const int32_t *ids, int n, double *out) {
  double x[TINY_POSITIONS][TINY_HIDDEN];
  const float *words = tiny_find(t, "embeddings.word_embeddings", 0, ".weight");
  const float *places = tiny_find(t, "embeddings.position_embeddings", 0, ".weight");
  const float *types = tiny_find(t, "embeddings.token_type_embeddings", 0, ".weight");
  for (int s = 0; s < n; s++) {
    for (int i = 0; i < TINY_HIDDEN; i++) {
      x[s][i] = (double)words[ids[s] * TINY_HIDDEN + i] + (double)places[s * TINY_HIDDEN + i] + (double)types[i];
    }
    tiny_norm(t, "embeddings.LayerNorm", 0, x[s]);
  }
  for (int layer = 0; layer < TINY_LAYERS; layer++) tiny_layer(t, layer, x, n);
  for (int i = 0; i < TINY_HIDDEN; i++) {
    out[i] = 0;
    for (int s = 0; s < n; s++) out[i] += x[s][i] / n;
  }
}

#endif
