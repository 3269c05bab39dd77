/* torch.c - the source for a file of torch.save, or for the shards of an index.
 *
 * Tensors come in the order of the pickle, shard after shard by name. Those whose elements lie in C order are ranges of
 * the file, read by position or viewed through a map; others are read by their strides, with a small window. Tensors
 * that are the same view of one storage are ties. */
#include <stdlib.h>
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/fork.h"
#include "core/memory.h"
#include "io/foreign.h"
#include "io/formats.h"
#include "io/listing.h"
#include "io/shard_index.h"
#include "io/source.h"
#include "io/torch/torch_content.h"
#include "io/torch/torch_files.h"
#include "io/torch/torch_paths.h"
#include "io/torch/torch_strides.h"
#include "tensor/dtype.h"

#define HEAD_SIZE 512
/* Views can describe more bytes than there are: together at most so many times those of the file, and a MiB. */
#define REPEATS_MAX 8
#define REPEATS_FREE ((uint64_t)1 << 20)

typedef struct shard {
  aq_file file;
  aq_torch_content content; /* while opening */
  aq_torch_paths paths;     /* while opening */
} shard;

typedef struct torch_shards {
  shard *all;
  size_t count;
  aq_torch_strides *strides; /* of tensors that are not in C order */
  size_t stride_count, stride_room;
  uint64_t described; /* bytes of all tensors that are no ties */
  aq_lock map_lock;
} torch_shards;

static void free_contents(torch_shards *s) {
  for (size_t i = 0; s->all != NULL && i < s->count; i++) {
    aq_torch_content_reset(&s->all[i].content);
    aq_torch_paths_reset(&s->all[i].paths);
  }
}

static void close_shards(aq_source *source) {
  torch_shards *s = source->impl;
  free_contents(s);
  for (size_t i = 0; i < s->count; i++) aq_file_close(&s->all[i].file);
  aq_free(s->all);
  aq_free(s->strides);
  aq_lock_reset(&s->map_lock);
  aq_free(s);
}

/* segment->where: number of the shard, offset of the first element in its file, 0 or 1 + number of the strides. */
static aq_status read_shard(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  const torch_shards *s = source->impl;
  const aq_file *file = &s->all[segment->where[0]].file;
  AQ_FAIL_IF(piece != AQ_PIECE_DATA, AQ_ERR_INTERNAL, "a PyTorch file has no scales");
  if (segment->where[2] == 0) return aq_file_read(file, segment->where[1] + offset, size, out, err);
  return aq_torch_read_strided(file, segment->where[1], &s->strides[segment->where[2] - 1], offset, size, out, err);
}

static aq_status view_shard(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  torch_shards *s = source->impl;
  *view = NULL;
  if (piece != AQ_PIECE_DATA || segment->where[2] != 0) return AQ_OK;
  return aq_file_view(&s->all[segment->where[0]].file, &s->map_lock, segment->where[1], view, err);
}

static const aq_source_ops shard_ops = {.close = close_shards, .read = read_shard, .view = view_shard};

static aq_status create_shards(aq_source *source, size_t capacity, aq_error *err) {
  torch_shards *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  const aq_status status = aq_lock_init(&s->map_lock, AQ_LOCK_FILE, err);
  if (status != AQ_OK) {
    aq_free(s);
    return status;
  }
  source->impl = s;
  source->ops = &shard_ops;
  source->format = "PyTorch";
  s->all = aq_calloc(capacity, sizeof *s->all);
  return s->all != NULL ? AQ_OK : aq_fail_memory(err, capacity * sizeof *s->all);
}

/* ---- ties ---- */

typedef struct tie {
  const aq_torch_tensor *tensor;
  uint64_t begin;
  size_t entry;
} tie;

