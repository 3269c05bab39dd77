/* plan_spec.h - what a caller asks for in words: the options of quantizing, and the SPEC of a tensor rule. A SPEC is
 * relative to the options; what neither says follows from the type. */
#ifndef AQ_QUANT_PLAN_SPEC_H
#define AQ_QUANT_PLAN_SPEC_H

#include "quant/plan.h"

typedef enum aq_granularity { AQ_PER_UNSET = 0, AQ_PER_TENSOR, AQ_PER_CHANNEL, AQ_PER_GROUP } aq_granularity;

/* Elements a group: 1 would be a scale for every element. */
#define AQ_GROUP_SIZE_MIN 2
#define AQ_GROUP_SIZE_MAX 16777216
#define AQ_GROUP_SIZE_DEFAULT 64

typedef struct aq_spec {
  bool has_type;
  aq_action action;
  aq_quant_type type; /* AQ_QUANTIZE */
  aq_dtype dtype;     /* AQ_CONVERT */
  aq_granularity per;
  uint32_t group_size; /* 0: not said */
  aq_symmetry symmetry;
  bool has_method;
  aq_method method;
  bool automatic; /* type "auto": a search chooses type, granularity and scales; the type here stands for any */
} aq_spec;

/* The options as a spec that has a type. */
AQ_MUST_CHECK aq_status aq_spec_from_options(const aq_quantize_options *options, aq_spec *spec, aq_error *err);

/* text: "int8,per=channel,sym". What it does not say is unset. */
AQ_MUST_CHECK aq_status aq_spec_parse(const char *text, aq_spec *spec, aq_error *err);

/* `spec`, and what it leaves unset from `base`. A granularity other than group in `spec` drops the group size of
 * `base`.
 */
aq_spec aq_spec_merge(const aq_spec *spec, const aq_spec *base);

/* What a spec with a type means for a tensor: fills action, dtype, scheme, quant_axis, group_size and span_length of
 * the entry. A conversion to the dtype that the tensor has already is AQ_KEEP. */
void aq_spec_apply(const aq_spec *spec, const aq_tensor_info *tensor, aq_plan_entry *entry);

/* The words of a plan file, one at a time; false when unknown. */
bool aq_spec_set_type(aq_spec *spec, const char *name);
bool aq_spec_set_per(aq_spec *spec, const char *name);
bool aq_spec_set_method(aq_spec *spec, const char *name);
const char *aq_method_name(aq_method method);

#endif
