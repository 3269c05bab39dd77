/* torch_objects.c - what the allowed names make of their arguments. */
#include "io/torch/torch_objects.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/torch/torch_layout.h"

void aq_torch_objects_reset(aq_torch_objects *objects) {
  aq_free(objects->storages);
  aq_free(objects->tensors);
  *objects = (aq_torch_objects){0};
}

/* One more entry of `size` bytes in *array; pays for it out of the values' memory. */
static aq_status reserve_entry(void *array, uint32_t count, uint32_t *room, size_t size, aq_pickle_values *values,
                               aq_error *err) {
  void *old;
  if (count < *room) return AQ_OK;
  AQ_FAIL_IF(*room > UINT32_MAX / 2, AQ_ERR_UNSUPPORTED, "the pickle has more tensors than can be counted");
  const uint32_t grown = *room == 0 ? 16 : *room * 2;
  AQ_TRY(aq_pickle_charge(values, (uint64_t)(grown - *room) * size, err));
  memcpy(&old, array, sizeof old);
  void *bigger = aq_realloc_array(old, grown, size);
  if (bigger == NULL) return aq_fail_memory(err, grown * size);
  memcpy(array, &bigger, sizeof bigger);
  *room = grown;
  return AQ_OK;
}

/* ---- arguments ---- */

typedef struct call {
  aq_torch_objects *objects;
  aq_pickle_values *values;
  const aq_torch_name *callee;
  uint32_t arguments; /* a tuple */
} call;

static uint32_t argument_count(const call *c) { return aq_pickle_at(c->values, c->arguments)->count; }
static uint32_t argument(const call *c, uint32_t i) { return aq_pickle_at(c->values, c->arguments)->as.items[i]; }
static aq_pickle_kind argument_kind(const call *c, uint32_t i) { return aq_pickle_at(c->values, argument(c, i))->kind; }

static aq_status fail_argument(const call *c, uint32_t i, const char *expected, aq_error *err) {
  return aq_fail(err, AQ_ERR_FORMAT, "argument %u of %s.%s is %s, and should be %s", i + 1, c->callee->module,
                 c->callee->name, aq_pickle_kind_name(argument_kind(c, i)), expected);
}

static aq_status check_kind(const call *c, uint32_t i, aq_pickle_kind kind, aq_error *err) {
  return argument_kind(c, i) == kind ? AQ_OK : fail_argument(c, i, aq_pickle_kind_name(kind), err);
}

/* Hooks of the backward pass are functions, which no file may bring: an empty dict, or None. */
static aq_status check_hooks(const call *c, uint32_t i, aq_error *err) {
  const aq_pickle_value *hooks = aq_pickle_at(c->values, argument(c, i));
  const bool none = hooks->kind == AQ_PICKLE_NONE || (hooks->kind == AQ_PICKLE_DICT && hooks->count == 0);
  return none ? AQ_OK : fail_argument(c, i, "an empty dict", err);
}

/* Bits that turn the values into others: torch sets none of them on weights. */
static aq_status check_metadata(const call *c, uint32_t i, aq_error *err) {
  if (argument_count(c) <= i || argument_kind(c, i) == AQ_PICKLE_NONE) return AQ_OK;
  AQ_TRY(check_kind(c, i, AQ_PICKLE_DICT, err));
  const aq_pickle_value *dict = aq_pickle_at(c->values, argument(c, i));
  for (uint32_t k = 1; k < dict->count; k += 2) {
    const aq_pickle_value *flag = aq_pickle_at(c->values, dict->as.items[k]);
    AQ_FAIL_IF(flag->kind != AQ_PICKLE_BOOL || flag->as.number != 0, AQ_ERR_UNSUPPORTED,
               "a tensor is stored conjugated or negated; save tensor.resolve_conj().resolve_neg() instead");
  }
  return AQ_OK;
}

/* ---- tensors ---- */

