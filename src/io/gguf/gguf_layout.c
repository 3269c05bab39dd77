/* gguf_layout.c - a source over a model that has llama.cpp's names and metadata: one that began as a GGUF file, whose
 * metadata travelled with it as gguf.json. Bytes are made when they are read. */
#include "io/gguf/gguf_layout.h"

#include <string.h>

#include "core/error.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/formats.h"
#include "io/gguf/gguf_header.h"
#include "io/gguf/gguf_pairs.h"
#include "io/gguf/gguf_store.h"
#include "io/model_files.h"
#include "io/source_memory.h"

#define NAME_MAX 64 /* of ggml, with the zero at its end */

typedef struct gguf_stored {
  const aq_source *base; /* a hold */
  aq_gguf_store *stores; /* one per tensor */
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

uint32_t aq_gguf_layout_type(const aq_source *stored, size_t index, int32_t *rank, const int64_t **shape) {
  const gguf_stored *g = stored->impl;
  *rank = g->base->tensors[index].rank;
  *shape = g->base->tensors[index].shape;
  return g->stores[index].type;
}

static aq_stored_tensor describe_tensor(const aq_source *stored, size_t index) {
  const aq_gguf_store *s = &((const gguf_stored *)stored->impl)->stores[index];
  return (aq_stored_tensor){.origin = index,
                            .kind = s->kind == AQ_GGUF_CODES ? AQ_STORED_CODES : AQ_STORED_VALUES,
                            .dtype = aq_gguf_type_at(s->type)->dtype};
}

/* ---- the tensors ---- */

static aq_status add_tensor(const aq_source *base, size_t i, aq_dtype dtype, aq_source *out, aq_error *err) {
  const char *name = base->tensors[i].name;
  aq_gguf_store *s = &((gguf_stored *)out->impl)->stores[i];
  if (strlen(name) >= NAME_MAX) {
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "names in GGUF files have at most %d bytes", NAME_MAX - 1);
    return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, name);
  }
  AQ_TRY(aq_gguf_store_choose(base, i, dtype, s, err));
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

/* ---- the metadata ---- */

/* general.file_type of llama.cpp: the type of most values. 0 where a type has no number there. */
static uint32_t file_type_of(const aq_source *base, const aq_gguf_store *stores) {
  static const struct { uint32_t type, file_type; } numbers[] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {8, 7}, {30, 32}};
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

static aq_status fail_metadata(aq_error *err) {
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED,
                "a GGUF file needs llama.cpp's names and metadata, and this model has not both");
  return aq_error_hint(
      err, AQ_ERR_UNSUPPORTED,
      "Begin with a GGUF file of the model, or a table made from one, with its names as they are there");
}

static aq_status write_pairs(gguf_stored *g, const char *text, size_t size, aq_error *err) {
  json_t *pairs;
  AQ_TRY(aq_json_parse_object(text, size, 0, &pairs, err));
  aq_status status = adapt_pairs(g, pairs, err);
  if (status == AQ_OK) status = aq_gguf_pairs_write(pairs, &g->pairs, &g->pair_count, err);
  json_decref(pairs);
  return status;
}

static aq_status read_pairs(gguf_stored *g, aq_error *err) {
  char *text;
  size_t size;
  if (aq_source_find(g->base, "token_embd.weight") < 0) return fail_metadata(err);
  AQ_TRY(aq_model_file_read(g->base, NULL, AQ_GGUF_JSON_NAME, &text, &size, err));
  if (text == NULL) return fail_metadata(err);
  const aq_status status = write_pairs(g, text, size, err);
  aq_free(text);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, AQ_GGUF_JSON_NAME);
}

/* ---- the whole ---- */

static aq_status fill_source(const aq_source *base, aq_dtype dtype, aq_source *out, aq_error *err) {
  gguf_stored *g = aq_calloc(1, sizeof *g);
  out->impl = g;
  if (g == NULL) return aq_fail_memory(err, sizeof *g);
  aq_source_hold(base);
  g->base = base;
  g->stores = aq_calloc(base->tensor_count + 1, sizeof *g->stores);
  if (g->stores == NULL) return aq_fail_memory(err, base->tensor_count * sizeof *g->stores);
  for (size_t i = 0; i < base->tensor_count; i++) AQ_TRY(add_tensor(base, i, dtype, out, err));
  return read_pairs(g, err);
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

const aq_export_layout aq_gguf_layout = {.open = open_layout, .describe = describe_tensor};
