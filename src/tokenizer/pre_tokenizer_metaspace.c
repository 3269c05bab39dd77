/* pre_tokenizer_metaspace.c - {"type": "Metaspace"}: spaces become another character, which may be put before the text
 * as well, and a pretoken begins at each. */
#include <string.h>

#include "core/error.h"
#include "tokenizer/metaspace.h"
#include "tokenizer/pre_tokenizers.h"
#include "tokenizer/split_behavior.h"

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.replacement", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.prepend_scheme", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.add_prefix_space", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.split", AQ_KEY_HONOURED},
    {.key = NULL},
};

static bool begins_with_replacement(const aq_metaspace *m, const aq_text_span *span) {
  if (span->text[0] == ' ') return true;
  return span->size >= m->replacement_size && memcmp(span->text, m->replacement, m->replacement_size) == 0;
}

static aq_status replace_spaces(const aq_metaspace *m, const aq_text_span *span, aq_buffer *out, aq_error *err) {
  const bool may = m->scheme == AQ_PREPEND_ALWAYS || (m->scheme == AQ_PREPEND_FIRST && span->is_first);
  if (may && !begins_with_replacement(m, span)) {
    AQ_TRY(aq_buffer_append(out, m->replacement, m->replacement_size, err));
  }
  for (size_t at = 0; at < span->size;) {
    if (span->text[at] == ' ') {
      AQ_TRY(aq_buffer_append(out, m->replacement, m->replacement_size, err));
      at++;
      continue;
    }
    const uint8_t *space = memchr(span->text + at, ' ', span->size - at);
    const size_t end = space != NULL ? (size_t)(space - span->text) : span->size;
    AQ_TRY(aq_buffer_append(out, span->text + at, end - at, err));
    at = end;
  }
  return AQ_OK;
}

static aq_status put_pieces(const aq_metaspace *m, const aq_buffer *text, const aq_pretoken_sink *sink, aq_error *err) {
  aq_splitter splitter = {AQ_SPLIT_MERGED_WITH_NEXT, false, text->data, sink, 0, 0, false};
  if (m->splits) return aq_splitter_run(&splitter, m->regex, text->size, err);
  const aq_pretoken whole = aq_pretoken_of(text->data, text->size);
  return sink->put(sink->context, &whole, err);
}

static aq_status split_metaspace(const void *state, const aq_text_span *span, const aq_pretoken_sink *sink,
                                 aq_error *err) {
  aq_buffer text = {NULL, 0, 0};
  if (span->size == 0) return AQ_OK;
  aq_status status = replace_spaces(state, span, &text, err);
  if (status == AQ_OK) status = put_pieces(state, &text, sink, err);
  aq_buffer_reset(&text);
  return status;
}

const aq_pre_tokenizer_type aq_pre_tokenizer_metaspace = {.base = {"Metaspace", keys},
                                                          .configure = aq_metaspace_read,
                                                          .split = split_metaspace,
                                                          .free_state = aq_metaspace_free};
