/* convert.c - a source into a table: the values, in their own type or one asked for (V1), or the codes as well (V2). */
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "io/formats.h"
#include "io/model_files.h"
#include "io/partial.h"
#include "io/prequantized.h"
#include "io/source.h"
#include "io/table/table_sink.h"
#include "ops/float_dtype.h"
#include "ops/operation.h"
#include "ops/summary.h"
#include "quant/quantized_layer.h"
#include "quant/rule_words.h"
#include "report/report.h"
#include "tensor/dtype.h"
#include "transform/output_check.h"
#include "transform/table_metadata.h"
#include "transform/transform.h"

/* What a tensor becomes: quantized ones are values again unless their codes are kept, floats take the type asked for.
 */
static aq_status plan_entry(const aq_tensor_info *t, aq_dtype wanted, bool keep_codes, aq_plan_entry *e,
                            aq_error *err) {
  const bool is_quantized = t->quant_type != AQ_KEPT;
  aq_dtype to = t->dtype;
  if (wanted != AQ_DTYPE_INVALID && aq_dtype_is_float(t->dtype)) to = wanted;
  if (is_quantized && to != AQ_F16 && to != AQ_BF16) to = AQ_F32; /* FP64 gains nothing from codes */
  *e = (aq_plan_entry){.quant_axis = -1};
  e->action = is_quantized ? keep_codes ? AQ_KEEP : AQ_CONVERT : to == t->dtype ? AQ_KEEP : AQ_CONVERT;
  e->dtype = to;
  e->name = aq_strdup(t->name);
  e->rule = aq_strdup(is_quantized && keep_codes ? AQ_RULE_CODES
                      : is_quantized             ? "dequantized"
                      : e->action == AQ_CONVERT  ? "dtype"
                                                 : "as in the source");
  return e->name == NULL || e->rule == NULL ? aq_fail_memory(err, 256) : AQ_OK;
}

/* The bytes of an opaque dtype are carried along only on request. */
static aq_status check_opaque(const aq_source *source, const aq_convert_options *o, aq_error *err) {
  for (size_t i = 0; i < source->tensor_count && !o->keep_unsupported; i++) {
    const aq_tensor_info *t = &source->tensors[i];
    if (!aq_dtype_is_opaque(t->dtype)) continue;
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "is of dtype %s, whose values cannot be read",
                  aq_dtype_safetensors_name(t->dtype));
    (void)aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Keep the bytes of such tensors as they are: `keep_unsupported=true`");
    (void)aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, t->name);
    return aq_error_in_file(err, AQ_ERR_UNSUPPORTED, source->path);
  }
  return AQ_OK;
}

static aq_status make_plan(const aq_source *source, aq_dtype wanted, bool keep_codes, aq_plan *plan, aq_error *err) {
  plan->entries = aq_calloc(source->tensor_count, sizeof *plan->entries);
  if (plan->entries == NULL) return aq_fail_memory(err, source->tensor_count * sizeof *plan->entries);
  aq_quantized_layers layers;
  AQ_TRY(aq_quantized_layers_find(source->tensors, source->tensor_count, &layers, err));
  aq_status status = AQ_OK;
  for (size_t i = 0; i < source->tensor_count && status == AQ_OK; i++) {
    const bool as_it_is = layers.members != NULL && layers.members[i]; /* its scales are exact or of no use */
    plan->count = i + 1;
    status = plan_entry(&source->tensors[i], as_it_is ? AQ_DTYPE_INVALID : wanted, keep_codes, &plan->entries[i], err);
  }
  aq_quantized_layers_reset(&layers);
  return status == AQ_OK ? aq_plan_tie(source->tensors, plan, err) : status;
}

/* 2 where a tensor keeps its codes. */
static int find_schema_version(const aq_source *source, const aq_plan *plan) {
  for (size_t i = 0; i < plan->count; i++) {
    if (source->tensors[i].quant_type != AQ_KEPT && plan->entries[i].action == AQ_KEEP) return 2;
  }
  return 1;
}

static aq_status write_table(aq_source *source, const char *output, const aq_plan *plan, int schema_version,
                             const aq_convert_options *o, aq_error *err) {
  aq_table_metadata metadata = {.source = source, .plan = plan, .schema_version = schema_version};
  uint64_t files;
  AQ_TRY(aq_model_files_read(source, &files, err));
  const aq_transform transform = {.stage = "convert",
                                  .source = source,
                                  .plan = plan,
                                  .sink = &aq_table_sink,
                                  .output = output,
                                  .table = &o->table,
                                  .schema_version = schema_version,
                                  .run = &o->run,
                                  .put_metadata = aq_table_metadata_put,
                                  .metadata_ctx = &metadata,
                                  .side = {aq_model_files_compress, source, files}};
  return aq_transform_run(&transform, NULL, err);
}

static aq_status convert(aq_source *source, const char *output, const aq_convert_options *o, aq_report **report,
                         aq_error *err) {
  const double started = aq_clock();
  aq_dtype wanted;
  AQ_TRY(aq_float_dtype_parse(o->dtype, "keep", &wanted, err));
  AQ_TRY(check_opaque(source, o, err));
  AQ_TRY(aq_prequantized_note(source, err));
  aq_plan plan = {NULL, 0, NULL};
  aq_status status = make_plan(source, wanted, o->keep_codes, &plan, err);
  const int schema_version = status == AQ_OK ? find_schema_version(source, &plan) : 1;
  if (status == AQ_OK) status = write_table(source, output, &plan, schema_version, o, err);
  if (status == AQ_OK && report != NULL) {
    const aq_summary summary = {.kind = "convert",
                                .source = source,
                                .plan = &plan,
                                .output = output,
                                .schema_version = schema_version,
                                .seconds = aq_clock() - started};
    status = aq_summary_report(&summary, report, err);
  }
  aq_plan_reset(&plan);
  return status;
}

aq_status aq_convert_source(const aq_source *source, const char *output, const aq_convert_options *options,
                            aq_report **report, aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_convert_options o;
  aq_source *own;
  AQ_TRY(aq_options_read(&o, sizeof o, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&o.run, "run", err));
  AQ_TRY(AQ_RESERVED_CHECK(&o.table, "table", err));
  AQ_FAIL_IF(source == NULL || output == NULL, AQ_ERR_ARGUMENT, "a source and an output are needed");
  AQ_TRY(aq_check_output(source, output, err));
  AQ_TRY(aq_formats_check_output(&aq_table_format, output, err));
  AQ_TRY(aq_partial_refuse(source, err));
  AQ_TRY(aq_source_overlay_tied(source, &own, err));
  const aq_status status = convert(own, output, &o, report, err);
  aq_source_close(own);
  return status;
}

aq_status aq_convert(const char *path, const char *output, const aq_convert_options *options, aq_report **report,
                     aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open_codes(path, options, AQ_NAMES_OF(options, aq_convert_options),
                                 AQ_CODES_OF(options, aq_convert_options), report, &source, err));
  const aq_status status = aq_convert_source(source, output, options, report, err);
  aq_source_close(source);
  return status;
}
