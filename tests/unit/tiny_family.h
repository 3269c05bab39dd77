/* tiny_family.h - an encoder of any family, small enough to be computed again in plain C: random weights of the shapes
 * that its configuration asks for, and its embeddings and hidden states in double by the definition of the family,
 * without the steps that the passes walk. */
#ifndef AQ_TESTS_TINY_FAMILY_H
#define AQ_TESTS_TINY_FAMILY_H

#include "core/compiler.h"
#include "model/config.h"
#include "model/params.h"
#include "tiny_encoder.h"

/* The sizes of all configurations: heads of T5 are wider than the hidden states have room for. */
enum { FAM_HIDDEN = 12, FAM_HEADS = 3, FAM_VALUES = 18, FAM_INNER = 22, FAM_WORDS = 31, FAM_TOKENS = 70, FAM_RUNS = 3 };

/* ---- weights ---- */

static inline int64_t fam_size(const aq_model_config *c, aq_dim dim) {
  switch (dim) {
    case AQ_DIM_HIDDEN:
      return c->hidden;
    case AQ_DIM_INNER:
      return c->inner;
    case AQ_DIM_EMBEDDING:
      return c->embedding;
    case AQ_DIM_VOCABULARY:
      return c->vocabulary;
    case AQ_DIM_POSITIONS:
      return c->positions;
    case AQ_DIM_TYPES:
      return c->types;
    case AQ_DIM_BUCKETS:
      return c->relative_buckets;
    case AQ_DIM_HEADS:
      return c->heads;
    case AQ_DIM_QUERIES:
      return c->attention;
    case AQ_DIM_QKV:
      return 3 * (int64_t)c->attention;
    case AQ_DIM_GATE_UP:
      return 2 * (int64_t)c->inner;
    default:
      return 0;
  }
}

static inline bool fam_lacks(const aq_model_config *c, const aq_weight_spec *w, uint32_t layer) {
  const bool bare = w->role == AQ_ROLE_ATTENTION_NORM && layer == 0 && c->arch->bare_first_layer;
  return bare || aq_role_is_of_distances(w->role) || (w->role == AQ_ROLE_TOKEN_TYPE && c->types == 0) ||
         (w->role == AQ_ROLE_POSITION && c->lacks_positions) ||
         (w->role == AQ_ROLE_EMBEDDING_PROJECTION && !c->projects);
}

static inline void fam_add(tiny_encoder *t, const aq_model_config *c, const aq_weight_spec *w, uint32_t layer) {
  char name[160], full[200];
  const bool has_layer = strstr(w->name, "%u") != NULL;
  const char *number = has_layer ? strstr(w->name, "%u") : w->name + strlen(w->name);
  if (has_layer != (layer != AQ_NO_LAYER) || fam_lacks(c, w, layer)) return;
  (void)snprintf(name, sizeof name, "%.*s", (int)(number - w->name), w->name);
  if (has_layer) (void)snprintf(name + strlen(name), sizeof name - strlen(name), "%u%s", layer, number + 2);
  (void)snprintf(full, sizeof full, "%s.weight", name);
  tiny_add(t, full, fam_size(c, w->rows), w->kind == AQ_WEIGHT_NORM ? 0 : fam_size(c, w->cols));
  tiny_tensor *added = &t->tensors[t->count - 1];
  if (w->kind == AQ_WEIGHT_NORM && strstr(full, "LayerNorm.weight") == NULL) {
    for (int64_t i = 0; i < added->rows; i++) added->values[i] += 1;
  }
  if (w->kind == AQ_WEIGHT_TABLE || (c->unbiased >> w->role & 1) != 0) return;
  (void)snprintf(full, sizeof full, "%s.bias", name);
  tiny_add(t, full, fam_size(c, w->rows), 0);
}

