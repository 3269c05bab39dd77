/* role.c - names of parts as BERT, GPT-2, Llama, T5, ViT, DistilBERT, MPNet, diffusers and their relatives write
 * them: "encoder.layer.0.attention.self.query.weight" is a "query". */
#include "tensor/role.h"

#include <stdbool.h>
#include <string.h>

typedef struct known_part {
  const char *text;
  bool anywhere; /* it may be a piece of the part */
  aq_role role;
} known_part;

/* The first that fits, so that "position_embeddings" is no table of tokens. */
static const known_part known_parts[] = {
    {"query", false, AQ_ROLE_QUERY},
    {"key", false, AQ_ROLE_KEY},
    {"query_proj", false, AQ_ROLE_QUERY},
    {"key_proj", false, AQ_ROLE_KEY},
    {"q_proj", false, AQ_ROLE_QUERY},
    {"k_proj", false, AQ_ROLE_KEY},
    {"wq", false, AQ_ROLE_QUERY},
    {"wk", false, AQ_ROLE_KEY},
    {"to_q", false, AQ_ROLE_QUERY},
    {"to_k", false, AQ_ROLE_KEY},
    {"q_lin", false, AQ_ROLE_QUERY},
    {"k_lin", false, AQ_ROLE_KEY},
    {"q", false, AQ_ROLE_QUERY},
    {"k", false, AQ_ROLE_KEY},
    {"value", false, AQ_ROLE_VALUE},
    {"value_proj", false, AQ_ROLE_VALUE},
    {"v_proj", false, AQ_ROLE_VALUE},
    {"wv", false, AQ_ROLE_VALUE},
    {"to_v", false, AQ_ROLE_VALUE},
    {"v_lin", false, AQ_ROLE_VALUE},
    {"v", false, AQ_ROLE_VALUE},
    {"o_proj", false, AQ_ROLE_ATTENTION_OUT},
    {"wo", false, AQ_ROLE_ATTENTION_OUT},
    {"o", false, AQ_ROLE_ATTENTION_OUT},
    {"out_lin", false, AQ_ROLE_ATTENTION_OUT},
    {"gate_proj", false, AQ_ROLE_GATE},
    {"w1", false, AQ_ROLE_GATE},
    {"wi_0", false, AQ_ROLE_GATE},
    {"fc12", false, AQ_ROLE_GATE},
    {"fc11", false, AQ_ROLE_UP},
    {"wi_1", false, AQ_ROLE_UP},
    {"wi", false, AQ_ROLE_UP},
    {"up_proj", false, AQ_ROLE_UP},
    {"w3", false, AQ_ROLE_UP},
    {"lin1", false, AQ_ROLE_UP},
    {"down_proj", false, AQ_ROLE_DOWN},
    {"w2", false, AQ_ROLE_DOWN},
    {"lin2", false, AQ_ROLE_DOWN},
    {"position", true, AQ_ROLE_POSITION},
    {"pos_embed", true, AQ_ROLE_POSITION},
    {"wpe", false, AQ_ROLE_POSITION},
    {"relative_attention_bias", false, AQ_ROLE_POSITION},
    {"rel_embeddings", false, AQ_ROLE_POSITION},
    {"lm_head", false, AQ_ROLE_OUTPUT},
    {"embed_out", false, AQ_ROLE_OUTPUT},
    {"output", false, AQ_ROLE_OUTPUT},
    {"head", false, AQ_ROLE_OUTPUT},
    {"classifier", false, AQ_ROLE_OUTPUT},
    {"output_projection", false, AQ_ROLE_OUTPUT},
    {"decoder", false, AQ_ROLE_OUTPUT},
    {"fc", false, AQ_ROLE_OUTPUT},
    {"embed", true, AQ_ROLE_EMBEDDING},
    {"wte", false, AQ_ROLE_EMBEDDING},
    {"token_embd", false, AQ_ROLE_EMBEDDING},
    {"shared", false, AQ_ROLE_EMBEDDING},
};

