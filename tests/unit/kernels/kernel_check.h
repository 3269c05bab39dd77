/* kernel_check.h - checks of one kernel of one set, free of any test framework, so that a cross build needs none. Each
 * prints what went wrong to stderr and returns false. */
#ifndef KERNEL_CHECK_H
#define KERNEL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

#define KERNEL_MAX_SETS 8

/* What a kernel is called with; which fields count depends on its family. */
typedef struct kernel_call {
  const void *in, *in2;
  void *out;
  size_t n;
  float scale, zero_point;
  int32_t qmin, qmax;
} kernel_call;

/* What inputs hold. */
typedef enum kernel_content { KERNEL_BYTES, KERNEL_FINITE, KERNEL_ANY } kernel_content;

/* kernel_inputs.c: random numbers from a seed, and data that finds faults. */
uint64_t kernel_random(uint64_t *state);
size_t kernel_random_below(uint64_t *state, size_t limit);
void kernel_random_parameters(uint64_t *state, kernel_call *call);
void kernel_random_input(uint64_t *state, kernel_content content, unsigned bits, const kernel_call *call, void *out,
                         size_t n);

/* kernel_check.c: set against ref on random calls. AQ_TEST_SEED=N makes N the seed of the first round, as a failure
 * prints it. */
size_t kernel_count(void);
const char *kernel_name(size_t kernel);
bool kernel_check_equals_ref(size_t kernel, const aq_kernels *set);

/* kernel_values.c: a set, ref too, against values worked out by hand or from the definition of the formats. */
typedef struct kernel_value_check {
  const char *name;
  bool (*run)(const aq_kernels *set);
} kernel_value_check;
size_t kernel_value_checks(const kernel_value_check **checks);

/* kernel_model.c: the kernels that run a model. */
size_t kernel_model_checks(const kernel_value_check **checks);

#endif
