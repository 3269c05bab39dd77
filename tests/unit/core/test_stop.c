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

/* A computation that asks the caller `who`. */
typedef struct computation {
  aq_run_options run;
  aq_progress progress;
  aq_stop stop;
} computation;

static void begin(computation *c, caller *who) {
  c->run = (aq_run_options){.progress = answer, .progress_ctx = who};
  aq_progress_begin(&c->progress, &c->run, "embed", 0, 0);
  aq_stop_begin(&c->stop, &c->progress);
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
  caller who = {.goes_on = true};
  computation c;
  aq_error err;
  begin(&c, &who);
  let_time_pass(&c.progress);
  assert_false(asked_by_another_thread(&c.stop));
  assert_int_equal(who.asked, 0);
  assert_false(aq_stop_ask(&c.stop));
  assert_int_equal(who.asked, 1);
  assert_false(aq_stop_ask(&c.stop)); /* too soon to ask again */
  assert_int_equal(who.asked, 1);
  who.goes_on = false;
  let_time_pass(&c.progress);
  assert_false(aq_stop_requested(&c.stop));
  assert_true(aq_stop_ask(&c.stop));
  assert_true(aq_stop_requested(&c.stop));
  assert_true(asked_by_another_thread(&c.stop));
  assert_int_equal(who.asked, 2);
  assert_int_equal(aq_stop_end(&c.stop, &err), AQ_ERR_INTERRUPTED);
  assert_false(c.progress.event.bytes_done > 0);
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
  caller who = {.goes_on = false};
  computation c;
  aq_error err;
  begin(&c, &who);
  let_time_pass(&c.progress);
  assert_true(aq_stop_ask(&c.stop));
  aq_stop_begin(&c.stop, &c.progress);
  assert_false(aq_stop_requested(&c.stop));
  assert_ok(aq_stop_end(&c.stop, &err));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_the_caller_asks_and_all_see_the_answer),
      cmocka_unit_test(without_a_caller_nothing_stops),
      cmocka_unit_test(a_new_computation_begins_anew),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