static bool contains(const char *part, size_t length, const char *text) {
  const size_t n = strlen(text);
  for (size_t i = 0; i + n <= length; ++i) {
    if (memcmp(part + i, text, n) == 0) return true;
  }
  return false;
}

static aq_role role_of_part(const char *part, size_t length) {
  for (size_t i = 0; i < sizeof known_parts / sizeof known_parts[0]; ++i) {
    const known_part *known = &known_parts[i];
    const size_t n = strlen(known->text);
    const bool same = n == length && memcmp(part, known->text, n) == 0;
    if (same || (known->anywhere && contains(part, length, known->text))) return known->role;
  }
  return AQ_ROLE_UNKNOWN;
}

/* BERT calls three of a layer's matrices "dense", and T5 the second half of a feed-forward block as others call the
 * output of an attention: the parts before that tell them apart. The first that fits. */
static const struct known_path {
  const char *last, *before; /* what stands before the last part, at the end */
  aq_role role;
} known_paths[] = {
    {"dense", "attention.output", AQ_ROLE_ATTENTION_OUT},
    {"dense", "intermediate", AQ_ROLE_UP},
    {"dense", "pooler", AQ_ROLE_UNKNOWN},
    {"dense", "output", AQ_ROLE_DOWN},
    {"wo", "DenseReluDense", AQ_ROLE_DOWN},
    {"wo", "mlp", AQ_ROLE_DOWN},
};

static bool is_separator(char c) { return c == '.' || c == '/'; }

/* Where the part that ends before `end` begins. */
static size_t part_start(const char *name, size_t end) {
  while (end > 0 && !is_separator(name[end - 1])) --end;
  return end;
}

static bool part_is(const char *name, size_t start, size_t end, const char *text) {
  return end - start == strlen(text) && memcmp(name + start, text, end - start) == 0;
}

/* The end of the name without a "weight" after a separator. */
static size_t end_of_path(const char *name) {
  const size_t end = strlen(name), start = part_start(name, end);
  return start > 0 && part_is(name, start, end, "weight") ? start - 1 : end;
}

/* Of a name whose last part begins behind `end` and a separator. */
static aq_role role_of_path(const char *name, size_t end, size_t last_end) {
  for (size_t i = 0; i < sizeof known_paths / sizeof known_paths[0]; ++i) {
    const size_t n = strlen(known_paths[i].before);
    if (!part_is(name, end + 1, last_end, known_paths[i].last)) continue;
    if (end < n || memcmp(name + end - n, known_paths[i].before, n) != 0) continue;
    if (end == n || is_separator(name[end - n - 1])) return known_paths[i].role;
  }
  return AQ_ROLE_UNKNOWN;
}

aq_role aq_role_of(const char *name) {
  const size_t end = end_of_path(name), start = part_start(name, end);
  const aq_role by_path = start > 0 ? role_of_path(name, start - 1, end) : AQ_ROLE_UNKNOWN;
  return by_path != AQ_ROLE_UNKNOWN ? by_path : role_of_part(name + start, end - start);
}

/* The number at the end of a part, all of it or what follows an underscore; -1. */
static int32_t number_of_part(const char *part, size_t length) {
  enum { DIGITS = 6 };
  size_t digits = 0;
  int32_t number = 0, unit = 1;
  for (; digits < length && part[length - 1 - digits] >= '0' && part[length - 1 - digits] <= '9'; ++digits) {
    if (digits == DIGITS) return -1;
    number += unit * (part[length - 1 - digits] - '0');
    unit *= 10;
  }
  return digits > 0 && (digits == length || part[length - 1 - digits] == '_') ? number : -1;
}

int32_t aq_layer_of(const char *name) {
  for (size_t start = 0;;) {
    size_t end = start;
    while (name[end] != 0 && !is_separator(name[end])) ++end;
    const int32_t number = number_of_part(name + start, end - start);
    if (number >= 0 || name[end] == 0) return number;
    start = end + 1;
  }
}

bool aq_names_are_siblings(const char *a, const char *b) {
  const size_t a_start = part_start(a, end_of_path(a)), b_start = part_start(b, end_of_path(b));
  return a_start == b_start && memcmp(a, b, a_start) == 0;
}
