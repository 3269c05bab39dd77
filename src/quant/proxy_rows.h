/* proxy_rows.h - what rows of one matrix count beside each other (quant/proxy.h). */
#ifndef AQ_QUANT_PROXY_ROWS_H
#define AQ_QUANT_PROXY_ROWS_H

#include "quant/proxy.h"

/* Of a table that all rows were given of. */
double aq_proxy_mean_row_square(const aq_proxy_look *look); /* mean square of its mean row */
double aq_proxy_mean_own_square(const aq_proxy_look *look); /* mean over rows of their square without the mean row's */
bool aq_proxy_rows_are_ordered(aq_proxy_look const *look);  /* squares differ between blocks of rows, not by chance */

#endif
