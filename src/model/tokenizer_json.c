/* tokenizer_json.c - what a tokenizer.json says. Its parts name their types; one that is not BERT's is an error with
 * the name of it. Padding and the decoder do not matter here; of truncation only the direction does, because the limit
 * is the model's. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "model/json_member.h"
#include "model/tokenizer.h"

static aq_status fail_type(const char *part, const json_t *value, const char *supported, aq_error *err) {
  const char *type = json_string_value(json_object_get(value, "type"));
  const aq_status status =
      aq_fail(err, AQ_ERR_UNSUPPORTED, "the tokenizer's %s is %s%.80s%s; supported: %s", part, type != NULL ? "'" : "",
              type != NULL ? type : "none that says its type", type != NULL ? "'" : "", supported);
  return aq_error_hint(err, status, "Only WordPiece tokenizers (the BERT family) are supported");
}

static bool is_type(const json_t *value, const char *type) {
  const char *found = json_string_value(json_object_get(value, "type"));
  return found != NULL && strcmp(found, type) == 0;
}

static aq_status read_vocab(aq_vocab *vocab, json_t *tokens, aq_error *err) {
  const char *token;
  json_t *id;
  AQ_FAIL_IF(!json_is_object(tokens), AQ_ERR_FORMAT, "model.vocab is not an object of tokens and ids");
  json_object_foreach(tokens, token, id) {
    AQ_FAIL_IF(!json_is_integer(id), AQ_ERR_FORMAT, "the id of the token '%.60s' is not a whole number", token);
    AQ_TRY(aq_vocab_add(vocab, token, strlen(token), json_integer_value(id), err));
  }
  AQ_FAIL_IF(vocab->count == 0, AQ_ERR_FORMAT, "the vocabulary is empty");
  return AQ_OK;
}

/* Files of 2020 do not name the type of the model; a BPE has merges, a Unigram a list for a vocabulary. */
static bool is_wordpiece(const json_t *model) {
  if (json_object_get(model, "type") != NULL) return is_type(model, "WordPiece");
  return json_is_object(json_object_get(model, "vocab")) && json_object_get(model, "merges") == NULL &&
         json_object_get(model, "max_input_chars_per_word") != NULL;
}

static aq_status read_model(aq_tokenizer *t, json_t *model, aq_error *err) {
  AQ_FAIL_IF(!json_is_object(model), AQ_ERR_FORMAT, "there is no object 'model'");
  if (!is_wordpiece(model)) return fail_type("model", model, "WordPiece", err);
  const char *unknown, *prefix;
  int64_t longest;
  AQ_TRY(aq_json_text(model, "unk_token", "[UNK]", &unknown, err));
  AQ_TRY(aq_json_text(model, "continuing_subword_prefix", "##", &prefix, err));
  AQ_TRY(aq_json_integer(model, "max_input_chars_per_word", 100, &longest, err));
  AQ_FAIL_IF(longest < 0, AQ_ERR_FORMAT, "max_input_chars_per_word is %lld", (long long)longest);
  AQ_TRY(aq_wordpiece_set_prefix(&t->pieces, prefix, strlen(prefix), err));
  if (t->pieces.vocab.count == 0) AQ_TRY(read_vocab(&t->pieces.vocab, json_object_get(model, "vocab"), err));
  t->pieces.max_word = (uint64_t)longest;
  t->pieces.unknown = aq_vocab_find(&t->pieces.vocab, unknown, strlen(unknown));
  AQ_FAIL_IF(t->pieces.unknown < 0, AQ_ERR_FORMAT, "the vocabulary does not hold the unknown token '%.60s'", unknown);
  return AQ_OK;
}

static aq_status read_normalizer(aq_normalizer *steps, const json_t *value, aq_error *err) {
  if (value != NULL && !json_is_null(value)) {
    if (!is_type(value, "BertNormalizer")) return fail_type("normalizer", value, "BertNormalizer", err);
    AQ_TRY(aq_json_bool(value, "clean_text", true, &steps->clean_text, err));
    AQ_TRY(aq_json_bool(value, "handle_chinese_chars", true, &steps->space_chinese, err));
    AQ_TRY(aq_json_bool(value, "lowercase", true, &steps->lowercase, err));
    AQ_TRY(aq_json_bool(value, "strip_accents", steps->lowercase, &steps->strip_accents, err));
  }
  aq_normalizer_prepare(steps);
  return AQ_OK;
}

/* ---- Special tokens around a text ---- */

