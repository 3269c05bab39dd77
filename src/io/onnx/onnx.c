/* onnx.c - the source for an ONNX model: its weights, in the order of the file.
 *
 * What lies in the file as it is handed out is read by position. Quantized weights are decoded to FP32, and transposed
 * ones turned, as they are asked for. The graph is read for names and layouts of the weights, and forgotten. */
#include <stdio.h>
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/formats.h"
#include "io/module_files.h"
#include "io/onnx/onnx_codes.h"
#include "io/onnx/onnx_layout.h"
#include "io/onnx/onnx_names.h"
#include "io/onnx/onnx_pattern.h"
#include "io/onnx/onnx_sink.h"
#include "io/source.h"
#include "io/source_over.h"
#include "tensor/shape.h"

/* Memory for a graph, and for scales and numbers that are no bytes in the file, when the caller sets no limit. */
#define MEMORY_MAX ((uint64_t)1 << 30)

typedef struct onnx_model {
  aq_onnx_files files;
  aq_onnx_weight *weights; /* segment->where[AQ_OVER_MARK] is the index */
  size_t count;
  aq_module_files modules; /* whose segments have the marks from `count` on */
  aq_onnx_arena values;
} onnx_model;

static void close_model(aq_source *source) {
  onnx_model *m = source->impl;
  aq_onnx_files_reset(&m->files);
  aq_module_files_reset(&m->modules);
  aq_onnx_arena_reset(&m->values);
  aq_free(m->weights);
  aq_free(m);
}

static aq_status read_model(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  const onnx_model *m = source->impl;
  const aq_source *module = aq_module_files_of(&m->modules, segment, m->count);
  if (module != NULL) return aq_source_over_read(module, segment, piece, offset, size, out, err);
  AQ_FAIL_IF(piece != AQ_PIECE_DATA, AQ_ERR_INTERNAL, "a weight of an ONNX file is decoded, and has no scales");
  return aq_onnx_weight_read(&m->files, &m->weights[segment->where[AQ_OVER_MARK]], offset, size, out, err);
}

static aq_status view_model(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  onnx_model *m = source->impl;
  const aq_source *module = aq_module_files_of(&m->modules, segment, m->count);
  *view = NULL;
  if (module != NULL) return aq_source_over_view(module, segment, piece, view, err);
  const aq_onnx_weight *weight = &m->weights[segment->where[AQ_OVER_MARK]];
  if (piece != AQ_PIECE_DATA || !aq_onnx_weight_is_plain(weight)) return AQ_OK;
  return aq_onnx_place_view(&m->files, &weight->data.place, view, err);
}

static aq_status add_module_file(aq_source *source, const char *path, const char *prefix, aq_error *err) {
  onnx_model *m = source->impl;
  return aq_module_files_add(&m->modules, source, path, prefix, m->count, err);
}

/* ---- codes ---- */

static const aq_onnx_weight *weight_of(const aq_source *source, const aq_segment *segment) {
  return &((const onnx_model *)source->impl)->weights[segment->where[AQ_OVER_MARK]];
}

/* Weights of modules are none. */
static bool is_decoded(const aq_source *source, size_t index) {
  const onnx_model *m = source->impl;
  const aq_segment *segment = &source->segments[source->segment_first[index]];
  return segment->where[AQ_OVER_MARK] < m->count && weight_of(source, segment)->quantized_by != NULL;
}

static aq_status find_codes(const aq_source *source, size_t index, aq_code_layout *out, aq_error *err) {
  (void)err;
  *out = aq_onnx_code_layout(weight_of(source, &source->segments[source->segment_first[index]]));
  return AQ_OK;
}

static aq_status read_codes(const aq_source *source, const aq_segment *segment, uint64_t first, size_t count,
                            int8_t *out, aq_error *err) {
  const onnx_model *m = source->impl;
  return aq_onnx_codes_read(&m->files, weight_of(source, segment), first, count, out, err);
}

static aq_status read_code_scales(const aq_source *source, const aq_segment *segment, uint64_t first, size_t count,
                                  float *scales, float *zero_points, aq_error *err) {
  const onnx_model *m = source->impl;
  return aq_onnx_code_scales_read(&m->files, weight_of(source, segment), first, count, scales, zero_points, err);
}

static const aq_source_ops model_ops = {.close = close_model,
                                        .read = read_model,
                                        .view = view_model,
                                        .add_file = add_module_file,
                                        .is_decoded = is_decoded,
                                        .find_codes = find_codes,
                                        .read_codes = read_codes,
                                        .read_code_scales = read_code_scales};

