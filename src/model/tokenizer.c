/* tokenizer.c - the handle, and the way of a text through it: repair, added tokens, normalization, words and pieces,
 * truncation, special tokens around. */
#include "model/tokenizer.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/json_text.h"
#include "model/text_utf8.h"
#include "model/vocab_json.h"

/* A text is normalized in pieces of about this many bytes that end in a space, so that they stay in the cache, and so
 * that what truncation drops is not looked at. */
#define CHUNK_BYTES 1024

/* ---- Making one ---- */

aq_status aq_tokenizer_add_token(aq_tokenizer *tokenizer, const char *content, size_t size, const aq_added_token *token,
                                 bool normalized, aq_error *err) {
  tokenizer->id_end = AQ_MAX(tokenizer->id_end, token->id + 1);
  if (!normalized) return aq_added_add(&tokenizer->raw, content, size, token, err);
  aq_buffer text = {NULL, 0, 0}, marks = {NULL, 0, 0};
  aq_status status = aq_normalize(&tokenizer->normalizer, (const uint8_t *)content, size, &text, &marks, err);
  if (status == AQ_OK) {
    status = aq_added_add(&tokenizer->normalized, (const char *)text.data, text.size, token, err);
  }
  aq_buffer_reset(&text);
  aq_buffer_reset(&marks);
  return status;
}

static aq_status in_file(aq_status status, const char *path, aq_error *err) {
  return status == AQ_OK || path == NULL ? status : aq_error_in_file(err, status, path);
}

/* Reads the vocabulary, and parses the text without it; NULL when something is wrong with either. */
static json_t *parse_quickly(aq_tokenizer *t, const char *text, size_t size) {
  json_t *root = NULL;
  aq_vocab_range range;
  aq_buffer rest = {NULL, 0, 0};
  if (!aq_vocab_read_json(&t->pieces.vocab, text, size, &range)) return NULL;
  aq_status status = aq_buffer_append(&rest, text, range.start, NULL);
  if (status == AQ_OK) status = aq_buffer_append(&rest, "{}", 2, NULL);
  if (status == AQ_OK) status = aq_buffer_append(&rest, text + range.end, size - range.end, NULL);
  if (status == AQ_OK) status = aq_json_parse_object((const char *)rest.data, rest.size, 0, &root, NULL);
  aq_buffer_reset(&rest);
  if (status != AQ_OK) aq_vocab_reset(&t->pieces.vocab);
  return root;
}

static aq_status parse(aq_tokenizer *t, const aq_tokenizer_files *files, json_t **root, aq_error *err) {
  *root = parse_quickly(t, files->json, files->json_size);
  return *root != NULL ? AQ_OK : aq_json_parse_object(files->json, files->json_size, 0, root, err);
}

static aq_status make_from_json(aq_tokenizer *t, const aq_tokenizer_files *files, const json_t *config, aq_error *err) {
  json_t *root = NULL;
  aq_status status = in_file(parse(t, files, &root, err), files->main_path, err);
  if (status == AQ_OK) status = in_file(aq_tokenizer_read_json(t, root, err), files->main_path, err);
  if (status == AQ_OK) status = in_file(aq_tokenizer_adjust(t, config, err), files->config_path, err);
  if (status == AQ_OK) status = in_file(aq_tokenizer_read_added(t, root, err), files->main_path, err);
  json_decref(root);
  return status;
}

static aq_status make_from_vocab(aq_tokenizer *t, const aq_tokenizer_files *files, const json_t *config,
                                 aq_error *err) {
  AQ_TRY(in_file(aq_vocab_read_lines(&t->pieces.vocab, files->vocab, files->vocab_size, err), files->main_path, err));
  const char *blamed = config != NULL ? files->config_path : files->main_path;
  return in_file(aq_tokenizer_read_config(t, config, err), blamed, err);
}

static aq_status fill(aq_tokenizer *t, const aq_tokenizer_files *files, aq_error *err) {
  json_t *config = NULL;
  if (files->config != NULL) { /* model_max_length is often 10^30, for none */
    AQ_TRY(in_file(aq_json_parse_reals(files->config, files->config_size, &config, err), files->config_path, err));
  }
  const aq_status status =
      files->json != NULL ? make_from_json(t, files, config, err) : make_from_vocab(t, files, config, err);
  json_decref(config);
  if (status != AQ_OK) return status;
  aq_added_prepare(&t->raw);
  aq_added_prepare(&t->normalized);
  t->id_end = AQ_MAX(t->id_end, t->pieces.vocab.end);
  return AQ_OK;
}

aq_status aq_tokenizer_make(const aq_tokenizer_files *files, aq_tokenizer **out, aq_error *err) {
  *out = NULL;
  aq_tokenizer *t = aq_calloc(1, sizeof *t);
  if (t == NULL) return aq_fail_memory(err, sizeof *t);
  const aq_status status = fill(t, files, err);
  if (status == AQ_OK) {
    *out = t;
  } else {
    aq_tokenizer_close(t);
  }
  return status;
}

aq_status aq_tokenizer_open(const char *path, aq_tokenizer **out, aq_error *err) {
  aq_tokenizer_files files;
  aq_error_clear(err);
  *out = NULL;
  AQ_TRY(aq_tokenizer_files_read(path, &files, err));
  const aq_status status = aq_tokenizer_make(&files, out, err);
  aq_tokenizer_files_reset(&files);
  return status;
}

