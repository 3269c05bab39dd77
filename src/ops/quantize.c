/* quantize.c - a source into a V2 table: open, plan, transform, write, report. */
#include <string.h>

#include "arrowquant_experimental.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "io/formats.h"
#include "io/model_files.h"
#include "io/partial.h"
#include "io/prequantized.h"
#include "io/source.h"
#include "io/source_codes.h"
#include "io/table/table_sink.h"
#include "model/graph/encoder_graph.h"
#include "ops/export_plan.h"
#include "ops/operation.h"
#include "ops/output_paths.h"
#include "ops/source_plan.h"
#include "ops/summary.h"
#include "report/report.h"
#include "search/bit_allocation.h"
#include "search/calibration.h"
#include "search/gptq.h"
#include "transform/nonfinite.h"
#include "transform/table_estimate.h"
#include "transform/table_metadata.h"
#include "transform/transform.h"

static aq_status save_plan(const aq_source *source, const aq_plan *plan, const aq_quantize_options *o, aq_error *err) {
  char *text;
  AQ_TRY(aq_plan_to_text(plan, source->tensors, &text, err));
  const aq_status status = aq_file_write_all(o->save_plan_path, o->table.force, text, strlen(text), err);
  aq_free(text);
  return status;
}

/* ---- options as they are recorded ---- */

static json_t *string_list(const char *const *items, size_t count) {
  json_t *list = json_array();
  for (size_t i = 0; list != NULL && i < count; i++) {
    if (json_array_append_new(list, aq_json_string(items[i])) != 0) {
      json_decref(list);
      return NULL;
    }
  }
  return list;
}

/* Only what shapes the output: threads and paths are left out, so that they do not change the bytes. */
static json_t *options_json(const aq_quantize_options *o) {
  static const char *const symmetry[] = {"default", "symmetric", "asymmetric"};
  const struct {
    const char *key;
    json_t *value; /* NULL: not asked for */
  } targets[] = {{"target_size", o->target_size > 0 ? json_integer((json_int_t)o->target_size) : NULL},
                 {"target_bpw", o->target_bpw > 0 ? json_real(o->target_bpw) : NULL},
                 {"min_similarity", o->min_similarity > 0 ? json_real(o->min_similarity) : NULL},
                 {"max_kl", o->max_kl > 0 ? json_real(o->max_kl) : NULL},
                 {"tune_seconds", o->search->tune_seconds > 0 ? json_real(o->search->tune_seconds) : NULL},
                 {"from_table", o->search->tune_from != NULL ? json_true() : NULL},
                 {"for", o->for_format != NULL ? json_string(o->for_format) : NULL},
                 {"keep_codes", o->keep_codes ? json_true() : NULL}};
  json_t *json =
      json_pack("{s:s, s:s*, s:i, s:s, s:s*, s:s, s:b, s:o, s:o, s:b}", "type", o->type != NULL ? o->type : "int8",
                "granularity", o->granularity, "group_size", (int)o->group_size, "symmetry", symmetry[o->symmetry],
                "method", o->method, "nonfinite", o->nonfinite == AQ_NONFINITE_KEEP ? "keep" : "refuse", "quantize_1d",
                o->quantize_1d ? 1 : 0, "tensor_rules", string_list(o->tensor_rules, o->tensor_rule_count), "keep",
                string_list(o->keep_patterns, o->keep_pattern_count), "from_plan", o->plan_path != NULL ? 1 : 0);
  int failed = json == NULL ? 1 : 0;
  for (size_t i = 0; i < AQ_COUNT_OF(targets); i++) {
    if (targets[i].value != NULL) failed |= json_object_set_new(json, targets[i].key, targets[i].value);
  }
  if (failed == 0) return json;
  json_decref(json);
  return NULL;
}

/* ---- the operation ---- */

static size_t targets_set(const aq_quantize_options *o) {
  return (size_t)(o->target_size > 0) + (size_t)(o->target_bpw > 0) + (size_t)(o->min_similarity > 0) +
         (size_t)(o->max_kl > 0);
}

