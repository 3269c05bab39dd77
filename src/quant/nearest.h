/* nearest.h - which names a mistyped pattern may have meant. */
#ifndef AQ_QUANT_NEAREST_H
#define AQ_QUANT_NEAREST_H

#include "arrowquant.h"

/* Adds a hint with up to three tensor names to an error that is set; returns `status`. */
aq_status aq_hint_nearest(aq_error *err, aq_status status, const char *pattern, const aq_tensor_info *tensors,
                          size_t count);

#endif
