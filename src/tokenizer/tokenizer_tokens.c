/* tokenizer_tokens.c - the added and special tokens of a tokenizer, in the order in which transformers 5 adds them.
 *
 * First those of the list (listed_tokens.h), by their ids. Then the named special tokens that are not among them
 * ("cls_token", "sep_token", ...), those of the class where the files name none, tokens of other names ("image_token"),
 * and the extra ones. A tokenizer.json that is taken as it is has its own tokens in before all others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "tokenizer/added_vocabulary.h"
#include "tokenizer/listed_tokens.h"
#include "tokenizer/tokenizer.h"

#define EXTRA_MAX 1000
#define EXTRA_ID_ROOM 32 /* bytes of "<extra_id_99>" */

typedef struct adding {
  aq_tokenizer *t;
  const aq_tokenizer_class *class;
  const aq_tokenizer_roots *roots;
  aq_added_vocabulary added;
  aq_token_specs listed, named, extra;
  aq_token_specs taken;                  /* of the last two, those that were not there before */
  aq_token_spec by_key[AQ_NAMED_TOKENS]; /* content NULL: there is none */
  aq_buffer extra_ids;                   /* see add_extra_ids */
  aq_vocab names;                        /* texts of `named`, which are special whatever the list says */
} adding;

/* ---- Named tokens ---- */

/* The flags that a list has for a text are those of the named token, too. */
static void take_flags(const adding *a, aq_token_spec *spec) {
  for (size_t i = 0; i < a->listed.count; i++) {
    if (strcmp(a->listed.items[i].content, spec->content) == 0) *spec = a->listed.items[i];
  }
  spec->id = -1;
}

/* What a class that wraps makes of a text. */
static void wrap(const aq_tokenizer_class *class, size_t which, aq_token_spec *spec) {
  if (class->wraps_mask_alone && which == AQ_TOKEN_MASK && spec->is_text) {
    *spec = (aq_token_spec){.content = spec->content, .lstrip = true, .special = true, .implied = true, .id = -1};
  }
  if (!class->wraps || !spec->is_text) return;
  *spec = (aq_token_spec){
      .content = spec->content, .lstrip = which == AQ_TOKEN_MASK, .normalized = true, .implied = true, .id = -1};
}

static aq_status read_named(adding *a, size_t which, aq_error *err) {
  const char *key = aq_named_token_keys[which], *padding = NULL;
  const json_t *value = json_object_get(a->roots->config, key);
  aq_token_spec *spec = &a->by_key[which];
  *spec = (aq_token_spec){.content = a->class->tokens[which], .special = true, .is_text = true, .id = -1};
  if (a->class->leaves_pad_open && which == AQ_TOKEN_PAD && !a->roots->alone) {
    AQ_TRY(aq_json_text(json_object_get(a->roots->json, "padding"), "pad_token", NULL, &padding, err));
    spec->content = padding;
  }
  if (json_is_null(value)) spec->content = NULL;
  if (value == NULL || json_is_null(value)) return AQ_OK;
  return aq_token_spec_parse(value, key, spec, err);
}

static aq_status add_name(adding *a, const aq_token_spec *spec, aq_error *err) {
  const size_t size = strlen(spec->content);
  AQ_TRY(aq_token_specs_push(&a->named, spec, err));
  if (aq_vocab_find(&a->names, spec->content, size) >= 0) return AQ_OK;
  return aq_vocab_add(&a->names, spec->content, size, (int64_t)a->names.count, err);
}

static bool is_other_name(const char *key) {
  const size_t length = strlen(key), ending = strlen("_token");
  if (length <= ending || strcmp(key + length - ending, "_token") != 0) return false;
  for (size_t i = 0; i < AQ_NAMED_TOKENS; i++) {
    if (strcmp(key, aq_named_token_keys[i]) == 0) return false;
  }
  return true;
}

