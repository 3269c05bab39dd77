/* gguf_names.c - the table of names, and one pattern's words put into another. */
#include "io/gguf/gguf_names.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/memory.h"
#include "io/listing.h"

#define BLOCK "blk.#."
#define LAYER "model.layers.#."
#define ENCODER_LAYER "encoder.layer.#."
#define ROTARY_LAYER "layers.#."
#define END \
  { NULL, NULL, AQ_GGUF_UNCHANGED }

/* ---- tensors ---- */

static const aq_gguf_name decoder[] = {{"token_embd", "model.embed_tokens", AQ_GGUF_UNCHANGED},
                                       {"output", "lm_head", AQ_GGUF_UNCHANGED},
                                       {BLOCK "attn_output", LAYER "self_attn.o_proj", AQ_GGUF_UNCHANGED},
                                       {BLOCK "ffn_down", LAYER "mlp.down_proj", AQ_GGUF_UNCHANGED},
                                       END};
static const aq_gguf_name norms[] = {{"output_norm", "model.norm", AQ_GGUF_UNCHANGED},
                                     {BLOCK "attn_norm", LAYER "input_layernorm", AQ_GGUF_UNCHANGED},
                                     {BLOCK "ffn_norm", LAYER "post_attention_layernorm", AQ_GGUF_UNCHANGED},
                                     END};
static const aq_gguf_name head_norms[] = {{BLOCK "attn_q_norm", LAYER "self_attn.q_norm", AQ_GGUF_UNCHANGED},
                                          {BLOCK "attn_k_norm", LAYER "self_attn.k_norm", AQ_GGUF_UNCHANGED},
                                          END};
static const aq_gguf_name gemma_norms[] = {
    {"output_norm", "model.norm", AQ_GGUF_PLUS_ONE},
    {BLOCK "attn_norm", LAYER "input_layernorm", AQ_GGUF_PLUS_ONE},
    {BLOCK "post_attention_norm", LAYER "post_attention_layernorm", AQ_GGUF_PLUS_ONE},
    {BLOCK "ffn_norm", LAYER "pre_feedforward_layernorm", AQ_GGUF_PLUS_ONE},
    {BLOCK "post_ffw_norm", LAYER "post_feedforward_layernorm", AQ_GGUF_PLUS_ONE},
    {BLOCK "attn_q_norm", LAYER "self_attn.q_norm", AQ_GGUF_PLUS_ONE},
    {BLOCK "attn_k_norm", LAYER "self_attn.k_norm", AQ_GGUF_PLUS_ONE},
    END};
static const aq_gguf_name linears[] = {{BLOCK "attn_q", LAYER "self_attn.q_proj", AQ_GGUF_UNCHANGED},
                                       {BLOCK "attn_k", LAYER "self_attn.k_proj", AQ_GGUF_UNCHANGED},
                                       {BLOCK "attn_v", LAYER "self_attn.v_proj", AQ_GGUF_UNCHANGED},
                                       {BLOCK "ffn_gate", LAYER "mlp.gate_proj", AQ_GGUF_UNCHANGED},
                                       {BLOCK "ffn_up", LAYER "mlp.up_proj", AQ_GGUF_UNCHANGED},
                                       END};
static const aq_gguf_name interleaved_linears[] = {{BLOCK "attn_q", LAYER "self_attn.q_proj", AQ_GGUF_QUERY_ROWS},
                                                   {BLOCK "attn_k", LAYER "self_attn.k_proj", AQ_GGUF_KEY_ROWS},
                                                   {BLOCK "attn_v", LAYER "self_attn.v_proj", AQ_GGUF_UNCHANGED},
                                                   {BLOCK "ffn_gate", LAYER "mlp.gate_proj", AQ_GGUF_UNCHANGED},
                                                   {BLOCK "ffn_up", LAYER "mlp.up_proj", AQ_GGUF_UNCHANGED},
                                                   END};
static const aq_gguf_name joined_linears[] = {{BLOCK "attn_qkv", LAYER "self_attn.qkv_proj", AQ_GGUF_UNCHANGED},
                                              {BLOCK "ffn_up", LAYER "mlp.gate_up_proj", AQ_GGUF_UNCHANGED},
                                              END};
