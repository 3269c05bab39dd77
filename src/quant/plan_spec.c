/* plan_spec.c - the words for types, granularities and methods, in tables; SPEC; and what they mean for a shape. */
#include "quant/plan_spec.h"

#include <string.h>
#include <strings.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

static const struct type_word {
  const char *name;
  aq_action action;
  aq_quant_type type;
  aq_dtype dtype;
} type_words[] = {
    {"int8", AQ_QUANTIZE, AQ_INT8, AQ_DTYPE_INVALID},
    {"int4", AQ_QUANTIZE, AQ_INT4, AQ_DTYPE_INVALID},
    {"int3", AQ_QUANTIZE, AQ_INT3, AQ_DTYPE_INVALID},
    {"int2", AQ_QUANTIZE, AQ_INT2, AQ_DTYPE_INVALID},
    {"fp16", AQ_CONVERT, AQ_KEPT, AQ_F16},
    {"bf16", AQ_CONVERT, AQ_KEPT, AQ_BF16},
    {"fp32", AQ_CONVERT, AQ_KEPT, AQ_F32},
};
static const char auto_word[] = "auto";
static const char known_types[] = "int8, int4, int3, int2, fp16, bf16, fp32 or auto";

static const char *const per_words[] = {
    [AQ_PER_TENSOR] = "tensor", [AQ_PER_CHANNEL] = "channel", [AQ_PER_GROUP] = "group"};
static const char known_pers[] = "tensor, channel or group";

static const char *const method_words[] = {
    [AQ_MINMAX] = "minmax", [AQ_MSE] = "mse", [AQ_RD] = "rd", [AQ_GPTQ] = "gptq"};
static const char known_methods[] = "minmax, mse or gptq";

static void set_automatic(aq_spec *spec) {
  spec->has_type = spec->automatic = spec->has_method = true;
  spec->action = AQ_QUANTIZE;
  spec->type = AQ_INT4;
  spec->method = AQ_RD;
  spec->per = AQ_PER_CHANNEL;
  spec->symmetry = AQ_SYMMETRIC;
}

bool aq_spec_set_type(aq_spec *spec, const char *name) {
  if (strcasecmp(name, auto_word) == 0) {
    set_automatic(spec);
    return true;
  }
  for (size_t i = 0; i < AQ_COUNT_OF(type_words); i++) {
    if (strcasecmp(name, type_words[i].name) != 0) continue;
    spec->has_type = true;
    spec->action = type_words[i].action;
    spec->type = type_words[i].type;
    spec->dtype = type_words[i].dtype;
    return true;
  }
  return false;
}

bool aq_spec_set_per(aq_spec *spec, const char *name) {
  for (size_t i = AQ_PER_TENSOR; i < AQ_COUNT_OF(per_words); i++) {
    if (strcasecmp(name, per_words[i]) != 0) continue;
    spec->per = (aq_granularity)i;
    return true;
  }
  return false;
}

bool aq_spec_set_method(aq_spec *spec, const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(method_words); i++) {
    if (strcasecmp(name, method_words[i]) != 0) continue;
    spec->has_method = true;
    spec->method = (aq_method)i;
    return true;
  }
  return false;
}

const char *aq_method_name(aq_method method) { return method_words[method]; }

/* A whole number in the range of group sizes, or 0. */
static uint32_t group_size_of(const char *text) {
  uint32_t value = 0;
  if (*text == '\0') return 0;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') return 0;
    value = value * 10 + (uint32_t)(*text - '0');
    if (value > AQ_GROUP_SIZE_MAX) return 0;
  }
  return value >= AQ_GROUP_SIZE_MIN ? value : 0;
}

static aq_status check_group(const aq_spec *spec, const char *what, aq_error *err) {
  if (spec->group_size == 0 || spec->per == AQ_PER_UNSET || spec->per == AQ_PER_GROUP) return AQ_OK;
  return aq_fail(err, AQ_ERR_ARGUMENT, "%s: a group size goes with granularity group, not with %s", what,
                 per_words[spec->per]);
}