void aq_tokenizer_close(aq_tokenizer *tokenizer) {
  if (tokenizer == NULL) return;
  aq_vocab_reset(&tokenizer->pieces.vocab);
  aq_added_reset(&tokenizer->raw);
  aq_added_reset(&tokenizer->normalized);
  aq_free(tokenizer);
}

int32_t aq_tokenizer_id_end(const aq_tokenizer *tokenizer) { return tokenizer->id_end; }

/* ---- Encoding ---- */

typedef struct job {
  const aq_tokenizer *tokenizer;
  aq_token_ids *ids;
  size_t enough; /* of ids: what comes after is dropped */
  aq_buffer text, marks;
  aq_error *err;
} job;

static bool is_full(const job *j) { return j->ids->count >= j->enough; }

/* Text without added tokens, normalized in chunks. A chunk that ends in a space is as good as the whole: the space ends
 * a word, and nothing combines across it. */
static aq_status encode_plain(job *j, const uint8_t *text, size_t size) {
  const aq_tokenizer *t = j->tokenizer;
  for (size_t at = 0; at < size && !is_full(j);) {
    size_t chunk = size - at;
    const uint8_t *space = chunk > CHUNK_BYTES ? memchr(text + at + CHUNK_BYTES, ' ', chunk - CHUNK_BYTES) : NULL;
    if (space != NULL) chunk = (size_t)(space + 1 - (text + at));
    j->text.size = 0;
    AQ_TRY(aq_normalize(&t->normalizer, text + at, chunk, &j->text, &j->marks, j->err));
    AQ_TRY(aq_wordpiece_encode(&t->pieces, j->text.data, j->text.size, j->ids, j->err));
    at += chunk;
  }
  return AQ_OK;
}

/* Text without raw added tokens. Others may stand in its normalized form, which is needed in one piece then. */
static aq_status encode_segment(job *j, const uint8_t *text, size_t size) {
  const aq_tokenizer *t = j->tokenizer;
  if (size == 0) return AQ_OK;
  if (t->normalized.count == 0) return encode_plain(j, text, size);
  j->text.size = 0;
  AQ_TRY(aq_normalize(&t->normalizer, text, size, &j->text, &j->marks, j->err));
  aq_added_search search = {.text = j->text.data, .size = j->text.size};
  aq_added_match m;
  while (!is_full(j) && aq_added_next(&t->normalized, &search, &m)) {
    AQ_TRY(aq_wordpiece_encode(&t->pieces, search.text + m.plain_start, m.plain_end - m.plain_start, j->ids, j->err));
    AQ_TRY(aq_ids_push(j->ids, m.id, j->err));
  }
  if (is_full(j)) return AQ_OK;
  return aq_wordpiece_encode(&t->pieces, search.text + search.done, search.size - search.done, j->ids, j->err);
}

static aq_status encode_text(job *j, const uint8_t *text, size_t size) {
  aq_added_search search = {.text = text, .size = size};
  aq_added_match m;
  while (!is_full(j) && aq_added_next(&j->tokenizer->raw, &search, &m)) {
    AQ_TRY(encode_segment(j, text + m.plain_start, m.plain_end - m.plain_start));
    AQ_TRY(aq_ids_push(j->ids, m.id, j->err));
  }
  return is_full(j) ? AQ_OK : encode_segment(j, text + search.done, size - search.done);
}

static aq_status encode_any(job *j, const uint8_t *text, size_t size) {
  if (size == 0) return AQ_OK; /* there may be no text to point into */
  if (AQ_LIKELY(aq_utf8_span(text, size) == size)) return encode_text(j, text, size);
  aq_buffer repaired = {NULL, 0, 0};
  aq_status status = aq_utf8_repair(text, size, &repaired, j->err);
  if (status == AQ_OK) status = encode_text(j, repaired.data, repaired.size);
  aq_buffer_reset(&repaired);
  return status;
}

/* Drops ids between `first` and the end until `room` are left. */
static void truncate_ids(const aq_tokenizer *t, aq_token_ids *ids, size_t first, size_t room) {
  const size_t count = ids->count - first;
  if (count <= room) return;
  if (t->keeps_end) memmove(ids->ids + first, ids->ids + ids->count - room, room * sizeof *ids->ids);
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
  AQ_FAIL_IF(max_tokens != 0 && max_tokens < special, AQ_ERR_ARGUMENT,
             "%u tokens are too few: the special tokens alone are %zu", max_tokens, special);
  const size_t room = max_tokens != 0 ? max_tokens - special : SIZE_MAX / 2, first = start + frame->before_count;
  job j = {.tokenizer = tokenizer, .ids = ids, .err = err};
  j.enough = tokenizer->keeps_end ? SIZE_MAX : first + room;
  aq_status status = push_all(ids, frame->before, frame->before_count, err);
  if (status == AQ_OK) status = encode_any(&j, (const uint8_t *)text, length);
  if (status == AQ_OK) {
    truncate_ids(tokenizer, ids, first, room);
    status = push_all(ids, frame->after, frame->after_count, err);
  }
  if (status != AQ_OK) ids->count = start;
  aq_buffer_reset(&j.text);
  aq_buffer_reset(&j.marks);
  return status;
}
