/* text_kind.h - files that are given as texts and are none: UTF-16, compressed files, tables. */
#ifndef AQ_IO_TEXT_KIND_H
#define AQ_IO_TEXT_KIND_H

#include <stddef.h>
#include <stdint.h>

typedef struct aq_text_kind {
  const char *name; /* "a gzip file" */
  const char *hint; /* what to do */
} aq_text_kind;

/* What the first bytes of a file say that it is, when that is no text in UTF-8; NULL when it may be one. */
const aq_text_kind *aq_text_kind_find(const uint8_t *head, size_t size);

#endif