static inline void fam_make(tiny_encoder *t, const char *config) {
  aq_error err;
  static aq_model_config c;
  const aq_config_texts texts = {.config = (char *)(uintptr_t)config, .config_size = strlen(config)};
  assert_ok(aq_model_config_parse(&texts, &c, &err));
  assert_true(c.hidden == FAM_HIDDEN && c.heads == FAM_HEADS && c.inner == FAM_INNER &&
              c.layers * c.passes <= FAM_RUNS);
  if (strstr(config, "pack_qkv") != NULL) c.arch = c.arch->renamed;
  *t = (tiny_encoder){.seed = 11};
  for (size_t i = 0; i < c.arch->weight_count; i++) fam_add(t, &c, &c.arch->weights[i], AQ_NO_LAYER);
  for (uint32_t layer = 0; layer < c.layers; layer++) {
    for (size_t i = 0; i < c.arch->weight_count; i++) fam_add(t, &c, &c.arch->weights[i], layer);
  }
}

/* ---- the definition, in double ---- */

typedef struct fam_text {
  double hidden[FAM_RUNS + 1][FAM_TOKENS][FAM_HIDDEN]; /* what goes into each layer, and after the last */
  double embedding[FAM_HIDDEN];
} fam_text;

/* All tokens' as one array. */
static inline const double *fam_hidden(const fam_text *text, uint32_t run) {
  return (const double *)(const void *)&text->hidden[run];
}

static inline const float *fam_values(const aq_params *p, uint32_t layer, aq_role role, bool bias) {
  uint32_t i = aq_model_find(p->model, layer, role);
  if (i != AQ_NO_WEIGHT && bias) i = p->model->weights[i].bias;
  return i != AQ_NO_WEIGHT ? p->values[i] : NULL;
}

static inline void fam_norm(const aq_params *p, uint32_t layer, aq_role role, double *x, size_t n) {
  const aq_model_config *c = &p->model->config;
  const float *gain = fam_values(p, layer, role, false), *shift = fam_values(p, layer, role, true);
  double mean = 0, variance = 0;
  for (size_t i = 0; i < n && !c->has_rms_norms; i++) mean += x[i] / (double)n;
  for (size_t i = 0; i < n; i++) variance += (x[i] - mean) * (x[i] - mean) / (double)n;
  for (size_t i = 0; i < n && gain != NULL; i++) {
    x[i] = (x[i] - mean) / sqrt(variance + (double)c->epsilon) * (double)gain[i];
    if (shift != NULL) x[i] += (double)shift[i];
  }
}

/* Outputs [first, first + out) of a linear. */
static inline void fam_linear(const aq_params *p, uint32_t layer, aq_role role, size_t first, size_t out,
                              const double *x, size_t in, double *y) {
  const float *w = fam_values(p, layer, role, false), *b = fam_values(p, layer, role, true);
  for (size_t j = 0; j < out; j++) {
    y[j] = b != NULL ? (double)b[first + j] : 0;
    for (size_t i = 0; i < in; i++) y[j] += x[i] * (double)w[(first + j) * in + i];
  }
}