static aq_status check_options(const aq_quantize_options *o, aq_error *err) {
  AQ_TRY(AQ_RESERVED_CHECK(&o->calib_texts, "calib_texts", err));
  AQ_FAIL_IF(o->calib != NULL && o->calib_texts.texts != NULL, AQ_ERR_ARGUMENT,
             "texts to calibrate with were given twice: as a list, and by name ('%.100s')", o->calib);
  AQ_FAIL_IF(targets_set(o) > 1, AQ_ERR_ARGUMENT,
             "one of target size, target bits per weight, similarity and KL divergence, not more");
  AQ_FAIL_IF(!(o->target_bpw >= 0 && o->target_bpw <= 32), AQ_ERR_ARGUMENT,
             "%g bits per weight are not between 0 and 32", o->target_bpw);
  AQ_FAIL_IF(!(o->min_similarity >= 0 && o->min_similarity < 1), AQ_ERR_ARGUMENT,
             "a similarity of %g is not between 0 and 1", o->min_similarity);
  AQ_FAIL_IF(!(o->max_kl >= 0 && o->max_kl <= 10), AQ_ERR_ARGUMENT,
             "a KL divergence of %g nats per token is not between 0 and 10", o->max_kl);
  AQ_FAIL_IF(o->search->tune_from != NULL && (o->min_similarity > 0 || o->max_kl > 0), AQ_ERR_ARGUMENT,
             "a similarity or a KL divergence is searched for, and a table to go on with leaves nothing to search");
  AQ_FAIL_IF(!(o->search->tune_seconds >= 0 && o->search->tune_seconds <= 1e9), AQ_ERR_ARGUMENT,
             "%g seconds are no time to tune for", o->search->tune_seconds);
  AQ_FAIL_IF((unsigned)o->symmetry > AQ_ASYMMETRIC, AQ_ERR_ARGUMENT, "symmetry %d is not known", (int)o->symmetry);
  AQ_FAIL_IF((unsigned)o->nonfinite > AQ_NONFINITE_KEEP, AQ_ERR_ARGUMENT, "nonfinite %d is not known",
             (int)o->nonfinite);
  return AQ_OK;
}

typedef struct request {
  aq_source *source;
  const char *output;
  const aq_quantize_options *options;
  json_t *config;
  double started;
} request;

/* An option that would do nothing is a mistake. */
static aq_status check_used(const aq_quantize_options *o, bool search, bool gptq, aq_error *err) {
  const struct {
    bool given, used;
    const char *what, *member, *where;
  } uses[] = {
      {aq_calibration_is_named(o), search || gptq, "texts to calibrate with are", "calib", "a target or method gptq"},
      {o->search->stats_path != NULL, search || gptq, "statistics are", "stats_path", "a target or method gptq"},
      {o->search->save_stats_path != NULL, search || gptq, "statistics are", "save_stats_path",
       "a target or method gptq"},
      {o->search->tune_seconds > 0, search, "tuning is", "tune_seconds", "a target"},
      {o->search->tune_from != NULL, o->search->tune_seconds > 0, "a table to go on with is", "tune_from", "tuning"},
      {o->search->activation_count > 0, gptq, "inputs of layers are", "activations", "method gptq"}};
  for (size_t i = 0; i < AQ_COUNT_OF(uses); i++) {
    if (!uses[i].given || uses[i].used) continue;
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "%s of use with %s only", uses[i].what, uses[i].where);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Leave out `%s`", uses[i].member);
  }
  if (o->for_format != NULL && o->search->tune_seconds > 0) {
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "tuning moves scales to where %s files have none", o->for_format);
    return aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Leave out `tune_seconds`, or `for_format`");
  }
  const bool run = o->search->stats_path != NULL || o->search->save_stats_path != NULL || o->search->tune_seconds > 0;
  AQ_FAIL_IF(run && o->calib != NULL && strcmp(o->calib, "none") == 0, AQ_ERR_ARGUMENT,
             "statistics and tuning need the model to be run; texts 'none' say that it is not");
  return AQ_OK;
}

/* A target needs tensors of type auto, and they a target. */
static aq_status check_target(const aq_quantize_options *o, bool search, aq_error *err) {
  if ((targets_set(o) > 0 || o->search->tune_from != NULL) == search) return AQ_OK;
  if (search) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "type auto needs a target");
    return aq_error_hint(err, AQ_ERR_ARGUMENT,
                         "Add `target_size=6MB`, `target_bpw=2.5`, `min_similarity=0.99` or `max_kl=0.1`");
  }
  if (o->plan_path != NULL) {
    return aq_fail(err, AQ_ERR_ARGUMENT, "a target chooses types and scales; the plan has them for every tensor");
  }
  if (strcmp(o->type, "auto") == 0) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT,
                  "a target chooses for tensors of type auto, and there are none: each is kept, or a rule "
                  "gives it a type");
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Quantize with `dry_run=true`, without a target, to see why each is");
  }
  return aq_fail(err, AQ_ERR_ARGUMENT, "a target chooses for tensors of type auto, and there are none (type '%.32s')",
                 o->type);
}

