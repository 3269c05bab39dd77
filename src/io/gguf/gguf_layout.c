/* gguf_layout.c - a source over a model: one that has llama.cpp's names and metadata, because it began as a GGUF file
 * whose metadata travelled with it as gguf.json, or one of Hugging Face, whose names and metadata are made here. Bytes
 * are made when they are read. */
#include "io/gguf/gguf_layout.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/formats.h"
#include "io/gguf/gguf_export_pairs.h"
#include "io/gguf/gguf_header.h"
#include "io/gguf/gguf_pairs.h"
#include "io/gguf/gguf_store.h"
#include "io/model_files.h"
#include "io/source_memory.h"
#include "io/wrapper_name.h"

#define NAME_MAX 64 /* of ggml, with the zero at its end */

typedef struct gguf_stored {
  const aq_source *base; /* a hold */
  aq_gguf_store *stores; /* one per tensor of the base */
  aq_gguf_export model;  /* of a model of Hugging Face; else empty */
  aq_buffer pairs;
  uint64_t pair_count;
} gguf_stored;

/* ---- reading ---- */

static aq_status read_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  const gguf_stored *g = source->impl;
  const size_t index = (size_t)segment->where[0];
  (void)piece; /* there are data alone */
  if (size == 0) return AQ_OK;
  return aq_gguf_store_read(g->base, index, &g->stores[index], offset, size, out, err);
}

static aq_status view_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  (void)source, (void)segment, (void)piece, (void)err;
  *view = NULL;
  return AQ_OK;
}

static void close_source(aq_source *source) {
  gguf_stored *g = source->impl;
  if (g == NULL) return;
  aq_source_drop(g->base);
  aq_free(g->stores);
  aq_gguf_export_reset(&g->model);
  aq_buffer_reset(&g->pairs);
  aq_free(g);
}

static const aq_source_ops stored_ops = {.close = close_source, .read = read_piece, .view = view_piece};

/* ---- what there is ---- */

bool aq_gguf_layout_is(const aq_source *source) { return source != NULL && source->ops == &stored_ops; }

const aq_buffer *aq_gguf_layout_pairs(const aq_source *stored, uint64_t *count) {
  const gguf_stored *g = stored->impl;
  *count = g->pair_count;
  return &g->pairs;
}

static size_t origin_of(const aq_source *stored, size_t index) {
  return (size_t)stored->segments[stored->segment_first[index]].where[0];
}

uint32_t aq_gguf_layout_type(const aq_source *stored, size_t index, int32_t *rank, const int64_t **shape) {
  const gguf_stored *g = stored->impl;
  const size_t origin = origin_of(stored, index);
  *rank = g->base->tensors[origin].rank;
  *shape = g->base->tensors[origin].shape;
  return g->stores[origin].type;
}

/* Of an encoder llama.cpp adds these, as FP32. */
static bool is_added(const char *name) {
  return strcmp(name, "position_embd.weight") == 0 || strcmp(name, "token_types.weight") == 0;
}
static const char added_words[] = "llama.cpp adds it as FP32";

static aq_stored_tensor describe_tensor(const aq_source *stored, size_t index) {
  const size_t origin = origin_of(stored, index);
  const gguf_stored *g = stored->impl;
  const aq_gguf_store *s = &g->stores[origin];
  return (aq_stored_tensor){
      .origin = origin,
      .kind = s->kind == AQ_GGUF_CODES ? AQ_STORED_CODES : AQ_STORED_VALUES,
      .dtype = aq_gguf_type_at(s->type)->dtype,
      .is_of_values = is_added(stored->names[index]),
      .why_values = is_added(stored->names[index]) ? added_words : aq_gguf_why_values(&g->base->tensors[origin])};
}

/* ---- the tensors ---- */

static aq_status add_named(gguf_stored *g, size_t i, const char *name, aq_source *out, aq_error *err) {
  const aq_gguf_store *s = &g->stores[i];
  if (strlen(name) >= NAME_MAX) {
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "names in GGUF files have at most %d bytes", NAME_MAX - 1);
    return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, name);
  }
  const aq_tensor_info info = {.name = name,
                               .dtype = AQ_U8,
                               .rank = 1,
                               .shape = {(int64_t)s->bytes},
                               .num_params = s->bytes,
                               .data_bytes = s->bytes,
                               .stored_bytes = s->bytes,
                               .quant_axis = -1,
                               .alias_of = -1};
  const aq_segment segment = {.num_params = s->bytes, .data_bytes = s->bytes, .where = {i}};
  return aq_source_add_tensor(out, &info, &segment, 1, err);
}

static aq_status fail_tensor(const aq_source *base, size_t i, const char *what, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "%s", what);
  return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, base->tensors[i].name);
}

