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

/* Copies a member that the options have. */
static void copy_member(const void *options, size_t offset, void *out, size_t size) {
  size_t given = 0;
  if (options != NULL) memcpy(&given, options, sizeof given);
  if (given >= offset + size) memcpy(out, (const uint8_t *)options + offset, size);
}

const char *aq_operation_names(const void *options, size_t offset) {
  const char *names = NULL;
  copy_member(options, offset, &names, sizeof names);
  return names;
}

bool aq_operation_keeps_codes(const void *options, size_t offset) {
  bool keep_codes = false;
  copy_member(options, offset, &keep_codes, sizeof keep_codes);
  return keep_codes;
}

aq_status aq_operation_open(const char *path, const void *options, const char *names, aq_report **report,
                            aq_source **out, aq_error *err) {
  return aq_operation_open_codes(path, options, names, false, report, out, err);
}

aq_status aq_operation_open_codes(const char *path, const void *options, const char *names, bool keep_codes,
                                  aq_report **report, aq_source **out, aq_error *err) {
  operation_head head = {0};
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  if (options != NULL) memcpy(&head.sizeof_options, options, sizeof head.sizeof_options);
  if (head.sizeof_options >= sizeof head) memcpy(&head, options, sizeof head);
  aq_source_options source;
  aq_source_options_init(&source);
  source.names = names;
  source.keep_codes = keep_codes;
  source.max_memory = head.run.max_memory;
  source.threads = head.run.threads;
  return aq_source_open(path, &source, out, err);
}

aq_status aq_report_finish(aq_status status, aq_report *made, aq_report **report) {
  if (status == AQ_OK && report != NULL) {
    *report = made;
  } else {
    aq_report_free(made);
  }
  return status;
}
