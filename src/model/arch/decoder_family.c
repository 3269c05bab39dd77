/* decoder_family.c - keys of a configuration that several families of decoders read. */
#include "model/arch/decoder_family.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "model/config_numbers.h"

aq_rope_defaults aq_decoder_rope_defaults(const aq_model_config *base, const aq_decoder_config *config) {
  return (aq_rope_defaults){
      .theta = base->arch->decoder->theta, .turned = 1, .width = config->layers[0].width, .positions = base->positions};
}

/* rope_scaling stands before rope_parameters in transformers, and what the object says before rope_theta. */
aq_status aq_decoder_rope_read(const json_t *root, const aq_rope_defaults *defaults, aq_notes *notes,
                               aq_decoder_config *out, aq_error *err) {
  aq_rope_defaults d = *defaults;
  const json_t *parameters = json_object_get(root, "rope_scaling");
  if (!aq_json_is_set(parameters)) parameters = json_object_get(root, "rope_parameters");
  if (!aq_json_is_set(parameters)) parameters = NULL;
  for (size_t i = 0; i < 2; i++) {
    const char *const by_layer[] = {"full_attention", "sliding_attention"};
    AQ_FAIL_IF(json_object_get(parameters, by_layer[i]) != NULL, AQ_ERR_UNSUPPORTED,
               "'rope_parameters' has '%s'; what can be run are positions that are the same in all layers",
               by_layer[i]);
  }
  AQ_TRY(aq_config_number_or(root, "rope_theta", 1.0001, 1e15, d.theta, &d.theta, err));
  AQ_TRY(aq_config_number_or(root, "partial_rotary_factor", 1e-6, 1, d.turned, &d.turned, err));
  return aq_rope_configure(parameters, &d, notes, &out->ropes[0], err);
}

aq_status aq_decoder_window_read(const json_t *root, uint32_t otherwise, uint32_t *out, aq_error *err) {
  *out = otherwise;
  if (json_object_get(root, "sliding_window") == NULL) return AQ_OK;
  return aq_config_count_or(root, "sliding_window", 1, 1 << 30, AQ_NO_WINDOW, out, err);
}

aq_status aq_decoder_layer_slides(const json_t *root, const aq_model_config *base, uint32_t layer, bool otherwise,
                                  bool *out, aq_error *err) {
  const json_t *types = json_object_get(root, "layer_types");
  *out = otherwise;
  if (types == NULL || json_is_null(types)) return AQ_OK;
  AQ_FAIL_IF(json_array_size(types) != base->layers, AQ_ERR_FORMAT,
             "'layer_types' is no list of %u texts, one for each layer", base->layers);
  const char *type = json_string_value(json_array_get(types, layer));
  AQ_FAIL_IF(type == NULL, AQ_ERR_FORMAT, "'layer_types' has something that is no text");
  *out = strcmp(type, "sliding_attention") == 0;
  AQ_FAIL_IF(!*out && strcmp(type, "full_attention") != 0, AQ_ERR_UNSUPPORTED,
             "'layer_types' has '%.64s'; what can be run is full_attention, sliding_attention", type);
  return AQ_OK;
}

aq_status aq_decoder_refuse_key(const json_t *root, const char *key, const aq_model_config *base, aq_error *err) {
  AQ_FAIL_IF(aq_json_is_set(json_object_get(root, key)), AQ_ERR_UNSUPPORTED,
             "'%s' is set; what can be run of '%s' is a model without it", key, base->arch->model_type);
  return AQ_OK;
}
