/* t5.h - T5 and mT5 with a gated feed-forward block: variants of the families of the list, which their configurations
 * choose. */
#ifndef AQ_MODEL_ARCH_T5_H
#define AQ_MODEL_ARCH_T5_H

#include "model/arch/arch.h"

extern const aq_arch aq_arch_gated_t5, aq_arch_gated_mt5;

#endif
