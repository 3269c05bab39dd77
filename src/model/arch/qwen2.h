/* qwen2.h - what Qwen3 has of Qwen2. */
#ifndef AQ_MODEL_ARCH_QWEN2_H
#define AQ_MODEL_ARCH_QWEN2_H

#include "model/arch/decoder_family.h"

/* Its windows and positions (aq_decoder_family.configure). */
AQ_MUST_CHECK aq_status aq_qwen2_configure(const json_t *root, const aq_model_config *base, aq_decoder_config *out,
                                           aq_notes *notes, aq_error *err);

#endif
