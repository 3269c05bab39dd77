/* type_list.c - a list of types as callers write it. */
#include "ops/type_list.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "tensor/dtype.h"

static aq_status add_type(aq_type_list *list, const char *name, size_t length, const char *done, aq_error *err) {
  char word[16];
  aq_quant_type type = AQ_KEPT;
  (void)snprintf(word, sizeof word, "%.*s", (int)AQ_MIN(length, sizeof word - 1), name);
  const bool known = length < sizeof word && aq_quant_type_from_name(word, &type) && type != AQ_KEPT;
  AQ_FAIL_IF(!known, AQ_ERR_ARGUMENT, "type '%.*s' cannot be %s; the types are int8, int4, int3, int2",
             (int)AQ_MIN(length, (size_t)64), name, done);
  for (size_t i = 0; i < list->count; i++) {
    AQ_FAIL_IF(list->types[i] == type, AQ_ERR_ARGUMENT, "type '%s' is named twice", word);
  }
  list->types[list->count++] = type; /* four types, each once: there is room */
  return AQ_OK;
}

aq_status aq_type_list_parse(const char *text, const char *done, aq_type_list *out, aq_error *err) {
  *out = (aq_type_list){.count = 0};
  for (;;) {
    text += strspn(text, " ");
    const size_t field = strcspn(text, ",");
    size_t length = field;
    while (length > 0 && text[length - 1] == ' ') length--;
    AQ_TRY(add_type(out, text, length, done, err));
    if (text[field] == '\0') return AQ_OK;
    text += field + 1;
  }
}