/* Entries that need more than their tensor. */
static aq_status settle_open(const request *r, aq_plan *plan, aq_bit_allocation *found, aq_error *err) {
  const aq_quantize_options *o = r->options;
  const bool search = aq_bit_allocation_is_wanted(plan), gptq = aq_gptq_wanted(plan);
  AQ_TRY(check_target(o, search, err));
  AQ_TRY(check_used(o, search, gptq, err));
  if (search || gptq || o->nonfinite == AQ_NONFINITE_KEEP) {
    AQ_TRY(aq_nonfinite_settle(r->source, o->nonfinite, o->run.threads, plan, err));
  }
  if (!search && !gptq) return AQ_OK;
  const bool texts = search || o->search->activation_count == 0;
  AQ_TRY(aq_bit_allocation_open(r->source, o, texts, o->dry_run ? NULL : r->output, found, err));
  AQ_FAIL_IF(gptq && o->search->activation_count == 0 && found->backend->why_not_run != NULL, AQ_ERR_ARGUMENT,
             "method gptq needs to see what goes into the layers, and cannot: %s", found->backend->why_not_run);
  if (gptq) AQ_TRY(aq_gptq_make(r->source, o, found->backend, plan, found->encoded, err));
  if (search) AQ_TRY(aq_bit_allocation_run(r->source, o, plan, found, err));
  aq_bit_allocation_end_search(found);
  return AQ_OK;
}

/* Codes that were decoded are values like others, and nothing else would say that they lost something before. */
static aq_status note_requantized(aq_source *source, const aq_plan *plan, aq_error *err) {
  size_t count = 0;
  for (size_t i = 0; i < plan->count; i++) {
    count += plan->entries[i].action == AQ_QUANTIZE && aq_source_is_decoded(source, i);
  }
  if (count == 0) return AQ_OK;
  return aq_source_add_note(source, err,
                            "%zu of the layers that another tool quantized are quantized again: the errors of both add "
                            "up; start from the model that was not quantized where there is one, or keep the codes "
                            "(option keep-codes)",
                            count);
}

static aq_status make_plan(const request *r, aq_plan *plan, aq_bit_allocation *found, aq_error *err) {
  const aq_quantize_options *o = r->options;
  aq_source *source = r->source;
  AQ_TRY(aq_source_plan_make(source, source->tensors, o, plan, err));
  AQ_TRY(settle_open(r, plan, found, err));
  AQ_TRY(note_requantized(source, plan, err));
  if (o->strict) AQ_TRY(aq_source_plan_check_strict(plan, err)); /* minutes later: what values have it kept */
  return o->save_plan_path != NULL ? save_plan(source, plan, o, err) : AQ_OK;
}

/* Of the file that an export of the table would be; sizes->bytes is to be freed, also after a failure. */
static aq_status measure_export(const request *r, const aq_plan *plan, aq_export_sizes *sizes, aq_error *err) {
  const aq_file_format *format;
  AQ_TRY(aq_export_plan_format(r->options, &format, err));
  sizes->format = format->name;
  sizes->bytes = aq_calloc(plan->count + 1, sizeof *sizes->bytes);
  if (sizes->bytes == NULL) return aq_fail_memory(err, plan->count * sizeof *sizes->bytes);
  return aq_export_layout_measure(format->layout, aq_encoder_graph_make, r->source, r->source->tensors, plan,
                                  sizes->bytes, &sizes->overhead, err);
}

/* What a dry run is for is measured; what is written speaks for itself. */
static aq_status report_summary(const request *r, const aq_plan *plan, aq_summary *summary, aq_report **report,
                                aq_error *err) {
  aq_export_sizes sizes = {NULL, NULL, 0};
  aq_status status = AQ_OK;
  if (r->options->dry_run && r->options->for_format != NULL) {
    status = measure_export(r, plan, &sizes, err);
    summary->sizes = &sizes;
    summary->size_limit = r->options->target_size;
  }
  if (status == AQ_OK) status = aq_summary_report(summary, report, err);
  aq_free(sizes.bytes);
  return status;
}

