/* options.c - structs that a caller fills, of an older or a newer header than the library's own.
 *
 * The rule is in the head of arrowquant.h. The asserts below pin the structs that have no size of their own: a new
 * member takes reserved room, so that nothing after it moves for a program that was built earlier. */
#include "core/options.h"

#include <assert.h>
#include <string.h>

#include "arrowquant_experimental.h"
#include "core/error.h"

#if UINTPTR_MAX == UINT64_MAX
static_assert(sizeof(aq_error) == 1344 && offsetof(aq_error, reserved) == 1296, "aq_error is the caller's memory");
static_assert(sizeof(aq_progress_event) == 88 && offsetof(aq_progress_event, reserved) == 56, "callers read it");
static_assert(sizeof(aq_run_options) == 96 && offsetof(aq_run_options, reserved) == 32, "stands inside others");
static_assert(sizeof(aq_table_options) == 96 && offsetof(aq_table_options, reserved) == 32, "stands inside others");
static_assert(sizeof(aq_text_list) == 32 && offsetof(aq_text_list, reserved) == 24, "stands inside others");
static_assert(sizeof(aq_tensor_info) == 256 && offsetof(aq_tensor_info, reserved) == 200, "crosses in arrays");
static_assert(sizeof(aq_tensor) == 96 && offsetof(aq_tensor, reserved) == 56, "is the caller's memory");
static_assert(sizeof(aq_activations) == 64 && offsetof(aq_activations, reserved) == 32, "crosses in arrays");
static_assert(sizeof(aq_token_ids) == 40 && offsetof(aq_token_ids, reserved) == 24, "is the caller's memory");
#endif

/* No struct of options will ever need more: a larger size was never set. */
#define SIZE_LIMIT ((size_t)4096)

void aq_options_init(void *options, size_t size) {
  memset(options, 0, size);
  memcpy(options, &size, sizeof size); /* sizeof_options is the first member of each */
}

aq_status aq_options_read(void *into, size_t size, const void *options, aq_error *err) {
  aq_options_init(into, size);
  if (options == NULL) return AQ_OK;
  const uint8_t *bytes = options;
  size_t given;
  memcpy(&given, options, sizeof given);
  AQ_FAIL_IF(given < sizeof given || given > SIZE_LIMIT, AQ_ERR_ARGUMENT,
             "options say that they have %zu bytes; call their init function first", given);
  for (size_t i = size; i < given; i++) {
    if (bytes[i] == 0) continue;
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "an option at byte %zu is set, and version %s knows options of %zu bytes", i,
                  aq_version(), size);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "The program was made for a newer library");
  }
  const size_t known = AQ_MIN(given, size);
  memcpy((uint8_t *)into + sizeof given, bytes + sizeof given, known - sizeof given);
  return AQ_OK;
}

aq_status aq_reserved_check(const uint64_t *reserved, size_t count, const char *what, aq_error *err) {
  for (size_t i = 0; i < count; i++) {
    if (reserved[i] == 0) continue;
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "reserved members of %s are set, and version %s knows no meaning for them",
                  what, aq_version());
    return aq_error_hint(err, AQ_ERR_ARGUMENT,
                         "Set the struct to zero before its members, or use the library that the program was made for");
  }
  return AQ_OK;
}
