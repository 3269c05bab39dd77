/* safetensors_index.h - model.safetensors.index.json: which shard holds which tensor. */
#ifndef AQ_IO_SAFETENSORS_SAFETENSORS_INDEX_H
#define AQ_IO_SAFETENSORS_SAFETENSORS_INDEX_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/file.h"
#include "io/safetensors/safetensors_header.h"

typedef struct aq_safetensors_index {
  json_t *root;
  json_t *weight_map;  /* of root */
  const char **shards; /* distinct names of files, sorted; the texts belong to root */
  size_t shard_count;
} aq_safetensors_index;

/* Reads the index and checks that its shards are names of files that lie beside it. */
AQ_MUST_CHECK aq_status aq_safetensors_index_read(const char *path, aq_safetensors_index *out, aq_error *err);

/* Fails naming the shards that are not in the folder. */
AQ_MUST_CHECK aq_status aq_safetensors_index_check_files(const aq_safetensors_index *index, const char *folder,
                                                         aq_error *err);

/* Fails unless the headers, one a shard in the same order, hold exactly the tensors that the index puts there. */
AQ_MUST_CHECK aq_status aq_safetensors_index_check_tensors(const aq_safetensors_index *index,
                                                           const aq_safetensors_header *headers, aq_error *err);
void aq_safetensors_index_reset(aq_safetensors_index *index);

#endif
