/* operation_table.c - every operation of the public header: its options, and its call. */
#include <string.h>

#include "operation.h"

static aq_status info_call(const aqpy_input *first, const aqpy_input *second, const aq_option_values *values,
                           aq_report **report, aq_error *err) {
  (void)second;
  if (first->source != NULL) return aq_info_source(first->source->source, &values->info, report, err);
  return aq_info(first->path, &values->info, report, err);
}

static aq_status convert_call(const aqpy_input *first, const aqpy_input *second, const aq_option_values *values,
                              aq_report **report, aq_error *err) {
  if (first->source != NULL)
    return aq_convert_source(first->source->source, second->path, &values->convert, report, err);
  return aq_convert(first->path, second->path, &values->convert, report, err);
}

static aq_status quantize_call(const aqpy_input *first, const aqpy_input *second, const aq_option_values *values,
                               aq_report **report, aq_error *err) {
  if (first->source != NULL)
    return aq_quantize_source(first->source->source, second->path, &values->quantize, report, err);
  return aq_quantize(first->path, second->path, &values->quantize, report, err);
}

static aq_status export_call(const aqpy_input *first, const aqpy_input *second, const aq_option_values *values,
                             aq_report **report, aq_error *err) {
  if (first->source != NULL) return aq_export_source(first->source->source, second->path, &values->export, report, err);
  return aq_export(first->path, second->path, &values->export, report, err);
}

static aq_status compare_call(const aqpy_input *first, const aqpy_input *second, const aq_option_values *values,
                              aq_report **report, aq_error *err) {
  if (first->source != NULL)
    return aq_compare_sources(first->source->source, second->source->source, &values->compare, report, err);
  return aq_compare(first->path, second->path, &values->compare, report, err);
}

static aq_status verify_call(const aqpy_input *first, const aqpy_input *second, const aq_option_values *values,
                             aq_report **report, aq_error *err) {
  (void)second;
  if (first->source != NULL) return aq_verify_source(first->source->source, &values->verify, report, err);
  return aq_verify(first->path, &values->verify, report, err);
}

static aq_status validate_call(const aqpy_input *first, const aqpy_input *second, const aq_option_values *values,
                               aq_report **report, aq_error *err) {
  (void)second;
  if (first->source != NULL) return aq_validate_source(first->source->source, &values->validate, report, err);
  return aq_validate(first->path, &values->validate, report, err);
}

static aq_status perplexity_call(const aqpy_input *first, const aqpy_input *second, const aq_option_values *values,
                                 aq_report **report, aq_error *err) {
  (void)second;
  if (first->source != NULL) return aq_perplexity_source(first->source->source, &values->perplexity, report, err);
  return aq_perplexity(first->path, &values->perplexity, report, err);
}

static const aqpy_operation operations[] = {
    {"info", AQ_OPTIONS_OF(info) | AQ_OPTIONS_OF(run), info_call},
    {"convert", AQ_OPTIONS_OF(convert) | AQ_OPTIONS_OF(table) | AQ_OPTIONS_OF(run), convert_call},
    {"quantize", AQ_OPTIONS_OF(quantize) | AQ_OPTIONS_OF(search) | AQ_OPTIONS_OF(table) | AQ_OPTIONS_OF(run),
     quantize_call},
    {"export", AQ_OPTIONS_OF(export) | AQ_OPTIONS_OF(run), export_call},
    {"compare", AQ_OPTIONS_OF(compare) | AQ_OPTIONS_OF(run), compare_call},
    {"verify", AQ_OPTIONS_OF(verify) | AQ_OPTIONS_OF(run), verify_call},
    {"validate", AQ_OPTIONS_OF(validate) | AQ_OPTIONS_OF(run), validate_call},
    {"perplexity", AQ_OPTIONS_OF(perplexity) | AQ_OPTIONS_OF(run), perplexity_call},
};

const aqpy_operation *aqpy_operation_find(const char *name) {
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
    if (strcmp(operations[i].name, name) == 0) return &operations[i];
  }
  return NULL;
}
