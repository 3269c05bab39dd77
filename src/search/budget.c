/* budget.c - a target, less what the search cannot change. */
#include "search/budget.h"

#include <math.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/formats.h"
#include "io/model_files.h"
#include "model/graph/encoder_graph.h"
#include "search/cost.h"
#include "tensor/dtype.h"
#include "transform/row_job.h"

#define ROW_BYTES 300     /* of a tensor in the footer and in the plan that the metadata hold, at most about */
#define FOOTER_BYTES 2048 /* beside that */
#define EXPANDED 255      /* a codec may add a byte to so many that it cannot compress, at most */

/* What is not planned, at most. */
typedef struct other_sizes {
  uint64_t fixed_bytes;  /* of all that is no quantized weight */
  double quantized_bits; /* of tensors that rules quantize */
} other_sizes;

static void add_tensor(const aq_tensor_info *t, const aq_plan_entry *e, other_sizes *others, aq_budget *budget) {
  if (t->alias_of >= 0) return;
  if (e->action == AQ_QUANTIZE) budget->quantized_params += t->num_params;
  if (aq_plan_entry_is_open(e, AQ_RD)) return;
  const uint64_t bytes = aq_plan_entry_bytes(t, e), more = bytes / EXPANDED + aq_search_header_bytes(t->num_params);
  if (e->action == AQ_QUANTIZE) {
    others->quantized_bits += 8 * (double)(bytes + more);
  } else {
    others->fixed_bytes += bytes + more;
  }
}

/* ---- the file of another format ---- */

/* What a planned tensor may take at most. */
static uint64_t most_bytes(const aq_export_layout *layout, const aq_tensor_info *t, uint64_t span) {
  const uint64_t codes = layout->code_bytes(t, AQ_INT8, span, true);
  return aq_export_layout_has_values(layout) ? AQ_MAX(codes, layout->code_bytes(t, AQ_KEPT, span, true)) : codes;
}

/* A tensor of the file. Codes of a tensor that is planned count where it is first, and may be the largest elsewhere. */
static void add_stored(const aq_source *source, const aq_plan *plan, const aq_export_layout *layout, size_t origin,
                       uint64_t value_bytes, bool *seen, other_sizes *others, aq_budget *budget) {
  const size_t owner = aq_plan_owner(plan, origin);
  const aq_tensor_info *t = &source->tensors[origin];
  const aq_plan_entry *e = &plan->entries[owner];
  const bool is_first = !seen[owner], is_planned = aq_plan_entry_is_open(e, AQ_RD);
  seen[owner] = true;
  if (e->action != AQ_QUANTIZE) {
    others->fixed_bytes += value_bytes;
    return;
  }
  if (is_first) budget->quantized_params += t->num_params;
  if (is_first && is_planned) return;
  const uint64_t bytes = is_planned ? most_bytes(layout, t, e->span_length)
                                    : layout->code_bytes(t, e->scheme.type, e->span_length, e->scheme.symmetric);
  if (is_first) {
    others->quantized_bits += 8 * (double)bytes;
  } else {
    others->fixed_bytes += bytes;
  }
}

static aq_status measure_export(const aq_source *source, const aq_plan *plan, const aq_export_layout *layout,
                                other_sizes *others, aq_budget *budget, aq_error *err) {
  aq_source *stored;
  AQ_TRY(aq_export_layout_open_planned(layout, aq_encoder_graph_make, source, source->tensors, plan, &stored, err));
  bool *seen = aq_calloc(plan->count + 1, sizeof *seen);
  for (size_t i = 0; seen != NULL && i < stored->tensor_count; i++) {
    const aq_stored_tensor s = layout->describe(stored, i);
    add_stored(source, plan, layout, s.origin, aq_export_layout_value_bytes(layout, stored, i), seen, others, budget);
  }
  others->fixed_bytes += layout->overhead(stored);
  aq_source_close(stored);
  const bool had_room = seen != NULL;
  aq_free(seen);
  return had_room ? AQ_OK : aq_fail_memory(err, plan->count);
}

/* ---- the table ---- */

static aq_status measure_table(aq_source *source, const aq_plan *plan, const aq_quantize_options *options,
                               other_sizes *others, aq_budget *out, aq_error *err) {
  const uint64_t part_bytes = options->table.part_bytes > 0 ? options->table.part_bytes : AQ_DEFAULT_PART_BYTES;
  const uint64_t part_params = AQ_MAX(part_bytes / sizeof(float), 1);
  AQ_TRY(aq_model_files_measure(source, &others->fixed_bytes, err));
  others->fixed_bytes += FOOTER_BYTES;
  for (size_t i = 0; i < plan->count; i++) {
    const aq_tensor_info *t = &source->tensors[i];
    others->fixed_bytes += ROW_BYTES * (1 + t->num_params / part_params);
    add_tensor(t, &plan->entries[i], others, out);
  }
  return AQ_OK;
}

aq_status aq_budget_measure(aq_source *source, const aq_plan *plan, const aq_quantize_options *options, aq_budget *out,
                            aq_error *err) {
  const aq_file_format *format = NULL;
  other_sizes others = {0, 0};
  *out = (aq_budget){0, 0};
  if (options->for_format != NULL) AQ_TRY(aq_formats_find_export(options->for_format, &format, err));
  AQ_TRY(format != NULL ? measure_export(source, plan, format->layout, &others, out, err)
                        : measure_table(source, plan, options, &others, out, err));
  const double bits = options->target_bpw > 0 ? options->target_bpw * (double)out->quantized_params
                                              : 8 * ((double)options->target_size - (double)others.fixed_bytes);
  out->bits = bits - others.quantized_bits;
  return AQ_OK;
}

aq_status aq_budget_fail_too_small(const aq_budget *budget, const aq_quantize_options *o, double least, aq_error *err) {
  const double more = fmax(least - budget->bits, 0);
  if (o->target_bpw > 0) {
    const double bpw = o->target_bpw + more / (double)AQ_MAX(budget->quantized_params, 1);
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "%.4g bits per weight cannot be reached; about %.3f can", o->target_bpw, bpw);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Use `target_bpw=%.2f` or more", ceil(bpw * 100) / 100);
  }
  const double size = (double)o->target_size + more / 8;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "a file of %llu bytes cannot be reached; about %.0f can",
                (unsigned long long)o->target_size, size);
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Use `target_size=%.2fMB` or more", ceil(size / 1e4) / 100);
}
