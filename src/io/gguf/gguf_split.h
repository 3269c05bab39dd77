/* gguf_split.h - models in several GGUF files: their names, NAME-00002-of-00003.gguf. */
#ifndef AQ_IO_GGUF_GGUF_SPLIT_H
#define AQ_IO_GGUF_GGUF_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "arrowquant.h"

typedef struct aq_gguf_part {
  size_t base_length; /* of NAME */
  int64_t number, total;
} aq_gguf_part;

/* The parts of a file's name, five digits each; false when it is not that of one of several parts. */
bool aq_gguf_part_parse(const char *name, aq_gguf_part *out);

/* True when all names are those of parts of one model, whether or not the others are there. */
bool aq_gguf_parts_of_one(const char *const *names, size_t count);

/* Path of a part beside `path`, whose name was parsed as `part`; NULL when out of memory. */
char *aq_gguf_part_path(const char *path, const aq_gguf_part *part, int64_t number);

/* Fails with the names of the parts that are not beside `path`, when there are any. */
AQ_MUST_CHECK aq_status aq_gguf_parts_check(const char *path, const aq_gguf_part *part, aq_error *err);

#endif
