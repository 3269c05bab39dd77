/* export_report.h - what an export did, tensor by tensor of its source. */
#ifndef AQ_OPS_EXPORT_REPORT_H
#define AQ_OPS_EXPORT_REPORT_H

#include "arrowquant.h"
#include "io/formats.h"
#include "quant/plan.h"

typedef struct aq_export_facts {
  const aq_source *source; /* what was exported */
  const aq_source *stored; /* as the format stores it: `source` itself, or made by the layout of the format */
  const aq_plan *plan;     /* for the tensors of `stored` */
  const aq_file_format *format;
  const char *output;
  uint64_t file_bytes; /* of all files that were written */
  double seconds;
} aq_export_facts;

/* report may be NULL, and is not touched after a failure. */
AQ_MUST_CHECK aq_status aq_export_report(const aq_export_facts *facts, aq_report **report, aq_error *err);

#endif
