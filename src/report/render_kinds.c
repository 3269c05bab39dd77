/* render_kinds.c - the renderers of all kinds of report, and rendering by one of them. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "report/render.h"
#include "report/report.h"

/* Enough digits for any comparison, few enough that 0.1 is written as 0.1. */
enum { REAL_DIGITS = 15 };

typedef aq_status (*render_fn)(const json_t *root, aq_buffer *out, aq_error *err);

static const struct renderer {
  const char *kind;
  render_fn text;
  render_fn markdown; /* NULL: the text, as a block of code */
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
