/* memory.h - memory through the process's allocator. All return NULL when there is none; none aborts. */
#ifndef AQ_CORE_MEMORY_H
#define AQ_CORE_MEMORY_H

#include <stddef.h>

#include "arrowquant.h"

void *aq_malloc(size_t size);               /* size 0 gives a pointer that can be freed */
void *aq_calloc(size_t count, size_t size); /* zeroed; NULL when count * size overflows */
void *aq_realloc_array(void *ptr, size_t count, size_t size);
char *aq_strdup(const char *text);
char *aq_strndup(const char *text, size_t length); /* copies exactly length bytes and adds a zero */
/* aq_free is public */

/* printf into new memory; NULL when out of memory. */
char *aq_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
