/* plan_fixture.h - plans for sources in memory, made from options as callers give them. */
#ifndef AQ_TESTS_PLAN_FIXTURE_H
#define AQ_TESTS_PLAN_FIXTURE_H

#include "arrowquant_experimental.h"
#include "io/source.h"
#include "quant/plan.h"
#include "source_fixture.h"

/* As operations hand them on. */
static const aq_search_options no_search_options = {.sizeof_options = sizeof no_search_options};

/* type as for the option, per: "tensor", "channel" or "group"; group 0: the default. 1-D tensors are quantized too. */
static inline aq_quantize_options plan_options(const char *type, const char *per, uint32_t group, const char *method) {
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  o.search = &no_search_options;
  o.type = type;
  o.granularity = per;
  o.group_size = group;
  o.method = method;
  o.quantize_1d = true;
  return o;
}

static inline aq_plan make_plan(const aq_source *source, const aq_quantize_options *o) {
  aq_error err;
  aq_plan plan;
  assert_ok(aq_plan_make(source->tensors, source->tensor_count, o, &plan, &err));
  return plan;
}

#endif
