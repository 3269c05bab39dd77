/* decoder_config.c - the configuration of a decoder, from a text that is not trusted.
 *
 * Sizes must be there. What else is missing is as in the configuration classes of transformers, family by family
 * (arch/decoder_family.h). The bounds are far above any model in use and low enough that no product of a few of them
 * leaves 64 bits. */
#include "model/decoder_config.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "model/arch/decoder_family.h"
#include "model/config_keys.h"
#include "model/config_numbers.h"

static const char config_json[] = "config.json";

enum { MOST_WIDTH = 1024, MOST_INNER = 1 << 18 };

void aq_decoder_config_reset(aq_decoder_config *config) {
  aq_free(config->layers);
  for (size_t i = 0; i < AQ_ROPES_MAX; i++) aq_rope_reset(&config->ropes[i]);
  *config = (aq_decoder_config){0};
}

static aq_status find_family(const json_t *root, aq_model_config *base, aq_error *err) {
  const char *type;
  char names[AQ_ARCH_NAMES_SIZE];
  AQ_TRY(aq_json_text(root, "model_type", NULL, &type, err));
  AQ_FAIL_IF(type == NULL, AQ_ERR_UNSUPPORTED, "'model_type' is missing; decoders that can be run are %s",
             aq_arch_names(AQ_OUTPUT_LOGITS, names));
  base->arch = aq_arch_find(AQ_OUTPUT_LOGITS, type);
  AQ_FAIL_IF(base->arch == NULL, AQ_ERR_UNSUPPORTED, "'model_type' is '%.64s'; decoders that can be run are %s", type,
             aq_arch_names(AQ_OUTPUT_LOGITS, names));
  return AQ_OK;
}

static aq_status read_heads(const json_t *root, const aq_model_config *base, aq_layer_spec *layer, aq_error *err) {
  const aq_decoder_family *f = base->arch->decoder;
  const bool divides = base->hidden % base->heads == 0;
  layer->heads = layer->kv_heads = base->heads; /* null says so, and in some families a missing key */
  if (f->kv_heads > 0 && json_object_get(root, "num_key_value_heads") == NULL) layer->kv_heads = f->kv_heads;
  AQ_TRY(aq_config_count_or(root, "num_key_value_heads", 1, 1024, layer->kv_heads, &layer->kv_heads, err));
  AQ_TRY(aq_config_count_or(root, "head_dim", 1, MOST_WIDTH, f->width, &layer->width, err));
  AQ_FAIL_IF(layer->width == 0 && !divides, AQ_ERR_FORMAT,
             "'hidden_size' is %u, which is no multiple of 'num_attention_heads' (%u), and there is no 'head_dim'",
             base->hidden, base->heads);
  if (layer->width == 0) layer->width = base->hidden / base->heads;
  AQ_FAIL_IF(layer->width > MOST_WIDTH, AQ_ERR_FORMAT, "a head is %u wide; %d is possible", layer->width, MOST_WIDTH);
  AQ_FAIL_IF(base->heads % layer->kv_heads != 0, AQ_ERR_FORMAT,
             "'num_attention_heads' is %u, which is no multiple of 'num_key_value_heads' (%u)", base->heads,
             layer->kv_heads);
  layer->scale = 1 / sqrtf((float)layer->width);
  return AQ_OK;
}

static aq_status read_sizes(const json_t *root, aq_model_config *base, aq_layer_spec *layer, aq_error *err) {
  const aq_decoder_family *f = base->arch->decoder;
  const char *activation;
  double epsilon;
  AQ_TRY(aq_config_count(root, "hidden_size", 1, 32768, &base->hidden, err));
  AQ_TRY(aq_config_count(root, "num_attention_heads", 1, 1024, &base->heads, err));
  AQ_TRY(aq_config_count(root, "num_hidden_layers", 1, 1024, &base->layers, err));
  AQ_TRY(aq_config_count(root, "intermediate_size", 1, MOST_INNER, &base->inner, err));
  AQ_TRY(aq_config_count(root, "vocab_size", 1, 1 << 24, &base->vocabulary, err));
  AQ_TRY(aq_config_count(root, "max_position_embeddings", 1, 1 << 24, &base->positions, err));
  AQ_TRY(aq_config_number_or(root, "rms_norm_eps", 0, 1, f->epsilon, &epsilon, err));
  base->epsilon = (float)epsilon;
  base->position_limit = base->max_tokens = base->positions;
  AQ_TRY(aq_json_text(root, f->activation, f->usual_activation, &activation, err));
  base->activation = layer->activation = aq_activation_find(activation);
  AQ_FAIL_IF(layer->activation == NULL, AQ_ERR_UNSUPPORTED, "'%s' is '%.64s'; what can be run is %s", f->activation,
             activation, aq_activation_names);
  layer->inner = base->inner;
  return read_heads(root, base, layer, err);
}

static aq_status read_flags(const json_t *root, const aq_decoder_family *f, aq_decoder_config *out, aq_error *err) {
  bool attention, ffn;
  AQ_TRY(aq_json_bool(root, "tie_word_embeddings", f->tied, &out->tied, err));
  AQ_TRY(aq_json_bool(root, "attention_bias", false, &attention, err));
  AQ_TRY(aq_json_bool(root, "mlp_bias", false, &ffn, err));
  out->biased = f->biased | (attention ? f->biased_by_attention_bias : 0) | (ffn ? f->biased_by_mlp_bias : 0);
  return AQ_OK;
}

static aq_status parse_root(const json_t *root, aq_notes *notes, aq_model_config *base, aq_decoder_config *out,
                            aq_error *err) {
  aq_layer_spec layer = {.window = AQ_NO_WINDOW};
  AQ_TRY(find_family(root, base, err));
  AQ_TRY(aq_config_keys_check(root, AQ_KEYS_DECODER, config_json, AQ_UNKNOWN_NOTED, notes, err));
  AQ_TRY(read_sizes(root, base, &layer, err));
  AQ_TRY(read_flags(root, base->arch->decoder, out, err));
  out->layers = aq_calloc(base->layers, sizeof *out->layers);
  if (out->layers == NULL) return aq_fail_memory(err, base->layers * sizeof *out->layers);
  for (uint32_t i = 0; i < base->layers; i++) out->layers[i] = layer;
  return base->arch->decoder->configure(root, base, out, notes, err);
}

aq_status aq_decoder_config_parse(const char *text, size_t size, aq_notes *notes, aq_model_config *base,
                                  aq_decoder_config *out, aq_error *err) {
  json_t *root;
  *base = (aq_model_config){.padding = -1};
  *out = (aq_decoder_config){.embedding_scale = 1};
  aq_status status = aq_json_parse_python(text, size, &root, err);
  if (status == AQ_OK) status = parse_root(root, notes, base, out, err);
  json_decref(root);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, config_json);
}
