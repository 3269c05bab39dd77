/* plan_json.c - plans as JSON: to be printed, saved, edited by hand and read again. A plan that is read must name
 * exactly the tensors of the source, with their shapes, in any order; a key that is not known is refused, since it may
 * be one that was misspelled. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/strmap.h"
#include "quant/nearest.h"
#include "quant/plan.h"
#include "quant/plan_spec.h"
#include "tensor/shape.h"

enum { PLAN_VERSION = 1, SCALE_DIGITS = 4 };
#define SCALES_MAX ((uint64_t)1 << 31)
static const char *const action_words[] = {[AQ_KEEP] = "keep", [AQ_CONVERT] = "convert", [AQ_QUANTIZE] = "quantize"};

/* ---- writing ---- */

static json_t *shape_json(const aq_tensor_info *t) {
  json_t *shape = json_array();
  for (int32_t i = 0; i < t->rank; i++) {
    if (json_array_append_new(shape, json_integer(t->shape[i])) != 0) {
      json_decref(shape);
      return NULL;
    }
  }
  return shape;
}

/* Scales are positive and have few mantissa bits: the upper half of an FP32 number is all of it. */
static json_t *scales_json(const aq_plan_entry *entry) {
  static const char digits[] = "0123456789abcdef";
  char *text = entry->scale_count <= SCALES_MAX ? aq_malloc((size_t)entry->scale_count * SCALE_DIGITS + 1) : NULL;
  if (text == NULL) return NULL;
  char *to = text;
  for (uint64_t i = 0; i < entry->scale_count; i++) {
    const uint32_t bits = aq_f32_bits(entry->scales[i]);
    for (int shift = 28; shift >= 16; shift -= 4) *to++ = digits[bits >> shift & 15];
  }
  json_t *json = json_stringn(text, (size_t)(to - text));
  aq_free(text);
  return json;
}

static int add_expected(json_t *object, const aq_plan_entry *entry) {
  if (entry->bits <= 0) return 0;
  const int failed = json_object_set_new(object, "bits", json_real(entry->bits));
  return failed | json_object_set_new(object, "loss", json_real(entry->loss));
}

static int add_scheme(json_t *object, const aq_plan_entry *entry) {
  const char *per = entry->group_size > 0 ? "group" : entry->quant_axis < 0 ? "tensor" : "channel";
  int failed = json_object_set_new(object, "per", json_string(per));
  if (entry->group_size > 0) failed |= json_object_set_new(object, "group_size", json_integer(entry->group_size));
  failed |= json_object_set_new(object, "symmetric", json_boolean(entry->scheme.symmetric));
  const char *grid = aq_scale_grid_name(entry->scheme.grid);
  if (grid != NULL) failed |= json_object_set_new(object, "scale_grid", json_string(grid));
  return failed | json_object_set_new(object, "method", json_string(aq_method_name(entry->scheme.method)));
}

/* Those of gptq belong to codes that no plan holds. */
static bool has_own_scales(const aq_plan_entry *entry) {
  return entry->action == AQ_QUANTIZE && entry->scheme.method == AQ_RD && entry->scales != NULL;
}

/* A name or rule that is not UTF-8 cannot be written (json_string gives NULL), and setting NULL fails. */
static json_t *entry_json(const aq_plan_entry *entry, const aq_tensor_info *t, bool scales) {
  json_t *object = json_object();
  int failed = json_object_set_new(object, "name", json_string(entry->name));
  failed |= json_object_set_new(object, "shape", shape_json(t));
  failed |= json_object_set_new(object, "action", json_string(action_words[entry->action]));
  if (entry->action != AQ_KEEP) failed |= json_object_set_new(object, "type", json_string(aq_plan_entry_type(entry)));
  if (entry->action == AQ_QUANTIZE) failed |= add_scheme(object, entry) | add_expected(object, entry);
  if (scales && has_own_scales(entry)) failed |= json_object_set_new(object, "scales", scales_json(entry));
  failed |= json_object_set_new(object, "rule", json_string(entry->rule));
  if (failed == 0) return object;
  json_decref(object);
  return NULL;
}

aq_status aq_plan_to_json(const aq_plan *plan, const aq_tensor_info *tensors, bool scales, json_t **out,
                          aq_error *err) {
  *out = NULL;
  json_t *list = json_array();
  for (size_t i = 0; i < plan->count; i++) {
    if (json_array_append_new(list, entry_json(&plan->entries[i], &tensors[i], scales)) != 0) {
      json_decref(list);
      return aq_fail(err, AQ_ERR_MEMORY, "cannot write the plan as JSON");
    }
  }
  json_t *plan_json = json_object();
  int failed = json_object_set_new(plan_json, "arrowquant_plan", json_integer(PLAN_VERSION));
  failed |= json_object_set_new(plan_json, "tensors", list);
  if (failed != 0) {
    json_decref(plan_json);
    return aq_fail(err, AQ_ERR_MEMORY, "cannot write the plan as JSON");
  }
  *out = plan_json;
  return AQ_OK;
}

