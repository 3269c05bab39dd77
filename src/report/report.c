/* report.c - making, rendering and freeing reports. */
#include "report/report.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "report/render.h"

/* Enough digits for any comparison, few enough that 0.1 is written as 0.1. */
enum { REAL_DIGITS = 15 };

static const struct renderer {
  const char *kind;
  aq_render_fn text;
  aq_render_fn markdown; /* NULL: the text, as a block of code */
} renderers[] = {
    {"convert", aq_render_convert_text, NULL},
    {"quantize", aq_render_quantize_text, NULL},
    {"export", aq_render_export_text, NULL},
    {"info", aq_render_info_text, NULL},
    {"verify", aq_render_verify_text, NULL},
    {"embed", aq_render_embed_text, NULL},
    {"sensitivity", aq_render_sensitivity_text, NULL},
    {"compare", aq_render_compare_text, NULL},
    {"validate", aq_render_validate_text, aq_render_validate_markdown},
};

static const struct renderer *renderer_of(const char *kind) {
  for (size_t i = 0; i < AQ_COUNT_OF(renderers); i++) {
    if (strcmp(renderers[i].kind, kind) == 0) return &renderers[i];
  }
  return NULL;
}

aq_status aq_report_set(json_t *object, const char *key, json_t *value, aq_error *err) {
  if (json_object_set_new(object, key, value) != 0) return aq_fail(err, AQ_ERR_MEMORY, "out of memory for a report");
  return AQ_OK;
}

aq_status aq_report_append(json_t *array, json_t *value, aq_error *err) {
  if (json_array_append_new(array, value) != 0) return aq_fail(err, AQ_ERR_MEMORY, "out of memory for a report");
  return AQ_OK;
}

static aq_status set_common_fields(aq_report *report, aq_error *err) {
  AQ_TRY(aq_report_set(report->root, "kind", json_string(report->kind), err));
  AQ_TRY(aq_report_set(report->root, "arrowquant", json_string(aq_version()), err));
  return aq_report_set(report->root, "schema", json_integer(1), err);
}

aq_status aq_report_create(const char *kind, aq_report **out, aq_error *err) {
  *out = NULL;
  const struct renderer *renderer = renderer_of(kind);
  AQ_FAIL_IF(renderer == NULL, AQ_ERR_INTERNAL, "there is no report of kind '%s'", kind);
  aq_report *report = aq_calloc(1, sizeof *report);
  if (report == NULL) return aq_fail_memory(err, sizeof *report);
  report->kind = renderer->kind;
  report->root = json_object();
  const aq_status status = set_common_fields(report, err);
  if (status != AQ_OK) {
    aq_report_free(report);
    return status;
  }
  *out = report;
  return AQ_OK;
}

void aq_report_free(aq_report *report) {
  if (report == NULL) return;
  json_decref(report->root);
  aq_free(report);
}

static int append_json(const char *bytes, size_t size, void *ctx) {
  return aq_buffer_append(ctx, bytes, size, NULL) == AQ_OK ? 0 : -1;
}

static aq_status render_json(const json_t *root, aq_buffer *out, aq_error *err) {
  const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS);
  if (json_dump_callback(root, append_json, out, flags) != 0) {
    return aq_fail(err, AQ_ERR_MEMORY, "out of memory for a report");
  }
  return aq_buffer_append_byte(out, '\n', err);
}

static aq_status render_code_block(const struct renderer *renderer, const json_t *root, aq_buffer *out, aq_error *err) {
  AQ_TRY(aq_buffer_printf(out, err, "```text\n"));
  AQ_TRY(renderer->text(root, out, err));
  return aq_buffer_printf(out, err, "```\n");
}

static aq_status render(const aq_report *report, aq_report_form form, aq_buffer *out, aq_error *err) {
  const struct renderer *renderer = renderer_of(report->kind);
  AQ_FAIL_IF(renderer == NULL, AQ_ERR_INTERNAL, "there is no report of kind '%s'", report->kind);
  switch (form) {
    case AQ_REPORT_JSON:
      return render_json(report->root, out, err);
    case AQ_REPORT_TEXT:
      return renderer->text(report->root, out, err);
    case AQ_REPORT_MARKDOWN:
      if (renderer->markdown == NULL) return render_code_block(renderer, report->root, out, err);
      return renderer->markdown(report->root, out, err);
  }
  return aq_fail(err, AQ_ERR_ARGUMENT, "form %d of a report is unknown", (int)form);
}

aq_status aq_report_render(const aq_report *report, aq_report_form form, char **out, aq_error *err) {
  *out = NULL;
  AQ_FAIL_IF(report == NULL, AQ_ERR_ARGUMENT, "no report to render");
  aq_buffer text = {0};
  aq_status status = render(report, form, &text, err);
  if (status == AQ_OK) {
    *out = aq_buffer_take_string(&text);
    if (*out == NULL) status = aq_fail_memory(err, text.size + 1);
  }
  aq_buffer_reset(&text);
  return status;
}