static aq_status add_to_frame(aq_token_frame *frame, bool after, const json_t *id, aq_error *err) {
  size_t *count = after ? &frame->after_count : &frame->before_count;
  const json_int_t value = json_integer_value(id);
  AQ_FAIL_IF(!json_is_integer(id) || value < 0 || value >= AQ_VOCAB_MAX_ID, AQ_ERR_FORMAT,
             "the post-processor has a special token without a proper id");
  AQ_FAIL_IF(*count == AQ_FRAME_MAX, AQ_ERR_UNSUPPORTED, "the post-processor adds more than %d tokens at one end",
             AQ_FRAME_MAX);
  (after ? frame->after : frame->before)[(*count)++] = (int32_t)value;
  return AQ_OK;
}

/* {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}}, ...],
 *  "special_tokens": {"[CLS]": {"ids": [101]}}} */
static aq_status read_template(aq_token_frame *frame, const json_t *value, aq_error *err) {
  size_t at, k;
  json_t *piece, *id;
  bool text_seen = false;
  json_array_foreach(json_object_get(value, "single"), at, piece) {
    const json_t *special = json_object_get(piece, "SpecialToken");
    if (special == NULL) {
      AQ_FAIL_IF(text_seen || !json_is_object(json_object_get(piece, "Sequence")), AQ_ERR_UNSUPPORTED,
                 "the post-processor's template has something else than special tokens and one text");
      text_seen = true;
      continue;
    }
    const char *name = json_string_value(json_object_get(special, "id"));
    const json_t *ids = name == NULL ? NULL : json_object_get(json_object_get(value, "special_tokens"), name);
    ids = json_object_get(ids, "ids");
    AQ_FAIL_IF(!json_is_array(ids), AQ_ERR_FORMAT, "the post-processor's template names a token '%.60s' without ids",
               name != NULL ? name : "");
    json_array_foreach(ids, k, id) { AQ_TRY(add_to_frame(frame, text_seen, id, err)); }
  }
  AQ_FAIL_IF(!text_seen, AQ_ERR_FORMAT, "the post-processor's template has no place for the text");
  return AQ_OK;
}

/* {"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}; RobertaProcessing is the same for one
 * text. */
static aq_status read_pair(aq_token_frame *frame, const json_t *value, aq_error *err) {
  AQ_TRY(add_to_frame(frame, false, json_array_get(json_object_get(value, "cls"), 1), err));
  return add_to_frame(frame, true, json_array_get(json_object_get(value, "sep"), 1), err);
}

static aq_status read_frame(aq_token_frame *frame, const json_t *value, aq_error *err) {
  if (value == NULL || json_is_null(value)) return AQ_OK;
  if (is_type(value, "TemplateProcessing")) return read_template(frame, value, err);
  if (is_type(value, "BertProcessing") || is_type(value, "RobertaProcessing")) return read_pair(frame, value, err);
  return fail_type("post-processor", value, "TemplateProcessing, BertProcessing and RobertaProcessing", err);
}

aq_status aq_tokenizer_read_added(aq_tokenizer *tokenizer, const json_t *root, aq_error *err) {
  const json_t *tokens = json_object_get(root, "added_tokens");
  size_t i;
  json_t *value;
  AQ_FAIL_IF(tokens != NULL && !json_is_null(tokens) && !json_is_array(tokens), AQ_ERR_FORMAT,
             "added_tokens is not an array");
  /* Special ones come first: of two that are the same when normalized, the first counts. */
  for (int special = 1; special >= 0; special--) {
    json_array_foreach(tokens, i, value) {
      bool is_special;
      AQ_TRY(aq_json_bool(value, "special", false, &is_special, err));
      if (is_special != (special == 1)) continue;
      AQ_TRY(aq_json_added_token(tokenizer, value, json_object_get(value, "id"), !is_special, err));
    }
  }
  return AQ_OK;
}

aq_status aq_tokenizer_read_json(aq_tokenizer *tokenizer, const json_t *root, aq_error *err) {
  const json_t *cut = json_object_get(root, "pre_tokenizer"), *truncation = json_object_get(root, "truncation");
  const char *direction;
  AQ_TRY(read_model(tokenizer, json_object_get(root, "model"), err));
  AQ_TRY(read_normalizer(&tokenizer->normalizer, json_object_get(root, "normalizer"), err));
  if (!is_type(cut, "BertPreTokenizer")) return fail_type("pre-tokenizer", cut, "BertPreTokenizer", err);
  AQ_TRY(read_frame(&tokenizer->frame, json_object_get(root, "post_processor"), err));
  AQ_TRY(aq_json_text(truncation, "direction", "Right", &direction, err));
  tokenizer->keeps_end = strcmp(direction, "Left") == 0;
  return AQ_OK;
}
