/* coded_linear.h - linears as codes, from the matrices of a source: those that are stored as codes stay as they are. */
#ifndef AQ_MODEL_CODED_LINEAR_H
#define AQ_MODEL_CODED_LINEAR_H

#include "arrowquant.h"
#include "model/description.h"
#include "model/nn/linear.h"

/* The codes of a matrix, when they have one finite scale for each row, or one for all, and no zero points:
 * stored->data is NULL when they have not, or when the matrix is stored in parts that do not join. Release it. */
AQ_MUST_CHECK aq_status aq_row_codes_load(const aq_source *source, size_t tensor, aq_tensor *stored, aq_error *err);

/* Makes `linear` of `count` matrices with equally many columns, one above the other: codes of 4 bits where each of them
 * is stored as such codes, all of which are -8..7, else codes of 8 bits, to which the values of what is not stored as
 * codes of rows are rounded (aq_linear_put). *rounded: how many of the matrices. The caller resets `linear`, also after
 * a failure. AQ_ERR_NONFINITE names a matrix; AQ_ERR_UNSUPPORTED: rows too long for sums of 32 bits. */
AQ_MUST_CHECK aq_status aq_coded_linear_load(aq_linear *linear, const aq_source *source, const aq_weight *weights,
                                             size_t count, size_t *rounded, aq_error *err);

#endif