/* Tokens of names that are the model's own: those with flags first, then texts. */
static aq_status take_other_names(adding *a, aq_error *err) {
  const char *key;
  json_t *value;
  for (int texts = 0; texts < 2; texts++) {
    json_object_foreach(a->roots->config, key, value) {
      const bool token = texts == 1 ? json_is_string(value) : json_object_get(value, "__type") != NULL;
      aq_token_spec spec;
      if (!token || !is_other_name(key)) continue;
      AQ_FAIL_IF(a->named.count > EXTRA_MAX, AQ_ERR_UNSUPPORTED, "there are too many keys like '%.60s'", key);
      AQ_TRY(aq_token_spec_parse(value, key, &spec, err));
      AQ_TRY(add_name(a, &spec, err));
    }
  }
  return AQ_OK;
}

static aq_status check_extra(const json_t *extra, const char *key, aq_error *err) {
  AQ_FAIL_IF(extra != NULL && !json_is_null(extra) && !json_is_array(extra) && !json_is_object(extra), AQ_ERR_FORMAT,
             "'%s' is neither a list nor an object", key);
  AQ_FAIL_IF(json_array_size(extra) > EXTRA_MAX || json_object_size(extra) > EXTRA_MAX, AQ_ERR_UNSUPPORTED,
             "'%s' has more than %d tokens", key, EXTRA_MAX);
  return AQ_OK;
}

static aq_status add_notused(adding *a, aq_error *err) {
  static const char *const contents[] = {"<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"};
  for (size_t i = 0; i < AQ_COUNT_OF(contents); i++) {
    const aq_token_spec spec = {.content = contents[i], .special = true, .is_text = true, .id = -1};
    AQ_TRY(aq_token_specs_push(&a->extra, &spec, err));
  }
  return AQ_OK;
}

/* Their texts are in `extra_ids`, each in EXTRA_ID_ROOM bytes. */
static aq_status add_extra_ids(adding *a, aq_error *err) {
  int64_t count;
  AQ_TRY(aq_extra_ids_read(a->roots->config, &count, err));
  AQ_TRY(aq_buffer_reserve(&a->extra_ids, (size_t)count * EXTRA_ID_ROOM, err));
  for (int64_t i = 0; i < count; i++) {
    char *text = (char *)a->extra_ids.data + i * EXTRA_ID_ROOM;
    (void)snprintf(text, EXTRA_ID_ROOM, "<extra_id_%d>", (int)i);
    const aq_token_spec spec = {.content = text, .special = true, .is_text = true, .id = -1};
    AQ_TRY(aq_token_specs_push(&a->extra, &spec, err));
  }
  return AQ_OK;
}

/* Extra tokens where the files have no list of them. */
static aq_status add_extra_of_class(adding *a, aq_error *err) {
  if (a->class->has_notused) return add_notused(a, err);
  return a->class->has_extra_ids ? add_extra_ids(a, err) : AQ_OK;
}

/* The list of either name; names of tokens may take the place of the list of the first. That of a model of
 * SentencePiece takes the place of the second. */
static aq_status take_extra(adding *a, aq_error *err) {
  static const char key[] = "extra_special_tokens", older[] = "additional_special_tokens";
  json_t *extra = json_object_get(a->roots->config, key), *list = extra, *value;
  const char *name;
  size_t i;
  aq_token_spec spec;
  if (extra == NULL || json_is_object(extra)) list = json_object_get(a->roots->config, older);
  AQ_TRY(check_extra(extra, key, err));
  AQ_TRY(check_extra(list, older, err));
  if ((extra == NULL || json_is_object(extra)) && a->roots->spm_tokens != NULL) list = a->roots->spm_tokens;
  if (list == NULL) AQ_TRY(add_extra_of_class(a, err));
  json_object_foreach(extra, name, value) {
    AQ_TRY(aq_token_spec_parse(value, key, &spec, err));
    AQ_TRY(add_name(a, &spec, err));
  }
  json_array_foreach(list, i, value) {
    AQ_TRY(aq_token_spec_parse(value, list == extra ? key : older, &spec, err));
    AQ_TRY(aq_token_specs_push(&a->extra, &spec, err));
  }
  return AQ_OK;
}

/* ---- Adding ---- */

static aq_status add_one(adding *a, const aq_token_spec *spec, aq_error *err) {
  aq_token_spec marked = *spec;
  const bool named = aq_vocab_find(&a->names, spec->content, strlen(spec->content)) >= 0;
  marked.special = spec->special || named;
  if (spec->implied) marked.normalized = !marked.special;
  marked.implied = false;
  return aq_added_vocabulary_add(&a->added, &marked, err);
}