static aq_status add_tensor(const call *c, aq_dtype dtype, uint32_t *out, aq_error *err) {
  aq_torch_objects *o = c->objects;
  AQ_TRY(check_kind(c, 0, AQ_PICKLE_STORAGE, err));
  AQ_TRY(check_kind(c, 1, AQ_PICKLE_INT, err));
  AQ_TRY(reserve_entry(&o->tensors, o->tensor_count, &o->tensor_room, sizeof *o->tensors, c->values, err));
  aq_torch_tensor *tensor = &o->tensors[o->tensor_count];
  const int64_t storage = aq_pickle_at(c->values, argument(c, 0))->as.number;
  *tensor = (aq_torch_tensor){.storage = (uint32_t)storage};
  tensor->dtype = dtype != AQ_DTYPE_INVALID ? dtype : o->storages[storage].dtype;
  AQ_TRY(aq_torch_layout_read(tensor, o->storages[storage].bytes, aq_pickle_at(c->values, argument(c, 1))->as.number,
                              c->values, argument(c, 2), argument(c, 3), err));
  return aq_pickle_add(c->values, AQ_PICKLE_TENSOR, (int64_t)o->tensor_count++, out, err);
}

static aq_status rebuild_tensor(const call *c, uint32_t *out, aq_error *err) {
  return add_tensor(c, AQ_DTYPE_INVALID, out, err);
}

static aq_status rebuild_tensor_2(const call *c, uint32_t *out, aq_error *err) {
  AQ_TRY(check_kind(c, 4, AQ_PICKLE_BOOL, err));
  AQ_TRY(check_hooks(c, 5, err));
  AQ_TRY(check_metadata(c, 6, err));
  return add_tensor(c, AQ_DTYPE_INVALID, out, err);
}

static aq_status rebuild_tensor_3(const call *c, uint32_t *out, aq_error *err) {
  AQ_TRY(check_kind(c, 4, AQ_PICKLE_BOOL, err));
  AQ_TRY(check_hooks(c, 5, err));
  AQ_TRY(check_kind(c, 6, AQ_PICKLE_NAME, err));
  AQ_TRY(check_metadata(c, 7, err));
  const aq_torch_name *type = aq_torch_name_at(aq_pickle_at(c->values, argument(c, 6))->as.number);
  if (type->role != AQ_TORCH_DTYPE) return fail_argument(c, 6, "a dtype", err);
  return add_tensor(c, type->dtype, out, err);
}

/* Attributes that a program gave to a tensor: they are not of its values. */
static void count_attributes(const call *c, uint32_t i) {
  if (argument_count(c) <= i || argument_kind(c, i) == AQ_PICKLE_NONE) return;
  const aq_pickle_value *state = aq_pickle_at(c->values, argument(c, i));
  if (state->kind != AQ_PICKLE_DICT || state->count > 0) c->objects->attribute_count++;
}

static aq_status rebuild_parameter(const call *c, uint32_t *out, aq_error *err) {
  AQ_TRY(check_kind(c, 0, AQ_PICKLE_TENSOR, err));
  AQ_TRY(check_kind(c, 1, AQ_PICKLE_BOOL, err));
  AQ_TRY(check_hooks(c, 2, err));
  count_attributes(c, 3);
  *out = argument(c, 0);
  return AQ_OK;
}

static bool is_rebuild(aq_torch_role role) { return role >= AQ_TORCH_REBUILD && role <= AQ_TORCH_PARAMETER; }

static aq_status rebuild_from_type(const call *c, uint32_t *out, aq_error *err) {
  AQ_TRY(check_kind(c, 0, AQ_PICKLE_NAME, err));
  AQ_TRY(check_kind(c, 1, AQ_PICKLE_NAME, err));
  const aq_torch_name *function = aq_torch_name_at(aq_pickle_at(c->values, argument(c, 0))->as.number);
  const aq_torch_name *type = aq_torch_name_at(aq_pickle_at(c->values, argument(c, 1))->as.number);
  if (!is_rebuild(function->role)) return fail_argument(c, 0, "a function that rebuilds a tensor", err);
  if (type->role != AQ_TORCH_CLASS) return fail_argument(c, 1, "the class of tensors", err);
  count_attributes(c, 3);
  return aq_torch_call(c->objects, c->values, argument(c, 0), argument(c, 2), out, err);
}

