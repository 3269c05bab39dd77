/* tokenizer_spm.c - vocabulary, added tokens and stages out of a model of SentencePiece. */
#include "tokenizer/tokenizer_spm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "tokenizer/bpe.h"
#include "tokenizer/precompiled.h"
#include "tokenizer/spm_model.h"
#include "tokenizer/token_specs.h"
#include "tokenizer/unigram.h"

#define WORD_MARK "\xE2\x96\x81" /* U+2581, which stands for a space in pieces */
#define MOST_TOKENS 10000        /* added ones */
#define EXTRA_ID "<extra_id_"    /* T5's */

static const char any_class[] = "tokenizer.model", spiece[] = "spiece.model", fairseq[] = "sentencepiece.bpe.model",
                  deberta[] = "spm.model";
const char *const aq_spm_file_names[] = {any_class, fairseq, spiece, deberta, NULL};

static const aq_spm_head fairseq_head[] = {
    {NULL, AQ_TOKEN_BOS, 0}, {NULL, AQ_TOKEN_PAD, 0}, {NULL, AQ_TOKEN_EOS, 0}, {NULL, AQ_TOKEN_UNK, 0}};
static const aq_spm_head camembert_head[] = {{"<s>NOTUSED", 0, 0},
                                             {NULL, AQ_TOKEN_PAD, 0},
                                             {"</s>NOTUSED", 0, 0},
                                             {NULL, AQ_TOKEN_UNK, 0},
                                             {"<unk>NOTUSED", 0, -100}};

const aq_spm_rules aq_spm_as_it_is = {.file_name = any_class};
const aq_spm_rules aq_spm_spiece = {.file_name = spiece};
const aq_spm_rules aq_spm_deberta = {.file_name = deberta};
const aq_spm_rules aq_spm_fairseq = {.file_name = fairseq,
                                     .head = fairseq_head,
                                     .head_count = AQ_COUNT_OF(fairseq_head),
                                     .dropped = 3,
                                     .ends_with_mask = true};
const aq_spm_rules aq_spm_camembert = {.file_name = fairseq,
                                       .head = camembert_head,
                                       .head_count = AQ_COUNT_OF(camembert_head),
                                       .dropped = 1,
                                       .ends_with_mask = true};

aq_status aq_tokenizer_spm_parse(const aq_named_text *file, aq_tokenizer_roots *roots, aq_error *err) {
  roots->spm = aq_calloc(1, sizeof *roots->spm);
  if (roots->spm == NULL) return aq_fail_memory(err, sizeof *roots->spm);
  const aq_status status = aq_spm_model_read(file->text, file->size, roots->spm, err);
  return status == AQ_OK || file->path == NULL ? status : aq_error_in_file(err, status, file->path);
}

void aq_tokenizer_spm_reset(aq_tokenizer_roots *roots) {
  if (roots->spm != NULL) aq_spm_model_reset(roots->spm);
  aq_free(roots->spm);
  json_decref(roots->spm_tokens);
  roots->spm = NULL;
  roots->spm_tokens = NULL;
}

/* ---- Added tokens: the control pieces, which are special, and those that are user-defined ---- */

static aq_status append_token(json_t *list, json_t *token, aq_error *err) {
  if (json_array_size(list) >= MOST_TOKENS) {
    json_decref(token);
    return aq_fail(err, AQ_ERR_UNSUPPORTED, "the model has more than %d control and user-defined pieces", MOST_TOKENS);
  }
  return json_array_append_new(list, token) == 0 ? AQ_OK : aq_fail(err, AQ_ERR_MEMORY, "out of memory");
}

static aq_status list_pieces(const aq_spm_model *model, json_t *list, bool *has_extra_ids, aq_error *err) {
  for (size_t i = 0; i < aq_spm_model_count(model); i++) {
    const aq_spm_piece *piece = aq_spm_model_piece(model, i);
    if (piece->type != AQ_SPM_CONTROL && piece->type != AQ_SPM_USER) continue;
    json_t *token = json_pack("{s:s%, s:b, s:b}", "content", piece->text.text, piece->text.size, "normalized", 0,
                              "special", piece->type == AQ_SPM_CONTROL);
    AQ_TRY(append_token(list, token, err));
    const char *content = json_string_value(json_object_get(token, "content"));
    *has_extra_ids = *has_extra_ids || (content != NULL && strstr(content, EXTRA_ID) != NULL);
  }
  return AQ_OK;
}

