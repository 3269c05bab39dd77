/* shard_index.h - model.safetensors.index.json and pytorch_model.bin.index.json: which shard holds which tensor. */
#ifndef AQ_IO_SHARD_INDEX_H
#define AQ_IO_SHARD_INDEX_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/file.h"

/* Bytes that an index may have. */
#define AQ_SHARD_INDEX_MAX ((uint64_t)100000000)

typedef struct aq_shard_index {
  json_t *root;
  json_t *weight_map;  /* of root */
  const char **shards; /* distinct names of files, sorted; the texts belong to root */
  size_t shard_count;
} aq_shard_index;

/* Reads the index and checks that its shards are names of files that lie beside it. */
AQ_MUST_CHECK aq_status aq_shard_index_read(const char *path, aq_shard_index *out, aq_error *err);

/* Fails naming the shards that are not in the folder. */
AQ_MUST_CHECK aq_status aq_shard_index_check_files(const aq_shard_index *index, const char *folder, aq_error *err);

/* The name of tensor i of a shard (in the order of the index); NULL behind the last. */
typedef const char *(*aq_shard_tensor_fn)(const void *ctx, size_t shard, size_t i);

/* Fails unless the shards hold exactly the tensors that the index puts there. */
AQ_MUST_CHECK aq_status aq_shard_index_check_tensors(const aq_shard_index *index, aq_shard_tensor_fn tensor_of,
                                                     const void *ctx, aq_error *err);

/* True for the name of such an index. */
bool aq_shard_index_is_name(const char *name);

/* True when a file that begins with these bytes can be one: JSON. */
bool aq_shard_index_plausible(const uint8_t *head, size_t size);

void aq_shard_index_reset(aq_shard_index *index);

#endif
