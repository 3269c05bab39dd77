/* render.h - the renderers of the kinds of report. Each appends to out what a person reads. */
#ifndef AQ_REPORT_RENDER_H
#define AQ_REPORT_RENDER_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/buffer.h"

aq_status aq_render_convert_text(const json_t *root, aq_buffer *out, aq_error *err);  /* render_convert.c */
aq_status aq_render_quantize_text(const json_t *root, aq_buffer *out, aq_error *err); /* render_convert.c */
aq_status aq_render_export_text(const json_t *root, aq_buffer *out, aq_error *err);   /* render_convert.c */
aq_status aq_render_info_text(const json_t *root, aq_buffer *out, aq_error *err);
aq_status aq_render_verify_text(const json_t *root, aq_buffer *out, aq_error *err);
aq_status aq_render_embed_text(const json_t *root, aq_buffer *out, aq_error *err);
aq_status aq_render_sensitivity_text(const json_t *root, aq_buffer *out, aq_error *err);
aq_status aq_render_compare_text(const json_t *root, aq_buffer *out, aq_error *err);
aq_status aq_render_validate_text(const json_t *root, aq_buffer *out, aq_error *err);
aq_status aq_render_validate_markdown(const json_t *root, aq_buffer *out, aq_error *err); /* validate_markdown.c */

/* "[30522, 384]" from a JSON array of integers; "[]" for a scalar. Into out; returns out. */
const char *aq_shape_of_json(const json_t *shape, char *out, size_t size);

/* Numbers of an object as words. Into out, AQ_WORD_SIZE bytes; returns out. */
const char *aq_word_bytes(const json_t *object, const char *key, char *out);
const char *aq_word_count(const json_t *object, const char *key, char *out);
const char *aq_word_seconds(const json_t *object, const char *key, char *out);
const char *aq_word_fixed(const json_t *object, const char *key, int decimals, char *out);
const char *aq_word_cosine(const json_t *object, const char *key, char *out);

/* Lines "warning: ..." of root["warnings"]. */
aq_status aq_render_warnings(const json_t *root, aq_buffer *out, aq_error *err);

/* "note: ..." for every text of the list, a line each, with `before` in front. */
aq_status aq_render_notes(const json_t *notes, const char *before, aq_buffer *out, aq_error *err);

/* What a search for a target did (REPORTS.md, "search"); nothing when there was none. */
AQ_MUST_CHECK aq_status aq_render_search_text(const json_t *search, aq_buffer *out, aq_error *err);

#endif
