/* tokenizer.c - the handle, and the way of a text through it: repair, added tokens, normalization, words and pieces,
 * truncation, special tokens around. */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "io/source.h"
#include "tokenizer/sentence_config.h"
#include "tokenizer/tokenizer_settings.h"
#include "tokenizer/vocab_json.h"

/* A text is normalized in pieces of about this many bytes that end in a space, so that they stay in the cache, and so
 * that what truncation drops is not looked at. */
#define CHUNK_BYTES 1024

/* ---- Making one ---- */

/* The error names the first file that it may be in, and has named it already where it knows better. */
static aq_status in_text(aq_status status, const aq_tokenizer_files *files, aq_tokenizer_text text, aq_error *err) {
  const char *path = files->texts[text].path;
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

static aq_status parse_json(aq_tokenizer *t, const aq_named_text *text, json_t **root, aq_error *err) {
  *root = parse_quickly(t, text->text, text->size);
  return *root != NULL ? AQ_OK : aq_json_parse_object(text->text, text->size, 0, root, err);
}

static aq_status read_vocab(aq_tokenizer *t, const aq_tokenizer_files *files, aq_tokenizer_roots *roots,
                            aq_error *err) {
  const aq_named_text *json = &files->texts[AQ_TEXT_JSON], *vocab = &files->texts[AQ_TEXT_VOCAB];
  if (json->text == NULL) {
    return in_text(aq_vocab_read_lines(&t->pieces.vocab, vocab->text, vocab->size, err), files, AQ_TEXT_VOCAB, err);
  }
  AQ_TRY(in_text(parse_json(t, json, &roots->json, err), files, AQ_TEXT_JSON, err));
  return in_text(aq_tokenizer_read_vocab(t, roots->json, err), files, AQ_TEXT_JSON, err);
}

/* The file to blame for what the class makes of the tokens: the configuration, or where there is none the vocabulary.
 */
static aq_tokenizer_text blamed_text(const aq_tokenizer_files *files) {
  if (files->texts[AQ_TEXT_CONFIG].text != NULL) return AQ_TEXT_CONFIG;
  return files->texts[AQ_TEXT_JSON].text != NULL ? AQ_TEXT_JSON : AQ_TEXT_VOCAB;
}

static aq_status lowercase_first(aq_tokenizer *t, const aq_tokenizer_files *files, aq_error *err) {
  aq_sentence_config sentence;
  const aq_normalizer lower = {.lowercase = true};
  AQ_TRY(aq_sentence_config_read(files, &sentence, err));
  if (!sentence.lowercase || t->lowers) return AQ_OK;
  return aq_normalizers_add(&t->normalizers, &lower, true, err);
}

static aq_status fill_from(aq_tokenizer *t, const aq_tokenizer_files *files, aq_tokenizer_roots *roots, aq_error *err) {
  const aq_tokenizer_class *class;
  bool blame_model;
  AQ_TRY(read_vocab(t, files, roots, err));
  AQ_TRY(aq_tokenizer_settings_parse(files, roots, err));
  aq_status status =
      aq_tokenizer_class_find(roots->config, roots->model, roots->json != NULL, &class, &blame_model, err);
  AQ_TRY(in_text(status, files, blame_model ? AQ_TEXT_MODEL : AQ_TEXT_CONFIG, err));
  const aq_tokenizer_text blamed = blamed_text(files);
  if (class->general) {
    AQ_FAIL_IF(roots->json == NULL, AQ_ERR_UNSUPPORTED, "'tokenizer_class' is '%s', which needs a tokenizer.json",
               class->name);
    AQ_TRY(in_text(aq_tokenizer_read_json(t, roots->json, err), files, AQ_TEXT_JSON, err));
  } else {
    AQ_TRY(in_text(aq_tokenizer_read_options(t, roots->config, err), files, blamed, err));
  }
  AQ_TRY(in_text(aq_tokenizer_read_sides(t, roots, err), files, blamed, err));
  AQ_TRY(lowercase_first(t, files, err));
  return in_text(aq_tokenizer_add_tokens(t, class, roots, err), files, blamed, err);
}

static aq_status fill(aq_tokenizer *t, const aq_tokenizer_files *files, aq_error *err) {
  aq_tokenizer_roots roots = {.alone = files->alone};
  const aq_status status = fill_from(t, files, &roots, err);
  json_decref(roots.json);
  json_decref(roots.config);
  json_decref(roots.added);
  json_decref(roots.model);
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

aq_status aq_tokenizer_open_source(const aq_source *source, aq_tokenizer **out, aq_error *err) {
  aq_tokenizer_files files;
  aq_error_clear(err);
  *out = NULL;
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  aq_status status = aq_tokenizer_files_take(source, NULL, &files, err);
  if (status == AQ_OK) {
    status = aq_tokenizer_make(&files, out, err);
    aq_tokenizer_files_reset(&files);
  }
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, source->path);
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
  aq_buffer text;
  aq_normalizer_scratch scratch;
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
    AQ_TRY(aq_normalize_all(&t->normalizers, text + at, chunk, &j->text, &j->scratch, j->err));
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
  AQ_TRY(aq_normalize_all(&t->normalizers, text, size, &j->text, &j->scratch, j->err));
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
  if (AQ_LIKELY(aq_utf8_valid(text, size) == size)) return encode_text(j, text, size);
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
  aq_normalizer_scratch_reset(&j.scratch);
  return status;
}
