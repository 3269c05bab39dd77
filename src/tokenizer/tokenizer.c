/* tokenizer.c - the way of a text through a tokenizer: repair, added tokens, normalization, pretokens, their ids,
 * truncation, special tokens around. */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/token_ids.h"

/* A text is normalized in pieces of about this many bytes that end in a space, so that they stay in the cache, and so
 * that what truncation drops is not looked at. */
#define CHUNK_BYTES 1024

typedef struct job {
  const aq_tokenizer *tokenizer;
  aq_token_ids *ids;
  size_t enough;    /* of ids: what comes after is dropped */
  aq_buffer text;   /* normalized */
  aq_buffer pieces; /* scratch of the model */
  aq_normalizer_scratch scratch;
  aq_error *err;
} job;

static bool is_full(const job *j) { return j->ids->count >= j->enough; }

static aq_status add_pretoken(void *context, const aq_pretoken *pretoken, aq_error *err) {
  job *j = context;
  const aq_token_model *model = &j->tokenizer->model;
  return model->type->add(model->state, pretoken, j->ids, &j->pieces, err);
}

/* Normalized text without added tokens. */
static aq_status encode_normalized(job *j, const uint8_t *text, size_t size, bool is_first) {
  const aq_pre_tokenizer *cut = &j->tokenizer->pre_tokenizer;
  const aq_text_span span = {text, size, is_first};
  const aq_pretoken_sink sink = {add_pretoken, j};
  return size > 0 ? cut->type->split(cut->state, &span, &sink, j->err) : AQ_OK;
}

/* Text without added tokens, normalized in chunks where that is as good as the whole: the space that a chunk ends in
 * ends a word, and nothing combines across it. */
static aq_status encode_plain(job *j, const uint8_t *text, size_t size, bool is_first) {
  const aq_tokenizer *t = j->tokenizer;
  for (size_t at = 0; at < size && !is_full(j);) {
    size_t chunk = size - at;
    const bool cuts = t->is_local && chunk > CHUNK_BYTES;
    const uint8_t *space = cuts ? memchr(text + at + CHUNK_BYTES, ' ', chunk - CHUNK_BYTES) : NULL;
    if (space != NULL) chunk = (size_t)(space + 1 - (text + at));
    j->text.size = 0;
    AQ_TRY(aq_normalizers_apply(&t->normalizers, text + at, chunk, &j->text, &j->scratch, j->err));
    AQ_TRY(encode_normalized(j, j->text.data, j->text.size, is_first && at == 0));
    at += chunk;
  }
  return AQ_OK;
}

/* Text without raw added tokens. Others may stand in its normalized form, which is needed in one piece then. */
static aq_status encode_segment(job *j, const uint8_t *text, size_t size, bool is_first) {
  const aq_tokenizer *t = j->tokenizer;
  if (size == 0) return AQ_OK;
  if (t->normalized.count == 0) return encode_plain(j, text, size, is_first);
  j->text.size = 0;
  AQ_TRY(aq_normalizers_apply(&t->normalizers, text, size, &j->text, &j->scratch, j->err));
  aq_added_search search = {.text = j->text.data, .size = j->text.size};
  aq_added_match m;
  while (!is_full(j) && aq_added_next(&t->normalized, &search, &m)) {
    const bool begins = is_first && m.plain_start == 0;
    AQ_TRY(encode_normalized(j, search.text + m.plain_start, m.plain_end - m.plain_start, begins));
    AQ_TRY(aq_ids_push(j->ids, m.id, j->err));
  }
  if (is_full(j)) return AQ_OK;
  return encode_normalized(j, search.text + search.done, search.size - search.done, is_first && search.done == 0);
}

static aq_status encode_text(job *j, const uint8_t *text, size_t size) {
  aq_added_search search = {.text = text, .size = size};
  aq_added_match m;
  while (!is_full(j) && aq_added_next(&j->tokenizer->raw, &search, &m)) {
    AQ_TRY(encode_segment(j, text + m.plain_start, m.plain_end - m.plain_start, m.plain_start == 0));
    AQ_TRY(aq_ids_push(j->ids, m.id, j->err));
  }
  return is_full(j) ? AQ_OK : encode_segment(j, text + search.done, size - search.done, search.done == 0);
}

static aq_status encode_any(job *j, const uint8_t *text, size_t size) {
  if (size == 0) return AQ_OK; /* there may be no text to point into */
  if (AQ_LIKELY(aq_utf8_valid(text, size) == size)) return encode_text(j, text, size);
  aq_buffer repaired = {NULL, 0, 0};
  aq_status status = aq_utf8_repair(text, size, &repaired, j->err);
  if (status == AQ_OK) status = encode_text(j, repaired.data, repaired.size);
  aq_buffer_reset(&repaired);
  return status;
}

aq_status aq_tokenizer_encode_body(const aq_tokenizer *tokenizer, const char *text, size_t length, size_t room,
                                   aq_token_ids *ids, aq_error *err) {
  const size_t start = ids->count;
  job j = {.tokenizer = tokenizer, .ids = ids, .err = err};
  j.enough = tokenizer->keeps_end ? SIZE_MAX : start + room;
  const aq_status status = encode_any(&j, (const uint8_t *)text, length);
  if (status == AQ_OK) aq_tokenizer_truncate(tokenizer, ids, start, room);
  aq_buffer_reset(&j.text);
  aq_buffer_reset(&j.pieces);
  aq_normalizer_scratch_reset(&j.scratch);
  return status;
}

void aq_tokenizer_truncate(const aq_tokenizer *tokenizer, aq_token_ids *ids, size_t first, size_t room) {
  const size_t count = ids->count - first;
  if (count <= room) return;
  if (tokenizer->keeps_end) memmove(ids->ids + first, ids->ids + ids->count - room, room * sizeof *ids->ids);
  ids->count = first + room;
}

static aq_status push_all(aq_token_ids *ids, const int32_t *more, size_t count, aq_error *err) {
  for (size_t i = 0; i < count; i++) AQ_TRY(aq_ids_push(ids, more[i], err));
  return AQ_OK;
}

aq_status aq_tokenizer_encode(const aq_tokenizer *tokenizer, const char *text, size_t length, uint32_t max_tokens,
                              bool add_special, aq_token_ids *ids, aq_error *err) {
  static const aq_token_frame no_frame;
  const aq_token_frame *frame = add_special ? &tokenizer->frame : &no_frame;
  const size_t special = frame->before_count + frame->after_count, start = ids->count;
  aq_error_clear(err);
  AQ_FAIL_IF(max_tokens != 0 && max_tokens < special, AQ_ERR_ARGUMENT, AQ_TOO_FEW_TOKENS, max_tokens, special);
  const size_t room = max_tokens != 0 ? max_tokens - special : AQ_TOKENS_UNLIMITED;
  aq_status status = push_all(ids, frame->before, frame->before_count, err);
  if (status == AQ_OK) status = aq_tokenizer_encode_body(tokenizer, text, length, room, ids, err);
  if (status == AQ_OK) status = push_all(ids, frame->after, frame->after_count, err);
  if (status != AQ_OK) ids->count = start;
  return status;
}
