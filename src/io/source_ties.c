/* source_ties.c - finding tensors that hold the same bytes (tied weights that a file stores twice).
 *
 * Only tensors of the same dtype and shape can be the same, and a large model has many of those: hashing them all would
 * read the whole file. So each is first known by a hash of three small samples; tensors that agree there are hashed
 * whole, and those that agree again are compared byte by byte. A model without tied weights is read by a few kilobytes
 * a tensor. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "tensor/dtype.h"

#define SMALLEST ((uint64_t)1024) /* bytes; under this, sharing saves nothing */
#define SAMPLE ((uint64_t)4096)
#define STEP ((uint64_t)1 << 20)

typedef struct candidate {
  const aq_tensor_info *info;
  size_t index;
  uint64_t hash; /* of the samples, then of everything */
} candidate;

static int compare_kind(const candidate *a, const candidate *b) {
  if (a->info->dtype != b->info->dtype) return a->info->dtype < b->info->dtype ? -1 : 1;
  if (a->info->rank != b->info->rank) return a->info->rank < b->info->rank ? -1 : 1;
  for (int32_t i = 0; i < a->info->rank; i++) {
    if (a->info->shape[i] != b->info->shape[i]) return a->info->shape[i] < b->info->shape[i] ? -1 : 1;
  }
  return 0;
}

static int compare_hash(const candidate *a, const candidate *b) {
  const int kind = compare_kind(a, b);
  return kind != 0 ? kind : (a->hash > b->hash) - (a->hash < b->hash);
}

