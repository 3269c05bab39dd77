/* validate_advice.h - what a validation's numbers mean, and what to do about them. */
#ifndef AQ_REPORT_VALIDATE_ADVICE_H
#define AQ_REPORT_VALIDATE_ADVICE_H

#include "report/document.h"

/* The section about reading the figures. */
void aq_add_reading(const json_t *root, aq_document *document);

/* Recommendations, each from a measured number. */
void aq_add_recommendations(const json_t *root, aq_document *document);

#endif
