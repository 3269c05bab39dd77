/* scheme_mse.h - the least-squares search of a fit: what follows the pass that found the range. docs/schemes/mse.md. */
#ifndef AQ_QUANT_SCHEME_MSE_H
#define AQ_QUANT_SCHEME_MSE_H

#include "quant/scheme.h"

/* Ranges are taken no wider than this (2^128 - 2^107), a little less than the largest float, so that no rounding on the
 * way back makes an infinity of a finite weight. */
#define AQ_FIT_LIMIT 0x1.fffffp127

/* fit->scale and fit->zero_point hold the min-max values, which are the first start. */
void aq_mse_begin(aq_fit *fit);

/* Takes the sums of the pass with fit->try_scale and fit->try_zero. True: make another pass with the new ones. False:
 * fit->scale and fit->zero_point are the result. */
bool aq_mse_next(aq_fit *fit);

#endif
