/* error.h - filling in an aq_error, and passing a failure on. */
#ifndef AQ_CORE_ERROR_H
#define AQ_CORE_ERROR_H

#include <stdarg.h>

#include "arrowquant.h"
#include "core/compiler.h"

/* Clears err (NULL is fine). */
void aq_error_clear(aq_error *err);

/* Fills err (NULL is fine) with a code and a message, forgetting what it held, and returns the code. */
aq_status aq_fail(aq_error *err, aq_status code, const char *format, ...) AQ_PRINTF(3, 4);

/* The same for a failed system call: the code and the words follow from errno_value ("cannot ACTION: No space left on
 * device"). */
aq_status aq_fail_errno(aq_error *err, int errno_value, const char *format, ...) AQ_PRINTF(3, 4);

/* Add where it happened and what to do, to an error that is set; each returns err->code, or `status` when err is NULL.
 * A file or tensor already named stays. */
aq_status aq_error_in_file(aq_error *err, aq_status status, const char *file);
aq_status aq_error_in_tensor(aq_error *err, aq_status status, const char *tensor);
aq_status aq_error_at(aq_error *err, aq_status status, int64_t offset);
aq_status aq_error_hint(aq_error *err, aq_status status, const char *format, ...) AQ_PRINTF(3, 4);

#define AQ_TRY(call)                                  \
  do {                                                \
    const aq_status aq_try_status = (call);           \
    if (aq_try_status != AQ_OK) return aq_try_status; \
  } while (0)

/* Fails the enclosing function, whose last argument is `err`, when the condition holds. */
#define AQ_FAIL_IF(condition, code, ...)                                \
  do {                                                                  \
    if (AQ_UNLIKELY(condition)) return aq_fail(err, code, __VA_ARGS__); \
  } while (0)

/* The error every failed allocation of `size` bytes reports. */
aq_status aq_fail_memory(aq_error *err, size_t size);

#endif