/* True when both say the same of the same text, before the names make them special. */
static bool is_same(const aq_token_spec *a, const aq_token_spec *b) {
  return a->is_text == b->is_text && strcmp(a->content, b->content) == 0 && a->single_word == b->single_word &&
         a->lstrip == b->lstrip && a->rstrip == b->rstrip && a->normalized == b->normalized && a->special == b->special;
}

static bool is_taken(const adding *a, const aq_token_spec *spec) {
  for (size_t i = 0; i < a->taken.count; i++) {
    if (is_same(&a->taken.items[i], spec)) return true;
  }
  return false;
}

/* Adds tokens whose texts are not among the first `count` that were added. */
static aq_status add_missing(adding *a, const aq_token_specs *specs, size_t count, aq_error *err) {
  for (size_t i = 0; i < specs->count; i++) {
    const aq_token_spec *spec = &specs->items[i];
    const aq_added_entry *known = aq_added_vocabulary_find(&a->added, spec->content);
    if ((known != NULL && (size_t)(known - a->added.entries) < count) || is_taken(a, spec)) continue;
    AQ_TRY(aq_token_specs_push(&a->taken, spec, err));
    AQ_TRY(add_one(a, spec, err));
  }
  return AQ_OK;
}

/* A special token around a text has an id of the vocabulary, or of the list. */
static aq_status add_to_frame(adding *a, size_t which, int32_t *id, aq_error *err) {
  const char *content = a->by_key[which].content, *key = aq_named_token_keys[which];
  AQ_FAIL_IF(content == NULL, AQ_ERR_UNSUPPORTED, "'%s' is null, which cannot be put beside a text", key);
  *id = aq_added_vocabulary_id(&a->added, content);
  AQ_FAIL_IF(*id < 0, AQ_ERR_FORMAT, "the vocabulary does not hold the %s '%.60s'", key, content);
  return AQ_OK;
}

static aq_status set_frame(adding *a, aq_error *err) {
  aq_token_frame *frame = &a->t->frame;
  const bool has_own = aq_json_is_set(json_object_get(a->roots->json, "post_processor"));
  const aq_class_frame kind = a->class->frame;
  if (kind == AQ_FRAME_OF_FILE || (kind == AQ_FRAME_OF_FILE_OR_CLS_SEP && has_own)) return AQ_OK;
  const bool has_bos = kind == AQ_FRAME_BOS_EOS, has_eos = has_bos || kind == AQ_FRAME_EOS;
  frame->before_count = kind == AQ_FRAME_EOS ? 0 : 1;
  frame->after_count = 1;
  if (kind != AQ_FRAME_EOS) {
    AQ_TRY(add_to_frame(a, has_bos ? AQ_TOKEN_BOS : AQ_TOKEN_CLS, &frame->before[0], err));
  }
  AQ_TRY(add_to_frame(a, has_eos ? AQ_TOKEN_EOS : AQ_TOKEN_SEP, &frame->after[0], err));
  aq_pair_frame_set(&frame->pair, frame->before_count > 0 ? frame->before[0] : -1, frame->after[0],
                    a->class->doubles_separator, a->class->types_pairs);
  return AQ_OK;
}

/* Without a tokenizer.json, the tokens that add_bos_token and add_eos_token ask for; those that are null are left out.
 */
static aq_status set_bos_and_eos(adding *a, aq_error *err) {
  const json_t *config = a->roots->config;
  aq_token_frame *frame = &a->t->frame;
  if (a->roots->json != NULL || a->class->frame != AQ_FRAME_OF_FILE) return AQ_OK;
  frame->pair.unsupported = "is none of a file, which could say what stands around a pair";
  if (aq_json_is_set(json_object_get(config, "add_bos_token")) && a->by_key[AQ_TOKEN_BOS].content != NULL) {
    AQ_TRY(add_to_frame(a, AQ_TOKEN_BOS, &frame->before[frame->before_count++], err));
  }
  if (aq_json_is_set(json_object_get(config, "add_eos_token")) && a->by_key[AQ_TOKEN_EOS].content != NULL) {
    AQ_TRY(add_to_frame(a, AQ_TOKEN_EOS, &frame->after[frame->after_count++], err));
  }
  return AQ_OK;
}