static aq_status list_tokens(const aq_tokenizer_class *class, aq_tokenizer_roots *roots, aq_error *err) {
  bool has_extra_ids = false;
  int64_t extra_ids = 0;
  roots->spm_tokens = json_array();
  if (roots->spm_tokens == NULL) return aq_fail(err, AQ_ERR_MEMORY, "out of memory");
  AQ_TRY(list_pieces(roots->spm, roots->spm_tokens, &has_extra_ids, err));
  if (!class->has_extra_ids) return AQ_OK;
  AQ_TRY(aq_extra_ids_read(roots->config, &extra_ids, err));
  AQ_FAIL_IF(has_extra_ids && extra_ids > 0, AQ_ERR_UNSUPPORTED,
             "the model has pieces like " EXTRA_ID "0>, and 'extra_ids' asks for %lld more", (long long)extra_ids);
  for (int64_t i = 0; i < extra_ids; i++) {
    AQ_TRY(append_token(roots->spm_tokens, json_sprintf(EXTRA_ID "%d>", (int)i), err));
  }
  return AQ_OK;
}

/* ---- The vocabulary ---- */

static aq_status add_piece(aq_tokenizer *t, const char *text, size_t size, double score, aq_error *err) {
  const aq_piece_score both = {score, score};
  aq_vocab *vocab = &t->model.vocab;
  if (t->model.type->has_scores) return aq_vocab_add_piece(vocab, text, size, &both, err);
  return aq_vocab_add(vocab, text, size, (int64_t)vocab->count, err);
}

/* The text of a token that the configuration names. Python writes null as "None". */
static aq_status add_named(aq_tokenizer *t, const aq_tokenizer_class *class, const json_t *config, size_t which,
                           double score, aq_error *err) {
  const json_t *value = json_object_get(config, aq_named_token_keys[which]);
  aq_token_spec spec = {.content = json_is_null(value) ? "None" : class->tokens[which]};
  if (value != NULL && !json_is_null(value)) {
    AQ_TRY(aq_token_spec_parse(value, aq_named_token_keys[which], &spec, err));
  }
  return add_piece(t, spec.content, strlen(spec.content), score, err);
}

static aq_status add_extra_ids(aq_tokenizer *t, const json_t *config, aq_error *err) {
  int64_t extra_ids;
  char text[32];
  AQ_TRY(aq_extra_ids_read(config, &extra_ids, err));
  while (extra_ids-- > 0) {
    const int size = snprintf(text, sizeof text, EXTRA_ID "%d>", (int)extra_ids);
    AQ_TRY(add_piece(t, text, (size_t)size, 0, err));
  }
  return AQ_OK;
}

static aq_status add_vocabulary(aq_tokenizer *t, const aq_tokenizer_class *class, const aq_tokenizer_roots *roots,
                                aq_error *err) {
  const aq_spm_rules *rules = class->spm;
  for (size_t i = 0; i < rules->head_count; i++) {
    const aq_spm_head *head = &rules->head[i];
    AQ_TRY(head->text == NULL ? add_named(t, class, roots->config, head->named, head->score, err)
                              : add_piece(t, head->text, strlen(head->text), head->score, err));
  }
  for (size_t i = rules->dropped; i < aq_spm_model_count(roots->spm); i++) {
    const aq_spm_piece *piece = aq_spm_model_piece(roots->spm, i);
    AQ_TRY(add_piece(t, piece->text.text, piece->text.size, (double)piece->score, err));
  }
  if (class->has_extra_ids) AQ_TRY(add_extra_ids(t, roots->config, err));
  return rules->ends_with_mask ? add_named(t, class, roots->config, AQ_TOKEN_MASK, 0, err) : AQ_OK;
}

/* A file of one of the known names is what the class looks for, or a tokenizer.model. */
static aq_status check_name(const aq_tokenizer_class *class, const aq_named_text *file, aq_error *err) {
  AQ_FAIL_IF(class->spm == NULL, AQ_ERR_UNSUPPORTED,
             "the tokenizer's class is '%s', which does not read a model of SentencePiece", class->name);
  const char *name = file->path != NULL ? aq_path_name(file->path) : any_class;
  for (size_t i = 0; aq_spm_file_names[i] != NULL; i++) {
    const char *known = aq_spm_file_names[i];
    const bool is_other = strcmp(name, known) == 0 && known != any_class && known != class->spm->file_name;
    AQ_FAIL_IF(is_other, AQ_ERR_UNSUPPORTED, "the tokenizer's class is '%s', which reads a %s, and this is a %s",
               class->name, class->spm->file_name, known);
  }
  return AQ_OK;
}

aq_status aq_tokenizer_spm_read_vocab(aq_tokenizer *tokenizer, const aq_tokenizer_class *class,
                                      const aq_named_text *file, aq_tokenizer_roots *roots, aq_error *err) {
  AQ_TRY(check_name(class, file, err));
  tokenizer->model.type = roots->spm->is_bpe ? &aq_token_model_bpe : &aq_token_model_unigram;
  AQ_TRY(add_vocabulary(tokenizer, class, roots, err));
  return list_tokens(class, roots, err);
}

/* ---- Stages ---- */

aq_status aq_tokenizer_spm_add_charsmap(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  const aq_spm_text *map = &roots->spm->charsmap;
  void *state;
  if (map->size == 0) return AQ_OK;
  uint8_t *copy = aq_malloc(map->size);
  if (copy == NULL) return aq_fail_memory(err, map->size);
  memcpy(copy, map->text, map->size);
  AQ_TRY(aq_precompiled_make(copy, map->size, &state, err));
  return aq_normalizers_add(&tokenizer->normalizers, &aq_normalizer_precompiled, state, err);
}

