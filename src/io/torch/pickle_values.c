/* pickle_values.c - an array of values that grows by doubling, with a budget. */
#include "io/torch/pickle_values.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"

/* What the allocator adds to an array of items. */
#define ALLOCATION_COST 16

static const char *const kind_names[] = {
    [AQ_PICKLE_NONE] = "None",         [AQ_PICKLE_BOOL] = "a bool",     [AQ_PICKLE_INT] = "an int",
    [AQ_PICKLE_TEXT] = "a string",     [AQ_PICKLE_LIST] = "a list",     [AQ_PICKLE_TUPLE] = "a tuple",
    [AQ_PICKLE_DICT] = "a dict",       [AQ_PICKLE_SET] = "a set",       [AQ_PICKLE_NAME] = "a function or type",
    [AQ_PICKLE_STORAGE] = "a storage", [AQ_PICKLE_TENSOR] = "a tensor", [AQ_PICKLE_OTHER] = "another value",
};

const char *aq_pickle_kind_name(aq_pickle_kind kind) { return kind_names[kind]; }

void aq_pickle_values_reset(aq_pickle_values *all) {
  for (uint32_t i = 0; i < all->count; i++) {
    if (all->values[i].room > 0) aq_free(all->values[i].as.items);
  }
  aq_free(all->values);
  aq_buffer_reset(&all->texts);
  *all = (aq_pickle_values){0};
}

aq_status aq_pickle_charge(aq_pickle_values *all, uint64_t bytes, aq_error *err) {
  uint64_t used;
  if (aq_add_ok(all->used, bytes, &used) && used <= all->limit) {
    all->used = used;
    return AQ_OK;
  }
  const aq_status status =
      aq_fail(err, AQ_ERR_MEMORY, "the values of the pickle take more than %llu bytes of memory, which is the limit",
              (unsigned long long)all->limit);
  return aq_error_hint(err, status, "Save the model as safetensors, in several files if it has very many tensors");
}

/* The room that an array of `room` entries grows to so that it holds `need`; 0 when there is no such number. */
static uint32_t grown_room(uint32_t room, uint64_t need, uint32_t least) {
  uint64_t grown = room < least ? least : (uint64_t)room * 2;
  while (grown < need) grown *= 2;
  return grown > UINT32_MAX ? 0 : (uint32_t)grown;
}

static aq_status reserve_value(aq_pickle_values *all, aq_error *err) {
  if (all->count < all->room) return AQ_OK;
  const uint32_t room = grown_room(all->room, (uint64_t)all->count + 1, 64);
  AQ_FAIL_IF(room == 0, AQ_ERR_UNSUPPORTED, "the pickle has more values than can be counted");
  AQ_TRY(aq_pickle_charge(all, (uint64_t)(room - all->room) * sizeof *all->values, err));
  aq_pickle_value *grown = aq_realloc_array(all->values, room, sizeof *grown);
  if (grown == NULL) return aq_fail_memory(err, room * sizeof *grown);
  all->values = grown;
  all->room = room;
  return AQ_OK;
}

aq_status aq_pickle_add(aq_pickle_values *all, aq_pickle_kind kind, int64_t number, uint32_t *out, aq_error *err) {
  AQ_TRY(reserve_value(all, err));
  *out = all->count;
  aq_pickle_value *value = &all->values[all->count++];
  *value = (aq_pickle_value){.kind = kind};
  if (kind >= AQ_PICKLE_LIST && kind <= AQ_PICKLE_SET) {
    value->as.items = NULL;
  } else {
    value->as.number = number;
  }
  return AQ_OK;
}

aq_status aq_pickle_add_text(aq_pickle_values *all, size_t size, uint8_t **bytes, uint32_t *out, aq_error *err) {
  AQ_FAIL_IF(size >= UINT32_MAX, AQ_ERR_UNSUPPORTED, "a text of the pickle has more bytes than can be counted");
  AQ_TRY(aq_pickle_charge(all, 2 * ((uint64_t)size + 1), err)); /* twice: the buffer grows by doubling */
  AQ_TRY(aq_buffer_reserve(&all->texts, size + 1, err));
  AQ_TRY(aq_pickle_add(all, AQ_PICKLE_TEXT, 0, out, err));
  aq_pickle_value *value = &all->values[*out];
  value->count = (uint32_t)size;
  value->as.text = all->texts.size;
  *bytes = all->texts.data + all->texts.size;
  memset(*bytes, 0, size + 1);
  all->texts.size += size + 1;
  return AQ_OK;
}

aq_status aq_pickle_append(aq_pickle_values *all, uint32_t to, const uint32_t *items, uint32_t count, aq_error *err) {
  if (count == 0) return AQ_OK;
  aq_pickle_value *value = &all->values[to];
  const uint64_t need = (uint64_t)value->count + count;
  if (need > value->room) {
    const uint32_t room = value->room == 0 ? count : grown_room(value->room, need, 8);
    AQ_FAIL_IF(room == 0, AQ_ERR_UNSUPPORTED, "the pickle has more values than can be counted");
    AQ_TRY(aq_pickle_charge(all, (uint64_t)(room - value->room) * sizeof *items + ALLOCATION_COST, err));
    uint32_t *grown = aq_realloc_array(value->as.items, room, sizeof *grown);
    if (grown == NULL) return aq_fail_memory(err, room * sizeof *grown);
    value->as.items = grown;
    value->room = room;
  }
  memcpy(value->as.items + value->count, items, count * sizeof *items);
  value->count += count;
  return AQ_OK;
}

const char *aq_pickle_text(const aq_pickle_values *all, uint32_t id) {
  return (const char *)all->texts.data + all->values[id].as.text;
}

bool aq_pickle_text_is(const aq_pickle_values *all, uint32_t id, const char *text) {
  const aq_pickle_value *value = &all->values[id];
  return value->kind == AQ_PICKLE_TEXT && value->count == strlen(text) &&
         memcmp(aq_pickle_text(all, id), text, value->count) == 0;
}
