/* shard_index.c - model.safetensors.index.json and pytorch_model.bin.index.json, checked both ways.
 *
 * Layout (transformers, "Sharded checkpoints"): {"metadata": {"total_size": BYTES}, "weight_map": {TENSOR: SHARD}}.
 * A stale index or a missing shard otherwise loads without a word, with weights that are not the model's. */
#include "io/shard_index.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "core/strmap.h"
#include "io/listing.h"

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_plain_file_name(const char *name) {
  return name[0] != '\0' && strchr(name, '/') == NULL && strchr(name, '\\') == NULL && strstr(name, "..") == NULL;
}

static aq_status check_shard(const char *tensor, const json_t *shard, aq_error *err) {
  aq_status status = AQ_OK;
  if (!json_is_string(shard)) {
    status = aq_fail(err, AQ_ERR_FORMAT, "the index does not give its shard as a string");
  } else if (!is_plain_file_name(json_string_value(shard))) {
    status = aq_fail(err, AQ_ERR_FORMAT, "the index puts it into '%.200s', which is not the name of a file beside it",
                     json_string_value(shard));
  }
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, tensor);
}

static aq_status collect_shards(aq_shard_index *index, aq_error *err) {
  const char *tensor;
  json_t *shard;
  const size_t room = json_object_size(index->weight_map);
  AQ_FAIL_IF(room == 0, AQ_ERR_FORMAT, "weight_map names no tensor");
  index->shards = aq_calloc(room, sizeof *index->shards);
  if (index->shards == NULL) return aq_fail_memory(err, room * sizeof *index->shards);
  size_t count = 0;
  json_object_foreach(index->weight_map, tensor, shard) {
    AQ_TRY(check_shard(tensor, shard, err));
    index->shards[count++] = json_string_value(shard);
  }
  qsort(index->shards, count, sizeof *index->shards, compare_names);
  for (size_t i = 0; i < count; i++) {
    if (i == 0 || strcmp(index->shards[i], index->shards[i - 1]) != 0)
      index->shards[index->shard_count++] = index->shards[i];
  }
  return AQ_OK;
}

/* total_size is informative and often wrong (it may count tied weights twice); only nonsense is refused. */
static aq_status check_total(const json_t *root, aq_error *err) {
  const json_t *total = json_object_get(json_object_get(root, "metadata"), "total_size");
  AQ_FAIL_IF(json_is_number(total) && !(json_number_value(total) >= 0), AQ_ERR_FORMAT,
             "metadata.total_size is negative");
  return AQ_OK;
}

static aq_status parse(const char *text, size_t size, aq_shard_index *out, aq_error *err) {
  AQ_TRY(aq_json_parse_object(text, size, 0, &out->root, err));
  out->weight_map = json_object_get(out->root, "weight_map");
  if (!json_is_object(out->weight_map)) {
    const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "is JSON without a weight_map, so not the index of a model");
    return aq_error_hint(err, status, "Name the file of the model, its index, or its folder");
  }
  AQ_TRY(check_total(out->root, err));
  return collect_shards(out, err);
}

aq_status aq_shard_index_read(const char *path, aq_shard_index *out, aq_error *err) {
  *out = (aq_shard_index){0};
  char *text = NULL;
  size_t size = 0;
  AQ_TRY(aq_file_slurp(path, (size_t)AQ_SHARD_INDEX_MAX, &text, &size, err));
  const aq_status status = parse(text, size, out, err);
  aq_free(text);
  if (status == AQ_OK) return AQ_OK;
  aq_shard_index_reset(out);
  return aq_error_in_file(err, status, path);
}

static aq_status fail_files(const aq_shard_index *index, const char **missing, size_t count, aq_error *err) {
  char text[400];
  const aq_status status = aq_fail(err, AQ_ERR_NOT_FOUND, "%zu of the %zu shards that the index names are missing: %s",
                                   count, index->shard_count, aq_names_text(missing, count, text, sizeof text));
  return aq_error_hint(err, status, "Download them into the index's folder");
}

aq_status aq_shard_index_check_files(const aq_shard_index *index, const char *folder, aq_error *err) {
  const char **missing = aq_calloc(index->shard_count, sizeof *missing);
  if (missing == NULL) return aq_fail_memory(err, index->shard_count * sizeof *missing);
  size_t count = 0;
  aq_status status = AQ_OK;
  for (size_t i = 0; i < index->shard_count && status == AQ_OK; i++) {
    char *path = aq_path_join(folder, index->shards[i]);
    if (path == NULL) status = aq_fail_memory(err, strlen(folder) + strlen(index->shards[i]));
    if (path != NULL && !aq_path_exists(path)) missing[count++] = index->shards[i];
    aq_free(path);
  }
  if (status == AQ_OK && count > 0) status = fail_files(index, missing, count, err);
  aq_free(missing);
  return status;
}

