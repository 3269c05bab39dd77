/* gguf_export_pieces.c - SentencePiece BPE of a tokenizer.json put into the keys of llama.cpp, which joins the
 * characters of a text, spaces as U+2581, by the scores of tokens. */
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/gguf/gguf_export_scores.h"

#define REPLACE "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" AQ_GGUF_MARK "\"}"
#define PREPEND "{\"type\":\"Prepend\",\"prepend\":\"" AQ_GGUF_MARK "\"}"
#define SPACED "{\"type\":\"Sequence\",\"normalizers\":[" PREPEND "," REPLACE "]}"
#define SPLIT "{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\",\"invert\":false}"
#define METASPACE(scheme) \
  "{\"type\":\"Metaspace\",\"replacement\":\"" AQ_GGUF_MARK "\",\"prepend_scheme\":\"" scheme "\",\"split\":false}"

/* Stages that make U+2581 of spaces, and whether one is put before a text. llama.cpp puts one after each special token
 * as well; "first" does not, and llama.cpp's own conversion makes no difference between them. */
static const struct {
  const char *normalizer, *pre_tokenizer;
  bool has_space;
} stages[] = {{REPLACE, "null", false}, /* Gemma */
              {REPLACE, SPLIT, false},  /* which finds no space any more */
              {SPACED, "null", true},   /* Llama 2 */
              {"null", METASPACE("first"), true},
              {"null", METASPACE("always"), true},
              {"null", METASPACE("never"), false}};

static aq_status set_space(aq_gguf_token_job *j, aq_error *err) {
  const json_t *normalizer = json_object_get(j->file, "normalizer"),
               *pre_tokenizer = json_object_get(j->file, "pre_tokenizer");
  for (size_t i = 0; i < AQ_COUNT_OF(stages); i++) {
    if (!aq_gguf_export_has_stage(normalizer, stages[i].normalizer) ||
        !aq_gguf_export_has_stage(pre_tokenizer, stages[i].pre_tokenizer))
      continue;
    return aq_gguf_export_set(j->made, "tokenizer.ggml.add_space_prefix", "bool", json_boolean(stages[i].has_space),
                              err);
  }
  return aq_gguf_export_refuse_tokens("the normalizer with the pre-tokenizer of tokenizer.json", err);
}

/* ---- tokens ---- */

static const char *name_byte(unsigned byte, char out[8]) {
  (void)snprintf(out, 8, "<0x%02X>", byte);
  return out;
}

/* Every byte has a token: <0x41>, or, where that is not there, the character itself, as Gemma has the tabulator;
 * llama.cpp looks for both. */
static aq_status mark_bytes(aq_gguf_token_job *j, aq_error *err) {
  const json_t *vocabulary = json_object_get(j->model, "vocab");
  for (unsigned byte = 0; byte < 256; byte++) {
    char name[8];
    const char character[2] = {(char)byte, '\0'};
    const json_t *id = json_object_get(vocabulary, name_byte(byte, name));
    if (id != NULL) j->types[json_integer_value(id)] = AQ_GGUF_TOKEN_BYTE;
    const bool is_character = byte > 0 && byte < 128 && json_object_get(vocabulary, character) != NULL;
    if (id == NULL && !is_character)
      return aq_gguf_export_refuse_tokens("a vocabulary without a token for each byte", err);
  }
  return AQ_OK;
}

static void mark_unknown(aq_gguf_token_job *j) {
  const char *text = json_string_value(json_object_get(j->model, "unk_token"));
  const json_t *id = text != NULL ? json_object_get(json_object_get(j->model, "vocab"), text) : NULL;
  if (id != NULL && j->types[json_integer_value(id)] == AQ_GGUF_TOKEN_NORMAL)
    j->types[json_integer_value(id)] = AQ_GGUF_TOKEN_UNKNOWN;
}

/* Tokens of the user are found before spaces become U+2581. */
char *aq_gguf_export_piece_text(const aq_gguf_token_job *j, size_t id) {
  const char *from = j->tokens[id];
  char *text = aq_strdup(from), *to = text;
  if (text == NULL || j->types[id] != AQ_GGUF_TOKEN_USER) return text;
  while (*from != '\0') {
    const bool is_mark = strncmp(from, AQ_GGUF_MARK, strlen(AQ_GGUF_MARK)) == 0;
    *to++ = is_mark ? ' ' : *from;
    from += is_mark ? strlen(AQ_GGUF_MARK) : 1;
  }
  *to = '\0';
  return text;
}

/* ---- scores ---- */

static aq_status set_scores(const aq_gguf_token_job *j, const float *scores, aq_error *err) {
  json_t *values = json_array();
  bool done = values != NULL;
  for (size_t i = 0; i < j->count && done; i++) done = json_array_append_new(values, json_real((double)scores[i])) == 0;
  if (done) return aq_gguf_export_set_array(j->made, "tokenizer.ggml.scores", "float32", values, err);
  json_decref(values);
  return aq_fail_memory(err, j->count * sizeof *scores);
}

aq_status aq_gguf_export_pieces(aq_gguf_token_job *j, aq_error *err) {
  AQ_TRY(aq_gguf_export_set(j->made, "tokenizer.ggml.model", "string", json_string("llama"), err));
  AQ_TRY(aq_gguf_export_set(j->made, "tokenizer.ggml.pre", "string", json_string("default"), err));
  AQ_TRY(set_space(j, err));
  AQ_TRY(aq_gguf_export_frame(j, err));
  AQ_TRY(mark_bytes(j, err));
  mark_unknown(j);
  float *scores = aq_calloc(j->count + 1, sizeof *scores);
  if (scores == NULL) return aq_fail_memory(err, j->count * sizeof *scores);
  aq_status status = aq_gguf_export_scores(j, scores, err);
  if (status == AQ_OK) status = set_scores(j, scores, err);
  aq_free(scores);
  return status;
}
