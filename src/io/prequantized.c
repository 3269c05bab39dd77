/* prequantized.c - a note about weights that another tool quantized already, and that are not decoded
 * (prequantized/decoded_source.h).
 *
 * It is not an error: the file is valid, and its tensors are taken as they are stored. What the note says is held to by
 * every operation (quant/quantized_layer.h). */
#include "io/prequantized.h"

#include <jansson.h>
#include <string.h>

#include "core/error.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/model_files.h"
#include "quant/quantized_layer.h"

/* The name of the method that config.json gives: quant_method of transformers, or "MLX", which has none. NULL: there is
 * no word of quantization. */
static const char *method_of(const json_t *config) {
  static const char *const keys[] = {"quantization_config", "compression_config", "quantization"};
  for (size_t i = 0; i < AQ_COUNT_OF(keys); i++) {
    const json_t *said = json_object_get(config, keys[i]);
    if (!json_is_object(said)) continue;
    const char *method = json_string_value(json_object_get(said, "quant_method"));
    if (method == NULL) method = json_string_value(json_object_get(said, "quant_algo"));
    return method != NULL ? method : strcmp(keys[i], "quantization") == 0 ? "MLX" : "not named";
  }
  return NULL;
}

static aq_status add_note(aq_source *source, const aq_quantized_layers *layers, const char *method, aq_error *err) {
  const char *scheme = method != NULL ? method : layers->scheme != NULL ? layers->scheme : "scheme not known";
  if (layers->count > 0) {
    return aq_source_add_note(source, err,
                              "another tool has quantized %zu of the layers already (%.64s; '%.150s', ...): codes "
                              "and scales are kept as they are stored",
                              layers->count, scheme, source->names[layers->first]);
  }
  if (method == NULL) return AQ_OK;
  return aq_source_add_note(
      source, err,
      "config.json says that another tool quantized the weights (%.64s), but no tensor looks like "
      "its codes: they are taken as the numbers that they are",
      scheme);
}

aq_status aq_prequantized_note(aq_source *source, aq_error *err) {
  if (source->prequantized_known) return AQ_OK;
  source->prequantized_known = true;
  char *text = NULL;
  size_t size = 0;
  aq_quantized_layers layers;
  AQ_TRY(aq_quantized_layers_find(source->tensors, source->tensor_count, &layers, err));
  /* A config that cannot be read or parsed is the business of those who need it. */
  json_t *config = NULL;
  if (aq_model_file_read(source, NULL, "config.json", &text, &size, NULL) == AQ_OK && text != NULL &&
      aq_json_parse_python(text, size, &config, NULL) != AQ_OK) {
    config = NULL;
  }
  aq_free(text);
  const aq_status status = add_note(source, &layers, method_of(config), err);
  json_decref(config);
  aq_quantized_layers_reset(&layers);
  return status;
}
