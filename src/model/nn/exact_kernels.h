/* exact_kernels.h - kernels for runs whose outputs decide something that must be the same on every machine. */
#ifndef AQ_MODEL_NN_EXACT_KERNELS_H
#define AQ_MODEL_NN_EXACT_KERNELS_H

#include "kernels/kernels.h"

/* Kernels that give the same bits whichever set they are made from, which is one of aq_kernels_all: dense_f32 goes
 * through the columns in their order with fused operations, as all sets but the reference do; softmax_f32 has an
 * exponential of its own, within 4e-7 of the definition for results that are not below 1e-30. Everything else is the
 * reference. */
void aq_exact_kernels_init(const aq_kernels *set, aq_kernels *kernels);

#endif
