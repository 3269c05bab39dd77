/* check.h - what every unit test includes. */
#ifndef AQ_TESTS_CHECK_H
#define AQ_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h needs the headers above. */
#include <cmocka.h>

#include "arrowquant.h"

/* A folder of the test's own, removed with all that is in it by drop_folder. */
static inline char *make_folder(void) {
  const char *base = getenv("TMPDIR");
  static char path[512];
  (void)snprintf(path, sizeof path, "%s/aqtest-XXXXXX", base != NULL ? base : "/tmp");
  assert_non_null(mkdtemp(path));
  return path;
}

static inline void drop_folder(const char *path) {
  char command[600];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", path);
  assert_int_equal(system(command), 0);
}

/* The caller has an aq_error err. */
#define assert_ok(call)                                                                                  \
  do {                                                                                                   \
    const aq_status check_status = (call);                                                               \
    if (check_status != AQ_OK) fail_msg("%s: %s: %s", #call, aq_status_name(check_status), err.message); \
  } while (0)

#endif
