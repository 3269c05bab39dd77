/* tiny_decoder.h - decoders small enough to be computed again in plain C: weights from a seed, a folder with their
 * configuration, and their logits in double by the definition. */
#ifndef AQ_TESTS_TINY_DECODER_H
#define AQ_TESTS_TINY_DECODER_H

#include "tiny_encoder.h"

/* Nothing here is a multiple of what kernels work in. */
enum { DEC_HIDDEN = 20, DEC_HEADS = 4, DEC_KV = 2, DEC_WIDTH = 6, DEC_INNER = 37, DEC_LAYERS = 2, DEC_WORDS = 53 };
enum { DEC_TOKENS = 100, DEC_Q = DEC_HEADS * DEC_WIDTH, DEC_K = DEC_KV * DEC_WIDTH };

#define DEC_SIZES                                                                          \
  "\"hidden_size\":20,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":6," \
  "\"num_hidden_layers\":2,\"intermediate_size\":37,\"vocab_size\":53,\"max_position_embeddings\":200,"

typedef struct tiny_kind {
  const char *config;
  bool tied, biased, post_norms, head_norms, plus_one;
  bool fused; /* query, key and value in one matrix, and gate and up */
  int window[DEC_LAYERS];
  double theta[DEC_LAYERS], scale, cap; /* theta 0: a layer without positions */
} tiny_kind;

static const tiny_kind tiny_llama = {
    .config = "{\"model_type\":\"llama\"," DEC_SIZES "\"attention_bias\":true,\"rms_norm_eps\":1e-6}",
    .biased = true,
    .window = {1000, 1000},
    .theta = {10000, 10000},
    .scale = 1};
static const tiny_kind tiny_gemma = {
    .config = "{\"model_type\":\"gemma3_text\"," DEC_SIZES
              "\"sliding_window\":7,\"query_pre_attn_scalar\":6,"
              "\"layer_types\":[\"sliding_attention\",\"full_attention\"],\"final_logit_softcapping\":2.5,"
              "\"hidden_activation\":\"silu\",\"rope_theta\":5000,\"rope_local_base_freq\":100}",
    .tied = true,
    .post_norms = true,
    .head_norms = true,
    .plus_one = true,
    .window = {7, 1000},
    .theta = {100, 5000},
    .scale = 4.47213595499958,
    .cap = 2.5};
static const tiny_kind tiny_phi = {
    .config = "{\"model_type\":\"phi3\"," DEC_SIZES "\"rms_norm_eps\":1e-6,\"sliding_window\":40}",
    .fused = true,
    .window = {40, 40},
    .theta = {10000, 10000},
    .scale = 1};

static const tiny_kind tiny_smollm = {
    .config = "{\"model_type\":\"smollm3\"," DEC_SIZES
              "\"no_rope_layers\":[0,1],\"rope_theta\":10000,\"rms_norm_eps\":1e-6,\"tie_word_embeddings\":true}",
    .tied = true,
    .window = {1000, 1000},
    .theta = {0, 10000},
    .scale = 1};

/* ---- making one ---- */

static inline void dec_linear(tiny_encoder *t, int layer, const char *part, int64_t rows, int64_t cols, bool biased) {
  char name[200];
  (void)snprintf(name, sizeof name, "model.layers.%d.%s.weight", layer, part);
  tiny_add(t, name, rows, cols);
  (void)snprintf(name, sizeof name, "model.layers.%d.%s.bias", layer, part);
  if (biased) tiny_add(t, name, rows, 0);
}

static inline void dec_gain(tiny_encoder *t, const tiny_kind *kind, const char *name, int64_t rows) {
  tiny_add(t, name, rows, 0);
  for (int64_t i = 0; i < rows && !kind->plus_one; i++) t->tensors[t->count - 1].values[i] += 1;
}

static inline void dec_layer_gain(tiny_encoder *t, const tiny_kind *kind, int layer, const char *part, int64_t rows) {
  char name[200];
  (void)snprintf(name, sizeof name, "model.layers.%d.%s.weight", layer, part);
  dec_gain(t, kind, name, rows);
}

