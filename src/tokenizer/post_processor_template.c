/* post_processor_template.c - {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id":
 * 0}},
 * {"Sequence": {"id": "A", "type_id": 0}}, ...], "special_tokens": {"[CLS]": {"ids": [101]}}}. "A" is the text. */
#include <string.h>

#include "core/error.h"
#include "tokenizer/post_processors.h"

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.single", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.pair", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.special_tokens", AQ_KEY_HONOURED},
    {.key = NULL},
};

/* Types of tokens are not handed out: all are 0. */
static aq_status check_type_id(const json_t *piece, aq_error *err) {
  const json_t *type = json_object_get(piece, "type_id");
  AQ_FAIL_IF(type != NULL && (!json_is_integer(type) || json_integer_value(type) != 0), AQ_ERR_UNSUPPORTED,
             "the post-processor's template has a 'type_id' that is not 0");
  return AQ_OK;
}

static aq_status check_text(const json_t *text, bool text_seen, aq_error *err) {
  const char *which = json_string_value(json_object_get(text, "id"));
  AQ_FAIL_IF(text_seen || which == NULL || strcmp(which, "A") != 0, AQ_ERR_UNSUPPORTED,
             "the post-processor's template has something else than special tokens and one text");
  return AQ_OK;
}

static aq_status add_special(const json_t *object, const json_t *special, bool after, aq_token_frame *frame,
                             aq_error *err) {
  const char *name = json_string_value(json_object_get(special, "id"));
  const json_t *ids = name == NULL ? NULL : json_object_get(json_object_get(object, "special_tokens"), name), *id;
  size_t i;
  ids = json_object_get(ids, "ids");
  AQ_FAIL_IF(!json_is_array(ids), AQ_ERR_FORMAT, "the post-processor's template names a token '%.60s' without ids",
             name != NULL ? name : "");
  json_array_foreach(ids, i, id) { AQ_TRY(aq_token_frame_add(frame, after, id, err)); }
  return AQ_OK;
}

static aq_status configure_template(const json_t *object, aq_token_frame *frame, aq_error *err) {
  size_t i;
  const json_t *piece;
  bool text_seen = false;
  json_array_foreach(json_object_get(object, "single"), i, piece) {
    const json_t *special = json_object_get(piece, "SpecialToken"), *text = json_object_get(piece, "Sequence");
    AQ_TRY(check_type_id(special != NULL ? special : text, err));
    if (special == NULL) {
      AQ_TRY(check_text(text, text_seen, err));
      text_seen = true;
    } else {
      AQ_TRY(add_special(object, special, text_seen, frame, err));
    }
  }
  AQ_FAIL_IF(!text_seen, AQ_ERR_FORMAT, "the post-processor's template has no place for the text");
  return AQ_OK;
}

const aq_post_processor_type aq_post_processor_template = {.base = {"TemplateProcessing", keys},
                                                           .configure = configure_template};
