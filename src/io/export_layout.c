/* export_layout.c - a plan seen with the eyes of a format. */
#include "io/export_layout.h"

#include "core/error.h"

aq_status aq_export_layout_open_planned(const aq_export_layout *layout, const aq_source *source,
                                        const aq_tensor_info *tensors, const aq_plan *plan, aq_source **out,
                                        aq_error *err) {
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
  const aq_status status = layout->open(overlay, AQ_DTYPE_INVALID, out, err);
  aq_source_close(overlay); /* which *out holds */
  return status;
}
