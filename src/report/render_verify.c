/* render_verify.c - what was checked, what was found. */
#include "report/render.h"
#include "report/report.h"

enum { PROBLEMS_SHOWN = 20, NONFINITE_SHOWN = 10 };

static void add_pages(const json_t *root, aq_document *document) {
  const uint64_t pages = aq_json_get_count(root, "pages"), with_crc = aq_json_get_count(root, "pages_with_crc");
  if (pages == 0) return;
  aq_document_pair(document, "pages", root,
                   "{pages:count} in {row_groups:count} row group{row_groups:s}, {page_bytes:bytes}, ");
  aq_document_append(document, root,
                     with_crc == pages ? "all with a checksum"
                     : with_crc == 0   ? "none with a checksum: damage to weights cannot be detected"
                                       : "{pages_with_crc:count} of them with a checksum");
}

static void add_rows(const json_t *root, aq_document *document) {
  if (aq_json_get(aq_json_get(root, "source"), "tensors") == NULL) return;
  if (aq_json_get_count(root, "rows") > 0) {
    aq_document_pair(document, "rows", root, "{rows:count}, all with the lengths that their shapes require");
  }
  aq_document_pair(document, "tensors", root, "{source.tensors:count}, {source.params:count} parameters");
}

static void add_values(const json_t *root, aq_document *document) {
  const json_t *nonfinite = aq_json_get(root, "nonfinite");
  const size_t count = json_array_size(nonfinite);
  if (aq_json_get(root, "values_decoded") == NULL) return;
  aq_document_pair(
      document, "values", root,
      count == 0 ? "{values_decoded:count} decoded, all finite" : "{values_decoded:count} decoded; NaN or infinite in");
  for (size_t i = 0; i < count && i < NONFINITE_SHOWN; i++) {
    aq_document_add(document, AQ_ITEM, json_array_get(nonfinite, i), "`{name}`: {values:count}");
  }
  aq_document_add_rest(document, count, NONFINITE_SHOWN, " more tensors");
}

static void add_against(const json_t *root, aq_document *document) {
  const json_t *against = aq_json_get(root, "against");
  if (against == NULL) return;
  aq_document_pair(document, "against", against,
                   "`{path}`: {tensors:count} tensors, of them {quantized:count} quantized, {kept:count} kept as they "
                   "are, {adjusted:count} adjusted, {converted:count} of another type");
  aq_document_list(document, AQ_ITEM, "note: ", aq_json_get(against, "notes"));
}

/* "  damaged: tensor 'x': MESSAGE, offset 4711, row group 3". */
static void add_problem(const json_t *problem, aq_document *document) {
  const bool has_tensor = aq_json_get_string(problem, "tensor")[0] != '\0';
  aq_document_add(document, AQ_ITEM, problem, has_tensor ? "{status}: tensor '`{tensor}`': " : "{status}: ");
  aq_document_append(document, problem, "{message}");
  if (json_is_integer(aq_json_get(problem, "offset"))) aq_document_append(document, problem, ", offset {offset:.0}");
  if (json_is_integer(aq_json_get(problem, "row_group"))) {
    aq_document_append(document, problem, ", row group {row_group:.0}");
  }
}

static void add_problems(const json_t *root, aq_document *document) {
  const json_t *problems = aq_json_get(root, "problems");
  const size_t count = json_array_size(problems);
  aq_document_add(document, AQ_VERDICT, root, "**NOT OK: {problems:count} problem{problems:s}**");
  aq_document_add_page_heading(document, "problems");
  for (size_t i = 0; i < count && i < PROBLEMS_SHOWN; i++) add_problem(json_array_get(problems, i), document);
  aq_document_add_rest(document, count, PROBLEMS_SHOWN, " more");
}

void aq_render_verify(const json_t *root, aq_document *document) {
  const bool is_source = aq_json_get(aq_json_get(root, "source"), "format") != NULL;
  aq_document_add(document, AQ_PARAGRAPH, root,
                  is_source ? "`{source.path}`: {source.format}, {source.file_bytes:bytes}" : "`{source.path}`");
  add_pages(root, document);
  add_rows(root, document);
  add_values(root, document);
  add_against(root, document);
  aq_document_pair(document, "time", root, "{seconds:seconds}");
  if (aq_json_get_flag(root, "ok")) {
    aq_document_add(document, AQ_VERDICT, root, "**OK**");
  } else {
    add_problems(root, document);
  }
}