static int compare_u64(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static int compare_views(const tie *a, const tie *b) {
  int order = compare_u64(a->begin, b->begin);
  if (order == 0) order = compare_u64(a->tensor->dtype, b->tensor->dtype);
  if (order == 0) order = compare_u64((uint64_t)a->tensor->rank, (uint64_t)b->tensor->rank);
  for (int32_t i = 0; i < a->tensor->rank && order == 0; i++) {
    order = compare_u64((uint64_t)a->tensor->shape[i], (uint64_t)b->tensor->shape[i]);
    if (order == 0) order = compare_u64(a->tensor->stride[i], b->tensor->stride[i]);
  }
  return order;
}

static int compare_ties(const void *pa, const void *pb) {
  const tie *a = pa, *b = pb;
  const int order = compare_views(a, b);
  return order != 0 ? order : (a->entry > b->entry) - (a->entry < b->entry);
}

static uint64_t begin_of(const shard *sh, const aq_torch_tensor *tensor) {
  return sh->content.objects.storages[tensor->storage].begin + tensor->offset;
}

/* first[i]: the first entry that is the same view as entry i, which may be i itself. */
static aq_status find_ties(const shard *sh, size_t *first, aq_error *err) {
  tie *ties = aq_calloc(sh->paths.count, sizeof *ties);
  if (ties == NULL) return aq_fail_memory(err, sh->paths.count * sizeof *ties);
  for (size_t i = 0; i < sh->paths.count; i++) {
    const aq_torch_tensor *tensor = &sh->content.objects.tensors[sh->paths.entries[i].tensor];
    ties[i] = (tie){tensor, begin_of(sh, tensor), i};
  }
  qsort(ties, sh->paths.count, sizeof *ties, compare_ties);
  for (size_t i = 0; i < sh->paths.count; i++) {
    const bool same = i > 0 && ties[i].tensor->num_params > 0 && compare_views(&ties[i - 1], &ties[i]) == 0;
    first[ties[i].entry] = same ? first[ties[i - 1].entry] : ties[i].entry;
  }
  aq_free(ties);
  return AQ_OK;
}

/* ---- tensors ---- */

static aq_status add_strides(torch_shards *s, const aq_torch_tensor *tensor, aq_error *err) {
  if (s->stride_count == s->stride_room) {
    const size_t room = s->stride_room == 0 ? 16 : 2 * s->stride_room;
    aq_torch_strides *grown = aq_realloc_array(s->strides, room, sizeof *grown);
    if (grown == NULL) return aq_fail_memory(err, room * sizeof *grown);
    s->strides = grown;
    s->stride_room = room;
  }
  aq_torch_strides *strides = &s->strides[s->stride_count++];
  *strides = (aq_torch_strides){.rank = tensor->rank, .size = (uint32_t)aq_dtype_size(tensor->dtype)};
  for (int32_t i = 0; i < tensor->rank; i++) {
    strides->shape[i] = (uint64_t)tensor->shape[i];
    strides->stride[i] = tensor->stride[i] * strides->size;
  }
  return AQ_OK;
}

/* A few bytes that a stride of 0 repeats, or that many views share, are not worth any number of bytes. */
static aq_status count_described(const aq_source *source, const aq_torch_tensor *tensor, aq_error *err) {
  torch_shards *s = source->impl;
  const bool counted = aq_add_ok(s->described, tensor->bytes, &s->described) && s->described >= REPEATS_FREE;
  if (!counted && s->described < REPEATS_FREE) return AQ_OK;
  AQ_FAIL_IF(!counted || (s->described - REPEATS_FREE) / REPEATS_MAX > source->file_bytes, AQ_ERR_UNSUPPORTED,
             "views of the same bytes make the tensors more than %d times as large as the file", REPEATS_MAX);
  return AQ_OK;
}

static aq_status add_tensor(aq_source *source, size_t number, size_t entry, size_t first_entry, size_t base,
                            aq_error *err) {
  torch_shards *s = source->impl;
  const shard *sh = &s->all[number];
  const aq_torch_tensor *tensor = &sh->content.objects.tensors[sh->paths.entries[entry].tensor];
  const bool is_tie = first_entry != entry;
  aq_tensor_info info = {.name = aq_torch_path(&sh->paths, entry),
                         .dtype = tensor->dtype,
                         .rank = tensor->rank,
                         .num_params = tensor->num_params,
                         .data_bytes = tensor->bytes,
                         .stored_bytes = is_tie ? 0 : tensor->bytes,
                         .quant_axis = -1,
                         .alias_of = is_tie ? (int32_t)(base + first_entry) : -1};
  memcpy(info.shape, tensor->shape, sizeof info.shape);
  aq_segment segment = {
      .num_params = tensor->num_params, .data_bytes = tensor->bytes, .where = {number, begin_of(sh, tensor)}};
  if (is_tie) {
    segment.where[2] = source->segments[source->segment_first[base + first_entry]].where[2];
  } else {
    AQ_TRY(count_described(source, tensor, err));
    if (!aq_torch_is_contiguous(tensor)) {
      AQ_TRY(add_strides(s, tensor, err));
      segment.where[2] = s->stride_count;
    }
  }
  return aq_source_add_tensor(source, &info, &segment, 1, err);
}

static aq_status add_tensors(aq_source *source, size_t number, aq_error *err) {
  const shard *sh = &((const torch_shards *)source->impl)->all[number];
  const size_t base = source->tensor_count;
  if (sh->paths.count == 0) return AQ_OK;
  size_t *first = aq_calloc(sh->paths.count, sizeof *first);
  if (first == NULL) return aq_fail_memory(err, sh->paths.count * sizeof *first);
  aq_status status = find_ties(sh, first, err);
  for (size_t i = 0; i < sh->paths.count && status == AQ_OK; i++)
    status = add_tensor(source, number, i, first[i], base, err);
  aq_free(first);
  return status;
}

/* ---- notes ---- */

static aq_status add_notes(aq_source *source, aq_error *err) {
  const torch_shards *s = source->impl;
  unsigned long long others = 0, attributes = 0, unused = 0;
  const char *first = "";
  for (size_t i = 0; i < s->count; i++) {
    if (others == 0) first = s->all[i].paths.first_other;
    others += s->all[i].paths.other_count;
    attributes += s->all[i].content.objects.attribute_count;
    unused += s->all[i].content.unused_storages;
  }
  if (others > 0)
    AQ_TRY(aq_source_add_note(source, err, "%llu value%s of the pickle %s left out ('%s'%s)", others,
                              others == 1 ? "" : "s", others == 1 ? "is no tensor, and" : "are no tensors, and", first,
                              others == 1 ? "" : ", ..."));
  if (attributes > 0)
    AQ_TRY(aq_source_add_note(source, err, "%llu tensor%s attributes of a program, which are left out", attributes,
                              attributes == 1 ? " has" : "s have"));
  if (s->stride_count > 0)
    AQ_TRY(aq_source_add_note(source, err, "%zu tensor%s not stored in the order of rows: read by strides",
                              s->stride_count, s->stride_count == 1 ? " is" : "s are"));
  if (unused == 0) return AQ_OK;
  return aq_source_add_note(source, err, "%llu storage%s of the file belong%s to no tensor", unused,
                            unused == 1 ? "" : "s", unused == 1 ? "s" : "");
}

/* ---- opening ---- */

static aq_status read_head(const aq_file *file, uint8_t head[HEAD_SIZE], aq_error *err) {
  memset(head, 0, HEAD_SIZE);
  return aq_file_read(file, 0, (size_t)AQ_MIN(file->size, (uint64_t)HEAD_SIZE), head, err);
}

static bool is_zip(const uint8_t *head) { return memcmp(head, "PK\x03\x04", 4) == 0; }

/* A tar archive whose first entry is one of those of PyTorch before 0.1.10. */
static bool is_tar(const uint8_t *head) {
  static const char *const names[] = {"sys_info", "pickle", "storages", "tensors"};
  bool known = false;
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) known = known || strncmp((const char *)head, names[i], 100) == 0;
  return known && memcmp(head + 257, "ustar", 5) == 0;
}

