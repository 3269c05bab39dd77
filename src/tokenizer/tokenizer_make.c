/* tokenizer_make.c - a tokenizer out of its files: vocabulary, class, stages, added tokens. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/source.h"
#include "tokenizer/sentence_config.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_settings.h"
#include "tokenizer/tokenizer_spm.h"
#include "tokenizer/vocab_json.h"

/* The error names the first file that it may be in, and has named it already where it knows better. */
static aq_status blame_text(aq_status status, const aq_tokenizer_files *files, aq_tokenizer_text text, aq_error *err) {
  const char *path = files->texts[text].path;
  return status == AQ_OK || path == NULL ? status : aq_error_in_file(err, status, path);
}

/* The file to blame for what the class makes of the tokens: the configuration, or where there is none the vocabulary.
 */
static aq_tokenizer_text blamed_text(const aq_tokenizer_files *files) {
  if (files->texts[AQ_TEXT_CONFIG].text != NULL) return AQ_TEXT_CONFIG;
  if (files->texts[AQ_TEXT_JSON].text != NULL) return AQ_TEXT_JSON;
  if (files->texts[AQ_TEXT_SPM].text != NULL) return AQ_TEXT_SPM;
  return files->texts[AQ_TEXT_VOCAB].text != NULL ? AQ_TEXT_VOCAB : AQ_TEXT_VOCAB_JSON;
}

/* A vocab.json: an object of tokens and ids. */
static aq_status read_tokens(aq_tokenizer *t, const aq_named_text *text, aq_error *err) {
  json_t *tokens;
  AQ_TRY(aq_json_parse_object(text->text, text->size, 0, &tokens, err));
  const aq_status status = aq_vocab_read_object(&t->model.vocab, tokens, err);
  json_decref(tokens);
  return status;
}

/* Of a model of SentencePiece the pieces are read, and the class makes the vocabulary. */
static aq_status read_vocab(aq_tokenizer *t, const aq_tokenizer_files *files, aq_tokenizer_roots *roots,
                            aq_error *err) {
  const aq_named_text *json = &files->texts[AQ_TEXT_JSON], *vocab = &files->texts[AQ_TEXT_VOCAB];
  const aq_named_text *spm = &files->texts[AQ_TEXT_SPM];
  if (json->text != NULL) {
    return blame_text(aq_tokenizer_parse_json(t, json, &roots->json, err), files, AQ_TEXT_JSON, err);
  }
  if (spm->text != NULL) return aq_tokenizer_spm_parse(spm, roots, err);
  if (vocab->text == NULL) {
    return blame_text(read_tokens(t, &files->texts[AQ_TEXT_VOCAB_JSON], err), files, AQ_TEXT_VOCAB_JSON, err);
  }
  return blame_text(aq_vocab_read_lines(&t->model.vocab, vocab->text, vocab->size, err), files, AQ_TEXT_VOCAB, err);
}

static aq_status read_stages(aq_tokenizer *t, const aq_tokenizer_class *class, const aq_tokenizer_files *files,
                             aq_tokenizer_roots *roots, aq_error *err) {
  const aq_named_text *spm = &files->texts[AQ_TEXT_SPM];
  if (roots->spm != NULL) {
    AQ_TRY(blame_text(aq_tokenizer_spm_read_vocab(t, class, spm, roots, err), files, AQ_TEXT_SPM, err));
  }
  if (class->read_stages != NULL) {
    return blame_text(class->read_stages(t, roots, err), files, blamed_text(files), err);
  }
  if (roots->spm != NULL) return blame_text(aq_tokenizer_read_spm(t, roots, err), files, AQ_TEXT_SPM, err);
  AQ_FAIL_IF(roots->json == NULL, AQ_ERR_UNSUPPORTED, "the tokenizer's class is '%s', which needs a tokenizer.json",
             class->name);
  return blame_text(aq_tokenizer_read_json(t, roots->json, err), files, AQ_TEXT_JSON, err);
}

