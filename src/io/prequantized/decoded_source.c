/* decoded_source.c - finds out what config.json says of the quantization, and puts a source of values over the source
 * of codes. */
#include "io/prequantized/decoded_source.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/buffer.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/json_set.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/model_files.h"
#include "io/prequantized/layer_codes.h"
#include "io/prequantized/layer_list.h"
#include "io/source_over.h"
#include "quant/quantized_layer.h"

/* Members of config.json that say how the weights are quantized. MLX writes the last, and often the first with the same
 * content, and names no method. */
static const char *const members[] = {"quantization_config", "compression_config", "quantization"};

/* ---- reading ---- */

typedef struct decoded_source {
  aq_source *inner; /* owned */
  aq_layer_list list;
  aq_line_cache *cache; /* of the layers' codes */
} decoded_source;

/* The mark of a segment: passed on, or decoded of the layer of that number. */
enum { INNER, DECODED };

static void close_decoded(aq_source *source) {
  decoded_source *d = source->impl;
  aq_layer_list_reset(&d->list);
  aq_line_cache_free(d->cache);
  aq_source_close(d->inner);
  aq_free(d);
}

static const aq_coded_layer *layer_of(const aq_source *source, const aq_segment *segment) {
  const decoded_source *d = source->impl;
  return &d->list.layers[segment->where[1]].layer;
}

static aq_status read_decoded(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                              size_t size, void *out, aq_error *err) {
  const decoded_source *d = source->impl;
  if (segment->where[AQ_OVER_MARK] == INNER) {
    return aq_source_over_read(d->inner, segment, piece, offset, size, out, err);
  }
  AQ_FAIL_IF(piece != AQ_PIECE_DATA, AQ_ERR_INTERNAL, "a layer is decoded, and has no scales");
  return aq_coded_layer_read(d->inner, layer_of(source, segment), offset, size, out, err);
}

static aq_status view_inner(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  const decoded_source *d = source->impl;
  *view = NULL;
  return segment->where[AQ_OVER_MARK] == INNER ? aq_source_over_view(d->inner, segment, piece, view, err) : AQ_OK;
}

/* ---- codes ---- */

static bool is_decoded(const aq_source *source, size_t index) {
  return source->segments[source->segment_first[index]].where[AQ_OVER_MARK] == DECODED;
}

static aq_status find_codes(const aq_source *source, size_t index, aq_code_layout *out, aq_error *err) {
  const decoded_source *d = source->impl;
  const aq_segment *segment = &source->segments[source->segment_first[index]];
  return aq_layer_code_layout(d->inner, layer_of(source, segment), out, err);
}

static aq_status read_codes(const aq_source *source, const aq_segment *segment, uint64_t first, size_t count,
                            int8_t *out, aq_error *err) {
  const decoded_source *d = source->impl;
  return aq_layer_codes_read(d->inner, layer_of(source, segment), first, count, out, err);
}

static aq_status read_code_scales(const aq_source *source, const aq_segment *segment, uint64_t first, size_t count,
                                  float *scales, float *zero_points, aq_error *err) {
  const decoded_source *d = source->impl;
  return aq_layer_code_scales_read(d->inner, layer_of(source, segment), first, count, scales, zero_points, err);
}

static const aq_source_ops decoded_ops = {.close = close_decoded,
                                          .read = read_decoded,
                                          .view = view_inner,
                                          .is_decoded = is_decoded,
                                          .find_codes = find_codes,
                                          .read_codes = read_codes,
                                          .read_code_scales = read_code_scales};

/* ---- tensors ---- */

static aq_status add_decoded(aq_source *source, const aq_listed_layer *layer, size_t number, aq_error *err) {
  const aq_segment segment = {
      .num_params = layer->info.num_params, .data_bytes = layer->info.data_bytes, .where = {DECODED, number}};
  return aq_source_add_tensor(source, &layer->info, &segment, 1, err);
}

static aq_status add_tensors(aq_source *source, aq_error *err) {
  const decoded_source *d = source->impl;
  for (size_t i = 0; i < d->inner->tensor_count; i++) {
    const size_t layer = d->list.layer_of[i];
    if (layer != SIZE_MAX) {
      AQ_TRY(add_decoded(source, &d->list.layers[layer], layer, err));
    } else if (!d->list.taken[i]) {
      AQ_TRY(aq_source_over_add(source, d->inner, i, NULL, INNER, err));
    }
  }
  return AQ_OK;
}

/* An alias of the inner source is one of the same two tensors. */
static void restore_aliases(aq_source *source) {
  const decoded_source *d = source->impl;
  for (size_t i = 0; i < d->inner->tensor_count; i++) {
    const int32_t target = d->inner->tensors[i].alias_of;
    const int64_t own = aq_source_find(source, d->inner->names[i]);
    const int64_t owner = target >= 0 ? aq_source_find(source, d->inner->names[target]) : -1;
    if (own >= 0 && owner >= 0 && !d->list.taken[i] && !d->list.taken[target]) {
      source->tensors[own].alias_of = (int32_t)owner;
    }
  }
}

