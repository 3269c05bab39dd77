/* validate_details.h - sections of a validation's page: what the summary rests on. */
#ifndef AQ_REPORT_VALIDATE_DETAILS_H
#define AQ_REPORT_VALIDATE_DETAILS_H

#include "report/document.h"

/* Sizes in bytes and ratios of each type; agreement of the weights and the furthest tensors of each type; what was
 * kept; the checks of each table. */
void aq_add_sizes(const json_t *root, aq_document *document);
void aq_add_agreement(const json_t *root, aq_document *document);
void aq_add_kept(const json_t *root, aq_document *document);
void aq_add_checks(const json_t *root, aq_document *document);

#endif