static aq_status carry_out(const request *r, const aq_plan *plan, const aq_bit_allocation *found, aq_report **report,
                           aq_error *err) {
  const aq_quantize_options *o = r->options;
  aq_table_metadata metadata = {.source = r->source, .plan = plan, .schema_version = 2, .config = r->config};
  uint64_t files;
  AQ_TRY(aq_model_files_read(r->source, &files, err));
  const aq_transform transform = {.stage = "quantize",
                                  .source = r->source,
                                  .plan = plan,
                                  .encoded = found->encoded,
                                  .sink = &aq_table_sink,
                                  .output = r->output,
                                  .table = &o->table,
                                  .schema_version = 2,
                                  .run = &o->run,
                                  .put_metadata = aq_table_metadata_put,
                                  .metadata_ctx = &metadata,
                                  .side = {aq_model_files_compress, r->source, files}};
  aq_table_estimate estimate = {0};
  if (o->dry_run) {
    AQ_TRY(aq_table_estimate_make(&transform, &metadata, &estimate, err));
  } else {
    AQ_TRY(aq_nonfinite_hint(aq_transform_run(&transform, NULL, err), err));
  }
  if (report == NULL) return AQ_OK;
  aq_summary summary = {.kind = "quantize",
                        .source = r->source,
                        .plan = plan,
                        .output = o->dry_run ? NULL : r->output,
                        .schema_version = 2,
                        .seconds = aq_clock() - r->started,
                        .options = r->config,
                        .search = found->report,
                        .memory_bytes = estimate.memory_bytes,
                        .other_bytes = estimate.overhead_bytes,
                        .size_limit = o->for_format == NULL ? o->target_size : 0};
  return report_summary(r, plan, &summary, report, err);
}

static aq_status quantize(aq_source *source, const char *output, const aq_quantize_options *o, aq_report **report,
                          aq_error *err) {
  AQ_TRY(aq_prequantized_note(source, err));
  request r = {.source = source, .output = output, .options = o, .started = aq_clock()};
  aq_plan plan = {NULL, 0, NULL};
  aq_bit_allocation found = {0};
  r.config = options_json(o);
  aq_status status = r.config != NULL ? AQ_OK : aq_fail_memory(err, 1024);
  if (status == AQ_OK) status = make_plan(&r, &plan, &found, err);
  if (status == AQ_OK) status = carry_out(&r, &plan, &found, report, err);
  aq_bit_allocation_reset(&found);
  aq_plan_reset(&plan);
  json_decref(r.config);
  return status;
}

aq_status aq_quantize_source(const aq_source *source, const char *output, const aq_quantize_options *options,
                             aq_report **report, aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_quantize_options o;
  aq_search_options search;
  aq_source *own;
  AQ_TRY(aq_options_read(&o, sizeof o, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&o.run, "run", err));
  AQ_TRY(AQ_RESERVED_CHECK(&o.table, "table", err));
  AQ_TRY(aq_options_read(&search, sizeof search, o.search, err));
  o.search = &search; /* never NULL from here on */
  if (o.type == NULL && (targets_set(&o) > 0 || search.tune_from != NULL)) o.type = "auto";
  AQ_TRY(check_options(&o, err));
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  AQ_FAIL_IF(output == NULL && !o.dry_run, AQ_ERR_ARGUMENT, "an output path is needed");
  AQ_TRY(aq_output_paths_check(source, output, &o, err));
  if (output != NULL) AQ_TRY(aq_formats_check_output(&aq_table_format, output, err));
  AQ_TRY(aq_partial_refuse(source, err));
  AQ_TRY(aq_source_overlay_tied(source, &own, err)); /* reads tensors of equal shapes */
  const aq_status status = quantize(own, output, &o, report, err);
  aq_source_close(own);
  return status;
}

aq_status aq_quantize(const char *path, const char *output, const aq_quantize_options *options, aq_report **report,
                      aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open_codes(path, options, AQ_NAMES_OF(options, aq_quantize_options),
                                 AQ_CODES_OF(options, aq_quantize_options), report, &source, err));
  const aq_status status = aq_quantize_source(source, output, options, report, err);
  aq_source_close(source);
  return status;
}