/* Rows of query and key are interleaved within heads, of weights and of biases. */
static aq_status set_rows(gguf_stored *g, size_t i, int64_t heads, aq_error *err) {
  aq_gguf_store *s = &g->stores[i];
  if (g->base->tensors[i].rank == 1) {
    s->rows = s->columns;
    s->columns = 1;
  }
  if (s->rows % (2 * (uint64_t)heads) != 0)
    return fail_tensor(g->base, i, "its rows are no pairs for each of the heads of config.json", err);
  s->half = s->rows / (2 * (uint64_t)heads);
  return AQ_OK;
}

static void add_one(aq_gguf_store *s) {
  s->kind = AQ_GGUF_CONVERTED;
  s->added = 1;
}

/* What llama.cpp's files leave out: a head that is tied to the table of tokens, and what its encoders do not use. */
static bool is_left_out(const gguf_stored *g, const char *name) {
  if (g->model.arch->is_encoder) return strncmp(name, "pooler.", 7) == 0 || strstr(name, "position_ids") != NULL;
  return strcmp(name, "lm_head.weight") == 0 && g->model.has_tied_head;
}

/* Of "TYPE.", as names of models with a head begin; 0: the name does not. */
static size_t prefix_length(const char *name, const char *type) {
  const size_t length = strlen(type);
  return strncmp(name, type, length) == 0 && name[length] == '.' ? length + 1 : 0;
}

static aq_status add_renamed(gguf_stored *g, size_t i, aq_dtype dtype, aq_source *out, aq_error *err) {
  const char *name = g->base->tensors[i].name;
  aq_gguf_change change = AQ_GGUF_UNCHANGED;
  bool is_known = false;
  name += aq_wrapper_name_length(name);
  if (g->model.arch->is_encoder) name += prefix_length(name, g->model.arch->model_type);
  if (is_left_out(g, name)) return AQ_OK;
  char *own = aq_gguf_name_from_hf(g->model.arch, name, &change, &is_known);
  if (own == NULL && is_known) return aq_fail_memory(err, strlen(name));
  if (own == NULL) return fail_tensor(g->base, i, "llama.cpp has no such tensor in a model of this architecture", err);
  const bool is_f32 = is_added(own) || change == AQ_GGUF_PLUS_ONE;
  aq_status status = is_f32 ? aq_gguf_store_values(g->base, i, AQ_F32, &g->stores[i], err)
                            : aq_gguf_store_choose(g->base, i, dtype, &g->stores[i], err);
  if (status == AQ_OK && change == AQ_GGUF_QUERY_ROWS) status = set_rows(g, i, g->model.heads, err);
  if (status == AQ_OK && change == AQ_GGUF_KEY_ROWS) status = set_rows(g, i, g->model.key_heads, err);
  if (status == AQ_OK && change == AQ_GGUF_PLUS_ONE) add_one(&g->stores[i]);
  if (status == AQ_OK) status = add_named(g, i, own, out, err);
  aq_free(own);
  return status;
}

static aq_status add_tensor(gguf_stored *g, size_t i, aq_dtype dtype, aq_source *out, aq_error *err) {
  if (g->model.arch != NULL) return add_renamed(g, i, dtype, out, err);
  AQ_TRY(aq_gguf_store_choose(g->base, i, dtype, &g->stores[i], err));
  return add_named(g, i, g->base->tensors[i].name, out, err);
}

/* ---- the metadata ---- */

/* general.file_type of llama.cpp: the type of most values. 0 where a type has no number there. */
static uint32_t file_type_of(const aq_source *base, const aq_gguf_store *stores) {
  static const struct {
    uint32_t type, file_type;
  } numbers[] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {8, 7}, {11, 11}, {30, 32}};
  uint64_t most = 0;
  uint32_t found = 0;
  for (size_t k = 0; k < AQ_COUNT_OF(numbers); k++) {
    uint64_t params = 0;
    for (size_t i = 0; i < base->tensor_count; i++) {
      if (stores[i].type == numbers[k].type) params += base->tensors[i].num_params;
    }
    if (params > most) found = numbers[k].file_type;
    most = AQ_MAX(most, params);
  }
  return found;
}

/* What is about the file that they were read from. */
static aq_status adapt_pairs(const gguf_stored *g, json_t *pairs, aq_error *err) {
  static const char *const of_files[] = {"split.no", "split.count", "split.tensors.count", "general.alignment"};
  for (size_t i = 0; i < AQ_COUNT_OF(of_files); i++) (void)json_object_del(pairs, of_files[i]);
  json_t *type = json_pack("{s:s, s:I}", "type", "uint32", "value", (json_int_t)file_type_of(g->base, g->stores));
  json_t *version = json_pack("{s:s, s:i}", "type", "uint32", "value", 2);
  const bool done = json_object_set_new(pairs, "general.file_type", type) == 0 &&
                    json_object_set_new(pairs, "general.quantization_version", version) == 0;
  return done ? AQ_OK : aq_fail_memory(err, 64);
}