/* ---- other values ---- */

/* OrderedDict(): pairs follow. Python 2 writes OrderedDict([[key, value], ...]). */
static aq_status make_dict(const call *c, uint32_t *out, aq_error *err) {
  AQ_TRY(aq_pickle_add(c->values, AQ_PICKLE_DICT, 0, out, err));
  if (argument_count(c) == 0) return AQ_OK;
  AQ_TRY(check_kind(c, 0, AQ_PICKLE_LIST, err));
  const uint32_t list = argument(c, 0);
  for (uint32_t i = 0; i < aq_pickle_at(c->values, list)->count; i++) {
    const aq_pickle_value *pair = aq_pickle_at(c->values, aq_pickle_at(c->values, list)->as.items[i]);
    if ((pair->kind != AQ_PICKLE_LIST && pair->kind != AQ_PICKLE_TUPLE) || pair->count != 2)
      return fail_argument(c, 0, "a list of pairs", err);
    AQ_TRY(aq_pickle_append(c->values, *out, pair->as.items, 2, err));
  }
  return AQ_OK;
}

static aq_status make_set(const call *c, uint32_t *out, aq_error *err) {
  AQ_TRY(aq_pickle_add(c->values, AQ_PICKLE_SET, 0, out, err));
  if (argument_count(c) == 0) return AQ_OK;
  AQ_TRY(check_kind(c, 0, AQ_PICKLE_LIST, err));
  const aq_pickle_value *list = aq_pickle_at(c->values, argument(c, 0));
  return aq_pickle_append(c->values, *out, list->as.items, list->count, err);
}

static aq_status make_value(const call *c, uint32_t *out, aq_error *err) {
  for (uint32_t i = 0; i < argument_count(c); i++) {
    const aq_pickle_kind kind = argument_kind(c, i);
    if (kind != AQ_PICKLE_TEXT && kind != AQ_PICKLE_INT && kind != AQ_PICKLE_OTHER)
      return fail_argument(c, i, "a string, a number or bytes", err);
  }
  return aq_pickle_add(c->values, AQ_PICKLE_OTHER, 0, out, err);
}

static aq_status make_size(const call *c, uint32_t *out, aq_error *err) {
  AQ_TRY(check_kind(c, 0, AQ_PICKLE_TUPLE, err));
  *out = argument(c, 0);
  return AQ_OK;
}

typedef aq_status (*call_fn)(const call *c, uint32_t *out, aq_error *err);
static const call_fn makers[] = {
    [AQ_TORCH_ORDERED_DICT] = make_dict,
    [AQ_TORCH_SET] = make_set,
    [AQ_TORCH_VALUE] = make_value,
    [AQ_TORCH_SIZE] = make_size,
    [AQ_TORCH_REBUILD] = rebuild_tensor,
    [AQ_TORCH_REBUILD_2] = rebuild_tensor_2,
    [AQ_TORCH_REBUILD_3] = rebuild_tensor_3,
    [AQ_TORCH_PARAMETER] = rebuild_parameter,
    [AQ_TORCH_FROM_TYPE] = rebuild_from_type,
};

