/* quantized_layer.c - telling the codes and scales of other tools' quantization from ordinary tensors.
 *
 * There are dozens of such schemes, and each names its tensors in its own way:
 *
 *   GPTQ, AWQ            l.qweight, l.qzeros, l.scales, l.g_idx
 *   compressed-tensors   l.weight_packed or l.weight (int8, FP8), l.weight_scale, l.weight_zero_point
 *   bitsandbytes         l.weight (uint8), l.weight.absmax, l.weight.quant_map; l.weight (int8), l.SCB
 *   MLX                  l.weight (uint32), l.scales, l.biases
 *   FP8 by blocks        l.weight (FP8), l.weight_scale_inv
 *   quanto, torchao      l.weight._data, l.weight._scale; l._weight_qdata, l._weight_scale
 *   MXFP4, HQQ, AQLM     l_blocks, l_scales; l.W_q, l.scale; l.codes, l.codebooks
 *
 * What they have in common is enough: the codes of a weight have a dtype that no weight that was trained has, and what
 * decodes them lies beside them in the module. A list of names alone would miss the next scheme; this takes a module
 * with such codes whole. */
#include "quant/quantized_layer.h"

#include <string.h>
#include <strings.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/strmap.h"
#include "tensor/dtype.h"

/* The last component of a name, and how long the name of its module is, the dot not counted. */
static const char *last_component(const char *name, size_t *module) {
  const char *dot = strrchr(name, '.');
  *module = dot != NULL ? (size_t)(dot - name) : 0;
  return dot != NULL ? dot + 1 : name;
}

static bool contains_any(const char *text, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (strstr(text, words[i]) != NULL) return true;
  }
  return false;
}

/* int64 is the dtype of indices and positions; float16 and wider are those of weights. */
static bool has_dtype_of_codes(const aq_tensor_info *t) {
  static const aq_dtype codes[] = {AQ_I32,         AQ_I16,     AQ_I8,      AQ_U32,     AQ_U16,
                                   AQ_U8,          AQ_F8_E4M3, AQ_F8_E5M2, AQ_F8_E8M0, AQ_F8_E4M3FNUZ,
                                   AQ_F8_E5M2FNUZ, AQ_F6_E2M3, AQ_F6_E3M2, AQ_F4};
  if (t->quant_type != AQ_KEPT || t->rank == 0) return false;
  for (size_t i = 0; i < AQ_COUNT_OF(codes); i++) {
    if (t->dtype == codes[i]) return true;
  }
  return false;
}

static bool is_named_as_scales(const char *last) {
  static const char *const words[] = {"scale", "absmax", "codebook", "centroid", "qzeros", "SCB", "Wscale"};
  static const char *const whole[] = {"s", "suh", "SU", "zeros"};
  for (size_t i = 0; i < AQ_COUNT_OF(whole); i++) {
    if (strcmp(last, whole[i]) == 0) return true;
  }
  return contains_any(last, words, AQ_COUNT_OF(words));
}

/* Integers that ordinary models hold, and what belongs to codes without being some. */
static bool is_named_as_other(const char *last) {
  static const char *const words[] = {"scale", "zero", "shape", "mask", "position",
                                      "index", "_ids", "bias",  "num_", "idx"};
  return strcmp(last, "ids") == 0 || contains_any(last, words, AQ_COUNT_OF(words));
}

typedef struct search {
  const aq_tensor_info *tensors;
  size_t count;
  aq_strmap scaled;  /* modules that have a tensor named as scales are */
  aq_strmap vectors; /* those where it is more than a single number, which ordinary modules have too (logit_scale) */
  aq_strmap modules; /* modules that have codes */
  char **keys;       /* of both maps; owned */
  size_t key_count;
} search;

static aq_status add_module(search *s, aq_strmap *map, const char *name, size_t length, int64_t value, bool *added,
                            aq_error *err) {
  char *key = aq_strndup(name, length);
  if (key == NULL) return aq_fail_memory(err, length);
  s->keys[s->key_count++] = key;
  int64_t existing = -1;
  AQ_TRY(aq_strmap_add(map, key, value, &existing, err));
  if (added != NULL) *added = existing < 0;
  return AQ_OK;
}

static bool has_module(const aq_strmap *map, const char *name, size_t length, char *room) {
  memcpy(room, name, length);
  room[length] = '\0';
  return aq_strmap_get(map, room) >= 0;
}

/* l.weight.absmax scales l.weight, so it counts for the module l too. */
static aq_status collect_scales(search *s, aq_error *err) {
  for (size_t i = 0; i < s->count; i++) {
    const char *name = s->tensors[i].name;
    size_t module = 0;
    if (!is_named_as_scales(last_component(name, &module))) continue;
    AQ_TRY(add_module(s, &s->scaled, name, module, (int64_t)i, NULL, err));
    if (s->tensors[i].rank > 0) AQ_TRY(add_module(s, &s->vectors, name, module, (int64_t)i, NULL, err));
    size_t outer = module;
    while (outer > 0 && name[outer - 1] != '.') outer--;
    const size_t parameter = outer > 0 ? outer - 1 : 0;
    if (module > 0 && strncmp(name + outer, "weight", module - outer) == 0)
      AQ_TRY(add_module(s, &s->scaled, name, parameter, (int64_t)i, NULL, err));
  }
  return AQ_OK;
}