/* ---- reading ---- */

static aq_status check_keys(const json_t *object, const char *const *known, size_t count, const char *where,
                            aq_error *err) {
  AQ_FAIL_IF(!json_is_object(object), AQ_ERR_FORMAT, "%s is not a JSON object", where);
  const char *key;
  json_t *value;
  /* Jansson's iterators take an object that is not const, and leave it alone. */
  json_object_foreach((json_t *)object, key, value) {
    size_t i = 0;
    while (i < count && strcmp(key, known[i]) != 0) i++;
    AQ_FAIL_IF(i == count, AQ_ERR_FORMAT, "%s has the unknown key '%.80s'", where, key);
  }
  return AQ_OK;
}

static aq_status check_shape(const json_t *shape, const aq_tensor_info *t, aq_error *err) {
  bool same = json_is_array(shape) && json_array_size(shape) == (size_t)t->rank;
  for (int32_t i = 0; same && i < t->rank; i++) {
    const json_t *size = json_array_get(shape, (size_t)i);
    same = json_is_integer(size) && json_integer_value(size) == t->shape[i];
  }
  AQ_FAIL_IF(!same, AQ_ERR_FORMAT, "the plan has another shape than the source");
  return AQ_OK;
}

static const char *word(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text != NULL ? text : "(missing)";
}

static aq_status read_action(const json_t *object, aq_spec *spec, aq_error *err) {
  const char *action = word(object, "action");
  size_t a = 0;
  while (a < AQ_COUNT_OF(action_words) && strcmp(action, action_words[a]) != 0) a++;
  AQ_FAIL_IF(a == AQ_COUNT_OF(action_words), AQ_ERR_FORMAT, "action '%.80s' is not keep, convert or quantize", action);
  const char *type = word(object, "type");
  if (a != AQ_KEEP && (!aq_spec_set_type(spec, type) || spec->action != (aq_action)a || spec->automatic)) {
    return aq_fail(err, AQ_ERR_FORMAT, "type '%.80s' is not one to %s to; expected %s", type, action,
                   a == AQ_CONVERT ? "fp16, bf16 or fp32" : "int8, int4, int3 or int2");
  }
  spec->has_type = true;
  spec->action = (aq_action)a;
  return AQ_OK;
}

static aq_status read_scheme(const json_t *object, aq_spec *spec, aq_error *err) {
  const char *per = word(object, "per"), *method = word(object, "method");
  AQ_FAIL_IF(!aq_spec_set_per(spec, per), AQ_ERR_FORMAT, "per '%.80s' is not tensor, channel or group", per);
  AQ_FAIL_IF(!aq_spec_set_method(spec, method), AQ_ERR_FORMAT, "method '%.80s' is not minmax, mse, rd or gptq", method);
  const json_t *symmetric = json_object_get(object, "symmetric"), *size = json_object_get(object, "group_size");
  AQ_FAIL_IF(!json_is_boolean(symmetric), AQ_ERR_FORMAT, "symmetric is not true or false");
  spec->symmetry = json_is_true(symmetric) ? AQ_SYMMETRIC : AQ_ASYMMETRIC;
  AQ_FAIL_IF((spec->per == AQ_PER_GROUP) != (size != NULL), AQ_ERR_FORMAT, "group_size goes with per 'group', always");
  if (size == NULL) return AQ_OK;
  const json_int_t value = json_integer_value(size);
  AQ_FAIL_IF(value < AQ_GROUP_SIZE_MIN || value > AQ_GROUP_SIZE_MAX, AQ_ERR_FORMAT,
             "group_size is not between %d and %d", AQ_GROUP_SIZE_MIN, AQ_GROUP_SIZE_MAX);
  spec->group_size = (uint32_t)value;
  return AQ_OK;
}