static inline double fam_activate(const aq_params *p, double x) {
  const char *name = p->model->config.activation->name;
  if (strcmp(name, "gelu") == 0) return x * 0.5 * erfc(-x / sqrt(2));
  if (strcmp(name, "silu") == 0) return x / (1 + exp(-x));
  assert_string_equal(name, "gelu_new");
  return x * 0.5 * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

/* Of one token: query, key and value, turned by its position. */
static inline void fam_make_qkv(const aq_params *p, uint32_t layer, const double *x, size_t position,
                                double qkv[3][FAM_VALUES]) {
  static const aq_role roles[3] = {AQ_ROLE_QUERY, AQ_ROLE_KEY, AQ_ROLE_VALUE};
  const aq_model_config *c = &p->model->config;
  const size_t values = c->attention, half = values / c->heads / 2;
  const bool joined = aq_model_find(p->model, layer, AQ_ROLE_QKV) != AQ_NO_WEIGHT;
  const double theta = c->theta[c->is_local[layer]];
  for (size_t i = 0; i < 3; i++) {
    fam_linear(p, layer, joined ? AQ_ROLE_QKV : roles[i], joined ? i * values : 0, values, x, FAM_HIDDEN, qkv[i]);
  }
  for (size_t k = 0; k < values && theta > 0; k++) {
    const size_t pair = k % (2 * half);
    if (pair >= half) continue;
    const double angle = (double)position * pow(theta, -(double)pair / (double)half);
    for (size_t i = 0; i < 2; i++) {
      const double a = qkv[i][k], b = qkv[i][k + half];
      qkv[i][k] = a * cos(angle) - b * sin(angle);
      qkv[i][k + half] = b * cos(angle) + a * sin(angle);
    }
  }
}

static inline double fam_bias(const aq_params *p, size_t head, int offset) {
  static const double slopes[FAM_HEADS] = {1. / 16, 1. / 256, 1. / 4}; /* of two heads, and the first of four */
  if (p->model->config.has_alibi) return -slopes[head] * abs(offset);
  const float *biases = fam_values(p, AQ_NO_LAYER, AQ_ROLE_POSITION_BIAS, false);
  if (biases == NULL) return 0;
  const int n = abs(offset);
  const int bucket = n < 8 ? n : 8 + (int)fmin(floor(8 * log(n / 8.0) / log(16) + 1e-9), 7);
  return (double)biases[((offset > 0 ? 16 : 0) + bucket) * FAM_HEADS + (int)head];
}

static inline void fam_attend(const aq_params *p, uint32_t layer, double (*qkv)[3][FAM_VALUES], int n, int token,
                              double *out) {
  const aq_model_config *c = &p->model->config;
  const size_t width = c->attention / c->heads;
  const int reach = c->is_local[layer] ? (int)c->window : n;
  for (size_t h = 0; h < c->heads; h++) {
    double weight[FAM_TOKENS], sum = 0;
    for (int s = 0; s < n; s++) {
      double score = 0;
      for (size_t i = h * width; i < (h + 1) * width; i++) score += qkv[token][0][i] * qkv[s][1][i];
      score = score / sqrt((double)c->score_divisor) + fam_bias(p, h, s - token);
      sum += weight[s] = abs(s - token) <= reach ? exp(score) : 0;
    }
    for (size_t i = h * width; i < (h + 1) * width; i++) {
      out[i] = 0;
      for (int s = 0; s < n; s++) out[i] += weight[s] / sum * qkv[s][2][i];
    }
  }
}

static inline void fam_feed_forward(const aq_params *p, uint32_t layer, const double *x, double *y) {
  const bool joined = aq_model_find(p->model, layer, AQ_ROLE_GATE_UP) != AQ_NO_WEIGHT;
  const bool up_first = joined && strcmp(p->model->config.arch->model_type, "gte") == 0;
  double wide[FAM_INNER], up[FAM_INNER];
  if (joined || p->model->config.gated) {
    const size_t gate_at = up_first ? FAM_INNER : 0, up_at = joined && !up_first ? FAM_INNER : 0;
    fam_linear(p, layer, joined ? AQ_ROLE_GATE_UP : AQ_ROLE_GATE, gate_at, FAM_INNER, x, FAM_HIDDEN, wide);
    fam_linear(p, layer, joined ? AQ_ROLE_GATE_UP : AQ_ROLE_UP, up_at, FAM_INNER, x, FAM_HIDDEN, up);
  } else {
    fam_linear(p, layer, AQ_ROLE_UP, 0, FAM_INNER, x, FAM_HIDDEN, wide);
  }
  for (size_t i = 0; i < FAM_INNER; i++) {
    wide[i] = fam_activate(p, wide[i]) * (p->model->config.gated ? up[i] : 1);
  }
  fam_linear(p, layer, AQ_ROLE_DOWN, 0, FAM_HIDDEN, wide, FAM_INNER, y);
}

/* Norms stand before each half (ModernBERT, T5), or behind it. */
static inline void fam_layer(const aq_params *p, uint32_t layer, int n, double (*x)[FAM_HIDDEN]) {
  static double qkv[FAM_TOKENS][3][FAM_VALUES];
  const char *type = p->model->config.arch->model_type;
  const bool before = strcmp(type, "modernbert") == 0 || strcmp(type, "t5") == 0 || strcmp(type, "mt5") == 0;
  for (int t = 0; t < n; t++) {
    double in[FAM_HIDDEN];
    memcpy(in, x[t], sizeof in);
    if (before) fam_norm(p, layer, AQ_ROLE_ATTENTION_NORM, in, FAM_HIDDEN);
    fam_make_qkv(p, layer, in, (size_t)t, qkv[t]);
  }
  for (int t = 0; t < n; t++) {
    double context[FAM_VALUES], in[FAM_HIDDEN], y[FAM_HIDDEN];
    fam_attend(p, layer, qkv, n, t, context);
    fam_linear(p, layer, AQ_ROLE_ATTENTION_OUT, 0, FAM_HIDDEN, context, p->model->config.attention, y);
    for (int i = 0; i < FAM_HIDDEN; i++) x[t][i] += y[i];
    if (!before) fam_norm(p, layer, AQ_ROLE_ATTENTION_NORM, x[t], FAM_HIDDEN);
    memcpy(in, x[t], sizeof in);
    if (before) fam_norm(p, layer, AQ_ROLE_FFN_NORM, in, FAM_HIDDEN);
    fam_feed_forward(p, layer, in, y);
    for (int i = 0; i < FAM_HIDDEN; i++) x[t][i] += y[i];
    if (!before) fam_norm(p, layer, AQ_ROLE_FFN_NORM, x[t], FAM_HIDDEN);
  }
}

static inline void fam_embed_token(const aq_params *p, int32_t id, size_t position, double *out) {
  const aq_model_config *c = &p->model->config;
  const float *words = fam_values(p, AQ_NO_LAYER, AQ_ROLE_EMBEDDING, false);
  const float *places = fam_values(p, AQ_NO_LAYER, AQ_ROLE_POSITION, false);
  const float *types = fam_values(p, AQ_NO_LAYER, AQ_ROLE_TOKEN_TYPE, false);
  const size_t n = c->embedding, row = position + c->first_position;
  double x[FAM_HIDDEN];
  for (size_t i = 0; i < n; i++) {
    x[i] = (double)words[(size_t)id * n + i] + (places != NULL ? (double)places[row * n + i] : 0) +
           (types != NULL ? (double)types[i] : 0);
  }
  if (fam_values(p, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM, false) != NULL) {
    fam_norm(p, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM, x, n);
  }
  if (c->projects) {
    fam_linear(p, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_PROJECTION, 0, FAM_HIDDEN, x, n, out);
  } else {
    memcpy(out, x, sizeof x);
  }
}

/* Pooling: the mean or the first token, of length 1 or not. */
static inline void fam_define(const aq_params *p, const int32_t *ids, int n, fam_text *out) {
  const aq_model_config *c = &p->model->config;
  const uint32_t runs = c->layers * c->passes;
  const int pooled = c->pooling[0] == AQ_POOL_MEAN ? n : 1;
  for (int t = 0; t < n; t++) fam_embed_token(p, ids[t], (size_t)t, out->hidden[0][t]);
  for (uint32_t run = 0; run < runs; run++) {
    memcpy(out->hidden[run + 1], out->hidden[run], sizeof out->hidden[run]);
    fam_layer(p, run % c->layers, n, out->hidden[run + 1]);
  }
  double length = 0;
  memset(out->embedding, 0, sizeof out->embedding);
  for (int t = 0; t < pooled; t++) {
    double x[FAM_HIDDEN];
    memcpy(x, out->hidden[runs][t], sizeof x);
    if (fam_values(p, AQ_NO_LAYER, AQ_ROLE_FINAL_NORM, false) != NULL) {
      fam_norm(p, AQ_NO_LAYER, AQ_ROLE_FINAL_NORM, x, FAM_HIDDEN);
    }
    for (int i = 0; i < FAM_HIDDEN; i++) out->embedding[i] += x[i] / pooled;
  }
  for (int i = 0; i < FAM_HIDDEN; i++) length += out->embedding[i] * out->embedding[i];
  for (int i = 0; i < FAM_HIDDEN && c->normalize; i++) out->embedding[i] /= sqrt(length);
}

#endif
