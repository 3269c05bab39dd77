/* symmetric.h - symmetric matrices of which only what is on and below the diagonal was computed. */
#ifndef AQ_CALIB_FISHER_SYMMETRIC_H
#define AQ_CALIB_FISHER_SYMMETRIC_H

#include <stddef.h>

#include "arrowquant.h"
#include "core/pool.h"

/* Divides what is on and below the diagonal of an n x n matrix and copies it to above. AQ_ERR_NONFINITE when a result
 * is no number. */
AQ_MUST_CHECK aq_status aq_symmetric_finish(aq_pool *pool, float *matrix, size_t n, double divisor, aq_error *err);

#endif