/* ---- tensors ---- */

/* alias_of: -1, or the tensor that the weight is already. */
static aq_status add_tensor(aq_source *source, const aq_onnx_weights *found, size_t index, const char *name,
                            int32_t alias_of, aq_error *err) {
  const aq_onnx_weight *w = &found->weights[index];
  uint64_t bytes;
  AQ_FAIL_IF(!aq_mul_ok(w->count, aq_dtype_size(aq_onnx_weight_dtype(w)), &bytes), AQ_ERR_FORMAT,
             "the shape has more bytes than can be counted");
  aq_tensor_info info = {.name = name,
                         .dtype = aq_onnx_weight_dtype(w),
                         .rank = w->rank,
                         .num_params = w->count,
                         .data_bytes = bytes,
                         .stored_bytes = alias_of < 0 ? w->stored_bytes : 0,
                         .quant_axis = -1,
                         .alias_of = alias_of};
  memcpy(info.shape, w->shape, sizeof info.shape);
  if (w->is_transposed) {
    info.shape[0] = w->shape[1];
    info.shape[1] = w->shape[0];
  }
  const aq_segment segment = {.num_params = w->count, .data_bytes = bytes, .where = {[AQ_OVER_MARK] = index}};
  AQ_TRY(aq_part_name_refuse(name, err));
  return aq_source_add_tensor(source, &info, &segment, 1, err);
}

static aq_status add_tensors(aq_source *source, const aq_onnx_weights *found, aq_error *err) {
  for (size_t i = 0; i < found->count + found->alias_count; i++) {
    const bool is_alias = i >= found->count;
    const size_t index = is_alias ? found->aliases[i - found->count].weight : i;
    const char *name = is_alias ? found->aliases[i - found->count].name : found->weights[i].name;
    const aq_status status = add_tensor(source, found, index, name, is_alias ? (int32_t)index : -1, err);
    if (status != AQ_OK) return aq_error_in_tensor(err, status, name);
  }
  return AQ_OK;
}

/* ---- notes and metadata ---- */

/* "MatMulInteger 72, DequantizeLinear 3"; returns how many weights these are. */
static size_t count_quantized(const aq_onnx_weights *found, char *out, size_t room) {
  size_t total = 0, used = 0;
  out[0] = '\0';
  for (size_t k = 0; k < aq_onnx_pattern_count(); k++) {
    size_t count = 0;
    const char *op = aq_onnx_pattern_at(k)->op;
    for (size_t i = 0; i < found->count; i++) {
      const char *by = found->weights[i].quantized_by;
      count += by != NULL && strcmp(by, op) == 0;
    }
    if (count == 0 || used >= room) continue;
    const int more = snprintf(out + used, room - used, "%s%s %zu", total > 0 ? ", " : "", op, count);
    used += (size_t)AQ_MAX(more, 0);
    total += count;
  }
  return total;
}

static aq_status add_notes(aq_source *source, const aq_onnx_graph *graph, const aq_onnx_weights *found, aq_error *err) {
  char operators[320];
  const size_t quantized = count_quantized(found, operators, sizeof operators);
  const unsigned long long left_out = (unsigned long long)(found->left_out + graph->string_tensors);
  if (quantized > 0) {
    AQ_TRY(aq_source_add_note(source, err, "%zu weight%s quantized already (%s)%s", quantized,
                              quantized == 1 ? " is" : "s are", operators,
                              source->keeps_codes ? "" : ": decoded to FP32, as the operators define"));
  }
  if (found->widened > 0) {
    AQ_TRY(aq_source_add_note(source, err, "%llu tensor%s of 2 or 4 bits that no operator dequantizes: %s held as 8",
                              (unsigned long long)found->widened, found->widened == 1 ? "" : "s",
                              found->widened == 1 ? "it is" : "they are"));
  }
  if (found->unnamed > 0) {
    AQ_TRY(aq_source_add_note(source, err,
                              "%llu weight%s a made-up name that the graph does not explain ('%.150s'%s): name and "
                              "layout are those of the file",
                              (unsigned long long)found->unnamed, found->unnamed == 1 ? " has" : "s have",
                              found->first_unnamed, found->unnamed == 1 ? "" : ", ..."));
  }
  if (left_out == 0) return AQ_OK;
  return aq_source_add_note(source, err,
                            "%llu constant%s of the graph (shapes, indices, single numbers, strings) %s "
                            "left out: %s no weight%s",
                            left_out, left_out == 1 ? "" : "s", left_out == 1 ? "is" : "are",
                            left_out == 1 ? "it is" : "they are", left_out == 1 ? "" : "s");
}

