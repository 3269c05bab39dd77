/* compiler.h - the only place for compiler extensions. */
#ifndef AQ_CORE_COMPILER_H
#define AQ_CORE_COMPILER_H

#if defined(__GNUC__)
#define AQ_PRINTF(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
#define AQ_LIKELY(x) __builtin_expect(!!(x), 1)
#define AQ_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define AQ_TARGET(isa) __attribute__((target(isa)))
#define AQ_UNUSED __attribute__((unused))
#define AQ_CPU_HAS(feature) __builtin_cpu_supports(feature)
#else
#define AQ_PRINTF(format_index, first_arg)
#define AQ_LIKELY(x) (x)
#define AQ_UNLIKELY(x) (x)
#define AQ_TARGET(isa)
#define AQ_UNUSED
#define AQ_CPU_HAS(feature) 0
#endif

/* Whether the compiler has the intrinsics of a set: AVX-VNNI in GCC 11, Clang 12; DotProd, for a function alone, in GCC
 * 8, in others when all code may use it. */
#define AQ_HAS_AVXVNNI 0
#if defined(__GNUC__) && defined(__has_include)
#if __has_include(<avxvnniintrin.h>)
#undef AQ_HAS_AVXVNNI
#define AQ_HAS_AVXVNNI 1
#endif
#endif
#if defined(__ARM_FEATURE_DOTPROD) || (defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8)
#define AQ_HAS_DOTPROD 1
#else
#define AQ_HAS_DOTPROD 0
#endif

/* Tells the CPU that a loop is waiting for another thread. */
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define AQ_RELAX() __builtin_ia32_pause()
#elif defined(__GNUC__) && defined(__aarch64__)
#define AQ_RELAX() __asm__ __volatile__("yield")
#else
#define AQ_RELAX() ((void)0)
#endif

#define AQ_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define AQ_MIN(a, b) ((a) < (b) ? (a) : (b))
#define AQ_MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