aq_status aq_spec_from_options(const aq_quantize_options *options, aq_spec *spec, aq_error *err) {
  *spec = (aq_spec){.group_size = options->group_size, .symmetry = options->symmetry};
  const char *type = options->type == NULL ? "int8" : options->type;
  AQ_FAIL_IF(!aq_spec_set_type(spec, type), AQ_ERR_ARGUMENT, "type '%s' is not known: %s", type, known_types);
  const bool said = options->granularity != NULL || options->method != NULL || options->group_size != 0 ||
                    options->symmetry != AQ_SYMMETRY_DEFAULT;
  AQ_FAIL_IF(spec->automatic && said, AQ_ERR_ARGUMENT,
             "type auto chooses granularity, group size, symmetry and method itself; leave them out");
  if (options->granularity != NULL) {
    AQ_FAIL_IF(!aq_spec_set_per(spec, options->granularity), AQ_ERR_ARGUMENT, "granularity '%s' is not known: %s",
               options->granularity, known_pers);
  }
  if (options->method != NULL) {
    AQ_FAIL_IF(!aq_spec_set_method(spec, options->method) || spec->method == AQ_RD, AQ_ERR_ARGUMENT,
               "method '%s' is not known: %s", options->method, known_methods);
  }
  const uint32_t size = options->group_size;
  AQ_FAIL_IF(size != 0 && (size < AQ_GROUP_SIZE_MIN || size > AQ_GROUP_SIZE_MAX), AQ_ERR_ARGUMENT,
             "group size %u is not between %d and %d", (unsigned)size, AQ_GROUP_SIZE_MIN, AQ_GROUP_SIZE_MAX);
  AQ_FAIL_IF(options->symmetry < AQ_SYMMETRY_DEFAULT || options->symmetry > AQ_ASYMMETRIC, AQ_ERR_ARGUMENT,
             "symmetry %d is not known", (int)options->symmetry);
  return check_group(spec, "the options", err);
}

/* ---- SPEC ---- */

/* One item of a SPEC sets one field; a field that is set already, or a value that is not known, is refused. */
typedef enum item { ITEM_OK, ITEM_TWICE, ITEM_BAD_VALUE, ITEM_UNKNOWN } item;

static item set_type(aq_spec *spec, const char *value) {
  const bool twice = spec->has_type;
  if (!aq_spec_set_type(spec, value)) return ITEM_BAD_VALUE;
  return twice ? ITEM_TWICE : ITEM_OK;
}

static item set_per(aq_spec *spec, const char *value) {
  if (spec->per != AQ_PER_UNSET) return ITEM_TWICE;
  return aq_spec_set_per(spec, value) ? ITEM_OK : ITEM_BAD_VALUE;
}

static item set_group(aq_spec *spec, const char *value) {
  if (spec->group_size != 0) return ITEM_TWICE;
  spec->group_size = group_size_of(value);
  return spec->group_size != 0 ? ITEM_OK : ITEM_BAD_VALUE;
}

static item set_method(aq_spec *spec, const char *value) {
  if (spec->has_method) return ITEM_TWICE;
  return aq_spec_set_method(spec, value) && spec->method != AQ_RD ? ITEM_OK : ITEM_BAD_VALUE;
}

static const struct key_word {
  const char *key;
  item (*set)(aq_spec *spec, const char *value);
  const char *known;
} key_words[] = {
    {"type", set_type, known_types},
    {"per", set_per, known_pers},
    {"granularity", set_per, known_pers},
    {"group", set_group, "a whole number between 2 and 16777216"},
    {"group_size", set_group, "a whole number between 2 and 16777216"},
    {"group-size", set_group, "a whole number between 2 and 16777216"},
    {"method", set_method, known_methods},
};

static item set_pair(aq_spec *spec, const char *text, const char **known) {
  const char *equals = strchr(text, '=');
  for (size_t i = 0; i < AQ_COUNT_OF(key_words); i++) {
    const size_t length = strlen(key_words[i].key);
    if ((size_t)(equals - text) != length || strncasecmp(text, key_words[i].key, length) != 0) continue;
    *known = key_words[i].known;
    return key_words[i].set(spec, equals + 1);
  }
  return ITEM_UNKNOWN;
}

static item set_word(aq_spec *spec, const char *text) {
  static const struct {
    const char *name;
    aq_symmetry symmetry;
  } words[] = {
      {"sym", AQ_SYMMETRIC}, {"symmetric", AQ_SYMMETRIC}, {"asym", AQ_ASYMMETRIC}, {"asymmetric", AQ_ASYMMETRIC}};
  for (size_t i = 0; i < AQ_COUNT_OF(words); i++) {
    if (strcasecmp(text, words[i].name) != 0) continue;
    if (spec->symmetry != AQ_SYMMETRY_DEFAULT) return ITEM_TWICE;
    spec->symmetry = words[i].symmetry;
    return ITEM_OK;
  }
  if (strcasecmp(text, "keep") == 0) {
    if (spec->has_type) return ITEM_TWICE;
    spec->has_type = true;
    spec->action = AQ_KEEP;
    return ITEM_OK;
  }
  const item result = set_type(spec, text);
  return result == ITEM_BAD_VALUE ? ITEM_UNKNOWN : result;
}

static aq_status parse_item(aq_spec *spec, const char *text, aq_error *err) {
  const char *known = "";
  switch (strchr(text, '=') != NULL ? set_pair(spec, text, &known) : set_word(spec, text)) {
    case ITEM_OK:
      return AQ_OK;
    case ITEM_TWICE:
      return aq_fail(err, AQ_ERR_ARGUMENT, "'%s' sets again what is set before it", text);
    case ITEM_BAD_VALUE:
      return aq_fail(err, AQ_ERR_ARGUMENT, "'%s' is not allowed: expected %s", text, known);
    default:
      return aq_fail(err, AQ_ERR_ARGUMENT,
                     "'%s' is not known: expected a type (%s), keep, per=..., group=N, sym, asym or method=...", text,
                     known_types);
  }
}