/* A named token that the configuration does not give is that of the model. */
static aq_status set_token(json_t *config, size_t which, int32_t id, const aq_spm_text *piece, aq_error *err) {
  const char *key = aq_named_token_keys[which];
  if (id < 0 || json_object_get(config, key) != NULL || piece->size == 0) return AQ_OK;
  return json_object_set_new(config, key, json_stringn(piece->text, piece->size)) == 0
             ? AQ_OK
             : aq_fail(err, AQ_ERR_MEMORY, "out of memory");
}

static aq_status set_tokens(aq_tokenizer_roots *roots, aq_error *err) {
  const aq_spm_model *model = roots->spm;
  if (roots->config == NULL) roots->config = json_object();
  if (roots->config == NULL) return aq_fail(err, AQ_ERR_MEMORY, "out of memory");
  AQ_TRY(set_token(roots->config, AQ_TOKEN_BOS, model->bos, &model->bos_piece, err));
  AQ_TRY(set_token(roots->config, AQ_TOKEN_EOS, model->eos, &model->eos_piece, err));
  return set_token(roots->config, AQ_TOKEN_UNK, model->unknown, &model->unknown_piece, err);
}

static aq_status set_bpe(aq_tokenizer *t, const aq_spm_model *model, aq_error *err) {
  aq_merges merges = {.slots = NULL};
  char unknown[AQ_VOCAB_MAX_TOKEN + 1];
  (void)snprintf(unknown, sizeof unknown, "%.*s", (int)model->unknown_piece.size, model->unknown_piece.text);
  const aq_bpe_options options = {
      .unknown = unknown, .prefix = "", .suffix = "", .fuses_unknown = true, .byte_fallback = model->byte_fallback};
  const aq_status status = aq_merges_of_vocab(&merges, &t->model.vocab, err);
  if (status == AQ_OK) return aq_bpe_make(&options, &t->model.vocab, &merges, &t->model.state, err);
  aq_merges_reset(&merges);
  return status;
}

static aq_status set_unigram(aq_tokenizer *t, const aq_spm_model *model, aq_error *err) {
  const aq_unigram_options options = {
      .unknown = model->unknown, .byte_fallback = model->byte_fallback, .scores_nearest = true};
  AQ_FAIL_IF(model->unknown < 0, AQ_ERR_FORMAT, "unk_id is %d, which is that of no piece", (int)model->unknown);
  return aq_unigram_make(&options, &t->model.vocab, &t->model.state, err);
}

/* transformers gives a piece of BPE whose id is listed with another text that text, and fails with Unigram. */
static aq_status check_listed(const aq_tokenizer *t, const aq_tokenizer_roots *roots, aq_error *err) {
  static const char key[] = "added_tokens_decoder";
  const json_t *listed = json_object_get(roots->config, key);
  const char *id;
  json_t *value;
  AQ_FAIL_IF(json_object_size(listed) > 0 && !roots->spm->is_bpe, AQ_ERR_UNSUPPORTED,
             "'%s' is not supported beside a Unigram of SentencePiece where the class is the general one", key);
  json_object_foreach((json_t *)(uintptr_t)listed, id, value) {
    aq_token_spec spec;
    char *end;
    const unsigned long long number = strtoull(id, &end, 10);
    AQ_TRY(aq_token_spec_parse(value, key, &spec, err));
    const bool is_renamed = number < aq_spm_model_count(roots->spm) &&
                            aq_token_model_id_of(&t->model, spec.content, strlen(spec.content)) < 0;
    AQ_FAIL_IF(is_renamed, AQ_ERR_UNSUPPORTED, "'%s' gives piece %.20s of the model another text, '%.60s'", key, id,
               spec.content);
  }
  return AQ_OK;
}

#define REPLACE(from, to) "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" from "\"},\"content\":\"" to "\"}"
#define STAGES(decoders) \
  "{\"normalizer\":" REPLACE(" ", WORD_MARK) ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[" decoders "]}}"

aq_status aq_tokenizer_read_spm(aq_tokenizer *tokenizer, aq_tokenizer_roots *roots, aq_error *err) {
  const aq_spm_model *model = roots->spm;
  AQ_TRY(check_listed(tokenizer, roots, err));
  AQ_TRY(set_tokens(roots, err));
  AQ_TRY(model->is_bpe ? set_bpe(tokenizer, model, err) : set_unigram(tokenizer, model, err));
  AQ_TRY(aq_tokenizer_spm_add_charsmap(tokenizer, roots, err));
  return aq_tokenizer_read_stages(
      tokenizer,
      model->byte_fallback ? STAGES(REPLACE(WORD_MARK, " ") ",{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}")
                           : STAGES(REPLACE(WORD_MARK, " ")),
      err);
}
