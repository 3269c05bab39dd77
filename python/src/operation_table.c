/* operation_table.c - every operation of the public header: its options by name, and its call. */
#include <stddef.h>
#include <string.h>

#include "operation.h"

#define FIELD(type, kind, field) \
  { #field, kind, offsetof(type, field), 0 }
#define PART(type, part, kind, field) \
  { #field, kind, offsetof(type, part.field), 0 }
#define RUN(type) PART(type, run, AQPY_UINT32, threads), PART(type, run, AQPY_UINT64, max_memory)
#define TABLE(type)                                                                     \
  PART(type, table, AQPY_TEXT, codec), PART(type, table, AQPY_UINT64, row_group_bytes), \
      PART(type, table, AQPY_UINT64, part_bytes), PART(type, table, AQPY_BOOL, force)
#define END \
  { NULL, AQPY_TEXT, 0, 0 }

/* ---- info ---- */

static const aqpy_option info_options[] = {
    FIELD(aq_run_options, AQPY_UINT32, threads),
    FIELD(aq_run_options, AQPY_UINT64, max_memory),
    END,
};
static void info_init(aqpy_any_options *o) { memset(&o->info, 0, sizeof o->info); }
static aq_status info_call(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *o,
                           aq_report **report, aq_error *err) {
  (void)second;
  return aq_info(first->path, &o->info, report, err);
}

/* ---- convert ---- */

static const aqpy_option convert_options[] = {
    RUN(aq_convert_options),
    TABLE(aq_convert_options),
    FIELD(aq_convert_options, AQPY_TEXT, dtype),
    FIELD(aq_convert_options, AQPY_BOOL, keep_unsupported),
    END,
};
static void convert_init(aqpy_any_options *o) { aq_convert_options_init(&o->convert); }
static aq_status convert_call(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *o,
                              aq_report **report, aq_error *err) {
  if (first->source != NULL) return aq_convert_source(first->source->source, second->path, &o->convert, report, err);
  return aq_convert(first->path, second->path, &o->convert, report, err);
}

/* ---- quantize ---- */

static const aqpy_option quantize_options[] = {
    RUN(aq_quantize_options),
    TABLE(aq_quantize_options),
    FIELD(aq_quantize_options, AQPY_TEXT, type),
    FIELD(aq_quantize_options, AQPY_TEXT, granularity),
    FIELD(aq_quantize_options, AQPY_UINT32, group_size),
    FIELD(aq_quantize_options, AQPY_ENUM, symmetry),
    FIELD(aq_quantize_options, AQPY_TEXT, method),
    FIELD(aq_quantize_options, AQPY_ENUM, nonfinite),
    FIELD(aq_quantize_options, AQPY_BOOL, quantize_1d),
    FIELD(aq_quantize_options, AQPY_BOOL, allow_requantize),
    FIELD(aq_quantize_options, AQPY_BOOL, keep_unsupported),
    FIELD(aq_quantize_options, AQPY_BOOL, strict),
    FIELD(aq_quantize_options, AQPY_BOOL, dry_run),
    {"tensor_rules", AQPY_TEXTS, offsetof(aq_quantize_options, tensor_rules),
     offsetof(aq_quantize_options, tensor_rule_count)},
    {"keep_patterns", AQPY_TEXTS, offsetof(aq_quantize_options, keep_patterns),
     offsetof(aq_quantize_options, keep_pattern_count)},
    FIELD(aq_quantize_options, AQPY_TEXT, plan_path),
    FIELD(aq_quantize_options, AQPY_TEXT, save_plan_path),
    FIELD(aq_quantize_options, AQPY_UINT64, target_size),
    FIELD(aq_quantize_options, AQPY_REAL, target_bpw),
    FIELD(aq_quantize_options, AQPY_REAL, min_similarity),
    FIELD(aq_quantize_options, AQPY_TEXT, calib),
    FIELD(aq_quantize_options, AQPY_TEXT, stats_path),
    FIELD(aq_quantize_options, AQPY_TEXT, save_stats_path),
    FIELD(aq_quantize_options, AQPY_REAL, tune_seconds),
    FIELD(aq_quantize_options, AQPY_TEXT, tune_from),
    {"activations", AQPY_INPUTS, offsetof(aq_quantize_options, activations),
     offsetof(aq_quantize_options, activation_count)},
    END,
};
static void quantize_init(aqpy_any_options *o) { aq_quantize_options_init(&o->quantize); }
static aq_status quantize_call(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *o,
                               aq_report **report, aq_error *err) {
  if (first->source != NULL) return aq_quantize_source(first->source->source, second->path, &o->quantize, report, err);
  return aq_quantize(first->path, second->path, &o->quantize, report, err);
}

/* ---- export ---- */

static const aqpy_option export_options[] = {
    RUN(aq_export_options),
    FIELD(aq_export_options, AQPY_TEXT, format),
    FIELD(aq_export_options, AQPY_TEXT, dtype),
    FIELD(aq_export_options, AQPY_BOOL, force),
    END,
};
static void export_init(aqpy_any_options *o) { aq_export_options_init(&o->export_); }
static aq_status export_call(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *o,
                             aq_report **report, aq_error *err) {
  if (first->source != NULL) return aq_export_source(first->source->source, second->path, &o->export_, report, err);
  return aq_export(first->path, second->path, &o->export_, report, err);
}

/* ---- compare ---- */

static const aqpy_option compare_options[] = {
    RUN(aq_compare_options),
    FIELD(aq_compare_options, AQPY_REAL, min_cosine),
    FIELD(aq_compare_options, AQPY_BOOL, outputs),
    FIELD(aq_compare_options, AQPY_TEXT, texts_file),
    FIELD(aq_compare_options, AQPY_TEXT, labels_file),
    FIELD(aq_compare_options, AQPY_TEXT, folder),
    END,
};
static void compare_init(aqpy_any_options *o) { aq_compare_options_init(&o->compare); }
static aq_status compare_call(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *o,
                              aq_report **report, aq_error *err) {
  if (first->source != NULL)
    return aq_compare_sources(first->source->source, second->source->source, &o->compare, report, err);
  return aq_compare(first->path, second->path, &o->compare, report, err);
}

/* ---- verify ---- */

static const aqpy_option verify_options[] = {
    RUN(aq_verify_options),
    FIELD(aq_verify_options, AQPY_BOOL, deep),
    FIELD(aq_verify_options, AQPY_TEXT, against),
    END,
};
static void verify_init(aqpy_any_options *o) { aq_verify_options_init(&o->verify); }
static aq_status verify_call(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *o,
                             aq_report **report, aq_error *err) {
  (void)second;
  return aq_verify(first->path, &o->verify, report, err);
}

/* ---- validate ---- */

static const aqpy_option validate_options[] = {
    RUN(aq_validate_options),
    FIELD(aq_validate_options, AQPY_TEXT, types),
    FIELD(aq_validate_options, AQPY_TEXT, output_dir),
    FIELD(aq_validate_options, AQPY_BOOL, keep_tables),
    FIELD(aq_validate_options, AQPY_BOOL, keep_unsupported),
    FIELD(aq_validate_options, AQPY_BOOL, no_outputs),
    FIELD(aq_validate_options, AQPY_TEXT, texts_file),
    FIELD(aq_validate_options, AQPY_TEXT, labels_file),
    FIELD(aq_validate_options, AQPY_TEXT, folder),
    END,
};
static void validate_init(aqpy_any_options *o) { aq_validate_options_init(&o->validate); }
static aq_status validate_call(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *o,
                               aq_report **report, aq_error *err) {
  (void)second;
  return aq_validate(first->path, &o->validate, report, err);
}

/* ---- the table ---- */

static const aqpy_operation operations[] = {
    {"info", info_options, 0, false, info_init, info_call},
    {"convert", convert_options, offsetof(aq_convert_options, run), true, convert_init, convert_call},
    {"quantize", quantize_options, offsetof(aq_quantize_options, run), true, quantize_init, quantize_call},
    {"export", export_options, offsetof(aq_export_options, run), true, export_init, export_call},
    {"compare", compare_options, offsetof(aq_compare_options, run), true, compare_init, compare_call},
    {"verify", verify_options, offsetof(aq_verify_options, run), false, verify_init, verify_call},
    {"validate", validate_options, offsetof(aq_validate_options, run), false, validate_init, validate_call},
};

const aqpy_operation *aqpy_operation_find(const char *name) {
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
    if (strcmp(operations[i].name, name) == 0) return &operations[i];
  }
  return NULL;
}