/* The first value of a key, as far as the key is not that of a table. */
static aq_status add_metadata(aq_source *source, const aq_onnx_graph *graph, aq_error *err) {
  for (size_t i = 0; i + 1 < graph->metadata_count; i += 2) {
    const char *key = graph->metadata[i];
    bool is_known = key[0] == '\0' || strncmp(key, "arrowquant", strlen("arrowquant")) == 0;
    for (size_t k = 0; k < source->metadata_count && !is_known; k++) {
      is_known = strcmp(source->metadata[2 * k], key) == 0;
    }
    if (!is_known) AQ_TRY(aq_source_add_metadata(source, key, graph->metadata[i + 1], err));
  }
  return AQ_OK;
}

static aq_status note_files(aq_source *source, const aq_onnx_files *files, aq_error *err) {
  for (size_t i = 0; i < files->count; i++) {
    source->file_bytes += files->files[i].size;
    AQ_TRY(aq_source_note_file(source, files->files[i].path, err));
  }
  return AQ_OK;
}

/* ---- opening ---- */

static aq_status create_model(aq_source *source, const char *path, aq_error *err) {
  onnx_model *m = aq_calloc(1, sizeof *m);
  if (m == NULL) return aq_fail_memory(err, sizeof *m);
  m->values.limit = source->max_memory > 0 ? source->max_memory : MEMORY_MAX;
  source->impl = m;
  source->ops = &model_ops;
  source->format = "ONNX";
  return aq_onnx_files_init(&m->files, path, err);
}

static aq_status add_graph(aq_source *source, aq_onnx_reader *reader, aq_onnx_graph *graph, aq_onnx_weights *found,
                           aq_error *err) {
  onnx_model *m = source->impl;
  AQ_TRY(aq_onnx_graph_read(reader, graph, err));
  AQ_TRY(note_files(source, &m->files, err));
  AQ_TRY(aq_onnx_weights_find(graph, reader, found, err));
  AQ_TRY(aq_onnx_names_restore(graph, reader, found, err));
  AQ_TRY(add_tensors(source, found, err));
  AQ_TRY(add_notes(source, graph, found, err));
  AQ_TRY(add_metadata(source, graph, err));
  m->weights = found->weights;
  m->count = found->count;
  found->weights = NULL;
  return AQ_OK;
}

static aq_status open_model(aq_source *source, const char *path, aq_error *err) {
  AQ_TRY(create_model(source, path, err));
  onnx_model *m = source->impl;
  aq_onnx_reader *reader = aq_calloc(1, sizeof *reader);
  if (reader == NULL) return aq_fail_memory(err, sizeof *reader);
  aq_onnx_arena names = {.limit = m->values.limit};
  aq_onnx_graph graph = {.tensors = NULL};
  aq_onnx_weights found = {.weights = NULL};
  reader->files = &m->files;
  reader->names = &names;
  reader->values = &m->values;
  const aq_status status = add_graph(source, reader, &graph, &found, err);
  for (size_t i = 0; i < m->count; i++) m->weights[i].name = NULL; /* the graph's, and the source has a copy */
  aq_onnx_weights_reset(&found);
  aq_onnx_graph_reset(&graph);
  aq_onnx_arena_reset(&names);
  aq_free(reader);
  return status;
}

static aq_status open_file(aq_source *source, const char *path, const aq_source_options *options, bool *mine,
                           aq_error *err) {
  (void)options; /* the memory limit is in the source; there are no checksums */
  aq_file file;
  *mine = false;
  AQ_TRY(aq_file_open(&file, path, err));
  const aq_status status = aq_onnx_graph_plausible(&file, mine, err);
  aq_file_close(&file);
  AQ_TRY(status);
  return *mine ? open_model(source, path, err) : AQ_OK;
}

const aq_file_format aq_onnx_format = {.name = "onnx",
                                       .suffix = {".onnx"},
                                       .rank = 3,
                                       .main_name = "model.onnx",
                                       .open = open_file,
                                       .write = &aq_onnx_sink,
                                       .layout = &aq_onnx_export_layout};
