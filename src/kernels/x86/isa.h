/* isa.h - what the x86 sets may use; dispatch.c checks for exactly this. */
#ifndef AQ_KERNELS_X86_ISA_H
#define AQ_KERNELS_X86_ISA_H

#include <immintrin.h>

#include "core/compiler.h"

#define AQ_AVX2 AQ_TARGET("avx2,fma,f16c")
#define AQ_AVXVNNI AQ_TARGET("avxvnni,avx2,fma,f16c")
#define AQ_AVX512 AQ_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")
#define AQ_AVX512VNNI AQ_TARGET("avx512vnni,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")

#endif
