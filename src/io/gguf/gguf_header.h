/* gguf_header.h - the header of one GGUF file, checked: metadata, and where each tensor lies. */
#ifndef AQ_IO_GGUF_GGUF_HEADER_H
#define AQ_IO_GGUF_GGUF_HEADER_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/file.h"
#include "io/gguf/gguf_metadata.h"
#include "io/gguf/gguf_types.h"

/* Limit of a header, in bytes: those of models with 262,144 tokens have about 10 million. */
#define AQ_GGUF_HEADER_MAX ((uint64_t)100000000)

/* Of ggml. */
enum { AQ_GGUF_MAX_RANK = 4 };

typedef struct aq_gguf_entry {
  char *name;
  uint32_t type; /* its number, of aq_gguf_type_find */
  int32_t rank;
  int64_t shape[AQ_GGUF_MAX_RANK]; /* row-major: reversed from the file, where the length of rows comes first */
  uint64_t num_params;
  uint64_t begin, bytes; /* in the file */
  size_t order;          /* in the header */
} aq_gguf_entry;

typedef struct aq_gguf_header {
  uint32_t version;
  aq_gguf_metadata metadata;
  uint64_t metadata_bytes; /* of all pairs, in the file */
  aq_gguf_entry *entries;  /* in the order of their bytes */
  size_t count;
} aq_gguf_header;

/* True when a file that begins with these four bytes is meant as GGUF, damaged or not. */
bool aq_gguf_header_plausible(const uint8_t head[4]);

/* The header of an open file. max_memory 0: no limit but AQ_GGUF_HEADER_MAX. Every tensor lies in the file, at a
 * multiple of the alignment, and shares no byte with another; names are new, and UTF-8. */
AQ_MUST_CHECK aq_status aq_gguf_header_read(const aq_file *file, uint64_t max_memory, aq_gguf_header *out,
                                            aq_error *err);
void aq_gguf_header_reset(aq_gguf_header *header);

#endif
