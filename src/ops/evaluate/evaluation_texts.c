/* evaluation_texts.c - texts and labelled pairs, from files that are not trusted, from memory or from the built-in
 * list.
 *
 * Texts are copied one after another, and where each begins is kept as an offset until all are there and the bytes move
 * no more. */
#include "ops/evaluate/evaluation_texts.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "io/text_input.h"
#include "measure/builtin_texts.h"
#include "model/run/encoder.h"

/* Texts that are encoded between two looks at whether to stop. */
#define PIECE_TEXTS ((size_t)512)

typedef struct place {
  size_t offset, length;
} place;

void aq_evaluation_texts_reset(aq_evaluation_texts *texts) {
  aq_free((void *)texts->texts);
  aq_free(texts->lengths);
  aq_buffer_reset(&texts->bytes);
  aq_buffer_reset(&texts->offsets);
  aq_buffer_reset(&texts->scores);
  *texts = (aq_evaluation_texts){0};
}

static aq_status add_place(aq_evaluation_texts *t, size_t offset, size_t length, aq_error *err) {
  const place p = {offset, length};
  return aq_buffer_append(&t->offsets, &p, sizeof p, err);
}

static aq_status take_builtin(aq_evaluation_texts *t, aq_error *err) {
  t->builtin = true;
  t->plain = aq_builtin_text_count;
  for (size_t i = 0; i < t->plain; i++) {
    const char *text = aq_builtin_texts[i].text;
    AQ_TRY(add_place(t, t->bytes.size, strlen(text), err));
    AQ_TRY(aq_buffer_append(&t->bytes, text, strlen(text) + 1, err));
  }
  return AQ_OK;
}

/* ---- files, line by line ---- */

/* A line that was appended to the bytes. False in *kept when it counts for nothing. */
typedef aq_status (*line_fn)(aq_evaluation_texts *t, size_t offset, size_t length, bool *kept, aq_error *err);

static aq_status take_text(aq_evaluation_texts *t, size_t offset, size_t length, bool *kept, aq_error *err) {
  *kept = !aq_text_is_blank((const char *)t->bytes.data + offset, length);
  if (!*kept) return AQ_OK;
  AQ_FAIL_IF(++t->plain > AQ_EVALUATION_TEXTS_MAX, AQ_ERR_UNSUPPORTED, "there are more than %zu texts",
             AQ_EVALUATION_TEXTS_MAX);
  return add_place(t, offset, length, err);
}

/* A number as JSON writes it, in every locale. */
static bool parse_number(const char *text, size_t length, double *out) {
  json_t *value = json_loadb(text, length, JSON_DECODE_ANY, NULL);
  *out = json_is_number(value) ? json_number_value(value) : NAN;
  json_decref(value);
  return isfinite(*out);
}

static aq_status take_pair(aq_evaluation_texts *t, size_t offset, size_t length, bool *kept, aq_error *err) {
  const char *line = (const char *)t->bytes.data + offset, *end = line + length;
  *kept = length > 0 && line[0] != '#';
  if (!*kept) return AQ_OK;
  AQ_FAIL_IF(++t->pairs > AQ_EVALUATION_TEXTS_MAX, AQ_ERR_UNSUPPORTED, "there are more than %zu pairs",
             AQ_EVALUATION_TEXTS_MAX);
  const char *first = memchr(line, '\t', length);
  const char *second = first != NULL ? memchr(first + 1, '\t', (size_t)(end - first - 1)) : NULL;
  AQ_FAIL_IF(second == NULL, AQ_ERR_FORMAT, "expected were TEXT, tab, TEXT, tab, number");
  double score;
  AQ_FAIL_IF(!parse_number(second + 1, (size_t)(end - second - 1), &score), AQ_ERR_FORMAT,
             "'%.*s' is not a number; expected were TEXT, tab, TEXT, tab, number", (int)AQ_MIN(end - second - 1, 40),
             second + 1);
  AQ_TRY(add_place(t, offset, (size_t)(first - line), err));
  AQ_TRY(add_place(t, offset + (size_t)(first + 1 - line), (size_t)(second - first - 1), err));
  return aq_buffer_append(&t->scores, &score, sizeof score, err);
}

static aq_status read_lines(aq_evaluation_texts *t, aq_text_input *input, line_fn add_line, aq_error *err) {
  for (bool more = true; more;) {
    const size_t offset = t->bytes.size;
    size_t length = 0;
    bool kept = false;
    AQ_TRY(aq_text_input_next(input, &t->bytes, &length, &more, err));
    if (!more) break;
    const aq_status status = add_line(t, offset, length, &kept, err);
    if (status != AQ_OK) return aq_text_input_where(input, status, err);
    if (!kept) t->bytes.size = offset;
  }
  return AQ_OK;
}

