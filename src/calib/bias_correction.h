/* bias_correction.h - re-fitting the shifts of the norms of a quantized encoder, forward only: it costs no bits. Walks
 * the quantized network in order, its own corrected prefix as input; after each norm, shift += mean over all tokens of
 * (hidden state of the original - that of the quantized one). (docs/CALIBRATION.md) */
#ifndef AQ_CALIB_BIAS_CORRECTION_H
#define AQ_CALIB_BIAS_CORRECTION_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "model/params.h"

/* Whether a model has the shifts: norms of sums, each with a shift of its own. Norms that stand before a sum would move
 * what is read there and not what passes by, and where layers share weights no shift is right for all. */
bool aq_bias_corrects(const aq_model *model);

/* Changes the shifts in `quantized`; the model has them. Where a linear stands behind the norm of the tables, its bias
 * is changed in the place of that norm's shift. Same result at any number of threads. Parts of either that are held are
 * released. */
AQ_MUST_CHECK aq_status aq_bias_correct(const aq_params *original, aq_params *quantized, const int32_t *const *ids,
                                        const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err);

#endif
