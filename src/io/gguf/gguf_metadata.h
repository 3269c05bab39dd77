/* gguf_metadata.h - the key-value pairs of a GGUF file. */
#ifndef AQ_IO_GGUF_GGUF_METADATA_H
#define AQ_IO_GGUF_GGUF_METADATA_H

#include "core/strmap.h"
#include "io/gguf/gguf_value.h"

typedef struct aq_gguf_pair {
  char *key;
  char *value;      /* text of a number, boolean or string; NULL of an array, and of a string that is no text */
  const char *type; /* as the specification names it */
  uint64_t begin;   /* of the value in the file: its type comes first */
  size_t json_at, json_size; /* of the pair in the JSON, without a comma; 0 bytes where it is left out */
} aq_gguf_pair;

typedef struct aq_gguf_metadata {
  aq_gguf_pair *pairs; /* in the file's order */
  size_t count;
  aq_strmap keys;    /* key -> number of the pair */
  aq_gguf_json json; /* {"KEY":{"type":...},...} of all pairs */
  size_t left_out;   /* pairs that are not in it, because it would be longer than AQ_GGUF_JSON_MAX */
  /* What the format itself needs. */
  uint32_t alignment;                               /* general.alignment; 32 without it */
  int64_t split_number, split_count, split_tensors; /* split.no, split.count, split.tensors.count; 0, 1, -1 without */
} aq_gguf_metadata;

/* Reads `count` pairs. Keys are UTF-8, new, and not empty; an alignment is a power of two of type uint32. The caller
 * resets *out, after a failure too. */
AQ_MUST_CHECK aq_status aq_gguf_metadata_read(aq_gguf_cursor *cursor, uint64_t count, aq_gguf_metadata *out,
                                              aq_error *err);
void aq_gguf_metadata_reset(aq_gguf_metadata *metadata);

#endif
