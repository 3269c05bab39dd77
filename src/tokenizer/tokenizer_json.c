/* tokenizer_json.c - what a tokenizer.json says. Its parts name their types; one that is not BERT's is an error with
 * the name of it. Of padding and truncation only the direction matters, because the limit is the model's; the decoder
 * does not matter at all. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_keys.h"

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

aq_status aq_tokenizer_read_vocab(aq_tokenizer *tokenizer, const json_t *root, aq_error *err) {
  const json_t *model = json_object_get(root, "model");
  const char *version;
  AQ_TRY(aq_tokenizer_keys_check(AQ_TOKENIZER_KEYS_JSON, root, err));
  AQ_TRY(aq_json_text(root, "version", "1.0", &version, err));
  AQ_FAIL_IF(strcmp(version, "1.0") != 0, AQ_ERR_UNSUPPORTED, "'version' is '%.40s'; supported: 1.0", version);
  AQ_FAIL_IF(!json_is_object(model), AQ_ERR_FORMAT, "there is no object 'model'");
  if (!is_wordpiece(model)) return fail_type("model", model, "WordPiece", err);
  if (tokenizer->pieces.vocab.count > 0) return AQ_OK;
  return read_vocab(&tokenizer->pieces.vocab, json_object_get(model, "vocab"), err);
}

/* Of WordPiece. */
static aq_status set_model(aq_tokenizer *t, const char *unknown, const char *prefix, int64_t longest, aq_error *err) {
  AQ_TRY(aq_wordpiece_set_prefix(&t->pieces, prefix, strlen(prefix), err));
  t->pieces.max_word = (uint64_t)longest;
  t->pieces.unknown = aq_vocab_find(&t->pieces.vocab, unknown, strlen(unknown));
  return AQ_OK;
}

static aq_status read_model(aq_tokenizer *t, const json_t *model, aq_error *err) {
  const char *unknown, *prefix;
  int64_t longest;
  AQ_TRY(aq_json_text(model, "unk_token", "[UNK]", &unknown, err));
  AQ_TRY(aq_json_text(model, "continuing_subword_prefix", "##", &prefix, err));
  AQ_TRY(aq_json_integer(model, "max_input_chars_per_word", 100, &longest, err));
  AQ_FAIL_IF(longest < 0, AQ_ERR_FORMAT, "max_input_chars_per_word is %lld", (long long)longest);
  AQ_TRY(set_model(t, unknown, prefix, longest, err));
  AQ_FAIL_IF(t->pieces.unknown < 0, AQ_ERR_FORMAT, "the vocabulary does not hold the unknown token '%.60s'", unknown);
  return AQ_OK;
}

/* ---- Normalizers ---- */

static aq_status read_bert_normalizer(const json_t *value, aq_normalizer *pass, aq_error *err) {
  AQ_TRY(aq_json_bool(value, "clean_text", true, &pass->clean_text, err));
  AQ_TRY(aq_json_bool(value, "handle_chinese_chars", true, &pass->space_chinese, err));
  AQ_TRY(aq_json_bool(value, "lowercase", true, &pass->lowercase, err));
  return aq_json_bool(value, "strip_accents", pass->lowercase, &pass->strip_accents, err);
}

/* One step that is no sequence. */
static aq_status read_step(aq_tokenizer *t, const json_t *value, aq_error *err) {
  aq_normalizer pass = {.clean_text = false};
  if (is_type(value, "BertNormalizer")) {
    AQ_TRY(read_bert_normalizer(value, &pass, err));
  } else if (is_type(value, "Lowercase")) {
    pass.lowercase = t->lowers = true;
  } else if (is_type(value, "NFD")) {
    pass.decompose = true;
  } else if (is_type(value, "StripAccents")) {
    pass.strip_marks = true;
  } else {
    return fail_type("normalizer", value, "BertNormalizer, Lowercase, NFD, StripAccents and sequences of these", err);
  }
  return aq_normalizers_add(&t->normalizers, &pass, false, err);
}

