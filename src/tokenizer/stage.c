/* stage.c - the types of a stage by their names. */
#include "tokenizer/stage.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"

const char *aq_stage_names(const aq_stage *stage, char *text, size_t room) {
  size_t used = 0;
  text[0] = '\0';
  for (size_t i = 0; i < stage->count && used < room; i++) {
    const int length = snprintf(text + used, room - used, "%s%s", i > 0 ? ", " : "", stage->types[i]->name);
    used += length > 0 ? (size_t)length : 0;
  }
  return text;
}

static aq_status fail_type(const aq_stage *stage, const json_t *object, aq_error *err) {
  char names[256];
  const char *type = json_string_value(json_object_get(object, "type"));
  const char *quote = type != NULL ? "'" : "";
  return aq_fail(err, AQ_ERR_UNSUPPORTED, "the tokenizer's %s is %s%.80s%s; supported: %s", stage->name, quote,
                 type != NULL ? type : "none that says its type", quote, aq_stage_names(stage, names, sizeof names));
}

aq_status aq_stage_find(const aq_stage *stage, const json_t *object, const aq_stage_type **out, aq_error *err) {
  const char *type = json_string_value(json_object_get(object, "type"));
  for (size_t i = 0; i < stage->count; i++) {
    if (type == NULL || strcmp(stage->types[i]->name, type) != 0) continue;
    *out = stage->types[i];
    return aq_tokenizer_keys_check_part((*out)->keys, object, err);
  }
  return fail_type(stage, object, err);
}