static inline void dec_make(tiny_encoder *t, const tiny_kind *kind) {
  *t = (tiny_encoder){.seed = 11};
  tiny_add(t, "model.embed_tokens.weight", DEC_WORDS, DEC_HIDDEN);
  dec_gain(t, kind, "model.norm.weight", DEC_HIDDEN);
  if (!kind->tied) tiny_add(t, "lm_head.weight", DEC_WORDS, DEC_HIDDEN);
  for (int i = 0; i < DEC_LAYERS; i++) {
    if (kind->fused) {
      dec_linear(t, i, "self_attn.qkv_proj", DEC_Q + 2 * DEC_K, DEC_HIDDEN, false);
      dec_linear(t, i, "mlp.gate_up_proj", 2 * DEC_INNER, DEC_HIDDEN, false);
    } else {
      dec_linear(t, i, "self_attn.q_proj", DEC_Q, DEC_HIDDEN, kind->biased);
      dec_linear(t, i, "self_attn.k_proj", DEC_K, DEC_HIDDEN, kind->biased);
      dec_linear(t, i, "self_attn.v_proj", DEC_K, DEC_HIDDEN, kind->biased);
      dec_linear(t, i, "mlp.gate_proj", DEC_INNER, DEC_HIDDEN, false);
      dec_linear(t, i, "mlp.up_proj", DEC_INNER, DEC_HIDDEN, false);
    }
    dec_linear(t, i, "self_attn.o_proj", DEC_HIDDEN, DEC_Q, kind->biased);
    dec_linear(t, i, "mlp.down_proj", DEC_HIDDEN, DEC_INNER, false);
    dec_layer_gain(t, kind, i, "input_layernorm", DEC_HIDDEN);
    dec_layer_gain(t, kind, i, "post_attention_layernorm", DEC_HIDDEN);
    if (kind->post_norms) dec_layer_gain(t, kind, i, "pre_feedforward_layernorm", DEC_HIDDEN);
    if (kind->post_norms) dec_layer_gain(t, kind, i, "post_feedforward_layernorm", DEC_HIDDEN);
    if (kind->head_norms) dec_layer_gain(t, kind, i, "self_attn.q_norm", DEC_WIDTH);
    if (kind->head_norms) dec_layer_gain(t, kind, i, "self_attn.k_norm", DEC_WIDTH);
  }
}

/* ---- the definition, in double ---- */

/* NULL when there is no such tensor. */
static inline const float *dec_look(const tiny_encoder *t, int layer, const char *part) {
  char name[256];
  (void)snprintf(name, sizeof name, "model.layers.%d.%s", layer, part);
  for (size_t i = 0; i < t->count; i++) {
    if (strcmp(t->tensors[i].name, name) == 0) return t->tensors[i].values;
  }
  return NULL;
}

static inline void dec_norm(const float *gain, const tiny_kind *kind, int n, double *x) {
  double squares = 0;
  for (int i = 0; i < n; i++) squares += x[i] * x[i] / n;
  for (int i = 0; i < n; i++) x[i] *= ((double)gain[i] + (kind->plus_one ? 1 : 0)) / sqrt(squares + 1e-6);
}

/* Rows [first, first + rows) of a matrix, and of its bias if there is one. */
static inline void dec_product(const float *w, const float *bias, int first, int rows, int cols, const double *x,
                               double *y) {
  for (int j = 0; j < rows; j++) {
    y[j] = bias != NULL ? (double)bias[first + j] : 0;
    for (int i = 0; i < cols; i++) y[j] += (double)w[(first + j) * cols + i] * x[i];
  }
}

static inline void dec_turn(double theta, int position, double *x) {
  for (int i = 0; i < DEC_WIDTH / 2 && theta > 0; i++) {
    const double angle = position * pow(theta, -2.0 * i / DEC_WIDTH), a = x[i], b = x[i + DEC_WIDTH / 2];
    x[i] = a * cos(angle) - b * sin(angle);
    x[i + DEC_WIDTH / 2] = b * cos(angle) + a * sin(angle);
  }
}

typedef struct dec_stream {
  double x[DEC_TOKENS][DEC_HIDDEN], q[DEC_TOKENS][DEC_Q], k[DEC_TOKENS][DEC_K], v[DEC_TOKENS][DEC_K];
} dec_stream;