/* Adds the tokens of a list by their texts alone, which takes their flags from them. */
static aq_status add_texts(adding *a, const aq_token_specs *specs, aq_error *err) {
  for (size_t i = 0; i < specs->count; i++) {
    const aq_token_spec plain = {.content = specs->items[i].content, .special = true, .is_text = true, .id = -1};
    AQ_TRY(add_one(a, &plain, err));
  }
  return AQ_OK;
}

/* Adds those of a tokenizer.json that is taken as it is, in the order of the file. */
static aq_status add_first(adding *a, aq_error *err) {
  if (a->class->read_stages != NULL) return AQ_OK;
  AQ_TRY(aq_listed_tokens_read_json(&a->listed, a->roots->json, err));
  for (size_t i = 0; i < a->listed.count; i++) AQ_TRY(add_one(a, &a->listed.items[i], err)); /* none is named yet */
  a->listed.count = 0;
  return AQ_OK;
}

static aq_status take_named(adding *a, aq_error *err) {
  for (size_t i = 0; i < AQ_NAMED_TOKENS; i++) {
    if (a->by_key[i].content == NULL) continue;
    if (json_object_get(a->roots->config, aq_named_token_keys[i]) != NULL) take_flags(a, &a->by_key[i]);
    wrap(a->class, i, &a->by_key[i]);
    AQ_TRY(add_name(a, &a->by_key[i], err));
  }
  return take_other_names(a, err);
}

static aq_status add_all(adding *a, aq_error *err) {
  static const char key[] = "extra_special_tokens";
  AQ_TRY(check_extra(json_object_get(a->roots->config, key), key, err));
  AQ_TRY(add_first(a, err));
  for (size_t i = 0; i < AQ_NAMED_TOKENS; i++) AQ_TRY(read_named(a, i, err));
  AQ_TRY(aq_listed_tokens_read(&a->listed, a->roots, err));
  AQ_TRY(take_named(a, err));
  AQ_TRY(take_extra(a, err));
  for (size_t i = 0; i < a->listed.count; i++) AQ_TRY(add_one(a, &a->listed.items[i], err));
  AQ_TRY(set_frame(a, err));
  const size_t count = a->added.count;
  AQ_TRY(add_missing(a, &a->named, count, err));
  AQ_TRY(add_missing(a, &a->extra, count, err));
  AQ_TRY(set_bos_and_eos(a, err));
  if (!a->class->adds_again) return AQ_OK;
  AQ_TRY(add_texts(a, &a->named, err));
  return add_texts(a, &a->extra, err);
}

/* ---- Into the tokenizer ---- */

static aq_status put_token(const adding *a, const aq_added_entry *entry, bool splits, aq_error *err) {
  aq_tokenizer *t = a->t;
  const aq_token_spec *spec = &entry->spec;
  const aq_added_token token = {.id = (int32_t)spec->id,
                                .single_word = spec->single_word,
                                .lstrip = spec->lstrip,
                                .rstrip = spec->rstrip,
                                .passed_over = splits && entry->special};
  const size_t size = strlen(spec->content);
  t->id_end = AQ_MAX(t->id_end, token.id + 1);
  if (entry->special) AQ_TRY(aq_vocab_add(&t->special, spec->content, size, (int64_t)t->special.count, err));
  if (!spec->normalized) {
    AQ_TRY(aq_token_names_add(&t->added, token.id, spec->content, size, err));
    return aq_added_add(&t->raw, spec->content, size, &token, err);
  }
  aq_buffer text = {NULL, 0, 0};
  aq_normalizer_scratch scratch = {.own = {NULL, 0, 0}};
  aq_status status = aq_normalizers_apply(&t->normalizers, (const uint8_t *)spec->content, size, &text, &scratch, err);
  if (status == AQ_OK) status = aq_token_names_add(&t->added, token.id, text.data, text.size, err);
  if (status == AQ_OK) status = aq_added_add(&t->normalized, (const char *)text.data, text.size, &token, err);
  aq_buffer_reset(&text);
  aq_normalizer_scratch_reset(&scratch);
  return status;
}

