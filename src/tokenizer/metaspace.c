/* metaspace.c - the settings of the type Metaspace. "add_prefix_space" is the older name of "prepend_scheme". */
#include "tokenizer/metaspace.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "core/utf8.h"

static const char *const schemes[] = {
    [AQ_PREPEND_ALWAYS] = "always", [AQ_PREPEND_FIRST] = "first", [AQ_PREPEND_NEVER] = "never"};

void aq_metaspace_free(void *metaspace) {
  aq_metaspace *m = metaspace;
  if (m != NULL) aq_regex_free(m->regex);
  aq_free(m);
}

static aq_status read_scheme(const json_t *object, aq_prepend_scheme *out, aq_error *err) {
  const char *name;
  bool prepends;
  AQ_TRY(aq_json_text(object, "prepend_scheme", schemes[AQ_PREPEND_ALWAYS], &name, err));
  AQ_TRY(aq_json_bool(object, "add_prefix_space", true, &prepends, err));
  for (size_t i = 0; i < AQ_COUNT_OF(schemes); i++) {
    if (strcmp(name, schemes[i]) != 0) continue;
    *out = (aq_prepend_scheme)i;
    AQ_FAIL_IF(!prepends && *out != AQ_PREPEND_NEVER, AQ_ERR_FORMAT,
               "'add_prefix_space' is false, and 'prepend_scheme' is '%s'", name);
    return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_UNSUPPORTED, "'prepend_scheme' is '%.40s'; always, first and never are possible", name);
}

static aq_status read_metaspace(const json_t *object, aq_metaspace *m, aq_error *err) {
  const char *replacement;
  AQ_TRY(aq_json_text(object, "replacement", "\xE2\x96\x81", &replacement, err));
  const size_t size = strlen(replacement);
  AQ_FAIL_IF(size == 0 || aq_utf8_width((uint8_t)replacement[0]) != size, AQ_ERR_FORMAT,
             "'replacement' is not one character");
  memcpy(m->replacement, replacement, size);
  m->replacement_size = size;
  AQ_TRY(read_scheme(object, &m->scheme, err));
  AQ_TRY(aq_json_bool(object, "split", true, &m->splits, err));
  return aq_regex_compile_literal(replacement, size, &m->regex, err);
}

aq_status aq_metaspace_read(const json_t *object, void **out, aq_error *err) {
  aq_metaspace *m = aq_calloc(1, sizeof *m);
  if (m == NULL) return aq_fail_memory(err, sizeof *m);
  const aq_status status = read_metaspace(object, m, err);
  if (status == AQ_OK) {
    *out = m;
  } else {
    aq_metaspace_free(m);
  }
  return status;
}
