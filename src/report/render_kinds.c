/* render_kinds.c - the kinds of report by name, and the forms that a report can be rendered in. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "report/render.h"
#include "report/report.h"
#include "report/writers.h"

/* Enough digits for any comparison, few enough that 0.1 is written as 0.1. */
enum { REAL_DIGITS = 15 };

static const struct renderer {
  const char *kind;
  void (*render)(const json_t *root, aq_document *document);
} renderers[] = {
#define AQ_KIND(kind) {#kind, aq_render_##kind},
#include "report/render_kinds.inc"
#undef AQ_KIND
};

static const struct renderer *renderer_of(const char *kind) {
  for (size_t i = 0; i < AQ_COUNT_OF(renderers); i++) {
    if (strcmp(renderers[i].kind, kind) == 0) return &renderers[i];
  }
  return NULL;
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

static aq_status write_form(const aq_document *document, aq_report_form form, aq_buffer *out, aq_error *err) {
  return form == AQ_REPORT_TEXT ? aq_write_text(document, out, err) : aq_write_markdown(document, out, err);
}

static aq_status render_report(const aq_report *report, aq_report_form form, aq_buffer *out, aq_error *err) {
  const struct renderer *renderer = renderer_of(report->kind);
  AQ_FAIL_IF(renderer == NULL, AQ_ERR_INTERNAL, "there is no report of kind '%s'", report->kind);
  if (form == AQ_REPORT_JSON) return render_json(report->root, out, err);
  AQ_FAIL_IF(form != AQ_REPORT_TEXT && form != AQ_REPORT_MARKDOWN, AQ_ERR_ARGUMENT, "form %d of a report is unknown",
             (int)form);
  aq_document document = {.err = err};
  renderer->render(report->root, &document);
  const aq_status status = document.status != AQ_OK ? document.status : write_form(&document, form, out, err);
  aq_document_reset(&document);
  return status;
}

aq_status aq_report_render(const aq_report *report, aq_report_form form, char **out, aq_error *err) {
  *out = NULL;
  AQ_FAIL_IF(report == NULL, AQ_ERR_ARGUMENT, "no report to render");
  aq_buffer text = {0};
  aq_status status = render_report(report, form, &text, err);
  if (status == AQ_OK) {
    *out = aq_buffer_take_string(&text);
    if (*out == NULL) status = aq_fail_memory(err, text.size + 1);
  }
  aq_buffer_reset(&text);
  return status;
}