static inline void dec_heads(const tiny_encoder *t, const tiny_kind *kind, int layer, dec_stream *s, int token) {
  const char *const parts[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"};
  const int rows[] = {DEC_Q, DEC_K, DEC_K}, before[] = {0, DEC_Q, DEC_Q + DEC_K};
  double *const to[] = {s->q[token], s->k[token], s->v[token]};
  double x[DEC_HIDDEN];
  memcpy(x, s->x[token], sizeof x);
  dec_norm(dec_look(t, layer, "input_layernorm.weight"), kind, DEC_HIDDEN, x);
  for (int i = 0; i < 3; i++) {
    char weight[64], bias[64];
    (void)snprintf(weight, sizeof weight, "%s.weight", kind->fused ? "self_attn.qkv_proj" : parts[i]);
    (void)snprintf(bias, sizeof bias, "%s.bias", parts[i]);
    dec_product(dec_look(t, layer, weight), dec_look(t, layer, bias), kind->fused ? before[i] : 0, rows[i], DEC_HIDDEN,
                x, to[i]);
  }
  for (int h = 0; h < DEC_HEADS + DEC_KV; h++) {
    double *head = h < DEC_HEADS ? s->q[token] + h * DEC_WIDTH : s->k[token] + (h - DEC_HEADS) * DEC_WIDTH;
    const char *norm = h < DEC_HEADS ? "self_attn.q_norm.weight" : "self_attn.k_norm.weight";
    if (kind->head_norms) dec_norm(dec_look(t, layer, norm), kind, DEC_WIDTH, head);
    dec_turn(kind->theta[layer], token, head);
  }
}

static inline void dec_attend(const tiny_kind *kind, int layer, const dec_stream *s, int token, double *out) {
  const int from = token + 1 - kind->window[layer] > 0 ? token + 1 - kind->window[layer] : 0;
  for (int h = 0; h < DEC_HEADS; h++) {
    const int kv = h / (DEC_HEADS / DEC_KV) * DEC_WIDTH;
    double weight[DEC_TOKENS], sum = 0;
    for (int k = from; k <= token; k++) {
      double score = 0;
      for (int i = 0; i < DEC_WIDTH; i++) score += s->q[token][h * DEC_WIDTH + i] * s->k[k][kv + i];
      sum += weight[k] = exp(score / sqrt(DEC_WIDTH));
    }
    for (int i = 0; i < DEC_WIDTH; i++) {
      out[h * DEC_WIDTH + i] = 0;
      for (int k = from; k <= token; k++) out[h * DEC_WIDTH + i] += weight[k] / sum * s->v[k][kv + i];
    }
  }
}

static inline void dec_add(const tiny_encoder *t, const tiny_kind *kind, int layer, const char *norm,
                           const double *more, double *x) {
  double y[DEC_HIDDEN];
  memcpy(y, more, sizeof y);
  if (kind->post_norms) dec_norm(dec_look(t, layer, norm), kind, DEC_HIDDEN, y);
  for (int i = 0; i < DEC_HIDDEN; i++) x[i] += y[i];
}

static inline void dec_ffn(const tiny_encoder *t, const tiny_kind *kind, int layer, double *x) {
  const char *before = kind->post_norms ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight";
  double y[DEC_HIDDEN], gate[DEC_INNER], up[DEC_INNER];
  memcpy(y, x, sizeof y);
  dec_norm(dec_look(t, layer, before), kind, DEC_HIDDEN, y);
  const float *joined = dec_look(t, layer, "mlp.gate_up_proj.weight");
  dec_product(kind->fused ? joined : dec_look(t, layer, "mlp.gate_proj.weight"), NULL, 0, DEC_INNER, DEC_HIDDEN, y,
              gate);
  dec_product(kind->fused ? joined : dec_look(t, layer, "mlp.up_proj.weight"), NULL, kind->fused ? DEC_INNER : 0,
              DEC_INNER, DEC_HIDDEN, y, up);
  for (int i = 0; i < DEC_INNER; i++) gate[i] *= up[i] / (1 + exp(-gate[i]));
  dec_product(dec_look(t, layer, "mlp.down_proj.weight"), NULL, 0, DEC_HIDDEN, DEC_INNER, gate, y);
  dec_add(t, kind, layer, "post_feedforward_layernorm.weight", y, x);
}

static inline void dec_layer(const tiny_encoder *t, const tiny_kind *kind, int layer, dec_stream *s, int n) {
  for (int token = 0; token < n; token++) dec_heads(t, kind, layer, s, token);
  for (int token = 0; token < n; token++) {
    double context[DEC_Q], y[DEC_HIDDEN];
    dec_attend(kind, layer, s, token, context);
    dec_product(dec_look(t, layer, "self_attn.o_proj.weight"), dec_look(t, layer, "self_attn.o_proj.bias"), 0,
                DEC_HIDDEN, DEC_Q, context, y);
    dec_add(t, kind, layer, "post_attention_layernorm.weight", y, s->x[token]);
    dec_ffn(t, kind, layer, s->x[token]);
  }
}

/* out: n x DEC_WORDS */
static inline void dec_logits(const tiny_encoder *t, const tiny_kind *kind, const int32_t *ids, int n, double *out) {
  dec_stream *s = calloc(1, sizeof *s);
  const float *words = tiny_look(t, "model.embed_tokens", 0, ".weight");
  for (int k = 0; k < n; k++) {
    for (int i = 0; i < DEC_HIDDEN; i++) s->x[k][i] = (double)words[ids[k] * DEC_HIDDEN + i] * kind->scale;
  }
  for (int layer = 0; layer < DEC_LAYERS; layer++) dec_layer(t, kind, layer, s, n);
  for (int k = 0; k < n; k++) {
    double *row = out + k * DEC_WORDS;
    dec_norm(tiny_look(t, "model.norm", 0, ".weight"), kind, DEC_HIDDEN, s->x[k]);
    dec_product(kind->tied ? words : tiny_look(t, "lm_head", 0, ".weight"), NULL, 0, DEC_WORDS, DEC_HIDDEN, s->x[k],
                row);
    for (int i = 0; i < DEC_WORDS && kind->cap > 0; i++) row[i] = kind->cap * tanh(row[i] / kind->cap);
  }
  free(s);
}

#endif
