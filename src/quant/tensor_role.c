/* tensor_role.c - names of parts as BERT, GPT-2, Llama, T5, ViT, DistilBERT, MPNet, diffusers and their relatives write
 * them: "encoder.layer.0.attention.self.query.weight" is a "query". */
#include "quant/tensor_role.h"

#include <stdbool.h>
#include <string.h>

typedef struct known_part {
  const char *text;
  bool anywhere; /* it may be a piece of the part */
  aq_role role;
} known_part;

/* The first that fits, so that "position_embeddings" is no table of tokens. */
static const known_part known_parts[] = {
    {"query", false, AQ_ROLE_QUERY_KEY},
    {"key", false, AQ_ROLE_QUERY_KEY},
    {"q_proj", false, AQ_ROLE_QUERY_KEY},
    {"k_proj", false, AQ_ROLE_QUERY_KEY},
    {"wq", false, AQ_ROLE_QUERY_KEY},
    {"wk", false, AQ_ROLE_QUERY_KEY},
    {"to_q", false, AQ_ROLE_QUERY_KEY},
    {"to_k", false, AQ_ROLE_QUERY_KEY},
    {"q_lin", false, AQ_ROLE_QUERY_KEY},
    {"k_lin", false, AQ_ROLE_QUERY_KEY},
    {"q", false, AQ_ROLE_QUERY_KEY},
    {"k", false, AQ_ROLE_QUERY_KEY},
    {"value", false, AQ_ROLE_VALUE},
    {"v_proj", false, AQ_ROLE_VALUE},
    {"wv", false, AQ_ROLE_VALUE},
    {"to_v", false, AQ_ROLE_VALUE},
    {"v_lin", false, AQ_ROLE_VALUE},
    {"v", false, AQ_ROLE_VALUE},
    {"position", true, AQ_ROLE_POSITION},
    {"pos_embed", true, AQ_ROLE_POSITION},
    {"wpe", false, AQ_ROLE_POSITION},
    {"relative_attention_bias", false, AQ_ROLE_POSITION},
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

/* Where the part that ends before `end` begins. */
static size_t part_start(const char *name, size_t end) {
  while (end > 0 && name[end - 1] != '.' && name[end - 1] != '/') --end;
  return end;
}

aq_role aq_role_of(const char *name) {
  static const char weight[] = "weight";
  size_t end = strlen(name), start = part_start(name, end);
  if (start > 0 && end - start == sizeof weight - 1 && memcmp(name + start, weight, end - start) == 0) {
    end = start - 1;
    start = part_start(name, end);
  }
  return role_of_part(name + start, end - start);
}