/* ---- config.json ---- */

typedef struct checkpoint_config {
  json_t *root;         /* owned */
  const json_t *config; /* of root */
  const char *method;   /* NULL: none is named */
  char *text;           /* of config.json; owned */
  size_t size;
  char damage[320]; /* what is wrong with the first file that cannot be read; else "" */
} checkpoint_config;

static void reset_config(checkpoint_config *s) {
  json_decref(s->root);
  aq_free(s->text);
}

static void find_method(checkpoint_config *s) {
  const bool is_mlx = json_is_object(json_object_get(s->root, members[2]));
  for (size_t i = 0; i < AQ_COUNT_OF(members) && s->method == NULL; i++) {
    s->config = json_object_get(s->root, members[i]);
    if (!json_is_object(s->config)) continue;
    s->method = json_string_value(json_object_get(s->config, "quant_method"));
    if (s->method == NULL && i == 2) s->method = "MLX";
    if (s->method == NULL && !is_mlx) return;
  }
}

/* A file of JSON that cannot be read or parsed is the business of those who need it: *root is NULL then. */
static aq_status read_json(const aq_source *source, checkpoint_config *s, const char *name, char **text, size_t *size,
                           json_t **root, aq_error *err) {
  aq_error found;
  *root = NULL;
  aq_status status = aq_model_file_read(source, NULL, name, text, size, &found);
  if (status == AQ_OK && *text != NULL) status = aq_json_parse_python(*text, *size, root, &found);
  if (status == AQ_OK) return AQ_OK;
  if (status == AQ_ERR_MEMORY) {
    if (err != NULL) *err = found;
    return status;
  }
  if (s->damage[0] == '\0') (void)snprintf(s->damage, sizeof s->damage, "%s: %.250s", name, found.message);
  return AQ_OK;
}

/* The older form of GPTQ: a file of its own beside config.json. */
static aq_status read_own_file(const aq_source *source, checkpoint_config *s, aq_error *err) {
  char *text = NULL;
  size_t size;
  json_t *root;
  const aq_status status = read_json(source, s, "quantize_config.json", &text, &size, &root, err);
  aq_free(text);
  if (status != AQ_OK || root == NULL) return status;
  json_decref(s->root);
  s->root = root;
  s->config = root;
  s->method = json_string_value(json_object_get(root, "quant_method"));
  if (s->method == NULL) s->method = "gptq";
  return AQ_OK;
}

static aq_status read_config(const aq_source *source, checkpoint_config *out, aq_error *err) {
  *out = (checkpoint_config){.root = NULL};
  AQ_TRY(read_json(source, out, "config.json", &out->text, &out->size, &out->root, err));
  if (out->root != NULL) find_method(out);
  return out->method != NULL ? AQ_OK : read_own_file(source, out, err);
}

static aq_status remove_members(const checkpoint_config *s, char **out, aq_error *err) {
  aq_buffer text = {.data = NULL}, next = {.data = NULL};
  aq_status status = aq_buffer_append(&text, s->text, s->size, err);
  for (size_t i = 0; i < AQ_COUNT_OF(members) && status == AQ_OK; i++) {
    status = aq_json_remove((const char *)text.data, text.size, members[i], &next, err);
    aq_buffer_reset(&text);
    text = next;
    next = (aq_buffer){.data = NULL};
  }
  *out = status == AQ_OK ? aq_buffer_take_string(&text) : NULL;
  aq_buffer_reset(&text);
  if (status == AQ_OK && *out == NULL) return aq_fail_memory(err, s->size);
  return status;
}

/* Once no codes are left, the model is one of values. */
static aq_status edit_config(aq_source *source, const checkpoint_config *s, aq_error *err) {
  aq_quantized_layers left;
  if (s->text == NULL) return AQ_OK;
  AQ_TRY(aq_quantized_layers_find(source->tensors, source->tensor_count, &left, err));
  const size_t count = left.count;
  aq_quantized_layers_reset(&left);
  if (count > 0) return AQ_OK;
  aq_module_list modules;
  AQ_TRY(aq_model_modules_read(source, NULL, &modules, err));
  char *place = aq_module_list_place(&modules, "config.json"), *text = NULL;
  aq_module_list_reset(&modules);
  const aq_status status = place != NULL ? remove_members(s, &text, err) : aq_fail_memory(err, s->size);
  source->edited_place = place;
  source->edited_text = text;
  return status;
}

/* ---- putting the source in its place ---- */

/* A sixteenth of the limit of memory is no more than what else is held of a model. */
static aq_status give_cache(decoded_source *d, aq_error *err) {
  AQ_TRY(aq_line_cache_create(d->inner->max_memory / 16, &d->cache, err));
  for (size_t i = 0; i < d->list.count; i++) {
    aq_coded_matrix *codes = &d->list.layers[i].layer.codes;
    if (codes->is_transposed) codes->cache = d->cache;
  }
  return AQ_OK;
}

