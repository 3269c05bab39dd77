/* test_kernels.c - kernel_check.c and kernel_values.c for every set this machine has, and the choice of the set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arrowquant.h"
#include "kernels/dispatch.h"
#include "kernels/kernel_check.h"

static const aq_kernels *sets[KERNEL_MAX_SETS];
static size_t set_count;
static const char *self;

typedef struct kernel_case {
  char name[96];
  const aq_kernels *set;
  size_t kernel; /* equality with ref, when values is NULL */
  const kernel_value_check *values;
} kernel_case;

static void run_kernel_case(void **state) {
  const kernel_case *const c = *state;
  assert_true(c->values != NULL ? c->values->run(c->set) : kernel_check_equals_ref(c->kernel, c->set));
}

static void sets_of_machine_begin_with_ref(void **state) {
  (void)state;
  char names[128] = "";
  for (size_t s = 0; s < set_count; s++) {
    if (s > 0) strcat(names, " ");
    strcat(names, sets[s]->name);
  }
  assert_string_equal(sets[0]->name, "ref");
  assert_string_equal(aq_cpu_available(), names);
  assert_int_equal(aq_kernels_all(NULL, 0), set_count);
}

static void limit_unset_or_empty_gives_best(void **state) {
  (void)state;
  assert_ptr_equal(aq_kernels_limited(NULL), sets[set_count - 1]);
  assert_ptr_equal(aq_kernels_limited(""), sets[set_count - 1]);
}

static void limit_name_gives_that_set(void **state) {
  (void)state;
  for (size_t s = 0; s < set_count; s++) assert_ptr_equal(aq_kernels_limited(sets[s]->name), sets[s]);
}

static void limit_unknown_gives_ref(void **state) {
  (void)state;
  static const char *const names[] = {"sse9", "REF", "avx2 ", " ", "avx"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) assert_ptr_equal(aq_kernels_limited(names[i]), sets[0]);
}

/* Functions of `part` from set `from` on that are set `other`'s own in `whole`. */
static size_t taken_from(const aq_kernel_sets *part, const aq_kernel_sets *whole, size_t other, size_t from) {
  size_t taken = 0;
  for (size_t s = from; s < AQ_SET_COUNT; s++) {
#define AQ_KERNEL(kernel, family, in_bits, out_bits)                         \
  taken += whole->tables[other].kernel != whole->tables[other - 1].kernel && \
           part->at[s]->kernel == whole->tables[other].kernel;
#define AQ_MODEL_KERNEL(kernel, family, bound) AQ_KERNEL(kernel, family, 0, 0)
#include "kernels/kernels.inc"
  }
  return taken;
}

static void set_that_does_not_run_is_passed_over(void **state) {
  (void)state;
  bool runs[AQ_SET_COUNT];
  aq_kernel_sets whole, part;
  for (size_t s = 0; s < AQ_SET_COUNT; s++) runs[s] = true;
  aq_kernel_sets_fill(&whole, runs);
  for (size_t s = 1; s < AQ_SET_COUNT; s++) {
    runs[s] = false;
    aq_kernel_sets_fill(&part, runs);
    runs[s] = true;
    assert_true(taken_from(&whole, &whole, s, s) > 0);
    assert_int_equal(taken_from(&part, &whole, s, 0), 0);
    assert_string_equal(part.at[s]->name, whole.tables[s - 1].name);
    for (size_t t = s + 1; t < AQ_SET_COUNT; t++) assert_ptr_equal(part.at[t], &part.tables[t]);
  }
}

/* Runs this program again with AQ_CPU set; it prints the set in use. */
static void in_use_with(const char *aq_cpu, char name[32]) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (aq_cpu != NULL) {
      setenv("AQ_CPU", aq_cpu, 1);
    } else {
      unsetenv("AQ_CPU");
    }
    dup2(ends[1], STDOUT_FILENO);
    execl(self, self, "--cpu-in-use", (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  size_t length = 0;
  for (ssize_t got; length < 31 && (got = read(ends[0], name + length, 31 - length)) > 0;) length += (size_t)got;
  name[length] = '\0';
  close(ends[0]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void environment_limits_set_in_use(void **state) {
  (void)state;
  char name[32];
  in_use_with(NULL, name);
  assert_string_equal(name, sets[set_count - 1]->name);
  for (size_t s = 0; s < set_count; s++) {
    in_use_with(sets[s]->name, name);
    assert_string_equal(name, sets[s]->name);
  }
  in_use_with("nonsense", name);
  assert_string_equal(name, "ref");
}

static size_t add_kernel_cases(struct CMUnitTest *tests, kernel_case *cases) {
  const kernel_value_check *values;
  const size_t value_count = kernel_value_checks(&values), per_set = value_count + kernel_count();
  for (size_t i = 0; i < set_count * per_set; i++) {
    kernel_case *const c = &cases[i];
    const size_t which = i % per_set;
    c->set = sets[i / per_set];
    c->values = which < value_count ? &values[which] : NULL;
    c->kernel = which < value_count ? 0 : which - value_count;
    snprintf(c->name, sizeof c->name, "%s_%s_%s", c->set->name,
             c->values != NULL ? c->values->name : kernel_name(c->kernel), c->values != NULL ? "hold" : "equals_ref");
    tests[i] = (struct CMUnitTest){c->name, run_kernel_case, NULL, NULL, c};
  }
  return set_count * per_set;
}

#define MAX_TESTS 512

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--cpu-in-use") == 0) return fputs(aq_cpu_in_use(), stdout) < 0;
  static struct CMUnitTest tests[MAX_TESTS] = {cmocka_unit_test(sets_of_machine_begin_with_ref),
                                               cmocka_unit_test(limit_unset_or_empty_gives_best),
                                               cmocka_unit_test(limit_name_gives_that_set),
                                               cmocka_unit_test(limit_unknown_gives_ref),
                                               cmocka_unit_test(set_that_does_not_run_is_passed_over),
                                               cmocka_unit_test(environment_limits_set_in_use)};
  static kernel_case cases[MAX_TESTS];
  const size_t fixed = 6;
  self = argv[0];
  set_count = aq_kernels_all(sets, KERNEL_MAX_SETS);
  const size_t count = fixed + add_kernel_cases(tests + fixed, cases);
  /* What cmocka_run_group_tests does with an array whose length is its type's. */
  return _cmocka_run_group_tests("kernels", tests, count, NULL, NULL);
}
