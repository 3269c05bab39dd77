/* layer_list.c - finds the layers of a checkpoint: a tensor whose name ends as a scheme's codes do, beside one that
 * ends as it says, is a layer of that scheme. */
#include "io/prequantized/layer_list.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
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

/* Whether a tensor holds codes of the scheme; sets the layer in hand. */
static bool is_codes(search *s, const aq_layer_scheme *scheme, size_t tensor) {
  const aq_tensor_info *info = &s->parts.source->tensors[tensor];
  const size_t length = strlen(info->name), end = strlen(scheme->codes);
  const bool is_whole = scheme->codes[0] == '.' && strcmp(info->name, scheme->codes + 1) == 0;
  if (!is_whole && !aq_ends_with(info->name, scheme->codes)) return false;
  if (info->quant_type != AQ_KEPT || s->list->taken[tensor]) return false;
  if (scheme->codes_dtype != AQ_DTYPE_INVALID && info->dtype != scheme->codes_dtype) return false;
  s->parts.layer = info->name;
  s->parts.layer_length = is_whole ? 0 : length - end;
  return aq_layer_part_find(&s->parts, scheme->beside) != AQ_NO_TENSOR;
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

static aq_status find_layer(search *s, size_t tensor, aq_error *err) {
  const aq_layer_scheme *scheme;
  for (size_t i = 0; (scheme = aq_layer_scheme_at(i)) != NULL; i++) {
    if (strcmp(scheme->method, s->method) != 0 || !is_codes(s, scheme, tensor)) continue;
    if (!s->checked[i]) AQ_TRY(aq_layer_scheme_check_config(scheme, s->parts.config, err));
    s->checked[i] = true;
    return add_layer(s, scheme, tensor, err);
  }
  return AQ_OK;
}

static aq_status find_layers(search *s, aq_error *err) {
  const aq_source *source = s->parts.source;
  for (size_t i = 0; i < source->tensor_count; i++) s->list->layer_of[i] = SIZE_MAX;
  for (size_t i = 0; i < source->tensor_count; i++) AQ_TRY(find_layer(s, i, err));
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
