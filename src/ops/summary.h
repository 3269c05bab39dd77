/* summary.h - the report of convert and quantize: what every tensor became, why, and what it saved. */
#ifndef AQ_OPS_SUMMARY_H
#define AQ_OPS_SUMMARY_H

#include <jansson.h>

#include "arrowquant.h"
#include "io/source.h"
#include "quant/plan.h"

/* The file of another format that a dry run is for. */
typedef struct aq_export_sizes {
  const char *format;
  uint64_t *bytes;   /* one per tensor of the source (aq_export_layout_measure) */
  uint64_t overhead; /* of the file beside these, at most */
} aq_export_sizes;

typedef struct aq_summary {
  const char *kind; /* "convert" or "quantize" */
  aq_source *source;
  const aq_plan *plan;
  const char *output; /* NULL: a dry run, sizes are planned ones */
  int schema_version;
  double seconds;
  json_t *options;              /* borrowed; may be NULL */
  json_t *search;               /* borrowed; may be NULL: nothing was searched for */
  uint64_t memory_bytes;        /* dry run: planned working memory; */
  uint64_t other_bytes;         /* of the file beside data, scales and zero points, at most; */
  uint64_t size_limit;          /* and the target that the file will keep to; 0: none */
  const aq_export_sizes *sizes; /* of the file that is measured in place of the table; NULL: the table is */
} aq_summary;

/* Opens the output again (so it is known to be readable) and makes the report. Without a report there is no success:
 * the output is removed when this fails. */
AQ_MUST_CHECK aq_status aq_summary_report(const aq_summary *summary, aq_report **out, aq_error *err);

#endif
