/* dispatch.c - which instruction set is used.
 *
 * A set counts only when the CPU has the instructions *and* the system saves the registers they use on a context
 * switch (XCR0): virtual machines and old kernels have one without the other. */
#include "kernels/dispatch.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrowquant.h"
#include "core/compiler.h"

static bool aq_cpu_has_ref(void) { return true; }

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

enum { EAX, EBX, ECX, EDX };

/* Leaf 1 and leaf 7 of CPUID (Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E), XCR0 (SDM vol. 1, 13.3). */
#define LEAF1_ECX_AVX2_SET (1u << 12 | 1u << 28 | 1u << 29) /* FMA, AVX, F16C */
#define LEAF1_ECX_OSXSAVE (1u << 27)
#define LEAF7_EBX_AVX2 (1u << 5)
#define LEAF7_EBX_AVX512_SET (1u << 16 | 1u << 17 | 1u << 30 | 1u << 31) /* F, DQ, BW, VL */
#define LEAF7_ECX_AVX512_VNNI (1u << 11)
#define LEAF7_1_EAX_AVX_VNNI (1u << 4)
#define XCR0_AVX 0x6u     /* SSE and AVX state */
#define XCR0_AVX512 0xe6u /* and opmask, upper halves, zmm16-31 */

AQ_TARGET("xsave") static uint64_t read_xcr0(void) { return (uint64_t)_xgetbv(0); }

static bool system_saves(uint64_t state) {
  uint32_t r[4];
  if (__get_cpuid(1, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) == 0 || (r[ECX] & LEAF1_ECX_OSXSAVE) == 0) return false;
  return (read_xcr0() & state) == state;
}

static bool leaf7_has(uint32_t ebx, uint32_t ecx) {
  uint32_t r[4];
  return __get_cpuid_count(7, 0, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) != 0 && (r[EBX] & ebx) == ebx &&
         (r[ECX] & ecx) == ecx;
}

static bool aq_cpu_has_avx2(void) {
  uint32_t r[4];
  return __get_cpuid(1, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) != 0 &&
         (r[ECX] & LEAF1_ECX_AVX2_SET) == LEAF1_ECX_AVX2_SET && leaf7_has(LEAF7_EBX_AVX2, 0) && system_saves(XCR0_AVX);
}

#if AQ_HAS_AVXVNNI
static bool aq_cpu_has_avxvnni(void) {
  uint32_t r[4]; /* EAX of subleaf 0 is the highest subleaf */
  return aq_cpu_has_avx2() && __get_cpuid_count(7, 0, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) != 0 && r[EAX] >= 1 &&
         __get_cpuid_count(7, 1, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) != 0 && (r[EAX] & LEAF7_1_EAX_AVX_VNNI) != 0;
}
#endif

static bool aq_cpu_has_avx512(void) {
  return aq_cpu_has_avx2() && leaf7_has(LEAF7_EBX_AVX512_SET, 0) && system_saves(XCR0_AVX512);
}

static bool aq_cpu_has_avx512vnni(void) { return aq_cpu_has_avx512() && leaf7_has(0, LEAF7_ECX_AVX512_VNNI); }

#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

static bool aq_cpu_has_neon(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMD) != 0; }
#if AQ_HAS_DOTPROD
static bool aq_cpu_has_neondot(void) { return aq_cpu_has_neon() && (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#endif

#elif defined(__aarch64__)
static bool aq_cpu_has_neon(void) { return true; } /* part of the architecture; Linux alone can leave it out */
#if AQ_HAS_DOTPROD
static bool aq_cpu_has_neondot(void) {
#if defined(__ARM_FEATURE_DOTPROD)
  return true;
#else
  return false;
#endif
}
#endif
#endif

static const struct {
  const char *name;
  bool (*runs)(void);
} ladder[AQ_SET_COUNT] = {
    {"ref", aq_cpu_has_ref},
#define AQ_SET(set) {#set, aq_cpu_has_##set},
#include "kernels/kernels.inc"
};

static pthread_once_t filled = PTHREAD_ONCE_INIT;
static aq_kernel_sets machine;
static const aq_kernels *in_use;
static char available[AQ_SET_COUNT * 16];

/* What each set has itself. */
static void fill_own(aq_kernels *tables) {
#define AQ_KERNEL(kernel, family, in_bits, out_bits) tables[AQ_SET_ref].kernel = aq_##kernel##_ref;
#define AQ_MODEL_KERNEL(kernel, family, bound) tables[AQ_SET_ref].kernel = aq_##kernel##_ref;
#define AQ_KERNEL_IN(set, kernel) tables[AQ_SET_##set].kernel = aq_##kernel##_##set;
#include "kernels/kernels.inc"
}

static void take_missing(aq_kernels *table, const aq_kernels *below) {
#define AQ_KERNEL(kernel, family, in_bits, out_bits) \
  if (table->kernel == NULL) table->kernel = below->kernel;
#define AQ_MODEL_KERNEL(kernel, family, bound) \
  if (table->kernel == NULL) table->kernel = below->kernel;
#include "kernels/kernels.inc"
}

void aq_kernel_sets_fill(aq_kernel_sets *sets, const bool runs[AQ_SET_COUNT]) {
  *sets = (aq_kernel_sets){.at = {&sets->tables[AQ_SET_ref]}};
  fill_own(sets->tables);
  for (size_t s = 0; s < AQ_SET_COUNT; s++) sets->tables[s].name = ladder[s].name;
  for (size_t s = 1; s < AQ_SET_COUNT; s++) {
    if (runs[s]) take_missing(&sets->tables[s], sets->at[s - 1]);
    sets->at[s] = runs[s] ? &sets->tables[s] : sets->at[s - 1];
  }
}

static const aq_kernels *pick(const char *limit) {
  if (limit == NULL || limit[0] == '\0') return machine.at[AQ_SET_COUNT - 1];
  for (size_t s = 0; s < AQ_SET_COUNT; s++) {
    if (strcmp(ladder[s].name, limit) == 0) return machine.at[s];
  }
  return machine.at[AQ_SET_ref];
}

static void fill(void) {
  bool runs[AQ_SET_COUNT];
  for (size_t s = 0; s < AQ_SET_COUNT; s++) {
    runs[s] = ladder[s].runs();
    if (!runs[s]) continue;
    if (s > 0) strcat(available, " ");
    strcat(available, ladder[s].name);
  }
  aq_kernel_sets_fill(&machine, runs);
  in_use = pick(getenv("AQ_CPU"));
}

const aq_kernels *aq_kernels_get(void) {
  pthread_once(&filled, fill);
  return in_use;
}

const aq_kernels *aq_kernels_limited(const char *limit) {
  pthread_once(&filled, fill);
  return pick(limit);
}

size_t aq_kernels_all(const aq_kernels **out, size_t capacity) {
  pthread_once(&filled, fill);
  size_t count = 0;
  for (size_t s = 0; s < AQ_SET_COUNT; s++) {
    if (machine.at[s] != &machine.tables[s]) continue;
    if (count < capacity) out[count] = machine.at[s];
    count++;
  }
  return count;
}

const char *aq_cpu_in_use(void) { return aq_kernels_get()->name; }

const char *aq_cpu_available(void) {
  pthread_once(&filled, fill);
  return available;
}
