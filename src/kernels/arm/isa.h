/* isa.h - what the AArch64 set with dot products may use; nothing, when all code may. */
#ifndef AQ_KERNELS_ARM_ISA_H
#define AQ_KERNELS_ARM_ISA_H

#include <arm_neon.h>

#include "core/compiler.h"

#if defined(__ARM_FEATURE_DOTPROD)
#define AQ_NEONDOT
#else
#define AQ_NEONDOT AQ_TARGET("arch=armv8.2-a+dotprod")
#endif

#endif