static const aq_gguf_name bert[] = {
    {"token_embd", "embeddings.word_embeddings", AQ_GGUF_UNCHANGED},
    {"position_embd", "embeddings.position_embeddings", AQ_GGUF_UNCHANGED},
    {"token_types", "embeddings.token_type_embeddings", AQ_GGUF_UNCHANGED},
    {"token_embd_norm", "embeddings.LayerNorm", AQ_GGUF_UNCHANGED},
    {BLOCK "attn_q", ENCODER_LAYER "attention.self.query", AQ_GGUF_UNCHANGED},
    {BLOCK "attn_k", ENCODER_LAYER "attention.self.key", AQ_GGUF_UNCHANGED},
    {BLOCK "attn_v", ENCODER_LAYER "attention.self.value", AQ_GGUF_UNCHANGED},
    {BLOCK "attn_output", ENCODER_LAYER "attention.output.dense", AQ_GGUF_UNCHANGED},
    {BLOCK "attn_output_norm", ENCODER_LAYER "attention.output.LayerNorm", AQ_GGUF_UNCHANGED},
    {BLOCK "ffn_up", ENCODER_LAYER "intermediate.dense", AQ_GGUF_UNCHANGED},
    {BLOCK "ffn_down", ENCODER_LAYER "output.dense", AQ_GGUF_UNCHANGED},
    {BLOCK "layer_output_norm", ENCODER_LAYER "output.LayerNorm", AQ_GGUF_UNCHANGED},
    END};

/* llama.cpp's conversion joins query, key and value; its programs read them apart as well. */
static const aq_gguf_name nomic_bert[] = {
    {"token_embd", "embeddings.word_embeddings", AQ_GGUF_UNCHANGED},
    {"token_types", "embeddings.token_type_embeddings", AQ_GGUF_UNCHANGED},
    {"token_embd_norm", "embeddings.LayerNorm", AQ_GGUF_UNCHANGED},
    {BLOCK "attn_q", ROTARY_LAYER "self_attn.q_proj", AQ_GGUF_UNCHANGED},
    {BLOCK "attn_k", ROTARY_LAYER "self_attn.k_proj", AQ_GGUF_UNCHANGED},
    {BLOCK "attn_v", ROTARY_LAYER "self_attn.v_proj", AQ_GGUF_UNCHANGED},
    {BLOCK "attn_qkv", ROTARY_LAYER "self_attn.q_proj", AQ_GGUF_JOINED},
    {BLOCK "attn_qkv", ROTARY_LAYER "self_attn.k_proj", AQ_GGUF_JOINED},
    {BLOCK "attn_qkv", ROTARY_LAYER "self_attn.v_proj", AQ_GGUF_JOINED},
    {BLOCK "attn_output", ROTARY_LAYER "self_attn.o_proj", AQ_GGUF_UNCHANGED},
    {BLOCK "attn_output_norm", ROTARY_LAYER "post_attention_layernorm", AQ_GGUF_UNCHANGED},
    {BLOCK "ffn_gate", ROTARY_LAYER "mlp.gate_proj", AQ_GGUF_UNCHANGED},
    {BLOCK "ffn_up", ROTARY_LAYER "mlp.up_proj", AQ_GGUF_UNCHANGED},
    {BLOCK "ffn_down", ROTARY_LAYER "mlp.down_proj", AQ_GGUF_UNCHANGED},
    {BLOCK "layer_output_norm", ROTARY_LAYER "post_mlp_layernorm", AQ_GGUF_UNCHANGED},
    END};

/* ---- architectures ---- */

static const aq_gguf_arch archs[] = {
    {"llama", "llama", "LlamaForCausalLM", {decoder, norms, interleaved_linears}, false, false},
    {"qwen2", "qwen2", "Qwen2ForCausalLM", {decoder, norms, linears}, false, false},
    {"qwen3", "qwen3", "Qwen3ForCausalLM", {decoder, norms, linears, head_norms}, false, false},
    {"gemma3", "gemma3_text", "Gemma3ForCausalLM", {decoder, gemma_norms, linears}, false, false},
    {"smollm3", "smollm3", "SmolLM3ForCausalLM", {decoder, norms, interleaved_linears}, false, false},
    {"phi3", "phi3", "Phi3ForCausalLM", {decoder, norms, joined_linears}, false, false},
    {"bert", "bert", "BertModel", {bert}, true, false},
    {"nomic-bert", "nomic_bert", "NomicBertModel", {nomic_bert}, true, true},
};

