/* operation_table.c - every operation of the public header: its options by name, and its call. */
#include <stddef.h>
#include <string.h>

#include "operation.h"

#define FIELD(type, kind, field) \
  { #field, kind, offsetof(type, field), 0 }
#define PART(type, part, kind, field) \
  { #field, kind, offsetof(type, part.field), 0 }
/* `at`: where the options are in the type, with a dot after it; nothing when they are the type. */
#define RUN(type, at) PART(type, at run, AQPY_UINT32, threads), PART(type, at run, AQPY_UINT64, max_memory)
#define TABLE(type, at)                                                                       \
  PART(type, at table, AQPY_TEXT, codec), PART(type, at table, AQPY_UINT64, row_group_bytes), \
      PART(type, at table, AQPY_UINT64, part_bytes), PART(type, at table, AQPY_BOOL, force)
#define END \
  { NULL, AQPY_TEXT, 0, 0 }

/* ---- info ---- */

static const aqpy_option info_options[] = {
    RUN(aq_info_options, ),
    END,
};
static void info_init(aqpy_any_options *o) { aq_info_options_init(&o->info); }
static aq_status info_call(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *o,
                           aq_report **report, aq_error *err) {
  (void)second;
  if (first->source != NULL) return aq_info_source(first->source->source, &o->info, report, err);
  return aq_info(first->path, &o->info, report, err);
}

/* ---- convert ---- */

static const aqpy_option convert_options[] = {
    RUN(aq_convert_options, ),
    TABLE(aq_convert_options, ),
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
    RUN(aqpy_quantize, options.),
    TABLE(aqpy_quantize, options.),
    PART(aqpy_quantize, options, AQPY_TEXT, type),
    PART(aqpy_quantize, options, AQPY_TEXT, granularity),
    PART(aqpy_quantize, options, AQPY_UINT32, group_size),
    PART(aqpy_quantize, options, AQPY_ENUM, symmetry),
    PART(aqpy_quantize, options, AQPY_TEXT, method),
    PART(aqpy_quantize, options, AQPY_ENUM, nonfinite),
    PART(aqpy_quantize, options, AQPY_BOOL, quantize_1d),
    PART(aqpy_quantize, options, AQPY_BOOL, allow_requantize),
    PART(aqpy_quantize, options, AQPY_BOOL, keep_unsupported),
    PART(aqpy_quantize, options, AQPY_BOOL, strict),
    PART(aqpy_quantize, options, AQPY_BOOL, dry_run),
    {"tensor_rules", AQPY_TEXTS, offsetof(aqpy_quantize, options.tensor_rules),
     offsetof(aqpy_quantize, options.tensor_rule_count)},
    {"keep_patterns", AQPY_TEXTS, offsetof(aqpy_quantize, options.keep_patterns),
     offsetof(aqpy_quantize, options.keep_pattern_count)},
    PART(aqpy_quantize, options, AQPY_TEXT, plan_path),
    PART(aqpy_quantize, options, AQPY_TEXT, save_plan_path),
    PART(aqpy_quantize, options, AQPY_UINT64, target_size),
    PART(aqpy_quantize, options, AQPY_REAL, target_bpw),
    PART(aqpy_quantize, options, AQPY_REAL, min_similarity),
    PART(aqpy_quantize, options, AQPY_TEXT, calib),
    {"calib_texts", AQPY_TEXT_LIST, offsetof(aqpy_quantize, options.calib_texts), 0},
    PART(aqpy_quantize, search, AQPY_TEXT, stats_path),
    PART(aqpy_quantize, search, AQPY_TEXT, save_stats_path),
    PART(aqpy_quantize, search, AQPY_REAL, tune_seconds),
    PART(aqpy_quantize, search, AQPY_TEXT, tune_from),
    {"activations", AQPY_INPUTS, offsetof(aqpy_quantize, search.activations),
     offsetof(aqpy_quantize, search.activation_count)},
    END,
};
static void quantize_init(aqpy_any_options *o) {
  aq_quantize_options_init(&o->quantize.options);
  aq_search_options_init(&o->quantize.search);
  o->quantize.options.search = &o->quantize.search;
}
static aq_status quantize_call(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *o,
                               aq_report **report, aq_error *err) {
  if (first->source != NULL)
    return aq_quantize_source(first->source->source, second->path, &o->quantize.options, report, err);
  return aq_quantize(first->path, second->path, &o->quantize.options, report, err);
}

/* ---- export ---- */

static const aqpy_option export_options[] = {
    RUN(aq_export_options, ),
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
    RUN(aq_compare_options, ),
    FIELD(aq_compare_options, AQPY_REAL, min_cosine),
    FIELD(aq_compare_options, AQPY_BOOL, outputs),
    FIELD(aq_compare_options, AQPY_TEXT, texts_file),
    FIELD(aq_compare_options, AQPY_TEXT_LIST, texts),
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
    RUN(aq_verify_options, ),
    FIELD(aq_verify_options, AQPY_BOOL, deep),
    FIELD(aq_verify_options, AQPY_TEXT, against),
    END,
};
static void verify_init(aqpy_any_options *o) { aq_verify_options_init(&o->verify); }
static aq_status verify_call(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *o,
                             aq_report **report, aq_error *err) {
  (void)second;
  if (first->source != NULL) return aq_verify_source(first->source->source, &o->verify, report, err);
  return aq_verify(first->path, &o->verify, report, err);
}

/* ---- validate ---- */

static const aqpy_option validate_options[] = {
    RUN(aq_validate_options, ),
    FIELD(aq_validate_options, AQPY_TEXT, types),
    FIELD(aq_validate_options, AQPY_TEXT, output_dir),
    FIELD(aq_validate_options, AQPY_BOOL, keep_tables),
    FIELD(aq_validate_options, AQPY_BOOL, keep_unsupported),
    FIELD(aq_validate_options, AQPY_BOOL, no_outputs),
    FIELD(aq_validate_options, AQPY_TEXT, texts_file),
    FIELD(aq_validate_options, AQPY_TEXT_LIST, texts),
    FIELD(aq_validate_options, AQPY_TEXT, labels_file),
    FIELD(aq_validate_options, AQPY_TEXT, folder),
    END,
};
static void validate_init(aqpy_any_options *o) { aq_validate_options_init(&o->validate); }
static aq_status validate_call(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *o,
                               aq_report **report, aq_error *err) {
  (void)second;
  if (first->source != NULL) return aq_validate_source(first->source->source, &o->validate, report, err);
  return aq_validate(first->path, &o->validate, report, err);
}

/* ---- the table ---- */

static const aqpy_operation operations[] = {
    {"info", info_options, offsetof(aq_info_options, run), info_init, info_call},
    {"convert", convert_options, offsetof(aq_convert_options, run), convert_init, convert_call},
    {"quantize", quantize_options, offsetof(aqpy_quantize, options.run), quantize_init, quantize_call},
    {"export", export_options, offsetof(aq_export_options, run), export_init, export_call},
    {"compare", compare_options, offsetof(aq_compare_options, run), compare_init, compare_call},
    {"verify", verify_options, offsetof(aq_verify_options, run), verify_init, verify_call},
    {"validate", validate_options, offsetof(aq_validate_options, run), validate_init, validate_call},
};

const aqpy_operation *aqpy_operation_find(const char *name) {
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
    if (strcmp(operations[i].name, name) == 0) return &operations[i];
  }
  return NULL;
}