/* Special ones come first: of two that are the same when normalized, the first counts. */
static aq_status put_all(const adding *a, aq_error *err) {
  bool splits;
  AQ_TRY(aq_json_bool(a->roots->config, "split_special_tokens", false, &splits, err));
  for (int special = 1; special >= 0; special--) {
    for (size_t i = 0; i < a->added.count; i++) {
      if (a->added.entries[i].special == (special == 1)) AQ_TRY(put_token(a, &a->added.entries[i], splits, err));
    }
  }
  return AQ_OK;
}

/* ---- What is known of all tokens ---- */

/* The token that the model of a tokenizer.json gives for what it does not know. */
static aq_status find_unknown(const adding *a, int32_t *out, aq_error *err) {
  const json_t *model = json_object_get(a->roots->json, "model");
  const char *otherwise = a->t->model.type == &aq_token_model_wordpiece ? "[UNK]" : NULL, *text;
  int64_t id = -1;
  *out = -1;
  if (model == NULL) return AQ_OK;
  if (a->t->model.type == &aq_token_model_unigram) {
    AQ_TRY(aq_json_integer(model, "unk_id", -1, &id, err));
    *out = (int32_t)id; /* the model was made with it */
    return AQ_OK;
  }
  AQ_TRY(aq_json_text(model, "unk_token", otherwise, &text, err));
  if (text != NULL) *out = aq_added_vocabulary_id(&a->added, text);
  return AQ_OK;
}

static size_t count_characters(const char *text, size_t size) {
  size_t count = 0;
  for (size_t i = 0; i < size; i++) count += ((uint8_t)text[i] & 0xC0) != 0x80;
  return count;
}

/* The median of the tokens' lengths, of those of the vocabulary and of those that were added to it. */
static size_t median_length(const adding *a) {
  enum { LONGEST = AQ_VOCAB_MAX_TOKEN };
  const aq_vocab *vocab = &a->t->model.vocab;
  size_t of_length[LONGEST + 1] = {0}, total = 0, size, middle[2] = {0, 0};
  for (size_t i = 0; i < vocab->count; i++, total++) {
    const char *token = aq_vocab_entry_token(vocab, i, &size);
    of_length[count_characters(token, size)]++;
  }
  for (size_t i = 0; i < a->added.count; i++) {
    const char *token = a->added.entries[i].spec.content;
    if (aq_vocab_find(vocab, token, strlen(token)) >= 0) continue;
    of_length[AQ_MIN(count_characters(token, strlen(token)), (size_t)LONGEST)]++;
    total++;
  }
  for (size_t length = 0, before = 0; length <= LONGEST && total > 0; before += of_length[length++]) {
    for (size_t i = 0; i < 2; i++) {
      const size_t place = i == 0 ? (total - 1) / 2 : total / 2;
      if (place >= before && place < before + of_length[length]) middle[i] = length;
    }
  }
  return (middle[0] + middle[1]) / 2;
}

/* Of a tokenizer.json by itself, as static embeddings have it. */
static aq_status set_statistics(const adding *a, aq_error *err) {
  a->t->median_length = median_length(a);
  return find_unknown(a, &a->t->unknown, err);
}

aq_status aq_tokenizer_add_tokens(aq_tokenizer *tokenizer, const aq_tokenizer_class *class,
                                  const aq_tokenizer_roots *roots, aq_error *err) {
  adding a = {.t = tokenizer, .class = class, .roots = roots, .added = {.model = &tokenizer->model}};
  aq_status status = add_all(&a, err);
  if (status == AQ_OK) status = put_all(&a, err);
  if (status == AQ_OK && roots->alone) status = set_statistics(&a, err);
  aq_added_vocabulary_reset(&a.added);
  aq_token_specs_reset(&a.listed);
  aq_token_specs_reset(&a.named);
  aq_token_specs_reset(&a.extra);
  aq_token_specs_reset(&a.taken);
  aq_vocab_reset(&a.names);
  aq_buffer_reset(&a.extra_ids);
  return status;
}
