/* operation.c - how every operation of the public header begins and ends. */
#include "ops/operation.h"

#include <assert.h>
#include <string.h>

#include "arrowquant_experimental.h"
#include "core/error.h"
#include "io/source.h"
#include "report/report.h"

/* What stands first in the options of every operation. */
typedef struct operation_head {
  size_t sizeof_options;
  aq_run_options run;
} operation_head;
#define ASSERT_HEAD(type) static_assert(offsetof(type, run) == offsetof(operation_head, run), #type)
ASSERT_HEAD(aq_info_options);
ASSERT_HEAD(aq_convert_options);
ASSERT_HEAD(aq_export_options);
ASSERT_HEAD(aq_quantize_options);
ASSERT_HEAD(aq_verify_options);
ASSERT_HEAD(aq_compare_options);
ASSERT_HEAD(aq_validate_options);
ASSERT_HEAD(aq_embed_options);
ASSERT_HEAD(aq_sensitivity_options);

const char *aq_operation_names(const void *options, size_t offset) {
  size_t size = 0;
  const char *names = NULL;
  if (options != NULL) memcpy(&size, options, sizeof size);
  if (size >= offset + sizeof names) memcpy(&names, (const uint8_t *)options + offset, sizeof names);
  return names;
}

aq_status aq_operation_open(const char *path, const void *options, const char *names, aq_report **report,
                            aq_source **out, aq_error *err) {
  operation_head head = {0};
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  if (options != NULL) memcpy(&head.sizeof_options, options, sizeof head.sizeof_options);
  if (head.sizeof_options >= sizeof head) memcpy(&head, options, sizeof head);
  return aq_open_for_run(path, &head.run, names, out, err);
}

aq_status aq_report_finish(aq_status status, aq_report *made, aq_report **report) {
  if (status == AQ_OK && report != NULL) {
    *report = made;
  } else {
    aq_report_free(made);
  }
  return status;
}
