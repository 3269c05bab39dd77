/* post_processor_template.c - {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id":
 * 0}},
 * {"Sequence": {"id": "A", "type_id": 0}}, ...], "pair": [the same with a "B"], "special_tokens": {"[CLS]": {"ids":
 * [101]}}}. "A" and "B" are the texts. A "pair" that cannot be made keeps no text from being tokenized by itself. */
#include <string.h>

#include "core/error.h"
#include "tokenizer/post_processors.h"
#include "tokenizer/vocab.h"

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.single", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.pair", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.special_tokens", AQ_KEY_HONOURED},
    {.key = NULL},
};

#define TYPES_MOST 1024 /* rows that a table of types may have (model/config.c) */

/* A text by itself has the types 0, and so have the tokens around it. */
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

/* The list of ids of a special token that a template names; NULL: there is none. */
static const json_t *find_special(const json_t *object, const json_t *special) {
  const char *name = json_string_value(json_object_get(special, "id"));
  const json_t *listed = json_object_get(object, "special_tokens");
  return name == NULL ? NULL : json_object_get(json_object_get(listed, name), "ids");
}

static aq_status add_special(const json_t *object, const json_t *special, bool after, aq_token_frame *frame,
                             aq_error *err) {
  const char *name = json_string_value(json_object_get(special, "id"));
  const json_t *ids = find_special(object, special), *id;
  size_t i;
  AQ_FAIL_IF(!json_is_array(ids), AQ_ERR_FORMAT, "the post-processor's template names a token '%.60s' without ids",
             name != NULL ? name : "");
  json_array_foreach(ids, i, id) { AQ_TRY(aq_token_frame_add(frame, after, id, err)); }
  return AQ_OK;
}

/* ---- pairs ---- */

/* Both of these return NULL, or why the pair cannot be made. */
static const char *add_pair_special(const json_t *ids, aq_pair_place place, int32_t type, aq_pair_frame *pair) {
  if (!json_is_array(ids)) return "names a token without ids in its 'pair'";
  for (size_t i = 0; i < json_array_size(ids); i++) {
    const json_int_t id = json_integer_value(json_array_get(ids, i));
    if (!json_is_integer(json_array_get(ids, i)) || id < 0 || id >= AQ_VOCAB_MAX_ID) {
      return "has a special token without a proper id in its 'pair'";
    }
    if (!aq_pair_frame_add(pair, place, (int32_t)id, type)) return "adds more tokens to a 'pair' than can be added";
  }
  return NULL;
}

static const char *read_pair(const json_t *object, aq_pair_frame *pair) {
  static const char *const names[] = {"A", "B"};
  const json_t *pieces = json_object_get(object, "pair"), *piece;
  size_t i, texts = 0;
  json_array_foreach(pieces, i, piece) {
    const json_t *special = json_object_get(piece, "SpecialToken"), *text = json_object_get(piece, "Sequence");
    const json_t *type = json_object_get(special != NULL ? special : text, "type_id");
    const json_int_t number = json_integer_value(type);
    if (type != NULL && (!json_is_integer(type) || number < 0 || number >= TYPES_MOST)) {
      return "has a 'type_id' in its 'pair' that no model has";
    }
    if (special != NULL) {
      const json_t *ids = find_special(object, special);
      const char *reason = add_pair_special(ids, (aq_pair_place)texts, (int32_t)number, pair);
      if (reason != NULL) return reason;
      continue;
    }
    const char *name = json_string_value(json_object_get(text, "id"));
    if (texts == 2 || name == NULL || strcmp(name, names[texts]) != 0) break;
    pair->text_types[texts++] = (int32_t)number;
  }
  return texts == 2 && i == json_array_size(pieces) ? NULL : "has no 'pair' of the text A and then the text B";
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
  frame->pair.is_set = true;
  frame->pair.unsupported = read_pair(object, &frame->pair);
  return AQ_OK;
}

const aq_post_processor_type aq_post_processor_template = {.base = {"TemplateProcessing", keys},
                                                           .configure = configure_template};