const aq_gguf_arch *aq_gguf_arch_find(const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(archs); i++) {
    if (strcmp(archs[i].name, name) == 0) return &archs[i];
  }
  return NULL;
}

/* Mistral's models are Llama's there. */
const aq_gguf_arch *aq_gguf_arch_find_type(const char *model_type) {
  if (strcmp(model_type, "mistral") == 0) return aq_gguf_arch_find("llama");
  for (size_t i = 0; i < AQ_COUNT_OF(archs); i++) {
    if (strcmp(archs[i].model_type, model_type) == 0) return &archs[i];
  }
  return NULL;
}

const char *aq_gguf_arch_names(char *out, size_t room) {
  size_t used = 0;
  for (size_t i = 0; i < AQ_COUNT_OF(archs) && used < room; i++) {
    const int more = snprintf(out + used, room - used, "%s%s", i > 0 ? ", " : "", archs[i].name);
    used += (size_t)AQ_MAX(more, 0);
  }
  return out;
}

/* ---- patterns ---- */

/* Where the pattern begins the name, up to a '.' or the end of it: the length, and in *number, *digits what stands for
 * the '#'. A number has no zero in front and at most six digits. 0: it does not. */
static size_t match_pattern(const char *pattern, const char *name, const char **number, size_t *digits) {
  const char *at = name;
  for (; *pattern != '\0'; pattern++) {
    if (*pattern != '#') {
      if (*at++ != *pattern) return 0;
      continue;
    }
    *number = at;
    *digits = strspn(at, "0123456789");
    if (*digits == 0 || *digits > 6 || (*digits > 1 && *at == '0')) return 0;
    at += *digits;
  }
  return *at == '.' ? (size_t)(at - name) : 0;
}

static bool has_known_end(const aq_gguf_arch *arch, const aq_gguf_name *name, const char *end) {
  if (strcmp(end, ".bias") != 0) return strcmp(end, ".weight") == 0;
  return !arch->is_unbiased || aq_ends_with(name->gguf, "norm");
}

/* The pattern with `number` for its '#', and the end. */
static char *fill_pattern(const char *pattern, const char *number, size_t digits, const char *end) {
  const char *mark = strchr(pattern, '#');
  if (mark == NULL) return aq_format("%s%s", pattern, end);
  return aq_format("%.*s%.*s%s%s", (int)(mark - pattern), pattern, (int)digits, number, mark + 1, end);
}

/* The way between the two worlds, and in it the match number `piece` of a name. */
typedef struct name_search {
  bool to_hf;
  size_t piece;
} name_search;

static char *translate_name(const aq_gguf_arch *arch, const char *name, name_search search, aq_gguf_change *change,
                            bool *is_known) {
  for (size_t i = 0; arch->names[i] != NULL; i++) {
    for (const aq_gguf_name *n = arch->names[i]; n->gguf != NULL; n++) {
      const char *number = "";
      size_t digits = 0;
      if (!search.to_hf && n->change == AQ_GGUF_JOINED) continue;
      const size_t length = match_pattern(search.to_hf ? n->gguf : n->hf, name, &number, &digits);
      if (length == 0 || !has_known_end(arch, n, name + length) || search.piece-- > 0) continue;
      *change = n->change;
      *is_known = true;
      return fill_pattern(search.to_hf ? n->hf : n->gguf, number, digits, name + length);
    }
  }
  *is_known = false;
  return NULL;
}

char *aq_gguf_name_to_hf(const aq_gguf_arch *arch, const char *name, size_t piece, aq_gguf_change *change,
                         bool *is_known) {
  return translate_name(arch, name, (name_search){true, piece}, change, is_known);
}

char *aq_gguf_name_from_hf(const aq_gguf_arch *arch, const char *name, aq_gguf_change *change, bool *is_known) {
  return translate_name(arch, name, (name_search){false, 0}, change, is_known);
}
