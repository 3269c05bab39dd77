/* validate_advice.h - what a validation's numbers mean, and what to do about them. */
#ifndef AQ_REPORT_VALIDATE_ADVICE_H
#define AQ_REPORT_VALIDATE_ADVICE_H

#include "report/report.h"

/* The section that says how to read the figures. */
aq_status aq_append_reading(const json_t *root, aq_buffer *out, aq_error *err);

/* Recommendations, each from a measured number. */
aq_status aq_append_recommendations(const json_t *root, aq_buffer *out, aq_error *err);

/* Kept tensors by the rule that kept them: groups[rule] = {"tensors", "params", "first": name}. */
aq_status aq_group_kept(const json_t *kept, json_t *groups, aq_error *err);

#endif
