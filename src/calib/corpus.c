/* corpus.c - calibration texts from a file, a text a line.
 *
 * Of more lines than asked for, line floor(i n / most) for i = 0, 1, ...; then a fixed permutation (Durstenfeld, 1964,
 * "Algorithm 235: Random permutation"), for files have like beside like. */
#include "calib/corpus.h"

#include <stdbool.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/utf8.h"

typedef struct line {
  const char *text;
  size_t length;
} line;

/* The next line that is more than white space; false at the end. *number counts all lines. */
static bool next_line(const char **at, const char *end, line *out, uint64_t *number) {
  while (*at < end) {
    const char *feed = memchr(*at, '\n', (size_t)(end - *at));
    const char *stop = feed != NULL ? feed : end;
    *out = (line){*at, (size_t)(stop - *at)};
    *at = feed != NULL ? feed + 1 : end;
    (*number)++;
    if (out->length > 0 && out->text[out->length - 1] == '\r') out->length--;
    for (size_t i = 0; i < out->length; i++) {
      if (out->text[i] != ' ' && out->text[i] != '\t') return true;
    }
  }
  return false;
}

static size_t count_lines(const aq_file *file) {
  const char *at = (const char *)file->map, *end = at + file->size;
  size_t n = 0;
  uint64_t number = 0;
  for (line ignored; next_line(&at, end, &ignored, &number);) n++;
  return n;
}

static aq_status append_line(aq_corpus *out, const line *from, uint64_t number, aq_error *err) {
  const size_t at = out->bytes.size;
  AQ_TRY(aq_buffer_append(&out->bytes, from->text, from->length, err));
  AQ_TRY(aq_buffer_append_byte(&out->bytes, 0, err));
  const char *text = (const char *)out->bytes.data + at;
  AQ_FAIL_IF(strlen(text) != from->length || !aq_utf8_ok(text), AQ_ERR_FORMAT, "line %llu is not UTF-8 text",
             (unsigned long long)number);
  return AQ_OK;
}

/* Lengths and bytes of `count` of the file's n lines. */
static aq_status take_lines(const aq_file *file, size_t n, aq_corpus *out, aq_error *err) {
  const char *at = (const char *)file->map, *end = at + file->size;
  uint64_t number = 0;
  line current = {0};
  const size_t whole = n / out->count, rest = n % out->count; /* i n / count without overflow of i n */
  size_t wanted = 0, over = 0, taken = 0;
  for (size_t i = 0; taken < out->count && next_line(&at, end, &current, &number); i++) {
    if (i != wanted) continue;
    AQ_TRY(append_line(out, &current, number, err));
    out->lengths[taken++] = current.length;
    over += rest;
    wanted += whole + over / out->count;
    over %= out->count;
  }
  return AQ_OK;
}

static void permute(aq_corpus *corpus) {
  uint64_t state = 1;
  for (size_t i = corpus->count; i > 1; i--) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407); /* Knuth, MMIX */
    const size_t j = (size_t)((state >> 33) % i);
    const char *text = corpus->texts[i - 1];
    corpus->texts[i - 1] = corpus->texts[j];
    corpus->texts[j] = text;
    const size_t length = corpus->lengths[i - 1];
    corpus->lengths[i - 1] = corpus->lengths[j];
    corpus->lengths[j] = length;
  }
}

static aq_status load(const aq_file *file, size_t most, aq_corpus *out, aq_error *err) {
  const size_t n = count_lines(file);
  out->count = AQ_MIN(n, most);
  if (out->count == 0) {
    (void)aq_fail(err, AQ_ERR_FORMAT, "no texts: every line is empty");
    return aq_error_hint(err, AQ_ERR_FORMAT, "Write a text a line.");
  }
  out->texts = aq_calloc(out->count, sizeof *out->texts);
  out->lengths = aq_calloc(out->count, sizeof *out->lengths);
  if (out->texts == NULL || out->lengths == NULL) return aq_fail_memory(err, out->count * sizeof *out->texts);
  AQ_TRY(take_lines(file, n, out, err));
  const char *text = (const char *)out->bytes.data;
  for (size_t i = 0; i < out->count; i++) {
    out->texts[i] = text;
    text += out->lengths[i] + 1;
  }
  permute(out);
  return AQ_OK;
}

aq_status aq_corpus_load(const char *path, size_t most, aq_corpus *out, aq_error *err) {
  *out = (aq_corpus){0};
  AQ_FAIL_IF(most == 0, AQ_ERR_ARGUMENT, "no texts are asked for");
  aq_file file;
  AQ_TRY(aq_file_open(&file, path, err));
  aq_status status = aq_file_map(&file, err);
  if (status == AQ_OK) status = load(&file, most, out, err);
  aq_file_close(&file);
  if (status == AQ_OK) return AQ_OK;
  aq_corpus_reset(out);
  return aq_error_in_file(err, status, path);
}

void aq_corpus_reset(aq_corpus *corpus) {
  aq_free(corpus->texts);
  aq_free(corpus->lengths);
  aq_buffer_reset(&corpus->bytes);
  *corpus = (aq_corpus){0};
}
