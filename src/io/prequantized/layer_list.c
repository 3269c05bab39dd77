/* layer_list.c - finds the layers of a checkpoint: a tensor whose name ends as a scheme's codes do, beside one that
 * ends as it says, is a layer of that scheme. What then is left of the names of parts is a layer that lost some. */
#include "io/prequantized/layer_list.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "io/listing.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

typedef struct search {
  aq_layer_parts parts;
  aq_layer_list *list;
  const char *method;
  bool *checked; /* one per scheme: the configuration was */
} search;

/* Whether the name of a tensor is that of a part with the suffix; its layer is the one in hand then. */
static bool is_named(search *s, size_t tensor, const char *suffix) {
  const char *name = s->parts.source->names[tensor];
  const bool is_whole = suffix[0] == '.' && strcmp(name, suffix + 1) == 0;
  if (!is_whole && !aq_ends_with(name, suffix)) return false;
  s->parts.layer = name;
  s->parts.layer_length = is_whole ? 0 : strlen(name) - strlen(suffix);
  return true;
}

/* Whether a tensor that belongs to no layer yet can hold codes of the scheme. */
static bool fits_codes(const search *s, const aq_layer_scheme *scheme, size_t tensor) {
  const aq_tensor_info *info = &s->parts.source->tensors[tensor];
  if (info->quant_type != AQ_KEPT || s->list->taken[tensor]) return false;
  return scheme->codes_dtype == AQ_DTYPE_INVALID || info->dtype == scheme->codes_dtype;
}

/* Whether a tensor holds codes of the scheme; sets the layer in hand. */
static bool is_codes(search *s, const aq_layer_scheme *scheme, size_t tensor) {
  return fits_codes(s, scheme, tensor) && is_named(s, tensor, scheme->codes) &&
         aq_layer_part_find(&s->parts, scheme->parts[0]) != AQ_NO_TENSOR;
}

static aq_status grow_list(aq_layer_list *list, aq_error *err) {
  if (list->count < list->room) return AQ_OK;
  const size_t room = list->room == 0 ? 64 : list->room * 2;
  aq_listed_layer *layers = aq_realloc_array(list->layers, room, sizeof *layers);
  if (layers == NULL) return aq_fail_memory(err, room * sizeof *layers);
  list->layers = layers;
  list->room = room;
  return AQ_OK;
}

/* The decoded tensor: FP32, in the shape that its scheme gave it. */
static aq_status describe_tensor(search *s, const aq_layer_scheme *scheme, aq_listed_layer *out, aq_error *err) {
  aq_tensor_info *info = &out->info;
  out->name = aq_strdup(aq_layer_part_name(&s->parts, scheme->result));
  if (out->name == NULL) return aq_fail_memory(err, s->parts.layer_length);
  info->name = out->name;
  info->dtype = AQ_F32;
  info->quant_axis = -1;
  info->alias_of = -1;
  info->stored_bytes = s->parts.stored_bytes;
  AQ_FAIL_IF(!aq_shape_count_ok(info->shape, info->rank, &info->num_params) ||
                 !aq_dtype_bytes_ok(info->num_params, AQ_F32, &info->data_bytes),
             AQ_ERR_FORMAT, "layer '%.200s' has more values than can be counted", out->name);
  return AQ_OK;
}

static aq_status add_layer(search *s, const aq_layer_scheme *scheme, size_t tensor, aq_error *err) {
  AQ_TRY(grow_list(s->list, err));
  aq_listed_layer *added = &s->list->layers[s->list->count];
  *added = (aq_listed_layer){.scheme = scheme};
  s->list->count++;
  s->list->taken[tensor] = true;
  s->list->layer_of[tensor] = s->list->count - 1;
  s->parts.stored_bytes = s->parts.source->tensors[tensor].stored_bytes;
  AQ_TRY(scheme->read(&s->parts, tensor, &added->layer, &added->info, err));
  return describe_tensor(s, scheme, added, err);
}

static aq_status check_config(search *s, size_t scheme, aq_error *err) {
  if (!s->checked[scheme]) AQ_TRY(aq_layer_scheme_check_config(aq_layer_scheme_at(scheme), s->parts.config, err));
  s->checked[scheme] = true;
  return AQ_OK;
}

static aq_status find_layer(search *s, size_t tensor, aq_error *err) {
  const aq_layer_scheme *scheme;
  for (size_t i = 0; (scheme = aq_layer_scheme_at(i)) != NULL; i++) {
    if (strcmp(scheme->method, s->method) != 0 || !is_codes(s, scheme, tensor)) continue;
    AQ_TRY(check_config(s, i, err));
    return add_layer(s, scheme, tensor, err);
  }
  return AQ_OK;
}

/* ---- layers that lost a part ---- */

/* The suffix of the part that is missing where the tensor is codes without what lies beside them, or another part
 * without codes; else NULL. Sets the layer in hand. Weights of any dtype can be no more than weights. */
