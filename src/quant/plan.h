/* plan.h - what every tensor of a source becomes, and by which rule. Made from options, or read from JSON. */
#ifndef AQ_QUANT_PLAN_H
#define AQ_QUANT_PLAN_H

#include <jansson.h>

#include "arrowquant.h"
#include "quant/scheme.h"

typedef enum aq_action { AQ_KEEP = 0, AQ_CONVERT, AQ_QUANTIZE } aq_action;

typedef struct aq_plan_entry {
  char *name; /* owned */
  aq_action action;
  aq_dtype dtype;       /* AQ_CONVERT: to what */
  aq_scheme scheme;     /* AQ_QUANTIZE */
  int32_t quant_axis;   /* AQ_QUANTIZE: -1 or 0 */
  int32_t group_size;   /* AQ_QUANTIZE: 0 or n */
  uint64_t span_length; /* AQ_QUANTIZE: elements that share a scale (num_params for axis -1) */
  float *scales;        /* AQ_QUANTIZE: one a span, instead of fitting them; owned; NULL: they are fitted */
  float *zero_points;   /* with scales; owned; NULL: zeros */
  uint64_t scale_count;
  double bits, loss;    /* of a planned tensor: expected bits per weight on disk, expected loss of similarity; or 0 */
  char *rule;           /* owned; why, in words: "default int8", "1-D tensor", "plan", or of rule_words.h */
  bool tied;            /* the tensor has the bytes of another one, whose entry decides for both and has the scales: */
  uint32_t tied_to;     /* this entry, which is not tied */
  bool adjusted;        /* AQ_KEEP: its values were changed to suit the quantized ones */
  bool kept_by_default; /* AQ_KEEP although no rule of the caller says so */
  bool unexpected;      /* kept_by_default and a floating-point matrix of 1024 values or more: what `strict` refuses */
} aq_plan_entry;

typedef struct aq_plan {
  aq_plan_entry *entries; /* one per tensor, in the tensors' order */
  size_t count;
  aq_tensor_info *tensors; /* what it is a plan for, when it stands alone (aq_plan_keep_tensors); owned; else NULL */
} aq_plan;

/* From options (type, granularity, ..., tensor_rules, keep_patterns): defaults first, then tensor rules in order, then
 * keep patterns. By default floating-point tensors of rank >= 2 with 1024 values or more are quantized (quantize_1d:
 * all but scalars). A rule takes what it names exactly; of what a glob or regex matches, the tensors that are
 * quantized by default, or, when there is none among them, all floating-point ones. A pattern without a tensor is
 * AQ_ERR_NO_MATCH naming the nearest tensor names; a value that is not allowed is AQ_ERR_ARGUMENT naming the option,
 * the value and what is allowed. Granularity "channel" on rank >= 3 with a last axis of at least 32 means one scale a
 * row of the last axis (groups of that length), so that fused experts get scales of their own; with a shorter last axis
 * (convolutions) one a slice of axis 0. Aliases get the entry of the tensor that they share bytes with. */
AQ_MUST_CHECK aq_status aq_plan_make(const aq_tensor_info *tensors, size_t count, const aq_quantize_options *options,
                                     aq_plan *plan, aq_error *err);

/* Ties the entries of tensors that have alias_of set, and gives them what they are tied to. */
AQ_MUST_CHECK aq_status aq_plan_tie(const aq_tensor_info *tensors, aq_plan *plan, aq_error *err);

/* Gives every tied entry what it is tied to, under its own name; after a change of that. */
AQ_MUST_CHECK aq_status aq_plan_share_ties(aq_plan *plan, aq_error *err);

/* Whether the values of a tensor can be quantized or converted: float64, float32, float16, bfloat16. */
bool aq_plan_is_quantizable(const aq_tensor_info *tensor);

/* Whether an entry's scales are still to be found from more than its tensor: by a search (rd), with calibration (gptq).
 * Those of an alias are its owner's. */
static inline bool aq_plan_entry_is_open(const aq_plan_entry *entry, aq_method method) {
  return entry->action == AQ_QUANTIZE && entry->scheme.method == method && entry->scales == NULL && !entry->tied;
}

/* Has an entry keep its tensor, which holds a value that cannot be quantized or converted. */
AQ_MUST_CHECK aq_status aq_plan_entry_keep_nonfinite(aq_plan_entry *entry, aq_error *err);

/* Forgets the scales of an entry. */
void aq_plan_entry_drop_scales(aq_plan_entry *entry);

/* JSON: {"arrowquant_plan": 1, "tensors": [{"name", "shape", "action", "type", "per", "group_size", "symmetric",
 * "method", "rule", "scales"}]}. Reading checks that it names exactly the given tensors with their shapes. Scales are
 * hexadecimal digits, four for each: the upper half of an FP32 number; a table's own plan leaves them out. */
AQ_MUST_CHECK aq_status aq_plan_to_json(const aq_plan *plan, const aq_tensor_info *tensors, bool scales, json_t **out,
                                        aq_error *err);
AQ_MUST_CHECK aq_status aq_plan_from_json(const json_t *json, const aq_tensor_info *tensors, size_t count,
                                          aq_plan *plan, aq_error *err);
/* The same as text, scales included. Free *out with aq_free. */
AQ_MUST_CHECK aq_status aq_plan_to_text(const aq_plan *plan, const aq_tensor_info *tensors, char **out, aq_error *err);
AQ_MUST_CHECK aq_status aq_plan_from_text(const char *text, size_t size, const aq_tensor_info *tensors, size_t count,
                                          aq_plan *plan, aq_error *err);

/* Has a plan hold a copy of its tensors, so that it needs no source any more. */
AQ_MUST_CHECK aq_status aq_plan_keep_tensors(aq_plan *plan, const aq_tensor_info *tensors, aq_error *err);

/* A copy of a plan that stands alone. Reset it. */
AQ_MUST_CHECK aq_status aq_plan_copy(const aq_plan *plan, aq_plan *out, aq_error *err);
void aq_plan_reset(aq_plan *plan);

/* The entry that decides about tensor i: the one it is tied to, or its own. */
static inline size_t aq_plan_owner(const aq_plan *plan, size_t i) {
  return plan->entries[i].tied ? plan->entries[i].tied_to : i;
}

/* Bytes of data, scales and zero points that an entry makes of its tensor, before compression. */
uint64_t aq_plan_entry_bytes(const aq_tensor_info *tensor, const aq_plan_entry *entry);

/* "int4", "fp16", "kept". Static storage. */
const char *aq_plan_entry_type(const aq_plan_entry *entry);

/* "int4 g64 asym mse", "int8 per channel sym minmax", "fp16", "kept". Into out; returns out. */
const char *aq_plan_entry_text(const aq_plan_entry *entry, char *out, size_t size);

#endif
