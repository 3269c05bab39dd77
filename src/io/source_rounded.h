/* source_rounded.h - a source as it would be with its FP32 values stored as BF16. */
#ifndef AQ_IO_SOURCE_ROUNDED_H
#define AQ_IO_SOURCE_ROUNDED_H

#include <stdbool.h>

#include "arrowquant.h"

/* Whether a tensor of the source is stored as FP32 values: rounding changes nothing else. */
bool aq_source_has_fp32(const aq_source *source);

/* A source with the tensors of `base`, in which every value that is stored as FP32 is rounded to BF16 (to nearest, ties
 * to even) when it is read; all else is as in `base`. Values are read whole: other ranges of bytes are
 * AQ_ERR_UNSUPPORTED. There are no views of such tensors. It holds `base`; the caller closes *out. */
AQ_MUST_CHECK aq_status aq_source_round_bf16(const aq_source *base, aq_source **out, aq_error *err);

#endif
