/* data_free_rows.h - what rows of one matrix count beside each other (search/data_free.h). */
#ifndef AQ_SEARCH_DATA_FREE_ROWS_H
#define AQ_SEARCH_DATA_FREE_ROWS_H

#include "search/data_free.h"

/* Of a table that all rows were given of. */
double aq_tensor_scan_mean_row_square(const aq_tensor_scan *scan); /* mean square of its mean row */
double aq_tensor_scan_mean_own_square(
    const aq_tensor_scan *scan); /* mean over rows of their square without the mean row's */
bool aq_tensor_scan_rows_are_ordered(
    aq_tensor_scan const *scan); /* squares differ between blocks of rows, not by chance */

#endif