static aq_status fail_tar(aq_error *err) {
  const aq_status status =
      aq_fail(err, AQ_ERR_UNSUPPORTED, "is a PyTorch file in the form from before version 0.1.10, a tar archive");
  return aq_error_hint(err, status, "Load it with torch.load and save it again with torch.save, or as safetensors");
}

static aq_status read_content(const aq_source *source, shard *sh, aq_error *err) {
  uint8_t head[HEAD_SIZE];
  AQ_TRY(read_head(&sh->file, head, err));
  if (is_tar(head)) return fail_tar(err);
  if (is_zip(head)) return aq_torch_archive_read(&sh->file, source->max_memory, &sh->content, err);
  if (!aq_torch_legacy_plausible(head)) return aq_foreign_fail(&sh->file, err);
  return aq_torch_legacy_read(&sh->file, source->max_memory, &sh->content, err);
}

static aq_status add_shard(aq_source *source, const char *path, aq_error *err) {
  torch_shards *s = source->impl;
  shard *sh = &s->all[s->count];
  AQ_TRY(aq_file_open(&sh->file, path, err));
  s->count++;
  source->file_bytes += sh->file.size;
  AQ_TRY(aq_source_note_file(source, path, err));
  aq_status status = read_content(source, sh, err);
  if (status == AQ_OK) status = aq_torch_paths_find(&sh->content.values, sh->content.root, &sh->paths, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, path);
}