/* Under the name of a weight integers are codes, and FP8 is where there are scales: without, it is a dtype that weights
 * may have been cast to. Under any other name a matrix of either is, beside a vector of scales. */
static bool is_code(const search *s, const aq_tensor_info *t, const char *last, size_t module, char *room) {
  static const char *const data[] = {"_data", "qdata", "W_q"};
  if (!has_dtype_of_codes(t) || is_named_as_other(last)) return false;
  const bool is_weight = strstr(last, "weight") != NULL;
  if (is_weight && !aq_dtype_is_float(t->dtype)) return true;
  if (is_weight || contains_any(last, data, AQ_COUNT_OF(data))) return has_module(&s->scaled, t->name, module, room);
  return t->rank >= 2 && has_module(&s->vectors, t->name, module, room);
}

static aq_status collect_codes(search *s, char *room, aq_quantized_layers *out, aq_error *err) {
  for (size_t i = 0; i < s->count; i++) {
    const aq_tensor_info *t = &s->tensors[i];
    size_t module = 0;
    const char *last = last_component(t->name, &module);
    if (!is_code(s, t, last, module, room)) continue;
    bool added = false;
    AQ_TRY(add_module(s, &s->modules, t->name, module, (int64_t)i, &added, err));
    if (!added) continue;
    if (out->count++ == 0) out->first = i;
  }
  return AQ_OK;
}

/* In a module with codes, at any depth; what has no module belongs to codes that have none either. */
static bool is_member(const search *s, const char *name, char *room) {
  size_t length = 0;
  (void)last_component(name, &length);
  if (length == 0) return has_module(&s->modules, name, 0, room);
  for (; length > 0; length--) {
    if ((name[length] == '.') && has_module(&s->modules, name, length, room)) return true;
  }
  return false;
}

/* An end that begins with a dot is a last component, which a name without a module is itself. */
static bool ends_with(const char *name, const char *end) {
  const size_t length = strlen(name), size = strlen(end);
  if (length >= size && strcmp(name + length - size, end) == 0) return true;
  return end[0] == '.' && strcmp(name, end + 1) == 0;
}

/* Ends of names that a scheme alone has, the more telling ones first. */
static const char *scheme_of(const search *s, const bool *members) {
  static const struct {
    const char *end, *scheme;
  } ends[] = {{"g_idx", "GPTQ"},
              {".qzeros", "GPTQ or AWQ"},
              {".qweight", "GPTQ or AWQ"},
              {"weight_packed", "compressed-tensors"},
              {".weight_scale_inv", "FP8 by blocks"},
              {".SCB", "bitsandbytes, int8"},
              {".absmax", "bitsandbytes, 4 bit"},
              {"._data", "quanto"},
              {"_qdata", "torchao"},
              {".W_q", "HQQ"},
              {"codebooks", "AQLM"},
              {"_blocks", "MXFP4"},
              {".trellis", "EXL3"},
              {".q_weight", "EXL2"},
              {".weight_scale_2", "NVFP4"},
              {".biases", "MLX"},
              {".weight_scale", "compressed-tensors or FP8"}};
  for (size_t k = 0; k < AQ_COUNT_OF(ends); k++) {
    for (size_t i = 0; i < s->count; i++) {
      if (members[i] && ends_with(s->tensors[i].name, ends[k].end)) return ends[k].scheme;
    }
  }
  return NULL;
}

static aq_status find_layers(search *s, char *room, aq_quantized_layers *out, aq_error *err) {
  AQ_TRY(collect_scales(s, err));
  AQ_TRY(collect_codes(s, room, out, err));
  if (out->count == 0) return AQ_OK;
  out->members = aq_calloc(s->count, sizeof *out->members);
  if (out->members == NULL) return aq_fail_memory(err, s->count);
  for (size_t i = 0; i < s->count; i++) out->members[i] = is_member(s, s->tensors[i].name, room);
  out->scheme = scheme_of(s, out->members);
  return AQ_OK;
}

aq_status aq_quantized_layers_find(const aq_tensor_info *tensors, size_t count, aq_quantized_layers *out,
                                   aq_error *err) {
  *out = (aq_quantized_layers){.members = NULL};
  search s = {.tensors = tensors, .count = count};
  size_t longest = 0;
  for (size_t i = 0; i < count; i++) longest = AQ_MAX(longest, strlen(tensors[i].name));
  char *room = aq_malloc(longest + 1);
  s.keys = aq_calloc(4 * count + 1, sizeof *s.keys);
  const aq_status status = room != NULL && s.keys != NULL ? find_layers(&s, room, out, err)
                                                          : aq_fail_memory(err, 4 * count * sizeof *s.keys);
  aq_strmap_reset(&s.scaled);
  aq_strmap_reset(&s.vectors);
  aq_strmap_reset(&s.modules);
  for (size_t i = 0; i < s.key_count; i++) aq_free(s.keys[i]);
  aq_free(s.keys);
  aq_free(room);
  if (status != AQ_OK) aq_quantized_layers_reset(out);
  return status;
}

void aq_quantized_layers_reset(aq_quantized_layers *layers) {
  aq_free(layers->members);
  *layers = (aq_quantized_layers){.members = NULL};
}