/* "right" or "left", in a tokenizer.json with a capital. */
static aq_status read_side(const json_t *config, const char *key, const json_t *part, bool left_by_default, bool *left,
                           aq_error *err) {
  const char *side, *direction;
  AQ_TRY(aq_json_text(part, "direction", left_by_default ? "Left" : "Right", &direction, err));
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

/* The limit of the tokenizer.json itself, which counts where that is all there is. */
static aq_status read_limit(aq_tokenizer *t, const json_t *root, aq_error *err) {
  int64_t most;
  AQ_TRY(aq_json_integer(json_object_get(root, "truncation"), "max_length", -1, &most, err));
  t->most_tokens = most < 0 ? AQ_TOKENS_UNLIMITED : (size_t)AQ_MIN(most, INT64_C(1) << 31);
  return AQ_OK;
}

/* The sides of truncation and padding: of the configuration, else of the tokenizer.json, else of the class. */
static aq_status read_sides(aq_tokenizer *t, const aq_tokenizer_class *class, const aq_tokenizer_roots *roots,
                            aq_error *err) {
  const json_t *truncation = json_object_get(roots->json, "truncation");
  const json_t *padding = json_object_get(roots->json, "padding");
  AQ_TRY(read_side(roots->config, "truncation_side", truncation, false, &t->keeps_end, err));
  return read_side(roots->config, "padding_side", padding, class->pads_left, &t->pads_left, err);
}

/* Whether token_type_ids are among the inputs of the model. */
static void read_inputs(aq_tokenizer *t, const aq_tokenizer_class *class, const json_t *config) {
  const json_t *names = json_object_get(config, "model_input_names"), *name;
  size_t i;
  t->gives_types = names == NULL && class->gives_types;
  json_array_foreach(names, i, name) {
    const char *text = json_string_value(name);
    t->gives_types = t->gives_types || (text != NULL && strcmp(text, "token_type_ids") == 0);
  }
}

static aq_status lowercase_first(aq_tokenizer *t, const aq_tokenizer_files *files, aq_error *err) {
  aq_sentence_config sentence;
  AQ_TRY(aq_sentence_config_read(files, &sentence, err));
  return sentence.lowercase ? aq_normalizers_lowercase_first(&t->normalizers, err) : AQ_OK;
}

static aq_status read_files(aq_tokenizer *t, const aq_tokenizer_files *files, aq_tokenizer_roots *roots,
                            aq_error *err) {
  const aq_tokenizer_class *class;
  bool blame_model;
  AQ_TRY(read_vocab(t, files, roots, err));
  AQ_TRY(aq_tokenizer_settings_parse(files, roots, err));
  aq_status status = aq_tokenizer_class_find(roots->config, roots->model, files, &class, &blame_model, err);
  AQ_TRY(blame_text(status, files, blame_model ? AQ_TEXT_MODEL : AQ_TEXT_CONFIG, err));
  const aq_tokenizer_text blamed = blamed_text(files);
  AQ_TRY(read_stages(t, class, files, roots, err));
  AQ_TRY(blame_text(read_sides(t, class, roots, err), files, blamed, err));
  AQ_TRY(blame_text(read_limit(t, roots->json, err), files, AQ_TEXT_JSON, err));
  read_inputs(t, class, roots->config);
  AQ_TRY(lowercase_first(t, files, err));
  t->cleans_up = t->model.type == &aq_token_model_wordpiece &&
                 aq_json_is_set(json_object_get(roots->config, "clean_up_tokenization_spaces"));
  return blame_text(aq_tokenizer_add_tokens(t, class, roots, err), files, blamed, err);
}

static aq_status make_parts(aq_tokenizer *t, const aq_tokenizer_files *files, aq_error *err) {
  const aq_named_text *merges = &files->texts[AQ_TEXT_MERGES];
  aq_tokenizer_roots roots = {.alone = files->alone, .merges = merges->text != NULL ? merges : NULL};
  const aq_status status = read_files(t, files, &roots, err);
  json_decref(roots.json);
  json_decref(roots.config);
  json_decref(roots.added);
  json_decref(roots.model);
  aq_tokenizer_spm_reset(&roots);
  if (status != AQ_OK) return status;
  aq_added_prepare(&t->raw);
  aq_added_prepare(&t->normalized);
  t->is_local = t->pre_tokenizer.type->is_local && aq_normalizers_are_local(&t->normalizers);
  t->id_end = AQ_MAX(t->id_end, t->model.vocab.end);
  aq_token_names_sort(&t->added);
  return aq_vocab_index(&t->model.vocab, err);
}

aq_status aq_tokenizer_make(const aq_tokenizer_files *files, aq_tokenizer **out, aq_error *err) {
  *out = NULL;
  aq_tokenizer *t = aq_calloc(1, sizeof *t);
  if (t == NULL) return aq_fail_memory(err, sizeof *t);
  const aq_status status = make_parts(t, files, err);
  if (status == AQ_OK) {
    *out = t;
  } else {
    aq_tokenizer_close(t);
  }
  return status;
}

aq_status aq_tokenizer_open(const char *path, aq_tokenizer **out, aq_error *err) {
  aq_tokenizer_files files;
  aq_error_clear(err);
  *out = NULL;
  AQ_TRY(aq_tokenizer_files_read(path, &files, err));
  const aq_status status = aq_tokenizer_make(&files, out, err);
  aq_tokenizer_files_reset(&files);
  return status;
}

aq_status aq_tokenizer_open_source(const aq_source *source, aq_tokenizer **out, aq_error *err) {
  aq_tokenizer_files files;
  aq_error_clear(err);
  *out = NULL;
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  aq_status status = aq_tokenizer_files_take(source, NULL, &files, err);
  if (status == AQ_OK) {
    status = aq_tokenizer_make(&files, out, err);
    aq_tokenizer_files_reset(&files);
  }
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, source->path);
}

void aq_tokenizer_close(aq_tokenizer *tokenizer) {
  if (tokenizer == NULL) return;
  aq_added_reset(&tokenizer->raw);
  aq_added_reset(&tokenizer->normalized);
  aq_normalizers_reset(&tokenizer->normalizers);
  aq_pre_tokenizer_reset(&tokenizer->pre_tokenizer);
  aq_token_model_reset(&tokenizer->model);
  aq_decoders_reset(&tokenizer->decoders);
  aq_token_names_reset(&tokenizer->added);
  aq_vocab_reset(&tokenizer->special);
  aq_free(tokenizer);
}

int32_t aq_tokenizer_id_end(const aq_tokenizer *tokenizer) { return tokenizer->id_end; }