aq_status aq_torch_call(aq_torch_objects *objects, aq_pickle_values *values, uint32_t callee, uint32_t arguments,
                        uint32_t *out, aq_error *err) {
  const aq_pickle_value *function = aq_pickle_at(values, callee), *tuple = aq_pickle_at(values, arguments);
  AQ_FAIL_IF(function->kind != AQ_PICKLE_NAME, AQ_ERR_FORMAT, "%s is called like a function",
             aq_pickle_kind_name(function->kind));
  const call c = {objects, values, aq_torch_name_at(function->as.number), arguments};
  AQ_FAIL_IF(makers[c.callee->role] == NULL, AQ_ERR_FORMAT, "%s.%s is called, and is no function", c.callee->module,
             c.callee->name);
  AQ_FAIL_IF(tuple->kind != AQ_PICKLE_TUPLE, AQ_ERR_FORMAT, "the arguments of %s.%s are %s, and should be a tuple",
             c.callee->module, c.callee->name, aq_pickle_kind_name(tuple->kind));
  AQ_FAIL_IF(tuple->count < c.callee->least || tuple->count > c.callee->most, AQ_ERR_FORMAT,
             "%s.%s has %u arguments, and takes %u to %u", c.callee->module, c.callee->name, tuple->count,
             (unsigned)c.callee->least, (unsigned)c.callee->most);
  return makers[c.callee->role](&c, out, err);
}

/* ---- storages ---- */

static aq_status check_storage_id(const aq_pickle_values *values, uint32_t id, aq_error *err) {
  static const aq_pickle_kind kinds[] = {AQ_PICKLE_TEXT, AQ_PICKLE_NAME, AQ_PICKLE_TEXT,
                                         AQ_PICKLE_TEXT, AQ_PICKLE_INT,  AQ_PICKLE_NONE};
  const aq_pickle_value *tuple = aq_pickle_at(values, id);
  AQ_FAIL_IF(
      tuple->kind != AQ_PICKLE_TUPLE || tuple->count == 0 || !aq_pickle_text_is(values, tuple->as.items[0], "storage"),
      AQ_ERR_UNSUPPORTED, "a persistent id is not that of a storage; whole modules are not read, only tensors");
  AQ_FAIL_IF(tuple->count != 5 && tuple->count != 6, AQ_ERR_FORMAT,
             "the id of a storage has %u parts, and should have 5", tuple->count);
  for (uint32_t i = 1; i < tuple->count; i++) {
    const aq_pickle_kind kind = aq_pickle_at(values, tuple->as.items[i])->kind;
    AQ_FAIL_IF(kind != kinds[i], i == 5 ? AQ_ERR_UNSUPPORTED : AQ_ERR_FORMAT,
               "part %u of the id of a storage is %s, and should be %s", i + 1, aq_pickle_kind_name(kind),
               aq_pickle_kind_name(kinds[i]));
  }
  return AQ_OK;
}

aq_status aq_torch_add_storage(aq_torch_objects *objects, aq_pickle_values *values, uint32_t id, uint32_t *out,
                               aq_error *err) {
  AQ_TRY(check_storage_id(values, id, err));
  AQ_TRY(reserve_entry(&objects->storages, objects->storage_count, &objects->storage_room, sizeof *objects->storages,
                       values, err));
  const uint32_t *parts = aq_pickle_at(values, id)->as.items;
  const aq_torch_name *type = aq_torch_name_at(aq_pickle_at(values, parts[1])->as.number);
  const int64_t count = aq_pickle_at(values, parts[4])->as.number;
  AQ_FAIL_IF(type->role != AQ_TORCH_STORAGE, AQ_ERR_FORMAT, "%s.%s is given as the type of a storage", type->module,
             type->name);
  aq_torch_storage *storage = &objects->storages[objects->storage_count];
  *storage = (aq_torch_storage){.dtype = type->dtype, .key = parts[2], .count = (uint64_t)count};
  AQ_FAIL_IF(count < 0 || !aq_mul_ok(storage->count, aq_dtype_size(type->dtype), &storage->bytes), AQ_ERR_FORMAT,
             "a storage has %lld elements", (long long)count);
  return aq_pickle_add(values, AQ_PICKLE_STORAGE, (int64_t)objects->storage_count++, out, err);
}
