/* export_layout.c - a plan seen with the eyes of a format. */
#include "io/export_layout.h"

#include <string.h>

#include "core/error.h"
#include "tensor/dtype.h"

aq_status aq_export_layout_open_planned(const aq_export_layout *layout, aq_graph_maker make_graph,
                                        const aq_source *source, const aq_tensor_info *tensors, const aq_plan *plan,
                                        aq_source **out, aq_error *err) {
  aq_source *overlay;
  *out = NULL;
  AQ_TRY(aq_source_overlay(source, NULL, &overlay, err));
  for (size_t i = 0; i < plan->count; i++) {
    aq_tensor_info *t = &overlay->tensors[i];
    const aq_plan_entry *e = &plan->entries[i];
    t->alias_of = tensors[i].alias_of;
    if (e->action == AQ_KEEP) continue;
    t->quant_type = AQ_KEPT;
    if (e->action == AQ_CONVERT) t->dtype = e->dtype;
  }
  const aq_status status = layout->open_graph != NULL
                               ? layout->open_graph(overlay, AQ_DTYPE_INVALID, make_graph, NULL, out, err)
                               : layout->open(overlay, AQ_DTYPE_INVALID, out, err);
  aq_source_close(overlay); /* which *out holds */
  return status;
}

uint64_t aq_export_layout_value_bytes(const aq_export_layout *layout, const aq_source *stored, size_t index) {
  const aq_tensor_info *t = &stored->tensors[index];
  const bool is_converted = layout->dtype != AQ_DTYPE_INVALID && aq_dtype_is_float(t->dtype);
  return t->num_params * aq_dtype_bits(is_converted ? layout->dtype : t->dtype) / 8;
}

aq_dtype aq_export_value_dtype(aq_dtype dtype) { return dtype == AQ_BF16 ? AQ_BF16 : AQ_F16; }

bool aq_export_layout_has_values(const aq_export_layout *layout) {
  bool found = false;
  for (size_t i = 0; i < layout->choice_count; i++) found = found || layout->choices[i].type == AQ_KEPT;
  return found;
}

aq_status aq_export_layout_measure(const aq_export_layout *layout, aq_graph_maker make_graph, const aq_source *source,
                                   const aq_tensor_info *tensors, const aq_plan *plan, uint64_t *bytes,
                                   uint64_t *overhead, aq_error *err) {
  aq_source *stored;
  memset(bytes, 0, plan->count * sizeof *bytes);
  AQ_TRY(aq_export_layout_open_planned(layout, make_graph, source, tensors, plan, &stored, err));
  for (size_t i = 0; i < stored->tensor_count; i++) {
    const size_t origin = layout->describe(stored, i).origin, owner = aq_plan_owner(plan, origin);
    const aq_plan_entry *e = &plan->entries[owner];
    bytes[owner] += e->action == AQ_QUANTIZE
                        ? layout->code_bytes(&tensors[origin], e->scheme.type, e->span_length, e->scheme.symmetric)
                        : aq_export_layout_value_bytes(layout, stored, i);
  }
  *overhead = layout->overhead(stored);
  aq_source_close(stored);
  return AQ_OK;
}