static const char *find_missing(search *s, const aq_layer_scheme *scheme, size_t tensor) {
  const bool tells = scheme->codes_dtype != AQ_DTYPE_INVALID || strcmp(scheme->codes, ".weight") != 0;
  if (tells && fits_codes(s, scheme, tensor) && is_named(s, tensor, scheme->codes)) return scheme->parts[0];
  for (const char *const *part = scheme->parts; *part != NULL; part++) {
    if (s->list->taken[tensor] || !is_named(s, tensor, *part)) continue;
    const size_t codes = aq_layer_part_find(&s->parts, scheme->codes);
    if (codes == AQ_NO_TENSOR) return scheme->codes;
    if (fits_codes(s, scheme, codes)) return scheme->parts[0];
  }
  return NULL;
}

/* Schemes of a method can share names of parts: the one that has layers tells what is missing, else the first. */
static aq_status check_remainder(search *s, size_t tensor, aq_error *err) {
  const aq_layer_scheme *scheme;
  size_t found = SIZE_MAX;
  for (size_t i = 0; (scheme = aq_layer_scheme_at(i)) != NULL; i++) {
    if (strcmp(scheme->method, s->method) != 0 || find_missing(s, scheme, tensor) == NULL) continue;
    if (found == SIZE_MAX || (s->checked[i] && !s->checked[found])) found = i;
  }
  if (found == SIZE_MAX) return AQ_OK;
  AQ_TRY(check_config(s, found, err));
  const char *missing = aq_layer_part_name(&s->parts, find_missing(s, aq_layer_scheme_at(found), tensor));
  return aq_fail(err, AQ_ERR_FORMAT, "tensor '%.200s' is missing; '%.200s' of its layer is there", missing,
                 s->parts.source->names[tensor]);
}

/* ---- scales of caches ---- */

/* A model whose cache of keys and values is quantized has scales of them, which lie in attention and not in a layer. */
static void take_cache_scales(search *s) {
  static const char *const words[] = {"kv_cache_scheme", "kv_cache_quant_algo"};
  static const char *const suffixes[] = {".q_scale", ".k_scale", ".k_zero_point", ".v_scale", ".v_zero_point"};
  bool is_cached = false;
  for (size_t i = 0; i < AQ_COUNT_OF(words); i++) {
    is_cached = is_cached || aq_json_is_set(json_object_get(s->parts.config, words[i]));
  }
  for (size_t i = 0; is_cached && s->list->count > 0 && i < s->parts.source->tensor_count; i++) {
    for (size_t k = 0; k < AQ_COUNT_OF(suffixes); k++) {
      if (is_named(s, i, suffixes[k])) s->list->taken[i] = true;
    }
  }
}

static aq_status find_layers(search *s, aq_error *err) {
  const aq_source *source = s->parts.source;
  for (size_t i = 0; i < source->tensor_count; i++) s->list->layer_of[i] = SIZE_MAX;
  for (size_t i = 0; i < source->tensor_count; i++) AQ_TRY(find_layer(s, i, err));
  for (size_t i = 0; i < source->tensor_count; i++) AQ_TRY(check_remainder(s, i, err));
  take_cache_scales(s);
  return AQ_OK;
}

static size_t count_schemes(void) {
  size_t count = 0;
  while (aq_layer_scheme_at(count) != NULL) count++;
  return count;
}

aq_status aq_layer_list_find(const aq_source *source, const char *method, const json_t *config, aq_layer_list *out,
                             aq_error *err) {
  const size_t count = AQ_MAX(source->tensor_count, (size_t)1);
  size_t longest = 0;
  for (size_t i = 0; i < source->tensor_count; i++) longest = AQ_MAX(longest, strlen(source->names[i]));
  *out = (aq_layer_list){.layer_of = aq_calloc(count, sizeof *out->layer_of), .taken = aq_calloc(count, 1)};
  search s = {.parts = {.source = source, .config = config, .taken = out->taken, .room_size = longest + 64},
              .list = out,
              .method = method,
              .checked = aq_calloc(count_schemes(), 1)};
  s.parts.room = aq_malloc(s.parts.room_size);
  const bool made = out->layer_of != NULL && out->taken != NULL && s.checked != NULL && s.parts.room != NULL;
  const aq_status status = made ? find_layers(&s, err) : aq_fail_memory(err, count);
  aq_free(s.checked);
  aq_free(s.parts.room);
  if (status != AQ_OK) aq_layer_list_reset(out);
  return status;
}

void aq_layer_list_reset(aq_layer_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    aq_coded_layer_reset(&list->layers[i].layer);
    aq_free(list->layers[i].name);
  }
  aq_free(list->layers);
  aq_free(list->layer_of);
  aq_free(list->taken);
  *list = (aq_layer_list){.layers = NULL};
}
