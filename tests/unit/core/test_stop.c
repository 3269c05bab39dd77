/* test_stop.c - who asks whether to stop, and what the others see. */
#include "check.h"

#include <pthread.h>

#include "core/stop.h"

typedef struct caller {
  int asked;
  bool goes_on;
} caller;

static bool answer(void *ctx, const aq_progress_event *event) {
  caller *c = ctx;
  (void)event;
  c->asked++;
  return c->goes_on;
}

/* Long enough before now for the next question to be put. */
static void let_time_pass(aq_progress *progress) { progress->last -= 1; }

static void *ask_elsewhere(void *stop) { return aq_stop_ask(stop) ? stop : NULL; }

static bool asked_by_another_thread(aq_stop *stop) {
  pthread_t thread;
  void *result;
  assert_int_equal(pthread_create(&thread, NULL, ask_elsewhere, stop), 0);
  assert_int_equal(pthread_join(thread, &result), 0);
  return result != NULL;
}

static void only_the_caller_asks_and_all_see_the_answer(void **state) {
  (void)state;
  caller c = {.goes_on = true};
  const aq_run_options run = {.progress = answer, .progress_ctx = &c};
  aq_progress progress;
  aq_stop stop;
  aq_error err;
  aq_progress_begin(&progress, &run, "embed", 0, 0);
  aq_stop_begin(&stop, &progress);
  let_time_pass(&progress);
  assert_false(asked_by_another_thread(&stop));
  assert_int_equal(c.asked, 0);
  assert_false(aq_stop_ask(&stop));
  assert_int_equal(c.asked, 1);
  assert_false(aq_stop_ask(&stop)); /* too soon to ask again */
  assert_int_equal(c.asked, 1);
  c.goes_on = false;
  let_time_pass(&progress);
  assert_false(aq_stop_requested(&stop));
  assert_true(aq_stop_ask(&stop));
  assert_true(aq_stop_requested(&stop));
  assert_true(asked_by_another_thread(&stop));
  assert_int_equal(c.asked, 2);
  assert_int_equal(aq_stop_end(&stop, &err), AQ_ERR_INTERRUPTED);
  assert_false(progress.event.bytes_done > 0);
}

static void without_a_caller_nothing_stops(void **state) {
  (void)state;
  aq_stop stop;
  aq_error err;
  aq_stop_begin(&stop, NULL);
  assert_false(aq_stop_ask(&stop));
  assert_ok(aq_stop_end(&stop, &err));
  assert_false(aq_stop_ask(NULL));
  assert_false(aq_stop_requested(NULL));
}

/* A stop of one computation is forgotten by the next. */
static void a_new_computation_begins_anew(void **state) {
  (void)state;
  caller c = {.goes_on = false};
  const aq_run_options run = {.progress = answer, .progress_ctx = &c};
  aq_progress progress;
  aq_stop stop;
  aq_error err;
  aq_progress_begin(&progress, &run, "embed", 0, 0);
  aq_stop_begin(&stop, &progress);
  let_time_pass(&progress);
  assert_true(aq_stop_ask(&stop));
  aq_stop_begin(&stop, &progress);
  assert_false(aq_stop_requested(&stop));
  assert_ok(aq_stop_end(&stop, &err));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_the_caller_asks_and_all_see_the_answer),
      cmocka_unit_test(without_a_caller_nothing_stops),
      cmocka_unit_test(a_new_computation_begins_anew),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
