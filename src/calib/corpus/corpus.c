/* corpus.c - calibration texts from a file or from memory.
 *
 * Of more texts than asked for, text floor(i n / most) for i = 0, 1, ...; then a fixed permutation (Durstenfeld, 1964,
 * "Algorithm 235: Random permutation"), for files have like beside like. */
#include "calib/corpus/corpus.h"

#include <stdbool.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/text_input.h"

/* Reads the next text that is more than white space to the end of `bytes`; false in *more after the last. */
static aq_status next_text(aq_text_input *input, aq_buffer *bytes, size_t *length, bool *more, aq_error *err) {
  const size_t before = bytes->size;
  do {
    bytes->size = before;
    AQ_TRY(aq_text_input_next(input, bytes, length, more, err));
  } while (*more && aq_text_is_blank((const char *)bytes->data + before, *length));
  return AQ_OK;
}

static aq_status count_texts(aq_text_input *input, size_t *count, aq_error *err) {
  aq_buffer scratch = {0};
  aq_status status = AQ_OK;
  *count = 0;
  for (bool more = true; more && status == AQ_OK;) {
    size_t length;
    scratch.size = 0;
    status = next_text(input, &scratch, &length, &more, err);
    *count += status == AQ_OK && more ? 1 : 0;
  }
  aq_buffer_reset(&scratch);
  return status;
}

/* Which of n texts are taken: text floor(i n / count), without overflow of i n. */
typedef struct choice {
  size_t whole, rest, count;
  size_t wanted, over; /* the next one, and what is left over of it */
} choice;

static choice choose(size_t n, size_t count) { return (choice){n / count, n % count, count, 0, 0}; }

static bool is_chosen(choice *c, size_t i) {
  if (i != c->wanted) return false;
  c->over += c->rest;
  c->wanted += c->whole + c->over / c->count;
  c->over %= c->count;
  return true;
}

/* Lengths and bytes of out->count of the input's n texts. */
static aq_status take_texts(aq_text_input *input, size_t n, aq_corpus *out, aq_error *err) {
  choice c = choose(n, out->count);
  for (size_t i = 0, taken = 0; taken < out->count; i++) {
    const size_t before = out->bytes.size;
    size_t length;
    bool more;
    AQ_TRY(next_text(input, &out->bytes, &length, &more, err));
    AQ_FAIL_IF(!more, AQ_ERR_IO, "it became shorter while it was read");
    if (is_chosen(&c, i)) {
      out->lengths[taken++] = length;
    } else {
      out->bytes.size = before;
    }
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

static aq_status allocate(aq_corpus *out, size_t count, aq_error *err) {
  out->count = count;
  out->texts = aq_calloc(count, sizeof *out->texts);
  out->lengths = aq_calloc(count, sizeof *out->lengths);
  return out->texts != NULL && out->lengths != NULL ? AQ_OK : aq_fail_memory(err, count * sizeof *out->texts);
}

/* Twice through the file: to count its texts, and to take some. */
static aq_status load(const char *path, size_t most, aq_corpus *out, aq_error *err) {
  aq_text_input input;
  size_t n = 0;
  AQ_TRY(aq_text_input_open(&input, path, NULL, err));
  aq_status status = count_texts(&input, &n, err);
  aq_text_input_close(&input);
  if (status == AQ_OK && n == 0) status = aq_fail(err, AQ_ERR_FORMAT, "there is no text in it");
  AQ_TRY(status);
  AQ_TRY(allocate(out, AQ_MIN(n, most), err));
  AQ_TRY(aq_text_input_open(&input, path, NULL, err));
  status = take_texts(&input, n, out, err);
  aq_text_input_close(&input);
  AQ_TRY(status);
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
  aq_file file; /* it is read twice, so it must be a file and no pipe */
  AQ_TRY(aq_file_open(&file, path, err));
  aq_file_close(&file);
  const aq_status status = load(path, most, out, err);
  if (status == AQ_OK) return AQ_OK;
  aq_corpus_reset(out);
  return aq_error_in_file(err, status, path);
}

static size_t length_of(const aq_text_list *list, size_t i) {
  return list->lengths != NULL ? list->lengths[i] : strlen(list->texts[i]);
}

aq_status aq_corpus_take(const aq_text_list *list, size_t most, aq_corpus *out, aq_error *err) {
  size_t n = 0, at = 0, taken = 0;
  *out = (aq_corpus){0};
  AQ_FAIL_IF(most == 0, AQ_ERR_ARGUMENT, "no texts are asked for");
  for (size_t i = 0; i < list->count; i++) n += aq_text_is_blank(list->texts[i], length_of(list, i)) ? 0 : 1;
  AQ_FAIL_IF(n == 0, AQ_ERR_ARGUMENT, "there is no text in the list");
  const aq_status status = allocate(out, AQ_MIN(n, most), err);
  if (status != AQ_OK) {
    aq_corpus_reset(out);
    return status;
  }
  choice c = choose(n, out->count);
  for (size_t i = 0; taken < out->count; i++) {
    const size_t length = length_of(list, i);
    if (aq_text_is_blank(list->texts[i], length) || !is_chosen(&c, at++)) continue;
    out->texts[taken] = list->texts[i];
    out->lengths[taken++] = length;
  }
  permute(out);
  return AQ_OK;
}

void aq_corpus_reset(aq_corpus *corpus) {
  aq_free(corpus->texts);
  aq_free(corpus->lengths);
  aq_buffer_reset(&corpus->bytes);
  *corpus = (aq_corpus){0};
}
