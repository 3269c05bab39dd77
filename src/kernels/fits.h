/* fits.h - coefficients that the vector versions of exp and GELU share.
 *
 * Found by iteratively reweighted least squares against exact values, for evaluation in FP32 with fused multiply-adds.
 *
 * e^r for |r| <= ln(2)/2: 1 + r + r^2 (E2 + E3 r + ... + E6 r^4), relative error 4e-9 before rounding.
 *
 * Phi(x) - 1/2 for |x| <= AQ_GELU_END: x P(x^2) / Q(x^2) with P = P0 + P1 t + ..., Q = 1 + Q1 t + ...; x times the
 * error is below 2e-8 max(1, |x|) before rounding. Past the end GELU is max(x, 0), to 2.4e-7. */
#ifndef AQ_KERNELS_FITS_H
#define AQ_KERNELS_FITS_H

#define AQ_EXP_E2 0x1.fffffcp-2f
#define AQ_EXP_E3 0x1.555492p-3f
#define AQ_EXP_E4 0x1.5558f2p-5f
#define AQ_EXP_E5 0x1.1239d6p-7f
#define AQ_EXP_E6 0x1.6a2448p-10f

#define AQ_LOG2_E 0x1.715476p0f
#define AQ_LN2_HIGH 0x1.62e4p-1f   /* few bits: n times it is exact for |n| < 2^9 */
#define AQ_LN2_LOW 0x1.7f7d1cp-20f /* ln 2 less the above */
#define AQ_EXP_LOWEST (-87.0f)     /* e^x is a normal number from here on */

#define AQ_GELU_END 5.35f
#define AQ_GELU_P0 0x1.988446p-2f
#define AQ_GELU_P1 0x1.18106ap-5f
#define AQ_GELU_P2 0x1.345060p-8f
#define AQ_GELU_P3 0x1.6b4a94p-13f
#define AQ_GELU_P4 0x1.b2ac10p-18f
#define AQ_GELU_P5 0x1.8c734ep-26f
#define AQ_GELU_Q1 0x1.026aa6p-2f
#define AQ_GELU_Q2 0x1.d8c46cp-6f
#define AQ_GELU_Q3 0x1.f44d38p-10f
#define AQ_GELU_Q4 0x1.3cf62ap-14f
#define AQ_GELU_Q5 0x1.468212p-20f

#endif