static aq_status finish_shards(aq_source *source, aq_error *err) {
  torch_shards *s = source->impl;
  for (size_t i = 0; i < s->count; i++) AQ_TRY(add_tensors(source, i, err));
  AQ_TRY(add_notes(source, err));
  free_contents(s);
  /* As safetensors files of PyTorch say; transformers asks for it when a model is exported. */
  return aq_source_add_metadata(source, "format", "pt", err);
}

static const char *tensor_of_shard(const void *ctx, size_t number, size_t i) {
  const shard *sh = (const shard *)ctx + number;
  return i < sh->paths.count ? aq_torch_path(&sh->paths, i) : NULL;
}

static aq_status open_indexed(aq_source *source, const aq_shard_index *index, const char *folder, aq_error *err) {
  AQ_TRY(aq_shard_index_check_files(index, folder, err));
  AQ_TRY(create_shards(source, index->shard_count, err));
  for (size_t i = 0; i < index->shard_count; i++) {
    char *path = aq_path_join(folder, index->shards[i]);
    if (path == NULL) return aq_fail_memory(err, strlen(folder) + strlen(index->shards[i]));
    const aq_status status = add_shard(source, path, err);
    aq_free(path);
    if (status != AQ_OK) return status;
  }
  AQ_TRY(aq_shard_index_check_tensors(index, tensor_of_shard, ((const torch_shards *)source->impl)->all, err));
  return finish_shards(source, err);
}

/* An index is ours when its first shard has a name of ours; else others may say what is wrong with it. */
static aq_status open_index(aq_source *source, const char *path, bool *mine, aq_error *err) {
  aq_shard_index index;
  if (aq_ends_with(path, ".safetensors.index.json") || aq_shard_index_read(path, &index, NULL) != AQ_OK) return AQ_OK;
  aq_status status = AQ_OK;
  *mine = aq_torch_is_name(index.shards[0]);
  if (*mine) {
    char *folder = aq_path_parent(path);
    status = folder != NULL ? open_indexed(source, &index, folder, err) : aq_fail_memory(err, strlen(path));
    aq_free(folder);
  }
  aq_shard_index_reset(&index);
  return status;
}

static aq_status open_file(aq_source *source, const char *path, const aq_source_options *options, bool *mine,
                           aq_error *err) {
  (void)options; /* the memory limit is in the source; there are no checksums */
  aq_file file;
  uint8_t head[HEAD_SIZE];
  *mine = false;
  AQ_TRY(aq_file_open(&file, path, err));
  const aq_status status = read_head(&file, head, err);
  aq_file_close(&file);
  AQ_TRY(status);
  if (aq_shard_index_plausible(head, 16)) return open_index(source, path, mine, err);
  /* Zip archives are many things; of .npz and .zip files the name says what they are. */
  *mine = (is_zip(head) && aq_foreign_by_name(path) == NULL) || aq_torch_legacy_plausible(head) || is_tar(head);
  if (!*mine) return AQ_OK;
  AQ_TRY(create_shards(source, 1, err));
  AQ_TRY(add_shard(source, path, err));
  return finish_shards(source, err);
}

const aq_file_format aq_torch_format = {.name = "pytorch",
                                        .suffix = {".bin", ".pt", ".pth", ".ckpt"},
                                        .rank = 1, /* transformers takes them last as well */
                                        .main_name = AQ_TORCH_SINGLE_NAME,
                                        .open = open_file,
                                        .write = NULL};