static aq_status write_pairs(gguf_stored *g, json_t *pairs, aq_error *err) {
  AQ_TRY(adapt_pairs(g, pairs, err));
  return aq_gguf_pairs_write(pairs, &g->pairs, &g->pair_count, err);
}

static aq_status write_own_pairs(gguf_stored *g, aq_error *err) {
  json_t *pairs;
  AQ_TRY(aq_gguf_export_read(g->base, AQ_GGUF_JSON_NAME, &pairs, err));
  if (pairs == NULL) {
    (void)aq_fail(err, AQ_ERR_NOT_FOUND, "there is no %s, of which the metadata of a GGUF file are made",
                  AQ_GGUF_JSON_NAME);
    return aq_error_hint(err, AQ_ERR_NOT_FOUND, "Make the table from the GGUF file, so that it carries its metadata");
  }
  const aq_status status = write_pairs(g, pairs, err);
  json_decref(pairs);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, AQ_GGUF_JSON_NAME);
}

/* ---- the whole ---- */

/* Tokens that are left out; of an encoder what its vectors depend on, and a GGUF file has no key for. */
static aq_status note_settings(const gguf_stored *g, aq_source *out, aq_error *err) {
  json_t *settings;
  if (g->model.tokens_left_out > 0)
    AQ_TRY(aq_source_add_note(out, err,
                              "%zu added tokens of tokenizer.json have no row in the table of tokens and are "
                              "left out",
                              g->model.tokens_left_out));
  if (g->model.arch == NULL || !g->model.arch->is_encoder) return AQ_OK;
  AQ_TRY(aq_gguf_export_read(g->base, "sentence_bert_config.json", &settings, err));
  const json_int_t longest = json_integer_value(json_object_get(settings, "max_seq_length"));
  json_decref(settings);
  if (longest <= 0) return AQ_OK;
  return aq_source_add_note(out, err,
                            "GGUF has no place for the length at which texts are truncated, %lld tokens, nor for the "
                            "normalization of vectors: tell it to the program that runs the file",
                            (long long)longest);
}

static aq_status fill_source(const aq_source *base, aq_dtype dtype, aq_source *out, aq_error *err) {
  gguf_stored *g = aq_calloc(1, sizeof *g);
  out->impl = g;
  if (g == NULL) return aq_fail_memory(err, sizeof *g);
  aq_source_hold(base);
  g->base = base;
  g->stores = aq_calloc(base->tensor_count + 1, sizeof *g->stores);
  if (g->stores == NULL) return aq_fail_memory(err, base->tensor_count * sizeof *g->stores);
  const bool is_own = aq_source_find(base, "token_embd.weight") >= 0; /* llama.cpp's name, in every architecture */
  if (!is_own) AQ_TRY(aq_gguf_export_make(base, &g->model, err));
  if (!is_own) AQ_TRY(note_settings(g, out, err));
  for (size_t i = 0; i < base->tensor_count; i++) AQ_TRY(add_tensor(g, i, dtype, out, err));
  return is_own ? write_own_pairs(g, err) : write_pairs(g, g->model.pairs, err);
}

static aq_status open_layout(const aq_source *base, aq_dtype dtype, aq_source **out, aq_error *err) {
  aq_source *made;
  *out = NULL;
  AQ_TRY(aq_source_create_empty(&stored_ops, base->path != NULL ? base->path : "memory", base->format, &made, err));
  made->max_memory = base->max_memory;
  const aq_status status = fill_source(base, dtype, made, err);
  if (status == AQ_OK) {
    *out = made;
  } else {
    aq_source_close(made);
  }
  return status;
}

/* The head, the pairs, and for each tensor what the head says of it and the bytes up to the next one. */
static uint64_t count_overhead(const aq_source *stored) {
  enum { HEAD = 24, INFO = 8 + 4 + 8 * AQ_GGUF_MAX_RANK + 4 + 8, ALIGNMENT = 32 };
  uint64_t bytes = HEAD + ALIGNMENT + ((const gguf_stored *)stored->impl)->pairs.size;
  for (size_t i = 0; i < stored->tensor_count; i++) bytes += INFO + ALIGNMENT + strlen(stored->names[i]);
  return bytes;
}

const aq_export_layout aq_gguf_layout = {.open = open_layout,
                                         .describe = describe_tensor,
                                         .grids = aq_gguf_grids,
                                         .grid_count = AQ_GGUF_GRIDS,
                                         .group_size = AQ_GGUF_CODE_BLOCK,
                                         .refuse_span = aq_gguf_refuse_span,
                                         .factor_group = AQ_GGUF_K_GROUP,
                                         .factor_scales = AQ_GGUF_K_SCALES,
                                         .factor_most = AQ_GGUF_K_MOST,
                                         .choices = aq_gguf_choices,
                                         .choice_count = AQ_GGUF_CHOICES,
                                         .code_bytes = aq_gguf_code_bytes,
                                         .overhead = count_overhead};
