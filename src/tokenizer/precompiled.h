/* precompiled.h - the normalizer of the type Precompiled, for the classes that make one by themselves. */
#ifndef AQ_TOKENIZER_PRECOMPILED_H
#define AQ_TOKENIZER_PRECOMPILED_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

/* Makes the state of aq_normalizer_precompiled. Takes the charsmap (charsmap.h), also when it fails. */
AQ_MUST_CHECK aq_status aq_precompiled_make(uint8_t *charsmap, size_t size, void **state, aq_error *err);

#endif
