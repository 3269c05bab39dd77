/* tune.h - gradient descent on what a quantized model stores: 1-D parameters, scales, and the codes themselves
 * (straight-through estimator, Bengio et al., 2013, arXiv 1308.3432, with Adam, Kingma and Ba, 2014, arXiv 1412.6980).
 * The teacher is the original model, an encoder or a decoder. (docs/CALIBRATION.md) */
#ifndef AQ_CALIB_TUNE_TUNE_H
#define AQ_CALIB_TUNE_TUNE_H

#include "arrowquant.h"
#include "calib/tune/tune_options.h"
#include "core/pool.h"
#include "core/progress.h"
#include "model/params.h"

/* What a whole run adds to the progress, as tensors. */
#define AQ_TUNE_TICKS 1000

/* Texts for descent, and held out ones that decide whether the result is taken. `quantized` holds the values that the
 * matrices stand for and the 1-D parameters; all are updated together, at the end: after an error or an interrupt
 * nothing was changed. progress may be NULL.
 *
 * With `steps` the result is the same bytes every time, at any number of threads, on processors with the same
 * instructions; with `seconds` it depends on how far the descent came. */
AQ_MUST_CHECK aq_status aq_tune(const aq_params *original, aq_params *quantized, aq_tune_matrix *matrices, size_t count,
                                const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                                const int32_t *const *held_ids, const uint32_t *held_lengths, size_t held_texts,
                                const aq_tune_options *options, aq_pool *pool, aq_progress *progress,
                                aq_tune_result *result, aq_error *err);

#endif
