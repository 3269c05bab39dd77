/* prequantized.c - notes about weights that another tool quantized already.
 *
 * The names: *.weight_scale_inv (block-wise FP8, as DeepSeek publishes), *.weight_packed (compressed-tensors),
 * *.qweight (GPTQ, AWQ). Reading their numbers as weights is seldom what is meant, but it is not an error: the file is
 * valid. */
#include "io/prequantized.h"

#include <jansson.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/listing.h"

#define CONFIG_MAX ((size_t)16 << 20)

static aq_status note_names(aq_source *source, aq_error *err) {
  static const char *const suffixes[] = {".weight_scale_inv", ".weight_packed", ".qweight"};
  for (size_t k = 0; k < AQ_COUNT_OF(suffixes); k++) {
    size_t count = 0, first = 0;
    for (size_t i = 0; i < source->tensor_count; i++) {
      if (!aq_ends_with(source->names[i], suffixes[k])) continue;
      if (count++ == 0) first = i;
    }
    if (count > 0) {
      AQ_TRY(aq_source_add_note(source, err,
                                "%zu tensors are named *%s ('%.150s', ...): another tool quantized these weights, and "
                                "their codes are taken as plain numbers",
                                count, suffixes[k], source->names[first]));
    }
  }
  return AQ_OK;
}

/* A config that cannot be read or parsed is not this library's business. */
static json_t *read_config(const char *path) {
  char *text = NULL;
  size_t size = 0;
  if (!aq_path_exists(path) || aq_file_slurp(path, CONFIG_MAX, &text, &size, NULL) != AQ_OK) return NULL;
  json_t *config = json_loadb(text, size, 0, NULL);
  aq_free(text);
  return config;
}

static aq_status note_config(aq_source *source, aq_error *err) {
  char *folder = aq_path_parent(source->path);
  char *path = folder != NULL ? aq_path_join(folder, "config.json") : NULL;
  aq_free(folder);
  if (path == NULL) return aq_fail_memory(err, strlen(source->path));
  json_t *config = read_config(path);
  aq_free(path);
  const json_t *quantization = json_object_get(config, "quantization_config");
  aq_status status = AQ_OK;
  if (json_is_object(quantization)) {
    const char *method = json_string_value(json_object_get(quantization, "quant_method"));
    status = aq_source_add_note(source, err,
                                "config.json beside it has a quantization_config (method %.64s): its weights are "
                                "quantized already, and are taken as they are stored",
                                method != NULL ? method : "not named");
  }
  json_decref(config);
  return status;
}

aq_status aq_prequantized_note(aq_source *source, aq_error *err) {
  AQ_TRY(note_config(source, err));
  return note_names(source, err);
}