static int compare_all(const void *pa, const void *pb) {
  const candidate *a = pa, *b = pb;
  const int order = compare_hash(a, b);
  return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Adds bytes [offset, offset + size) of a tensor to a hash. `room` holds STEP bytes. */
static aq_status hash_range(const aq_source *source, size_t index, uint64_t offset, uint64_t size, uint8_t *room,
                            uint64_t *hash, aq_error *err) {
  while (size > 0) {
    const size_t n = (size_t)AQ_MIN(size, STEP);
    AQ_TRY(aq_source_read_bytes(source, index, offset, n, room, err));
    *hash = XXH3_64bits_withSeed(room, n, *hash);
    offset += n;
    size -= n;
  }
  return AQ_OK;
}

static aq_status hash_samples(const aq_source *source, candidate *c, uint8_t *room, aq_error *err) {
  const uint64_t bytes = c->info->data_bytes;
  c->hash = 0;
  if (bytes <= 3 * SAMPLE) return hash_range(source, c->index, 0, bytes, room, &c->hash, err);
  AQ_TRY(hash_range(source, c->index, 0, SAMPLE, room, &c->hash, err));
  AQ_TRY(hash_range(source, c->index, bytes / 2, SAMPLE, room, &c->hash, err));
  return hash_range(source, c->index, bytes - SAMPLE, SAMPLE, room, &c->hash, err);
}

static aq_status hash_whole(const aq_source *source, candidate *c, uint8_t *room, aq_error *err) {
  c->hash = 0;
  return hash_range(source, c->index, 0, c->info->data_bytes, room, &c->hash, err);
}

typedef aq_status (*hash_fn)(const aq_source *source, candidate *c, uint8_t *room, aq_error *err);
typedef int (*compare_fn)(const candidate *a, const candidate *b);

/* Gives a hash to every candidate that equals another one so far, and drops the others. The candidates are sorted, and
 * sorted again on return. */
static aq_status narrow(const aq_source *source, candidate *all, size_t *count, compare_fn same, hash_fn hash,
                        uint8_t *room, aq_error *err) {
  size_t kept = 0;
  for (size_t i = 0; i < *count;) {
    size_t end = i + 1;
    while (end < *count && same(&all[i], &all[end]) == 0) end++;
    if (end - i > 1) {
      memmove(all + kept, all + i, (end - i) * sizeof *all);
      kept += end - i;
    }
    i = end;
  }
  for (size_t i = 0; i < kept; i++) AQ_TRY(hash(source, &all[i], room, err));
  *count = kept;
  if (kept > 1) qsort(all, kept, sizeof *all, compare_all);
  return AQ_OK;
}

static aq_status same_bytes(const aq_source *source, const candidate *a, const candidate *b, uint8_t *room, bool *same,
                            aq_error *err) {
  *same = false;
  for (uint64_t at = 0; at < a->info->data_bytes; at += STEP) {
    const size_t n = (size_t)AQ_MIN(a->info->data_bytes - at, STEP);
    AQ_TRY(aq_source_read_bytes(source, a->index, at, n, room, err));
    AQ_TRY(aq_source_read_bytes(source, b->index, at, n, room + STEP, err));
    if (memcmp(room, room + STEP, n) != 0) return AQ_OK;
  }
  *same = true;
  return AQ_OK;
}

/* In a run of equal hashes each tensor is compared with the first one, which has the lowest index. */
static aq_status mark_copies(const aq_source *source, const candidate *all, size_t count, uint8_t *room,
                             aq_tensor_info *tied, aq_error *err) {
  size_t first = 0;
  for (size_t i = 1; i < count; i++) {
    if (compare_hash(&all[first], &all[i]) != 0) {
      first = i;
      continue;
    }
    bool same;
    AQ_TRY(same_bytes(source, &all[first], &all[i], room, &same, err));
    if (same) tied[all[i].index].alias_of = (int32_t)all[first].index;
  }
  return AQ_OK;
}

/* A tensor found to be a copy may be the target of an alias that the file already had. */
static void shorten_chains(aq_tensor_info *tied, size_t count) {
  for (size_t i = 0; i < count; i++) {
    aq_tensor_info *info = &tied[i];
    if (info->alias_of >= 0 && tied[info->alias_of].alias_of >= 0) info->alias_of = tied[info->alias_of].alias_of;
  }
}

static size_t collect(const aq_source *source, candidate *all) {
  size_t count = 0;
  for (size_t i = 0; i < source->tensor_count; i++) {
    const aq_tensor_info *info = &source->tensors[i];
    if (info->alias_of >= 0 || info->quant_type != AQ_KEPT || !aq_dtype_is_float(info->dtype)) continue;
    if (info->data_bytes >= SMALLEST) all[count++] = (candidate){info, i, 0};
  }
  if (count > 1) qsort(all, count, sizeof *all, compare_all);
  return count;
}

static aq_status find_copies(const aq_source *source, candidate *all, uint8_t *room, aq_tensor_info *tied,
                             aq_error *err) {
  size_t count = collect(source, all);
  AQ_TRY(narrow(source, all, &count, compare_kind, hash_samples, room, err));
  AQ_TRY(narrow(source, all, &count, compare_hash, hash_whole, room, err));
  AQ_TRY(mark_copies(source, all, count, room, tied, err));
  shorten_chains(tied, source->tensor_count);
  return AQ_OK;
}

aq_status aq_source_find_ties(const aq_source *source, aq_tensor_info **tied, aq_error *err) {
  const size_t tensors = AQ_MAX(source->tensor_count, 1);
  candidate *all = aq_calloc(tensors, sizeof *all);
  uint8_t *room = aq_malloc((size_t)(2 * STEP));
  *tied = aq_calloc(tensors, sizeof **tied);
  const bool made = all != NULL && room != NULL && *tied != NULL;
  aq_status status = made ? AQ_OK : aq_fail_memory(err, (size_t)(2 * STEP));
  if (made && source->tensor_count > 0) memcpy(*tied, source->tensors, source->tensor_count * sizeof **tied);
  if (status == AQ_OK) status = find_copies(source, all, room, *tied, err);
  aq_free(all);
  aq_free(room);
  if (status == AQ_OK) return AQ_OK;
  aq_free(*tied);
  *tied = NULL;
  return status;
}
