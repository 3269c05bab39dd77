/* text_windows.c - a running text, its tokens, and the windows that they are cut into. */
#include "calib/text_windows.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "io/fingerprint.h"
#include "io/text_input.h"
#include "measure/builtin_texts.h"

#define LENGTH_MIN ((size_t)8)

/* ---- the running text ---- */

/* A text, and a line feed in front of it unless it is the first. */
static aq_status append_text(aq_buffer *running, bool *begun, const char *text, size_t length, aq_error *err) {
  if (*begun) AQ_TRY(aq_buffer_append_byte(running, '\n', err));
  *begun = true;
  AQ_FAIL_IF(length > AQ_RUNNING_TEXT_MAX || running->size > AQ_RUNNING_TEXT_MAX - length, AQ_ERR_UNSUPPORTED,
             "the texts have more than %zu MiB", AQ_RUNNING_TEXT_MAX >> 20);
  return aq_buffer_append(running, text, length, err);
}

static aq_status append_lines(aq_buffer *running, aq_text_input *input, aq_error *err) {
  aq_buffer line = {NULL, 0, 0};
  aq_status status = AQ_OK;
  bool begun = false;
  for (bool more = true; status == AQ_OK && more;) {
    size_t length = 0;
    line.size = 0;
    status = aq_text_input_next(input, &line, &length, &more, err);
    if (status == AQ_OK && more) status = append_text(running, &begun, (const char *)line.data, length, err);
  }
  aq_buffer_reset(&line);
  return status;
}

static aq_status append_file(aq_buffer *running, const char *path, aq_error *err) {
  aq_text_input input;
  AQ_TRY(aq_text_input_open(&input, path, NULL, err));
  const aq_status status = append_lines(running, &input, err);
  aq_text_input_close(&input);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, path);
}

static aq_status append_list(aq_buffer *running, const aq_text_list *list, aq_error *err) {
  bool begun = false;
  for (size_t i = 0; i < list->count; i++) {
    const size_t length = list->lengths != NULL ? list->lengths[i] : strlen(list->texts[i]);
    AQ_TRY(append_text(running, &begun, list->texts[i], length, err));
  }
  return AQ_OK;
}

static aq_status append_builtin(aq_buffer *running, aq_error *err) {
  bool begun = false;
  for (size_t i = 0; i < aq_builtin_text_count; i++) {
    const char *text = aq_builtin_texts[i].text;
    AQ_TRY(append_text(running, &begun, text, strlen(text), err));
  }
  return AQ_OK;
}

static aq_status load_running_text(const aq_running_text_origin *origin, aq_buffer *running, aq_error *err) {
  const bool has_list = origin->texts != NULL && origin->texts->texts != NULL;
  if (origin->texts != NULL) AQ_TRY(AQ_RESERVED_CHECK(origin->texts, "texts", err));
  AQ_FAIL_IF(origin->file != NULL && has_list, AQ_ERR_ARGUMENT,
             "texts were given as a list and as a file; one of them, not both");
  if (origin->file != NULL) return append_file(running, origin->file, err);
  return has_list ? append_list(running, origin->texts, err) : append_builtin(running, err);
}

/* ---- windows ---- */

/* The special tokens of an empty text, up to where those behind it begin. A tokenizer of a decoder puts none behind;
 * one that does shows it by ids that are the same behind a text. */
aq_status aq_text_prefix_find(const aq_tokenizer *tokenizer, aq_token_ids *prefix, aq_error *err) {
  aq_token_ids bare = {0}, around = {0};
  aq_status status = aq_tokenizer_encode(tokenizer, "a", 1, 0, false, &bare, err);
  if (status == AQ_OK) status = aq_tokenizer_encode(tokenizer, "a", 1, 0, true, &around, err);
  size_t at = 0;
  if (status == AQ_OK) {
    while (at + bare.count < around.count && memcmp(around.ids + at, bare.ids, bare.count * sizeof *bare.ids) != 0) {
      at++;
    }
    around.count = at;
    *prefix = around;
  } else {
    aq_free(around.ids);
  }
  aq_free(bare.ids);
  return status;
}

static aq_status cut_windows(const aq_token_ids *prefix, const aq_token_ids *text, size_t length, size_t most,
                             aq_text_windows *w, aq_error *err) {
  AQ_FAIL_IF(text->count < 2, AQ_ERR_ARGUMENT, "the text has %zu tokens; two are needed to predict one", text->count);
  AQ_FAIL_IF(prefix->count + 2 > length, AQ_ERR_ARGUMENT, "%zu special tokens leave no room in windows of %zu",
             prefix->count, length);
  const size_t own = AQ_MIN(length - prefix->count, text->count), whole = text->count / own;
  w->length = prefix->count + own;
  w->count = most > 0 ? AQ_MIN(whole, most) : whole;
  w->tokens = text->count;
  w->ids = aq_realloc_array(NULL, w->count * w->length, sizeof *w->ids);
  if (w->ids == NULL) return aq_fail_memory(err, w->count * w->length * sizeof *w->ids);
  for (size_t i = 0; i < w->count; i++) {
    int32_t *to = w->ids + i * w->length;
    if (prefix->count > 0) memcpy(to, prefix->ids, prefix->count * sizeof *to);
    memcpy(to + prefix->count, text->ids + i * own, own * sizeof *to);
  }
  aq_digest_of(w->ids, w->count * w->length * sizeof *w->ids, w->hash);
  return AQ_OK;
}

aq_status aq_text_windows_make(const aq_running_text_origin *origin, const aq_tokenizer *tokenizer, size_t length,
                               size_t most, aq_text_windows *out, aq_error *err) {
  aq_buffer running = {NULL, 0, 0};
  aq_token_ids prefix = {0}, text = {0};
  AQ_FAIL_IF(length < LENGTH_MIN, AQ_ERR_ARGUMENT, "windows of %zu tokens are too short; expected at least %zu", length,
             LENGTH_MIN);
  aq_status status = load_running_text(origin, &running, err);
  out->bytes = running.size;
  if (status == AQ_OK) status = aq_text_prefix_find(tokenizer, &prefix, err);
  if (status == AQ_OK) {
    status = aq_tokenizer_encode(tokenizer, running.size > 0 ? (const char *)running.data : "", running.size, 0, false,
                                 &text, err);
  }
  aq_buffer_reset(&running);
  if (status == AQ_OK) status = cut_windows(&prefix, &text, length, most, out, err);
  aq_free(prefix.ids);
  aq_free(text.ids);
  return status;
}

aq_status aq_text_windows_check(const aq_text_windows *windows, uint32_t vocabulary, aq_error *err) {
  for (size_t i = 0; i < windows->count * windows->length; i++) {
    AQ_FAIL_IF((uint32_t)windows->ids[i] >= vocabulary, AQ_ERR_FORMAT,
               "the tokenizer gives token %d, and the model has %u", windows->ids[i], vocabulary);
  }
  return AQ_OK;
}

void aq_text_windows_reset(aq_text_windows *windows) {
  aq_free(windows->ids);
  *windows = (aq_text_windows){0};
}
