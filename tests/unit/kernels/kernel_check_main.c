/* kernel_check_main.c - the kernel checks as a program without a test framework; scripts/check-neon.sh runs it on an
 * emulated CPU. */
#include <stdio.h>

#include "arrowquant.h"
#include "kernels/kernel_check.h"

int main(void) {
  const aq_kernels *sets[KERNEL_MAX_SETS];
  const size_t count = aq_kernels_all(sets, KERNEL_MAX_SETS);
  const kernel_value_check *values, *model;
  const size_t value_count = kernel_value_checks(&values), model_count = kernel_model_checks(&model);
  size_t failed = 0;
  for (size_t s = 0; s < count; s++) {
    for (size_t v = 0; v < value_count; v++) failed += !values[v].run(sets[s]);
    for (size_t v = 0; v < model_count; v++) failed += !model[v].run(sets[s]);
    for (size_t k = 0; k < kernel_count(); k++) failed += !kernel_check_equals_ref(k, sets[s]);
  }
  printf("kernels: sets %s, %zu checks, %zu failed\n", aq_cpu_available(),
         count * (value_count + model_count + kernel_count()), failed);
  return failed != 0;
}