static aq_status read_normalizer(aq_tokenizer *t, const json_t *value, int depth, aq_error *err) {
  if (value == NULL || json_is_null(value)) return AQ_OK;
  if (!is_type(value, "Sequence")) return read_step(t, value, err);
  const json_t *steps = json_object_get(value, "normalizers"), *step;
  size_t i;
  AQ_FAIL_IF(!json_is_array(steps), AQ_ERR_FORMAT, "the tokenizer's normalizer has no list 'normalizers'");
  AQ_FAIL_IF(depth == AQ_NORMALIZER_PASSES, AQ_ERR_UNSUPPORTED, "the tokenizer's normalizer is nested too deeply");
  json_array_foreach(steps, i, step) { AQ_TRY(read_normalizer(t, step, depth + 1, err)); }
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

/* Types of tokens are not handed out: all are 0. */
static aq_status check_type_id(const json_t *piece, aq_error *err) {
  const json_t *type = json_object_get(piece, "type_id");
  AQ_FAIL_IF(type != NULL && (!json_is_integer(type) || json_integer_value(type) != 0), AQ_ERR_UNSUPPORTED,
             "the post-processor's template has a 'type_id' that is not 0");
  return AQ_OK;
}

/* {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}}, ...],
 *  "special_tokens": {"[CLS]": {"ids": [101]}}} */
static aq_status read_template(aq_token_frame *frame, const json_t *value, aq_error *err) {
  size_t at, k;
  json_t *piece, *id;
  bool text_seen = false;
  json_array_foreach(json_object_get(value, "single"), at, piece) {
    const json_t *special = json_object_get(piece, "SpecialToken"), *text = json_object_get(piece, "Sequence");
    AQ_TRY(check_type_id(special != NULL ? special : text, err));
    if (special == NULL) {
      const char *which = json_string_value(json_object_get(text, "id"));
      AQ_FAIL_IF(text_seen || which == NULL || strcmp(which, "A") != 0, AQ_ERR_UNSUPPORTED,
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

aq_status aq_tokenizer_read_json(aq_tokenizer *tokenizer, const json_t *root, aq_error *err) {
  const json_t *cut = json_object_get(root, "pre_tokenizer");
  AQ_TRY(read_model(tokenizer, json_object_get(root, "model"), err));
  AQ_TRY(read_normalizer(tokenizer, json_object_get(root, "normalizer"), 0, err));
  if (!is_type(cut, "BertPreTokenizer")) return fail_type("pre-tokenizer", cut, "BertPreTokenizer", err);
  return read_frame(&tokenizer->frame, json_object_get(root, "post_processor"), err);
}

/* ---- What a class makes by itself ---- */

/* A special token may be given as a text or as an object of an added token. */
static aq_status special_text(const json_t *config, const char *key, const char *otherwise, const char **text,
                              aq_error *err) {
  const json_t *value = json_object_get(config, key);
  return json_is_object(value) ? aq_json_text(value, "content", otherwise, text, err)
                               : aq_json_text(config, key, otherwise, text, err);
}

aq_status aq_tokenizer_read_options(aq_tokenizer *tokenizer, const json_t *config, aq_error *err) {
  aq_normalizer pass = {.clean_text = true};
  const char *unknown, key[] = "unk_token";
  AQ_TRY(aq_json_bool(config, "do_lower_case", true, &pass.lowercase, err));
  AQ_TRY(aq_json_bool(config, "tokenize_chinese_chars", true, &pass.space_chinese, err));
  AQ_TRY(aq_json_bool(config, "strip_accents", pass.lowercase, &pass.strip_accents, err));
  AQ_TRY(aq_normalizers_add(&tokenizer->normalizers, &pass, false, err));
  AQ_TRY(special_text(config, key, "[UNK]", &unknown, err));
  AQ_FAIL_IF(json_is_null(json_object_get(config, key)), AQ_ERR_UNSUPPORTED, "'%s' is null", key);
  AQ_TRY(set_model(tokenizer, unknown, "##", 100, err));
  AQ_FAIL_IF(tokenizer->pieces.unknown < 0, AQ_ERR_FORMAT, "the vocabulary does not hold the %s '%.60s'", key, unknown);
  return AQ_OK;
}

/* "right" or "left", in a tokenizer.json with a capital. */
static aq_status read_side(const json_t *config, const char *key, const json_t *part, bool *left, aq_error *err) {
  const char *side, *direction;
  AQ_TRY(aq_json_text(part, "direction", "Right", &direction, err));
  AQ_FAIL_IF(strcmp(direction, "Right") != 0 && strcmp(direction, "Left") != 0, AQ_ERR_FORMAT,
             "'direction' is '%.20s'; Right and Left are possible", direction);
  const bool listed = json_object_get(config, key) != NULL;
  AQ_TRY(aq_json_text(config, key, direction[0] == 'L' ? "left" : "right", &side, err));
  AQ_FAIL_IF(strcmp(side, "right") != 0 && strcmp(side, "left") != 0, AQ_ERR_FORMAT,
             "'%s' is '%.20s'; right and left are possible", key, side);
  AQ_FAIL_IF(listed && json_is_null(json_object_get(config, key)), AQ_ERR_FORMAT, "'%s' is null", key);
  *left = side[0] == 'l';
  return AQ_OK;
}

aq_status aq_tokenizer_read_sides(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  const json_t *truncation = json_object_get(roots->json, "truncation");
  const json_t *padding = json_object_get(roots->json, "padding");
  AQ_TRY(read_side(roots->config, "truncation_side", truncation, &tokenizer->keeps_end, err));
  return read_side(roots->config, "padding_side", padding, &tokenizer->pads_left, err);
}
