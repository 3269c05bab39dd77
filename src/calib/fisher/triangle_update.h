/* triangle_update.h - sums of products added to lower triangles (calib/fisher/triangle.h), in blocks that the threads
 * of a pool share. */
#ifndef AQ_CALIB_FISHER_TRIANGLE_UPDATE_H
#define AQ_CALIB_FISHER_TRIANGLE_UPDATE_H

#include <stddef.h>

#include "arrowquant.h"
#include "core/pool.h"

/* to[i][j] += sum over s of rows[i][s] panels[j][s], for j <= i. rows: n of k values, ld apart; panels: n of k in the
 * layout of model/nn/panels.h. Elements are sums in the order of s, in FP32, however the work is shared out. */
typedef struct aq_triangle_product {
  const float *rows, *panels;
  size_t ld, k, n;
  float *to;
} aq_triangle_product;

AQ_MUST_CHECK aq_status aq_triangle_update(aq_pool *pool, const aq_triangle_product *products, size_t count,
                                           aq_error *err);

#endif
