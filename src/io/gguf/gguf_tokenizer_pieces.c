/* gguf_tokenizer_pieces.c - SentencePiece BPE. */
#include "io/gguf/gguf_tokenizer_json.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/gguf/gguf_merges.h"

#define MARK "\xE2\x96\x81" /* U+2581, which stands for a space */
#define REPLACE(from, to) "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" from "\"},\"content\":\"" to "\"}"
#define PIECES(strip)                                                                                                 \
  "{\"type\":\"Sequence\",\"decoders\":[" REPLACE(MARK, " ") ",{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}" strip \
                                                             "]}"
#define STRIP ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}"
#define METASPACE(scheme) \
  "{\"type\":\"Metaspace\",\"replacement\":\"" MARK "\",\"prepend_scheme\":\"" scheme "\",\"split\":false}"

/* How spaces become U+2581: Gemma has no space before a text; Phi-3 prepends one to what is normalized. */
typedef struct piece_stages {
  const char *normalizer, *pre_tokenizer, *decoder;
} piece_stages;

static const piece_stages gemma = {REPLACE(" ", MARK), "null", PIECES("")};
static const piece_stages phi3 = {"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"" MARK
                                  "\"}," REPLACE(" ", MARK) "]}",
                                  "null", PIECES(STRIP)};
static const piece_stages spaced = {"null", METASPACE("first"), PIECES(STRIP)};
static const piece_stages unspaced = {"null", METASPACE("never"), PIECES("")};

static aq_status find_piece_stages(const aq_gguf_tokenizer *t, const piece_stages **out, aq_error *err) {
  bool is_spaced = true;
  AQ_TRY(aq_gguf_field_bool(t->fields, "tokenizer.ggml.add_space_prefix", &is_spaced, err));
  *out = is_spaced ? &spaced : &unspaced;
  if (strcmp(t->arch->name, "gemma3") == 0) *out = &gemma;
  if (strcmp(t->arch->name, "phi3") == 0 && is_spaced) *out = &phi3;
  return AQ_OK;
}

/* Files of Gemma have tokens of spaces as they are, and its normalizer makes U+2581 of all spaces. */
static aq_status mark_spaces(aq_gguf_tokenizer *t, aq_error *err) {
  aq_gguf_strings marked = {.count = t->tokens.count};
  aq_status status = AQ_OK;
  marked.at = aq_realloc_array(NULL, marked.count, sizeof *marked.at);
  if (marked.at == NULL) return aq_fail_memory(err, marked.count * sizeof *marked.at);
  for (size_t i = 0; i < marked.count && status == AQ_OK; i++) {
    const char *text = aq_gguf_token(t, i);
    const bool are_spaces = aq_gguf_is_spaces(text);
    marked.at[i] = marked.text.size;
    for (; *text != '\0' && status == AQ_OK; text++) {
      status = are_spaces ? aq_buffer_append(&marked.text, MARK, sizeof MARK - 1, err)
                          : aq_buffer_append_byte(&marked.text, (uint8_t)*text, err);
    }
    if (status == AQ_OK) status = aq_buffer_append_byte(&marked.text, 0, err);
  }
  if (status != AQ_OK) {
    aq_gguf_strings_reset(&marked);
    return status;
  }
  aq_gguf_strings_reset(&t->tokens);
  t->tokens = marked;
  return AQ_OK;
}

static aq_status append_derived(aq_gguf_tokenizer *t, const aq_gguf_merge *merges, size_t count, aq_error *err) {
  for (size_t i = 0; i < count; i++) {
    const char *text = aq_gguf_token(t, merges[i].token);
    AQ_TRY(aq_gguf_json_text(t, i == 0 ? "[" : ",[", err));
    AQ_TRY(aq_gguf_json_quoted(t, text, merges[i].cut, err));
    AQ_TRY(aq_gguf_json_text(t, ",", err));
    AQ_TRY(aq_gguf_json_quoted(t, text + merges[i].cut, strlen(text) - merges[i].cut, err));
    AQ_TRY(aq_gguf_json_text(t, "]", err));
  }
  return aq_gguf_json_text(t, "]}}", err);
}

/* Gemma's scores are not in the order of its merges, and its tokens are. */
static aq_status append_piece_merges(aq_gguf_tokenizer *t, bool is_gemma, aq_error *err) {
  aq_gguf_merge *merges;
  size_t count;
  AQ_FAIL_IF(t->scores == NULL && !is_gemma, AQ_ERR_FORMAT, "metadata key 'tokenizer.ggml.scores' is missing");
  AQ_TRY(aq_gguf_merges_derive(&t->tokens, is_gemma ? NULL : t->scores, &merges, &count, err));
  aq_status status = aq_gguf_json_text(t, ",\"merges\":[", err);
  if (status == AQ_OK) status = append_derived(t, merges, count, err);
  aq_free(merges);
  return status;
}

aq_status aq_gguf_write_pieces(aq_gguf_tokenizer *t, aq_error *err) {
  const piece_stages *stages;
  int64_t unknown;
  AQ_TRY(find_piece_stages(t, &stages, err));
  AQ_FAIL_IF(t->merges.count > 0, AQ_ERR_UNSUPPORTED,
             "metadata key 'tokenizer.ggml.merges' is set beside scores: which of them counts is not known");
  AQ_TRY(aq_gguf_append_added_tokens(t, stages == &gemma, err));
  if (stages == &gemma) AQ_TRY(mark_spaces(t, err));
  AQ_TRY(aq_gguf_append_stage(t, "normalizer", stages->normalizer, err));
  AQ_TRY(aq_gguf_append_stage(t, "pre_tokenizer", stages->pre_tokenizer, err));
  AQ_TRY(aq_gguf_append_bos_eos(t, true, err));
  AQ_TRY(aq_gguf_append_stage(t, "decoder", stages->decoder, err));
  AQ_TRY(aq_gguf_json_text(t,
                           ",\"model\":{\"type\":\"BPE\",\"dropout\":null,\"fuse_unk\":true,\"byte_fallback\":true,"
                           "\"ignore_merges\":false,\"unk_token\":",
                           err));
  AQ_TRY(aq_gguf_token_id(t, "tokenizer.ggml.unknown_token_id", &unknown, err));
  AQ_TRY(unknown < 0 ? aq_gguf_json_text(t, "null", err) : aq_gguf_append_token(t, (size_t)unknown, err));
  AQ_TRY(aq_gguf_append_vocabulary(t, aq_gguf_append_token, err));
  return append_piece_merges(t, stages == &gemma, err);
}