static aq_status read_file(aq_evaluation_texts *t, const char *path, const char *field, line_fn add_line,
                           aq_error *err) {
  aq_text_input input;
  AQ_TRY(aq_text_input_open(&input, path, field, err));
  const size_t before = t->offsets.size;
  aq_status status = read_lines(t, &input, add_line, err);
  aq_text_input_close(&input);
  if (status == AQ_OK && t->offsets.size == before) {
    status = aq_fail(err, AQ_ERR_FORMAT, "there is no text in it");
    (void)aq_error_in_file(err, status, path);
  }
  return status;
}

static aq_status take_list(aq_evaluation_texts *t, const aq_text_list *list, aq_error *err) {
  for (size_t i = 0; i < list->count; i++) {
    const size_t offset = t->bytes.size;
    const size_t length = list->lengths != NULL ? list->lengths[i] : strlen(list->texts[i]);
    bool kept = false;
    AQ_TRY(aq_buffer_append(&t->bytes, list->texts[i], length, err));
    AQ_TRY(aq_buffer_append_byte(&t->bytes, 0, err));
    AQ_TRY(take_text(t, offset, length, &kept, err));
    if (!kept) t->bytes.size = offset;
  }
  AQ_FAIL_IF(t->plain == 0, AQ_ERR_ARGUMENT, "there is no text in the list");
  return AQ_OK;
}

/* Offsets become pointers. */
static aq_status resolve_texts(aq_evaluation_texts *t, aq_error *err) {
  const size_t count = t->plain + 2 * t->pairs;
  t->texts = aq_calloc(count, sizeof *t->texts);
  t->lengths = aq_calloc(count, sizeof *t->lengths);
  if (t->texts == NULL || t->lengths == NULL) return aq_fail_memory(err, count * sizeof *t->lengths);
  for (size_t i = 0; i < count; i++) {
    place p;
    memcpy(&p, t->offsets.data + i * sizeof p, sizeof p);
    t->texts[i] = (const char *)t->bytes.data + p.offset;
    t->lengths[i] = p.length;
  }
  t->labels = (double *)(void *)t->scores.data; /* memory of its own, so aligned for anything */
  return AQ_OK;
}

static bool has_list(const aq_judge_origin *origin) { return origin->texts != NULL && origin->texts->texts != NULL; }

const char *aq_judge_texts_from(const aq_judge_origin *origin) {
  return origin->texts_file != NULL ? origin->texts_file : has_list(origin) ? "list" : "built-in";
}

static aq_status take_plain(aq_evaluation_texts *t, const aq_judge_origin *origin, aq_error *err) {
  if (origin->texts != NULL) AQ_TRY(AQ_RESERVED_CHECK(origin->texts, "texts", err));
  AQ_FAIL_IF(origin->texts_file != NULL && has_list(origin), AQ_ERR_ARGUMENT,
             "texts were given as a list and as a file; one of them, not both");
  if (origin->texts_file != NULL) return read_file(t, origin->texts_file, NULL, take_text, err);
  return has_list(origin) ? take_list(t, origin->texts, err) : take_builtin(t, err);
}

aq_status aq_evaluation_texts_load(const aq_judge_origin *origin, aq_evaluation_texts *out, aq_error *err) {
  *out = (aq_evaluation_texts){0};
  aq_status status = take_plain(out, origin, err);
  if (status == AQ_OK && origin->labels_file != NULL) {
    status = read_file(out, origin->labels_file, AQ_TEXT_LINES, take_pair, err);
  }
  if (status == AQ_OK) status = resolve_texts(out, err);
  if (status != AQ_OK) aq_evaluation_texts_reset(out);
  return status;
}

aq_status aq_evaluation_texts_encode(aq_encoder *encoder, const char *const *texts, const size_t *lengths, size_t count,
                                     aq_progress *progress, bool counts_bytes, float *out, aq_error *err) {
  const size_t dimension = aq_encoder_dimension(encoder);
  aq_status status = AQ_OK;
  encoder->progress = progress;
  for (size_t first = 0, n; first < count && status == AQ_OK; first += n) {
    n = AQ_MIN(count - first, PIECE_TEXTS);
    const size_t *piece = lengths != NULL ? lengths + first : NULL;
    status = aq_encoder_encode_texts(encoder, texts + first, piece, n, out + first * dimension, err);
    uint64_t bytes = 0;
    for (size_t i = 0; counts_bytes && i < n; i++) bytes += piece[i];
    if (status == AQ_OK) status = aq_progress_add(progress, NULL, 0, bytes, err);
  }
  encoder->progress = NULL;
  return status;
}

void aq_evaluation_quote(const char *text, size_t length, size_t most, const char *blanked, char *out) {
  size_t n = AQ_MIN(length, most);
  while (n > 0 && n < length && ((unsigned char)text[n] & 0xC0U) == 0x80U) n--;
  for (size_t i = 0; i < n; i++) out[i] = text[i] != '\0' && strchr(blanked, text[i]) != NULL ? ' ' : text[i];
  (void)snprintf(out + n, AQ_QUOTE_END, "%s", n < length ? "..." : "");
}
