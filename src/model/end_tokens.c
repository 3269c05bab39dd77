/* end_tokens.c - the tokens that end what a decoder writes, and that which begins it, from the model's files. */
#include "model/end_tokens.h"

#include <jansson.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/model_files.h"

static const char generation_config[] = "generation_config.json";
static const char config_file[] = "config.json";
static const char eos[] = "eos_token_id", bos[] = "bos_token_id";

/* Keys of generation_config.json that change which tokens transformers would draw, and the values that change none. */
static const struct {
  const char *key;
  double neutral;
} drawing_keys[] = {{"do_sample", 0},
                    {"num_beams", 1},
                    {"repetition_penalty", 1},
                    {"penalty_alpha", 0},
                    {"no_repeat_ngram_size", 0},
                    {"encoder_repetition_penalty", 1},
                    {"min_new_tokens", 0},
                    {"min_length", 0},
                    {"guidance_scale", 1}};

static aq_status read_object(const aq_model *model, const char *name, json_t **out, aq_error *err) {
  char *text;
  size_t size;
  *out = NULL;
  AQ_TRY(aq_model_file_read(model->source, model->folder, name, &text, &size, err));
  if (text == NULL) return AQ_OK;
  const aq_status status = aq_json_parse_python(text, size, out, err);
  aq_free(text);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, name);
}

static aq_status add_id(const json_t *value, const char *key, const char *file, aq_end_tokens *out, aq_error *err) {
  const json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
  if (id < 0 || id > INT32_MAX || out->count == AQ_END_TOKENS_MAX) {
    (void)aq_fail(err, AQ_ERR_FORMAT, "key '%s' is no id of a token and no list of at most %d of them", key,
                  AQ_END_TOKENS_MAX);
    return aq_error_in_file(err, AQ_ERR_FORMAT, file);
  }
  out->ids[out->count++] = (int32_t)id;
  return AQ_OK;
}

static aq_status add_ids(const json_t *object, const char *key, const char *file, aq_end_tokens *out, aq_error *err) {
  const json_t *value = json_object_get(object, key);
  if (!aq_json_is_set(value)) return AQ_OK;
  if (!json_is_array(value)) return add_id(value, key, file, out, err);
  size_t i;
  json_t *item;
  json_array_foreach(value, i, item) AQ_TRY(add_id(item, key, file, out, err));
  return AQ_OK;
}

static bool is_neutral(const json_t *value, double neutral) {
  if (!aq_json_is_set(value)) return true;
  const double number = json_is_true(value) ? 1 : json_is_false(value) ? 0 : json_number_value(value);
  return (json_is_number(value) || json_is_boolean(value)) && !(number < neutral) && !(number > neutral);
}

static aq_status note_drawing_keys(const json_t *object, aq_notes *notes, aq_error *err) {
  for (size_t i = 0; notes != NULL && i < AQ_COUNT_OF(drawing_keys); i++) {
    if (is_neutral(json_object_get(object, drawing_keys[i].key), drawing_keys[i].neutral)) continue;
    AQ_TRY(aq_notes_add(notes, err,
                        "%s sets %s, which is not followed: tokens are drawn as the options of generate say",
                        generation_config, drawing_keys[i].key));
  }
  return AQ_OK;
}

/* The ids under a key in generation_config.json, or, when it has none, in config.json. Notes are made of the first. */
static aq_status read_ids(const aq_model *model, const char *key, aq_notes *notes, aq_end_tokens *out, aq_error *err) {
  json_t *generation, *config = NULL;
  *out = (aq_end_tokens){.count = 0};
  AQ_TRY(read_object(model, generation_config, &generation, err));
  aq_status status = add_ids(generation, key, generation_config, out, err);
  if (status == AQ_OK) status = note_drawing_keys(generation, notes, err);
  if (status == AQ_OK && out->count == 0) {
    status = read_object(model, config_file, &config, err);
    if (status == AQ_OK) status = add_ids(config, key, config_file, out, err);
  }
  json_decref(generation);
  json_decref(config);
  return status;
}

aq_status aq_end_tokens_read(const aq_model *model, aq_notes *notes, aq_end_tokens *out, aq_error *err) {
  return read_ids(model, eos, notes, out, err);
}

aq_status aq_begin_tokens_read(const aq_model *model, aq_end_tokens *out, aq_error *err) {
  return read_ids(model, bos, NULL, out, err);
}