/* Only where scales are made for another format. */
static aq_status read_grid(const json_t *object, aq_plan_entry *entry, aq_error *err) {
  if (json_object_get(object, "scale_grid") == NULL) return AQ_OK;
  const char *name = word(object, "scale_grid");
  AQ_FAIL_IF(entry->action != AQ_QUANTIZE || !aq_scale_grid_parse(name, &entry->scheme.grid), AQ_ERR_FORMAT,
             "scale_grid '%.80s' is not fp16, whole-zeros or fp16-whole-zeros of a quantized tensor", name);
  return AQ_OK;
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_scale(const char *text, float *out) {
  uint32_t bits = 0;
  for (int i = 0; i < SCALE_DIGITS; i++) {
    const int digit = digit_of(text[i]);
    if (digit < 0) return false;
    bits = bits << 4 | (uint32_t)digit;
  }
  *out = aq_bits_f32(bits << 16);
  return isnormal(*out) && *out > 0;
}

static aq_status read_scales(const json_t *object, const aq_tensor_info *t, aq_plan_entry *entry, aq_error *err) {
  const json_t *scales = json_object_get(object, "scales");
  if (scales == NULL) return AQ_OK;
  AQ_FAIL_IF(!json_is_string(scales) || entry->action != AQ_QUANTIZE || entry->scheme.method != AQ_RD, AQ_ERR_FORMAT,
             "scales go with method rd, as text");
  const uint64_t count = aq_scale_count(t->shape, t->rank, t->num_params, entry->quant_axis, entry->group_size);
  AQ_FAIL_IF(count > SCALES_MAX || json_string_length(scales) != count * SCALE_DIGITS, AQ_ERR_FORMAT,
             "%zu digits of scales; expected %d for each of %llu", json_string_length(scales), SCALE_DIGITS,
             (unsigned long long)count);
  entry->scales = aq_calloc((size_t)AQ_MAX(count, 1), sizeof *entry->scales);
  if (entry->scales == NULL) return aq_fail_memory(err, (size_t)count * sizeof *entry->scales);
  entry->scale_count = count;
  for (uint64_t i = 0; i < count; i++) {
    AQ_FAIL_IF(!read_scale(json_string_value(scales) + i * SCALE_DIGITS, &entry->scales[i]), AQ_ERR_FORMAT,
               "scale %llu is not a positive number in %d hexadecimal digits", (unsigned long long)i, SCALE_DIGITS);
  }
  return AQ_OK;
}

static double expected_of(const json_t *object, const char *key) {
  const double value = json_number_value(json_object_get(object, key));
  return isfinite(value) && value > 0 ? value : 0;
}

static aq_status read_entry(const json_t *object, const aq_tensor_info *t, aq_plan_entry *entry, aq_error *err) {
  static const char *const keys[] = {"name",   "shape", "action", "type", "per",    "group_size", "symmetric",
                                     "method", "rule",  "bits",   "loss", "scales", "scale_grid"};
  aq_spec spec = {0};
  AQ_FAIL_IF(entry->name != NULL, AQ_ERR_FORMAT, "the plan has two entries for it");
  AQ_TRY(check_keys(object, keys, AQ_COUNT_OF(keys), "the entry", err));
  AQ_TRY(check_shape(json_object_get(object, "shape"), t, err));
  AQ_TRY(read_action(object, &spec, err));
  if (spec.action == AQ_QUANTIZE) AQ_TRY(read_scheme(object, &spec, err));
  AQ_FAIL_IF(spec.action != AQ_KEEP && !aq_plan_is_quantizable(t), AQ_ERR_FORMAT,
             "the tensor is %s; only floating-point tensors (float64, float32, float16, bfloat16) can be quantized",
             aq_dtype_name(t->dtype));
  aq_spec_apply(&spec, t, entry);
  AQ_TRY(read_grid(object, entry, err));
  entry->bits = expected_of(object, "bits");
  entry->loss = expected_of(object, "loss");
  AQ_TRY(read_scales(object, t, entry, err));
  entry->name = aq_strdup(t->name);
  entry->rule = aq_strdup("plan");
  return entry->name == NULL || entry->rule == NULL ? aq_fail_memory(err, strlen(t->name) + 1) : AQ_OK;
}

static aq_status read_list(const json_t *list, const aq_tensor_info *tensors, const aq_strmap *index, aq_plan *plan,
                           aq_error *err) {
  size_t at;
  json_t *object;
  json_array_foreach(list, at, object) {
    const char *name = json_string_value(json_object_get(object, "name"));
    AQ_FAIL_IF(name == NULL, AQ_ERR_FORMAT, "entry %llu of the plan has no name", (unsigned long long)at);
    const int64_t i = aq_strmap_get(index, name);
    if (i < 0) {
      (void)aq_fail(err, AQ_ERR_NO_MATCH, "the plan names the tensor '%.200s', which the source does not have", name);
      return aq_hint_nearest(err, AQ_ERR_NO_MATCH, name, tensors, plan->count);
    }
    const aq_status status = read_entry(object, &tensors[i], &plan->entries[i], err);
    if (status != AQ_OK) return aq_error_in_tensor(err, status, name);
  }
  return AQ_OK;
}

/* Tied tensors share their bytes: entries that differ cannot both be carried out. */
static aq_status check_tied(const aq_plan *plan, const aq_tensor_info *tensors, aq_error *err) {
  for (size_t i = 0; i < plan->count; i++) {
    if (tensors[i].alias_of < 0 || (size_t)tensors[i].alias_of >= plan->count) continue;
    char mine[64], theirs[64];
    const aq_plan_entry *owner = &plan->entries[tensors[i].alias_of];
    (void)aq_plan_entry_text(&plan->entries[i], mine, sizeof mine);
    (void)aq_plan_entry_text(owner, theirs, sizeof theirs);
    if (strcmp(mine, theirs) == 0) continue;
    (void)aq_fail(err, AQ_ERR_FORMAT, "the plan says %s, and %s for '%.200s', which has the same bytes", mine, theirs,
                  owner->name);
    (void)aq_error_hint(err, AQ_ERR_FORMAT, "Tied tensors are stored once: give both the same settings");
    return aq_error_in_tensor(err, AQ_ERR_FORMAT, tensors[i].name);
  }
  return AQ_OK;
}

static aq_status read_plan(const json_t *json, const aq_tensor_info *tensors, size_t count, aq_strmap *index,
                           aq_plan *plan, aq_error *err) {
  static const char *const keys[] = {"arrowquant_plan", "tensors"};
  AQ_TRY(check_keys(json, keys, AQ_COUNT_OF(keys), "the plan", err));
  const json_t *version = json_object_get(json, "arrowquant_plan"), *list = json_object_get(json, "tensors");
  AQ_FAIL_IF(!json_is_integer(version), AQ_ERR_FORMAT, "not a plan: arrowquant_plan is missing");
  AQ_FAIL_IF(json_integer_value(version) != PLAN_VERSION, AQ_ERR_UNSUPPORTED,
             "plan version %" PRId64 " is not known; this is version %d", (int64_t)json_integer_value(version),
             PLAN_VERSION);
  AQ_FAIL_IF(!json_is_array(list), AQ_ERR_FORMAT, "the plan has no list of tensors");
  plan->entries = aq_calloc(count, sizeof *plan->entries);
  if (plan->entries == NULL && count > 0) return aq_fail_memory(err, count * sizeof *plan->entries);
  plan->count = count;
  for (size_t i = 0; i < count; i++) AQ_TRY(aq_strmap_add(index, tensors[i].name, (int64_t)i, NULL, err));
  AQ_TRY(read_list(list, tensors, index, plan, err));
  for (size_t i = 0; i < count; i++) {
    if (plan->entries[i].name != NULL) continue;
    (void)aq_fail(err, AQ_ERR_FORMAT, "the plan has no entry for it");
    return aq_error_in_tensor(err, AQ_ERR_FORMAT, tensors[i].name);
  }
  AQ_TRY(check_tied(plan, tensors, err));
  return aq_plan_tie(tensors, plan, err);
}

aq_status aq_plan_from_json(const json_t *json, const aq_tensor_info *tensors, size_t count, aq_plan *plan,
                            aq_error *err) {
  *plan = (aq_plan){NULL, 0, NULL};
  aq_strmap index = {0};
  const aq_status status = read_plan(json, tensors, count, &index, plan, err);
  aq_strmap_reset(&index);
  if (status != AQ_OK) aq_plan_reset(plan);
  return status;
}

/* ---- as text ---- */

aq_status aq_plan_to_text(const aq_plan *plan, const aq_tensor_info *tensors, char **out, aq_error *err) {
  json_t *json;
  *out = NULL;
  AQ_TRY(aq_plan_to_json(plan, tensors, true, &json, err));
  char *text = json_dumps(json, JSON_INDENT(1) | JSON_SORT_KEYS);
  json_decref(json);
  if (text != NULL) *out = aq_strdup(text);
  free(text); /* jansson's own memory */
  return *out != NULL ? AQ_OK : aq_fail_memory(err, 1024);
}

aq_status aq_plan_from_text(const char *text, size_t size, const aq_tensor_info *tensors, size_t count, aq_plan *plan,
                            aq_error *err) {
  json_error_t where;
  json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
  *plan = (aq_plan){NULL, 0, NULL};
  if (json == NULL) {
    (void)aq_fail(err, AQ_ERR_FORMAT, "is not a plan: %s (line %d)", where.text, where.line);
    return aq_error_hint(err, AQ_ERR_FORMAT, "Make one with `save_plan_path`");
  }
  const aq_status status = aq_plan_from_json(json, tensors, count, plan, err);
  json_decref(json);
  return status;
}