/* Takes over the list, whatever happens. */
static aq_status wrap_source(aq_source **source, aq_layer_list *list, aq_error *err) {
  decoded_source *d = aq_calloc(1, sizeof *d);
  if (d != NULL) *d = (decoded_source){.inner = *source, .list = *list};
  aq_status status = d != NULL ? give_cache(d, err) : aq_fail_memory(err, sizeof *d);
  if (status == AQ_OK) status = aq_source_over_put(source, &decoded_ops, d, err);
  if (status != AQ_OK) {
    if (d != NULL) aq_line_cache_free(d->cache);
    aq_free(d);
    aq_layer_list_reset(list);
    return status;
  }
  AQ_TRY(add_tensors(*source, err));
  restore_aliases(*source);
  return AQ_OK;
}

/* A note for each scheme: a method can have several. */
static aq_status note_schemes(aq_source *source, aq_error *err) {
  const aq_layer_list *list = &((const decoded_source *)source->impl)->list;
  const aq_layer_scheme *scheme;
  for (size_t k = 0; (scheme = aq_layer_scheme_at(k)) != NULL; k++) {
    size_t count = 0;
    const char *first = NULL;
    for (size_t i = 0; i < list->count; i++) {
      if (list->layers[i].scheme != scheme) continue;
      if (count++ == 0) first = list->layers[i].name;
    }
    if (count == 0) continue;
    AQ_TRY(aq_source_add_note(source, err, "another tool has quantized %zu of the layers already (%s; '%.150s'%s)%s",
                              count, scheme->name, first, count > 1 ? ", ..." : "",
                              source->keeps_codes ? "" : ": they are decoded to FP32"));
  }
  return AQ_OK;
}

/* ---- reasons why layers are not decoded ---- */

static bool is_known_method(const char *method) {
  const aq_layer_scheme *scheme;
  for (size_t i = 0; (scheme = aq_layer_scheme_at(i)) != NULL; i++) {
    if (strcmp(scheme->method, method) == 0) return true;
  }
  return false;
}

/* Why config.json does not tell how layers are decoded. */
static const char *find_reason(const checkpoint_config *s, char *room, size_t size) {
  const json_t *said = NULL;
  size_t i = 0;
  if (s->method != NULL) {
    return is_known_method(s->method) ? "no tensors are named as those of that method" : "the method is not known";
  }
  if (s->damage[0] != '\0') return s->damage;
  if (s->text == NULL) return "there is no config.json to say how they are quantized";
  while (i < AQ_COUNT_OF(members) && (said = json_object_get(s->root, members[i])) == NULL) i++;
  if (said == NULL) return "config.json has no quantization_config";
  (void)snprintf(room, size, "'%s' of config.json %s", members[i],
                 json_is_object(said) ? "has no quant_method that is a text" : "is no object");
  return room;
}

/* Codes in a GGUF or ONNX file are not those of a config.json. */
static aq_status note_reason(aq_source *source, const checkpoint_config *s, aq_error *err) {
  aq_quantized_layers layers;
  char room[80];
  if (strcmp(source->format, "safetensors") != 0 && strcmp(source->format, "PyTorch") != 0) return AQ_OK;
  AQ_TRY(aq_quantized_layers_find(source->tensors, source->tensor_count, &layers, err));
  const size_t count = layers.count;
  aq_quantized_layers_reset(&layers);
  if (count == 0) return AQ_OK;
  return aq_source_add_note(source, err, "the quantized layers%s%.64s%s are not decoded: %s",
                            s->method != NULL ? " (" : "", s->method != NULL ? s->method : "",
                            s->method != NULL ? ")" : "", find_reason(s, room, sizeof room));
}

static aq_status decode_checkpoint(aq_source **source, const checkpoint_config *s, aq_error *err) {
  aq_layer_list list;
  aq_error found;
  const aq_status status = aq_layer_list_find(*source, s->method, s->config, &list, &found);
  if (status == AQ_ERR_UNSUPPORTED) {
    const bool has_tensor = found.tensor[0] != '\0';
    return aq_source_add_note(*source, err, "the quantized layers (%.64s) are not decoded: %s%.150s%s%.200s", s->method,
                              has_tensor ? "'" : "", found.tensor, has_tensor ? "' " : "", found.message);
  }
  if (status != AQ_OK) {
    if (err != NULL) *err = found;
    return status;
  }
  if (list.count == 0) {
    aq_layer_list_reset(&list);
    return note_reason(*source, s, err);
  }
  AQ_TRY(wrap_source(source, &list, err));
  AQ_TRY(note_schemes(*source, err));
  return edit_config(*source, s, err);
}

aq_status aq_prequantized_decode(aq_source **source, aq_error *err) {
  checkpoint_config s;
  if ((*source)->schema_version != 0 || (*source)->partial != NULL) return AQ_OK;
  aq_status status = read_config(*source, &s, err);
  if (status == AQ_OK) status = s.method != NULL ? decode_checkpoint(source, &s, err) : note_reason(*source, &s, err);
  reset_config(&s);
  if (status != AQ_ERR_FORMAT) return status;
  return aq_error_hint(err, status,
                       "To take the tensors as they are stored, remove the words about quantization from config.json");
}