aq_status aq_spec_parse(const char *text, aq_spec *spec, aq_error *err) {
  *spec = (aq_spec){0};
  char *copy = aq_strdup(text);
  if (copy == NULL) return aq_fail_memory(err, strlen(text) + 1);
  aq_status status = AQ_OK;
  for (char *part = copy; part != NULL && status == AQ_OK;) {
    char *comma = strchr(part, ',');
    if (comma != NULL) *comma = '\0';
    status = parse_item(spec, part, err);
    part = comma != NULL ? comma + 1 : NULL;
  }
  aq_free(copy);
  if (status != AQ_OK) return status;
  AQ_FAIL_IF(spec->automatic && strchr(text, ',') != NULL, AQ_ERR_ARGUMENT, "'%s': auto stands alone", text);
  if (spec->automatic) return AQ_OK;
  const bool details =
      spec->per != AQ_PER_UNSET || spec->group_size != 0 || spec->symmetry != AQ_SYMMETRY_DEFAULT || spec->has_method;
  AQ_FAIL_IF(spec->has_type && spec->action != AQ_QUANTIZE && details, AQ_ERR_ARGUMENT,
             "'%s': granularity, symmetry and method go with an integer type", text);
  return check_group(spec, text, err);
}

aq_spec aq_spec_merge(const aq_spec *spec, const aq_spec *base) {
  /* What a search chooses says nothing about a tensor that has a type. */
  static const aq_spec nothing = {0};
  if (spec->has_type && base->automatic) base = &nothing;
  aq_spec merged = *spec;
  if (!spec->has_type) {
    merged.automatic = base->automatic;
    merged.has_type = base->has_type;
    merged.action = base->action;
    merged.type = base->type;
    merged.dtype = base->dtype;
  }
  if (spec->per == AQ_PER_UNSET && spec->group_size == 0) {
    merged.per = base->per;
    merged.group_size = base->group_size;
  } else if (spec->per == AQ_PER_GROUP && spec->group_size == 0) {
    merged.group_size = base->group_size;
  }
  if (spec->symmetry == AQ_SYMMETRY_DEFAULT) merged.symmetry = base->symmetry;
  if (!spec->has_method) {
    merged.has_method = base->has_method;
    merged.method = base->method;
  }
  return merged;
}

/* ---- meaning ---- */

static aq_granularity granularity_of(const aq_spec *spec) {
  if (spec->per != AQ_PER_UNSET) return spec->per;
  return spec->group_size != 0 || spec->type != AQ_INT8 ? AQ_PER_GROUP : AQ_PER_CHANNEL;
}

static void apply_group(aq_plan_entry *entry, uint64_t size) {
  entry->quant_axis = 0;
  entry->group_size = (int32_t)size;
  entry->span_length = size;
}

/* A vector has no channels. Stacks of matrices have one a row: of one expert, not of all of them together. */
static void apply_channel(aq_plan_entry *entry, const aq_tensor_info *t) {
  enum { ROW_MIN = 32 };
  const int64_t last = t->rank > 0 ? t->shape[t->rank - 1] : 1;
  if (t->rank < 2) return;
  if (t->rank > 2 && last >= ROW_MIN && last <= INT32_MAX) {
    apply_group(entry, (uint64_t)last);
    return;
  }
  entry->quant_axis = 0;
  entry->span_length = t->shape[0] > 0 ? t->num_params / (uint64_t)t->shape[0] : 0;
}

void aq_spec_apply(const aq_spec *spec, const aq_tensor_info *tensor, aq_plan_entry *entry) {
  const bool is_int8 = spec->type == AQ_INT8;
  entry->action = spec->action;
  entry->dtype = spec->dtype;
  entry->scheme = (aq_scheme){.type = AQ_KEPT};
  entry->quant_axis = -1;
  entry->group_size = 0;
  entry->span_length = tensor->num_params;
  if (spec->action == AQ_CONVERT && spec->dtype == tensor->dtype) entry->action = AQ_KEEP;
  if (spec->action != AQ_QUANTIZE) return;
  entry->scheme.type = spec->type;
  entry->scheme.method = spec->has_method ? spec->method : is_int8 ? AQ_MINMAX : AQ_MSE;
  entry->scheme.symmetric = spec->symmetry == AQ_SYMMETRY_DEFAULT ? is_int8 : spec->symmetry == AQ_SYMMETRIC;
  const aq_granularity per = granularity_of(spec);
  if (per == AQ_PER_GROUP) apply_group(entry, spec->group_size != 0 ? spec->group_size : AQ_GROUP_SIZE_DEFAULT);
  if (per == AQ_PER_CHANNEL) apply_channel(entry, tensor);
}