static aq_status fail_unnamed(const char *name, const char *shard, aq_error *err) {
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "is in shard '%.150s', but the index does not name it", shard);
  (void)aq_error_hint(err, status,
                      "Add it to the weight_map of the index, or write the shard without it: one of them is of another "
                      "version of the model");
  return aq_error_in_tensor(err, status, name);
}

/* A tensor that the index means elsewhere: loaders differ in which of the two they take. */
static aq_status fail_stale(const char *name, const char *here, const char *said, aq_error *err) {
  const aq_status status =
      aq_fail(err, AQ_ERR_FORMAT, "is in shard '%.150s' as well as in '%.150s', where the index puts it", here, said);
  (void)aq_error_hint(err, status,
                      "A shard of another version lies in the folder: write '%.150s' again without this tensor, or "
                      "correct the index",
                      here);
  return aq_error_in_tensor(err, status, name);
}

static aq_status fail_absent(const char *name, const char *said, const char *elsewhere, aq_error *err) {
  const aq_status status =
      aq_fail(err, AQ_ERR_FORMAT, "the index puts it into shard '%.150s', which does not have it%s%.150s%s", said,
              elsewhere != NULL ? "; '" : "", elsewhere != NULL ? elsewhere : "", elsewhere != NULL ? "' has" : "");
  (void)aq_error_hint(err, status, "Index and shards are of different versions: take all of them from one");
  return aq_error_in_tensor(err, status, name);
}

static const char *shard_of(const aq_shard_index *index, const char *name) {
  return json_string_value(json_object_get(index->weight_map, name));
}

/* A shard that has the tensor and is not the one that the index names; or NULL. */
static const char *find_elsewhere(const aq_shard_index *index, aq_shard_tensor_fn tensor_of, const void *ctx,
                                  const char *name) {
  const char *found;
  for (size_t i = 0; i < index->shard_count; i++) {
    for (size_t k = 0; (found = tensor_of(ctx, i, k)) != NULL; k++) {
      if (strcmp(found, name) == 0 && strcmp(index->shards[i], shard_of(index, name)) != 0) return index->shards[i];
    }
  }
  return NULL;
}

/* Those that are where the index says go into the map; nothing else may be in a shard. */
static aq_status check_tensors(const aq_shard_index *index, aq_shard_tensor_fn tensor_of, const void *ctx,
                               aq_strmap *seen, aq_error *err) {
  const char *stale = NULL, *stale_shard = NULL, *name;
  json_t *shard;
  for (size_t i = 0; i < index->shard_count; i++) {
    for (size_t k = 0; (name = tensor_of(ctx, i, k)) != NULL; k++) {
      const char *said = shard_of(index, name);
      if (said == NULL) return fail_unnamed(name, index->shards[i], err);
      if (strcmp(said, index->shards[i]) == 0) {
        AQ_TRY(aq_strmap_add(seen, name, (int64_t)i, NULL, err));
      } else if (stale == NULL) {
        stale = name;
        stale_shard = index->shards[i];
      }
    }
  }
  json_object_foreach(index->weight_map, name, shard) {
    if (aq_strmap_get(seen, name) < 0)
      return fail_absent(name, json_string_value(shard), find_elsewhere(index, tensor_of, ctx, name), err);
  }
  return stale != NULL ? fail_stale(stale, stale_shard, shard_of(index, stale), err) : AQ_OK;
}

aq_status aq_shard_index_check_tensors(const aq_shard_index *index, aq_shard_tensor_fn tensor_of, const void *ctx,
                                       aq_error *err) {
  aq_strmap seen = {0};
  const aq_status status = check_tensors(index, tensor_of, ctx, &seen, err);
  aq_strmap_reset(&seen);
  return status;
}

bool aq_shard_index_is_name(const char *name) {
  return aq_ends_with(name, ".safetensors.index.json") || aq_ends_with(name, ".bin.index.json");
}

bool aq_shard_index_plausible(const uint8_t *head, size_t size) {
  size_t i = 0;
  while (i < size && (head[i] == ' ' || head[i] == '\n' || head[i] == '\r' || head[i] == '\t')) i++;
  return i < size && head[i] == '{';
}

void aq_shard_index_reset(aq_shard_index *index) {
  json_decref(index->root);
  aq_free(index->shards);
  *index = (aq_shard_index){0};
}
