/* safetensors_header.h - the header of one safetensors file, checked. */
#ifndef AQ_IO_SAFETENSORS_SAFETENSORS_HEADER_H
#define AQ_IO_SAFETENSORS_SAFETENSORS_HEADER_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/file.h"

/* Limit of the reference implementation, in bytes. */
#define AQ_SAFETENSORS_HEADER_MAX ((uint64_t)100000000)

typedef struct aq_safetensors_entry {
  const char *name; /* lives as long as the header */
  aq_dtype dtype;
  int32_t rank;
  int64_t shape[AQ_MAX_RANK];
  uint64_t num_params;
  uint64_t begin, end; /* in the data section */
  size_t order;        /* in the header's text */
} aq_safetensors_entry;

typedef struct aq_safetensors_header {
  json_t *root;
  json_t *metadata;              /* object of strings, or NULL */
  aq_safetensors_entry *entries; /* in the order of their bytes */
  size_t count;
  uint64_t data_start; /* of the data section in the file */
} aq_safetensors_header;

/* True when a file that begins with these bytes (9 or more) is meant as safetensors, damaged or not. */
bool aq_safetensors_header_plausible(const uint8_t *head, size_t size);

/* The text between the length field and the data section, and how long that section is. */
AQ_MUST_CHECK aq_status aq_safetensors_header_parse(const char *text, size_t size, uint64_t data_bytes,
                                                    aq_safetensors_header *out, aq_error *err);

/* The header of an open file. max_memory 0: no limit. */
AQ_MUST_CHECK aq_status aq_safetensors_header_read(const aq_file *file, uint64_t max_memory, aq_safetensors_header *out,
                                                   aq_error *err);
void aq_safetensors_header_reset(aq_safetensors_header *header);

#endif
